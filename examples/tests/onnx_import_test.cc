// Import: what a model may look like, and what each kind of damage is called.

#include "graph/onnx_import.h"

#include <doctest/doctest.h>

#include <string>

#include "examples/tests/model_builder.h"
#include "graph/executor.h"
#include "graph/onnx_file.h"
#include "graph/shape_inference.h"

namespace {

using graph::StatusCode;
using test::ModelBuilder;

graph::Status ImportAndCompile(const ModelBuilder& builder) {
  LACUNA_ASSIGN_OR_RETURN(model, graph::ImportOnnx(builder.Bytes()));
  return graph::Network::Compile(model).status();
}

void CheckRefused(const ModelBuilder& builder, StatusCode code, const std::vector<std::string>& words) {
  const graph::Status status = ImportAndCompile(builder);
  const std::string message = status.message();
  CAPTURE(message);
  CHECK(status.code() == code);
  for (const std::string& word : words) {
    const bool found = message.find(word) != std::string::npos;
    CHECK_MESSAGE(found, "message lacks ", word);
  }
}

// A Conv named "stem" from x [1, 2, 5, 5].
ModelBuilder OneConv(const graph::Shape& weights = {4, 2, 3, 3}) {
  ModelBuilder net;
  net.Input("x", {1, 2, 5, 5}).Output("y").Weights("w", weights);
  net.Node("stem", "Conv", {"x", "w"}, "y");
  return net;
}

TEST_CASE("a whole model imports, and every value has a shape") {
  const auto model = graph::ImportOnnx(test::SmallClassifier().Bytes());
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  const auto shapes = graph::InferValues(*model);
  REQUIRE_MESSAGE(shapes.ok(), std::string(shapes.status().message()));
  CHECK(shapes->at("p1").shape == graph::Shape{1, 16, 6, 6});
  CHECK(shapes->at("s3").shape == graph::Shape{1, 32, 6, 6});
  CHECK(shapes->at("f3").shape == graph::Shape{1, 32});
  CHECK(shapes->at("probabilities").shape == graph::Shape{1, 10});
}

TEST_CASE("an open batch takes the option's value; another open extent is asked for and given") {
  ModelBuilder net = OneConv();
  auto& dims = *net.model().mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  dims.mutable_dim(0)->set_dim_param("N");
  auto model = graph::ImportOnnx(net.Bytes());
  REQUIRE(model.ok());
  CHECK(model->inputs[0].shape == graph::Shape{1, 2, 5, 5});
  graph::ImportOptions options;
  options.batch = 7;
  model = graph::ImportOnnx(net.Bytes(), options);
  REQUIRE(model.ok());
  CHECK(model->inputs[0].shape[0] == 7);
  dims.mutable_dim(2)->set_dim_param("H");
  CheckRefused(net, StatusCode::kUnsupported, {"'x'", "extents H", "--shape x=1x2xHx5"});
  options.shapes["x"] = {7, 2, 6, 5};
  model = graph::ImportOnnx(net.Bytes(), options);
  REQUIRE(model.ok());
  CHECK(model->inputs[0].shape == graph::Shape{7, 2, 6, 5});
  options.shapes["x"] = {7, 3, 6, 5};
  CHECK(graph::ImportOnnx(net.Bytes(), options).status().code() == StatusCode::kInvalidArgument);
  options.shapes = {{"z", {1}}};
  CHECK(graph::ImportOnnx(OneConv().Bytes(), options).status().code() == StatusCode::kInvalidArgument);
}

TEST_CASE("files: missing, a directory, not ONNX, truncated") {
  auto model = graph::ImportOnnxFile("/nonexistent/model.onnx");
  CHECK(model.status().code() == StatusCode::kNotFound);
  CHECK(std::string(model.status().message()).find("/nonexistent/model.onnx") != std::string::npos);
  CHECK(graph::ImportOnnxFile("/").status().code() == StatusCode::kNotFound);
  const std::string text = "this is no protobuf";
  CHECK(graph::ImportOnnx(text).status().code() == StatusCode::kDataLoss);
  CHECK(graph::ImportOnnx({}).status().code() == StatusCode::kDataLoss);
  const std::vector<char> bytes = OneConv().Bytes();
  const auto truncated = graph::ImportOnnx(std::span(bytes).first(bytes.size() / 2), {}, "half.onnx");
  CHECK(truncated.status().code() == StatusCode::kDataLoss);
  CHECK(std::string(truncated.status().message()).find("half.onnx") != std::string::npos);
}

TEST_CASE("an unsupported operator is named with its node") {
  ModelBuilder net = OneConv();
  net.Node("odd one", "StringNormalizer", {"y"}, "z");
  CheckRefused(net, StatusCode::kUnsupported, {"'odd one'", "StringNormalizer"});
  ModelBuilder domain = OneConv();
  domain.Node("custom", "Relu", {"y"}, "z").set_domain("com.example");
  CheckRefused(domain, StatusCode::kUnsupported, {"'custom'", "com.example"});
  ModelBuilder second = OneConv();
  second.Node("drop", "Dropout", {"y"}, "z").add_output("mask");
  CHECK(ImportAndCompile(second).ok());  // nobody reads the mask
  second.Output("mask");
  CheckRefused(second, StatusCode::kUnsupported, {"'drop'", "output 1"});
}

TEST_CASE("values: undefined, defined twice, without data, of another type") {
  ModelBuilder undefined;
  undefined.Input("x", {1, 2, 5, 5}).Output("y");
  undefined.Node("stem", "Conv", {"x", "w"}, "y");
  CheckRefused(undefined, StatusCode::kInvalidArgument, {"'stem'", "'w'"});

  ModelBuilder output = OneConv();
  output.Output("nowhere");
  CheckRefused(output, StatusCode::kInvalidArgument, {"'nowhere'"});

  ModelBuilder twice = OneConv();
  twice.Node("again", "Relu", {"x"}, "y");
  CheckRefused(twice, StatusCode::kInvalidArgument, {"'y'", "twice"});

  ModelBuilder short_data = OneConv();
  short_data.model().mutable_graph()->mutable_initializer(0)->mutable_raw_data()->resize(100);
  CheckRefused(short_data, StatusCode::kDataLoss, {"'w'", "72"});

  ModelBuilder half = OneConv();
  half.model().mutable_graph()->mutable_initializer(0)->set_data_type(onnx::TensorProto::FLOAT16);
  CheckRefused(half, StatusCode::kDataLoss, {"'w'", "72"});
  half.model().mutable_graph()->mutable_initializer(0)->set_data_type(onnx::TensorProto::STRING);
  CheckRefused(half, StatusCode::kUnsupported, {"'w'", "STRING"});

  ModelBuilder external = OneConv();
  external.model().mutable_graph()->mutable_initializer(0)->set_data_location(onnx::TensorProto::EXTERNAL);
  CheckRefused(external, StatusCode::kUnsupported, {"'w'", "another file"});

  ModelBuilder input = OneConv();
  input.model().mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::STRING);
  CheckRefused(input, StatusCode::kUnsupported, {"'x'", "numbers"});

  ModelBuilder integers = OneConv();
  integers.Integers("i", {1, 2, 3});
  integers.Node("sum", "Add", {"y", "i"}, "z");
  CheckRefused(integers, StatusCode::kInvalidArgument, {"'sum'", "INT64", "FLOAT"});
}

TEST_CASE("attributes: wrong type, wrong count, out of range") {
  ModelBuilder type = OneConv();
  test::AddInt(*type.model().mutable_graph()->mutable_node(0), "strides", 2);
  CheckRefused(type, StatusCode::kInvalidArgument, {"'stem'", "'strides'", "list of integers"});

  ModelBuilder count = OneConv();
  test::AddInts(*count.model().mutable_graph()->mutable_node(0), "pads", {1, 1});
  CheckRefused(count, StatusCode::kInvalidArgument, {"'stem'", "'pads'", "2", "4"});

  ModelBuilder range = OneConv();
  test::AddInts(*range.model().mutable_graph()->mutable_node(0), "strides", {0, 1});
  CheckRefused(range, StatusCode::kInvalidArgument, {"'stem'", "'strides'", "[0, 1]"});

  ModelBuilder groups = OneConv();
  test::AddInt(*groups.model().mutable_graph()->mutable_node(0), "group", 3);
  CheckRefused(groups, StatusCode::kInvalidArgument, {"'stem'", "group 3"});

  ModelBuilder kernel = OneConv({4, 2, 9, 9});
  CheckRefused(kernel, StatusCode::kInvalidArgument, {"'stem'", "9 inputs", "only 5"});

  ModelBuilder inputs = OneConv();
  inputs.Node("alone", "Add", {"y"}, "z");
  CheckRefused(inputs, StatusCode::kInvalidArgument, {"'alone'", "1 inputs"});
}

TEST_CASE("shapes that do not fit") {
  ModelBuilder net = OneConv();
  net.Weights("v", {3});
  net.Node("sum", "Add", {"y", "v"}, "z");
  CHECK(ImportAndCompile(net).ok());  // [1, 4, 3, 3] + [3]
  net.Weights("u", {5});
  net.Node("bad sum", "Add", {"y", "u"}, "t");
  CheckRefused(net, StatusCode::kInvalidArgument, {"'bad sum'", "[5]"});

  ModelBuilder reshape = OneConv();
  reshape.Integers("target", {7, -1});
  reshape.Node("flat", "Reshape", {"y", "target"}, "z");
  CheckRefused(reshape, StatusCode::kInvalidArgument, {"'flat'", "[7, -1]"});
}

TEST_CASE("ranks and operator sets outside the supported ones") {
  ModelBuilder hyper;
  hyper.Input("x", {1, 2, 5, 5, 5, 5}).Output("y").Weights("w", {4, 2, 3, 3, 3, 3});
  hyper.Node("conv4d", "Conv", {"x", "w"}, "y");
  CheckRefused(hyper, StatusCode::kUnsupported, {"'conv4d'", "1 to 3 spatial axes"});
  ModelBuilder none(0);
  none.Input("x", {1, 2}).Output("y");
  none.Node("relu", "Relu", {"x"}, "y");
  CheckRefused(none, StatusCode::kUnsupported, {"operator set", "0"});
  ModelBuilder old(4);  // the shape was an attribute
  old.Input("x", {1, 2}).Output("y");
  test::AddInts(old.Node("flat", "Reshape", {"x"}, "y"), "shape", {2});
  CHECK(ImportAndCompile(old).ok());
}

TEST_CASE("huge extents are refused before memory is taken") {
  ModelBuilder input;
  input.Input("x", {1 << 20, 1 << 20}).Output("y");
  input.Node("relu", "Relu", {"x"}, "y");
  CheckRefused(input, StatusCode::kInvalidArgument, {"'x'", "limit"});

  ModelBuilder overflow;
  overflow.Input("x", {int64_t{1} << 62, int64_t{1} << 62}).Output("y");
  overflow.Node("relu", "Relu", {"x"}, "y");
  CheckRefused(overflow, StatusCode::kInvalidArgument, {"'x'", "limit"});

  ModelBuilder padded = OneConv();
  test::AddInts(*padded.model().mutable_graph()->mutable_node(0), "pads", {2000000000, 2000000000, 0, 0});
  CheckRefused(padded, StatusCode::kInvalidArgument, {"'stem'", "limit"});

  ModelBuilder weights = OneConv();
  weights.model().mutable_graph()->mutable_initializer(0)->set_dims(0, int64_t{1} << 40);
  CheckRefused(weights, StatusCode::kInvalidArgument, {"'w'", "limit"});

  ModelBuilder outer;  // [20000, 1] * [1, 20000]
  outer.Input("a", {20000, 1}).Input("b", {1, 20000}).Output("y");
  outer.Node("outer", "Mul", {"a", "b"}, "y");
  CheckRefused(outer, StatusCode::kInvalidArgument, {"'outer'", "limit"});
}

}  // namespace
