// Suite: the main function of a benchmark program over the layer table.

#ifndef LACUNA_BENCH_SUITE_H_
#define LACUNA_BENCH_SUITE_H_

#include <optional>
#include <string>
#include <vector>

#include "engine.h"
#include "layers.h"
#include "options.h"
#include "report.h"

namespace lacuna::bench {

// A way of presenting the layers of one kind.
struct SuiteOp {
  const char* name;  // first part of benchmark names
  Op op;             // the rows of kLayers that are run
  bool channels_last;
  std::vector<std::string> schemes{};                                   // instead of the suite's or those asked for
  bool (*takes)(const Layer& layer) = nullptr;                          // leaves out layers, and so whole networks
  std::vector<EngineInfo> (*lacuna)(const Options& options) = nullptr;  // instead of the suite's
  std::vector<EngineInfo> (*peers)() = nullptr;                         // instead of the suite's
  bool weight_bound = false;                                            // also told what reading the weights takes
  bool cold = false;                                                    // weights are evicted before every run
  std::optional<Cell> cell{};                                           // of recurrent layers
  int64_t channel_group = 1;  // of schemes that can: input channels that are pruned together
};

struct Suite {
  std::string description;
  std::vector<SuiteOp> ops;
  std::vector<std::string> schemes;  // by default
  std::vector<EngineInfo> (*lacuna)(const Options& options) = nullptr;
  std::vector<EngineInfo> (*peers)() = nullptr;
  void (*print)(const LayerRuns& runs) = nullptr;  // instead of groups of layers and networks
  bool int8 = false;                               // has engines of 8-bit products
};

int RunSuite(const Suite& suite, int argc, char** argv);

// Prints CPU, target, compiler and flags, and puts them into Google Benchmark's context. Fails if lacuna and the probes
// do not run on the same target, or --target names none.
Status Prepare(const Options& options);

// Whether Google Benchmark's flags ask for a JSON file. To be called before it takes its flags.
bool WritesJson(int argc, char** argv);

// Runs the registered benchmarks that match `filter` ("all" for all) and reports them under their plain names.
void RunRegistered(const std::string& filter, bool writes_json);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_SUITE_H_
