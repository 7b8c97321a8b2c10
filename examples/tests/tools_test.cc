// The command-line tools: what they print, what they refuse, and the exit codes.

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "graph/onnx_file.h"

namespace {

namespace fs = std::filesystem;

struct Outcome {
  int code;
  std::string text;  // stdout and stderr
};

Outcome Execute(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  Outcome outcome{};
  char buffer[4096];
  for (size_t size; (size = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) outcome.text.append(buffer, size);
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

void CheckOutcome(const std::string& command, int code, const std::string& word) {
  const Outcome outcome = Execute(command);
  CAPTURE(command);
  CAPTURE(outcome.text);
  CHECK(outcome.code == code);
  CHECK(outcome.text.find(word) != std::string::npos);
}

std::string Contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A folder with the model "in.onnx", gone at the end.
struct Folder {
  Folder() : path(fs::temp_directory_path() / ("lacuna_tools_test_" + std::to_string(getpid()))) {
    fs::create_directories(path);
    REQUIRE(graph::WriteModel(test::SmallClassifier().model(), In()).ok());
  }
  ~Folder() { fs::remove_all(path); }
  std::string In() const { return (path / "in.onnx").string(); }
  std::string Out() const { return (path / "out.onnx").string(); }

  fs::path path;
};

const std::string kRun = LACUNA_RUN;
const std::string kPrune = LACUNA_PRUNE;
const std::string kDigits = LACUNA_DIGITS;

TEST_CASE("prune, then run what is stored, verified, compared and written as JSON") {
  const Folder folder;
  const Outcome pruned =
      Execute(kPrune + " " + folder.In() + " " + folder.Out() + " --scheme bcr_col --rate 8 --skip-first");
  CAPTURE(pruned.text);
  CHECK(pruned.code == 0);
  CHECK(pruned.text.find("bcr_col-8x: 2 layers") != std::string::npos);
  const std::string json = (folder.path / "run.json").string();
  const Outcome run =
      Execute(kRun + " " + folder.Out() + " --scheme stored --verify --compare dense --repeat 2 --json " + json);
  CAPTURE(run.text);
  CHECK(run.code == 0);
  CHECK(run.text.find("bcr_col-8x") != std::string::npos);
  CHECK(run.text.find("verified 4 layers") != std::string::npos);
  CHECK(run.text.find("speed-up") != std::string::npos);
  const auto report = nlohmann::json::parse(Contents(json), nullptr, false);
  REQUIRE(report.is_object());
  CHECK(report["layers"].size() == 7);
  CHECK(report["layers"][2]["scheme"] == "bcr_col-8x");
  CHECK(report["total"]["dense_run_ms"].get<double>() > 0.0);
}

TEST_CASE("every scheme, asked for and stored, agrees with the reference") {
  const Folder folder;
  for (const std::string name : test::kSparseSchemes) {
    CAPTURE(name);
    const Outcome asked = Execute(kRun + " " + folder.In() + " --scheme " + name + " --verify --repeat 1");
    CAPTURE(asked.text);
    CHECK(asked.code == 0);
    CHECK(asked.text.find("verified 4 layers") != std::string::npos);
    CHECK(asked.text.find(" " + name + " ") != std::string::npos);
    const size_t dash = name.rfind('-');
    const std::string rate = name.substr(dash + 1, name.size() - dash - 2);
    const Outcome pruned = Execute(kPrune + " " + folder.In() + " " + folder.Out() + " --scheme " +
                                   name.substr(0, dash) + " --rate " + rate + " --skip-first");
    CAPTURE(pruned.text);
    CHECK(pruned.code == 0);
    CHECK(pruned.text.find(name + ": 2 layers") != std::string::npos);
    const Outcome stored = Execute(kRun + " " + folder.Out() + " --scheme stored --verify --repeat 1");
    CAPTURE(stored.text);
    CHECK(stored.code == 0);
    CHECK(stored.text.find("verified 4 layers") != std::string::npos);
    CHECK(stored.text.find(" " + name + " ") != std::string::npos);
  }
}

TEST_CASE("pruning in place replaces the file; a failure leaves it and nothing beside it") {
  const Folder folder;
  const std::string before = Contents(folder.In());
  const std::string in_place = kPrune + " " + folder.In() + " " + folder.In();
  CheckOutcome(in_place + " --scheme bcr_col --rate 8 --layers nothing", 1, "'nothing'");
  CHECK(Contents(folder.In()) == before);
  CHECK(Execute(in_place + " --scheme bcr_col --rate 8").code == 0);
  CHECK(Contents(folder.In()) != before);
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
}

TEST_CASE("help names the schemes and the built-in networks") {
  for (const char* word : {"pattern_g4", "punched", "block_4x4", "connectivity", "filter", "depthwise"}) {
    CheckOutcome(kRun + " --help", 0, word);
    CheckOutcome(kPrune + " --help", 0, word);
  }
  for (const char* network : {"vgg16", "resnet18", "resnet50", "mobilenet_v2", "yolov4_tiny"}) {
    CheckOutcome(kRun + " --help", 0, network);
  }
}

TEST_CASE("lacuna-prune refuses") {
  const Folder folder;
  const std::string files = " " + folder.In() + " " + folder.Out();
  for (const char* rate : {"nan", "0", "-8", "0.5", "1e5", "inf"}) {
    CheckOutcome(kPrune + files + " --scheme bcr_col --rate " + rate, 1, "rate is");
  }
  CheckOutcome(kPrune + files + " --scheme bcr_col --rate eight", 2, "rate");
  CheckOutcome(kPrune + files + " --scheme magic --rate 8", 1, "\"magic\"");
  CheckOutcome(kPrune + files + " --scheme dense --rate 8", 1, "dense");
  CheckOutcome(kPrune + files + " --scheme bcr_col --rate 8 --layers '(['", 1, "regular expression");
  CheckOutcome(kPrune + files + " --scheme bcr_col", 2, "--rate");
  CheckOutcome(kPrune, 2, "required");
  CheckOutcome(kPrune + " /nonexistent/in.onnx " + folder.Out() + " --scheme bcr_col --rate 8", 1,
               "/nonexistent/in.onnx");
  CheckOutcome(kPrune + " " + folder.In() + " /nonexistent/out.onnx --scheme bcr_col --rate 8", 1,
               "/nonexistent/out.onnx");
  CHECK_FALSE(fs::exists(folder.Out()));
}

TEST_CASE("lacuna-run refuses") {
  const Folder folder;
  CheckOutcome(kRun + " /nonexistent.onnx", 1, "/nonexistent.onnx");
  CheckOutcome(kRun + " " + folder.In() + " --scheme bcr_col", 1, "no rate");
  CheckOutcome(kRun + " " + folder.In() + " --scheme bcr_col-nanx", 1, "rate is nan");
  CheckOutcome(kRun + " " + folder.In() + " --scheme bcr_col --rate nan", 1, "rate is nan");
  CheckOutcome(kRun + " " + folder.In() + " --scheme stored --rate 8", 1, "stored");
  CheckOutcome(kRun + " " + folder.In() + " --threads 0", 1, "threads is 0");
  CheckOutcome(kRun + " " + folder.In() + " --repeat 0", 2, "repeat");
  CheckOutcome(kRun + " " + folder.In() + " --compare sparse", 2, "compare");
  CheckOutcome(kRun + " " + folder.In() + " --repeat 1 --json /nonexistent/run.json", 1, "/nonexistent/run.json");
}

TEST_CASE("lacuna-digits refuses") {
  const Folder folder;
  CheckOutcome(kDigits + " " + folder.In() + " --data /nonexistent/digits.csv", 1, "/nonexistent/digits.csv");
  const std::string data = (folder.path / "digits.csv").string();
  std::ofstream file(data);
  for (int i = 0; i < 64; ++i) file << "0,";
  file << "0\n";
  file.close();
  CheckOutcome(kDigits + " " + folder.In() + " --data " + data, 1, "[1, 1, 8, 8]");
  CheckOutcome(kDigits + " /nonexistent.onnx --data " + data, 1, "/nonexistent.onnx");
}

}  // namespace
