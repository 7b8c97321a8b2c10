// AnyWeights: weights whose format is known at run time only.

#ifndef LACUNA_FORMAT_ANY_H_
#define LACUNA_FORMAT_ANY_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/blob.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/block.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/pattern.h"
#include "lacuna/format/row_source.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>

namespace lacuna::inline LACUNA_ABI {

// One of the formats. Plans take it like any of them.
template <class T>
class AnyWeights {
 public:
  using value_type = T;
  using Variant = std::variant<DenseWeights<T>, BcrWeights<T>, BlockWeights<T>, CsrWeights<T>, PatternWeights<T>>;

  // Implicit on purpose: every format is an AnyWeights.
  template <class Weights>
  requires std::is_constructible_v<Variant, Weights&&> AnyWeights(Weights weights) : format_(std::move(weights)) {}

  // The weights of a blob of any format, used in place; see View in core/blob.h.
  static Result<AnyWeights> View(std::span<const std::byte> bytes);

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

  // What plans take: the rows of the format that is held. This must outlive it.
  RowSource<T> rows() const;

  const MatrixShape& shape() const {
    return *Visit([](const auto& weights) { return &weights.shape(); });
  }
  int64_t nnz() const {
    return Visit([](const auto& weights) { return weights.nnz(); });
  }
  size_t StorageBytes() const {
    return Visit([](const auto& weights) { return weights.StorageBytes(); });
  }
  Status Validate() const;
  Result<DenseWeights<T>> ToDense() const;

 private:
  template <class Format>
  static Result<AnyWeights> ViewAs(std::span<const std::byte> bytes) {
    LACUNA_ASSIGN_OR_RETURN(weights, lacuna::View<Format>(bytes));
    return AnyWeights(std::move(weights));
  }

  Variant format_;
};

template <class T>
Result<AnyWeights<T>> AnyWeights<T>::View(std::span<const std::byte> bytes) {
  LACUNA_ASSIGN_OR_RETURN(kind, PeekKind(bytes));
  switch (kind) {
    case BlobKind::kDense: return ViewAs<DenseWeights<T>>(bytes);
    case BlobKind::kBcr: return ViewAs<BcrWeights<T>>(bytes);
    case BlobKind::kBlock: return ViewAs<BlockWeights<T>>(bytes);
    case BlobKind::kCsr: return ViewAs<CsrWeights<T>>(bytes);
    case BlobKind::kPattern: return ViewAs<PatternWeights<T>>(bytes);
    default: break;
  }
  return Status::InvalidArgument("blob holds %s weights, must hold a format", BlobKindName(kind));
}

template <class T>
RowSource<T> AnyWeights<T>::rows() const {
  return Visit([](const auto& weights) { return RowSource<T>(weights); });
}

template <class T>
Status AnyWeights<T>::Validate() const {
  return Visit([](const auto& weights) { return weights.Validate(); });
}

template <class T>
Result<DenseWeights<T>> AnyWeights<T>::ToDense() const {
  return Visit([](const auto& weights) { return ExpandRows(weights); });
}

// The blob of the format that is held.
template <class T>
Result<Buffer<std::byte>> Serialize(const AnyWeights<T>& weights) {
  return weights.Visit([](const auto& format) { return Serialize(format); });
}

LACUNA_INSTANCE(class LACUNA_API AnyWeights<float>);
LACUNA_INSTANCE(LACUNA_API Result<Buffer<std::byte>> Serialize(const AnyWeights<float>&));

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_ANY_H_
