#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string_view>
#include <utility>

#include "lookup.h"
#include "networks.h"

namespace lacuna::bench {
namespace {

void PrintMs(int width, const Measurement* measurement) {
  if (measurement != nullptr) {
    std::printf(" %*.*f", width, measurement->seconds < 1e-3 ? 5 : 3, measurement->seconds * 1e3);
  } else {
    std::printf(" %*s", width, "-");
  }
}

void PrintSpeedUp(const Measurement& lacuna, const Peer& peer) {
  if (peer.measurement != nullptr) {
    std::printf(" %7.2fx", peer.measurement->seconds / lacuna.seconds);
  } else {
    std::printf(" %8s", "-");
  }
}

void PrintRow(const LayerRun& run, const std::string& scheme, const std::vector<std::string>& own,
              const std::vector<std::string>& peers) {
  const Measurement* lacuna = Find(run, scheme, "lacuna");
  if (lacuna == nullptr) return;
  std::printf("%-38s %-19s", run.Name().c_str(), scheme.c_str());
  for (const std::string& name : own) PrintMs(Width(name), Find(run, scheme, name));
  for (const std::string& name : peers) PrintMs(Width(name), FindPeer(run, scheme, name));
  const Peer best = FastestPeer(run, scheme);
  std::printf("  %-15s", best.entry != nullptr ? best.entry->engine.name : "none");
  PrintSpeedUp(*lacuna, best);
  PrintSpeedUp(*lacuna, FastestOnednn(run, scheme));
  std::printf(" %7.1f %5.1f%% %5.1f%% %4d-%d\n", lacuna->useful_flops / lacuna->seconds * 1e-9,
              100.0 * lacuna->peak_fraction(), 100.0 * lacuna->roof_fraction(), lacuna->samples, lacuna->dropped);
}

// Of f32 and of 8-bit convolutions alike.
bool IsConv2d(const LayerRun& run) { return run.op() == "conv2d" || run.op() == "conv2d_i8"; }

// The groups of layers that goals are set for.
struct LayerGroup {
  const char* title;
  bool (*contains)(const LayerRun& run);
};

bool IsPointwise(const LayerRun& run) { return IsConv2d(run) && run.layer().kernel == Extents<3>{1, 1, 1}; }

constexpr LayerGroup kGroups[] = {
    {"VGG-16 after conv1_1",
     [](const LayerRun& run) {
       return IsConv2d(run) && run.layer().network == std::string_view("vgg16") &&
              run.layer().name != std::string_view("conv1_1");
     }},
    {"ResNet-50 1x1",
     [](const LayerRun& run) { return IsPointwise(run) && run.layer().network == std::string_view("resnet50"); }},
    {"ResNet-50 3x3",
     [](const LayerRun& run) {
       return IsConv2d(run) && run.layer().kernel == Extents<3>{1, 3, 3} &&
              run.layer().network == std::string_view("resnet50");
     }},
    {"MobileNet-V2 1x1",
     [](const LayerRun& run) { return IsPointwise(run) && run.layer().network == std::string_view("mobilenet_v2"); }},
    {"MobileNet-V2 depthwise", [](const LayerRun& run) { return run.op() == "depthwise"; }},
    {"C3D after conv1",
     [](const LayerRun& run) {
       return run.layer().network == std::string_view("c3d") && run.layer().name != std::string_view("conv1");
     }},
    {"R(2+1)D 1x3x3",
     [](const LayerRun& run) {
       return run.op() == "conv3d" && run.layer().kernel == Extents<3>{1, 3, 3};
     }},
    {"R(2+1)D 3x1x1",
     [](const LayerRun& run) {
       return run.op() == "conv3d" && run.layer().kernel == Extents<3>{3, 1, 1};
     }},
    {"BERT base, activations [K, N]",
     [](const LayerRun& run) { return run.op() == "gemm" && run.layer().network == std::string_view("bert_base"); }},
    {"BERT base, activations [N, K]",
     [](const LayerRun& run) { return run.op() == "gemm_nk" && run.layer().network == std::string_view("bert_base"); }},
};

// What a group of layers adds up to under one scheme.
struct GroupFigures {
  int layers = 0;   // measured
  int members = 0;  // in this run at all
  GeometricMean peak, roof, best, onednn, direct;
  GeometricMean dense;  // speed-up over lacuna with dense weights
  double seconds = 0.0;
  double pack_seconds = 0.0;
  double storage_ratio = 0.0;  // the largest

  void Add(const LayerRun& run, const std::string& scheme) {
    ++members;
    const Measurement* lacuna = Find(run, scheme, "lacuna");
    if (lacuna == nullptr) return;
    ++layers;
    seconds += lacuna->seconds;
    pack_seconds += lacuna->pack_seconds;
    storage_ratio = std::max(storage_ratio, lacuna->storage_ratio);
    peak.Add(lacuna->peak_fraction(), run.Name());
    roof.Add(lacuna->roof_fraction(), run.Name());
    const auto add_speed_up = [&](GeometricMean& mean, const Measurement* peer) {
      if (peer != nullptr) mean.Add(peer->seconds / lacuna->seconds, run.Name());
    };
    add_speed_up(best, FastestPeer(run, scheme).measurement);
    add_speed_up(onednn, FastestOnednn(run, scheme).measurement);
    add_speed_up(direct, Find(run, "dense", "onednn_direct"));
    add_speed_up(dense, Find(run, "dense", "lacuna"));
  }
};

void PrintGroup(const LayerRuns& runs, const LayerGroup& group, const std::string& scheme) {
  GroupFigures figures;
  for (const auto& run : runs) {
    if (group.contains(*run)) figures.Add(*run, scheme);
  }
  if (figures.layers == 0) return;
  std::printf("%-28s %-19s %2d of %2d", group.title, scheme.c_str(), figures.layers, figures.members);
  for (const GeometricMean* mean :
       {&figures.peak, &figures.roof, &figures.best, &figures.onednn, &figures.direct, &figures.dense}) {
    PrintMean(*mean);
  }
  std::printf(" %9.3f %9.1f %7.3f  %s\n", figures.seconds * 1e3, figures.pack_seconds * 1e3, figures.storage_ratio,
              figures.onednn.where().c_str());
}

// The runs of all convolutions of a network, in the order of the layer table; empty unless all were measured.
std::vector<const LayerRun*> LayersOf(const LayerRuns& runs, const Network& network) {
  std::vector<const LayerRun*> layers;
  for (const auto& run : runs) {
    if (run->measured() && run->layer().network == std::string_view(network.name)) layers.push_back(run.get());
  }
  const auto count = std::count_if(kLayers.begin(), kLayers.end(), [&](const Layer& layer) {
    return layer.times > 0 && layer.network == std::string_view(network.name);
  });
  return layers.size() == static_cast<size_t>(count) ? layers : std::vector<const LayerRun*>();
}

// "punched-4.36x, dense conv1 conv5".
std::string PruningOf(const std::vector<const LayerRun*>& layers) {
  std::string scheme, dense;
  for (const LayerRun* run : layers) {
    if (run->layer().pruned) {
      scheme = run->network_scheme();
    } else {
      dense += std::string(" ") + run->layer().name;
    }
  }
  return scheme + ", dense" + dense;
}

// A row if lacuna was measured in all layers of the network, each under the scheme that `scheme_of` gives it.
template <class SchemeOf>
void PrintNetwork(const std::vector<const LayerRun*>& layers, const std::string& weights, const SchemeOf& scheme_of,
                  const std::vector<std::string>& peers) {
  double seconds = 0.0, useful_flops = 0.0, dense_flops = 0.0;
  for (const LayerRun* run : layers) {
    const Measurement* lacuna = Find(*run, scheme_of(*run), "lacuna");
    if (lacuna == nullptr) return;
    const auto times = static_cast<double>(run->layer().times);
    seconds += times * lacuna->seconds;
    useful_flops += times * lacuna->useful_flops;
    dense_flops += times * lacuna->dense_flops;
  }
  std::printf("%-10s %-36s %4.2fx %9.3f", layers.front()->layer().network, weights.c_str(), dense_flops / useful_flops,
              seconds * 1e3);
  std::string fastest = "none";
  double fastest_seconds = std::numeric_limits<double>::infinity();
  for (const std::string& name : peers) {
    double total = 0.0;  // infinite if the peer lacks a layer
    for (const LayerRun* run : layers) {
      const Measurement* peer = FindPeer(*run, scheme_of(*run), name);
      total += peer != nullptr ? static_cast<double>(run->layer().times) * peer->seconds
                               : std::numeric_limits<double>::infinity();
    }
    if (std::isinf(total)) {
      std::printf(" %*s", Width(name), "-");
    } else {
      std::printf(" %*.3f", Width(name), total * 1e3);
    }
    if (total < fastest_seconds) {
      fastest_seconds = total;
      fastest = name;
    }
  }
  std::printf("  %-15s", fastest.c_str());
  if (std::isinf(fastest_seconds)) {
    std::printf(" %8s", "-");
  } else {
    std::printf(" %7.2fx", fastest_seconds / seconds);
  }
  std::printf(" %7.1f %7.1f\n", useful_flops / seconds * 1e-9, dense_flops / seconds * 1e-9);
}

}  // namespace

void PrintLayers(const LayerRuns& runs) {
  const std::vector<std::string> own = LacunaNames(runs), peers = PeerNames(runs), schemes = LacunaSchemes(runs);
  if (schemes.empty()) return;
  std::printf(
      "\nms, medians; speed-ups of lacuna over the best peer and over the best of oneDNN; useful GFLOP/s; fractions\n");
  std::printf("%-38s %-19s", "layer", "scheme");
  for (const std::string& name : own) std::printf(" %*s", Width(name), name.c_str());
  for (const std::string& name : peers) std::printf(" %*s", Width(name), name.c_str());
  std::printf("  %-15s %8s %8s %7s %6s %6s samples-dropped\n", "best peer", "over it", "onednn", "GFLOP/s", "peak",
              "roof");
  for (const auto& run : runs) {
    for (const std::string& scheme : schemes) PrintRow(*run, scheme, own, peers);
  }
}

void PrintSummary(const LayerRuns& runs) {
  const std::vector<std::string> schemes = LacunaSchemes(runs);
  if (schemes.empty()) return;
  std::printf(
      "\nGroups of layers: geometric mean and lowest of lacuna's fraction of FMA peak and of roof, and of its speed-up "
      "over\n"
      "the best peer, over oneDNN's best, over onednn_direct and over lacuna's dense path; ms and packing ms of all "
      "layers;\n"
      "stored bytes per byte of weights, at most; the layer where oneDNN comes closest\n");
  std::printf("%-28s %-19s %8s %15s %15s %15s %15s %15s %15s %9s %9s %7s\n", "group", "scheme", "layers", "peak",
              "roof", "best peer", "oneDNN", "onednn_direct", "lacuna dense", "ms", "pack ms", "stored");
  for (const LayerGroup& group : kGroups) {
    for (const std::string& scheme : schemes) PrintGroup(runs, group, scheme);
  }
}

void PrintNetworks(const LayerRuns& runs) {
  const std::vector<std::string> peers = PeerNames(runs), schemes = LacunaSchemes(runs);
  if (schemes.empty()) return;
  bool first = true;
  for (const Network& network : kNetworks) {
    const std::vector<const LayerRun*> layers = LayersOf(runs, network);
    if (layers.empty()) continue;
    if (std::exchange(first, false)) {
      std::printf(
          "\nAll convolutions of a network, a clip: FLOPs of the dense network over those left; ms; speed-up of lacuna "
          "over\nthe fastest peer; useful and dense-equivalent GFLOP/s\n%-10s %-36s %5s %9s",
          "network", "weights", "FLOPs", "lacuna");
      for (const std::string& name : peers) std::printf(" %*s", Width(name), name.c_str());
      std::printf("  %-15s %8s %7s %7s\n", "fastest peer", "over it", "useful", "dense");
    }
    for (const std::string& scheme : schemes) {
      PrintNetwork(
          layers, scheme, [&](const LayerRun&) { return scheme; }, peers);
    }
    PrintNetwork(
        layers, PruningOf(layers), [](const LayerRun& run) { return run.network_scheme(); }, peers);
  }
}

void PrintDetails(const LayerRuns& runs) {
  ForEachEntry(runs, [](const LayerRun& run, const Entry& entry, const Measurement& measurement) {
    const std::string& text = measurement.error.empty() ? measurement.detail : measurement.error;
    if (!text.empty()) std::printf("%s: %s\n", run.NameOf(entry).c_str(), text.c_str());
  });
}

int PrintFaults(const LayerRuns& runs, RunContext& context, bool check_peak) {
  // Timer noise. More than that above the peak means that the clock, the FLOP count or the output is wrong.
  constexpr double kTolerance = 1.02;
  // Of all tile sizes in use F(6x6, 3x3) multiplies least: 64 times for 36 outputs of 9 taps; in 3-D F(4x4x4, 3x3x3),
  // 216 times for 64 outputs of 27 taps.
  const auto winograd_reduction = [](const Layer& layer) {
    return layer.kernel[0] > 1 ? 64.0 * 27.0 / 216.0 : 36.0 * 9.0 / 64.0;
  };
  int faults = 0;
  ForEachEntry(runs, [&](const LayerRun& run, const Entry& entry, const Measurement& measurement) {
    const std::string name = run.NameOf(entry);
    if (!measurement.measured) {
      if (measurement.absent) return;
      std::fprintf(stderr, "FAULT %s: %s\n", name.c_str(), measurement.error.c_str());
      ++faults;
      return;
    }
    if (!measurement.bit_identical) {
      std::fprintf(stderr, "FAULT %s: the output differs from that of one thread\n", name.c_str());
      ++faults;
    }
    if (!check_peak) return;
    const double flops = measurement.necessary_flops / (entry.engine.winograd ? winograd_reduction(run.layer()) : 1.0);
    const double peak = context.sampler.PeakFlops(entry.engine.threads) * measurement.peak_scale;
    if (flops / measurement.seconds <= kTolerance * peak) return;
    std::fprintf(stderr, "VOID %s: %.1f GFLOP/s of arithmetic, the measured peak is %.1f\n", name.c_str(),
                 flops / measurement.seconds * 1e-9, peak * 1e-9);
    ++faults;
  });
  return faults;
}

}  // namespace lacuna::bench
