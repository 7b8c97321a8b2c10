// Scheme mapping with the tools: the digits network from measured accuracy drops to a pruned run, and what is refused.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "digits_run/digits_data.h"
#include "examples/tests/command.h"
#include "examples/tests/files_and_errors.h"
#include "examples/tests/model_builder.h"
#include "graph/accuracy_drops.h"
#include "graph/onnx_file.h"
#include "graph/scheme_plan.h"

namespace {

using test::CheckOutcome;
using test::TemporaryFolder;
using test::Value;

const std::string kRun = LACUNA_RUN;
const std::string kDigits = LACUNA_DIGITS;
const std::string kModel = std::string(LACUNA_DIGITS_DIR) + "/digits_dense.onnx";
const bool kHasDigits = std::filesystem::exists(digits::kDefaultPath);

struct Folder : TemporaryFolder {
  Folder() : TemporaryFolder("lacuna_map_schemes_test") {
    REQUIRE(graph::WriteModel(test::SmallClassifier().model(), File("in.onnx")).ok());
  }
  std::string In() const { return File("in.onnx"); }
};

TEST_CASE("map, then run the plan; latencies of the table are not measured again") {
  const Folder folder;
  const std::string plan_path = folder.File("plan.json"), table = folder.File("table.json");
  const std::string map = kRun + " " + folder.In() + " --candidates pattern-4x,bcr_col --layers '^(conv|fc$)' --plan " +
                          plan_path + " --latency-table " + table;
  const std::string first = CheckOutcome(map + " --map rules --rate 1.5", 0, "saved in " + table);
  CHECK(first.find("measuring 1 of ") != std::string::npos);
  CHECK(first.find("rules for weight rate at least 1.5") != std::string::npos);
  const graph::SchemePlan rules = Value(graph::ReadPlan(plan_path));
  CHECK(rules.layers.size() == 4);
  CHECK(rules.weight_rate >= 1.5);
  CHECK(rules.network == folder.In());
  CHECK(rules.PredictedMs() > 0);
  const std::string second = CheckOutcome(map + " --map search --rate 2", 0, "0 latencies measured, ");
  CHECK(second.find("measuring") == std::string::npos);
  const graph::SchemePlan search = Value(graph::ReadPlan(plan_path));
  CHECK(search.mapper == "search");
  CHECK(search.dense_ms == rules.dense_ms);

  const std::string run = kRun + " " + folder.In() + " --repeat 2 --plan " + plan_path;
  const std::string ran = CheckOutcome(run + " --verify", 0, "verified 4 layers");
  CHECK(ran.find("plan: 4 layers predicted ") != std::string::npos);
  for (const graph::PlannedLayer& layer : search.layers) CHECK(ran.find(layer.scheme.Name()) != std::string::npos);
  CheckOutcome(run + " --compare dense", 0, "speed-up");
  CheckOutcome(run + " --threads 2", 0, "1 thread(s)\n");  // the note of what was predicted

  CheckOutcome(map + " --map search --rate 2 --threads 2", 0, "is stale: \"settings\" is \"1 thread(s)");
  test::WriteText(table, "{");
  const std::string anew = CheckOutcome(map + " --map search --rate 2", 0, "is no JSON object; measured anew");
  CHECK(anew.find("saved in " + table) != std::string::npos);
  CheckOutcome(map + " --map search --rate 2", 0, "0 latencies measured, ");
  CheckOutcome(map + " --map search --rate 2000", 1, "(weight rate) is 2000, must be at most ");
  CheckOutcome(map + " --map search --latency 1e-9", 1, "latency is 1e-09 ms, must be above the ");
}

TEST_CASE("plans that do not fit run nothing") {
  const Folder folder;
  const std::string path = folder.File("plan.json");
  const std::string run = kRun + " " + folder.In() + " --repeat 1 --plan " + path;
  const auto refuses = [&](const std::string& text, const std::string& message) {
    test::WriteText(path, text);
    const std::string printed = CheckOutcome(run, 1, message);
    CHECK(printed.find("whole run") == std::string::npos);
    CHECK(printed.find(path) != std::string::npos);
  };
  CheckOutcome(run, 1, path);
  const std::string head = R"({"format": "lacuna scheme plan", "version": )";
  refuses("", "is no JSON object");
  refuses(head + "2}", "\"version\" is 2, must be 1");
  refuses(head + R"(1, "layers": [{"layer": "conv7", "scheme": "bcr_col-8x"}]})", "layer 'conv7' of the plan");
  refuses(head + R"(1, "layers": [{"layer": "conv2", "scheme": "magic-8x"}]})", "scheme is \"magic\"");
  test::WriteText(path, head + R"(1, "layers": [{"layer": "conv2", "scheme": "bcr_col-8x"}]})");
  CheckOutcome(run, 0, "it predicts nothing");
}

TEST_CASE("options of maps and plans that do not go together") {
  const Folder folder;
  const std::string run = kRun + " " + folder.In() + " ", plan = " --plan " + folder.File("plan.json");
  CheckOutcome(run + "--map search --rate 4", 1, "--map needs --plan");
  CheckOutcome(run + "--map search" + plan, 1, "--map needs --rate or --latency");
  CheckOutcome(run + "--map search --rate 4 --latency 4" + plan, 1, "--rate or --latency, not both");
  CheckOutcome(run + "--map magic --rate 4" + plan, 2, "--map");
  CheckOutcome(run + "--map search --rate 0.5" + plan, 1, "rate is 0.5, must be in [1, 10000]");
  CheckOutcome(run + "--map search --latency nan" + plan, 1, "latency is nan, must be in");
  CheckOutcome(run + "--map search --rate 4 --latency-weight -1" + plan, 1, "latency weight is -1, must be");
  CheckOutcome(run + "--map rules --rate 4 --latency-weight 1" + plan, 1, "--latency-weight is 1, must be absent");
  CheckOutcome(run + "--map search --rate 4 --candidates magic" + plan, 1, "scheme is \"magic\"");
  CheckOutcome(run + "--map search --rate 4 --sensitivity /nonexistent.json" + plan, 1, "/nonexistent.json");
  CheckOutcome(run + "--map search --rate 4 --verify" + plan, 1, "--verify must be absent with --map");
  CheckOutcome(run + "--map search --rate 4 --scheme bcr_col" + plan, 1, "--scheme must be absent with --map");
  CheckOutcome(run + "--scheme bcr_col-8x" + plan, 1, "--scheme must be absent with --plan");
  CheckOutcome(run + "--rate 8" + plan, 1, "--rate must be absent with --plan");
  CheckOutcome(run + "--layers conv2" + plan, 1, "--layers must be absent with --plan");
  CheckOutcome(run + "--latency 8" + plan, 1, "--latency needs --map");
  CheckOutcome(run + "--candidates pattern", 1, "--candidates needs --map");
  CheckOutcome(run + "--map search --rate 2 --candidates bcr_col-4x --plan /nonexistent/plan.json", 1,
               "/nonexistent/plan.json");
}

TEST_CASE("accuracy drops of the digits are measured, used and scored" * doctest::skip(!kHasDigits)) {
  const Folder folder;
  const std::string drops_path = folder.File("drops.json"), plan_path = folder.File("plan.json");
  CheckOutcome(kDigits + " " + kModel + " --sensitivity " + drops_path + " --candidates pattern-8x,bcr_col-8x", 0,
               "8 drops written to " + drops_path);
  const graph::AccuracyDrops drops = Value(graph::ReadDrops(drops_path));
  CHECK(drops.images == 1797 - 360);
  CHECK(drops.accuracy > 0.98);
  REQUIRE(drops.drops.size() == 8);
  double most = 0;
  for (const graph::LayerDrop& drop : drops.drops) {
    CHECK(drop.layer != "/conv1/Conv");
    most = std::max(most, drop.drop);
  }
  CHECK(most > 0.01);  // pruning 8 times without retraining hurts

  const std::string map = kRun + " " + kModel +
                          " --candidates pattern-8x,bcr_col-8x --map search --latency-weight 0 --rate 3 --plan " +
                          plan_path;
  CheckOutcome(map + " --sensitivity " + drops_path, 0, "drop");
  const graph::SchemePlan plan = Value(graph::ReadPlan(plan_path));
  REQUIRE(plan.layers.size() == 5);
  for (const graph::PlannedLayer& layer : plan.layers) {
    if (layer.scheme.kind == lacuna::prune::SchemeKind::kDense) {
      CHECK(layer.sensitivity == 0.0);
      continue;
    }
    // What was measured of it, and nowhere more than by the other candidate.
    double own = -1, other = -1;
    for (const graph::LayerDrop& drop : drops.drops) {
      if (drop.layer == layer.layer) (drop.scheme == layer.scheme ? own : other) = std::max(drop.drop, 0.0);
    }
    CHECK(layer.sensitivity == own);
    CHECK(own <= other);
  }
  CheckOutcome(kDigits + " " + kModel + " --plan " + plan_path, 0, "\nplan ");

  test::WriteText(drops_path, R"({"format": "lacuna sensitivity", "version": 1,
                                  "drops": [{"layer": "conv8", "scheme": "pattern-8x", "drop": 0.1}]})");
  CheckOutcome(map + " --sensitivity " + drops_path, 1, "\"conv8\"");
  CheckOutcome(kDigits + " " + kModel + " --plan /nonexistent.json", 1, "/nonexistent.json");
  CheckOutcome(kDigits + " " + kModel + " " + kModel + " --sensitivity " + drops_path, 2, "takes one model, not 2");
  CheckOutcome(kDigits + " " + kModel + " --sensitivity a --plan b", 2, "--sensitivity");
  CheckOutcome(kDigits + " " + kModel + " --sensitivity a --candidates magic", 1, "scheme is \"magic\"");
}

}  // namespace
