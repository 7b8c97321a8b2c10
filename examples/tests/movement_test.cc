// Operators that move, gather, make and sort elements, beyond ONNX's own vectors: operator sets, sizes that are dealt
// out to threads, integers that wrap, what is refused.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "graph/constant_folding.h"
#include "graph/executor.h"
#include "graph/graph.h"

namespace {

using graph::ElementType;
using graph::Graph;
using graph::Shape;
using graph::StatusCode;
using graph::Tensor;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor Floats(Shape shape, std::vector<float> values) {
  return {.type = ElementType::kFloat, .shape = std::move(shape), .floats = std::move(values)};
}
Tensor Integers(ElementType type, Shape shape, std::vector<int64_t> values) {
  return {.type = type, .shape = std::move(shape), .integers = std::move(values)};
}
Tensor List(std::vector<int64_t> values) { return Tensor::Integers(std::move(values)); }
Tensor Scalar(int64_t value) { return Integers(ElementType::kInt64, {}, {value}); }
// 0, 1, 2, ...
Tensor Count(const Shape& shape) {
  Tensor tensor = Tensor::Zeros(ElementType::kFloat, shape);
  std::iota(tensor.floats.begin(), tensor.floats.end(), 0.0f);
  return tensor;
}

struct Case {
  std::string op;
  std::vector<Tensor> inputs;
  std::map<std::string, graph::Attribute> attributes{};
  int64_t opset = 18;
  size_t outputs = 1;
};

struct Outcome {
  graph::Status status;
  std::vector<Tensor> outputs;

  bool Is(const Shape& shape, const std::vector<float>& values) const {
    return status.ok() && outputs[0].shape == shape && outputs[0].floats == values;
  }
  bool Is(const std::vector<int64_t>& values) const { return status.ok() && outputs[0].integers == values; }
};

// The node alone; the first `computed` inputs are known only when it runs.
Graph GraphOf(const Case& given, size_t computed) {
  Graph model;
  model.opset = given.opset;
  graph::Node node;
  node.name = "node";
  node.op = given.op;
  node.attributes = given.attributes;
  for (size_t i = 0; i < given.inputs.size(); ++i) {
    node.inputs.push_back("x" + std::to_string(i));
    if (i < computed) {
      model.inputs.push_back({node.inputs[i], given.inputs[i].shape, given.inputs[i].type});
    } else {
      model.initializers[node.inputs[i]] = given.inputs[i];
    }
  }
  for (size_t i = 0; i < given.outputs; ++i) node.outputs.push_back("y" + std::to_string(i));
  model.outputs = node.outputs;
  model.nodes.push_back(std::move(node));
  return model;
}

Outcome Fold(const Case& given) {
  Graph model = GraphOf(given, 0);
  if (const graph::Status status = graph::FoldConstants(model); !status.ok()) return {status, {}};
  Outcome outcome;
  for (const std::string& output : model.outputs) outcome.outputs.push_back(model.initializers.at(output));
  return outcome;
}

Outcome Run(const Case& given, size_t computed, size_t threads = 1) {
  const Graph model = GraphOf(given, computed);
  auto network = graph::Network::Compile(model, {.threads = threads});
  if (!network.ok()) return {network.status(), {}};
  for (size_t i = 0; i < computed; ++i) {
    if (const graph::Status status = network->SetInput(i, given.inputs[i]); !status.ok()) return {status, {}};
  }
  if (const graph::Status status = network->Run(); !status.ok()) return {status, {}};
  Outcome outcome;
  for (size_t i = 0; i < network->output_count(); ++i) outcome.outputs.push_back(network->OutputTensor(i));
  return outcome;
}

void CheckRefused(const Case& given, StatusCode code, const std::string& words) {
  const graph::Status status = Fold(given).status;
  CAPTURE(given.op);
  CAPTURE(std::string(status.message()));
  CHECK(status.code() == code);
  CHECK(std::string(status.message()).find("'node'") != std::string::npos);
  CHECK(std::string(status.message()).find(words) != std::string::npos);
}

// Calls f(element, position) for each position in `shape`.
template <class F>
void ForEach(const Shape& shape, const F& f) {
  Shape at(shape.size(), 0);
  for (int64_t i = 0; i < graph::Elements(shape); ++i) {
    f(i, at);
    for (size_t k = shape.size(); k-- > 0 && ++at[k] == shape[k];) at[k] = 0;
  }
}

int64_t ElementAt(const Shape& shape, const Shape& at) {
  int64_t element = 0;
  for (size_t axis = 0; axis < shape.size(); ++axis) element = element * shape[axis] + at[axis];
  return element;
}

TEST_CASE("every order of four axes, on one thread and on three") {
  const Shape x = {2, 35, 9, 40};
  std::vector<int64_t> order = {0, 1, 2, 3};
  do {
    CAPTURE(graph::ToString(order));
    Shape y;
    for (const int64_t axis : order) y.push_back(x[static_cast<size_t>(axis)]);
    std::vector<float> expected;
    ForEach(y, [&](int64_t, const Shape& at) {
      Shape from(4);
      for (size_t k = 0; k < 4; ++k) from[static_cast<size_t>(order[k])] = at[k];
      expected.push_back(static_cast<float>(ElementAt(x, from)));
    });
    const Case transpose{"Transpose", {Count(x)}, {{"perm", order}}};
    CHECK(Run(transpose, 1, 1).Is(y, expected));
    CHECK(Run(transpose, 1, 3).Is(y, expected));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("large slices, paddings, tiles and expansions") {
  const Shape x = {3, 50, 130};
  for (const size_t threads : {1, 3}) {
    const auto check = [&](const Case& given, const Shape& y, const auto& source) {
      CAPTURE(given.op);
      std::vector<float> expected;
      ForEach(y, [&](int64_t, const Shape& at) {
        const Shape from = source(at);
        const bool filled = std::any_of(from.begin(), from.end(), [](int64_t i) { return i < 0; });
        expected.push_back(filled ? -7.0f : static_cast<float>(ElementAt(given.inputs[0].shape, from)));
      });
      CHECK(Run(given, 1, threads).Is(y, expected));
    };
    const auto slice = [&](std::vector<int64_t> starts, std::vector<int64_t> ends, std::vector<int64_t> steps) {
      return Case{"Slice", {Count(x), List(starts), List(ends), List({0, 1, 2}), List(steps)}};
    };
    check(slice({0, 1, 2}, {3, 49, 130}, {1, 1, 1}), {3, 48, 128}, [](const Shape& at) {
      return Shape{at[0], at[1] + 1, at[2] + 2};
    });
    check(slice({2, 0, 0}, {kMin, 50, 130}, {-1, 1, 1}), {3, 50, 130}, [](const Shape& at) {
      return Shape{2 - at[0], at[1], at[2]};
    });
    check(slice({1, 0, -1}, {kMax, 50, kMin}, {kMax, 1, -1}), {1, 50, 130}, [](const Shape& at) {
      return Shape{at[0] + 1, at[1], 129 - at[2]};
    });
    check({"Pad", {Count(x), List({1, 2, 3, 0, -1, 4}), Floats({}, {-7})}}, {4, 51, 137}, [](const Shape& at) {
      return Shape{at[0] - 1, at[1] - 2, at[2] < 133 ? at[2] - 3 : -1};
    });
    check({"Tile", {Count(x), List({2, 1, 3})}}, {6, 50, 390}, [](const Shape& at) {
      return Shape{at[0] % 3, at[1], at[2] % 130};
    });
    check({"Expand", {Count({50, 1, 130}), List({4, 1, 3, 1})}}, {4, 50, 3, 130}, [](const Shape& at) {
      return Shape{at[1], 0, at[3]};
    });
    check({"Expand", {Count({50, 1, 1}), List({3, 130})}}, {50, 3, 130}, [](const Shape& at) {
      return Shape{at[0], 0, 0};
    });
  }
}

TEST_CASE("paddings of every mode and operator set") {
  const Tensor x = Count({4});
  const auto padded = [&](const char* mode, std::vector<int64_t> pads) {
    return Fold({"Pad", {x, List(std::move(pads))}, {{"mode", std::string(mode)}}});
  };
  CHECK(padded("reflect", {3, 2}).Is({9}, {3, 2, 1, 0, 1, 2, 3, 2, 1}));
  CHECK(padded("edge", {2, -1}).Is({5}, {0, 0, 0, 1, 2}));
  CHECK(padded("wrap", {5, 1}).Is({10}, {3, 0, 1, 2, 3, 0, 1, 2, 3, 0}));
  CHECK(padded("reflect", {-1, 2}).Is({5}, {1, 2, 3, 2, 1}));
  CHECK(padded("constant", {-4, 2}).Is({2}, {0, 0}));
  const std::vector<int64_t> pads = {1, 1};
  CHECK(Fold({"Pad", {x}, {{"paddings", pads}, {"value", 9.0f}}, 1}).Is({6}, {9, 0, 1, 2, 3, 9}));
  CHECK(Fold({"Pad", {x}, {{"pads", pads}, {"value", 9.0f}}, 10}).Is({6}, {9, 0, 1, 2, 3, 9}));
  CHECK(Fold({"Pad", {Integers(ElementType::kBool, {1}, {1}), List({0, 1})}}).Is({1, 0}));
  for (const auto& bad : {std::vector<int64_t>{kMin, kMin}, {kMax, kMax}, {kMin, kMax}, {-3, -2}, {0, kMax}}) {
    CheckRefused({"Pad", {x, List(bad)}}, StatusCode::kInvalidArgument, "axis 0 of extent 4");
  }
  CheckRefused({"Pad", {x, List({4, 0})}, {{"mode", "reflect"}}}, StatusCode::kInvalidArgument, "by 4 and 0");
  CheckRefused({"Pad", {x, List({1})}}, StatusCode::kInvalidArgument, "1 pads");
  CheckRefused({"Pad", {x, List({1, 1})}, {{"mode", "odd"}}}, StatusCode::kUnsupported, "'odd'");
}

TEST_CASE("splits of every operator set") {
  const Tensor x = Count({5});
  const std::vector<int64_t> sizes = {1, 4};
  const Outcome old = Fold({"Split", {x}, {{"split", sizes}}, 11, 2});
  REQUIRE(old.status.ok());
  CHECK(old.outputs[0].floats == std::vector<float>{0});
  CHECK(old.outputs[1].floats == std::vector<float>{1, 2, 3, 4});
  const Outcome uneven = Fold({"Split", {x}, {{"num_outputs", int64_t{2}}}, 18, 2});
  REQUIRE(uneven.status.ok());
  CHECK(uneven.outputs[0].floats == std::vector<float>{0, 1, 2});
  CHECK(uneven.outputs[1].floats == std::vector<float>{3, 4});
  // An output that nobody reads moves no other one.
  Graph model = GraphOf({"Split", {x, List({2, 2, 1})}, {}, 13, 3}, 1);
  model.outputs = {"y0", "y2"};
  model.nodes[0].outputs[1].clear();
  auto network = graph::Network::Compile(model, {});
  REQUIRE(network.ok());
  REQUIRE(network->SetInput(0, x).ok());
  REQUIRE(network->Run().ok());
  CHECK(network->OutputTensor(0).floats == std::vector<float>{0, 1});
  CHECK(network->OutputTensor(1).floats == std::vector<float>{4});

  CheckRefused({"Split", {x}, {}, 13, 2}, StatusCode::kInvalidArgument, "2 equal parts");
  CheckRefused({"Split", {x}, {{"num_outputs", int64_t{1} << 28}}, 18, 2}, StatusCode::kInvalidArgument, "268435456");
  CheckRefused({"Split", {x, List({2, 2, 1})}, {}, 13, 2}, StatusCode::kInvalidArgument, "[2, 2, 1]");
  CheckRefused({"Split", {x, List({kMax, kMax})}, {}, 13, 2}, StatusCode::kInvalidArgument, "add up to 5");
  CheckRefused({"Split", {x, List({-1, 6})}, {}, 13, 2}, StatusCode::kInvalidArgument, "[-1, 6]");
}

TEST_CASE("concatenations deal out large runs") {
  const Case concat{"Concat", {Count({70, 3, 90}), Count({70, 0, 90}), Count({70, 2, 90})}, {{"axis", int64_t{-2}}}};
  const Outcome one = Run(concat, 3, 1), three = Run(concat, 3, 3);
  REQUIRE(one.status.ok());
  CHECK(one.outputs[0].shape == Shape{70, 5, 90});
  ForEach({70, 5, 90}, [&](int64_t i, const Shape& at) {
    const int64_t from = at[1] < 3 ? ElementAt({70, 3, 90}, at) : ElementAt({70, 2, 90}, {at[0], at[1] - 3, at[2]});
    if (one.outputs[0].floats[static_cast<size_t>(i)] != static_cast<float>(from)) FAIL_CHECK("element ", i);
  });
  CHECK(three.Is({70, 5, 90}, one.outputs[0].floats));
  CheckRefused({"Concat", {Count({2}), Count({1, 2})}, {{"axis", int64_t{0}}}}, StatusCode::kInvalidArgument,
               "input 1");
  CheckRefused({"Concat", {Count({2}), List({1})}, {{"axis", int64_t{0}}}}, StatusCode::kInvalidArgument, "INT64");
}

TEST_CASE("an index out of range is an error, whenever it is known") {
  const Tensor x = Count({2, 3});
  const std::vector<Case> cases = {
      {"Gather", {x, List({0, 3})}, {{"axis", int64_t{1}}}},
      {"Gather", {x, List({kMin})}, {{"axis", int64_t{1}}}},
      {"GatherElements", {x, Integers(ElementType::kInt32, {1, 2}, {0, -4})}, {{"axis", int64_t{1}}}},
      {"GatherND", {x, Integers(ElementType::kInt64, {2, 2}, {0, 0, 1, 3})}},
      {"ScatterElements", {x, Integers(ElementType::kInt64, {1, 1}, {kMax}), Count({1, 1})}, {{"axis", int64_t{1}}}},
      {"ScatterND", {x, Integers(ElementType::kInt64, {1, 2}, {-1, 3}), Count({1})}},
  };
  for (const Case& given : cases) {
    CheckRefused(given, StatusCode::kInvalidArgument, "must be in [-3, 2]");
    const graph::Status known = Run(given, 1).status, computed = Run(given, given.inputs.size()).status;
    for (const graph::Status& status : {known, computed}) {
      CHECK(status.code() == StatusCode::kInvalidArgument);
      CHECK(std::string(status.message()).find("'node'") != std::string::npos);
    }
  }
  CheckRefused({"Gather", {x, x}}, StatusCode::kInvalidArgument, "must be integers");
  CheckRefused({"ScatterElements", {x, Integers(ElementType::kInt64, {1, 1}, {0}), List({1})}},
               StatusCode::kInvalidArgument, "INT64");
}

TEST_CASE("gathering runs and elements on several threads") {
  std::vector<int64_t> indices(300);
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int64_t>(i * 37 % 80) - 40;
  for (const int64_t inner : {1, 3}) {
    const Case gather{
        "Gather", {Count({60, 40, inner}), Integers(ElementType::kInt64, {10, 30}, indices)}, {{"axis", int64_t{1}}}};
    const Outcome one = Run(gather, 2, 1);
    REQUIRE(one.status.ok());
    CHECK(one.outputs[0].shape == Shape{60, 10, 30, inner});
    ForEach({60, 300, inner}, [&](int64_t i, const Shape& at) {
      const int64_t index = (indices[static_cast<size_t>(at[1])] + 40) % 40;
      const auto expected = static_cast<float>(ElementAt({60, 40, inner}, {at[0], index, at[2]}));
      if (one.outputs[0].floats[static_cast<size_t>(i)] != expected) FAIL_CHECK("element ", i);
    });
    CHECK(Run(gather, 2, 3).Is({60, 10, 30, inner}, one.outputs[0].floats));
  }
}

TEST_CASE("scattered integers wrap as their type does") {
  const auto scattered = [](ElementType type, const char* reduction, int64_t x, int64_t update) {
    return Fold({"ScatterElements",
                 {Integers(type, {1}, {x}), List({0}), Integers(type, {1}, {update})},
                 {{"reduction", std::string(reduction)}}});
  };
  CHECK(scattered(ElementType::kInt32, "add", 2147483647, 1).Is({-2147483648}));
  CHECK(scattered(ElementType::kInt64, "add", kMax, 1).Is({kMin}));
  CHECK(scattered(ElementType::kInt64, "mul", kMax, 2).Is({-2}));
  CHECK(scattered(ElementType::kUint8, "mul", 200, 2).Is({144}));
  CHECK(scattered(ElementType::kUint64, "max", 1, -1).Is({-1}));
  CHECK(scattered(ElementType::kInt64, "min", 1, -1).Is({-1}));
  // ScatterND has no batches, whatever its attributes say.
  CHECK(Fold({"ScatterND",
              {Count({2, 2}), Integers(ElementType::kInt64, {2, 1}, {1, 1}), Floats({2, 2}, {5, 6, 7, 8})},
              {{"batch_dims", int64_t{1}}}})
            .Is({2, 2}, {0, 1, 7, 8}));
}

TEST_CASE("indices of OneHot that are no index set no element") {
  const Outcome hot = Fold({"OneHot", {Floats({5}, {1, -1, 2, kNan, 1e30f}), Floats({}, {2}), List({4, 5})}});
  CHECK(hot.Is({4, 5, 4, 5, 4, 4, 4, 4, 4, 4}));
  CheckRefused({"OneHot", {List({0}), Floats({}, {kNan}), List({0, 1})}}, StatusCode::kInvalidArgument, "depth");
  CheckRefused({"OneHot", {List({0}), Scalar(kMax), List({0, 1})}}, StatusCode::kInvalidArgument, "depth");
}

TEST_CASE("ranges and filled tensors keep every bit of an integer") {
  CHECK(Fold({"Range", {Scalar(kMax - 2), Scalar(kMax), Scalar(1)}}).Is({kMax - 2, kMax - 1}));
  CHECK(Fold({"Range", {Scalar(kMin), Scalar(kMax), Scalar(kMax)}}).Is({kMin, -1, kMax - 1}));
  CHECK(Fold({"Range", {Scalar(3), Scalar(kMin), Scalar(kMin)}}).Is({3, kMin + 3}));
  CHECK(Fold({"Range", {Scalar(3), Scalar(3), Scalar(-1)}}).Is(std::vector<int64_t>{}));
  CHECK(Fold({"Range", {Floats({}, {3e38f}), Floats({}, {-3e38f}), Floats({}, {1})}}).Is({0}, {}));
  CHECK(Fold({"Range", {Floats({}, {0}), Floats({}, {1}), Floats({}, {0.25f})}}).Is({4}, {0, 0.25f, 0.5f, 0.75f}));
  CheckRefused({"Range", {Scalar(0), Scalar(1), Scalar(0)}}, StatusCode::kInvalidArgument, "in steps of 0");
  CheckRefused({"Range", {Scalar(kMin), Scalar(kMax), Scalar(1)}}, StatusCode::kInvalidArgument, "268435456");
  CheckRefused({"Range", {Floats({}, {kNan}), Floats({}, {1}), Floats({}, {1})}}, StatusCode::kInvalidArgument, "nan");
  CHECK(Fold({"ConstantOfShape", {List({2})}, {{"value", List({kMax})}}}).Is({kMax, kMax}));
  CheckRefused({"ConstantOfShape", {List({kMax, 4})}}, StatusCode::kInvalidArgument, "limit");
  CheckRefused({"ConstantOfShape", {List({-1})}}, StatusCode::kInvalidArgument, "-1");
  CheckRefused({"ConstantOfShape", {List({1})}, {{"value", List({1, 2})}}}, StatusCode::kInvalidArgument, "'value'");
  CHECK(Fold({"CumSum", {Integers(ElementType::kInt8, {3}, {100, 27, 1}), Scalar(0)}}).Is({100, 127, -128}));
  CHECK(Fold({"CumSum", {List({kMax, 1}), Scalar(-1)}}).Is({kMax, kMin}));
}

TEST_CASE("the largest and the smallest, equal ones and NaN among them") {
  const Tensor x = Floats({6}, {1, 3, kNan, 3, -0.0f, 0.0f});
  const auto indices = [&](int64_t k, int64_t largest) {
    const Outcome top = Fold({"TopK", {x, List({k})}, {{"largest", largest}}, 11, 2});
    return top.status.ok() ? top.outputs[1].integers : std::vector<int64_t>{};
  };
  CHECK(indices(6, 1) == std::vector<int64_t>{2, 1, 3, 0, 4, 5});
  CHECK(indices(3, 0) == std::vector<int64_t>{4, 5, 0});
  CHECK(Fold({"TopK", {Floats({2}, {1, 2})}, {{"k", int64_t{1}}}, 1, 2}).Is({1}, {2}));
  CHECK(Fold({"TopK", {Integers(ElementType::kUint64, {2}, {1, -1}), List({1})}, {}, 11, 2}).Is({-1}));
  CheckRefused({"TopK", {x, List({7})}, {}, 11, 2}, StatusCode::kInvalidArgument, "k is 7, must be in [0, 6]");
  CheckRefused({"TopK", {x, List({-1})}, {}, 11, 2}, StatusCode::kInvalidArgument, "k is -1");

  // Many lines on several threads against a sort of each.
  Tensor many = Tensor::Zeros(ElementType::kFloat, {7, 90, 300});
  for (size_t i = 0; i < many.floats.size(); ++i) many.floats[i] = static_cast<float>(i * 7919 % 101);
  for (const size_t threads : {1, 3}) {
    const Outcome top = Run({"TopK", {many, List({5})}, {{"axis", int64_t{1}}}, 11, 2}, 1, threads);
    const Outcome best = Run({"ArgMax", {many}, {{"axis", int64_t{1}}}}, 1, threads);
    const Outcome last = Run({"ArgMin", {many}, {{"axis", int64_t{1}}, {"select_last_index", int64_t{1}}}}, 1, threads);
    REQUIRE(top.status.ok());
    REQUIRE(best.status.ok());
    REQUIRE(last.status.ok());
    int wrong = 0;
    ForEach({7, 300}, [&](int64_t line, const Shape& at) {
      std::vector<std::pair<float, int64_t>> sorted;
      for (int64_t i = 0; i < 90; ++i) {
        sorted.emplace_back(-many.floats[static_cast<size_t>(ElementAt({7, 90, 300}, {at[0], i, at[1]}))], i);
      }
      std::sort(sorted.begin(), sorted.end());
      for (int64_t i = 0; i < 5; ++i) {
        const auto found = static_cast<size_t>(ElementAt({7, 5, 300}, {at[0], i, at[1]}));
        wrong += top.outputs[1].integers[found] != sorted[static_cast<size_t>(i)].second;
        wrong += top.outputs[0].floats[found] != -sorted[static_cast<size_t>(i)].first;
      }
      wrong += best.outputs[0].integers[static_cast<size_t>(line)] != sorted.front().second;
      wrong += last.outputs[0].integers[static_cast<size_t>(line)] != sorted.back().second;
    });
    CHECK(wrong == 0);
  }
  CheckRefused({"ArgMax", {Count({0, 2})}}, StatusCode::kInvalidArgument, "axis 0");
}

TEST_CASE("blocks and sequences that are refused") {
  CheckRefused({"DepthToSpace", {Count({1, 4, 1, 1})}, {{"blocksize", kMax}}}, StatusCode::kInvalidArgument,
               "blocksize");
  CheckRefused({"SpaceToDepth", {Count({1, 4, 3, 2})}, {{"blocksize", int64_t{2}}}}, StatusCode::kInvalidArgument,
               "multiples of blocksize");
  CheckRefused({"ReverseSequence", {Count({2, 2}), List({1, 3})}}, StatusCode::kInvalidArgument,
               "3, must be in [0, 2]");
  CheckRefused({"ReverseSequence", {Count({2, 2}), List({1, 1})}, {{"batch_axis", kMax}, {"time_axis", kMax}}},
               StatusCode::kInvalidArgument, "must be 0 and 1");
  CheckRefused({"Tile", {Count({2}), List({kMax})}}, StatusCode::kInvalidArgument, "repeats");
  CheckRefused({"Tile", {Count({1 << 14}), List({1 << 15})}}, StatusCode::kInvalidArgument, "limit");
  CheckRefused({"Expand", {Count({2}), List({kMin})}}, StatusCode::kInvalidArgument, "extents must be at least 0");
  CheckRefused({"Compress", {Count({2}), Integers(ElementType::kBool, {3}, {0, 0, 1})}}, StatusCode::kInvalidArgument,
               "input 1");
}

}  // namespace
