// Reconstruct: least squares on the support of a scheme, never worse than projection.

#include "lacuna/prune/reconstruct.h"

#include <Eigen/QR>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"
#include "tests/support/threads_executor.h"

namespace lacuna::test {
namespace {

using prune::LayerSamples;
using prune::ParseScheme;
using prune::Reconstruct;
using prune::Reconstruction;
using prune::ReconstructOptions;

constexpr const char* kNames[] = {"unstructured-4x", "pattern-4x",    "pattern_g4-4x",   "bcr-4x",
                                  "bcr_col-4x",      "bcr_kernel-4x", "punched-4x",      "punched_balanced-3x",
                                  "block_8x1-4x",    "block_4x4-4x",  "connectivity-4x", "block_kernel_8x4-4x",
                                  "filter-4x"};

// A layer, inputs of which neighbours are alike, and what the dense layer makes of them.
struct Layer {
  MatrixShape shape;
  int64_t count;
  std::vector<float> weights, bias, inputs, targets;

  Layer(const MatrixShape& matrix, int64_t samples, uint32_t seed = 1) : shape(matrix), count(samples) {
    const int64_t all = shape.columns * shape.groups;
    weights.resize(static_cast<size_t>(shape.elements()));
    bias.resize(static_cast<size_t>(shape.rows));
    inputs.resize(static_cast<size_t>(count * all));
    FillGaussian(weights, seed);
    FillGaussian(bias, seed + 1);
    FillGaussian(inputs, seed + 2);
    for (int64_t i = 0; i < count; ++i) {
      float* x = inputs.data() + i * all;
      for (int64_t c = 1; c < all; ++c) x[c] = 0.8f * x[c - 1] + 0.6f * x[c];
      for (int64_t c = 0; c < all; ++c) x[c] = std::max(x[c] + 0.3f, 0.0f);
    }
    targets.resize(static_cast<size_t>(count * shape.rows));
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t row = 0; row < shape.rows; ++row) {
        const float* x = inputs.data() + i * all + row / shape.rows_per_group() * shape.columns;
        double sum = double{bias[static_cast<size_t>(row)]};
        for (int64_t c = 0; c < shape.columns; ++c) sum += double{Weight(row, c)} * double{x[c]};
        targets[static_cast<size_t>(i * shape.rows + row)] = static_cast<float>(sum);
      }
    }
  }

  float Weight(int64_t row, int64_t column) const { return weights[static_cast<size_t>(row * shape.columns + column)]; }
  DenseWeights<float> View() const { return *DenseWeights<float>::View(shape, weights); }
  LayerSamples Samples() const {
    LayerSamples samples;
    samples.count = count;
    samples.inputs = [this](int64_t first, int64_t n, std::span<float> to) {
      const int64_t all = shape.columns * shape.groups;
      std::copy_n(inputs.data() + first * all, n * all, to.data());
    };
    samples.targets = targets;
    return samples;
  }
};

Reconstruction Run(const Layer& layer, const std::string& scheme, int64_t taps, const LayerSamples& samples,
                   const ReconstructOptions& options = {}) {
  auto result = Reconstruct(layer.View(), layer.bias, *ParseScheme(scheme), taps, samples, options, SerialExecutor{});
  REQUIRE_MESSAGE(result.ok(), std::string(result.status().message()));
  return *std::move(result);
}

TEST_CASE("Reconstruct: every scheme keeps as many weights as Project, in the same format, at less error") {
  for (const MatrixShape& shape : {MatrixShape{.rows = 16, .columns = 8 * 9}, MatrixShape{.rows = 20, .columns = 7 * 9},
                                   MatrixShape{.rows = 24, .columns = 4 * 9, .groups = 3}}) {
    const Layer layer(shape, 400);
    for (const std::string name : kNames) {
      CAPTURE(name);
      CAPTURE(shape.groups);
      CAPTURE(shape.rows);
      const auto scheme = *ParseScheme(name);
      LayerSamples samples = layer.Samples();
      samples.activation.activation = Activation::kRelu;
      const Reconstruction result = Run(layer, name, 9, samples);
      CHECK(result.error < result.projected_error);
      CHECK_FALSE(result.underdetermined);
      const auto cover = prune::Cover(result.weights, scheme, 9);
      const auto projected = prune::Project(layer.View(), scheme, 9);
      REQUIRE(cover.ok());
      REQUIRE(projected.ok());
      const auto stored = result.weights.values();
      CHECK(stored.size() - static_cast<size_t>(std::count(stored.begin(), stored.end(), 0.0f)) ==
            static_cast<size_t>(cover->nnz()));
      // Blocks at the edges are clipped, so that others of the same number may have other weights.
      const int64_t slack = shape.rows % 8 == 0 && shape.columns % 16 == 0 ? 0 : 9 * 8;
      CHECK(std::abs(cover->nnz() - projected->nnz()) <= slack);
    }
  }
}

TEST_CASE("Reconstruct: weights and bias solve the normal equations of their support") {
  const Layer layer({.rows = 6, .columns = 12}, 200);
  for (const bool fit_bias : {true, false}) {
    CAPTURE(fit_bias);
    const ReconstructOptions options{.damping = 0.05, .rounds = 0, .fit_bias = fit_bias};
    const Reconstruction result = Run(layer, "unstructured-2x", 1, layer.Samples(), options);
    const Eigen::Map<const Eigen::MatrixXf> x(layer.inputs.data(), 12, layer.count);
    Eigen::MatrixXd inputs = x.cast<double>();
    if (fit_bias) inputs.colwise() -= inputs.rowwise().mean().eval();
    const double damping = 0.05 * (inputs.rowwise().squaredNorm() / static_cast<double>(layer.count)).mean();
    for (int64_t row = 0; row < 6; ++row) {
      std::vector<Eigen::Index> support;
      for (int64_t c = 0; c < 12; ++c) {
        if (result.weights.row(row)[c] != 0.0f) support.push_back(c);
      }
      if (support.empty()) continue;
      // Least squares of samples, a last row for each weight that pulls it to its dense value, and a column of ones.
      const auto kept = static_cast<Eigen::Index>(support.size());
      const double pull = std::sqrt(damping * static_cast<double>(layer.count));
      Eigen::MatrixXd a = Eigen::MatrixXd::Zero(layer.count + kept, kept + (fit_bias ? 1 : 0));
      Eigen::VectorXd b(layer.count + kept);
      for (int64_t i = 0; i < layer.count; ++i) {
        for (Eigen::Index k = 0; k < kept; ++k) a(i, k) = double{x(support[static_cast<size_t>(k)], i)};
        if (fit_bias) a(i, kept) = 1.0;
        b(i) = double{layer.targets[static_cast<size_t>(i * 6 + row)]} -
               (fit_bias ? 0.0 : double{layer.bias[static_cast<size_t>(row)]});
      }
      for (Eigen::Index k = 0; k < kept; ++k) {
        a(layer.count + k, k) = pull;
        b(layer.count + k) = pull * double{layer.Weight(row, support[static_cast<size_t>(k)])};
      }
      const Eigen::VectorXd solved = a.colPivHouseholderQr().solve(b);
      for (Eigen::Index k = 0; k < kept; ++k) {
        CHECK(double{result.weights.row(row)[support[static_cast<size_t>(k)]]} ==
              doctest::Approx(solved(k)).epsilon(1e-4));
      }
      const double bias = fit_bias ? solved(kept) : double{layer.bias[static_cast<size_t>(row)]};
      CHECK(double{result.bias[static_cast<size_t>(row)]} == doctest::Approx(bias).epsilon(1e-4));
    }
  }
}

TEST_CASE("ChooseSupport: the column that goes is the one whose loss costs least once the others are fitted anew") {
  const Layer layer({.rows = 8, .columns = 16}, 100);
  // 15 of 16 columns stay.
  const ReconstructOptions options{.damping = 1e-6, .rounds = 0};
  const Reconstruction result = Run(layer, "bcr_col-1.07x", 1, layer.Samples(), options);
  const Eigen::Map<const Eigen::MatrixXf> inputs(layer.inputs.data(), 16, layer.count);
  const Eigen::Map<const Eigen::MatrixXf> targets(layer.targets.data(), 8, layer.count);
  int64_t best = -1, removed = -1;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t column = 0; column < 16; ++column) {
    Eigen::MatrixXd a = Eigen::MatrixXd::Ones(layer.count, 16);
    for (int64_t c = 0, k = 0; c < 16; ++c) {
      if (c != column) a.col(k++) = inputs.row(c).cast<double>().transpose();
    }
    const Eigen::MatrixXd b = targets.transpose().cast<double>();
    const Eigen::MatrixXd solved = a.colPivHouseholderQr().solve(b);
    const double error = (a * solved - b).squaredNorm();
    if (error < least) {
      least = error;
      best = column;
    }
    bool zero = true;
    for (int64_t row = 0; row < 8; ++row) zero = zero && result.weights.row(row)[column] == 0.0f;
    if (zero) removed = column;
  }
  CHECK(removed == best);
}

TEST_CASE("ChooseSupport: chunks of columns keep as much as one, and choose better than magnitude") {
  const Layer layer({.rows = 16, .columns = 16 * 16}, 1000);
  for (const std::string name : {"bcr_col-4x", "bcr-4x", "unstructured-4x", "block_8x1-4x", "pattern-4x"}) {
    CAPTURE(name);
    const auto scheme = *ParseScheme(name);
    const int64_t taps = scheme.kind == prune::SchemeKind::kPattern ? 16 : 1;
    const DenseWeights<float> view = layer.View();
    const LayerSamples samples = layer.Samples();
    prune::reconstruct::Fit fit(view, layer.bias, samples, {}, SerialExecutor{});
    REQUIRE(fit.Init().ok());
    const auto units = prune::SupportUnitsOf(scheme, layer.shape, taps);
    REQUIRE(units.ok());
    auto weights = DenseWeights<float>::Zeros(layer.shape);
    auto bias = Buffer<float>::Make(16);
    const auto projected = prune::Project(view, scheme, taps);
    const auto magnitude = projected->ToDense();
    double error[2];
    for (const bool whole : {true, false}) {
      const auto kept = prune::ChooseSupport(fit.quadratic(), *units, SerialExecutor{}, whole ? 1e10 : 1.0);
      REQUIRE(kept.ok());
      CHECK(std::count(kept->begin(), kept->end(), 1) == projected->nnz());
      REQUIRE(fit.Solve(*kept, *weights, *bias).ok());
      error[whole ? 0 : 1] = *fit.Measure(*weights, std::as_const(*bias));
    }
    auto strongest = Buffer<uint8_t>::Make(view.values().size());
    for (size_t i = 0; i < strongest->size(); ++i) (*strongest)[i] = magnitude->values()[i] != 0.0f ? 1 : 0;
    REQUIRE(fit.Solve(*strongest, *weights, *bias).ok());
    const double of_magnitude = *fit.Measure(*weights, std::as_const(*bias));
    CHECK(error[0] < of_magnitude);
    CHECK(error[1] < of_magnitude);
  }
}

TEST_CASE("Reconstruct: never worse than projection, whatever the samples and the activation") {
  for (const int64_t count : {1, 3, 20, 100}) {
    for (const Activation activation :
         {Activation::kNone, Activation::kRelu, Activation::kClamp, Activation::kHardSwish, Activation::kTanh}) {
      const Layer layer({.rows = 8, .columns = 32}, count);
      LayerSamples samples = layer.Samples();
      samples.activation = {.activation = activation, .low = -0.5f, .high = 1.0f};
      std::vector<float> added(layer.targets.size());
      FillGaussian(added, 9);
      samples.added = added;
      for (const std::string name : {"bcr_col-4x", "unstructured-8x", "filter-2x"}) {
        CAPTURE(count);
        CAPTURE(name);
        const Reconstruction result = Run(layer, name, 1, samples, {.damping = 0.3});
        CHECK(result.error <= result.projected_error);
        CHECK(result.underdetermined == (count < 32));
        for (const float value : result.weights.values()) REQUIRE(std::isfinite(value));
      }
    }
  }
}

TEST_CASE("Reconstruct: what an activation hides costs nothing") {
  const Layer layer({.rows = 16, .columns = 64}, 600);
  LayerSamples samples = layer.Samples();
  samples.activation.activation = Activation::kRelu;
  const double blind = Run(layer, "bcr_col-8x", 1, samples, {.rounds = 0}).error;
  const double seeing = Run(layer, "bcr_col-8x", 1, samples, {.rounds = 6}).error;
  CHECK(seeing < 0.98 * blind);
}

TEST_CASE("Reconstruct: scheme dense gives the layer back where its inputs are the dense network's") {
  const Layer layer({.rows = 8, .columns = 32}, 200);
  const Reconstruction result = Run(layer, "dense", 1, layer.Samples());
  CHECK(result.error < 1e-9);
  for (size_t i = 0; i < layer.weights.size(); ++i) {
    CHECK(result.weights.values()[i] == doctest::Approx(layer.weights[i]).epsilon(1e-3));
  }
}

TEST_CASE("Reconstruct: inputs that repeat, are constant or zero are no obstacle") {
  Layer layer({.rows = 8, .columns = 32}, 50);
  for (int64_t i = 0; i < layer.count; ++i) {
    float* x = layer.inputs.data() + i * 32;
    std::copy_n(x, 8, x + 8);
    std::fill_n(x + 16, 8, 0.0f);
    std::fill_n(x + 24, 8, 3.0f);
  }
  for (const std::string name : {"bcr_col-4x", "bcr-4x", "unstructured-4x", "connectivity-4x"}) {
    const Reconstruction result = Run(layer, name, 1, layer.Samples());
    CHECK(result.error <= result.projected_error);
  }
  std::fill(layer.inputs.begin(), layer.inputs.end(), 0.0f);
  const Reconstruction silent = Run(layer, "bcr_col-4x", 1, layer.Samples());
  for (const float value : silent.weights.values()) CHECK(std::isfinite(value));
}

TEST_CASE("Reconstruct: the same for any number of threads") {
  const Layer layer({.rows = 40, .columns = 8 * 9}, 300);
  LayerSamples samples = layer.Samples();
  samples.activation.activation = Activation::kRelu;
  for (const std::string name : {"bcr_col-4x", "pattern-4x", "punched-4x"}) {
    const Reconstruction one = Run(layer, name, 9, samples);
    const auto three = Reconstruct(layer.View(), layer.bias, *ParseScheme(name), 9, samples, {}, ThreadsExecutor(3));
    REQUIRE(three.ok());
    CHECK(std::ranges::equal(one.weights.values(), three->weights.values()));
    CHECK(std::equal(one.bias.begin(), one.bias.end(), three->bias.begin()));
  }
}

TEST_CASE("Reconstruct: errors name what is wrong") {
  Layer layer({.rows = 8, .columns = 32}, 20);
  const auto status = [&](const LayerSamples& samples, const std::string& scheme = "bcr_col-4x", int64_t taps = 1,
                          const ReconstructOptions& options = {}) {
    return Reconstruct(layer.View(), layer.bias, *ParseScheme(scheme), taps, samples, options, SerialExecutor{})
        .status();
  };
  LayerSamples samples = layer.Samples();
  CheckInvalid(status(samples, "bcr_col-4x", 1, {.damping = 0.0}), "options.damping is 0, must be in (0, 10]");
  CheckInvalid(status(samples, "bcr_col-4x", 1, {.rounds = -1}), "options.rounds is -1");
  CheckInvalid(status(samples, "pattern-4x", 5), "taps is 5");
  samples.count = 0;
  CheckInvalid(status(samples), "samples.count is 0");
  samples.count = 21;
  CheckInvalid(status(samples), "samples.targets has 160 values, must have count * rows = 168");
  samples = layer.Samples();
  samples.added = {layer.targets.data(), 8};
  CheckInvalid(status(samples), "samples.added has 8 values");
  samples = layer.Samples();
  layer.inputs[7 * 32 + 5] = std::numeric_limits<float>::quiet_NaN();
  CheckInvalid(status(samples), "inputs of sample 7 are not all finite");
  layer.inputs[7 * 32 + 5] = 0.0f;
  layer.targets[9] = std::numeric_limits<float>::infinity();
  CheckInvalid(status(samples), "samples.targets[9] is inf");
}

}  // namespace
}  // namespace lacuna::test
