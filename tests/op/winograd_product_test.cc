// Winograd plans whose products a DenseProduct computes: libxsmm where it is installed, and one made to find fault.

#include <lacuna/lacuna.h>
#include <lacuna/op/winograd_plan.h>
#include <lacuna/pack/winograd.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/op/winograd_layers.h"
#include "tests/support/check_error.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/random.h"
#include "tests/support/threads_executor.h"

#ifdef LACUNA_TEST_LIBXSMM
#include <lacuna/kernel/product_libxsmm.h>
#endif

namespace lacuna::test {
namespace {

// The kernels that plans asked of kLoops, in a container that never moves them.
struct Prepared {
  std::mutex mutex;
  std::deque<ProductShape> shapes;
};
Prepared& AskedOfLoops() {
  static Prepared prepared;
  return prepared;
}

// Sums that begin at another place for every number of rows: an order that plans must not let threads change.
constexpr DenseProduct kLoops(
    "loops",
    [](const ProductShape& shape) -> const void* {
      Prepared& prepared = AskedOfLoops();
      const std::lock_guard<std::mutex> lock(prepared.mutex);
      prepared.shapes.push_back(shape);
      return &prepared.shapes.back();
    },
    [](const void* kernel, const float* w, const float* x, float* y) {
      const auto& shape = *static_cast<const ProductShape*>(kernel);
      for (int64_t r = 0; r < shape.rows; ++r) {
        float* row = y + r * shape.y_stride;
        std::fill_n(row, shape.columns, 0.0f);
        for (int64_t i = 0; i < shape.depth; ++i) {
          const int64_t k = (i + shape.rows) % shape.depth;
          for (int64_t c = 0; c < shape.columns; ++c) row[c] += w[r * shape.w_stride + k] * x[k * shape.x_stride + c];
        }
      }
    });

std::vector<const DenseProduct*> Products() {
  std::vector<const DenseProduct*> products = {&kLoops};
#ifdef LACUNA_TEST_LIBXSMM
  if (LibxsmmProduct().available()) products.push_back(&LibxsmmProduct());
#endif
  return products;
}

struct NamedForm : WinogradPolicy {
  using Select = SelectByName;
  SelectByName select;
};

LayerGeometry GeometryOf(const ConvShape<3>& shape) {
  LayerGeometry layer;
  layer.channels_per_group = shape.channels_per_group();
  for (size_t a = 0; a < 3; ++a) {
    layer.axis[a].input = shape.input[a];
    layer.axis[a].output = shape.output(static_cast<int>(a));
    layer.axis[a].kernel = shape.kernel[a];
    layer.axis[a].pad = shape.pad_begin[a];
  }
  return layer;
}

// A WinogradPlan as RunGuarded runs plans.
struct ProductPlan {
  const WinogradPlan& plan;
  int64_t batch;

  size_t WorkspaceBytes(size_t threads) const { return plan.WorkspaceBytes(threads); }
  template <class E>
  Status Run(const TensorView<const float, 5>& x, const TensorView<float, 5>& y, const RunArgs<3>& args,
             E&& executor) const {
    return plan.Run({op::ToActivations<const float, 5>(x), op::ToActivations<float, 5>(y),
                     op::ToActivations<const float, 5>(args.residual), batch, y.extent[4], args.workspace},
                    executor);
  }
};

// A layer, what the reference says of it, and plans for it on the active target.
class ProductLayer {
 public:
  ProductLayer(const ConvShape<3>& shape, const NamedWinogradTile& tile, LayerOptions options = {})
      : shape_(shape), tile_(tile) {
    shape_.kernel = KernelOf(tile.tile);
    REQUIRE(shape_.Validate().ok());
    std::vector<float> weights;
    if (options.integers && IsExact(tile.tile)) {
      weights = ExactWeights(shape_, tile.tile, options.density);
      options.weights = weights;
    } else {
      options.integers = false;
    }
    data_.weights.resize(static_cast<size_t>(shape_.weight_elements()));
    data_.x.resize(static_cast<size_t>(shape_.input_elements()));
    expected_.values.resize(static_cast<size_t>(shape_.output_elements()));
    expected_.magnitudes.resize(expected_.values.size());
    if (options.bias) data_.bias.resize(static_cast<size_t>(shape_.out_channels));
    if (options.residual) data_.residual.resize(expected_.values.size());
    data_.Fill(options);
    epilogue_ = options.epilogue;
    epilogue_.bias = data_.bias;
    epilogue_.residual = options.residual;
    expected_.exact = options.integers;
    expected_.bound = BoundOf(shape_.depth(), epilogue_, data_.ResidualMagnitude());
    expected_.bound.algorithm = ErrorOf(shape_, tile.tile, data_);
    REQUIRE(reference::Convolution<3>(shape_, data_.weights, epilogue_,
                                      TensorView<const float, 5>::Planar(data_.x.data(), In()),
                                      TensorView<float, 5>::Planar(expected_.values.data(), Out()),
                                      TensorView<const float, 5>::Planar(data_.residual.data(), Out()),
                                      TensorView<double, 5>::Planar(expected_.magnitudes.data(), Out()))
                .ok());
  }

  const ConvShape<3>& shape() const { return shape_; }
  KernelMatrix<float> kernels() const {
    const auto dense = DenseWeights<float>::View(MatrixShapeOf(shape_), data_.weights);
    REQUIRE(dense.ok());
    const auto stored = CsrWeights<float>::FromDense(*dense);  // no zeros
    REQUIRE(stored.ok());
    auto kernels = KernelMatrix<float>::Of(*stored, shape_.taps());
    REQUIRE(kernels.ok());
    return *std::move(kernels);
  }
  Result<WinogradPlan> Plan(const DenseProduct& product) const {
    LACUNA_ASSIGN_OR_RETURN(packed, PackWinograd(kernels(), shape_.kernel, tile_, product));
    LACUNA_ASSIGN_OR_RETURN(weights, Shared<WinogradWeights<float>>::Make(std::move(packed)));
    return WinogradPlan::Make(ActiveKernels<NamedForm>(), std::move(weights), GeometryOf(shape_), epilogue_);
  }
  template <Executor E = const SerialExecutor>
  std::vector<float> Run(const WinogradPlan& plan, const RunOptions& run = {}, E&& executor = SerialExecutor{}) const {
    return RunGuarded<RunArgs<3>, 5>(ProductPlan{plan, shape_.batch}, data_, In(), Out(), run, executor,
                                     [](const auto& view) { return view; });
  }
  // Every product on the active target.
  void Check(const RunOptions& run = {}) const {
    INFO(tile_.name);
    INFO(Describe(shape_));
    for (const DenseProduct* product : Products()) {
      const auto plan = Plan(*product);
      const std::string message = plan.status().message();
      CAPTURE(message);
      REQUIRE(plan.ok());
      INFO(plan->Explain().ToString());
      CHECK(std::string(plan->Explain().algorithm) == std::string(tile_.name) + " " + product->name());
      CHECK(std::string(plan->Explain().tile) == product->name());
      expected_.Check(Run(*plan, run));
    }
  }

 private:
  Extents<5> In() const { return WithChannels(shape_.in_channels, shape_.input); }
  Extents<5> Out() const { return WithChannels(shape_.out_channels, shape_.output()); }
  Extents<5> WithChannels(int64_t channels, const Extents<3>& spatial) const {
    return {shape_.batch, channels, spatial[0], spatial[1], spatial[2]};
  }

  ConvShape<3> shape_;
  NamedWinogradTile tile_;
  LayerData data_;
  Epilogue epilogue_;
  Expectation expected_;
};

// A layer with padding 1 on the axes that the tile transforms.
ConvShape<3> Padded(const NamedWinogradTile& tile, ConvShape<3> shape) {
  for (size_t a = 0; a < 3; ++a) shape.pad_begin[a] = shape.pad_end[a] = KernelOf(tile.tile)[a] / 2;
  return shape;
}

TEST_CASE("winograd product: every tile, images around a tile and a vector of tiles") {
  const Extents<3> inputs[] = {{1, 1, 1}, {4, 5, 6}, {5, 4, 17}, {9, 14, 3}, {2, 28, 30}, {6, 3, 67}};
  for (const NamedWinogradTile& tile : kWinogradTiles) {
    for (const Extents<3>& input : inputs) {
      const ProductLayer layer(Padded(tile, {.in_channels = 3, .out_channels = 9, .input = input}), tile,
                               {.bias = true});
      ForEachTarget([&] { layer.Check(); });
    }
  }
}

TEST_CASE("winograd product: batch, groups, rows that products and panels do not divide, layouts, epilogues") {
  for (const NamedWinogradTile& tile : kWinogradTiles) {
    const ConvShape<3> shape =
        Padded(tile, {.batch = 2, .in_channels = 6, .out_channels = 2 * 37, .groups = 2, .input = {5, 7, 10}});
    const ProductLayer layer(shape, tile, {.bias = true, .residual = true});
    const ProductLayer relu(shape, tile, {.residual = true, .epilogue = {.activation = Activation::kRelu}});
    ForEachTarget([&] {
      for (const Layout layout : kLayouts) {
        INFO(LayoutName(layout));
        layer.Check(
            {.x = layout, .y = layout, .residual = layout, .guard = Guard::kBefore, .workspace_misalignment = 4});
      }
      relu.Check({.residual_is_y = true});
    });
  }
}

// 13 x 11 tiles of 160 channels are too many for one block, and blocks do not divide them.
ProductLayer Blocks() {
  return ProductLayer(
      {.in_channels = 160, .out_channels = 41, .input = {1, 51, 42}, .pad_begin = {0, 1, 1}, .pad_end = {0, 1, 1}},
      kWinogradTiles[1], {.integers = false});
}

TEST_CASE("winograd product: several blocks, the last of them smaller, and several chunks of rows") {
  const ProductLayer layer = Blocks();
  ForEachTarget([&] {
    const auto plan = layer.Plan(kLoops);
    REQUIRE(plan.ok());
    const Explanation explanation = plan->Explain();
    CHECK(explanation.tiles[1] * explanation.tiles[2] > 1);
    layer.Check();
  });
}

TEST_CASE("winograd product: kernels are asked for whole vectors of tiles and few rows") {
  const ProductLayer layer = Blocks();
  ForEachTarget([&] {
    const size_t before = AskedOfLoops().shapes.size();
    const auto plan = layer.Plan(kLoops);
    REQUIRE(plan.ok());
    const std::vector<ProductShape> shapes(AskedOfLoops().shapes.begin() + static_cast<std::ptrdiff_t>(before),
                                           AskedOfLoops().shapes.end());
    // At most 2 x 2 extents of blocks, each for whole and remaining rows.
    CHECK(shapes.size() >= 2);
    CHECK(shapes.size() <= 8);
    const auto lanes = static_cast<int64_t>(plan->Explain().lanes);
    int64_t most_rows = 0, rest = 0;
    for (const ProductShape& shape : shapes) {
      most_rows = std::max(most_rows, shape.rows);
      CHECK(shape.columns % lanes == 0);
      CHECK(shape.depth == 160);
      CHECK(shape.w_stride == 160);
      CHECK(shape.x_stride >= shape.columns);
      CHECK(shape.x_stride == shape.y_stride);
    }
    CHECK(most_rows <= kProductRows);
    for (const ProductShape& shape : shapes) {
      if (shape.rows != most_rows) rest = shape.rows;
    }
    CHECK(rest == 41 % most_rows);
  });
}

TEST_CASE("winograd product: bit-identical for any number of threads") {
  const ProductLayer layers[] = {Blocks(), ProductLayer({.batch = 2,
                                                         .in_channels = 20,
                                                         .out_channels = 2 * 70,
                                                         .groups = 2,
                                                         .input = {1, 15, 19},
                                                         .pad_begin = {0, 1, 1},
                                                         .pad_end = {0, 1, 1}},
                                                        kWinogradTiles[1], {.integers = false, .bias = true})};
  for (const ProductLayer& layer : layers) {
    ForEachTarget([&] {
      for (const DenseProduct* product : Products()) {
        const auto plan = layer.Plan(*product);
        REQUIRE(plan.ok());
        const std::vector<float> serial = layer.Run(*plan);
        for (const size_t threads : {2, 3, 5}) CHECK(layer.Run(*plan, {}, ThreadsExecutor(threads)) == serial);
      }
    });
  }
}

TEST_CASE("winograd product: matrices are dense whatever was pruned") {
  const NamedWinogradTile& tile = kWinogradTiles[0];
  const ProductLayer layer({.in_channels = 12, .out_channels = 10, .input = {1, 9, 9}}, tile, {.density = 0.05});
  const KernelMatrix<float> kernels = layer.kernels();
  REQUIRE(kernels.nnz() > 0);
  REQUIRE(kernels.nnz() < 12 * 10);
  const auto packed = PackWinograd(kernels, layer.shape().kernel, tile, kLoops);
  REQUIRE(packed.ok());
  CHECK(packed->product_weights == 12 * 10);
  CHECK(packed->weight.size() == 16 * 12 * 10);
  CHECK(packed->StorageBytes() == 16 * 12 * 10 * sizeof(float));
  CHECK(static_cast<double>(packed->StorageBytes()) == DenseWinogradBytes(kernels.shape(), tile.tile));
  int64_t kept = 0;
  for (size_t i = 0; i < 12 * 10; ++i) {
    bool any = false;
    for (int64_t p = 0; p < 16; ++p) any = any || packed->Product(p)[i] != 0.0f;
    kept += any;
  }
  CHECK(kept == kernels.nnz());
  ForEachTarget([&] {
    const auto plan = layer.Plan(kLoops);
    REQUIRE(plan.ok());
    CHECK(plan->Explain().nnz == kernels.nnz());
    CHECK(plan->Explain().fill == 12 * 10 - kernels.nnz());
    layer.Check();
  });
}

TEST_CASE("winograd product: a candidate beside the others where the policy has one that is available") {
  const NamedWinogradTile& tile = kWinogradTiles[1];
  ConvShape<3> shape = Padded(tile, {.in_channels = 7, .out_channels = 19, .input = {1, 13, 18}});
  shape.kernel = KernelOf(tile.tile);
  ConvLayer<3> layer(shape, {.integers = false, .bias = true});
  layer.Allow(ErrorOf(shape, tile.tile, layer.data()));
  const auto weights = layer.dense();
  const auto plan = [&](const DenseProduct* product, const char* name) {
    NamedForm policy;
    policy.winograd_product = product;
    policy.select.name = name;
    auto made = MakeConvolution<3>(weights, shape, layer.epilogue(), policy);
    REQUIRE(made.ok());
    return made;
  };
  const auto offers = [](const Result<Convolution<3>>& made, const std::string& name) {
    const Explanation explanation = made->Explain();
    const auto* end = explanation.options.begin() + explanation.option_count;
    return std::any_of(explanation.options.begin(), end, [&](const auto& option) { return option.name == name; });
  };
  static constexpr DenseProduct kNone(
      "none", [](const ProductShape&) -> const void* { return nullptr; },
      [](const void*, const float*, const float*, float*) {});
  ForEachTarget([&] {
    for (const DenseProduct* product : Products()) {
      const std::string name = std::string("winograd 4x4 ") + product->name();
      const auto made = plan(product, product->WinogradName(tile.tile));
      CHECK(std::string(made->Explain().algorithm) == name);
      CHECK(offers(made, name));
      CHECK(offers(made, "winograd 4x4"));
      layer.Check(made);
    }
    for (const DenseProduct* product : {static_cast<const DenseProduct*>(nullptr), &kNone}) {
      const auto made = plan(product, "winograd 4x4");
      CHECK(std::string(made->Explain().algorithm) == "winograd 4x4");
      CHECK_FALSE(offers(made, "winograd 4x4 none"));
      layer.Check(made);
    }
  });
}

// Weights of any shape, all zero, without memory.
struct Nothing {
  using value_type = float;
  MatrixShape matrix;
  const MatrixShape& shape() const { return matrix; }
  int64_t nnz() const { return 0; }
  Status Validate() const { return Status(); }
  template <class F>
  void VisitRow(int64_t, const F&) const {}
};

TEST_CASE("winograd product: what is refused") {
  const ProductLayer layer({.in_channels = 4, .out_channels = 20, .input = {1, 8, 8}}, kWinogradTiles[1]);
  static constexpr DenseProduct kNone(
      "none", [](const ProductShape&) -> const void* { return nullptr; },
      [](const void*, const float*, const float*, float*) {});
  CheckError(layer.Plan(kNone).status(), StatusCode::kUnsupported,
             "product \"none\" has no kernel for 20 x 4 times 4 x ");
  CHECK_FALSE(kNone.available());
  CHECK(kLoops.available());
  static constexpr DenseProduct kHalf("half", nullptr, [](const void*, const float*, const float*, float*) {});
  CheckInvalid(layer.Plan(kHalf).status(), "product \"half\" lacks a function, must have both");
  CHECK_FALSE(kHalf.available());

  // Kernels that are few, but whose dense matrices no memory holds.
  const auto kernels = KernelMatrix<float>::Of(Nothing{{.rows = 4, .columns = (int64_t{1} << 57) * 9}}, 9);
  REQUIRE(kernels.ok());
  CheckInvalid(PackWinograd(*kernels, {1, 3, 3}, kWinogradTiles[1], kLoops).status(),
               "weights has 4 x 144115188075855872 kernels, dense matrices of winograd 4x4 would have more than "
               "9223372036854775807 elements, the limit");

  const auto plan = layer.Plan(kLoops);
  REQUIRE(plan.ok());
  std::vector<float> x(4 * 64), y(20 * 36);
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1) - 65);
  const Status status = ProductPlan{*plan, 1}.Run(TensorView<const float, 5>::Planar(x.data(), {1, 4, 1, 8, 8}),
                                                  TensorView<float, 5>::Planar(y.data(), {1, 20, 1, 6, 6}),
                                                  {.workspace = workspace}, SerialExecutor{});
  CheckInvalid(status, "args.workspace has");
}

TEST_CASE("DenseProduct: names") {
  CHECK(std::string(kLoops.name()) == "loops");
  CHECK(std::string(kLoops.WinogradName({{1, 4, 4}})) == "winograd 4x4 loops");
  CHECK(std::string(kLoops.WinogradName({{2, 1, 1}})) == "winograd 2x1x1 loops");
  CHECK(std::string(kLoops.WinogradName({{1, 1, 1}})) == "loops");  // no tile that plans choose from
  static constexpr DenseProduct kLong("a name of many more characters than there is room for", nullptr, nullptr);
  CHECK(std::string(kLong.name()) == "a name of many more characters than the");
  CHECK(std::string(kLong.WinogradName({{1, 4, 4}})) == "winograd 4x4 a name of many more charac");
}

}  // namespace
}  // namespace lacuna::test
