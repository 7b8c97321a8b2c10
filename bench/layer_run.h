// LayerRun: all engines and schemes of one layer, made, verified and measured together.

#ifndef LACUNA_BENCH_LAYER_RUN_H_
#define LACUNA_BENCH_LAYER_RUN_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine.h"
#include "layers.h"
#include "probe.h"
#include "sampler.h"
#include "workload.h"

namespace lacuna::bench {

// One benchmark: `<op>/<network>.<layer>/<scheme>/<engine>`.
struct Entry {
  std::string scheme;
  EngineInfo engine;
};

struct Measurement {
  bool measured = false;
  bool absent = false;  // the engine cannot run the layer; otherwise, if not measured, something is wrong
  std::string error;    // why it was not measured
  std::string detail;

  double seconds = 0.0;  // median of one run
  double p10_seconds = 0.0;
  double p90_seconds = 0.0;
  int samples = 0;
  int dropped = 0;

  double useful_flops = 0.0;     // 2 * kept weights * outputs each feeds, taps on padding included
  double dense_flops = 0.0;      // the same of the dense layer
  double necessary_flops = 0.0;  // useful_flops without taps on padding: nothing but Winograd can do less
  double peak_flops = 0.0;       // FLOP/s, of the engine's threads and its types
  double peak_scale = 1.0;       // that over the FMA peak
  double roof_seconds =
      0.0;  // the larger of useful_flops at peak, and input + output + stored weights once through memory
  double pack_seconds = 0.0;
  double storage_ratio = 0.0;  // StorageBytes over the bytes of the kept weights
  double output_error = 0.0;   // the largest, over the root mean square of the outputs
  bool bit_identical = true;   // to the same engine with one thread

  // Of engines that are bound by their weights, else 0. Of a sequence, what every step reads.
  double kept_bytes = 0.0;    // weights alone
  double dense_bytes = 0.0;   // of the dense layer
  double packed_bytes = 0.0;  // as the engine reads them, indices included
  double weight_reads = 1.0;  // how often a run does that
  // Bytes/s of reading buffers of packed_bytes and of dense_bytes, in turns with the engines.
  double read_bandwidth = 0.0, dense_bandwidth = 0.0;

  double peak_fraction() const { return useful_flops / seconds / peak_flops; }
  double roof_fraction() const { return roof_seconds / seconds; }
  double bandwidth_fraction() const {
    return read_bandwidth > 0.0 ? weight_reads * kept_bytes / seconds / read_bandwidth : 0.0;
  }
  // What the bytes alone would gain: the time to read the dense weights over that to read the packed ones.
  double roof_ratio() const {
    return read_bandwidth > 0.0 && dense_bandwidth > 0.0
               ? dense_bytes / dense_bandwidth / (packed_bytes / read_bandwidth)
               : 0.0;
  }
  double packed_over_nnz() const { return kept_bytes > 0.0 ? packed_bytes / kept_bytes : 0.0; }
};

// What all layers of a process share.
struct RunContext {
  Settings settings;
  Sampler sampler;
  BandwidthTable bandwidth;
  double int8_scale = 1.0;  // peak of 8-bit multiply-adds over that of FMA
};

// How a layer is presented to the engines.
struct LayerSetting {
  bool channels_last = false;
  std::optional<Cell> cell{};  // of a recurrent layer
  bool weight_bound = false;   // also measure how fast its bytes can be read
  bool cold = false;           // weights are evicted from the caches before every run
  int64_t channel_group = 1;   // of schemes that can: input channels that are pruned together
};

class LayerRun {
 public:
  LayerRun(std::string op, const Layer& layer, const LayerSetting& setting, RunContext* context)
      : op_(std::move(op)), layer_(layer), setting_(setting), context_(context) {}

  void Add(Entry entry) { entries_.push_back(std::move(entry)); }
  void set_network_scheme(std::string scheme) { network_scheme_ = std::move(scheme); }

  const Layer& layer() const { return layer_; }
  // What the layer has when its network is pruned as a whole (networks.h); empty if that is not asked.
  const std::string& network_scheme() const { return network_scheme_; }
  const std::string& op() const { return op_; }
  const LayerSetting& setting() const { return setting_; }
  // "conv2d/vgg16.conv3_2"
  std::string Name() const { return op_ + "/" + layer_.network + "." + layer_.name; }
  std::string NameOf(const Entry& entry) const { return Name() + "/" + entry.scheme + "/" + entry.engine.name; }
  const std::vector<Entry>& entries() const { return entries_; }

  // The first call measures all entries, in turns; engines live only that long.
  const Measurement& Measure(size_t entry);
  bool measured() const { return !measurements_.empty(); }
  const std::vector<Measurement>& measurements() const { return measurements_; }

 private:
  Result<Workload> Make(std::span<const std::string> schemes) const;
  void MeasureAll();
  EnginePointer MakeVerified(const Entry& entry, const Workload& workload, Measurement& measurement,
                             std::vector<float>& output);
  void DescribeWeights(const WeightSet& weights, ValueType storage, const Engine& engine,
                       Measurement& measurement) const;
  void Describe(const Entry& entry, const Workload& workload, const Samples& samples, Measurement& measurement);

  std::string op_;
  Layer layer_;
  LayerSetting setting_;
  RunContext* context_;
  std::string network_scheme_;
  std::vector<Entry> entries_;
  std::vector<Measurement> measurements_;
};

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_LAYER_RUN_H_
