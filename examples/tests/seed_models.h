// Small models that between them have most of what the importer knows, for tests that damage them.

#ifndef LACUNA_EXAMPLES_TESTS_SEED_MODELS_H_
#define LACUNA_EXAMPLES_TESTS_SEED_MODELS_H_

#include <onnx/onnx_pb.h>

#include "examples/tests/model_builder.h"

namespace test {

// Half of the channels, upsampled, beside the other half.
inline onnx::ModelProto SlicedAndResized() {
  ModelBuilder net;
  net.Input("x", {1, 4, 3, 3}).Output("y").Integers("two", {2}).Integers("four", {4}).Integers("one", {1});
  net.Integers("zero", {0}).Integers("sizes", {1, 2, 6, 6}).Weights("scales", {4}, {1, 1, 2, 2});
  net.Node("back", "Slice", {"x", "two", "four", "one", "one"}, "b");
  net.Node("front", "Slice", {"x", "zero", "two", "one"}, "f");
  net.Node("by scale", "Resize", {"b", "", "scales"}, "bb");
  net.Node("by size", "Resize", {"f", "", "", "sizes"}, "ff");
  AddInt(net.Node("join", "Concat", {"bb", "ff"}, "y"), "axis", 1);
  return net.model();
}

// Frames: a spatial and a temporal convolution, normalisation, pooling, axes exchanged.
inline onnx::ModelProto SmallVideo() {
  ModelBuilder net;
  net.Input("x", {1, 3, 4, 6, 6}).Output("y").Weights("s", {8, 3, 1, 3, 3}).Weights("t", {8, 8, 3, 1, 1});
  net.Normalisation("n", 8);
  auto& spatial = net.Node("spatial", "Conv", {"x", "s"}, "a");
  AddInts(spatial, "strides", {1, 2, 2});
  AddInts(spatial, "pads", {0, 1, 1, 0, 1, 1});
  net.Node("norm", "BatchNormalization", {"a", "n.scale", "n.bias", "n.mean", "n.variance"}, "b");
  AddInts(net.Node("temporal", "Conv", {"b", "t"}, "c"), "pads", {1, 0, 0, 1, 0, 0});
  auto& pool = net.Node("pool", "MaxPool", {"c"}, "d");
  AddInts(pool, "kernel_shape", {2, 2, 2});
  AddInts(pool, "strides", {2, 1, 1});
  AddInts(net.Node("turn", "Transpose", {"d"}, "y"), "perm", {0, 2, 1, 3, 4});
  return net.model();
}

// Shape arithmetic as exporters write it, a branch, a loop, and what follows from them: a detector's head in small.
inline onnx::ModelProto ShapesAndBranches() {
  ModelBuilder net(17);
  net.Input("x", {1, 4, 6, 6}).Output("y").Output("best").Weights("up", {4, 6, 2, 2}).Weights("bias", {6});
  net.Integers("two", {2}).Integers("tail", {6, -1}).Integers("k", {3}).Integers("pads", {0, 0, 1, 1, 0, 0, 1, 1});
  net.Integers("axis", {0}).Integers("count", {2}).Integers("parts", {2, 4});
  net.Node("pad", "Pad", {"x", "pads"}, "p");
  auto& up = net.Node("up", "ConvTranspose", {"p", "up", "bias"}, "u");
  AddInts(up, "strides", {2, 2});
  AddInts(up, "pads", {0, 0, 1, 1});
  auto& split = net.Node("split", "Split", {"u", "parts"}, "s0");
  split.add_output("s1");
  AddInt(split, "axis", 1);
  auto& join = net.Node("join", "Concat", {"s1", "s0"}, "j");
  AddInt(join, "axis", 1);
  net.Node("shape", "Shape", {"j"}, "shape");
  net.Node("batch", "Gather", {"shape", "axis"}, "batch");
  AddInt(net.Node("target", "Concat", {"batch", "tail"}, "target"), "axis", 0);
  net.Node("flat", "Reshape", {"j", "target"}, "f");
  net.Node("mean", "ReduceMean", {"f"}, "m");
  net.Node("centre", "Sub", {"f", "m"}, "c");
  net.Node("scale", "Pow", {"c", "two.f"}, "q");
  net.Weights("two.f", {1}, {2.0f});
  net.Node("small", "Less", {"q", "m"}, "less");
  net.Node("pick", "Where", {"less", "f", "q"}, "w");
  auto& top = net.Node("top", "TopK", {"w", "k"}, "t");
  top.add_output("best");
  AddInt(top, "axis", -1);
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
inline onnx::ModelProto SmallSpeech() {
  ModelBuilder net;
  net.Input("x", {4, 2, 3}).Output("y").Output("a_h").Weights("wa", {2, 12, 3}).Weights("ra", {2, 12, 4});
  net.Weights("ba", {2, 24}).Integers("lengths", {4, 3}).Weights("h", {2, 2, 4}).Integers("shape", {4, 2, 8});
  net.Weights("wb", {1, 20, 8}).Weights("rb", {1, 20, 5}).Weights("pb", {1, 15}).Weights("fc", {5, 3});
  net.Integers("one", {0});
  auto& gru = net.Node("gru", "GRU", {"x", "wa", "ra", "ba", "lengths", "h"}, "a");
  gru.add_output("a_h");
  AddString(gru, "direction", "bidirectional");
  AddInt(gru, "hidden_size", 4);
  AddInt(gru, "linear_before_reset", 1);
  AddStrings(gru, "activations", {"Sigmoid", "Tanh", "HardSigmoid", "LeakyRelu"});
  AddFloats(gru, "activation_alpha", {0.2f, 0.1f});
  AddFloats(gru, "activation_beta", {0.5f});
  AddInts(net.Node("order", "Transpose", {"a"}, "b"), "perm", {0, 2, 1, 3});
  net.Node("join", "Reshape", {"b", "shape"}, "c");
  auto& lstm = net.Node("lstm", "LSTM", {"c", "wb", "rb", "", "", "", "", "pb"}, "");
  lstm.add_output("d");
  lstm.add_output("d_c");
  AddFloat(lstm, "clip", 2.0f);
  AddInt(lstm, "input_forget", 1);
  net.Node("last", "Squeeze", {"d", "one"}, "e");
  net.Node("fc", "Gemm", {"e", "fc"}, "y");
  return net.model();
}

}  // namespace test

#endif  // LACUNA_EXAMPLES_TESTS_SEED_MODELS_H_
