// What pruning a layer costs in accuracy: the weight energy removed, or measured drops where there are any.

#ifndef LACUNA_PRUNE_SENSITIVITY_H_
#define LACUNA_PRUNE_SENSITIVITY_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/any.h"
#include "lacuna/format/dense.h"
#include "lacuna/prune/mapping.h"
#include "lacuna/prune/scheme.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace lacuna::inline LACUNA_ABI::prune {

// ||dense - pruned||^2 / ||dense||^2: the fraction of the squared weight norm that pruning removed, 0 for weights of
// zeros. All weights must be finite; errors: other extents.
template <class T, class Weights>
Result<double> EnergyRemoved(const DenseWeights<T>& dense, const Weights& pruned) {
  if (pruned.shape() != dense.shape()) {
    return Status::InvalidArgument(
        "pruned is %lld x %lld of %lld groups, must be %lld x %lld of %lld",
        static_cast<long long>(pruned.shape().rows), static_cast<long long>(pruned.shape().columns),
        static_cast<long long>(pruned.shape().groups), static_cast<long long>(dense.shape().rows),
        static_cast<long long>(dense.shape().columns), static_cast<long long>(dense.shape().groups));
  }
  LACUNA_RETURN_IF_ERROR(CheckFinite(dense));
  LACUNA_ASSIGN_OR_RETURN(left, Buffer<T>::Make(static_cast<size_t>(dense.shape().columns)));
  double all = 0, removed = 0;
  for (int64_t r = 0; r < dense.shape().rows; ++r) {
    std::copy_n(dense.row(r), dense.shape().columns, left.begin());
    for (const T value : left) all += static_cast<double>(value) * static_cast<double>(value);
    pruned.VisitRow(r, [&](int64_t column, T value) { left[static_cast<size_t>(column)] -= value; });
    for (const T value : left) removed += static_cast<double>(value) * static_cast<double>(value);
  }
  if (!std::isfinite(removed)) {
    return Status::InvalidArgument("||dense - pruned||^2 is %g, must be finite, as all weights", removed);
  }
  return all > 0 ? removed / all : 0.0;
}
template <class T>
Result<double> EnergyRemoved(const DenseWeights<T>& dense, const AnyWeights<T>& pruned) {
  return pruned.Visit([&](const auto& format) { return EnergyRemoved(dense, format); });
}

// The sensitivity of a candidate of which nothing was measured. Every layer counts by the fraction it lost, whatever
// the size of its weights, which normalisation layers make arbitrary; `importance` sets layers apart.
inline double DefaultSensitivity(const LayerDescription& layer, double energy_removed) {
  return layer.importance * energy_removed;
}

// What the network lost when `layer` alone (all its `count` layers) was pruned by `scheme`: 0.01 is a point of
// accuracy.
struct MeasuredDrop {
  std::string_view layer{};
  Scheme scheme{};
  double drop = 0.0;  // in [-1, 1]; a gain counts as 0, for it is noise
};

// Layers with candidates of their own; names still view the caller's memory.
struct OwnedCandidates {
  Buffer<SchemeCandidate> candidates;
  Buffer<LayerCandidates> layers;
};

namespace mapping {

// A copy of candidates whose sensitivities become measured drops, or are fitted to them.
class DropTable {
 public:
  static Result<DropTable> Make(std::span<const LayerCandidates> layers, std::span<const MeasuredDrop> drops) {
    DropTable table(drops);
    size_t count = 0;
    for (const LayerCandidates& layer : layers) count += layer.candidates.size();
    LACUNA_ASSIGN_OR_RETURN(candidates, Buffer<SchemeCandidate>::Make(count));
    LACUNA_ASSIGN_OR_RETURN(copies, Buffer<LayerCandidates>::Make(layers.size()));
    LACUNA_ASSIGN_OR_RETURN(measured, Buffer<uint32_t>::Make(count));
    LACUNA_ASSIGN_OR_RETURN(fit, Buffer<Fit>::Make(layers.size() + 1));
    size_t used = 0;
    for (size_t i = 0; i < layers.size(); ++i) {
      const std::span<const SchemeCandidate> from = layers[i].candidates;
      std::copy(from.begin(), from.end(), candidates.begin() + used);
      copies[i] = {layers[i].layer, {candidates.data() + used, from.size()}};
      used += from.size();
    }
    table.owned_ = {std::move(candidates), std::move(copies)};
    table.measured_ = std::move(measured);
    table.fit_ = std::move(fit);
    return table;
  }

  // Puts drops[d] in the place of the sensitivity it belongs to.
  Status Measure(uint32_t d) {
    const MeasuredDrop& drop = drops_[d];
    const size_t count = owned_.layers.size();
    size_t i = 0;
    while (i < count && owned_.layers[i].layer.name != drop.layer) ++i;
    if (i == count) {
      return Status::Make(StatusCode::kNotFound, "drops[%u] is of the layer \"%.*s\", which is none of the %zu layers",
                          d, static_cast<int>(std::min<size_t>(drop.layer.size(), 60)), drop.layer.data(), count);
    }
    const LayerDescription& layer = owned_.layers[i].layer;
    if (!(drop.drop >= -1.0 && drop.drop <= 1.0)) {  // catches NaN
      return Named(i, layer, Status::InvalidArgument("drops[%u] is %g, must be in [-1, 1]", d, drop.drop));
    }
    for (size_t c = begin(i); c < end(i); ++c) {
      SchemeCandidate& candidate = owned_.candidates[c];
      if (candidate.scheme != drop.scheme) continue;
      if (measured_[c] != 0) {
        return Named(i, layer,
                     Status::InvalidArgument("drops[%u] and drops[%u] are both of the scheme %s", measured_[c] - 1, d,
                                             drop.scheme.Text().data()));
      }
      measured_[c] = d + 1;
      const double of_one = std::max(drop.drop, 0.0) / static_cast<double>(layer.count);
      fit_[i].Add(candidate.sensitivity, of_one);
      fit_[count].Add(candidate.sensitivity, of_one);
      candidate.sensitivity = of_one;
    }
    return Status();
  }

  Status ScaleOthers() {
    const size_t count = owned_.layers.size();
    for (size_t i = 0; i < count; ++i) {
      const Fit& fit = fit_[i].Usable() ? fit_[i] : fit_[count];
      for (size_t c = begin(i); c < end(i); ++c) {
        double& sensitivity = owned_.candidates[c].sensitivity;
        if (measured_[c] != 0 || sensitivity == 0) continue;
        if (!fit.Usable()) {
          return Named(
              i, owned_.layers[i].layer,
              Status::InvalidArgument("candidates[%zu] has no measured drop, and none of %zu drops is positive "
                                      "where something was removed, to scale its sensitivity of %g by",
                                      c - begin(i), drops_.size(), sensitivity));
        }
        sensitivity *= fit.product / fit.square;
      }
    }
    return Status();
  }

  OwnedCandidates Take() && { return std::move(owned_); }

 private:
  // drop = product / square * sensitivity.
  struct Fit {
    double product, square;
    bool Usable() const { return product > 0 && square > 0; }
    void Add(double sensitivity, double drop) {
      product += sensitivity * drop;
      square += sensitivity * sensitivity;
    }
  };

  explicit DropTable(std::span<const MeasuredDrop> drops) : drops_(drops) {}

  size_t begin(size_t i) const {
    return static_cast<size_t>(owned_.layers[i].candidates.data() - owned_.candidates.data());
  }
  size_t end(size_t i) const { return begin(i) + owned_.layers[i].candidates.size(); }

  std::span<const MeasuredDrop> drops_;
  OwnedCandidates owned_;
  Buffer<uint32_t> measured_;  // by candidate, 1 + the number of its drop, 0 for none
  Buffer<Fit> fit_;            // by layer, and over all layers
};

}  // namespace mapping

// The same layers with sensitivities in units of accuracy: where a drop was measured it replaces the sensitivity
// (divided by the layer's count); elsewhere the sensitivity is scaled. The scale is the least-squares fit of drops by
// sensitivities through 0, sum(s * d) / sum(s^2), over the measured candidates of the layer, or of all layers where
// this one has none that lost accuracy. Without drops nothing changes. Drops of schemes that are no candidates are
// ignored. Errors: a layer that does not exist, two drops of the same scheme, no positive drop to scale by.
inline Result<OwnedCandidates> WithMeasuredDrops(std::span<const LayerCandidates> layers,
                                                 std::span<const MeasuredDrop> drops) {
  LACUNA_RETURN_IF_ERROR(mapping::CheckLayers(layers));
  LACUNA_ASSIGN_OR_RETURN(table, mapping::DropTable::Make(layers, drops));
  for (uint32_t d = 0; d < drops.size(); ++d) LACUNA_RETURN_IF_ERROR(table.Measure(d));
  if (!drops.empty()) LACUNA_RETURN_IF_ERROR(table.ScaleOthers());
  return std::move(table).Take();
}

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_SENSITIVITY_H_
