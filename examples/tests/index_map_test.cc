// Slice and Resize beyond ONNX's own vectors: older operator sets, several axes, what is refused.

#include "graph/index_map.h"

#include <doctest/doctest.h>

#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "examples/tests/model_builder.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/resized_axis.h"

namespace {

using graph::Shape;
using graph::StatusCode;
using test::ModelBuilder;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

struct Output {
  graph::Status status;
  Shape shape;
  std::vector<float> values;
};

// Runs a model on an input of 0, 1, 2, ...
Output Run(const ModelBuilder& builder, size_t threads = 1) {
  const auto model = graph::ImportOnnx(builder.Bytes());
  if (!model.ok()) return {model.status(), {}, {}};
  auto network = graph::Network::Compile(*model, {.threads = threads});
  if (!network.ok()) return {network.status(), {}, {}};
  std::iota(network->input(0).begin(), network->input(0).end(), 0.0f);
  REQUIRE(network->Run().ok());
  return {graph::Status(), network->output_shape(0), {network->output(0).begin(), network->output(0).end()}};
}

ModelBuilder Slice(const Shape& x, const Shape& starts, const Shape& ends, const Shape& axes, const Shape& steps) {
  ModelBuilder net;
  net.Input("x", x).Output("y").Integers("starts", starts).Integers("ends", ends);
  net.Integers("axes", axes).Integers("steps", steps);
  net.Node("slice", "Slice", {"x", "starts", "ends", "axes", "steps"}, "y");
  return net;
}

// Resize 11 and later reads scales from input 2, Resize 10 and Upsample 9 from input 1.
ModelBuilder Resize(const Shape& x, const std::vector<float>& scales, const std::string& op = "Resize",
                    int64_t opset = 14) {
  ModelBuilder net(opset);
  net.Input("x", x).Output("y").Weights("scales", {static_cast<int64_t>(scales.size())}, scales);
  net.Node("resize", op,
           opset >= 11 ? std::vector<std::string>{"x", "", "scales"} : std::vector<std::string>{"x", "scales"}, "y");
  return net;
}

void AddString(ModelBuilder& net, const std::string& name, const std::string& value) {
  auto& attribute = *net.model().mutable_graph()->mutable_node(0)->add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(value);
}

void CheckRefused(const ModelBuilder& builder, StatusCode code, const std::string& words) {
  const graph::Status status = Run(builder).status;
  CAPTURE(std::string(status.message()));
  CHECK(status.code() == code);
  CHECK(std::string(status.message()).find(words) != std::string::npos);
}

TEST_CASE("half of the channels, several axes, steps back") {
  const Output half = Run(Slice({2, 4, 1, 3}, {2}, {4}, {1}, {1}));
  CHECK(half.shape == Shape{2, 2, 1, 3});
  CHECK(half.values == std::vector<float>{6, 7, 8, 9, 10, 11, 18, 19, 20, 21, 22, 23});
  const Output both = Run(Slice({3, 4}, {0, -1}, {3, kMin}, {-2, 1}, {2, -3}));
  CHECK(both.shape == Shape{2, 2});
  CHECK(both.values == std::vector<float>{3, 0, 11, 8});
  CHECK(Run(Slice({3, 4}, {0, -1}, {3, kMin}, {-2, 1}, {2, -3}), 3).values == both.values);
}

TEST_CASE("starts and ends are clamped; a slice may be empty or whole") {
  CHECK(Run(Slice({5}, {kMin}, {kMax}, {0}, {1})).values == std::vector<float>{0, 1, 2, 3, 4});
  CHECK(Run(Slice({5}, {kMax}, {kMin}, {0}, {-kMax})).values == std::vector<float>{4});
  CHECK(Run(Slice({5}, {1}, {kMax}, {0}, {kMax})).values == std::vector<float>{1});
  CHECK(Run(Slice({5}, {4}, {2}, {0}, {1})).shape == Shape{0});
  CHECK(Run(Slice({0, 2}, {0}, {3}, {0}, {-1})).shape == Shape{0, 2});
}

TEST_CASE("operator sets before 10 slice by attributes") {
  ModelBuilder net(9);
  net.Input("x", {2, 3}).Output("y");
  auto& node = net.Node("slice", "Slice", {"x"}, "y");
  test::AddInts(node, "starts", {1});
  test::AddInts(node, "ends", {3});
  test::AddInts(node, "axes", {1});
  CHECK(Run(net).values == std::vector<float>{1, 2, 4, 5});
}

TEST_CASE("slices that are refused") {
  CheckRefused(Slice({3, 4}, {0}, {1}, {2}, {1}), StatusCode::kInvalidArgument, "'slice': axes is [2]");
  CheckRefused(Slice({3, 4}, {0, 0}, {1, 1}, {1, -1}, {1, 1}), StatusCode::kInvalidArgument, "axes is [1, -1]");
  CheckRefused(Slice({3, 4}, {0}, {1}, {0}, {0}), StatusCode::kInvalidArgument, "steps is [0]");
  CheckRefused(Slice({3, 4}, {0}, {1}, {0}, {kMin}), StatusCode::kInvalidArgument, "steps is [");
  CheckRefused(Slice({3, 4}, {0}, {1, 2}, {0}, {1}), StatusCode::kInvalidArgument, "one entry per sliced axis");
  ModelBuilder computed;
  computed.Input("x", {3}).Output("y").Weights("ends", {1});
  computed.Node("slice", "Slice", {"x", "ends", "ends"}, "y");
  CheckRefused(computed, StatusCode::kUnsupported, "input 1, 'ends', must be a constant list of integers");
  ModelBuilder none(9);
  none.Input("x", {3}).Output("y").Node("slice", "Slice", {"x"}, "y");
  CheckRefused(none, StatusCode::kInvalidArgument, "starts and ends must be given");
}

TEST_CASE("twice the size, in every operator set that has it") {
  const std::vector<float> twice = {0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3};
  for (const auto& form : {std::pair<const char*, int64_t>{"Upsample", 9}, {"Resize", 10}, {"Resize", 14}}) {
    CAPTURE(form.first);
    CAPTURE(form.second);
    const Output output = Run(Resize({1, 1, 2, 2}, {1, 1, 2, 2}, form.first, form.second));
    CHECK(output.shape == Shape{1, 1, 4, 4});
    CHECK(output.values == twice);
  }
  ModelBuilder attribute(7);
  attribute.Input("x", {1, 1, 2, 2}).Output("y");
  auto& scales = *attribute.Node("resize", "Upsample", {"x"}, "y").add_attribute();
  scales.set_name("scales");
  scales.set_type(onnx::AttributeProto::FLOATS);
  for (const float scale : {1.0f, 1.0f, 2.0f, 2.0f}) scales.add_floats(scale);
  CHECK(Run(attribute).values == twice);
}

TEST_CASE("the nearest element, by every rule") {
  using Coordinate = graph::ResizedAxis::Coordinate;
  using Nearest = graph::ResizedAxis::Nearest;
  const auto sources = [](Coordinate coordinate, Nearest nearest, int64_t input, int64_t output) {
    const float scale = static_cast<float>(output) / static_cast<float>(input);
    const graph::ResizedAxis axis{input, output, scale, coordinate, nearest};
    Shape from;
    for (int64_t i = 0; i < output; ++i) from.push_back(axis.Source(i));
    return from;
  };
  // Coordinates 0, 0.5, 1, 1.5, 2, 2.5 of three elements.
  CHECK(sources(Coordinate::kAsymmetric, Nearest::kFloor, 3, 6) == Shape{0, 0, 1, 1, 2, 2});
  CHECK(sources(Coordinate::kAsymmetric, Nearest::kCeil, 3, 6) == Shape{0, 1, 1, 2, 2, 2});
  CHECK(sources(Coordinate::kAsymmetric, Nearest::kRoundPreferFloor, 3, 6) == Shape{0, 0, 1, 1, 2, 2});
  CHECK(sources(Coordinate::kAsymmetric, Nearest::kRoundPreferCeil, 3, 6) == Shape{0, 1, 1, 2, 2, 2});
  // -0.25, 0.25, 0.75, 1.25, 1.75, 2.25
  CHECK(sources(Coordinate::kHalfPixel, Nearest::kFloor, 3, 6) == Shape{0, 0, 0, 1, 1, 2});
  CHECK(sources(Coordinate::kHalfPixel, Nearest::kCeil, 3, 6) == Shape{0, 1, 1, 2, 2, 2});
  CHECK(sources(Coordinate::kTfHalfPixelForNn, Nearest::kFloor, 4, 2) == Shape{1, 3});
  CHECK(sources(Coordinate::kAlignCorners, Nearest::kFloor, 5, 3) == Shape{0, 2, 4});
  CHECK(sources(Coordinate::kAlignCorners, Nearest::kFloor, 5, 1) == Shape{0});
  CHECK(sources(Coordinate::kHalfPixel, Nearest::kFloor, 5, 1) == Shape{2});
  CHECK(sources(Coordinate::kPytorchHalfPixel, Nearest::kFloor, 5, 1) == Shape{0});
}

TEST_CASE("resizes that are refused") {
  ModelBuilder mode = Resize({1, 1, 2, 2}, {1, 1, 2, 2});
  AddString(mode, "mode", "lanczos");
  CheckRefused(mode, StatusCode::kUnsupported, "'mode' is 'lanczos'");
  ModelBuilder coordinate = Resize({1, 1, 2, 2}, {1, 1, 2, 2});
  AddString(coordinate, "coordinate_transformation_mode", "centre");
  CheckRefused(coordinate, StatusCode::kUnsupported, "'centre'");
  CheckRefused(Resize({1, 1, 2, 2}, {2, 2}), StatusCode::kInvalidArgument, "one entry per axis of [1, 1, 2, 2]");
  CheckRefused(Resize({2, 2}, {1, 0}), StatusCode::kInvalidArgument, "axis 1 of [2, 2] is resized by 0");
  CheckRefused(Resize({2, 2}, {-1, 1}), StatusCode::kInvalidArgument, "axis 0");
  CheckRefused(Resize({2, 2}, {std::numeric_limits<float>::quiet_NaN(), 1}), StatusCode::kInvalidArgument, "axis 0");
  CheckRefused(Resize({2, 2}, {1, 1e30f}), StatusCode::kInvalidArgument, "axis 1");
  CheckRefused(Resize({2, 2}, {2e4f, 2e4f}), StatusCode::kInvalidArgument, "limit");
}

}  // namespace
