// Reconstruct: prunes a layer so that its outputs on calibration data change least, without training. Opt-in: needs
// Eigen (prune/obs.h).

#ifndef LACUNA_PRUNE_RECONSTRUCT_H_
#define LACUNA_PRUNE_RECONSTRUCT_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/status.h"
#include "lacuna/format/dense.h"
#include "lacuna/prune/defaults.h"
#include "lacuna/prune/obs.h"
#include "lacuna/prune/project.h"
#include "lacuna/prune/ranking.h"
#include "lacuna/prune/scheme.h"
#include "lacuna/prune/support.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace lacuna::inline LACUNA_ABI::prune {

// What a layer reads and should make of it. A sample is one output position: a pixel of a convolution, a row of a GEMM.
struct LayerSamples {
  int64_t count = 0;
  // Writes samples [first, first + n) to `inputs`, [n][groups][columns]: what W is multiplied with, as the layers
  // before this one are now. Called several times for the same samples, from one thread.
  std::function<void(int64_t first, int64_t n, std::span<float> inputs)> inputs{};
  std::span<const float> targets{};  // [count][rows]: what stands before the activation in the dense network
  std::span<const float> added{};    // [count][rows]: what is added to W x + bias before the activation now; or none
  Epilogue activation{};             // kRelu, kClamp and kHardSwish count, which flatten some outputs; others as none
};

struct ReconstructOptions {
  // Added to the diagonal of the Hessian, as a fraction of its mean; it pulls weights to their dense values.
  double damping = 0.01;
  // Passes over the samples that follow the first, in which the activation is taken into account.
  int64_t rounds = 4;
  bool fit_bias = true;  // else the bias stays as it is

  Status Validate() const {
    if (!(damping > 0.0 && damping <= 10.0)) {
      return Status::InvalidArgument("options.damping is %g, must be in (0, 10]", damping);
    }
    if (rounds >= 0 && rounds <= 1000) return Status();
    return Status::InvalidArgument("options.rounds is %lld, must be in [0, 1000]", static_cast<long long>(rounds));
  }
};

struct Reconstruction {
  DenseWeights<float> weights;  // zeros where pruned; Cover makes the format of the scheme
  Buffer<float> bias;           // [rows]
  // Sum of squared differences of the outputs after the activation, over the sum of squares of the outputs wanted: of
  // the result, and of Project with the old bias.
  double error = 0.0;
  double projected_error = 0.0;
  bool underdetermined = false;  // fewer samples than columns: damping decides the rest
};

namespace reconstruct {

using obs::Index;
using obs::Matrix;
using FloatMatrix = Eigen::MatrixXf;

inline double Activated(const Epilogue& activation, double value) {
  switch (activation.activation) {
    case Activation::kRelu: return std::max(value, 0.0);
    case Activation::kClamp: return std::clamp(value, double{activation.low}, double{activation.high});
    case Activation::kHardSwish: return value * std::clamp(value + 3.0, 0.0, 6.0) / 6.0;
    default: return value;
  }
}

inline bool Flattens(const Epilogue& activation) {
  return activation.activation == Activation::kRelu || activation.activation == Activation::kClamp ||
         activation.activation == Activation::kHardSwish;
}

// Where `wanted` is flattened by the activation, `value` may stand anywhere in the same flat part: the nearest value
// that gives the same output. A least-squares step towards these never raises the error behind a ReLU or clamp, hardly
// ever that behind a hard swish.
inline double Target(const Epilogue& activation, double wanted, double value) {
  double low = -std::numeric_limits<double>::infinity(), high = -low;
  if (activation.activation == Activation::kRelu) low = 0.0;
  if (activation.activation == Activation::kHardSwish) low = -3.0;
  if (activation.activation == Activation::kClamp) {
    low = activation.low;
    high = activation.high;
  }
  if (wanted <= low) return std::min(value, low);
  if (wanted >= high) return std::max(value, high);
  return wanted;
}

// One layer and its samples.
class Fit {
 public:
  Fit(const DenseWeights<float>& dense, std::span<const float> bias, const LayerSamples& samples,
      const ReconstructOptions& options, ExecutorRef executor)
      : dense_(dense), bias_(bias), samples_(samples), options_(options), executor_(executor) {}

  Status Init() {
    const MatrixShape& shape = dense_.shape();
    const auto rows = static_cast<size_t>(shape.rows), columns = static_cast<size_t>(shape.columns * shape.groups);
    quadratic_.shape = shape;
    LACUNA_ASSIGN_OR_RETURN(hessian, Buffer<double>::Make(columns * static_cast<size_t>(shape.columns)));
    LACUNA_ASSIGN_OR_RETURN(linear, Buffer<double>::Make(static_cast<size_t>(shape.elements())));
    LACUNA_ASSIGN_OR_RETURN(mean, Buffer<double>::Make(columns));
    LACUNA_ASSIGN_OR_RETURN(shift, Buffer<float>::Make(columns));
    LACUNA_ASSIGN_OR_RETURN(target_mean, Buffer<double>::Make(rows));
    block_ = std::clamp(kSampleBlockElements / static_cast<int64_t>(columns), kMinSampleBlock, kMaxSampleBlock);
    LACUNA_ASSIGN_OR_RETURN(inputs, Buffer<float>::Make(static_cast<size_t>(block_) * columns));
    quadratic_.hessian = std::move(hessian);
    quadratic_.linear = std::move(linear);
    mean_ = std::move(mean);
    shift_ = std::move(shift);
    target_mean_ = std::move(target_mean);
    inputs_ = std::move(inputs);
    LACUNA_RETURN_IF_ERROR(Accumulate(nullptr, {}));
    Finish();
    return Status();
  }

  const Quadratic& quadratic() const { return quadratic_; }

  // Weights of least error where `kept` is 1, and the bias that goes with them: (H_SS) w_S = l_S, one Cholesky for
  // neighbouring rows of equal support.
  Status Solve(const Buffer<uint8_t>& kept, DenseWeights<float>& weights, Buffer<float>& bias) const {
    const MatrixShape& shape = dense_.shape();
    struct Run {
      int64_t first, rows;
    };
    std::vector<Run> runs;
    const auto row_of = [&](int64_t row) { return kept.data() + row * shape.columns; };
    for (int64_t row = 0; row < shape.rows; ++row) {
      const bool starts_group = row % shape.rows_per_group() == 0;
      if (!starts_group && std::equal(row_of(row), row_of(row) + shape.columns, row_of(row - 1))) {
        ++runs.back().rows;
      } else {
        runs.push_back({row, 1});
      }
    }
    std::atomic<bool> failed{false};
    obs::ForEach(executor_, static_cast<int64_t>(runs.size()), [&](int64_t r) {
      const Run& run = runs[static_cast<size_t>(r)];
      obs::Indices support;
      for (Index column = 0; column < shape.columns; ++column) {
        if (row_of(run.first)[column] != 0) support.push_back(column);
      }
      for (int64_t row = run.first; row < run.first + run.rows; ++row) {
        std::fill_n(weights.mutable_row(row), shape.columns, 0.0f);
      }
      if (!support.empty()) {
        Matrix hessian = quadratic_.HessianOf(run.first / shape.rows_per_group())(support, support);
        Matrix solved = quadratic_.LinearOf(run.first, run.rows)(support, Eigen::all);
        if (!obs::Factorize(hessian).ok()) failed = true;
        hessian.triangularView<Eigen::Lower>().solveInPlace(solved);
        hessian.triangularView<Eigen::Lower>().transpose().solveInPlace(solved);
        for (int64_t row = 0; row < run.rows; ++row) {
          for (size_t i = 0; i < support.size(); ++i) {
            weights.mutable_row(run.first + row)[support[i]] = static_cast<float>(solved(static_cast<Index>(i), row));
          }
        }
      }
    });
    if (failed) return obs::NotPositiveDefinite();
    FitBias(weights, bias);
    return Status();
  }

  // Error of a layer after its activation; the quadratic becomes that of the next round.
  Result<double> Measure(const DenseWeights<float>& weights, std::span<const float> bias) {
    LACUNA_RETURN_IF_ERROR(Accumulate(&weights, bias));
    Finish();
    return wanted_ == 0.0 ? 0.0 : error_ / wanted_;
  }

  Status Check() const {
    for (size_t i = 0; i < samples_.targets.size(); ++i) {
      if (!std::isfinite(samples_.targets[i])) {
        return Status::InvalidArgument("samples.targets[%zu] is %g, must be finite", i,
                                       static_cast<double>(samples_.targets[i]));
      }
    }
    for (size_t i = 0; i < samples_.added.size(); ++i) {
      if (!std::isfinite(samples_.added[i])) {
        return Status::InvalidArgument("samples.added[%zu] is %g, must be finite", i,
                                       static_cast<double>(samples_.added[i]));
      }
    }
    return Status();
  }

 private:
  double Bias(int64_t row) const { return bias_.empty() ? 0.0 : double{bias_[static_cast<size_t>(row)]}; }

  void FitBias(const DenseWeights<float>& weights, Buffer<float>& bias) const {
    const MatrixShape& shape = dense_.shape();
    for (int64_t row = 0; row < shape.rows; ++row) {
      double value = Bias(row);
      if (options_.fit_bias) {
        const int64_t first = row / shape.rows_per_group() * shape.columns;
        value = target_mean_[static_cast<size_t>(row)];
        for (int64_t c = 0; c < shape.columns; ++c) {
          const auto i = static_cast<size_t>(first + c);
          value -= double{weights.row(row)[c]} * (mean_[i] + double{shift_[i]});
        }
      }
      bias[static_cast<size_t>(row)] = static_cast<float>(value);
    }
  }

  // One pass over the samples. Without weights: moments of the inputs, and of inputs and targets. With them: the error,
  // and the moments of inputs and of what the activation leaves open of the targets. Sums of a block are taken in
  // float, blocks are added in double.
  Status Accumulate(const DenseWeights<float>* weights, std::span<const float> bias) {
    const MatrixShape& shape = dense_.shape();
    const int64_t rows = shape.rows, columns = shape.columns, groups = shape.groups, all = groups * columns;
    const int64_t group_rows = shape.rows_per_group();
    std::fill(quadratic_.linear.begin(), quadratic_.linear.end(), 0.0);
    std::fill(target_mean_.begin(), target_mean_.end(), 0.0);
    if (weights == nullptr) {
      std::fill(quadratic_.hessian.begin(), quadratic_.hessian.end(), 0.0);
      std::fill(mean_.begin(), mean_.end(), 0.0);
    }
    error_ = wanted_ = 0.0;
    FloatMatrix residual(rows, block_);
    for (int64_t first = 0; first < samples_.count; first += block_) {
      const int64_t n = std::min(block_, samples_.count - first);
      samples_.inputs(first, n, {inputs_.data(), static_cast<size_t>(n * all)});
      Eigen::Map<FloatMatrix> x(inputs_.data(), all, n);
      if (weights == nullptr) LACUNA_RETURN_IF_ERROR(CheckInputs(x, first));
      auto t = residual.leftCols(n);
      if (weights != nullptr) {
        for (int64_t g = 0; g < groups; ++g) {
          const Eigen::Map<const FloatMatrix> w(weights->row(g * group_rows), columns, group_rows);
          t.middleRows(g * group_rows, group_rows).noalias() = w.transpose() * x.middleRows(g * columns, columns);
        }
      }
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t row = 0; row < rows; ++row) {
          const auto at = static_cast<size_t>((first + i) * rows + row);
          const double wanted = double{samples_.targets[at]};
          const double added = samples_.added.empty() ? 0.0 : double{samples_.added[at]};
          double target = wanted;
          if (weights != nullptr) {
            const double value = double{t(row, i)} + double{bias[static_cast<size_t>(row)]} + added;
            const double right = Activated(samples_.activation, wanted);
            const double off = Activated(samples_.activation, value) - right;
            error_ += off * off;
            wanted_ += right * right;
            target = Target(samples_.activation, wanted, value);
          }
          target -= added + (options_.fit_bias ? 0.0 : Bias(row));
          t(row, i) = static_cast<float>(target);
          target_mean_[static_cast<size_t>(row)] += target;
        }
      }
      if (options_.fit_bias) {
        if (weights == nullptr && first == 0) {
          Eigen::Map<Eigen::VectorXf>(shift_.data(), all) = x.rowwise().mean();
        }
        x.colwise() -= Eigen::Map<const Eigen::VectorXf>(shift_.data(), all);
      }
      AddMoments(x, t, weights == nullptr);
    }
    const double scale = 1.0 / static_cast<double>(samples_.count);
    for (double& value : target_mean_) value *= scale;
    for (double& value : quadratic_.linear) value *= scale;
    if (weights == nullptr) {
      for (double& value : mean_) value *= scale;
      for (double& value : quadratic_.hessian) value *= scale;
      FinishHessian();
    }
    return Status();
  }

  Status CheckInputs(const Eigen::Map<FloatMatrix>& x, int64_t first) const {
    for (Index i = 0; i < x.cols(); ++i) {
      if (x.col(i).allFinite()) continue;
      return Status::InvalidArgument("inputs of sample %lld are not all finite", static_cast<long long>(first + i));
    }
    return Status();
  }

  void AddMoments(const Eigen::Map<FloatMatrix>& x, const Eigen::Ref<const FloatMatrix>& t, bool with_hessian) {
    const MatrixShape& shape = dense_.shape();
    const int64_t columns = shape.columns, group_rows = shape.rows_per_group(),
                  tiles = (columns + kHessianTile - 1) / kHessianTile;
    obs::ForEach(executor_, shape.groups * tiles, [&](int64_t i) {
      const int64_t g = i / tiles, begin = i % tiles * kHessianTile, width = std::min(kHessianTile, columns - begin);
      const auto part = x.middleRows(g * columns + begin, width);
      const FloatMatrix product = part * t.middleRows(g * group_rows, group_rows).transpose();
      Eigen::Map<Matrix>(quadratic_.linear.data() + g * group_rows * columns, columns, group_rows)
          .middleRows(begin, width) += product.cast<double>();
    });
    if (!with_hessian) return;
    Eigen::Map<Eigen::VectorXd>(mean_.data(), shape.groups * columns) += x.cast<double>().rowwise().sum();
    obs::ForEach(executor_, shape.groups * tiles * tiles, [&](int64_t i) {
      const int64_t g = i / (tiles * tiles), row = i / tiles % tiles * kHessianTile, column = i % tiles * kHessianTile;
      if (row < column) return;  // the lower triangle
      const int64_t height = std::min(kHessianTile, columns - row), width = std::min(kHessianTile, columns - column);
      const FloatMatrix product =
          x.middleRows(g * columns + row, height) * x.middleRows(g * columns + column, width).transpose();
      Eigen::Map<Matrix>(quadratic_.hessian.data() + g * columns * columns, columns, columns)
          .block(row, column, height, width) += product.cast<double>();
    });
  }

  // Centres the Hessian, damps it and mirrors it.
  void FinishHessian() {
    const MatrixShape& shape = dense_.shape();
    damping_.assign(static_cast<size_t>(shape.groups), 0.0);
    for (int64_t g = 0; g < shape.groups; ++g) {
      Eigen::Map<Matrix> hessian(quadratic_.hessian.data() + g * shape.columns * shape.columns, shape.columns,
                                 shape.columns);
      if (options_.fit_bias) {
        const Eigen::Map<const Eigen::VectorXd> mean(mean_.data() + g * shape.columns, shape.columns);
        hessian.selfadjointView<Eigen::Lower>().rankUpdate(mean, -1.0);
      }
      // Inputs that are all zero, or constant, say nothing: then damping alone decides, whatever its size.
      const double diagonal = hessian.diagonal().mean();
      double& damping = damping_[static_cast<size_t>(g)];
      damping = diagonal > 0.0 ? options_.damping * diagonal : 1.0;
      hessian.diagonal().array() += damping;
      for (Index column = 0; column < shape.columns; ++column) {
        for (Index row = 0; row < column; ++row) hessian(row, column) = hessian(column, row);
      }
    }
  }

  // Centres the linear part and pulls it to the dense weights.
  void Finish() {
    const MatrixShape& shape = dense_.shape();
    for (int64_t row = 0; row < shape.rows; ++row) {
      const int64_t g = row / shape.rows_per_group();
      const double mean = options_.fit_bias ? target_mean_[static_cast<size_t>(row)] : 0.0;
      for (int64_t c = 0; c < shape.columns; ++c) {
        quadratic_.linear[static_cast<size_t>(row * shape.columns + c)] +=
            damping_[static_cast<size_t>(g)] * double{dense_.row(row)[c]} -
            mean * mean_[static_cast<size_t>(g * shape.columns + c)];
      }
    }
  }

  const DenseWeights<float>& dense_;
  std::span<const float> bias_;
  const LayerSamples& samples_;
  ReconstructOptions options_;
  ExecutorRef executor_;
  Quadratic quadratic_{};
  int64_t block_ = 0;  // samples
  Buffer<float> inputs_;
  Buffer<float> shift_;         // subtracted from all inputs, near their means; 0 where the bias stays
  Buffer<double> mean_;         // of the inputs less shift_
  Buffer<double> target_mean_;  // of what W x + bias should be
  std::vector<double> damping_;
  double error_ = 0.0, wanted_ = 0.0;
};

}  // namespace reconstruct

// Prunes `weights` (of a layer whose kernels have `taps` cells) by `scheme`: supports by ChooseSupport, then weights
// and bias of least squared error on `samples`, exactly. Where a ReLU, clamp or hard swish follows, `rounds` further
// least-squares steps leave out what it hides. The result never has a larger error than Project: where it would have,
// Project's support is solved for instead. Scheme dense fits all weights anew. `bias` has a value for each row, or
// none, which is 0.
//
// Errors: what Project and SupportUnitsOf find; no samples; targets or `added` of the wrong size; inputs that are not
// finite; memory. The same result for any number of threads.
inline Result<Reconstruction> Reconstruct(const DenseWeights<float>& weights, std::span<const float> bias,
                                          const Scheme& scheme, int64_t taps, const LayerSamples& samples,
                                          const ReconstructOptions& options, ExecutorRef executor) {
  const MatrixShape& shape = weights.shape();
  LACUNA_RETURN_IF_ERROR(options.Validate());
  if (samples.count < 1 || samples.inputs == nullptr) {
    return Status::InvalidArgument("samples.count is %lld, must be at least 1, with inputs",
                                   static_cast<long long>(samples.count));
  }
  const auto values = static_cast<size_t>(samples.count * shape.rows);
  if (samples.targets.size() != values) {
    return Status::InvalidArgument("samples.targets has %zu values, must have count * rows = %zu",
                                   samples.targets.size(), values);
  }
  if (!samples.added.empty() && samples.added.size() != values) {
    return Status::InvalidArgument("samples.added has %zu values, must have count * rows = %zu or none",
                                   samples.added.size(), values);
  }
  if (!bias.empty() && bias.size() != static_cast<size_t>(shape.rows)) {
    return Status::InvalidArgument("bias has %zu values, must have %lld or none", bias.size(),
                                   static_cast<long long>(shape.rows));
  }
  LACUNA_ASSIGN_OR_RETURN(format, Project(weights, scheme, taps));
  LACUNA_ASSIGN_OR_RETURN(projected, format.ToDense());
  reconstruct::Fit fit(weights, bias, samples, options, executor);
  LACUNA_RETURN_IF_ERROR(fit.Check());
  LACUNA_RETURN_IF_ERROR(fit.Init());

  const auto elements = static_cast<size_t>(shape.elements());
  LACUNA_ASSIGN_OR_RETURN(kept, Buffer<uint8_t>::Make(elements));
  if (scheme.kind == SchemeKind::kDense) {
    std::fill(kept.begin(), kept.end(), uint8_t{1});
  } else {
    LACUNA_ASSIGN_OR_RETURN(units, SupportUnitsOf(scheme, shape, taps));
    LACUNA_ASSIGN_OR_RETURN(chosen, ChooseSupport(fit.quadratic(), units, executor));
    kept = std::move(chosen);
  }
  LACUNA_ASSIGN_OR_RETURN(fitted, DenseWeights<float>::Zeros(shape));
  LACUNA_ASSIGN_OR_RETURN(old_bias, Buffer<float>::Make(static_cast<size_t>(shape.rows)));
  LACUNA_ASSIGN_OR_RETURN(new_bias, Buffer<float>::Make(static_cast<size_t>(shape.rows)));
  LACUNA_ASSIGN_OR_RETURN(best_bias, Buffer<float>::Make(static_cast<size_t>(shape.rows)));
  LACUNA_ASSIGN_OR_RETURN(best, DenseWeights<float>::Zeros(shape));
  std::copy(bias.begin(), bias.end(), old_bias.begin());
  double error = std::numeric_limits<double>::infinity();
  // Steps from the quadratic at hand.
  const auto descend = [&]() -> Status {
    for (int64_t round = 0; round <= (reconstruct::Flattens(samples.activation) ? options.rounds : 0); ++round) {
      LACUNA_RETURN_IF_ERROR(fit.Solve(kept, fitted, new_bias));
      LACUNA_ASSIGN_OR_RETURN(now, fit.Measure(fitted, std::as_const(new_bias)));
      if (now >= error) break;
      error = now;
      std::copy(fitted.values().begin(), fitted.values().end(), best.mutable_values().begin());
      std::copy(new_bias.begin(), new_bias.end(), best_bias.begin());
    }
    return Status();
  };
  LACUNA_RETURN_IF_ERROR(descend());
  LACUNA_ASSIGN_OR_RETURN(projected_error, fit.Measure(projected, std::as_const(old_bias)));
  if (projected_error < error) {
    error = projected_error;
    std::copy(projected.values().begin(), projected.values().end(), best.mutable_values().begin());
    std::copy(old_bias.begin(), old_bias.end(), best_bias.begin());
    for (size_t i = 0; i < elements; ++i) kept[i] = projected.values()[i] != 0.0f ? 1 : 0;
    LACUNA_RETURN_IF_ERROR(descend());
  }
  return Reconstruction{std::move(best), std::move(best_bias), error, projected_error, samples.count < shape.columns};
}

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_RECONSTRUCT_H_
