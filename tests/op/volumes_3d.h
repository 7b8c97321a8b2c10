// Volumes: rank-3 layers in which every two properties meet, for tests that cannot run all combinations.

#ifndef LACUNA_TESTS_OP_VOLUMES_3D_H_
#define LACUNA_TESTS_OP_VOLUMES_3D_H_

#include "lacuna/core/shape.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tests/support/layer.h"
#include "tests/support/tensor.h"

namespace lacuna::test {

// Few rows with row[i] < sizes[i], so that any two values of any two factors occur together in one of them.
inline std::vector<std::vector<size_t>> Pairwise(const std::vector<size_t>& sizes) {
  std::vector<size_t> first(sizes.size() + 1);  // values are numbered over all factors
  for (size_t i = 0; i < sizes.size(); ++i) first[i + 1] = first[i] + sizes[i];
  std::vector<std::vector<bool>> met(first.back(), std::vector<bool>(first.back()));
  std::vector<std::vector<size_t>> rows;
  // A row with values for the factors below `chosen`; how many new pairs another value makes with them.
  const auto gain = [&](const std::vector<size_t>& row, const std::vector<bool>& chosen, size_t factor, size_t value) {
    size_t pairs = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (chosen[i] && !met[first[i] + row[i]][first[factor] + value]) ++pairs;
    }
    return pairs;
  };
  const auto add_row = [&](size_t i, size_t a, size_t j, size_t b) {
    std::vector<size_t> row(sizes.size());
    std::vector<bool> chosen(sizes.size());
    row[i] = a;
    row[j] = b;
    chosen[i] = chosen[j] = true;
    for (size_t factor = 0; factor < sizes.size(); ++factor) {
      if (chosen[factor]) continue;
      size_t best = rows.size() % sizes[factor];
      for (size_t value = 0; value < sizes[factor]; ++value) {
        if (gain(row, chosen, factor, value) > gain(row, chosen, factor, best)) best = value;
      }
      row[factor] = best;
      chosen[factor] = true;
    }
    for (size_t p = 0; p < sizes.size(); ++p) {
      for (size_t q = 0; q < sizes.size(); ++q) met[first[p] + row[p]][first[q] + row[q]] = true;
    }
    rows.push_back(std::move(row));
  };
  for (size_t i = 0; i < sizes.size(); ++i) {
    for (size_t j = i + 1; j < sizes.size(); ++j) {
      for (size_t a = 0; a < sizes[i]; ++a) {
        for (size_t b = 0; b < sizes[j]; ++b) {
          if (!met[first[i] + a][first[j] + b]) add_row(i, a, j, b);
        }
      }
    }
  }
  return rows;
}

inline constexpr Extents<3> kVolumeKernels[] = {{3, 3, 3}, {1, 3, 3}, {3, 1, 1}, {1, 7, 7},
                                                {5, 3, 1}, {1, 1, 1}, {2, 2, 2}};
inline constexpr Extents<3> kVolumeStrides[] = {{1, 1, 1}, {2, 1, 1}, {1, 2, 2}, {2, 1, 3}, {2, 2, 2}};
inline constexpr Extents<3> kVolumeDilations[] = {{1, 1, 1}, {2, 1, 1}, {1, 2, 1}, {2, 1, 3}};
inline constexpr Extents<3> kVolumes[] = {{4, 5, 9}, {1, 6, 17}, {1, 1, 1}, {5, 4, 33}, {3, 1, 2}};
struct VolumePad {
  Extents<3> begin, end;
};
inline constexpr VolumePad kVolumePads[] = {{{0, 0, 0}, {0, 0, 0}},
                                            {{1, 1, 1}, {1, 1, 1}},
                                            {{1, 0, 2}, {0, 2, 1}},
                                            {{0, 3, 0}, {2, 0, 4}},
                                            {{4, 3, 9}, {3, 5, 7}}};
struct VolumeChannels {
  int64_t in, out, groups;
};
inline constexpr VolumeChannels kVolumeChannels[] = {{5, 9, 1}, {6, 10, 2}, {7, 7, 7}, {1, 3, 1}, {13, 17, 1}};

// `shape` with as much more padding at the end of each axis as its kernel needs to fit once.
inline ConvShape<3> PaddedToFit(ConvShape<3> shape) {
  for (size_t a = 0; a < 3; ++a) {
    const int64_t reach = (shape.kernel[a] - 1) * shape.dilation[a] + 1;
    shape.pad_end[a] += std::max<int64_t>(0, reach - shape.input[a] - shape.pad_begin[a] - shape.pad_end[a]);
  }
  return shape;
}

// f(shape, run): every kernel with every stride, every stride with every layout, and so on. `channels` in place of
// kVolumeChannels.
template <class F>
void ForEachVolume(const std::vector<VolumeChannels>& channels, const F& f) {
  for (const std::vector<size_t>& row :
       Pairwise({std::size(kVolumeKernels), std::size(kVolumeStrides), std::size(kVolumeDilations), std::size(kVolumes),
                 std::size(kVolumePads), channels.size(), /*batch=*/2, std::size(kLayouts), std::size(kLayouts)})) {
    const VolumeChannels& c = channels[row[5]];
    f(PaddedToFit({.batch = static_cast<int64_t>(row[6]) + 1,
                   .in_channels = c.in,
                   .out_channels = c.out,
                   .groups = c.groups,
                   .input = kVolumes[row[3]],
                   .kernel = kVolumeKernels[row[0]],
                   .stride = kVolumeStrides[row[1]],
                   .dilation = kVolumeDilations[row[2]],
                   .pad_begin = kVolumePads[row[4]].begin,
                   .pad_end = kVolumePads[row[4]].end}),
      RunOptions{.x = kLayouts[row[7]], .y = kLayouts[row[8]]});
  }
}
template <class F>
void ForEachVolume(const F& f) {
  ForEachVolume({std::begin(kVolumeChannels), std::end(kVolumeChannels)}, f);
}

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_OP_VOLUMES_3D_H_
