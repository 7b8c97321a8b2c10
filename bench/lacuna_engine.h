// lacuna itself as an engine.

#ifndef LACUNA_BENCH_LACUNA_ENGINE_H_
#define LACUNA_BENCH_LACUNA_ENGINE_H_

#include <cstdint>
#include <vector>

#include "engine.h"

namespace lacuna::bench {

// Engine `lacuna` and, for threads > 1, `lacuna_threads<N>`: MakeConvolution<2>.
std::vector<EngineInfo> LacunaConvolutions(int threads);
// The same by MakeGemm; only problems that are a GEMM.
std::vector<EngineInfo> LacunaGemms(int threads);

// Highway bit of the target that lacuna's next plan binds to.
int64_t LacunaTarget();

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_LACUNA_ENGINE_H_
