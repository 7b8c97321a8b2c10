// Files of scheme plans, accuracy drops and latencies, and pruning as a plan says.

#include "graph/scheme_plan.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "examples/tests/files_and_errors.h"
#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "graph/accuracy_drops.h"
#include "graph/executor.h"
#include "graph/latency_table.h"
#include "graph/network_builder.h"
#include "graph/onnx_import.h"
#include "graph/pruning.h"

namespace {

using graph::Graph;
using graph::LatencyConditions;
using graph::LatencyTable;
using graph::SchemePlan;
using graph::StatusCode;
using test::CheckError;
using test::CheckOk;
using test::SchemeNamed;
using test::TemporaryFolder;
using test::Value;
using test::WriteText;

SchemePlan GoodPlan() {
  SchemePlan plan{.network = "resnet18",
                  .mapper = "search",
                  .objective = "weight rate at least 8",
                  .cpu = "A \"CPU\"",
                  .target = "AVX3",
                  .threads = 2,
                  .other_ms = 0.1,
                  .dense_ms = 1.0 / 3.0,
                  .weight_rate = 8.125,
                  .flops_rate = 7.3};
  plan.gap = 0.0;
  plan.layers.push_back({.layer = "conv1", .shape = {64, 3, 7, 7}, .ms = 0.7, .rate = 1.0});
  plan.layers.push_back({.layer = "conv2",
                         .scheme = SchemeNamed("block_8x1-3.5x"),
                         .shape = {64, 64, 3, 3},
                         .ms = 1e-3,
                         .rate = 3.49,
                         .energy_removed = 0.1 + 0.2,
                         .sensitivity = 0.25});
  plan.layers.push_back({.layer = "fc", .scheme = SchemeNamed("pattern_g4-8x")});
  return plan;
}

void CheckSame(const SchemePlan& a, const SchemePlan& b) {
  CHECK(a.network == b.network);
  CHECK(a.mapper == b.mapper);
  CHECK(a.objective == b.objective);
  CHECK(a.cpu == b.cpu);
  CHECK(a.target == b.target);
  CHECK(a.threads == b.threads);
  CHECK(a.other_ms == b.other_ms);
  CHECK(a.dense_ms == b.dense_ms);
  CHECK(a.weight_rate == b.weight_rate);
  CHECK(a.flops_rate == b.flops_rate);
  CHECK(a.gap == b.gap);
  REQUIRE(a.layers.size() == b.layers.size());
  for (size_t i = 0; i < a.layers.size(); ++i) {
    CHECK(a.layers[i].layer == b.layers[i].layer);
    CHECK(a.layers[i].scheme == b.layers[i].scheme);
    CHECK(a.layers[i].shape == b.layers[i].shape);
    CHECK(a.layers[i].ms == b.layers[i].ms);
    CHECK(a.layers[i].rate == b.layers[i].rate);
    CHECK(a.layers[i].energy_removed == b.layers[i].energy_removed);
    CHECK(a.layers[i].sensitivity == b.layers[i].sensitivity);
  }
}

TEST_CASE("a plan reads as it was written, with a gap and without") {
  const TemporaryFolder folder("lacuna_scheme_plan_test");
  SchemePlan plan = GoodPlan();
  CheckOk(graph::WritePlan(plan, folder.File("plan.json")));
  CheckSame(Value(graph::ReadPlan(folder.File("plan.json"))), plan);
  CHECK(plan.PredictedMs() == doctest::Approx(0.1 + 0.7 + 1e-3));
  plan.gap.reset();
  plan.layers.clear();
  CheckOk(graph::WritePlan(plan, folder.File("plan.json")));
  CheckSame(Value(graph::ReadPlan(folder.File("plan.json"))), plan);
  CheckError(graph::WritePlan(plan, "/nonexistent/plan.json"), StatusCode::kNotFound, "/nonexistent/plan.json");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), std::filesystem::directory_iterator()) == 1);
}

TEST_CASE("a plan by hand needs layers and schemes only") {
  const TemporaryFolder folder("lacuna_scheme_plan_test");
  const std::string path = folder.File("plan.json");
  WriteText(path, R"({"format": "lacuna scheme plan", "version": 1, "comment": 7,
                      "layers": [{"layer": "conv2", "scheme": "bcr_col-8x"}]})");
  const SchemePlan plan = Value(graph::ReadPlan(path));
  REQUIRE(plan.layers.size() == 1);
  CHECK(plan.layers[0].layer == "conv2");
  CHECK(plan.layers[0].scheme == SchemeNamed("bcr_col-8x"));
  CHECK(plan.PredictedMs() == 0.0);
}

TEST_CASE("plans that are missing, damaged or of another version") {
  const TemporaryFolder folder("lacuna_scheme_plan_test");
  const std::string path = folder.File("plan.json");
  CheckError(graph::ReadPlan(path).status(), StatusCode::kNotFound, path);
  CheckError(graph::ReadPlan(folder.path.string()).status(), StatusCode::kNotFound, folder.path.string());
  const std::string head = R"({"format": "lacuna scheme plan", "version": 1)";
  const auto refuses = [&](const std::string& text, StatusCode code, const std::string& message) {
    CAPTURE(text);
    WriteText(path, text);
    CheckError(graph::ReadPlan(path).status(), code, message);
    CheckError(graph::ReadPlan(path).status(), code, "plan.json");
  };
  const auto damaged = [&](const std::string& members, const std::string& message) {
    refuses(head + ", " + members + "}", StatusCode::kDataLoss, message);
  };
  refuses("", StatusCode::kDataLoss, "is no JSON object");
  refuses("[1, 2]", StatusCode::kDataLoss, "is no JSON object");
  refuses("\xff\xfe{", StatusCode::kDataLoss, "is no JSON object");
  refuses(std::string(100000, '['), StatusCode::kDataLoss, "is no JSON object");
  refuses("{}", StatusCode::kDataLoss, "\"format\" must be \"lacuna scheme plan\"");
  refuses(R"({"format": "lacuna latencies", "version": 1})", StatusCode::kDataLoss, "\"format\" must be");
  refuses(R"({"format": "lacuna scheme plan"})", StatusCode::kUnsupported, "\"version\" is absent, must be 1");
  refuses(R"({"format": "lacuna scheme plan", "version": 2})", StatusCode::kUnsupported, "\"version\" is 2, must be 1");
  refuses(R"({"format": "lacuna scheme plan", "version": "1"})", StatusCode::kUnsupported,
          "\"version\" is \"1\", must be 1");
  // Text that is nested deeply is parsed, and not written into the message: that would take a stack as deep.
  constexpr size_t kDepth = 200000;
  const std::string nested = std::string(kDepth, '[') + std::string(kDepth, ']');
  refuses(R"({"format": "lacuna scheme plan", "version": )" + nested + "}", StatusCode::kUnsupported,
          "\"version\" is no number, must be 1");
  refuses(head + "}", StatusCode::kDataLoss, "\"layers\" must be an array");
  damaged(R"("layers": {})", "\"layers\" must be an array");
  damaged(R"("layers": [3])", "layers[0]: must be an object");
  damaged(R"("layers": [{"scheme": "dense"}])", "layers[0]: \"layer\" must be the name");
  damaged(R"("layers": [{"layer": "", "scheme": "dense"}])", "layers[0]: \"layer\" must be the name");
  damaged(R"("layers": [{"layer": "a", "scheme": "dense"}, {"layer": "b"}])", "layers[1]: \"scheme\" must be a string");
  damaged(R"("layers": [{"layer": "a", "scheme": 8}])", "layers[0]: \"scheme\" must be a string");
  damaged(R"("layers": [{"layer": "a", "scheme": "magic-8x"}])", "layers[0]: scheme is \"magic\", must be one of");
  damaged(R"("layers": [{"layer": "a", "scheme": "bcr_col-0.5x"}])", "layers[0]: rate is 0.5, must be in [1, 10000]");
  damaged(R"("layers": [{"layer": "a", "scheme": "bcr_col-nanx"}])", "layers[0]: rate is nan");
  damaged(R"("layers": [{"layer": "a", "scheme": "dense"}, {"layer": "a", "scheme": "dense"}])",
          "layers[1]: \"a\" is there twice");
  damaged(R"("layers": [{"layer": "a", "scheme": "dense", "shape": [64, 0]}])", "layers[0]: \"shape\" must be");
  damaged(R"("layers": [{"layer": "a", "scheme": "dense", "shape": []}])", "layers[0]: \"shape\" must be");
  damaged(R"("layers": [{"layer": "a", "scheme": "dense", "shape": [18446744073709551615]}])", "\"shape\" must be");
  damaged(R"("layers": [{"layer": "a", "scheme": "dense", "ms": -1}])", "layers[0]: \"ms\" must be in [0, 1e12]");
  damaged(R"("layers": [{"layer": "a", "scheme": "dense", "ms": "1"}])", "layers[0]: \"ms\" must be");
  damaged(R"("layers": [{"layer": "a", "scheme": "dense", "rate": 0}])", "layers[0]: \"rate\" must be");
  damaged(R"("layers": [{"layer": "a", "scheme": "dense", "energy_removed": 2}])", "\"energy_removed\" must be");
  damaged(R"("layers": [{"layer": "a", "scheme": "dense", "sensitivity": null}])", "\"sensitivity\" must be");
  damaged(R"("layers": [], "threads": 0)", "\"threads\" is malformed or out of range");
  damaged(R"("layers": [], "threads": 18446744073709551615)", "\"threads\" is malformed");
  damaged(R"("layers": [], "cpu": 1)", "\"cpu\" is malformed");
  damaged(R"("layers": [], "other_ms": -1)", "\"other_ms\" is malformed");
  damaged(R"("layers": [], "weight_rate": 0.5)", "\"weight_rate\" is malformed");
  damaged(R"("layers": [], "gap": -1)", "\"gap\" is malformed");

  CheckOk(graph::WritePlan(GoodPlan(), path));
  const std::string whole = test::ReadText(path);
  for (size_t size = 0; size + 2 < whole.size(); size += 7) {  // without the last brace and the line feed
    WriteText(path, whole.substr(0, size));
    CHECK(graph::ReadPlan(path).status().code() == StatusCode::kDataLoss);
  }
}

TEST_CASE("accuracy drops read as they were written; damaged ones are refused") {
  const TemporaryFolder folder("lacuna_scheme_plan_test");
  const std::string path = folder.File("drops.json");
  graph::AccuracyDrops drops{.network = "net", .images = 1437, .accuracy = 0.9972};
  drops.drops.push_back({"conv2", SchemeNamed("bcr_col-8x"), 1.0 / 3.0});
  drops.drops.push_back({"conv3", SchemeNamed("pattern-4x"), -0.01});
  CheckOk(graph::WriteDrops(drops, path));
  const auto read = Value(graph::ReadDrops(path));
  CHECK(read.network == "net");
  CHECK(read.images == 1437);
  CHECK(read.accuracy == 0.9972);
  REQUIRE(read.drops.size() == 2);
  CHECK(read.drops[0].drop == 1.0 / 3.0);
  const auto measured = read.Measured();
  CHECK(measured[1].layer == "conv3");
  CHECK(measured[1].scheme == SchemeNamed("pattern-4x"));
  CHECK(measured[1].drop == -0.01);

  CheckError(graph::ReadDrops(folder.File("none.json")).status(), StatusCode::kNotFound, "none.json");
  const auto damaged = [&](const std::string& members, const std::string& message) {
    WriteText(path, R"({"format": "lacuna sensitivity", "version": 1)" + members + "}");
    CheckError(graph::ReadDrops(path).status(), StatusCode::kDataLoss, message);
  };
  damaged("", "\"drops\" must be an array");
  damaged(R"(, "drops": [1])", "drops[0]: \"layer\" must be");
  damaged(R"(, "drops": [{"layer": "a", "drop": 0}])", "drops[0]: \"scheme\" must be");
  damaged(R"(, "drops": [{"layer": "a", "scheme": "bcr_col", "drop": 0}])", "drops[0]: scheme \"bcr_col\" has no rate");
  damaged(R"(, "drops": [{"layer": "a", "scheme": "bcr-8x"}])", "drops[0]: \"drop\" must be in [-1, 1]");
  damaged(R"(, "drops": [{"layer": "a", "scheme": "bcr-8x", "drop": 1.01}])", "drops[0]: \"drop\" must be");
  WriteText(path, R"({"format": "lacuna scheme plan", "version": 1, "layers": []})");
  CheckError(graph::ReadDrops(path).status(), StatusCode::kDataLoss, "\"format\" must be \"lacuna sensitivity\"");
}

TEST_CASE("a latency table reads as it was saved; stale and damaged ones leave it empty") {
  const TemporaryFolder folder("lacuna_scheme_plan_test");
  const std::string path = folder.File("table.json");
  const LatencyConditions here{.cpu = "a cpu", .target = "AVX3", .settings = "1 thread(s)"};
  LatencyTable table(here);
  table.Set("conv as dense", 1.0 / 3.0);
  table.Set("conv as bcr-8x", 0.0);
  CheckOk(table.Save(path));
  LatencyTable loaded(here);
  CheckError(loaded.Load(folder.File("none.json")), StatusCode::kNotFound, "none.json");
  CheckOk(loaded.Load(path));
  CHECK(loaded.size() == 2);
  CHECK(loaded.Find("conv as dense") == 1.0 / 3.0);
  CHECK_FALSE(loaded.Find("conv as bcr-4x").has_value());

  const auto stale = [&](LatencyConditions there, const std::string& message) {
    LatencyTable other(there);
    other.Set("old", 1);
    CheckError(other.Load(path), StatusCode::kUnsupported, message);
    CHECK(other.size() == 0);
  };
  stale({"b cpu", "AVX3", "1 thread(s)"}, "is stale: \"cpu\" is \"a cpu\", must be \"b cpu\"");
  stale({"a cpu", "AVX2", "1 thread(s)"}, "\"target\" is \"AVX3\", must be \"AVX2\"");
  stale({"a cpu", "AVX3", "2 thread(s)"}, "\"settings\" is \"1 thread(s)\", must be \"2 thread(s)\"");
  const std::string good = test::ReadText(path);
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    WriteText(path, text);
    LatencyTable other(here);
    other.Set("old", 1);
    const graph::Status status = other.Load(path);
    CHECK(other.size() == 0);
    return status;
  };
  CheckError(replaced("\"version\": 1", "\"version\": 9"), StatusCode::kUnsupported, "\"version\" is 9");
  CheckError(replaced("\"library\": \"", "\"library\": \"x"), StatusCode::kUnsupported, "\"library\" is \"x");
  CheckError(replaced("0.3333", "-0.3333"), StatusCode::kDataLoss, "the latency of \"conv as dense\" must be in");
  CheckError(replaced("\"ms\"", "\"us\""), StatusCode::kDataLoss, "\"ms\" must be an object");
  CheckError(replaced("}", ""), StatusCode::kDataLoss, "is no JSON object");
}

Graph Import(const onnx::ModelProto& model) { return Value(graph::ImportOnnx(model.SerializeAsString())); }

std::vector<float> Run(const Graph& model, const graph::CompileOptions& options) {
  auto network = graph::Network::Compile(model, options);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  for (size_t i = 0; i < network->input_count(); ++i) graph::FillGaussian(network->input(i), 1.0f, i);
  REQUIRE(network->Run().ok());
  return {network->output(0).begin(), network->output(0).end()};
}

SchemePlan PlanOf(const std::vector<std::pair<std::string, const char*>>& layers) {
  SchemePlan plan;
  for (const auto& [layer, scheme] : layers) plan.layers.push_back({.layer = layer, .scheme = SchemeNamed(scheme)});
  return plan;
}

graph::CompileOptions Stored() {
  graph::CompileOptions options;
  options.stored = true;
  return options;
}

TEST_CASE("a plan prunes as pruning each layer by hand does") {
  const SchemePlan plan =
      PlanOf({{"conv2", "pattern-4x"}, {"w3", "bcr_col-8x"}, {"fc", "unstructured-2x"}, {"conv1", "dense"}});
  Graph planned = Import(test::SmallClassifier().model());
  const auto pruned = Value(graph::PruneGraph(plan, planned));
  onnx::ModelProto model = test::SmallClassifier().model();
  const std::vector<float> dense = Run(Import(model), Stored());
  for (const graph::PlannedLayer& layer : plan.layers) {
    if (layer.layer == "conv1") continue;
    graph::PruneOptions options;
    options.scheme = layer.scheme;
    options.layers = "^" + layer.layer + "$";
    REQUIRE(graph::PruneModel(options, model).ok());
  }
  const Graph by_hand = Import(model);
  for (const char* weights : {"w1", "w2", "w3", "fc"}) {
    CHECK(planned.initializers.at(weights).floats == by_hand.initializers.at(weights).floats);
  }
  CHECK(planned.metadata == by_hand.metadata);
  CHECK(Run(planned, Stored()) == Run(by_hand, Stored()));
  CHECK(Run(planned, Stored()) != dense);
  REQUIRE(pruned.size() == 4);
  CHECK(pruned[1].name == "w3");
  CHECK(pruned[1].initializer == "w3");
  CHECK(pruned[1].nnz == 32 * 16 / 8);
  CHECK(pruned[3].nnz == 16 * 3 * 9);
}

TEST_CASE("a plan of one scheme runs as that scheme does, on generated weights too") {
  const auto build = [] {
    graph::NetworkBuilder net("generated", {"image", {1, 8, 10, 10}}, 5);
    const std::string conv = net.Relu(net.Conv("a", "image", 16, {.kernel = 3}));
    return net.Finish({net.Dense("b", net.Flatten(net.Conv("c", conv, 8, {.kernel = 3})), 800, 10)});
  };
  for (const char* scheme : test::kSparseSchemes) {
    CAPTURE(scheme);
    Graph planned = build();
    REQUIRE(graph::PruneGraph(PlanOf({{"a", scheme}, {"c", scheme}}), planned).ok());
    graph::CompileOptions asked;
    asked.scheme = SchemeNamed(scheme);
    asked.prune_first = true;
    CHECK(Run(planned, Stored()) == Run(build(), asked));
  }
}

TEST_CASE("dense in a plan forgets what the metadata say; layers that it does not name keep it") {
  onnx::ModelProto model = test::SmallClassifier().model();
  graph::PruneOptions options;
  options.scheme = SchemeNamed("bcr_col-4x");
  options.layers = "conv[23]";
  REQUIRE(graph::PruneModel(options, model).ok());
  Graph graph = Import(model);
  REQUIRE(graph::PruneGraph(PlanOf({{"conv2", "dense"}}), graph).ok());
  CHECK_FALSE(graph.metadata.contains("lacuna.scheme/w2"));
  CHECK(graph.metadata.contains("lacuna.scheme/w3"));
}

TEST_CASE("plans that do not fit leave the graph as it was") {
  const Graph before = Import(test::SmallClassifier().model());
  const auto refuses = [&](const SchemePlan& plan, StatusCode code, const std::string& message) {
    Graph graph = before;
    CheckError(graph::PruneGraph(plan, graph).status(), code, message);
    for (const auto& [name, tensor] : before.initializers) CHECK(graph.initializers.at(name).floats == tensor.floats);
    CHECK(graph.metadata == before.metadata);
  };
  refuses(PlanOf({{"conv2", "bcr_col-4x"}, {"conv9", "bcr_col-4x"}}), StatusCode::kNotFound, "layer 'conv9'");
  refuses(PlanOf({{"conv2", "bcr_col-4x"}, {"relu1", "bcr_col-4x"}}), StatusCode::kNotFound, "layer 'relu1'");
  refuses(PlanOf({{"conv2", "bcr_col-4x"}, {"conv3", "bcr-1x"}}), StatusCode::kInvalidArgument,
          "layer 'conv3': rate is 1, scheme bcr keeps half the rows");
  refuses(PlanOf({{"conv2", "bcr_col-4x"}, {"w2", "bcr_col-8x"}}), StatusCode::kInvalidArgument,
          "layers 'conv2' and 'w2' share weights, must have the same scheme");
  SchemePlan plan = PlanOf({{"conv3", "bcr_col-4x"}, {"conv2", "bcr_col-4x"}});
  plan.layers[1].shape = {16, 16, 1, 1};
  refuses(plan, StatusCode::kInvalidArgument,
          "layer 'conv2' has weights of shape [16, 16, 3, 3], must be [16, 16, 1, 1] as in the plan");
}

}  // namespace
