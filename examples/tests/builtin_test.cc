// Built-in networks: published sizes, shapes, and that they run.

#include "graph/builtin.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/executor.h"
#include "graph/flops_rate.h"
#include "graph/layer_selection.h"
#include "graph/onnx_export.h"
#include "graph/onnx_import.h"
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
// its 6.91 BFLOPs are two per multiply-add; yolov4.weights 64,429,405, 128.46 BFLOPs at 608 x 608. C3D: the layers of
// the paper's figure 3 by hand, 38.50 of convolutions and 0.05 of the rest; the usual 78.41 million parameters are
// those of 101 classes. S3D: torchvision's 17.98 are of 224 x 224 images, this is the sum over the same layers at 112 x
// 112 (a test below has the former).
constexpr Published kPublished[] = {
    {"vgg16", 138357544, 15.47, 13},           {"resnet18", 11689512, 1.81, 20},
    {"resnet50", 25557032, 4.09, 53},          {"mobilenet_v2", 3504872, 0.300, 52},
    {"yolov4_tiny", 6062814, 0.5 * 6.91, 21},  {"c3d", 79991015, 38.55, 8},
    {"r2plus1d", 31505325, 40.52, 37},         {"s3d", 8320048, 4.474, 77},
    {"yolov4_416", 64429405, 0.5 * 60.1, 110}, {"yolov4_608", 64429405, 0.5 * 128.46, 110},
};

struct Size {
  int64_t parameters = 0;  // of the network with its BatchNormalization
  double macs = 0.0;
  int64_t convolutions = 0;
};

int64_t NormalizationValues(const std::string& network, const graph::Node& conv) {
  if (network == "vgg16" || network == "c3d") return 0;
  if (network == "yolov4_416" || network == "yolov4_608") {
    return conv.name == "conv93" || conv.name == "conv101" || conv.name == "conv109" ? 0 : 3;  // as below
  }
  if (network != "yolov4_tiny") return 1;                         // a weight for the bias that stands in its place
  return conv.name == "conv29" || conv.name == "conv36" ? 0 : 3;  // weight, mean and variance
}

Size SizeOf(const graph::Graph& model) {
  const auto shapes = graph::InferValues(model);
  REQUIRE_MESSAGE(shapes.ok(), std::string(shapes.status().message()));
  Size size;
  for (const graph::Node& node : model.nodes) {
    if (node.op != "Conv" && node.op != "Gemm") continue;
    const graph::Shape& weights = shapes->at(node.inputs[1]).shape;
    const int64_t elements = graph::Elements(weights);
    size.parameters += elements + weights[0];
    const graph::Shape& y = shapes->at(node.outputs[0]).shape;
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
    const auto shapes = graph::InferValues(*model);
    REQUIRE(shapes.ok());
    return shapes->at(value).shape;
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

// Those whose authors give no exact sizes: weights of all layers, and the outputs' shapes.
TEST_CASE("further networks") {
  struct Expected {
    const char* network;
    double million_weights;
    std::vector<graph::Shape> outputs;
  };
  // Millions: SimpleBaseline's 34.0 and BERT's 110 (with tables) and MobileBERT's 25.3 are the papers'; of WDSR-A with
  // 16 blocks the paper has 1.19; the style network of PyTorch's examples has 1.68, nnU-Net 31.2.
  const Expected expected[] = {
      {"pointpillars", 4.8, {{1, 18, 248, 216}, {1, 42, 248, 216}, {1, 12, 248, 216}}},
      {"simple_baseline", 34.0, {{1, 17, 64, 48}}},
      {"wdsr_x2", 1.19, {{1, 3, 720, 1280}}},
      {"style_transfer", 1.68, {{1, 3, 256, 256}}},
      {"colouring", 32.2, {{1, 2, 64, 64}}},
      {"unet3d", 31.2, {{1, 3, 128, 128, 128}}},
      {"bert_base", 109.0, {{1, 128, 2}}},
      {"bert_base_384", 109.0, {{1, 384, 2}}},
      {"mobilebert", 24.6, {{1, 128, 2}}},
      {"mobilebert_384", 24.6, {{1, 384, 2}}},
  };
  for (const Expected& network : expected) {
    CAPTURE(network.network);
    const auto model = graph::BuiltinNetwork(network.network);
    REQUIRE(model.ok());
    const auto values = graph::InferValues(*model);
    REQUIRE_MESSAGE(values.ok(), std::string(values.status().message()));
    double weights = 0.0;
    for (const auto& [name, tensor] : model->initializers) {
      if (tensor.IsFloats()) weights += static_cast<double>(graph::Elements(tensor.shape));
    }
    CHECK(weights * 1e-6 == doctest::Approx(network.million_weights).epsilon(0.02));
    REQUIRE(model->outputs.size() == network.outputs.size());
    for (size_t i = 0; i < network.outputs.size(); ++i) {
      CHECK(values->at(model->outputs[i]).shape == network.outputs[i]);
    }
  }
}

TEST_CASE("every built-in network is a model that imports as what it was") {
  for (const char* name : {"mobilenet_v2", "gru_timit", "mobilebert"}) {
    CAPTURE(name);
    const auto network = graph::BuiltinNetwork(name);
    REQUIRE(network.ok());
    const auto model = graph::ToModel(*network);
    REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
    std::string bytes;
    REQUIRE(model->SerializeToString(&bytes));
    const auto imported = graph::ImportOnnx(std::span<const char>(bytes));
    REQUIRE_MESSAGE(imported.ok(), std::string(imported.status().message()));
    CHECK(model->graph().node_size() == static_cast<int>(network->nodes.size()));
    CHECK(imported->inputs[0].shape == network->inputs[0].shape);
    const auto outputs_of = [](const graph::Graph& graph) {
      auto compiled = graph::Network::Compile(graph);
      REQUIRE_MESSAGE(compiled.ok(), std::string(compiled.status().message()));
      REQUIRE(compiled->Run().ok());
      const auto values = compiled->output(0);
      return std::vector<float>(values.begin(), values.end());
    };
    CHECK(outputs_of(*imported) == outputs_of(*network));
  }
}

TEST_CASE("S3D has torchvision's size at torchvision's resolution") {
  auto model = graph::BuiltinNetwork("s3d");
  REQUIRE(model.ok());
  model->inputs[0].shape = {1, 3, 16, 224, 224};
  CHECK(SizeOf(*model).macs * 1e-9 == doctest::Approx(17.98).epsilon(0.001));
}

// Layers of video networks as (input, weights, output): what benchmarks call by the same names.
TEST_CASE("video networks have the layers of the papers") {
  struct Expected {
    const char* network;
    const char* layer;
    graph::Shape input, weights, output;
  };
  const Expected expected[] = {
      {"c3d", "conv1", {3, 16, 112, 112}, {64, 3, 3, 3, 3}, {64, 16, 112, 112}},
      {"c3d", "conv2", {64, 16, 56, 56}, {128, 64, 3, 3, 3}, {128, 16, 56, 56}},
      {"c3d", "conv3a", {128, 8, 28, 28}, {256, 128, 3, 3, 3}, {256, 8, 28, 28}},
      {"c3d", "conv3b", {256, 8, 28, 28}, {256, 256, 3, 3, 3}, {256, 8, 28, 28}},
      {"c3d", "conv4a", {256, 4, 14, 14}, {512, 256, 3, 3, 3}, {512, 4, 14, 14}},
      {"c3d", "conv4b", {512, 4, 14, 14}, {512, 512, 3, 3, 3}, {512, 4, 14, 14}},
      {"c3d", "conv5a", {512, 2, 7, 7}, {512, 512, 3, 3, 3}, {512, 2, 7, 7}},
      {"c3d", "conv5b", {512, 2, 7, 7}, {512, 512, 3, 3, 3}, {512, 2, 7, 7}},
      {"r2plus1d", "stem_s", {3, 16, 112, 112}, {45, 3, 1, 7, 7}, {45, 16, 56, 56}},
      {"r2plus1d", "stem_t", {45, 16, 56, 56}, {64, 45, 3, 1, 1}, {64, 16, 56, 56}},
      {"r2plus1d", "res2a_2a_s", {64, 16, 56, 56}, {144, 64, 1, 3, 3}, {144, 16, 56, 56}},
      {"r2plus1d", "res2a_2a_t", {144, 16, 56, 56}, {64, 144, 3, 1, 1}, {64, 16, 56, 56}},
      {"r2plus1d", "res3a_2a_s", {64, 16, 56, 56}, {230, 64, 1, 3, 3}, {230, 16, 28, 28}},
      {"r2plus1d", "res3a_2a_t", {230, 16, 28, 28}, {128, 230, 3, 1, 1}, {128, 8, 28, 28}},
      {"r2plus1d", "res3a_branch1", {64, 16, 56, 56}, {128, 64, 1, 1, 1}, {128, 8, 28, 28}},
      {"r2plus1d", "res3b_2a_s", {128, 8, 28, 28}, {288, 128, 1, 3, 3}, {288, 8, 28, 28}},
      {"r2plus1d", "res3b_2b_t", {288, 8, 28, 28}, {128, 288, 3, 1, 1}, {128, 8, 28, 28}},
      {"r2plus1d", "res4b_2b_s", {256, 4, 14, 14}, {576, 256, 1, 3, 3}, {576, 4, 14, 14}},
      {"r2plus1d", "res4b_2b_t", {576, 4, 14, 14}, {256, 576, 3, 1, 1}, {256, 4, 14, 14}},
      {"r2plus1d", "res5b_2b_s", {512, 2, 7, 7}, {1152, 512, 1, 3, 3}, {1152, 2, 7, 7}},
      {"r2plus1d", "res5b_2b_t", {1152, 2, 7, 7}, {512, 1152, 3, 1, 1}, {512, 2, 7, 7}},
      {"s3d", "conv1_s", {3, 16, 112, 112}, {64, 3, 1, 7, 7}, {64, 16, 56, 56}},
      {"s3d", "conv1_t", {64, 16, 56, 56}, {64, 64, 7, 1, 1}, {64, 8, 56, 56}},
      {"s3d", "conv3_s", {64, 8, 28, 28}, {192, 64, 1, 3, 3}, {192, 8, 28, 28}},
      {"s3d", "mixed3c_1b_t", {192, 8, 14, 14}, {192, 192, 3, 1, 1}, {192, 8, 14, 14}},
      {"s3d", "mixed4f_0", {528, 4, 7, 7}, {256, 528, 1, 1, 1}, {256, 4, 7, 7}},
      {"s3d", "mixed5c_2b_s", {48, 2, 3, 3}, {128, 48, 1, 3, 3}, {128, 2, 3, 3}},
  };
  for (const Expected& layer : expected) {
    CAPTURE(layer.network);
    CAPTURE(layer.layer);
    const auto model = graph::BuiltinNetwork(layer.network, 2);
    REQUIRE(model.ok());
    const auto shapes = graph::InferValues(*model);
    REQUIRE(shapes.ok());
    const auto batched = [](graph::Shape shape) {
      shape.insert(shape.begin(), 2);
      return shape;
    };
    const auto node = std::find_if(model->nodes.begin(), model->nodes.end(),
                                   [&](const graph::Node& candidate) { return candidate.name == layer.layer; });
    REQUIRE(node != model->nodes.end());
    CHECK(shapes->at(node->inputs[0]).shape == batched(layer.input));
    CHECK(shapes->at(node->inputs[1]).shape == layer.weights);
    CHECK(shapes->at(node->outputs[0]).shape == batched(layer.output));
  }
}

TEST_CASE("usual pruning: the layers, and the rate they need for the FLOPs rate of all convolutions") {
  struct Expected {
    const char* network;
    double flops_rate;
    double rate;        // of the pruned layers
    int convolutions;   // that are pruned
    const char* dense;  // one that is not
  };
  for (const Expected& expected :
       {Expected{"c3d", 3.6, 4.364, 5, "conv5a"}, Expected{"r2plus1d", 3.2, 3.341, 35, "stem_t"},
        Expected{"s3d", 2.1, 3.496, 75, "conv1_t"}}) {
    CAPTURE(expected.network);
    const auto model = graph::BuiltinNetwork(expected.network);
    const auto shapes = graph::InferValues(*model);
    REQUIRE(shapes.ok());
    const auto usual = graph::UsualPruningOf(expected.network);
    REQUIRE(usual.has_value());
    CHECK(usual->flops_rate == expected.flops_rate);
    auto selection =
        graph::LayerSelection::Make(usual->layers, /*skip_first=*/true, lacuna::prune::SchemeKind::kPunched, *model);
    REQUIRE(selection.ok());
    const auto flops = graph::CountConvolutionFlops(*model, *shapes, *selection);
    REQUIRE(flops.ok());
    CHECK(flops->all * 0.5e-9 == doctest::Approx(SizeOf(*model).macs * 1e-9).epsilon(0.002));
    const auto rate = graph::RateForFlops(*flops, usual->flops_rate);
    REQUIRE_MESSAGE(rate.ok(), std::string(rate.status().message()));
    CHECK(*rate == doctest::Approx(expected.rate).epsilon(0.001));
    int pruned = 0;
    for (const graph::Node& node : model->nodes) {
      const auto matrix = graph::WeightMatrixOf(*model, *shapes, node);
      if (!matrix->has_value()) continue;
      const bool selected = selection->Selects(node, **matrix);
      CHECK_FALSE((selected && (node.op != "Conv" || node.name == expected.dense)));
      pruned += selected ? 1 : 0;
    }
    CHECK(pruned == expected.convolutions);
  }
  CHECK_FALSE(graph::UsualPruningOf("vgg16").has_value());
  CHECK_FALSE(graph::UsualPruningOf("alexnet").has_value());
}

TEST_CASE("what video networks expect of a clip") {
  CHECK(graph::NormalizationOf("r2plus1d").mean == std::array<float, 3>{0.43216f, 0.394666f, 0.37645f});
  CHECK(graph::NormalizationOf("s3d").deviation == std::array<float, 3>{0.22803f, 0.22145f, 0.216989f});
  const graph::Normalization c3d = graph::NormalizationOf("c3d");
  CHECK((1.0f - c3d.mean[0]) / c3d.deviation[0] == doctest::Approx(255.0 - 104.0));
  CHECK(graph::NormalizationOf("vgg16").deviation == std::array<float, 3>{1.0f, 1.0f, 1.0f});
}

TEST_CASE("every convolution and its activation are one layer") {
  for (const char* name : {"resnet18", "mobilenet_v2", "yolov4_tiny", "r2plus1d", "s3d"}) {
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

TEST_CASE("the recurrent network: shapes, weights, and what a global scheme prunes") {
  auto model = graph::BuiltinNetwork("gru_timit", 2);
  REQUIRE(model.ok());
  const auto shapes = graph::InferValues(*model);
  REQUIRE_MESSAGE(shapes.ok(), std::string(shapes.status().message()));
  CHECK(shapes->at("gru1").shape == graph::Shape{100, 1, 2, 1024});
  CHECK(shapes->at("gru2.h").shape == graph::Shape{100, 2, 1024});
  CHECK(shapes->at("probabilities").shape == graph::Shape{200, 39});
  int64_t weights = 0;
  for (const graph::Node& node : model->nodes) {
    if (node.op != "GRU") continue;
    CHECK(std::get<int64_t>(node.attributes.at("linear_before_reset")) == 1);
    for (const size_t input : {1, 2}) weights += graph::Elements(shapes->at(node.inputs[input]).shape);
  }
  CHECK(weights == 3 * 1024 * (39 + 1024 + 1024 + 1024));
  model->inputs[0].shape[0] = 3;  // the weights do not depend on the number of frames
  graph::CompileOptions options;
  options.scheme = {lacuna::prune::SchemeKind::kBcr, 16};
  auto network = graph::Network::Compile(*std::move(model), options);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  std::vector<std::string> schemes;
  for (const graph::LayerInfo& layer : network->layers()) {
    schemes.push_back(layer.name + " " + (layer.weights == nullptr ? layer.op : layer.weights->scheme));
  }
  CHECK(schemes == std::vector<std::string>{"gru1 bcr-16x", "gru2 bcr-16x", "phones dense", "probabilities Softmax"});
  graph::FillGaussian(network->input(0), 1.0f, 3);
  REQUIRE(network->Run().ok());
  double sum = 0.0;
  for (const float probability : network->output(0)) sum += double{probability};
  CHECK(sum == doctest::Approx(6.0));
}

TEST_CASE("names") {
  CHECK(graph::IsBuiltinNetwork("gru_timit"));
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
    const graph::Tensor& tensor = model->initializers.at("block2_expand.weight");
    std::vector<float> values(static_cast<size_t>(graph::Elements(tensor.shape)));
    tensor.generate(values);
    return values;
  };
  CHECK(weight(1) == weight(1));
  CHECK(weight(1) != weight(2));
}

}  // namespace
