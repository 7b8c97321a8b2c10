// Geometric mean and lowest of ratios, and where the lowest was.

#ifndef LACUNA_BENCH_GEOMETRIC_MEAN_H_
#define LACUNA_BENCH_GEOMETRIC_MEAN_H_

#include <cmath>
#include <limits>
#include <string>

namespace lacuna::bench {

class GeometricMean {
 public:
  void Add(double value, const std::string& where) {
    log_sum_ += std::log(value);
    ++count_;
    if (value < lowest_) {
      lowest_ = value;
      where_ = where;
    }
  }
  double value() const { return count_ == 0 ? 0.0 : std::exp(log_sum_ / count_); }
  int count() const { return count_; }
  double lowest() const { return count_ == 0 ? 0.0 : lowest_; }
  const std::string& where() const { return where_; }

 private:
  double log_sum_ = 0.0;
  int count_ = 0;
  double lowest_ = std::numeric_limits<double>::infinity();
  std::string where_;
};

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_GEOMETRIC_MEAN_H_
