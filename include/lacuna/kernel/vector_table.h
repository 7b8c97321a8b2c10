// VectorKernels: the kernels of matrix-vector products and recurrent cells of one SIMD target, as plain function
// pointers. Apart from KernelTable, so that only those who make such plans compile them.

#ifndef LACUNA_KERNEL_VECTOR_TABLE_H_
#define LACUNA_KERNEL_VECTOR_TABLE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/kernel/table.h"
#include "lacuna/pack/gemv.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// Panels of one block and band of PackedGemv (kLookup: of `bands` bands, whose steps follow each other), times `width`
// columns of X: sum[j * sum_stride + r] += sum over the columns c that row r of the block keeps of weight(r, c) *
// X(c, j), X as GemvKernel::pack has packed it. The sums of whole panels (kLookup: of kLookupRows) are read and
// written, whatever the matrix's last row. Weights of kS8 are taken for integers: their scales are the caller's.
struct GemvArgs {
  const float* x;
  const uint16_t* index;
  const uint8_t* mask;
  const GemvCells* cells;
  const void* weight;     // [steps][layout.weights()], of the layout's type
  const uint16_t* scale;  // of kS4, [groups][rows]
  const uint32_t* steps;  // [panels]
  size_t panels;
  size_t bands;
  const uint8_t* row;  // of kScattered and kLookup
  float* sum;
  size_t sum_stride;
};
using GemvFn = void (*)(const GemvArgs& args);

// `columns` columns of X for a band, packed for a width: to[i * width + j] = x[i * row_stride + j * column_stride] for
// i < rows, zeros for rows <= i < packed_rows. Columns up to `width`, at least `columns`, repeat the last one. kLookup
// with a width of 1: to is uint8_t[4][kLookupColumns], byte p of every float's bits.
struct PackVectorsArgs {
  const float* x;
  int64_t row_stride, column_stride;
  int64_t rows, packed_rows, columns, width;
  float* to;  // aligned, if kCells or kLookup
};
using PackVectorsFn = void (*)(const PackVectorsArgs& args);

inline constexpr std::array<int, 5> kGemvWidths = {1, 2, 4, 8, 16};

struct GemvKernel {
  GemvLayout layout;
  const char* name;
  double cost;  // of 16 packed weights, see defaults.h
  PackVectorsFn pack;
  std::array<GemvFn, kGemvWidths.size()> run;  // null for widths that the kernel does not have; it has 1
  bool (*is_available)() = nullptr;            // whether this CPU has what it needs besides the target's; null: it has

  // Index into kGemvWidths of the narrowest width that takes `columns`, or of the widest there is.
  size_t WidthFor(int64_t columns) const {
    size_t best = 0;
    for (size_t i = 0; i < run.size(); ++i) {
      if (run[i] == nullptr) continue;
      best = i;
      if (kGemvWidths[i] >= columns) break;
    }
    return best;
  }
};

// Bytes [32][m]: what moves the sums of the rows of mask m, ascending in lanes 0 to 3, to the lanes of their rows, and
// zeros to the others (TableLookupBytesOr0). A template, for it is computed only where it is used.
template <class Byte>
inline constexpr auto kSpreadRows = [] {
  std::array<std::array<Byte, 32>, 256> table{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    for (unsigned r = 0; r < 8; ++r) {
      const auto place = static_cast<unsigned>(std::popcount(mask & ((1u << r) - 1u)));
      for (unsigned byte = 0; byte < 4; ++byte) {
        const bool kept = (mask >> r & 1u) != 0 && place < 4;
        table[mask][4 * r + byte] = static_cast<Byte>(kept ? 4 * place + byte : 0x80);
      }
    }
  }
  return table;
}();

// The gates of `units` hidden units of one entry of the batch, all pointers at the first of them; see core/recurrent.h
// for the formulas. Gate g of W x + Wb is `hidden` * g elements behind input[0]; likewise of R h + Rb and the
// peepholes.
struct GateArgs {
  int64_t units;
  int64_t hidden;
  const float* input;
  const float* recurrent;
  const float* peephole;  // of an LSTM, or null
  float* h;               // of step t - 1, becomes that of step t
  float* c;               // of an LSTM, likewise
  float* y;               // receives h of step t as well, or null
  float* reset;           // GateKernels::gru_reset writes the argument of the second product there
  GateFunction f, g, h_function;
  float clip;
  bool linear_before_reset, input_forget;
};
using GateFn = void (*)(const GateArgs& args);

struct GateKernels {
  GateFn rnn, gru_reset, gru, lstm;
};

// Packs weights as they have been counted: PackGemv, or PackNarrowGemv.
using PackGemvFn = Result<PackedGemv<float>> (*)(const RowSource<float>& weights, GemvCount<float> count);

struct VectorKernels {
  int64_t target;  // Highway's bit
  size_t lanes;    // floats of a vector
  std::span<const GemvKernel> gemv;
  PackGemvFn pack_weights;
  StoreFn store;
  GateKernels standard_gates;  // f is a sigmoid, g and h_function are tanh, whatever the arguments say; RNN: tanh
  GateKernels gates;           // any functions; RNN: g
};

// Those of weights that are stored as other types than f32. Apart, so that only those who make such plans compile them.
struct NarrowKernels {
  VectorKernels f16, bf16, s8, s4;

  // Null of types that weights are not stored as.
  const VectorKernels* Of(ValueType storage) const {
    switch (storage) {
      case ValueType::kF16: return &f16;
      case ValueType::kBf16: return &bf16;
      case ValueType::kS8: return &s8;
      case ValueType::kS4: return &s4;
      default: return nullptr;
    }
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_KERNEL_VECTOR_TABLE_H_
