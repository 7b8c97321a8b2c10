// XNNPACK: channels-last convolution (indirect GEMM), and its sparse 1x1 convolution over planar activations.

#include <cpuinfo.h>
#include <xnnpack.h>

#include <limits>

#include "peers/peers.h"

namespace lacuna::bench {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Status Absent(const char* call, xnn_status status) {
  return Status::Make(StatusCode::kUnsupported, "%s fails with status %d", call, static_cast<int>(status));
}

// XNNPACK chooses its kernels once, by what cpuinfo says; hiding instruction sets from cpuinfo hides them from XNNPACK.
xnn_status InitializeOnce(const Settings& settings) {
  static const xnn_status status = [&settings] {
    if (!cpuinfo_initialize()) return xnn_status_unsupported_hardware;
#if defined(__x86_64__)
    if (settings.instruction_set <= InstructionSet::kAvx2) {
      cpuinfo_isa.avx512f = cpuinfo_isa.avx512cd = cpuinfo_isa.avx512bw = false;
      cpuinfo_isa.avx512dq = cpuinfo_isa.avx512vl = false;
    }
    if (settings.instruction_set == InstructionSet::kSse4) {
      cpuinfo_isa.avx = cpuinfo_isa.avx2 = cpuinfo_isa.fma3 = cpuinfo_isa.f16c = cpuinfo_isa.xop = false;
    }
#else
    static_cast<void>(settings);
#endif
    return xnn_initialize(nullptr);
  }();
  return status;
}

class XnnpackEngine : public Engine {
 public:
  XnnpackEngine(xnn_operator_t convolution, Activations x, Activations y)
      : convolution_(convolution), x_(std::move(x)), y_(std::move(y)) {}
  ~XnnpackEngine() override { xnn_delete_operator(convolution_); }
  XnnpackEngine(const XnnpackEngine&) = delete;
  XnnpackEngine& operator=(const XnnpackEngine&) = delete;

  xnn_status Setup(const ConvShape<2>& s) {
    const auto height = static_cast<size_t>(s.input[0]), width = static_cast<size_t>(s.input[1]);
    return x_.channels_last()
               ? xnn_setup_convolution2d_nhwc_f32(convolution_, 1, height, width, x_.data(), y_.data(), nullptr)
               : xnn_setup_convolution2d_nchw_f32(convolution_, 1, height, width, x_.data(), y_.data(), nullptr);
  }
  void Run() override { xnn_run_operator(convolution_, nullptr); }
  void CopyOutput(std::span<float> planar) const override { y_.CopyTo(planar); }
  std::string Detail() const override { return x_.channels_last() ? "nhwc" : "nchw, sparse"; }

 private:
  xnn_operator_t convolution_;
  Activations x_;
  Activations y_;
};

// XNNPACK wants [OC][KH][KW][IC per group].
std::vector<float> ChannelsLastFilters(const Problem& problem) {
  const ConvShape<3>& s = problem.shape;
  std::vector<float> filters(problem.weights.size());
  for (int64_t oc = 0; oc < s.out_channels; ++oc) {
    Transpose(problem.weights.data() + oc * s.depth(), s.channels_per_group(), s.taps(),
              filters.data() + oc * s.depth());
  }
  return filters;
}

Result<EnginePointer> MakeXnnpack(const Problem& problem, const Settings& settings, const EngineInfo& info) {
  const ConvShape<2> s = ShapeOfRank<2>(problem.shape);
  if (const xnn_status status = InitializeOnce(settings); status != xnn_status_success) {
    return Absent("xnn_initialize", status);
  }
  const std::vector<float> filters = ChannelsLastFilters(problem);
  const auto create = info.pruned ? &xnn_create_convolution2d_nchw_f32 : &xnn_create_convolution2d_nhwc_f32;
  const auto u32 = [](int64_t value) { return static_cast<uint32_t>(value); };
  xnn_operator_t convolution = nullptr;
  const xnn_status created =
      create(u32(s.pad_begin[0]), u32(s.pad_end[1]), u32(s.pad_end[0]), u32(s.pad_begin[1]), u32(s.kernel[0]),
             u32(s.kernel[1]), u32(s.stride[0]), u32(s.stride[1]), u32(s.dilation[0]), u32(s.dilation[1]),
             u32(s.groups), static_cast<size_t>(s.channels_per_group()), static_cast<size_t>(s.rows_per_group()),
             static_cast<size_t>(s.in_channels), static_cast<size_t>(s.out_channels), filters.data(), /*bias=*/nullptr,
             -kInfinity, kInfinity, /*flags=*/0, &convolution);
  if (created != xnn_status_success) return Absent("xnn_create_convolution2d", created);
  LACUNA_ASSIGN_OR_RETURN(x, Activations::InputOf(problem, /*channels_last=*/!info.pruned));
  LACUNA_ASSIGN_OR_RETURN(y, Activations::OutputOf(problem, /*channels_last=*/!info.pruned));
  auto engine = std::make_unique<XnnpackEngine>(convolution, std::move(x), std::move(y));
  if (const xnn_status status = engine->Setup(s); status != xnn_status_success) {
    return Absent("xnn_setup_convolution2d", status);
  }
  return EnginePointer(std::move(engine));
}

}  // namespace

std::vector<EngineInfo> XnnpackEngines() {
  return {{.name = "xnnpack", .supports = [](const Problem&) { return true; }, .make = &MakeXnnpack},
          {.name = "xnnpack_sparse", .dense = false, .pruned = true, .supports = &IsGemm, .make = &MakeXnnpack}};
}

}  // namespace lacuna::bench
