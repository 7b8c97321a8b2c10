// Operators of which ONNX's test data have no vector, and what the vectors leave out.

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/operator.h"
#include "tests/model_builder.h"

namespace {

using graph::ElementType;
using graph::Shape;
using graph::Tensor;
using test::ModelBuilder;

Tensor Floats(Shape shape, std::vector<float> values) {
  return {.type = ElementType::kFloat, .shape = std::move(shape), .floats = std::move(values)};
}

// The output 0 of a model of one node, its inputs being graph inputs or, if `fold`, constants.
Tensor Run(const std::string& op, const std::vector<Tensor>& inputs, bool fold,
           const std::function<void(onnx::NodeProto&)>& attributes = {}, int64_t opset = 21) {
  ModelBuilder net(opset);
  std::vector<std::string> names;
  graph::ImportOptions options;
  for (size_t i = 0; i < inputs.size(); ++i) {
    names.push_back("x" + std::to_string(i));
    net.Input(names.back(), inputs[i].shape);
    auto& type =
        *net.model().mutable_graph()->mutable_input(static_cast<int>(i))->mutable_type()->mutable_tensor_type();
    type.set_elem_type(static_cast<int32_t>(graph::OnnxTypeOf(inputs[i].type)));
    if (fold) options.constants[names.back()] = inputs[i];
  }
  auto& node = net.Node("node", op, names, "y");
  if (attributes) attributes(node);
  net.Output("y");
  const auto model = graph::ImportOnnx(net.Bytes(), options);
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  auto network = graph::Network::Compile(*model);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  CHECK(network->layers().size() == (fold ? 0u : 1u));
  for (size_t i = 0; i < network->input_count(); ++i) REQUIRE(network->SetInput(i, inputs[i]).ok());
  REQUIRE(network->Run().ok());
  return network->OutputTensor(0);
}

void CheckNear(const Tensor& actual, const Shape& shape, const std::vector<double>& expected) {
  CHECK(actual.shape == shape);
  REQUIRE(actual.floats.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    CHECK(double{actual.floats[i]} == doctest::Approx(expected[i]).epsilon(1e-5));
}

TEST_CASE("activations") {
  const std::vector<float> x = {-2.0f, -0.5f, 0.0f, 0.25f, 3.0f};
  for (const bool fold : {false, true}) {
    std::vector<double> mish, gelu, tanh_gelu;
    for (const float value : x) {
      const double v = double{value};
      mish.push_back(v * std::tanh(std::log1p(std::exp(v))));
      gelu.push_back(0.5 * v * (1.0 + std::erf(v / std::sqrt(2.0))));
      tanh_gelu.push_back(0.5 * v * (1.0 + std::tanh(std::sqrt(2.0 / std::acos(-1.0)) * (v + 0.044715 * v * v * v))));
    }
    CheckNear(Run("Mish", {Floats({5}, x)}, fold), {5}, mish);
    CheckNear(Run("Gelu", {Floats({5}, x)}, fold), {5}, gelu);
    CheckNear(Run("Gelu", {Floats({5}, x)}, fold,
                  [](onnx::NodeProto& node) { test::AddString(node, "approximate", "tanh"); }),
              {5}, tanh_gelu);
  }
}

TEST_CASE("bits, wrapped to their type") {
  const Tensor a{.type = ElementType::kUint8, .shape = {2, 1}, .integers = {0xf0, 0x3c}};
  const Tensor b{.type = ElementType::kUint8, .shape = {2}, .integers = {0x0f, 0xff}};
  for (const bool fold : {false, true}) {
    CHECK(Run("BitwiseAnd", {a, b}, fold).integers == std::vector<int64_t>{0x00, 0xf0, 0x0c, 0x3c});
    CHECK(Run("BitwiseOr", {a, b}, fold).integers == std::vector<int64_t>{0xff, 0xff, 0x3f, 0xff});
    CHECK(Run("BitwiseXor", {a, b}, fold).integers == std::vector<int64_t>{0xff, 0x0f, 0x33, 0xc3});
    CHECK(Run("BitwiseNot", {a}, fold).integers == std::vector<int64_t>{0x0f, 0xc3});
    CHECK(Run("Add", {a, b}, fold).integers == std::vector<int64_t>{0xff, 0xef, 0x4b, 0x3b});
  }
}

TEST_CASE("norms") {
  const auto p = [](int64_t value) { return [value](onnx::NodeProto& node) { test::AddInt(node, "p", value); }; };
  const Tensor x = Floats({1, 1, 2, 2}, {3.0f, -4.0f, 0.0f, 12.0f});
  CheckNear(Run("GlobalLpPool", {x}, false, p(2)), {1, 1, 1, 1}, {13.0});
  CheckNear(Run("GlobalLpPool", {x}, false, p(1)), {1, 1, 1, 1}, {19.0});
  CheckNear(Run("LpPool", {x}, false,
                [](onnx::NodeProto& node) {
                  test::AddInt(node, "p", 2);
                  test::AddInts(node, "kernel_shape", {1, 2});
                }),
            {1, 1, 2, 1}, {5.0, 12.0});
  const Tensor rows = Floats({2, 2}, {3.0f, -4.0f, 0.0f, 0.0f});
  CheckNear(Run("LpNormalization", {rows}, false, p(2)), {2, 2}, {0.6, -0.8, 0.0, 0.0});
  CheckNear(Run("LpNormalization", {rows}, false, p(1)), {2, 2}, {3.0 / 7.0, -4.0 / 7.0, 0.0, 0.0});
}

TEST_CASE("GroupNormalization: scale and bias of groups before operator set 21, of channels since") {
  const Tensor x = Floats({1, 4, 1, 2}, {1, 3, 5, 7, 2, 2, 2, 6});
  const auto groups = [](onnx::NodeProto& node) {
    test::AddInt(node, "num_groups", 2);
    test::AddFloat(node, "epsilon", 0.0f);
  };
  const double deviation[] = {std::sqrt(5.0), std::sqrt(3.0)};
  std::vector<double> normal;
  for (size_t i = 0; i < 8; ++i) normal.push_back((double{x.floats[i]} - (i < 4 ? 4.0 : 3.0)) / deviation[i / 4]);
  std::vector<double> by_group, by_channel;
  for (size_t i = 0; i < 8; ++i) {
    by_group.push_back(normal[i] * (i < 4 ? 2.0 : 3.0) + (i < 4 ? 0.5 : -0.5));
    by_channel.push_back(normal[i] * static_cast<double>(i / 2 + 1) + static_cast<double>(i / 2));
  }
  CheckNear(Run("GroupNormalization", {x, Floats({2}, {2, 3}), Floats({2}, {0.5f, -0.5f})}, false, groups, 18),
            {1, 4, 1, 2}, by_group);
  CheckNear(Run("GroupNormalization", {x, Floats({4}, {1, 2, 3, 4}), Floats({4}, {0, 1, 2, 3})}, false, groups, 21),
            {1, 4, 1, 2}, by_channel);
}

TEST_CASE("RMSNormalization") {
  const Tensor x = Floats({1, 2, 2}, {3.0f, 4.0f, 0.0f, 2.0f});
  const double first = std::sqrt(12.5), second = std::sqrt(2.0);
  CheckNear(Run("RMSNormalization", {x, Floats({2}, {1.0f, 2.0f})}, false,
                [](onnx::NodeProto& node) { test::AddFloat(node, "epsilon", 0.0f); }),
            {1, 2, 2}, {3.0 / first, 8.0 / first, 0.0, 4.0 / second});
}

TEST_CASE("an index outside is an error when the network runs") {
  ModelBuilder net;
  net.Input("x", {4}).Input("i", {2}).Output("y");
  net.model().mutable_graph()->mutable_input(1)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::INT64);
  net.Node("pick", "Gather", {"x", "i"}, "y");
  const auto model = graph::ImportOnnx(net.Bytes());
  REQUIRE(model.ok());
  auto network = graph::Network::Compile(*model);
  REQUIRE(network.ok());
  const auto run = [&](int64_t index) {
    network->integer_input(1)[0] = 0;
    network->integer_input(1)[1] = index;
    return network->Run();
  };
  CHECK(run(3).ok());
  CHECK(run(-4).ok());
  for (const int64_t index : {int64_t{4}, int64_t{-5}, std::numeric_limits<int64_t>::min(), int64_t{1} << 62}) {
    const graph::Status status = run(index);
    CHECK(status.code() == graph::StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()).find("'pick'") != std::string::npos);
  }
}

TEST_CASE("the table is sorted and every entry infers") {
  const auto all = graph::AllOperators();
  CHECK(all.size() >= 110);
  for (size_t i = 0; i < all.size(); ++i) {
    CHECK((all[i].infer != nullptr));
    if (i > 0) CHECK((all[i - 1].name < all[i].name));
  }
}

}  // namespace
