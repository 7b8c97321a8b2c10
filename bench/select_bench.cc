// How well lacuna selects: for every layer, scheme and rate, what the cost model and what measurement choose, judged
// afterwards against all candidates in turns, and against the best dense plans of the layer. One thread.

#include "lacuna/prune/scheme.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <regex>
#include <string>
#include <vector>

#include "layers.h"
#include "sampler.h"
#include "select_case.h"
#include "select_report.h"
#include "suite.h"

namespace lacuna::bench {
namespace {

struct SelectOptions {
  std::vector<std::string> networks{"vgg16", "resnet50", "mobilenet_v2", "c3d"};
  std::string layers = ".";
  std::vector<std::string> schemes{"bcr_col", "bcr_kernel", "pattern", "unstructured"};
  std::vector<double> rates{1.5, 2.0, 3.0, 4.0, 8.0};
  std::string json, target;
  double seconds = 0.4;
  double budget_seconds = kMeasureSeconds;
  double most_predicted = 3.0;
  bool smoke = false;
};

// The exit code if the program shall end here, else -1.
int Parse(int argc, char** argv, SelectOptions& options) {
  CLI::App app("How near to the best candidate lacuna's selection comes, by cost model and by measurement.");
  app.add_option("--networks", options.networks, "of the layer table")->delimiter(',');
  app.add_option("--layers", options.layers, "regular expression over names like conv2d/vgg16.conv3_2");
  app.add_option("--schemes", options.schemes, "without rates: bcr_col,pattern")->delimiter(',');
  app.add_option("--rates", options.rates, "dense weights / kept weights")
      ->delimiter(',')
      ->check(CLI::Range(1.0, prune::kMaxRate));
  app.add_option("--json", options.json, "file for a row per case and candidate")->take_last();
  app.add_option("--seconds", options.seconds, "time for judging a case")->check(CLI::PositiveNumber);
  app.add_option("--budget", options.budget_seconds, "seconds that selection by measurement has")
      ->check(CLI::PositiveNumber);
  app.add_option("--most-predicted", options.most_predicted,
                 "candidates predicted slower than the best by more are not judged")
      ->check(CLI::Range(1.0, 1e9));
  app.add_option("--target", options.target, "SIMD target to stay at or below: avx3, avx2, sse4, ...");
  app.add_flag("--smoke", options.smoke, "one short run a candidate: shows that everything runs, judges nothing");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return -1;
}

int Fail(const Status& status) {
  std::fprintf(stderr, "%s\n", status.message());
  return 2;
}

Result<std::vector<Layer>> LayersOf(const SelectOptions& options) {
  std::vector<Layer> layers;
  std::regex wanted;
  try {
    wanted = std::regex(options.layers, std::regex::extended);
  } catch (const std::regex_error& error) {
    return Status::InvalidArgument("--layers is \"%.60s\": %s", options.layers.c_str(), error.what());
  }
  for (const Layer& layer : kLayers) {
    const auto& networks = options.networks;
    if (layer.op != Op::kConv2d && layer.op != Op::kConv3d && layer.op != Op::kDepthwise) continue;
    if (std::find(networks.begin(), networks.end(), layer.network) == networks.end()) continue;
    if (std::regex_search(NameOf(layer), wanted)) layers.push_back(layer);
  }
  if (layers.empty()) return Status::InvalidArgument("--networks and --layers match no layer");
  return layers;
}

// Judges all cases, reports progress on stderr; returns the number of faults.
class Course {
 public:
  Course(const SelectOptions& options, size_t layer_count)
      : options_(options),
        judge_options_{.sampler = {.seconds = options.seconds,
                                   .stretch_seconds = 2.0,
                                   .fewest_rounds = 7,
                                   .long_run_seconds = 0.05,
                                   .smoke = options.smoke,
                                   .drop_outs = {{0, 3.0}, {2, 1.5}, {4, 1.15}}},
                       .budget_seconds = options.smoke ? 1e-3 : options.budget_seconds,
                       .most_predicted = options.most_predicted},
        sampler_(judge_options_.sampler),
        total_(layer_count * options.schemes.size() * options.rates.size()) {}

  void Run(const Layer& layer) {
    Result<LayerJudge> judge = LayerJudge::Make(layer, judge_options_, &sampler_);
    if (!judge.ok()) {
      Fault(NameOf(layer), judge.status());
      done_ += options_.schemes.size() * options_.rates.size();
      return;
    }
    for (const std::string& kind : options_.schemes) {
      for (const double rate : options_.rates) {
        Result<SelectCase> one = judge->Judge(kind, rate);
        ++done_;
        if (one.ok()) {
          cases_.push_back(*std::move(one));
          Progress(cases_.back());
        } else {
          Fault(NameOf(layer) + "/" + kind + "-" + std::to_string(rate) + "x", one.status());
        }
      }
    }
  }
  const std::vector<SelectCase>& cases() const { return cases_; }
  int faults() const { return faults_; }

 private:
  void Progress(const SelectCase& one) const {
    if (!one.skipped.empty()) return;
    if (one.disturbed) {
      std::fprintf(stderr, "%zu/%zu: %s: the core was too slow to judge\n", done_, total_, one.Name().c_str());
      return;
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    std::fprintf(stderr, "%zu/%zu, %.0f s: %s: best %s, by measurement %s (+%.1f %%), by cost model %s (+%.1f %%)\n",
                 done_, total_, seconds, one.Name().c_str(), one.Best().name.c_str(),
                 one.candidates[one.by_measurement].name.c_str(), 100.0 * (one.Loss(one.by_measurement) - 1.0),
                 one.candidates[one.by_cost_model].name.c_str(), 100.0 * (one.Loss(one.by_cost_model) - 1.0));
  }
  void Fault(const std::string& name, const Status& status) {
    std::fprintf(stderr, "FAULT %s: %s\n", name.c_str(), status.message());
    ++faults_;
  }

  const SelectOptions& options_;
  JudgeOptions judge_options_;
  Sampler sampler_;
  size_t total_, done_ = 0;
  int faults_ = 0;
  std::vector<SelectCase> cases_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

int Main(int argc, char** argv) {
  SelectOptions options;
  if (const int code = Parse(argc, argv, options); code >= 0) return code;
  for (const std::string& kind : options.schemes) {
    if (const Status status = prune::MakeScheme(kind, options.rates.front()).status(); !status.ok())
      return Fail(status);
  }
  const Result<std::vector<Layer>> layers = LayersOf(options);
  if (!layers.ok()) return Fail(layers.status());
  Options common;
  common.target = options.target;
  if (const Status status = Prepare(common); !status.ok()) return Fail(status);

  Course course(options, layers->size());
  for (const Layer& layer : *layers) course.Run(layer);
  PrintSelection(course.cases());
  if (!options.json.empty()) {
    if (const Status status = WriteSelection(options.json, course.cases()); !status.ok()) return Fail(status);
  }
  return course.faults() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace lacuna::bench

int main(int argc, char** argv) { return lacuna::bench::Main(argc, argv); }
