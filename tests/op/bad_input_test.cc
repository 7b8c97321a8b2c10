// What plans refuse, and what they say.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

ConvShape<2> Shape() { return {.in_channels = 4, .out_channels = 6, .input = {5, 7}, .kernel = {3, 3}}; }

TEST_CASE("MakeConvolution: shapes that are not") {
  const ConvLayer<2> layer(Shape());
  const auto refuse = [&](auto change, const char* message) {
    ConvShape<2> shape = Shape();
    change(shape);
    CheckInvalid(PlanConvolution<2>(layer.dense(), shape).status(), message);
  };
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  refuse([](auto& s) { s.batch = 0; }, "shape.batch is 0, must be at least 1");
  refuse([](auto& s) { s.in_channels = 0; }, "shape.in_channels is 0, must be at least 1");
  refuse([](auto& s) { s.out_channels = -1; }, "shape.out_channels is -1, must be at least 1");
  refuse([](auto& s) { s.groups = 0; }, "shape.groups is 0, must be at least 1");
  refuse([](auto& s) { s.groups = 4; }, "shape.groups is 4, must divide in_channels 4 and out_channels 6");
  refuse([](auto& s) { s.input[1] = 0; }, "shape.input[1] is 0, must be at least 1");
  refuse([](auto& s) { s.kernel[0] = 0; }, "shape.kernel[0] is 0, must be at least 1");
  refuse([](auto& s) { s.stride[1] = 0; }, "shape.stride[1] is 0, must be at least 1");
  refuse([](auto& s) { s.dilation[0] = 0; }, "shape.dilation[0] is 0, must be at least 1");
  refuse([](auto& s) { s.pad_begin[0] = -1; }, "shape.pad_begin[0] is -1, must be at least 0");
  refuse([](auto& s) { s.pad_end[1] = -1; }, "shape.pad_end[1] is -1, must be at least 0");
  refuse([](auto& s) { s.kernel[1] = 8; }, "shape.kernel[1] reaches over 8 inputs, the padded input has only 7");
  refuse([](auto& s) { s.dilation[0] = 3; }, "shape.kernel[0] reaches over 7 inputs, the padded input has only 5");
  refuse([=](auto& s) { s.input[0] = kHuge; }, "of axis 0 exceed the limit");
  refuse([=](auto& s) { s.pad_end[1] = kHuge; }, "of axis 1 exceed the limit");
  refuse([=](auto& s) { s.stride[0] = kHuge; }, "of axis 0 exceed the limit");
  refuse([=](auto& s) { s.dilation[0] = kHuge; }, "of axis 0 exceed the limit");
  refuse([=](auto& s) { s.batch = kHuge; }, "has more elements than the limit");
  refuse([=](auto& s) { s.in_channels = kHuge; }, "has more elements than the limit");
  refuse([=](auto& s) { s.input = {1 << 30, 1 << 30}; }, "shape: the input has more elements than the limit");
  refuse([=](auto& s) { s.out_channels = int64_t{1} << 39; }, "shape: the output has more elements than the limit");
}

TEST_CASE("MakeConvolution: an input tile beyond 32 bits of elements is a Status, beyond 64 bits too") {
  const float weights[4] = {1, 1, 1, 1};
  constexpr int64_t kFar = int64_t{1} << 32;
  ConvShape<2> shape{.in_channels = 1, .out_channels = 1, .input = {1, 1}, .kernel = {2, 2}};
  for (const int64_t dilation_w : {int64_t{1}, kFar - 1, kFar}) {
    for (const int64_t dilation_h : {kFar - 1, kFar}) {
      shape.dilation = {dilation_h, dilation_w};
      shape.pad_end = shape.dilation;
      const auto dense = DenseWeights<float>::View(MatrixShapeOf(shape), weights);
      REQUIRE(dense.ok());
      CheckError(PlanConvolution<2>(*dense, shape).status(), StatusCode::kUnsupported, "the smallest input tile has ");
    }
  }
}

TEST_CASE("MakeConvolution: weights of another shape") {
  const ConvLayer<2> layer(Shape());
  const auto dense = layer.dense();
  ConvShape<2> shape = Shape();
  shape.in_channels = 5;
  CheckInvalid(PlanConvolution<2>(dense, shape).status(), "weights are 6 x 36 in 1 groups, shape needs 6 x 45 in 1");
  CheckInvalid(PlanConvolution<2>(layer.bcr(), shape).status(),
               "weights are 6 x 36 in 1 groups, shape needs 6 x 45 in 1");
  shape = Shape();
  shape.out_channels = 7;
  CheckInvalid(PlanConvolution<2>(dense, shape).status(), "weights are 6 x 36 in 1 groups, shape needs 7 x 36 in 1");
  shape = Shape();
  shape.in_channels = 8;
  shape.groups = 2;
  CheckInvalid(PlanConvolution<2>(dense, shape).status(), "weights are 6 x 36 in 1 groups, shape needs 6 x 36 in 2");
}

TEST_CASE("MakeConvolution, MakeGemm: epilogues") {
  const ConvLayer<2> layer(Shape());
  const auto dense = layer.dense();
  const std::vector<float> bias(5);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::pair<Epilogue, const char*> cases[] = {
      {{.bias = bias}, "epilogue.bias has 5 values, must have 6 or none"},
      {{.activation = Activation::kClamp, .low = 2, .high = 1}, "epilogue.low is 2, must not exceed epilogue.high, 1"},
      {{.activation = Activation::kClamp, .low = 0, .high = nan}, "epilogue.low is 0, must not exceed epilogue.high, "},
      {{.activation = Activation::kLeakyRelu, .slope = nan}, "epilogue.slope is NaN"},
      {{.activation = static_cast<Activation>(200)}, "epilogue.activation is 200, must be an Activation"},
  };
  for (const auto& [epilogue, message] : cases) {
    CheckInvalid(PlanConvolution<2>(dense, Shape(), epilogue).status(), message);
    CheckInvalid(PlanGemm(dense, {.n = 3}, epilogue).status(), message);
  }
}

TEST_CASE("Convolution::Run: views, workspace and residual") {
  const ConvLayer<2> layer(Shape(), {.residual = true});
  const auto plan = PlanConvolution<2>(layer.dense(), Shape(), layer.epilogue());
  REQUIRE(plan.ok());
  std::vector<float> x(4 * 5 * 7), y(6 * 3 * 5), add(6 * 3 * 5);
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
  const auto good_x = TensorView<const float, 4>::Planar(x.data(), {1, 4, 5, 7});
  const auto good_y = TensorView<float, 4>::Planar(y.data(), {1, 6, 3, 5});
  const auto good_add = TensorView<const float, 4>::Planar(add.data(), {1, 6, 3, 5});
  CHECK(plan->Run(good_x, good_y, {.workspace = workspace, .residual = good_add}).ok());

  const auto refuse = [&](auto change, const char* message) {
    auto vx = good_x, va = good_add;
    auto vy = good_y;
    std::span<std::byte> space = workspace;
    change(vx, vy, va, space);
    CheckInvalid(plan->Run(vx, vy, {.workspace = space, .residual = va}), message);
  };
  refuse([](auto& vx, auto&, auto&, auto&) { vx.data = nullptr; }, "x.data is null, must point to the tensor");
  refuse([](auto&, auto& vy, auto&, auto&) { vy.data = nullptr; }, "y.data is null, must point to the tensor");
  refuse([](auto&, auto&, auto& va, auto&) { va = {}; }, "args.residual.data is null, must point to the tensor");
  refuse([](auto& vx, auto&, auto&, auto&) { vx.extent[0] = 2; }, "x.extent[0] is 2, must be 1");
  refuse([](auto& vx, auto&, auto&, auto&) { vx.extent[1] = 3; }, "x.extent[1] is 3, must be 4");
  refuse([](auto& vx, auto&, auto&, auto&) { vx.extent[3] = 6; }, "x.extent[3] is 6, must be 7");
  refuse([](auto&, auto& vy, auto&, auto&) { vy.extent[2] = 4; }, "y.extent[2] is 4, must be 3");
  refuse([](auto&, auto&, auto& va, auto&) { va.extent[1] = 0; }, "args.residual.extent[1] is 0, must be 6");
  refuse([](auto& vx, auto&, auto&, auto&) { vx.stride[2] = 0; }, "x.stride[2] is 0, must be at least 1");
  refuse([](auto&, auto& vy, auto&, auto&) { vy.stride[1] = -15; }, "y.stride[1] is -15, must be at least 1");
  refuse([](auto&, auto&, auto&, auto& space) { space = {}; },
         "args.workspace has 0 bytes, must have WorkspaceBytes(1) = ");
  refuse([](auto&, auto&, auto&, auto& space) { space = space.first(space.size() - 1); },
         "must have WorkspaceBytes(1) = ");
}

TEST_CASE("Convolution::Run: nothing is written when a Run is refused") {
  const ConvLayer<2> layer(Shape());
  const auto plan = PlanConvolution<2>(layer.dense(), Shape());
  REQUIRE(plan.ok());
  std::vector<float> y(6 * 3 * 5, 42.0f);
  const auto x = TensorView<const float, 4>::Planar(layer.data().x.data(), {1, 4, 5, 7});
  CHECK_FALSE(plan->Run(x, TensorView<float, 4>::Planar(y.data(), {1, 6, 3, 5}), {}).ok());
  CHECK(y == std::vector<float>(y.size(), 42.0f));
}

TEST_CASE("MakeGemm: N and groups") {
  const GemmLayer layer(6, 10, 4);
  CheckInvalid(PlanGemm(layer.dense(), {.n = 0}).status(), "shape.n is 0, must be in [1, ");
  CheckInvalid(PlanGemm(layer.dense(), {.n = -3}).status(), "shape.n is -3, must be in [1, ");
  CheckInvalid(PlanGemm(layer.dense(), {.n = std::numeric_limits<int64_t>::max()}).status(),
               "shape.n is 9223372036854775807");
  const std::vector<float> values(60);
  const auto grouped = DenseWeights<float>::View({.rows = 6, .columns = 10, .groups = 2}, values);
  REQUIRE(grouped.ok());
  CheckInvalid(PlanGemm(*grouped, {.n = 4}).status(), "weights have 2 groups, must have 1 for a GEMM");
  CheckInvalid(PlanGemm(Shared<PackedWeights<float>>(), {.n = 4}).status(), "weights is an empty Shared");
}

TEST_CASE("Gemm::Run: views, workspace and residual") {
  const GemmLayer layer(6, 10, 4, {.residual = true});
  const auto plan = PlanGemm(layer.dense(), {.n = 4}, layer.epilogue());
  REQUIRE(plan.ok());
  std::vector<float> x(100), y(100), add(100);
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
  using In = MatrixView<const float>;
  using Out = MatrixView<float>;
  const In good_x = In::RowMajor(x.data(), 10, 4), good_add = In::RowMajor(add.data(), 6, 4);
  const Out good_y = Out::RowMajor(y.data(), 6, 4);
  const GemmArgs good{.workspace = workspace, .residual = good_add};
  CHECK(plan->Run(good_x, good_y, good).ok());

  CheckInvalid(plan->Run(In::RowMajor(nullptr, 10, 4), good_y, good), "x.data is null, must point to the matrix");
  CheckInvalid(plan->Run(good_x, Out::RowMajor(nullptr, 6, 4), good), "y.data is null, must point to the matrix");
  CheckInvalid(plan->Run(good_x, good_y, {.workspace = workspace}), "args.residual.data is null");
  CheckInvalid(plan->Run(In::RowMajor(x.data(), 10, 5), good_y, good), "x.columns is 5, must be in [1, 4]");
  CheckInvalid(plan->Run(In::RowMajor(x.data(), 10, 0), good_y, good), "x.columns is 0, must be in [1, 4]");
  CheckInvalid(plan->Run(In::RowMajor(x.data(), 9, 4), good_y, good), "x is 9 x 4, must be 10 x 4");
  CheckInvalid(plan->Run(good_x, Out::RowMajor(y.data(), 7, 4), good), "y is 7 x 4, must be 6 x 4");
  CheckInvalid(plan->Run(In::RowMajor(x.data(), 10, 3), good_y, good), "y is 6 x 4, must be 6 x 3");
  CheckInvalid(plan->Run(good_x, good_y, {.workspace = workspace, .residual = In::RowMajor(add.data(), 6, 3)}),
               "args.residual is 6 x 3, must be 6 x 4");
  CheckInvalid(plan->Run(In::RowMajor(x.data(), 10, 4, 3), good_y, good), "x has strides 3 and 1");
  CheckInvalid(plan->Run(In::ColumnMajor(x.data(), 10, 4, 9), good_y, good), "x has strides 1 and 9");
  CheckInvalid(plan->Run({x.data(), 10, 4, 8, 2}, good_y, good), "x has strides 8 and 2");
  CheckInvalid(plan->Run(good_x, Out::RowMajor(y.data(), 6, 4, -4), good), "y has strides -4 and 1");
  CheckInvalid(plan->Run(good_x, good_y, {.workspace = std::span(workspace).first(8), .residual = good_add}),
               "args.workspace has 8 bytes, must have WorkspaceBytes(1) = ");
}

}  // namespace
}  // namespace lacuna::test
