// Every operation of the public interface with memory that runs out at its first allocation, its second, and so on: a
// Status, nothing leaked, and the same operation succeeds afterwards. Runs allocate nothing.

#include "lacuna/c/lacuna.h"
#include "lacuna/format/bcrc.h"
#include "lacuna/format/convert.h"
#include <lacuna/lacuna.h>

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/allocations.h"
#include "tests/support/plans.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

using Failures = FailingAllocations::Failures;

// `operation` returns a Status or a Result, and keeps nothing.
template <class F>
void CheckEachAllocation(const char* name, const F& operation) {
  CAPTURE(name);
  const auto status_of = [&] {
    const auto result = operation();
    if constexpr (requires { result.status(); }) {
      return result.status();
    } else {
      return result;
    }
  };
  const std::string first = status_of().message();
  REQUIRE(first == "");
  const size_t before = Allocations();
  REQUIRE(status_of().ok());
  const size_t allocations = Allocations() - before;
  CHECK(allocations > 0);
  size_t refused = 0, wrong = 0, leaked = 0;
  for (const Failures failures : {Failures::kOne, Failures::kAllFurther}) {
    for (size_t n = 0; n < allocations; ++n) {
      const size_t live = LiveAllocations();
      Status status;
      {
        const FailingAllocations failing(n, failures);
        status = status_of();
      }
      // An alternative that needs less memory is no failure.
      wrong += !status.ok() && status.code() != StatusCode::kOutOfMemory;
      refused += !status.ok();
      leaked += LiveAllocations() != live;
    }
  }
  CHECK(wrong == 0);
  CHECK(refused > 0);
  CHECK(leaked == 0);
  CHECK(status_of().ok());
}

std::vector<float> Values(int64_t count, uint32_t seed = 1) {
  std::vector<float> values(static_cast<size_t>(count));
  FillGaussian(values, seed);
  Thin(values, seed + 1, 0.4);
  return values;
}

struct Matrix {
  explicit Matrix(const MatrixShape& shape)
      : values(Values(shape.elements())), made(DenseWeights<float>::View(shape, values)) {
    REQUIRE(made.ok());
  }
  const DenseWeights<float>& dense() const { return *made; }

  std::vector<float> values;
  Result<DenseWeights<float>> made;
};

TEST_CASE("out of memory: formats, conversions, blobs") {
  const Matrix matrix({.rows = 12, .columns = 36, .groups = 2});
  const auto& dense = matrix.dense();
  CheckEachAllocation("dense copy", [&] { return DenseWeights<float>::CopyOf(dense.shape(), dense.values()); });
  CheckEachAllocation("csr", [&] { return CsrWeights<float>::FromDense(dense); });
  CheckEachAllocation("block", [&] { return BlockWeights<float>::FromDense(dense, BlockShape{2, 3}); });
  CheckEachAllocation("bcr", [&] { return BcrWeights<float>::FromDense(dense, BlockShape{4, 8}); });
  CheckEachAllocation("pattern", [&] { return PatternWeights<float>::FromDense(dense, 9, 2); });
  const auto bcr = BcrWeights<float>::FromDense(dense, BlockShape{4, 8});
  const auto block = BlockWeights<float>::FromDense(dense, BlockShape{2, 3});
  REQUIRE(bcr.ok());
  REQUIRE(block.ok());
  CheckEachAllocation("expand", [&] { return ExpandRows(*bcr); });
  CheckEachAllocation("to csr", [&] { return Convert<CsrWeights<float>>(*bcr); });
  CheckEachAllocation("block to bcr", [&] { return Convert<BcrWeights<float>>(*block); });
  CheckEachAllocation("bcr to pattern", [&] { return Convert<PatternWeights<float>>(*bcr, 9, 1); });
  CheckEachAllocation("bcrc", [&]() -> Status {
    LACUNA_ASSIGN_OR_RETURN(arrays, ToBcrc(*bcr));
    return FromBcrc(arrays, bcr->shape(), bcr->block()).status();
  });
  CheckEachAllocation("blob", [&] { return Serialize(*bcr); });
}

TEST_CASE("out of memory: pruning by every scheme") {
  const Matrix matrix({.rows = 16, .columns = 16 * 9});
  for (const char* name : {"dense", "unstructured-4x", "pattern-4x", "pattern_g4-8x", "bcr-4x", "bcr_col-8x",
                           "bcr_kernel-4x", "bcr_col_c4-4x", "punched-4x", "punched_balanced-4x", "block_8x1-4x",
                           "block_kernel_8x4-2x", "connectivity-4x", "filter-2x"}) {
    CheckEachAllocation(name, [&]() -> Result<AnyWeights<float>> {
      LACUNA_ASSIGN_OR_RETURN(scheme, prune::ParseScheme(name));
      LACUNA_ASSIGN_OR_RETURN(pruned, prune::Project(matrix.dense(), scheme, 9));
      LACUNA_ASSIGN_OR_RETURN(expanded, pruned.ToDense());
      return prune::Cover(expanded, scheme, 9);
    });
  }
}

TEST_CASE("out of memory: text that is parsed needs none") {
  const size_t before = Allocations();
  CHECK(prune::ParseScheme("block_kernel_8x4_c2-3.5x").ok() != prune::ParseScheme("bcr_col-8x").ok());
  CHECK_FALSE(prune::ParseScheme("no such scheme, whatever its length, which is more than a name may have-8x").ok());
  CHECK(Allocations() == before);
}

template <int kRank>
void CheckForms(const ConvShape<kRank>& shape) {
  const Matrix matrix(MatrixShapeOf(shape));
  const auto csr = CsrWeights<float>::FromDense(matrix.dense());
  REQUIRE(csr.ok());
  const std::vector<float> bias(static_cast<size_t>(shape.out_channels), 1.0f);
  const auto any = PlanConvolution<kRank>(*csr, shape, {.bias = bias}, {.winograd_error = 1.0});
  REQUIRE(any.ok());
  const Explanation explanation = any->Explain();
  for (size_t i = 0; i < explanation.option_count; ++i) {
    const char* name = explanation.options[i].name;
    CheckEachAllocation(name, [&] { return PlanConvolution<kRank>(*csr, shape, {.bias = bias}, {.algorithm = name}); });
  }
  std::vector<float> x(static_cast<size_t>(shape.input_elements())), y(static_cast<size_t>(shape.output_elements()));
  std::vector<std::byte> workspace(any->WorkspaceBytes(1));
  const size_t before = Allocations();
  CHECK(any->Run(TensorView<const float, kRank + 2>::Planar(x.data(), shape.input_tensor()),
                 TensorView<float, kRank + 2>::Planar(y.data(), shape.output_tensor()), {.workspace = workspace})
            .ok());
  CHECK(Allocations() == before);
}

TEST_CASE("out of memory: convolutions in every form") {
  CheckForms<1>({.in_channels = 6, .out_channels = 10, .input = {20}, .kernel = {3}});
  CheckForms<2>({.in_channels = 6, .out_channels = 10, .groups = 2, .input = {9, 11}, .kernel = {3, 3}});
  CheckForms<2>({.in_channels = 8, .out_channels = 8, .groups = 8, .input = {9, 11}, .kernel = {3, 3}});
  CheckForms<3>({.in_channels = 4, .out_channels = 6, .input = {5, 6, 7}, .kernel = {3, 3, 3}});
}

TEST_CASE("out of memory: products, packed weights and their blobs") {
  const Matrix matrix({.rows = 40, .columns = 50});
  const auto csr = CsrWeights<float>::FromDense(matrix.dense());
  REQUIRE(csr.ok());
  CheckEachAllocation("gemm", [&] { return MakeGemm(*csr, GemmShape{17}); });
  const auto any = PlanGemv(*csr);
  REQUIRE(any.ok());
  const Explanation explanation = any->Explain();
  for (size_t i = 0; i < explanation.option_count; ++i) {
    const char* name = explanation.options[i].name;
    CheckEachAllocation(name, [&] { return PlanGemv(*csr, {}, {.algorithm = name}); });
  }
  CheckEachAllocation("pack", [&] { return PackWeights(*csr); });
  const auto packed = PackWeights(*csr);
  REQUIRE(packed.ok());
  CheckEachAllocation("packed blob", [&] { return Serialize(**packed, ActiveTargetName()); });
  const auto bytes = Serialize(**packed, ActiveTargetName());
  REQUIRE(bytes.ok());
  CheckEachAllocation("mapped", [&]() -> Result<Gemm> {
    LACUNA_ASSIGN_OR_RETURN(viewed, ViewPackedWeights(*bytes));
    return MakeGemm(viewed, GemmShape{17});
  });
}

TEST_CASE("out of memory: 8-bit integers") {
  const ConvShape<2> shape{.in_channels = 8, .out_channels = 12, .input = {7, 9}, .kernel = {3, 3}};
  const std::vector<int8_t> values(static_cast<size_t>(shape.weight_elements()), 3);
  const auto dense = DenseWeights<int8_t>::View(MatrixShapeOf(shape), values);
  REQUIRE(dense.ok());
  const std::vector<float> scale{0.1f};
  CheckEachAllocation("quantized", [&] { return MakeQuantizedConvolution<2>(*dense, shape, {.weight_scale = scale}); });
}

template <RecurrentOptions Options>
void CheckCells() {
  const Matrix input({.rows = Options::kGates * 6, .columns = 5}),
      recurrent({.rows = Options::kGates * 6, .columns = 6});
  const AnyWeights<float> w(*CsrWeights<float>::FromDense(input.dense())),
      r(*CsrWeights<float>::FromDense(recurrent.dense()));
  const std::vector<float> bias(static_cast<size_t>(Options::kGates * 12), 0.1f);
  Options options;
  options.bias = bias;
  CheckEachAllocation(Options::kName, [&] { return PlanCell(w, r, options); });
  CheckEachAllocation(Options::kName, [&] { return PlanLayer(w, r, options, SequenceShape{.batch = 2, .steps = 3}); });
}

TEST_CASE("out of memory: recurrent cells and layers") {
  CheckCells<RnnOptions>();
  CheckCells<GruOptions>();
  CheckCells<LstmOptions>();
}

TEST_CASE("out of memory: choices") {
  Choices choices("cpu", "target");
  const LayerKey layer{.in_channels = 3, .out_channels = 8};
  CheckEachAllocation("choices", [&]() -> Status {
    Choices filled("cpu", "target");
    LACUNA_RETURN_IF_ERROR(filled.Insert(layer, "8x3", 0.1));
    LACUNA_ASSIGN_OR_RETURN(text, filled.Serialize());
    LACUNA_RETURN_IF_ERROR(choices.Parse({text.data(), text.size()}));
    return choices.Insert({.in_channels = 4, .out_channels = 8}, "8x3", 0.1);
  });
}

// A status of the C interface as a Status.
Status FromC(lacuna_status status) {
  return status == LACUNA_OK ? Status() : Status::Make(static_cast<StatusCode>(status), "%s", lacuna_last_error());
}

TEST_CASE("out of memory: the C interface") {
  const std::vector<float> dense = Values(8 * 36);
  lacuna_matrix matrix = {};
  matrix.struct_size = sizeof(matrix);
  matrix.rows = 8;
  matrix.columns = 36;
  matrix.taps = 9;
  lacuna_conv_shape shape = {};
  shape.struct_size = sizeof(shape);
  shape.rank = 2;
  shape.in_channels = 4;
  shape.out_channels = 8;
  shape.input[0] = shape.input[1] = 7;
  shape.kernel[0] = shape.kernel[1] = 3;
  const std::string path =
      (std::filesystem::temp_directory_path() / ("out_of_memory_test_" + std::to_string(getpid()) + ".lacuna"))
          .string();
  CheckEachAllocation("prune, save, load, plan, explain", [&]() -> Status {
    lacuna_weights *weights = nullptr, *loaded = nullptr;
    lacuna_conv* conv = nullptr;
    Status status = FromC(lacuna_prune(dense.data(), &matrix, "bcr_col-4x", &weights));
    if (status.ok()) status = FromC(lacuna_weights_save(weights, path.c_str()));
    if (status.ok()) status = FromC(lacuna_weights_load(path.c_str(), &loaded));
    if (status.ok()) status = FromC(lacuna_conv_create(loaded, &shape, nullptr, nullptr, &conv));
    if (status.ok()) {
      char text[200];
      const size_t before = Allocations();
      CHECK(lacuna_conv_explain(conv, text, sizeof(text)) > sizeof(text));
      CHECK(Allocations() == before);
    }
    lacuna_conv_destroy(conv);
    lacuna_weights_destroy(loaded);
    lacuna_weights_destroy(weights);
    return status;
  });
  std::remove(path.c_str());
  const std::vector<float> w = Values(24 * 5), r = Values(24 * 6);
  const auto of = [&](const std::vector<float>& values, int64_t columns) {
    lacuna_matrix m = {};
    m.struct_size = sizeof(m);
    m.rows = 24;
    m.columns = columns;
    lacuna_weights* weights = nullptr;
    REQUIRE(lacuna_prune(values.data(), &m, "dense", &weights) == LACUNA_OK);
    return weights;
  };
  lacuna_weights *input = of(w, 5), *recurrent = of(r, 6);
  CheckEachAllocation("recurrent", [&]() -> Status {
    lacuna_recurrent_options options = {};
    options.struct_size = sizeof(options);
    options.cell = LACUNA_LSTM;
    lacuna_recurrent* layer = nullptr;
    const Status status = FromC(lacuna_recurrent_create(&input, &recurrent, 1, &options, nullptr, &layer));
    lacuna_recurrent_destroy(layer);
    return status;
  });
  lacuna_weights_destroy(input);
  lacuna_weights_destroy(recurrent);
}

}  // namespace
}  // namespace lacuna::test
