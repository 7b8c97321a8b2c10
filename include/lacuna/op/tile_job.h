// TileJob: how the work of one Run is cut among threads.

#ifndef LACUNA_OP_TILE_JOB_H_
#define LACUNA_OP_TILE_JOB_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/function_ref.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// An item is a tile, or, for the last tiles when they do not divide among the threads, a part of its panels: every
// thread then prepares the tile for itself. Work is cut by output, so results do not depend on the number of threads.
class TileItems {
 public:
  TileItems(int64_t tiles, size_t threads, size_t panels) : panels_(static_cast<int64_t>(panels)) {
    const auto t = static_cast<int64_t>(threads);
    whole_ = tiles - tiles % t;
    if (tiles % t != 0) parts_ = std::min(t, panels_);
    items_ = whole_ + (tiles - whole_) * parts_;
  }

  int64_t items() const { return items_; }
  // The next item, which is none's yet; items() or more if there are no more.
  int64_t Claim() { return next_.fetch_add(1, std::memory_order_relaxed); }
  int64_t TileOf(int64_t item) const { return item < whole_ ? item : whole_ + (item - whole_) / parts_; }
  // Half-open.
  std::pair<size_t, size_t> PanelsOf(int64_t item) const {
    if (item < whole_) return {0, static_cast<size_t>(panels_)};
    const int64_t part = (item - whole_) % parts_;
    return {static_cast<size_t>(panels_ * part / parts_), static_cast<size_t>(panels_ * (part + 1) / parts_)};
  }

 private:
  int64_t panels_, items_;
  int64_t whole_ = 0;  // tiles that are one item
  int64_t parts_ = 1;  // items of each other tile
  std::atomic<int64_t> next_{0};
};

// Items with the activations that they are of.
class TileJob : public TileItems {
 public:
  TileJob(const ActivationView<const float>& in, const ActivationView<float>& out,
          const ActivationView<const float>& add, int64_t tiles, size_t threads, size_t panels)
      : TileItems(tiles, threads, panels), x(in), y(out), residual(add) {}

  ActivationView<const float> x;
  ActivationView<float> y;
  ActivationView<const float> residual;
};

// Bytes of workspace for that many slices; any alignment will do.
inline size_t WorkspaceFor(size_t threads, size_t slice_bytes) { return threads * slice_bytes + kAlignment; }

// f(slice) in up to executor.concurrency() slots, each with an aligned slice of `workspace` of its own, while there are
// items.
LACUNA_FUNC Status RunInSlices(ExecutorRef executor, int64_t items, std::span<std::byte> workspace, size_t slice_bytes,
                               FunctionRef<void(std::byte*)> f);

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/tile_job.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_TILE_JOB_H_
