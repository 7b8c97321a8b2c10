// lacuna's 8-bit convolutions as an engine.

#include <lacuna/quantized.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "int8_problem.h"
#include "lacuna_engine.h"
#include "lacuna_plan_engine.h"

namespace lacuna::bench {
namespace {

template <int kRank>
class Int8Engine : public Engine {
 public:
  using Plan = QuantizedConvolution<kRank>;

  static Result<EnginePointer> Make(const Problem& problem, const Settings&, const EngineInfo& info) {
    return MakeWith(ActiveInt8Kernels(), problem, info);
  }
  // With what every CPU of the SIMD target has.
  static Result<EnginePointer> MakeWithoutDot(const Problem& problem, const Settings&, const EngineInfo& info) {
    const Int8Kernels& kernels = ActiveInt8Kernels();
    return MakeWith(kernels.without_dot != nullptr ? *kernels.without_dot : kernels, problem, info);
  }

  void Run() override { static_cast<void>(TryRun().ok()); }
  void CopyOutput(std::span<float> planar) const override {
    const int64_t channels = plan_.shape().out_channels, pixels = plan_.shape().positions();
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < pixels; ++p) {
        const uint8_t q = y_[static_cast<size_t>(channels_last_ ? p * channels + c : c * pixels + p)];
        planar[static_cast<size_t>(c * pixels + p)] = static_cast<float>(q) * y_scale_;
      }
    }
  }
  std::string Detail() const override { return std::string(plan_.instruction()) + ", " + plan_.Explain().ToString(); }
  double pack_seconds() const override { return pack_seconds_; }

 private:
  static Result<EnginePointer> MakeWith(const Int8Kernels& kernels, const Problem& problem, const EngineInfo& info) {
    LACUNA_RETURN_IF_ERROR(CheckThreads(info.threads));
    LACUNA_ASSIGN_OR_RETURN(quantized, Int8Problem::Of(problem));
    QuantizedEpilogue epilogue = quantized.epilogue;
    epilogue.weight_scale = quantized.rows.scale();
    const ConvShape<kRank> shape = ShapeOfRank<kRank>(problem.shape);
    const double start = Seconds();
    auto plan = Plan::Make(kernels, quantized.rows, shape, epilogue, DefaultPolicy());
    const double pack_seconds = Seconds() - start;
    if (!plan.ok()) return plan.status();
    LACUNA_ASSIGN_OR_RETURN(workspace,
                            Buffer<std::byte>::Make(plan->WorkspaceBytes(static_cast<size_t>(info.threads))));
    const auto elements = [](int64_t count) { return Buffer<uint8_t>::Make(static_cast<size_t>(count)); };
    LACUNA_ASSIGN_OR_RETURN(x, elements(shape.input_elements()));
    LACUNA_ASSIGN_OR_RETURN(y, elements(shape.output_elements()));
    const bool channels_last = problem.channels_last || info.channels_last;
    const int64_t pixels = shape.input_elements() / shape.in_channels;
    for (int64_t c = 0; c < shape.in_channels; ++c) {
      for (int64_t p = 0; p < pixels; ++p) {
        x[static_cast<size_t>(channels_last ? p * shape.in_channels + c : c * pixels + p)] =
            quantized.x[static_cast<size_t>(c * pixels + p)];
      }
    }
    auto engine = std::unique_ptr<Int8Engine>(new Int8Engine(*std::move(plan), std::move(workspace), std::move(x),
                                                             std::move(y), channels_last, info.threads));
    engine->pack_seconds_ = pack_seconds;
    engine->y_scale_ = epilogue.y.scale;
    LACUNA_RETURN_IF_ERROR(engine->TryRun());
    return EnginePointer(std::move(engine));
  }

  Int8Engine(Plan plan, Buffer<std::byte> workspace, Buffer<uint8_t> x, Buffer<uint8_t> y, bool channels_last,
             int threads)
      : plan_(std::move(plan)),
        workspace_(std::move(workspace)),
        x_(std::move(x)),
        y_(std::move(y)),
        channels_last_(channels_last),
        threads_(threads) {}

  Status TryRun() {
    const std::span<std::byte> workspace(workspace_.data(), workspace_.size());
    const auto view = [&]<class T>(T* data, const Extents<kRank + 2>& extent) {
      return channels_last_ ? TensorView<T, kRank + 2>::ChannelsLast(data, extent)
                            : TensorView<T, kRank + 2>::Planar(data, extent);
    };
    const auto x = view(std::as_const(x_).data(), plan_.shape().input_tensor());
    const auto y = view(y_.data(), plan_.shape().output_tensor());
    return WithExecutor(
        threads_, [&](auto&& executor) { return plan_.Run(x, y, {.workspace = workspace, .residual = {}}, executor); });
  }

  Plan plan_;
  Buffer<std::byte> workspace_;
  Buffer<uint8_t> x_, y_;
  bool channels_last_;
  int threads_;
  double pack_seconds_ = 0.0;
  float y_scale_ = 1.0f;
};

}  // namespace

template <int kRank>
std::vector<EngineInfo> LacunaInt8Convolutions(const Options& options) {
  EngineInfo info{.name = "lacuna", .pruned = true, .int8 = true, .supports = [](const Problem&) { return true; }};
  info.make = &Int8Engine<kRank>::Make;
  std::vector<EngineInfo> engines{info};
  if (options.Wants("nhwc")) {
    engines.push_back(info);
    engines.back().name = "lacuna_nhwc";
    engines.back().channels_last = true;
  }
  if (options.Wants("no_dot")) {
    engines.push_back(info);
    engines.back().name = "lacuna_no_dot";
    engines.back().make = &Int8Engine<kRank>::MakeWithoutDot;
  }
  for (EngineInfo& f32 : LacunaConvolutions<kRank>({})) {
    f32.name = "lacuna_f32";
    engines.push_back(f32);
  }
  return engines;
}
template std::vector<EngineInfo> LacunaInt8Convolutions<2>(const Options& options);
template std::vector<EngineInfo> LacunaInt8Convolutions<3>(const Options& options);

}  // namespace lacuna::bench
