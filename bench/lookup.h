// Finding measurements in what a run found, and printing them.

#ifndef LACUNA_BENCH_LOOKUP_H_
#define LACUNA_BENCH_LOOKUP_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "geometric_mean.h"
#include "layer_run.h"
#include "report.h"

namespace lacuna::bench {

inline bool IsLacuna(const Entry& entry) { return std::string_view(entry.engine.name).substr(0, 6) == "lacuna"; }
inline bool IsOnednn(const Entry& entry) { return std::string_view(entry.engine.name).substr(0, 6) == "onednn"; }

// Null if there is none or it could not be measured.
const Measurement* Find(const LayerRun& run, std::string_view scheme, std::string_view engine);

// What a peer takes beside lacuna under `scheme`: with the same pruned weights if it runs them, else with dense ones.
const Measurement* FindPeer(const LayerRun& run, std::string_view scheme, std::string_view engine);

// A peer that competes with lacuna under `scheme`: it has the same pruned weights, or the dense ones.
struct Peer {
  const Entry* entry = nullptr;
  const Measurement* measurement = nullptr;
};
Peer FastestPeer(const LayerRun& run, std::string_view scheme);
// With dense weights, or with the same pruned ones.
Peer FastestDensePeer(const LayerRun& run);
Peer FastestSparsePeer(const LayerRun& run, std::string_view scheme);
// oneDNN's best of direct and Winograd.
Peer FastestOnednn(const LayerRun& run, std::string_view scheme);

// Calls f(run, entry, measurement) for all that was tried.
template <class F>
void ForEachEntry(const LayerRuns& runs, const F& f) {
  for (const auto& run : runs) {
    for (size_t e = 0; run->measured() && e < run->entries().size(); ++e) {
      f(*run, run->entries()[e], run->measurements()[e]);
    }
  }
}

// name(entry) of the measured entries that are wanted, each once, in the order of the run.
template <class Wanted, class Name>
auto Distinct(const LayerRuns& runs, const Wanted& wanted, const Name& name) {
  std::vector<decltype(name(std::declval<const LayerRun&>(), std::declval<const Entry&>()))> names;
  ForEachEntry(runs, [&](const LayerRun& run, const Entry& entry, const Measurement& measurement) {
    if (!measurement.measured || !wanted(entry)) return;
    const auto found = name(run, entry);
    if (std::find(names.begin(), names.end(), found) == names.end()) names.push_back(found);
  });
  return names;
}
std::vector<std::string> LacunaNames(const LayerRuns& runs);  // engines
std::vector<std::string> PeerNames(const LayerRuns& runs);
std::vector<std::string> LacunaSchemes(const LayerRuns& runs);

// Of a column of milliseconds.
int Width(const std::string& name);
// "  1.234  0.987", mean and lowest, 16 characters; dashes if nothing was added.
void PrintMean(const GeometricMean& mean);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_LOOKUP_H_
