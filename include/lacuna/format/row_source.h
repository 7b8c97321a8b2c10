// RowSource: weights of any format as rows, without their type.

#ifndef LACUNA_FORMAT_ROW_SOURCE_H_
#define LACUNA_FORMAT_ROW_SOURCE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/blob_layout.h"
#include "lacuna/core/function_ref.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// What packing asks of a format, yours or one of lacuna's: VisitRow(row, f) calls f(column, value) for the weights that
// row stores, columns ascending.
template <class Weights, class T>
concept WeightFormat = requires(const Weights& weights, int64_t row, void (*f)(int64_t, const T&)) {
  requires std::same_as<typename Weights::value_type, T>;
  { weights.shape() } -> std::convertible_to<const MatrixShape&>;
  { weights.nnz() } -> std::convertible_to<int64_t>;
  { weights.Validate() } -> std::same_as<Status>;
  weights.VisitRow(row, f);
};

// A format may say of itself that its rows keep columns independently of their neighbours (CsrWeights). Others have
// blocks of rows that fill panels as they are.
template <class Weights>
concept ScatteredRows = requires {
  requires Weights::kScatteredRows;
};

// Non-owning: the weights must outlive it. It is the one door through which weights are packed, so that reordering and
// packing are compiled once, not once for each format. A row crosses it in chunks: one indirect call for up to
// kChunk weights.
template <class T>
class RowSource {
 public:
  using value_type = T;
  static constexpr size_t kChunk = 128;

  // Implicit on purpose.
  template <class Weights>
  requires WeightFormat<Weights, T> RowSource(const Weights& weights)
      : weights_(&weights),
        shape_(weights.shape()),
        nnz_(weights.nnz()),
        validate_([](const void* w) { return static_cast<const Weights*>(w)->Validate(); }),
        read_(&Read<Weights>),
        scattered_rows_(ScatteredRows<Weights>) {
    if constexpr (requires { BlobAccess::Kind<Weights>(); }) name_ = BlobKindName(BlobAccess::Kind<Weights>());
    // Formats that are another one's view say what that is.
    if constexpr (requires { weights.source(); }) {
      scattered_rows_ = weights.source().scattered_rows();
      name_ = weights.source().name();
    }
  }

  // Of what knows its format at run time only (AnyWeights).
  template <class Weights>
  requires requires(const Weights& weights) {
    { weights.rows() } -> std::same_as<RowSource>;
  }
  RowSource(const Weights& weights) : RowSource(weights.rows()) {}

  const MatrixShape& shape() const { return shape_; }
  int64_t nnz() const { return nnz_; }
  Status Validate() const { return validate_(weights_); }
  bool scattered_rows() const { return scattered_rows_; }
  // Of the format.
  const char* name() const { return name_; }

  // f(column, value) for the stored weights of `row`, columns ascending.
  template <class F>
  void VisitRow(int64_t row, const F& f) const {
    const auto chunk = [&f](std::span<const uint32_t> columns, const T* values) {
      for (size_t i = 0; i < columns.size(); ++i) f(static_cast<int64_t>(columns[i]), values[i]);
    };
    read_(weights_, row, chunk);
  }

 private:
  using Sink = FunctionRef<void(std::span<const uint32_t> columns, const T* values)>;

  template <class Weights>
  static void Read(const void* weights, int64_t row, Sink sink) {
    // Zero: g++-12 sees that a format without weights would leave them as they are.
    uint32_t columns[kChunk] = {};
    T values[kChunk] = {};
    size_t used = 0;
    static_cast<const Weights*>(weights)->VisitRow(row, [&](int64_t column, const T& value) {
      columns[used] = static_cast<uint32_t>(column);
      values[used] = value;
      if (++used < kChunk) return;
      sink(std::span<const uint32_t>(columns, used), values);
      used = 0;
    });
    if (used != 0) sink(std::span<const uint32_t>(columns, used), values);
  }

  const void* weights_;
  MatrixShape shape_;
  int64_t nnz_;
  Status (*validate_)(const void* weights);
  void (*read_)(const void* weights, int64_t row, Sink sink);
  bool scattered_rows_;
  const char* name_ = "custom";
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_ROW_SOURCE_H_
