#include "weight_report.h"

#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "lookup.h"

namespace lacuna::bench {
namespace {

// "2.345 onednn", and the speed-up over it.
void PrintPeer(const Measurement& lacuna, const Peer& peer) {
  if (peer.measurement == nullptr) {
    std::printf(" %9s %-14s %8s", "-", "", "-");
    return;
  }
  std::printf(" %9.2f %-14s %7.2fx", peer.measurement->seconds * 1e6, peer.entry->engine.name,
              peer.measurement->seconds / lacuna.seconds);
}

void PrintTable(const LayerRuns& runs) {
  std::printf(
      "\nus, medians; speed-ups over the best dense peer and over the best peer with the same pruned weights; what "
      "bytes alone would\n"
      "gain over dense weights (roof); GB/s of reading a buffer of the packed size; bytes of kept weights over time, "
      "over that;\n"
      "packed bytes over those of the kept weights\n"
      "%-30s %-17s %-17s %9s %24s %8s %24s %8s %8s %7s %6s %7s samples-dropped\n",
      "layer", "scheme", "engine", "us", "dense peer", "over it", "sparse peer", "over it", "roof", "GB/s", "read",
      "packed");
  ForEachEntry(runs, [](const LayerRun& run, const Entry& entry, const Measurement& m) {
    if (!m.measured || !IsLacuna(entry)) return;
    std::printf("%-30s %-17s %-17s %9.2f", run.Name().c_str(), entry.scheme.c_str(), entry.engine.name,
                m.seconds * 1e6);
    PrintPeer(m, FastestDensePeer(run));
    PrintPeer(m, FastestSparsePeer(run, entry.scheme));
    std::printf(" %7.2fx %7.1f %5.1f%% %7.3f %4d-%d\n", m.roof_ratio(), m.read_bandwidth * 1e-9,
                100.0 * m.bandwidth_fraction(), m.packed_over_nnz(), m.samples, m.dropped);
  });
}

// A figure of engine `lacuna`; 0 if it is unknown.
using Figure = double (*)(const LayerRun& run, const std::string& scheme, const Measurement& lacuna);

double SpeedUp(const Measurement& lacuna, const Measurement* other) {
  return other != nullptr ? other->seconds / lacuna.seconds : 0.0;
}
double OverDensePeer(const LayerRun& run, const std::string&, const Measurement& lacuna) {
  return SpeedUp(lacuna, FastestDensePeer(run).measurement);
}
double OverSparsePeer(const LayerRun& run, const std::string& scheme, const Measurement& lacuna) {
  return SpeedUp(lacuna, FastestSparsePeer(run, scheme).measurement);
}
double OverOwnDense(const LayerRun& run, const std::string&, const Measurement& lacuna) {
  return SpeedUp(lacuna, Find(run, "dense", "lacuna"));
}
double OverF32(const LayerRun& run, const std::string& scheme, const Measurement& lacuna) {
  return SpeedUp(lacuna, Find(run, scheme, "lacuna_f32"));
}
double ReadFraction(const LayerRun&, const std::string&, const Measurement& lacuna) {
  return lacuna.bandwidth_fraction();
}
double PackedOverNnz(const LayerRun&, const std::string&, const Measurement& lacuna) {
  return lacuna.packed_over_nnz();
}

// What engine `lacuna` must reach, and aims at, in every warm layer that it names: at least, or at most.
struct Goal {
  const char* title;
  const char* schemes;    // a scheme, or the kind of one: "unstructured"
  const char* layers;     // the beginning of LayerRun::Name()
  int64_t rows, columns;  // of the weights; 0: any
  Figure figure;
  double must, aim;
  bool at_most = false;
};

bool Concerns(const Goal& goal, const LayerRun& run, const std::string& scheme) {
  const std::string_view wanted = goal.schemes;
  const bool is_kind = scheme.substr(0, scheme.rfind('-')) == wanted;
  return (scheme == wanted || is_kind) && run.Name().starts_with(goal.layers) &&
         (goal.rows == 0 || run.layer().out_channels == goal.rows) &&
         (goal.columns == 0 || run.layer().in_channels == goal.columns);
}

void PrintGoal(const LayerRuns& runs, const Goal& goal) {
  double worst = 0.0;
  std::string where;
  int count = 0;
  ForEachEntry(runs, [&](const LayerRun& run, const Entry& entry, const Measurement& m) {
    if (!m.measured || std::string_view(entry.engine.name) != "lacuna" || !Concerns(goal, run, entry.scheme)) return;
    const double value = goal.figure(run, entry.scheme, m);
    if (value == 0.0) return;
    if (count++ == 0 || (goal.at_most ? value > worst : value < worst)) {
      worst = value;
      where = run.Name() + "/" + entry.scheme;
    }
  });
  if (count == 0) return;
  const auto reaches = [&](double bar) { return goal.at_most ? worst <= bar : worst >= bar; };
  std::printf("%-50s %-17s %6d %8.3f %8.2f %8.2f  %-6s %s\n", goal.title, goal.schemes, count, worst, goal.must,
              goal.aim,
              reaches(goal.aim)    ? "aim"
              : reaches(goal.must) ? "met"
                                   : "MISSED",
              where.c_str());
}

void PrintGoals(const LayerRuns& runs, std::span<const Goal> goals) {
  std::printf(
      "\nGoals, for one thread with AVX-512: cases, the worst of them, what it must be and what is aimed at, where it "
      "is\n");
  std::printf("%-50s %-17s %6s %8s %8s %8s\n", "figure", "scheme", "cases", "worst", "must", "aim");
  for (const Goal& goal : goals) PrintGoal(runs, goal);
}

constexpr const char* kRead = "kept bytes / time / read bandwidth";
constexpr const char* kDensePeer = "speed-up over the best dense peer";
constexpr const char* kDense1024 = "speed-up over the best dense peer, 1024x1024";
constexpr const char* kDense3072 = "speed-up over the best dense peer, 3072x1024";
constexpr const char* kDense4096 = "speed-up over the best dense peer, 4096x4096";
constexpr const char* kOwnDense = "speed-up over lacuna's dense weights";
constexpr const char* kSparsePeer = "speed-up over the best sparse peer";
constexpr const char* kPacked = "packed bytes / kept bytes, at most";

constexpr Goal kGemvGoals[] = {
    {kRead, "bcr_col-8x", "gemv/", 0, 0, &ReadFraction, 0.65, 0.85},
    {kRead, "bcr-8x", "gemv/", 0, 0, &ReadFraction, 0.50, 0.75},
    {kDense1024, "bcr_col-8x", "gemv/", 1024, 1024, &OverDensePeer, 14, 25},
    {kDense3072, "bcr_col-8x", "gemv/", 3072, 1024, &OverDensePeer, 6, 8},
    {kDense4096, "bcr_col-8x", "gemv/", 4096, 4096, &OverDensePeer, 8, 14},
    {kDensePeer, "unstructured-8x", "gemv/", 0, 0, &OverDensePeer, 3, 6},
    {kDensePeer, "unstructured", "gemv", 0, 0, &OverDensePeer, 1, 1},
    {kOwnDense, "unstructured", "gemv", 0, 0, &OverOwnDense, 1, 1},
    {kSparsePeer, "unstructured", "gemv", 0, 0, &OverSparsePeer, 1, 1},
    {kPacked, "bcr_col", "gemv/", 0, 0, &PackedOverNnz, 1.10, 1.10, true},
    {kPacked, "bcr", "gemv/", 0, 0, &PackedOverNnz, 1.25, 1.25, true},
    {kPacked, "unstructured", "gemv/", 0, 0, &PackedOverNnz, 1.60, 1.60, true},
};

constexpr Goal kRecurrenceGoals[] = {
    {"speed-up over oneDNN's dense GRU, step", "bcr_col-8x", "gru/timit.step", 1024, 1024, &OverDensePeer, 6, 10},
    {"speed-up over oneDNN's dense GRU, step", "bcr_col-8x", "gru_lbr/timit.step", 1024, 1024, &OverDensePeer, 6, 10},
    {"speed-up over oneDNN's dense GRU, sequence", "bcr_col-8x", "gru/timit.sequence", 1024, 1024, &OverDensePeer, 6,
     10},
    {"speed-up over oneDNN's dense GRU, sequence", "bcr_col-8x", "gru_lbr/timit.sequence", 1024, 1024, &OverDensePeer,
     6, 10},
};

constexpr const char* kF32 = "speed-up over f32 weights of the same scheme";

constexpr Goal kNarrowGoals[] = {
    {kF32, "dense", "gemv_i8_cold/", 0, 0, &OverF32, 1.7, 3},
    {kF32, "bcr_col-8x", "gemv_i8_cold/", 0, 0, &OverF32, 1.7, 3},
    {kF32, "unstructured-8x", "gemv_i8_cold/", 0, 0, &OverF32, 1.7, 3},
    {kF32, "dense", "gemv_w4_cold/", 0, 0, &OverF32, 2.5, 4.5},
    {kF32, "bcr_col-8x", "gemv_w4_cold/", 0, 0, &OverF32, 2.5, 4.5},
    {kF32, "dense", "gemv_f16_cold/", 0, 0, &OverF32, 1.6, 1.9},
    {kF32, "bcr_col-8x", "gemv_f16_cold/", 0, 0, &OverF32, 1.6, 1.9},
    {kF32, "dense", "gemv_bf16_cold/", 0, 0, &OverF32, 1.6, 1.9},
    {kF32, "bcr_col-8x", "gemv_bf16_cold/", 0, 0, &OverF32, 1.6, 1.9},
    {kF32, "dense", "gemv_f16/", 0, 0, &OverF32, 0.95, 1},
    {kF32, "bcr_col-8x", "gemv_f16/", 0, 0, &OverF32, 0.95, 1},
    {kF32, "bcr-8x", "gemv_f16/", 0, 0, &OverF32, 0.95, 1},
    {kF32, "unstructured-8x", "gemv_f16/", 0, 0, &OverF32, 0.95, 1},
};

}  // namespace

bool IsMeasuredGemv(const Layer& layer) {
  const std::string_view network = layer.network, name = layer.name;
  // fc6 of VGG-16 takes 400 MB under every scheme; input1024 is as large as recurrent1024.
  return !(network == "vgg16" && name == "fc6") && name != "input1024";
}

void PrintNarrowGemvs(const LayerRuns& runs) {
  PrintTable(runs);
  PrintGoals(runs, kNarrowGoals);
}

void PrintGemvs(const LayerRuns& runs) {
  PrintTable(runs);
  PrintGoals(runs, kGemvGoals);
}

void PrintRecurrences(const LayerRuns& runs) {
  PrintTable(runs);
  PrintGoals(runs, kRecurrenceGoals);
}

}  // namespace lacuna::bench
