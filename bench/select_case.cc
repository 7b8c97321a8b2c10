#include "select_case.h"

#include "lacuna/prune/scheme.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <utility>

namespace lacuna::bench {
namespace {

// Dense candidates that pruned ones are compared with: at most so many, at most so much slower than the fastest.
constexpr size_t kMostDense = 3;
constexpr double kNearDense = 1.15;

// Winograd forms differ from direct convolutions by some 1e-4 of the RMS; more is a fault.
constexpr double kAgreement = 1e-3;

// Fewer samples at full speed say nothing of a candidate that took all turns.
constexpr size_t kFewestSamples = 3;

const char* OpName(Op op) { return op == Op::kConv3d ? "conv3d" : op == Op::kDepthwise ? "depthwise" : "conv2d"; }

// Why `kind` of scheme prunes the layer by nothing or as another kind does, or "".
std::string WhyNot(const std::string& kind, const ConvShape<3>& shape) {
  if (shape.taps() > 1) return {};
  if (kind == "pattern") return "kernels of one cell have no patterns";
  if (kind == "bcr_kernel") return "kernels of one cell make it bcr_col";
  return {};
}

}  // namespace

std::string NameOf(const Layer& layer) {
  return std::string(OpName(layer.op)) + "/" + layer.network + "." + layer.name;
}

std::string SelectCase::Name() const {
  char text[32];
  std::snprintf(text, sizeof(text), "-%gx", rate);
  return layer + "/" + kind + text;
}

const JudgedCandidate& SelectCase::Fastest(bool dense) const {
  const JudgedCandidate* fastest = nullptr;
  for (const JudgedCandidate& candidate : candidates) {
    if (candidate.dense != dense || !candidate.judged()) continue;
    if (fastest == nullptr || candidate.seconds < fastest->seconds) fastest = &candidate;
  }
  return *fastest;
}

Result<LayerJudge> LayerJudge::Make(const Layer& layer, const JudgeOptions& options, Sampler* sampler) {
  LACUNA_ASSIGN_OR_RETURN(workload, MakeWorkload(ShapeOf(layer), {}));
  LayerJudge judge(layer, options, sampler, std::move(workload));
  LACUNA_RETURN_IF_ERROR(judge.JudgeDense());
  return judge;
}

Result<SelectedPlan> LayerJudge::Select(const Problem& problem, const Selection& selection) const {
  return layer_.op == Op::kConv3d ? SelectPlan<3>(problem, selection) : SelectPlan<2>(problem, selection);
}

// The candidates among `options` that are not contenders yet; without a plan if predicted too slow.
Status LayerJudge::AddOthers(const Problem& problem, const std::vector<PlanOption>& options,
                             std::vector<Contender>& contenders) const {
  double least = options.front().predicted;
  for (const PlanOption& option : options) least = std::min(least, option.predicted);
  for (const PlanOption& option : options) {
    const auto has_its_name = [&](const Contender& contender) { return contender.candidate.name == option.name; };
    auto place = std::find_if(contenders.begin(), contenders.end(), has_its_name);
    if (place == contenders.end()) {
      contenders.push_back({{.name = option.name}, nullptr});
      place = contenders.end() - 1;
      if (option.predicted <= options_.most_predicted * least) {
        LACUNA_ASSIGN_OR_RETURN(plan, Select(problem, {.by = Selection::By::kName, .name = option.name}));
        place->engine = std::move(plan.engine);
      }
    }
    place->candidate.dense = problem.pruned == nullptr;
    place->candidate.predicted = option.predicted;
    place->candidate.selector_seconds = option.measured_seconds;
  }
  return Status();
}

// Whether all compute what the first does. That it is right is for the other benchmarks and the tests.
Status LayerJudge::CheckAgreement(const std::vector<Contender*>& contenders) const {
  std::vector<float> expected, output(static_cast<size_t>(workload_.shape.output_elements()));
  double rms = 0.0;
  const char* first = "";
  for (const Contender* contender : contenders) {
    if (contender->engine == nullptr) continue;
    contender->engine->CopyOutput(output);
    if (expected.empty()) {
      expected = output;
      first = contender->candidate.name.c_str();
      for (const float y : expected) rms += static_cast<double>(y) * static_cast<double>(y);
      rms = std::sqrt(rms / static_cast<double>(expected.size()));
      continue;
    }
    for (size_t i = 0; i < output.size(); ++i) {
      const double difference = std::abs(static_cast<double>(output[i]) - static_cast<double>(expected[i]));
      if (difference <= kAgreement * rms) continue;  // false for NaN
      return Status::Make(StatusCode::kDataLoss, "candidates differ: output %zu is %g by %.40s, %g by %.40s", i,
                          static_cast<double>(output[i]), contender->candidate.name.c_str(),
                          static_cast<double>(expected[i]), first);
    }
  }
  return Status();
}

void LayerJudge::TakeTurns(const std::vector<Contender*>& contenders) {
  std::vector<Timed> timed;
  std::vector<Contender*> running;
  for (Contender* contender : contenders) {
    if (contender->engine == nullptr) continue;
    Timed entry{.run = [engine = contender->engine.get()] { engine->Run(); }, .stays = contender->stays};
    // Plans of the pruned weights are not run again; the dense ones are those of further cases too.
    if (!contender->candidate.dense) entry.leave = [contender] { contender->engine.reset(); };
    timed.push_back(std::move(entry));
    running.push_back(contender);
  }
  const std::vector<Samples> samples = sampler_->Run(timed);
  for (size_t i = 0; i < running.size(); ++i) {
    JudgedCandidate& candidate = running[i]->candidate;
    candidate.seconds = samples[i].Quantile(0.5);
    candidate.samples = static_cast<int>(samples[i].seconds.size());
    candidate.dropped = samples[i].dropped;
    candidate.left = samples[i].left;
  }
}

Status LayerJudge::JudgeDense() {
  const Problem problem = workload_.ProblemOf(workload_.weights.front(), /*channels_last=*/false);
  LACUNA_ASSIGN_OR_RETURN(chosen, Select(problem, {.by = Selection::By::kCostModel}));
  dense_.push_back({{.name = chosen.options[chosen.chosen].name}, std::move(chosen.engine)});
  LACUNA_RETURN_IF_ERROR(AddOthers(problem, chosen.options, dense_));
  std::vector<Contender*> contenders;
  for (Contender& contender : dense_) contenders.push_back(&contender);
  LACUNA_RETURN_IF_ERROR(CheckAgreement(contenders));
  TakeTurns(contenders);
  std::erase_if(dense_, [](const Contender& contender) { return !contender.candidate.judged(); });
  if (dense_.empty()) return Status::Make(StatusCode::kUnsupported, "the core was slow during all samples");
  std::sort(dense_.begin(), dense_.end(),
            [](const Contender& a, const Contender& b) { return a.candidate.seconds < b.candidate.seconds; });
  const double fastest = dense_.front().candidate.seconds;
  std::erase_if(dense_, [&](const Contender& contender) { return contender.candidate.seconds > kNearDense * fastest; });
  if (dense_.size() > kMostDense) dense_.erase(dense_.begin() + kMostDense, dense_.end());
  dense_.front().stays = true;
  return Status();
}

Result<SelectCase> LayerJudge::Judge(const std::string& kind, double rate) {
  SelectCase result{.layer = NameOf(layer_), .kind = kind, .rate = rate};
  result.skipped = WhyNot(kind, workload_.shape);
  if (!result.skipped.empty()) return result;
  LACUNA_ASSIGN_OR_RETURN(scheme, prune::MakeScheme(kind, rate));
  const WeightSet& dense = workload_.weights.front();
  LACUNA_ASSIGN_OR_RETURN(set, Prune(dense.dense, scheme.Name(), workload_.shape));
  if (set.nnz() >= dense.nnz() || set.nnz() == 0) {
    result.skipped = set.nnz() == 0 ? "nothing would be left" : "nothing would go";
    return result;
  }
  const Problem problem = workload_.ProblemOf(set, /*channels_last=*/false);
  LACUNA_ASSIGN_OR_RETURN(cost_model, Select(problem, {.by = Selection::By::kCostModel}));
  LACUNA_ASSIGN_OR_RETURN(
      measured, Select(problem, {.by = Selection::By::kMeasurement, .budget_seconds = options_.budget_seconds}));
  const std::string by_cost_model = cost_model.options[cost_model.chosen].name;
  const std::string by_measurement = measured.options[measured.chosen].name;
  std::vector<Contender> pruned;
  pruned.push_back({{.name = by_cost_model}, std::move(cost_model.engine), /*stays=*/true});
  if (by_measurement != by_cost_model) {
    pruned.push_back({{.name = by_measurement}, std::move(measured.engine), /*stays=*/true});
  }
  measured.engine.reset();
  LACUNA_RETURN_IF_ERROR(AddOthers(problem, measured.options, pruned));

  std::vector<Contender*> contenders;
  for (Contender& contender : pruned) contenders.push_back(&contender);
  LACUNA_RETURN_IF_ERROR(CheckAgreement(contenders));
  for (Contender& contender : dense_) contenders.push_back(&contender);
  TakeTurns(contenders);
  result.by_measurement = by_measurement == by_cost_model ? 0 : 1;
  for (const Contender* contender : contenders) {
    const JudgedCandidate& candidate = contender->candidate;
    result.candidates.push_back(candidate);
    const bool ran = contender->engine != nullptr && !candidate.left;
    const size_t enough = options_.sampler.smoke ? 1 : kFewestSamples;
    if (ran && static_cast<size_t>(candidate.samples) < enough) result.disturbed = true;
  }
  return result;
}

}  // namespace lacuna::bench
