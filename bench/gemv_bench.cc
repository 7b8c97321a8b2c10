// y = W x: op `gemv` with weights in the caches that hold them, op `gemv_cold` with weights in memory; with a few
// vectors `gemv_n4` and so on.

#include "lacuna_engine.h"
#include "peers/peers.h"
#include "suite.h"
#include "weight_report.h"

namespace {

using namespace lacuna::bench;

std::vector<EngineInfo> Peers() {
  std::vector<EngineInfo> peers;
  for (const auto list : {&OnednnGemvs, &OpenblasGemvs, &EigenGemvs}) {
    for (const EngineInfo& peer : list()) peers.push_back(peer);
  }
  return peers;
}

}  // namespace

int main(int argc, char** argv) {
  SuiteOp warm{.name = "gemv", .op = Op::kGemv, .channels_last = true, .takes = &IsMeasuredGemv, .weight_bound = true};
  SuiteOp cold = warm;
  cold.name = "gemv_cold";
  cold.cold = true;
  return RunSuite({.description = "Matrix-vector products of real networks.",
                   .ops = {warm, cold},
                   .schemes = {"dense", "bcr_col-4x", "bcr_col-8x", "bcr_col-16x", "bcr-8x", "block_8x1-8x",
                               "block_4x4-8x", "unstructured-4x", "unstructured-8x", "unstructured-16x"},
                   .lacuna = &LacunaGemvs,
                   .peers = &Peers,
                   .print = &PrintGemvs},
                  argc, argv);
}
