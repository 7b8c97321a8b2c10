// What plans of rank 3 refuse, axis by axis, and what they say.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

ConvShape<3> Shape() { return {.in_channels = 4, .out_channels = 6, .input = {5, 6, 7}, .kernel = {3, 3, 3}}; }

TEST_CASE("MakeConvolution<3>: shapes that are not, on every axis") {
  const ConvLayer<3> layer(Shape());
  const auto dense = layer.dense();
  const auto refuse = [&](auto change, const std::string& message) {
    ConvShape<3> shape = Shape();
    change(shape);
    CheckInvalid(PlanConvolution<3>(dense, shape).status(), message);
  };
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  for (size_t a = 0; a < 3; ++a) {
    const std::string axis = "[" + std::to_string(a) + "] is ", of_axis = "of axis " + std::to_string(a);
    const int64_t input = Shape().input[a];
    refuse([&](auto& s) { s.input[a] = 0; }, "shape.input" + axis + "0, must be at least 1");
    refuse([&](auto& s) { s.kernel[a] = 0; }, "shape.kernel" + axis + "0, must be at least 1");
    refuse([&](auto& s) { s.kernel[a] = -2; }, "shape.kernel" + axis + "-2, must be at least 1");
    refuse([&](auto& s) { s.stride[a] = 0; }, "shape.stride" + axis + "0, must be at least 1");
    refuse([&](auto& s) { s.dilation[a] = 0; }, "shape.dilation" + axis + "0, must be at least 1");
    refuse([&](auto& s) { s.pad_begin[a] = -1; }, "shape.pad_begin" + axis + "-1, must be at least 0");
    refuse([&](auto& s) { s.pad_end[a] = -3; }, "shape.pad_end" + axis + "-3, must be at least 0");
    const auto reaches = [&](int64_t over, int64_t has) {
      return "shape.kernel[" + std::to_string(a) + "] reaches over " + std::to_string(over) +
             " inputs, the padded input has only " + std::to_string(has);
    };
    refuse([&](auto& s) { s.kernel[a] = input + 1; }, reaches(input + 1, input));
    refuse([&](auto& s) { s.dilation[a] = 4; }, reaches(9, input));
    refuse(
        [&](auto& s) {
          s.kernel[a] = input + 4;
          s.pad_begin[a] = 1;
          s.pad_end[a] = 2;
        },
        reaches(input + 4, input + 3));
    refuse([&](auto& s) { s.input[a] = kHuge; }, of_axis + " exceed the limit");
    refuse([&](auto& s) { s.pad_begin[a] = kHuge; }, of_axis + " exceed the limit");
    refuse([&](auto& s) { s.pad_end[a] = kHuge; }, of_axis + " exceed the limit");
    refuse([&](auto& s) { s.stride[a] = kHuge; }, of_axis + " exceed the limit");
    refuse([&](auto& s) { s.dilation[a] = kHuge; }, of_axis + " exceed the limit");
    refuse([&](auto& s) { s.kernel[a] = kHuge; }, of_axis + " exceed the limit");
  }
  refuse([](auto& s) { s.input = {1 << 20, 1 << 15, 1 << 15}; }, "shape: the input has more elements than the limit");
  refuse([](auto& s) { s.groups = 4; }, "shape.groups is 4, must divide in_channels 4 and out_channels 6");
}

TEST_CASE("MakeConvolution<3>: the deepest kernel that padding lets fit") {
  ConvShape<3> shape{.in_channels = 2, .out_channels = 3, .input = {1, 2, 3}, .kernel = {4, 5, 3}};
  shape.pad_begin = {2, 0, 0};
  shape.pad_end = {1, 3, 0};
  const ConvLayer<3> layer(shape);
  layer.Check(PlanConvolution<3>(layer.dense(), shape));
  for (size_t a = 0; a < 2; ++a) {
    ConvShape<3> deeper = shape;
    ++deeper.kernel[a];
    CheckInvalid(PlanConvolution<3>(layer.dense(), deeper).status(), "inputs, the padded input has only ");
  }
}

TEST_CASE("MakeConvolution<3>: an input tile beyond 32 bits of elements is a Status") {
  const std::vector<float> weights(8, 1.0f);
  constexpr int64_t kFar = int64_t{1} << 32;
  for (size_t a = 0; a < 3; ++a) {
    ConvShape<3> shape{.in_channels = 1, .out_channels = 1, .input = {1, 1, 1}, .kernel = {2, 2, 2}};
    shape.dilation = shape.pad_end = {3, 3, 3};
    shape.dilation[a] = shape.pad_end[a] = kFar;
    const auto dense = DenseWeights<float>::View(MatrixShapeOf(shape), weights);
    REQUIRE(dense.ok());
    CAPTURE(a);
    CheckError(PlanConvolution<3>(*dense, shape).status(), StatusCode::kUnsupported, "the smallest input tile has ");
  }
}

TEST_CASE("MakeConvolution<3>: weights of another shape, in every format") {
  const ConvLayer<3> layer(Shape(), {.density = 0.5});
  const auto dense = layer.dense();
  const auto refuse = [&](auto change, const char* message) {
    ConvShape<3> shape = Shape();
    change(shape);
    for (const std::string name : {"dense", "unstructured-2x", "pattern-2x", "punched-2x", "punched_balanced-2x",
                                   "block_4x4-2x", "connectivity-2x"}) {
      CAPTURE(name);
      const auto pruned = prune::Project(dense, *prune::ParseScheme(name), 27);
      REQUIRE(pruned.ok());
      CheckInvalid(PlanConvolution<3>(*pruned, shape).status(), message);
    }
  };
  refuse([](auto& s) { s.in_channels = 5; }, "weights are 6 x 108 in 1 groups, shape needs 6 x 135 in 1");
  refuse([](auto& s) { s.out_channels = 7; }, "weights are 6 x 108 in 1 groups, shape needs 7 x 108 in 1");
  refuse([](auto& s) { s.kernel[0] = 1; }, "weights are 6 x 108 in 1 groups, shape needs 6 x 36 in 1");
  refuse([](auto& s) { s.kernel[1] = 2; }, "weights are 6 x 108 in 1 groups, shape needs 6 x 72 in 1");
  refuse([](auto& s) { s.kernel[2] = 4; }, "weights are 6 x 108 in 1 groups, shape needs 6 x 144 in 1");
  refuse(
      [](auto& s) {
        s.in_channels = 8;
        s.groups = 2;
      },
      "weights are 6 x 108 in 1 groups, shape needs 6 x 108 in 2");
}

// Packed for the pattern kernel, weights know the kernel of the layer.
TEST_CASE("MakeConvolution<3>: packed weights for a layer with another kernel, stride or dilation on any axis") {
  ConvShape<3> shape = Shape();
  shape.kernel = {3, 3, 1};
  const ConvLayer<3> layer(shape, {.density = 0.5});
  const auto plan = PlanConvolution<3>(layer.dense(), shape, {}, {.tile = PatternTileIndex()});
  REQUIRE(plan.ok());
  layer.Check(PlanConvolution<3>(plan->weights(), shape));
  const auto refuse = [&](auto change, const char* message) {
    ConvShape<3> other = shape;
    change(other);
    CheckInvalid(PlanConvolution<3>(plan->weights(), other).status(), message);
  };
  refuse([](auto& s) { s.kernel = {1, 3, 3}; }, "weights are packed for kernel 3, stride 1, dilation 1 on axis 0 of ");
  refuse([](auto& s) { s.kernel = {3, 1, 3}; }, "weights are packed for kernel 3, stride 1, dilation 1 on axis 1 of ");
  refuse([](auto& s) { s.dilation[1] = 2; }, "on axis 1 of (depth, height, width), the layer has 3, 1, 2");
}

TEST_CASE("Convolution<3>::Run: extents of every axis, strides, workspace and residual") {
  const ConvLayer<3> layer(Shape(), {.residual = true});
  const auto plan = PlanConvolution<3>(layer.dense(), Shape(), layer.epilogue());
  REQUIRE(plan.ok());
  const Extents<5> in = {1, 4, 5, 6, 7}, out = {1, 6, 3, 4, 5};
  std::vector<float> x(4 * 5 * 6 * 7), y(6 * 3 * 4 * 5, 42.0f), add(y.size());
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
  const auto good_x = TensorView<const float, 5>::Planar(x.data(), in);
  const auto good_y = TensorView<float, 5>::Planar(y.data(), out);
  const auto good_add = TensorView<const float, 5>::Planar(add.data(), out);
  const auto refuse = [&](auto change, const std::string& message) {
    auto vx = good_x, va = good_add;
    auto vy = good_y;
    std::span<std::byte> space = workspace;
    change(vx, vy, va, space);
    CheckInvalid(plan->Run(vx, vy, {.workspace = space, .residual = va}), message);
    CHECK(y == std::vector<float>(y.size(), 42.0f));
  };
  for (size_t a = 0; a < 5; ++a) {
    const auto differs = [&](const std::string& name, int64_t is, int64_t must) {
      return name + ".extent[" + std::to_string(a) + "] is " + std::to_string(is) + ", must be " + std::to_string(must);
    };
    refuse([&](auto& vx, auto&, auto&, auto&) { ++vx.extent[a]; }, differs("x", in[a] + 1, in[a]));
    refuse([&](auto& vx, auto&, auto&, auto&) { vx.extent[a] = -1; }, differs("x", -1, in[a]));
    refuse([&](auto&, auto& vy, auto&, auto&) { --vy.extent[a]; }, differs("y", out[a] - 1, out[a]));
    refuse([&](auto&, auto&, auto& va, auto&) { ++va.extent[a]; }, differs("args.residual", out[a] + 1, out[a]));
    if (a == 0) continue;  // of one image the stride is not used
    const std::string stride = ".stride[" + std::to_string(a) + "] is ";
    refuse([&](auto& vx, auto&, auto&, auto&) { vx.stride[a] = 0; }, "x" + stride + "0, must be at least 1");
    refuse([&](auto&, auto& vy, auto&, auto&) { vy.stride[a] = -4; }, "y" + stride + "-4, must be at least 1");
    refuse([&](auto&, auto&, auto& va, auto&) { va.stride[a] = 0; },
           "args.residual" + stride + "0, must be at least 1");
  }
  refuse([](auto& vx, auto&, auto&, auto&) { vx.data = nullptr; }, "x.data is null, must point to the tensor");
  refuse([](auto&, auto& vy, auto&, auto&) { vy.data = nullptr; }, "y.data is null, must point to the tensor");
  refuse([](auto&, auto&, auto& va, auto&) { va = {}; }, "args.residual.data is null, must point to the tensor");
  refuse([](auto&, auto&, auto&, auto& space) { space = space.first(space.size() - 1); },
         "must have WorkspaceBytes(1) = ");
  CHECK(plan->Run(good_x, good_y, {.workspace = workspace, .residual = good_add}).ok());
}

}  // namespace
}  // namespace lacuna::test
