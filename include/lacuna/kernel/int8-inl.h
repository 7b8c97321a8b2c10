// The kernels of 8-bit products, compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/int8_depthwise-inl.h"
#include "lacuna/kernel/int8_input-inl.h"
#include "lacuna/kernel/int8_store-inl.h"
#include "lacuna/kernel/int8_table.h"
#include "lacuna/kernel/multiply-inl.h"
#include "lacuna/kernel/panel-inl.h"
#include "lacuna/kernel/target-inl.h"
#include "lacuna/policy/tile.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(LACUNA_KERNEL_INT8_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_INT8_INL_H_
#undef LACUNA_KERNEL_INT8_INL_H_
#else
#define LACUNA_KERNEL_INT8_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The panel kernel of f32, on groups of four columns. See Int8PanelFn.
template <class Multiply, class Tile, int kWidth>
HWY_INLINE void Int8Panel(const Int8PanelArgs& args) {
  const hn::ScalableTag<int32_t> d;
  constexpr Indices<Tile::kRows> kRows;
  hn::Vec<decltype(d)> acc[Tile::kRows][kWidth];
  FillRows(kRows, d, args.bias, 1, acc);
  AccumulatePanel<Multiply, Tile>(std::make_index_sequence<Tile::kMasks.size()>(), d, args, acc);
  StoreRows(kRows, d, acc, args.acc);
}

template <class Multiply, class Tile, int kWidth>
struct RunInt8Panel {
  static HWY_NOINLINE void Run(const Int8PanelArgs& args) { Int8Panel<Multiply, Tile, kWidth>(args); }
};
#if LACUNA_INT8_DOT
template <class Tile, int kWidth>
struct RunInt8Panel<MultiplyInt8Dot, Tile, kWidth> {
  static HWY_NOINLINE LACUNA_INT8_DOT_TARGET void Run(const Int8PanelArgs& args) {
    Int8Panel<MultiplyInt8Dot, Tile, kWidth>(args);
  }
};
#endif

template <class Multiply, class Tile, size_t... kIndex>
constexpr Int8PanelKernel MakeInt8PanelKernel(std::index_sequence<kIndex...>) {
  constexpr std::array<int, kMaxVectors> kWidths = WidthsOf<Tile>();
  return {kTileInfo<Tile>,
          kTileName<Tile>.data(),
          kKeptTileName<Tile>.data(),
          kWidths,
          {(kWidths[kIndex] == 0
                ? nullptr
                : &RunInt8Panel<Multiply, Tile, (kWidths[kIndex] == 0 ? Tile::kVectors : kWidths[kIndex])>::Run)...},
          nullptr};
}

template <class Multiply, class Tiles>
struct Int8PanelKernels;
template <class Multiply, class... Tiles>
struct Int8PanelKernels<Multiply, AnyOf<Tiles...>> {
  static constexpr std::array<Int8PanelKernel, sizeof...(Tiles)> kKernels = {
      MakeInt8PanelKernel<Multiply, Tiles>(std::make_index_sequence<kMaxVectors>())...};
};

// The table of one way to multiply.
template <class P, class Multiply>
const Int8Kernels& Int8KernelsBy(const Int8Kernels* without_dot) {
  static const Int8Kernels table = {HWY_TARGET,
                                    hn::Lanes(hn::ScalableTag<int32_t>()),
                                    Multiply::kName,
                                    Multiply::kSignedInput,
                                    Int8PanelKernels<Multiply, typename P::template Int8Tile<Target>>::kKernels,
                                    &PackInt8Input,
                                    &StoreInt8,
                                    &RunDepthwiseInt8,
                                    without_dot};
  return table;
}

template <class P>
const Int8Kernels& KernelsOfInt8() {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  using Exact = MultiplyInt8Pairs;
#else
  using Exact = MultiplyInt8;
#endif
  const Int8Kernels& exact = Int8KernelsBy<P, Exact>(nullptr);
#if LACUNA_INT8_DOT
  if (HasInt8Dot()) return Int8KernelsBy<P, MultiplyInt8Dot>(&exact);
#endif
  return exact;
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
