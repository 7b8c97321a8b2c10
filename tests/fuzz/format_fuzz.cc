// Random weights into every format, from each into every other, into a blob and back: they stay the same weights.

#include "lacuna/format/bcrc.h"
#include "lacuna/format/convert.h"

#include "tests/fuzz/decisions.h"
#include "tests/support/blob_damage.h"

namespace lacuna::fuzz::format_fuzzer {
namespace {

// To the bit, so that -0 and NaN count; `from` is dense.
template <class Weights>
void CheckSame(const Weights& weights, std::span<const float> from) {
  REQUIRE(weights.Validate().ok());
  const auto dense = ExpandRows(weights);
  REQUIRE(dense.ok());
  REQUIRE(dense->values().size() == from.size());
  size_t wrong = 0;
  for (size_t i = 0; i < from.size(); ++i) wrong += !(dense->values()[i] == from[i]);
  CHECK(wrong == 0);
  test::CheckRows(weights);
}

template <class From>
void CheckFormat(Input& in, const From& from, std::span<const float> values, int64_t taps) {
  CheckSame(from, values);
  const test::Blob blob = test::BlobOf(from);
  const auto viewed = View<From>(blob);
  REQUIRE(viewed.ok());
  CheckSame(*viewed, values);
  const BlockShape block{in.Range(1, 20), in.Range(1, 40)};
  const auto check = [&](const auto& to) {
    const std::string message = to.status().message();
    CAPTURE(message);
    REQUIRE(to.ok());
    CheckSame(*to, values);
  };
  check(Convert<DenseWeights<float>>(from));
  check(Convert<CsrWeights<float>>(from));
  check(Convert<BcrWeights<float>>(from, block));
  check(Convert<BlockWeights<float>>(from, block));
  check(Convert<PatternWeights<float>>(from, taps, in.Range(1, 5)));
  if constexpr (std::is_same_v<From, BlockWeights<float>>) check(Convert<BcrWeights<float>>(from));
  if constexpr (std::is_same_v<From, BcrWeights<float>>) {
    const auto bcrc = ToBcrc(from);
    REQUIRE(bcrc.ok());
    check(FromBcrc(*bcrc, from.shape(), from.block()));
  }
}

void Run(std::span<const uint8_t> bytes) {
  Input in(bytes);
  const int64_t groups = in.Byte() % 4 == 0 ? in.Range(1, 4) : 1, taps = in.Range(1, 12);
  const MatrixShape shape{.rows = groups * in.Range(1, 40), .columns = taps * in.Range(1, 20), .groups = groups};
  constexpr double kDensities[] = {1.0, 0.5, 0.2, 0.05, 0.0};
  const double density = in.Pick(kDensities);
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  const uint32_t seed = in.Word();
  test::FillIntegers(values, seed);
  test::Thin(values, seed + 1, density);
  const auto dense = DenseWeights<float>::View(shape, values);
  REQUIRE(dense.ok());
  const auto weights = PickWeights(in, *dense, taps);
  if (!weights) return;
  const auto kept = weights->ToDense();
  REQUIRE(kept.ok());
  for (size_t i = 0; i < values.size(); ++i) REQUIRE((kept->values()[i] == values[i] || kept->values()[i] == 0.0f));
  const auto round_trip = Serialize(*weights);
  REQUIRE(round_trip.ok());
  const auto again = AnyWeights<float>::View(*round_trip);
  REQUIRE(again.ok());
  CHECK(again->nnz() == weights->nnz());
  weights->Visit([&](const auto& format) { CheckFormat(in, format, kept->values(), taps); });
}

const Registration kRegistration({.name = "format", .run = &Run, .test_runs = 150});

}  // namespace
}  // namespace lacuna::fuzz::format_fuzzer
