// MayOverlap against a list of bytes: views that share one are always told, and those that interleave are told apart.

#include "lacuna/core/overlap.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <string>

#include "tests/support/check_error.h"
#include "tests/support/tensor.h"

namespace lacuna::test {
namespace {

float* At(int64_t element) { return reinterpret_cast<float*>(uintptr_t{1} << 20) + element; }

TensorView<float, 4> ViewAt(int64_t element, const Extents<4>& extent, const Extents<4>& stride) {
  return {At(element), extent, stride};
}

template <int kAxes>
bool Share(const TensorView<float, kAxes>& a, const TensorView<float, kAxes>& b) {
  std::set<const float*> elements;
  const auto each = [](const TensorView<float, kAxes>& view, const auto& f) {
    ForEachIndex<kAxes>(view.extent, [&](const Extents<kAxes>& index) {
      const float* at = view.data;
      for (size_t axis = 0; axis < kAxes; ++axis) at += index[axis] * view.stride[axis];
      f(at);
    });
  };
  each(a, [&](const float* at) { elements.insert(at); });
  bool share = false;
  each(b, [&](const float* at) { share = share || elements.count(at) != 0; });
  return share;
}

template <class A, class B>
bool MayShare(const A& a, const B& b) {
  const bool share = MayOverlap(StridedBytes::Of(a), StridedBytes::Of(b));
  CHECK(MayOverlap(StridedBytes::Of(b), StridedBytes::Of(a)) == share);
  return share;
}

TEST_CASE("overlap: views that share an element are never told apart") {
  std::mt19937 random(1);
  const auto pick = [&](uint32_t low, uint32_t high) {
    return static_cast<int64_t>(low + random() % (high - low + 1));
  };
  int shared = 0, apart = 0;
  for (int round = 0; round < 20000; ++round) {
    const auto view = [&] {
      TensorView<float, 3> made{At(pick(0, 60)), {}, {}};
      for (size_t axis = 0; axis < 3; ++axis) {
        made.extent[axis] = pick(1, 4);
        made.stride[axis] = pick(1, axis == 0 ? 40 : 12);
      }
      return made;
    };
    const TensorView<float, 3> a = view(), b = view();
    const bool share = Share<3>(a, b);
    if (share) CHECK(MayShare(a, b));
    shared += share;
    apart += !MayShare(a, b);
  }
  CHECK(shared > 1000);
  CHECK(apart > 1000);
}

TEST_CASE("overlap: parts of one tensor that interleave lie apart") {
  constexpr Extents<4> kWhole{2, 8, 6, 10};
  for (const bool channels_last : {false, true}) {
    CAPTURE(channels_last);
    const auto whole =
        channels_last ? TensorView<float, 4>::ChannelsLast(At(0), kWhole) : TensorView<float, 4>::Planar(At(0), kWhole);
    for (size_t axis = 0; axis < 4; ++axis) {
      CAPTURE(axis);
      TensorView<float, 4> low = whole, high = whole;
      const int64_t half = kWhole[axis] / 2;
      low.extent[axis] = half;
      high.extent[axis] = kWhole[axis] - half;
      high.data += half * whole.stride[axis];
      CHECK_FALSE(MayShare(low, high));
      high.data -= whole.stride[axis];
      CHECK(MayShare(low, high));
      // Every second index.
      TensorView<float, 4> even = whole, odd = whole;
      even.extent[axis] = odd.extent[axis] = half;
      even.stride[axis] = odd.stride[axis] = 2 * whole.stride[axis];
      odd.data += whole.stride[axis];
      CHECK_FALSE(MayShare(even, odd));
    }
  }
}

TEST_CASE("overlap: extremes") {
  const auto x = ViewAt(0, {1, 1, 1, 8}, {1, 1, 1, 1});
  CHECK_FALSE(MayShare(x, ViewAt(8, {1, 1, 1, 8}, {1, 1, 1, 1})));
  CHECK(MayShare(x, ViewAt(7, {1, 1, 1, 8}, {1, 1, 1, 1})));
  CHECK(MayShare(x, x));
  // Axes of one element have any stride.
  CHECK_FALSE(MayShare(x, ViewAt(8, {1, 1, 1, 1}, {-5, 0, INT64_MAX, 1})));
  // Strides that overflow, and such as no view may have, reach everywhere.
  for (const int64_t stride : {INT64_MAX, INT64_MAX / 2, int64_t{0}, int64_t{-1}}) {
    CAPTURE(stride);
    CHECK(MayShare(ViewAt(0, {2, 1, 1, 1}, {stride, 1, 1, 1}), ViewAt(1000, {3, 1, 1, 1}, {stride, 1, 1, 1})));
  }
}

TEST_CASE("overlap: Status names both views; a residual may be the output itself") {
  const auto x = ViewAt(0, {1, 2, 4, 4}, {32, 16, 4, 1}), y = ViewAt(16, {1, 2, 4, 4}, {32, 16, 4, 1});
  CheckInvalid(CheckDisjoint("x", x, "y", y), "x overlaps with y: it begins -64 bytes from it and spans 128");
  CHECK(CheckDisjoint("x", x, "y", ViewAt(32, {1, 2, 4, 4}, {32, 16, 4, 1})).ok());
  CHECK(CheckDisjoint("x", x, "y", TensorView<float, 4>{}).ok());
  CHECK(CheckResidual("args.residual", y, "y", y).ok());
  CheckInvalid(CheckResidual("args.residual", x, "y", y), "args.residual overlaps with y");
  const auto transposed = ViewAt(16, {1, 2, 4, 4}, {32, 16, 1, 4});
  CheckInvalid(CheckResidual("args.residual", transposed, "y", y), "args.residual overlaps with y");
}

}  // namespace
}  // namespace lacuna::test
