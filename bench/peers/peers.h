// The peers that this binary was built with. A peer whose library was absent when the build was configured has an empty
// list.

#ifndef LACUNA_BENCH_PEERS_PEERS_H_
#define LACUNA_BENCH_PEERS_PEERS_H_

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

#include "cold.h"
#include "engine.h"

namespace lacuna::bench {

// Seconds of the fastest of `runs` after one more, as `problem` will be timed: what a peer with several ways to compute
// a layer chooses by.
inline double FastestRun(const Problem& problem, Engine& engine, int runs) {
  double best = std::numeric_limits<double>::infinity();
  engine.Run();
  for (int i = 0; i < runs; ++i) {
    if (problem.cold) Evict(engine.Weights());
    const auto start = std::chrono::steady_clock::now();
    engine.Run();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

#ifdef LACUNA_BENCH_HAS_ONEDNN
template <int kRank>
std::vector<EngineInfo> OnednnConvolutions();  // onednn_direct; of rank 2 onednn_winograd
template <int kRank>
std::vector<EngineInfo> OnednnInt8Convolutions();  // onednn_direct
std::vector<EngineInfo> OnednnGemms();             // onednn
std::vector<EngineInfo> OnednnGemvs();             // the same, weights in plain layouts tried too
std::vector<EngineInfo> OnednnRecurrences();       // onednn: GRU, also linear before reset, and LSTM
#else
template <int kRank>
std::vector<EngineInfo> OnednnConvolutions() {
  return {};
}
template <int kRank>
std::vector<EngineInfo> OnednnInt8Convolutions() {
  return {};
}
inline std::vector<EngineInfo> OnednnGemms() { return {}; }
inline std::vector<EngineInfo> OnednnGemvs() { return {}; }
inline std::vector<EngineInfo> OnednnRecurrences() { return {}; }
#endif

#ifdef LACUNA_BENCH_HAS_PYTORCH
std::vector<EngineInfo> PytorchConvolutions();  // pytorch, of rank 3
#else
inline std::vector<EngineInfo> PytorchConvolutions() { return {}; }
#endif

#ifdef LACUNA_BENCH_HAS_XNNPACK
std::vector<EngineInfo> XnnpackEngines();  // xnnpack, xnnpack_sparse
#else
inline std::vector<EngineInfo> XnnpackEngines() { return {}; }
#endif

#ifdef LACUNA_BENCH_HAS_OPENBLAS
std::vector<EngineInfo> OpenblasEngines();  // openblas
std::vector<EngineInfo> OpenblasGemvs();    // the same, of one column by sgemv
#else
inline std::vector<EngineInfo> OpenblasEngines() { return {}; }
inline std::vector<EngineInfo> OpenblasGemvs() { return {}; }
#endif

#ifdef LACUNA_BENCH_HAS_EIGEN
std::vector<EngineInfo> EigenEngines();  // eigen, eigen_sparse
std::vector<EngineInfo> EigenGemvs();    // eigen_rows, eigen_columns: sparse matrices stored so
#else
inline std::vector<EngineInfo> EigenEngines() { return {}; }
inline std::vector<EngineInfo> EigenGemvs() { return {}; }
#endif

#ifdef LACUNA_BENCH_HAS_LIBXSMM
std::vector<EngineInfo> LibxsmmEngines();  // libxsmm, libxsmm_spmdm
#else
inline std::vector<EngineInfo> LibxsmmEngines() { return {}; }
#endif

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_PEERS_PEERS_H_
