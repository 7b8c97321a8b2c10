#include "int8_problem.h"

#include "lacuna/format/dense.h"
#include "lacuna/format/row_source.h"
#include "lacuna/reference/quantized.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "workload.h"

namespace lacuna::bench {

Result<Int8Problem> Int8Problem::Of(const Problem& problem) {
  // Four standard deviations of a Gaussian input; outputs of weights scaled as the workload's are about as large.
  constexpr float kStep = 4.0f / 255.0f;
  const MatrixShape shape = MatrixShapeOf(problem.shape);
  LACUNA_ASSIGN_OR_RETURN(view, DenseWeights<float>::View(shape, problem.weights));
  auto dense = std::make_unique<const DenseWeights<float>>(std::move(view));
  const RowSource<float> source = problem.pruned != nullptr ? problem.pruned->rows() : RowSource<float>(*dense);
  LACUNA_ASSIGN_OR_RETURN(rows, QuantizedRows::Of(source));
  Int8Problem quantized{std::move(dense), std::move(rows), {}};
  for (const float value : problem.input) {
    quantized.x.push_back(static_cast<uint8_t>(std::clamp(std::nearbyint(value / kStep), 0.0f, 255.0f)));
  }
  quantized.epilogue.x.scale = quantized.epilogue.y.scale = kStep;
  return quantized;
}

Result<double> VerifyInt8(const Problem& problem, std::span<const float> output) {
  LACUNA_ASSIGN_OR_RETURN(quantized, Int8Problem::Of(problem));
  const ConvShape<3>& shape = problem.shape;
  ConvShape<3> one = shape;  // one output channel and the input channels of its group
  one.in_channels = shape.channels_per_group();
  one.out_channels = one.groups = 1;
  const auto pixels = static_cast<size_t>(shape.positions());
  const auto inputs = static_cast<size_t>(one.input_elements());
  std::vector<float> expected(pixels);
  double largest_error = 0.0, square_sum = 0.0;
  const std::vector<int64_t> channels = ChannelsToVerify(shape);
  for (const int64_t oc : channels) {
    std::vector<int8_t> filter(static_cast<size_t>(shape.depth()));
    quantized.rows.VisitRow(oc, [&](int64_t k, int8_t w) { filter[static_cast<size_t>(k)] = w; });
    const auto first = static_cast<size_t>(oc / shape.rows_per_group()) * inputs;
    const std::vector<int32_t> x(quantized.x.begin() + static_cast<ptrdiff_t>(first),
                                 quantized.x.begin() + static_cast<ptrdiff_t>(first + inputs));
    QuantizedEpilogue epilogue = quantized.epilogue;
    epilogue.weight_scale = quantized.rows.scale().subspan(static_cast<size_t>(oc), 1);
    LACUNA_RETURN_IF_ERROR(reference::QuantizedConvolution<3>(one, filter, epilogue, x, expected));
    for (size_t p = 0; p < pixels; ++p) {
      const double want = double{expected[p]} * double{epilogue.y.scale};
      const double got = output[static_cast<size_t>(oc) * pixels + p];
      const double error = std::abs(got - want);
      largest_error = std::max(largest_error, error);
      square_sum += want * want;
      if (error <= 1.001 * double{epilogue.y.scale}) continue;  // false for NaN
      return Status::Make(StatusCode::kDataLoss, "wrong output: channel %lld, pixel %zu is %g, must be %g within %g",
                          static_cast<long long>(oc), p, got, want, double{epilogue.y.scale});
    }
  }
  const double rms = std::sqrt(square_sum / static_cast<double>(channels.size() * pixels));
  return rms > 0.0 ? largest_error / rms : 0.0;
}

}  // namespace lacuna::bench
