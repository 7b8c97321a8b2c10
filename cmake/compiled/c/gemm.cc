// Matrix products of the C interface.

#include "lacuna/gemm.h"

#include "lacuna/gemv.h"

#include "common.h"

// `source`: packed weights that may lie in a blob, or empty.
struct lacuna_gemm {
  lacuna::c::OwnedEpilogue epilogue;
  lacuna_plan_options options;
  lacuna::Shared<lacuna::c::HeldWeights> source;
  lacuna::Gemm plan;
};

struct lacuna_gemv {
  bool residual;
  lacuna::Gemv plan;
};

namespace lacuna::inline LACUNA_ABI::c {

namespace {

Status MakePlan(const LayerWeights& weights, const Shared<HeldWeights>& source, int64_t n, OwnedEpilogue epilogue,
                const lacuna_plan_options& options, lacuna_gemm** out) {
  return WithPolicy(options, [&](const auto& policy) -> Status {
    LACUNA_ASSIGN_OR_RETURN(plan, MakeGemm(weights, {.n = n}, epilogue.values(), policy));
    return MakeHandle(lacuna_gemm{std::move(epilogue), options, source, std::move(plan)}, out);
  });
}

Status Create(const lacuna_weights* weights, int64_t n, const lacuna_epilogue* epilogue,
              const lacuna_plan_options* options, lacuna_gemm** out) {
  LACUNA_ASSIGN_OR_RETURN(held, Held("weights", weights));
  LACUNA_ASSIGN_OR_RETURN(owned, OwnedEpilogue::Of(epilogue));
  LACUNA_ASSIGN_OR_RETURN(choice, ReadStruct("options", options));
  LACUNA_RETURN_IF_ERROR(NotNull("gemm", out));
  const Shared<HeldWeights> source = held->packed() != nullptr ? held : Shared<HeldWeights>();
  return MakePlan(held->ref(), source, n, std::move(owned), choice, out);
}

Status Reshape(const lacuna_gemm* gemm, int64_t n, lacuna_gemm** out) {
  LACUNA_RETURN_IF_ERROR(NotNull("gemm", gemm));
  LACUNA_RETURN_IF_ERROR(NotNull("reshaped", out));
  LACUNA_ASSIGN_OR_RETURN(epilogue, gemm->epilogue.Copy());
  return MakePlan(gemm->plan.weights(), gemm->source, n, std::move(epilogue), gemm->options, out);
}

// Args is GemmArgs or GemvRunArgs.
template <class Args, class Plan>
Status RunPlan(const Plan& plan, bool residual, const lacuna_tensor* x, const lacuna_tensor* y,
               const lacuna_run_args* args) {
  LACUNA_ASSIGN_OR_RETURN(arguments, Arguments::Of(args));
  LACUNA_RETURN_IF_ERROR(arguments.NoLengths());
  LACUNA_ASSIGN_OR_RETURN(from, MatrixOf("x", x));
  LACUNA_ASSIGN_OR_RETURN(to, MatrixOf("y", y));
  Args run{.workspace = arguments.workspace};
  if (residual) {
    LACUNA_ASSIGN_OR_RETURN(added, MatrixOf("args.residual", arguments.residual));
    run.residual = added;
  }
  return plan.Run(from, to, run, arguments.threads);
}

Status Run(const lacuna_gemm* gemm, const lacuna_tensor* x, const lacuna_tensor* y, const lacuna_run_args* args) {
  LACUNA_RETURN_IF_ERROR(NotNull("gemm", gemm));
  return RunPlan<GemmArgs>(gemm->plan, gemm->epilogue.residual(), x, y, args);
}
Status Run(const lacuna_gemv* gemv, const lacuna_tensor* x, const lacuna_tensor* y, const lacuna_run_args* args) {
  LACUNA_RETURN_IF_ERROR(NotNull("gemv", gemv));
  return RunPlan<GemvRunArgs>(gemv->plan, gemv->residual, x, y, args);
}

Status Create(const lacuna_weights* weights, const lacuna_epilogue* epilogue, lacuna_gemv** out) {
  LACUNA_ASSIGN_OR_RETURN(held, HeldFormat("weights", weights, "a GEMV"));
  LACUNA_ASSIGN_OR_RETURN(owned, OwnedEpilogue::Of(epilogue));
  LACUNA_RETURN_IF_ERROR(NotNull("gemv", out));
  LACUNA_ASSIGN_OR_RETURN(plan, MakeGemv(*held->format(), owned.values()));
  return MakeHandle(lacuna_gemv{owned.residual(), std::move(plan)}, out);
}

}  // namespace

}  // namespace lacuna::inline LACUNA_ABI::c

lacuna_status lacuna_gemm_create(const lacuna_weights* weights, int64_t n, const lacuna_epilogue* epilogue,
                                 const lacuna_plan_options* options, lacuna_gemm** gemm) {
  return lacuna::c::Report(lacuna::c::Create(weights, n, epilogue, options, gemm));
}
lacuna_status lacuna_gemm_reshape(const lacuna_gemm* gemm, int64_t n, lacuna_gemm** reshaped) {
  return lacuna::c::Report(lacuna::c::Reshape(gemm, n, reshaped));
}
void lacuna_gemm_destroy(lacuna_gemm* gemm) { delete gemm; }
size_t lacuna_gemm_workspace_bytes(const lacuna_gemm* gemm, size_t threads) {
  return gemm == nullptr ? 0 : gemm->plan.WorkspaceBytes(threads);
}
lacuna_status lacuna_gemm_run(const lacuna_gemm* gemm, const lacuna_tensor* x, const lacuna_tensor* y,
                              const lacuna_run_args* args) {
  return lacuna::c::Report(lacuna::c::Run(gemm, x, y, args));
}
size_t lacuna_gemm_explain(const lacuna_gemm* gemm, char* text, size_t bytes) {
  if (gemm == nullptr) return 0;
  return lacuna::c::WriteText(text, bytes, [&](lacuna::TextWriter& to) { gemm->plan.Explain().WriteTo(to); });
}

lacuna_status lacuna_gemv_create(const lacuna_weights* weights, const lacuna_epilogue* epilogue, lacuna_gemv** gemv) {
  return lacuna::c::Report(lacuna::c::Create(weights, epilogue, gemv));
}
void lacuna_gemv_destroy(lacuna_gemv* gemv) { delete gemv; }
size_t lacuna_gemv_workspace_bytes(const lacuna_gemv* gemv, size_t threads, int64_t n) {
  if (gemv == nullptr || n < 1 || n > lacuna::kMaxElements / gemv->plan.k()) return 0;
  return gemv->plan.WorkspaceBytes(threads, n);
}
lacuna_status lacuna_gemv_run(const lacuna_gemv* gemv, const lacuna_tensor* x, const lacuna_tensor* y,
                              const lacuna_run_args* args) {
  return lacuna::c::Report(lacuna::c::Run(gemv, x, y, args));
}
size_t lacuna_gemv_explain(const lacuna_gemv* gemv, char* text, size_t bytes) {
  if (gemv == nullptr) return 0;
  return lacuna::c::WriteText(text, bytes, [&](lacuna::TextWriter& to) { gemv->plan.Explain().WriteTo(to); });
}
