// Selection when plans are made: candidates, measurements, reasons, saved choices.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/layer.h"

namespace lacuna::test {
namespace {

struct Measured : WinogradPolicy {
  using Select = SelectByMeasurement;
  SelectByMeasurement select{.budget_seconds = 0.002, .most_predicted = 1e9};
};
struct Named : WinogradPolicy {
  using Select = SelectByName;
  SelectByName select;
};

ConvShape<2> Shape() {
  return {.batch = 2, .in_channels = 8, .out_channels = 12, .input = {13, 17}, .kernel = {3, 3}, .pad_begin = {1, 1}};
}
// Weights and inputs are in [-1, 1], with 8 channels.
const double kDifference = 1e-3;
const LayerOptions kSparse = {.density = 0.3, .integers = false};

CsrWeights<float> Csr(const ConvLayer<2>& layer) {
  auto csr = CsrWeights<float>::FromDense(layer.dense());
  REQUIRE(csr.ok());
  return *std::move(csr);
}

template <class P>
Explanation Check(const ConvLayer<2>& layer, const P& policy) {
  const CsrWeights<float> weights = Csr(layer);
  const auto plan = MakeConvolution<2>(weights, layer.shape(), layer.epilogue(), policy);
  REQUIRE_MESSAGE(plan.ok(), plan.status().message());
  layer.Check(plan);
  return plan->Explain();
}

std::vector<std::string> NamesOf(const Explanation& explanation) {
  std::vector<std::string> names;
  for (size_t i = 0; i < explanation.option_count; ++i) names.emplace_back(explanation.options[i].name);
  return names;
}

TEST_CASE("selection: by default the lowest predicted cost, with the candidates and the reason") {
  const ConvLayer<2> layer(Shape(), kSparse);
  const Explanation explanation = Check(layer, DefaultPolicy{});
  REQUIRE(explanation.option_count > 1);
  for (size_t i = 0; i < explanation.option_count; ++i) {
    CHECK(explanation.options[i].predicted >= explanation.options[explanation.chosen].predicted);
    CHECK(explanation.options[i].measured_seconds == 0);
  }
  CHECK(std::string(explanation.reason.data()) == SelectByCostModel::kReason);
  CHECK(explanation.ToString().find(std::string("chosen ") + explanation.options[explanation.chosen].name +
                                    ": lowest predicted cost") != std::string::npos);
}

TEST_CASE("selection: candidates have names of their own") {
  ConvLayer<2> layer(Shape(), kSparse);
  layer.Allow(kDifference);
  const auto names = NamesOf(Check(layer, WinogradPolicy{}));
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  CHECK(has("pattern"));
  CHECK(has("winograd 4x4"));
  CHECK(has(ActiveKernels<WinogradPolicy>().panels[0].name));
}

TEST_CASE("selection: every candidate can be named, and computes the layer") {
  ConvLayer<2> layer(Shape(), kSparse);
  layer.Allow(kDifference);
  for (const std::string& name : NamesOf(Check(layer, WinogradPolicy{}))) {
    CAPTURE(name);
    Named policy;
    policy.select.name = name.c_str();
    const Explanation explanation = Check(layer, policy);
    CHECK(explanation.options[explanation.chosen].name == name);
    CHECK(std::string(explanation.reason.data()) == "named by the policy");
  }
  Named policy;
  policy.select.name = "none such";
  CHECK(std::strstr(Check(layer, policy).reason.data(), "no candidate \"none such\"") != nullptr);
}

TEST_CASE("selection: rows in the format's order are a candidate where the policy orders them otherwise") {
  const ConvLayer<2> layer({.in_channels = 8, .out_channels = 40, .input = {9, 9}, .kernel = {3, 3}}, kSparse);
  const auto csr = NamesOf(Check(layer, DefaultPolicy{}));
  const std::string kept = ActiveKernels<DefaultPolicy>().panels[0].kept_name;
  CHECK(kept == std::string(ActiveKernels<DefaultPolicy>().panels[0].name) + " kept");
  CHECK(std::find(csr.begin(), csr.end(), kept) != csr.end());
  const auto dense = MakeConvolution<2>(layer.dense(), layer.shape());
  REQUIRE(dense.ok());
  const auto names = NamesOf(dense->Explain());
  CHECK(std::find(names.begin(), names.end(), kept) == names.end());
}

TEST_CASE("selection: by measurement all candidates of a layer are timed, and one of the fastest is taken") {
  ConvLayer<2> layer(Shape(), kSparse);
  layer.Allow(kDifference);
  Measured policy;
  size_t calls = 0;
  const auto count = [&](const MeasureProgress& progress) {
    ++calls;
    CHECK(progress.layer.in_channels == 8);
    CHECK(progress.layer.batch == 2);
    CHECK(progress.layer.scheme == "csr");
    CHECK(progress.layer.target == ActiveTargetName());
    CHECK(progress.layer.density < 0.5);
  };
  policy.select.progress = count;
  const Explanation explanation = Check(layer, policy);
  CHECK(calls > explanation.option_count);
  double least = 1e9;
  for (size_t i = 0; i < explanation.option_count; ++i) {
    CHECK(explanation.options[i].measured_seconds > 0);
    least = std::min(least, explanation.options[i].measured_seconds);
  }
  CHECK(explanation.options[explanation.chosen].measured_seconds <= kTie * least);
  CHECK(std::strstr(explanation.reason.data(), "measured") != nullptr);
  CHECK(explanation.ToString().find("us measured") != std::string::npos);
}

TEST_CASE("selection: GEMMs are measured too, and layers of one candidate are not") {
  const GemmLayer layer(12, 20, 33, kSparse);
  Measured policy;
  const auto plan = MakeGemm(layer.dense(), {.n = 33}, layer.epilogue(), policy);
  REQUIRE_MESSAGE(plan.ok(), plan.status().message());
  layer.Check(plan);
  const Explanation explanation = plan->Explain();
  CHECK(explanation.options[explanation.chosen].measured_seconds > 0);
}

TEST_CASE("selection: without a layer nothing can be measured") {
  const ConvLayer<2> layer(Shape(), kSparse);
  CHECK(PackWeights(layer.dense(), Measured{}).ok());
}

TEST_CASE("selection: saved choices are taken, by scheme, and new ones are added") {
  ConvLayer<2> layer(Shape(), kSparse);
  layer.Allow(kDifference);
  Choices choices("cpu", ActiveTargetName());
  Measured policy;
  policy.scheme = "mine";
  policy.select.choices = &choices;
  const Explanation first = Check(layer, policy);
  REQUIRE(choices.size() == 1);
  const SavedChoice& saved = choices.entries()[0];
  CHECK(std::strstr(saved.layer.data(), "scheme=mine") != nullptr);
  CHECK(std::string_view(saved.candidate.data()) == first.options[first.chosen].name);

  // Another candidate than the fastest, to see that it is the saved one that is taken.
  LayerKey key = LayerKey::Of(layer.shape());
  key.scheme = "mine";
  key.density = static_cast<double>(Csr(layer).nnz()) / static_cast<double>(layer.shape().weight_elements());
  CHECK(choices.Find(key) == nullptr);  // those with Winograd forms have the error that they may have
  key.winograd_error = policy.winograd_error;
  REQUIRE(choices.Find(key) != nullptr);
  const char* other = first.options[first.chosen == 0 ? 1 : 0].name;
  REQUIRE(choices.Insert(key, other, 1e-6).ok());
  const Explanation second = Check(layer, policy);
  CHECK(std::string_view(second.options[second.chosen].name) == other);
  CHECK(std::string(second.reason.data()) == "fastest when it was measured before");

  REQUIRE(choices.Insert(key, "gone", 1e-6).ok());
  const Explanation third = Check(layer, policy);
  CHECK(std::strstr(third.reason.data(), "before") == nullptr);

  policy.scheme = "another";
  Check(layer, policy);
  CHECK(choices.size() == 2);
}

TEST_CASE("selection: the machine's facts scale the terms that wait for memory") {
  MachineFacts facts = MachineFacts::Defaults(16);
  facts.caches = {};
  const CostFactors one = CostFactors::Of(facts);
  facts.memory_bandwidth /= 2;
  const CostFactors two = CostFactors::Of(facts);
  CHECK(two.memory == doctest::Approx(2 * one.memory));
  CHECK(two.l3 == one.l3);
  facts.memory_bandwidth *= 1e-6;
  CHECK(CostFactors::Of(facts).memory == kMostCostFactor);
  CHECK(CostFactors::Of(facts).last_level_bytes == static_cast<double>(facts.caches.l3) / 2);
  facts.caches.l3 = 0;
  CHECK(CostFactors::Of(facts).last_level_bytes == static_cast<double>(facts.caches.l2) / 2);

  // Where memory is dear, a layer whose weights come from there has dearer Winograd forms.
  const ConvLayer<2> layer({.in_channels = 256, .out_channels = 256, .input = {6, 6}, .kernel = {3, 3}});
  const auto predicted = [&](const CostFactors& cost, std::string_view name) {
    WinogradPolicy policy;
    policy.cost = cost;
    const auto plan = MakeConvolution<2>(layer.dense(), layer.shape(), {}, policy);
    REQUIRE(plan.ok());
    const Explanation explanation = plan->Explain();
    for (size_t i = 0; i < explanation.option_count; ++i) {
      if (explanation.options[i].name == name) return explanation.options[i].predicted;
    }
    return 0.0;
  };
  const CostFactors dear = {.memory = 4.0, .last_level_bytes = 0.0}, usual = {.last_level_bytes = 0.0};
  CHECK(predicted(dear, "winograd 4x4") > predicted(usual, "winograd 4x4"));
  CHECK(predicted({.memory = 4.0}, "winograd 4x4") == predicted({}, "winograd 4x4"));
}

TEST_CASE("selection: this machine can be measured") {
  const auto& facts = MeasuredMachine();
  REQUIRE_MESSAGE(facts.ok(), facts.status().message());
  CHECK(facts->lanes == ActiveKernels<DefaultPolicy>().lanes);
  CHECK(facts->Validate().ok());
  CHECK(&facts == &MeasuredMachine());
}

}  // namespace
}  // namespace lacuna::test
