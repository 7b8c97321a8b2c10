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

// What differs between the two operations: how a plan is made and how it sees the activations.
struct ConvolutionOperation {
  using Plan = Convolution<2>;

  template <class Weights>
  static Result<Plan> Make(const Problem& problem, const Weights& weights) {
    return MakeConvolution<2>(weights, problem.shape);
  }

  template <class E>
  static Status Run(const Plan& plan, const Activations& x, Activations& y, std::span<std::byte> workspace,
                    E&& executor) {
    const ConvShape<2>& shape = plan.shape();
    return plan.Run(TensorView<const float, 4>::Planar(x.data(), shape.input_tensor()),
                    TensorView<float, 4>::Planar(y.data(), shape.output_tensor()), {.workspace = workspace}, executor);
  }
};

struct GemmOperation {
  using Plan = Gemm;

  template <class Weights>
  static Result<Plan> Make(const Problem& problem, const Weights& weights) {
    return MakeGemm(weights, {.n = problem.shape.positions()});
  }

  template <class E>
  static Status Run(const Plan& plan, const Activations& x, Activations& y, std::span<std::byte> workspace,
                    E&& executor) {
    const int64_t n = x.pixels();
    const auto in = x.channels_last() ? MatrixView<const float>::ColumnMajor(x.data(), plan.k(), n)
                                      : MatrixView<const float>::RowMajor(x.data(), plan.k(), n);
    const auto out = y.channels_last() ? MatrixView<float>::ColumnMajor(y.data(), plan.m(), n)
                                       : MatrixView<float>::RowMajor(y.data(), plan.m(), n);
    return plan.Run(in, out, {.workspace = workspace}, executor);
  }
};

template <class Operation>
class LacunaEngine : public Engine {
 public:
  using Plan = typename Operation::Plan;

  static Result<EnginePointer> Make(const Problem& problem, const Settings&, const EngineInfo& info) {
    LACUNA_RETURN_IF_ERROR(CheckThreads(info.threads));
    LACUNA_ASSIGN_OR_RETURN(dense, DenseWeights<float>::View(MatrixShapeOf(problem.shape), problem.weights));
    const double start = Seconds();
    auto plan = problem.pruned != nullptr ? Operation::Make(problem, *problem.pruned) : Operation::Make(problem, dense);
    const double pack_seconds = Seconds() - start;
    if (!plan.ok()) return plan.status();
    LACUNA_ASSIGN_OR_RETURN(workspace,
                            Buffer<std::byte>::Make(plan->WorkspaceBytes(static_cast<size_t>(info.threads))));
    LACUNA_ASSIGN_OR_RETURN(x, Activations::InputOf(problem, problem.channels_last));
    LACUNA_ASSIGN_OR_RETURN(y, Activations::OutputOf(problem, problem.channels_last));
    auto engine = EnginePointer(new LacunaEngine(*std::move(plan), std::move(workspace), std::move(x), std::move(y),
                                                 info.threads, pack_seconds));
    LACUNA_RETURN_IF_ERROR(static_cast<LacunaEngine&>(*engine).TryRun());
    return engine;
  }

  void Run() override { static_cast<void>(TryRun().ok()); }
  void CopyOutput(std::span<float> planar) const override { y_.CopyTo(planar); }
  std::string Detail() const override { return plan_.Explain().ToString(); }
  double pack_seconds() const override { return pack_seconds_; }

 private:
  LacunaEngine(Plan plan, Buffer<std::byte> workspace, Activations x, Activations y, int threads, double pack_seconds)
      : plan_(std::move(plan)),
        workspace_(std::move(workspace)),
        x_(std::move(x)),
        y_(std::move(y)),
        threads_(threads),
        pack_seconds_(pack_seconds) {}

  Status TryRun() {
    const std::span<std::byte> workspace(workspace_.data(), workspace_.size());
    return WithExecutor(threads_, [&](auto&& executor) { return Operation::Run(plan_, x_, y_, workspace, executor); });
  }

  Plan plan_;
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
                      .make = &LacunaEngine<ConvolutionOperation>::Make},
                     threads);
}

std::vector<EngineInfo> LacunaGemms(int threads) {
  return WithThreads(
      {.name = "lacuna", .pruned = true, .supports = &IsGemm, .make = &LacunaEngine<GemmOperation>::Make}, threads);
}

int64_t LacunaTarget() { return ActiveTarget(); }

}  // namespace lacuna::bench
