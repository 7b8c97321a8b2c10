// ChooseSupport: which weights of a layer survive, by Optimal Brain Surgeon over the units of a scheme. Opt-in: needs
// Eigen, which users may let call a BLAS (EIGEN_USE_BLAS). Eigen's own memory is not lacuna's: without it Eigen throws,
// or ends a program without exceptions.

#ifndef LACUNA_PRUNE_OBS_H_
#define LACUNA_PRUNE_OBS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/status.h"
#include "lacuna/format/block_grid.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/prune/defaults.h"
#include "lacuna/prune/pattern.h"
#include "lacuna/prune/ranking.h"
#include "lacuna/prune/support.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace lacuna::inline LACUNA_ABI::prune {

// One quadratic a row: error(w) = (w - w0) H (w - w0)^T + constant, the same H for all rows of a convolution group.
struct Quadratic {
  MatrixShape shape;
  Buffer<double> hessian;  // [groups][columns][columns], symmetric, positive definite
  Buffer<double> linear;   // [rows][columns]: w0 H

  Eigen::Map<const Eigen::MatrixXd> HessianOf(int64_t group) const {
    return {hessian.data() + group * shape.columns * shape.columns, shape.columns, shape.columns};
  }
  // A column for each row of the weights.
  Eigen::Map<const Eigen::MatrixXd> LinearOf(int64_t first_row, int64_t rows) const {
    return {linear.data() + first_row * shape.columns, shape.columns, rows};
  }
};

namespace obs {

using Index = Eigen::Index;
using Matrix = Eigen::MatrixXd;
using Indices = std::vector<Index>;

// f(i) for i < count on the executor's threads, each i once. What f(i) writes must not depend on other i.
template <class F>
void ForEach(ExecutorRef executor, int64_t count, const F& f) {
  const int64_t slots = std::min(static_cast<int64_t>(executor.concurrency()), count);
  if (slots < 1) return;
  std::atomic<int64_t> next{0};
  const auto take = [&](size_t) {
    for (int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) f(i);
  };
  executor.parallel_for(static_cast<size_t>(slots), take);
}

inline Status NotPositiveDefinite() {
  return Status::InvalidArgument("the Hessian is not positive definite: damping must be larger");
}

// Cholesky of `matrix` in its own place; an error unless it is positive definite.
inline Status Factorize(Eigen::Ref<Matrix> matrix) {
  const Eigen::LLT<Eigen::Ref<Matrix>> factor(matrix);
  return factor.info() == Eigen::Success ? Status() : NotPositiveDefinite();
}

// The weights of a strip inside a chunk of columns, from which columns are removed one after the other. Each removal
// moves the other weights to the optimum of what is left.
class Elimination {
 public:
  // `weights` are at the optimum, `inverse` is that of the Hessian. Rows lose columns together, or each by itself.
  Elimination(const Matrix& inverse, Matrix weights, bool row_by_row)
      : weights_(std::move(weights)),
        inverse_(row_by_row ? static_cast<size_t>(weights_.rows()) : size_t{1}, inverse) {}

  Index rows() const { return weights_.rows(); }
  const Matrix& weights() const { return weights_; }

  // By how much the error grows if `row` loses `columns`: w_c (H^-1_cc)^-1 w_c^T.
  double Cost(Index row, const Indices& columns) const {
    const Matrix& inverse = InverseOf(row);
    if (columns.size() == 1) return Square(weights_(row, columns[0])) / Positive(inverse(columns[0], columns[0]));
    return CostOf(weights_(row, columns), Factor(inverse, columns));
  }

  // The same of all rows, which share one inverse.
  double Cost(const Indices& columns) const {
    const Matrix& inverse = inverse_[0];
    if (columns.size() == 1) return weights_.col(columns[0]).squaredNorm() / Positive(inverse(columns[0], columns[0]));
    return CostOf(weights_(Eigen::all, columns), Factor(inverse, columns));
  }

  // Of one row, which has an inverse of its own.
  void Remove(Index row, const Indices& columns) { RemoveFrom(row, 1, columns, inverse_[static_cast<size_t>(row)]); }
  // Of all rows, which share one.
  void Remove(const Indices& columns) { RemoveFrom(0, rows(), columns, inverse_[0]); }

 private:
  using Llt = Eigen::LLT<Matrix>;

  static double Square(double value) { return value * value; }
  // Rounding may leave nothing of a diagonal that other columns explain.
  static double Positive(double value) { return std::max(value, std::numeric_limits<double>::min()); }
  const Matrix& InverseOf(Index row) const { return inverse_[inverse_.size() == 1 ? 0 : static_cast<size_t>(row)]; }
  static Llt Factor(const Matrix& inverse, const Indices& columns) { return Llt(inverse(columns, columns)); }
  static double CostOf(const Matrix& w, const Llt& factor) {
    Matrix solved = w.transpose();
    factor.matrixL().solveInPlace(solved);
    return solved.squaredNorm();
  }

  void RemoveFrom(Index row, Index rows, const Indices& columns, Matrix& inverse) {
    if (columns.size() == 1) {
      const Index c = columns[0];
      const Eigen::VectorXd column = inverse.col(c);
      const Eigen::VectorXd scaled = column / Positive(column(c));
      weights_.middleRows(row, rows).noalias() -= weights_.col(c).segment(row, rows).eval() * scaled.transpose();
      inverse.noalias() -= column * scaled.transpose();
    } else {
      const Matrix part = inverse(Eigen::all, columns);
      const Matrix solved = Factor(inverse, columns).solve(part.transpose());
      const Matrix w = weights_(Eigen::seqN(row, rows), columns);
      weights_.middleRows(row, rows).noalias() -= w * solved;
      inverse.noalias() -= part * solved;
    }
    for (const Index c : columns) {
      weights_.col(c).segment(row, rows).setZero();
      inverse.row(c).setZero();
      inverse.col(c).setZero();
      inverse(c, c) = 1.0;
    }
  }

  Matrix weights_;
  std::vector<Matrix> inverse_;
};

// What a strip tells of its units in a chunk: the growth of the error per weight at which each went, in the order in
// which they went never less; infinite if it stays.
inline constexpr double kStays = std::numeric_limits<double>::infinity();

// Chooses in one strip and one chunk of columns.
class Strip {
 public:
  Strip(const SupportUnits& units, const PatternLibrary& library, Elimination elimination)
      : units_(units), library_(library), elimination_(std::move(elimination)) {
    const Index columns = elimination_.weights().cols();
    const auto blocks = static_cast<size_t>((columns + units.block.columns - 1) / units.block.columns);
    cost_.assign(blocks * static_cast<size_t>(units.cycle), kStays);
    left_.assign(static_cast<size_t>(elimination_.rows() * columns), 1);
  }

  // Removes rows of blocks, all but a pattern of each kernel, then units, the cheapest first: down to what each block
  // keeps, or all of them.
  void Run() {
    if (units_.row_keep < 1.0) RemoveRows();
    if (units_.patterns.has_value()) RemovePatterns();
    RemoveUnits();
  }

  std::span<const double> cost() const { return cost_; }
  // Whether (row, column) outlived the rows and patterns; its unit decides the rest.
  bool Left(Index row, Index column) const {
    return left_[static_cast<size_t>(row * elimination_.weights().cols() + column)] != 0;
  }

 private:
  Index Columns() const { return elimination_.weights().cols(); }
  Index Blocks() const { return static_cast<Index>(cost_.size()) / units_.cycle; }
  Index Extent(Index block) const {
    return std::min<Index>(units_.block.columns, Columns() - block * units_.block.columns);
  }

  // What is left of a unit in `row`.
  Indices ColumnsOf(Index row, Index block, Index unit) const {
    Indices columns;
    for (Index j = 0; j < Extent(block); ++j) {
      const Index column = block * units_.block.columns + j;
      if (units_.UnitOf(j) == unit && Left(row, column)) columns.push_back(column);
    }
    return columns;
  }

  void Drop(Index row, const Indices& columns) {
    for (const Index column : columns) left_[static_cast<size_t>(row * Columns() + column)] = 0;
  }

  void RemoveRows() {
    const Index rows = elimination_.rows();
    std::vector<Index> kept(static_cast<size_t>(Blocks()), rows);
    const Index wanted = KeptOf(units_.row_keep, rows);
    std::vector<double> cost(static_cast<size_t>(rows * Blocks()), kStays);
    const auto columns_of = [&](Index block) {
      Indices columns;
      for (Index j = 0; j < Extent(block); ++j) columns.push_back(block * units_.block.columns + j);
      return columns;
    };
    const auto refresh = [&](Index row) {
      for (Index block = 0; block < Blocks(); ++block) {
        double& c = cost[static_cast<size_t>(row * Blocks() + block)];
        const bool open = kept[static_cast<size_t>(block)] > wanted && Left(row, block * units_.block.columns);
        c = open ? elimination_.Cost(row, columns_of(block)) : kStays;
      }
    };
    for (Index row = 0; row < rows; ++row) refresh(row);
    while (true) {
      const auto cheapest = std::min_element(cost.begin(), cost.end());
      if (*cheapest == kStays) break;
      const Index row = (cheapest - cost.begin()) / Blocks(), block = (cheapest - cost.begin()) % Blocks();
      const Indices columns = columns_of(block);
      elimination_.Remove(row, columns);
      Drop(row, columns);
      if (--kept[static_cast<size_t>(block)] == wanted) {
        for (Index r = 0; r < rows; ++r) cost[static_cast<size_t>(r * Blocks() + block)] = kStays;
      }
      refresh(row);
    }
  }

  void RemovePatterns() {
    std::vector<Indices> others;  // of each pattern: the cells of a kernel that it does not keep
    for (int64_t p = 0; p < library_.patterns(); ++p) {
      Indices cells;
      int64_t i = 0;
      for (Index cell = 0; cell < units_.block.columns; ++cell) {
        if (i < library_.cells(p) && library_.cell_at(p, i) == cell) {
          ++i;
        } else {
          cells.push_back(cell);
        }
      }
      others.push_back(std::move(cells));
    }
    if (others[0].empty()) return;
    const auto of_kernel = [&](Index kernel, size_t p) {
      Indices columns = others[p];
      for (Index& column : columns) column += kernel * units_.block.columns;
      return columns;
    };
    std::vector<bool> open(static_cast<size_t>(Blocks()), true);
    for (Index round = 0; round < Blocks(); ++round) {
      double least = kStays;
      Index kernel = 0;
      size_t pattern = 0;
      for (Index k = 0; k < Blocks(); ++k) {
        if (!open[static_cast<size_t>(k)]) continue;
        for (size_t p = 0; p < others.size(); ++p) {
          const double cost = elimination_.Cost(of_kernel(k, p));
          if (cost < least) {
            least = cost;
            kernel = k;
            pattern = p;
          }
        }
      }
      const Indices columns = of_kernel(kernel, pattern);
      elimination_.Remove(columns);
      for (Index row = 0; row < elimination_.rows(); ++row) Drop(row, columns);
      open[static_cast<size_t>(kernel)] = false;
    }
  }

  void RemoveUnits() {
    struct Alive {
      Index block, unit;
      Indices columns;  // where rows go together
    };
    const bool row_by_row = units_.row_keep < 1.0;
    std::vector<Alive> alive;
    std::vector<Index> excess(static_cast<size_t>(Blocks()), std::numeric_limits<Index>::max());
    for (Index block = 0; block < Blocks(); ++block) {
      const Index count = units_.Units(Extent(block));
      if (units_.budget == Budget::kPerBlock) {
        excess[static_cast<size_t>(block)] = count - units_.Kept(Extent(block));
        if (excess[static_cast<size_t>(block)] == 0) continue;
      }
      for (Index unit = 0; unit < count; ++unit) alive.push_back({block, unit, ColumnsOf(0, block, unit)});
    }
    double growth = 0.0;
    while (!alive.empty()) {
      size_t cheapest = 0;
      double least = kStays;
      for (size_t i = 0; i < alive.size(); ++i) {
        const Alive& unit = alive[i];
        double cost = 0.0;
        if (!row_by_row) {
          cost = elimination_.Cost(unit.columns);
        } else {
          for (Index row = 0; row < elimination_.rows(); ++row) {
            const Indices columns = ColumnsOf(row, unit.block, unit.unit);
            if (!columns.empty()) cost += elimination_.Cost(row, columns);
          }
        }
        cost /= static_cast<double>(units_.Columns(unit.unit, Extent(unit.block)) * elimination_.rows());
        if (cost < least) {
          least = cost;
          cheapest = i;
        }
      }
      const Alive unit = alive[cheapest];
      if (!row_by_row) {
        elimination_.Remove(unit.columns);
      } else {
        for (Index row = 0; row < elimination_.rows(); ++row) {
          const Indices columns = ColumnsOf(row, unit.block, unit.unit);
          if (!columns.empty()) elimination_.Remove(row, columns);
        }
      }
      growth = std::max(growth, least);
      cost_[static_cast<size_t>(unit.block * units_.cycle + unit.unit)] = growth;
      const bool closed = --excess[static_cast<size_t>(unit.block)] == 0;
      alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(cheapest));
      if (closed) std::erase_if(alive, [&](const Alive& other) { return other.block == unit.block; });
    }
  }

  const SupportUnits& units_;
  const PatternLibrary& library_;
  Elimination elimination_;
  std::vector<double> cost_;   // [blocks][cycle]
  std::vector<uint8_t> left_;  // [rows][columns]
};

// Goes through the chunks of one layer.
class Chooser {
 public:
  Chooser(const Quadratic& quadratic, const SupportUnits& units, ExecutorRef executor, double work)
      : quadratic_(quadratic), units_(units), grid_{quadratic.shape, units.block}, executor_(executor), work_(work) {}

  Result<Buffer<uint8_t>> Run() {
    const MatrixShape& shape = quadratic_.shape;
    const auto elements = static_cast<size_t>(shape.elements());
    LACUNA_ASSIGN_OR_RETURN(kept, Buffer<uint8_t>::Make(elements));
    kept_ = std::move(kept);
    LACUNA_ASSIGN_OR_RETURN(factor, Buffer<double>::Make(static_cast<size_t>(shape.columns * shape.columns)));
    factor_ = std::move(factor);
    LACUNA_ASSIGN_OR_RETURN(weights, DenseWeights<double>::Zeros(shape));
    weights_ = weights.mutable_values();
    const double states = static_cast<double>(units_.row_keep < 1.0 ? shape.rows : grid_.block_rows());
    const auto widest = static_cast<int64_t>(std::sqrt(work_ / (states * static_cast<double>(shape.columns))));
    const int64_t least = std::max(widest, kSupportColumns) / units_.block.columns * units_.block.columns;
    chunk_ = std::min(std::max(least, units_.block.columns), shape.columns);
    chunks_ = (shape.columns + chunk_ - 1) / chunk_;
    LACUNA_RETURN_IF_ERROR(SolveDense());
    if (units_.patterns.has_value()) {
      LACUNA_ASSIGN_OR_RETURN(library, ExtractPatternLibrary(weights, *units_.patterns));
      library_ = std::move(library);
    }
    if (units_.block.columns == shape.columns && units_.block.rows == 1 && !units_.patterns.has_value()) {
      LACUNA_RETURN_IF_ERROR(ChooseRows());
      return std::move(kept_);
    }
    LACUNA_RETURN_IF_ERROR(ShareBudget());
    for (int64_t group = 0; group < shape.groups; ++group) {
      if (shape.groups > 1) LACUNA_RETURN_IF_ERROR(FactorizeGroup(group));
      for (int64_t chunk = chunks_ - 1; chunk >= 0; --chunk) LACUNA_RETURN_IF_ERROR(ChooseIn(group, chunk));
    }
    return std::move(kept_);
  }

 private:
  int64_t columns() const { return quadratic_.shape.columns; }
  int64_t rows_per_group() const { return quadratic_.shape.rows_per_group(); }
  Eigen::Map<Matrix> FactorMap() { return {factor_.data(), columns(), columns()}; }
  // W^T of a group: a column for each row.
  Eigen::Map<Matrix> WeightsOf(int64_t group) {
    return {weights_.data() + group * rows_per_group() * columns(), columns(), rows_per_group()};
  }
  int64_t ChunkBegin(int64_t chunk) const { return chunk * chunk_; }
  int64_t ChunkEnd(int64_t chunk) const { return std::min(columns(), (chunk + 1) * chunk_); }

  Status FactorizeGroup(int64_t group) {
    FactorMap() = quadratic_.HessianOf(group);
    return Factorize(FactorMap());
  }

  Status SolveDense() {
    for (int64_t group = 0; group < quadratic_.shape.groups; ++group) {
      LACUNA_RETURN_IF_ERROR(FactorizeGroup(group));
      auto weights = WeightsOf(group);
      weights = quadratic_.LinearOf(group * rows_per_group(), rows_per_group());
      FactorMap().triangularView<Eigen::Lower>().solveInPlace(weights);
      FactorMap().triangularView<Eigen::Lower>().transpose().solveInPlace(weights);
    }
    return Status();
  }

  // Whole filters: what is lost is all that they explain, w H w^T.
  Status ChooseRows() {
    const int64_t rows = quadratic_.shape.rows;
    LACUNA_ASSIGN_OR_RETURN(candidates, Buffer<Unit>::Make(static_cast<size_t>(rows)));
    LACUNA_ASSIGN_OR_RETURN(flag, Buffer<uint8_t>::Make(static_cast<size_t>(rows)));
    for (int64_t row = 0; row < rows; ++row) {
      const Eigen::Map<const Eigen::VectorXd> w(weights_.data() + row * columns(), columns());
      candidates[static_cast<size_t>(row)] = {w.dot(quadratic_.LinearOf(row, 1).col(0)), static_cast<uint64_t>(row)};
    }
    KeepLargest(std::span<Unit>(candidates.data(), candidates.size()), KeptOf(units_.keep, rows), flag);
    for (int64_t row = 0; row < rows; ++row) {
      std::fill_n(kept_.data() + row * columns(), columns(), flag[static_cast<size_t>(row)]);
    }
    return Status();
  }

  // A layer's budget is spent where units count most by their OBS costs in the dense layer: budget_[group][chunk]
  // units, or weights.
  Status ShareBudget() {
    if (units_.budget == Budget::kPerBlock) return Status();
    const MatrixShape& shape = quadratic_.shape;
    LACUNA_ASSIGN_OR_RETURN(budget, Buffer<double>::Make(static_cast<size_t>(shape.groups * chunks_)));
    budget_ = std::move(budget);
    const auto count = static_cast<size_t>(grid_.blocks() * units_.cycle);
    const double whole = units_.by_weights ? units_.keep * static_cast<double>(shape.elements())
                                           : static_cast<double>(KeptOf(units_.keep, CountUnits()));
    if (budget_.size() == 1) {
      budget_[0] = whole;
      return Status();
    }
    LACUNA_ASSIGN_OR_RETURN(candidates, Buffer<Unit>::Make(count));
    LACUNA_ASSIGN_OR_RETURN(flag, Buffer<uint8_t>::Make(count));
    LACUNA_ASSIGN_OR_RETURN(diagonal, Buffer<double>::Make(static_cast<size_t>(columns())));
    size_t used = 0;
    for (int64_t group = 0; group < shape.groups; ++group) {
      if (shape.groups > 1) LACUNA_RETURN_IF_ERROR(FactorizeGroup(group));
      InverseDiagonal(diagonal);
      for (int64_t s = group * grid_.block_rows_per_group(); s < (group + 1) * grid_.block_rows_per_group(); ++s) {
        for (int64_t b = 0; b < grid_.block_columns(); ++b) {
          const int64_t extent = grid_.column_extent(b);
          for (int64_t u = 0; u < units_.Units(extent); ++u) candidates[used++] = {0.0, Place(s, b, u)};
          for (int64_t j = 0; j < extent; ++j) {
            const int64_t column = b * units_.block.columns + j;
            Unit& unit = candidates[used - static_cast<size_t>(units_.Units(extent) - units_.UnitOf(j))];
            for (int64_t i = 0; i < grid_.row_extent(s); ++i) {
              const double w = weights_[static_cast<size_t>((grid_.first_row(s) + i) * columns() + column)];
              unit.norm2 += w * w / diagonal[static_cast<size_t>(column)];
            }
          }
        }
      }
    }
    for (Unit& unit : std::span<Unit>(candidates.data(), used)) unit.norm2 /= WeightsIn(unit.place);
    Keep(std::span<Unit>(candidates.data(), used), whole, flag);
    for (int64_t s = 0; s < grid_.block_rows(); ++s) {
      for (int64_t b = 0; b < grid_.block_columns(); ++b) {
        double& share = budget_[static_cast<size_t>(s / grid_.block_rows_per_group() * chunks_ +
                                                    b * units_.block.columns / chunk_)];
        for (int64_t u = 0; u < units_.Units(grid_.column_extent(b)); ++u) {
          const uint64_t place = Place(s, b, u);
          if (flag[place] != 0) share += units_.by_weights ? WeightsIn(place) : 1.0;
        }
      }
    }
    return Status();
  }

  int64_t CountUnits() const {
    int64_t count = 0;
    for (int64_t b = 0; b < grid_.block_columns(); ++b) count += units_.Units(grid_.column_extent(b));
    return count * grid_.block_rows();
  }
  uint64_t Place(int64_t strip, int64_t block, int64_t unit) const {
    return static_cast<uint64_t>((strip * grid_.block_columns() + block) * units_.cycle + unit);
  }
  // Of a unit before anything is removed.
  double WeightsIn(uint64_t place) const {
    const auto block = static_cast<int64_t>(place) / units_.cycle, unit = static_cast<int64_t>(place) % units_.cycle;
    return static_cast<double>(grid_.row_extent(block / grid_.block_columns()) *
                               units_.Columns(unit, grid_.column_extent(block % grid_.block_columns())));
  }
  void Keep(std::span<Unit> candidates, double budget, Buffer<uint8_t>& flag) const {
    if (units_.by_weights) {
      KeepLargest(
          candidates, budget, [&](uint64_t place) { return WeightsIn(place); }, flag);
    } else {
      KeepLargest(candidates, static_cast<int64_t>(budget), flag);
    }
  }

  // The diagonal of H^-1 = L^-T L^-1: the squared norms of the columns of L^-1.
  void InverseDiagonal(Buffer<double>& diagonal) {
    const int64_t blocks = (columns() + kInverseBlock - 1) / kInverseBlock;
    auto factor = FactorMap();
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t first = b * kInverseBlock, width = std::min(kInverseBlock, columns() - first),
                    below = columns() - first;
      Matrix part = Matrix::Identity(below, width);
      factor.bottomRightCorner(below, below).triangularView<Eigen::Lower>().solveInPlace(part);
      for (int64_t j = 0; j < width; ++j) diagonal[static_cast<size_t>(first + j)] = part.col(j).squaredNorm();
    }
  }

  // Removes from one chunk; the chunks before it, which are still whole, take over what they can. Those behind it are
  // decided and keep what they have (SparseGPT).
  Status ChooseIn(int64_t group, int64_t chunk) {
    const int64_t begin = ChunkBegin(chunk), end = ChunkEnd(chunk), width = end - begin;
    // Columns of the inverse of H over the columns that are left: L_S^-T (0, L_CC^-1)^T.
    Matrix inverse = Matrix::Zero(end, width);
    inverse.bottomRows(width).setIdentity();
    auto factor = FactorMap().topLeftCorner(end, end);
    factor.bottomRightCorner(width, width).triangularView<Eigen::Lower>().solveInPlace(inverse.bottomRows(width));
    factor.triangularView<Eigen::Lower>().transpose().solveInPlace(inverse);
    const Matrix within = inverse.bottomRows(width);
    auto weights = WeightsOf(group);

    const int64_t strips = grid_.block_rows_per_group(),
                  blocks = (width + units_.block.columns - 1) / units_.block.columns;
    const int64_t per_strip = blocks * units_.cycle, first_block = begin / units_.block.columns;
    LACUNA_ASSIGN_OR_RETURN(cost, Buffer<double>::Make(static_cast<size_t>(strips * per_strip)));
    const auto strip_rows = [&](int64_t s) { return s * units_.block.rows; };  // inside the group
    const auto place_of = [&](int64_t s, int64_t i) {
      return Place(group * strips + s, first_block + i / units_.cycle, i % units_.cycle);
    };
    ForEach(executor_, strips, [&](int64_t s) {
      const int64_t rows = grid_.row_extent(s);
      Strip strip(
          units_, library_,
          Elimination(within, weights.block(begin, strip_rows(s), width, rows).transpose(), units_.row_keep < 1.0));
      strip.Run();
      std::copy(strip.cost().begin(), strip.cost().end(), cost.data() + s * per_strip);
      for (int64_t row = 0; row < rows; ++row) {
        uint8_t* kept = kept_.data() + (group * rows_per_group() + strip_rows(s) + row) * columns() + begin;
        for (int64_t column = 0; column < width; ++column) kept[column] = strip.Left(row, column) ? 1 : 0;
      }
    });

    LACUNA_ASSIGN_OR_RETURN(flag, Buffer<uint8_t>::Make(static_cast<size_t>(grid_.blocks() * units_.cycle)));
    LACUNA_ASSIGN_OR_RETURN(candidates, Buffer<Unit>::Make(cost.size()));
    size_t used = 0;
    for (int64_t s = 0; s < strips; ++s) {
      for (int64_t i = 0; i < per_strip; ++i) {
        const int64_t extent = grid_.column_extent(first_block + i / units_.cycle);
        if (i % units_.cycle >= units_.Units(extent)) continue;
        const uint64_t place = place_of(s, i);
        const double growth = cost[static_cast<size_t>(s * per_strip + i)];
        if (units_.budget == Budget::kPerBlock) {
          flag[place] = growth == kStays ? 1 : 0;
        } else {
          candidates[used++] = {growth, place};
        }
      }
    }
    if (units_.budget == Budget::kPerLayer) {
      Keep(std::span<Unit>(candidates.data(), used), budget_[static_cast<size_t>(group * chunks_ + chunk)], flag);
    }
    Matrix moved = Matrix::Zero(width, begin > 0 ? rows_per_group() : 0);
    ForEach(executor_, strips, [&](int64_t s) {
      Indices removed;
      for (int64_t row = strip_rows(s); row < strip_rows(s) + grid_.row_extent(s); ++row) {
        uint8_t* kept = kept_.data() + (group * rows_per_group() + row) * columns() + begin;
        for (int64_t column = 0; column < width; ++column) {
          const int64_t block = column / units_.block.columns, unit = units_.UnitOf(column % units_.block.columns);
          if (flag[place_of(s, block * units_.cycle + unit)] == 0) kept[column] = 0;
        }
        if (begin == 0) continue;
        // Rows of a strip lose the same columns, unless each block lost rows of its own.
        const bool together = units_.row_keep == 1.0;
        if (together && row > strip_rows(s)) continue;
        const Index rows = together ? grid_.row_extent(s) : 1;
        removed.clear();
        for (int64_t column = 0; column < width; ++column) {
          if (kept[column] == 0) removed.push_back(column);
        }
        if (removed.empty()) continue;
        const Matrix w = weights.block(begin, row, width, rows)(removed, Eigen::all);
        const Matrix solved = Matrix(within(removed, removed)).llt().solve(w);
        moved.middleCols(row, rows)(removed, Eigen::all) = solved;
      }
    });
    if (begin > 0) weights.topRows(begin).noalias() -= inverse.topRows(begin) * moved;
    return Status();
  }

  const Quadratic& quadratic_;
  const SupportUnits& units_;
  const BlockGrid grid_;
  ExecutorRef executor_;
  double work_;
  int64_t chunk_ = 0, chunks_ = 0;
  PatternLibrary library_{};
  std::span<double> weights_;  // [rows][columns]: dense, then as the removals left them
  Buffer<double> factor_;      // of one group
  Buffer<double> budget_;
  Buffer<uint8_t> kept_;
};

}  // namespace obs

// 1 where a weight survives, [rows][columns]: units go greedily, the one first whose loss the others can best make up
// for. `units` are those of quadratic.shape. The error that a removal costs is w_u (H^-1_uu)^-1 w_u^T summed over the
// rows of its strip (Hassibi and Stork, Optimal Brain Surgeon, 1993; Frantar and Alistarh, Optimal Brain Compression,
// 2022). Wide layers are cut into chunks of columns: the choice is exact in a chunk, and what the chunks before it
// cannot take over is not revised (SparseGPT, 2023). Chunks are as wide as `work` multiply-adds allow, at least 64
// columns and a block. The same for any number of threads. Errors: a Hessian that is not positive definite; memory.
inline Result<Buffer<uint8_t>> ChooseSupport(const Quadratic& quadratic, const SupportUnits& units,
                                             ExecutorRef executor, double work = kSupportWork) {
  return obs::Chooser(quadratic, units, executor, work).Run();
}

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_OBS_H_
