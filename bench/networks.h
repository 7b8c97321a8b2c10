// Networks whose convolutions the layer table holds completely, and what pruning them usually means.

#ifndef LACUNA_BENCH_NETWORKS_H_
#define LACUNA_BENCH_NETWORKS_H_

#include "lacuna/core/status.h"

#include <string>

#include "layers.h"

namespace lacuna::bench {

struct Network {
  const char* name;   // as in the layer table
  double flops_rate;  // FLOPs of all convolutions before pruning over those after it
};

// Rates at which accuracy holds, from RT3D (AAAI 2021), whose layers these are: of C3D all but the first and the two
// last, small ones, of R(2+1)D all but the stem.
inline constexpr Network kNetworks[] = {{"c3d", 3.6}, {"r2plus1d", 3.2}};

// How a network is pruned as a whole.
struct NetworkPruning {
  std::string kind = "punched";  // a scheme without its rate
  double flops_rate = 0.0;       // instead of that of the network, if not 0
};

// The scheme of `layer` when its network is pruned as a whole: "dense", or, at the same rate in every pruned layer,
// "punched-4.36x". Empty if the layer belongs to none of kNetworks. Fails if the layers that stay dense alone have more
// FLOPs than shall be left.
Result<std::string> NetworkSchemeOf(const Layer& layer, const NetworkPruning& pruning);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_NETWORKS_H_
