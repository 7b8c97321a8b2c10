// QuantizedRows: weights of any format rounded to 8 bits, in the same format.

#ifndef LACUNA_FORMAT_QUANTIZED_ROWS_H_
#define LACUNA_FORMAT_QUANTIZED_ROWS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/row_source.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// A format: it stores the weights that `weights` stores, q = round(w / scale[row]) in [-127, 127], half to even. The
// scale of a row is its largest magnitude / 127, or 1 of a row of zeros; or, per tensor, the same of all. The weights
// must outlive it.
class QuantizedRows {
 public:
  using value_type = int8_t;

  enum class Scales : uint8_t { kPerRow, kPerTensor };

  // Fails if the weights are not valid, or one is not finite.
  static Result<QuantizedRows> Of(const RowSource<float>& weights, Scales scales = Scales::kPerRow) {
    LACUNA_RETURN_IF_ERROR(weights.Validate());
    QuantizedRows quantized(weights);
    LACUNA_ASSIGN_OR_RETURN(scale, Buffer<float>::Make(static_cast<size_t>(weights.shape().rows)));
    bool finite = true;
    float most = 0.0f;
    for (size_t row = 0; row < scale.size(); ++row) {
      float largest = 0.0f;
      weights.VisitRow(static_cast<int64_t>(row), [&](int64_t, const float& w) {
        finite = finite && std::isfinite(w);
        largest = std::max(largest, std::abs(w));
      });
      if (!finite) return Status::InvalidArgument("weights of row %zu are not all finite", row);
      scale[row] = ScaleOf(largest);
      most = std::max(most, largest);
    }
    if (scales == Scales::kPerTensor) std::fill(scale.begin(), scale.end(), ScaleOf(most));
    quantized.scale_ = std::move(scale);
    return quantized;
  }

  const MatrixShape& shape() const { return weights_.shape(); }
  int64_t nnz() const { return weights_.nnz(); }
  Status Validate() const { return Status(); }
  template <class F>
  void VisitRow(int64_t row, const F& f) const {
    const float scale = scale_[static_cast<size_t>(row)];
    weights_.VisitRow(row, [&](int64_t column, const float& w) {
      f(column, static_cast<int8_t>(std::clamp(std::nearbyint(w / scale), -127.0f, 127.0f)));
    });
  }
  const RowSource<float>& source() const { return weights_; }
  // [rows]
  std::span<const float> scale() const { return scale_; }

 private:
  explicit QuantizedRows(const RowSource<float>& weights) : weights_(weights) {}

  static float ScaleOf(float largest) {
    const float scale = largest / 127.0f;
    return std::isnormal(scale) ? scale : 1.0f;
  }

  RowSource<float> weights_;
  Buffer<float> scale_;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_QUANTIZED_ROWS_H_
