// PyTorch: 3-D convolution, in the fastest of its layouts.

#include <dlfcn.h>

#include <cstdlib>

#include "peers/peers.h"
#include "peers/pytorch_kernels.h"

namespace lacuna::bench {
namespace {

using Make = decltype(&MakePytorchConvolution);

struct Library {
  Make make = nullptr;
  std::string error;  // why it is null
};

// PyTorch, its OpenBLAS and its oneDNN choose their kernels while they are being loaded, by environment variables, so
// they are loaded when the target is known.
const Library& Load(const Settings& settings) {
  static const Library library = [&settings]() -> Library {
    const auto hold = [](const char* aten, const char* openblas, const char* onednn) {
      setenv("ATEN_CPU_CAPABILITY", aten, /*overwrite=*/1);
      setenv("OPENBLAS_CORETYPE", openblas, /*overwrite=*/1);
      setenv("ONEDNN_MAX_CPU_ISA", onednn, /*overwrite=*/1);
    };
    if (settings.instruction_set == InstructionSet::kAvx512) hold("avx512", "SkylakeX", "AVX512_CORE");
    if (settings.instruction_set == InstructionSet::kAvx2) hold("avx2", "Haswell", "AVX2");
    if (settings.instruction_set == InstructionSet::kSse4) hold("default", "Nehalem", "SSE41");
    setenv("OPENBLAS_NUM_THREADS", "1", /*overwrite=*/1);
    void* handle = dlopen(LACUNA_BENCH_PYTORCH, RTLD_NOW | RTLD_LOCAL);
    void* make = handle == nullptr ? nullptr : dlsym(handle, "MakePytorchConvolution");
    if (make == nullptr) return {nullptr, dlerror()};
    return {reinterpret_cast<Make>(make), {}};
  }();
  return library;
}

class PytorchEngine : public Engine {
 public:
  PytorchEngine(PytorchConvolution* convolution, const char* layout) : convolution_(convolution), layout_(layout) {}
  void Run() override { convolution_->Run(); }
  void CopyOutput(std::span<float> planar) const override { convolution_->CopyOutput(planar.data()); }
  std::string Detail() const override { return layout_; }

 private:
  std::unique_ptr<PytorchConvolution> convolution_;
  const char* layout_;
};

struct NamedLayout {
  PytorchLayout layout;
  const char* name;
};
constexpr NamedLayout kLayouts[] = {{PytorchLayout::kContiguous, "contiguous"},
                                    {PytorchLayout::kChannelsLast, "channels_last_3d"},
                                    {PytorchLayout::kMkldnn, "mkldnn"}};

Result<EnginePointer> MakePytorch(const Problem& problem, const Settings& settings, const EngineInfo&) {
  const Library& library = Load(settings);
  if (library.make == nullptr) {
    return Status::Make(StatusCode::kUnsupported, "PyTorch cannot be loaded: %s", library.error.c_str());
  }
  const ConvShape<3>& s = problem.shape;
  const PytorchProblem copy{
      .x = problem.input.data(),
      .w = problem.weights.data(),
      .x_extents = s.input_tensor(),
      .w_extents = {s.out_channels, s.channels_per_group(), s.kernel[0], s.kernel[1], s.kernel[2]},
      .stride = s.stride,
      .pad = s.pad_begin,
      .dilation = s.dilation,
      .groups = s.groups};
  EnginePointer best;
  double best_seconds = std::numeric_limits<double>::infinity();
  char error[200] = "";
  for (const NamedLayout& layout : kLayouts) {
    PytorchConvolution* convolution = library.make(copy, layout.layout, error, sizeof(error));
    if (convolution == nullptr) continue;
    auto engine = std::make_unique<PytorchEngine>(convolution, layout.name);
    const double seconds = FastestRun(problem, *engine, /*runs=*/2);
    if (seconds >= best_seconds) continue;
    best_seconds = seconds;
    best = std::move(engine);
  }
  if (best == nullptr) return Status::Make(StatusCode::kUnsupported, "PyTorch: %s", error);
  return best;
}

}  // namespace

std::vector<EngineInfo> PytorchConvolutions() {
  const auto symmetric = [](const Problem& problem) { return problem.shape.pad_begin == problem.shape.pad_end; };
  return {{.name = "pytorch", .supports = symmetric, .make = &MakePytorch}};
}

}  // namespace lacuna::bench
