// Scheme mapping by search: a multiple-choice knapsack. Pisinger, "A minimal algorithm for the multiple-choice knapsack
// problem", 1995.

#ifndef LACUNA_PRUNE_MAPPING_SEARCH_H_
#define LACUNA_PRUNE_MAPPING_SEARCH_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/prune/mapping.h"
#include "lacuna/prune/mapping_rules.h"
#include "lacuna/prune/scheme.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

namespace lacuna::inline LACUNA_ABI::prune {

struct SearchSpec {
  // Partial mappings kept after each layer. Where the search needs more it drops the least promising, and the gap says
  // what that may have cost.
  int64_t max_states = 1024;
  // The result is never worse than MapByRules with these.
  RuleSpec rules{};

  Status Validate() const {
    constexpr int64_t kMostStates = int64_t{1} << 16;
    if (max_states < 1 || max_states > kMostStates) {
      return Status::InvalidArgument("spec.max_states is %lld, must be in [1, %lld]",
                                     static_cast<long long>(max_states), static_cast<long long>(kMostStates));
    }
    return rules.Validate();
  }
};

namespace mapping {

struct Option {
  double cost;
  double value;
  uint32_t candidate;
};

// The candidates of each layer that no other dominates: costs ascend, values descend, both strictly. Rows are layers,
// in the order in which the search takes them.
class OptionTable {
 public:
  static Result<OptionTable> Make(std::span<const LayerCandidates> layers, const Objective& objective) {
    OptionTable table;
    size_t count = 0;
    for (const LayerCandidates& layer : layers) count += layer.candidates.size();
    LACUNA_ASSIGN_OR_RETURN(option, Buffer<Option>::Make(count));
    LACUNA_ASSIGN_OR_RETURN(row, Buffer<Row>::Make(layers.size()));
    size_t used = 0;
    for (uint32_t i = 0; i < layers.size(); ++i) {
      const std::span<const SchemeCandidate> candidates = layers[i].candidates;
      row[i] = {used, candidates.size(), i};
      for (uint32_t c = 0; c < candidates.size(); ++c) {
        const Share share = ShareOf(objective, layers[i].layer, candidates[c]);
        option[used++] = {share.cost, share.value, c};
      }
      // What counts neither as cost nor as value decides between equals.
      const auto rank = [&](const Option& o) {
        const SchemeCandidate& candidate = candidates[o.candidate];
        return std::tuple(o.cost, o.value, candidate.seconds, candidate.Density(), o.candidate);
      };
      std::sort(option.begin() + row[i].begin, option.begin() + used,
                [&](const Option& a, const Option& b) { return rank(a) < rank(b); });
    }
    table.option_ = std::move(option);
    table.row_ = std::move(row);
    for (size_t r = 0; r < table.rows(); ++r) {
      double least = std::numeric_limits<double>::infinity();
      table.RemoveIf(r, [&](const Option& o) {
        if (o.value >= least) return true;
        least = o.value;
        return false;
      });
    }
    return table;
  }

  size_t rows() const { return row_.size(); }
  uint32_t layer(size_t r) const { return row_[r].layer; }
  std::span<const Option> row(size_t r) const { return {option_.data() + row_[r].begin, row_[r].count}; }

  template <class Drop>
  void RemoveIf(size_t r, const Drop& drop) {
    Option* first = option_.data() + row_[r].begin;
    row_[r].count = static_cast<size_t>(std::remove_if(first, first + row_[r].count, drop) - first);
  }

  // Sorts the rows by rank(row), of equals by layer. Ranks must not change meanwhile.
  void SortRows(const Buffer<double>& rank_of_layer) {
    std::sort(row_.begin(), row_.end(), [&](const Row& a, const Row& b) {
      const double rank_a = rank_of_layer[a.layer], rank_b = rank_of_layer[b.layer];
      return rank_a != rank_b ? rank_a < rank_b : a.layer < b.layer;
    });
  }

 private:
  struct Row {
    size_t begin;
    size_t count;
    uint32_t layer;
  };
  Buffer<Option> option_;
  Buffer<Row> row_;
};

// The linear relaxation over the last rows of a table: each row moves along the lower convex hull of its options, from
// the cheapest on, and the steps of all rows are taken in the order of value won by cost.
class Relaxation {
 public:
  struct Solution {
    double bound;       // no choice has less value; infinity if even the cheapest exceeds the budget
    double rounded;     // value of the choice that takes whole steps alone
    size_t steps;       // how many
    double efficiency;  // value that more budget would win
  };

  // Over all rows of `table`, which must outlive the result.
  static Result<Relaxation> Make(const OptionTable& table) {
    Relaxation relaxation(table);
    size_t options = 0;
    for (size_t r = 0; r < table.rows(); ++r) options += table.row(r).size();
    LACUNA_ASSIGN_OR_RETURN(step, Buffer<Step>::Make(options));
    LACUNA_ASSIGN_OR_RETURN(cost, Buffer<double>::Make(options + 1));
    LACUNA_ASSIGN_OR_RETURN(value, Buffer<double>::Make(options + 1));
    size_t used = 0;
    for (size_t r = 0; r < table.rows(); ++r) {
      const size_t first = used;
      const std::span<const Option> row = table.row(r);
      for (uint32_t o = 1; o < row.size(); ++o) {
        // A step that wins more than the one before it replaces both by one.
        uint32_t from = o - 1;
        if (used > first) from = step[used - 1].to;
        Step next = StepOf(row, static_cast<uint32_t>(r), from, o);
        while (used > first && step[used - 1].efficiency < next.efficiency) {
          next = StepOf(row, static_cast<uint32_t>(r), step[used - 1].from, o);
          --used;
        }
        step[used++] = next;
      }
    }
    step.Truncate(used);
    std::sort(step.begin(), step.end(), [](const Step& a, const Step& b) {
      return a.efficiency != b.efficiency ? a.efficiency > b.efficiency : std::tie(a.row, a.to) < std::tie(b.row, b.to);
    });
    relaxation.step_ = std::move(step);
    relaxation.cost_ = std::move(cost);
    relaxation.value_ = std::move(value);
    relaxation.Restrict(0);
    return relaxation;
  }

  // Forgets the rows before `first`.
  void Restrict(size_t first) {
    const Step* end = std::remove_if(step_.begin(), step_.end(), [&](const Step& s) { return s.row < first; });
    step_.Truncate(static_cast<size_t>(end - step_.begin()));
    base_ = {0, 0};
    for (size_t r = first; r < table_->rows(); ++r) {
      base_.cost += table_->row(r).front().cost;
      base_.value += table_->row(r).front().value;
    }
    for (size_t s = 0; s < step_.size(); ++s) {
      const std::span<const Option> row = table_->row(step_[s].row);
      cost_[s + 1] = cost_[s] + (row[step_[s].to].cost - row[step_[s].from].cost);
      value_[s + 1] = value_[s] + (row[step_[s].from].value - row[step_[s].to].value);
    }
  }

  double least_cost() const { return base_.cost; }
  double largest_value() const { return base_.value; }

  Solution Solve(double budget) const {
    const double left = budget - base_.cost;
    if (!(left >= 0.0)) {
      constexpr double kInfinity = std::numeric_limits<double>::infinity();
      return {kInfinity, kInfinity, 0, 0};
    }
    const double* costs = cost_.data();
    const auto steps = static_cast<size_t>(std::upper_bound(costs + 1, costs + 1 + step_.size(), left) - costs) - 1;
    const double rounded = base_.value - value_[steps];
    if (steps == step_.size()) return {rounded, rounded, steps, 0};
    const double efficiency = step_[steps].efficiency;
    return {rounded - (left - cost_[steps]) * efficiency, rounded, steps, efficiency};
  }

  // Writes the choice of a solution's whole steps, for the rows that are not forgotten.
  void Round(size_t first, size_t steps, Buffer<uint32_t>& chosen) const {
    for (size_t r = first; r < table_->rows(); ++r) chosen[table_->layer(r)] = table_->row(r).front().candidate;
    for (size_t s = 0; s < steps; ++s) {
      chosen[table_->layer(step_[s].row)] = table_->row(step_[s].row)[step_[s].to].candidate;
    }
  }

 private:
  struct Step {
    double efficiency;
    uint32_t row, from, to;  // options of the row
  };
  static Step StepOf(std::span<const Option> row, uint32_t r, uint32_t from, uint32_t to) {
    // Finite, so that it may be multiplied by 0.
    const double efficiency = (row[from].value - row[to].value) / (row[to].cost - row[from].cost);
    return {std::min(efficiency, std::numeric_limits<double>::max()), r, from, to};
  }

  explicit Relaxation(const OptionTable& table) : table_(&table) {}

  const OptionTable* table_;
  Buffer<Step> step_;            // by efficiency, descending
  Share base_{0, 0};             // of the cheapest options
  Buffer<double> cost_, value_;  // of the first steps: what they cost and win
};

// The best mapping found so far.
struct Incumbent {
  Buffer<uint32_t> chosen;
  double value = std::numeric_limits<double>::infinity();
};

// Dynamic programming over the rows of a table; see MapBySearch.
class StateSearch {
 public:
  // `value` counts as better than `best` only if it is so by `tolerance`.
  static Result<StateSearch> Make(const OptionTable& table, double budget, double tolerance, size_t max_states) {
    StateSearch search(table, budget, tolerance, max_states);
    LACUNA_ASSIGN_OR_RETURN(relaxation, Relaxation::Make(table));
    size_t most_options = 1;
    for (size_t r = 0; r < table.rows(); ++r) most_options = std::max(most_options, table.row(r).size());
    LACUNA_ASSIGN_OR_RETURN(states, Buffer<State>::Make(max_states));
    LACUNA_ASSIGN_OR_RETURN(grown, Buffer<State>::Make(max_states * most_options));
    LACUNA_ASSIGN_OR_RETURN(link, Buffer<Link>::Make(max_states * table.rows()));
    search.relaxation_.emplace(std::move(relaxation));
    search.states_ = std::move(states);
    search.grown_ = std::move(grown);
    search.link_ = std::move(link);
    return search;
  }

  // Improves `best`. Returns the least bound that was dropped unproven, infinity if none was.
  double Run(Incumbent& best) {
    count_ = 1;
    states_[0] = {};
    double dropped = std::numeric_limits<double>::infinity();
    for (size_t r = 0; r < table_->rows() && count_ > 0; ++r) {
      relaxation_->Restrict(r + 1);
      Grow(r, best);
      dropped = std::min(dropped, Keep(r, best.value));
    }
    return dropped;
  }

 private:
  // A choice for the rows so far: its sums, the bound of all mappings that continue it, where it came from.
  struct State {
    double cost = 0;
    double value = 0;
    double bound = 0;
    uint32_t parent = 0;
    uint32_t option = 0;
  };
  struct Link {
    uint32_t parent, option;
  };

  StateSearch(const OptionTable& table, double budget, double tolerance, size_t max_states)
      : table_(&table), budget_(budget), tolerance_(tolerance), max_states_(max_states) {}

  // Every state continued by every option of row r, where that may still beat the best mapping. The relaxation of the
  // rows behind, rounded, completes a state to a mapping: the best of them replaces `best`.
  void Grow(size_t r, Incumbent& best) {
    const std::span<const Option> row = table_->row(r);
    State winner;
    size_t winner_steps = 0;
    bool improved = false;
    grown_count_ = 0;
    for (uint32_t s = 0; s < count_; ++s) {
      for (uint32_t o = 0; o < row.size(); ++o) {
        State state{states_[s].cost + row[o].cost, states_[s].value + row[o].value, 0, s, o};
        const Relaxation::Solution rest = relaxation_->Solve(budget_ - state.cost);
        state.bound = state.value + rest.bound;
        if (!(state.bound < best.value - tolerance_)) continue;
        grown_[grown_count_++] = state;
        if (!(state.value + rest.rounded < best.value - tolerance_)) continue;
        best.value = state.value + rest.rounded;
        winner = state;
        winner_steps = rest.steps;
        improved = true;
      }
    }
    if (!improved) return;
    relaxation_->Round(r + 1, winner_steps, best.chosen);
    best.chosen[table_->layer(r)] = row[winner.option].candidate;
    for (size_t back = r, state = winner.parent; back-- > 0;) {
      const Link& link = link_[back * max_states_ + state];
      best.chosen[table_->layer(back)] = table_->row(back)[link.option].candidate;
      state = link.parent;
    }
  }

  // Of the grown states those that no other dominates, and of these the most promising. Returns the least bound of the
  // others.
  double Keep(size_t r, double best_value) {
    const auto by_cost = [](const State& a, const State& b) {
      return std::tie(a.cost, a.value, a.parent, a.option) < std::tie(b.cost, b.value, b.parent, b.option);
    };
    State* const first = grown_.begin();
    std::sort(first, first + grown_count_, by_cost);
    double least = std::numeric_limits<double>::infinity();
    State* end = std::remove_if(first, first + grown_count_, [&](const State& state) {
      if (!(state.bound < best_value - tolerance_) || state.value >= least) return true;
      least = state.value;
      return false;
    });
    double dropped = std::numeric_limits<double>::infinity();
    if (static_cast<size_t>(end - first) > max_states_) {
      State* const cut = first + max_states_;
      std::nth_element(first, cut, end, [&](const State& a, const State& b) {
        return a.bound != b.bound ? a.bound < b.bound : by_cost(a, b);
      });
      dropped = cut->bound;
      end = cut;
      std::sort(first, end, by_cost);
    }
    count_ = static_cast<size_t>(end - first);
    for (size_t s = 0; s < count_; ++s) {
      states_[s] = first[s];
      link_[r * max_states_ + s] = {first[s].parent, first[s].option};
    }
    return dropped;
  }

  const OptionTable* table_;
  double budget_;
  double tolerance_;
  size_t max_states_;
  std::optional<Relaxation> relaxation_;
  Buffer<State> states_;
  size_t count_ = 0;
  Buffer<State> grown_;
  size_t grown_count_ = 0;
  Buffer<Link> link_;  // of the states kept after each row
};

// The better of the rounded relaxation and what the rules reach.
inline Result<Incumbent> FirstIncumbent(std::span<const LayerCandidates> layers, const Objective& objective,
                                        const Budget& budget, const RuleSpec& rules, const OptionTable& table) {
  LACUNA_ASSIGN_OR_RETURN(relaxation, Relaxation::Make(table));
  if (!budget.Allows(relaxation.least_cost())) {
    return budget.Unreachable("the candidates", relaxation.least_cost());
  }
  Incumbent best;
  LACUNA_ASSIGN_OR_RETURN(chosen, Buffer<uint32_t>::Make(layers.size()));
  relaxation.Round(0, relaxation.Solve(budget.cost()).steps, chosen);
  best.value = SumOf(objective, layers, std::as_const(chosen)).value;
  best.chosen = std::move(chosen);

  Result<Mapping> by_rules = MapByRules(layers, objective, rules);
  if (by_rules.status().code() == StatusCode::kOutOfMemory) return by_rules.status();
  if (!by_rules.ok()) return best;  // the rules exclude what would meet the objective
  const double value = SumOf(objective, layers, std::as_const(by_rules->chosen)).value;
  if (value < best.value) best = {std::move(by_rules->chosen), value};
  return best;
}

// Drops the options that no mapping of less value than `best` uses: one with them has at least the bound and their
// reduced cost at this price of cost. Rows are sorted for the search: those that are decided first, then those whose
// choice is closest.
inline Status DropByReducedCost(double budget, double efficiency, double best, OptionTable& table) {
  LACUNA_ASSIGN_OR_RETURN(rank, Buffer<double>::Make(table.rows()));
  const auto priced = [&](const Option& o) { return o.value + efficiency * o.cost; };
  const auto cheapest_of = [&](size_t r) {
    double cheapest = std::numeric_limits<double>::infinity();
    for (const Option& o : table.row(r)) cheapest = std::min(cheapest, priced(o));
    return cheapest;
  };
  double bound = -efficiency * budget;
  for (size_t r = 0; r < table.rows(); ++r) bound += cheapest_of(r);
  for (size_t r = 0; r < table.rows(); ++r) {
    const double cheapest = cheapest_of(r);
    double second = std::numeric_limits<double>::infinity();
    bool seen = false;
    table.RemoveIf(r, [&](const Option& o) {
      const double reduced = priced(o) - cheapest;
      if (reduced > 0 && bound + reduced >= best) return true;
      if (reduced > 0 || seen) second = std::min(second, reduced);
      seen = seen || reduced <= 0;
      return false;
    });
    rank[table.layer(r)] = table.row(r).size() == 1 ? -1.0 : second;
  }
  table.SortRows(rank);
  return Status();
}

}  // namespace mapping

// The best mapping: all candidates of all layers count, exclusions are the caller's. The multiple-choice knapsack
// problem: linear relaxation on the convex hulls of the layers; candidates whose reduced cost exceeds what is left
// between its bound and the best rounding are dropped; dynamic programming over the rest, layer by layer, on the
// partial mappings that no other dominates and whose relaxation is better than the best mapping so far. Exact up to
// `gap` and to rounding: limits are met, and optima compared, up to 1e-12 of the sums. Deterministic.
// Errors: invalid layers, objective or spec; an objective that no mapping reaches, with the nearest that one does.
inline Result<Mapping> MapBySearch(std::span<const LayerCandidates> layers, const Objective& objective,
                                   const SearchSpec& spec = {}) {
  LACUNA_RETURN_IF_ERROR(mapping::CheckLayers(layers));
  LACUNA_RETURN_IF_ERROR(objective.Validate());
  LACUNA_RETURN_IF_ERROR(spec.Validate());
  const mapping::Budget budget(objective, layers);
  LACUNA_ASSIGN_OR_RETURN(table, mapping::OptionTable::Make(layers, objective));
  LACUNA_ASSIGN_OR_RETURN(best, mapping::FirstIncumbent(layers, objective, budget, spec.rules, table));

  // Values are not negative: what alone has more than the best mapping is in no better one.
  for (size_t r = 0; r < table.rows(); ++r) {
    table.RemoveIf(r, [&](const mapping::Option& o) { return o.value > best.value; });
  }
  LACUNA_ASSIGN_OR_RETURN(relaxation, mapping::Relaxation::Make(table));
  const double tolerance = mapping::kRounding * relaxation.largest_value();
  const mapping::Relaxation::Solution relaxed = relaxation.Solve(budget.cost());
  double bound = relaxed.bound;
  if (bound < best.value - tolerance) {
    LACUNA_RETURN_IF_ERROR(
        mapping::DropByReducedCost(budget.cost(), relaxed.efficiency, best.value - tolerance, table));
    LACUNA_ASSIGN_OR_RETURN(
        search, mapping::StateSearch::Make(table, budget.cost(), tolerance, static_cast<size_t>(spec.max_states)));
    bound = std::max(bound, search.Run(best));
  }
  LACUNA_ASSIGN_OR_RETURN(result, MappingOf(layers, std::as_const(best.chosen)));
  result.gap = bound < best.value - tolerance ? best.value - bound : 0.0;
  return std::move(result);
}

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_MAPPING_SEARCH_H_
