// Packed weights as blobs, and what PackedWeights::Validate refuses.

#include "lacuna/op/packed_blob.h"

#include "lacuna/core/blob.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/pattern.h"
#include "lacuna/policy/reorder.h"
#include "lacuna/policy/tile.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hwy/targets.h"
#include "tests/support/blob_damage.h"
#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

constexpr const char* kTarget = "AVX2";

DenseWeights<float> Sparse(const MatrixShape& shape, double density) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  FillGaussian(values, 1);
  Thin(values, 2, density);
  auto dense = DenseWeights<float>::CopyOf(shape, values);
  REQUIRE(dense.ok());
  return *std::move(dense);
}

PackedWeights<float> Made(Result<PackedWeights<float>> packed) {
  const std::string message = packed.status().message();
  CAPTURE(message);
  REQUIRE(packed.ok());
  return *std::move(packed);
}

CsrWeights<float> CsrOf(const MatrixShape& shape, double density) {
  auto csr = CsrWeights<float>::FromDense(Sparse(shape, density));
  REQUIRE(csr.ok());
  return *std::move(csr);
}

template <class Reorder, class Tile>
PackedWeights<float> PanelsOf(const MatrixShape& shape, double density) {
  return Made(Pack<Reorder>(CsrOf(shape, density), kTileInfo<Tile>));
}

using Small = RegisterTile<4, 3, MasksOfSize<4, 2>>;
using PatternBlock = PatternTile<4, 2>;

// Columns are kernels of 3 x 3 cells.
template <class Reorder>
PackedWeights<float> PatternsOf(const MatrixShape& shape, double density, int64_t stride = 1, int64_t dilation = 1) {
  const KernelAxes kernel = {KernelAxis{}, KernelAxis{3, stride, dilation}, KernelAxis{3, stride, dilation}};
  return Made(PackPattern<Reorder>(CsrOf(shape, density), kTileInfo<PatternBlock>, kernel));
}

// Reads the arrays as the kernels do; AddressSanitizer sees what is out of bounds.
void WalkPanels(const PackedWeights<float>& packed) {
  volatile float sum = 0;
  bool inside = true;
  for (size_t panel = 0; panel < packed.panels(); ++panel) {
    const float* weight = packed.weight.data() + packed.weight_begin[panel];
    size_t column = packed.column_begin[panel];
    for (size_t m = 0; m < packed.tile.masks.size(); ++m) {
      const uint32_t columns = packed.count[panel * packed.tile.masks.size() + m];
      for (uint32_t i = 0; i < columns; ++i, ++column) {
        inside = inside && packed.column[column] < packed.shape.columns;
        int weights = std::popcount(packed.tile.masks[m]);
        if (packed.tile.packing == Packing::kPattern) {
          weights = std::popcount(packed.cells[column]);
          // The pattern kernel reads this many rows of the input plane below that of the step's first cell.
          const KernelAxis& axis = packed.kernel[1];
          const int64_t tap = packed.column[column] / packed.kernel[2].kernel % axis.kernel;
          const int64_t rows_below = std::bit_width(packed.cells[column]) - 1;
          inside = inside && tap * axis.dilation + rows_below * axis.stride <= (axis.kernel - 1) * axis.dilation;
        }
        for (int w = 0; w < weights; ++w) sum = sum + *weight++;
      }
    }
    const auto [first, count] = packed.PanelRows(panel);
    for (int64_t row = first; row < first + count; ++row) {
      if (packed.row_order.size() != 0)
        inside = inside && packed.row_order[static_cast<size_t>(row)] < packed.shape.rows;
    }
  }
  CHECK(inside);
}

TEST_CASE("packed blob: viewed in place and equal, for every kind of tile, reorder, group and density") {
  const MatrixShape shapes[] = {{1, 9, 1}, {8, 18, 1}, {13, 36, 1}, {20, 45, 2}, {9, 9, 9}, {2, 65538, 1}};
  for (const MatrixShape& shape : shapes) {
    for (const double density : {0.0, 0.1, 1.0}) {
      CAPTURE(shape.rows);
      CAPTURE(shape.columns);
      CAPTURE(density);
      const auto check = [&](const PackedWeights<float>& packed) {
        const Status status = packed.Validate();
        const std::string message = status.message();
        CAPTURE(message);
        REQUIRE(status.ok());
        WalkPanels(packed);
        const Blob bytes = BlobOf(packed, kTarget);
        const auto viewed = CheckRoundTrip<PackedWeights<float>>(bytes, kTarget);
        CHECK(viewed.shape == packed.shape);
        CHECK(viewed.nnz == packed.nnz);
        CHECK(viewed.tile.SamePacking(packed.tile));
        CHECK(viewed.tile.vectors == packed.tile.vectors);
        CHECK(viewed.tile.height == packed.tile.height);
        CHECK(viewed.kernel == packed.kernel);
        CHECK(viewed.merged_groups == packed.merged_groups);
        CHECK(viewed.StorageBytes() == packed.StorageBytes());
        CHECK(*PeekKind(bytes) == BlobKind::kPacked);
      };
      check(PanelsOf<KeepOrder, RegisterTile<8, 3>>(shape, density));
      check(PanelsOf<GroupEqualRows, RegisterTile<8, 3>>(shape, density));
      check(PanelsOf<KeepOrder, RegisterTile<8, 3, MasksOfSize<8, 4>>>(shape, density));
      check(PanelsOf<GroupEqualRows, RegisterTile<4, 3, AllMasks<4>>>(shape, density));
      check(PanelsOf<KeepOrder, RegisterTile<16, 1>>(shape, density));
      check(PatternsOf<KeepOrder>(shape, density));
      check(PatternsOf<GroupEqualRows>(shape, density));
      check(PatternsOf<KeepOrder>(shape, density, 2, 1));
      check(PatternsOf<KeepOrder>(shape, density, 1, 2));
      check(PatternsOf<KeepOrder>(shape, density, 2, 3));
    }
  }
}

TEST_CASE("packed blob: belongs to one SIMD target") {
  const auto packed = PanelsOf<KeepOrder, Small>({8, 18, 1}, 0.4);
  const Blob bytes = BlobOf(packed, kTarget);
  CheckError(View<PackedWeights<float>>(bytes, "AVX3").status(), StatusCode::kUnsupported,
             "blob: weights are packed for the SIMD target AVX2, must be for AVX3");
  CheckError(View<PackedWeights<float>>(bytes, "AVX").status(), StatusCode::kUnsupported,
             "target AVX2, must be for AVX");
  CheckInvalid(View<PackedWeights<float>>(bytes).status(), "target has 0 characters, must have 1 to 31 for packed");
  CheckInvalid(Serialize(packed).status(), "target has 0 characters, must have 1 to 31 for packed weights");
  CheckInvalid(Serialize(packed, std::string(32, 'A')).status(), "target has 32 characters, must have 1 to 31");
  CHECK(Serialize(packed, std::string(31, 'A')).ok());
  CheckInvalid(View<CsrWeights<float>>(bytes).status(), "bytes hold packed weights, must hold csr");
}

TEST_CASE("packed blob: taken by kernels that have its tile, whatever the vectors; then the masks are the kernel's") {
  const auto kernel = []<class Tile>(Tile) {
    PanelKernel made{};
    made.tile = kTileInfo<Tile>;
    return made;
  };
  const std::array<PanelKernel, 2> panels = {kernel(RegisterTile<8, 3>{}),
                                             kernel(RegisterTile<4, 6, MasksOfSize<4, 2>>{})};
  const std::array<PanelKernel, 1> patterns = {kernel(PatternBlock{})};
  KernelTable table{};
  table.target = HWY_STATIC_TARGET;
  table.panels = panels;
  table.patterns = patterns;
  const char* target = hwy::TargetName(table.target);
  const auto view = [&](const PackedWeights<float>& packed) {
    const Blob bytes = BlobOf(packed, target);
    const auto viewed = ViewPackedFor(table, bytes);
    if (viewed.ok()) {
      CHECK((*viewed)->tile.masks.data() != nullptr);
      CHECK(((*viewed)->tile.masks.data() == panels[0].tile.masks.data() ||
             (*viewed)->tile.masks.data() == panels[1].tile.masks.data() ||
             (*viewed)->tile.masks.data() == patterns[0].tile.masks.data()));
      CHECK((*viewed)->tile.vectors == packed.tile.vectors);
    }
    return viewed.status();
  };
  CHECK(view(PanelsOf<KeepOrder, RegisterTile<8, 3>>({8, 18, 1}, 0.4)).ok());
  CHECK(view(PanelsOf<KeepOrder, Small>({8, 18, 1}, 0.4)).ok());
  CHECK(view(PatternsOf<KeepOrder>({8, 18, 1}, 0.4)).ok());
  CheckError(
      view(PanelsOf<KeepOrder, RegisterTile<4, 3>>({8, 18, 1}, 0.4)), StatusCode::kUnsupported,
      std::string("blob: weights are packed for panels of 4 rows with 1 masks, the policy has no such tile on ") +
          target);
  CheckError(view(PanelsOf<KeepOrder, RegisterTile<1, 3>>({8, 18, 1}, 0.4)), StatusCode::kUnsupported,
             "panels of 1 rows with 1 masks");
  table.target = table.target == HWY_SCALAR ? HWY_SSE4 : HWY_SCALAR;
  CheckError(ViewPackedFor(table, BlobOf(PanelsOf<KeepOrder, Small>({8, 18, 1}, 0.4), target)).status(),
             StatusCode::kUnsupported, "blob: weights are packed for the SIMD target ");
}

TEST_CASE("packed blob: no truncation and no changed byte goes unnoticed") {
  CheckDamageIsSeen<PackedWeights<float>>(BlobOf(PanelsOf<GroupEqualRows, Small>({6, 18, 2}, 0.3), kTarget), kTarget);
  CheckDamageIsSeen<PackedWeights<float>>(BlobOf(PatternsOf<GroupEqualRows>({6, 18, 2}, 0.5), kTarget), kTarget);
}

TEST_CASE("packed blob: behind a checksum that fits, damage is refused or harmless") {
  const auto check = [](const PackedWeights<float>& packed) {
    CheckDamageIsSafe<PackedWeights<float>>(BlobOf(packed, kTarget), kTarget, WalkPanels);
  };
  check(PanelsOf<GroupEqualRows, Small>({6, 18, 2}, 0.3));
  check(PanelsOf<KeepOrder, RegisterTile<8, 3>>({9, 5, 1}, 1.0));
  check(PatternsOf<GroupEqualRows>({6, 18, 1}, 0.5));
  check(PatternsOf<KeepOrder>({6, 9, 6}, 0.5, 2, 1));
}

TEST_CASE("PackedWeights::Validate: what is refused, and why") {
  // Two panels of a group of 6 rows; masks 0011, 0101, ..., 1111.
  const auto refuse = [](auto change, const char* message) {
    auto packed = PanelsOf<GroupEqualRows, Small>({12, 8, 2}, 0.6);
    REQUIRE(packed.Validate().ok());
    REQUIRE(packed.panels() == 4);
    REQUIRE(packed.row_order.size() == 12);
    change(packed);
    CheckInvalid(packed.Validate(), message);
  };
  using P = PackedWeights<float>;
  refuse([](P& p) { p.shape.rows = 0; }, "weights.rows is 0");
  refuse([](P& p) { p.shape.rows = 20; }, "packed.count has 28 elements, must have 42");
  refuse([](P& p) { p.merged_groups = 4; }, "packed.merged_groups is 4, must divide 6 rows of a group and 8 columns");
  refuse([](P& p) { p.merged_groups = 0; }, "packed.merged_groups is 0");
  refuse([](P& p) { p.tile.packing = static_cast<Packing>(2); }, "packed.tile.packing is 2, must be 0 or 1");
  refuse([](P& p) { p.tile.rows = 0; }, "packed.tile has 0 rows, 3 vectors and height 1, must have 1 to 16 rows");
  refuse([](P& p) { p.tile.rows = 17; }, "packed.tile has 17 rows");
  refuse([](P& p) { p.tile.vectors = 0; }, "packed.tile has 4 rows, 0 vectors");
  refuse([](P& p) { p.tile.height = 0; }, "3 vectors and height 0, must have");
  refuse([](P& p) { p.tile.masks = {}; }, "packed.tile has 0 masks, must have at least one and end with that of all");
  refuse([](P& p) { p.tile.masks = p.tile.masks.first(6); }, "packed.tile has 6 masks, must have at least one and end");
  static constexpr std::array<RowMask, 7> kEmptyMask = {3, 5, 0, 9, 10, 12, 15}, kLargeMask = {3, 5, 16, 9, 10, 12, 15};
  refuse([](P& p) { p.tile.masks = kEmptyMask; }, "packed.tile.masks[2] is 0x0, must be in [1, 0xf]");
  refuse([](P& p) { p.tile.masks = kLargeMask; }, "packed.tile.masks[2] is 0x10, must be in [1, 0xf]");
  refuse([](P& p) { p.count.Truncate(27); }, "packed.count has 27 elements, must have 28");
  refuse([](P& p) { p.column_begin.Truncate(4); }, "packed.column_begin has 4 elements, must have 5");
  refuse([](P& p) { p.weight_begin.Truncate(4); }, "packed.weight_begin has 4 elements, must have 5");
  refuse([](P& p) { p.column_begin[0] = 1; }, "packed.column_begin and weight_begin start at 1 and 0, must start at 0");
  refuse([](P& p) { p.weight_begin[0] = 1; }, "packed.column_begin and weight_begin start at 0 and 1");
  refuse([](P& p) { p.column_begin[1] += 1; }, "packed.column_begin[1] and weight_begin are ");
  refuse([](P& p) { p.weight_begin[2] -= 1; }, "packed.column_begin[2] and weight_begin are ");
  refuse([](P& p) { p.count[3] = 0xffffffff; }, "packed.count[3] is 4294967295, more than the columns that are left, ");
  refuse([](P& p) { p.weight.Truncate(p.weight.size() - 1); }, " weights, there are ");
  refuse([](P& p) { p.cells = *Buffer<uint8_t>::Make(1); }, "packed.cells has 1 elements, must have 0");
  refuse([](P& p) { p.column.Set(0, 8); }, "packed.column[0] is 8, must be below 8 and ascend under a mask of panel 0");
  refuse([](P& p) { p.nnz = -1; }, "packed.nnz is -1, must be in [0, ");
  refuse([](P& p) { p.nnz = static_cast<int64_t>(p.weight.size()) + 1; }, "packed.nnz is ");
  refuse([](P& p) { p.row_order.Truncate(11); }, "packed.row_order has 11 elements, must have 12");
  refuse([](P& p) { p.row_order[0] = p.row_order[1]; }, "packed.row_order[0] to [5] must be these row numbers, each");
  refuse([](P& p) { p.row_order[7] = 12; }, "packed.row_order[6] to [11] must be");
  refuse([](P& p) { std::swap(p.row_order[0], p.row_order[11]); }, "packed.row_order[0] to [5] must be");
  refuse(
      [](P& p) {
        for (size_t m = 0; m < p.count.size(); ++m) {
          if (p.count[m] < 2) continue;
          size_t column = 0;
          for (size_t before = 0; before < m; ++before) column += p.count[before];
          p.column.Set(column + 1, p.column[column]);
          return;
        }
      },
      " and ascend under a mask of panel ");
  // Longer arrays than the panels use.
  refuse([](P& p) { p.weight = *Buffer<float>::Make(p.weight.size() + 1); }, "packed.weight has ");
}

TEST_CASE("PackedWeights::Validate: steps of the pattern kernel stay inside their kernels") {
  using P = PackedWeights<float>;
  const auto refuse = [](auto change, const char* message) {
    auto packed = PatternsOf<KeepOrder>({4, 18, 1}, 1.0);
    REQUIRE(packed.Validate().ok());
    REQUIRE(packed.cells[0] == 7);
    REQUIRE(packed.column[0] == 0);
    change(packed);
    CheckInvalid(packed.Validate(), message);
  };
  refuse([](P& p) { p.cells[0] = 0; }, "packed.cells[0] is 0, must be 1, 3, 5 or 7");
  refuse([](P& p) { p.cells[1] = 15; }, "packed.cells[1] is 15, must be 1, 3, 5 or 7");
  refuse([](P& p) { p.cells[0] = 6; }, "packed.cells[0] is 6, must be 1, 3, 5 or 7");
  refuse([](P& p) { p.column.Set(0, 3); }, "packed.cells[0] is 7, must be 1, 3, 5 or 7 and leave the step inside");
  refuse([](P& p) { p.column.Set(0, 18); }, "packed.column[0] is 18, must be below 18");
  refuse([](P& p) { p.cells[0] = 5; }, "packed.column_begin[1] and weight_begin are 6 and 18, must be 6 and 17");
  refuse([](P& p) { p.cells.Truncate(23); }, "packed.cells has 23 elements, must have 24");
  refuse([](P& p) { p.kernel[1].kernel = 2; }, "packed.cells[0] is 7, must be 1, 3, 5 or 7 and leave the step inside");
  refuse([](P& p) { p.kernel[1].kernel = 4; }, "packed.kernel is 1 x 4 x 3, must divide 18 columns");
  refuse([](P& p) { p.kernel[0].kernel = -1; }, "packed.kernel has an axis of -1 cells, stride 1, dilation 1, must be");
  refuse([](P& p) { p.kernel[0].kernel = 0; }, "packed.kernel has an axis of 0 cells");
  refuse([](P& p) { p.kernel[1].stride = 2; }, "packed.cells[0] is 7, must be 1, 3, 5 or 7 and leave the step inside");
  refuse([](P& p) { p.kernel[1].stride = int64_t{1} << 62; }, "packed.cells[0] is 7, must be 1, 3, 5 or 7 and leave");
  refuse([](P& p) { p.kernel[1].stride = 0; }, "packed.kernel has an axis of 3 cells, stride 0, dilation 1, must be");
  refuse([](P& p) { p.kernel[2].dilation = -1; }, "packed.kernel has an axis of 3 cells, stride 1, dilation -1");
  refuse([](P& p) { p.kernel[2].dilation = int64_t{1} << 62; }, "must be at least 1 and not overflow");
  refuse(
      [](P& p) {
        p.tile = kTileInfo<Small>;
        p.tile.packing = Packing::kPattern;
      },
      "packed.tile has 4 rows and 7 masks, the pattern kernel has one of each");
}

}  // namespace
}  // namespace lacuna::test
