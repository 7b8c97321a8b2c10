// Engine: one way of computing a layer, lacuna's or a peer's, ready to run.

#ifndef LACUNA_BENCH_ENGINE_H_
#define LACUNA_BENCH_ENGINE_H_

#include "lacuna/core/buffer.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/core/value_traits.h"
#include "lacuna/format/any.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lacuna::bench {

// The best instruction set that a peer may use.
enum class InstructionSet : uint8_t { kSse4, kAvx2, kAvx512, kUnlimited };

struct Settings {
  InstructionSet instruction_set = InstructionSet::kUnlimited;
  bool verbose = false;
};

enum class Cell : uint8_t { kGru, kGruLinearBeforeReset, kLstm };

constexpr int64_t GatesOf(Cell cell) { return cell == Cell::kLstm ? 4 : 3; }

// What a recurrent layer has besides W. Gates are in ONNX's order (core/recurrent.h).
struct Recurrence {
  Cell cell;
  std::span<const float> weights;             // R, dense [gates * hidden][hidden], zeros where pruned
  const AnyWeights<float>* pruned = nullptr;  // the same weights, or null if they are dense
  std::span<const float> bias;                // [2][gates * hidden]
  std::span<const float> h, c;                // [hidden], before the first step; c of an LSTM
};

// y = convolution(x, weights), one image or clip, no bias, no activation; or, with a recurrence, one sequence: a step
// is a pixel, x has `input` channels, y `hidden` ones, the shape is that of a 1x1 convolution, and `weights` are W
// [gates * hidden][input]. The spans outlive the engines made from a Problem.
struct Problem {
  ConvShape<3> shape;
  // Activations in memory: planar [C][D * H * W] or channels-last [D * H * W][C], which for a GEMM are [K, N] and [N,
  // K]. Peers of a convolution are free to prefer another layout.
  bool channels_last = false;
  std::span<const float> weights;             // dense [OC][K], zeros where pruned
  const AnyWeights<float>* pruned = nullptr;  // the same weights, or null if they are dense
  std::span<const float> input;               // always planar
  std::optional<Recurrence> recurrence{};
  bool cold = false;  // weights are evicted before every run that is timed
};

using MemoryRange = std::span<const std::byte>;

template <class T>
MemoryRange RangeOf(const T* data, size_t count) {
  return std::as_bytes(std::span<const T>(data, count));
}

inline size_t BytesOf(std::span<const MemoryRange> ranges) {
  size_t bytes = 0;
  for (const MemoryRange& range : ranges) bytes += range.size();
  return bytes;
}

class Engine {
 public:
  virtual ~Engine() = default;
  virtual void Run() = 0;
  // The output of the last Run, planar [OC][OD * OH * OW].
  virtual void CopyOutput(std::span<float> planar) const = 0;
  // What the engine chose, for the curious; may be empty.
  virtual std::string Detail() const { return {}; }
  virtual double pack_seconds() const { return 0.0; }
  // The weights as Run reads them, indices included; empty if the engine does not tell.
  virtual std::vector<MemoryRange> Weights() const { return {}; }
};

using EnginePointer = std::unique_ptr<Engine>;

struct EngineInfo {
  const char* name;
  bool dense = true;                    // runs dense weights
  bool pruned = false;                  // runs pruned weights, a benchmark per scheme
  bool winograd = false;                // does fewer multiplications than the convolution has
  bool int8 = false;                    // computes the problem as Int8Problem has it (int8_problem.h)
  ValueType storage = ValueType::kF32;  // of its weights, which it rounds itself
  int threads = 1;
  bool channels_last = false;  // takes its activations so, whatever the problem says
  bool (*supports)(const Problem& problem) = nullptr;
  // A Status says why the engine is absent for this problem.
  Result<EnginePointer> (*make)(const Problem& problem, const Settings& settings, const EngineInfo& info) = nullptr;
};

// The shape of a problem with the kRank innermost axes alone; the others have extent 1.
template <int kRank>
ConvShape<kRank> ShapeOfRank(const ConvShape<3>& shape) {
  const auto innermost = [](const Extents<3>& from) {
    Extents<kRank> to{};
    std::copy(from.end() - kRank, from.end(), to.begin());
    return to;
  };
  return {.batch = shape.batch,
          .in_channels = shape.in_channels,
          .out_channels = shape.out_channels,
          .groups = shape.groups,
          .input = innermost(shape.input),
          .kernel = innermost(shape.kernel),
          .stride = innermost(shape.stride),
          .dilation = innermost(shape.dilation),
          .pad_begin = innermost(shape.pad_begin),
          .pad_end = innermost(shape.pad_end)};
}

// Kernel and stride 1, no padding, and no recurrence: Y[OC, pixels] = W[OC, IC] X[IC, pixels].
inline bool IsGemm(const Problem& problem) {
  const ConvShape<3>& s = problem.shape;
  const Extents<3> ones{1, 1, 1}, zeros{};
  return !problem.recurrence && s.batch == 1 && s.groups == 1 && s.kernel == ones && s.stride == ones &&
         s.pad_begin == zeros && s.pad_end == zeros;
}

// A GEMM of one column.
inline bool IsGemv(const Problem& problem) { return IsGemm(problem) && problem.shape.positions() == 1; }

// to[j][i] = from[i][j] for `from` of rows x columns.
inline void Transpose(const float* from, int64_t rows, int64_t columns, float* to) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  }
}

// Activations of a problem in the layout it asks for, and the way back to planar. Memory is aligned to a cache line.
class Activations {
 public:
  static Result<Activations> Make(int64_t channels, int64_t pixels, bool channels_last) {
    LACUNA_ASSIGN_OR_RETURN(values, Buffer<float>::Make(static_cast<size_t>(channels * pixels)));
    return Activations(channels, pixels, channels_last, std::move(values));
  }
  static Result<Activations> InputOf(const Problem& problem, bool channels_last) {
    const ConvShape<3>& shape = problem.shape;
    LACUNA_ASSIGN_OR_RETURN(x, Make(shape.in_channels, shape.input_elements() / shape.in_channels, channels_last));
    x.CopyFrom(problem.input);
    return std::move(x);
  }
  static Result<Activations> OutputOf(const Problem& problem, bool channels_last) {
    return Make(problem.shape.out_channels, problem.shape.positions(), channels_last);
  }

  void CopyFrom(std::span<const float> planar) {
    if (channels_last_) {
      Transpose(planar.data(), channels_, pixels_, values_.data());
    } else {
      std::copy(planar.begin(), planar.end(), values_.data());
    }
  }
  void CopyTo(std::span<float> planar) const {
    if (channels_last_) {
      Transpose(values_.data(), pixels_, channels_, planar.data());
    } else {
      std::copy(values_.begin(), values_.end(), planar.data());
    }
  }
  int64_t channels() const { return channels_; }
  int64_t pixels() const { return pixels_; }
  bool channels_last() const { return channels_last_; }
  float* data() { return values_.data(); }
  const float* data() const { return values_.data(); }

 private:
  Activations(int64_t channels, int64_t pixels, bool channels_last, Buffer<float> values)
      : channels_(channels), pixels_(pixels), channels_last_(channels_last), values_(std::move(values)) {}

  int64_t channels_;
  int64_t pixels_;
  bool channels_last_;
  Buffer<float> values_;
};

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_ENGINE_H_
