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
#include "graph/operators.h"

namespace {

namespace fs = std::filesystem;

struct Skip {
  const char* model;  // a pattern of names
  const char* reason;
};

// Models of supported operators that are not run. Each must be refused with a Status.
constexpr Skip kSkipped[] = {
    {"test_add_uint8", "layers compute on FLOAT"},
    {"test_mul_uint8", "layers compute on FLOAT"},
    {"test_maxpool_2d_uint8", "layers compute on FLOAT"},
    {"test_clip_default_int8*", "layers compute on FLOAT"},
    {"test_identity_sequence", "values are tensors, not sequences"},
    {"test_identity_opt", "values are tensors, not optionals"},
    {"test_dropout_default_mask*", "the mask is an output of training"},
    {"test_batchnorm_*training_mode", "training"},
    {"test_training_dropout*", "training"},
    {"test_operator_add_*broadcast", "layers compute on FLOAT, not DOUBLE"},
    {"test_operator_addconstant", "layers compute on FLOAT, not DOUBLE"},
    {"test_operator_non_float_params", "layers compute on FLOAT"},
    {"test_maxpool_with_argmax*", "Indices, the second output"},
    {"test_resize_*_cubic*", "Resize is of mode nearest"},
    {"test_resize_*_linear*", "Resize is of mode nearest"},
    {"test_resize_tf_crop_and_resize", "Resize has no region of interest"},
};

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
    const bool supported = std::any_of(graph::SupportedOperators().begin(), graph::SupportedOperators().end(),
                                       [&](const auto& entry) { return entry.op == node.op_type(); });
    if (!supported || !node.domain().empty()) return {};
    ops.insert(node.op_type());
  }
  return ops;
}

// Which graph inputs become constants: a layer whose weights are known takes another path than one that computes on
// both.
enum class Binding { kAllButFirst, kNone, kOnlyFirst };

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

void CheckOutput(std::span<const float> actual, const graph::Tensor& expected) {
  REQUIRE(actual.size() == expected.floats.size());
  size_t wrong = 0;
  double worst = 0.0;
  for (size_t i = 0; i < actual.size(); ++i) {  // the tolerances of ONNX's own runner
    const double difference = std::abs(double{actual[i]} - double{expected.floats[i]});
    if (!(difference <= 1e-5 + 1e-3 * std::abs(double{expected.floats[i]}))) ++wrong;
    worst = std::max(worst, difference);
  }
  CHECK_MESSAGE(wrong == 0, wrong, " of ", actual.size(), " values are wrong, by up to ", worst);
}

// Runs one vector; the Status of import or compilation.
graph::Status RunVector(const std::vector<char>& bytes, const std::vector<std::string>& names, const Vector& vector,
                        Binding binding) {
  graph::ImportOptions options;
  std::map<std::string, const graph::Tensor*> fed;
  for (size_t i = 0; i < std::min(names.size(), vector.inputs.size()); ++i) {
    const bool constant = binding == Binding::kAllButFirst ? i > 0 : binding == Binding::kOnlyFirst && i == 0;
    if (constant) options.constants[names[i]] = vector.inputs[i];
    if (!constant) fed[names[i]] = &vector.inputs[i];
  }
  LACUNA_ASSIGN_OR_RETURN(model, graph::ImportOnnx(bytes, options));
  LACUNA_ASSIGN_OR_RETURN(network, graph::Network::Compile(model));
  for (size_t i = 0; i < network.input_count(); ++i) {
    const graph::Tensor& tensor = *fed.at(network.input_info(i).name);
    REQUIRE(tensor.floats.size() == network.input(i).size());
    std::copy(tensor.floats.begin(), tensor.floats.end(), network.input(i).begin());
  }
  LACUNA_RETURN_IF_ERROR(network.Run());
  REQUIRE(network.output_count() == vector.outputs.size());
  for (size_t i = 0; i < network.output_count(); ++i) {
    CHECK(network.output_shape(i) == vector.outputs[i].shape);
    CheckOutput(network.output(i), vector.outputs[i]);
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
      for (const auto& set : fs::directory_iterator(entry.path())) {
        if (!set.is_directory()) continue;
        const Vector vector{ReadTensors(set.path(), "input"), ReadTensors(set.path(), "output")};
        const std::vector<std::string> names = InputNames(*model);
        const graph::Status status = RunVector(*bytes, names, vector, Binding::kAllButFirst);
        if (const char* reason = SkipReason(name); reason != nullptr) {
          CHECK_FALSE(status.ok());
          std::printf("skipped %-46s %s: %s\n", name.c_str(), reason, status.message());
          continue;
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
  for (const graph::OperatorArity& op : graph::SupportedOperators()) {
    CHECK_MESSAGE(passed.contains(std::string(op.op)), "no vector of operator ", std::string(op.op));
  }
}

}  // namespace
