// Trials: the forms of a layer, run on its real shape to be timed.

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/forms.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/layer_plan.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/machine.h"
#include "lacuna/policy/select.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace op {

// Planar activations of a layer, which all its trials share.
class TrialActivations {
 public:
  TrialActivations(const LayerGeometry& layer, const MatrixShape& weights, int64_t batch) : batch_(batch) {
    const int64_t cells = layer.axis[0].kernel * layer.axis[1].kernel * layer.axis[2].kernel;
    x_ = {.channels = weights.columns / cells * weights.groups};
    y_ = {.channels = weights.rows};
    for (size_t a = 0; a < 3; ++a) {
      x_.extent[a] = layer.axis[a].input;
      y_.extent[a] = layer.axis[a].output;
    }
  }

  int64_t batch() const { return batch_; }
  int64_t width() const { return y_.extent[2]; }
  // Allocates in the first call.
  Status Prepare() {
    LACUNA_RETURN_IF_ERROR(x_.Prepare(batch_));
    return y_.Prepare(batch_);
  }
  ActivationView<const float> x() const { return {x_.data.data(), x_.batch_stride(), x_.plane(), x_.stride()}; }
  ActivationView<float> y() { return {y_.data.data(), y_.batch_stride(), y_.plane(), y_.stride()}; }

 private:
  struct Planes {
    int64_t channels = 0;
    std::array<int64_t, 3> extent{};
    Buffer<float> data{};

    int64_t plane() const { return extent[0] * extent[1] * extent[2]; }
    int64_t batch_stride() const { return channels * plane(); }
    std::array<int64_t, 3> stride() const { return {extent[1] * extent[2], extent[2], 1}; }
    Status Prepare(int64_t batch) {
      if (data.size() != 0) return Status();
      LACUNA_ASSIGN_OR_RETURN(made, Buffer<float>::Make(static_cast<size_t>(batch * batch_stride())));
      std::fill(made.begin(), made.end(), 1.0f);
      data = std::move(made);
      return Status();
    }
  };

  int64_t batch_;
  Planes x_, y_;
};

// The trials of a layer's forms. One thread, no epilogue: what forms share does not tell them apart.
class Trials {
 public:
  // All arguments must outlive the trials.
  Trials(const KernelTable& kernels, const Forms& forms, const LayerGeometry& layer, const MatrixShape& weights,
         int64_t batch, const PlanPolicy& policy)
      : kernels_(kernels), forms_(forms), layer_(layer), policy_(policy), activations_(layer, weights, batch) {
    for (size_t i = 0; i < trial_.size(); ++i) trial_[i].measure = {this, i};
  }
  Trials(const Trials&) = delete;
  Trials& operator=(const Trials&) = delete;

  // Candidate::measure of a form.
  FunctionRef<Result<double>(double)> MeasureOf(size_t form) { return trial_[form].measure; }
  // The packed weights of a form that was tried; empty if it was not, and afterwards.
  std::optional<ChosenForm> Take(size_t form) { return std::exchange(trial_[form].packed, std::nullopt); }

 private:
  struct Measure {
    Trials* trials = nullptr;
    size_t form = 0;
    Result<double> operator()(double seconds) const { return trials->Seconds(form, seconds); }
  };
  struct Trial {
    std::optional<ChosenForm> packed;
    OwnedLayerPlan plan;
    Buffer<std::byte> workspace;
    Measure measure;
  };

  // Runs once and then as long as `seconds` last, kMeasureRuns at most; the median seconds of a run. Packs the form and
  // warms the caches in the first call.
  Result<double> Seconds(size_t form, double seconds) {
    Trial& trial = trial_[form];
    if (!trial.packed) {
      LACUNA_RETURN_IF_ERROR(activations_.Prepare());
      LACUNA_ASSIGN_OR_RETURN(packed, forms_.Pack(form));
      LACUNA_ASSIGN_OR_RETURN(plan, MakeLayerPlan(kernels_, packed, layer_, {}, policy_));
      LACUNA_ASSIGN_OR_RETURN(workspace, Buffer<std::byte>::Make(plan->WorkspaceBytes(1)));
      trial.plan = std::move(plan);
      trial.workspace = std::move(workspace);
      trial.packed = std::move(packed);
      LACUNA_RETURN_IF_ERROR(Run(trial));
    }
    std::array<double, kMeasureRuns> sample;
    size_t count = 0;
    double total = 0;
    do {
      const double begin = SteadySeconds();
      LACUNA_RETURN_IF_ERROR(Run(trial));
      sample[count] = SteadySeconds() - begin;
      total += sample[count++];
    } while (count < sample.size() && total + total / static_cast<double>(count) <= seconds);
    const auto middle = sample.begin() + (count - 1) / 2;
    std::nth_element(sample.begin(), middle, sample.begin() + count);
    const double seconds_of_run = *middle;
    least_ = std::min(least_, seconds_of_run);
    // Who drops out need not keep its weights; were it timed again, it would be packed again.
    if (seconds_of_run > kFarSlower * least_) Forget(trial);
    return seconds_of_run;
  }

  static void Forget(Trial& trial) {
    trial.packed.reset();
    trial.plan.reset();
    trial.workspace = Buffer<std::byte>();
  }

  Status Run(Trial& trial) {
    const SerialExecutor executor;
    return trial.plan->Run({activations_.x(),
                            activations_.y(),
                            {},
                            activations_.batch(),
                            activations_.width(),
                            {trial.workspace.data(), trial.workspace.size()}},
                           executor);
  }

  const KernelTable& kernels_;
  const Forms& forms_;
  const LayerGeometry& layer_;
  const PlanPolicy& policy_;
  TrialActivations activations_;
  double least_ = std::numeric_limits<double>::infinity();  // seconds of a run, of all forms
  std::array<Trial, Explanation::kMaxOptions> trial_;
};

LACUNA_COLD_FUNC Result<ChosenForm> ChooseWithTrials(const FormRequest& request) {
  if (request.layer == nullptr) return ChooseByPrediction(request);
  LACUNA_ASSIGN_OR_RETURN(forms, Forms::Of(request));
  FormCandidates candidates(request, forms);
  Trials trials(request.kernels, forms, *request.layer, request.weights.shape(), request.key.batch, request.policy);
  for (size_t i = 0; i < forms.count(); ++i) candidates.candidate[i].measure = trials.MeasureOf(i);
  LACUNA_ASSIGN_OR_RETURN(choice, request.policy.selector.Choose(candidates.key, candidates.offered()));
  return std::move(forms).Chosen(candidates.offered(), choice, trials.Take(choice.index));
}

}  // namespace op

}  // namespace lacuna::inline LACUNA_ABI
