#include "options.h"

#include <CLI/CLI.hpp>

namespace lacuna::bench {

int ParseOptions(const std::string& description, int& argc, char**& argv, Options& options) {
  CLI::App app(description + "\nGoogle Benchmark's flags work too; --benchmark_filter matches names like\n" +
               "conv2d/vgg16.conv3_2/bcr_col-8x/lacuna.");
  app.allow_extras();
  app.add_option("--target", options.target,
                 "SIMD target to stay at or below: avx3, avx2, sse4, ... (default: the best)");
  app.add_option("--threads", options.threads, "also measure lacuna with so many threads")->check(CLI::Range(1, 1024));
  app.add_option("--schemes", options.schemes, "schemes and rates, e.g. dense,bcr_col-8x,bcr-4x")->delimiter(',');
  app.add_option("--network-scheme", options.network_scheme,
                 "how 3-D networks are pruned as a whole, e.g. bcr_col (default: punched, unless --schemes is given)");
  app.add_option("--flops-rate", options.flops_rate,
                 "how many times fewer FLOPs that leaves (default: c3d 3.6, r2plus1d 3.2)")
      ->check(CLI::Range(1.0, 1000.0));
  app.add_option("--peers", options.peers, "engines to compare with (default: all that were built in)")->delimiter(',');
  app.add_option(
         "--variants", options.variants,
         "also measure lacuna with one decision changed: its pattern or panel kernel forced, Winograd forms only, each "
         "of their tiles, with libxsmm's products, or (auto) allowed, rows never or always reordered, channels-last or "
         "planar activations, every kernel of matrix-vector products, 8-bit products without dot product instructions")
      ->delimiter(',')
      ->check(CLI::IsMember({"pattern", "panel", "winograd", "tiles", "libxsmm", "auto", "keep", "reorder", "nhwc",
                             "planar", "kernels", "no_dot"}));
  app.add_option("--mode", options.mode,
                 "of matrix-vector products and recurrent layers: weights in the caches that hold them, or in memory")
      ->check(CLI::IsMember({"warm", "cold", "both"}));
  app.add_option("--columns", options.columns, "also products with so many vectors at once, e.g. 2,4,8,16")
      ->delimiter(',')
      ->check(CLI::Range(2, 1024));
  app.add_flag("--no-peers", options.no_peers, "measure lacuna alone");
  app.add_option("--seconds", options.seconds, "time budget of a layer, all engines together")
      ->check(CLI::PositiveNumber);
  app.add_flag("--smoke", options.smoke, "one short sample an engine: shows that everything runs, measures nothing");
  app.add_flag("--verbose", options.verbose, "print what every engine chose");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  // Kept for the whole run: Google Benchmark reads argv in place.
  static std::vector<std::string> rest;
  static std::vector<char*> pointers;
  rest = app.remaining();
  rest.insert(rest.begin(), argv[0]);
  for (std::string& argument : rest) pointers.push_back(argument.data());
  argc = static_cast<int>(pointers.size());
  pointers.push_back(nullptr);
  argv = pointers.data();
  return -1;
}

}  // namespace lacuna::bench
