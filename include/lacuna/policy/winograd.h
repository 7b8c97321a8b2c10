// Winograd tiles: F(m, 3) per axis, and the errors they make.

#ifndef LACUNA_POLICY_WINOGRAD_H_
#define LACUNA_POLICY_WINOGRAD_H_

#include "lacuna/core/abi.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// F(m, 3) on every axis (depth, height, width): m outputs from m + 2 products per axis instead of 3 m. Lavin and Gray,
// "Fast Algorithms for Convolutional Neural Networks", 2016. An axis with m = 1 is not transformed.
struct WinogradTile {
  std::array<int, 3> outputs{1, 1, 1};  // 1, 2, 4 or 6

  int64_t points(size_t axis) const { return outputs[axis] == 1 ? 1 : outputs[axis] + 2; }
  int64_t products() const { return points(0) * points(1) * points(2); }

  friend bool operator==(const WinogradTile&, const WinogradTile&) = default;
};

// The tiles that plans choose from.
struct NamedWinogradTile {
  WinogradTile tile;
  const char* name;
};
inline constexpr NamedWinogradTile kWinogradTiles[] = {
    {{{1, 2, 2}}, "winograd 2x2"},   {{{1, 4, 4}}, "winograd 4x4"},   {{{1, 6, 6}}, "winograd 6x6"},
    {{{2, 2, 2}}, "winograd 2x2x2"}, {{{2, 4, 4}}, "winograd 2x4x4"}, {{{4, 4, 4}}, "winograd 4x4x4"},
    {{{2, 1, 1}}, "winograd 2x1x1"}, {{{4, 1, 1}}, "winograd 4x1x1"}, {{{6, 1, 1}}, "winograd 6x1x1"},
    {{{1, 2, 1}}, "winograd 2x1"},   {{{1, 4, 1}}, "winograd 4x1"},   {{{1, 6, 1}}, "winograd 6x1"},
    {{{1, 1, 2}}, "winograd 1x2"},   {{{1, 1, 4}}, "winograd 1x4"},   {{{1, 1, 6}}, "winograd 1x6"},
};

// The largest error to expect of an output, over the root mean square of the outputs, with 64 input channels of
// Gaussian values and weights. Measured in some ten thousand outputs: 2-D 9e-7, 6e-6 and 4e-5 for m = 2, 4 and 6, 3-D
// 9e-7 and 1.5e-5 for 2 and 4; a factor for every axis comes near to that. A direct convolution has 1.7e-6: it adds up
// 9 or 27 times as many terms. Errors grow like the square root of the channels.
constexpr double WinogradError(const WinogradTile& tile) {
  double error = 5.7e-7;
  for (const int outputs : tile.outputs) error *= outputs == 1 ? 1.0 : outputs == 2 ? 1.25 : outputs == 4 ? 3.2 : 8.0;
  return error;
}

// A bound on every output's error: gamma_n * channels * max |w| * max |x| * WinogradAmplification(tile), with n =
// channels
// + 40 roundings, gamma_n = n u / (1 - n u), u = 2^-24, channels those of a group. On each axis that is the largest row
// sum of |A^T| |G| |B^T|; a direct convolution has 3.
constexpr double WinogradAmplification(const WinogradTile& tile) {
  double factor = 1.0;
  for (const int outputs : tile.outputs) factor *= outputs == 1 ? 1.0 : outputs == 2 ? 8.0 : outputs == 4 ? 25.0 : 68.0;
  return factor;
}

// G of F(m, 3), [m + 2][3], for m = 2, 4 and 6. Points are 0, 1, -1, infinity for 2, besides 2, -2, 1/2 and -1/2 for 6,
// and 0, the roots of 1/2 and 2, infinity for 4: a fifth of the error of 0, 1, -1, 2, -2 in 3-D, half of it in 2-D.
inline std::span<const double> WinogradKernelMatrix(int outputs) {
  // clang-format off
  static constexpr double kTwo[] = {1.0, 0.0, 0.0,
                                    0.5, 0.5, 0.5,
                                    0.5, -0.5, 0.5,
                                    0.0, 0.0, 1.0};
  static constexpr double kRoot2 = 1.41421356237309504880;
  static constexpr double kFour[] = {1.0, 0.0, 0.0,
                                     -2.0 / 3, -kRoot2 / 3, -1.0 / 3,
                                     -2.0 / 3, kRoot2 / 3, -1.0 / 3,
                                     1.0 / 6, kRoot2 / 6, 1.0 / 3,
                                     1.0 / 6, -kRoot2 / 6, 1.0 / 3,
                                     0.0, 0.0, 1.0};
  static constexpr double kSix[] = {1.0, 0.0, 0.0,
                                    -2.0 / 9, -2.0 / 9, -2.0 / 9,
                                    -2.0 / 9, 2.0 / 9, -2.0 / 9,
                                    1.0 / 90, 1.0 / 45, 2.0 / 45,
                                    1.0 / 90, -1.0 / 45, 2.0 / 45,
                                    1.0 / 45, 1.0 / 90, 1.0 / 180,
                                    1.0 / 45, -1.0 / 90, 1.0 / 180,
                                    0.0, 0.0, 1.0};
  // clang-format on
  switch (outputs) {
    case 2: return kTwo;
    case 4: return kFour;
    default: return kSix;
  }
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_POLICY_WINOGRAD_H_
