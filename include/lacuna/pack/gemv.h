// PackedGemv: weights in the order in which a matrix-vector product streams them, once and from front to back.

#ifndef LACUNA_PACK_GEMV_H_
#define LACUNA_PACK_GEMV_H_

#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/tile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>

namespace lacuna {

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

// Packed weights are a sequence of steps, which all have the same size.
struct GemvLayout {
  GemvForm form = GemvForm::kShared;
  int rows = 8;  // of a panel: 4, 8 or 16 if kShared, 16 if kFilled or kLookup, else 8

  friend bool operator==(const GemvLayout&, const GemvLayout&) = default;

  size_t panel_rows() const { return static_cast<size_t>(rows); }
  // Of a step: four columns; if kScattered, a weight of each row; if kCells, four cells.
  size_t indices() const {
    if (form == GemvForm::kScattered) return panel_rows();
    return form == GemvForm::kCells || form == GemvForm::kLookup ? 0 : 4;
  }
  size_t weights() const {
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
  template <class T>
  size_t StepBytes() const {
    return indices() * sizeof(uint16_t) + masks() + cells() * sizeof(GemvCells) + weights() * sizeof(T);
  }

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
  Buffer<T> weight;             // [steps][layout.weights()]
  Buffer<GemvCells> cells;      // [steps][layout.cells()]
  // kScattered: [blocks][kGemvBlockRows], the row of each packed row. kLookup: [blocks][bands][kGemvBlockRows], the
  // packed row of each row. Else empty.
  Buffer<uint8_t> row;

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

  // Packed weights that the format does not store.
  int64_t fill() const { return static_cast<int64_t>(weight.size()) - nnz; }
  size_t StorageBytes() const {
    return steps.size_bytes() + step_begin.size_bytes() + index.size_bytes() + mask.size_bytes() + weight.size_bytes() +
           cells.size_bytes() + row.size_bytes();
  }
};

namespace pack {

// The lowest 4 rows of a mask, or all if there are fewer.
constexpr RowMask LowestFour(RowMask mask) {
  unsigned rest = mask;
  for (int i = 0; i < 4; ++i) rest &= rest - 1;
  return static_cast<RowMask>(mask & ~rest);
}

// f(list) for every list of columns that a column kept by the rows of `mask` is in: in kMasked there is one for each
// mask, elsewhere one for all.
template <class F>
void VisitColumnLists(GemvForm form, RowMask mask, const F& f) {
  if (form != GemvForm::kMasked) {
    if (mask != 0) f(size_t{0});
    return;
  }
  while (mask != 0) {
    const RowMask part = LowestFour(mask);
    f(size_t{part});
    mask = static_cast<RowMask>(mask & ~part);
  }
}
using ColumnLists = std::array<uint32_t, 256>;  // a number for each list

// The rows of a panel; fewer at the end of the matrix.
struct GemvPanelRows {
  std::array<uint32_t, kMaxPanelRows> row{};
  size_t count = 0;

  template <class T>
  static GemvPanelRows Of(const PackedGemv<T>& packed, size_t block, size_t panel) {
    const size_t first = panel * packed.layout.panel_rows();
    GemvPanelRows rows;
    rows.count = std::min(packed.layout.panel_rows(), packed.BlockRows(block) - first);
    std::iota(rows.row.begin(), rows.row.end(), static_cast<uint32_t>(block * kGemvBlockRows + first));
    return rows;
  }
  operator std::span<const uint32_t>() const { return {row.data(), count}; }
};

// Columns [first, first + count) of a band.
struct GemvBand {
  size_t first, count;

  template <class T>
  static GemvBand Of(const PackedGemv<T>& packed, size_t band) {
    return {band * static_cast<size_t>(packed.layout.band_columns()), static_cast<size_t>(packed.BandColumns(band))};
  }
};

// At most 4 rows of a panel that keep the same columns, and at most 4 of those, in a chunk.
struct Cell {
  RowMask rows = 0;
  size_t columns = 0;
  std::array<size_t, 4> column{};  // of the matrix
};

// f(cell) for the cells that the columns of a band are cut in, chunk by chunk. `mask`: the rows that keep each column.
template <class F>
void VisitCells(std::span<const RowMask> mask, const GemvBand& band, const F& f) {
  constexpr auto kChunk = static_cast<size_t>(kCellColumns);
  for (size_t first = 0; first < band.count; first += kChunk) {
    const size_t end = band.first + std::min(band.count, first + kChunk);
    std::array<Cell, 2 * kChunk> open;  // a column's mask has two lists of rows at most
    size_t count = 0;
    for (size_t c = band.first + first; c < end; ++c) {
      VisitColumnLists(GemvForm::kMasked, mask[c], [&](size_t list) {
        const auto rows = static_cast<RowMask>(list);
        size_t i = 0;
        while (i < count && (open[i].rows != rows || open[i].columns == 4)) ++i;
        if (i == count) open[count++] = Cell{.rows = rows};
        open[i].column[open[i].columns++] = c;
      });
    }
    for (size_t i = 0; i < count; ++i) f(open[i]);
  }
}

}  // namespace pack

// What packing weights in a layout comes to: the first pass of PackGemv.
template <class T>
struct GemvCount {
  bool fits = true;      // false if the layout is kShared and rows of a panel keep different columns
  PackedGemv<T> packed;  // but for index, mask and weight

  uint64_t steps() const { return packed.step_begin[packed.step_begin.size() - 1]; }

  // `weights` are valid, in one group.
  template <class Weights>
  static Result<GemvCount> Of(const Weights& weights, const GemvLayout& layout) {
    GemvCount count;
    PackedGemv<T>& packed = count.packed;
    packed.shape = weights.shape();
    packed.layout = layout;
    packed.nnz = weights.nnz();
    const size_t parts = packed.blocks() * packed.bands();
    LACUNA_ASSIGN_OR_RETURN(steps, Buffer<uint32_t>::Make(parts * packed.panels_per_block()));
    LACUNA_ASSIGN_OR_RETURN(step_begin, Buffer<uint64_t>::Make(parts + 1));
    packed.steps = std::move(steps);
    packed.step_begin = std::move(step_begin);
    switch (layout.form) {
      case GemvForm::kScattered: LACUNA_RETURN_IF_ERROR(count.CountRows(weights)); break;
      case GemvForm::kLookup: LACUNA_RETURN_IF_ERROR(count.CountLookup(weights)); break;
      default: LACUNA_RETURN_IF_ERROR(count.CountPanels(weights)); break;
    }
    for (size_t part = 0; part < parts; ++part) {
      const uint32_t* begin = packed.steps.data() + part * packed.panels_per_block();
      packed.step_begin[part + 1] = std::accumulate(begin, begin + packed.panels_per_block(), packed.step_begin[part]);
    }
    return count;
  }

 private:
  template <class Weights>
  Status CountPanels(const Weights& weights);
  template <class Weights>
  Status CountRows(const Weights& weights);
  template <class Weights>
  Status CountLookup(const Weights& weights);
};

template <class T>
template <class Weights>
Status GemvCount<T>::CountPanels(const Weights& weights) {
  const GemvForm form = packed.layout.form;
  LACUNA_ASSIGN_OR_RETURN(scratch, pack::PanelScratch<T>::Make({.rows = 0}, packed.shape.columns));
  for (size_t block = 0; block < packed.blocks(); ++block) {
    for (size_t panel = 0; panel < packed.BlockPanels(block); ++panel) {
      const auto rows = pack::GemvPanelRows::Of(packed, block, panel);
      scratch.LoadMasks(weights, rows);
      const RowMask full = FullMask(static_cast<int>(rows.count));
      const auto is_shared = [full](RowMask mask) { return mask == 0 || mask == full; };
      fits = form != GemvForm::kShared || std::all_of(scratch.mask.begin(), scratch.mask.end(), is_shared);
      if (!fits) return Status();
      for (size_t band = 0; band < packed.bands(); ++band) {
        const auto columns = pack::GemvBand::Of(packed, band);
        uint32_t& steps = packed.steps[packed.PanelIndex(block, band, panel)];
        if (form == GemvForm::kCells) {
          size_t cells = 0;
          pack::VisitCells(scratch.mask, columns, [&](const pack::Cell&) { ++cells; });
          steps = static_cast<uint32_t>(DivideUp(cells, size_t{4}));
          continue;
        }
        pack::ColumnLists length{};
        for (size_t c = columns.first; c < columns.first + columns.count; ++c) {
          pack::VisitColumnLists(form, scratch.mask[c], [&](size_t list) { ++length[list]; });
        }
        for (const uint32_t l : length) steps += static_cast<uint32_t>(DivideUp(l, size_t{4}));
      }
    }
  }
  return Status();
}

// Sorts the rows of every block, longest first, so that those of a panel are about equally long.
template <class T>
template <class Weights>
Status GemvCount<T>::CountRows(const Weights& weights) {
  const size_t bands = packed.bands();
  LACUNA_ASSIGN_OR_RETURN(row, Buffer<uint8_t>::Make(packed.blocks() * kGemvBlockRows));
  LACUNA_ASSIGN_OR_RETURN(length, Buffer<uint32_t>::Make(kGemvBlockRows * (bands + 1)));  // per band, and in all
  for (size_t block = 0; block < packed.blocks(); ++block) {
    uint8_t* order = row.data() + block * kGemvBlockRows;
    std::iota(order, order + kGemvBlockRows, uint8_t{0});
    std::fill(length.begin(), length.end(), 0u);
    const size_t rows = packed.BlockRows(block);
    for (size_t r = 0; r < rows; ++r) {
      uint32_t* counts = length.data() + r * (bands + 1);
      weights.VisitRow(static_cast<int64_t>(block * kGemvBlockRows + r), [&](int64_t column, const T&) {
        ++counts[column / packed.layout.band_columns()];
        ++counts[bands];
      });
    }
    std::sort(order, order + rows, [&](uint8_t a, uint8_t b) {
      const uint32_t left = length[a * (bands + 1) + bands], right = length[b * (bands + 1) + bands];
      return left != right ? left > right : a < b;
    });
    for (size_t band = 0; band < bands; ++band) {
      for (size_t r = 0; r < rows; ++r) {
        uint32_t& steps = packed.steps[packed.PanelIndex(block, band, r / packed.layout.panel_rows())];
        steps = std::max(steps, length[order[r] * (bands + 1) + band]);
      }
    }
  }
  packed.row = std::move(row);
  return Status();
}

// Sorts every 64 rows of a block anew for each band, longest first, so that the 16 rows of a panel are about equally
// long there.
template <class T>
template <class Weights>
Status GemvCount<T>::CountLookup(const Weights& weights) {
  const size_t bands = packed.bands();
  LACUNA_ASSIGN_OR_RETURN(place, Buffer<uint8_t>::Make(packed.blocks() * bands * kGemvBlockRows));
  LACUNA_ASSIGN_OR_RETURN(length, Buffer<uint32_t>::Make(kGemvBlockRows * bands));  // [rows][bands]
  for (size_t block = 0; block < packed.blocks(); ++block) {
    std::fill(length.begin(), length.end(), 0u);
    for (size_t r = 0; r < packed.BlockRows(block); ++r) {
      weights.VisitRow(static_cast<int64_t>(block * kGemvBlockRows + r), [&](int64_t column, const T&) {
        ++length[r * bands + static_cast<size_t>(column / kLookupColumns)];
      });
    }
    for (size_t band = 0; band < bands; ++band) {
      for (size_t first = 0; first < kGemvBlockRows; first += kLookupRows) {
        const auto length_of = [&](uint8_t row) { return length[(first + row) * bands + band]; };
        std::array<uint8_t, kLookupRows> order;
        std::iota(order.begin(), order.end(), uint8_t{0});
        std::sort(order.begin(), order.end(), [&](uint8_t a, uint8_t b) {
          return length_of(a) != length_of(b) ? length_of(a) > length_of(b) : a < b;
        });
        uint8_t* places = place.data() + (block * bands + band) * kGemvBlockRows + first;
        for (size_t r = 0; r < kLookupRows; ++r) places[order[r]] = static_cast<uint8_t>(r);
        for (size_t r = 0; r < kLookupRows; r += packed.layout.panel_rows()) {
          packed.steps[packed.PanelIndex(block, band, (first + r) / packed.layout.panel_rows())] =
              DivideUp(length_of(order[r]), 4u);
        }
      }
    }
  }
  packed.row = std::move(place);
  return Status();
}

namespace pack {

template <class T>
void FillCells(const PanelScratch<T>& scratch, const GemvPanelRows& rows, size_t block, size_t panel,
               PackedGemv<T>& packed) {
  const auto all_columns = static_cast<size_t>(packed.shape.columns);
  for (size_t band = 0; band < packed.bands(); ++band) {
    const auto columns = GemvBand::Of(packed, band);
    uint64_t at = 4 * packed.FirstStep(block, band, panel);  // in cells
    VisitCells(scratch.mask, columns, [&](const Cell& cell) {
      GemvCells& step = packed.cells[at / 4];
      T* const weight = packed.weight.data() + at / 4 * packed.layout.weights();
      const size_t place = at++ % 4;
      step.chunk[place] = static_cast<uint16_t>((cell.column[0] - columns.first) / static_cast<size_t>(kCellColumns));
      unsigned row = 0;  // of the cell
      for (unsigned r = 0; r < rows.count; ++r) {
        if ((cell.rows >> r & 1) == 0) continue;
        const unsigned lane = static_cast<unsigned>(4 * place) + r % 4;
        step.place[r / 4] |= row << 2 * lane;
        step.rows[r / 4] = static_cast<uint16_t>(step.rows[r / 4] | 1u << lane);
        for (size_t c = 0; c < cell.columns; ++c) {
          weight[(c + 4 - row) % 4 * kCellWeights + 4 * place + row] = scratch.value[r * all_columns + cell.column[c]];
        }
        ++row;
      }
      for (size_t c = 0; c < std::min<size_t>(cell.columns, 4); ++c) {
        const size_t column = (cell.column[c] - columns.first) % static_cast<size_t>(kCellColumns);
        step.column[place][c] = static_cast<uint8_t>(column);
      }
    });
  }
}

template <class T, class Weights>
void FillPanels(const Weights& weights, PanelScratch<T>& scratch, PackedGemv<T>& packed) {
  const GemvLayout& layout = packed.layout;
  const auto all_columns = static_cast<size_t>(packed.shape.columns);
  for (size_t block = 0; block < packed.blocks(); ++block) {
    for (size_t panel = 0; panel < packed.BlockPanels(block); ++panel) {
      const auto rows = GemvPanelRows::Of(packed, block, panel);
      scratch.LoadMasks(weights, rows);
      scratch.LoadValues(weights, rows);
      if (layout.form == GemvForm::kCells) {
        FillCells(scratch, rows, block, panel, packed);
        continue;
      }
      for (size_t band = 0; band < packed.bands(); ++band) {
        const auto columns = GemvBand::Of(packed, band);
        const auto each = [&](const auto& f) {
          for (size_t c = columns.first; c < columns.first + columns.count; ++c) {
            VisitColumnLists(layout.form, scratch.mask[c], [&](size_t list) { f(list, c); });
          }
        };
        // Where the next column of each list goes: lists begin with a step of their own.
        std::array<uint64_t, std::tuple_size_v<ColumnLists>> next{};
        each([&](size_t list, size_t) { ++next[list]; });
        uint64_t step = packed.FirstStep(block, band, panel);
        for (size_t list = 0; list < next.size(); ++list) {
          const uint64_t count = DivideUp(next[list], uint64_t{4});
          if (layout.form == GemvForm::kMasked) {
            std::fill_n(packed.mask.data() + step, count, static_cast<uint8_t>(list));
          }
          next[list] = 4 * std::exchange(step, step + count);
        }
        each([&](size_t list, size_t c) {
          const uint64_t at = next[list]++;
          packed.index[at] = static_cast<uint16_t>(c - columns.first);
          for (size_t byte = 0; layout.form == GemvForm::kFilled && byte < layout.masks() / 4; ++byte) {
            packed.mask[at * (layout.masks() / 4) + byte] = static_cast<uint8_t>(scratch.mask[c] >> 8 * byte);
          }
          // Of the listed rows, or of all: absent ones keep the zero that is there.
          T* weight = packed.weight.data() + at * (layout.weights() / 4);
          for (size_t r = 0; r < rows.count; ++r) {
            const bool listed = layout.form != GemvForm::kMasked || (list >> r & 1) != 0;
            const bool stored = (scratch.mask[c] >> r & 1) != 0;
            if (listed && stored) *weight = scratch.value[r * all_columns + c];
            if (listed) ++weight;
          }
        });
      }
    }
  }
}

template <class T, class Weights>
void FillRows(const Weights& weights, PackedGemv<T>& packed) {
  const size_t panel_rows = packed.layout.panel_rows();
  for (size_t block = 0; block < packed.blocks(); ++block) {
    const uint8_t* order = packed.row.data() + block * kGemvBlockRows;
    for (size_t r = 0; r < packed.BlockRows(block); ++r) {
      int64_t band = -1;
      uint64_t at = 0;
      weights.VisitRow(static_cast<int64_t>(block * kGemvBlockRows + order[r]), [&](int64_t column, const T& value) {
        if (column / packed.layout.band_columns() != band) {
          band = column / packed.layout.band_columns();
          at = packed.FirstStep(block, static_cast<size_t>(band), r / panel_rows) * panel_rows + r % panel_rows;
        }
        packed.index[at] = static_cast<uint16_t>(column % packed.layout.band_columns());
        packed.weight[at] = value;
        at += panel_rows;
      });
    }
  }
}

template <class T, class Weights>
void FillLookup(const Weights& weights, PackedGemv<T>& packed) {
  const size_t panel_rows = packed.layout.panel_rows(), bands = packed.bands();
  for (size_t block = 0; block < packed.blocks(); ++block) {
    for (size_t r = 0; r < packed.BlockRows(block); ++r) {
      int64_t band = -1;
      size_t row = 0, kept = 0;  // of the panel; before this one, in the band
      uint64_t first = 0;
      weights.VisitRow(static_cast<int64_t>(block * kGemvBlockRows + r), [&](int64_t column, const T& value) {
        if (column / kLookupColumns != band) {
          band = column / kLookupColumns;
          const auto b = static_cast<size_t>(band);
          const size_t place = r / kLookupRows * kLookupRows + packed.row[(block * bands + b) * kGemvBlockRows + r];
          first = packed.FirstStep(block, b, place / panel_rows);
          row = place % panel_rows;
          kept = 0;
        }
        const size_t step = (first + kept / 4) * packed.layout.weights(), t = kept % 4;
        packed.mask[step + row / 4 * 16 + 4 * t + row % 4] = static_cast<uint8_t>(column % kLookupColumns);
        packed.weight[step + t * panel_rows + row] = value;
        ++kept;
      });
    }
  }
}

}  // namespace pack

// Packs `weights` as they have been counted. `count` must fit.
template <class T, class Weights>
Result<PackedGemv<T>> PackGemv(const Weights& weights, GemvCount<T> count) {
  PackedGemv<T> packed = std::move(count.packed);
  const GemvLayout& layout = packed.layout;
  const uint64_t steps = packed.step_begin[packed.step_begin.size() - 1];
  LACUNA_ASSIGN_OR_RETURN(index, Buffer<uint16_t>::Make(steps * layout.indices()));
  LACUNA_ASSIGN_OR_RETURN(mask, Buffer<uint8_t>::Make(steps * layout.masks()));
  LACUNA_ASSIGN_OR_RETURN(weight, Buffer<T>::Make(steps * layout.weights()));
  LACUNA_ASSIGN_OR_RETURN(cells, Buffer<GemvCells>::Make(steps * layout.cells()));
  packed.cells = std::move(cells);
  for (GemvCells& step : packed.cells) {
    for (auto& cell : step.column) std::fill(std::begin(cell), std::end(cell), GemvCells::kNone);
  }
  packed.index = std::move(index);
  packed.mask = std::move(mask);
  packed.weight = std::move(weight);
  for (size_t part = 0; part + 1 < packed.step_begin.size(); ++part) {
    std::fill(packed.index.begin() + packed.step_begin[part] * layout.indices(),
              packed.index.begin() + packed.step_begin[part + 1] * layout.indices(),
              static_cast<uint16_t>(packed.BandColumns(part % packed.bands())));
  }
  if (layout.form == GemvForm::kScattered) {
    pack::FillRows(weights, packed);
  } else if (layout.form == GemvForm::kLookup) {
    std::fill(packed.mask.begin(), packed.mask.end(), kLookupNone);
    pack::FillLookup(weights, packed);
  } else {
    LACUNA_ASSIGN_OR_RETURN(scratch, pack::PanelScratch<T>::Make({.rows = layout.rows}, packed.shape.columns));
    pack::FillPanels(weights, scratch, packed);
  }
  return packed;
}

}  // namespace lacuna

#endif  // LACUNA_PACK_GEMV_H_
