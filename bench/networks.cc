#include "networks.h"

#include "lacuna/prune/scheme.h"

#include <cmath>
#include <string_view>

namespace lacuna::bench {

Result<std::string> NetworkSchemeOf(const Layer& layer, const NetworkPruning& pruning) {
  for (const Network& network : kNetworks) {
    if (layer.times == 0 || layer.network != std::string_view(network.name)) continue;
    double pruned = 0.0, dense = 0.0;  // FLOPs
    for (const Layer& other : kLayers) {
      if (other.network != std::string_view(network.name)) continue;
      (other.pruned ? pruned : dense) += static_cast<double>(other.times) * ShapeOf(other).dense_flops();
    }
    if (!(pruning.flops_rate >= 0.0)) {  // as a NaN is not
      return Status::InvalidArgument("flops_rate is %g, must be at least 1", pruning.flops_rate);
    }
    const double flops_rate = pruning.flops_rate > 0.0 ? pruning.flops_rate : network.flops_rate;
    const double left = (pruned + dense) / flops_rate - dense;  // for the pruned layers
    if (left <= 0.0) {
      return Status::InvalidArgument("flops_rate is %g, must be below %g: the layers of %s that stay dense", flops_rate,
                                     (pruned + dense) / dense, network.name);
    }
    // Two decimals make a readable name; the report says what is reached.
    LACUNA_ASSIGN_OR_RETURN(scheme, prune::MakeScheme(pruning.kind, std::round(100.0 * pruned / left) / 100.0));
    return layer.pruned ? scheme.Name() : "dense";
  }
  return std::string();
}

}  // namespace lacuna::bench
