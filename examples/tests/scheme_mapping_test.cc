// Scheme mapping of networks: candidates, measuring with a meter that is no clock, choosing.

#include "graph/scheme_mapping.h"

#include "lacuna/format/dense.h"
#include "lacuna/prune/project.h"
#include "lacuna/prune/sensitivity.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "examples/tests/files_and_errors.h"
#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "graph/layer_graph.h"
#include "graph/network_builder.h"
#include "graph/onnx_import.h"
#include "graph/pruning.h"
#include "graph/shape_inference.h"

namespace {

using graph::AccuracyDrops;
using graph::CandidateSchemes;
using graph::Graph;
using graph::LatencyMeter;
using graph::LatencyTable;
using graph::MappedLayer;
using graph::MappingGoal;
using graph::Network;
using graph::SchemeMapper;
using graph::SchemePlan;
using graph::Status;
using graph::StatusCode;
using test::CheckError;
using test::CheckInvalid;
using test::CheckOk;
using test::SchemeNamed;
using test::Value;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> Names(const std::vector<lacuna::prune::Scheme>& schemes) {
  std::vector<std::string> names;
  for (const auto& scheme : schemes) names.push_back(scheme.Name());
  return names;
}

TEST_CASE("candidates: dense first, rates of their own or all, none twice") {
  using Strings = std::vector<std::string>;
  CHECK(Names(Value(CandidateSchemes(""))) == Strings{"dense"});
  CHECK(Names(Value(CandidateSchemes("bcr_col-8x,pattern"))) ==
        Strings{"dense", "bcr_col-8x", "pattern-2x", "pattern-4x", "pattern-8x", "pattern-16x"});
  CHECK(Names(Value(CandidateSchemes("block_4x4-3x,dense,block_4x4-3x"))) == Strings{"dense", "block_4x4-3x"});
  CHECK(Value(CandidateSchemes("bcr_col-3.12345678x"))[1] == SchemeNamed("bcr_col-3.12346x"));
  CHECK(Value(CandidateSchemes(graph::kDefaultCandidates)).size() == 1 + 6 * 4);
  CheckInvalid(CandidateSchemes("bcr_col-8x,magic").status(), "scheme is \"magic\", must be one of");
  CheckInvalid(CandidateSchemes("bcr_col-8x,,pattern").status(), "scheme is \"\"");
  CheckInvalid(CandidateSchemes("bcr_col-0x").status(), "rate is 0, must be in [1, 10000]");
}

// Two equal layers a2 and a3, a depthwise one, one of 1x1, a Gemm; the third use of its weights is of a2.
Graph Sample() {
  graph::NetworkBuilder net("sample", {"image", {1, 3, 12, 12}}, 3);
  std::string x = net.Relu(net.Conv("a1", "image", 16, {.kernel = 3}));
  x = net.Relu(net.Conv("a2", x, 16, {.kernel = 3}));
  x = net.Relu(net.Conv("a3", x, 16, {.kernel = 3}));
  x = net.Relu(net.Conv("d", x, 16, {.kernel = 3, .groups = 16}));
  x = net.Conv("p", x, 32);
  x = net.Dense("fc", net.Flatten(net.GlobalAveragePool(x)), 32, 10);
  return net.Finish({net.Softmax(x)});
}

const MappedLayer& LayerNamed(const SchemeMapper& mapper, const std::string& name) {
  const auto found = std::find_if(mapper.layers().begin(), mapper.layers().end(),
                                  [&](const MappedLayer& layer) { return layer.name == name; });
  REQUIRE(found != mapper.layers().end());
  return *found;
}

SchemeMapper Mapper(const Graph& graph, const char* candidates, const char* layers = "", bool prune_first = false) {
  return Value(SchemeMapper::Make(
      graph, {.candidates = Value(CandidateSchemes(candidates)), .layers = layers, .prune_first = prune_first}));
}

TEST_CASE("layers that are mapped, and their candidates") {
  const Graph graph = Sample();
  const SchemeMapper mapper = Mapper(graph, "unstructured-4x,bcr_col-4x");
  REQUIRE(mapper.layers().size() == 5);
  CHECK(LayerNamed(mapper, "a1").candidates.size() == 1);
  CHECK(LayerNamed(mapper, "a2").candidates.size() == 3);
  CHECK(LayerNamed(mapper, "d").candidates.size() == 2);
  CHECK(LayerNamed(mapper, "d").candidates[1].scheme == SchemeNamed("unstructured-4x"));
  CHECK(LayerNamed(mapper, "d").description.depthwise());
  const auto& description = LayerNamed(mapper, "a2").description;
  CHECK(description.out_channels == 16);
  CHECK(description.channels_per_group == 16);
  CHECK(description.kernel == lacuna::Extents<3>{1, 3, 3});
  CHECK(description.positions == 144);
  CHECK(LayerNamed(Mapper(graph, "bcr_col-4x", "", true), "a1").candidates.size() == 2);
  const SchemeMapper two = Mapper(graph, "bcr_col-4x", "^a3|fc");
  REQUIRE(two.layers().size() == 2);
  CHECK(two.layers()[1].name == "fc");
  CHECK(two.layers()[1].description.positions == 1);
  CheckInvalid(SchemeMapper::Make(graph, {.candidates = {{}}, .layers = "nothing"}).status(),
               "no layer is selected by layers 'nothing'");
  CheckInvalid(SchemeMapper::Make(graph, {.candidates = {{}}, .layers = "(["}).status(), "no regular expression");
}

TEST_CASE("layers that share weights are one, which counts them all") {
  test::ModelBuilder net;
  net.Input("x", {1, 8, 6, 6}).Output("y").Weights("w", {8, 8, 3, 3});
  test::AddInts(net.Node("first", "Conv", {"x", "w"}, "a"), "pads", {1, 1, 1, 1});
  net.Node("second", "Conv", {"a", "w"}, "y");
  const Graph graph = Value(graph::ImportOnnx(net.Bytes()));
  SchemeMapper mapper = Mapper(graph, "bcr_col-2x", "", true);
  REQUIRE(mapper.layers().size() == 1);
  CHECK(mapper.layers()[0].uses.size() == 2);
  CHECK(mapper.layers()[0].description.positions == 36 + 16);
  LatencyTable table({});
  int calls = 0;
  const LatencyMeter meter{.measure = [&](Network&) { return graph::Result<double>(++calls); }};
  CheckOk(mapper.Measure({}, meter, table));
  CHECK(calls == 4);
  CHECK(mapper.layers()[0].candidates[0].ms + mapper.layers()[0].candidates[1].ms == 1 + 2 + 3 + 4);
}

TEST_CASE("pruning tells what a candidate keeps and removes") {
  const Graph graph = Sample();
  SchemeMapper mapper = Mapper(graph, "bcr_col-8x,pattern-4x");
  CheckOk(mapper.Prune());
  const MappedLayer& layer = LayerNamed(mapper, "a3");
  const std::vector<float> values = graph::WeightValues(graph.initializers.at("a3.weight"), layer.matrix);
  const auto dense = Value(lacuna::DenseWeights<float>::View(layer.matrix.shape, values));
  CHECK(layer.candidates[0].kept == 16 * 16 * 9);
  CHECK(layer.candidates[0].energy_removed == 0.0);
  for (size_t c = 1; c < layer.candidates.size(); ++c) {
    const auto pruned = Value(lacuna::prune::Project(dense, layer.candidates[c].scheme, 9));
    CHECK(layer.candidates[c].kept == pruned.nnz());
    CHECK(layer.candidates[c].energy_removed == Value(lacuna::prune::EnergyRemoved(dense, pruned)));
  }
  CHECK(layer.candidates[1].energy_removed > 0.5);
  SchemeMapper impossible = Mapper(graph, "bcr-1x");
  CheckInvalid(impossible.Prune(), "layer 'a2' as bcr-1x: rate is 1, scheme bcr keeps half the rows");
}

TEST_CASE("layers as networks of their own, one after the other, compute what the whole network does") {
  const Graph graph = Value(graph::ImportOnnx(test::SmallClassifier().Bytes()));
  auto whole = Value(Network::Compile(graph));
  graph::FillGaussian(whole.input(0), 1.0f, 7);
  std::map<std::string, std::vector<float>> values;
  values["image"] = {whole.input(0).begin(), whole.input(0).end()};
  REQUIRE(whole.Run().ok());
  const auto shapes = Value(graph::InferValues(graph));
  size_t fused = 0;
  for (const graph::Layer& layer : Value(graph::FuseLayers(graph, shapes))) {
    CAPTURE(layer.node->name);
    if (layer.node->op == "Reshape") {
      values[layer.output] = values.at(layer.node->inputs[0]);
      continue;
    }
    const Graph part = graph::LayerGraph(graph, shapes, layer);
    auto network = Value(Network::Compile(part));
    REQUIRE(network.layers().size() == 1);
    CHECK(network.layers()[0].fused.size() == layer.fused.size());
    CHECK(network.output_shape(0) == shapes.at(layer.output).shape);
    for (size_t i = 0; i < network.input_count(); ++i) {
      const std::vector<float>& input = values.at(network.input_info(i).name);
      std::copy(input.begin(), input.end(), network.input(i).begin());
    }
    REQUIRE(network.Run().ok());
    values[layer.output] = {network.output(0).begin(), network.output(0).end()};
    fused += layer.fused.size();
  }
  CHECK(fused == 6);
  CHECK(values.at("probabilities") == std::vector<float>(whole.output(0).begin(), whole.output(0).end()));
}

TEST_CASE("texts of layers differ where their latencies do") {
  const Graph sample = Sample();
  const auto sample_shapes = Value(graph::InferValues(sample));
  const auto sample_layers = Value(graph::FuseLayers(sample, sample_shapes));
  const auto text = [&](size_t i) { return graph::LayerText(sample, sample_shapes, sample_layers[i]); };
  CHECK(text(1) == text(2));
  CHECK(text(0) != text(1));
  CHECK(text(1).find("Conv [1, 16, 12, 12] *[16, 16, 3, 3] *[16]") == 0);
  CHECK(text(1).find(" pads=1,1,1,1") != std::string::npos);
  CHECK(text(1).find(" Relu ") != std::string::npos);
}

// Milliseconds that follow from the kept weights, so that choices can be told beforehand: 1 for a dense layer with 1000
// weights, and 0.25 for a layer without weights.
double FakeMs(const Network& network) {
  const graph::WeightInfo* weights = network.layers()[0].weights;
  return weights == nullptr ? 0.25 : 1e-3 * static_cast<double>(weights->nnz);
}

struct Counted {
  int calls = 0;
  std::vector<std::string> shown;
  LatencyMeter Meter() {
    return {.measure =
                [this](Network& network) {
                  ++calls;
                  return graph::Result<double>(FakeMs(network));
                },
            .progress =
                [this](const graph::LatencyMeasurement& m) {
                  shown.push_back(std::to_string(m.number) + "/" + std::to_string(m.count) + " " + m.layer + " " +
                                  m.scheme);
                }};
  }
};

TEST_CASE("equal layers are measured once, those of the table not at all") {
  const Graph graph = Sample();
  SchemeMapper mapper = Mapper(graph, "bcr_col-4x");
  LatencyTable table({});
  Counted counted;
  CheckOk(mapper.Measure({}, counted.Meter(), table));
  // a1, a2 twice, d, p twice; average pool, fc and softmax; a3 is a2.
  CHECK(counted.calls == 9);
  CHECK(table.size() == 9);
  REQUIRE(counted.shown.size() == 9);
  CHECK(counted.shown[0] == "1/9 a1 dense");
  CHECK(counted.shown[2] == "3/9 a2 bcr_col-4x");
  for (const char* name : {"a2", "a3"}) {
    CHECK(LayerNamed(mapper, name).candidates[0].ms == doctest::Approx(16 * 16 * 9 * 1e-3));
    CHECK(LayerNamed(mapper, name).candidates[1].ms == doctest::Approx(16 * 16 * 9 * 1e-3 / 4));
  }
  CHECK(mapper.other_ms() == doctest::Approx(0.5 + 0.32));
  const double weights = 16 * 27 + 2 * 16 * 16 * 9 + 16 * 9 + 16 * 32;
  CHECK(mapper.DenseMs() == doctest::Approx(mapper.other_ms() + 1e-3 * weights));

  const test::TemporaryFolder folder("lacuna_scheme_mapping_test");
  CheckOk(table.Save(folder.File("table.json")));
  LatencyTable loaded({});
  CheckOk(loaded.Load(folder.File("table.json")));
  SchemeMapper again = Mapper(graph, "bcr_col-4x");
  CheckOk(again.Measure({}, counted.Meter(), loaded));
  CHECK(counted.calls == 9);
  CHECK(again.DenseMs() == mapper.DenseMs());
  CHECK(again.layers()[2].candidates[1].ms == mapper.layers()[2].candidates[1].ms);
  SchemeMapper more = Mapper(graph, "bcr_col-4x,bcr_col-8x");
  CheckOk(more.Measure({}, counted.Meter(), loaded));
  CHECK(counted.calls == 9 + 2);
  CHECK(counted.shown[9] == "1/2 a2 bcr_col-8x");
}

TEST_CASE("measuring that fails names the layer; what was measured stays in the table") {
  const Graph graph = Sample();
  SchemeMapper mapper = Mapper(graph, "bcr_col-4x");
  LatencyTable table({});
  const LatencyMeter failing{.measure = [&](Network&) -> graph::Result<double> {
    if (table.size() == 2) return Status::Make(StatusCode::kDataLoss, "no clock");
    return 1.0;
  }};
  CheckError(mapper.Measure({}, failing, table), StatusCode::kDataLoss, "layer 'a2' as bcr_col-4x: no clock");
  CHECK(table.size() == 2);
  const LatencyMeter nan{.measure = [](Network&) { return graph::Result<double>(kNaN); }};
  LatencyTable other({});
  CheckInvalid(mapper.Measure({}, nan, other), "the measured latency is nan ms, must be in [0, 1e+15]");
}

// With pruning and FakeMs.
SchemeMapper Measured(const Graph& graph, const char* candidates) {
  SchemeMapper mapper = Mapper(graph, candidates);
  CheckOk(mapper.Prune());
  LatencyTable table({});
  CheckOk(mapper.Measure({}, {.measure = [](Network& n) { return graph::Result<double>(FakeMs(n)); }}, table));
  return mapper;
}

const graph::PlannedLayer& PlannedNamed(const SchemePlan& plan, const std::string& name) {
  const auto found = std::find_if(plan.layers.begin(), plan.layers.end(),
                                  [&](const graph::PlannedLayer& layer) { return layer.layer == name; });
  REQUIRE(found != plan.layers.end());
  return *found;
}

TEST_CASE("goals are met, and the plan's sums are those of its layers") {
  const Graph graph = Sample();
  const SchemeMapper mapper = Measured(graph, "unstructured,bcr_col,pattern");
  for (const bool search : {false, true}) {
    CAPTURE(search);
    const SchemePlan by_rate = Value(mapper.Map({.search = search, .weight_rate = 3}, {}));
    CHECK(by_rate.weight_rate >= 3);
    CHECK(by_rate.objective == "weight rate at least 3");
    CHECK(by_rate.mapper == (search ? "search" : "rules"));
    CHECK(PlannedNamed(by_rate, "a1").scheme == lacuna::prune::Scheme{});
    CHECK(PlannedNamed(by_rate, "a2").shape == graph::Shape{16, 16, 3, 3});
    const double limit = 0.5 * mapper.DenseMs();
    const SchemePlan by_time = Value(mapper.Map({.search = search, .latency_ms = limit}, {}));
    CHECK(by_time.PredictedMs() <= limit * (1 + 1e-9));
    CHECK(by_time.dense_ms == mapper.DenseMs());
    CHECK(by_time.other_ms == mapper.other_ms());
    double weights = 0, kept = 0;
    for (const graph::PlannedLayer& layer : by_time.layers) {
      const auto all = static_cast<double>(graph::Elements(layer.shape));
      weights += all;
      kept += all / layer.rate;
    }
    CHECK(by_time.weight_rate == doctest::Approx(weights / kept));
    CHECK(by_time.gap.has_value() == search);
    // The plan prunes the graph it was made for.
    Graph pruned = Sample();
    CheckOk(graph::PruneGraph(by_time, pruned).status());
  }
  const SchemePlan dense = Value(mapper.Map({.latency_ms = mapper.DenseMs() * 1.001}, {}));
  for (const graph::PlannedLayer& layer : dense.layers) CHECK(layer.scheme == lacuna::prune::Scheme{});
}

TEST_CASE("goals that cannot be reached say how far it goes; those out of range are refused") {
  const Graph graph = Sample();
  const SchemeMapper mapper = Measured(graph, "bcr_col");
  for (const bool search : {false, true}) {
    CheckInvalid(mapper.Map({.search = search, .weight_rate = 100}, {}).status(),
                 "(weight rate) is 100, must be at most ");
    CheckInvalid(mapper.Map({.search = search, .latency_ms = 0.83}, {}).status(),
                 "latency is 0.83 ms, of which the layers that are not mapped take 0.82: objective.limit (seconds)");
    CheckInvalid(mapper.Map({.search = search, .latency_ms = 0.5}, {}).status(),
                 "latency is 0.5 ms, must be above the 0.82 ms of the layers that are not mapped");
  }
  CheckInvalid(mapper.Map({}, {}).status(), "either a rate or a latency must be given");
  CheckInvalid(mapper.Map({.weight_rate = 2, .latency_ms = 2}, {}).status(), "either a rate or a latency");
  CheckInvalid(mapper.Map({.weight_rate = 0.5}, {}).status(), "rate is 0.5, must be in [1, 10000]");
  CheckInvalid(mapper.Map({.weight_rate = kNaN}, {}).status(), "rate is nan, must be in");
  CheckInvalid(mapper.Map({.latency_ms = -1}, {}).status(), "latency is -1, must be in [0, 1e+12]");
  CheckInvalid(mapper.Map({.latency_ms = kNaN}, {}).status(), "latency is nan, must be in");
  CheckInvalid(mapper.Map({.weight_rate = 2, .latency_weight = -1}, {}).status(), "latency weight is -1, must be");
}

TEST_CASE("measured drops replace the energy removed") {
  const Graph graph = Sample();
  const SchemeMapper mapper = Measured(graph, "bcr_col-4x,punched-4x");
  const MappingGoal goal{.weight_rate = 3, .latency_weight = 0};
  AccuracyDrops drops;
  const auto add = [&](const char* layer, const char* scheme, double drop) {
    drops.drops.push_back({layer, SchemeNamed(scheme), drop});
  };
  add("a2", "bcr_col-4x", 0.5);
  add("a2", "punched-4x", 0.01);
  add("a3", "bcr_col-4x", 0.02);
  add("a3", "punched-4x", 0.4);
  const SchemePlan plan = Value(mapper.Map(goal, drops));
  CHECK(PlannedNamed(plan, "a2").scheme == SchemeNamed("punched-4x"));
  CHECK(PlannedNamed(plan, "a2").sensitivity == 0.01);
  CHECK(PlannedNamed(plan, "a3").scheme == SchemeNamed("bcr_col-4x"));
  add("fc", "bcr_col-4x", 0.9);  // not mapped: ignored
  CHECK(PlannedNamed(Value(mapper.Map(goal, drops)), "a2").scheme == SchemeNamed("punched-4x"));
  add("a9", "bcr_col-4x", 0.9);
  CheckError(mapper.Map(goal, drops).status(), StatusCode::kNotFound, "the layer \"a9\"");
}

}  // namespace
