// lacuna-run's choice of kernels: --winograd-error, --tune, --tuning, --explain, and the progress bar.

#include "lacuna/policy/choices.h"
#include "lacuna/policy/machine.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>

#include "examples/tests/command.h"
#include "examples/tests/files_and_errors.h"
#include "examples/tests/model_builder.h"
#include "graph/onnx_file.h"
#include "graph/target.h"
#include "tools/progress_bar.h"

namespace {

namespace fs = std::filesystem;
using test::CheckOutcome;
using test::ReadText;
using test::WriteText;

// A folder with the model "in.onnx", which has four layers with weights.
struct Folder : test::TemporaryFolder {
  Folder() : TemporaryFolder("lacuna_tuning_test") {
    REQUIRE(graph::WriteModel(test::SmallClassifier().model(), File("in.onnx")).ok());
  }
  std::string Run() const { return std::string(LACUNA_RUN) + " " + File("in.onnx") + " --repeat 1"; }
  // Every candidate once. Three layers of four are tuned: the last one, a matrix times a vector, has vector kernels.
  std::string Tune() const { return Run() + " --tune-seconds 0 --tuning " + File("tuning.txt"); }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
};

size_t Count(const std::string& text, const std::string& word) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += word.size()) ++count;
  return count;
}

// How many layers the file has for this machine.
size_t Saved(const std::string& path) {
  lacuna::Choices choices(lacuna::CpuName(), graph::ActiveTargetName());
  test::CheckOk(choices.Load(path.c_str()));
  return choices.size();
}

TEST_CASE("a tuning file is made, and used by the next run") {
  const Folder folder;
  const std::string first = CheckOutcome(folder.Tune() + " --explain", 0, "kernels selected by measurement, Winograd");
  CHECK(Count(first, "tuning layer ") == 3);
  CHECK(first.find("tuning layer 1 of 4, conv2\n") != std::string::npos);
  CHECK(Count(first, " measured\n") == 4);  // the reasons
  CHECK(first.find("not used") == std::string::npos);
  const std::string text = ReadText(folder.File("tuning.txt"));
  CHECK(Saved(folder.File("tuning.txt")) == 3);

  const std::string second = CheckOutcome(folder.Tune() + " --explain", 0, "kernels selected by measurement");
  CHECK(second.find("tuning layer") == std::string::npos);
  CHECK(Count(second, ": fastest when it was measured before\n") == 3);
  CHECK(ReadText(folder.File("tuning.txt")) == text);

  // What is missing is added; of the dense network that is compared with too.
  const std::string third = CheckOutcome(folder.Tune() + " --scheme bcr_col-4x --compare dense", 0, "speed-up");
  CHECK(Count(third, "tuning layer ") == 2);
  CHECK(Saved(folder.File("tuning.txt")) == 5);
  CHECK(folder.files() == 2);
  // --tune alone keeps nothing.
  const std::string unsaved = CheckOutcome(folder.Run() + " --tune --tune-seconds 0", 0, "by measurement");
  CHECK(Count(unsaved, "tuning layer ") == 3);
  CHECK(folder.files() == 2);
}

TEST_CASE("stale and damaged tuning files are told, ignored, and replaced by the tuning that follows") {
  const Folder folder;
  const std::string path = folder.File("tuning.txt");
  const std::string message = "lacuna-run: '" + path + "' is not used and will be written anew: choices: ";
  const auto check = [&](const std::string& word) {
    CAPTURE(word);
    const std::string before = ReadText(path);
    // A run that comes to nothing leaves the file.
    CheckOutcome(std::string(LACUNA_RUN) + " /nonexistent.onnx --tuning " + path, 1, message);
    CHECK(ReadText(path) == before);
    const std::string text = CheckOutcome(folder.Tune(), 0, message);
    CHECK(Count(text, "is not used") == 1);
    CHECK(text.find(word) != std::string::npos);
    CHECK(Count(text, "tuning layer ") == 3);
    CHECK(Saved(path) == 3);
    CHECK(folder.files() == 2);
  };
  REQUIRE(lacuna::Choices("another CPU", graph::ActiveTargetName()).Save(path.c_str()).ok());
  check("another CPU");
  REQUIRE(lacuna::Choices(lacuna::CpuName(), "another target").Save(path.c_str()).ok());
  check("another target");
  std::string text = ReadText(path);
  WriteText(path, text.substr(0, text.size() / 2));
  check("");
  text = ReadText(path);
  text[text.size() / 2] = text[text.size() / 2] == 'x' ? 'y' : 'x';
  WriteText(path, text);
  check("");
  WriteText(path, "");
  check("first line");
  WriteText(path, std::string(1000, '\0'));
  check("first line");
}

TEST_CASE("tuning files that cannot be are refused before anything is tuned") {
  const Folder folder;
  const auto refused = [&](const std::string& path, const std::string& word) {
    const std::string text = CheckOutcome(folder.Run() + " --tuning " + path, 1, word);
    CHECK(text.find("tuning layer") == std::string::npos);
  };
  refused("/nonexistent/tuning.txt", "/nonexistent/tuning.txt");
  refused(folder.File("in.onnx") + "/tuning.txt", "in.onnx/tuning.txt");
  refused(folder.path.string(), "is a folder");
  CHECK(folder.files() == 1);
}

TEST_CASE("flags out of range are refused") {
  const Folder folder;
  for (const char* error : {"-1", "-1e-09", "nan", "-inf"}) {
    CAPTURE(error);
    CheckOutcome(folder.Run() + " --winograd-error=" + error, 1, "winograd_error is " + std::string(error));
  }
  CheckOutcome(folder.Run() + " --winograd-error=small", 2, "--winograd-error");
  CheckOutcome(folder.Run() + " --winograd-error=inf", 0, "Winograd forms up to an error of inf");
  for (const char* seconds : {"-1", "nan", "inf"}) {
    CAPTURE(seconds);
    CheckOutcome(folder.Run() + " --tune --tune-seconds=" + seconds, 1,
                 "seconds to measure a layer are " + std::string(seconds));
  }
  CheckOutcome(folder.Run() + " --tune --tune-seconds=long", 2, "--tune-seconds");
  CheckOutcome(folder.Run() + " --tune-seconds=1", 1, "--tune-seconds is 1, must be absent without --tune");
  CheckOutcome(folder.Run() + " --tuning", 2, "--tuning");
}

TEST_CASE("Winograd forms as far as they are allowed, in the table of candidates and in JSON") {
  const Folder folder;
  const std::string json = folder.File("run.json");
  const std::string explain = folder.Run() + " --explain --verify --json " + json;
  const std::string allowed = CheckOutcome(explain, 0, "verified 4 layers");
  CHECK(allowed.find("kernels selected by cost model, Winograd forms up to an error of 0.0001\n") != std::string::npos);
  CHECK(allowed.find("\n    winograd 6x6 ") != allowed.find("\n  * winograd 6x6 "));  // chosen or not, it is there
  CHECK(allowed.find("winograd 4x4 ") != std::string::npos);
  CHECK(CheckOutcome(explain + " --winograd-error 1e-5", 0, "winograd 4x4 ").find("winograd 6x6 ") ==
        std::string::npos);
  const std::string direct = CheckOutcome(explain + " --winograd-error 0", 0, "verified 4 layers");
  CHECK(direct.find("kernels selected by cost model, no Winograd forms\n") != std::string::npos);
  CHECK(direct.find("winograd") == std::string::npos);

  std::istringstream lines(direct);
  size_t chosen = 0;
  for (std::string line; std::getline(lines, line);) {
    CHECK_MESSAGE(line.size() <= 140, line);
    chosen += line.starts_with("  * ") ? 1 : 0;
  }
  CHECK(chosen == 4);
  const auto report = nlohmann::json::parse(ReadText(json), nullptr, false);
  REQUIRE(report.is_object());
  CHECK(report["kernels"] == "by cost model, no Winograd forms");
  const auto& layer = report["layers"][2];
  CHECK(layer["name"] == "conv2");
  CHECK(layer["reason"] == "lowest predicted cost");
  const auto& candidates = layer["candidates"];
  REQUIRE(candidates.size() >= 2);
  CHECK(std::any_of(candidates.begin(), candidates.end(), [&](const auto& c) { return c["name"] == layer["kernel"]; }));
  for (const auto& candidate : candidates) {
    CHECK(candidate["predicted"].get<double>() > 0.0);
    CHECK_FALSE(candidate.contains("measured_ms"));
  }

  CheckOutcome(folder.Run() + " --tune --tune-seconds 0 --json " + json, 0, "by measurement");
  const auto tuned = nlohmann::json::parse(ReadText(json), nullptr, false);
  size_t measured = 0;
  for (const auto& candidate : tuned["layers"][2]["candidates"]) measured += candidate.contains("measured_ms") ? 1 : 0;
  CHECK(measured >= 2);
}

TEST_CASE("both networks of a comparison are explained") {
  const Folder folder;
  const std::string text = CheckOutcome(folder.Run() + " --scheme bcr_col-4x --compare dense --explain", 0, "speed-up");
  CHECK(text.find("in.onnx: each layer's candidates") != std::string::npos);
  CHECK(text.find("in.onnx, dense: each layer's candidates") != std::string::npos);
  CHECK(text.find("conv2: 16x16x3x3 s1 6x6, bcr_col-4x, 25 % of the weights\n") != std::string::npos);
  CHECK(text.find("conv2: 16x16x3x3 s1 6x6, dense, 100 % of the weights\n") != std::string::npos);
}

TEST_CASE("the progress bar") {
  const std::string name = "conv2";
  CHECK(tools::BarText({1, 4, name, "8x3", 0, 20}, 79) == "[--------------------] 1/4 conv2: 8x3");
  CHECK(tools::BarText({3, 4, name, "winograd 4x4", 10, 20}, 79) == "[############--------] 3/4 conv2: winograd 4x4");
  CHECK(tools::BarText({4, 4, name, "", 20, 20}, 79) == "[####################] 4/4 conv2");
  CHECK(tools::BarText({1, 1, name, "8x3", 0, 0}, 79) == "[--------------------] 1/1 conv2: 8x3");
  CHECK(tools::BarText({1, 1, std::string(200, 'x'), "8x3", 0, 0}, 79).size() == 79);

  // On a terminal: one line, gone at the end.
  if (test::Execute("command -v script").code != 0) return;
  const Folder folder;
  const std::string command = "script -qec '" + folder.Run() + " --tune --tune-seconds 0' /dev/null </dev/null";
  const std::string text = CheckOutcome(command, 0, "\r[--------------------] 1/4 conv2: ");
  CHECK(text.find("tuning layer") == std::string::npos);
  CHECK(text.find("\r\x1b[K") < text.find("kernels selected"));
  CHECK(text.find("\r[", text.find("kernels selected")) == std::string::npos);
}

}  // namespace
