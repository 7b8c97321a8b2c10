// The digits: reading, and the committed models.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "digits_run/digits_data.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"

namespace {

using graph::StatusCode;

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path = (std::filesystem::temp_directory_path() / ("lacuna_digits_test_" + name)).string();
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string Line(const std::string& pixel, const std::string& label) {
  std::string line;
  for (size_t i = 0; i < digits::kPixels; ++i) line += pixel + ",";
  return line + label + "\n";
}

TEST_CASE("lines of pixels and a label") {
  const std::string path = WriteFile("good.csv", Line("16.0", "7.0") + Line("4", "0"));
  const auto images = digits::ReadDigits(path);
  REQUIRE_MESSAGE(images.ok(), std::string(images.status().message()));
  REQUIRE(images->size() == 2);
  CHECK((*images)[0].pixels[63] == 1.0f);
  CHECK((*images)[0].label == 7);
  CHECK((*images)[1].pixels[0] == 0.25f);
  std::remove(path.c_str());
}

TEST_CASE("files that are missing or malformed") {
  const auto missing = digits::ReadDigits("/nonexistent/digits.csv.gz");
  CHECK(missing.status().code() == StatusCode::kNotFound);
  CHECK(std::string(missing.status().message()).find("/nonexistent/digits.csv.gz") != std::string::npos);
  CHECK(digits::ReadDigits("/").status().code() == StatusCode::kNotFound);
  for (const std::string& text :
       {std::string(), std::string("1,2,3\n"), Line("17", "1"), Line("-1", "1"), Line("nan", "1"), Line("1", "10"),
        Line("1", "1,1"), Line("1", "x"), std::string("\x1f\x8b\x08\x00 damaged gzip")}) {
    CAPTURE(text);
    const std::string path = WriteFile("bad.csv", text);
    CHECK(digits::ReadDigits(path).status().code() == StatusCode::kDataLoss);
    std::remove(path.c_str());
  }
}

struct Model {
  std::string file;      // digits_<file>.onnx
  std::string scheme;    // of what is pruned
  std::string op;        // of the layers that are
  std::string first;     // a layer of that operator that is not
  int64_t weights, nnz;  // of them
};

Model ConvolutionalModel(const std::string& scheme, int64_t nnz) {
  return {scheme, scheme, "Conv", "conv1", 9 * (16 * 32 + 32 * 32 + 32 * 64 + 64 * 64), nnz};
}

// Blocks of 8 rows x 16 columns keep 4 rows and 3 columns. W has 8 columns only, of which 2 are kept.
constexpr int64_t kHidden = 128, kGates = 3;
const Model kDenseGru = {"gru_dense", "dense", "GRU", "", kGates* kHidden*(8 + kHidden), kGates* kHidden*(8 + kHidden)};
const Model kPrunedGru = {"gru_bcr-10x",
                          "bcr-10.67x",
                          "GRU",
                          "",
                          kDenseGru.weights,
                          kGates* kHidden * 8 / 8 + kGates* kHidden* kHidden * 3 / 32};

// Of the held-out images.
double Accuracy(const Model& expected, const std::vector<digits::Image>& images) {
  CAPTURE(expected.file);
  const auto model = graph::ImportOnnxFile(std::string(LACUNA_DIGITS_DIR) + "/digits_" + expected.file + ".onnx");
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  graph::CompileOptions options;
  options.stored = true;
  options.keep_weights = true;
  auto network = graph::Network::Compile(*model, options);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  int64_t weights = 0, nnz = 0;
  for (const graph::LayerInfo& layer : network->layers()) {
    const bool is_first = !expected.first.empty() && layer.name.find(expected.first) != std::string::npos;
    if (layer.op != expected.op || is_first) continue;
    CHECK(layer.weights->scheme == expected.scheme);
    weights += layer.weights->weights;
    nnz += layer.weights->nnz;
  }
  CHECK(weights == expected.weights);
  CHECK(nnz == expected.nnz);
  size_t held_out = 0, correct = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    if (!digits::IsHeldOut(i)) continue;
    std::copy(std::begin(images[i].pixels), std::end(images[i].pixels), network->input(0).begin());
    if (held_out++ == 0) {
      const auto errors = network->Verify();
      REQUIRE(errors.ok());
      for (const graph::LayerError& error : *errors) CHECK_MESSAGE(error.over_bound <= 1.0, error.name);
    }
    REQUIRE(network->Run().ok());
    const auto output = network->output(0);
    if (std::max_element(output.begin(), output.end()) - output.begin() == images[i].label) ++correct;
  }
  CHECK(held_out == 360);
  return static_cast<double>(correct) / static_cast<double>(held_out);
}

const bool kHasDigits = std::filesystem::exists(digits::kDefaultPath);

std::vector<digits::Image> Images() {
  auto images = digits::ReadDigits(digits::kDefaultPath);
  REQUIRE_MESSAGE(images.ok(), std::string(images.status().message()));
  CHECK(images->size() == 1797);
  return *std::move(images);
}

TEST_CASE("all convolutional models classify; pruning costs less than a point" * doctest::skip(!kHasDigits)) {
  const std::vector<digits::Image> images = Images();
  const double dense = Accuracy(ConvolutionalModel("dense", 69120), images);
  CHECK(dense >= 0.97);
  for (const char* scheme : {"unstructured-8x", "pattern-8x", "pattern_g4-8x", "bcr-8x", "bcr_col-8x", "punched-8x"}) {
    CAPTURE(scheme);
    CHECK(std::abs(dense - Accuracy(ConvolutionalModel(scheme, 69120 / 8), images)) < 0.01);
  }
}

TEST_CASE("the recurrent models classify; pruning 10 times costs less than a point" * doctest::skip(!kHasDigits)) {
  const std::vector<digits::Image> images = Images();
  const double dense = Accuracy(kDenseGru, images);
  CHECK(dense >= 0.97);
  CHECK(std::abs(dense - Accuracy(kPrunedGru, images)) < 0.01);
  CHECK(kPrunedGru.weights >= 10 * kPrunedGru.nnz);
}

}  // namespace
