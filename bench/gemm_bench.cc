// Y[M, N] = W[M, K] X[K, N]: op `gemm` has activations stored [K, N], op `gemm_nk` has them stored [N, K].

#include "lacuna_engine.h"
#include "peers/peers.h"
#include "suite.h"

namespace {

std::vector<lacuna::bench::EngineInfo> Peers() {
  using namespace lacuna::bench;
  std::vector<EngineInfo> peers;
  for (const auto list : {&OnednnGemms, &XnnpackEngines, &OpenblasEngines, &EigenEngines, &LibxsmmEngines}) {
    for (const EngineInfo& peer : list()) peers.push_back(peer);
  }
  return peers;
}

}  // namespace

int main(int argc, char** argv) {
  using lacuna::bench::Op;
  return lacuna::bench::RunSuite(
      {.description = "Matrix products of real networks.",
       .ops = {{"gemm", Op::kGemm, /*channels_last=*/false}, {"gemm_nk", Op::kGemm, /*channels_last=*/true}},
       .schemes = {"dense", "bcr_col-8x", "bcr-8x"},
       .lacuna = &lacuna::bench::LacunaGemms,
       .peers = &Peers},
      argc, argv);
}
