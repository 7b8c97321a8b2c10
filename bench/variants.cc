// What variants of lacuna and more threads are worth.

#include <cstdio>
#include <string_view>

#include "lookup.h"
#include "report.h"

namespace lacuna::bench {
namespace {

// What the table has a row of.
struct Variant {
  std::string op, scheme, engine;
  friend bool operator==(const Variant&, const Variant&) = default;
};

// Geometric means of a variant's speed-ups over others, layer by layer.
struct VariantFigures {
  explicit VariantFigures(size_t peer_count) : peers(peer_count) {}

  GeometricMean direct;  // over engine `lacuna` under the same scheme
  std::vector<GeometricMean> peers;
  GeometricMean best_peer;
  GeometricMean dense;  // over itself with dense weights
  double output_error = 0.0;
  int layers = 0;

  void Add(const LayerRun& run, const Variant& variant, const Measurement& own, const std::vector<std::string>& names) {
    const auto add = [&](GeometricMean& mean, const Measurement* other) {
      if (other != nullptr) mean.Add(other->seconds / own.seconds, run.Name());
    };
    ++layers;
    output_error = std::max(output_error, own.output_error);
    add(direct, Find(run, variant.scheme, "lacuna"));
    for (size_t p = 0; p < names.size(); ++p) add(peers[p], FindPeer(run, variant.scheme, names[p]));
    add(best_peer, FastestPeer(run, variant.scheme).measurement);
    add(dense, Find(run, "dense", variant.engine));
  }
};

void PrintVariant(const LayerRuns& runs, const Variant& variant, const std::vector<std::string>& peers) {
  VariantFigures figures(peers.size());
  for (const auto& run : runs) {
    const Measurement* own = run->op() == variant.op ? Find(*run, variant.scheme, variant.engine) : nullptr;
    if (own != nullptr) figures.Add(*run, variant, *own, peers);
  }
  std::printf("%-9s %-19s %-24s %6d", variant.op.c_str(), variant.scheme.c_str(), variant.engine.c_str(),
              figures.layers);
  PrintMean(figures.direct);
  for (const GeometricMean& mean : figures.peers) PrintMean(mean);
  PrintMean(figures.best_peer);
  PrintMean(figures.dense);
  std::printf(" %9.1e  %s\n", figures.output_error, figures.best_peer.where().c_str());
}

}  // namespace

void PrintVariants(const LayerRuns& runs) {
  const auto is_serial = [](const Entry& entry) { return IsLacuna(entry) && entry.engine.threads == 1; };
  const std::vector<Variant> variants = Distinct(runs, is_serial, [](const LayerRun& run, const Entry& entry) {
    return Variant{run.op(), entry.scheme, entry.engine.name};
  });
  const auto is_default = [](const Variant& variant) { return variant.engine == "lacuna"; };
  if (std::all_of(variants.begin(), variants.end(), is_default)) return;
  const std::vector<std::string> peers = PeerNames(runs);
  std::printf(
      "\nVariants of lacuna: geometric mean and lowest of the speed-up over engine lacuna under the same scheme, over "
      "every peer\n"
      "(with dense weights, if it runs no pruned ones), over the best peer and over the variant's own dense path; "
      "largest error\n"
      "of an output, over the RMS of the layer's outputs; the layer where the best peer comes closest\n");
  std::printf("%-9s %-19s %-24s %6s %15s", "op", "scheme", "engine", "layers", "lacuna");
  for (const std::string& name : peers) std::printf(" %15s", name.c_str());
  std::printf(" %15s %15s %9s\n", "best peer", "own dense", "error");
  for (const Variant& variant : variants) PrintVariant(runs, variant, peers);
}

void PrintThreads(const LayerRuns& runs) {
  GeometricMean scaling;
  bool identical = true;
  std::string name;
  ForEachEntry(runs, [&](const LayerRun& run, const Entry& entry, const Measurement& measurement) {
    if (entry.engine.threads <= 1 || !measurement.measured) return;
    name = entry.engine.name;
    identical = identical && measurement.bit_identical;
    const Measurement* one = Find(run, entry.scheme, "lacuna");
    if (one == nullptr) return;
    std::printf("%-60s %6.3fx%s\n", run.NameOf(entry).c_str(), one->seconds / measurement.seconds,
                measurement.bit_identical ? "" : "  DIFFERS from one thread");
    scaling.Add(one->seconds / measurement.seconds, run.Name());
  });
  if (scaling.count() == 0) return;
  std::printf("%s over lacuna: geometric mean %.3fx, lowest %.3fx (%s); results %s\n", name.c_str(), scaling.value(),
              scaling.lowest(), scaling.where().c_str(), identical ? "bit-identical" : "DIFFER");
}

}  // namespace lacuna::bench
