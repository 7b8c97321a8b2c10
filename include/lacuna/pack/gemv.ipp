#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/pack/panel_scratch.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/tile.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

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

template <class T>
Result<GemvCount<T>> GemvCount<T>::Of(const RowSource<T>& weights, const GemvLayout& layout) {
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

template <class T>
Status GemvCount<T>::CountPanels(const RowSource<T>& weights) {
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
Status GemvCount<T>::CountRows(const RowSource<T>& weights) {
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
Status GemvCount<T>::CountLookup(const RowSource<T>& weights) {
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

template <class T>
void FillPanels(const RowSource<T>& weights, PanelScratch<T>& scratch, PackedGemv<T>& packed) {
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

template <class T>
void FillRows(const RowSource<T>& weights, PackedGemv<T>& packed) {
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

template <class T>
void FillLookup(const RowSource<T>& weights, PackedGemv<T>& packed) {
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

template <class T>
Result<PackedGemv<T>> PackGemv(const std::type_identity_t<RowSource<T>>& weights, GemvCount<T> count) {
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

}  // namespace lacuna::inline LACUNA_ABI
