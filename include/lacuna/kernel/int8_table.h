// Int8Kernels: the kernels of 8-bit products on one SIMD target as plain function pointers.

#ifndef LACUNA_KERNEL_INT8_TABLE_H_
#define LACUNA_KERNEL_INT8_TABLE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/quantization.h"
#include "lacuna/core/value_traits.h"
#include "lacuna/kernel/table.h"
#include "lacuna/pack/input_tile.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// As PanelArgs and PanelFn, but that a column is a group of four, and every lane of x their inputs at one position. All
// of acc is written, never the output.
struct Int8PanelArgs {
  const int32_t* x;
  const int32_t* offset;
  const WeightGroup<Int8Traits>* weight;
  const uint32_t* count;
  const int32_t* bias;  // [tile.rows], the zero points' sums in it
  int32_t* acc;         // [tile.rows][width * lanes]
};
using Int8PanelFn = void (*)(const Int8PanelArgs& args);
using Int8PanelKernel = PanelKernelOf<Int8PanelFn>;

// Activations of a group of a layer. Strides count elements, which are bytes.
struct Int8Planes {
  const uint8_t* data;  // channel 0 of the group
  int64_t channel_stride;
  std::array<int64_t, 3> axis_stride;
  int64_t channels;
  uint8_t padding;  // the zero point, as a byte of the input
  uint8_t flip;     // is xored to what is packed: 0x80 makes s8 of u8, and the other way round
};
// As PackInputFn; channels of the tile are groups of four, lanes hold a group's bytes, the first one lowest. Bytes of
// channels that the layer has not are any.
using PackInt8InputFn = void (*)(const InputTile& tile, const std::array<int64_t, 3>& origin, const Int8Planes& x,
                                 int32_t* to);

// What a QuantizedEpilogue makes of the sums of a panel: rows of it, spans of a sub-tile.
struct Int8StoreArgs {
  const int32_t* acc;  // [rows][acc_stride]
  size_t acc_stride;   // whole vectors, at most kMaxVectors
  int rows;
  const float* multiplier;  // [rows]
  const Requantization* values;
  const Quantization* y_type;
  const Quantization* residual_type;
  const int64_t* y_offset;  // per row, in elements from y; the same for the residual's from `residual`
  const int64_t* residual_offset;
  std::byte* y;                                      // at the corner of the tile
  const std::byte* residual;                         // at the corner of the tile, or null
  std::array<int64_t, 3> y_stride, residual_stride;  // per axis, elements
  std::span<const OutputSpan> spans;
};
using Int8StoreFn = void (*)(const Int8StoreArgs& args);

// A row of a depthwise filter: acc[i] = bias + sum over taps t of x[offset[t] + i] * weight[t], modulo 2^32, for i <
// count, whole vectors. Up to count bytes from x + offset[t] on are read, acc needs no alignment.
struct Int8DepthwiseArgs {
  const uint8_t* x;
  const int32_t* offset;   // [taps]
  const uint32_t* weight;  // [taps]
  size_t taps;
  uint32_t bias;
  uint32_t* acc;
  size_t count;
};
using Int8DepthwiseFn = void (*)(const Int8DepthwiseArgs& args);

struct Int8Kernels {
  int64_t target;           // Highway's bit
  size_t lanes;             // sums of a vector
  const char* instruction;  // that multiplies
  bool signed_input;        // bytes of the tile are s8, else u8
  std::span<const Int8PanelKernel> panels;
  PackInt8InputFn pack_input;
  Int8StoreFn store;
  Int8DepthwiseFn depthwise;
  const Int8Kernels* without_dot;  // on the same target, of instructions that every CPU with it has; may be null
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_KERNEL_INT8_TABLE_H_
