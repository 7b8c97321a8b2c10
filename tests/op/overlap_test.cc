// Outputs that overlap with inputs are refused by name wherever they are not allowed.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

constexpr ConvShape<2> kShape{
    .in_channels = 4, .out_channels = 4, .input = {5, 7}, .kernel = {3, 3}, .pad_begin = {1, 1}, .pad_end = {1, 1}};

template <class T>
DenseWeights<T> Ones(int64_t rows, int64_t columns) {
  const std::vector<T> values(static_cast<size_t>(rows * columns), T{1});
  auto dense = DenseWeights<T>::CopyOf({.rows = rows, .columns = columns}, values);
  REQUIRE(dense.ok());
  return *std::move(dense);
}

TEST_CASE("overlap: convolution") {
  const auto plan = PlanConvolution<2>(Ones<float>(4, 36), kShape, {.residual = true});
  REQUIRE(plan.ok());
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
  const Extents<4> extent = kShape.input_tensor();
  const auto elements = kShape.input_elements();
  std::vector<float> memory(static_cast<size_t>(3 * elements));
  const auto view = [&](int64_t at) { return TensorView<float, 4>::Planar(memory.data() + at, extent); };
  const auto run = [&](int64_t x, int64_t y, int64_t residual) {
    return plan->Run(view(x), view(y), {.workspace = workspace, .residual = view(residual)});
  };
  CHECK(run(0, elements, 2 * elements).ok());
  CHECK(run(0, elements, elements).ok());  // the residual may be y
  CHECK(run(0, elements, 0).ok());         // and x
  CheckInvalid(run(0, 0, elements), "x overlaps with y");
  CheckInvalid(run(0, elements - 1, 2 * elements), "x overlaps with y");
  CheckInvalid(run(0, elements, elements + 1), "args.residual overlaps with y");

  // Channels of one channels-last tensor interleave without overlap.
  const auto channels = [&](int64_t first) {
    TensorView<float, 4> part = TensorView<float, 4>::ChannelsLast(memory.data(), {1, 12, 5, 7});
    part.data += first;
    part.extent[1] = 4;
    return part;
  };
  CHECK(plan->Run(channels(0), channels(4), {.workspace = workspace, .residual = channels(8)}).ok());
  CheckInvalid(plan->Run(channels(0), channels(3), {.workspace = workspace, .residual = channels(8)}),
               "x overlaps with y");
}

TEST_CASE("overlap: convolution of 8-bit integers") {
  const std::vector<float> scale{1.0f};
  QuantizedEpilogue epilogue{.weight_scale = scale};
  const auto weights = Ones<int8_t>(4, 36);
  const auto plan = MakeQuantizedConvolution<2>(weights, kShape, epilogue);
  REQUIRE(plan.ok());
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
  std::vector<uint8_t> memory(static_cast<size_t>(2 * kShape.input_elements()));
  const auto view = [&](int64_t at) {
    return TensorView<uint8_t, 4>::Planar(memory.data() + at, kShape.input_tensor());
  };
  CHECK(plan->Run(view(0), view(kShape.input_elements()), {.workspace = workspace}).ok());
  CheckInvalid(plan->Run(view(0), view(kShape.input_elements() - 1), {.workspace = workspace}), "x overlaps with y");
}

TEST_CASE("overlap: matrix products") {
  const auto weights = Ones<float>(8, 8);
  const auto gemm = PlanGemm(weights, GemmShape{3}, {.residual = true});
  const auto gemv = PlanGemv(weights, {.residual = true});
  REQUIRE(gemm.ok());
  REQUIRE(gemv.ok());
  std::vector<std::byte> workspace(gemm->WorkspaceBytes(1) + gemv->WorkspaceBytes(1, 3));
  std::vector<float> memory(100);
  const auto view = [&](int64_t at) { return MatrixView<float>::RowMajor(memory.data() + at, 8, 3); };
  const auto check = [&](const auto& plan, auto args) {
    args.workspace = workspace;
    args.residual = view(24);
    CHECK(plan.Run(view(0), view(24), args).ok());
    CheckInvalid(plan.Run(view(1), view(24), args), "x overlaps with y");
    args.residual = view(40);
    CheckInvalid(plan.Run(view(0), view(24), args), "args.residual overlaps with y");
  };
  check(*gemm, GemmArgs{});
  check(*gemv, GemvRunArgs{});
}

TEST_CASE("overlap: recurrent cells and layers") {
  const auto weights = Ones<float>(16, 4);
  const auto cell = MakeLstmCell(weights, weights, LstmOptions{});
  const auto layer = MakeLstm(weights, weights, LstmOptions{}, SequenceShape{.batch = 1, .steps = 2});
  REQUIRE(cell.ok());
  REQUIRE(layer.ok());
  std::vector<std::byte> workspace(cell->WorkspaceBytes(1) + layer->WorkspaceBytes(1));
  std::vector<float> memory(64);
  const auto vector = [&](int64_t at) { return MatrixView<float>::ColumnMajor(memory.data() + at, 4, 1); };
  const auto step = [&](int64_t x, int64_t h, int64_t c) {
    return cell->Run(vector(x), {vector(h), vector(c)}, {.workspace = workspace});
  };
  CHECK(step(0, 4, 8).ok());
  CheckInvalid(step(2, 4, 8), "x overlaps with state.h");
  CheckInvalid(step(8, 4, 8), "x overlaps with state.c");
  CheckInvalid(step(0, 4, 7), "state.c overlaps with state.h");
  const auto sequence = [&](int64_t at) { return TensorView<float, 3>::Planar(memory.data() + at, {3, 1, 4}); };
  const auto run = [&](int64_t x, int64_t y, int64_t h, int64_t c) {
    return layer->Run(sequence(x), sequence(y), {vector(h), vector(c)}, {.workspace = workspace});
  };
  CHECK(run(0, 12, 24, 28).ok());
  CheckInvalid(run(0, 11, 24, 28), "x overlaps with y");
  CheckInvalid(run(0, 12, 8, 28), "x overlaps with state.h");
  CheckInvalid(run(0, 12, 24, 20), "y overlaps with state.c");
}

}  // namespace
}  // namespace lacuna::test
