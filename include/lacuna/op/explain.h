// Explanation: why a plan looks the way it does.

#ifndef LACUNA_OP_EXPLAIN_H_
#define LACUNA_OP_EXPLAIN_H_

#include "lacuna/format/matrix_shape.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "hwy/targets.h"

namespace lacuna {

struct Explanation {
  struct Option {
    const char* name;             // of a register tile, the pattern kernel or a Winograd tile
    double predicted;             // cost model, multiply-adds per output position; 0 for an only option
    double measured_seconds = 0;  // of a run, 0 if it was not measured
  };

  static constexpr size_t kMaxOptions = 20;

  const char* algorithm = "";
  const char* channels_last = "";  // where activations with channels innermost have an algorithm of their own
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
  std::array<int64_t, 3> tile_extent{};  // outputs per input tile: depth, height, width
  std::array<int64_t, 3> tiles{};        // input tiles per axis
  bool shifted_copies = false;           // one copy of the input per kernel column
  size_t input_tile_bytes = 0;

  void SetMatrix(const MatrixShape& shape) {
    rows = shape.rows;
    columns = shape.columns;
    groups = shape.groups;
  }

  std::string ToString() const {
    char text[640];
    std::snprintf(
        text, sizeof(text),
        "%s%s%s on %s (%zu lanes): weights %lld x %lld in %lld group(s), %lld stored (%.2f %%), %lld filled in, %zu "
        "bytes "
        "packed; register tile %s; input tile of %lld x %lld x %lld outputs, %lld x %lld x %lld of them, %zu bytes%s",
        algorithm, *channels_last == '\0' ? "" : ", of channels-last activations ", channels_last,
        hwy::TargetName(target), lanes, static_cast<long long>(rows), static_cast<long long>(columns),
        static_cast<long long>(groups), static_cast<long long>(nnz),
        100.0 * static_cast<double>(nnz) / (static_cast<double>(rows) * static_cast<double>(columns)),
        static_cast<long long>(fill), packed_bytes, tile, static_cast<long long>(tile_extent[0]),
        static_cast<long long>(tile_extent[1]), static_cast<long long>(tile_extent[2]),
        static_cast<long long>(tiles[0]), static_cast<long long>(tiles[1]), static_cast<long long>(tiles[2]),
        input_tile_bytes, shifted_copies ? ", one copy per kernel column" : "");
    std::string explanation = text;
    if (option_count < 2) return explanation;
    for (size_t i = 0; i < option_count; ++i) {
      std::snprintf(text, sizeof(text), "%s %s %.4g", i == 0 ? "; predicted" : ",", options[i].name,
                    options[i].predicted);
      explanation += text;
      if (options[i].measured_seconds == 0) continue;
      std::snprintf(text, sizeof(text), " (%.4g us measured)", 1e6 * options[i].measured_seconds);
      explanation += text;
    }
    std::snprintf(text, sizeof(text), "; chosen %s: %s", options[chosen].name, reason.data());
    explanation += text;
    return explanation;
  }
};

}  // namespace lacuna

#endif  // LACUNA_OP_EXPLAIN_H_
