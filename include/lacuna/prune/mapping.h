// Scheme mapping: what choosing the pruning scheme, block size and rate of every layer of a network starts from, and
// what it yields. mapping_rules.h and mapping_search.h choose. Source: "Automatic mapping of the best-suited DNN
// pruning schemes", TODAES 2022.

#ifndef LACUNA_PRUNE_MAPPING_H_
#define LACUNA_PRUNE_MAPPING_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/prune/project.h"
#include "lacuna/prune/scheme.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

namespace lacuna::inline LACUNA_ABI::prune {

// Limits of a network. They bound memory and, with SearchSpec::max_states, the time of a search.
inline constexpr size_t kMaxMappedLayers = 4096;
inline constexpr size_t kMaxCandidates = 1024;  // of a layer
inline constexpr double kMaxLayerCost = 1e12;   // seconds or sensitivity of a candidate
inline constexpr double kMaxLimit = 1e30;       // of an objective: more than any sum

namespace mapping {

// Sums of the same terms in another order differ by less.
inline constexpr double kRounding = 1e-12;

// Ok if `value`, called `name`, is in [low, high].
inline Status CheckIn(const char* name, double value, double low, double high) {
  if (value >= low && value <= high) return Status();  // false for NaN
  return Status::InvalidArgument("%s is %g, must be in [%g, %g]", name, value, low, high);
}

}  // namespace mapping

// A layer, or several of a network that are alike and get the same scheme.
struct LayerDescription {
  std::string_view name{};  // no two layers have the same
  int64_t out_channels = 0;
  int64_t channels_per_group = 0;           // input channels that a filter sees
  Extents<3> kernel = FilledExtents<3>(1);  // (D, H, W); a 2-D kernel has depth 1, a GEMM 1 x 1 x 1
  Extents<3> stride = FilledExtents<3>(1);
  int64_t positions = 1;  // outputs that a weight feeds: OD * OH * OW of all images, N of a GEMM
  int64_t groups = 1;
  int64_t count = 1;        // layers that this one stands for; all that is summed over layers counts this often
  double importance = 1.0;  // of the layer's energy, against that of other layers

  // `shape` must be valid, and the characters of `name` must outlive the result.
  template <int kRank>
  static LayerDescription Of(std::string_view name, const ConvShape<kRank>& shape) {
    LayerDescription layer{.name = name,
                           .out_channels = shape.out_channels,
                           .channels_per_group = shape.channels_per_group(),
                           .positions = shape.batch * shape.positions(),
                           .groups = shape.groups};
    std::copy(shape.kernel.begin(), shape.kernel.end(), layer.kernel.end() - kRank);
    std::copy(shape.stride.begin(), shape.stride.end(), layer.stride.end() - kRank);
    return layer;
  }

  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  MatrixShape matrix() const {
    return {.rows = out_channels, .columns = channels_per_group * taps(), .groups = groups};
  }
  int64_t weights() const { return matrix().elements(); }
  double flops() const { return 2.0 * static_cast<double>(weights()) * static_cast<double>(positions); }
  bool depthwise() const { return groups > 1 && channels_per_group == 1; }

  // Ok if every extent is at least 1 and no derived size overflows. Everything above is meaningful only then.
  Status Validate() const {
    const auto at_least_1 = [](const char* what, int64_t value) {
      if (value >= 1 && value <= kMaxElements) return Status();
      return Status::InvalidArgument("%s is %lld, must be in [1, %lld]", what, static_cast<long long>(value),
                                     static_cast<long long>(kMaxElements));
    };
    LACUNA_RETURN_IF_ERROR(at_least_1("out_channels", out_channels));
    LACUNA_RETURN_IF_ERROR(at_least_1("channels_per_group", channels_per_group));
    LACUNA_RETURN_IF_ERROR(at_least_1("positions", positions));
    LACUNA_RETURN_IF_ERROR(at_least_1("groups", groups));
    LACUNA_RETURN_IF_ERROR(at_least_1("count", count));
    constexpr const char* kKernel[] = {"kernel[0]", "kernel[1]", "kernel[2]"};
    constexpr const char* kStride[] = {"stride[0]", "stride[1]", "stride[2]"};
    Checked columns = channels_per_group;
    for (size_t axis = 0; axis < kernel.size(); ++axis) {
      LACUNA_RETURN_IF_ERROR(at_least_1(kKernel[axis], kernel[axis]));
      LACUNA_RETURN_IF_ERROR(at_least_1(kStride[axis], stride[axis]));
      columns = columns * kernel[axis];
    }
    if (!columns.ok()) {
      return Status::InvalidArgument("channels_per_group * kernel is %lld x %lld x %lld x %lld, must fit 64 bits",
                                     static_cast<long long>(channels_per_group), static_cast<long long>(kernel[0]),
                                     static_cast<long long>(kernel[1]), static_cast<long long>(kernel[2]));
    }
    LACUNA_RETURN_IF_ERROR(matrix().Validate());
    return mapping::CheckIn("importance", importance, 0.0, kMaxLayerCost);
  }
};

// A way to prune a layer (or not to: dense is a candidate like any other), and what it costs.
struct SchemeCandidate {
  Scheme scheme{};
  double seconds = 0.0;      // latency of one execution of the layer, measured or predicted
  double sensitivity = 0.0;  // what pruning one such layer costs in accuracy, in a unit that all candidates share
  double density = 0.0;      // kept weights / weights where known; 0 stands for 1 / scheme.rate

  double Density() const { return density > 0.0 ? density : 1.0 / scheme.rate; }
};

// Layers stand in the order of execution. Views memory of the caller.
struct LayerCandidates {
  LayerDescription layer{};
  std::span<const SchemeCandidate> candidates{};
};

// Families of schemes between which the rules choose.
enum class Regularity : uint8_t {
  kDense,
  kPattern,
  kBlock,  // bcr, bcr_col, bcr_kernel, punched, block, block_kernel
  kOther,  // unstructured, connectivity, filter
};
inline Regularity RegularityOf(SchemeKind kind) {
  switch (kind) {
    case SchemeKind::kDense: return Regularity::kDense;
    case SchemeKind::kPattern: return Regularity::kPattern;
    case SchemeKind::kBcr:
    case SchemeKind::kBcrCol:
    case SchemeKind::kBcrKernel:
    case SchemeKind::kPunched:
    case SchemeKind::kBlock:
    case SchemeKind::kBlockKernel: return Regularity::kBlock;
    case SchemeKind::kUnstructured:
    case SchemeKind::kConnectivity:
    case SchemeKind::kFilter: break;
  }
  return Regularity::kOther;
}

// Weights of a block, inside which they survive or go in a regular way: 1 of unstructured, filters of a group * taps of
// patterns, a row of filter.
inline Result<int64_t> BlockWeightsOf(const Scheme& scheme, const LayerDescription& layer) {
  switch (RegularityOf(scheme.kind)) {
    case Regularity::kDense: return layer.weights();
    case Regularity::kPattern: {
      const Checked weights = Checked(scheme.group) * layer.taps();
      if (weights.ok() && weights.value() > 0) return weights.value();
      return Status::InvalidArgument("scheme.group is %lld, must be at least 1 and fit 64 bits",
                                     static_cast<long long>(scheme.group));
    }
    default: break;
  }
  if (scheme.kind == SchemeKind::kUnstructured) return 1;
  if (scheme.kind == SchemeKind::kBlock) LACUNA_RETURN_IF_ERROR(scheme.block.Validate());
  LACUNA_ASSIGN_OR_RETURN(block, project::BlockOf(scheme, layer.matrix(), layer.taps()));
  return block.rows * block.columns;
}

enum class Constraint : uint8_t { kSeconds, kWeightRate, kFlopsRate, kSensitivity };

// What is minimised, and under which limit. All sums run over layers times their count.
struct Objective {
  Constraint constraint = Constraint::kSeconds;
  double limit = 0.0;
  // What a second of latency is worth: added to the sensitivity where that is minimised. Without it, an objective that
  // limits a rate does not look at latency at all and prefers the least regular scheme.
  double sensitivity_per_second = 0.0;

  // Least sensitivity of a network that takes at most `seconds`.
  static Objective SecondsAtMost(double seconds) { return {Constraint::kSeconds, seconds}; }
  // Least sensitivity with sum of weights / sum of kept weights at least `rate`.
  static Objective WeightRateAtLeast(double rate) { return {Constraint::kWeightRate, rate}; }
  // Least sensitivity with sum of FLOPs / sum of useful FLOPs at least `rate`.
  static Objective FlopsRateAtLeast(double rate) { return {Constraint::kFlopsRate, rate}; }
  // Least latency of a network whose sensitivities add up to at most `sensitivity`.
  static Objective SensitivityAtMost(double sensitivity) { return {Constraint::kSensitivity, sensitivity}; }

  bool limits_rate() const { return constraint == Constraint::kWeightRate || constraint == Constraint::kFlopsRate; }
  Status Validate() const {
    const char* name = "objective.limit";
    if (static_cast<int>(constraint) > static_cast<int>(Constraint::kSensitivity)) {
      return Status::InvalidArgument("objective.constraint has the unknown value %d", static_cast<int>(constraint));
    }
    LACUNA_RETURN_IF_ERROR(limits_rate() ? mapping::CheckIn(name, limit, 1.0, kMaxRate)
                                         : mapping::CheckIn(name, limit, 0.0, kMaxLimit));
    return mapping::CheckIn("objective.sensitivity_per_second", sensitivity_per_second, 0.0, kMaxLayerCost);
  }
};

// Which candidate each layer gets, and what that amounts to.
struct Mapping {
  Buffer<uint32_t> chosen;  // index of a candidate, by layer
  double seconds = 0.0;
  double sensitivity = 0.0;
  double weight_rate = 1.0;  // weights / kept weights
  double flops_rate = 1.0;
  // No mapping that meets the objective is better by more than this, in the unit of what is minimised: 0 for a proven
  // optimum, infinity where nothing is proven.
  double gap = std::numeric_limits<double>::infinity();
};

namespace mapping {

// `status` with the layer in front.
inline Status Named(size_t number, const LayerDescription& layer, const Status& status) {
  if (status.ok()) return status;
  return Status::Make(status.code(), "layers[%zu] \"%.*s\": %s", number,
                      static_cast<int>(std::min<size_t>(layer.name.size(), 60)), layer.name.data(), status.message());
}

inline Status CheckCandidate(const LayerDescription& layer, const SchemeCandidate& candidate) {
  if (static_cast<size_t>(candidate.scheme.kind) >= std::size(kSchemeNames)) {
    return Status::InvalidArgument("scheme has the unknown kind %d", static_cast<int>(candidate.scheme.kind));
  }
  const bool dense = candidate.scheme.kind == SchemeKind::kDense;
  LACUNA_RETURN_IF_ERROR(CheckIn("rate", candidate.scheme.rate, 1.0, dense ? 1.0 : kMaxRate));
  LACUNA_RETURN_IF_ERROR(CheckIn("seconds", candidate.seconds, 0.0, kMaxLayerCost));
  LACUNA_RETURN_IF_ERROR(CheckIn("sensitivity", candidate.sensitivity, 0.0, kMaxLayerCost));
  LACUNA_RETURN_IF_ERROR(CheckIn("density", candidate.density, 0.0, 1.0));
  return BlockWeightsOf(candidate.scheme, layer).status();
}

inline Status CheckNames(std::span<const LayerCandidates> layers) {
  LACUNA_ASSIGN_OR_RETURN(order, Buffer<uint32_t>::Make(layers.size()));
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return std::tie(layers[a].layer.name, a) < std::tie(layers[b].layer.name, b);
  });
  for (size_t i = 1; i < order.size(); ++i) {
    const LayerDescription& layer = layers[order[i]].layer;
    if (layer.name != layers[order[i - 1]].layer.name) continue;
    return Named(order[i], layer, Status::InvalidArgument("layers[%u] has the same name", order[i - 1]));
  }
  return Status();
}

inline Status CheckLayers(std::span<const LayerCandidates> layers) {
  if (layers.empty() || layers.size() > kMaxMappedLayers) {
    return Status::InvalidArgument("layers has %zu elements, must have 1 to %zu", layers.size(), kMaxMappedLayers);
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto& [layer, candidates] = layers[i];
    LACUNA_RETURN_IF_ERROR(Named(i, layer, layer.Validate()));
    if (candidates.empty() || candidates.size() > kMaxCandidates) {
      return Named(i, layer,
                   Status::InvalidArgument("candidates has %zu elements, must have 1 to %zu", candidates.size(),
                                           kMaxCandidates));
    }
    for (size_t c = 0; c < candidates.size(); ++c) {
      const Status status = CheckCandidate(layer, candidates[c]);
      if (status.ok()) continue;
      return Named(i, layer, Status::Make(status.code(), "candidates[%zu]: %s", c, status.message()));
    }
  }
  return CheckNames(layers);
}

// What a candidate adds to the sum that is limited and to the one that is minimised.
struct Share {
  double cost;
  double value;
};

inline Share ShareOf(const Objective& objective, const LayerDescription& layer, const SchemeCandidate& candidate) {
  const auto count = static_cast<double>(layer.count);
  const double priced = count * (candidate.sensitivity + objective.sensitivity_per_second * candidate.seconds);
  switch (objective.constraint) {
    case Constraint::kSeconds: break;
    case Constraint::kWeightRate: return {count * static_cast<double>(layer.weights()) * candidate.Density(), priced};
    case Constraint::kFlopsRate: return {count * layer.flops() * candidate.Density(), priced};
    case Constraint::kSensitivity: return {count * candidate.sensitivity, count * candidate.seconds};
  }
  return {count * candidate.seconds, priced};
}

inline Share SumOf(const Objective& objective, std::span<const LayerCandidates> layers,
                   std::span<const uint32_t> chosen) {
  Share sum{0, 0};
  for (size_t i = 0; i < layers.size(); ++i) {
    const Share share = ShareOf(objective, layers[i].layer, layers[i].candidates[chosen[i]]);
    sum = {sum.cost + share.cost, sum.value + share.value};
  }
  return sum;
}

// The limit of the sum of costs, which for a rate are the kept weights or FLOPs.
class Budget {
 public:
  Budget(const Objective& objective, std::span<const LayerCandidates> layers) : objective_(objective) {
    for (const auto& [layer, candidates] : layers) {
      dense_ += ShareOf(objective, layer, {.density = 1.0}).cost;
    }
  }

  double cost() const { return CostAt(objective_.limit); }
  bool Allows(double cost) const { return cost <= this->cost(); }

  // The failure to get below `least`: names the nearest limit that is reached, in as few digits as say it.
  Status Unreachable(const char* who, double least) const {
    const double limit = objective_.limits_rate() ? dense_ / least : least;
    char text[40];
    for (int digits = 6; digits <= 17; ++digits) {
      std::snprintf(text, sizeof(text), "%.*g", digits, limit);
      if (least <= CostAt(std::strtod(text, nullptr))) break;
    }
    return Status::InvalidArgument("objective.limit (%s) is %g, must be at %s %s, as far as %s reach",
                                   ConstraintName(objective_.constraint), objective_.limit,
                                   objective_.limits_rate() ? "most" : "least", text, who);
  }

  static const char* ConstraintName(Constraint constraint) {
    switch (constraint) {
      case Constraint::kSeconds: return "seconds";
      case Constraint::kWeightRate: return "weight rate";
      case Constraint::kFlopsRate: return "FLOPs rate";
      case Constraint::kSensitivity: return "sensitivity";
    }
    return "unknown";
  }

 private:
  double CostAt(double limit) const { return (objective_.limits_rate() ? dense_ / limit : limit) * (1.0 + kRounding); }

  Objective objective_;
  double dense_ = 0.0;
};

}  // namespace mapping

// What a choice made elsewhere, such as a stored plan, amounts to.
inline Result<Mapping> MappingOf(std::span<const LayerCandidates> layers, std::span<const uint32_t> chosen) {
  LACUNA_RETURN_IF_ERROR(mapping::CheckLayers(layers));
  if (chosen.size() != layers.size()) {
    return Status::InvalidArgument("chosen has %zu elements, must have one for each of %zu layers", chosen.size(),
                                   layers.size());
  }
  Mapping result;
  LACUNA_ASSIGN_OR_RETURN(copy, Buffer<uint32_t>::CopyOf(chosen));
  result.chosen = std::move(copy);
  double weights = 0, kept_weights = 0, flops = 0, kept_flops = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto& [layer, candidates] = layers[i];
    if (chosen[i] >= candidates.size()) {
      return mapping::Named(i, layer,
                            Status::InvalidArgument("chosen is %u, must be below the number of candidates, %zu",
                                                    chosen[i], candidates.size()));
    }
    const SchemeCandidate& candidate = candidates[chosen[i]];
    const auto count = static_cast<double>(layer.count);
    const double of_layer = count * static_cast<double>(layer.weights());
    result.seconds += count * candidate.seconds;
    result.sensitivity += count * candidate.sensitivity;
    weights += of_layer;
    kept_weights += of_layer * candidate.Density();
    flops += count * layer.flops();
    kept_flops += count * layer.flops() * candidate.Density();
  }
  result.weight_rate = weights / kept_weights;
  result.flops_rate = flops / kept_flops;
  return result;
}

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_MAPPING_H_
