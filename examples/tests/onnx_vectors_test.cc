// ONNX's own vectors of every supported operator: the models of Debian's libonnx-testdata.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "graph/executor.h"
#include "graph/onnx_file.h"
#include "graph/onnx_import.h"
#include "graph/operator.h"

namespace {

namespace fs = std::filesystem;

struct Skip {
  const char* model;  // a pattern of names
  const char* reason;
};

// Models of supported operators that are not run.
constexpr Skip kSkipped[] = {
    {"test_identity_sequence", "values are tensors, not sequences"},
    {"test_identity_opt", "values are tensors, not optionals"},
    {"test_dropout_default_mask*", "the mask is an output of training"},
    {"test_batchnorm_*training_mode", "training"},
    {"test_training_dropout*", "training"},
    {"test_*BFLOAT16*", "the vector holds UINT16 for BFLOAT16"},
    {"test_*STRING*", "values are numbers"},
    {"test_if_seq", "values are tensors, not sequences"},
    {"test_if_opt", "values are tensors, not optionals"},
    {"test_loop13_seq", "values are tensors, not sequences"},
    {"test_loop16_seq_none", "values are tensors, not sequences"},
    {"test_resize_downsample_scales_*_align_corners", "the size is that of ONNX Runtime, a whole number"},
    {"test_scan_sum", "Scan of operator set 8"},
};

// Operators of which libonnx-testdata has no vector: they are newer, or never had one. operators_test has them.
constexpr std::string_view kTestedElsewhere[] = {
    "BitwiseAnd",      "BitwiseNot",       "BitwiseOr", "BitwiseXor", "Gelu",  "GlobalLpPool", "GroupNormalization",
    "LpNormalization", "RMSNormalization", "LpPool",    "Mish",       "QGemm", "QLinearAdd"};

// Each '*' stands for any characters.
bool Matches(std::string_view pattern, std::string_view name) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  for (size_t skipped = star; skipped <= name.size(); ++skipped) {
    if (Matches(pattern.substr(star + 1), name.substr(skipped))) return true;
  }
  return false;
}

const char* SkipReason(const std::string& name) {
  for (const Skip& skip : kSkipped) {
    if (Matches(skip.model, name)) return skip.reason;
  }
  return nullptr;
}

// The operators of a model if all of them are supported, else nothing.
std::set<std::string> SupportedOps(const onnx::ModelProto& model) {
  std::set<std::string> ops;
  for (const auto& node : model.graph().node()) {
    const std::string& op = node.op_type();
    const bool supported =
        graph::FindOperator(op) != nullptr || op == "Constant" || op == "If" || op == "Loop" || op == "Scan";
    if (!supported || !node.domain().empty()) return {};
    ops.insert(node.op_type());
  }
  return ops;
}

// Which graph inputs become constants: a layer whose weights are known takes another path than one that computes on
// both.
enum class Binding { kAllButFirst, kNone, kOnlyFirst, kAll };

struct Vector {
  std::vector<graph::Tensor> inputs;
  std::vector<graph::Tensor> outputs;
};

std::vector<graph::Tensor> ReadTensors(const fs::path& folder, const std::string& stem) {
  std::vector<graph::Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / (stem + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(path)) return tensors;
    auto tensor = graph::ImportTensorFile(path.string());
    tensors.push_back(tensor.ok() ? *std::move(tensor) : graph::Tensor{});
  }
}

// Inputs of the model that no initializer provides, in the order of the files.
std::vector<std::string> InputNames(const onnx::ModelProto& model) {
  std::set<std::string> initialised;
  for (const auto& tensor : model.graph().initializer()) initialised.insert(tensor.name());
  std::vector<std::string> names;
  for (const auto& input : model.graph().input()) {
    if (!initialised.contains(input.name())) names.push_back(input.name());
  }
  return names;
}

// The tolerances of ONNX's own runner. Infinities and NaN must be those expected.
bool IsClose(double actual, double expected) {
  if (std::isnan(expected) || std::isinf(expected))
    return std::isnan(expected) ? std::isnan(actual) : actual == expected;
  return std::abs(actual - expected) <= 1e-5 + 1e-3 * std::abs(expected);
}

void CheckOutput(const graph::Tensor& actual, const graph::Tensor& expected) {
  CHECK_MESSAGE(actual.type == expected.type, std::string(graph::ToString(actual.type)), " instead of ",
                std::string(graph::ToString(expected.type)));
  CHECK_MESSAGE(actual.shape == expected.shape, graph::ToString(actual.shape), " instead of ",
                graph::ToString(expected.shape));
  if (actual.floats.size() != expected.floats.size()) {
    FAIL_CHECK("floats for integers");
    return;
  }
  size_t wrong = actual.integers == expected.integers ? 0 : 1;
  for (size_t i = 0; i < actual.floats.size(); ++i) {
    wrong += IsClose(double{actual.floats[i]}, double{expected.floats[i]}) ? 0 : 1;
  }
  CHECK_MESSAGE(wrong == 0, wrong, " of ", actual.floats.size() + actual.integers.size(), " values are wrong");
}

// Runs one vector; the Status of import or compilation.
graph::Status RunVector(const std::vector<char>& bytes, const std::vector<std::string>& names, const Vector& vector,
                        Binding binding) {
  graph::ImportOptions options;
  std::map<std::string, const graph::Tensor*> fed;
  for (size_t i = 0; i < std::min(names.size(), vector.inputs.size()); ++i) {
    const bool constant = binding == Binding::kAll || (binding == Binding::kAllButFirst && i > 0) ||
                          (binding == Binding::kOnlyFirst && i == 0);
    if (constant) options.constants[names[i]] = vector.inputs[i];
    if (!constant) fed[names[i]] = &vector.inputs[i];
  }
  LACUNA_ASSIGN_OR_RETURN(model, graph::ImportOnnx(bytes, options));
  LACUNA_ASSIGN_OR_RETURN(network, graph::Network::Compile(model));
  for (size_t i = 0; i < network.input_count(); ++i) {
    LACUNA_RETURN_IF_ERROR(network.SetInput(i, *fed.at(network.input_info(i).name)));
  }
  LACUNA_RETURN_IF_ERROR(network.Run());
  REQUIRE(network.output_count() == vector.outputs.size());
  for (size_t i = 0; i < network.output_count(); ++i) {
    CheckOutput(network.OutputTensor(i), vector.outputs[i]);
  }
  return graph::Status();
}

TEST_CASE("ONNX operator vectors") {
  std::map<std::string, int> passed;  // by operator
  size_t runs = 0;
  for (const char* suite : {"node", "pytorch-converted", "pytorch-operator", "simple"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(LACUNA_ONNX_TESTDATA_DIR) / suite)) {
      const std::string name = entry.path().filename().string();
      INFO(std::string(suite), "/", name);
      const auto bytes = graph::ReadFile((entry.path() / "model.onnx").string());
      if (!bytes.ok()) continue;
      const auto model = graph::ParseModel(*bytes, name);
      REQUIRE(model.ok());
      const std::set<std::string> ops = SupportedOps(*model);
      if (ops.empty()) continue;
      if (const char* reason = SkipReason(name); reason != nullptr) {
        std::printf("skipped %-46s %s\n", name.c_str(), reason);
        continue;
      }
      for (const auto& set : fs::directory_iterator(entry.path())) {
        if (!set.is_directory()) continue;
        const Vector vector{ReadTensors(set.path(), "input"), ReadTensors(set.path(), "output")};
        const std::vector<std::string> names = InputNames(*model);
        graph::Status status = RunVector(*bytes, names, vector, Binding::kAllButFirst);
        // Where the first input decides shapes or what runs.
        if (status.code() == graph::StatusCode::kUnsupported) {
          status = RunVector(*bytes, names, vector, Binding::kAll);
        }
        CHECK_MESSAGE(status.ok(), std::string(status.message()));
        for (const std::string& op : ops) ++passed[op];
        ++runs;
        for (const Binding binding : {Binding::kNone, Binding::kOnlyFirst}) {
          if (names.size() > 1) runs += RunVector(*bytes, names, vector, binding).ok() ? 1 : 0;
        }
      }
    }
  }
  for (const auto& [op, count] : passed) std::printf("passed  %-20s %d\n", op.c_str(), count);
  std::printf("%zu runs\n", runs);
  std::printf("%zu operators are supported\n", graph::AllOperators().size());
  for (const graph::Operator& op : graph::AllOperators()) {
    const bool tested =
        passed.contains(std::string(op.name)) ||
        std::find(std::begin(kTestedElsewhere), std::end(kTestedElsewhere), op.name) != std::end(kTestedElsewhere);
    CHECK_MESSAGE(tested, "no vector of operator ", std::string(op.name));
  }
}

}  // namespace
