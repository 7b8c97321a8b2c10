// Arithmetic on extents that reports overflow instead of wrapping.

#ifndef LACUNA_CORE_CHECKED_H_
#define LACUNA_CORE_CHECKED_H_

#include "lacuna/core/abi.h"

#include <cstdint>
#include <limits>

namespace lacuna::inline LACUNA_ABI {

// A non-negative int64_t that remembers whether any step of its computation left [0, 2^63 - 1].
class Checked {
 public:
  constexpr Checked(int64_t value) : value_(value), ok_(value >= 0) {}

  constexpr bool ok() const { return ok_; }
  constexpr int64_t value() const { return value_; }

  friend constexpr Checked operator*(Checked a, Checked b) {
    const bool fits = a.value_ == 0 || b.value_ <= kMax / a.value_;
    return Checked(fits ? a.value_ * b.value_ : 0, a.ok_ && b.ok_ && fits);
  }
  friend constexpr Checked operator+(Checked a, Checked b) {
    const bool fits = b.value_ <= kMax - a.value_;
    return Checked(fits ? a.value_ + b.value_ : 0, a.ok_ && b.ok_ && fits);
  }

 private:
  static constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr Checked(int64_t value, bool ok) : value_(ok ? value : 0), ok_(ok) {}

  int64_t value_;
  bool ok_;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_CHECKED_H_
