// LayerPlan: a form of a layer, ready to run.

#ifndef LACUNA_OP_LAYER_PLAN_H_
#define LACUNA_OP_LAYER_PLAN_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/op/explain.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// One Run of a layer. Extents have been checked.
struct LayerRun {
  ActivationView<const float> x;
  ActivationView<float> y;
  ActivationView<const float> residual;  // without data if the layer has none
  int64_t batch;
  int64_t width;  // outputs of the innermost axis: all of them for a convolution
  std::span<std::byte> workspace;
};

// y = epilogue(W * x). The forms of a layer (panel, pattern, Winograd, depthwise) differ behind it, and only there.
// Immutable; Run may be called from many threads at once.
class LayerPlan {
 public:
  virtual ~LayerPlan() = default;
  LayerPlan(LayerPlan&&) = default;
  LayerPlan& operator=(LayerPlan&&) = default;

  // Of a Run by that many threads; any alignment will do.
  virtual size_t WorkspaceBytes(size_t threads) const = 0;
  // Fails if the workspace is too small; allocates nothing.
  virtual Status Run(const LayerRun& run, ExecutorRef executor) const = 0;
  virtual Explanation Explain() const = 0;

 protected:
  LayerPlan() = default;
};

using OwnedLayerPlan = std::unique_ptr<const LayerPlan>;

template <class Plan>
Result<OwnedLayerPlan> OwnPlan(Plan plan) {
  OwnedLayerPlan owned(new (std::nothrow) Plan(std::move(plan)));
  if (owned == nullptr) return Status::OutOfMemory("LayerPlan", sizeof(Plan));
  return owned;
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_OP_LAYER_PLAN_H_
