// Scheme mapping by rules: "Automatic mapping of the best-suited DNN pruning schemes", TODAES 2022.

#ifndef LACUNA_PRUNE_MAPPING_RULES_H_
#define LACUNA_PRUNE_MAPPING_RULES_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/prune/mapping.h"
#include "lacuna/prune/scheme.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

namespace lacuna::inline LACUNA_ABI::prune {

// Block size from a latency table: of the candidates of that regularity and rate, the one with the smallest block whose
// latency is at most (1 + threshold) times the least at that rate, coarse pruning (filter) included; where none is, the
// fastest. Of equal blocks the less sensitive, then the faster, then the first. kNotFound if the layer has no such
// candidate. Source: TODAES 2022; small blocks keep accuracy, large ones speed.
inline Result<size_t> SmallestBlockWithin(const LayerCandidates& layer, Regularity regularity, double rate,
                                          double threshold) {
  LACUNA_RETURN_IF_ERROR(mapping::CheckIn("threshold", threshold, 0.0, kMaxLayerCost));
  LACUNA_RETURN_IF_ERROR(layer.layer.Validate());
  double least = std::numeric_limits<double>::infinity(), least_eligible = least;
  for (const SchemeCandidate& candidate : layer.candidates) {
    LACUNA_RETURN_IF_ERROR(mapping::CheckCandidate(layer.layer, candidate));
    if (candidate.scheme.rate != rate) continue;
    const bool eligible = RegularityOf(candidate.scheme.kind) == regularity;
    if (eligible || candidate.scheme.kind == SchemeKind::kFilter) least = std::min(least, candidate.seconds);
    if (eligible) least_eligible = std::min(least_eligible, candidate.seconds);
  }
  const double limit = std::max(least * (1.0 + threshold), least_eligible);
  std::tuple<int64_t, double, double> best;
  std::optional<size_t> found;
  for (size_t c = 0; c < layer.candidates.size(); ++c) {
    const SchemeCandidate& candidate = layer.candidates[c];
    if (candidate.scheme.rate != rate || RegularityOf(candidate.scheme.kind) != regularity) continue;
    if (candidate.seconds > limit) continue;
    LACUNA_ASSIGN_OR_RETURN(block, BlockWeightsOf(candidate.scheme, layer.layer));
    const std::tuple<int64_t, double, double> rank(block, candidate.sensitivity, candidate.seconds);
    if (found.has_value() && rank >= best) continue;
    best = rank;
    found = c;
  }
  if (found.has_value()) return *found;
  return Status::Make(StatusCode::kNotFound, "candidates: none of %zu has that regularity and the rate %g",
                      layer.candidates.size(), rate);
}

struct RuleSpec {
  // Of SmallestBlockWithin. Medians of one layer differ by as much from run to run on a shared machine; not fitted.
  double threshold = 0.1;
  // A layer with fewer weights stays dense: eight of the 8 x 16 blocks of scheme.h, below which the rounding of kept
  // rows and columns decides the rate.
  int64_t least_weights = 8 * 8 * 16;
  bool first_dense = true;      // the first layer, which is sensitive and small
  bool depthwise_dense = true;  // depthwise layers: the same
  bool pattern_3x3 = true;      // layers with 1 x 3 x 3 kernels get patterns; else blocks

  Status Validate() const {
    LACUNA_RETURN_IF_ERROR(mapping::CheckIn("spec.threshold", threshold, 0.0, kMaxLayerCost));
    if (least_weights >= 0) return Status();
    return Status::InvalidArgument("spec.least_weights is %lld, must be at least 0",
                                   static_cast<long long>(least_weights));
  }
};

namespace mapping {

// The stages of MapByRules: every layer and the rates it goes through.
class Rules {
 public:
  static Result<Rules> Make(std::span<const LayerCandidates> layers, const Objective& objective, const RuleSpec& spec) {
    Rules rules(layers, objective, spec);
    LACUNA_ASSIGN_OR_RETURN(chosen, Buffer<uint32_t>::Make(layers.size()));
    size_t steps = 0;
    for (size_t i = 0; i < layers.size(); ++i) {
      chosen[i] = DenseOf(layers[i]);
      if (!rules.StaysDense(i)) steps += layers[i].candidates.size();
    }
    LACUNA_ASSIGN_OR_RETURN(step, Buffer<Step>::Make(steps));
    size_t used = 0;
    for (uint32_t i = 0; i < layers.size(); ++i) {
      if (rules.StaysDense(i)) continue;
      const Regularity regularity = rules.RegularityFor(layers[i]);
      if (regularity == Regularity::kDense) continue;
      for (const SchemeCandidate& candidate : layers[i].candidates) {
        if (RegularityOf(candidate.scheme.kind) == regularity) step[used++] = {candidate.scheme.rate, i};
      }
    }
    std::sort(step.begin(), step.begin() + used, Before);
    const Step* end = std::unique(step.begin(), step.begin() + used,
                                  [](const Step& a, const Step& b) { return !Before(a, b) && !Before(b, a); });
    step.Truncate(static_cast<size_t>(end - step.begin()));
    rules.chosen_ = std::move(chosen);
    rules.step_ = std::move(step);
    return rules;
  }

  std::span<const uint32_t> chosen() const { return chosen_; }

  // Takes all layers to the next rate. False if there is none.
  Result<bool> Raise() {
    if (next_ == step_.size()) return false;
    for (const double rate = step_[next_].rate; next_ < step_.size() && step_[next_].rate == rate; ++next_) {
      const uint32_t i = step_[next_].layer;
      LACUNA_ASSIGN_OR_RETURN(index, SmallestBlockWithin(layers_[i], RegularityFor(layers_[i]), rate, spec_.threshold));
      const SchemeCandidate &now = layers_[i].candidates[chosen_[i]], &then = layers_[i].candidates[index];
      const bool gains = rate_limited_ ? then.Density() < now.Density() : then.seconds < now.seconds;
      if (gains) chosen_[i] = static_cast<uint32_t>(index);
    }
    return true;
  }

 private:
  struct Step {
    double rate;
    uint32_t layer;
  };
  static bool Before(const Step& a, const Step& b) { return std::tie(a.rate, a.layer) < std::tie(b.rate, b.layer); }

  Rules(std::span<const LayerCandidates> layers, const Objective& objective, const RuleSpec& spec)
      : layers_(layers), spec_(spec), rate_limited_(objective.limits_rate()) {}

  bool StaysDense(size_t i) const {
    const LayerDescription& layer = layers_[i].layer;
    return (i == 0 && spec_.first_dense) || (layer.depthwise() && spec_.depthwise_dense) ||
           layer.weights() < spec_.least_weights;
  }

  // The fastest dense candidate, else the candidate that keeps most.
  static uint32_t DenseOf(const LayerCandidates& layer) {
    const auto rank = [&](uint32_t c) {
      const SchemeCandidate& candidate = layer.candidates[c];
      const bool dense = candidate.scheme.kind == SchemeKind::kDense;
      return std::tuple(!dense, dense ? 0.0 : -candidate.Density(), candidate.seconds, candidate.sensitivity);
    };
    uint32_t best = 0;
    for (uint32_t c = 1; c < layer.candidates.size(); ++c) {
      if (rank(c) < rank(best)) best = c;
    }
    return best;
  }

  // The second rule. kDense if the layer has nothing but dense candidates.
  Regularity RegularityFor(const LayerCandidates& layer) const {
    const bool pattern = spec_.pattern_3x3 && layer.layer.kernel == Extents<3>{1, 3, 3};
    const Regularity first = pattern ? Regularity::kPattern : Regularity::kBlock;
    const Regularity second = pattern ? Regularity::kBlock : Regularity::kPattern;
    for (const Regularity regularity : {first, second, Regularity::kOther}) {
      for (const SchemeCandidate& candidate : layer.candidates) {
        if (RegularityOf(candidate.scheme.kind) == regularity) return regularity;
      }
    }
    return Regularity::kDense;
  }

  std::span<const LayerCandidates> layers_;
  RuleSpec spec_;
  bool rate_limited_;
  Buffer<uint32_t> chosen_;
  Buffer<Step> step_;  // ascending
  size_t next_ = 0;
};

}  // namespace mapping

// Rules: (1) the first layer, depthwise layers and layers with few weights stay dense; (2) of the others, those with
// 3x3 kernels get the regularity pattern, the rest, 3x3x3 included, block; where a layer has no such candidate, the
// other of the two, then any; (3) block size by SmallestBlockWithin; (4) all layers start dense (fastest dense
// candidate, or what keeps most weights) and go through the rates of the candidates together, from low to high, each
// layer as far as it has candidates, until the objective is met: at the first rate that meets it, or, where sensitivity
// is limited, at the last. A layer goes to a higher rate only where that is faster than what it has, so one whose dense
// kernel is not beaten stays dense; where a rate is limited, only where fewer weights are left.
// Errors: invalid layers, objective or spec; an objective that the rules do not reach, with the nearest they do.
inline Result<Mapping> MapByRules(std::span<const LayerCandidates> layers, const Objective& objective,
                                  const RuleSpec& spec = {}) {
  LACUNA_RETURN_IF_ERROR(mapping::CheckLayers(layers));
  LACUNA_RETURN_IF_ERROR(objective.Validate());
  LACUNA_RETURN_IF_ERROR(spec.Validate());
  const mapping::Budget budget(objective, layers);
  LACUNA_ASSIGN_OR_RETURN(rules, mapping::Rules::Make(layers, objective, spec));
  LACUNA_ASSIGN_OR_RETURN(met, Buffer<uint32_t>::Make(layers.size()));
  const bool as_far_as_it_goes = objective.constraint == Constraint::kSensitivity;
  bool any = false;
  double least = std::numeric_limits<double>::infinity();
  for (bool more = true; more;) {
    const double cost = mapping::SumOf(objective, layers, rules.chosen()).cost;
    least = std::min(least, cost);
    if (budget.Allows(cost)) {
      any = true;
      std::copy(rules.chosen().begin(), rules.chosen().end(), met.begin());
      if (!as_far_as_it_goes) break;
    }
    LACUNA_ASSIGN_OR_RETURN(raised, rules.Raise());
    more = raised;
  }
  if (!any) return budget.Unreachable("the rules", least);
  return MappingOf(layers, std::as_const(met));
}

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_MAPPING_RULES_H_
