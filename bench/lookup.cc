#include "lookup.h"

#include <cstdio>

namespace lacuna::bench {
namespace {

template <class Wanted>
Peer FastestPeer(const LayerRun& run, std::string_view scheme, const Wanted& wanted) {
  Peer best;
  for (size_t e = 0; run.measured() && e < run.entries().size(); ++e) {
    const Entry& entry = run.entries()[e];
    const Measurement& measurement = run.measurements()[e];
    if (!measurement.measured || IsLacuna(entry) || !wanted(entry)) continue;
    if (entry.scheme != scheme && entry.scheme != "dense") continue;
    if (best.measurement == nullptr || measurement.seconds < best.measurement->seconds) best = {&entry, &measurement};
  }
  return best;
}

}  // namespace

const Measurement* Find(const LayerRun& run, std::string_view scheme, std::string_view engine) {
  for (size_t e = 0; run.measured() && e < run.entries().size(); ++e) {
    const Entry& entry = run.entries()[e];
    const Measurement& measurement = run.measurements()[e];
    if (measurement.measured && entry.scheme == scheme && entry.engine.name == engine) return &measurement;
  }
  return nullptr;
}

const Measurement* FindPeer(const LayerRun& run, std::string_view scheme, std::string_view engine) {
  const Measurement* pruned = Find(run, scheme, engine);
  return pruned != nullptr ? pruned : Find(run, "dense", engine);
}

Peer FastestPeer(const LayerRun& run, std::string_view scheme) {
  return FastestPeer(run, scheme, [](const Entry&) { return true; });
}
Peer FastestDensePeer(const LayerRun& run) { return FastestPeer(run, "dense"); }
Peer FastestSparsePeer(const LayerRun& run, std::string_view scheme) {
  if (scheme == "dense") return {};
  return FastestPeer(run, scheme, [&](const Entry& entry) { return entry.scheme == scheme; });
}
Peer FastestOnednn(const LayerRun& run, std::string_view scheme) { return FastestPeer(run, scheme, &IsOnednn); }

std::vector<std::string> LacunaNames(const LayerRuns& runs) {
  return Distinct(runs, &IsLacuna, [](const LayerRun&, const Entry& entry) { return std::string(entry.engine.name); });
}

std::vector<std::string> PeerNames(const LayerRuns& runs) {
  return Distinct(
      runs, [](const Entry& entry) { return !IsLacuna(entry); },
      [](const LayerRun&, const Entry& entry) { return std::string(entry.engine.name); });
}

std::vector<std::string> LacunaSchemes(const LayerRuns& runs) {
  return Distinct(runs, &IsLacuna, [](const LayerRun&, const Entry& entry) { return entry.scheme; });
}

int Width(const std::string& name) { return std::max(8, static_cast<int>(name.size())); }

void PrintMean(const GeometricMean& mean) {
  if (mean.count() == 0) {
    std::printf(" %7s %7s", "-", "-");
  } else {
    std::printf(" %7.3f %7.3f", mean.value(), mean.lowest());
  }
}

}  // namespace lacuna::bench
