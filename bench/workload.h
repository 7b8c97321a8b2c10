// Workload: the weights and the input of one layer, dense and pruned.

#ifndef LACUNA_BENCH_WORKLOAD_H_
#define LACUNA_BENCH_WORKLOAD_H_

#include "lacuna/core/status.h"
#include "lacuna/core/value_traits.h"
#include "lacuna/format/any.h"
#include "lacuna/format/dense.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine.h"

namespace lacuna::bench {

// One matrix of weights, pruned or not.
struct WeightMatrix {
  DenseWeights<float> dense;
  std::optional<AnyWeights<float>> pruned;

  int64_t nnz() const { return pruned ? pruned->nnz() : dense.nnz(); }
  size_t StorageBytes() const { return pruned ? pruned->StorageBytes() : dense.StorageBytes(); }
  int64_t elements() const { return dense.shape().elements(); }
};

// One set of weights of a layer. Movable; a Problem that refers to it must not outlive it.
struct WeightSet : WeightMatrix {
  std::string scheme;
  std::optional<WeightMatrix> recurrent{};  // R of a recurrent layer
  std::vector<double> expected{};           // and what it computes, planar

  int64_t total_nnz() const { return nnz() + (recurrent ? recurrent->nnz() : 0); }
  int64_t total_elements() const { return elements() + (recurrent ? recurrent->elements() : 0); }
  size_t TotalStorageBytes() const { return StorageBytes() + (recurrent ? recurrent->StorageBytes() : 0); }
};

struct Workload {
  ConvShape<3> shape;
  std::vector<float> input;        // planar
  std::vector<WeightSet> weights;  // the first is dense, whether asked for or not
  std::optional<Cell> cell{};      // of a recurrent layer
  std::vector<float> bias{}, h{}, c{};

  const WeightSet& Find(const std::string& scheme) const;
  Problem ProblemOf(const WeightSet& set, bool channels_last) const;
};

// Gaussian weights and inputs from a fixed seed, weights scaled by sqrt(2 / K) as He et al. do, pruned by the library's
// own projections under every scheme of `schemes`, those that can in groups of `channel_group` input channels.
Result<Workload> MakeWorkload(const ConvShape<3>& shape, std::span<const std::string> schemes,
                              int64_t channel_group = 1);
// The same of a recurrent layer, all from reference/: W and R are pruned one by one, and scaled by 0.5 / sqrt(K), so
// that gates are not saturated.
Result<Workload> MakeRecurrentWorkload(const ConvShape<3>& shape, Cell cell, std::span<const std::string> schemes);

// `dense` of layer `shape` pruned by `scheme` ("bcr_col-8x").
Result<WeightSet> Prune(const DenseWeights<float>& dense, const std::string& scheme, const ConvShape<3>& shape,
                        int64_t channel_group = 1);

// Ok if `output` (planar) is the convolution of the problem within the bound gamma_n * sum |w| |x| of n = 4 K + 64
// roundings, over all pixels of a few output channels. In a Winograd form an output's error depends on all inputs of
// its tile: four times the largest such bound of the channel is allowed. Weights that the engine stores as `storage`
// may each be off by what rounding them can make: 2^-11 (f16) or 2^-8 (bf16) of themselves, 1/254 (s8) or 1/8 (s4) of
// the row's largest. Returns the largest error of those outputs over their root mean square.
Result<double> Verify(const Problem& problem, bool winograd, ValueType storage, std::span<const float> output);

// Ok if `output` (planar) is `expected` within 1e-4: outputs of a recurrent layer are in [-1, 1], where rounding and
// approximate gate functions are off by about 1e-6, gates in a wrong order by 0.1. Returns as above.
Result<double> VerifyRecurrent(std::span<const double> expected, std::span<const float> output);

// The output channels that are verified: spread over the layer, few enough for naive loops; of a few vectors all that
// time allows.
std::vector<int64_t> ChannelsToVerify(const ConvShape<3>& shape);

// Multiply-adds that meet an input and not padding, over all multiply-adds.
double FractionInside(const ConvShape<3>& shape);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_WORKLOAD_H_
