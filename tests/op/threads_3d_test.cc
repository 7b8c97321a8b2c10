// Threads: results of volumes do not depend on their number.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"
#include "tests/support/threads_executor.h"

namespace lacuna::test {
namespace {

// Gaussian data: sums depend on their order, so that equality shows that no sum was cut differently.
TEST_CASE("convolution 3-D: bit-identical for any number of threads, kernel and size of the input tiles") {
  const ConvShape<3> shapes[] = {
      {.batch = 2,
       .in_channels = 6,
       .out_channels = 18,
       .groups = 2,
       .input = {5, 9, 11},
       .kernel = {3, 3, 3},
       .pad_begin = {1, 1, 1},
       .pad_end = {1, 1, 1}},
      {.in_channels = 7, .out_channels = 9, .input = {6, 7, 13}, .kernel = {3, 1, 1}, .stride = {2, 1, 1}},
      {.in_channels = 5, .out_channels = 17, .input = {3, 5, 4}, .kernel = {1, 1, 1}},
      {.in_channels = 3, .out_channels = 1, .input = {1, 1, 1}, .kernel = {1, 1, 1}},
  };
  for (const ConvShape<3>& shape : shapes) {
    const ConvLayer<3> original(shape, {.integers = false});
    for (const std::string name : {"punched-2x", "pattern-3x"}) {
      CAPTURE(name);
      const auto pruned = prune::Project(original.dense(), *prune::ParseScheme(name), shape.taps());
      REQUIRE(pruned.ok());
      const auto dense = pruned->ToDense();
      REQUIRE(dense.ok());
      const ConvLayer<3> layer(shape, {.integers = false,
                                       .bias = true,
                                       .residual = true,
                                       .epilogue = {.activation = Activation::kSilu},
                                       .weights = dense->values()});
      ForEachTarget([&] {
        for (const int tile : {kChooseTile, 0, PatternTileIndex()}) {
          for (const size_t bytes : {size_t{1}, size_t{4096}, kInputTileBytes}) {
            CAPTURE(bytes);
            const auto plan =
                PlanConvolution<3>(*pruned, shape, layer.epilogue(), {.tile = tile, .input_tile_bytes = bytes});
            REQUIRE(plan.ok());
            const std::vector<float> serial = layer.Run(*plan);
            layer.Check(plan);
            for (const size_t threads : {2, 3, 7}) {
              CAPTURE(threads);
              const RunOptions run{.y = threads == 3 ? Layout::kChannelsLastGaps : Layout::kPlanar,
                                   .residual_is_y = threads == 3};
              CHECK(layer.Run(*plan, run, ThreadsExecutor(threads)) == serial);
            }
          }
        }
      });
    }
  }
}

}  // namespace
}  // namespace lacuna::test
