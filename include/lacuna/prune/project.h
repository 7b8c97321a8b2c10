// Project: prunes a layer by the name of a scheme. Cover: recognises the format of weights that were.

#ifndef LACUNA_PRUNE_PROJECT_H_
#define LACUNA_PRUNE_PROJECT_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/format/any.h"
#include "lacuna/format/dense.h"
#include "lacuna/prune/bcr.h"
#include "lacuna/prune/block.h"
#include "lacuna/prune/channel_groups.h"
#include "lacuna/prune/pattern.h"
#include "lacuna/prune/punched.h"
#include "lacuna/prune/scheme.h"
#include "lacuna/prune/unstructured.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace lacuna::inline LACUNA_ABI::prune {

// Rounds of PatternSpec. With 15 to 49 cells, 64 and 192 channels and groups of 1 and 4 nothing changed after 5, be the
// weights Gaussian or planted patterns under noise.
inline constexpr int64_t kPatternRounds = 10;

// How a pattern scheme prunes kernels of `taps` cells: 4 of 9 cells (as many of other kernels, rounded), 8 patterns,
// connectivity for the rest of the rate. Rates below taps / cells keep more cells. 27 cells keep 12, 25 keep 11, 3 keep
// 1. The rate is met up to one kernel (of a filter group). Libraries for more than 9 cells are refined.
inline Result<PatternSpec> PatternSpecOf(const Scheme& scheme, int64_t taps) {
  if (taps < 1) return Status::InvalidArgument("taps is %lld, must be at least 1", static_cast<long long>(taps));
  if (!(scheme.rate >= 1.0 && scheme.rate <= kMaxRate)) {  // catches NaN
    return Status::InvalidArgument("rate is %g, must be in [1, %g]", scheme.rate, kMaxRate);
  }
  const auto cells = static_cast<double>(taps);
  const double usual = std::max(1.0, std::round(cells * 4.0 / 9.0));
  const double kept = std::max(usual, std::ceil(cells / scheme.rate - 1e-9));
  return PatternSpec{.taps = taps,
                     .cells = static_cast<int64_t>(kept),
                     .patterns = 8,
                     .rounds = taps > 9 ? kPatternRounds : 0,
                     .group = scheme.group,
                     .connectivity_keep = std::min(1.0, cells / (kept * scheme.rate))};
}

// How a punched scheme prunes kernels of `taps` cells: the rate is met up to one cell of one block, or, if balanced, as
// near as PunchedSpec::cells_kept gets, at most `taps`.
inline PunchedSpec PunchedSpecOf(const Scheme& scheme, int64_t taps) {
  return {.filters = 8, .channels = 4, .taps = taps, .keep = 1.0 / scheme.rate, .balanced = scheme.balanced};
}

namespace project {

// The blocks in which the weights of a BCR or block scheme survive.
inline Result<BlockShape> BlockOf(const Scheme& scheme, const MatrixShape& shape, int64_t taps) {
  switch (scheme.kind) {
    case SchemeKind::kBcr:
    case SchemeKind::kBcrCol:
    case SchemeKind::kBcrKernel: {
      LACUNA_ASSIGN_OR_RETURN(spec, BcrSpecOf(scheme, taps));
      return BlockShape{spec.rows, spec.columns};
    }
    case SchemeKind::kPunched: {
      const PunchedSpec spec = PunchedSpecOf(scheme, taps);
      return BlockShape{spec.filters, spec.channels * taps};
    }
    case SchemeKind::kBlock: return scheme.block;
    case SchemeKind::kBlockKernel: return BlockOfKernels(scheme.block, taps);
    case SchemeKind::kConnectivity: return BlockShape{1, taps};
    case SchemeKind::kFilter: return BlockShape{1, shape.columns};
    default: break;
  }
  return Status::InvalidArgument("scheme \"%s\" has no blocks", scheme.Text().data());
}

// Whether columns that live or die together are not neighbours in the matrix: those of a kernel of one cell are, and so
// are whole kernels.
inline bool NeedsChannelOrder(const Scheme& scheme, int64_t taps) {
  return scheme.channel_group > 1 && taps > 1 && scheme.kind != SchemeKind::kBcrKernel;
}
// The blocks in which such weights are stored.
inline BlockShape ChannelGroupBlock(const Scheme& scheme, int64_t taps) {
  return {scheme.kind == SchemeKind::kBlock ? scheme.block.rows : 8, scheme.channel_group * taps};
}

template <class T, class Weights>
Result<AnyWeights<T>> Wrap(Result<Weights> weights) {
  if (!weights.ok()) return weights.status();
  return AnyWeights<T>(*std::move(weights));
}

}  // namespace project

// `weights` pruned by `scheme`, of a layer whose kernels have `taps` cells (1 for a GEMM), in the format of the scheme.
// kFilter keeps the layer's extents: removed output channels are rows without weights (prune/filter.h makes the layer
// smaller instead).
template <class T>
Result<AnyWeights<T>> Project(const DenseWeights<T>& weights, const Scheme& scheme, int64_t taps) {
  const double keep = 1.0 / scheme.rate;
  if (scheme.channel_group != 1 && !scheme.takes_channel_group()) {
    return Status::InvalidArgument("scheme \"%s\" has no groups of channels", scheme.Text().data());
  }
  if (project::NeedsChannelOrder(scheme, taps)) {
    const ChannelGroupOrder order{weights.shape().columns, taps, scheme.channel_group};
    return project::Wrap<T>(ProjectChannelGroups(weights, order, project::ChannelGroupBlock(scheme, taps).rows,
                                                 [&](const DenseWeights<T>& grouped) {
                                                   // Without taps, groups are neighbours.
                                                   return Project(grouped, scheme, /*taps=*/1);
                                                 }));
  }
  switch (scheme.kind) {
    case SchemeKind::kDense: return project::Wrap<T>(DenseWeights<T>::CopyOf(weights.shape(), weights.values()));
    case SchemeKind::kUnstructured: return project::Wrap<T>(ProjectUnstructured(weights, keep));
    case SchemeKind::kPattern: {
      LACUNA_ASSIGN_OR_RETURN(spec, PatternSpecOf(scheme, taps));
      return project::Wrap<T>(ProjectPattern(weights, spec));
    }
    case SchemeKind::kBcr:
    case SchemeKind::kBcrCol:
    case SchemeKind::kBcrKernel: {
      LACUNA_ASSIGN_OR_RETURN(spec, BcrSpecOf(scheme, taps));
      return project::Wrap<T>(ProjectBcr(weights, spec));
    }
    case SchemeKind::kPunched: return project::Wrap<T>(ProjectPunched(weights, PunchedSpecOf(scheme, taps)));
    case SchemeKind::kConnectivity: return project::Wrap<T>(ProjectConnectivity(weights, taps, keep));
    case SchemeKind::kBlockKernel: return project::Wrap<T>(ProjectBlockKernel(weights, scheme.block, taps, keep));
    case SchemeKind::kBlock:
    case SchemeKind::kFilter: {
      LACUNA_ASSIGN_OR_RETURN(block, project::BlockOf(scheme, weights.shape(), taps));
      return project::Wrap<T>(ProjectBlock(weights, block, keep));
    }
  }
  return Status::InvalidArgument("scheme has the unknown kind %d", static_cast<int>(scheme.kind));
}

// The smallest cover of `pruned`, zeros where pruned by `scheme` earlier, in the format of the scheme: what a file of
// dense weights with zeros needs. Zeros that do not fit the scheme are covered too, by more stored weights.
template <class T>
Result<AnyWeights<T>> Cover(const DenseWeights<T>& pruned, const Scheme& scheme, int64_t taps) {
  if (project::NeedsChannelOrder(scheme, taps)) {
    return project::Wrap<T>(BcrWeights<T>::FromDense(pruned, project::ChannelGroupBlock(scheme, taps)));
  }
  switch (scheme.kind) {
    case SchemeKind::kDense: return project::Wrap<T>(DenseWeights<T>::CopyOf(pruned.shape(), pruned.values()));
    case SchemeKind::kUnstructured: return project::Wrap<T>(CsrWeights<T>::FromDense(pruned));
    case SchemeKind::kPattern: return project::Wrap<T>(PatternWeights<T>::FromDense(pruned, taps, scheme.group));
    case SchemeKind::kBcr:
    case SchemeKind::kBcrCol:
    case SchemeKind::kBcrKernel:
    case SchemeKind::kPunched: {
      LACUNA_ASSIGN_OR_RETURN(block, project::BlockOf(scheme, pruned.shape(), taps));
      return project::Wrap<T>(BcrWeights<T>::FromDense(pruned, block));
    }
    case SchemeKind::kBlock:
    case SchemeKind::kBlockKernel:
    case SchemeKind::kConnectivity:
    case SchemeKind::kFilter: {
      LACUNA_ASSIGN_OR_RETURN(block, project::BlockOf(scheme, pruned.shape(), taps));
      return project::Wrap<T>(BlockWeights<T>::FromDense(pruned, block));
    }
  }
  return Status::InvalidArgument("scheme has the unknown kind %d", static_cast<int>(scheme.kind));
}

LACUNA_INSTANCE(LACUNA_API Result<AnyWeights<float>> Project(const DenseWeights<float>&, const Scheme&, int64_t));
LACUNA_INSTANCE(LACUNA_API Result<AnyWeights<float>> Cover(const DenseWeights<float>&, const Scheme&, int64_t));

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_PROJECT_H_
