// PackedGemv: weights in the order in which a matrix-vector product streams them, once and from front to back.

#ifndef LACUNA_PACK_GEMV_H_
#define LACUNA_PACK_GEMV_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/core/value_traits.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/row_source.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/tile.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <type_traits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// What the rows of a panel have in common. Rows are across lanes, so a weight is read as part of a vector.
enum class GemvForm : uint8_t {
  kShared,     // the rows of a panel keep the same columns: dense, BCR of whole rows, blocks. Nothing is filled in
  kFilled,     // the columns that any row of a panel keeps, zeros filled in and a bit a weight that says so
  kMasked,     // columns under masks of at most 4 of 8 rows: BCR
  kScattered,  // every row keeps columns of its own: unstructured. Rows of a block are sorted by length
  kCells,      // cells of at most 4 of 8 rows and 4 of 16 columns: BCR, where vectors have 16 lanes
  kLookup,     // every row keeps columns of its own, 128 at a time, whose inputs fit into registers: unstructured
};

// A step of kCells but for its weights: four cells of a panel, each with rows and columns of its own.
struct GemvCells {
  static constexpr uint8_t kNone = 0x80;  // no column: its weights are zero, and its input is taken for zero

  uint8_t column[4][4];  // [cell][4], counted from the chunk's first
  uint16_t chunk[4];     // of each cell: 16 columns of the band
  uint32_t place[2];     // bits 2 * (4 * cell + r): which of the cell's rows row r of the panel is; place[1]: row 4 + r
  uint16_t rows[2];      // bits 4 * cell + r: whether it is one of them
};
inline constexpr int64_t kCellColumns = 16;  // that a cell's are among
inline constexpr size_t kCellWeights = 16;

// A band of kLookup: one byte of each of 128 inputs fills two vectors of 64 bytes.
inline constexpr int64_t kLookupColumns = 128;
inline constexpr size_t kLookupRows = 64;     // that are sorted among themselves
inline constexpr uint8_t kLookupNone = 0x80;  // as GemvCells::kNone

// Steps of kS4 whose weights share a scale a row: 32 columns.
inline constexpr size_t kGroupSteps = 4;

// Packed weights are a sequence of steps, which all have the same size.
struct GemvLayout {
  GemvForm form = GemvForm::kShared;
  int rows = 8;  // of a panel: 4, 8 or 16 if kShared, 16 if kFilled or kLookup, else 8
  // Of the weights: kF32, kF16, kBf16, kS8, or, if kShared or kScattered, kS4.
  ValueType storage = ValueType::kF32;

  friend bool operator==(const GemvLayout&, const GemvLayout&) = default;

  size_t panel_rows() const { return static_cast<size_t>(rows); }
  bool is_s4() const { return storage == ValueType::kS4; }
  // Of a step: four columns; if kScattered, a weight of each row; if kCells, four cells. A step of kS4 is eight columns
  // or eight weights of each row.
  size_t indices() const {
    if (is_s4()) return form == GemvForm::kScattered ? 8 * panel_rows() : 8;
    if (form == GemvForm::kScattered) return panel_rows();
    return form == GemvForm::kCells || form == GemvForm::kLookup ? 0 : 4;
  }
  size_t weights() const {
    if (is_s4()) return 8 * panel_rows();
    if (form == GemvForm::kScattered) return panel_rows();
    if (form == GemvForm::kCells) return 4 * kCellWeights;
    return form == GemvForm::kMasked ? 16 : 4 * panel_rows();
  }
  // Bytes of masks; if kLookup, of indices.
  size_t masks() const {
    if (form == GemvForm::kFilled) return 4 * (panel_rows() / 8);
    if (form == GemvForm::kLookup) return weights();
    return form == GemvForm::kMasked ? 1 : 0;
  }
  size_t cells() const { return form == GemvForm::kCells ? 1 : 0; }
  size_t weight_bytes() const {
    switch (storage) {
      case ValueType::kF16:
      case ValueType::kBf16: return 2 * weights();
      case ValueType::kS8: return weights();
      case ValueType::kS4: return weights() / 2;
      default: return 4 * weights();
    }
  }
  size_t StepBytes() const {
    const size_t scales = is_s4() ? panel_rows() * sizeof(uint16_t) / kGroupSteps : 0;
    return indices() * sizeof(uint16_t) + masks() + cells() * sizeof(GemvCells) + weight_bytes() + scales;
  }
  // Steps of the same layout in kF32 that a step holds.
  size_t wide_steps() const { return !is_s4() ? 1 : form == GemvForm::kScattered ? 8 : 2; }

  // Columns are cut in bands of so many. A 16-bit index counts them and the zero that is packed behind their inputs.
  int64_t band_columns() const {
    if (form == GemvForm::kLookup) return kLookupColumns;
    return form == GemvForm::kCells ? 65535 / kCellColumns * kCellColumns : 65535;
  }
  // Rows of X that are packed for a band of `columns`, zeros behind the inputs included.
  int64_t PackedRows(int64_t columns, int64_t width) const {
    if (form == GemvForm::kCells) return (columns + kCellColumns - 1) / kCellColumns * kCellColumns;
    if (form == GemvForm::kLookup) return width == 1 ? kLookupColumns : kLookupColumns + 1;
    return columns + 1;
  }
};

// Rows are cut in blocks of kGemvBlockRows, blocks in panels, columns in bands. Steps are ordered by block, band and
// panel. A step of each form, columns c[j] counted from the band's first:
//   kShared     index[4] = c, weight[4][rows]
//   kFilled     index[4] = c, mask[4][rows / 8]: bit r % 8 of byte r / 8 is set if row r stores its weight,
//               weight[4][rows]
//   kMasked     index[4] = c, mask[1], weight[4][4]: of the rows whose bits are set, ascending
//   kScattered  index[rows], weight[rows]: of row r, the packed row's place in the block being row[r]
//   kCells      cells, weight[4][4][4]: weight[t][cell][i] of the cell's row i in its column (i + t) % 4
//   kLookup     mask[64]: column of weight[t][4 * l + j] in byte 16 * l + 4 * t + j, weight[4][16]: of packed row r in
//               four columns. Of every 64 rows of a block, row r is packed row place[r].
// Where columns run out, the index is that of the zero behind the inputs, or none, and the weight is zero: 0 * 0 adds
// nothing to any sum, be it infinite or NaN.
//
// Independent of the SIMD target and of the number of columns of X. Immutable; several plans may share one.
template <class T>
struct PackedGemv {
  using value_type = T;

  MatrixShape shape;
  GemvLayout layout;
  int64_t nnz = 0;  // stored by the format

  Buffer<uint32_t> steps;       // [blocks][bands][panels_per_block]
  Buffer<uint64_t> step_begin;  // [blocks * bands + 1]
  Buffer<uint16_t> index;       // [steps][layout.indices()]
  Buffer<uint8_t> mask;         // [steps][layout.masks()]
  Buffer<T> weight;             // [steps][layout.weights()], if layout.storage is kF32
  Buffer<GemvCells> cells;      // [steps][layout.cells()]
  // kScattered: [blocks][kGemvBlockRows], the row of each packed row. kLookup: [blocks][bands][kGemvBlockRows], the
  // packed row of each row. Else empty.
  Buffer<uint8_t> row;

  // Weights of other types (pack/narrow_gemv.h).
  Buffer<std::byte> narrow;  // [steps][layout.weight_bytes()]
  Buffer<float> row_scale;   // of kS8: [blocks][kGemvBlockRows]
  Buffer<uint16_t>
      group_scale;  // of kS4, bf16: [groups][rows], a group is kGroupSteps steps of a panel or the last few
  Buffer<uint64_t> group_begin;  // of kS4: [blocks * bands + 1]

  MatrixShape LayerShape() const { return shape; }
  size_t blocks() const { return DivideUp(static_cast<size_t>(shape.rows), kGemvBlockRows); }
  size_t bands() const {
    return DivideUp(static_cast<size_t>(shape.columns), static_cast<size_t>(layout.band_columns()));
  }
  size_t panels_per_block() const { return kGemvBlockRows / layout.panel_rows(); }
  // Rows of one block: kGemvBlockRows, fewer in the last one.
  size_t BlockRows(size_t block) const {
    return std::min(kGemvBlockRows, static_cast<size_t>(shape.rows) - block * kGemvBlockRows);
  }
  size_t BlockPanels(size_t block) const { return DivideUp(BlockRows(block), layout.panel_rows()); }
  int64_t BandColumns(size_t band) const {
    return std::min(layout.band_columns(), shape.columns - static_cast<int64_t>(band) * layout.band_columns());
  }

  // Into `steps`.
  size_t PanelIndex(size_t block, size_t band, size_t panel) const {
    return (block * bands() + band) * panels_per_block() + panel;
  }
  uint64_t FirstStep(size_t block, size_t band, size_t panel) const {
    const uint32_t* begin = steps.data() + PanelIndex(block, band, 0);
    return std::accumulate(begin, begin + panel, step_begin[block * bands() + band]);
  }

  // The weights from a step on, and the scales of kS4 from a block and band on.
  const void* StepWeights(uint64_t step) const {
    if (layout.storage == ValueType::kF32) return weight.data() + step * layout.weights();
    return narrow.data() + step * layout.weight_bytes();
  }
  const uint16_t* GroupScales(size_t block, size_t band) const {
    return layout.is_s4() ? group_scale.data() + group_begin[block * bands() + band] * layout.panel_rows() : nullptr;
  }

  // Packed weights that the format does not store.
  int64_t fill() const { return static_cast<int64_t>(step_begin[step_begin.size() - 1] * layout.weights()) - nnz; }
  size_t StorageBytes() const {
    return steps.size_bytes() + step_begin.size_bytes() + index.size_bytes() + mask.size_bytes() + weight.size_bytes() +
           cells.size_bytes() + row.size_bytes() + narrow.size_bytes() + row_scale.size_bytes() +
           group_scale.size_bytes() + group_begin.size_bytes();
  }
};

// What packing weights in a layout comes to: the first pass of PackGemv. Steps are counted as those of kF32.
template <class T>
struct GemvCount {
  bool fits = true;      // false if the layout is kShared and rows of a panel keep different columns
  PackedGemv<T> packed;  // but for index, mask and weight

  uint64_t steps() const { return packed.step_begin[packed.step_begin.size() - 1]; }

  // `weights` are valid, in one group.
  static Result<GemvCount> Of(const RowSource<T>& weights, const GemvLayout& layout);

 private:
  Status CountPanels(const RowSource<T>& weights);
  Status CountRows(const RowSource<T>& weights);
  Status CountLookup(const RowSource<T>& weights);
};

// Packs `weights` as they have been counted, as kF32. `count` must fit.
template <class T>
Result<PackedGemv<T>> PackGemv(const std::type_identity_t<RowSource<T>>& weights, GemvCount<T> count);

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/pack/gemv.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_PACK_GEMV_H_
