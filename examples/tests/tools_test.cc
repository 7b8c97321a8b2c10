// The command-line tools: what they print, what they refuse, and the exit codes.

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "examples/tests/command.h"
#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "graph/onnx_file.h"

namespace {

namespace fs = std::filesystem;
using test::CheckOutcome;
using test::Execute;
using test::Outcome;

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

TEST_CASE("pruned layers as operators of ONNX Runtime") {
  const Folder folder;
  const std::string custom = (folder.path / "custom.onnx").string();
  const Outcome pruned = Execute(kPrune + " " + folder.In() + " " + custom + " --scheme bcr_col-8x --emit ort-custom");
  CAPTURE(pruned.text);
  CHECK(pruned.code == 0);
  CHECK(pruned.text.find("lacuna.Conv") != std::string::npos);
  const auto model = graph::ReadModel(custom);
  REQUIRE(model.ok());
  int custom_nodes = 0;
  for (const auto& node : model->graph().node()) {
    if (node.domain() != "lacuna") continue;
    ++custom_nodes;
    const auto& attributes = node.attribute();
    CHECK(std::any_of(attributes.begin(), attributes.end(), [](const onnx::AttributeProto& attribute) {
      return attribute.name() == "scheme" && attribute.s() == "bcr_col-8x";
    }));
  }
  CHECK(custom_nodes > 0);
  const auto& opsets = model->opset_import();
  CHECK(std::count_if(opsets.begin(), opsets.end(),
                      [](const onnx::OperatorSetIdProto& opset) { return opset.domain() == "lacuna"; }) == 1);
  CheckOutcome(kPrune + " " + folder.In() + " " + custom + " --scheme stored --emit ort-custom", 1, "none is pruned");
  CheckOutcome(kPrune + " " + folder.In() + " " + custom + " --scheme stored", 1, "it is for --emit");
  CheckOutcome(kPrune + " " + folder.In() + " " + custom + " --scheme bcr-8x --emit ncnn", 2, "ort-custom");
}

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

TEST_CASE("a recurrent network: its layers, products and frames") {
  const Folder folder;
  const std::string json = (folder.path / "gru.json").string();
  const Outcome run = Execute(kRun + " gru_timit --scheme bcr-16x --repeat 1 --explain --json " + json);
  CAPTURE(run.text);
  CHECK(run.code == 0);
  for (const char* words :
       {"gru1: W 3072x39, bcr-16x", "gru2: R 3072x1024, bcr-16x", "3072x39+3072x1024 t100", "sum of recurrent layers",
        "FLOPs of the recurrent layers: ", " sequences per second, ", " frames per second"}) {
    CAPTURE(words);
    CHECK(run.text.find(words) != std::string::npos);
  }
  CHECK(run.text.find("convolutions") == std::string::npos);
  const auto report = nlohmann::json::parse(Contents(json), nullptr, false);
  REQUIRE(report.is_object());
  CHECK(report["layers"][1]["products"].size() == 2);
  CHECK(report["layers"][1]["products"][1]["shape"] == "R 3072x1024");
  CHECK(report["recurrent"]["weights"] == 3 * 1024 * (39 + 3 * 1024));
  const double sequences = report["throughput"]["sequences_per_second"].get<double>();
  CHECK(report["throughput"]["frames_per_second"].get<double>() == doctest::Approx(100 * sequences));
  CheckOutcome(kRun + " gru_timit --scheme bcr --flops-rate 2", 1, "the layers to be pruned have 0 of the 0 GFLOPs");
  CheckOutcome(kRun + " gru_timit --map rules --rate 2 --plan " + (folder.path / "plan").string(), 1,
               "no layer is selected");
}

TEST_CASE("a FLOPs rate of all convolutions") {
  const Folder folder;
  const Outcome pruned =
      Execute(kPrune + " " + folder.In() + " " + folder.Out() + " --scheme unstructured --flops-rate 2 --skip-first");
  CAPTURE(pruned.text);
  CHECK(pruned.code == 0);
  CHECK(pruned.text.find("unstructured-5.17") != std::string::npos);
  CHECK(pruned.text.find("0.0003272 GFLOPs kept (2.00x)") != std::string::npos);
  CheckOutcome(kRun + " " + folder.In() + " --scheme unstructured --flops-rate 2 --repeat 1", 0, "(2.00x fewer)");
  // The usual layers of a network are pruned even if a rate of one's own is given, others if they are named.
  const Outcome usual = Execute(kRun + " s3d --scheme punched --flops-rate usual --repeat 1");
  CAPTURE(usual.text);
  CHECK(usual.code == 0);
  for (const char* words : {"(2.10x fewer)", "punched-3.49", " clips per second", " frames per second"}) {
    CHECK(usual.text.find(words) != std::string::npos);
  }
  CheckOutcome(kRun + " s3d --scheme punched --flops-rate 2.1 --repeat 1", 0, "punched-3.49");
  CheckOutcome(kRun + " s3d --scheme punched --flops-rate 1.2 --layers '^mixed' --repeat 1", 0, "(1.20x fewer)");
  CheckOutcome(kRun + " " + folder.In() + " --repeat 1", 0, " images per second");

  CheckOutcome(kRun + " c3d --scheme punched --flops-rate 20", 1, "flops rate is 20, must be in [1, 15.833]");
  CheckOutcome(kRun + " c3d --scheme punched --flops-rate 0.5", 1, "flops rate is 0.5, must be in [1,");
  CheckOutcome(kRun + " c3d --scheme punched --flops-rate nan", 1, "flops rate is nan, must be in [1,");
  CheckOutcome(kRun + " c3d --scheme punched --flops-rate 3x", 1, "--flops-rate is '3x', must be a number or usual");
  CheckOutcome(kRun + " c3d --scheme punched --rate 8 --flops-rate 3", 1, "must be absent with --rate");
  CheckOutcome(kRun + " c3d --flops-rate 3", 1, "must be absent with --scheme dense");
  CheckOutcome(kRun + " vgg16 --scheme punched --flops-rate usual", 1, "'vgg16' has no usual rate");
  CheckOutcome(kPrune + " " + folder.In() + " " + folder.Out() + " --scheme punched --rate 2 --flops-rate 2", 2,
               "--flops-rate");
}

// Writes 16 frames of 20 x 30 pixels that `shade` gives the grey value of.
template <class Shade>
void WriteFrames(const fs::path& folder, const Shade& shade) {
  fs::create_directories(folder);
  for (int frame = 0; frame < 16; ++frame) {
    std::ofstream file(folder / ("frame" + std::to_string(frame) + ".ppm"), std::ios::binary);
    file << "P6\n30 20\n255\n";
    for (int y = 0; y < 20; ++y) {
      for (int x = 0; x < 30; ++x) {
        for (int channel = 0; channel < 3; ++channel) file.put(static_cast<char>(shade(frame, y, x)));
      }
    }
  }
}

// The classes and values in the line of a run's text that begins with "largest outputs". Values are given with four
// digits; kernels of different batches add up in different orders.
struct LargestOutputs {
  explicit LargestOutputs(const Outcome& outcome) {
    const std::string begin = "largest outputs: ";
    const size_t at = outcome.text.find(begin);
    REQUIRE_MESSAGE(at != std::string::npos, outcome.text);
    text = outcome.text.substr(at + begin.size(), outcome.text.find('\n', at) - at - begin.size());
    std::istringstream line(text);
    char mark = ',';
    for (int output = 0; mark == ','; line >> mark) {
      double value = 0;
      line >> output >> mark >> value >> mark;
      REQUIRE_MESSAGE(line, outcome.text);
      outputs.push_back(output);
      values.push_back(value);
      mark = '\0';
    }
  }
  bool operator==(const LargestOutputs& other) const {
    return outputs == other.outputs &&
           std::equal(values.begin(), values.end(), other.values.begin(),
                      [](double a, double b) { return std::abs(a - b) <= 1e-3 * std::abs(b); });
  }
  std::string text;
  std::vector<int> outputs;
  std::vector<double> values;
};

TEST_CASE("a clip as input") {
  const Folder folder;
  const fs::path moving = folder.path / "moving", still = folder.path / "still";
  WriteFrames(moving, [](int frame, int y, int x) { return (8 * frame + 5 * y + 3 * x) % 256; });
  WriteFrames(still, [](int, int y, int x) { return (5 * y + 3 * x) % 256; });
  // Direct forms add up in one order; which Winograd form is fastest may differ from run to run, and with it rounding.
  const std::string run = kRun + " s3d --winograd-error 0 --repeat 1 --input ";
  const Outcome first = Execute(run + moving.string());
  CHECK(first.code == 0);
  const LargestOutputs largest(first);
  CHECK(largest.outputs.size() == 5);
  CHECK(LargestOutputs(Execute(run + moving.string())).text == largest.text);
  CHECK((LargestOutputs(Execute(run + moving.string() + " --batch 2")) == largest));
  CHECK_FALSE((LargestOutputs(Execute(run + still.string())) == largest));
  CHECK(Execute(kRun + " s3d --repeat 1").text.find("largest outputs") == std::string::npos);

  CheckOutcome(run + "/nonexistent", 1, "/nonexistent");
  fs::remove(moving / "frame3.ppm");
  CheckOutcome(run + moving.string(), 1, "15");
  CheckOutcome(kRun + " vgg16 --input " + still.string(), 1, "'vgg16' takes no clips");
}

// A .npy file of floats.
void WriteNpy(const fs::path& path, const std::string& shape, const std::vector<float>& values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize(117, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file << std::string("\x93NUMPY\x01\x00\x76\x00", 10) << header;
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
}

TEST_CASE("an image as input") {
  const Folder folder;
  const std::vector<int> red = {0, 10, 20, 30, 40, 250}, green = {1, 11, 21, 31, 41, 251}, blue = {9, 9, 9, 5, 5, 255};
  const fs::path image = folder.path / "x.ppm", expected = folder.path / "y.npy";
  {
    std::ofstream file(image, std::ios::binary);
    file << "P6\n3 2\n255\n";
    for (size_t i = 0; i < red.size(); ++i) {
      for (const auto& channel : {red, green, blue}) file.put(static_cast<char>(channel[i]));
    }
  }
  const auto model = [&](const graph::Shape& shape) {
    test::ModelBuilder builder;
    builder.Input("x", shape).Output("y").Node("identity", "Neg", {"x"}, "negative");
    builder.Node("again", "Neg", {"negative"}, "y");
    REQUIRE(graph::WriteModel(builder.model(), folder.Out()).ok());
  };
  const std::string run = kRun + " " + folder.Out() + " --repeat 1 --tolerance 1e-6 --input x=" + image.string() + " ";
  const std::string expect = "--expect " + expected.string();
  const auto values = [&](bool planar, const auto& value) {
    std::vector<float> all;
    for (size_t k = 0; k < 18; ++k) {
      const size_t channel = planar ? k / 6 : k % 3, i = planar ? k % 6 : k / 3;
      all.push_back(value(channel, static_cast<float>((channel == 0 ? red : channel == 1 ? green : blue)[i])));
    }
    return all;
  };
  model({1, 3, 2, 3});
  WriteNpy(expected, "1, 3, 2, 3", values(true, [](size_t, float pixel) { return pixel / 255.0f; }));
  CheckOutcome(run + expect, 0, "ok");
  CheckOutcome(run + expect + " --std 128", 1, "beyond the tolerance");
  WriteNpy(expected, "1, 3, 2, 3", values(true, [](size_t channel, float pixel) {
             const float mean[] = {1, 2, 3}, deviation[] = {2, 4, 8};
             return (pixel - mean[channel]) / deviation[channel];
           }));
  CheckOutcome(run + expect + " --mean 1,2,3 --std 2,4,8", 0, "ok");
  model({1, 2, 3, 3});  // the height is no number of channels
  WriteNpy(expected, "1, 2, 3, 3", values(false, [](size_t, float pixel) { return pixel - 5.0f; }));
  CheckOutcome(run + expect + " --mean 5 --std 1", 0, "ok");
  CheckOutcome(run + expect + " --mean 5 --std 1 --bgr", 1, "beyond the tolerance");

  model({1, 3, 8, 8});
  CheckOutcome(run, 0, "whole run");  // scaled to the input
  CheckOutcome(run + "--mean 1,2", 1, "--mean is '1,2'");
  CheckOutcome(run + "--size 8", 1, "--size is '8'");
  CheckOutcome(run + "--image-layout nhwc", 1, "as --image-layout says");
  model({1, 12});
  CheckOutcome(run, 1, "whose shape is [1, 12]");
  CheckOutcome(kRun + " " + folder.Out() + " --mean 1", 1, "--input names none");
  CheckOutcome(kRun + " " + folder.Out() + " --input x=/nonexistent.png", 1, "/nonexistent.png");
}

// A sanitizer's shadow and quarantine count as resident.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasuresMemory = false;
#else
constexpr bool kMeasuresMemory = true;
#endif

TEST_CASE("C3D runs in its activations, its packed weights and 64 MiB: dense weights go when they are packed") {
  if (!kMeasuresMemory) return;
  const Folder folder;
  const std::string json = (folder.path / "run.json").string();
  for (const char* options : {" --scheme punched --flops-rate usual", ""}) {
    CAPTURE(options);
    REQUIRE(Execute(kRun + " c3d --repeat 1 --json " + json + options).code == 0);
    const auto report = nlohmann::json::parse(Contents(json), nullptr, false);
    const auto& memory = report["memory"];
    const auto bytes = [&](const char* part) { return memory[part].get<int64_t>(); };
    int64_t weight_bytes = 0;  // of the weights that are kept
    for (const auto& layer : report["layers"]) weight_bytes += 4 * layer.value("nnz", int64_t{0});
    CHECK(bytes("packed_weight_bytes") >= weight_bytes);
    CHECK(bytes("activation_bytes") == report["arena_bytes"].get<int64_t>());
    CHECK(bytes("activation_bytes") >= int64_t{64 + 3} * 16 * 112 * 112 * 4);  // conv1 and its input
    CHECK(bytes("constant_bytes") < 1 << 20);
    CHECK(bytes("peak_resident_bytes") > bytes("packed_weight_bytes"));
    CHECK(bytes("peak_resident_bytes") <=
          bytes("activation_bytes") + bytes("packed_weight_bytes") + bytes("workspace_bytes") + (int64_t{64} << 20));
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
  for (const char* word :
       {"pattern_g4", "punched", "block_4x4", "block_kernel_8x4", "connectivity", "filter", "depthwise"}) {
    CheckOutcome(kRun + " --help", 0, word);
    CheckOutcome(kPrune + " --help", 0, word);
  }
  for (const char* network :
       {"vgg16", "resnet18", "resnet50", "mobilenet_v2", "yolov4_tiny", "c3d", "r2plus1d", "s3d"}) {
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
  CheckOutcome(kPrune + files + " --scheme bcr_cool-8x", 1, "did you mean bcr_col?");
  CheckOutcome(kPrune + files + " --scheme patern_g4 --rate 8", 1, "did you mean pattern_g4?");
  CheckOutcome(kPrune + " vgg61 " + folder.Out() + " --scheme bcr_col-8x", 1, "did you mean vgg16?");
  CheckOutcome(kPrune + files + " --scheme dense --rate 8", 1, "dense");
  CheckOutcome(kPrune + files + " --scheme bcr_col --rate 8 --layers '(['", 1, "regular expression");
  CheckOutcome(kPrune + files + " --scheme bcr_col", 1, "no rate");
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
  CheckOutcome(kRun + " resnet_50", 1, "did you mean resnet50?");
  CheckOutcome(kRun + " " + folder.In() + " --scheme bcr_kernels-8x", 1, "did you mean bcr_kernel?");
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
