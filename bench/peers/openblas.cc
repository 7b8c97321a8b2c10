// OpenBLAS: sgemm. It has no packed weights: every call packs W anew.

#include <cblas.h>
#include <dlfcn.h>

#include <cstdlib>

#include "peers/peers.h"

namespace lacuna::bench {
namespace {

using Sgemm = decltype(&cblas_sgemm);

// OpenBLAS chooses its kernels while it is being loaded, by an environment variable, so it is loaded when the target is
// known.
Sgemm LoadSgemm(const Settings& settings) {
  static const Sgemm sgemm = [&settings]() -> Sgemm {
    const char* core = settings.instruction_set == InstructionSet::kAvx2   ? "Haswell"
                       : settings.instruction_set == InstructionSet::kSse4 ? "Nehalem"
                                                                           : nullptr;
    if (core != nullptr) setenv("OPENBLAS_CORETYPE", core, /*overwrite=*/1);
    setenv("OPENBLAS_NUM_THREADS", "1", /*overwrite=*/1);
    void* library = dlopen(LACUNA_BENCH_OPENBLAS, RTLD_NOW | RTLD_LOCAL);
    return library == nullptr ? nullptr : reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
  }();
  return sgemm;
}

class OpenblasEngine : public Engine {
 public:
  OpenblasEngine(Sgemm sgemm, std::span<const float> weights, Activations x, Activations y)
      : sgemm_(sgemm), weights_(weights), x_(std::move(x)), y_(std::move(y)) {}

  void Run() override {
    const auto m = static_cast<int>(y_.channels()), k = static_cast<int>(x_.channels()),
               n = static_cast<int>(x_.pixels());
    if (x_.channels_last()) {  // Y^T[N, M] = X^T[N, K] W^T
      sgemm_(CblasRowMajor, CblasNoTrans, CblasTrans, n, m, k, 1.0f, x_.data(), k, weights_.data(), k, 0.0f, y_.data(),
             m);
    } else {
      sgemm_(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0f, weights_.data(), k, x_.data(), n, 0.0f,
             y_.data(), n);
    }
  }
  void CopyOutput(std::span<float> planar) const override { y_.CopyTo(planar); }

 private:
  Sgemm sgemm_;
  std::span<const float> weights_;
  Activations x_;
  Activations y_;
};

Result<EnginePointer> MakeOpenblas(const Problem& problem, const Settings& settings, const EngineInfo&) {
  const Sgemm sgemm = LoadSgemm(settings);
  if (sgemm == nullptr) {
    return Status::Make(StatusCode::kUnsupported, "%s cannot be loaded or has no cblas_sgemm", LACUNA_BENCH_OPENBLAS);
  }
  LACUNA_ASSIGN_OR_RETURN(x, Activations::InputOf(problem, problem.channels_last));
  LACUNA_ASSIGN_OR_RETURN(y, Activations::OutputOf(problem, problem.channels_last));
  return EnginePointer(std::make_unique<OpenblasEngine>(sgemm, problem.weights, std::move(x), std::move(y)));
}

}  // namespace

std::vector<EngineInfo> OpenblasEngines() { return {{.name = "openblas", .supports = &IsGemm, .make = &MakeOpenblas}}; }

}  // namespace lacuna::bench
