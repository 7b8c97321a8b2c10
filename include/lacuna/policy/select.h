// Select policies: which of several candidates a plan uses. The create-time axis of a policy.

#ifndef LACUNA_POLICY_SELECT_H_
#define LACUNA_POLICY_SELECT_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/function_ref.h"
#include "lacuna/core/status.h"
#include "lacuna/policy/choices.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/machine.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// A way to compute a layer.
struct Candidate {
  const char* name;  // unlike that of the others, and the same in every run
  double predicted;  // cost in a unit that the candidates of a layer share; lower is better
  // Runs the candidate on the layer at hand, at least once and at most as long as the seconds it is given last, and
  // returns the median seconds of a run, or why it cannot. Called several times; what it needs to prepare the first
  // time is not part of what it returns. Null if the candidate cannot be measured.
  FunctionRef<Result<double>(double)> measure{};
};

// The first this many candidates of a layer can be measured.
inline constexpr size_t kMostMeasured = 32;

// What was chosen, and why.
struct Choice {
  size_t index = 0;
  char reason[256] = {};                                 // "lowest predicted cost"; long ones are cut
  std::array<double, kMostMeasured> measured_seconds{};  // of every candidate, 0 where it was not measured

  void Because(const char* format, ...) LACUNA_PRINTF(2) {
    va_list args;
    va_start(args, format);
    std::vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
  }
};

// Two kinds of selector, each asked with at least one candidate. The short one needs nothing but them, and may say why
// it chooses by a member kReason.
template <class S>
concept SelectsByCandidates = requires(std::span<const Candidate> candidates) {
  { S::Choose(candidates) } -> std::convertible_to<size_t>;
};
// The other sees the layer too, and is an object: the data member `select` of a policy, see SelectorOf.
template <class S>
concept SelectsForLayer = requires(const S& select, const LayerKey& layer, std::span<const Candidate> candidates) {
  { select.Choose(layer, candidates) } -> std::same_as<Choice>;
};
template <class S>
concept SelectPolicy = SelectsByCandidates<S> || SelectsForLayer<S>;

// The candidate of lowest predicted cost; the first of equals. One without a prediction (NaN) only if all are.
struct SelectByCostModel {
  static constexpr const char* kReason = "lowest predicted cost";
  static size_t Choose(std::span<const Candidate> candidates) {
    size_t best = 0;
    for (size_t i = 1; i < candidates.size(); ++i) {
      if (IsLess(candidates[i].predicted, candidates[best].predicted)) best = i;
    }
    return best;
  }
  // An order even of NaN: behind all others.
  static bool IsLess(double a, double b) { return a < b || (a == a && b != b); }
};

// Always candidate kIndex (the last one if there are fewer).
template <size_t kIndex>
struct SelectFixed {
  static constexpr const char* kReason = "fixed by the policy";
  static size_t Choose(std::span<const Candidate> candidates) {
    return kIndex < candidates.size() ? kIndex : candidates.size() - 1;
  }
};

// The candidate called `name`, or the choice of the cost model where the layer has none of that name.
struct SelectByName {
  const char* name = "";

  Choice Choose(const LayerKey&, std::span<const Candidate> candidates) const {
    Choice choice;
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (std::string_view(candidates[i].name) != name) continue;
      choice.index = i;
      choice.Because("named by the policy");
      return choice;
    }
    choice.index = SelectByCostModel::Choose(candidates);
    choice.Because("%s; there is no candidate \"%.60s\"", SelectByCostModel::kReason, name);
    return choice;
  }
};

// Where measuring a layer stands, before each measurement and after the last.
struct MeasureProgress {
  const LayerKey& layer;
  const char* candidate;  // to be measured next, "" at the end
  size_t done, total;     // measurements; what turns out not to be needed is skipped, so `done` may jump
};

// The fastest candidate, by running it on the layer; the better predicted of those within kTie of it.
//
// Tried are the candidates that can be measured and are predicted to cost at most `most_predicted` times the best of
// them, and the two best in any case. They take turns, so that a machine that slows down for a while slows all. The
// least of a candidate's turns counts, as disturbance only adds time; whoever is kFarSlower than the best after a turn
// drops out. Each is run once, whatever it takes; beyond that no turn begins that would not end within budget_seconds.
//
// Never fails: where fewer than two candidates can be measured, or none of those tried succeeds, the choice is that of
// the cost model, and the reason says so. A layer in `choices` is not measured again, if its candidate is still one;
// what was measured is added to them.
struct LACUNA_API SelectByMeasurement {
  double budget_seconds = kMeasureSeconds;  // for a layer
  double most_predicted = kMostPredicted;
  int turns = kMeasureTurns;
  Choices* choices = nullptr;                            // may be null
  FunctionRef<void(const MeasureProgress&)> progress{};  // may be null
  double (*now)() = &SteadySeconds;

  Choice Choose(const LayerKey& layer, std::span<const Candidate> candidates) const;

 private:
  // Indices of candidates, best predicted first.
  struct Tried {
    std::array<size_t, kMostMeasured> index{};
    size_t count = 0;
    std::span<const size_t> all() const { return {index.data(), count}; }
  };
  // The first failure.
  struct Failure {
    const char* candidate = nullptr;
    Status status;
  };

  bool TakeSaved(const LayerKey& layer, std::span<const Candidate> candidates, Choice& choice) const;
  Tried ToTry(std::span<const Candidate> candidates) const;
  Failure Measure(const LayerKey& layer, std::span<const Candidate> candidates, const Tried& tried,
                  std::span<double> seconds) const;
};

template <class P>
concept HasSelector = requires(const P& policy) {
  { policy.select } -> std::same_as<const typename P::Select&>;
};

// The selector of a policy: its data member `select` of type Select if it has one, else a new one.
template <class P>
decltype(auto) SelectorOf(const P& policy) {
  if constexpr (HasSelector<P>) {
    return (policy.select);
  } else {
    return typename P::Select{};
  }
}

// What the policy's selector, of either kind, chooses for the layer. Fails if it chooses none of the candidates.
template <class P>
Result<Choice> ChooseCandidate(const P& policy, const LayerKey& layer, std::span<const Candidate> candidates) {
  using Select = typename P::Select;
  if (candidates.empty()) return Status::InvalidArgument("candidates is empty, must have at least 1");
  Choice choice;
  if constexpr (SelectsForLayer<Select>) {
    choice = SelectorOf(policy).Choose(layer, candidates);
  } else {
    choice.index = Select::Choose(candidates);
    const char* reason = "chosen by the policy";
    if constexpr (requires { Select::kReason; }) reason = Select::kReason;
    choice.Because("%s", candidates.size() == 1 ? "the only candidate" : reason);
  }
  if (choice.index >= candidates.size()) {
    return Status::InvalidArgument("policy: Select::Choose returned %zu, must be below %zu", choice.index,
                                   candidates.size());
  }
  return choice;
}

// The selector of a policy of any type; the policy must outlive it.
class SelectorRef {
 public:
  SelectorRef() = default;
  template <class P>
  static SelectorRef Of(const P& policy) {
    SelectorRef selector;
    selector.policy_ = &policy;
    selector.choose_ = [](const void* p, const LayerKey& layer, std::span<const Candidate> candidates) {
      return ChooseCandidate(*static_cast<const P*>(p), layer, candidates);
    };
    return selector;
  }

  // See ChooseCandidate.
  Result<Choice> Choose(const LayerKey& layer, std::span<const Candidate> candidates) const {
    return choose_(policy_, layer, candidates);
  }

 private:
  const void* policy_ = nullptr;
  Result<Choice> (*choose_)(const void* policy, const LayerKey& layer, std::span<const Candidate> candidates) = nullptr;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/policy/select.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_POLICY_SELECT_H_
