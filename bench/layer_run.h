// LayerRun: all engines and schemes of one layer, made, verified and measured together.

#ifndef LACUNA_BENCH_LAYER_RUN_H_
#define LACUNA_BENCH_LAYER_RUN_H_

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
  double peak_flops = 0.0;       // FLOP/s, of the engine's threads
  double roof_seconds =
      0.0;  // the larger of useful_flops at peak, and input + output + stored weights once through memory
  double pack_seconds = 0.0;
  double storage_ratio = 0.0;  // StorageBytes over the bytes of the kept weights
  double output_error = 0.0;   // the largest, over the root mean square of the outputs
  bool bit_identical = true;   // to the same engine with one thread

  double peak_fraction() const { return useful_flops / seconds / peak_flops; }
  double roof_fraction() const { return roof_seconds / seconds; }
};

// What all layers of a process share.
struct RunContext {
  Settings settings;
  Sampler sampler;
  BandwidthTable bandwidth;
};

class LayerRun {
 public:
  LayerRun(std::string op, const Layer& layer, bool channels_last, RunContext* context)
      : op_(std::move(op)), layer_(layer), channels_last_(channels_last), context_(context) {}

  void Add(Entry entry) { entries_.push_back(std::move(entry)); }
  void set_network_scheme(std::string scheme) { network_scheme_ = std::move(scheme); }

  const Layer& layer() const { return layer_; }
  // What the layer has when its network is pruned as a whole (networks.h); empty if that is not asked.
  const std::string& network_scheme() const { return network_scheme_; }
  const std::string& op() const { return op_; }
  // "conv2d/vgg16.conv3_2"
  std::string Name() const { return op_ + "/" + layer_.network + "." + layer_.name; }
  std::string NameOf(const Entry& entry) const { return Name() + "/" + entry.scheme + "/" + entry.engine.name; }
  const std::vector<Entry>& entries() const { return entries_; }

  // The first call measures all entries, in turns; engines live only that long.
  const Measurement& Measure(size_t entry);
  bool measured() const { return !measurements_.empty(); }
  const std::vector<Measurement>& measurements() const { return measurements_; }

 private:
  void MeasureAll();
  EnginePointer MakeVerified(const Entry& entry, const Workload& workload, Measurement& measurement,
                             std::vector<float>& output);
  void Describe(const Entry& entry, const Workload& workload, const Samples& samples, Measurement& measurement);

  std::string op_;
  Layer layer_;
  bool channels_last_;
  RunContext* context_;
  std::string network_scheme_;
  std::vector<Entry> entries_;
  std::vector<Measurement> measurements_;
};

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_LAYER_RUN_H_
