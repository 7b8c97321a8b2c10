#include "lacuna/core/abi.h"
#include "lacuna/core/target.h"
#include "lacuna/core/text_writer.h"
#include "lacuna/op/explain.h"

#include <cstddef>
#include <string>

namespace lacuna::inline LACUNA_ABI {

LACUNA_FUNC void Explanation::WriteTo(TextWriter& text) const {
  text.Add("%s%s%s%s%s on %s (%zu lanes): ", algorithm, *channels_last == '\0' ? "" : ", of channels-last activations ",
           channels_last, *planar == '\0' ? "" : ", of planar ones ", planar, TargetName(target), lanes);
  text.Add("weights %lld x %lld in %lld group(s), %lld stored (%.2f %%), %lld filled in, %zu bytes packed; ",
           static_cast<long long>(rows), static_cast<long long>(columns), static_cast<long long>(groups),
           static_cast<long long>(nnz),
           100.0 * static_cast<double>(nnz) / (static_cast<double>(rows) * static_cast<double>(columns)),
           static_cast<long long>(fill), packed_bytes);
  text.Add("register tile %s; input tile of %lld x %lld x %lld outputs, %lld x %lld x %lld of them, %zu bytes%s", tile,
           static_cast<long long>(tile_extent[0]), static_cast<long long>(tile_extent[1]),
           static_cast<long long>(tile_extent[2]), static_cast<long long>(tiles[0]), static_cast<long long>(tiles[1]),
           static_cast<long long>(tiles[2]), input_tile_bytes, shifted_copies ? ", one copy per kernel column" : "");
  if (option_count < 2) return;
  for (size_t i = 0; i < option_count; ++i) {
    text.Add("%s %s %.4g", i == 0 ? "; predicted" : ",", options[i].name, options[i].predicted);
    if (options[i].measured_seconds != 0) text.Add(" (%.4g us measured)", 1e6 * options[i].measured_seconds);
  }
  text.Add("; chosen %s: %s", options[chosen].name, reason.data());
}

LACUNA_FUNC std::string Explanation::ToString() const {
  TextWriter counted(nullptr, 0);
  WriteTo(counted);
  std::string line(counted.length() + 1, '\0');
  TextWriter text(line.data(), line.size());
  WriteTo(text);
  line.resize(counted.length());
  return line;
}

}  // namespace lacuna::inline LACUNA_ABI
