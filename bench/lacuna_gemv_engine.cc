// lacuna's matrix-vector products, MakeGemv, as an engine.

#include <deque>
#include <string>
#include <string_view>

#include "lacuna_engine.h"
#include "lacuna_packed.h"
#include "lacuna_plan_engine.h"
#include "lacuna_policies.h"

namespace lacuna::bench {
namespace {

// One type for the default choice and for every kernel by name, as each policy type is compiled for every SIMD target.
struct GemvPolicy : DefaultPolicy {
  using Select = SelectBy;
  SelectBy select{};
};

struct GemvOperation : MatrixOperation {
  using Plan = Gemv;

  template <Policy P, class Weights>
  static Result<Plan> Make(const Problem&, const Weights& weights, const P& policy) {
    return MakeGemv(weights, Epilogue{}, policy);
  }

  static size_t WorkspaceBytes(const Plan& plan, size_t threads, int64_t n) { return plan.WorkspaceBytes(threads, n); }
  static std::vector<MemoryRange> Weights(const Plan& plan) { return RangesOf(*plan.weights()); }
};

using GemvEngine = LacunaEngine<GemvOperation, GemvPolicy>;

template <ValueType kStorage>
struct NarrowGemvOperation : GemvOperation {
  template <Policy P, class Weights>
  static Result<Gemv> Make(const Problem&, const Weights& weights, const P& policy) {
    return MakeNarrowGemv(weights, kStorage, Epilogue{}, policy);
  }
};

// Engine `lacuna_<kernel>`: "lacuna_shared_8" is candidate "shared 8".
constexpr std::string_view kKernelEngine = "lacuna_";

std::string CandidateOf(std::string_view engine) {
  std::string name(engine.substr(kKernelEngine.size()));
  for (char& c : name) c = c == '_' ? ' ' : c;
  return name;
}

Result<EnginePointer> MakeKernel(const Problem& problem, const Settings&, const EngineInfo& info) {
  GemvPolicy policy;
  policy.select = {{.by = Selection::By::kName, .name = CandidateOf(info.name)}};
  LACUNA_ASSIGN_OR_RETURN(engine, GemvEngine::MakeWith(policy, problem, info));
  if (engine->plan().Explain().tile != policy.select.selection.name) {
    return Status::Make(StatusCode::kUnsupported, "the weights do not fit kernel \"%s\"",
                        policy.select.selection.name.c_str());
  }
  return EnginePointer(std::move(engine));
}

}  // namespace

std::vector<EngineInfo> LacunaGemvs(const Options& options) {
  static std::deque<std::string> names;  // outlives the list
  const EngineInfo info{.name = "lacuna", .pruned = true, .supports = &IsGemm, .make = &GemvEngine::Make};
  std::vector<EngineInfo> engines{info};
  if (options.threads > 1) {
    names.push_back("lacuna_threads" + std::to_string(options.threads));
    engines.push_back(info);
    engines.back().name = names.back().c_str();
    engines.back().threads = options.threads;
  }
  if (options.Wants("kernels")) {
    for (const GemvKernel& kernel : ActiveVectorKernels().gemv) {
      names.push_back(std::string(kKernelEngine) + kernel.name);
      for (char& c : names.back()) c = c == ' ' ? '_' : c;
      engines.push_back(info);
      engines.back().name = names.back().c_str();
      engines.back().make = &MakeKernel;
    }
  }
  return engines;
}

template <ValueType kStorage>
std::vector<EngineInfo> LacunaNarrowGemvs(const Options&) {
  EngineInfo info{.name = "lacuna", .pruned = true, .storage = kStorage, .supports = &IsGemm};
  info.make = &LacunaEngine<NarrowGemvOperation<kStorage>>::Make;
  std::vector<EngineInfo> engines = LacunaGemvs({});
  engines.front().name = "lacuna_f32";
  engines.insert(engines.begin(), info);
  return engines;
}
template std::vector<EngineInfo> LacunaNarrowGemvs<ValueType::kF16>(const Options& options);
template std::vector<EngineInfo> LacunaNarrowGemvs<ValueType::kBf16>(const Options& options);
template std::vector<EngineInfo> LacunaNarrowGemvs<ValueType::kS8>(const Options& options);
template std::vector<EngineInfo> LacunaNarrowGemvs<ValueType::kS4>(const Options& options);

}  // namespace lacuna::bench
