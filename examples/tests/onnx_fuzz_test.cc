// Damaged models: every truncation and thousands of mutations end in a Status or in a network that runs.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/pruning.h"

namespace {

constexpr int64_t kMaxElements = 1 << 18;  // keeps runs of what still compiles short

// Import, compile and run; whether all of it worked.
bool Survives(std::span<const char> bytes) {
  graph::ImportOptions import_options;
  import_options.max_elements = kMaxElements;
  const auto model = graph::ImportOnnx(bytes, import_options);
  if (!model.ok()) {
    CHECK(std::string(model.status().message()) != "");
    return false;
  }
  graph::CompileOptions options;
  options.max_elements = kMaxElements;
  options.stored = true;
  auto network = graph::Network::Compile(*model, options);
  if (!network.ok()) {
    CHECK(std::string(network.status().message()) != "");
    return false;
  }
  for (size_t i = 0; i < network->input_count(); ++i) graph::FillGaussian(network->input(i), 1.0f, i);
  const graph::Status run = network->Run();  // indices that are computed may lie outside
  CHECK((run.ok() || std::string(run.message()) != ""));
  return run.ok();
}

struct Seed {
  std::string name;
  onnx::ModelProto model;
  std::vector<char> bytes;
};

Seed SeedOf(const std::string& name, const onnx::ModelProto& model) {
  const std::string bytes = model.SerializeAsString();
  return {name, model, {bytes.begin(), bytes.end()}};
}

// Half of the channels, upsampled, beside the other half.
onnx::ModelProto SlicedAndResized() {
  test::ModelBuilder net;
  net.Input("x", {1, 4, 3, 3}).Output("y").Integers("two", {2}).Integers("four", {4}).Integers("one", {1});
  net.Integers("zero", {0}).Integers("sizes", {1, 2, 6, 6}).Weights("scales", {4}, {1, 1, 2, 2});
  net.Node("back", "Slice", {"x", "two", "four", "one", "one"}, "b");
  net.Node("front", "Slice", {"x", "zero", "two", "one"}, "f");
  net.Node("by scale", "Resize", {"b", "", "scales"}, "bb");
  net.Node("by size", "Resize", {"f", "", "", "sizes"}, "ff");
  test::AddInt(net.Node("join", "Concat", {"bb", "ff"}, "y"), "axis", 1);
  return net.model();
}

// Frames: a spatial and a temporal convolution, normalisation, pooling, axes exchanged.
onnx::ModelProto SmallVideo() {
  test::ModelBuilder net;
  net.Input("x", {1, 3, 4, 6, 6}).Output("y").Weights("s", {8, 3, 1, 3, 3}).Weights("t", {8, 8, 3, 1, 1});
  net.Normalisation("n", 8);
  auto& spatial = net.Node("spatial", "Conv", {"x", "s"}, "a");
  test::AddInts(spatial, "strides", {1, 2, 2});
  test::AddInts(spatial, "pads", {0, 1, 1, 0, 1, 1});
  net.Node("norm", "BatchNormalization", {"a", "n.scale", "n.bias", "n.mean", "n.variance"}, "b");
  test::AddInts(net.Node("temporal", "Conv", {"b", "t"}, "c"), "pads", {1, 0, 0, 1, 0, 0});
  auto& pool = net.Node("pool", "MaxPool", {"c"}, "d");
  test::AddInts(pool, "kernel_shape", {2, 2, 2});
  test::AddInts(pool, "strides", {2, 1, 1});
  test::AddInts(net.Node("turn", "Transpose", {"d"}, "y"), "perm", {0, 2, 1, 3, 4});
  return net.model();
}

// Shape arithmetic as exporters write it, a branch, a loop, and what follows from them: a detector's head in small.
onnx::ModelProto ShapesAndBranches() {
  test::ModelBuilder net(17);
  net.Input("x", {1, 4, 6, 6}).Output("y").Output("best").Weights("up", {4, 6, 2, 2}).Weights("bias", {6});
  net.Integers("two", {2}).Integers("tail", {6, -1}).Integers("k", {3}).Integers("pads", {0, 0, 1, 1, 0, 0, 1, 1});
  net.Integers("axis", {0}).Integers("count", {2}).Integers("parts", {2, 4});
  net.Node("pad", "Pad", {"x", "pads"}, "p");
  auto& up = net.Node("up", "ConvTranspose", {"p", "up", "bias"}, "u");
  test::AddInts(up, "strides", {2, 2});
  test::AddInts(up, "pads", {0, 0, 1, 1});
  auto& split = net.Node("split", "Split", {"u", "parts"}, "s0");
  split.add_output("s1");
  test::AddInt(split, "axis", 1);
  auto& join = net.Node("join", "Concat", {"s1", "s0"}, "j");
  test::AddInt(join, "axis", 1);
  net.Node("shape", "Shape", {"j"}, "shape");
  net.Node("batch", "Gather", {"shape", "axis"}, "batch");
  test::AddInt(net.Node("target", "Concat", {"batch", "tail"}, "target"), "axis", 0);
  net.Node("flat", "Reshape", {"j", "target"}, "f");
  net.Node("mean", "ReduceMean", {"f"}, "m");
  net.Node("centre", "Sub", {"f", "m"}, "c");
  net.Node("scale", "Pow", {"c", "two.f"}, "q");
  net.Weights("two.f", {1}, {2.0f});
  net.Node("small", "Less", {"q", "m"}, "less");
  net.Node("pick", "Where", {"less", "f", "q"}, "w");
  auto& top = net.Node("top", "TopK", {"w", "k"}, "t");
  top.add_output("best");
  test::AddInt(top, "axis", -1);
  // if (batch == 2) t * t else t + t
  net.Node("is two", "Equal", {"batch", "two"}, "condition");
  auto& branch = net.Node("branch", "If", {"condition"}, "b");
  for (const bool then : {true, false}) {
    auto& attribute = *branch.add_attribute();
    attribute.set_name(then ? "then_branch" : "else_branch");
    attribute.set_type(onnx::AttributeProto::GRAPH);
    auto& node = *attribute.mutable_g()->add_node();
    node.set_op_type(then ? "Mul" : "Add");
    node.add_input("t");
    node.add_input("t");
    node.add_output(then ? "product" : "sum");
    attribute.mutable_g()->add_output()->set_name(node.output(0));
  }
  // twice: state = state + b
  auto& loop = net.Node("loop", "Loop", {"count", "", "b"}, "y");
  auto& attribute = *loop.add_attribute();
  attribute.set_name("body");
  attribute.set_type(onnx::AttributeProto::GRAPH);
  auto& body = *attribute.mutable_g();
  for (const char* name : {"i", "go", "state"}) body.add_input()->set_name(name);
  auto& add = *body.add_node();
  add.set_op_type("Add");
  add.add_input("state");
  add.add_input("b");
  add.add_output("next");
  auto& same = *body.add_node();
  same.set_op_type("Identity");
  same.add_input("go");
  same.add_output("go on");
  body.add_output()->set_name("go on");
  body.add_output()->set_name("next");
  return net.model();
}

// Two recurrent layers with most attributes and inputs, one in both directions, and a layer behind the last state.
onnx::ModelProto SmallSpeech() {
  test::ModelBuilder net;
  net.Input("x", {4, 2, 3}).Output("y").Output("a_h").Weights("wa", {2, 12, 3}).Weights("ra", {2, 12, 4});
  net.Weights("ba", {2, 24}).Integers("lengths", {4, 3}).Weights("h", {2, 2, 4}).Integers("shape", {4, 2, 8});
  net.Weights("wb", {1, 20, 8}).Weights("rb", {1, 20, 5}).Weights("pb", {1, 15}).Weights("fc", {5, 3});
  net.Integers("one", {0});
  auto& gru = net.Node("gru", "GRU", {"x", "wa", "ra", "ba", "lengths", "h"}, "a");
  gru.add_output("a_h");
  test::AddString(gru, "direction", "bidirectional");
  test::AddInt(gru, "hidden_size", 4);
  test::AddInt(gru, "linear_before_reset", 1);
  test::AddStrings(gru, "activations", {"Sigmoid", "Tanh", "HardSigmoid", "LeakyRelu"});
  test::AddFloats(gru, "activation_alpha", {0.2f, 0.1f});
  test::AddFloats(gru, "activation_beta", {0.5f});
  test::AddInts(net.Node("order", "Transpose", {"a"}, "b"), "perm", {0, 2, 1, 3});
  net.Node("join", "Reshape", {"b", "shape"}, "c");
  auto& lstm = net.Node("lstm", "LSTM", {"c", "wb", "rb", "", "", "", "", "pb"}, "");
  lstm.add_output("d");
  lstm.add_output("d_c");
  test::AddFloat(lstm, "clip", 2.0f);
  test::AddInt(lstm, "input_forget", 1);
  net.Node("last", "Squeeze", {"d", "one"}, "e");
  net.Node("fc", "Gemm", {"e", "fc"}, "y");
  return net.model();
}

// Pruned models: their metadata and weights decide what is built.
std::vector<Seed> Seeds() {
  std::vector<Seed> seeds = {SeedOf("slice and resize", SlicedAndResized()), SeedOf("video", SmallVideo()),
                             SeedOf("speech", SmallSpeech()), SeedOf("shapes", ShapesAndBranches())};
  for (const char* scheme : {"bcr_col-8x", "pattern_g4-8x"}) {
    onnx::ModelProto model = test::SmallClassifier().model();
    graph::PruneOptions options;
    options.scheme = test::SchemeNamed(scheme);
    options.layers = "w2";
    REQUIRE(graph::PruneModel(options, model).ok());
    seeds.push_back(SeedOf(scheme, model));
  }
  return seeds;
}

// The bytes that are structure rather than weights: runs of weights dominate the file and hardly matter.
std::vector<size_t> StructureBytes(const Seed& seed) {
  const std::vector<char>& bytes = seed.bytes;
  std::vector<size_t> places;
  std::vector<bool> weight(bytes.size(), false);
  const std::string text(bytes.begin(), bytes.end());
  for (const auto& tensor : seed.model.graph().initializer()) {
    const size_t at = tensor.raw_data().empty() ? std::string::npos : text.find(tensor.raw_data());
    if (at == std::string::npos) continue;
    for (size_t i = 0; i < tensor.raw_data().size(); ++i) weight[at + i] = true;
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (!weight[i]) places.push_back(i);
  }
  return places;
}

uint64_t Next(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

TEST_CASE("the undamaged models run") {
  for (const Seed& seed : Seeds()) {
    CAPTURE(seed.name);
    CHECK(Survives(seed.bytes));
  }
}

TEST_CASE("truncations") {
  for (const Seed& seed : Seeds()) {
    CAPTURE(seed.name);
    size_t position = 0;
    for (const size_t place : StructureBytes(seed)) {
      Survives(std::span(seed.bytes).first(place));
      position = place;
    }
    CHECK(position > 0);
    CHECK_FALSE(Survives(std::span(seed.bytes).first(seed.bytes.size() / 3)));
  }
}

TEST_CASE("flipped bits and replaced bytes") {
  for (const Seed& seed : Seeds()) {
    CAPTURE(seed.name);
    const std::vector<size_t> places = StructureBytes(seed);
    uint64_t random = 0x9e3779b97f4a7c15;
    int survivors = 0;
    for (const size_t place : places) {  // each byte of structure once
      std::vector<char> damaged = seed.bytes;
      damaged[place] = static_cast<char>(damaged[place] ^ (1 << (Next(random) % 8)));
      survivors += Survives(damaged) ? 1 : 0;
    }
    for (int i = 0; i < 1000; ++i) {  // a few at once, with values that matter to lengths and extents
      std::vector<char> damaged = seed.bytes;
      constexpr char kValues[] = {0, 1, 2, 127, -128, -1};
      for (uint64_t hits = 1 + Next(random) % 4; hits > 0; --hits) {
        damaged[places[Next(random) % places.size()]] = kValues[Next(random) % sizeof(kValues)];
      }
      survivors += Survives(damaged) ? 1 : 0;
    }
    CHECK(survivors > 0);
  }
}

TEST_CASE("pieces removed and doubled") {
  for (const Seed& seed : Seeds()) {
    CAPTURE(seed.name);
    const std::vector<size_t> places = StructureBytes(seed);
    uint64_t random = 42;
    for (int i = 0; i < 500; ++i) {
      std::vector<char> damaged = seed.bytes;
      const size_t at = places[Next(random) % places.size()];
      const size_t length = std::min<size_t>(1 + Next(random) % 40, damaged.size() - at);
      const auto first = damaged.begin() + static_cast<std::ptrdiff_t>(at);
      const auto last = first + static_cast<std::ptrdiff_t>(length);
      if (i % 2 == 0) {
        damaged.erase(first, last);
      } else {
        const std::vector<char> piece(first, last);
        damaged.insert(last, piece.begin(), piece.end());
      }
      Survives(damaged);
    }
  }
}

TEST_CASE("weights that were never pruned are covered by any scheme in the metadata") {
  for (const char* scheme : test::kSparseSchemes) {
    CAPTURE(scheme);
    test::ModelBuilder net = test::SmallClassifier();
    auto* entry = net.model().add_metadata_props();
    entry->set_key("lacuna.scheme/w2");
    entry->set_value(std::string(R"({"scheme":")") + scheme + R"(","taps":9})");
    CHECK(Survives(net.Bytes()));
  }
}

}  // namespace
