// AnyWeights: weights whose format is known at run time only.

#ifndef LACUNA_FORMAT_ANY_H_
#define LACUNA_FORMAT_ANY_H_

#include "lacuna/core/status.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/block.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/pattern.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

namespace lacuna {

// One of the formats. Plans take it like any of them.
template <class T>
class AnyWeights {
 public:
  using value_type = T;
  using Variant = std::variant<DenseWeights<T>, BcrWeights<T>, BlockWeights<T>, CsrWeights<T>, PatternWeights<T>>;

  // Implicit on purpose: every format is an AnyWeights.
  template <class Weights>
  requires std::is_constructible_v<Variant, Weights&&> AnyWeights(Weights weights) : format_(std::move(weights)) {}

  // f(weights) with the format that is held.
  template <class F>
  auto Visit(F&& f) const {
    return std::visit(std::forward<F>(f), format_);
  }
  // The weights if they are held as `Format`, else null.
  template <class Format>
  const Format* As() const {
    return std::get_if<Format>(&format_);
  }

  const MatrixShape& shape() const {
    return *Visit([](const auto& weights) { return &weights.shape(); });
  }
  int64_t nnz() const {
    return Visit([](const auto& weights) { return weights.nnz(); });
  }
  size_t StorageBytes() const {
    return Visit([](const auto& weights) { return weights.StorageBytes(); });
  }
  Status Validate() const {
    return Visit([](const auto& weights) { return weights.Validate(); });
  }
  Result<DenseWeights<T>> ToDense() const {
    return Visit([](const auto& weights) { return ExpandRows(weights); });
  }

 private:
  Variant format_;
};

}  // namespace lacuna

#endif  // LACUNA_FORMAT_ANY_H_
