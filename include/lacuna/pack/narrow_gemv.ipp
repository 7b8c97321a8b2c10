#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/half.h"
#include "lacuna/core/value_traits.h"
#include "lacuna/format/quantized_rows.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/pack/narrow_gemv.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace pack {

// The integers of QuantizedRows as floats, which hold them exactly.
struct IntegerRows {
  using value_type = float;
  const QuantizedRows& rows;

  const MatrixShape& shape() const { return rows.shape(); }
  int64_t nnz() const { return rows.nnz(); }
  Status Validate() const { return Status(); }
  template <class F>
  void VisitRow(int64_t row, const F& f) const {
    rows.VisitRow(row, [&](int64_t column, int8_t q) { f(column, static_cast<float>(q)); });
  }
};

inline Status CheckRange(const RowSource<float>& weights, ValueType type) {
  const float limit =
      type == ValueType::kF16 ? 65520.0f : std::bit_cast<float>(0x7f7f8000u);  // what rounds to infinity
  float worst = 0.0f;
  for (int64_t row = 0; row < weights.shape().rows; ++row) {
    weights.VisitRow(row, [&](int64_t, const float& w) {
      if (!(std::abs(w) < limit)) worst = w;
    });
    if (worst != 0.0f) {
      return Status::InvalidArgument("weights of row %lld have %g, must be finite as %s", static_cast<long long>(row),
                                     double{worst}, ValueTypeName(type));
    }
  }
  return Status();
}

// A panel in a band: columns of f32 weights, and where they go as kS4.
struct GroupedPanel {
  const float* weight;  // [columns][rows]
  size_t columns, rows;
  std::byte* to;    // [octets][rows], a word each
  uint16_t* scale;  // [groups][rows]

  void Fill() const {
    constexpr size_t kGroupColumns = 8 * kGroupSteps;
    for (size_t first = 0; first < columns; first += kGroupColumns) {
      const size_t end = std::min(columns, first + kGroupColumns);
      for (size_t r = 0; r < rows; ++r) {
        float most = 0.0f;
        for (size_t c = first; c < end; ++c) {
          const float w = weight[c * rows + r];
          if (std::abs(w) > std::abs(most)) most = w;
        }
        const uint16_t bits = Bf16BitsOf(most / -8.0f);
        const float unit = F32OfBf16Bits(bits);
        scale[first / kGroupColumns * rows + r] = bits;
        for (size_t c = first; c < end; c += 8) {
          uint32_t word = 0;
          for (size_t k = 0; k < std::min<size_t>(8, end - c) && unit != 0.0f; ++k) {
            const float q = std::clamp(std::nearbyint(weight[(c + k) * rows + r] / unit), -8.0f, 7.0f);
            word |= (static_cast<uint32_t>(static_cast<int32_t>(q)) & 0xfu) << 4 * k;
          }
          std::memcpy(to + (c / 8 * rows + r) * sizeof(word), &word, sizeof(word));
        }
      }
    }
  }
};

// Makes kS4 of packed f32 weights. A column here is one of kShared, or a weight of each row of kScattered.
inline Result<PackedGemv<float>> PackGroups(PackedGemv<float> wide) {
  PackedGemv<float> packed;
  packed.shape = wide.shape;
  packed.layout = wide.layout;
  packed.layout.storage = ValueType::kS4;
  packed.nnz = wide.nnz;
  packed.row = std::move(wide.row);
  const size_t rows = wide.layout.panel_rows(), step_columns = wide.layout.weights() / rows;
  const size_t column_indices = wide.layout.indices() / step_columns;
  const size_t parts = wide.blocks() * wide.bands(), panels = wide.panels_per_block();
  LACUNA_ASSIGN_OR_RETURN(steps, Buffer<uint32_t>::Make(wide.steps.size()));
  LACUNA_ASSIGN_OR_RETURN(step_begin, Buffer<uint64_t>::Make(parts + 1));
  LACUNA_ASSIGN_OR_RETURN(group_begin, Buffer<uint64_t>::Make(parts + 1));
  for (size_t part = 0; part < parts; ++part) {
    step_begin[part + 1] = step_begin[part];
    group_begin[part + 1] = group_begin[part];
    for (size_t panel = part * panels; panel < (part + 1) * panels; ++panel) {
      steps[panel] = static_cast<uint32_t>(DivideUp(size_t{wide.steps[panel]} * step_columns, size_t{8}));
      step_begin[part + 1] += steps[panel];
      group_begin[part + 1] += DivideUp(size_t{steps[panel]}, kGroupSteps);
    }
  }
  LACUNA_ASSIGN_OR_RETURN(index, Buffer<uint16_t>::Make(step_begin[parts] * packed.layout.indices()));
  LACUNA_ASSIGN_OR_RETURN(narrow, Buffer<std::byte>::Make(step_begin[parts] * packed.layout.weight_bytes()));
  LACUNA_ASSIGN_OR_RETURN(scale, Buffer<uint16_t>::Make(group_begin[parts] * rows));
  size_t from = 0, to = 0, group = 0;  // steps, steps, groups
  for (size_t part = 0; part < parts; ++part) {
    std::fill(index.begin() + step_begin[part] * packed.layout.indices(),
              index.begin() + step_begin[part + 1] * packed.layout.indices(),
              static_cast<uint16_t>(wide.BandColumns(part % wide.bands())));
    for (size_t panel = part * panels; panel < (part + 1) * panels; ++panel) {
      const size_t columns = wide.steps[panel] * step_columns;
      std::copy_n(wide.index.data() + from * wide.layout.indices(), columns * column_indices,
                  index.data() + to * packed.layout.indices());
      GroupedPanel{wide.weight.data() + from * wide.layout.weights(), columns, rows,
                   narrow.data() + to * packed.layout.weight_bytes(), scale.data() + group * rows}
          .Fill();
      from += wide.steps[panel];
      to += steps[panel];
      group += DivideUp(size_t{steps[panel]}, kGroupSteps);
    }
  }
  packed.steps = std::move(steps);
  packed.step_begin = std::move(step_begin);
  packed.group_begin = std::move(group_begin);
  packed.index = std::move(index);
  packed.narrow = std::move(narrow);
  packed.group_scale = std::move(scale);
  return packed;
}

}  // namespace pack

LACUNA_FUNC Result<PackedGemv<float>> PackNarrowGemv(const RowSource<float>& weights, GemvCount<float> count) {
  const ValueType storage = count.packed.layout.storage;
  count.packed.layout.storage = ValueType::kF32;
  LACUNA_RETURN_IF_ERROR(pack::CheckRange(weights, storage));
  if (storage == ValueType::kS4) {
    LACUNA_ASSIGN_OR_RETURN(wide, PackGemv<float>(weights, std::move(count)));
    return pack::PackGroups(std::move(wide));
  }
  const auto convert = [&](PackedGemv<float> packed, const auto& rounded) -> Result<PackedGemv<float>> {
    using T = decltype(rounded(0.0f));
    packed.layout.storage = storage;
    LACUNA_ASSIGN_OR_RETURN(narrow, Buffer<std::byte>::Make(packed.weight.size() * sizeof(T)));
    for (size_t i = 0; i < packed.weight.size(); ++i) {
      const T value = rounded(packed.weight[i]);
      std::memcpy(narrow.data() + i * sizeof(T), &value, sizeof(T));
    }
    packed.narrow = std::move(narrow);
    packed.weight = Buffer<float>();
    return packed;
  };
  if (storage == ValueType::kS8) {
    LACUNA_ASSIGN_OR_RETURN(rows, QuantizedRows::Of(weights));
    const pack::IntegerRows integers{rows};
    LACUNA_ASSIGN_OR_RETURN(wide, PackGemv<float>(integers, std::move(count)));
    LACUNA_ASSIGN_OR_RETURN(scale, Buffer<float>::Make(wide.blocks() * kGemvBlockRows));
    std::copy(rows.scale().begin(), rows.scale().end(), scale.begin());
    wide.row_scale = std::move(scale);
    return convert(std::move(wide), [](float w) { return static_cast<int8_t>(w); });
  }
  LACUNA_ASSIGN_OR_RETURN(wide, PackGemv<float>(weights, std::move(count)));
  if (storage == ValueType::kF16) return convert(std::move(wide), [](float w) { return F16BitsOf(w); });
  return convert(std::move(wide), [](float w) { return Bf16BitsOf(w); });
}

}  // namespace lacuna::inline LACUNA_ABI
