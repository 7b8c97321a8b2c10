// The peers that this binary was built with. A peer whose library was absent when the build was configured has an empty
// list.

#ifndef LACUNA_BENCH_PEERS_PEERS_H_
#define LACUNA_BENCH_PEERS_PEERS_H_

#include <vector>

#include "engine.h"

namespace lacuna::bench {

#ifdef LACUNA_BENCH_HAS_ONEDNN
std::vector<EngineInfo> OnednnConvolutions();  // onednn_direct, onednn_winograd
std::vector<EngineInfo> OnednnGemms();         // onednn
#else
inline std::vector<EngineInfo> OnednnConvolutions() { return {}; }
inline std::vector<EngineInfo> OnednnGemms() { return {}; }
#endif

#ifdef LACUNA_BENCH_HAS_XNNPACK
std::vector<EngineInfo> XnnpackEngines();  // xnnpack, xnnpack_sparse
#else
inline std::vector<EngineInfo> XnnpackEngines() { return {}; }
#endif

#ifdef LACUNA_BENCH_HAS_OPENBLAS
std::vector<EngineInfo> OpenblasEngines();  // openblas
#else
inline std::vector<EngineInfo> OpenblasEngines() { return {}; }
#endif

#ifdef LACUNA_BENCH_HAS_EIGEN
std::vector<EngineInfo> EigenEngines();  // eigen, eigen_sparse
#else
inline std::vector<EngineInfo> EigenEngines() { return {}; }
#endif

#ifdef LACUNA_BENCH_HAS_LIBXSMM
std::vector<EngineInfo> LibxsmmEngines();  // libxsmm, libxsmm_spmdm
#else
inline std::vector<EngineInfo> LibxsmmEngines() { return {}; }
#endif

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_PEERS_PEERS_H_
