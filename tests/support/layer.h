// Layers with data and the result of reference/, against which any number of plans are checked.

#ifndef LACUNA_TESTS_SUPPORT_LAYER_H_
#define LACUNA_TESTS_SUPPORT_LAYER_H_

#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/view.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/dense.h"
#include "lacuna/op/convolution.h"
#include "lacuna/op/gemm.h"
#include "lacuna/reference/convolution.h"
#include "lacuna/reference/gemm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/error_bound.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"
#include "tests/support/tensor.h"

namespace lacuna::test {

struct LayerOptions {
  double density = 1.0;
  bool integers = true;  // small integers, whose sums are exact: results must be equal, not close
  bool bias = false;
  bool residual = false;
  Epilogue epilogue{};               // activation and its parameters
  std::span<const float> weights{};  // in place of random ones
  uint32_t seed = 1;
};

struct RunOptions {
  Layout x = Layout::kPlanar;
  Layout y = Layout::kPlanar;
  Layout residual = Layout::kPlanar;
  bool residual_is_y = false;
  Guard guard = Guard::kAfter;
  size_t workspace_misalignment = 0;  // bytes
};

// What the reference must yield, with integers to the bit, else within the bound of rounding errors.
class Expectation {
 public:
  std::vector<float> values;
  std::vector<double> magnitudes;
  bool exact = true;
  ErrorBound bound;

  void Check(const std::vector<float>& actual) const {
    REQUIRE(actual.size() == values.size());
    const auto size = static_cast<int64_t>(values.size());
    if (!exact) {
      return CheckClose<1>({actual.data(), {size}, {1}}, {values.data(), {size}, {1}}, {magnitudes.data(), {size}, {1}},
                           bound);
    }
    size_t wrong = 0, first = 0;
    for (size_t i = 0; i < actual.size(); ++i) {
      if (!(actual[i] == values[i]) && wrong++ == 0) first = i;
    }
    CHECK_MESSAGE(wrong == 0, wrong, " of ", size, " outputs are wrong; the first at ", first, " is ", actual[first],
                  ", must be ", values[first]);
  }
};

// The tensors of a layer as vectors in planar order.
struct LayerData {
  std::vector<float> weights, x, bias, residual;

  void Fill(const LayerOptions& options) {
    const auto fill = [&](std::vector<float>& values, uint32_t offset) {
      options.integers ? FillIntegers(values, options.seed + offset) : FillGaussian(values, options.seed + offset);
    };
    fill(weights, 0);
    Thin(weights, options.seed, options.density);
    if (!options.weights.empty()) weights.assign(options.weights.begin(), options.weights.end());
    fill(x, 1000);
    fill(bias, 2000);
    fill(residual, 3000);
  }
  double ResidualMagnitude() const {
    double magnitude = 0;
    for (const float value : residual) magnitude = std::max(magnitude, std::abs(double{value}));
    return magnitude;
  }
};

inline BcrWeights<float> BcrOf(const DenseWeights<float>& dense, const BlockShape& block) {
  auto weights = BcrWeights<float>::FromDense(dense, block);
  REQUIRE(weights.ok());
  return *std::move(weights);
}

template <int kRank>
std::string Describe(const ConvShape<kRank>& shape) {
  std::string text = "batch " + std::to_string(shape.batch) + ", channels " + std::to_string(shape.in_channels) +
                     " to " + std::to_string(shape.out_channels) + " in " + std::to_string(shape.groups) + " group(s)";
  const auto add = [&](const char* name, const Extents<kRank>& extents) {
    text += std::string(", ") + name;
    for (const int64_t extent : extents) text += " " + std::to_string(extent);
  };
  add("input", shape.input);
  add("kernel", shape.kernel);
  add("stride", shape.stride);
  add("dilation", shape.dilation);
  add("pad_begin", shape.pad_begin);
  add("pad_end", shape.pad_end);
  return text;
}

// Runs plan.Run on guarded copies of a layer's tensors; `Args` is RunArgs or GemmArgs, `to_view` turns a TensorView
// into what Run takes. The outputs in planar order; gaps must have been left alone.
template <class Args, int kAxes, class Plan, class E, class ToView>
std::vector<float> RunGuarded(const Plan& plan, const LayerData& data, const Extents<kAxes>& in,
                              const Extents<kAxes>& out, const RunOptions& run, E&& executor, const ToView& to_view) {
  GuardedTensor<kAxes> x(in, run.x, run.guard), y(out, run.y, run.guard), residual(out, run.residual, run.guard);
  x.Load(data.x);
  Args args;
  if (!data.residual.empty()) {
    GuardedTensor<kAxes>& added = run.residual_is_y ? y : residual;
    added.Load(data.residual);
    args.residual = to_view(std::as_const(added).view());
  }
  const size_t bytes = plan.WorkspaceBytes(executor.concurrency());
  GuardedBuffer<std::byte> workspace(bytes + run.workspace_misalignment, run.guard);
  std::fill(workspace.begin(), workspace.end(), std::byte{0xff});
  args.workspace = workspace.span().subspan(run.guard == Guard::kAfter ? 0 : run.workspace_misalignment, bytes);
  const Status status = plan.Run(to_view(std::as_const(x).view()), to_view(y.view()), args, executor);
  const std::string message = status.message();
  CAPTURE(message);
  REQUIRE(status.ok());
  CHECK(y.GapsUntouched());
  return y.Values();
}

template <int kRank>
class ConvLayer {
 public:
  explicit ConvLayer(const ConvShape<kRank>& shape, const LayerOptions& options = {}) : shape_(shape) {
    REQUIRE(shape.Validate().ok());
    data_.weights.resize(static_cast<size_t>(shape.weight_elements()));
    data_.x.resize(static_cast<size_t>(shape.input_elements()));
    if (options.bias) data_.bias.resize(static_cast<size_t>(shape.out_channels));
    if (options.residual) data_.residual.resize(static_cast<size_t>(shape.output_elements()));
    data_.Fill(options);
    Expect(options);
  }
  ConvLayer(const ConvLayer&) = delete;
  ConvLayer& operator=(const ConvLayer&) = delete;

  const ConvShape<kRank>& shape() const { return shape_; }
  const Epilogue& epilogue() const { return epilogue_; }
  const LayerData& data() const { return data_; }
  DenseWeights<float> dense() const {
    auto weights = DenseWeights<float>::View(MatrixShapeOf(shape_), data_.weights);
    REQUIRE(weights.ok());
    return *std::move(weights);
  }
  BcrWeights<float> bcr(const BlockShape& block = {8, 16}) const { return BcrOf(dense(), block); }

  // Lets outputs differ by that much more than a direct convolution's may; 0 if they must still be exact.
  void Allow(double difference) { expected_.bound.algorithm = difference; }

  template <Executor E = const SerialExecutor>
  std::vector<float> Run(const Convolution<kRank>& plan, const RunOptions& run = {},
                         E&& executor = SerialExecutor{}) const {
    return RunGuarded<RunArgs<kRank>, kRank + 2>(plan, data_, InputExtents(), OutputExtents(), run, executor,
                                                 [](const auto& view) { return view; });
  }

  template <Executor E = const SerialExecutor>
  void Check(const Result<Convolution<kRank>>& plan, const RunOptions& run = {},
             E&& executor = SerialExecutor{}) const {
    INFO(Describe(shape_));
    const std::string message = plan.status().message();
    CAPTURE(message);
    REQUIRE(plan.ok());
    INFO(plan->Explain().ToString());
    expected_.Check(Run(*plan, run, executor));
  }

 private:
  Extents<kRank + 2> InputExtents() const { return WithChannels(shape_.in_channels, shape_.input); }
  Extents<kRank + 2> OutputExtents() const { return WithChannels(shape_.out_channels, shape_.output()); }
  Extents<kRank + 2> WithChannels(int64_t channels, const Extents<kRank>& spatial) const {
    Extents<kRank + 2> extents{shape_.batch, channels};
    std::copy(spatial.begin(), spatial.end(), extents.begin() + 2);
    return extents;
  }

  void Expect(const LayerOptions& options) {
    epilogue_ = options.epilogue;
    epilogue_.bias = data_.bias;
    epilogue_.residual = options.residual;
    expected_.values.resize(static_cast<size_t>(shape_.output_elements()));
    expected_.magnitudes.resize(expected_.values.size());
    expected_.exact = options.integers;
    expected_.bound = BoundOf(shape_.depth(), epilogue_, data_.ResidualMagnitude());
    const auto out = OutputExtents();
    REQUIRE(reference::Convolution<kRank>(shape_, data_.weights, epilogue_,
                                          TensorView<const float, kRank + 2>::Planar(data_.x.data(), InputExtents()),
                                          TensorView<float, kRank + 2>::Planar(expected_.values.data(), out),
                                          TensorView<const float, kRank + 2>::Planar(data_.residual.data(), out),
                                          TensorView<double, kRank + 2>::Planar(expected_.magnitudes.data(), out))
                .ok());
  }

  ConvShape<kRank> shape_;
  LayerData data_;
  Epilogue epilogue_;
  Expectation expected_;
};

// Y = W X of weights rows x columns and `n` columns of X.
class GemmLayer {
 public:
  GemmLayer(int64_t m, int64_t k, int64_t n, const LayerOptions& options = {}) : m_(m), k_(k), n_(n) {
    data_.weights.resize(static_cast<size_t>(m * k));
    data_.x.resize(static_cast<size_t>(k * n));
    if (options.bias) data_.bias.resize(static_cast<size_t>(m));
    if (options.residual) data_.residual.resize(static_cast<size_t>(m * n));
    data_.Fill(options);
    epilogue_ = options.epilogue;
    epilogue_.bias = data_.bias;
    epilogue_.residual = options.residual;
    expected_.values.resize(static_cast<size_t>(m * n));
    expected_.magnitudes.resize(expected_.values.size());
    expected_.exact = options.integers;
    expected_.bound = BoundOf(k, epilogue_, data_.ResidualMagnitude());
    REQUIRE(reference::Gemm({.rows = m, .columns = k}, data_.weights, epilogue_,
                            MatrixView<const float>::RowMajor(data_.x.data(), k, n),
                            MatrixView<float>::RowMajor(expected_.values.data(), m, n),
                            MatrixView<const float>::RowMajor(data_.residual.data(), m, n),
                            MatrixView<double>::RowMajor(expected_.magnitudes.data(), m, n))
                .ok());
  }
  GemmLayer(const GemmLayer&) = delete;
  GemmLayer& operator=(const GemmLayer&) = delete;

  const Epilogue& epilogue() const { return epilogue_; }
  const LayerData& data() const { return data_; }
  DenseWeights<float> dense() const {
    auto weights = DenseWeights<float>::View({.rows = m_, .columns = k_}, data_.weights);
    REQUIRE(weights.ok());
    return *std::move(weights);
  }
  BcrWeights<float> bcr(const BlockShape& block = {8, 16}) const { return BcrOf(dense(), block); }

  template <Executor E = const SerialExecutor>
  void Check(const Result<Gemm>& plan, const RunOptions& run = {}, E&& executor = SerialExecutor{}) const {
    CAPTURE(m_);
    CAPTURE(k_);
    CAPTURE(n_);
    const std::string message = plan.status().message();
    CAPTURE(message);
    REQUIRE(plan.ok());
    INFO(plan->Explain().ToString());
    expected_.Check(RunGuarded<GemmArgs, 2>(*plan, data_, {k_, n_}, {m_, n_}, run, executor, [](const auto& view) {
      return MatrixView<std::remove_pointer_t<decltype(view.data)>>{view.data, view.extent[0], view.extent[1],
                                                                    view.stride[0], view.stride[1]};
    }));
  }

 private:
  int64_t m_, k_, n_;
  LayerData data_;
  Epilogue epilogue_;
  Expectation expected_;
};

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_LAYER_H_
