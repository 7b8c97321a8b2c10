#include "workload.h"

#include "lacuna/core/view.h"
#include "lacuna/prune/project.h"
#include "lacuna/prune/scheme.h"
#include "lacuna/reference/convolution.h"
#include "lacuna/reference/recurrent.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace lacuna::bench {
namespace {

void FillGaussian(std::span<float> values, float deviation, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> gaussian(0.0f, deviation);
  for (float& value : values) value = gaussian(generator);
}

std::optional<Recurrence> RecurrenceOf(const Workload& workload, const WeightSet& set) {
  if (!set.recurrent) return std::nullopt;
  return Recurrence{.cell = *workload.cell,
                    .weights = set.recurrent->dense.values(),
                    .pruned = set.recurrent->pruned ? &*set.recurrent->pruned : nullptr,
                    .bias = workload.bias,
                    .h = workload.h,
                    .c = workload.c};
}

Result<WeightMatrix> PruneMatrix(const DenseWeights<float>& dense, const std::string& scheme, int64_t taps,
                                 int64_t channel_group = 1) {
  LACUNA_ASSIGN_OR_RETURN(parsed, prune::ParseScheme(scheme));
  if (parsed.takes_channel_group() && parsed.channel_group == 1) parsed.channel_group = channel_group;
  LACUNA_ASSIGN_OR_RETURN(pruned, prune::Project(dense, parsed, taps));
  LACUNA_ASSIGN_OR_RETURN(expanded, pruned.ToDense());
  return WeightMatrix{std::move(expanded), std::move(pruned)};
}

Result<WeightMatrix> GaussianMatrix(const MatrixShape& shape, float deviation, uint32_t seed) {
  LACUNA_ASSIGN_OR_RETURN(dense, DenseWeights<float>::Zeros(shape));
  FillGaussian(dense.mutable_values(), deviation, seed);
  return WeightMatrix{std::move(dense), std::nullopt};
}

template <RecurrentOptions Options>
Status Expect(const Problem& problem, const Options& options, std::vector<double>& expected) {
  const ConvShape<3>& shape = problem.shape;
  const int64_t input = shape.in_channels, hidden = shape.out_channels, steps = shape.positions();
  const Recurrence& recurrence = *problem.recurrence;
  std::vector<double> h(recurrence.h.begin(), recurrence.h.end()), c(recurrence.c.begin(), recurrence.c.end());
  expected.resize(static_cast<size_t>(hidden * steps));
  return reference::Recurrent<double>(
      {input, hidden, problem.weights, recurrence.weights}, options, Direction::kForward, {},
      TensorView<const float, 3>{problem.input.data(), {steps, 1, input}, {1, 1, steps}},
      TensorView<double, 3>{expected.data(), {steps, 1, hidden}, {1, 1, steps}},
      MatrixView<double>::ColumnMajor(h.data(), hidden, 1), MatrixView<double>::ColumnMajor(c.data(), hidden, 1));
}

// By reference/.
Status Expect(const Problem& problem, std::vector<double>& expected) {
  const Recurrence& recurrence = *problem.recurrence;
  if (recurrence.cell == Cell::kLstm) return Expect(problem, LstmOptions{.bias = recurrence.bias}, expected);
  return Expect(
      problem,
      GruOptions{.bias = recurrence.bias, .linear_before_reset = recurrence.cell == Cell::kGruLinearBeforeReset},
      expected);
}

}  // namespace

std::vector<int64_t> ChannelsToVerify(const ConvShape<3>& shape) {
  constexpr double kMultiplyAdds = 32e6;
  const double each = shape.dense_flops() / 2.0 / static_cast<double>(shape.out_channels);
  constexpr int64_t kFewPixels = 16;
  const int64_t most = shape.positions() <= kFewPixels ? shape.out_channels : 16;
  const auto count = std::min(shape.out_channels, std::clamp<int64_t>(static_cast<int64_t>(kMultiplyAdds / each), 2,
                                                                      std::max<int64_t>(most, 2)));
  std::vector<int64_t> channels;
  for (int64_t i = 0; i < count; ++i) {
    channels.push_back(count == 1 ? 0 : i * (shape.out_channels - 1) / (count - 1));
  }
  return channels;
}

const WeightSet& Workload::Find(const std::string& scheme) const {
  for (const WeightSet& set : weights) {
    if (set.scheme == scheme) return set;
  }
  return weights.front();
}

Problem Workload::ProblemOf(const WeightSet& set, bool channels_last) const {
  return {.shape = shape,
          .channels_last = channels_last,
          .weights = set.dense.values(),
          .pruned = set.pruned ? &*set.pruned : nullptr,
          .input = input,
          .recurrence = RecurrenceOf(*this, set)};
}

Result<WeightSet> Prune(const DenseWeights<float>& dense, const std::string& scheme, const ConvShape<3>& shape,
                        int64_t channel_group) {
  LACUNA_ASSIGN_OR_RETURN(matrix, PruneMatrix(dense, scheme, shape.taps(), channel_group));
  return WeightSet{std::move(matrix), scheme};
}

Result<Workload> MakeWorkload(const ConvShape<3>& shape, std::span<const std::string> schemes, int64_t channel_group) {
  LACUNA_RETURN_IF_ERROR(shape.Validate());
  Workload workload{.shape = shape, .input = {}, .weights = {}};
  workload.input.resize(static_cast<size_t>(shape.input_elements()));
  FillGaussian(workload.input, 1.0f, /*seed=*/1);
  const float deviation = std::sqrt(2.0f / static_cast<float>(shape.depth()));
  LACUNA_ASSIGN_OR_RETURN(dense, GaussianMatrix(MatrixShapeOf(shape), deviation, /*seed=*/2));
  std::vector<WeightSet> pruned;
  for (const std::string& scheme : schemes) {
    if (scheme == "dense") continue;
    LACUNA_ASSIGN_OR_RETURN(set, Prune(dense.dense, scheme, shape, channel_group));
    pruned.push_back(std::move(set));
  }
  workload.weights.push_back({std::move(dense), "dense"});
  for (WeightSet& set : pruned) workload.weights.push_back(std::move(set));
  return workload;
}

Result<Workload> MakeRecurrentWorkload(const ConvShape<3>& shape, Cell cell, std::span<const std::string> schemes) {
  LACUNA_RETURN_IF_ERROR(shape.Validate());
  const int64_t input = shape.in_channels, hidden = shape.out_channels, rows = GatesOf(cell) * hidden;
  Workload workload{.shape = shape, .input = {}, .weights = {}, .cell = cell};
  const auto fill = [](std::vector<float>& values, int64_t size, float deviation, uint32_t seed) {
    values.resize(static_cast<size_t>(size));
    FillGaussian(values, deviation, seed);
  };
  fill(workload.input, shape.input_elements(), 1.0f, /*seed=*/1);
  fill(workload.bias, 2 * rows, 0.1f, /*seed=*/4);
  fill(workload.h, hidden, 0.5f, /*seed=*/5);
  if (cell == Cell::kLstm) fill(workload.c, hidden, 0.5f, /*seed=*/6);
  const auto gaussian = [&](int64_t columns, uint32_t seed) {
    return GaussianMatrix({.rows = rows, .columns = columns}, 0.5f / std::sqrt(static_cast<float>(columns)), seed);
  };
  LACUNA_ASSIGN_OR_RETURN(w, gaussian(input, /*seed=*/2));
  LACUNA_ASSIGN_OR_RETURN(r, gaussian(hidden, /*seed=*/3));
  std::vector<WeightSet> sets;
  for (const std::string& scheme : schemes) {
    if (scheme == "dense") continue;
    LACUNA_ASSIGN_OR_RETURN(pruned_w, PruneMatrix(w.dense, scheme, /*taps=*/1));
    LACUNA_ASSIGN_OR_RETURN(pruned_r, PruneMatrix(r.dense, scheme, /*taps=*/1));
    sets.push_back({std::move(pruned_w), scheme, std::move(pruned_r)});
  }
  sets.insert(sets.begin(), WeightSet{std::move(w), "dense", std::move(r)});
  for (WeightSet& set : sets) {
    LACUNA_RETURN_IF_ERROR(Expect(workload.ProblemOf(set, /*channels_last=*/true), set.expected));
  }
  workload.weights = std::move(sets);
  return workload;
}

Result<double> VerifyRecurrent(std::span<const double> expected, std::span<const float> output) {
  constexpr double kAllowed = 1e-4;
  double largest_error = 0.0, square_sum = 0.0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(static_cast<double>(output[i]) - expected[i]);
    largest_error = std::max(largest_error, error);
    square_sum += expected[i] * expected[i];
    if (error <= kAllowed) continue;  // false for NaN
    return Status::Make(StatusCode::kDataLoss, "wrong output: value %zu of [hidden][steps] is %g, must be %g within %g",
                        i, static_cast<double>(output[i]), expected[i], kAllowed);
  }
  const double rms = std::sqrt(square_sum / static_cast<double>(expected.size()));
  return rms > 0.0 ? largest_error / rms : 0.0;
}

namespace {

// What rounding the weights of a row to `storage` can change of a sum w x at most, as a part of sum |w| |x| and of sum
// |x| over the weights that are not zero.
struct StorageError {
  double of_products = 0.0, of_inputs = 0.0;

  StorageError(ValueType storage, std::span<const float> row) {
    double largest = 0.0;
    for (const float w : row) largest = std::max(largest, std::abs(static_cast<double>(w)));
    if (storage == ValueType::kF16) of_products = 0x1p-11;
    if (storage == ValueType::kBf16) of_products = 0x1p-8;
    if (storage == ValueType::kS8) of_inputs = largest / 254.0;
    if (storage == ValueType::kS4) of_inputs = largest / 8.0;
    // f16 rounds what is small to multiples of 2^-24.
    if (storage == ValueType::kF16) of_inputs = 0x1p-25;
  }
};

}  // namespace

Result<double> Verify(const Problem& problem, bool winograd, ValueType storage, std::span<const float> output) {
  const ConvShape<3>& shape = problem.shape;
  const int64_t pixels = shape.positions();
  const double roundings = 4.0 * static_cast<double>(shape.depth()) + 64.0;
  const double unit = 0.5 * static_cast<double>(std::numeric_limits<float>::epsilon());
  const double gamma = roundings * unit / (1.0 - roundings * unit);
  std::vector<float> expected(static_cast<size_t>(pixels));
  std::vector<double> magnitude(expected.size());
  double largest_error = 0.0, square_sum = 0.0;
  const std::vector<int64_t> channels = ChannelsToVerify(shape);
  ConvShape<3> one = shape;  // one output channel and the input channels of its group
  one.in_channels = shape.channels_per_group();
  one.out_channels = one.groups = 1;
  const Extents<5> x_extent = one.input_tensor(), y_extent = one.output_tensor();
  for (const int64_t oc : channels) {
    const int64_t first_channel = oc / shape.rows_per_group() * shape.channels_per_group();
    const float* x = problem.input.data() + first_channel * (shape.input_elements() / shape.in_channels);
    const auto filter =
        problem.weights.subspan(static_cast<size_t>(oc * shape.depth()), static_cast<size_t>(shape.depth()));
    LACUNA_RETURN_IF_ERROR(reference::Convolution<3>(one, filter, {}, TensorView<const float, 5>::Planar(x, x_extent),
                                                     TensorView<float, 5>::Planar(expected.data(), y_extent), {},
                                                     TensorView<double, 5>::Planar(magnitude.data(), y_extent)));
    const StorageError rounding(storage, filter);
    // Only products with vectors are of other types than f32: their inputs are one row of the weights each.
    std::vector<double> inputs(expected.size());
    for (size_t k = 0; rounding.of_inputs > 0.0 && k < filter.size(); ++k) {
      for (size_t p = 0; filter[k] != 0.0f && p < inputs.size(); ++p) {
        inputs[p] += std::abs(static_cast<double>(x[k * inputs.size() + p]));
      }
    }
    const float* y = output.data() + oc * pixels;
    const double largest = *std::max_element(magnitude.begin(), magnitude.end());
    for (size_t p = 0; p < expected.size(); ++p) {
      const double allowed = gamma * (winograd ? 4.0 * largest : magnitude[p] + inputs[p] * rounding.of_inputs) +
                             rounding.of_products * magnitude[p] + rounding.of_inputs * inputs[p];
      const double error = std::abs(static_cast<double>(y[p]) - static_cast<double>(expected[p]));
      largest_error = std::max(largest_error, error);
      square_sum += static_cast<double>(expected[p]) * static_cast<double>(expected[p]);
      if (error <= allowed) continue;  // false for NaN
      return Status::Make(StatusCode::kDataLoss, "wrong output: channel %lld, pixel %zu is %g, must be %g within %g",
                          static_cast<long long>(oc), p, static_cast<double>(y[p]), static_cast<double>(expected[p]),
                          allowed);
    }
  }
  const double rms = std::sqrt(square_sum / static_cast<double>(channels.size() * expected.size()));
  return rms > 0.0 ? largest_error / rms : 0.0;
}

double FractionInside(const ConvShape<3>& shape) {
  double fraction = 1.0;
  for (int axis = 0; axis < 3; ++axis) {
    int64_t inside = 0;
    for (int64_t o = 0; o < shape.output(axis); ++o) {
      for (int64_t k = 0; k < shape.kernel[axis]; ++k) {
        const int64_t i = o * shape.stride[axis] + k * shape.dilation[axis] - shape.pad_begin[axis];
        inside += i >= 0 && i < shape.input[axis] ? 1 : 0;
      }
    }
    fraction *= static_cast<double>(inside) / static_cast<double>(shape.output(axis) * shape.kernel[axis]);
  }
  return fraction;
}

}  // namespace lacuna::bench
