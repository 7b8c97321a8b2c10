// Which kernels layers run on: by cost model, by measurement, by name; Winograd forms allowed and not; saved choices.

#include "graph/kernel_selection.h"

#include "lacuna/policy/machine.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "examples/tests/model_builder.h"
#include "graph/builtin.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/rounding.h"
#include "graph/target.h"

namespace {

using graph::CompileOptions;
using graph::KernelSelection;
using graph::Network;
using graph::SelectBy;
using graph::StatusCode;

graph::Graph Import(const test::ModelBuilder& builder) {
  auto model = graph::ImportOnnx(builder.Bytes());
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  return *std::move(model);
}

// One 3x3 convolution, and a matrix product whose only input it is.
graph::Graph OneConvolution() {
  test::ModelBuilder net;
  net.Input("x", {1, 24, 14, 14}).Output("y").Weights("w", {20, 24, 3, 3}).Weights("b", {20});
  test::AddInts(net.Node("conv", "Conv", {"x", "w", "b"}, "y"), "pads", {1, 1, 1, 1});
  return Import(net);
}

Network Compiled(const graph::Graph& model, const KernelSelection& kernels, const char* scheme = "dense") {
  CompileOptions options;
  options.scheme = *lacuna::prune::ParseScheme(scheme);
  options.prune_first = true;
  options.keep_weights = true;
  options.kernels = kernels;
  auto network = Network::Compile(model, options);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  for (size_t i = 0; i < network->input_count(); ++i) graph::FillGaussian(network->input(i), 1.0f, i);
  return *std::move(network);
}

std::vector<float> OutputOf(Network& network) {
  REQUIRE(network.Run().ok());
  return {network.output(0).begin(), network.output(0).end()};
}

const lacuna::Explanation& PlanOf(const Network& network, size_t layer = 0) {
  REQUIRE(network.layers().at(layer).weights != nullptr);
  return network.layers()[layer].weights->plan;
}

std::string ChosenName(const lacuna::Explanation& plan) { return plan.options[plan.chosen].name; }

std::vector<std::string> NamesOf(const lacuna::Explanation& plan) {
  std::vector<std::string> names;
  for (size_t i = 0; i < plan.option_count; ++i) names.push_back(plan.options[i].name);
  return names;
}

bool IsWinograd(const std::string& name) { return name.starts_with("winograd"); }

KernelSelection Measured(lacuna::Choices* choices = nullptr) {
  KernelSelection kernels;
  kernels.by = SelectBy::kMeasurement;
  kernels.seconds = 0.0;  // every candidate once
  kernels.choices = choices;
  return kernels;
}

void CheckVerified(Network& network) {
  const auto errors = network.Verify();
  REQUIRE_MESSAGE(errors.ok(), std::string(errors.status().message()));
  for (const graph::LayerError& error : *errors) CHECK_MESSAGE(error.over_bound <= 1.0, error.name);
}

TEST_CASE("every layer tells its candidates, what was chosen and why") {
  const graph::Graph model = Import(test::SmallClassifier());
  for (const char* scheme : {"dense", "bcr_col-4x", "connectivity-4x", "pattern-4x"}) {
    CAPTURE(scheme);
    const Network network = Compiled(model, {}, scheme);
    size_t layers = 0;
    for (const graph::LayerInfo& layer : network.layers()) {
      if (layer.weights == nullptr) continue;
      ++layers;
      const lacuna::Explanation& plan = layer.weights->plan;
      REQUIRE(plan.option_count >= 1);
      REQUIRE(plan.chosen < plan.option_count);
      const std::vector<std::string> names = NamesOf(plan);
      CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
      for (size_t i = 0; i < plan.option_count; ++i) {
        CHECK(plan.options[plan.chosen].predicted <= plan.options[i].predicted);
        CHECK(plan.options[i].measured_seconds == 0.0);
      }
      CHECK(std::string(plan.reason.data()) ==
            (plan.option_count == 1 ? "the only candidate" : "lowest predicted cost"));
      CHECK(layer.weights->explanation == plan.ToString());
    }
    CHECK(layers == 4);
  }
  CompileOptions reference;
  reference.reference = true;
  const auto network = Network::Compile(model, reference);
  REQUIRE(network.ok());
  CHECK(PlanOf(*network).option_count == 0);
}

TEST_CASE("Winograd forms are candidates up to the error allowed, and only of kernels of 3") {
  const graph::Graph model = Import(test::SmallClassifier());  // conv1 and conv2 are 3x3, conv3 is 1x1, fc a product
  const auto winograd = [&](double error) {
    KernelSelection kernels;
    kernels.winograd_error = error;
    const Network network = Compiled(model, kernels);
    std::vector<std::string> names;
    for (const graph::LayerInfo& layer : network.layers()) {
      if (layer.weights == nullptr) continue;
      const std::vector<std::string> candidates = NamesOf(layer.weights->plan);
      const bool is_three = layer.name == "conv1" || layer.name == "conv2";
      for (const std::string& name : candidates) {
        if (!IsWinograd(name)) continue;
        CHECK(is_three);
        names.push_back(layer.name + " " + name);
      }
    }
    return names;
  };
  CHECK(winograd(0.0).empty());
  CHECK(winograd(1e-6) == std::vector<std::string>{"conv1 winograd 2x2", "conv2 winograd 2x2"});
  const std::vector<std::string> all = {"conv1 winograd 2x2", "conv1 winograd 4x4", "conv1 winograd 6x6",
                                        "conv2 winograd 2x2", "conv2 winograd 4x4", "conv2 winograd 6x6"};
  CHECK(winograd(lacuna::kWinogradError) == all);
  CHECK(winograd(std::numeric_limits<double>::infinity()) == all);
}

TEST_CASE("each candidate by its name: within its bound, and without Winograd forms exactly the direct one") {
  const graph::Graph model = OneConvolution();
  for (const char* scheme : {"dense", "bcr_kernel-4x"}) {
    CAPTURE(scheme);
    Network chosen = Compiled(model, {}, scheme);
    KernelSelection direct;
    direct.winograd_error = 0.0;
    Network no_winograd = Compiled(model, direct, scheme);
    const std::vector<float> expected = OutputOf(no_winograd);
    size_t direct_forms = 0, winograd_forms = 0;
    for (const std::string& name : NamesOf(PlanOf(chosen))) {
      CAPTURE(name);
      KernelSelection named;
      named.by = SelectBy::kName;
      named.candidate = name;
      Network network = Compiled(model, named, scheme);
      CHECK(ChosenName(PlanOf(network)) == name);
      CHECK(std::string(PlanOf(network).reason.data()) == "named by the policy");
      CheckVerified(network);
      if (name == ChosenName(PlanOf(no_winograd))) {
        CHECK(OutputOf(network) == expected);
        ++direct_forms;
      }
      if (!IsWinograd(name)) continue;
      ++winograd_forms;
      CHECK(OutputOf(network) != expected);
      const lacuna::WinogradTile* tile = graph::WinogradTileOf(name);
      REQUIRE(tile != nullptr);
      // Transformed weights count, one of each product for every kernel that is kept.
      const auto kernels = static_cast<size_t>(network.layers()[0].weights->nnz) / 9;
      CHECK(network.memory().packed_weights >= kernels * static_cast<size_t>(tile->products()) * sizeof(float));
    }
    CHECK(direct_forms == 1);
    CHECK(winograd_forms == 3);
  }
  KernelSelection unknown;
  unknown.by = SelectBy::kName;
  unknown.candidate = "magic";
  const Network network = Compiled(model, unknown);
  CHECK(std::string(PlanOf(network).reason.data()).find("no candidate \"magic\"") != std::string::npos);
}

TEST_CASE("measured layers give what their candidate gives by its name") {
  const graph::Graph model = OneConvolution();
  for (const char* scheme : {"dense", "bcr_col-4x", "connectivity-4x"}) {
    CAPTURE(scheme);
    Network measured = Compiled(model, Measured(), scheme);
    const lacuna::Explanation& plan = PlanOf(measured);
    CHECK(plan.options[plan.chosen].measured_seconds > 0.0);
    CHECK(std::string(plan.reason.data()).find(" measured") != std::string::npos);
    KernelSelection named;
    named.by = SelectBy::kName;
    named.candidate = ChosenName(plan);
    Network expected = Compiled(model, named, scheme);
    CHECK(OutputOf(measured) == OutputOf(expected));
    CheckVerified(measured);
  }
}

TEST_CASE("measuring tells how far it is: every layer in turn, its candidates, an end") {
  const graph::Graph model = Import(test::SmallClassifier());
  struct Told {
    size_t layer;
    std::string name, candidate;
    size_t done, total;
  };
  std::vector<Told> told;
  KernelSelection kernels = Measured();
  kernels.progress = [&](const graph::TuningProgress& progress) {
    CHECK(progress.layers == 4);
    told.push_back({progress.layer, progress.name, progress.candidate, progress.done, progress.total});
  };
  Network network = Compiled(model, kernels);
  CheckVerified(network);
  REQUIRE(!told.empty());
  // The largest first.
  std::vector<std::string> order;
  for (size_t i = 0; i < told.size(); ++i) {
    const bool begins = i == 0 || told[i].layer != told[i - 1].layer;
    if (begins) {
      order.push_back(told[i].name);
      CHECK(told[i].done == 0);
      CHECK(told[i].candidate != "");
      if (i != 0) CHECK(told[i].layer > told[i - 1].layer);
    } else {
      CHECK(told[i].done >= told[i - 1].done);
    }
    CHECK(told[i].total > 0);
    CHECK(told[i].layer >= 1);
    CHECK(told[i].layer <= 4);
  }
  CHECK(told.back().candidate == "");
  CHECK(told.back().done == told.back().total);
  CHECK(order == std::vector<std::string>{"conv2", "conv3", "conv1"});  // fc, a vector's, has one kernel
  told.clear();
  kernels.by = SelectBy::kCostModel;
  Compiled(model, kernels);
  CHECK(told.empty());
}

TEST_CASE("layers in the choices are not measured again") {
  const graph::Graph model = Import(test::SmallClassifier());
  lacuna::Choices choices(lacuna::CpuName(), graph::ActiveTargetName());
  size_t measured = 0;
  KernelSelection kernels = Measured(&choices);
  kernels.progress = [&](const graph::TuningProgress& progress) { measured += *progress.candidate == '\0' ? 1 : 0; };
  Network first = Compiled(model, kernels, "bcr_col-4x");
  CHECK(measured == 3);
  CHECK(choices.size() == 3);
  Network second = Compiled(model, kernels, "bcr_col-4x");
  CHECK(measured == 3);
  CHECK(choices.size() == 3);
  CHECK(OutputOf(first) == OutputOf(second));
  for (size_t i = 0; i < first.layers().size(); ++i) {
    if (first.layers()[i].weights == nullptr || first.layers()[i].op != "Conv") continue;
    CHECK(ChosenName(PlanOf(first, i)) == ChosenName(PlanOf(second, i)));
    CHECK(std::string(PlanOf(second, i).reason.data()) == "fastest when it was measured before");
  }
  for (const lacuna::SavedChoice& entry : choices.entries()) {
    const std::string_view layer = entry.layer.data();
    const bool is_known = layer.find("scheme=bcr_col ") != layer.npos || layer.find("scheme=dense ") != layer.npos;
    CHECK_MESSAGE(is_known, std::string(layer));
  }
  // Another density, another scheme, other Winograd forms: other layers.
  Compiled(model, kernels, "bcr_col-8x");
  CHECK(measured == 6);
  Compiled(model, kernels, "connectivity-4x");
  CHECK(measured == 9);
  kernels.winograd_error = 0.0;
  const Network direct = Compiled(model, kernels, "bcr_col-4x");
  CHECK(measured == 11);  // conv3 has no Winograd forms
  CHECK(std::string(PlanOf(direct).reason.data()) != "fastest when it was measured before");
}

TEST_CASE("a choice is taken from the file that it was saved to; one of no candidate is measured anew") {
  const graph::Graph model = OneConvolution();
  const Network network = Compiled(model, {});
  const std::vector<std::string> names = NamesOf(PlanOf(network));
  REQUIRE(names.size() >= 2);
  lacuna::Choices choices(lacuna::CpuName(), graph::ActiveTargetName());
  const KernelSelection kernels = Measured(&choices);
  Compiled(model, kernels);
  REQUIRE(choices.size() == 1);
  auto layer = lacuna::LayerKey::Of(lacuna::ConvShape<2>{.in_channels = 24,
                                                         .out_channels = 20,
                                                         .input = {14, 14},
                                                         .kernel = {3, 3},
                                                         .pad_begin = {1, 1},
                                                         .pad_end = {1, 1}},
                                    "dense", 20 * 24 * 9);
  layer.winograd_error = kernels.winograd_error;
  const std::string key(layer.Text().data());
  CHECK(std::string(choices.entries()[0].layer.data()) == key);
  for (const std::string& name : names) {
    REQUIRE(choices.Insert(layer, name, 1e-3).ok());
    const Network taken = Compiled(model, kernels);
    CHECK(ChosenName(PlanOf(taken)) == name);
    CHECK(PlanOf(taken).options[PlanOf(taken).chosen].measured_seconds == doctest::Approx(1e-3));
  }
  REQUIRE(choices.Insert(layer, "magic", 1e-3).ok());
  Compiled(model, kernels);
  const std::string saved = choices.Find(layer)->candidate.data();
  CHECK(std::find(names.begin(), names.end(), saved) != names.end());
}

TEST_CASE("kernel selections that are refused") {
  const graph::Graph model = OneConvolution();
  const auto refused = [&](const KernelSelection& kernels, const std::string& message) {
    CompileOptions options;
    options.kernels = kernels;
    const graph::Status status = Network::Compile(model, options).status();
    CHECK(status.code() == StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()) == message);
  };
  KernelSelection kernels;
  kernels.winograd_error = -1.0;
  refused(kernels, "winograd_error is -1, must be at least 0");
  kernels.winograd_error = std::nan("");
  refused(kernels, "winograd_error is nan, must be at least 0");
  kernels = Measured();
  kernels.seconds = -0.5;
  refused(kernels, "seconds to measure a layer are -0.5, must be in [0, 3600]");
  kernels.seconds = std::nan("");
  refused(kernels, "seconds to measure a layer are nan, must be in [0, 3600]");
  kernels.seconds = 1e4;
  refused(kernels, "seconds to measure a layer are 10000, must be in [0, 3600]");
}

TEST_CASE("the machine's cost factors are positive numbers, the same ones each time") {
  const auto cost = graph::MeasuredCost();
  REQUIRE_MESSAGE(cost.ok(), std::string(cost.status().message()));
  for (const double factor : {cost->l2, cost->l3, cost->memory, cost->last_level_bytes}) {
    CHECK(factor > 0.0);
    CHECK(std::isfinite(factor));
  }
  CHECK(graph::MeasuredCost()->l3 == cost->l3);
  KernelSelection kernels;
  kernels.cost = *cost;
  const graph::Graph model = Import(test::SmallClassifier());
  Network network = Compiled(model, kernels);
  CheckVerified(network);
}

TEST_CASE("the bound of Winograd forms follows the tile, the channels and the magnitudes") {
  CHECK(graph::WinogradTileOf("panel") == nullptr);
  CHECK(graph::WinogradTileOf("pattern") == nullptr);
  CHECK(graph::WinogradTileOf("winograd 2x2x4") == nullptr);
  CHECK(graph::WinogradTileOf("winograd 2x2")->outputs == std::array<int, 3>{1, 2, 2});
  CHECK(graph::WinogradTileOf("winograd 2x2x2")->outputs == std::array<int, 3>{2, 2, 2});
  CHECK(graph::WinogradTileOf("winograd 4x4 libxsmm")->outputs == std::array<int, 3>{1, 4, 4});

  const lacuna::WinogradTile two{{1, 2, 2}}, four{{1, 4, 4}};
  const auto ratio = [](const graph::RoundingBound& bound) { return bound.Ratio(1.0f + 1e-5f, 1.0f, 0.0); };
  const double base = ratio({two, 64, 1.0, {}});
  CHECK(base > 0.0);
  CHECK(ratio({four, 64, 1.0, {}}) < base);
  CHECK(ratio({two, 128, 1.0, {}}) < base);
  CHECK(ratio({two, 64, 2.0, {}}) == doctest::Approx(base / 2).epsilon(0.01));
}

}  // namespace
