// IndexArray: indices in 16 bits where they fit, else in 32.

#ifndef LACUNA_FORMAT_INDEX_ARRAY_H_
#define LACUNA_FORMAT_INDEX_ARRAY_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// An owned or viewed array of indices below some limit. The width is chosen when it is made and does not change.
class IndexArray {
 public:
  IndexArray() = default;

  // `size` zeros that may become any index below `limit`.
  static Result<IndexArray> Make(size_t size, int64_t limit) {
    IndexArray array;
    if (limit <= int64_t{std::numeric_limits<uint16_t>::max()} + 1) {
      LACUNA_ASSIGN_OR_RETURN(narrow, Buffer<uint16_t>::Make(size));
      array.narrow_ = std::move(narrow);
    } else {
      LACUNA_ASSIGN_OR_RETURN(wide, Buffer<uint32_t>::Make(size));
      array.wide_ = std::move(wide);
    }
    return array;
  }
  static IndexArray View(std::span<const uint16_t> indices) {
    IndexArray array;
    array.narrow_ = Buffer<uint16_t>::View(indices);
    return array;
  }
  static IndexArray View(std::span<const uint32_t> indices) {
    IndexArray array;
    array.wide_ = Buffer<uint32_t>::View(indices);
    return array;
  }

  size_t size() const { return narrow_.size() + wide_.size(); }
  size_t size_bytes() const { return narrow_.size_bytes() + wide_.size_bytes(); }
  uint32_t operator[](size_t i) const { return narrow_.size() != 0 ? narrow_[i] : wide_[i]; }
  void Set(size_t i, uint32_t index) {
    if (narrow_.size() != 0) {
      narrow_[i] = static_cast<uint16_t>(index);
    } else {
      wide_[i] = index;
    }
  }

 private:
  friend struct BlobAccess;  // core/blob_layout.h: the bytes of an element say which of the two it is
  template <class Self, class F>
  static void VisitAlternatives(Self& self, const F& f) {
    f(self.narrow_, self.wide_);
  }

  Buffer<uint16_t> narrow_;  // at most one of the two has elements
  Buffer<uint32_t> wide_;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_INDEX_ARRAY_H_
