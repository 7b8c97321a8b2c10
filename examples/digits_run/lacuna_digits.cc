// lacuna-digits: classifies the held-out handwritten digits with dense and pruned networks, one row of a table each.

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "digits_run/digits_data.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/target.h"

namespace {

using graph::Network;
using graph::Status;
using graph::StatusCode;

struct Score {
  std::string scheme = "dense";  // of the pruned convolutions
  size_t images = 0;
  size_t correct = 0;
  double microseconds = 0.0;  // per image, the median over all images
  double difference = 0.0;    // the largest |output - reference output|
  double over_bound = 0.0;    // the largest difference of a layer from its reference, in units of the rounding bound
  int64_t weights = 0;        // of the convolutions
  int64_t nnz = 0;
};

Status CheckInterface(const Network& network, const std::string& path) {
  const bool fits = network.input_count() == 1 && network.output_count() == 1 &&
                    network.input_info(0).shape == graph::Shape{1, 1, digits::kSide, digits::kSide} &&
                    graph::Elements(network.output_shape(0)) == digits::kClasses;
  if (fits) return Status();
  return Status::InvalidArgument("'%s' must take one [1, 1, 8, 8] image and give 10 values", path.c_str());
}

// Times one image; the best of a few runs, since a run takes microseconds and the clock does not.
graph::Result<double> MicrosecondsOf(Network& network) {
  using Clock = std::chrono::steady_clock;
  double best = INFINITY;
  for (int run = 0; run < 3; ++run) {
    const Clock::time_point before = Clock::now();
    LACUNA_RETURN_IF_ERROR(network.Run());
    best = std::min(best, std::chrono::duration<double, std::micro>(Clock::now() - before).count());
  }
  return best;
}

graph::Result<Score> Classify(const std::string& path, const std::vector<digits::Image>& images) {
  LACUNA_ASSIGN_OR_RETURN(model, graph::ImportOnnxFile(path));
  LACUNA_ASSIGN_OR_RETURN(network, Network::Compile(model, {.stored = true, .keep_weights = true}));
  LACUNA_ASSIGN_OR_RETURN(reference, Network::Compile(model, {.stored = true, .reference = true}));
  LACUNA_RETURN_IF_ERROR(CheckInterface(network, path));
  Score score;
  for (const graph::LayerInfo& layer : network.layers()) {
    if (layer.weights == nullptr || layer.op != "Conv") continue;
    score.weights += layer.weights->weights;
    score.nnz += layer.weights->nnz;
    if (layer.weights->scheme != "dense") score.scheme = layer.weights->scheme;
  }
  std::vector<double> times;
  for (size_t i = 0; i < images.size(); ++i) {
    if (!digits::IsHeldOut(i)) continue;
    std::copy(std::begin(images[i].pixels), std::end(images[i].pixels), network.input(0).begin());
    std::copy(std::begin(images[i].pixels), std::end(images[i].pixels), reference.input(0).begin());
    LACUNA_ASSIGN_OR_RETURN(microseconds, MicrosecondsOf(network));
    times.push_back(microseconds);
    LACUNA_RETURN_IF_ERROR(reference.Run());
    const auto output = network.output(0);
    for (size_t c = 0; c < output.size(); ++c) {
      score.difference = std::max(score.difference, std::abs(double{output[c]} - double{reference.output(0)[c]}));
    }
    const auto answer = std::max_element(output.begin(), output.end()) - output.begin();
    score.correct += answer == images[i].label ? 1 : 0;
    if (score.images++ == 0) {  // one image exercises every layer; the rest is compared end to end
      LACUNA_ASSIGN_OR_RETURN(errors, network.Verify());
      for (const graph::LayerError& error : errors) score.over_bound = std::max(score.over_bound, error.over_bound);
    }
  }
  if (times.empty()) return Status::Make(StatusCode::kDataLoss, "no image is held out");
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  score.microseconds = times[times.size() / 2];
  return score;
}

Status Run(const std::vector<std::string>& models, const std::string& data) {
  LACUNA_ASSIGN_OR_RETURN(images, digits::ReadDigits(data));
  std::printf("%zu images, every fifth held out, %s\n", images.size(), graph::ActiveTargetName().c_str());
  std::printf("%-18s %18s %14s %10s %12s\n", "scheme", "conv weights kept", "images right", "accuracy", "us / image");
  double difference = 0.0, over_bound = 0.0;
  for (const std::string& path : models) {
    LACUNA_ASSIGN_OR_RETURN(score, Classify(path, images));
    const std::string weights = std::to_string(score.nnz) + " of " + std::to_string(score.weights);
    const std::string right = std::to_string(score.correct) + " of " + std::to_string(score.images);
    std::printf("%-18s %18s %14s %9.2f%% %12.2f\n", score.scheme.c_str(), weights.c_str(), right.c_str(),
                100.0 * static_cast<double>(score.correct) / static_cast<double>(score.images), score.microseconds);
    difference = std::max(difference, score.difference);
    over_bound = std::max(over_bound, score.over_bound);
    if (!(score.over_bound <= 1.0)) {
      return Status::Make(StatusCode::kDataLoss,
                          "'%s': a layer differs from its reference by more than rounding allows", path.c_str());
    }
  }
  std::printf("largest |difference| from the reference: %.3g, of a layer %.4f of its rounding bound\n", difference,
              over_bound);
  return Status();
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> models;
  std::string data = digits::kDefaultPath;
  CLI::App app(
      "Classifies the held-out UCI digits with each model: accuracy, time per image, difference from the reference.");
  app.add_option("models", models, "ONNX models, [1, 1, 8, 8] images to 10 values")->required();
  app.add_option("--data", data, "digits.csv or digits.csv.gz")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Status status = Run(models, data);
  if (status.ok()) return 0;
  std::fprintf(stderr, "lacuna-digits: %s\n", status.message());
  return 1;
}
