// SelectCase: one layer under one scheme and rate; what lacuna's selection chose for it, and how fast all candidates
// were when they were judged.

#ifndef LACUNA_BENCH_SELECT_CASE_H_
#define LACUNA_BENCH_SELECT_CASE_H_

#include "lacuna/core/status.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "layers.h"
#include "sampler.h"
#include "selection.h"
#include "workload.h"

namespace lacuna::bench {

struct JudgedCandidate {
  std::string name;
  bool dense = false;             // of the layer's dense weights
  double predicted = 0.0;         // by the cost model; comparable among pruned ones, and among dense ones
  double selector_seconds = 0.0;  // as selection by measurement found it; 0: not measured
  double seconds = 0.0;           // median of one run when judged; 0: not judged, as predicted too slow
  int samples = 0, dropped = 0;
  bool left = false;  // was too slow to take all turns

  bool judged() const { return seconds > 0.0; }
};

struct SelectCase {
  std::string layer;  // "conv2d/vgg16.conv3_2"
  std::string kind;   // of scheme: "bcr_col"
  double rate = 1.0;
  std::vector<JudgedCandidate> candidates{};  // all of the pruned weights, then the best few of the dense ones
  size_t by_cost_model = 0, by_measurement = 0;
  std::string skipped{};   // why the scheme does not apply to the layer; nothing was judged then
  bool disturbed = false;  // the core was too slow to judge: do not count it

  // "conv2d/vgg16.conv3_2/bcr_col-8x"
  std::string Name() const;
  // Of a case that was judged:
  const JudgedCandidate& Best() const { return Fastest(/*dense=*/false); }
  const JudgedCandidate& BestDense() const { return Fastest(/*dense=*/true); }
  // Time of candidate `chosen` over that of the best, at least 1.
  double Loss(size_t chosen) const { return candidates[chosen].seconds / Best().seconds; }
  double SpeedOverDense(size_t chosen) const { return BestDense().seconds / candidates[chosen].seconds; }

 private:
  const JudgedCandidate& Fastest(bool dense) const;
};

struct JudgeOptions {
  SamplerOptions sampler{};
  double budget_seconds = kMeasureSeconds;  // of selection by measurement
  double most_predicted = 3.0;              // candidates predicted slower than the best by more are not judged
};

// "conv2d/vgg16.conv3_2".
std::string NameOf(const Layer& layer);

// Judges the cases of a layer, one by one.
class LayerJudge {
 public:
  // Judges the candidates of the dense weights, to compare with the best few of them.
  static Result<LayerJudge> Make(const Layer& layer, const JudgeOptions& options, Sampler* sampler);

  // Fails if a plan cannot be made, or candidates compute different things (kDataLoss).
  Result<SelectCase> Judge(const std::string& kind, double rate);

 private:
  // A candidate and its plan.
  struct Contender {
    JudgedCandidate candidate;
    EnginePointer engine;
    bool stays = false;
  };

  LayerJudge(const Layer& layer, const JudgeOptions& options, Sampler* sampler, Workload workload)
      : layer_(layer), options_(options), sampler_(sampler), workload_(std::move(workload)) {}

  Result<SelectedPlan> Select(const Problem& problem, const Selection& selection) const;
  Status AddOthers(const Problem& problem, const std::vector<PlanOption>& options,
                   std::vector<Contender>& contenders) const;
  Status CheckAgreement(const std::vector<Contender*>& contenders) const;
  void TakeTurns(const std::vector<Contender*>& contenders);
  Status JudgeDense();

  Layer layer_;
  JudgeOptions options_;
  Sampler* sampler_;
  Workload workload_;             // dense
  std::vector<Contender> dense_;  // the best few
};

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_SELECT_CASE_H_
