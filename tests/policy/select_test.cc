#include "lacuna/policy/select.h"

#include "lacuna/policy/policy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"

namespace lacuna::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// A clock that only fake candidates move on.
double now = 0.0;
double Now() { return now; }

// A candidate that takes the time it is told to, and counts.
struct Fake {
  std::string name;
  double predicted;
  std::function<Result<double>(int)> seconds;  // of a run in the call of that number
  double prepare = 0.0;
  int calls = 0;
  int64_t runs = 0;
  std::vector<double> budgets{};

  Result<double> operator()(double budget) {
    budgets.push_back(budget);
    if (calls == 0) now += prepare;
    Result<double> time = seconds(calls++);
    if (!time.ok()) return time;
    // Times that are no times pass none.
    const double spent = *time > 0 && *time < kInf ? *time : 0.0;
    const double count = spent > 0 ? std::max(1.0, std::floor(budget / spent)) : 1.0;
    runs += static_cast<int64_t>(count);
    now += spent * count;
    return time;
  }
};
// A candidate whose runs all take `time`.
Fake Always(const char* name, double predicted, double time) {
  return {.name = name, .predicted = predicted, .seconds = [time](int) { return time; }};
}
Fake Failing(std::string name, double predicted, std::string why, int from_call = 0, double time = 1e-3) {
  return {.name = name, .predicted = predicted, .seconds = [=](int call) -> Result<double> {
            if (call >= from_call) return Status::Make(StatusCode::kOutOfMemory, "%s", why.c_str());
            return time;
          }};
}

struct Fakes {
  std::deque<Fake> fakes;
  std::vector<Candidate> candidates{};

  explicit Fakes(std::deque<Fake> of) : fakes(std::move(of)) {
    for (Fake& fake : fakes) candidates.push_back({fake.name.c_str(), fake.predicted, fake});
    now = 1000.0;
  }
  Fakes(const Fakes&) = delete;
  Fakes& operator=(const Fakes&) = delete;
  int calls() const {
    int sum = 0;
    for (const Fake& fake : fakes) sum += fake.calls;
    return sum;
  }
};

LayerKey Key(int64_t channels = 64) {
  return {.in_channels = channels, .out_channels = 32, .input = {1, 7, 7}, .scheme = "bcr"};
}
Choice Measured(Fakes& of, SelectByMeasurement select = {}) {
  select.now = &Now;
  return select.Choose(Key(), of.candidates);
}
std::string ReasonOf(const Choice& choice) { return choice.reason; }

struct Simple {
  static size_t Choose(std::span<const Candidate>) { return 1; }
};
struct WithReason : Simple {
  static constexpr const char* kReason = "because";
};
struct PerLayer {
  size_t index = 0;
  Choice Choose(const LayerKey& layer, std::span<const Candidate>) const {
    Choice choice{.index = index};
    choice.Because("%lld channels", static_cast<long long>(layer.in_channels));
    return choice;
  }
};
template <class S>
struct NoState : DefaultPolicy {
  using Select = S;
};
template <class S>
struct WithState : NoState<S> {
  S select{};
};
// `select` is not of the type that the policy names.
struct Overridden : WithState<SelectByName> {
  using Select = PerLayer;
};
static_assert(SelectPolicy<Simple> && SelectPolicy<PerLayer> && SelectPolicy<SelectByCostModel> &&
              SelectPolicy<SelectFixed<3>> && SelectPolicy<SelectByName> && SelectPolicy<SelectByMeasurement> &&
              !SelectPolicy<int> && !SelectPolicy<Fake>);
static_assert(SelectsForLayer<SelectByMeasurement> && !SelectsForLayer<SelectByCostModel>);
static_assert(Policy<WithState<SelectByMeasurement>> && Policy<NoState<PerLayer>>);
static_assert(HasSelector<WithState<PerLayer>> && !HasSelector<NoState<PerLayer>> && !HasSelector<Overridden>);
// A selection by reference must not outlive what it refers to.
static_assert(!std::is_constructible_v<FunctionRef<Result<double>(double)>, Fake&&>);
static_assert(std::is_constructible_v<FunctionRef<Result<double>(double)>, Fake&>);

TEST_CASE("select: a policy's selector, of either kind") {
  const Candidate candidates[] = {{"a", 3}, {"b", 2}, {"c", 1}};
  const auto choose = [&](const auto& policy) {
    const auto choice = ChooseCandidate(policy, Key(), candidates);
    REQUIRE(choice.ok());
    return std::to_string(choice->index) + " " + choice->reason;
  };
  CHECK(choose(NoState<Simple>{}) == "1 chosen by the policy");
  CHECK(choose(NoState<WithReason>{}) == "1 because");
  CHECK(choose(DefaultPolicy{}) == "2 lowest predicted cost");
  CHECK(choose(NoState<SelectFixed<0>>{}) == "0 fixed by the policy");
  CHECK(choose(NoState<PerLayer>{}) == "0 64 channels");
  WithState<PerLayer> policy;
  policy.select.index = 2;
  CHECK(choose(policy) == "2 64 channels");
  CHECK(&SelectorOf(policy) == &policy.select);
  Overridden overridden;
  overridden.select.name = "b";
  CHECK(choose(overridden) == "0 64 channels");

  policy.select.index = 3;
  CheckInvalid(ChooseCandidate(policy, Key(), candidates).status(),
               "policy: Select::Choose returned 3, must be below 3");
  CheckInvalid(ChooseCandidate(NoState<Simple>{}, Key(), {candidates, 1}).status(),
               "policy: Select::Choose returned 1, must be below 1");
  CheckInvalid(ChooseCandidate(policy, Key(), {}).status(), "candidates is empty, must have at least 1");
  const auto only = ChooseCandidate(DefaultPolicy{}, Key(), {candidates, 1});
  REQUIRE(only.ok());
  CHECK(ReasonOf(*only) == "the only candidate");
}

TEST_CASE("select: the cost model takes the cheapest, the first of equals, a prediction before none") {
  const auto choose = [](std::vector<double> predicted) {
    std::vector<Candidate> candidates;
    for (const double cost : predicted) candidates.push_back({"", cost});
    return SelectByCostModel::Choose(candidates);
  };
  CHECK(choose({3, 1, 1}) == 1);
  CHECK(choose({0}) == 0);
  CHECK(choose({kNan, 5, kNan, 4}) == 3);
  CHECK(choose({kNan, kInf}) == 1);
  CHECK(choose({kNan, kNan}) == 0);
}

TEST_CASE("select: by name, or the cost model with a reason") {
  const Candidate candidates[] = {{"8x3", 3}, {"pattern", 1}, {"winograd 4x4", 2}};
  Choice choice = SelectByName{"winograd 4x4"}.Choose(Key(), candidates);
  CHECK(choice.index == 2);
  CHECK(ReasonOf(choice) == "named by the policy");
  choice = SelectByName{"winograd"}.Choose(Key(), candidates);
  CHECK(choice.index == 1);
  CHECK(ReasonOf(choice) == "lowest predicted cost; there is no candidate \"winograd\"");
}

TEST_CASE("select: measurement takes the fastest, whatever the predictions say of those tried") {
  Fakes fakes({Always("a", 1.0, 3e-3), Always("b", 1.5, 1e-3), Always("c", 1.2, 2e-3)});
  const Choice choice = Measured(fakes);
  CHECK(choice.index == 1);
  CHECK(ReasonOf(choice) == "fastest of 3 measured");
  CHECK(choice.measured_seconds[0] == 3e-3);
  CHECK(choice.measured_seconds[1] == 1e-3);
  CHECK(choice.measured_seconds[2] == 2e-3);
  CHECK(choice.measured_seconds[3] == 0.0);
}

TEST_CASE("select: of times within 2 % the better predicted") {
  {
    Fakes fakes({Always("a", 1.3, 1.000e-3), Always("b", 1.1, 1.015e-3), Always("c", 1.0, 1.03e-3)});
    const Choice choice = Measured(fakes);
    CHECK(choice.index == 1);
    CHECK(ReasonOf(choice) == "as fast as the fastest, and better predicted, of 3 measured");
  }
  {
    Fakes fakes({Always("a", 1.0, 1e-3), Always("b", 1.0, 1e-3)});
    CHECK(Measured(fakes).index == 0);
  }
}

TEST_CASE("select: tried are those within a factor of the best prediction, at least two") {
  const auto tried = [](std::vector<double> predicted, double factor) {
    std::deque<Fake> of;
    for (const double cost : predicted) of.push_back(Always("x", cost, 1e-3));
    Fakes fakes(std::move(of));
    (void)Measured(fakes, {.most_predicted = factor});
    std::string calls;
    for (const Fake& fake : fakes.fakes) calls += fake.calls > 0 ? '1' : '0';
    return calls;
  };
  CHECK(tried({5, 2, 4, 3, 4.1}, 2.0) == "01110");
  CHECK(tried({5, 1, 9, 3}, 2.0) == "0101");
  CHECK(tried({5, 1, 9, 3}, 5.0) == "1101");
  CHECK(tried({5, 1, 9, 3}, kInf) == "1111");
  CHECK(tried({5, 1, 9, 3}, kNan) == "0101");
  CHECK(tried({5, 1, kNan, kNan}, 2.0) == "1100");
  CHECK(tried({kNan, 1, kNan}, 2.0) == "110");
  CHECK(tried({0, 0, 0}, 2.0) == "111");
  // Those beyond the first 32 cannot be measured.
  std::vector<double> many(40, 1.0);
  CHECK(tried(many, 2.0) == std::string(32, '1') + std::string(8, '0'));
}

TEST_CASE("select: candidates take turns, and keep to the budget") {
  for (const double budget : {0.0, 1e-4, 5e-3, 0.01, 0.05, 0.2, 1.0, kNan}) {
    CAPTURE(budget);
    Fakes fakes({Always("a", 1.0, 2e-3), Always("b", 1.1, 1e-3), Always("c", 1.2, 1.5e-3)});
    CHECK(Measured(fakes, {.budget_seconds = budget}).index == 1);
    for (const Fake& fake : fakes.fakes) {
      CHECK(fake.calls == fakes.fakes[0].calls);
      CHECK(fake.calls >= 1);
      CHECK(fake.calls <= kMeasureTurns);
      for (const double given : fake.budgets) CHECK(given >= 0.0);
    }
    const double spent = now - 1000.0, turn = 4.5e-3;
    if (!(budget > 2 * turn)) {
      CHECK(fakes.calls() == 3);
      CHECK(spent == doctest::Approx(turn));
    } else {
      CHECK(fakes.fakes[0].calls > 1);
      CHECK(spent <= budget + 1e-9);
    }
    if (budget >= 0.2) {
      CHECK(fakes.fakes[0].calls == kMeasureTurns);
      CHECK(spent > 0.7 * budget);
    }
  }
}

TEST_CASE("select: time spent on preparation counts, each candidate is run all the same") {
  Fakes fakes({Always("a", 1.0, 2e-3), Always("b", 1.1, 1e-3)});
  fakes.fakes[0].prepare = 1.0;
  CHECK(Measured(fakes).index == 1);
  CHECK(fakes.fakes[0].calls == 1);
  CHECK(fakes.fakes[0].budgets[0] == doctest::Approx(kMeasureSeconds / (2 * kMeasureTurns)));
  CHECK(fakes.fakes[1].runs == 1);
  CHECK(fakes.fakes[1].budgets[0] == 0.0);
}

TEST_CASE("select: who is far slower after a turn drops out") {
  Fakes fakes({Always("slow", 1.0, 2.6e-3), Always("a", 1.1, 1e-3), Always("b", 1.2, 2.4e-3)});
  const Choice choice = Measured(fakes);
  CHECK(choice.index == 1);
  CHECK(choice.measured_seconds[0] == 2.6e-3);
  CHECK(fakes.fakes[0].calls == 1);
  CHECK(fakes.fakes[1].calls == kMeasureTurns);
  CHECK(fakes.fakes[2].calls == kMeasureTurns);
  {
    // One that is left has won.
    Fakes two({Always("slow", 1.0, 3e-3), Always("a", 1.1, 1e-3)});
    CHECK(Measured(two).index == 1);
    CHECK(two.calls() == 2);
  }
}

TEST_CASE("select: noise that only slows does not change the choice") {
  int wrong = 0;
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    // The machine is at half its speed in two turns of five, and all calls of a candidate but one may take up to twice
    // as long.
    const unsigned first_slow = static_cast<unsigned>(random() % 4), slow_turns = 3u << first_slow;
    const auto noisy = [&](const char* name, double predicted, double time) {
      unsigned quiet = static_cast<unsigned>(random() % 3);
      if (quiet >= first_slow) quiet += 2;
      return Fake{.name = name, .predicted = predicted, .seconds = [=, &random](int call) {
                    const bool slow = (slow_turns >> call & 1) != 0;
                    const double late =
                        call == static_cast<int>(quiet) ? 0.0 : 1e-3 * static_cast<double>(random() % 1000);
                    return time * (slow ? 2.0 : 1.0 + late);
                  }};
    };
    Fakes fakes({noisy("a", 1.0, 1.4e-3), noisy("b", 1.2, 1e-3), noisy("c", 1.1, 1.4e-3)});
    wrong += Measured(fakes).index != 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("select: who cannot be measured is not chosen, and the reason says so") {
  Fakes fakes({Failing("winograd 4x4", 1.0, "Buffer: cannot allocate 99 bytes"), Always("a", 1.1, 2e-3),
               Always("b", 1.2, 1e-3)});
  const Choice choice = Measured(fakes);
  CHECK(choice.index == 2);
  CHECK(ReasonOf(choice) == "fastest of 2 measured; measuring winograd 4x4 failed: Buffer: cannot allocate 99 bytes");
  CHECK(choice.measured_seconds[0] == 0.0);
  CHECK(fakes.fakes[0].calls == 1);
  CHECK(fakes.fakes[2].calls == kMeasureTurns);

  Fakes later({Failing("a", 1.0, "gone", /*from_call=*/2), Always("b", 1.2, 2e-3)});
  const Choice second = Measured(later);
  CHECK(second.index == 1);
  CHECK(second.measured_seconds[0] == 0.0);
  CHECK(ReasonOf(second) == "fastest of 1 measured; measuring a failed: gone");
  CHECK(later.fakes[0].calls == 3);
  CHECK(later.fakes[1].calls == 3);

  for (const double no_time : {0.0, -1.0, kNan, kInf}) {
    Fakes odd({Always("a", 1.0, no_time), Always("b", 1.2, 2e-3)});
    const Choice third = Measured(odd);
    CHECK(third.index == 1);
    CHECK(ReasonOf(third).find("measuring a failed: a run took ") != std::string::npos);
  }
}

TEST_CASE("select: where measuring fails the cost model chooses") {
  Fakes fakes({Failing("a", 2.0, "second"), Failing("b", 1.0, "first"), Failing("c", 3.0, "not tried")});
  Choices choices("cpu", "AVX2");
  const Choice choice = Measured(fakes, {.choices = &choices});
  CHECK(choice.index == 1);
  CHECK(ReasonOf(choice) == "lowest predicted cost; measuring b failed: first");
  CHECK(fakes.fakes[2].calls == 0);
  CHECK(choices.size() == 0);
  for (const double seconds : choice.measured_seconds) CHECK(seconds == 0.0);

  const Candidate not_measurable[] = {{"a", 2}, {"b", 1}, {"c", 3, fakes.fakes[2]}};
  const Choice second = SelectByMeasurement{}.Choose(Key(), not_measurable);
  CHECK(second.index == 1);
  CHECK(ReasonOf(second) == "lowest predicted cost; fewer than two candidates can be measured");
  CHECK(fakes.fakes[2].calls == 0);

  // A message that is too long is cut.
  Fakes wordy({Failing(std::string(99, 'y'), 1.0, std::string(230, 'x')), Failing("b", 2.0, "")});
  CHECK(ReasonOf(Measured(wordy)).size() == sizeof(Choice::reason) - 1);
}

TEST_CASE("select: one candidate is not measured") {
  Fakes fakes({Always("a", 1.0, 1e-3)});
  const Choice choice = Measured(fakes);
  CHECK(choice.index == 0);
  CHECK(ReasonOf(choice) == "the only candidate");
  CHECK(fakes.calls() == 0);
}

TEST_CASE("select: candidates that cannot be measured stand back behind those that can") {
  Fakes fakes({Always("a", 5.0, 2e-3), Always("b", 6.0, 1e-3)});
  fakes.candidates.insert(fakes.candidates.begin(), {"not measurable", 1.0});
  const Choice choice = Measured(fakes);
  CHECK(choice.index == 2);
  CHECK(choice.measured_seconds[0] == 0.0);
  CHECK(choice.measured_seconds[2] == 1e-3);
}

TEST_CASE("select: choices are kept, and taken instead of measuring") {
  Choices choices("cpu", "AVX2");
  Fakes fakes({Always("a", 1.0, 2e-3), Always("b", 1.5, 1e-3)});
  CHECK(Measured(fakes, {.choices = &choices}).index == 1);
  REQUIRE(choices.size() == 1);
  REQUIRE(choices.Find(Key()) != nullptr);
  CHECK(std::string(choices.Find(Key())->candidate.data()) == "b");
  CHECK(choices.Find(Key())->seconds() == doctest::Approx(1e-3));

  // In another order, and not measurable.
  Fakes again({Always("c", 0.5, 1e-4), Always("b", 9.0, 1.0), Always("a", 1.0, 1.0)});
  Choice choice = Measured(again, {.choices = &choices});
  CHECK(choice.index == 1);
  CHECK(ReasonOf(choice) == "fastest when it was measured before");
  CHECK(choice.measured_seconds[1] == doctest::Approx(1e-3));
  CHECK(choice.measured_seconds[0] == 0.0);
  CHECK(again.calls() == 0);

  // Another layer is measured.
  const Choice other = SelectByMeasurement{.choices = &choices, .now = &Now}.Choose(Key(65), again.candidates);
  CHECK(other.index == 0);
  CHECK(choices.size() == 2);

  // A name that is not a candidate's is not trusted, and replaced.
  Fakes unknown({Always("x", 1.0, 1e-3), Always("y", 1.5, 2e-3)});
  choice = Measured(unknown, {.choices = &choices});
  CHECK(choice.index == 0);
  CHECK(unknown.calls() == 2 * kMeasureTurns);
  CHECK(std::string(choices.Find(Key())->candidate.data()) == "x");
  CHECK(choices.size() == 2);

  // Through a text and back.
  const auto text = choices.Serialize();
  REQUIRE(text.ok());
  Choices read("cpu", "AVX2");
  REQUIRE(read.Parse({text->data(), text->size()}).ok());
  Fakes last({Always("x", 1.0, 5e-3), Always("y", 1.5, 2e-3)});
  CHECK(Measured(last, {.choices = &read}).index == 0);
  CHECK(last.calls() == 0);
}

TEST_CASE("select: a choice that cannot be kept is one all the same") {
  Choices choices("cpu", "AVX2");
  Fakes fakes({Always("a\nb", 1.5, 1e-3), Always("c", 1.0, 2e-3)});
  const Choice choice = Measured(fakes, {.choices = &choices});
  CHECK(choice.index == 0);
  CHECK(ReasonOf(choice) ==
        "fastest of 2 measured; not saved: candidate has 3 characters, must have 1 to 63 of printable ASCII");
  CHECK(choices.size() == 0);
}

TEST_CASE("select: progress never goes back and ends complete") {
  for (const double slow : {1.5e-3, 9e-3}) {
    Fakes fakes({Always("a", 1.0, 1e-3), Always("b", 1.5, slow), Always("c", 1.2, slow)});
    size_t last = 0, total = 0;
    bool in_order = true;
    std::string names;
    const auto watch = [&](const MeasureProgress& progress) {
      in_order = in_order && progress.layer.in_channels == 64 && progress.done >= last &&
                 progress.done <= progress.total && (total == 0 || total == progress.total);
      last = progress.done;
      total = progress.total;
      names += progress.candidate;
      names += ' ';
    };
    CHECK(Measured(fakes, {.turns = 2, .progress = watch}).index == 0);
    CHECK(in_order);
    CHECK(total == 6);
    CHECK(last == total);
    CHECK(names == (slow < 2e-3 ? "a c b a c b  " : "a c b  "));
    CHECK(fakes.fakes[0].runs > 0);
  }
  // None where nothing is measured.
  Fakes one({Always("a", 1.0, 1e-3)});
  int reports = 0;
  const auto count = [&](const MeasureProgress&) { ++reports; };
  (void)Measured(one, {.progress = count});
  CHECK(reports == 0);
}

TEST_CASE("select: however few turns, each candidate has one") {
  for (const int turns : {-1, 0, 1}) {
    Fakes fakes({Always("a", 1.0, 2e-3), Always("b", 1.5, 1e-3)});
    CHECK(Measured(fakes, {.turns = turns}).index == 1);
    CHECK(fakes.calls() == 2);
  }
}

TEST_CASE("select: the clock of the machine, when none is given") {
  Fakes fakes({Always("a", 1.0, 2e-3), Always("b", 1.5, 1e-3)});
  CHECK(SelectByMeasurement{}.Choose(Key(), fakes.candidates).index == 1);
  CHECK(fakes.fakes[0].budgets[0] > 0.0);
  CHECK(fakes.fakes[0].budgets[0] <= kMeasureSeconds / (2 * kMeasureTurns));
}

}  // namespace
}  // namespace lacuna::test
