// Eigen: dense product, and product of a sparse matrix, by rows (CSR) or by columns (CSC), with a dense one.

#include "peers/eigen_kernels.h"
#include "peers/peers.h"

namespace lacuna::bench {
namespace {

using Make = decltype(&MakeEigenBaseline);

Make Choose(InstructionSet instruction_set) {
#if defined(__x86_64__)
  const auto allowed = [instruction_set](InstructionSet wanted) { return instruction_set >= wanted; };
  if (allowed(InstructionSet::kAvx512) && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return &MakeEigenAvx512;
  }
  if (allowed(InstructionSet::kAvx2) && __builtin_cpu_supports("fma")) return &MakeEigenAvx2;
#else
  static_cast<void>(instruction_set);
#endif
  return &MakeEigenBaseline;
}

class EigenEngine : public Engine {
 public:
  EigenEngine(std::unique_ptr<EigenProduct> product, Activations x, Activations y)
      : product_(std::move(product)), x_(std::move(x)), y_(std::move(y)) {}
  void Run() override { product_->Run(x_.data(), x_.pixels(), y_.data()); }
  void CopyOutput(std::span<float> planar) const override { y_.CopyTo(planar); }
  std::vector<MemoryRange> Weights() const override { return product_->Weights(); }

 private:
  std::unique_ptr<EigenProduct> product_;
  Activations x_;
  Activations y_;
};

template <EigenStorage kStorage>
Result<EnginePointer> MakeEigen(const Problem& problem, const Settings& settings, const EngineInfo&) {
  const int64_t m = problem.shape.out_channels, k = problem.shape.in_channels;
  const Make make = Choose(settings.instruction_set);
  std::unique_ptr<EigenProduct> product(make(problem.weights.data(), m, k, kStorage, problem.channels_last));
  LACUNA_ASSIGN_OR_RETURN(x, Activations::InputOf(problem, problem.channels_last));
  LACUNA_ASSIGN_OR_RETURN(y, Activations::OutputOf(problem, problem.channels_last));
  return EnginePointer(std::make_unique<EigenEngine>(std::move(product), std::move(x), std::move(y)));
}

}  // namespace

std::vector<EngineInfo> EigenEngines() {
  return {{.name = "eigen", .supports = &IsGemm, .make = &MakeEigen<EigenStorage::kDense>},
          {.name = "eigen_sparse",
           .dense = false,
           .pruned = true,
           .supports = &IsGemm,
           .make = &MakeEigen<EigenStorage::kSparseRows>}};
}

std::vector<EngineInfo> EigenGemvs() {
  const EngineInfo rows{.name = "eigen_rows",
                        .dense = false,
                        .pruned = true,
                        .supports = &IsGemm,
                        .make = &MakeEigen<EigenStorage::kSparseRows>};
  EngineInfo columns = rows;
  columns.name = "eigen_columns";
  columns.make = &MakeEigen<EigenStorage::kSparseColumns>;
  return {rows, columns};
}

}  // namespace lacuna::bench
