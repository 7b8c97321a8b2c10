// DenseProduct: products of dense matrices by a library of the caller's choice.

#ifndef LACUNA_POLICY_PRODUCT_H_
#define LACUNA_POLICY_PRODUCT_H_

#include "lacuna/core/abi.h"
#include "lacuna/policy/winograd.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace lacuna::inline LACUNA_ABI {

// Y[rows][columns] = W[rows][depth] X[depth][columns]. All are row-major; strides count elements from row to row.
struct ProductShape {
  int64_t rows = 0, columns = 0, depth = 0;
  int64_t w_stride = 0, x_stride = 0, y_stride = 0;
};

// Such products in single precision, as Winograd plans take them for weights that are packed dense (PackWinograd).
// Weights and plans keep a pointer to it: give it static storage.
//
//   inline constexpr lacuna::DenseProduct kMine("mine", &PrepareMine, &RunMine);
class DenseProduct {
 public:
  // The kernel for a shape, or null if there is none. Asked when a plan is made, by any thread. What is returned stays
  // valid as long as there are plans, and is not given back: the library keeps it, one for each shape ever asked for.
  using PrepareFn = const void* (*)(const ProductShape& shape);
  // Y = W X by a kernel that was prepared; Y may hold anything before, NaN too. Called by many threads at once. No
  // alignment may be expected, and the same matrices must yield the same bits in every call.
  using RunFn = void (*)(const void* kernel, const float* w, const float* x, float* y);

  constexpr DenseProduct(const char* name, PrepareFn prepare, RunFn run) : prepare_(prepare), run_(run) {
    Append(name_, name);
    for (size_t i = 0; i < winograd_name_.size(); ++i) {
      Append(winograd_name_[i], kWinogradTiles[i].name);
      Append(winograd_name_[i], " ");
      Append(winograd_name_[i], name);
    }
  }

  constexpr const char* name() const { return name_.data(); }
  // "winograd 4x4 mine": the name of a Winograd form whose products are these. `tile` is one of kWinogradTiles.
  constexpr const char* WinogradName(const WinogradTile& tile) const {
    for (size_t i = 0; i < winograd_name_.size(); ++i) {
      if (kWinogradTiles[i].tile == tile) return winograd_name_[i].data();
    }
    return name();
  }

  constexpr bool complete() const { return prepare_ != nullptr && run_ != nullptr; }
  // Whether there are kernels at all on this CPU: one of the least shape is asked for.
  bool available() const {
    return complete() &&
           Prepare({.rows = 1, .columns = 16, .depth = 1, .w_stride = 1, .x_stride = 16, .y_stride = 16}) != nullptr;
  }
  const void* Prepare(const ProductShape& shape) const { return prepare_(shape); }
  void Run(const void* kernel, const float* w, const float* x, float* y) const { run_(kernel, w, x, y); }

 private:
  using Name = std::array<char, 40>;

  // What does not fit is cut.
  static constexpr void Append(Name& name, const char* text) {
    size_t used = 0;
    while (name[used] != '\0') ++used;
    while (*text != '\0' && used + 1 < name.size()) name[used++] = *text++;
  }

  PrepareFn prepare_;
  RunFn run_;
  Name name_{};
  std::array<Name, std::size(kWinogradTiles)> winograd_name_{};
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_POLICY_PRODUCT_H_
