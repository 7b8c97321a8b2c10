#include "lacuna_engine.h"

#include <lacuna/lacuna.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lacuna_plan_engine.h"
#include "lacuna_policies.h"

#ifdef LACUNA_BENCH_HAS_LIBXSMM
#include "lacuna/kernel/product_libxsmm.h"
#endif

namespace lacuna::bench {
namespace {

template <int kSpatialRank>
struct ConvolutionOperation : PlanOperation {
  static constexpr int kRank = kSpatialRank;
  using Plan = Convolution<kRank>;

  template <Policy P, class Weights>
  static Result<Plan> Make(const Problem& problem, const Weights& weights, const P& policy) {
    return MakeConvolution<kRank>(weights, ShapeOfRank<kRank>(problem.shape), Epilogue{}, policy);
  }

  template <class E>
  static Status Run(const Plan& plan, const Activations& x, Activations& y, std::span<std::byte> workspace,
                    E&& executor) {
    const ConvShape<kRank>& shape = plan.shape();
    const auto view = []<class T>(T* data, const Extents<kRank + 2>& extent, bool channels_last) {
      return channels_last ? TensorView<T, kRank + 2>::ChannelsLast(data, extent)
                           : TensorView<T, kRank + 2>::Planar(data, extent);
    };
    return plan.Run(view(x.data(), shape.input_tensor(), x.channels_last()),
                    view(y.data(), shape.output_tensor(), y.channels_last()), {.workspace = workspace}, executor);
  }
};

struct GemmOperation : MatrixOperation {
  static constexpr int kRank = 0;
  using Plan = Gemm;

  template <Policy P, class Weights>
  static Result<Plan> Make(const Problem& problem, const Weights& weights, const P& policy) {
    return MakeGemm(weights, {.n = problem.shape.positions()}, Epilogue{}, policy);
  }
};

bool HasWinogradForm(const Problem& problem) {
  const ConvShape<3>& shape = problem.shape;
  bool any = false;
  for (size_t a = 0; a < 3; ++a) {
    if (shape.stride[a] != 1 || shape.dilation[a] != 1 || (shape.kernel[a] != 1 && shape.kernel[a] != 3)) return false;
    any = any || shape.kernel[a] == 3;
  }
  return any;
}

// Fails if the candidate that the policy asks for by name is not there.
template <class Operation>
Result<SelectedPlan> Select(const Problem& problem, const SelectionPolicy& policy, const EngineInfo& info) {
  using SelectedEngine = LacunaEngine<Operation, SelectionPolicy>;
  LACUNA_ASSIGN_OR_RETURN(engine, SelectedEngine::MakeWith(policy, problem, info));
  const Explanation explanation = engine->plan().Explain();
  SelectedPlan selected;
  for (size_t i = 0; i < explanation.option_count; ++i) {
    const Explanation::Option& option = explanation.options[i];
    selected.options.push_back({option.name, option.predicted, option.measured_seconds});
  }
  selected.chosen = explanation.chosen;
  if (!policy.select.IsWanted(selected.options[selected.chosen].name)) {
    return Status::Make(StatusCode::kUnsupported, "the layer has no candidate \"%s\"",
                        policy.select.selection.name.c_str());
  }
  selected.engine = std::move(engine);
  return selected;
}

// Engine `lacuna_winograd_<outputs>` of each Winograd tile: "lacuna_winograd_2x4x4" is candidate "winograd 2x4x4".
constexpr std::string_view kTileEngine = "lacuna_winograd_", kTileCandidate = "winograd ";

template <class Operation>
Result<EnginePointer> MakeWinogradTile(const Problem& problem, const Settings&, const EngineInfo& info) {
  SelectionPolicy policy;
  policy.select = {
      {.by = Selection::By::kName, .name = std::string(kTileCandidate) + (info.name + kTileEngine.size())}};
  LACUNA_ASSIGN_OR_RETURN(selected, Select<Operation>(problem, policy, info));
  return std::move(selected.engine);
}

// The best predicted Winograd form whose products are libxsmm's.
template <class Operation>
Result<EnginePointer> MakeWinogradLibxsmm(const Problem& problem, const Settings& settings, const EngineInfo& info) {
#ifdef LACUNA_BENCH_HAS_LIBXSMM
  if (settings.instruction_set < InstructionSet::kAvx512) {
    return Status::Make(StatusCode::kUnsupported, "libxsmm takes the best instruction set here, whatever --target");
  }
  SelectionPolicy policy;
  policy.winograd_product = &LibxsmmProduct();
  policy.select = {{.by = Selection::By::kEndOfName, .name = " libxsmm"}};
  LACUNA_ASSIGN_OR_RETURN(selected, Select<Operation>(problem, policy, info));
  return std::move(selected.engine);
#else
  static_cast<void>(problem);
  static_cast<void>(settings);
  static_cast<void>(info);
  return Status::Make(StatusCode::kUnsupported, "built without libxsmm");
#endif
}

// The tiles that transform all axes of kernels of 3 x 3 or 3 x 3 x 3.
template <int kRank>
void AddWinogradTiles(const EngineInfo& info, std::vector<EngineInfo>& engines) {
  static std::deque<std::string> names;  // outlives the list
  for (const NamedWinogradTile& tile : kWinogradTiles) {
    const std::array<int, 3>& outputs = tile.tile.outputs;
    if ((outputs[0] > 1) != (kRank == 3) || outputs[1] == 1 || outputs[2] == 1) continue;
    names.push_back(std::string(kTileEngine) + (tile.name + kTileCandidate.size()));
    engines.push_back(info);
    engines.back().name = names.back().c_str();
    engines.back().make = &MakeWinogradTile<ConvolutionOperation<kRank>>;
  }
}

// Engine `lacuna`, with more threads if asked for, and the variants asked for.
template <class Operation>
std::vector<EngineInfo> EnginesOf(EngineInfo info, const Options& options) {
  info.make = &LacunaEngine<Operation>::Make;
  std::vector<EngineInfo> engines{info};
  static std::string threads_name;  // outlives the list
  if (options.threads > 1) {
    threads_name = "lacuna_threads" + std::to_string(options.threads);
    engines.push_back(info);
    engines.back().name = threads_name.c_str();
    engines.back().threads = options.threads;
  }
  const auto add = [&](const char* variant, const char* name, auto make, bool channels_last) {
    if (!options.Wants(variant)) return;
    engines.push_back(info);
    engines.back().name = name;
    engines.back().make = make;
    engines.back().channels_last = channels_last;
  };
  add("pattern", "lacuna_pattern", &LacunaEngine<Operation, PatternPolicy>::Make, false);
  add("panel", "lacuna_panel", &LacunaEngine<Operation, PanelPolicy>::Make, false);
  add("keep", "lacuna_keep", &LacunaEngine<Operation, KeepPolicy>::Make, false);
  add("reorder", "lacuna_reorder", &LacunaEngine<Operation, ReorderPolicy>::Make, false);
  add("winograd", "lacuna_winograd", &LacunaEngine<Operation, WinogradOnlyPolicy>::Make, false);
  add("auto", "lacuna_auto", &LacunaEngine<Operation, WinogradPolicy>::Make, false);
  if constexpr (Operation::kRank != 0) {
    add("libxsmm", "lacuna_winograd_libxsmm", &MakeWinogradLibxsmm<Operation>, false);
    if (options.Wants("tiles")) AddWinogradTiles<Operation::kRank>(info, engines);
  }
  for (EngineInfo& engine : engines) {
    const std::string_view name = engine.name;
    const bool winograd_alone = name.starts_with("lacuna_winograd");
    engine.winograd = winograd_alone || name == "lacuna_auto";
    if (winograd_alone) engine.supports = &HasWinogradForm;
  }
  add("nhwc", "lacuna_nhwc", &LacunaEngine<Operation>::Make, true);
  add("planar", "lacuna_planar", &LacunaEngine<Operation>::MakePlanar, false);
  return engines;
}

}  // namespace

template <int kRank>
std::vector<EngineInfo> LacunaConvolutions(const Options& options) {
  return EnginesOf<ConvolutionOperation<kRank>>(
      {.name = "lacuna", .pruned = true, .supports = [](const Problem&) { return true; }}, options);
}
template std::vector<EngineInfo> LacunaConvolutions<2>(const Options& options);
template std::vector<EngineInfo> LacunaConvolutions<3>(const Options& options);

std::vector<EngineInfo> LacunaGemms(const Options& options) {
  return EnginesOf<GemmOperation>({.name = "lacuna", .pruned = true, .supports = &IsGemm}, options);
}

template <int kRank>
Result<SelectedPlan> SelectPlan(const Problem& problem, const Selection& selection) {
  SelectionPolicy policy;
  policy.select = {selection};
  if (const Result<MachineFacts>& machine = MeasuredMachine(); machine.ok()) policy.cost = CostFactors::Of(*machine);
  return Select<ConvolutionOperation<kRank>>(problem, policy, {.name = "lacuna"});
}
template Result<SelectedPlan> SelectPlan<2>(const Problem& problem, const Selection& selection);
template Result<SelectedPlan> SelectPlan<3>(const Problem& problem, const Selection& selection);

int64_t LacunaTarget() { return ActiveTarget(); }

}  // namespace lacuna::bench
