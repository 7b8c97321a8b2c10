// GRU for phones: two recurrent layers over speech features, a dense layer for each frame.

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {

Graph GruTimit(int64_t batch, uint64_t seed) {
  constexpr int64_t kFrames = 100, kFeatures = 39, kHidden = 1024, kPhones = 39;
  NetworkBuilder net("gru_timit", {"frames", {kFrames, batch, kFeatures}}, seed);
  std::string x = net.Gru("gru1", "frames", kFeatures, kHidden);
  x = net.Gru("gru2", x, kHidden, kHidden);
  return net.Finish({net.Softmax(net.Dense("phones", net.Rows(x, kHidden), kHidden, kPhones))});
}

}  // namespace graph
