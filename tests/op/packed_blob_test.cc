// Plans made from packed weights that lie in a blob.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "tests/support/blob_damage.h"
#include "tests/support/check_error.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

ConvShape<2> Shape() {
  return {.in_channels = 12,
          .out_channels = 20,
          .groups = 2,
          .input = {9, 31},
          .kernel = {3, 3},
          .pad_begin = {1, 1},
          .pad_end = {1, 1}};
}

TEST_CASE("packed blob: a plan from it computes the same bits, on every target and tile") {
  const ConvLayer<2> layer(Shape(), {.density = 0.3, .integers = false, .bias = true});
  const auto bcr = layer.bcr({4, 8});
  ForEachTarget([&] {
    for (int tile = kChooseTile; tile < TileCount(); ++tile) {
      CAPTURE(tile);
      const auto plan = PlanConvolution<2>(bcr, layer.shape(), layer.epilogue(), {.tile = tile});
      REQUIRE(plan.ok());
      const Blob bytes = BlobOf(*plan->weights(), ActiveTargetName());
      const auto viewed = ViewPackedDefault(bytes);
      REQUIRE(viewed.ok());
      const auto* weight = reinterpret_cast<const std::byte*>((*viewed)->weight.data());
      CHECK(weight >= bytes.data());
      CHECK(weight < bytes.data() + bytes.size());
      const auto again = PlanConvolution<2>(*viewed, layer.shape(), layer.epilogue());
      layer.Check(again);
      CHECK(layer.Run(*again) == layer.Run(*plan));
    }
  });
}

TEST_CASE("packed blob: refused on any other target") {
  const ConvLayer<2> layer(Shape(), {.density = 0.3});
  for (const int64_t packed_for : Targets()) {
    const Blob bytes = [&] {
      const ScopedTarget scope(packed_for);
      return BlobOf(**PackDefault(layer.dense()), ActiveTargetName());
    }();
    ForEachTarget([&] {
      const auto viewed = ViewPackedDefault(bytes);
      CHECK(viewed.ok() == (ActiveTarget() == packed_for));
      if (!viewed.ok()) {
        CheckError(viewed.status(), StatusCode::kUnsupported, "blob: weights are packed for the SIMD target ");
      }
    });
  }
}

TEST_CASE("packed blob: plans from damaged blobs with a checksum that fits stay inside their tensors") {
  const ConvLayer<2> layer({.in_channels = 2, .out_channels = 5, .input = {5, 9}, .kernel = {3, 2}}, {.density = 0.5});
  for (const int tile : {0, PatternTileIndex()}) {
    CAPTURE(tile);
    const auto whole = PlanConvolution<2>(layer.bcr({1, 1}), layer.shape(), {}, {.tile = tile});
    REQUIRE(whole.ok());
    const Blob bytes = BlobOf(*whole->weights(), ActiveTargetName());
    Blob damaged = CopyOf(bytes);
    std::mt19937 random(1);
    int ran = 0;
    for (int round = 0; round < 3000; ++round) {
      const size_t at = 80 + random() % (bytes.size() - 80);
      damaged[at] = static_cast<std::byte>(static_cast<unsigned>(bytes[at]) + 1 + random() % 3);
      FixChecksum(damaged);
      if (const auto viewed = ViewPackedDefault(damaged); viewed.ok()) {
        const auto plan = PlanConvolution<2>(*viewed, layer.shape());
        if (plan.ok()) {
          layer.Run(*plan);
          ++ran;
        }
      }
      damaged[at] = bytes[at];
    }
    CHECK(ran > 0);
  }
}

}  // namespace
}  // namespace lacuna::test
