// Flags of the benchmark programs, beside Google Benchmark's own.

#ifndef LACUNA_BENCH_OPTIONS_H_
#define LACUNA_BENCH_OPTIONS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lacuna::bench {

struct Options {
  std::string target;  // empty: the best
  int threads = 1;
  std::vector<std::string> schemes;  // empty: the program's own list
  std::vector<std::string> peers;    // empty: all
  // Of lacuna: pattern, panel, winograd, tiles, libxsmm, auto, keep, reorder, nhwc, planar, kernels, no_dot.
  std::vector<std::string> variants;
  std::string mode = "both";     // of products with vectors and of recurrent layers: warm, cold, both
  std::vector<int64_t> columns;  // of further products with a few vectors
  std::string network_scheme;    // of networks pruned as a whole; empty: punched, if anything else asks for them
  double flops_rate = 0.0;       // of networks pruned as a whole; 0: the network's own
  double seconds = 2.0;          // time budget of a layer, all its engines together
  bool smoke = false;
  bool verbose = false;
  bool no_peers = false;

  bool Wants(std::string_view variant) const {
    return std::find(variants.begin(), variants.end(), variant) != variants.end();
  }
};

// Takes our flags out of (argc, argv) and leaves Google Benchmark's. Returns the exit code if the program shall end
// here (after --help or a bad flag), else -1.
int ParseOptions(const std::string& description, int& argc, char**& argv, Options& options);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_OPTIONS_H_
