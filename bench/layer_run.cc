#include "layer_run.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "cold.h"
#include "int8_problem.h"
#include "lookup.h"
#include "read_roof.h"

namespace lacuna::bench {
namespace {

// Fewer samples at full speed say nothing.
constexpr size_t kFewestSamples = 3;

std::vector<std::string> SchemesOf(const std::vector<Entry>& entries) {
  std::vector<std::string> schemes;
  for (const Entry& entry : entries) {
    if (std::find(schemes.begin(), schemes.end(), entry.scheme) == schemes.end()) schemes.push_back(entry.scheme);
  }
  return schemes;
}

}  // namespace

const Measurement& LayerRun::Measure(size_t entry) {
  if (measurements_.empty()) MeasureAll();
  return measurements_[entry];
}

// The engine of `entry` if it computes the layer correctly; `output` receives what it computed.
EnginePointer LayerRun::MakeVerified(const Entry& entry, const Workload& workload, Measurement& measurement,
                                     std::vector<float>& output) {
  Problem problem = workload.ProblemOf(workload.Find(entry.scheme), setting_.channels_last);
  problem.cold = setting_.cold;
  Result<EnginePointer> engine = entry.engine.make(problem, context_->settings, entry.engine);
  if (!engine.ok()) {
    measurement.absent = engine.status().code() == StatusCode::kUnsupported;
    measurement.error = std::string(measurement.absent ? "absent: " : "") + engine.status().message();
    return nullptr;
  }
  (*engine)->Run();
  output.assign(static_cast<size_t>(problem.shape.output_elements()), 0.0f);
  (*engine)->CopyOutput(output);
  const Result<double> error = setting_.cell ? VerifyRecurrent(workload.Find(entry.scheme).expected, output)
                               : entry.engine.int8
                                   ? VerifyInt8(problem, output)
                                   : Verify(problem, entry.engine.winograd, entry.engine.storage, output);
  if (!error.ok()) {
    measurement.error = error.status().message();
    return nullptr;
  }
  measurement.output_error = *error;
  measurement.detail = (*engine)->Detail();
  measurement.pack_seconds = (*engine)->pack_seconds();
  return *std::move(engine);
}

void LayerRun::Describe(const Entry& entry, const Workload& workload, const Samples& samples,
                        Measurement& measurement) {
  Measurement& m = measurement;
  m.samples = static_cast<int>(samples.seconds.size());
  m.dropped = samples.dropped;
  if (samples.seconds.size() < kFewestSamples && !(m.samples == 1 && m.dropped == 0)) {
    m.error = "the core was slow during " + std::to_string(m.dropped) + " of " + std::to_string(m.dropped + m.samples) +
              " samples";
    return;
  }
  m.measured = true;
  m.seconds = samples.Quantile(0.5);
  m.p10_seconds = samples.Quantile(0.1);
  m.p90_seconds = samples.Quantile(0.9);
  const WeightSet& weights = workload.Find(entry.scheme);
  const ConvShape<3>& shape = workload.shape;
  const int64_t uses = shape.positions() * shape.batch;  // of every weight
  m.dense_flops = setting_.cell ? 2.0 * static_cast<double>(weights.total_elements() * uses) : shape.dense_flops();
  m.useful_flops = 2.0 * static_cast<double>(weights.total_nnz() * uses);
  m.necessary_flops = m.useful_flops * FractionInside(shape);
  if (entry.engine.int8) m.peak_scale = context_->int8_scale;
  m.peak_flops = samples.peak_flops * m.peak_scale;
  const int64_t elements = weights.total_nnz() + shape.input_elements() + shape.output_elements();
  const auto bytes = static_cast<size_t>(elements) * (entry.engine.int8 ? 1 : sizeof(float));
  m.roof_seconds = std::max(m.useful_flops / m.peak_flops, static_cast<double>(bytes) / context_->bandwidth.At(bytes));
  m.storage_ratio = static_cast<double>(weights.TotalStorageBytes()) /
                    (static_cast<double>(weights.total_nnz()) * static_cast<double>(sizeof(float)));
}

void LayerRun::DescribeWeights(const WeightSet& weights, ValueType storage, const Engine& engine,
                               Measurement& measurement) const {
  const bool sequence = weights.recurrent && layer_.input[2] > 1;  // W is read once
  const auto bytes = [](int64_t values) { return static_cast<double>(values) * static_cast<double>(sizeof(float)); };
  const double narrowing = storage == ValueType::kF32  ? 1.0
                           : storage == ValueType::kS8 ? 0.25
                           : storage == ValueType::kS4 ? 0.125
                                                       : 0.5;
  measurement.kept_bytes = bytes(sequence ? weights.recurrent->nnz() : weights.total_nnz()) * narrowing;
  measurement.dense_bytes = bytes(sequence ? weights.recurrent->elements() : weights.total_elements());
  measurement.packed_bytes = static_cast<double>(BytesOf(engine.Weights()));
  measurement.weight_reads = sequence ? static_cast<double>(layer_.input[2]) : 1.0;
}

Result<Workload> LayerRun::Make(std::span<const std::string> schemes) const {
  if (setting_.cell) return MakeRecurrentWorkload(ShapeOf(layer_), *setting_.cell, schemes);
  return MakeWorkload(ShapeOf(layer_), schemes, setting_.channel_group);
}

void LayerRun::MeasureAll() {
  measurements_.resize(entries_.size());
  const std::vector<std::string> schemes = SchemesOf(entries_);
  const Result<Workload> workload = Make(schemes);
  if (!workload.ok()) {
    for (Measurement& measurement : measurements_) measurement.error = workload.status().message();
    return;
  }
  std::vector<EnginePointer> engines;
  std::vector<Timed> timed;
  std::vector<size_t> places;
  std::map<std::string, std::vector<float>> serial;  // by scheme: lacuna's output with one thread
  ReadRoof roof(setting_.cold);
  for (size_t e = 0; e < entries_.size(); ++e) {
    const Entry& entry = entries_[e];
    std::vector<float> output;
    EnginePointer engine = MakeVerified(entry, *workload, measurements_[e], output);
    if (engine == nullptr) continue;
    if (std::string_view(entry.engine.name) == "lacuna") serial[entry.scheme] = output;
    if (entry.engine.threads > 1) {
      const std::vector<float>& one = serial[entry.scheme];
      measurements_[e].bit_identical =
          one.size() == output.size() && std::memcmp(one.data(), output.data(), one.size() * sizeof(float)) == 0;
    }
    if (setting_.cold && BytesOf(engine->Weights()) == 0) {
      measurements_[e].error = "the engine does not tell where its weights are, so they cannot be evicted";
      continue;
    }
    timed.push_back({.run = [raw = engine.get()] { raw->Run(); },
                     .threads = entry.engine.threads,
                     .warm_seconds = setting_.weight_bound ? kWarmSeconds : 0.0});
    if (setting_.cold) timed.back().evict = [ranges = engine->Weights()] { Evict(ranges); };
    if (setting_.weight_bound && IsLacuna(entry)) {
      DescribeWeights(workload->Find(entry.scheme), entry.engine.storage, *engine, measurements_[e]);
      roof.Add(static_cast<size_t>(measurements_[e].packed_bytes));
      roof.Add(static_cast<size_t>(measurements_[e].dense_bytes));
    }
    places.push_back(e);
    engines.push_back(std::move(engine));
  }
  if (const Status status = roof.AppendTo(timed); !status.ok()) {
    for (const size_t e : places) measurements_[e].error = status.message();
    return;
  }
  const std::vector<Samples> samples = context_->sampler.Run(timed);
  roof.Take(std::span(samples).subspan(places.size()));
  for (size_t i = 0; i < places.size(); ++i) {
    Describe(entries_[places[i]], *workload, samples[i], measurements_[places[i]]);
    Measurement& m = measurements_[places[i]];
    m.read_bandwidth = roof.Bandwidth(static_cast<size_t>(m.packed_bytes));
    m.dense_bandwidth = roof.Bandwidth(static_cast<size_t>(m.dense_bytes));
  }
}

}  // namespace lacuna::bench
