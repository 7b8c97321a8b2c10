// DefaultPolicy and the concept of a policy.

#ifndef LACUNA_POLICY_POLICY_H_
#define LACUNA_POLICY_POLICY_H_

#include "lacuna/core/abi.h"
#include "lacuna/policy/cost.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/product.h"
#include "lacuna/policy/reorder.h"
#include "lacuna/policy/select.h"
#include "lacuna/policy/tile.h"

#include <concepts>
#include <cstddef>
#include <string_view>

namespace lacuna::inline LACUNA_ABI {

// What a policy decides, one member an axis. Derive from DefaultPolicy and override one:
//
//   struct Wide : lacuna::DefaultPolicy {
//     template <class Target> using Tile = lacuna::RegisterTile<6, 4>;
//   };
//
// Tile<Target> is a RegisterTile or AnyOf several, Patterns<Target> the PatternTiles; Target::kRegisters is the number
// of vector registers and Target::kMaxLanes the floats of a vector. Values that do not change generated code are data
// members.
struct DefaultPolicy {
  template <class Target>
  using Tile = typename DefaultTiles<Target::kRegisters, Target::kMaxLanes>::Type;
  template <class Target>
  using Patterns = typename DefaultTiles<Target::kRegisters, Target::kMaxLanes>::Patterns;
  // Of 8-bit products, whatever a policy says otherwise.
  template <class Target>
  using Int8Tile = typename DefaultInt8Tiles<Target::kRegisters>::Type;
  using Reorder = GroupScatteredRows;
  using Select = SelectByCostModel;

  // Largest packed input tile; one register tile of positions is always packed, however large.
  size_t input_tile_bytes = kInputTileBytes;
  // Of the machine that plans will run on: CostFactors::Of(*MeasuredMachine()), say.
  CostFactors cost{};
  // What the weights were pruned by ("bcr_col"), for selectors that save their choices; the format's name if empty.
  std::string_view scheme{};
  // Whether layers may take a Winograd form, whose outputs differ a little from a direct convolution's and whose
  // weights take more memory. A type's decision, as it adds kernels to every SIMD target of a header-only unit.
  static constexpr bool kWinograd = false;
  // If so, the largest WinogradError accepted, and the most bytes of transformed weights a layer may have.
  double winograd_error = kWinogradError;
  size_t winograd_weight_bytes = kWinogradWeightBytes;
  // Another library for dense products, whose Winograd forms are candidates besides: &LibxsmmProduct() of
  // kernel/product_libxsmm.h, say. May be null.
  const DenseProduct* winograd_product = nullptr;
};

// The default policy with Winograd forms among the candidates.
struct WinogradPolicy : DefaultPolicy {
  static constexpr bool kWinograd = true;
};

// Stands for a SIMD target where none is known, to check policies before any kernel is compiled.
struct AnyTarget {
  static constexpr int kRegisters = 16;
  static constexpr size_t kMaxLanes = 4;
};

template <class P>
concept Policy = requires(const P& policy) {
  typename P::template Tile<AnyTarget>;
  typename P::template Patterns<AnyTarget>;
  requires ReorderPolicy<typename P::Reorder>;
  requires SelectPolicy<typename P::Select>;
  { policy.input_tile_bytes } -> std::convertible_to<size_t>;
  { policy.cost } -> std::convertible_to<CostFactors>;
  { policy.scheme } -> std::convertible_to<std::string_view>;
  { P::kWinograd } -> std::convertible_to<bool>;
  { policy.winograd_error } -> std::convertible_to<double>;
  { policy.winograd_weight_bytes } -> std::convertible_to<size_t>;
  { policy.winograd_product } -> std::convertible_to<const DenseProduct*>;
};
static_assert(Policy<DefaultPolicy> && Policy<WinogradPolicy>);

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_POLICY_POLICY_H_
