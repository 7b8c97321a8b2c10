// Random matrix products against reference/: GEMM and every form of GEMV, of any format, layout, epilogue and target;
// the same bits for any number of slots.

#include "tests/fuzz/decisions.h"

namespace lacuna::fuzz::product_fuzzer {
namespace {

using test::GuardedBuffer;
using test::GuardedTensor;
using test::RunOptions;
using test::ScopedTarget;

struct Product {
  int64_t m, k, n;
  test::LayerData data{};
  Epilogue epilogue{};
  std::vector<float> values{};
  std::vector<double> magnitudes{};
  test::ErrorBound bound{};
  bool exact = false;

  void Expect(const test::LayerOptions& options) {
    data.weights.resize(static_cast<size_t>(m * k));
    data.x.resize(static_cast<size_t>(k * n));
    if (options.bias) data.bias.resize(static_cast<size_t>(m));
    if (options.residual) data.residual.resize(static_cast<size_t>(m * n));
    data.Fill(options);
    epilogue = options.epilogue;
    epilogue.bias = data.bias;
    epilogue.residual = options.residual;
    values.resize(static_cast<size_t>(m * n));
    magnitudes.resize(values.size());
    exact = options.integers;
    bound = test::BoundOf(k, epilogue, data.ResidualMagnitude());
    REQUIRE(reference::Gemm({.rows = m, .columns = k}, data.weights, epilogue,
                            MatrixView<const float>::RowMajor(data.x.data(), k, n),
                            MatrixView<float>::RowMajor(values.data(), m, n),
                            MatrixView<const float>::RowMajor(data.residual.data(), m, n),
                            MatrixView<double>::RowMajor(magnitudes.data(), m, n))
                .ok());
  }

  void Check(const std::vector<float>& actual) const {
    test::Expectation{values, magnitudes, exact, bound}.Check(actual);
  }
};

template <class T>
MatrixView<T> MatrixOf(const TensorView<T, 2>& view) {
  return {view.data, view.extent[0], view.extent[1], view.stride[0], view.stride[1]};
}

// What `run(x, y, args)` leaves in y.
template <class Args, class RunPlan>
std::vector<float> Outputs(const Product& product, const RunOptions& options, size_t workspace_bytes,
                           const RunPlan& run) {
  GuardedTensor<2> x({product.k, product.n}, options.x, options.guard);
  GuardedTensor<2> y({product.m, product.n}, options.y, options.guard);
  GuardedTensor<2> residual({product.m, product.n}, options.residual, options.guard);
  x.Load(product.data.x);
  Args args;
  if (product.epilogue.residual) {
    GuardedTensor<2>& added = options.residual_is_y ? y : residual;
    added.Load(product.data.residual);
    args.residual = MatrixOf(std::as_const(added).view());
  }
  GuardedBuffer<std::byte> workspace(workspace_bytes, options.guard);
  std::fill(workspace.begin(), workspace.end(), std::byte{0xff});
  args.workspace = workspace.span();
  const Status status = run(MatrixOf(std::as_const(x).view()), MatrixOf(y.view()), args);
  const std::string message = status.message();
  CAPTURE(message);
  REQUIRE(status.ok());
  CHECK(y.GapsUntouched());
  return y.Values();
}

void RunGemm(Input& in, const Product& product, const AnyWeights<float>& weights) {
  const AnyForm policy = PickForm(in);
  RunOptions options = PickRun(in);
  // GEMM wants one stride of 1.
  const auto dense_stride = [](test::Layout& layout) {
    if (layout == test::Layout::kScattered) layout = test::Layout::kPlanarGaps;
  };
  dense_stride(options.x);
  dense_stride(options.y);
  dense_stride(options.residual);
  const TurnsExecutor executor = PickExecutor(in);
  const SumOrder sums = in.Flip() ? SumOrder::kUniform : SumOrder::kFastest;
  const auto plan = MakeGemm(weights, GemmShape{product.n + in.Range(0, 3), sums}, product.epilogue, policy);
  REQUIRE(plan.ok());
  const auto outputs = [&](const auto& on) {
    return Outputs<GemmArgs>(product, options, plan->WorkspaceBytes(on.concurrency()),
                             [&](const auto& x, const auto& y, const auto& args) { return plan->Run(x, y, args, on); });
  };
  const std::vector<float> bits = outputs(SerialExecutor{});
  product.Check(bits);
  CHECK(outputs(executor) == bits);
}

void RunGemv(Input& in, const Product& product, const AnyWeights<float>& weights) {
  const AnyForm policy = PickForm(in);
  const RunOptions options = PickRun(in);
  const TurnsExecutor executor = PickExecutor(in);
  const auto plan = MakeGemv(weights, product.epilogue, policy);
  REQUIRE(plan.ok());
  const auto outputs = [&](const auto& on) {
    return Outputs<GemvRunArgs>(
        product, options, plan->WorkspaceBytes(on.concurrency(), product.n),
        [&](const auto& x, const auto& y, const auto& args) { return plan->Run(x, y, args, on); });
  };
  const std::vector<float> bits = outputs(SerialExecutor{});
  product.Check(bits);
  CHECK(outputs(executor) == bits);
  const auto shared = MakeGemv(plan->weights(), product.epilogue, policy);
  REQUIRE(shared.ok());
}

void Run(std::span<const uint8_t> bytes) {
  Input in(bytes);
  const bool is_gemv = in.Flip();
  Product product{in.Range(1, 150), in.Range(1, 200), is_gemv ? in.Range(1, 9) : in.Range(1, 80)};
  while (product.m * product.k * product.n > 60000) {
    int64_t& largest = std::max({std::ref(product.m), std::ref(product.k), std::ref(product.n)},
                                [](const auto& a, const auto& b) { return a.get() < b.get(); });
    largest = (largest + 1) / 2;
  }
  test::LayerOptions options = PickOptions(in);
  std::vector<float> values(static_cast<size_t>(product.m * product.k));
  options.integers ? test::FillIntegers(values, options.seed) : test::FillGaussian(values, options.seed);
  test::Thin(values, options.seed + 1, options.density);
  const auto dense = DenseWeights<float>::View({.rows = product.m, .columns = product.k}, values);
  REQUIRE(dense.ok());
  const auto weights = PickWeights(in, *dense, 1);
  if (!weights) return;
  const auto kept = weights->ToDense();
  REQUIRE(kept.ok());
  options.weights = kept->values();
  product.Expect(options);
  const ScopedTarget scope(PickTarget(in));
  is_gemv ? RunGemv(in, product, *weights) : RunGemm(in, product, *weights);
}

const Registration kRegistration({.name = "product", .run = &Run, .test_runs = 150});

}  // namespace
}  // namespace lacuna::fuzz::product_fuzzer
