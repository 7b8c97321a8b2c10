// OutputRows: which output channel a packed row is, and its bias.

#ifndef LACUNA_OP_OUTPUT_ROWS_H_
#define LACUNA_OP_OUTPUT_ROWS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/status.h"
#include "lacuna/pack/packed_weights.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// Arrays have tile.rows elements a panel; those of rows beyond the end of a group are 0.
struct OutputRows {
  Buffer<float> bias;        // zero where there is none
  Buffer<uint32_t> channel;  // counted over all groups

  static Result<OutputRows> Of(const PackedWeights<float>& packed, const Epilogue& epilogue) {
    const auto tile_rows = static_cast<size_t>(packed.tile.rows);
    OutputRows rows;
    LACUNA_ASSIGN_OR_RETURN(bias, Buffer<float>::Make(packed.panels() * tile_rows));
    LACUNA_ASSIGN_OR_RETURN(channel, Buffer<uint32_t>::Make(packed.panels() * tile_rows));
    for (size_t panel = 0; panel < packed.panels(); ++panel) {
      const auto [first, count] = packed.PanelRows(panel);
      for (int64_t r = 0; r < count; ++r) {
        const size_t at = panel * tile_rows + static_cast<size_t>(r);
        const auto row = static_cast<size_t>(first + r);
        channel[at] = packed.row_order.size() == 0 ? static_cast<uint32_t>(row) : packed.row_order[row];
        if (!epilogue.bias.empty()) bias[at] = epilogue.bias[channel[at]];
      }
    }
    rows.bias = std::move(bias);
    rows.channel = std::move(channel);
    return rows;
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_OP_OUTPUT_ROWS_H_
