// Small ONNX models for tests.

#ifndef LACUNA_EXAMPLES_TESTS_MODEL_BUILDER_H_
#define LACUNA_EXAMPLES_TESTS_MODEL_BUILDER_H_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/builtin.h"
#include "graph/graph.h"

namespace test {

class ModelBuilder {
 public:
  explicit ModelBuilder(int64_t opset = 14) {
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(opset);
    model_.mutable_graph()->set_name("test");
  }

  ModelBuilder& Input(const std::string& name, const graph::Shape& shape) {
    SetType(*model_.mutable_graph()->add_input(), name, shape);
    return *this;
  }
  ModelBuilder& Output(const std::string& name) {
    SetType(*model_.mutable_graph()->add_output(), name, {});
    return *this;
  }

  // Gaussian values, the same for the same name.
  ModelBuilder& Weights(const std::string& name, const graph::Shape& shape) {
    std::vector<float> values(static_cast<size_t>(graph::Elements(shape)));
    graph::FillGaussian(values, 0.5f, name.size() * 31 + static_cast<uint64_t>(name[0]));
    return Weights(name, shape, values);
  }
  ModelBuilder& Weights(const std::string& name, const graph::Shape& shape, const std::vector<float>& values) {
    onnx::TensorProto& tensor = AddTensor(name, shape, onnx::TensorProto::FLOAT);
    tensor.set_raw_data(values.data(), values.size() * sizeof(float));
    return *this;
  }
  ModelBuilder& Integers(const std::string& name, const std::vector<int64_t>& values) {
    onnx::TensorProto& tensor = AddTensor(name, {static_cast<int64_t>(values.size())}, onnx::TensorProto::INT64);
    for (const int64_t value : values) tensor.add_int64_data(value);
    return *this;
  }

  onnx::NodeProto& Node(const std::string& name, const std::string& op, const std::vector<std::string>& inputs,
                        const std::string& output) {
    onnx::NodeProto& node = *model_.mutable_graph()->add_node();
    node.set_name(name);
    node.set_op_type(op);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return node;
  }

  // Four constants of C values: BatchNormalization's scale, bias, mean and variance.
  ModelBuilder& Normalisation(const std::string& prefix, int64_t channels) {
    Weights(prefix + ".scale", {channels});
    Weights(prefix + ".bias", {channels});
    Weights(prefix + ".mean", {channels});
    std::vector<float> variance(static_cast<size_t>(channels));
    for (size_t c = 0; c < variance.size(); ++c) variance[c] = 0.5f + 0.25f * static_cast<float>(c % 4);
    return Weights(prefix + ".variance", {channels}, variance);
  }

  onnx::ModelProto& model() { return model_; }
  const onnx::ModelProto& model() const { return model_; }
  std::vector<char> Bytes() const {
    const std::string bytes = model_.SerializeAsString();
    return {bytes.begin(), bytes.end()};
  }

 private:
  static void SetType(onnx::ValueInfoProto& value, const std::string& name, const graph::Shape& shape) {
    value.set_name(name);
    auto& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    for (const int64_t extent : shape) type.mutable_shape()->add_dim()->set_dim_value(extent);
  }
  onnx::TensorProto& AddTensor(const std::string& name, const graph::Shape& shape, onnx::TensorProto::DataType type) {
    onnx::TensorProto& tensor = *model_.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const int64_t extent : shape) tensor.add_dims(extent);
    return tensor;
  }

  onnx::ModelProto model_;
};

inline void AddInts(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const int64_t value : values) attribute.add_ints(value);
}

inline void AddInt(onnx::NodeProto& node, const std::string& name, int64_t value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

inline void AddFloat(onnx::NodeProto& node, const std::string& name, float value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

inline void AddFloats(onnx::NodeProto& node, const std::string& name, const std::vector<float>& values) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOATS);
  for (const float value : values) attribute.add_floats(value);
}

inline void AddString(onnx::NodeProto& node, const std::string& name, const std::string& value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(value);
}

inline void AddStrings(onnx::NodeProto& node, const std::string& name, const std::vector<std::string>& values) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::STRINGS);
  for (const std::string& value : values) attribute.add_strings(value);
}

// A classifier with most operators: convolutions, normalisation, a residual block, poolings, a matrix product. 3 x 12 x
// 12 images to 10 classes.
inline ModelBuilder SmallClassifier() {
  ModelBuilder net;
  net.Input("image", {1, 3, 12, 12}).Output("probabilities");
  net.Weights("w1", {16, 3, 3, 3}).Weights("b1", {16}).Normalisation("norm", 16);
  net.Weights("w2", {16, 16, 3, 3}).Weights("w3", {32, 16, 1, 1}).Weights("fc", {10, 32}).Weights("fc.bias", {10});
  net.Integers("flat", {1, -1});
  AddInts(net.Node("conv1", "Conv", {"image", "w1", "b1"}, "c1"), "pads", {1, 1, 1, 1});
  net.Node("norm1", "BatchNormalization", {"c1", "norm.scale", "norm.bias", "norm.mean", "norm.variance"}, "n1");
  net.Node("relu1", "Relu", {"n1"}, "r1");
  auto& pool = net.Node("pool1", "MaxPool", {"r1"}, "p1");
  AddInts(pool, "kernel_shape", {2, 2});
  AddInts(pool, "strides", {2, 2});
  AddInts(net.Node("conv2", "Conv", {"p1", "w2"}, "c2"), "pads", {1, 1, 1, 1});
  net.Node("add", "Add", {"c2", "p1"}, "a2");
  net.Node("relu2", "Relu", {"a2"}, "r2");
  net.Node("conv3", "Conv", {"r2", "w3"}, "c3");
  net.Node("gate", "Sigmoid", {"c3"}, "g3");
  net.Node("silu", "Mul", {"c3", "g3"}, "s3");
  net.Node("average", "GlobalAveragePool", {"s3"}, "p3");
  net.Node("reshape", "Reshape", {"p3", "flat"}, "f3");
  AddInt(net.Node("fc", "Gemm", {"f3", "fc", "fc.bias"}, "logits"), "transB", 1);
  net.Node("softmax", "Softmax", {"logits"}, "probabilities");
  return net;
}

}  // namespace test

#endif  // LACUNA_EXAMPLES_TESTS_MODEL_BUILDER_H_
