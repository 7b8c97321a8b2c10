#include "lacuna/core/shape.h"

#include "lacuna/core/checked.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace lacuna {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

// A valid 3x3 layer to break one member of.
ConvShape<2> Valid() {
  return {.batch = 2,
          .in_channels = 6,
          .out_channels = 8,
          .groups = 2,
          .input = {11, 13},
          .kernel = {3, 3},
          .stride = {2, 1},
          .dilation = {1, 2},
          .pad_begin = {1, 0},
          .pad_end = {0, 2}};
}

template <int kRank>
std::string Message(const ConvShape<kRank>& shape) {
  const Status status = shape.Validate();
  CHECK_FALSE(status.ok());
  CHECK(status.code() == StatusCode::kInvalidArgument);
  return status.message();
}

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("Checked: in range") {
  CHECK((Checked(3) * 5 + 2).value() == 17);
  CHECK((Checked(0) * kMax).ok());
  CHECK((Checked(kMax) * 0).ok());
  CHECK((Checked(kMax) + 0).value() == kMax);
  CHECK((Checked(int64_t{1} << 31) * (int64_t{1} << 31)).ok());
}

TEST_CASE("Checked: overflow and negative values stick") {
  CHECK_FALSE(Checked(-1).ok());
  CHECK_FALSE((Checked(kMax) + 1).ok());
  CHECK_FALSE((Checked(int64_t{1} << 32) * (int64_t{1} << 31)).ok());
  CHECK_FALSE((Checked(kMax) * kMax).ok());
  CHECK_FALSE((Checked(-3) * -3).ok());
  CHECK_FALSE((Checked(-3) * 0).ok());
  CHECK_FALSE((Checked(kMax) * 2 * 0 + 1).ok());
}

TEST_CASE("ConvShape: derived sizes of rank 2") {
  const ConvShape<2> shape = Valid();
  REQUIRE(shape.Validate().ok());
  CHECK(shape.output() == Extents<2>{5, 11});  // (11 + 1 - 3) / 2 + 1, 13 + 2 - 5 + 1
  CHECK(shape.taps() == 9);
  CHECK(shape.rows_per_group() == 4);
  CHECK(shape.channels_per_group() == 3);
  CHECK(shape.depth() == 27);
  CHECK(shape.positions() == 55);
  CHECK(shape.weight_elements() == 8 * 27);
  CHECK(shape.input_elements() == 2 * 6 * 11 * 13);
  CHECK(shape.output_elements() == 2 * 8 * 55);
  CHECK(shape.dense_flops() == 2.0 * 27 * 2 * 8 * 55);
}

TEST_CASE("ConvShape: ranks 1 and 3, and every default") {
  const ConvShape<1> line{.in_channels = 1, .out_channels = 1, .input = {7}, .kernel = {7}};
  REQUIRE(line.Validate().ok());
  CHECK(line.output() == Extents<1>{1});

  const ConvShape<3> volume{.in_channels = 3,
                            .out_channels = 64,
                            .input = {16, 112, 112},
                            .kernel = {3, 3, 3},
                            .pad_begin = {1, 1, 1},
                            .pad_end = {1, 1, 1}};
  REQUIRE(volume.Validate().ok());
  CHECK(volume.output() == Extents<3>{16, 112, 112});
  CHECK(volume.depth() == 81);
}

TEST_CASE("ConvShape: zero and negative extents are named") {
  for (const int64_t bad : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
    CAPTURE(bad);
    const std::string value = " is " + std::to_string(bad) + ", must be at least 1";
    const auto named = [&](const char* name, auto change) {
      ConvShape<2> shape = Valid();
      change(shape);
      CHECK(Message(shape) == name + value);
    };
    named("shape.batch", [&](ConvShape<2>& shape) { shape.batch = bad; });
    named("shape.in_channels", [&](ConvShape<2>& shape) { shape.in_channels = bad; });
    named("shape.out_channels", [&](ConvShape<2>& shape) { shape.out_channels = bad; });
    named("shape.groups", [&](ConvShape<2>& shape) { shape.groups = bad; });
    named("shape.input[0]", [&](ConvShape<2>& shape) { shape.input[0] = bad; });
    named("shape.kernel[1]", [&](ConvShape<2>& shape) { shape.kernel[1] = bad; });
    named("shape.stride[0]", [&](ConvShape<2>& shape) { shape.stride[0] = bad; });
    named("shape.dilation[1]", [&](ConvShape<2>& shape) { shape.dilation[1] = bad; });
  }
}

TEST_CASE("ConvShape: negative padding is refused, zero padding is not") {
  ConvShape<2> shape = Valid();
  shape.pad_begin[1] = -1;
  CHECK(Message(shape) == "shape.pad_begin[1] is -1, must be at least 0");
  shape = Valid();
  shape.pad_end[0] = -2;
  CHECK(Message(shape) == "shape.pad_end[0] is -2, must be at least 0");
  shape.pad_end[0] = 0;
  CHECK(shape.Validate().ok());
}

TEST_CASE("ConvShape: groups divide both channel counts") {
  ConvShape<2> shape = Valid();
  shape.groups = 4;
  CHECK(Contains(Message(shape), "shape.groups is 4, must divide in_channels 6 and out_channels 8"));
  shape.groups = 3;
  CHECK(Contains(Message(shape), "shape.groups is 3"));
  shape.in_channels = shape.out_channels = shape.groups = 8;
  CHECK(shape.Validate().ok());
  CHECK(shape.depth() == 9);
}

TEST_CASE("ConvShape: the kernel fits the padded input, exactly or not at all") {
  ConvShape<2> shape{.in_channels = 1, .out_channels = 1, .input = {2, 2}, .kernel = {3, 1}};
  CHECK(Message(shape) == "shape.kernel[0] reaches over 3 inputs, the padded input has only 2");
  shape.pad_end = {1, 0};
  CHECK(shape.Validate().ok());
  CHECK(shape.output() == Extents<2>{1, 2});
  shape.dilation = {2, 1};
  CHECK(Contains(Message(shape), "shape.kernel[0] reaches over 5 inputs"));
}

TEST_CASE("ConvShape: sizes that overflow or pass the element limit are refused") {
  const auto refused = [](auto change) {
    ConvShape<2> shape = Valid();
    change(shape);
    const std::string message = Message(shape);
    CAPTURE(message);
    CHECK(Contains(message, "limit of"));
  };
  refused([](ConvShape<2>& shape) { shape.batch = kMax; });
  refused([](ConvShape<2>& shape) { shape.batch = kMaxElements; });
  refused([](ConvShape<2>& shape) { shape.in_channels = shape.out_channels = kMax - 1; });
  refused([](ConvShape<2>& shape) { shape.input[0] = kMax; });
  refused([](ConvShape<2>& shape) { shape.input = {int64_t{1} << 31, int64_t{1} << 31}; });
  refused([](ConvShape<2>& shape) { shape.pad_begin[0] = shape.pad_end[0] = kMax; });
  refused([](ConvShape<2>& shape) { shape.dilation[0] = kMax; });
  refused([](ConvShape<2>& shape) { shape.stride[0] = kMax; });
  refused([](ConvShape<2>& shape) { shape.kernel[1] = kMax; });
  refused([](ConvShape<2>& shape) { shape.out_channels = int64_t{1} << 37; });
}

}  // namespace
}  // namespace lacuna
