#include "select_report.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "geometric_mean.h"
#include "lacuna_engine.h"
#include "target.h"

namespace lacuna::bench {
namespace {

bool Counts(const SelectCase& one) { return one.skipped.empty() && !one.disturbed; }

double Percent(int part, int whole) { return whole == 0 ? 0.0 : 100.0 * part / whole; }

// One way of selecting, over some cases.
class SelectorFigures {
 public:
  explicit SelectorFigures(double wanted) : wanted_(wanted) {}

  void Add(const SelectCase& one, size_t chosen) {
    ++count_;
    const double loss = one.Loss(chosen), speed = one.SpeedOverDense(chosen);
    near_ += loss <= kMeasurementLoss ? 1 : 0;
    within_ += loss <= wanted_ ? 1 : 0;
    below_dense_ += speed < kNoSlowerThanDense ? 1 : 0;
    loss_.Add(1.0 / loss, one.Name());
    speed_.Add(speed, one.Name());
  }
  void Print() const {
    std::printf(" %6.1f%%", Percent(near_, count_));
    if (wanted_ != kMeasurementLoss) std::printf(" %6.1f%%", Percent(within_, count_));
    std::printf(" %7.3f %7.3f %7.3f %7.3f %6d", loss_.value(), loss_.lowest(), speed_.value(), speed_.lowest(),
                below_dense_);
  }

 private:
  double wanted_;
  int count_ = 0, near_ = 0, within_ = 0, below_dense_ = 0;
  GeometricMean loss_;   // speed over the best candidate's
  GeometricMean speed_;  // over the faster of dense direct and dense Winograd
};

template <class Wanted>
void PrintGroup(const std::vector<SelectCase>& cases, const std::string& title, const Wanted& wanted) {
  SelectorFigures measurement(kMeasurementLoss), cost_model(kCostModelLoss);
  int count = 0;
  for (const SelectCase& one : cases) {
    if (!Counts(one) || !wanted(one)) continue;
    ++count;
    measurement.Add(one, one.by_measurement);
    cost_model.Add(one, one.by_cost_model);
  }
  if (count == 0) return;
  std::printf("%-20s %6d  ", title.c_str(), count);
  measurement.Print();
  std::printf("  ");
  cost_model.Print();
  std::printf("\n");
}

void PrintSkipped(const std::vector<SelectCase>& cases) {
  std::map<std::string, int> skipped;
  int disturbed = 0;
  for (const SelectCase& one : cases) {
    if (!one.skipped.empty()) ++skipped[one.kind + ": " + one.skipped];
    disturbed += one.disturbed ? 1 : 0;
  }
  if (!skipped.empty()) std::printf("\nSkipped, as the scheme does not apply to the layer\n");
  for (const auto& [reason, count] : skipped) std::printf("%6d  %s\n", count, reason.c_str());
  if (disturbed > 0) std::printf("\nNot counted, as the core was too slow to judge: %d\n", disturbed);
  for (const SelectCase& one : cases) {
    if (one.disturbed) std::printf("        %s\n", one.Name().c_str());
  }
}

bool IsMiss(const SelectCase& one) {
  return one.Loss(one.by_measurement) > kMeasurementLoss || one.Loss(one.by_cost_model) > kCostModelLoss ||
         one.SpeedOverDense(one.by_measurement) < kNoSlowerThanDense;
}

void PrintMisses(const std::vector<SelectCase>& cases) {
  std::vector<const SelectCase*> misses;
  for (const SelectCase& one : cases) {
    if (Counts(one) && IsMiss(one)) misses.push_back(&one);
  }
  if (misses.empty()) return;
  std::printf(
      "\nMisses: by measurement more than %.0f %% slower than the best candidate, by cost model more than %.0f %%, or "
      "by "
      "measurement\n"
      "below %.2f of the faster dense plan; ms when judged (slower than the best by), predicted cost; * what missed\n",
      100.0 * (kMeasurementLoss - 1.0), 100.0 * (kCostModelLoss - 1.0), kNoSlowerThanDense);
  for (const SelectCase* one : misses) {
    const auto print = [&](const char* title, const JudgedCandidate& candidate, bool missed) {
      std::printf("  %s%s %s %.4f ms (%+.1f %%), predicted %.4g", missed ? "*" : "", title, candidate.name.c_str(),
                  candidate.seconds * 1e3, 100.0 * (candidate.seconds / one->Best().seconds - 1.0),
                  candidate.predicted);
      if (candidate.selector_seconds > 0.0) std::printf(", selector %.4f ms", candidate.selector_seconds * 1e3);
      std::printf("\n");
    };
    std::printf("%s\n", one->Name().c_str());
    print("best          ", one->Best(), false);
    print("by measurement", one->candidates[one->by_measurement], one->Loss(one->by_measurement) > kMeasurementLoss);
    print("by cost model ", one->candidates[one->by_cost_model], one->Loss(one->by_cost_model) > kCostModelLoss);
    print("dense         ", one->BestDense(), one->SpeedOverDense(one->by_measurement) < kNoSlowerThanDense);
  }
}

}  // namespace

void PrintSelection(const std::vector<SelectCase>& cases) {
  std::printf(
      "\nSelection by measurement, then by cost model: share of cases where it is within 5 %% (cost model: and within "
      "15 %%) of the\n"
      "best candidate; its speed over the best candidate's, geometric mean and lowest; over the faster of dense direct "
      "and dense\n"
      "Winograd, geometric mean and lowest, and cases below %.2f\n",
      kNoSlowerThanDense);
  std::printf("%-20s %6s   %47s   %55s\n", "", "", "by measurement ------------------------------",
              "by cost model ---------------------------------------");
  std::printf("%-20s %6s   %7s %7s %7s %7s %7s %6s   %7s %7s %7s %7s %7s %7s %6s\n", "scheme", "cases", "in 5%", "best",
              "lowest", "dense", "lowest", "below", "in 5%", "in 15%", "best", "lowest", "dense", "lowest", "below");
  std::vector<std::string> kinds;
  std::set<double> rates;
  for (const SelectCase& one : cases) {
    if (std::find(kinds.begin(), kinds.end(), one.kind) == kinds.end()) kinds.push_back(one.kind);
    rates.insert(one.rate);
  }
  for (const std::string& kind : kinds) {
    for (const double rate : rates) {
      char title[80];
      std::snprintf(title, sizeof(title), "%.60s-%gx", kind.c_str(), rate);
      PrintGroup(cases, title, [&](const SelectCase& one) { return one.kind == kind && one.rate == rate; });
    }
  }
  for (const std::string& kind : kinds) {
    PrintGroup(cases, kind, [&](const SelectCase& one) { return one.kind == kind; });
  }
  PrintGroup(cases, "all", [](const SelectCase&) { return true; });
  PrintSkipped(cases);
  PrintMisses(cases);
}

Status WriteSelection(const std::string& path, const std::vector<SelectCase>& cases) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return Status::Make(StatusCode::kNotFound, "--json: cannot write %.150s", path.c_str());
  // Names have no characters that JSON would escape.
  std::fprintf(file, "{\n\"context\": {\"cpu\": \"%s\", \"target\": \"%s\"},\n\"candidates\": [", CpuModel().c_str(),
               TargetName(LacunaTarget()).c_str());
  const char* before = "\n";
  for (const SelectCase& one : cases) {
    for (size_t i = 0; i < one.candidates.size(); ++i) {
      const JudgedCandidate& c = one.candidates[i];
      std::fprintf(
          file,
          "%s{\"layer\": \"%s\", \"scheme\": \"%s\", \"rate\": %g, \"weights\": \"%s\", \"candidate\": \"%s\", "
          "\"predicted\": %.9g, \"selector_ms\": %.9g, \"judged_ms\": %.9g, \"samples\": %d, \"dropped\": %d, "
          "\"left\": %s, \"by_cost_model\": %s, \"by_measurement\": %s, \"disturbed\": %s}",
          before, one.layer.c_str(), one.kind.c_str(), one.rate, c.dense ? "dense" : "pruned", c.name.c_str(),
          c.predicted, c.selector_seconds * 1e3, c.seconds * 1e3, c.samples, c.dropped, c.left ? "true" : "false",
          i == one.by_cost_model ? "true" : "false", i == one.by_measurement ? "true" : "false",
          one.disturbed ? "true" : "false");
      before = ",\n";
    }
  }
  std::fprintf(file, "\n]\n}\n");
  const bool failed = std::ferror(file) != 0;
  if (std::fclose(file) != 0 || failed) {
    return Status::Make(StatusCode::kDataLoss, "--json: cannot write all of %.150s", path.c_str());
  }
  return Status();
}

}  // namespace lacuna::bench
