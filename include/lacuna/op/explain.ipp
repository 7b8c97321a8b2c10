#include "lacuna/core/abi.h"
#include "lacuna/core/target.h"
#include "lacuna/op/explain.h"

#include <cstddef>
#include <cstdio>
#include <string>

namespace lacuna::inline LACUNA_ABI {

LACUNA_FUNC std::string Explanation::ToString() const {
  char text[640];
  std::snprintf(
      text, sizeof(text),
      "%s%s%s%s%s on %s (%zu lanes): weights %lld x %lld in %lld group(s), %lld stored (%.2f %%), %lld filled in, %zu "
      "bytes "
      "packed; register tile %s; input tile of %lld x %lld x %lld outputs, %lld x %lld x %lld of them, %zu bytes%s",
      algorithm, *channels_last == '\0' ? "" : ", of channels-last activations ", channels_last,
      *planar == '\0' ? "" : ", of planar ones ", planar, TargetName(target), lanes, static_cast<long long>(rows),
      static_cast<long long>(columns), static_cast<long long>(groups), static_cast<long long>(nnz),
      100.0 * static_cast<double>(nnz) / (static_cast<double>(rows) * static_cast<double>(columns)),
      static_cast<long long>(fill), packed_bytes, tile, static_cast<long long>(tile_extent[0]),
      static_cast<long long>(tile_extent[1]), static_cast<long long>(tile_extent[2]), static_cast<long long>(tiles[0]),
      static_cast<long long>(tiles[1]), static_cast<long long>(tiles[2]), input_tile_bytes,
      shifted_copies ? ", one copy per kernel column" : "");
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

}  // namespace lacuna::inline LACUNA_ABI
