#include "lacuna_engine.h"

#include <lacuna/lacuna.h>

#include <chrono>
#include <string>

#ifdef _OPENMP
#include "lacuna/core/executor_openmp.h"
#endif

namespace lacuna::bench {
namespace {

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Calls f with the executor for `threads`.
template <class F>
Status WithExecutor(int threads, const F& f) {
#ifdef _OPENMP
  if (threads > 1) return f(OpenMpExecutor(static_cast<size_t>(threads)));
#endif
  static_cast<void>(threads);
  return f(SerialExecutor());
}

Status CheckThreads(int threads) {
#ifdef _OPENMP
  static_cast<void>(threads);
  return Status();
#else
  if (threads <= 1) return Status();
  return Status::Make(StatusCode::kUnsupported, "threads is %d, a build without OpenMP has only 1", threads);
#endif
}

class ConvolutionEngine : public Engine {
 public:
  static Result<EnginePointer> Make(const Problem& problem, const Settings&, const EngineInfo& info) {
    LACUNA_RETURN_IF_ERROR(CheckThreads(info.threads));
    LACUNA_ASSIGN_OR_RETURN(dense, DenseWeights<float>::View(MatrixShapeOf(problem.shape), problem.weights));
    const double start = Seconds();
    auto plan = problem.pruned != nullptr ? MakeConvolution<2>(*problem.pruned, problem.shape)
                                          : MakeConvolution<2>(dense, problem.shape);
    const double pack_seconds = Seconds() - start;
    if (!plan.ok()) return plan.status();
    const auto threads = static_cast<size_t>(info.threads);
    LACUNA_ASSIGN_OR_RETURN(workspace, Buffer<std::byte>::Make(plan->WorkspaceBytes(threads)));
    LACUNA_ASSIGN_OR_RETURN(x, Activations::InputOf(problem, problem.channels_last));
    LACUNA_ASSIGN_OR_RETURN(y, Activations::OutputOf(problem, problem.channels_last));
    auto engine = EnginePointer(new ConvolutionEngine(problem.shape, *std::move(plan), std::move(workspace),
                                                      std::move(x), std::move(y), info.threads, pack_seconds));
    LACUNA_RETURN_IF_ERROR(static_cast<ConvolutionEngine&>(*engine).TryRun());
    return engine;
  }

  void Run() override { static_cast<void>(TryRun().ok()); }
  void CopyOutput(std::span<float> planar) const override { y_.CopyTo(planar); }
  std::string Detail() const override { return plan_.Explain().ToString(); }
  double pack_seconds() const override { return pack_seconds_; }

 private:
  ConvolutionEngine(const ConvShape<2>& shape, Convolution<2> plan, Buffer<std::byte> workspace, Activations x,
                    Activations y, int threads, double pack_seconds)
      : shape_(shape),
        plan_(std::move(plan)),
        workspace_(std::move(workspace)),
        x_(std::move(x)),
        y_(std::move(y)),
        threads_(threads),
        pack_seconds_(pack_seconds) {}

  Status TryRun() {
    const auto x =
        TensorView<const float, 4>::Planar(x_.data(), {1, shape_.in_channels, shape_.input[0], shape_.input[1]});
    const auto y =
        TensorView<float, 4>::Planar(y_.data(), {1, shape_.out_channels, shape_.output(0), shape_.output(1)});
    const RunArgs<2> args{.workspace = {workspace_.data(), workspace_.size()}};
    return WithExecutor(threads_, [&](auto&& executor) { return plan_.Run(x, y, args, executor); });
  }

  ConvShape<2> shape_;
  Convolution<2> plan_;
  Buffer<std::byte> workspace_;
  Activations x_;
  Activations y_;
  int threads_;
  double pack_seconds_;
};

class GemmEngine : public Engine {
 public:
  static Result<EnginePointer> Make(const Problem& problem, const Settings&, const EngineInfo& info) {
    LACUNA_RETURN_IF_ERROR(CheckThreads(info.threads));
    LACUNA_ASSIGN_OR_RETURN(dense, DenseWeights<float>::View(MatrixShapeOf(problem.shape), problem.weights));
    const GemmShape shape{.n = problem.shape.positions()};
    const double start = Seconds();
    auto plan = problem.pruned != nullptr ? MakeGemm(*problem.pruned, shape) : MakeGemm(dense, shape);
    const double pack_seconds = Seconds() - start;
    if (!plan.ok()) return plan.status();
    const auto threads = static_cast<size_t>(info.threads);
    LACUNA_ASSIGN_OR_RETURN(workspace, Buffer<std::byte>::Make(plan->WorkspaceBytes(threads)));
    LACUNA_ASSIGN_OR_RETURN(x, Activations::InputOf(problem, problem.channels_last));
    LACUNA_ASSIGN_OR_RETURN(y, Activations::OutputOf(problem, problem.channels_last));
    auto engine = EnginePointer(
        new GemmEngine(*std::move(plan), std::move(workspace), std::move(x), std::move(y), info.threads, pack_seconds));
    LACUNA_RETURN_IF_ERROR(static_cast<GemmEngine&>(*engine).TryRun());
    return engine;
  }

  void Run() override { static_cast<void>(TryRun().ok()); }
  void CopyOutput(std::span<float> planar) const override { y_.CopyTo(planar); }
  std::string Detail() const override { return plan_.Explain().ToString(); }
  double pack_seconds() const override { return pack_seconds_; }

 private:
  GemmEngine(Gemm plan, Buffer<std::byte> workspace, Activations x, Activations y, int threads, double pack_seconds)
      : plan_(std::move(plan)),
        workspace_(std::move(workspace)),
        x_(std::move(x)),
        y_(std::move(y)),
        threads_(threads),
        pack_seconds_(pack_seconds) {}

  Status TryRun() {
    const int64_t k = x_.channels(), m = y_.channels(), n = x_.pixels();
    const auto x = x_.channels_last() ? MatrixView<const float>::ColumnMajor(x_.data(), k, n)
                                      : MatrixView<const float>::RowMajor(x_.data(), k, n);
    const auto y = y_.channels_last() ? MatrixView<float>::ColumnMajor(y_.data(), m, n)
                                      : MatrixView<float>::RowMajor(y_.data(), m, n);
    const GemmArgs args{.workspace = {workspace_.data(), workspace_.size()}};
    return WithExecutor(threads_, [&](auto&& executor) { return plan_.Run(x, y, args, executor); });
  }

  Gemm plan_;
  Buffer<std::byte> workspace_;
  Activations x_;
  Activations y_;
  int threads_;
  double pack_seconds_;
};

std::vector<EngineInfo> WithThreads(EngineInfo one, int threads) {
  std::vector<EngineInfo> engines{one};
  if (threads > 1) {
    static std::string name;  // outlives the list
    name = "lacuna_threads" + std::to_string(threads);
    one.name = name.c_str();
    one.threads = threads;
    engines.push_back(one);
  }
  return engines;
}

}  // namespace

std::vector<EngineInfo> LacunaConvolutions(int threads) {
  return WithThreads({.name = "lacuna",
                      .pruned = true,
                      .supports = [](const Problem& problem) { return !problem.channels_last; },
                      .make = &ConvolutionEngine::Make},
                     threads);
}

std::vector<EngineInfo> LacunaGemms(int threads) {
  return WithThreads({.name = "lacuna", .pruned = true, .supports = &IsGemm, .make = &GemmEngine::Make}, threads);
}

int64_t LacunaTarget() { return ActiveTarget(); }

}  // namespace lacuna::bench
