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

void CheckRefused(const std::string& command, int code, const std::string& word) {
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

TEST_CASE("pruning in place replaces the file; a failure leaves it and nothing beside it") {
  const Folder folder;
  const std::string before = Contents(folder.In());
  const std::string in_place = kPrune + " " + folder.In() + " " + folder.In();
  CheckRefused(in_place + " --scheme bcr_col --rate 8 --layers nothing", 1, "'nothing'");
  CHECK(Contents(folder.In()) == before);
  CHECK(Execute(in_place + " --scheme bcr_col --rate 8").code == 0);
  CHECK(Contents(folder.In()) != before);
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
}

TEST_CASE("lacuna-prune refuses") {
  const Folder folder;
  const std::string files = " " + folder.In() + " " + folder.Out();
  for (const char* rate : {"nan", "0", "-8", "0.5", "1e5", "inf"}) {
    CheckRefused(kPrune + files + " --scheme bcr_col --rate " + rate, 1, "rate is");
  }
  CheckRefused(kPrune + files + " --scheme bcr_col --rate eight", 2, "rate");
  CheckRefused(kPrune + files + " --scheme magic --rate 8", 1, "\"magic\"");
  CheckRefused(kPrune + files + " --scheme dense --rate 8", 1, "dense");
  CheckRefused(kPrune + files + " --scheme bcr_col --rate 8 --layers '(['", 1, "regular expression");
  CheckRefused(kPrune + files + " --scheme bcr_col", 2, "--rate");
  CheckRefused(kPrune, 2, "required");
  CheckRefused(kPrune + " /nonexistent/in.onnx " + folder.Out() + " --scheme bcr_col --rate 8", 1,
               "/nonexistent/in.onnx");
  CheckRefused(kPrune + " " + folder.In() + " /nonexistent/out.onnx --scheme bcr_col --rate 8", 1,
               "/nonexistent/out.onnx");
  CHECK_FALSE(fs::exists(folder.Out()));
}

TEST_CASE("lacuna-run refuses") {
  const Folder folder;
  CheckRefused(kRun + " /nonexistent.onnx", 1, "/nonexistent.onnx");
  CheckRefused(kRun + " " + folder.In() + " --scheme bcr_col", 1, "no rate");
  CheckRefused(kRun + " " + folder.In() + " --scheme bcr_col-nanx", 1, "rate is nan");
  CheckRefused(kRun + " " + folder.In() + " --scheme bcr_col --rate nan", 1, "rate is nan");
  CheckRefused(kRun + " " + folder.In() + " --scheme stored --rate 8", 1, "stored");
  CheckRefused(kRun + " " + folder.In() + " --threads 0", 1, "threads is 0");
  CheckRefused(kRun + " " + folder.In() + " --repeat 0", 2, "repeat");
  CheckRefused(kRun + " " + folder.In() + " --compare sparse", 2, "compare");
  CheckRefused(kRun + " " + folder.In() + " --repeat 1 --json /nonexistent/run.json", 1, "/nonexistent/run.json");
}

TEST_CASE("lacuna-digits refuses") {
  const Folder folder;
  CheckRefused(kDigits + " " + folder.In() + " --data /nonexistent/digits.csv", 1, "/nonexistent/digits.csv");
  const std::string data = (folder.path / "digits.csv").string();
  std::ofstream file(data);
  for (int i = 0; i < 64; ++i) file << "0,";
  file << "0\n";
  file.close();
  CheckRefused(kDigits + " " + folder.In() + " --data " + data, 1, "[1, 1, 8, 8]");
  CheckRefused(kDigits + " /nonexistent.onnx --data " + data, 1, "/nonexistent.onnx");
}

}  // namespace
