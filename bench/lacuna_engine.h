// lacuna itself as an engine.

#ifndef LACUNA_BENCH_LACUNA_ENGINE_H_
#define LACUNA_BENCH_LACUNA_ENGINE_H_

#include <cstdint>
#include <vector>

#include "engine.h"
#include "options.h"

namespace lacuna::bench {

// Engine `lacuna`, MakeConvolution<kRank> of rank 2 or 3, and what the options ask for: with more threads
// `lacuna_threads<N>`, with one decision of the policy changed `lacuna_<variant>`. Layers of rank 2 have depth 1.
template <int kRank>
std::vector<EngineInfo> LacunaConvolutions(const Options& options);
// The same by MakeQuantizedConvolution, and lacuna_f32, which is `lacuna` of the above; variant no_dot adds
// `lacuna_no_dot`, which does without the dot product that a CPU may have beyond its SIMD target.
template <int kRank>
std::vector<EngineInfo> LacunaInt8Convolutions(const Options& options);
// LacunaConvolutions by MakeGemm; only problems that are a GEMM.
std::vector<EngineInfo> LacunaGemms(const Options& options);

// The same by MakeGemv, of one column or a few; variant `kernels` adds `lacuna_<kernel>` of every kernel.
std::vector<EngineInfo> LacunaGemvs(const Options& options);
// Of weights stored as another type than f32, and lacuna_f32.
template <ValueType kStorage>
std::vector<EngineInfo> LacunaNarrowGemvs(const Options& options);

// Recurrent layers: a cell's step, or a sequence.
std::vector<EngineInfo> LacunaRecurrences(const Options& options);

// Highway bit of the target that lacuna's next plan binds to.
int64_t LacunaTarget();

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_LACUNA_ENGINE_H_
