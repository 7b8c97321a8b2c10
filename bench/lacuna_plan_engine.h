// LacunaEngine: a plan of lacuna as an engine, whatever its operation. Of the sources that include lacuna's public
// header.

#ifndef LACUNA_BENCH_LACUNA_PLAN_ENGINE_H_
#define LACUNA_BENCH_LACUNA_PLAN_ENGINE_H_

#include <lacuna/lacuna.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine.h"

#ifdef _OPENMP
#include "lacuna/core/executor_openmp.h"
#endif

namespace lacuna::bench {

inline double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Calls f with the executor for `threads`.
template <class F>
Status WithExecutor(int threads, const F& f) {
#ifdef _OPENMP
  if (threads > 1) return f(OpenMpExecutor(static_cast<size_t>(threads)));
#endif
  static_cast<void>(threads);
  return f(SerialExecutor());
}

inline Status CheckThreads(int threads) {
#ifdef _OPENMP
  static_cast<void>(threads);
  return Status();
#else
  if (threads <= 1) return Status();
  return Status::Make(StatusCode::kUnsupported, "threads is %d, a build without OpenMP has only 1", threads);
#endif
}

// What differs between operations: type Plan, Make(problem, weights, policy), Run(plan, x, y, workspace, executor), and
// those of the following that are not as here.
struct PlanOperation {
  static MatrixShape WeightShape(const Problem& problem) { return MatrixShapeOf(problem.shape); }
  template <class Plan>
  static size_t WorkspaceBytes(const Plan& plan, size_t threads, int64_t) {
    return plan.WorkspaceBytes(threads);
  }
  template <class Plan>
  static std::string Detail(const Plan& plan) {
    return plan.Explain().ToString();
  }
  template <class Plan>
  static std::vector<MemoryRange> Weights(const Plan&) {
    return {};
  }
};

// Of products of matrices, or of a matrix and a vector.
struct MatrixOperation : PlanOperation {
  template <class Plan, class E>
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

template <class Operation, Policy P = DefaultPolicy>
class LacunaEngine : public Engine {
 public:
  using Plan = typename Operation::Plan;

  static Result<EnginePointer> Make(const Problem& problem, const Settings&, const EngineInfo& info) {
    LACUNA_ASSIGN_OR_RETURN(engine, MakeWith(P{}, problem, info));
    return EnginePointer(std::move(engine));
  }

  static Result<std::unique_ptr<LacunaEngine>> MakeWith(const P& policy, const Problem& problem,
                                                        const EngineInfo& info) {
    LACUNA_RETURN_IF_ERROR(CheckThreads(info.threads));
    LACUNA_ASSIGN_OR_RETURN(dense, DenseWeights<float>::View(Operation::WeightShape(problem), problem.weights));
    const double start = Seconds();
    auto plan = problem.pruned != nullptr ? Operation::template Make<P>(problem, *problem.pruned, policy)
                                          : Operation::template Make<P>(problem, dense, policy);
    const double pack_seconds = Seconds() - start;
    if (!plan.ok()) return plan.status();
    LACUNA_ASSIGN_OR_RETURN(workspace, Buffer<std::byte>::Make(Operation::WorkspaceBytes(
                                           *plan, static_cast<size_t>(info.threads), problem.shape.positions())));
    const bool channels_last = problem.channels_last || info.channels_last;
    LACUNA_ASSIGN_OR_RETURN(x, Activations::InputOf(problem, channels_last));
    LACUNA_ASSIGN_OR_RETURN(y, Activations::OutputOf(problem, channels_last));
    auto engine = std::unique_ptr<LacunaEngine>(new LacunaEngine(*std::move(plan), std::move(workspace), std::move(x),
                                                                 std::move(y), info.threads, pack_seconds));
    LACUNA_RETURN_IF_ERROR(engine->TryRun());
    return engine;
  }

  // With planar activations, whatever the problem says.
  static Result<EnginePointer> MakePlanar(const Problem& problem, const Settings& settings, const EngineInfo& info) {
    Problem planar = problem;
    planar.channels_last = false;
    return Make(planar, settings, info);
  }

  void Run() override { static_cast<void>(TryRun().ok()); }
  void CopyOutput(std::span<float> planar) const override { y_.CopyTo(planar); }
  std::string Detail() const override { return Operation::Detail(plan_); }
  double pack_seconds() const override { return pack_seconds_; }
  std::vector<MemoryRange> Weights() const override { return Operation::Weights(plan_); }
  const Plan& plan() const { return plan_; }

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

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_LACUNA_PLAN_ENGINE_H_
