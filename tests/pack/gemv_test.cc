#include "lacuna/pack/gemv.h"

#include "lacuna/format/bcr.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/pack/gemv.ipp"
#include "lacuna/prune/project.h"
#include "lacuna/prune/scheme.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "tests/support/random.h"

namespace lacuna::test {
namespace {

constexpr GemvLayout kLayouts[] = {{GemvForm::kShared, 4},  {GemvForm::kShared, 8}, {GemvForm::kShared, 16},
                                   {GemvForm::kFilled, 16}, {GemvForm::kMasked, 8}, {GemvForm::kScattered, 8},
                                   {GemvForm::kCells, 8},   {GemvForm::kLookup, 16}};

// Columns of zeros and of values alternate at random, so that blocks of rows share what they keep.
CsrWeights<float> Sparse(const MatrixShape& shape, double density, int64_t shared_rows = 1) {
  std::vector<float> values(static_cast<size_t>(shape.elements())), kept(values.size(), 1.0f);
  FillIntegers(values, 1);
  for (float& value : values) value = value == 0.0f ? 5.0f : value;
  Thin(kept, 2, density);
  for (int64_t row = 0; row < shape.rows; ++row) {
    for (int64_t column = 0; column < shape.columns; ++column) {
      values[static_cast<size_t>(row * shape.columns + column)] *=
          kept[static_cast<size_t>(row / shared_rows * shape.columns + column)];
    }
  }
  const auto dense = DenseWeights<float>::View(shape, values);
  REQUIRE(dense.ok());
  auto csr = CsrWeights<float>::FromDense(*dense);
  REQUIRE(csr.ok());
  return *std::move(csr);
}

// What PackedGemv says, read by its description and not by the code that wrote it.
class Unpacked {
 public:
  std::vector<float> values;
  std::vector<int> stored;  // how often

  explicit Unpacked(const PackedGemv<float>& packed)
      : values(static_cast<size_t>(packed.shape.elements())), stored(values.size()), packed_(packed) {
    const GemvLayout& layout = packed.layout;
    for (size_t block = 0; block < packed.blocks(); ++block) {
      for (size_t band = 0; band < packed.bands(); ++band) {
        uint64_t step = packed.step_begin[block * packed.bands() + band];
        for (size_t panel = 0; panel < packed.panels_per_block(); ++panel) {
          const size_t steps = packed.steps[packed.PanelIndex(block, band, panel)];
          for (size_t i = 0; i < steps; ++i, ++step) {
            const uint16_t* index = packed.index.data() + step * layout.indices();
            const uint8_t* mask = packed.mask.data() + step * layout.masks();
            const float* weight = packed.weight.data() + step * layout.weights();
            const size_t first = panel * layout.panel_rows();
            if (layout.form == GemvForm::kScattered) {
              for (size_t r = 0; r < 8; ++r) {
                Put(block, packed.row[block * kGemvBlockRows + first + r], band, index[r], weight[r], true);
              }
              continue;
            }
            if (layout.form == GemvForm::kCells) {
              PutCells(block, first, band, packed.cells[step], weight);
              continue;
            }
            if (layout.form == GemvForm::kLookup) {
              PutLookup(block, first, band, mask, weight);
              continue;
            }
            for (size_t j = 0; j < 4; ++j) {
              for (size_t r = 0; r < layout.panel_rows(); ++r) {
                bool kept = true;
                if (layout.form == GemvForm::kFilled) kept = (mask[2 * j + r / 8] >> r % 8 & 1) != 0;
                if (layout.form == GemvForm::kMasked) {
                  kept = (*mask >> r & 1) != 0;
                  const auto place = static_cast<size_t>(std::popcount(*mask & ((1u << r) - 1)));
                  if (kept) Put(block, first + r, band, index[j], weight[4 * j + place], true);
                } else {
                  Put(block, first + r, band, index[j], weight[layout.panel_rows() * j + r], kept);
                }
              }
            }
          }
        }
        CHECK(step == packed.step_begin[block * packed.bands() + band + 1]);
      }
    }
  }

 private:
  // Index of what stands for no column.
  size_t None(size_t band) const { return static_cast<size_t>(packed_.BandColumns(band)); }

  void PutCells(size_t block, size_t first_row, size_t band, const GemvCells& cells, const float* weight) {
    for (size_t cell = 0; cell < 4; ++cell) {
      std::array<bool, 4> used{};
      for (size_t r = 0; r < 8; ++r) {
        const size_t lane = 4 * cell + r % 4;
        if ((cells.rows[r / 4] >> lane & 1) == 0) continue;
        const size_t row = cells.place[r / 4] >> 2 * lane & 3;
        wrong_ += used[row];  // two rows with the same weights
        used[row] = true;
        for (size_t t = 0; t < 4; ++t) {
          const uint8_t column = cells.column[cell][(row + t) % 4];
          const size_t index = column == GemvCells::kNone ? None(band) : size_t{cells.chunk[cell]} * 16 + column;
          Put(block, first_row + r, band, index, weight[t * 16 + 4 * cell + row], true);
        }
      }
      for (size_t row = 0; row < 4; ++row) {
        for (size_t t = 0; t < 4; ++t) wrong_ += !used[row] && weight[t * 16 + 4 * cell + row] != 0.0f;
      }
    }
  }

  void PutLookup(size_t block, size_t first_row, size_t band, const uint8_t* columns, const float* weight) {
    const uint8_t* place = packed_.row.data() + (block * packed_.bands() + band) * kGemvBlockRows;
    const size_t part = first_row / kLookupRows * kLookupRows;
    for (size_t r = 0; r < 16; ++r) {
      const auto is_row = [&](uint8_t at) { return part + at == first_row + r; };
      const uint8_t* found = std::find_if(place + part, place + part + kLookupRows, is_row);
      REQUIRE(found != place + part + kLookupRows);
      for (size_t t = 0; t < 4; ++t) {
        const uint8_t column = columns[16 * (r / 4) + 4 * t + r % 4];
        Put(block, static_cast<size_t>(found - place), band, column == kLookupNone ? None(band) : column,
            weight[t * 16 + r], true);
      }
    }
  }

  void Put(size_t block, size_t row_in_block, size_t band, size_t index, float weight, bool kept) {
    const size_t row = block * kGemvBlockRows + row_in_block;
    const auto columns = static_cast<size_t>(packed_.shape.columns);
    if (index == None(band) || row >= static_cast<size_t>(packed_.shape.rows)) {
      wrong_ += weight != 0.0f;
      return;
    }
    const size_t at = row * columns + band * static_cast<size_t>(packed_.layout.band_columns()) + index;
    REQUIRE(index < None(band));
    if (!kept) {
      wrong_ += weight != 0.0f;
      return;
    }
    values[at] += weight;
    ++stored[at];
  }

  const PackedGemv<float>& packed_;

 public:
  int wrong_ = 0;  // weights that are not zero where nothing is stored
};

void CheckPacked(const CsrWeights<float>& csr, const GemvLayout& layout) {
  CAPTURE(static_cast<int>(layout.form));
  CAPTURE(layout.rows);
  auto count = GemvCount<float>::Of(csr, layout);
  REQUIRE(count.ok());
  if (!count->fits) return;
  const uint64_t steps = count->steps();
  const auto packed = PackGemv(csr, *std::move(count));
  REQUIRE(packed.ok());
  CHECK(packed->nnz == csr.nnz());
  CHECK(packed->index.size() == steps * layout.indices());
  CHECK(packed->mask.size() == steps * layout.masks());
  CHECK(packed->weight.size() == steps * layout.weights());
  CHECK(packed->cells.size() == steps * layout.cells());
  CHECK(packed->fill() >= 0);
  const auto dense = csr.ToDense();
  REQUIRE(dense.ok());
  const Unpacked unpacked(*packed);
  CHECK(unpacked.wrong_ == 0);
  CHECK(std::ranges::equal(unpacked.values, dense->values()));
  int64_t wrong = 0;
  for (size_t i = 0; i < unpacked.values.size(); ++i) {
    const int expected = dense->values()[i] != 0.0f ? 1 : 0;
    wrong += layout.form == GemvForm::kShared ? unpacked.stored[i] < expected : unpacked.stored[i] != expected;
  }
  CHECK(wrong == 0);
}

TEST_CASE("PackGemv: every layout says what the weights are, each weight once") {
  for (const GemvLayout& layout : kLayouts) {
    for (const int64_t rows : {1, 3, 8, 17, 127, 128, 129, 300}) {
      for (const int64_t columns : {1, 5, 64, 131}) {
        for (const double density : {0.0, 0.1, 0.5, 1.0}) {
          CheckPacked(Sparse({.rows = rows, .columns = columns}, density), layout);
          CheckPacked(Sparse({.rows = rows, .columns = columns}, density, 16), layout);
        }
      }
    }
  }
}

TEST_CASE("PackGemv: more columns than 16 bits can count") {
  constexpr int64_t kColumns = 2 * 65535 + 7;
  for (const GemvLayout& layout : kLayouts) CheckPacked(Sparse({.rows = 9, .columns = kColumns}, 0.001, 16), layout);
  const auto count = GemvCount<float>::Of(Sparse({.rows = 9, .columns = kColumns}, 0.001), kLayouts[5]);
  REQUIRE(count.ok());
  CHECK(count->packed.bands() == 3);
  CHECK(count->packed.BandColumns(0) == 65535);
  CHECK(count->packed.BandColumns(2) == 7);
}

TEST_CASE("PackGemv: columns are shared, or not") {
  const auto fits = [](const CsrWeights<float>& csr, int rows) {
    const auto count = GemvCount<float>::Of(csr, {GemvForm::kShared, rows});
    REQUIRE(count.ok());
    return count->fits;
  };
  const auto by_8 = Sparse({.rows = 40, .columns = 60}, 0.3, 8);
  CHECK(fits(by_8, 4));
  CHECK(fits(by_8, 8));
  CHECK_FALSE(fits(by_8, 16));
  CHECK(fits(Sparse({.rows = 40, .columns = 60}, 1.0), 16));
  CHECK_FALSE(fits(Sparse({.rows = 40, .columns = 60}, 0.3), 4));
}

TEST_CASE("PackGemv: rows of a block are sorted by length, shorter ones share panels") {
  // Row r keeps r columns.
  std::vector<float> values(16 * 16);
  for (size_t row = 0; row < 16; ++row) {
    for (size_t column = 0; column < row; ++column) values[row * 16 + column] = 1.0f;
  }
  const auto dense = DenseWeights<float>::View({.rows = 16, .columns = 16}, values);
  const auto csr = CsrWeights<float>::FromDense(*dense);
  REQUIRE(csr.ok());
  const auto count = GemvCount<float>::Of(*csr, {GemvForm::kScattered, 8});
  REQUIRE(count.ok());
  CHECK(count->packed.steps[0] == 15);
  CHECK(count->packed.steps[1] == 7);
  for (size_t r = 0; r < 16; ++r) CHECK(count->packed.row[r] == 15 - r);
  // All places of a block are named, so that sums of absent rows have one too.
  const std::set<uint8_t> places(count->packed.row.begin(), count->packed.row.end());
  CHECK(places.size() == kGemvBlockRows);
}

TEST_CASE("PackGemv: of every 64 rows, those of a panel are about equally long in each 128 columns") {
  // Row r of the first 64 keeps the first r columns, in the second band all keep one.
  std::vector<float> values(80 * 256);
  for (size_t row = 0; row < 64; ++row) {
    for (size_t column = 0; column < row; ++column) values[row * 256 + column] = 1.0f;
    values[row * 256 + 200] = 1.0f;
  }
  const auto dense = DenseWeights<float>::View({.rows = 80, .columns = 256}, values);
  const auto csr = CsrWeights<float>::FromDense(*dense);
  REQUIRE(csr.ok());
  auto count = GemvCount<float>::Of(*csr, {GemvForm::kLookup, 16});
  REQUIRE(count.ok());
  const std::vector<uint32_t> expected = {16, 12, 8, 4, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0};
  CHECK(std::ranges::equal(count->packed.steps, expected));
  const auto packed = PackGemv(*csr, *std::move(count));
  REQUIRE(packed.ok());
  for (size_t r = 0; r < 64; ++r) {
    CHECK(packed->row[r] == 63 - r);
    CHECK(packed->row[kGemvBlockRows + r] == r);
  }
}

TEST_CASE("PackGemv: cells are the rows and columns that keep each other") {
  // Rows 1, 3, 5 and 7 keep columns 2, 3, 18 and 20; row 0 keeps column 3 as well.
  std::vector<float> values(8 * 32);
  for (const size_t row : {1, 3, 5, 7}) {
    for (const size_t column : {2, 3, 18, 20}) values[row * 32 + column] = static_cast<float>(100 * row + column);
  }
  values[3] = 3.0f;
  const auto dense = DenseWeights<float>::View({.rows = 8, .columns = 32}, values);
  const auto csr = CsrWeights<float>::FromDense(*dense);
  REQUIRE(csr.ok());
  auto count = GemvCount<float>::Of(*csr, {GemvForm::kCells, 8});
  REQUIRE(count.ok());
  const auto packed = PackGemv(*csr, *std::move(count));
  REQUIRE(packed.ok());
  // Column 2; column 3 of rows 0, 1, 3, 5; column 3 of row 7; columns 18 and 20.
  REQUIRE(packed->cells.size() == 1);
  const GemvCells& cells = packed->cells[0];
  const std::vector<uint8_t> columns = {2, 0x80, 0x80, 0x80, 3, 0x80, 0x80, 0x80,
                                        3, 0x80, 0x80, 0x80, 2, 4,    0x80, 0x80};
  CHECK(std::equal(columns.begin(), columns.end(), cells.column[0]));
  CHECK(cells.chunk[2] == 0);
  CHECK(cells.chunk[3] == 1);
  CHECK(cells.rows[0] == 0b1010'0000'1011'1010);
  CHECK(cells.rows[1] == 0b1010'1000'0010'1010);
}

TEST_CASE("PackGemv: masks of more than four rows are two") {
  CHECK(pack::LowestFour(0b00000111) == 0b00000111);
  CHECK(pack::LowestFour(0b11111111) == 0b00001111);
  CHECK(pack::LowestFour(0b10110101) == 0b00110101);
  const auto dense = Sparse({.rows = 8, .columns = 12}, 1.0);
  auto count = GemvCount<float>::Of(dense, {GemvForm::kMasked, 8});
  REQUIRE(count.ok());
  CHECK(count->steps() == 6);
  const auto packed = PackGemv(dense, *std::move(count));
  REQUIRE(packed.ok());
  CHECK(packed->fill() == 0);
  for (size_t step = 0; step < 6; ++step) CHECK(packed->mask[step] == (step < 3 ? 0x0f : 0xf0));
}

// The bytes that a product reads, over those of the weights that are not zero.
double PackedRatio(const char* name, const GemvLayout& layout) {
  constexpr int64_t kExtent = 512;
  std::vector<float> values(kExtent * kExtent);
  FillGaussian(values, 7);
  const auto dense = DenseWeights<float>::View({.rows = kExtent, .columns = kExtent}, values);
  const auto scheme = prune::ParseScheme(name);
  REQUIRE(scheme.ok());
  const auto weights = prune::Project(*dense, *scheme, 1);
  REQUIRE(weights.ok());
  return weights->Visit([&](const auto& format) {
    auto count = GemvCount<float>::Of(format, layout);
    REQUIRE(count.ok());
    REQUIRE(count->fits);
    const auto packed = PackGemv(format, *std::move(count));
    REQUIRE(packed.ok());
    return static_cast<double>(packed->StorageBytes()) / (4.0 * static_cast<double>(format.nnz()));
  });
}

TEST_CASE("PackGemv: bytes over those of the non-zeros") {
  CHECK(PackedRatio("dense", {GemvForm::kShared, 16}) < 1.04);
  CHECK(PackedRatio("bcr_col-8x", {GemvForm::kShared, 8}) < 1.10);
  CHECK(PackedRatio("block_8x1-8x", {GemvForm::kShared, 8}) < 1.10);
  CHECK(PackedRatio("block_4x4-8x", {GemvForm::kShared, 4}) < 1.15);
  CHECK(PackedRatio("bcr-8x", {GemvForm::kMasked, 8}) < 1.25);
  CHECK(PackedRatio("bcr-8x", {GemvForm::kCells, 8}) < 1.25);
  CHECK(PackedRatio("unstructured-8x", {GemvForm::kScattered, 8}) < 1.60);
  CHECK(PackedRatio("unstructured-8x", {GemvForm::kLookup, 16}) < 1.60);
}

}  // namespace
}  // namespace lacuna::test
