// RecurrentNode: what the attributes and shapes of a RNN, GRU or LSTM say.

#ifndef LACUNA_EXAMPLES_GRAPH_RECURRENT_NODE_H_
#define LACUNA_EXAMPLES_GRAPH_RECURRENT_NODE_H_

#include "lacuna/core/recurrent.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace graph {

// RNN, GRU or LSTM.
bool IsRecurrent(const Node& node);

// The inputs of all three, and of a LSTM.
enum RecurrentInput : size_t { kX, kW, kR, kBias, kLengths, kInitialH, kInitialC, kPeephole };

// One direction of the sequence, its functions f, g and h as far as the operator has them.
struct RecurrentPass {
  lacuna::Direction direction = lacuna::Direction::kForward;
  std::array<lacuna::GateFunction, 3> functions{};
};

struct RecurrentNode {
  int64_t gates = 1;
  int64_t steps = 0, batch = 0, input = 0, hidden = 0;  // all at least 1
  std::vector<RecurrentPass> passes{};                  // one, or forward and reverse
  float clip = lacuna::kNoClip;
  bool linear_before_reset = false;  // of a GRU
  bool input_forget = false;         // of a LSTM
  bool batch_first = false;          // ONNX's layout 1
  std::vector<int32_t> lengths{};    // of each sequence, or none: all have all steps
  bool computed_lengths = false;     // they are known when the network runs, and `lengths` is empty

  int64_t directions() const { return static_cast<int64_t>(passes.size()); }
  int64_t rows() const { return gates * hidden; }
  Shape Y() const;
  Shape State() const;  // of Y_h, Y_c and the initial states
  // Sequence lengths as `lengths` holds them; an error unless all are in [0, steps].
  Result<std::vector<int32_t>> CheckedLengths(const Node& node, std::span<const int64_t> values) const;
};

// Reads and checks a node that IsRecurrent; `inputs` are the shapes of its inputs, empty for absent ones. Errors name
// the node and the input or attribute: kInvalidArgument for one that does not fit, kUnsupported for extents of zero.
Result<RecurrentNode> ReadRecurrent(const Graph& graph, const Node& node, const std::vector<Shape>& inputs);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_RECURRENT_NODE_H_
