#include "lacuna/core/view.h"

#include "lacuna/core/epilogue.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <type_traits>
#include <vector>

namespace lacuna {
namespace {

template <class T, int kRank>
T& At(const TensorView<T, kRank>& view, const Extents<kRank>& index) {
  int64_t offset = 0;
  for (int axis = 0; axis < kRank; ++axis) offset += index[axis] * view.stride[axis];
  return view.data[offset];
}

TEST_CASE("TensorView: planar has the last axis innermost") {
  std::vector<float> data(2 * 3 * 4 * 5);
  const auto view = TensorView<float, 4>::Planar(data.data(), {2, 3, 4, 5});
  CHECK(view.stride == Extents<4>{60, 20, 5, 1});
  At(view, {1, 2, 3, 4}) = 7;
  CHECK(data.back() == 7);
}

TEST_CASE("TensorView: channels-last keeps the order of the axes and moves the strides") {
  std::vector<float> data(2 * 3 * 4 * 5);
  const auto view = TensorView<float, 4>::ChannelsLast(data.data(), {2, 3, 4, 5});
  CHECK(view.extent == Extents<4>{2, 3, 4, 5});
  CHECK(view.stride == Extents<4>{60, 1, 15, 3});
  At(view, {0, 1, 0, 0}) = 4;
  CHECK(data[1] == 4);
  At(view, {1, 2, 3, 4}) = 7;
  CHECK(data.back() == 7);
}

TEST_CASE("TensorView: ranks 3 and 5, and the view of const") {
  float value = 0;
  CHECK(TensorView<float, 3>::ChannelsLast(&value, {1, 7, 9}).stride == Extents<3>{63, 1, 7});
  const auto view = TensorView<float, 5>::Planar(&value, {1, 2, 3, 4, 5});
  const TensorView<const float, 5> constant = view;
  CHECK(constant.data == &value);
  CHECK(constant.stride == Extents<5>{120, 60, 20, 5, 1});
  CHECK_FALSE(std::is_convertible_v<TensorView<const float, 5>, TensorView<float, 5>>);
}

TEST_CASE("MatrixView: element (i, j) in both orders, with and without gaps") {
  std::array<float, 24> data{};
  const auto rows = MatrixView<float>::RowMajor(data.data(), 3, 4);
  CHECK(rows.row_stride == 4);
  CHECK(rows.column_stride == 1);
  const auto gaps = MatrixView<float>::RowMajor(data.data(), 3, 4, 8);
  CHECK(gaps.row_stride == 8);
  const auto columns = MatrixView<float>::ColumnMajor(data.data(), 3, 4);
  CHECK(columns.row_stride == 1);
  CHECK(columns.column_stride == 3);
  CHECK(MatrixView<float>::ColumnMajor(data.data(), 3, 4, 6).column_stride == 6);
  const MatrixView<const float> constant = columns;
  CHECK(constant.column_stride == 3);
  CHECK(constant.rows == 3);
  CHECK(constant.columns == 4);
}

TEST_CASE("Epilogue: what Validate refuses") {
  const std::array<float, 3> bias{};
  CHECK(Epilogue{}.Validate(5).ok());
  CHECK(Epilogue{.bias = bias}.Validate(3).ok());
  CHECK(std::string(Epilogue{.bias = bias}.Validate(4).message()) == "epilogue.bias has 3 values, must have 4 or none");

  Epilogue clamp{.activation = Activation::kClamp, .low = 0, .high = 0};
  CHECK(clamp.Validate(1).ok());
  clamp.low = 1;
  CHECK(std::string(clamp.Validate(1).message()) == "epilogue.low is 1, must not exceed epilogue.high, 0");
  clamp.low = std::numeric_limits<float>::quiet_NaN();
  CHECK_FALSE(clamp.Validate(1).ok());

  Epilogue leaky{.activation = Activation::kLeakyRelu};
  CHECK(leaky.Validate(1).ok());
  leaky.slope = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::string(leaky.Validate(1).message()) == "epilogue.slope is NaN, must be a number");

  const Epilogue unknown{.activation = static_cast<Activation>(99)};
  CHECK(std::string(unknown.Validate(1).message()) == "epilogue.activation is 99, must be an Activation");
  CHECK(std::string(ActivationName(Activation::kHardSwish)) == "hard_swish");
}

}  // namespace
}  // namespace lacuna
