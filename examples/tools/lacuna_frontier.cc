// lacuna-frontier: what a network loses and what it gains by scheme and rate, pruned by calibration without training.

#include "lacuna/version.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/calibrated_model.h"
#include "graph/executor.h"
#include "graph/layer_selection.h"
#include "graph/onnx_file.h"
#include "graph/onnx_import.h"
#include "tools/calibration_data.h"

namespace {

using graph::Result;
using graph::Status;
using graph::StatusCode;

struct Arguments {
  std::string model, data, calibrate, labels, csv;
  std::vector<std::string> schemes = {"bcr_col", "punched", "pattern", "block_8x1", "unstructured"};
  std::vector<double> rates = {2, 4, 8};
  graph::PruneOptions prune;
  size_t samples = 256, threads = 1;
  double seconds = 0.2;
  bool projected = false;
};

using Outputs = std::vector<std::vector<float>>;  // the first floating-point output of each sample

struct Point {
  std::string scheme = "dense";
  const char* way = "dense";
  double weights_rate = 1.0;  // of the pruned layers
  double flops_rate = 1.0;    // of all convolutions
  std::optional<double> accuracy{};
  double agreement = 1.0;  // rows of the output, along its last axis, with the same largest value as dense
  double error = 0.0;      // sqrt(sum of squared differences / sum of squares)
  double ms = 0.0;
};

// Runs all samples, then one of them until `seconds` have passed.
Result<Outputs> Run(graph::Network& network, const std::vector<graph::Sample>& samples, double seconds, double& ms) {
  using Clock = std::chrono::steady_clock;
  size_t output = 0;
  while (output < network.output_count() && !graph::IsFloating(network.output_type(output))) ++output;
  if (output == network.output_count()) return Status::InvalidArgument("the model has no floating-point output");
  Outputs outputs;
  for (const graph::Sample& sample : samples) {
    for (size_t i = 0; i < network.input_count(); ++i) {
      LACUNA_RETURN_IF_ERROR(network.SetInput(i, sample.at(network.input_info(i).name)));
    }
    LACUNA_RETURN_IF_ERROR(network.Run());
    outputs.emplace_back(network.output(output).begin(), network.output(output).end());
  }
  std::vector<double> times;
  const Clock::time_point start = Clock::now();
  while (times.size() < 5 || std::chrono::duration<double>(Clock::now() - start).count() < seconds) {
    const Clock::time_point before = Clock::now();
    LACUNA_RETURN_IF_ERROR(network.Run());
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - before).count());
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  ms = times[times.size() / 2];
  return outputs;
}

// The place of the largest value in each row; of rows of one value, whether it exceeds a half.
std::vector<size_t> Decisions(const std::vector<float>& values, size_t row) {
  std::vector<size_t> decisions;
  for (size_t first = 0; first + row <= values.size(); first += row) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first),
               end = begin + static_cast<std::ptrdiff_t>(row);
    decisions.push_back(row == 1 ? (*begin > 0.5f ? 1 : 0) : static_cast<size_t>(std::max_element(begin, end) - begin));
  }
  return decisions;
}

void Compare(const Outputs& outputs, const Outputs& dense, size_t row, const graph::Tensor* labels, Point& point) {
  double squares = 0.0, differences = 0.0;
  size_t rows = 0, same = 0, right = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    for (size_t k = 0; k < outputs[i].size(); ++k) {
      const double off = double{outputs[i][k]} - double{dense[i][k]};
      differences += off * off;
      squares += double{dense[i][k]} * double{dense[i][k]};
    }
    const std::vector<size_t> now = Decisions(outputs[i], row), then = Decisions(dense[i], row);
    rows += now.size();
    for (size_t k = 0; k < now.size(); ++k) same += now[k] == then[k] ? 1 : 0;
    if (labels != nullptr && !now.empty()) {
      const double label = labels->IsFloats() ? double{labels->floats[i]} : static_cast<double>(labels->integers[i]);
      right += static_cast<double>(now[0]) == label ? 1 : 0;
    }
  }
  point.agreement = rows == 0 ? 1.0 : static_cast<double>(same) / static_cast<double>(rows);
  point.error = squares == 0.0 ? 0.0 : std::sqrt(differences / squares);
  if (labels != nullptr) point.accuracy = static_cast<double>(right) / static_cast<double>(outputs.size());
}

class Frontier {
 public:
  explicit Frontier(const Arguments& arguments) : arguments_(arguments) {}

  Status Run() {
    LACUNA_ASSIGN_OR_RETURN(model, graph::ReadModel(arguments_.model));
    const std::filesystem::path folder = std::filesystem::path(arguments_.model).parent_path();
    LACUNA_RETURN_IF_ERROR(graph::EmbedExternalData(model, folder.empty() ? "." : folder.string()));
    model_ = std::move(model);
    graph::ImportOptions as_it_is;
    as_it_is.for_execution = false;
    LACUNA_ASSIGN_OR_RETURN(imported, graph::ImportOnnx(model_.SerializeAsString(), as_it_is));
    LACUNA_ASSIGN_OR_RETURN(data, tools::ReadCalibrationData(arguments_.data, imported.inputs, 0));
    LACUNA_ASSIGN_OR_RETURN(calibration,
                            tools::ReadCalibrationData(arguments_.calibrate, imported.inputs, arguments_.samples));
    data_ = std::move(data);
    calibration_ = std::move(calibration);
    if (!arguments_.labels.empty()) {
      const auto found = data_.others.find(arguments_.labels);
      if (found == data_.others.end() ||
          graph::Elements(found->second.shape) != static_cast<int64_t>(data_.samples.size())) {
        return Status::Make(StatusCode::kNotFound, "'%s' has no array '%s' with a value for each of %zu samples",
                            arguments_.data.c_str(), arguments_.labels.c_str(), data_.samples.size());
      }
      labels_ = &found->second;
    }
    LACUNA_RETURN_IF_ERROR(Measure(model_, Point{}));
    for (const std::string& name : arguments_.schemes) {
      for (const double rate : arguments_.rates) {
        LACUNA_ASSIGN_OR_RETURN(scheme, lacuna::prune::MakeScheme(name, rate));
        for (const bool projected : {false, true}) {
          if (!projected || arguments_.projected) LACUNA_RETURN_IF_ERROR(Prune(scheme, projected));
        }
      }
    }
    return arguments_.csv.empty() ? Status() : Write();
  }

 private:
  Status Prune(const lacuna::prune::Scheme& scheme, bool projected) {
    onnx::ModelProto pruned = model_;
    graph::PruneOptions options = arguments_.prune;
    options.scheme = scheme;
    Point point{.scheme = scheme.Name(), .way = projected ? "projected" : "calibrated"};
    graph::PrunedModel done;
    if (projected) {
      LACUNA_ASSIGN_OR_RETURN(result, graph::PruneModel(options, pruned));
      done = std::move(result);
    } else {
      graph::CalibrationOptions calibration;
      calibration.threads = arguments_.threads;
      LACUNA_ASSIGN_OR_RETURN(result, graph::CalibrateModel(options, calibration_.samples, calibration, pruned));
      done = std::move(result.pruned);
    }
    int64_t weights = 0, nnz = 0;
    for (const graph::PrunedLayer& layer : done.layers) {
      weights += layer.weights;
      nnz += layer.nnz;
    }
    point.weights_rate = static_cast<double>(weights) / static_cast<double>(std::max<int64_t>(nnz, 1));
    if (done.flops > 0.0) point.flops_rate = done.dense_flops / done.flops;
    return Measure(pruned, std::move(point));
  }

  Status Measure(const onnx::ModelProto& model, Point point) {
    graph::ImportOptions importing;
    importing.given = [&](const std::string& name) { return graph::FindInput(data_.samples[0], name); };
    LACUNA_ASSIGN_OR_RETURN(imported, graph::ImportOnnx(model.SerializeAsString(), importing));
    LACUNA_ASSIGN_OR_RETURN(
        network, graph::Network::Compile(std::move(imported), {.stored = true, .threads = arguments_.threads}));
    LACUNA_ASSIGN_OR_RETURN(outputs, ::Run(network, data_.samples, arguments_.seconds, point.ms));
    if (points_.empty()) {
      dense_ = outputs;
      for (size_t i = network.output_count(); i-- > 0;) {
        if (graph::IsFloating(network.output_type(i)) && !network.output_shape(i).empty()) {
          row_ = static_cast<size_t>(std::max<int64_t>(network.output_shape(i).back(), 1));
        }
      }
    }
    Compare(outputs, dense_, row_, labels_, point);
    Print(point);
    points_.push_back(std::move(point));
    return Status();
  }

  void Print(const Point& point) const {
    if (points_.empty()) {
      std::printf("%-24s %-10s %8s %8s %9s %10s %9s %9s %8s\n", "scheme", "weights by", "weights", "FLOPs", "accuracy",
                  "agreement", "error", "ms", "faster");
    }
    char accuracy[32] = "-";
    if (point.accuracy.has_value()) std::snprintf(accuracy, sizeof(accuracy), "%.2f%%", 100.0 * *point.accuracy);
    const double dense_ms = points_.empty() ? point.ms : points_[0].ms;
    std::printf("%-24s %-10s %7.2fx %7.2fx %9s %9.2f%% %9.4f %9.4f %7.2fx\n", point.scheme.c_str(), point.way,
                point.weights_rate, point.flops_rate, accuracy, 100.0 * point.agreement, point.error, point.ms,
                dense_ms / point.ms);
    std::fflush(stdout);
  }

  Status Write() const {
    std::FILE* file = std::fopen(arguments_.csv.c_str(), "w");
    if (file == nullptr) return Status::Make(StatusCode::kNotFound, "cannot write '%s'", arguments_.csv.c_str());
    std::fprintf(file, "scheme,way,weights_rate,flops_rate,accuracy,agreement,error,ms\n");
    for (const Point& point : points_) {
      std::fprintf(file, "%s,%s,%.4f,%.4f,", point.scheme.c_str(), point.way, point.weights_rate, point.flops_rate);
      if (point.accuracy.has_value()) std::fprintf(file, "%.6f", *point.accuracy);
      std::fprintf(file, ",%.6f,%.6f,%.6f\n", point.agreement, point.error, point.ms);
    }
    const bool ok = std::ferror(file) == 0;
    return std::fclose(file) == 0 && ok
               ? Status()
               : Status::Make(StatusCode::kDataLoss, "cannot write '%s'", arguments_.csv.c_str());
  }

  const Arguments& arguments_;
  onnx::ModelProto model_;
  tools::CalibrationData data_, calibration_;
  const graph::Tensor* labels_ = nullptr;
  std::vector<Point> points_;
  Outputs dense_;
  size_t row_ = 1;  // of the output's last axis
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(
      "Prunes a model by several schemes and rates, each layer reconstructed on calibration data, and measures each "
      "pruned network on other data: accuracy where there are labels, agreement with the dense network, time for a "
      "run.");
  app.set_version_flag("--version", "lacuna " LACUNA_VERSION);
  app.add_option("model", arguments.model, "ONNX model")->required();
  app.add_option("data", arguments.data, "samples to judge by, as --calibrate takes them")->required();
  app.add_option(
         "--calibrate", arguments.calibrate,
         "samples to reconstruct layers on: a .npy, .npz or .pb file, or a folder; arrays hold samples along their "
         "first axis")
      ->required();
  app.add_option("--labels", arguments.labels, "the array of the data that holds the right class of each sample");
  app.add_option("--schemes", arguments.schemes,
                 "without rates, separated by commas. " + std::string(graph::kSchemeHelp))
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--rates", arguments.rates, "dense weights / kept weights, separated by commas")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--layers", arguments.prune.layers, "which layers, as lacuna-prune takes it");
  app.add_flag("--skip-first", arguments.prune.skip_first, "leave the first Conv as it is");
  app.add_option("--samples", arguments.samples, "calibration samples that are used, 0: all")->capture_default_str();
  app.add_flag("--projected", arguments.projected, "measure what projection alone gives, too");
  app.add_option("--seconds", arguments.seconds, "of runs that are timed, for each point")->capture_default_str();
  app.add_option("--threads", arguments.threads, "threads")->capture_default_str();
  app.add_option("--csv", arguments.csv, "file to write");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Status status = Frontier(arguments).Run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "lacuna-frontier: %s\n", status.message());
  return 1;
}
