// Built-in networks: published sizes, shapes, and that they run.

#include "graph/builtin.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "graph/executor.h"
#include "graph/shape_inference.h"

namespace {

struct Published {
  const char* network;
  int64_t parameters;
  double gmacs;
  int64_t convolutions;
};

// Parameters and multiply-adds (10^9) as torchvision's documentation lists them, which counts two values per channel
// for a BatchNormalization. YOLOv4-tiny: darknet's yolov4-tiny.weights hold 6,062,814 values, 4 per normalized channel;
// its 6.91 BFLOPs are two per multiply-add.
constexpr Published kPublished[] = {
    {"vgg16", 138357544, 15.47, 13},      {"resnet18", 11689512, 1.81, 20},         {"resnet50", 25557032, 4.09, 53},
    {"mobilenet_v2", 3504872, 0.300, 52}, {"yolov4_tiny", 6062814, 0.5 * 6.91, 21},
};

struct Size {
  int64_t parameters = 0;  // of the network with its BatchNormalization
  double macs = 0.0;
  int64_t convolutions = 0;
};

int64_t NormalizationValues(const std::string& network, const graph::Node& conv) {
  if (network == "vgg16") return 0;
  if (network != "yolov4_tiny") return 1;                         // a weight for the bias that stands in its place
  return conv.name == "conv29" || conv.name == "conv36" ? 0 : 3;  // weight, mean and variance
}

Size SizeOf(const graph::Graph& model) {
  const auto shapes = graph::InferShapes(model);
  REQUIRE_MESSAGE(shapes.ok(), std::string(shapes.status().message()));
  Size size;
  for (const graph::Node& node : model.nodes) {
    if (node.op != "Conv" && node.op != "Gemm") continue;
    const graph::Shape& weights = shapes->at(node.inputs[1]);
    const int64_t elements = graph::Elements(weights);
    size.parameters += elements + weights[0];
    const graph::Shape& y = shapes->at(node.outputs[0]);
    size.macs += static_cast<double>(elements) * static_cast<double>(graph::Elements(y) / y[1]);
    if (node.op != "Conv") continue;
    ++size.convolutions;
    size.parameters += NormalizationValues(model.name, node) * weights[0];
  }
  return size;
}

TEST_CASE("published sizes") {
  for (const Published& published : kPublished) {
    CAPTURE(published.network);
    const auto model = graph::BuiltinNetwork(published.network);
    REQUIRE(model.ok());
    const Size size = SizeOf(*model);
    CHECK(size.parameters == published.parameters);
    CHECK(size.macs * 1e-9 == doctest::Approx(published.gmacs).epsilon(0.005));
    CHECK(size.convolutions == published.convolutions);
  }
}

TEST_CASE("shapes on the way") {
  const auto shape_of = [](const char* network, const char* value) {
    const auto model = graph::BuiltinNetwork(network, 2);
    REQUIRE(model.ok());
    const auto shapes = graph::InferShapes(*model);
    REQUIRE(shapes.ok());
    return shapes->at(value);
  };
  CHECK(shape_of("vgg16", "pool5") == graph::Shape{2, 512, 7, 7});
  CHECK(shape_of("resnet18", "res3a_branch1") == graph::Shape{2, 128, 28, 28});
  CHECK(shape_of("resnet18", "res5b") == graph::Shape{2, 512, 7, 7});
  CHECK(shape_of("resnet50", "res5c_2c") == graph::Shape{2, 2048, 7, 7});
  CHECK(shape_of("mobilenet_v2", "block1_project") == graph::Shape{2, 16, 112, 112});
  CHECK(shape_of("mobilenet_v2", "block14_depthwise") == graph::Shape{2, 576, 7, 7});
  CHECK(shape_of("mobilenet_v2", "probabilities") == graph::Shape{2, 1000});
  CHECK(shape_of("yolov4_tiny", "conv2.leaky.half") == graph::Shape{2, 32, 104, 104});
  CHECK(shape_of("yolov4_tiny", "route24") == graph::Shape{2, 512, 26, 26});
  CHECK(shape_of("yolov4_tiny", "route34") == graph::Shape{2, 384, 26, 26});
  CHECK(shape_of("yolov4_tiny", "conv29") == graph::Shape{2, 255, 13, 13});
  CHECK(shape_of("yolov4_tiny", "conv36") == graph::Shape{2, 255, 26, 26});
}

TEST_CASE("every convolution and its activation are one layer") {
  for (const char* name : {"resnet18", "mobilenet_v2", "yolov4_tiny"}) {
    CAPTURE(name);
    const auto model = graph::BuiltinNetwork(name);
    REQUIRE(model.ok());
    const auto network = graph::Network::Compile(*model);
    REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
    std::map<std::string, int> ops;
    for (const graph::LayerInfo& layer : network->layers()) ++ops[layer.op];
    for (const char* fused : {"Relu", "Clip", "LeakyRelu", "Add"}) CHECK_FALSE(ops.contains(fused));
    CHECK(ops["Slice"] == (std::string(name) == "yolov4_tiny" ? 3 : 0));
    CHECK(ops["Resize"] == (std::string(name) == "yolov4_tiny" ? 1 : 0));
  }
}

TEST_CASE("names") {
  for (const Published& published : kPublished) CHECK(graph::IsBuiltinNetwork(published.network));
  CHECK_FALSE(graph::IsBuiltinNetwork("alexnet"));
  const auto unknown = graph::BuiltinNetwork("alexnet");
  CHECK(unknown.status().code() == graph::StatusCode::kNotFound);
  CHECK(std::string(unknown.status().message()).find("'alexnet', must be one of vgg16, resnet18") != std::string::npos);
}

TEST_CASE("the same seed gives the same weights") {
  const auto weight = [](uint64_t seed) {
    const auto model = graph::BuiltinNetwork("mobilenet_v2", 1, seed);
    REQUIRE(model.ok());
    return model->initializers.at("block2_expand.weight").floats;
  };
  CHECK(weight(1) == weight(1));
  CHECK(weight(1) != weight(2));
}

}  // namespace
