// Writes the sums of 8-bit products to a layer's output: what a QuantizedEpilogue says. Compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/core/quantization.h"
#include "lacuna/kernel/int8_input-inl.h"
#include "lacuna/kernel/int8_table.h"
#include "lacuna/kernel/store-inl.h"
#include "lacuna/kernel/transpose-inl.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/policy/tile.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(LACUNA_KERNEL_INT8_STORE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_INT8_STORE_INL_H_
#undef LACUNA_KERNEL_INT8_STORE_INL_H_
#else
#define LACUNA_KERNEL_INT8_STORE_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// v rounded to the nearest integer, half to even, plus the zero point: it must be in the range of T. Adding 1.5 * 2^23
// leaves no bits for a fraction, and the integer in the lowest ones. NearestInt takes care of numbers beyond int32, and
// on some targets rounds the number before a half up.
template <class T, class DF, class V>
HWY_INLINE hn::Vec<hn::Rebind<T, DF>> RoundTo(DF df, V v, int32_t zero_point) {
  const hn::RebindToSigned<DF> di;
  const hn::Rebind<T, DF> d8;
  const auto bits = hn::BitCast(di, hn::Add(v, hn::Set(df, 12582912.0f)));
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  // The lowest byte is right modulo 256.
  return hn::Add(hn::Vec<decltype(d8)>{_mm512_cvtepi32_epi8(bits.raw)}, hn::Set(d8, static_cast<T>(zero_point)));
#else
  return hn::DemoteTo(d8, hn::Add(bits, hn::Set(di, zero_point - 0x4b400000)));
#endif
}

// Positions of the widest sub-tile, or more: g++-12 takes copies of more bytes than the memory has for possible.
inline constexpr int kMostPositions = std::max(64, kMaxVectors* static_cast<int>(HWY_LANES(float)));

// What a QuantizedEpilogue does to a vector, its constants in registers.
template <class T, class DF, class VF = hn::Vec<DF>>
class Requantize {
 public:
  HWY_INLINE Requantize(DF d, const Int8StoreArgs& args)
      : df_(d),
        low_(hn::Set(d, args.values->low)),
        high_(hn::Set(d, args.values->high)),
        most_(hn::Set(d, args.values->most_term)),
        least_(hn::Set(d, -args.values->most_term)),
        residual_scale_(hn::Set(d, args.values->residual_scale)),
        zero_point_(args.y_type->zero_point),
        residual_zero_(hn::Set(hn::RebindToSigned<DF>(), args.residual_type->zero_point)) {}

  // to[i] = output of acc[i], i < count, in whole vectors; with what `residual` holds unless it is null.
  template <class R>
  HWY_INLINE void Row(float row_multiplier, const int32_t* HWY_RESTRICT acc, const R* HWY_RESTRICT residual,
                      size_t count, T* HWY_RESTRICT to) const {
    const size_t lanes = hn::Lanes(df_);
    const VF multiplier = hn::Set(df_, row_multiplier);
    const auto scaled = [&](size_t i) {
      return hn::Mul(hn::ConvertTo(df_, hn::Load(hn::RebindToSigned<DF>(), acc + i)), multiplier);
    };
    if (residual == nullptr) {
      for (size_t i = 0; i < count; i += lanes) Store(scaled(i), to + i);
      return;
    }
    for (size_t i = 0; i < count; i += lanes) Store(hn::Add(Hold(scaled(i)), Residual(residual + i)), to + i);
  }

 private:
  // Bounds on both sides of every addition keep compilers from fusing it with the multiplication.
  HWY_INLINE VF Hold(VF v) const { return hn::Max(hn::Min(v, most_), least_); }
  HWY_INLINE VF Residual(const float* from) const { return hn::LoadU(df_, from); }
  template <class Byte>
  HWY_INLINE VF Residual(const Byte* from) const {
    const hn::RebindToSigned<DF> di;
    const hn::Rebind<Byte, DF> d8;
    const auto integer = hn::Sub(hn::PromoteTo(di, hn::LoadU(d8, from)), residual_zero_);
    return Hold(hn::Mul(hn::ConvertTo(df_, integer), residual_scale_));
  }
  HWY_INLINE void Store(VF v, T* to) const {
    if constexpr (std::is_same_v<T, float>) {
      hn::StoreU(ClampKeepNaN(v, low_, high_), df_, to);
    } else {
      const hn::Rebind<T, DF> d8;
      hn::StoreU(RoundTo<T>(df_, hn::Max(hn::Min(v, high_), low_), zero_point_), d8, to);
    }
  }

  DF df_;
  VF low_, high_, most_, least_, residual_scale_;
  int32_t zero_point_;
  hn::Vec<hn::RebindToSigned<DF>> residual_zero_;
};

// Copies a few neighbouring elements; memcpy of a size that is not known is a call.
template <class T>
HWY_INLINE void CopyRun(const T* HWY_RESTRICT from, size_t count, T* HWY_RESTRICT to) {
  const size_t bytes = count * sizeof(T);
  const auto* source = reinterpret_cast<const char*>(from);
  auto* target = reinterpret_cast<char*>(to);
  // The last piece may begin before the end of the last but one.
  const auto in_pieces = [&](auto piece) {
    constexpr size_t kPiece = decltype(piece)::value;
    for (size_t i = 0; i + kPiece < bytes; i += kPiece) std::memcpy(target + i, source + i, kPiece);
    std::memcpy(target + bytes - kPiece, source + bytes - kPiece, kPiece);
  };
  if (bytes >= 16) return in_pieces(std::integral_constant<size_t, 16>());
  if (bytes >= 8) return in_pieces(std::integral_constant<size_t, 8>());
  if (bytes >= 4) return in_pieces(std::integral_constant<size_t, 4>());
  for (size_t i = 0; i < bytes; ++i) target[i] = source[i];
}

// from[r * stride + i] to y[i * column + r], for r < rows and i < count.
HWY_INLINE void StoreRowsLast(const float* from, int64_t stride, int rows, int64_t count, float* y, int64_t column) {
  Transpose(from, stride, rows, count, y, column);
}
template <class T>
HWY_INLINE void StoreRowsLast(const T* from, int64_t stride, int rows, int64_t count, T* y, int64_t column) {
  static_assert(sizeof(T) == 1);
  int r = 0;
  for (; r + 4 <= rows; r += 4) {
    int32_t quad[kMostPositions];
    const auto* row = reinterpret_cast<const uint8_t*>(from + r * stride);
    JoinRows({row, row + stride, row + 2 * stride, row + 3 * stride}, 1, count, quad);
    for (int64_t i = 0; i < count; ++i) std::memcpy(y + i * column + r, quad + i, 4);
  }
  for (; r < rows; ++r) {
    for (int64_t i = 0; i < count; ++i) y[i * column + r] = from[r * stride + i];
  }
}

// See Int8StoreFn: T is the type of the output, R of the residual. Where a sub-tile is one run of the output, rows are
// written there. All others are computed in memory that is ours, whole vectors at a time and whatever lies between the
// spans, then moved.
template <class T, class R>
HWY_NOINLINE void StoreInt8As(const Int8StoreArgs& args) {
  HWY_ALIGN T outputs[kMaxPanelRows * kMostPositions];
  HWY_ALIGN R residual[kMostPositions] = {};
  const hn::ScalableTag<float> df;
  const Requantize<T, decltype(df)> requantize(df, args);
  const auto stride = static_cast<int64_t>(args.acc_stride);
  const bool direct = args.spans.size() == 1 && args.spans[0].length == stride && args.y_stride[2] == 1;
  T* run = direct ? reinterpret_cast<T*>(args.y) + CornerOf(args.y_stride, args.spans[0]) : nullptr;
  for (int r = 0; r < args.rows; ++r) {
    if (args.residual != nullptr) {
      const R* row = reinterpret_cast<const R*>(args.residual) + args.residual_offset[r];
      for (const OutputSpan& span : args.spans) {
        const R* from = row + CornerOf(args.residual_stride, span);
        R* to = residual + span.position;
        if (args.residual_stride[2] == 1) {
          CopyRun(from, static_cast<size_t>(span.length), to);
        } else {
          for (int64_t i = 0; i < span.length; ++i) to[i] = from[i * args.residual_stride[2]];
        }
      }
    }
    requantize.Row(args.multiplier[r], args.acc + r * stride, args.residual != nullptr ? residual : nullptr,
                   args.acc_stride, direct ? run + args.y_offset[r] : outputs + r * stride);
  }
  if (direct) return;
  bool neighbours = true;
  for (int r = 1; r < args.rows; ++r) neighbours = neighbours && args.y_offset[r] == args.y_offset[0] + r;
  for (const OutputSpan& span : args.spans) {
    T* y = reinterpret_cast<T*>(args.y) + CornerOf(args.y_stride, span);
    const T* from = outputs + span.position;
    if (args.y_stride[2] == 1) {
      for (int r = 0; r < args.rows; ++r) {
        CopyRun(from + r * stride, static_cast<size_t>(span.length), y + args.y_offset[r]);
      }
    } else if (neighbours) {
      StoreRowsLast(from, stride, args.rows, span.length, y + args.y_offset[0], args.y_stride[2]);
    } else {
      for (int r = 0; r < args.rows; ++r) {
        for (int64_t i = 0; i < span.length; ++i) y[i * args.y_stride[2] + args.y_offset[r]] = from[r * stride + i];
      }
    }
  }
}

template <class T>
HWY_INLINE void StoreInt8With(const Int8StoreArgs& args) {
  // Without a residual its type is all one.
  if (args.residual == nullptr || args.residual_type->type == ValueType::kU8) return StoreInt8As<T, uint8_t>(args);
  return StoreInt8As<T, int8_t>(args);
}

// See Int8StoreFn.
inline void StoreInt8(const Int8StoreArgs& args) {
  switch (args.y_type->type) {
    case ValueType::kU8: return StoreInt8With<uint8_t>(args);
    case ValueType::kS8: return StoreInt8With<int8_t>(args);
    default: return StoreInt8As<float, float>(args);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
