// WorkspaceParts: the caller's workspace, cut into aligned parts.

#ifndef LACUNA_OP_WORKSPACE_H_
#define LACUNA_OP_WORKSPACE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// Parts begin at multiples of kAlignment. A workspace of kAlignment bytes and Bytes<T>(count) for each part is enough,
// whatever its own alignment.
class WorkspaceParts {
 public:
  explicit WorkspaceParts(std::span<std::byte> workspace) {
    const auto address = reinterpret_cast<uintptr_t>(workspace.data());
    rest_ = workspace.subspan(RoundUp(address, kAlignment) - address);
  }

  template <class T>
  static constexpr size_t Bytes(size_t count) {
    return RoundUp(count * sizeof(T), kAlignment);
  }
  template <class T>
  T* Take(size_t count) {
    auto* part = reinterpret_cast<T*>(rest_.data());
    rest_ = rest_.subspan(Bytes<T>(count));
    return part;
  }
  std::span<std::byte> rest() const { return rest_; }

 private:
  std::span<std::byte> rest_;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_OP_WORKSPACE_H_
