// lacuna-digits: classifies the held-out handwritten digits with dense and pruned networks, one row of a table each, or
// measures what pruning single layers costs in accuracy.

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "digits_run/digits_data.h"
#include "graph/accuracy_drops.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/pruning.h"
#include "graph/scheme_mapping.h"
#include "graph/scheme_plan.h"
#include "graph/target.h"

namespace {

using graph::Network;
using graph::Status;
using graph::StatusCode;

struct Arguments {
  std::vector<std::string> models;
  std::string data = digits::kDefaultPath;
  std::string plan;
  std::string sensitivity;
  std::string candidates = graph::kDefaultCandidates;
};

struct Score {
  std::string scheme = "dense";  // of the pruned layers
  size_t images = 0;
  size_t correct = 0;
  double microseconds = 0.0;  // per image, the median over all images
  double difference = 0.0;    // the largest |output - reference output|
  double over_bound = 0.0;    // the largest difference of a layer from its reference, in units of the rounding bound
  int64_t weights = 0;        // of the convolutions and recurrent layers
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

void SetImage(const digits::Image& image, Network& network) {
  std::copy(std::begin(image.pixels), std::end(image.pixels), network.input(0).begin());
}

bool IsRight(const Network& network, const digits::Image& image) {
  const auto output = network.output(0);
  return std::max_element(output.begin(), output.end()) - output.begin() == image.label;
}

// The products that classify what other layers found are no part of what is pruned and counted.
bool IsCounted(const graph::LayerInfo& layer) {
  return layer.weights != nullptr && layer.op != "Gemm" && layer.op != "MatMul";
}

// Pruned as `plan` says, if there is one, before it is run.
graph::Result<Score> Classify(const std::string& path, const std::vector<digits::Image>& images,
                              const std::optional<graph::SchemePlan>& plan) {
  LACUNA_ASSIGN_OR_RETURN(model, graph::ImportOnnxFile(path));
  if (plan.has_value()) LACUNA_RETURN_IF_ERROR(graph::PruneGraph(*plan, model).status());
  LACUNA_ASSIGN_OR_RETURN(network, Network::Compile(model, {.stored = true, .keep_weights = true}));
  LACUNA_ASSIGN_OR_RETURN(reference, Network::Compile(model, {.stored = true, .reference = true}));
  LACUNA_RETURN_IF_ERROR(CheckInterface(network, path));
  Score score;
  for (const graph::LayerInfo& layer : network.layers()) {
    if (!IsCounted(layer)) continue;
    score.weights += layer.weights->weights;
    score.nnz += layer.weights->nnz;
    if (layer.weights->scheme != "dense") score.scheme = layer.weights->scheme;
  }
  if (plan.has_value()) score.scheme = "plan";
  std::vector<double> times;
  for (size_t i = 0; i < images.size(); ++i) {
    if (!digits::IsHeldOut(i)) continue;
    SetImage(images[i], network);
    SetImage(images[i], reference);
    LACUNA_ASSIGN_OR_RETURN(microseconds, MicrosecondsOf(network));
    times.push_back(microseconds);
    LACUNA_RETURN_IF_ERROR(reference.Run());
    const auto output = network.output(0);
    for (size_t c = 0; c < output.size(); ++c) {
      score.difference = std::max(score.difference, std::abs(double{output[c]} - double{reference.output(0)[c]}));
    }
    score.correct += IsRight(network, images[i]) ? 1 : 0;
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

// The fraction of the images not held out that `model` classifies rightly, as it is.
graph::Result<double> TrainingAccuracy(const graph::Graph& model, const std::string& path,
                                       const std::vector<digits::Image>& images) {
  LACUNA_ASSIGN_OR_RETURN(network, Network::Compile(model, {.stored = true}));
  LACUNA_RETURN_IF_ERROR(CheckInterface(network, path));
  size_t count = 0, right = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    if (digits::IsHeldOut(i)) continue;
    SetImage(images[i], network);
    LACUNA_RETURN_IF_ERROR(network.Run());
    right += IsRight(network, images[i]) ? 1 : 0;
    ++count;
  }
  if (count == 0) return Status::Make(StatusCode::kDataLoss, "all images are held out");
  return static_cast<double>(right) / static_cast<double>(count);
}

// Prunes one layer at a time by one candidate, without retraining. The held-out images stay out of it: they are to
// score what is chosen by these drops.
Status MeasureDrops(const Arguments& arguments) {
  LACUNA_ASSIGN_OR_RETURN(candidates, graph::CandidateSchemes(arguments.candidates));
  LACUNA_ASSIGN_OR_RETURN(images, digits::ReadDigits(arguments.data));
  const std::string& path = arguments.models[0];
  LACUNA_ASSIGN_OR_RETURN(model, graph::ImportOnnxFile(path));
  LACUNA_ASSIGN_OR_RETURN(mapper, graph::SchemeMapper::Make(model, {.candidates = candidates}));
  LACUNA_ASSIGN_OR_RETURN(dense, TrainingAccuracy(model, path, images));
  graph::AccuracyDrops drops{.network = path, .accuracy = dense};
  for (size_t i = 0; i < images.size(); ++i) drops.images += digits::IsHeldOut(i) ? 0 : 1;
  std::printf("%zu training images, accuracy %.2f%%, %s\n", drops.images, 100 * dense,
              graph::ActiveTargetName().c_str());
  for (const graph::MappedLayer& layer : mapper.layers()) {
    for (const graph::LayerCandidate& candidate : layer.candidates) {
      if (candidate.scheme.kind == lacuna::prune::SchemeKind::kDense) continue;
      graph::Graph pruned = model;
      graph::SchemePlan plan;
      plan.layers.push_back({.layer = layer.name, .scheme = candidate.scheme});
      LACUNA_RETURN_IF_ERROR(graph::PruneGraph(plan, pruned).status());
      LACUNA_ASSIGN_OR_RETURN(accuracy, TrainingAccuracy(pruned, path, images));
      drops.drops.push_back({layer.name, candidate.scheme, dense - accuracy});
      std::printf("%-24s %-18s %9.2f points lost\n", layer.name.c_str(), candidate.scheme.Name().c_str(),
                  100 * (dense - accuracy));
    }
  }
  LACUNA_RETURN_IF_ERROR(graph::WriteDrops(drops, arguments.sensitivity));
  std::printf("%zu drops written to %s\n", drops.drops.size(), arguments.sensitivity.c_str());
  return Status();
}

Status Run(const Arguments& arguments) {
  if (!arguments.sensitivity.empty()) return MeasureDrops(arguments);
  std::optional<graph::SchemePlan> plan;
  if (!arguments.plan.empty()) {
    LACUNA_ASSIGN_OR_RETURN(read, graph::ReadPlan(arguments.plan));
    plan = std::move(read);
  }
  LACUNA_ASSIGN_OR_RETURN(images, digits::ReadDigits(arguments.data));
  std::printf("%zu images, every fifth held out, %s\n", images.size(), graph::ActiveTargetName().c_str());
  std::printf("%-18s %18s %8s %14s %10s %12s\n", "scheme", "weights kept", "rate", "images right", "accuracy",
              "us / image");
  double difference = 0.0, over_bound = 0.0;
  for (const std::string& path : arguments.models) {
    LACUNA_ASSIGN_OR_RETURN(score, Classify(path, images, plan));
    const std::string weights = std::to_string(score.nnz) + " of " + std::to_string(score.weights);
    const std::string right = std::to_string(score.correct) + " of " + std::to_string(score.images);
    const double rate = static_cast<double>(score.weights) / static_cast<double>(std::max<int64_t>(score.nnz, 1));
    std::printf("%-18s %18s %7.2fx %14s %9.2f%% %12.2f\n", score.scheme.c_str(), weights.c_str(), rate, right.c_str(),
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
  Arguments arguments;
  CLI::App app(
      "Classifies the held-out UCI digits with each model: accuracy, time per image, difference from the reference.");
  app.add_option("models", arguments.models, "ONNX models, [1, 1, 8, 8] images to 10 values")->required();
  app.add_option("--data", arguments.data, "digits.csv or digits.csv.gz")->capture_default_str();
  auto* plan = app.add_option("--plan", arguments.plan,
                              "prune each layer of the models as this file says, which lacuna-run --map wrote");
  auto* sensitivity = app.add_option("--sensitivity", arguments.sensitivity,
                                     "instead: prune one layer of the only model at a time by each candidate, without "
                                     "retraining, and write the accuracy lost on the training images to this file");
  sensitivity->excludes(plan);
  app.add_option("--candidates", arguments.candidates,
                 "--sensitivity: schemes with or without rate, separated by commas; without: 2, 4, 8 and 16")
      ->capture_default_str()
      ->needs(sensitivity);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!arguments.sensitivity.empty() && arguments.models.size() != 1) {
    std::fprintf(stderr, "lacuna-digits: --sensitivity takes one model, not %zu\n", arguments.models.size());
    return 2;
  }
  const Status status = Run(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "lacuna-digits: %s\n", status.message());
  return 1;
}
