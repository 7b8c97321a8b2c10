#include "lacuna/core/abi.h"
#include "lacuna/op/tile_job.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

LACUNA_FUNC Status RunInSlices(ExecutorRef executor, int64_t items, std::span<std::byte> workspace, size_t slice_bytes,
                               FunctionRef<void(std::byte*)> f) {
  const size_t slots = std::min(executor.concurrency(), static_cast<size_t>(items));
  if (workspace.size() < WorkspaceFor(slots, slice_bytes)) {
    return Status::InvalidArgument("args.workspace has %zu bytes, must have WorkspaceBytes(%zu) = %zu",
                                   workspace.size(), slots, WorkspaceFor(slots, slice_bytes));
  }
  auto* aligned = workspace.data() + (RoundUp(reinterpret_cast<uintptr_t>(workspace.data()), kAlignment) -
                                      reinterpret_cast<uintptr_t>(workspace.data()));
  const auto run_slot = [&](size_t slot) { f(aligned + slot * slice_bytes); };
  executor.parallel_for(slots, run_slot);
  return Status();
}

}  // namespace lacuna::inline LACUNA_ABI
