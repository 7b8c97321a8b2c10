#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/policy/choices.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/select.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>

namespace lacuna::inline LACUNA_ABI {

LACUNA_COLD_FUNC Choice SelectByMeasurement::Choose(const LayerKey& layer,
                                                    std::span<const Candidate> candidates) const {
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

LACUNA_COLD_FUNC bool SelectByMeasurement::TakeSaved(const LayerKey& layer, std::span<const Candidate> candidates,
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

LACUNA_COLD_FUNC SelectByMeasurement::Tried SelectByMeasurement::ToTry(std::span<const Candidate> candidates) const {
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
LACUNA_COLD_FUNC SelectByMeasurement::Failure SelectByMeasurement::Measure(const LayerKey& layer,
                                                                           std::span<const Candidate> candidates,
                                                                           const Tried& tried,
                                                                           std::span<double> seconds) const {
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

}  // namespace lacuna::inline LACUNA_ABI
