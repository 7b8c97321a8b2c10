// RNN, GRU and LSTM: attributes, optional operands, schemes, and models that are refused.

#include "lacuna/reference/recurrent.h"

#include "lacuna/policy/machine.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "examples/tests/files_and_errors.h"
#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/pruning.h"
#include "graph/recurrent_node.h"
#include "graph/shape_inference.h"
#include "graph/target.h"

namespace {

using graph::CompileOptions;
using graph::Network;
using graph::Shape;
using graph::StatusCode;
using lacuna::Direction;
using lacuna::GateActivation;
using lacuna::GateFunction;
using test::Value;

// A model of one node, whose constants are w, r and those that `inputs` names: b, lengths, h, c, p.
struct Problem {
  std::string op = "GRU";
  std::string direction = "forward";
  int64_t steps = 5, batch = 3, input = 6, hidden = 8;
  bool batch_first = false;
  std::vector<std::string> inputs = {"b"};  // in any order
  std::vector<std::string> outputs = {"y", "y_h", "y_c"};
  std::function<void(onnx::NodeProto&)> attributes{};

  int64_t gates() const { return op == "RNN" ? 1 : op == "GRU" ? 3 : 4; }
  int64_t directions() const { return direction == "bidirectional" ? 2 : 1; }
  bool Has(const std::string& name) const { return std::find(inputs.begin(), inputs.end(), name) != inputs.end(); }
  Shape X() const { return batch_first ? Shape{batch, steps, input} : Shape{steps, batch, input}; }
  Shape Y() const {
    return batch_first ? Shape{batch, steps, directions(), hidden} : Shape{steps, directions(), batch, hidden};
  }
  Shape State() const { return batch_first ? Shape{batch, directions(), hidden} : Shape{directions(), batch, hidden}; }
  std::vector<int64_t> Lengths() const {
    std::vector<int64_t> lengths = {steps, 2, 0};
    lengths.resize(static_cast<size_t>(batch), 1);
    return lengths;
  }

  test::ModelBuilder Model() const {
    test::ModelBuilder net;
    const int64_t rows = gates() * hidden, d = directions();
    net.Input("x", X()).Weights("w", {d, rows, input}).Weights("r", {d, rows, hidden});
    net.Weights("b", {d, 2 * rows}).Integers("lengths", Lengths()).Weights("h", State()).Weights("c", State());
    net.Weights("p", {d, 3 * hidden});
    std::vector<std::string> operands = {"x", "w", "r"};
    for (const char* name : {"b", "lengths", "h", "c", "p"}) {
      if (op != "LSTM" && (*name == 'c' || *name == 'p')) continue;
      operands.push_back(Has(name) ? name : "");
    }
    const size_t count = op == "LSTM" ? 3 : 2;
    auto& node = net.Node("node", op, operands, outputs[0]);
    for (size_t i = 1; i < count; ++i) node.add_output(outputs[i]);
    for (size_t i = 0; i < count; ++i) {
      if (!outputs[i].empty()) net.Output(outputs[i]);
    }
    if (direction != "forward") test::AddString(node, "direction", direction);
    if (batch_first) test::AddInt(node, "layout", 1);
    if (attributes) attributes(node);
    return net;
  }
};

graph::Graph Import(const onnx::ModelProto& model) {
  const std::string bytes = model.SerializeAsString();
  return Value(graph::ImportOnnx(bytes));
}

Network Compiled(const graph::Graph& model, const CompileOptions& options = {}) {
  Network network = Value(Network::Compile(model, options));
  for (size_t i = 0; i < network.input_count(); ++i) graph::FillGaussian(network.input(i), 1.0f, i + 7);
  return network;
}

using Outputs = std::vector<std::vector<float>>;

Outputs Run(Network& network) {
  test::CheckOk(network.Run());
  Outputs outputs;
  for (size_t i = 0; i < network.output_count(); ++i) {
    outputs.emplace_back(network.output(i).begin(), network.output(i).end());
  }
  return outputs;
}

// What the reference makes of a Problem, in ONNX's layouts: Y, Y_h, Y_c. `options` are those of each direction, without
// the spans.
template <class Options>
Outputs Expected(const Problem& problem, const graph::Graph& model, std::span<const float> x,
                 const std::vector<Options>& options) {
  const auto values = [&](const char* name) { return std::span<const float>(model.Constant(name)->floats); };
  const auto d_count = static_cast<size_t>(problem.directions());
  const auto part = [&](const char* name, size_t d) {
    const auto all = values(name);
    return all.subspan(d * (all.size() / d_count), all.size() / d_count);
  };
  const int64_t T = problem.steps, B = problem.batch, H = problem.hidden, D = problem.directions();
  std::vector<float> planar(x.size());
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t b = 0; b < B; ++b) {
      for (int64_t i = 0; i < problem.input; ++i) {
        const int64_t at = problem.batch_first ? (b * T + t) * problem.input + i : (t * B + b) * problem.input + i;
        planar[static_cast<size_t>((t * B + b) * problem.input + i)] = x[static_cast<size_t>(at)];
      }
    }
  }
  std::vector<int32_t> lengths;
  if (problem.Has("lengths")) {
    for (const int64_t length : problem.Lengths()) lengths.push_back(static_cast<int32_t>(length));
  }
  Outputs outputs(Options::kHasCellState ? 3 : 2);
  outputs[0].resize(static_cast<size_t>(T * D * B * H));
  for (size_t i = 1; i < outputs.size(); ++i) outputs[i].resize(static_cast<size_t>(D * B * H));
  for (int64_t d = 0; d < D; ++d) {
    const auto index = static_cast<size_t>(d);
    Options own = options[index];
    if (problem.Has("b")) own.bias = part("b", index);
    if constexpr (Options::kHasCellState) {
      if (problem.Has("p")) own.peephole = part("p", index);
    }
    std::vector<double> y(static_cast<size_t>(T * B * H)), h(static_cast<size_t>(B * H)), c(h.size());
    const auto state_at = [&](int64_t b, int64_t i) {
      return static_cast<size_t>(problem.batch_first ? (b * D + d) * H + i : (d * B + b) * H + i);
    };
    for (int64_t b = 0; b < B; ++b) {
      for (int64_t i = 0; i < H; ++i) {
        const auto at = static_cast<size_t>(b * H + i);
        if (problem.Has("h")) h[at] = double{values("h")[state_at(b, i)]};
        if (Options::kHasCellState && problem.Has("c")) c[at] = double{values("c")[state_at(b, i)]};
      }
    }
    const bool reverse = problem.direction == "reverse" || d == 1;
    test::CheckOk(lacuna::reference::Recurrent<double>(
        lacuna::reference::RecurrentWeights{problem.input, H, part("w", index), part("r", index)}, own,
        reverse ? Direction::kReverse : Direction::kForward, lengths,
        lacuna::TensorView<const float, 3>::Planar(planar.data(), {T, B, problem.input}),
        lacuna::TensorView<double, 3>::Planar(y.data(), {T, B, H}),
        lacuna::MatrixView<double>::ColumnMajor(h.data(), H, B),
        lacuna::MatrixView<double>::ColumnMajor(c.data(), H, B)));
    for (int64_t b = 0; b < B; ++b) {
      for (int64_t i = 0; i < H; ++i) {
        for (int64_t t = 0; t < T; ++t) {
          const int64_t at = problem.batch_first ? ((b * T + t) * D + d) * H + i : ((t * D + d) * B + b) * H + i;
          outputs[0][static_cast<size_t>(at)] = static_cast<float>(y[static_cast<size_t>((t * B + b) * H + i)]);
        }
        const bool absent = !lengths.empty() && lengths[static_cast<size_t>(b)] == 0;  // 0, as in ONNX Runtime
        if (absent) continue;
        outputs[1][state_at(b, i)] = static_cast<float>(h[static_cast<size_t>(b * H + i)]);
        if (Options::kHasCellState) outputs[2][state_at(b, i)] = static_cast<float>(c[static_cast<size_t>(b * H + i)]);
      }
    }
  }
  return outputs;
}

void CheckNear(const Outputs& actual, const Outputs& expected) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    REQUIRE(actual[i].size() == expected[i].size());
    double worst = 0.0;
    for (size_t j = 0; j < actual[i].size(); ++j) {
      const double difference = std::abs(double{actual[i][j]} - double{expected[i][j]});
      worst = std::isnan(difference) ? difference : std::max(worst, difference);
    }
    CHECK(worst < 2e-5);
  }
}

void CheckVerified(Network& network, size_t layers) {
  const auto errors = Value(network.Verify());
  CHECK(errors.size() == layers);
  for (const graph::LayerError& error : errors) CHECK_MESSAGE(error.over_bound <= 1.0, error.name, error.over_bound);
}

// The network, its reference form and its verification against `options` of each direction.
template <class Options>
void Check(const Problem& problem, const std::vector<Options>& options) {
  const graph::Graph model = Import(problem.Model().model());
  CompileOptions compile;
  compile.keep_weights = true;
  Network network = Compiled(model, compile);
  CHECK(network.output_shape(0) == problem.Y());
  for (size_t i = 1; i < network.output_count(); ++i) CHECK(network.output_shape(i) == problem.State());
  const Outputs expected = Expected(problem, model, network.input(0), options);
  CheckNear(Run(network), expected);
  CheckVerified(network, 1);
  compile.reference = true;
  Network reference = Compiled(model, compile);
  CheckNear(Run(reference), expected);
}

template <class Options>
void CheckDefaults(Problem problem, const char* op) {
  problem.op = op;
  for (const char* direction : {"forward", "reverse", "bidirectional"}) {
    for (const bool batch_first : {false, true}) {
      CAPTURE(op);
      CAPTURE(direction);
      CAPTURE(batch_first);
      problem.direction = direction;
      problem.batch_first = batch_first;
      Check(problem, std::vector<Options>(2));
    }
  }
}

TEST_CASE("directions, layouts, lengths and states") {
  for (const std::vector<std::string>& inputs :
       {std::vector<std::string>{}, {"b"}, {"lengths", "h"}, {"b", "lengths", "h", "c", "p"}}) {
    Problem problem;
    problem.inputs = inputs;
    CheckDefaults<lacuna::RnnOptions>(problem, "RNN");
    CheckDefaults<lacuna::GruOptions>(problem, "GRU");
    CheckDefaults<lacuna::LstmOptions>(problem, "LSTM");
  }
}

TEST_CASE("extents: one of everything, more steps than a layer takes at once") {
  Problem problem;
  problem.batch = problem.steps = problem.input = problem.hidden = 1;
  CheckDefaults<lacuna::GruOptions>(problem, "GRU");
  problem = {};
  problem.steps = 71;
  problem.batch = 2;
  problem.inputs = {"b", "h", "lengths"};
  CheckDefaults<lacuna::LstmOptions>(problem, "LSTM");
}

TEST_CASE("linear_before_reset, input_forget, clip and activations") {
  Problem problem;
  problem.direction = "bidirectional";
  problem.attributes = [](onnx::NodeProto& node) {
    test::AddInt(node, "linear_before_reset", 1);
    test::AddInt(node, "hidden_size", 8);
    test::AddFloat(node, "clip", 0.75f);
    test::AddStrings(node, "activations", {"hardsigmoid", "Tanh", "Sigmoid", "LeakyRelu"});
    test::AddFloats(node, "activation_alpha", {0.3f, 0.25f});
    test::AddFloats(node, "activation_beta", {0.4f});
  };
  lacuna::GruOptions forward{.f = {GateActivation::kHardSigmoid, 0.3f, 0.4f}, .clip = 0.75f};
  forward.linear_before_reset = true;
  lacuna::GruOptions reverse{.g = {GateActivation::kLeakyRelu, 0.25f, 0.0f}, .clip = 0.75f};
  reverse.linear_before_reset = true;
  Check<lacuna::GruOptions>(problem, {forward, reverse});

  problem.op = "LSTM";
  problem.direction = "reverse";
  problem.inputs = {"b", "p", "c"};
  problem.attributes = [](onnx::NodeProto& node) {
    test::AddInt(node, "input_forget", 1);
    test::AddStrings(node, "activations", {"Affine", "Softsign", "ScaledTanh"});
    test::AddFloats(node, "activation_alpha", {0.125f, 0.5f});
    test::AddFloats(node, "activation_beta", {0.25f, 2.0f});
  };
  Check<lacuna::LstmOptions>(problem, {{.f = {GateActivation::kAffine, 0.125f, 0.25f},
                                        .g = GateFunction::Of(GateActivation::kSoftsign),
                                        .h = {GateActivation::kScaledTanh, 0.5f, 2.0f},
                                        .input_forget = true}});

  problem = {.op = "RNN"};
  problem.attributes = [](onnx::NodeProto& node) { test::AddStrings(node, "activations", {"Relu"}); };
  Check<lacuna::RnnOptions>(problem, {{.f = GateFunction::Of(GateActivation::kRelu)}});
}

TEST_CASE("parameters that the list leaves out keep their default") {
  Problem problem;
  problem.attributes = [](onnx::NodeProto& node) {
    test::AddStrings(node, "activations", {"HardSigmoid", "LeakyRelu"});
    test::AddFloats(node, "activation_alpha", {0.5f});
  };
  const graph::Graph model = Import(problem.Model().model());
  const Shape x = problem.X();
  const auto read = Value(graph::ReadRecurrent(model, model.nodes[0], {x, {1, 24, 6}, {1, 24, 8}, {1, 48}, {}, {}}));
  const auto& [f, g, h] = read.passes.at(0).functions;
  CHECK(f.alpha == 0.5f);
  CHECK(f.beta == 0.5f);
  CHECK(g.alpha == 0.01f);
}

TEST_CASE("outputs that are absent change nothing of the others") {
  for (const char* direction : {"forward", "bidirectional"}) {
    Problem problem;
    problem.op = "LSTM";
    problem.direction = direction;
    problem.inputs = {"b", "lengths", "h", "c"};
    const graph::Graph all = Import(problem.Model().model());
    Network network = Compiled(all);
    const Outputs expected = Run(network);
    for (unsigned present = 1; present < 7; ++present) {
      CAPTURE(present);
      Outputs kept;
      for (size_t i = 0; i < 3; ++i) {
        const bool is_present = (present >> i & 1) != 0;
        problem.outputs[i] = is_present ? "output" + std::to_string(i) : "";
        if (is_present) kept.push_back(expected[i]);
      }
      CompileOptions options;
      options.keep_weights = true;
      const graph::Graph model = Import(problem.Model().model());
      Network partial = Compiled(model, options);
      CHECK(partial.layers()[0].name == "node");
      CHECK(Run(partial) == kept);
      CheckVerified(partial, 1);
    }
  }
}

TEST_CASE("initial states may be computed") {
  Problem problem;
  problem.inputs = {"b", "h"};
  const graph::Graph constant = Import(problem.Model().model());
  Network expected = Compiled(constant);
  onnx::ModelProto model = problem.Model().model();
  auto& initializers = *model.mutable_graph()->mutable_initializer();
  for (int i = 0; i < initializers.size(); ++i) {
    if (initializers[i].name() == "h") initializers.DeleteSubrange(i--, 1);
  }
  auto& input = *model.mutable_graph()->add_input();
  input = model.graph().input(0);
  input.set_name("h");
  input.mutable_type()->mutable_tensor_type()->clear_shape();
  for (const int64_t extent : problem.State()) {
    input.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(extent);
  }
  const graph::Graph fed = Import(model);
  Network network = Compiled(fed);
  REQUIRE(network.input_count() == 2);
  const std::vector<float>& h = constant.Constant("h")->floats;
  std::copy(h.begin(), h.end(), network.input(1).begin());
  CHECK(Run(network) == Run(expected));
  CHECK(std::equal(h.begin(), h.end(), network.input(1).begin()));
  CHECK(Run(network) == Run(expected));  // the state is not carried over
}

TEST_CASE("threads change nothing") {
  Problem problem;
  problem.op = "LSTM";
  problem.hidden = 150;
  problem.direction = "bidirectional";
  const graph::Graph model = Import(problem.Model().model());
  Network one = Compiled(model);
  CompileOptions options;
  options.threads = 3;
  Network three = Compiled(model, options);
  CHECK(Run(one) == Run(three));
}

// A bidirectional GRU whose blocks end at odd places, and a layer behind it.
test::ModelBuilder Stack() {
  test::ModelBuilder net;
  net.Input("x", {6, 2, 20}).Output("y").Weights("w", {2, 63, 20}).Weights("r", {2, 63, 21}).Weights("b", {2, 126});
  net.Weights("fc", {42, 5}).Integers("rows", {-1, 42});
  test::AddString(net.Node("gru", "GRU", {"x", "w", "r", "b"}, "a"), "direction", "bidirectional");
  test::AddInts(net.Node("order", "Transpose", {"a"}, "t"), "perm", {0, 2, 1, 3});
  net.Node("join", "Reshape", {"t", "rows"}, "j");
  net.Node("fc", "Gemm", {"j", "fc"}, "y");
  return net;
}

TEST_CASE("every scheme prunes both matrices, when asked for and as stored in the model") {
  const graph::Graph dense = Import(Stack().model());
  for (const std::string name : test::kSparseSchemes) {
    CAPTURE(name);
    CompileOptions options;
    options.scheme = test::SchemeNamed(name.c_str());
    options.keep_weights = true;
    Network network = Compiled(dense, options);
    const graph::WeightInfo& info = *network.layers()[0].weights;
    CHECK(info.scheme == name);
    CHECK(info.weights == 2 * 63 * (20 + 21));
    CHECK(info.steps == 6);
    CHECK(info.sequences == 2);
    CHECK(info.dense_flops == 2.0 * 12 * static_cast<double>(info.weights));
    CHECK(info.geometry == "2x 63x20+63x21 t6 n2");
    REQUIRE(info.products.size() == 4);
    int64_t nnz = 0;
    size_t packed = 0;
    for (const graph::WeightInfo& product : info.products) {
      nnz += product.nnz;
      packed += product.packed_bytes;
      CHECK(product.scheme == name);
      const bool keeps_all = name == "punched_balanced-4x";  // kernels of one cell, of which all keep as many
      CHECK((product.nnz < 3 * product.weights / 4) == !keeps_all);
      CHECK(product.plan.nnz > 0);
      CHECK(product.explanation.find("stored") != std::string::npos);
    }
    CHECK(info.products[2].geometry == "reverse W 63x20");
    CHECK(info.nnz == nnz);
    CHECK(info.packed_bytes == packed);
    CHECK(network.memory().packed_weights > packed);  // the Gemm has some too
    const Outputs outputs = Run(network);
    CheckVerified(network, 2);

    onnx::ModelProto model = Stack().model();
    const auto pruned = Value(graph::PruneModel({.scheme = options.scheme}, model));
    REQUIRE(pruned.layers.size() == 2);
    CHECK(pruned.layers[0].initializer == "w");
    CHECK(pruned.layers[1].initializer == "r");
    CompileOptions stored;
    stored.stored = true;
    stored.keep_weights = true;
    const graph::Graph zeroed = Import(model);
    Network again = Compiled(zeroed, stored);
    CHECK(again.layers()[0].weights->scheme == name);
    CheckNear(Run(again), outputs);
    CheckVerified(again, 2);
  }
}

TEST_CASE("which weights are pruned") {
  const graph::Graph model = Import(Stack().model());
  CompileOptions options;
  options.scheme = test::SchemeNamed("bcr_col-8x");
  const auto schemes = [&](const std::string& layers) {
    options.layers = layers;
    const Network network = Compiled(model, options);
    return network.layers()[0].weights->scheme + ", " + network.layers()[2].weights->scheme;
  };
  CHECK(schemes("") == "bcr_col-8x, dense");
  CHECK(schemes("^r$") == "dense bcr_col-8x, dense");
  CHECK(schemes("^w$") == "bcr_col-8x dense, dense");
  CHECK(schemes("^(gru|fc)$") == "bcr_col-8x, bcr_col-8x");
}

TEST_CASE("a plan prunes a recurrent layer by its name or each of its weights by theirs") {
  graph::SchemePlan plan;
  plan.layers.push_back({.layer = "gru", .scheme = test::SchemeNamed("bcr-4x")});
  graph::Graph whole = Import(Stack().model());
  CHECK(Value(graph::PruneGraph(plan, whole)).size() == 2);
  CompileOptions stored;
  stored.stored = true;
  CHECK(Compiled(whole, stored).layers()[0].weights->scheme == "bcr-4x");
  plan.layers[0].layer = "r";
  plan.layers[0].shape = {2, 63, 21};
  graph::Graph half = Import(Stack().model());
  CHECK(Value(graph::PruneGraph(plan, half)).size() == 1);
  CHECK(Compiled(half, stored).layers()[0].weights->scheme == "dense bcr-4x");
}

TEST_CASE("weights that are the network's own are freed once they are packed") {
  graph::Graph model = Import(Stack().model());
  const Outputs expected = [&] {
    Network network = Compiled(model);
    return Run(network);
  }();
  Network network = Value(Network::Compile(std::move(model), {}));
  graph::FillGaussian(network.input(0), 1.0f, 7);
  CHECK(Run(network) == expected);
  CHECK(network.memory().constants < 2 * 126 * sizeof(float) + 64);  // the bias and the shape
  const auto errors = network.Verify();
  test::CheckInvalid(errors.status(), "weights were not kept");
}

TEST_CASE("kernels may be selected by measurement") {
  const graph::Graph model = Import(Stack().model());
  lacuna::Choices choices(lacuna::CpuName(), graph::ActiveTargetName());
  CompileOptions options;
  options.keep_weights = true;
  options.kernels.by = graph::SelectBy::kMeasurement;
  options.kernels.seconds = 0.0;
  options.kernels.choices = &choices;
  size_t layers = 0;
  options.kernels.progress = [&](const graph::TuningProgress& progress) { layers = progress.layers; };
  Network network = Compiled(model, options);
  CHECK(layers == 2);
  CHECK(choices.size() > 1);
  CheckVerified(network, 2);
}

TEST_CASE("Squeeze and Unsqueeze") {
  for (const int64_t opset : {11, 13}) {
    CAPTURE(opset);
    test::ModelBuilder net(opset);
    net.Input("x", {1, 3, 1, 2})
        .Output("y")
        .Output("z")
        .Output("all")
        .Integers("axes", {0, -2})
        .Integers("back", {1, -1});
    const std::vector<std::string> axes = opset < 13 ? std::vector<std::string>{} : std::vector<std::string>{"axes"};
    auto& squeeze = net.Node("squeeze", "Squeeze",
                             opset < 13 ? std::vector<std::string>{"x"} : std::vector<std::string>{"x", "axes"}, "y");
    auto& unsqueeze = net.Node("unsqueeze", "Unsqueeze",
                               opset < 13 ? std::vector<std::string>{"y"} : std::vector<std::string>{"y", "back"}, "z");
    if (opset < 13) {
      test::AddInts(squeeze, "axes", {0, -2});
      test::AddInts(unsqueeze, "axes", {1, -1});
    }
    net.Node("all", "Squeeze", {"x"}, "all");
    const graph::Graph model = Import(net.model());
    Network network = Compiled(model);
    CHECK(network.output_shape(0) == Shape{3, 2});
    CHECK(network.output_shape(1) == Shape{3, 1, 2, 1});
    CHECK(network.output_shape(2) == Shape{3, 2});
    for (const std::vector<float>& output : Run(network)) {
      CHECK(std::equal(output.begin(), output.end(), network.input(0).begin()));
    }
  }
  const auto refused = [](const char* op, const std::vector<int64_t>& axes) {
    test::ModelBuilder net;
    net.Input("x", {1, 3}).Output("y").Integers("axes", axes);
    net.Node("node", op, {"x", "axes"}, "y");
    return graph::ImportOnnx(net.Bytes()).status();
  };
  test::CheckInvalid(refused("Squeeze", {1}),
                     "Squeeze node 'node': input 0 has shape [1, 3], must have an extent of 1");
  test::CheckInvalid(refused("Squeeze", {2}), "its axes are [2], must be different ones in [-2, 1]");
  test::CheckInvalid(refused("Squeeze", {0, -2}), "its axes are [0, -2], must be different ones");
  test::CheckInvalid(refused("Unsqueeze", {4}), "its axes are [4], must be different ones in [-3, 2]");
  test::ModelBuilder net;
  net.Input("x", {1, 3}).Input("axes", {1}).Output("y");
  net.Node("node", "Unsqueeze", {"x", "axes"}, "y");
  test::CheckError(graph::ImportOnnx(net.Bytes()).status(), StatusCode::kUnsupported,
                   "input 1, 'axes', must be a constant list of integers");
}

// What compiling a Problem that `damage` went through says.
graph::Status Refusal(const Problem& problem, const std::function<void(onnx::ModelProto&)>& damage = {}) {
  onnx::ModelProto model = problem.Model().model();
  if (damage) damage(model);
  const std::string bytes = model.SerializeAsString();
  const auto imported = graph::ImportOnnx(bytes);
  return imported.ok() ? Network::Compile(*imported).status() : imported.status();
}

TEST_CASE("attributes that do not fit are refused") {
  const auto with = [](const std::function<void(onnx::NodeProto&)>& attributes, const char* op = "GRU") {
    Problem problem;
    problem.op = op;
    problem.attributes = attributes;
    return Refusal(problem);
  };
  test::CheckInvalid(with([](auto& node) { test::AddString(node, "direction", "backward"); }),
                     "GRU node 'node': attribute 'direction' is 'backward', must be forward, reverse or bidirectional");
  test::CheckInvalid(with([](auto& node) { test::AddInt(node, "direction", 1); }), "'direction' must be a string");
  test::CheckInvalid(with([](auto& node) { test::AddString(node, "direction", "bidirectional"); }),
                     "input 1 has shape [1, 24, 6], must be [2, 24, 6]");
  test::CheckInvalid(with([](auto& node) { test::AddInt(node, "hidden_size", 9); }),
                     "attribute 'hidden_size' is 9, must be 8 as in input 2, [1, 24, 8]");
  test::CheckInvalid(with([](auto& node) { test::AddInt(node, "linear_before_reset", 2); }),
                     "attribute 'linear_before_reset' is 2, must be 0 or 1");
  test::CheckInvalid(with([](auto& node) { test::AddInt(node, "input_forget", -1); }, "LSTM"),
                     "LSTM node 'node': attribute 'input_forget' is -1, must be 0 or 1");
  test::CheckInvalid(with([](auto& node) { test::AddInt(node, "layout", 3); }), "attribute 'layout' is 3");
  test::CheckInvalid(with([](auto& node) { test::AddFloat(node, "clip", 0.0f); }), "'clip' is 0, must be above 0");
  test::CheckInvalid(with([](auto& node) { test::AddFloat(node, "clip", std::nanf("")); }), "'clip' is nan");
  test::CheckInvalid(with([](auto& node) { test::AddStrings(node, "activations", {"Tanh"}); }),
                     "attribute 'activations' has 1 names, must have 2");
  test::CheckInvalid(with([](auto& node) { test::AddString(node, "activations", "Tanh"); }),
                     "attribute 'activations' must be a list of strings");
  test::CheckError(with([](auto& node) {
                     test::AddStrings(node, "activations", {"Tanh", "Gelu"});
                   }),
                   StatusCode::kUnsupported, "activation is \"Gelu\", must be one of ONNX's recurrent activations");
  test::CheckInvalid(with([](auto& node) { test::AddFloats(node, "activation_alpha", {1.0f}); }),
                     "attribute 'activation_alpha' has 1 values, its activations take 0");
  test::CheckInvalid(with([](auto& node) {
                       test::AddStrings(node, "activations", {"HardSigmoid", "Elu"});
                       test::AddFloats(node, "activation_beta", {1.0f, 2.0f});
                     }),
                     "attribute 'activation_beta' has 2 values, its activations take 1");
  test::CheckInvalid(with([](auto& node) {
                       test::AddStrings(node, "activations", {"HardSigmoid", "Elu"});
                       test::AddFloats(node, "activation_alpha", {std::nanf("")});
                     }),
                     "GRU node 'node': HardSigmoid has alpha nan");
}

// A model whose constant `name` has another shape, or is an input of that shape.
std::function<void(onnx::ModelProto&)> Reshaped(const std::string& name, const Shape& shape, bool constant = true) {
  return [=](onnx::ModelProto& model) {
    auto& initializers = *model.mutable_graph()->mutable_initializer();
    for (int i = 0; i < initializers.size(); ++i) {
      if (initializers[i].name() == name) initializers.DeleteSubrange(i--, 1);
    }
    test::ModelBuilder other;
    if (constant) {
      other.Weights(name, shape);
      *model.mutable_graph()->add_initializer() = other.model().graph().initializer(0);
    } else {
      other.Input(name, shape);
      *model.mutable_graph()->add_input() = other.model().graph().input(0);
    }
  };
}

TEST_CASE("operands that do not fit are refused") {
  Problem problem;
  problem.op = "LSTM";
  problem.inputs = {"b", "lengths", "h", "c", "p"};
  const auto with = [&](const char* name, const Shape& shape) { return Refusal(problem, Reshaped(name, shape)); };
  test::CheckInvalid(with("w", {1, 32, 7}), "LSTM node 'node': input 1 has shape [1, 32, 7], must be [1, 32, 6]");
  test::CheckInvalid(with("w", {32, 6}), "input 1 has shape [32, 6], must have three axes");
  test::CheckInvalid(with("r", {1, 31, 8}), "input 2 has shape [1, 31, 8], must be [1, 32, 8]");
  test::CheckInvalid(with("r", {1, 32, 9}), "input 1 has shape [1, 32, 6], must be [1, 36, 6]");
  test::CheckInvalid(with("b", {64}), "input 3 has shape [64], must be [1, 64]");
  test::CheckInvalid(with("lengths", {3}), "input 4, the lengths, must be integers");
  test::CheckInvalid(with("h", {3, 1, 8}), "input 5 has shape [3, 1, 8], must be [1, 3, 8]");
  test::CheckInvalid(with("c", {1, 3, 7}), "input 6 has shape [1, 3, 7], must be [1, 3, 8]");
  test::CheckInvalid(with("p", {1, 32}), "input 7 has shape [1, 32], must be [1, 24]");
  const auto lengths = [&](const std::vector<int64_t>& values) {
    return Refusal(problem, [&](onnx::ModelProto& model) {
      for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
        if (tensor.name() != "lengths") continue;
        tensor.clear_int64_data();
        tensor.set_dims(0, static_cast<int64_t>(values.size()));
        for (const int64_t value : values) tensor.add_int64_data(value);
      }
    });
  };
  test::CheckInvalid(lengths({5, 6, 0}), "input 4, the lengths, has 6, must be in [0, 5]");
  test::CheckInvalid(lengths({5, -1, 0}), "input 4, the lengths, has -1, must be in [0, 5]");
  test::CheckInvalid(lengths({5, 1}), "input 4 has shape [2], must be [3]");
  CHECK(lengths({5, 1, 0}).ok());

  for (const auto& [name, shape] : std::vector<std::pair<std::string, Shape>>{
           {"w", {1, 32, 6}}, {"r", {1, 32, 8}}, {"b", {1, 64}}, {"p", {1, 24}}}) {
    test::CheckError(Refusal(problem, Reshaped(name, shape, false)), StatusCode::kUnsupported,
                     "'" + name + "', must be a constant FLOAT tensor");
  }
}

TEST_CASE("nodes that do not fit are refused") {
  Problem problem;
  problem.steps = 0;
  test::CheckError(Refusal(problem), StatusCode::kUnsupported,
                   "[0, 3, 6] and [1, 24, 8], supported are no extents of 0");
  problem = {};
  const auto damaged = [&](const std::function<void(onnx::NodeProto&)>& damage) {
    return Refusal(problem, [&](onnx::ModelProto& model) { damage(*model.mutable_graph()->mutable_node(0)); });
  };
  test::CheckInvalid(damaged([](auto& node) { node.mutable_input()->DeleteSubrange(2, 4); }),
                     "GRU node 'node' has 2 inputs, must have 3 to 6");
  test::CheckInvalid(damaged([](auto& node) { node.set_input(2, ""); }), "input 2 must not be absent");
  const auto third_output = [](onnx::ModelProto& model) {
    model.mutable_graph()->mutable_node(0)->add_output("third");
    *model.mutable_graph()->add_output() = model.graph().output(0);
    model.mutable_graph()->mutable_output(model.graph().output_size() - 1)->set_name("third");
  };
  test::CheckError(Refusal(problem, third_output), StatusCode::kUnsupported,
                   "output 2 is not supported, only the first 2 are");
  test::CheckInvalid(damaged([](auto& node) { node.set_output(1, "y"); }), "value 'y' is defined twice");
  test::CheckInvalid(damaged([](auto& node) {
                       node.set_output(0, "");
                       node.set_output(1, "");
                     }),
                     "GRU node 'node' has no output");
  CHECK(damaged([](auto&) {}).ok());
  graph::ImportOptions small;
  small.max_elements = 1000;
  problem.batch = 100;
  problem.input = 1;
  problem.inputs = {};
  CompileOptions options;
  options.max_elements = 1000;
  const graph::Graph model = Import(problem.Model().model());
  test::CheckInvalid(Network::Compile(model, options).status(),
                     "the output of GRU node 'node' has shape [5, 1, 100, 8]");
}

}  // namespace
