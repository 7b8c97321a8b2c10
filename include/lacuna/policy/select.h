// Select policies: which of several candidates a plan uses. The create-time axis of a policy.

#ifndef LACUNA_POLICY_SELECT_H_
#define LACUNA_POLICY_SELECT_H_

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

namespace lacuna {

// A callable of the caller, by reference (C++26's std::function_ref): the object must outlive it. May be null.
template <class Signature>
class FunctionRef;
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  constexpr FunctionRef() = default;
  // Implicit on purpose. Temporaries are refused: they would not live long enough.
  template <class F>
  requires(!std::same_as<std::remove_const_t<F>, FunctionRef> && std::is_object_v<F> &&
           std::is_invocable_r_v<R, F&, Args...>) constexpr FunctionRef(F& f)
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* object, Args... args) -> R { return (*static_cast<F*>(object))(std::forward<Args>(args)...); }) {
  }

  constexpr explicit operator bool() const { return call_ != nullptr; }
  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_ = nullptr;
  R (*call_)(void*, Args...) = nullptr;
};

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
struct SelectByMeasurement {
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

inline Choice SelectByMeasurement::Choose(const LayerKey& layer, std::span<const Candidate> candidates) const {
  Choice choice;
  if (candidates.size() == 1) {
    choice.Because("the only candidate");
    return choice;
  }
  if (TakeSaved(layer, candidates, choice)) return choice;
  choice.index = SelectByCostModel::Choose(candidates);
  const Tried tried = ToTry(candidates);
  if (tried.count < 2) {
    choice.Because("%s; fewer than two candidates can be measured", SelectByCostModel::kReason);
    return choice;
  }
  const Failure failure = Measure(layer, candidates, tried, choice.measured_seconds);
  size_t measured = 0;
  double least = std::numeric_limits<double>::infinity();
  for (const size_t i : tried.all()) {
    if (choice.measured_seconds[i] == 0.0) continue;
    ++measured;
    least = std::min(least, choice.measured_seconds[i]);
  }
  if (measured == 0) {
    choice.Because("%s; measuring %.40s failed: %s", SelectByCostModel::kReason, failure.candidate,
                   failure.status.message());
    return choice;
  }
  choice.index = *std::ranges::find_if(tried.all(), [&](size_t i) {
    return choice.measured_seconds[i] != 0.0 && choice.measured_seconds[i] <= kTie * least;
  });
  const double seconds = choice.measured_seconds[choice.index];
  Status saved;
  if (choices != nullptr) saved = choices->Insert(layer, candidates[choice.index].name, seconds);
  const char* how = seconds == least ? "fastest" : "as fast as the fastest, and better predicted,";
  if (failure.candidate != nullptr) {
    choice.Because("%s of %zu measured; measuring %.40s failed: %s", how, measured, failure.candidate,
                   failure.status.message());
  } else if (!saved.ok()) {
    choice.Because("%s of %zu measured; not saved: %s", how, measured, saved.message());
  } else {
    choice.Because("%s of %zu measured", how, measured);
  }
  return choice;
}

inline bool SelectByMeasurement::TakeSaved(const LayerKey& layer, std::span<const Candidate> candidates,
                                           Choice& choice) const {
  const SavedChoice* saved = choices != nullptr ? choices->Find(layer) : nullptr;
  if (saved == nullptr) return false;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (std::string_view(candidates[i].name) != saved->candidate.data()) continue;
    choice.index = i;
    if (i < kMostMeasured) choice.measured_seconds[i] = saved->seconds();
    choice.Because("fastest when it was measured before");
    return true;
  }
  return false;
}

inline SelectByMeasurement::Tried SelectByMeasurement::ToTry(std::span<const Candidate> candidates) const {
  Tried tried;
  for (size_t i = 0; i < std::min(candidates.size(), kMostMeasured); ++i) {
    if (candidates[i].measure) tried.index[tried.count++] = i;
  }
  std::stable_sort(tried.index.begin(), tried.index.begin() + tried.count, [&](size_t a, size_t b) {
    return SelectByCostModel::IsLess(candidates[a].predicted, candidates[b].predicted);
  });
  const auto is_worse = [&](size_t i) {
    return !(candidates[i].predicted <= most_predicted * candidates[tried.index[0]].predicted);
  };
  while (tried.count > 2 && is_worse(tried.index[tried.count - 1])) --tried.count;
  return tried;
}

// Fills in `seconds` of the candidates tried, 0 for those that failed.
inline SelectByMeasurement::Failure SelectByMeasurement::Measure(const LayerKey& layer,
                                                                 std::span<const Candidate> candidates,
                                                                 const Tried& tried, std::span<double> seconds) const {
  const double begin = now();
  const auto left = [&] { return budget_seconds - (now() - begin); };
  const auto report = [&](const char* name, size_t done, size_t total) {
    if (progress) progress(MeasureProgress{layer, name, done, total});
  };
  Failure failure;
  Tried running = tried;
  const auto turn_count = static_cast<size_t>(std::max(turns, 1));
  for (size_t turn = 0; turn < turn_count; ++turn) {
    double turn_seconds = 0.0;
    for (const size_t i : running.all()) turn_seconds += seconds[i];
    if (turn > 0 && (running.count < 2 || !(turn_seconds <= left()))) break;
    size_t calls = (turn_count - turn) * running.count;  // that the time left must do for
    for (const size_t i : running.all()) {
      const Candidate& candidate = candidates[i];
      report(candidate.name, turn_count * tried.count - calls, turn_count * tried.count);
      Result<double> run = candidate.measure(std::max(0.0, left() / static_cast<double>(calls--)));
      if (run.ok() && !(*run > 0 && *run <= std::numeric_limits<double>::max())) {
        run = Status::InvalidArgument("a run took %g s, must take more than 0", *run);
      }
      if (!run.ok() && failure.candidate == nullptr) failure = {candidate.name, run.status()};
      seconds[i] = !run.ok() ? 0.0 : turn == 0 ? *run : std::min(seconds[i], *run);
    }
    double least = std::numeric_limits<double>::infinity();
    for (const size_t i : running.all()) {
      if (seconds[i] != 0.0) least = std::min(least, seconds[i]);
    }
    const auto drops_out = [&](size_t i) { return seconds[i] == 0.0 || seconds[i] > kFarSlower * least; };
    const auto end = std::remove_if(running.index.begin(), running.index.begin() + running.count, drops_out);
    running.count = static_cast<size_t>(end - running.index.begin());
  }
  report("", turn_count * tried.count, turn_count * tried.count);
  return failure;
}

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

}  // namespace lacuna

#endif  // LACUNA_POLICY_SELECT_H_
