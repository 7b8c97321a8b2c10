#include "lacuna/prune/mapping.h"

#include "lacuna/prune/mapping_rules.h"
#include "lacuna/prune/mapping_search.h"
#include "lacuna/prune/sensitivity.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

using prune::LayerCandidates;
using prune::LayerDescription;
using prune::MapByRules;
using prune::MapBySearch;
using prune::Mapping;
using prune::MappingOf;
using prune::MeasuredDrop;
using prune::Objective;
using prune::Regularity;
using prune::RuleSpec;
using prune::Scheme;
using prune::SchemeCandidate;
using prune::SearchSpec;
using prune::SmallestBlockWithin;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Scheme Parsed(const std::string& name) {
  const auto scheme = prune::ParseScheme(name);
  REQUIRE(scheme.ok());
  return *scheme;
}

SchemeCandidate Candidate(const std::string& scheme, double seconds, double sensitivity) {
  return {Parsed(scheme), seconds, sensitivity};
}

// Owns what LayerCandidates views.
class Network {
 public:
  void Add(LayerDescription layer, std::vector<SchemeCandidate> candidates) {
    names_.push_back("layer" + std::to_string(names_.size()));
    layers_.push_back(layer);
    candidates_.push_back(std::move(candidates));
  }
  // Views this network.
  std::vector<LayerCandidates> Layers() && = delete;
  std::vector<LayerCandidates> Layers() const& {
    std::vector<LayerCandidates> layers;
    for (size_t i = 0; i < layers_.size(); ++i) {
      LayerDescription layer = layers_[i];
      if (layer.name.empty()) layer.name = names_[i];
      layers.push_back({layer, candidates_[i]});
    }
    return layers;
  }
  LayerDescription& layer(size_t i) { return layers_[i]; }
  std::vector<SchemeCandidate>& candidates(size_t i) { return candidates_[i]; }

 private:
  std::vector<std::string> names_;
  std::vector<LayerDescription> layers_;
  std::vector<std::vector<SchemeCandidate>> candidates_;
};

LayerDescription Kernel3x3(int64_t channels = 64) {
  return {.out_channels = channels, .channels_per_group = channels, .kernel = {1, 3, 3}, .positions = 100};
}
LayerDescription Kernel1x1(int64_t channels = 64) {
  return {.out_channels = channels, .channels_per_group = channels, .positions = 100};
}

std::vector<uint32_t> Chosen(const Mapping& mapping) { return {mapping.chosen.begin(), mapping.chosen.end()}; }
std::vector<std::string> Names(const std::vector<LayerCandidates>& layers, const Mapping& mapping) {
  std::vector<std::string> names;
  for (size_t i = 0; i < layers.size(); ++i) names.push_back(layers[i].candidates[mapping.chosen[i]].scheme.Name());
  return names;
}

// What an objective minimises.
double ValueOf(const Objective& objective, const Mapping& mapping) {
  if (objective.constraint == prune::Constraint::kSensitivity) return mapping.seconds;
  return mapping.sensitivity + objective.sensitivity_per_second * mapping.seconds;
}
bool Meets(const Objective& objective, const Mapping& mapping) {
  constexpr double kSlack = 1e-9;
  switch (objective.constraint) {
    case prune::Constraint::kSeconds: return mapping.seconds <= objective.limit * (1 + kSlack);
    case prune::Constraint::kWeightRate: return mapping.weight_rate >= objective.limit * (1 - kSlack);
    case prune::Constraint::kFlopsRate: return mapping.flops_rate >= objective.limit * (1 - kSlack);
    case prune::Constraint::kSensitivity: return mapping.sensitivity <= objective.limit * (1 + kSlack);
  }
  return false;
}

// The least value of all mappings, infinity if none meets the objective.
double BruteForce(const std::vector<LayerCandidates>& layers, const Objective& objective) {
  std::vector<uint32_t> chosen(layers.size(), 0);
  double least = kInfinity;
  for (;;) {
    const auto mapping = MappingOf(layers, chosen);
    REQUIRE(mapping.ok());
    if (Meets(objective, *mapping)) least = std::min(least, ValueOf(objective, *mapping));
    size_t i = 0;
    while (i < layers.size() && ++chosen[i] == layers[i].candidates.size()) chosen[i++] = 0;
    if (i == layers.size()) return least;
  }
}

// Layers of different extents and counts. Small integers, and rates that are powers of 2, so that sums are exact and
// ties are many.
Network RandomIntegers(uint32_t seed, size_t layers, size_t candidates) {
  std::mt19937 generator(seed);
  const auto draw = [&](int most) { return std::uniform_int_distribution<int>(0, most)(generator); };
  const char* kinds[] = {"bcr_col", "pattern", "unstructured", "punched", "filter", "block_8x1"};
  Network network;
  for (size_t i = 0; i < layers; ++i) {
    LayerDescription layer = draw(1) == 0 ? Kernel3x3(32 << draw(2)) : Kernel1x1(32 << draw(2));
    layer.positions = 16 << draw(3);
    layer.count = 1 + draw(2);
    std::vector<SchemeCandidate> list;
    for (size_t c = 0; c < candidates; ++c) {
      const char* kind = kinds[draw(5)];
      const std::string scheme = kind + std::string("-") + std::to_string(2 << draw(3)) + "x";
      const bool dense = draw(4) == 0;
      const double seconds = draw(20), sensitivity = draw(12);
      list.push_back(Candidate(dense ? "dense" : scheme, seconds, sensitivity));
    }
    network.Add(layer, std::move(list));
  }
  return network;
}

// A network as measurements have it: latency falls and sensitivity rises with the rate, neither exactly.
Network Realistic(uint32_t seed, size_t layers, size_t rates) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  Network network;
  for (size_t i = 0; i < layers; ++i) {
    const double size = std::exp(3 * uniform(generator)), weakness = std::exp(2 * uniform(generator));
    std::vector<SchemeCandidate> list = {Candidate("dense", size, 0)};
    for (const char* kind : {"pattern", "bcr_col", "punched", "unstructured"}) {
      for (size_t r = 0; r < rates; ++r) {
        const double rate = 2.0 * std::pow(1.4, static_cast<double>(r));
        SchemeCandidate candidate;
        candidate.scheme = *prune::MakeScheme(kind, rate);
        candidate.seconds = size * (0.1 + 1 / rate) * (1 + 0.3 * uniform(generator));
        candidate.sensitivity = weakness * (1 - std::sqrt(1 / rate)) * (1 + 0.3 * uniform(generator));
        list.push_back(candidate);
      }
    }
    network.Add(i % 2 == 0 ? Kernel3x3() : Kernel1x1(), std::move(list));
  }
  return network;
}

TEST_CASE("LayerDescription: of a convolution of any rank") {
  const ConvShape<2> shape{.batch = 2,
                           .in_channels = 8,
                           .out_channels = 12,
                           .groups = 4,
                           .input = {9, 10},
                           .kernel = {3, 2},
                           .stride = {2, 1}};
  REQUIRE(shape.Validate().ok());
  const auto layer = LayerDescription::Of("conv", shape);
  CHECK(layer.Validate().ok());
  CHECK(layer.name == "conv");
  CHECK(layer.kernel == Extents<3>{1, 3, 2});
  CHECK(layer.stride == Extents<3>{1, 2, 1});
  CHECK(layer.taps() == 6);
  CHECK(layer.matrix() == MatrixShapeOf(shape));
  CHECK(layer.weights() == shape.weight_elements());
  CHECK(layer.flops() == shape.dense_flops());
  CHECK_FALSE(layer.depthwise());
  const ConvShape<3> depthwise{
      .in_channels = 5, .out_channels = 5, .groups = 5, .input = {4, 4, 4}, .kernel = {3, 3, 3}};
  REQUIRE(depthwise.Validate().ok());
  CHECK(LayerDescription::Of("", depthwise).depthwise());
  CHECK(LayerDescription::Of("", depthwise).kernel == Extents<3>{3, 3, 3});
  CHECK_FALSE(Kernel3x3().depthwise());
}

TEST_CASE("MappingOf: sums over layers times their count, rates over all weights and FLOPs") {
  Network network;
  network.Add(Kernel3x3(64), {Candidate("dense", 8, 0), Candidate("pattern-8x", 2, 0.5)});
  network.Add(Kernel1x1(96), {Candidate("bcr_col-4x", 3, 0.25)});
  network.layer(0).count = 2;
  network.layer(1).positions = 7;
  network.candidates(1)[0].density = 0.3;
  const auto layers = network.Layers();
  const std::vector<uint32_t> chosen = {1, 0};
  const auto mapping = MappingOf(layers, chosen);
  REQUIRE(mapping.ok());
  CHECK(Chosen(*mapping) == chosen);
  CHECK(mapping->seconds == 7);
  CHECK(mapping->sensitivity == 1.25);
  const double first = 2 * 64 * 64 * 9, second = 96 * 96;
  CHECK(mapping->weight_rate == doctest::Approx((first + second) / (first / 8 + second * 0.3)));
  CHECK(mapping->flops_rate == doctest::Approx((first * 100 + second * 7) / (first / 8 * 100 + second * 0.3 * 7)));
  CHECK(mapping->gap == kInfinity);

  CheckInvalid(MappingOf(layers, std::vector<uint32_t>{0}).status(),
               "chosen has 1 elements, must have one for each of 2");
  CheckInvalid(MappingOf(layers, std::vector<uint32_t>{0, 1}).status(),
               "layers[1] \"layer1\": chosen is 1, must be below the number of candidates, 1");
}

TEST_CASE("mapping: invalid layers and candidates, by every way in") {
  const auto refuses = [](const std::string& message, const auto& spoil) {
    Network network;
    for (int i = 0; i < 3; ++i) {
      network.Add(Kernel3x3(), {Candidate("dense", 4, 0), Candidate("pattern-4x", 2, 1), Candidate("bcr-4x", 1, 2)});
    }
    spoil(network);
    const auto layers = network.Layers();
    CheckInvalid(MapByRules(layers, Objective::SecondsAtMost(100)).status(), message);
    CheckInvalid(MapBySearch(layers, Objective::SecondsAtMost(100)).status(), message);
    CheckInvalid(MappingOf(layers, std::vector<uint32_t>(layers.size(), 0)).status(), message);
    CheckInvalid(prune::WithMeasuredDrops(layers, {}).status(), message);
  };
  refuses("layers has 0 elements, must have 1 to 4096", [](Network& n) { n = Network(); });
  refuses("layers has 4097 elements, must have 1 to 4096", [](Network& n) {
    for (int i = 3; i < 4097; ++i) n.Add(Kernel1x1(), {Candidate("dense", 1, 0)});
  });
  refuses("layers[1] \"layer1\": candidates has 0 elements, must have 1 to 1024",
          [](Network& n) { n.candidates(1).clear(); });
  refuses("layers[1] \"layer1\": candidates has 1025 elements",
          [](Network& n) { n.candidates(1).assign(1025, Candidate("dense", 1, 0)); });
  refuses("layers[2] \"a\": layers[0] has the same name", [](Network& n) { n.layer(0).name = n.layer(2).name = "a"; });
  refuses("layers[0] \"layer0\": candidates[1]: seconds is nan, must be in [0, 1e+12]",
          [](Network& n) { n.candidates(0)[1].seconds = kNaN; });
  refuses("layers[0] \"layer0\": candidates[1]: seconds is -1, must be",
          [](Network& n) { n.candidates(0)[1].seconds = -1; });
  refuses("candidates[2]: seconds is inf, must be", [](Network& n) { n.candidates(0)[2].seconds = kInfinity; });
  refuses("layers[2] \"layer2\": candidates[0]: sensitivity is nan, must be in [0, 1e+12]",
          [](Network& n) { n.candidates(2)[0].sensitivity = kNaN; });
  refuses("candidates[0]: sensitivity is -0.5, must be", [](Network& n) { n.candidates(2)[0].sensitivity = -0.5; });
  refuses("candidates[1]: density is 1.5, must be in [0, 1]", [](Network& n) { n.candidates(0)[1].density = 1.5; });
  refuses("candidates[1]: rate is 0.5, must be in [1, 10000]",
          [](Network& n) { n.candidates(0)[1].scheme.rate = 0.5; });
  refuses("candidates[0]: rate is 2, must be in [1, 1]", [](Network& n) { n.candidates(0)[0].scheme.rate = 2; });
  refuses("candidates[2]: rate is 1.5, scheme bcr keeps half the rows",
          [](Network& n) { n.candidates(0)[2].scheme.rate = 1.5; });
  refuses("candidates[1]: scheme.group is 0", [](Network& n) { n.candidates(0)[1].scheme.group = 0; });
  refuses("candidates[1]: scheme.group is 9223372036854775807",
          [](Network& n) { n.candidates(0)[1].scheme.group = std::numeric_limits<int64_t>::max(); });
  refuses("candidates[0]: block is 0 x 0",
          [](Network& n) { n.candidates(0)[0].scheme = {.kind = prune::SchemeKind::kBlock, .rate = 2}; });
  refuses("candidates[0]: block is 0 x 0",
          [](Network& n) { n.candidates(0)[0].scheme = {.kind = prune::SchemeKind::kBlockKernel, .rate = 2}; });
  refuses("candidates[0]: block is 8 x 60000 kernels of 9 taps, must have 1 to 65535 weights in a row", [](Network& n) {
    n.candidates(0)[0].scheme = {.kind = prune::SchemeKind::kBlockKernel, .rate = 2, .block = {8, 60000}};
  });
  refuses("candidates[0]: scheme has the unknown kind 77",
          [](Network& n) { n.candidates(0)[0].scheme.kind = static_cast<prune::SchemeKind>(77); });
  refuses("layers[0] \"layer0\": out_channels is 0, must be in [1, 1099511627776]",
          [](Network& n) { n.layer(0).out_channels = 0; });
  refuses("channels_per_group is -1", [](Network& n) { n.layer(0).channels_per_group = -1; });
  refuses("kernel[2] is 0", [](Network& n) { n.layer(0).kernel[2] = 0; });
  refuses("stride[1] is 0", [](Network& n) { n.layer(0).stride[1] = 0; });
  refuses("positions is 0", [](Network& n) { n.layer(0).positions = 0; });
  refuses("count is 0", [](Network& n) { n.layer(0).count = 0; });
  refuses("weights.groups is 5, must be at least 1 and divide rows, 64", [](Network& n) { n.layer(0).groups = 5; });
  refuses("channels_per_group * kernel is 64 x 1 x 1099511627776 x 1099511627776, must fit 64 bits", [](Network& n) {
    n.layer(0).kernel = {1, int64_t{1} << 40, int64_t{1} << 40};
  });
  refuses("weights.columns is 68719476736, must be in", [](Network& n) { n.layer(0).kernel = {1 << 30, 1, 1}; });
  refuses("importance is nan", [](Network& n) { n.layer(0).importance = kNaN; });
}

TEST_CASE("mapping: invalid objectives and specs") {
  Network network;
  network.Add(Kernel3x3(), {Candidate("dense", 4, 0)});
  const auto layers = network.Layers();
  const auto refuses = [&](const Objective& objective, const std::string& message) {
    CheckInvalid(MapByRules(layers, objective).status(), message);
    CheckInvalid(MapBySearch(layers, objective).status(), message);
  };
  refuses(Objective::SecondsAtMost(kNaN), "objective.limit is nan, must be in [0, 1e+30]");
  refuses(Objective::SecondsAtMost(-1), "objective.limit is -1, must be in [0, 1e+30]");
  refuses(Objective::SensitivityAtMost(kInfinity), "objective.limit is inf, must be in [0, 1e+30]");
  refuses(Objective::WeightRateAtLeast(0.5), "objective.limit is 0.5, must be in [1, 10000]");
  refuses(Objective::FlopsRateAtLeast(kNaN), "objective.limit is nan, must be in [1, 10000]");
  refuses({.constraint = static_cast<prune::Constraint>(9)}, "objective.constraint has the unknown value 9");
  refuses({.limit = 9, .sensitivity_per_second = -1}, "objective.sensitivity_per_second is -1, must be in [0, 1e+12]");
  const auto objective = Objective::SecondsAtMost(9);
  CheckInvalid(MapByRules(layers, objective, {.threshold = kNaN}).status(), "spec.threshold is nan, must be in [0, ");
  CheckInvalid(MapByRules(layers, objective, {.least_weights = -1}).status(),
               "spec.least_weights is -1, must be at least 0");
  CheckInvalid(MapBySearch(layers, objective, {.max_states = 0}).status(),
               "spec.max_states is 0, must be in [1, 65536]");
  CheckInvalid(MapBySearch(layers, objective, {.rules = {.threshold = -1}}).status(), "spec.threshold is -1");
}

TEST_CASE("EnergyRemoved: the fraction of the squared norm that is gone, of every format") {
  const std::vector<float> values = {1, 2, 0, 2, 4, 0};
  const auto dense = DenseWeights<float>::View({.rows = 2, .columns = 3}, values);
  REQUIRE(dense.ok());
  const auto removed = [&](const std::vector<float>& left) {
    const auto pruned = DenseWeights<float>::View({.rows = 2, .columns = 3}, left);
    REQUIRE(pruned.ok());
    const auto csr = CsrWeights<float>::FromDense(*pruned);
    REQUIRE(csr.ok());
    const auto energy = prune::EnergyRemoved(*dense, *pruned);
    REQUIRE(energy.ok());
    CHECK(*prune::EnergyRemoved(*dense, *csr) == *energy);
    return *energy;
  };
  CHECK(removed(values) == 0);
  CHECK(removed({0, 0, 0, 0, 0, 0}) == 1);
  CHECK(removed({0, 2, 0, 0, 4, 0}) == 0.2);
  CHECK(removed({1, 2, 5, 2, 4, 0}) == 1);  // weights that came in count as far as they are off

  auto gaussian = DenseWeights<float>::Zeros({.rows = 32, .columns = 16 * 9});
  REQUIRE(gaussian.ok());
  FillGaussian(gaussian->mutable_values(), /*seed=*/3);
  double before = 1;
  for (const char* name : {"filter-4x", "bcr_kernel-4x", "bcr_col-4x", "pattern-4x", "unstructured-4x", "dense"}) {
    CAPTURE(name);
    const auto pruned = prune::Project(*gaussian, Parsed(name), 9);
    REQUIRE(pruned.ok());
    const auto energy = prune::EnergyRemoved(*gaussian, *pruned);
    REQUIRE(energy.ok());
    const auto left = pruned->ToDense();
    REQUIRE(left.ok());
    double all = 0, gone = 0;
    for (size_t i = 0; i < gaussian->values().size(); ++i) {
      const double square = std::pow(static_cast<double>(gaussian->values()[i]), 2);
      all += square;
      if (left->values()[i] == 0.0f) gone += square;
    }
    CHECK(*energy == doctest::Approx(gone / all));
    CHECK(*energy < before);  // the less regular, the less
    before = *energy;
  }
  CHECK(before == 0);
  CHECK(prune::DefaultSensitivity({.importance = 3}, 0.25) == 0.75);
}

TEST_CASE("EnergyRemoved: zeros, and what it refuses") {
  const std::vector<float> zeros(6, 0.0f), bad = {1, 2, 3, std::numeric_limits<float>::quiet_NaN(), 5, 6};
  const auto zero = DenseWeights<float>::View({.rows = 2, .columns = 3}, zeros);
  const auto other = DenseWeights<float>::View({.rows = 3, .columns = 2}, zeros);
  const auto nan = DenseWeights<float>::View({.rows = 2, .columns = 3}, bad);
  REQUIRE((zero.ok() && other.ok() && nan.ok()));
  CHECK(*prune::EnergyRemoved(*zero, *zero) == 0);
  CheckInvalid(prune::EnergyRemoved(*zero, *other).status(), "pruned is 3 x 2 of 1 groups, must be 2 x 3 of 1");
  CheckInvalid(prune::EnergyRemoved(*nan, *zero).status(), "weights[3] is nan, must be finite");
  CheckInvalid(prune::EnergyRemoved(*zero, *nan).status(), "||dense - pruned||^2 is nan, must be finite");
}

TEST_CASE("WithMeasuredDrops: drops replace energies, the other energies are put on their scale") {
  Network network;
  network.Add(Kernel3x3(), {Candidate("dense", 4, 0), Candidate("pattern-4x", 2, 0.5), Candidate("pattern-8x", 1, 0.75),
                            Candidate("bcr-8x", 1, 1.0)});
  network.Add(Kernel3x3(), {Candidate("dense", 4, 0), Candidate("pattern-4x", 2, 0.25)});
  network.Add(Kernel3x3(), {Candidate("dense", 4, 0), Candidate("pattern-4x", 2, 0.5), Candidate("bcr-4x", 2, 0.5)});
  network.layer(2).count = 4;
  const auto layers = network.Layers();
  const std::vector<MeasuredDrop> drops = {{"layer0", Parsed("pattern-4x"), 0.01},
                                           {"layer0", Parsed("pattern-8x"), 0.03},
                                           {"layer0", Parsed("filter-8x"), 0.9},  // no candidate
                                           {"layer2", Parsed("pattern-4x"), -0.02}};
  const auto owned = prune::WithMeasuredDrops(layers, drops);
  REQUIRE(owned.ok());
  REQUIRE(owned->layers.size() == 3);
  const auto sensitivity = [&](size_t layer, size_t candidate) {
    return owned->layers[layer].candidates[candidate].sensitivity;
  };
  CHECK(owned->layers[1].layer.name == "layer1");
  CHECK(owned->layers[0].candidates[2].scheme == Parsed("pattern-8x"));
  CHECK(sensitivity(0, 0) == 0);
  CHECK(sensitivity(0, 1) == 0.01);
  CHECK(sensitivity(0, 2) == 0.03);
  const double own = (0.5 * 0.01 + 0.75 * 0.03) / (0.25 + 0.5625);
  CHECK(sensitivity(0, 3) == doctest::Approx(own));
  // Nothing measured, or no loss: the scale of all measurements, the lossless one included.
  const double common = (0.5 * 0.01 + 0.75 * 0.03) / (0.25 + 0.5625 + 0.25);
  CHECK(sensitivity(1, 1) == doctest::Approx(0.25 * common));
  CHECK(sensitivity(2, 1) == 0);
  CHECK(sensitivity(2, 2) == doctest::Approx(0.5 * common));

  // The drop of a layer that stands for four is that of all four.
  const std::vector<MeasuredDrop> of_four = {{"layer2", Parsed("pattern-4x"), 0.08}};
  CHECK(prune::WithMeasuredDrops(layers, of_four)->layers[2].candidates[1].sensitivity == 0.02);

  const auto same = prune::WithMeasuredDrops(layers, {});
  REQUIRE(same.ok());
  for (size_t i = 0; i < layers.size(); ++i) {
    for (size_t c = 0; c < layers[i].candidates.size(); ++c) {
      CHECK(same->layers[i].candidates[c].sensitivity == layers[i].candidates[c].sensitivity);
    }
  }
  CHECK(MapBySearch(owned->layers, Objective::SecondsAtMost(100)).ok());
}

TEST_CASE("WithMeasuredDrops: what it refuses") {
  Network network;
  network.Add(Kernel3x3(), {Candidate("dense", 4, 0), Candidate("pattern-4x", 2, 0.5), Candidate("bcr-4x", 1, 1)});
  const auto layers = network.Layers();
  const auto of = [&](const std::vector<MeasuredDrop>& drops) {
    return prune::WithMeasuredDrops(layers, drops).status();
  };
  CheckError(of({{"conv9", Parsed("bcr-4x"), 0.1}}), StatusCode::kNotFound,
             "drops[0] is of the layer \"conv9\", which is none of the 1 layers");
  CheckInvalid(of({{"layer0", Parsed("bcr-4x"), kNaN}}), "layers[0] \"layer0\": drops[0] is nan, must be in [-1, 1]");
  CheckInvalid(of({{"layer0", Parsed("bcr-4x"), 1.5}}), "drops[0] is 1.5, must be in [-1, 1]");
  CheckInvalid(of({{"layer0", Parsed("bcr-4x"), 0.1}, {"layer0", Parsed("bcr-4x"), 0.2}}),
               "layers[0] \"layer0\": drops[0] and drops[1] are both of the scheme bcr-4x");
  CheckInvalid(of({{"layer0", Parsed("bcr-4x"), 0}}),
               "layers[0] \"layer0\": candidates[1] has no measured drop, and none of 1 drops is positive");
  CHECK(of({{"layer0", Parsed("bcr-4x"), 0}, {"layer0", Parsed("pattern-4x"), 0}}).ok());
}

TEST_CASE("BlockWeightsOf: weights that live in one block") {
  const LayerDescription layer = Kernel3x3(64);
  const std::pair<const char*, int64_t> cases[] = {
      {"unstructured-4x", 1},        {"pattern-4x", 9},     {"pattern_g4-4x", 36},  {"connectivity-4x", 9},
      {"block_8x1-4x", 8},           {"bcr-4x", 8 * 16},    {"bcr_col-4x", 8 * 16}, {"punched-4x", 8 * 4 * 9},
      {"bcr_kernel-4x", 8 * 16 * 9}, {"filter-4x", 64 * 9}, {"dense", 64 * 64 * 9}, {"block_kernel_8x4-4x", 8 * 4 * 9}};
  for (const auto& row : cases) {
    CAPTURE(row.first);
    const auto block = prune::BlockWeightsOf(Parsed(row.first), layer);
    REQUIRE(block.ok());
    CHECK(*block == row.second);
  }
}

TEST_CASE("SmallestBlockWithin: the smallest block near the fastest") {
  Network network;
  network.Add(
      Kernel3x3(),
      {Candidate("block_4x1-4x", 1.5, 0.1), Candidate("block_8x1-4x", 1.25, 0.2), Candidate("punched-4x", 1, 0.4),
       Candidate("bcr_col-4x", 1.125, 0.3), Candidate("bcr-4x", 1.125, 0.25), Candidate("block_8x1-8x", 0.5, 0.9),
       Candidate("pattern-4x", 0.25, 0.2), Candidate("pattern_g4-4x", 0.125, 0.3), Candidate("dense", 0.01, 0)});
  const auto chosen = [&](Regularity regularity, double rate, double threshold) {
    const auto index = SmallestBlockWithin(network.Layers()[0], regularity, rate, threshold);
    REQUIRE(index.ok());
    return network.candidates(0)[*index].scheme.Name();
  };
  CHECK(chosen(Regularity::kBlock, 4, 0) == "punched-4x");
  CHECK(chosen(Regularity::kBlock, 4, 0.1) == "punched-4x");
  CHECK(chosen(Regularity::kBlock, 4, 0.125) == "bcr-4x");  // of equal blocks the less sensitive
  CHECK(chosen(Regularity::kBlock, 4, 0.25) == "block_8x1-4x");
  CHECK(chosen(Regularity::kBlock, 4, 0.5) == "block_4x1-4x");
  CHECK(chosen(Regularity::kBlock, 8, 0) == "block_8x1-8x");
  CHECK(chosen(Regularity::kPattern, 4, 0.5) == "pattern_g4-4x");
  CHECK(chosen(Regularity::kPattern, 4, 1) == "pattern-4x");
  // Coarse pruning is the measure; where no block is near it, the fastest.
  network.candidates(0).push_back(Candidate("filter-4x", 0.75, 0.6));
  CHECK(chosen(Regularity::kBlock, 4, 0.5) == "bcr-4x");
  CHECK(chosen(Regularity::kBlock, 4, 0.1) == "punched-4x");
  CHECK(chosen(Regularity::kOther, 4, 0) == "filter-4x");

  const LayerCandidates layer = network.Layers()[0];
  CheckError(SmallestBlockWithin(layer, Regularity::kBlock, 3, 0.1).status(), StatusCode::kNotFound,
             "candidates: none of 10 has that regularity and the rate 3");
  CheckInvalid(SmallestBlockWithin(layer, Regularity::kBlock, 4, -1).status(), "threshold is -1, must be in [0, ");
  network.candidates(0)[3].seconds = kNaN;
  CheckInvalid(SmallestBlockWithin(network.Layers()[0], Regularity::kBlock, 4, 1).status(), "seconds is nan");
}

// First layer, 3x3, 1x1, depthwise, few weights, 3x3x3, 3x3 without patterns, 1x1 without blocks.
Network RuleNetwork() {
  const auto candidates = [](std::vector<std::string> schemes) {
    std::vector<SchemeCandidate> list = {Candidate("dense", 16, 0)};
    for (const std::string& scheme : schemes) {
      const double rate = Parsed(scheme).rate;
      list.push_back(Candidate(scheme, 16 / rate, 1 - 1 / rate));
    }
    return list;
  };
  const std::vector<std::string> all = {"pattern-4x",   "pattern-8x",   "bcr-4x",          "bcr-8x",
                                        "block_8x1-4x", "block_8x1-8x", "unstructured-4x", "unstructured-8x"};
  Network network;
  network.Add(Kernel3x3(), candidates(all));
  network.Add(Kernel3x3(), candidates(all));
  network.Add(Kernel1x1(), candidates(all));
  LayerDescription depthwise = Kernel3x3(256);
  depthwise.channels_per_group = 1;
  depthwise.groups = 256;
  network.Add(depthwise, candidates(all));
  network.Add(Kernel1x1(31), candidates(all));
  LayerDescription volume = Kernel3x3();
  volume.kernel = {3, 3, 3};
  network.Add(volume, candidates(all));
  network.Add(Kernel3x3(), candidates({"bcr-4x", "unstructured-4x"}));
  network.Add(Kernel1x1(), candidates({"unstructured-8x"}));
  return network;
}

TEST_CASE("MapByRules: which layers are pruned, and how") {
  const Network network = RuleNetwork();
  const auto layers = network.Layers();
  const auto names = [&](const Objective& objective, const RuleSpec& spec) {
    const auto mapping = MapByRules(layers, objective, spec);
    REQUIRE(mapping.ok());
    CHECK(Meets(objective, *mapping));
    CHECK(mapping->gap == kInfinity);
    return Names(layers, *mapping);
  };
  using Strings = std::vector<std::string>;
  const auto all = Objective::SecondsAtMost(16 * 8);
  CHECK(names(all, {}) == Strings(8, "dense"));
  const auto a_little = Objective::SecondsAtMost(16 * 8 - 1);
  const Strings rate4 = {"dense", "pattern-4x", "block_8x1-4x", "dense", "dense", "block_8x1-4x", "bcr-4x", "dense"};
  CHECK(names(a_little, {}) == rate4);
  CHECK(names(Objective::WeightRateAtLeast(1.5), {}) == rate4);
  CHECK(names(Objective::FlopsRateAtLeast(1.5), {}) == rate4);
  const Strings rate8 = {"dense", "pattern-8x",   "block_8x1-8x", "dense",
                         "dense", "block_8x1-8x", "bcr-4x",       "unstructured-8x"};
  CHECK(names(Objective::SecondsAtMost(60), {}) == rate8);
  // As far as the sensitivity allows: 3 at 4x, 4.25 at 8x.
  CHECK(names(Objective::SensitivityAtMost(2.99), {}) == Strings(8, "dense"));
  CHECK(names(Objective::SensitivityAtMost(3), {}) == rate4);
  CHECK(names(Objective::SensitivityAtMost(4.24), {}) == rate4);
  CHECK(names(Objective::SensitivityAtMost(100), {}) == rate8);

  const RuleSpec none_excluded{
      .least_weights = 0, .first_dense = false, .depthwise_dense = false, .pattern_3x3 = false};
  CHECK(names(a_little, none_excluded) == Strings{"block_8x1-4x", "block_8x1-4x", "block_8x1-4x", "block_8x1-4x",
                                                  "block_8x1-4x", "block_8x1-4x", "bcr-4x", "dense"});
  CHECK(names(a_little, {.first_dense = false})[0] == "pattern-4x");
  CHECK(names(a_little, {.depthwise_dense = false})[3] == "pattern-4x");
  CHECK(names(a_little, {.least_weights = 31 * 31})[4] == "block_8x1-4x");
  CHECK(names(a_little, {.least_weights = 31 * 31 + 1})[4] == "dense");
}

TEST_CASE("MapByRules: a layer whose dense kernel is faster stays dense, unless weights are to go") {
  Network network = RuleNetwork();
  network.candidates(1).push_back(Candidate("dense", 3, 0.0));  // Winograd, say: faster than 4x, slower than 8x
  network.candidates(2)[6] = Candidate("block_8x1-8x", 5, 0.9);
  const auto layers = network.Layers();
  const double dense = 16 * 7 + 3;
  const auto first = MapByRules(layers, Objective::SecondsAtMost(dense - 1));
  REQUIRE(first.ok());
  CHECK(first->chosen[1] == 9);
  CHECK(Names(layers, *first)[2] == "block_8x1-4x");
  const auto second = MapByRules(layers, Objective::SecondsAtMost(60));
  REQUIRE(second.ok());
  CHECK(Names(layers, *second)[1] == "pattern-8x");
  CHECK(Names(layers, *second)[2] == "bcr-8x");  // the block that was slow at 8x is not near the fastest
  const auto rate = MapByRules(layers, Objective::WeightRateAtLeast(1.5));
  REQUIRE(rate.ok());
  CHECK(Names(layers, *rate)[1] == "pattern-4x");

  // No dense candidate: starts with what keeps most.
  Network sparse;
  sparse.Add(Kernel3x3(), {Candidate("bcr-8x", 1, 1), Candidate("bcr-2x", 3, 0.2), Candidate("bcr-4x", 2, 0.5)});
  CHECK(MapByRules(sparse.Layers(), Objective::SecondsAtMost(9))->chosen[0] == 1);
}

TEST_CASE("mapping: an objective that is out of reach names the nearest that is not") {
  const Network network = RuleNetwork();
  const auto layers = network.Layers();
  const auto number_in = [](const Status& status, const std::string& before) {
    const std::string message = status.message();
    const size_t at = message.find(before);
    REQUIRE(at != std::string::npos);
    return std::strtod(message.c_str() + at + before.size(), nullptr);
  };
  const auto by_rules = MapByRules(layers, Objective::SecondsAtMost(10));
  CheckInvalid(by_rules.status(), "objective.limit (seconds) is 10, must be at least 60, as far as the rules reach");
  const auto by_search = MapBySearch(layers, Objective::SecondsAtMost(10));
  CheckInvalid(by_search.status(),
               "objective.limit (seconds) is 10, must be at least 18, as far as the candidates reach");
  CHECK(MapBySearch(layers, Objective::SecondsAtMost(18)).ok());
  CheckInvalid(MapBySearch(layers, Objective::WeightRateAtLeast(9)).status(),
               "objective.limit (weight rate) is 9, must be at most ");
  CheckInvalid(MapByRules(layers, Objective::FlopsRateAtLeast(100)).status(),
               "objective.limit (FLOPs rate) is 100, must be at most ");
  Network lossy;
  lossy.Add(Kernel3x3(), {Candidate("bcr-8x", 1, 0.1), Candidate("bcr-4x", 2, 0.3)});
  lossy.Add(Kernel3x3(), {Candidate("bcr-8x", 1, 0.7)});
  CheckInvalid(MapBySearch(lossy.Layers(), Objective::SensitivityAtMost(0.5)).status(),
               "objective.limit (sensitivity) is 0.5, must be at least 0.8, as far as the candidates reach");

  // The number named is itself in reach, however many digits that takes.
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const Network of_seed = Realistic(seed, 5, 3);
    const auto random = of_seed.Layers();
    const auto seconds = MapBySearch(random, Objective::SecondsAtMost(1e-3));
    const double least = number_in(seconds.status(), "must be at least ");
    CHECK(MapBySearch(random, Objective::SecondsAtMost(least)).ok());
    CHECK_FALSE(MapBySearch(random, Objective::SecondsAtMost(least * (1 - 1e-4))).ok());
    const auto rate = MapByRules(random, Objective::FlopsRateAtLeast(1000));
    const double most = number_in(rate.status(), "must be at most ");
    CHECK(MapByRules(random, Objective::FlopsRateAtLeast(most)).ok());
    CHECK_FALSE(MapByRules(random, Objective::FlopsRateAtLeast(most * (1 + 1e-4))).ok());
  }
}

// Objectives from out of reach to without effect.
std::vector<Objective> Sweep(const std::vector<LayerCandidates>& layers) {
  double seconds = 0, sensitivity = 0;
  for (const auto& [layer, candidates] : layers) {
    double most_seconds = 0, most_sensitivity = 0;
    for (const SchemeCandidate& candidate : candidates) {
      most_seconds = std::max(most_seconds, candidate.seconds);
      most_sensitivity = std::max(most_sensitivity, candidate.sensitivity);
    }
    seconds += static_cast<double>(layer.count) * most_seconds;
    sensitivity += static_cast<double>(layer.count) * most_sensitivity;
  }
  std::vector<Objective> objectives;
  for (const double fraction : {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0}) {
    objectives.push_back(Objective::SecondsAtMost(std::floor(fraction * seconds)));
    objectives.push_back(Objective::SensitivityAtMost(std::floor(fraction * sensitivity)));
  }
  for (const double rate : {1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 16.0}) {
    objectives.push_back(Objective::WeightRateAtLeast(rate));
    objectives.push_back(Objective::FlopsRateAtLeast(rate));
    objectives.push_back({prune::Constraint::kFlopsRate, rate, 0.5});
  }
  return objectives;
}

TEST_CASE("MapBySearch: as good as brute force, whatever the objective") {
  int infeasible = 0, feasible = 0;
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const Network network = RandomIntegers(seed, 1 + seed % 5, 2 + seed % 4);
    const auto layers = network.Layers();
    for (const Objective& objective : Sweep(layers)) {
      CAPTURE(seed);
      CAPTURE(static_cast<int>(objective.constraint));
      CAPTURE(objective.limit);
      const double least = BruteForce(layers, objective);
      const auto mapping = MapBySearch(layers, objective);
      CHECK(mapping.ok() == std::isfinite(least));
      if (!mapping.ok()) {
        ++infeasible;
        continue;
      }
      ++feasible;
      CHECK(Meets(objective, *mapping));
      CHECK(mapping->gap == 0);
      CHECK(ValueOf(objective, *mapping) == least);
      const auto again = MappingOf(layers, mapping->chosen);
      REQUIRE(again.ok());
      CHECK(again->seconds == mapping->seconds);
      CHECK(again->flops_rate == mapping->flops_rate);
    }
  }
  CHECK(infeasible > 100);
  CHECK(feasible > 1000);
}

TEST_CASE("MapBySearch: with few states it is off by no more than the gap, and never worse than the rules") {
  int gaps = 0, rules_met = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const Network network = RandomIntegers(1000 + seed, 6, 5);
    const auto layers = network.Layers();
    for (const Objective& objective : Sweep(layers)) {
      CAPTURE(seed);
      CAPTURE(static_cast<int>(objective.constraint));
      CAPTURE(objective.limit);
      const auto exact = MapBySearch(layers, objective);
      const auto rough = MapBySearch(layers, objective, {.max_states = 1});
      const auto rules = MapByRules(layers, objective);
      CHECK(exact.ok() == rough.ok());
      if (!exact.ok()) {
        CHECK_FALSE(rules.ok());
        continue;
      }
      CHECK(exact->gap == 0);
      CHECK(Meets(objective, *rough));
      const double off = ValueOf(objective, *rough) - ValueOf(objective, *exact);
      CHECK(off >= 0);
      CHECK(off <= rough->gap + 1e-9);
      gaps += rough->gap > 0;
      if (!rules.ok()) continue;
      ++rules_met;
      CHECK(Meets(objective, *rules));
      CHECK(ValueOf(objective, *rough) <= ValueOf(objective, *rules));
    }
  }
  CHECK(gaps > 10);
  CHECK(rules_met > 100);
}

// Where one state is not enough to find the optimum, the layers are relabelled so that the rules find it.
TEST_CASE("MapBySearch: takes over what the rules find") {
  const RuleSpec rules{.least_weights = 0, .first_dense = false};
  int hard = 0;
  for (uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    Network network = RandomIntegers(2000 + seed, 8, 6);
    const auto objective = Objective::SecondsAtMost(80);
    const auto exact = MapBySearch(network.Layers(), objective);
    const auto rough = MapBySearch(network.Layers(), objective, {.max_states = 1});
    if (!exact.ok() || rough->sensitivity == exact->sensitivity) continue;
    ++hard;
    for (size_t i = 0; i < 8; ++i) {
      for (SchemeCandidate& candidate : network.candidates(i)) candidate.scheme = Parsed("unstructured-2x");
      network.candidates(i)[exact->chosen[i]].scheme = Parsed("bcr_col-2x");
      network.candidates(i).push_back(Candidate("dense", 100, 0));
    }
    const auto by_rules = MapByRules(network.Layers(), objective, rules);
    REQUIRE(by_rules.ok());
    CHECK(by_rules->sensitivity == exact->sensitivity);
    const auto again = MapBySearch(network.Layers(), objective, {.max_states = 1, .rules = rules});
    REQUIRE(again.ok());
    CHECK(again->sensitivity == exact->sensitivity);
  }
  CHECK(hard > 0);
}

TEST_CASE("MapBySearch: a tighter target never gives a better mapping") {
  for (uint32_t seed = 0; seed < 6; ++seed) {
    CAPTURE(seed);
    const Network network = Realistic(seed, 12, 4);
    const auto layers = network.Layers();
    const auto loose = MapBySearch(layers, Objective::SecondsAtMost(1e6));
    REQUIRE(loose.ok());
    CHECK(loose->sensitivity == 0);
    double before = 0;
    int met = 0;
    for (double target = loose->seconds; target > 0; target *= 0.93) {
      CAPTURE(target);
      const auto mapping = MapBySearch(layers, Objective::SecondsAtMost(target));
      if (!mapping.ok()) break;
      CHECK(mapping->gap == 0);
      CHECK(mapping->sensitivity >= before);
      CHECK(mapping->seconds <= target * (1 + 1e-9));
      before = mapping->sensitivity;
      ++met;
      // The other way round: what it costs in sensitivity buys that latency.
      const auto back = MapBySearch(layers, Objective::SensitivityAtMost(mapping->sensitivity));
      REQUIRE(back.ok());
      CHECK(back->seconds <= mapping->seconds * (1 + 1e-9));
    }
    CHECK(met > 5);
  }
}

TEST_CASE("MapBySearch: 200 layers of 40 candidates") {
  for (uint32_t seed = 0; seed < 3; ++seed) {
    CAPTURE(seed);
    const Network network = Realistic(seed, 200, 10);
    const auto layers = network.Layers();
    const auto loose = MapBySearch(layers, Objective::SecondsAtMost(1e9));
    REQUIRE(loose.ok());
    for (const double fraction : {0.3, 0.5, 0.9}) {
      const auto objective = Objective::SecondsAtMost(fraction * loose->seconds);
      const auto mapping = MapBySearch(layers, objective);
      REQUIRE(mapping.ok());
      CHECK(Meets(objective, *mapping));
      CHECK(mapping->gap <= 1e-6 * mapping->sensitivity);
      const auto again = MapBySearch(layers, objective);
      REQUIRE(again.ok());
      CHECK(Chosen(*again) == Chosen(*mapping));
      const auto rules = MapByRules(layers, objective);
      if (rules.ok()) CHECK(mapping->sensitivity < rules->sensitivity);
    }
  }
}

// Values and costs on one line: all that bounds can say is that everything is as good as everything else.
TEST_CASE("MapBySearch: where the bound excludes nothing the gap says so") {
  Network network;
  std::mt19937 generator(5);
  std::uniform_int_distribution<int> thousand(0, 1000);
  for (int i = 0; i < 60; ++i) {
    std::vector<SchemeCandidate> list;
    for (int c = 0; c < 12; ++c) {
      const double seconds = 2 * thousand(generator);
      list.push_back(Candidate("bcr-4x", seconds, 2000 - seconds));
    }
    network.Add(Kernel3x3(), std::move(list));
  }
  const auto layers = network.Layers();
  const auto objective = Objective::SecondsAtMost(60001);  // sums are even: one less than the limit is the best
  for (const int64_t states : {1, 16, 1024}) {
    const auto mapping = MapBySearch(layers, objective, {.max_states = states});
    REQUIRE(mapping.ok());
    CHECK(mapping->seconds + mapping->sensitivity == 120000);
    CHECK(mapping->sensitivity - mapping->gap <= 60000);
    CHECK(mapping->gap <= 0.001 * mapping->sensitivity);
    CHECK(mapping->gap >= 1);
  }
}

TEST_CASE("MapBySearch: ties, and candidates that must not be chosen") {
  // Equal in all that counts: the faster, then the one that keeps less, then the first.
  Network network;
  network.Add(Kernel3x3(), {Candidate("bcr-4x", 5, 1), Candidate("punched-4x", 3, 1), Candidate("bcr_col-4x", 3, 1)});
  CHECK(MapBySearch(network.Layers(), Objective::WeightRateAtLeast(2))->chosen[0] == 1);
  network.candidates(0) = {Candidate("bcr-4x", 3, 1), Candidate("bcr_col-8x", 3, 1), Candidate("bcr-8x", 3, 1)};
  CHECK(MapBySearch(network.Layers(), Objective::SecondsAtMost(4))->chosen[0] == 1);

  // Sensitivities of another order of magnitude, which a caller may use to forbid, do not blur the others.
  for (uint32_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    Network small = RandomIntegers(seed, 5, 4), large = RandomIntegers(seed, 5, 4);
    for (size_t i = 0; i < 5; ++i) {
      for (SchemeCandidate& candidate : small.candidates(i)) candidate.sensitivity *= 1e-6;
      large.candidates(i) = small.candidates(i);
      large.candidates(i).push_back(Candidate("filter-8x", 0, 1e12));
    }
    for (const double limit : {20, 40, 60, 80}) {
      const auto objective = Objective::SecondsAtMost(limit);
      const auto without = MapBySearch(small.Layers(), objective);
      const auto with = MapBySearch(large.Layers(), objective);
      REQUIRE(with.ok());
      if (without.ok()) CHECK(Chosen(*with) == Chosen(*without));
    }
  }
}

TEST_CASE("MapBySearch: a rate alone ignores latency, a price of latency does not") {
  Network network;
  network.Add(Kernel3x3(),
              {Candidate("dense", 4, 0), Candidate("unstructured-4x", 3, 0.25), Candidate("bcr-4x", 1, 0.5)});
  const auto layers = network.Layers();
  Objective objective = Objective::WeightRateAtLeast(4);
  CHECK(MapBySearch(layers, objective)->chosen[0] == 1);
  objective.sensitivity_per_second = 0.12;
  CHECK(MapBySearch(layers, objective)->chosen[0] == 1);
  objective.sensitivity_per_second = 0.13;
  CHECK(MapBySearch(layers, objective)->chosen[0] == 2);
}

}  // namespace
}  // namespace lacuna::test
