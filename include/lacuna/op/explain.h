// Explanation: why a plan looks the way it does.

#ifndef LACUNA_OP_EXPLAIN_H_
#define LACUNA_OP_EXPLAIN_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/text_writer.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/policy/select.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>

namespace lacuna::inline LACUNA_ABI {

struct Explanation {
  struct Option {
    const char* name;             // of a register tile, the pattern kernel or a Winograd tile
    double predicted;             // cost model, multiply-adds per output position; 0 for an only option
    double measured_seconds = 0;  // of a run, 0 if it was not measured
  };

  static constexpr size_t kMaxOptions = 20;

  const char* algorithm = "";
  const char* channels_last = "";  // where activations with channels innermost have an algorithm of their own
  const char* planar = "";         // the same where rows are contiguous
  const char* tile = "";           // the register tile, rows x vectors / masks
  std::array<Option, kMaxOptions> options{};
  size_t option_count = 0;  // 0 for weights that were packed before
  size_t chosen = 0;
  std::array<char, 256> reason{};  // zero-terminated
  int64_t target = 0;              // Highway's bit
  size_t lanes = 0;
  int64_t rows = 0, columns = 0, groups = 1;
  int64_t nnz = 0;   // weights the format stores
  int64_t fill = 0;  // zeros packing added
  size_t packed_bytes = 0;
  size_t offset_bytes = 0;               // of tables from packed columns to inputs
  std::array<int64_t, 3> tile_extent{};  // outputs per input tile: depth, height, width
  std::array<int64_t, 3> tiles{};        // input tiles per axis
  bool shifted_copies = false;           // one copy of the input per kernel column
  size_t input_tile_bytes = 0;

  void SetMatrix(const MatrixShape& shape) {
    rows = shape.rows;
    columns = shape.columns;
    groups = shape.groups;
  }

  // All of it as one line.
  LACUNA_API void WriteTo(TextWriter& text) const;
  LACUNA_API std::string ToString() const;
};

// The options that were weighed for a layer, and which one was taken; none for weights that were packed before.
struct ChoiceRecord {
  std::array<Explanation::Option, Explanation::kMaxOptions> options{};
  size_t option_count = 0;
  size_t chosen = 0;
  std::array<char, sizeof(Explanation::reason)> reason{};

  void AddTo(Explanation& explanation) const {
    explanation.options = options;
    explanation.option_count = option_count;
    explanation.chosen = chosen;
    explanation.reason = reason;
  }
  // `candidates` were asked about in this order.
  void Set(std::span<const Candidate> candidates, const Choice& choice) {
    option_count = candidates.size();
    for (size_t i = 0; i < option_count; ++i) {
      options[i] = {candidates[i].name, candidates[i].predicted, choice.measured_seconds[i]};
    }
    chosen = choice.index;
    static_assert(sizeof(choice.reason) == sizeof(reason));
    std::copy(std::begin(choice.reason), std::end(choice.reason), reason.begin());
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/explain.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_EXPLAIN_H_
