// Operators on tensors of five axes, (batch, channels, depth, height, width), against plain loops.

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/pruning.h"

namespace {

using graph::Shape;
using test::ModelBuilder;

struct Output {
  Shape shape;
  std::vector<float> values;
};

// Small integers, so that sums are exact in any order.
std::vector<float> Integers(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<int>(seed >> 24) % 9 - 4);
  }
  return values;
}

std::vector<float> InputValues(const Shape& x) { return Integers(static_cast<size_t>(graph::Elements(x)), 7); }

graph::Graph Import(const ModelBuilder& builder) {
  auto model = graph::ImportOnnx(builder.Bytes());
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  return *std::move(model);
}

Output Run(const ModelBuilder& builder, const graph::CompileOptions& options = {}) {
  const graph::Graph model = Import(builder);
  auto network = graph::Network::Compile(model, options);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  const std::vector<float> x = InputValues(network->input_info(0).shape);
  std::copy(x.begin(), x.end(), network->input(0).begin());
  REQUIRE(network->Run().ok());
  return {network->output_shape(0), {network->output(0).begin(), network->output(0).end()}};
}

graph::Status RefusalOf(const ModelBuilder& builder) {
  const auto model = graph::ImportOnnx(builder.Bytes());
  return model.ok() ? graph::Network::Compile(*model).status() : model.status();
}

// Axes are (depth, height, width).
struct Geometry {
  Shape kernel = {1, 1, 1};
  Shape stride = {1, 1, 1};
  Shape dilation = {1, 1, 1};
  Shape pad_begin = {0, 0, 0};
  Shape pad_end = {0, 0, 0};

  int64_t OutputOf(const Shape& x, size_t axis) const {
    const int64_t reach = (kernel[axis] - 1) * dilation[axis] + 1;
    return (x[axis + 2] + pad_begin[axis] + pad_end[axis] - reach) / stride[axis] + 1;
  }
  Shape Pads() const {
    Shape pads = pad_begin;
    pads.insert(pads.end(), pad_end.begin(), pad_end.end());
    return pads;
  }
};

// tap(position of x, or -1 on padding; index in the kernel) for every cell of the window of output `o`.
void VisitWindow(const Geometry& g, const Shape& x, const std::array<int64_t, 3>& o,
                 const std::function<void(int64_t, int64_t)>& tap) {
  int64_t cell = 0;
  for (int64_t kd = 0; kd < g.kernel[0]; ++kd) {
    for (int64_t kh = 0; kh < g.kernel[1]; ++kh) {
      for (int64_t kw = 0; kw < g.kernel[2]; ++kw, ++cell) {
        const int64_t k[3] = {kd, kh, kw};
        int64_t at = 0;
        bool inside = true;
        for (size_t axis = 0; axis < 3; ++axis) {
          const int64_t i = o[axis] * g.stride[axis] + k[axis] * g.dilation[axis] - g.pad_begin[axis];
          inside = inside && i >= 0 && i < x[axis + 2];
          at = at * x[axis + 2] + i;
        }
        tap(inside ? at : -1, cell);
      }
    }
  }
}

// value(n, channel, position o) for every output.
Output ForEachOutput(const Geometry& g, const Shape& x, int64_t channels,
                     const std::function<float(int64_t, int64_t, const std::array<int64_t, 3>&)>& value) {
  Output y{{x[0], channels, g.OutputOf(x, 0), g.OutputOf(x, 1), g.OutputOf(x, 2)}, {}};
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t d = 0; d < y.shape[2]; ++d) {
        for (int64_t h = 0; h < y.shape[3]; ++h) {
          for (int64_t w = 0; w < y.shape[4]; ++w) y.values.push_back(value(n, c, {d, h, w}));
        }
      }
    }
  }
  return y;
}

Output Convolve(const Geometry& g, const Shape& x, int64_t filters, int64_t groups, const std::vector<float>& w) {
  const std::vector<float> input = InputValues(x);
  const int64_t plane = x[2] * x[3] * x[4], taps = graph::Elements(g.kernel), channels = x[1] / groups;
  return ForEachOutput(g, x, filters, [&](int64_t n, int64_t filter, const std::array<int64_t, 3>& o) {
    const int64_t first = filter / (filters / groups) * channels;
    float sum = 0.0f;
    for (int64_t c = 0; c < channels; ++c) {
      VisitWindow(g, x, o, [&](int64_t at, int64_t cell) {
        if (at < 0) return;
        sum += w[static_cast<size_t>((filter * channels + c) * taps + cell)] *
               input[static_cast<size_t>((n * x[1] + first + c) * plane + at)];
      });
    }
    return sum;
  });
}

void AddGeometry(const Geometry& g, onnx::NodeProto& node) {
  test::AddInts(node, "kernel_shape", g.kernel);
  test::AddInts(node, "strides", g.stride);
  test::AddInts(node, "dilations", g.dilation);
  test::AddInts(node, "pads", g.Pads());
}

struct Layer {
  const char* what;
  Shape x;
  int64_t filters;
  int64_t groups;
  Geometry geometry;
};

const std::vector<Layer>& Layers() {
  static const std::vector<Layer> layers = {
      {"3x3x3", {2, 5, 4, 7, 9}, 8, 1, {.kernel = {3, 3, 3}, .pad_begin = {1, 1, 1}, .pad_end = {1, 1, 1}}},
      {"spatial stride", {1, 3, 4, 9, 9}, 6, 1, {{1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}}},
      {"temporal stride", {1, 6, 7, 5, 5}, 4, 1, {{3, 1, 1}, {2, 1, 1}, {1, 1, 1}, {1, 0, 0}, {1, 0, 0}}},
      {"a stride of its own per axis", {1, 4, 7, 8, 11}, 9, 1, {.kernel = {2, 3, 2}, .stride = {2, 1, 3}}},
      {"a dilation of its own per axis", {1, 4, 7, 8, 9}, 8, 1, {.kernel = {3, 2, 3}, .dilation = {2, 3, 1}}},
      {"one frame", {1, 4, 1, 6, 6}, 8, 1, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}},
      {"a kernel deeper than the input",
       {1, 3, 2, 5, 5},
       4,
       1,
       {{7, 1, 1}, {1, 1, 1}, {1, 1, 1}, {3, 0, 0}, {3, 0, 0}}},
      {"uneven padding", {1, 2, 3, 5, 6}, 4, 1, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 2, 1}, {2, 0, 1}}},
      {"groups", {1, 6, 4, 6, 6}, 8, 2, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}},
      {"depthwise", {1, 6, 5, 6, 7}, 6, 6, {{3, 3, 3}, {2, 2, 2}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}},
      {"1x1x1 with stride", {1, 8, 4, 6, 6}, 8, 1, {.stride = {2, 2, 2}}},
      {"one voxel", {3, 8, 1, 1, 1}, 5, 1, {}},
  };
  return layers;
}

ModelBuilder ConvolutionOf(const Layer& layer, std::vector<float>& weights) {
  ModelBuilder net;
  Shape w = {layer.filters, layer.x[1] / layer.groups};
  w.insert(w.end(), layer.geometry.kernel.begin(), layer.geometry.kernel.end());
  weights = Integers(static_cast<size_t>(graph::Elements(w)), 3);
  net.Input("x", layer.x).Output("y").Weights("w", w, weights);
  auto& node = net.Node("conv", "Conv", {"x", "w"}, "y");
  AddGeometry(layer.geometry, node);
  test::AddInt(node, "group", layer.groups);
  return net;
}

TEST_CASE("convolutions of three spatial axes") {
  for (const Layer& layer : Layers()) {
    CAPTURE(std::string(layer.what));
    std::vector<float> weights;
    const ModelBuilder net = ConvolutionOf(layer, weights);
    const Output expected = Convolve(layer.geometry, layer.x, layer.filters, layer.groups, weights);
    const Output actual = Run(net);
    CHECK(actual.shape == expected.shape);
    REQUIRE(actual.values.size() == expected.values.size());
    for (size_t i = 0; i < actual.values.size(); ++i) {
      CHECK(std::round(actual.values[i]) == expected.values[i]);  // a Winograd layer rounds on the way to its integer
    }
    CHECK(Run(net, {.threads = 2}).values == actual.values);
    CHECK(Run(net, {.reference = true}).values == expected.values);
  }
}

TEST_CASE("every scheme on 3x3x3, 1x3x3 and 3x1x1 kernels, asked for and stored") {
  for (const Shape& kernel : {Shape{3, 3, 3}, Shape{1, 3, 3}, Shape{3, 1, 1}}) {
    for (const std::string name : test::kSparseSchemes) {
      CAPTURE(name);
      CAPTURE(graph::ToString(kernel));
      Layer layer{"", {1, 16, 3, 6, 6}, 16, 1, {.kernel = kernel}};
      for (size_t axis = 0; axis < 3; ++axis) {
        layer.geometry.pad_begin[axis] = layer.geometry.pad_end[axis] = kernel[axis] / 2;
      }
      std::vector<float> weights;
      ModelBuilder net = ConvolutionOf(layer, weights);
      net.Weights("gaussian", {16, 16, kernel[0], kernel[1], kernel[2]});
      net.model().mutable_graph()->mutable_node(0)->set_input(1, "gaussian");
      graph::CompileOptions options;
      options.scheme = test::SchemeNamed(name.c_str());
      options.layers = "conv";
      options.prune_first = true;
      options.keep_weights = true;
      const graph::Graph model = Import(net);
      auto network = graph::Network::Compile(model, options);
      REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
      const graph::WeightInfo& info = *network->layers()[0].weights;
      CHECK(info.weights == 16 * 16 * graph::Elements(kernel));
      CHECK(info.nnz < info.weights);
      const std::vector<float> x = InputValues(layer.x);
      std::copy(x.begin(), x.end(), network->input(0).begin());
      const auto errors = network->Verify();
      REQUIRE(errors.ok());
      CHECK((*errors)[0].over_bound <= 1.0);

      graph::PruneOptions prune;
      prune.scheme = options.scheme;
      REQUIRE(graph::PruneModel(prune, net.model()).ok());
      CHECK(net.model().metadata_props(0).value().find("\"taps\":" + std::to_string(graph::Elements(kernel))) !=
            std::string::npos);
      CHECK(Run(net, {.stored = true}).values ==
            std::vector<float>(network->output(0).begin(), network->output(0).end()));
    }
  }
}

TEST_CASE("a convolution of one spatial axis") {
  ModelBuilder net;
  const std::vector<float> w = Integers(4 * 3 * 5, 3);
  net.Input("x", {2, 3, 11}).Output("y").Weights("w", {4, 3, 5}, w);
  auto& node = net.Node("conv", "Conv", {"x", "w"}, "y");
  test::AddInts(node, "strides", {2});
  test::AddInts(node, "pads", {2, 1});
  const Geometry g{.kernel = {1, 1, 5}, .stride = {1, 1, 2}, .pad_begin = {0, 0, 2}, .pad_end = {0, 0, 1}};
  const Output expected = Convolve(g, {2, 3, 1, 1, 11}, 4, 1, w);
  const Output actual = Run(net);
  CHECK(actual.shape == Shape{2, 4, 5});
  CHECK(actual.values == expected.values);
}

// A maximum, or an average over the cells of the window that lie in the input or, if asked, in its padding.
Output Pool(const Geometry& g, const Shape& x, bool maximum, bool count_padding) {
  const std::vector<float> input = InputValues(x);
  const int64_t plane = x[2] * x[3] * x[4];
  return ForEachOutput(g, x, x[1], [&](int64_t n, int64_t c, const std::array<int64_t, 3>& o) {
    float largest = -std::numeric_limits<float>::infinity(), sum = 0.0f;
    int count = 0;
    VisitWindow(g, x, o, [&](int64_t at, int64_t) {
      if (at < 0 && count_padding) ++count;
      if (at < 0) return;
      const float value = input[static_cast<size_t>((n * x[1] + c) * plane + at)];
      largest = std::max(largest, value);
      sum += value;
      ++count;
    });
    return maximum ? largest : sum / static_cast<float>(count);
  });
}

TEST_CASE("pooling of three spatial axes") {
  const struct {
    const char* what;
    Shape x;
    Geometry geometry;
  } pools[] = {
      {"C3D's first", {1, 2, 3, 8, 8}, {.kernel = {1, 2, 2}, .stride = {1, 2, 2}}},
      {"C3D's last", {1, 3, 2, 7, 7}, {{2, 2, 2}, {2, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}}},
      {"S3D's third", {2, 2, 8, 7, 9}, {{3, 3, 3}, {2, 2, 2}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}},
      {"temporal", {1, 2, 7, 3, 5}, {.kernel = {3, 1, 1}, .stride = {2, 1, 1}}},
      {"a stride and padding of its own per axis",
       {1, 2, 5, 6, 7},
       {{2, 3, 4}, {1, 2, 3}, {1, 1, 1}, {1, 0, 2}, {0, 2, 3}}},
      {"one frame", {1, 2, 1, 4, 4}, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}},
      {"a window deeper than the input", {1, 2, 2, 3, 3}, {{4, 1, 1}, {1, 1, 1}, {1, 1, 1}, {2, 0, 0}, {1, 0, 0}}},
  };
  for (const auto& pool : pools) {
    CAPTURE(std::string(pool.what));
    for (const char* op : {"MaxPool", "AveragePool"}) {
      for (const bool count_padding : {false, true}) {
        const bool maximum = std::string(op) == "MaxPool";
        if (maximum && count_padding) continue;
        CAPTURE(op);
        CAPTURE(count_padding);
        ModelBuilder net;
        net.Input("x", pool.x).Output("y");
        auto& node = net.Node("pool", op, {"x"}, "y");
        test::AddInts(node, "kernel_shape", pool.geometry.kernel);
        test::AddInts(node, "strides", pool.geometry.stride);
        test::AddInts(node, "pads", pool.geometry.Pads());
        if (count_padding) test::AddInt(node, "count_include_pad", 1);
        const Output expected = Pool(pool.geometry, pool.x, maximum, count_padding);
        const Output actual = Run(net, {.threads = 2});
        CHECK(actual.shape == expected.shape);
        REQUIRE(actual.values.size() == expected.values.size());
        for (size_t i = 0; i < actual.values.size(); ++i) {
          CHECK(std::abs(actual.values[i] - expected.values[i]) <= (maximum ? 0.0f : 1e-6f));
        }
      }
    }
  }
}

TEST_CASE("dilated maxima, ceil_mode and auto_pad along the depth") {
  ModelBuilder dilated;
  dilated.Input("x", {1, 2, 7, 5, 5}).Output("y");
  const Geometry g{.kernel = {3, 2, 2}, .dilation = {2, 1, 3}};
  AddGeometry(g, dilated.Node("pool", "MaxPool", {"x"}, "y"));
  CHECK(Run(dilated).values == Pool(g, {1, 2, 7, 5, 5}, true, false).values);

  ModelBuilder ceil;
  ceil.Input("x", {1, 1, 4, 6, 7}).Output("y");
  auto& node = ceil.Node("pool", "MaxPool", {"x"}, "y");
  test::AddInts(node, "kernel_shape", {3, 2, 2});
  test::AddInts(node, "strides", {2, 2, 2});
  test::AddInt(node, "ceil_mode", 1);
  CHECK(Run(ceil).shape == Shape{1, 1, 2, 3, 4});

  ModelBuilder same;
  same.Input("x", {1, 2, 5, 6, 7}).Output("y").Weights("w", {3, 2, 3, 3, 3});
  auto& conv = same.Node("conv", "Conv", {"x", "w"}, "y");
  test::AddInts(conv, "strides", {2, 1, 2});
  auto& attribute = *conv.add_attribute();
  attribute.set_name("auto_pad");
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s("SAME_UPPER");
  CHECK(Run(same).shape == Shape{1, 3, 3, 6, 4});
}

TEST_CASE("BatchNormalization, a residual and an activation run in a convolution of three spatial axes") {
  ModelBuilder net;
  net.Input("x", {2, 8, 3, 4, 5}).Output("y").Weights("w", {8, 8, 3, 1, 1}).Normalisation("n", 8);
  test::AddInts(net.Node("conv", "Conv", {"x", "w"}, "c"), "pads", {1, 0, 0, 1, 0, 0});
  net.Node("norm", "BatchNormalization", {"c", "n.scale", "n.bias", "n.mean", "n.variance"}, "n");
  net.Node("sum", "Add", {"n", "x"}, "a");
  net.Node("relu", "Relu", {"a"}, "y");
  const auto fused = Run(net);
  const graph::Graph model = Import(net);
  const auto network = graph::Network::Compile(model);
  REQUIRE(network.ok());
  CHECK(network->layers().size() == 1);
  for (const char* value : {"c", "n", "a"}) net.Output(value);  // forbids fusion
  const auto plain = Run(net);
  REQUIRE(plain.values.size() == fused.values.size());
  for (size_t i = 0; i < plain.values.size(); ++i) {
    CHECK(fused.values[i] == doctest::Approx(plain.values[i]).epsilon(1e-4).scale(1.0));
  }
}

// Element [n, c, d, h, w] of a tensor of extents `shape`.
float At(const std::vector<float>& values, const Shape& shape, const std::array<int64_t, 5>& index) {
  int64_t at = 0;
  for (size_t axis = 0; axis < 5; ++axis) at = at * shape[axis] + index[axis];
  return values[static_cast<size_t>(at)];
}

TEST_CASE("Transpose, Slice, Concat, Add, Reshape and Flatten of five axes") {
  const Shape x = {2, 3, 4, 5, 6};
  const std::vector<float> values = InputValues(x);
  ModelBuilder net;
  net.Input("x", x).Output("y").Weights("v", {3, 1, 1, 6}, Integers(18, 1));
  net.Integers("starts", {1, 5}).Integers("ends", {4, -7}).Integers("axes", {2, 4}).Integers("steps", {2, -1});
  net.Integers("target", {2, -1, 6, 5});
  test::AddInts(net.Node("transpose", "Transpose", {"x"}, "t"), "perm", {0, 2, 1, 4, 3});  // [2, 4, 3, 6, 5]
  test::AddInts(net.Node("back", "Transpose", {"t"}, "b"), "perm", {0, 2, 1, 4, 3});
  net.Node("slice", "Slice", {"b", "starts", "ends", "axes", "steps"}, "s");  // frames 1 and 3, columns reversed
  net.Node("sum", "Add", {"s", "v"}, "a");
  test::AddInt(net.Node("join", "Concat", {"a", "s"}, "j"), "axis", 2);  // [2, 3, 4, 5, 6]
  net.Node("reshape", "Reshape", {"j", "target"}, "r");
  test::AddInt(net.Node("flatten", "Flatten", {"j"}, "y"), "axis", 3);
  net.Output("t").Output("r");
  const graph::Graph model = Import(net);
  auto network = graph::Network::Compile(model, {.threads = 2});
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  std::copy(values.begin(), values.end(), network->input(0).begin());
  REQUIRE(network->Run().ok());
  CHECK(network->output_shape(0) == Shape{24, 30});
  CHECK(network->output_shape(1) == Shape{2, 4, 3, 6, 5});
  CHECK(network->output_shape(2) == Shape{2, 12, 6, 5});
  const std::vector<float> y(network->output(0).begin(), network->output(0).end());
  const std::vector<float> t(network->output(1).begin(), network->output(1).end());
  const std::vector<float>& v = model.initializers.at("v").floats;
  size_t i = 0;
  for (int64_t n = 0; n < 2; ++n) {
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t d = 0; d < 4; ++d) {
        for (int64_t h = 0; h < 5; ++h) {
          for (int64_t w = 0; w < 6; ++w, ++i) {
            CHECK(At(t, {2, 4, 3, 6, 5}, {n, d, c, w, h}) == At(values, x, {n, c, d, h, w}));
            const float sliced = At(values, x, {n, c, 1 + 2 * (d % 2), h, 5 - w});
            CHECK(y[i] == sliced + (d < 2 ? v[static_cast<size_t>(c * 6 + w)] : 0.0f));
          }
        }
      }
    }
  }
}

TEST_CASE("a global average takes all frames") {
  ModelBuilder net;
  net.Input("x", {2, 3, 4, 5, 6}).Output("y");
  net.Node("pool", "GlobalAveragePool", {"x"}, "y");
  const Output y = Run(net);
  CHECK(y.shape == Shape{2, 3, 1, 1, 1});
  const std::vector<float> x = InputValues({2, 3, 4, 5, 6});
  for (size_t p = 0; p < 6; ++p) {
    const auto first = x.begin() + static_cast<std::ptrdiff_t>(p * 120);
    CHECK(y.values[p] == doctest::Approx(std::accumulate(first, first + 120, 0.0f) / 120.0f));
  }
}

TEST_CASE("what is refused") {
  const auto refused = [](const ModelBuilder& net, const std::string& word) {
    const graph::Status status = RefusalOf(net);
    CHECK_FALSE(status.ok());
    CHECK_MESSAGE(std::string(status.message()).find(word) != std::string::npos, std::string(status.message()));
  };
  const auto convolution = [](const Shape& x, const Shape& w) {
    ModelBuilder net;
    net.Input("x", x).Output("y").Weights("w", w);
    net.Node("conv", "Conv", {"x", "w"}, "y");
    return net;
  };
  refused(convolution({1, 2, 2, 5, 5}, {4, 2, 3, 3, 3}),
          "Conv node 'conv': the kernel reaches over 3 inputs of axis 2");
  refused(convolution({1, 2, 4, 5, 5}, {4, 2, 3, 3}), "as many axes");
  refused(convolution({1, 2, 4, 5, 5}, {4, 3, 3, 3, 3}), "2 input channels");
  refused(convolution({1, 2, 4, 5, 5, 5}, {4, 2, 3, 3, 3, 3}), "supported are 1 to 3 spatial axes");
  ModelBuilder strides = convolution({1, 2, 4, 5, 5}, {4, 2, 3, 3, 3});
  test::AddInts(*strides.model().mutable_graph()->mutable_node(0), "strides", {2, 2});
  refused(strides, "'strides' has 2 entries, must have 3");
  for (const Shape& perm : {Shape{0, 1, 2, 3}, Shape{0, 1, 2, 3, 3}, Shape{0, 1, 2, 3, 5}, Shape{-1, 1, 2, 3, 4}}) {
    ModelBuilder transpose;
    transpose.Input("x", {1, 2, 3, 4, 5}).Output("y");
    test::AddInts(transpose.Node("turn", "Transpose", {"x"}, "y"), "perm", perm);
    refused(transpose, "'turn': attribute 'perm' is " + graph::ToString(perm) + ", must name each of 5 axes once");
  }
}

}  // namespace
