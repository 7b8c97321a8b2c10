// OpenBLAS: sgemm and sgemv. It has no packed weights: every call of sgemm packs W anew.

#include <cblas.h>
#include <dlfcn.h>

#include <cstdlib>

#include "peers/peers.h"

namespace lacuna::bench {
namespace {

struct Functions {
  decltype(&cblas_sgemm) sgemm;
  decltype(&cblas_sgemv) sgemv;
};

// OpenBLAS chooses its kernels while it is being loaded, by an environment variable, so it is loaded when the target is
// known.
const Functions* Load(const Settings& settings) {
  static const Functions functions = [&settings]() -> Functions {
    const char* core = settings.instruction_set == InstructionSet::kAvx2   ? "Haswell"
                       : settings.instruction_set == InstructionSet::kSse4 ? "Nehalem"
                                                                           : nullptr;
    if (core != nullptr) setenv("OPENBLAS_CORETYPE", core, /*overwrite=*/1);
    setenv("OPENBLAS_NUM_THREADS", "1", /*overwrite=*/1);
    void* library = dlopen(LACUNA_BENCH_OPENBLAS, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return {};
    return {reinterpret_cast<decltype(&cblas_sgemm)>(dlsym(library, "cblas_sgemm")),
            reinterpret_cast<decltype(&cblas_sgemv)>(dlsym(library, "cblas_sgemv"))};
  }();
  return functions.sgemm != nullptr && functions.sgemv != nullptr ? &functions : nullptr;
}

Status Absent() {
  return Status::Make(StatusCode::kUnsupported, "%s cannot be loaded or lacks cblas_sgemm or cblas_sgemv",
                      LACUNA_BENCH_OPENBLAS);
}

class OpenblasEngine : public Engine {
 public:
  OpenblasEngine(decltype(&cblas_sgemm) sgemm, std::span<const float> weights, Activations x, Activations y)
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
  std::vector<MemoryRange> Weights() const override { return {std::as_bytes(weights_)}; }

 private:
  decltype(&cblas_sgemm) sgemm_;
  std::span<const float> weights_;
  Activations x_;
  Activations y_;
};

Result<EnginePointer> MakeOpenblas(const Problem& problem, const Settings& settings, const EngineInfo&) {
  const Functions* functions = Load(settings);
  if (functions == nullptr) return Absent();
  LACUNA_ASSIGN_OR_RETURN(x, Activations::InputOf(problem, problem.channels_last));
  LACUNA_ASSIGN_OR_RETURN(y, Activations::OutputOf(problem, problem.channels_last));
  return EnginePointer(std::make_unique<OpenblasEngine>(functions->sgemm, problem.weights, std::move(x), std::move(y)));
}

// y = W x, with W stored by rows or, transposed, by columns.
class GemvEngine : public Engine {
 public:
  GemvEngine(decltype(&cblas_sgemv) sgemv, std::span<const float> weights, Buffer<float> transposed, Activations x,
             Activations y)
      : sgemv_(sgemv), weights_(weights), transposed_(std::move(transposed)), x_(std::move(x)), y_(std::move(y)) {}

  void Run() override {
    const auto m = static_cast<int>(y_.channels()), k = static_cast<int>(x_.channels());
    sgemv_(by_rows() ? CblasRowMajor : CblasColMajor, CblasNoTrans, m, k, 1.0f, W().data(), by_rows() ? k : m,
           x_.data(), 1, 0.0f, y_.data(), 1);
  }
  void CopyOutput(std::span<float> planar) const override { y_.CopyTo(planar); }
  std::string Detail() const override { return by_rows() ? "sgemv, by rows" : "sgemv, by columns"; }
  std::vector<MemoryRange> Weights() const override { return {std::as_bytes(W())}; }

 private:
  bool by_rows() const { return transposed_.size() == 0; }
  std::span<const float> W() const {
    return by_rows() ? weights_ : std::span<const float>(transposed_.data(), transposed_.size());
  }

  decltype(&cblas_sgemv) sgemv_;
  std::span<const float> weights_;
  Buffer<float> transposed_;  // or empty
  Activations x_;
  Activations y_;
};

// The faster of the two layouts.
Result<EnginePointer> MakeOpenblasGemv(const Problem& problem, const Settings& settings, const EngineInfo&) {
  const Functions* functions = Load(settings);
  if (functions == nullptr) return Absent();
  EnginePointer best;
  double best_seconds = 0.0;
  for (const bool by_rows : {true, false}) {
    LACUNA_ASSIGN_OR_RETURN(transposed, Buffer<float>::Make(by_rows ? 0 : problem.weights.size()));
    if (!by_rows) {
      Transpose(problem.weights.data(), problem.shape.out_channels, problem.shape.in_channels, transposed.data());
    }
    LACUNA_ASSIGN_OR_RETURN(x, Activations::InputOf(problem, /*channels_last=*/true));
    LACUNA_ASSIGN_OR_RETURN(y, Activations::OutputOf(problem, /*channels_last=*/true));
    auto engine = std::make_unique<GemvEngine>(functions->sgemv, problem.weights, std::move(transposed), std::move(x),
                                               std::move(y));
    const double seconds = FastestRun(problem, *engine, /*runs=*/9);
    if (best == nullptr || seconds < best_seconds) {
      best = std::move(engine);
      best_seconds = seconds;
    }
  }
  return best;
}

}  // namespace

std::vector<EngineInfo> OpenblasGemvs() {
  return {{.name = "openblas", .supports = &IsGemv, .make = &MakeOpenblasGemv},
          {.name = "openblas",
           .supports = [](const Problem& problem) { return IsGemm(problem) && !IsGemv(problem); },
           .make = &MakeOpenblas}};
}
std::vector<EngineInfo> OpenblasEngines() { return {{.name = "openblas", .supports = &IsGemm, .make = &MakeOpenblas}}; }

}  // namespace lacuna::bench
