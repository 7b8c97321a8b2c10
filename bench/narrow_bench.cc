// y = W x with weights of 16, 8 and 4 bits: ops `gemv_f16`, `gemv_bf16`, `gemv_i8` and `gemv_w4`, with weights in the
// caches that hold them, and `gemv_f16_cold` and so on with weights in memory. lacuna_f32 has f32 weights.

#include <array>
#include <vector>

#include "lacuna_engine.h"
#include "suite.h"
#include "weight_report.h"

int main(int argc, char** argv) {
  using namespace lacuna::bench;
  using lacuna::ValueType;
  struct Type {
    const char* warm;
    const char* cold;
    std::vector<EngineInfo> (*engines)(const Options& options);
  };
  constexpr std::array kTypes = {Type{"gemv_f16", "gemv_f16_cold", &LacunaNarrowGemvs<ValueType::kF16>},
                                 Type{"gemv_bf16", "gemv_bf16_cold", &LacunaNarrowGemvs<ValueType::kBf16>},
                                 Type{"gemv_i8", "gemv_i8_cold", &LacunaNarrowGemvs<ValueType::kS8>},
                                 Type{"gemv_w4", "gemv_w4_cold", &LacunaNarrowGemvs<ValueType::kS4>}};
  std::vector<SuiteOp> ops;
  for (const Type& type : kTypes) {
    SuiteOp op{.name = type.warm,
               .op = Op::kGemv,
               .channels_last = true,
               .takes = &IsMeasuredGemv,
               .lacuna = type.engines,
               .peers = [] { return std::vector<EngineInfo>(); },
               .weight_bound = true};
    ops.push_back(op);
    op.name = type.cold;
    op.cold = true;
    ops.push_back(op);
  }
  return RunSuite({.description = "Matrix-vector products with weights of 16, 8 and 4 bits.",
                   .ops = ops,
                   .schemes = {"dense", "bcr_col-8x", "bcr-8x", "unstructured-8x"},
                   .print = &PrintNarrowGemvs},
                  argc, argv);
}
