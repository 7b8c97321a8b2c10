// Why the layers of a network run as they do.

#ifndef LACUNA_EXAMPLES_TOOLS_EXPLAIN_H_
#define LACUNA_EXAMPLES_TOOLS_EXPLAIN_H_

#include <string>

#include "graph/executor.h"

namespace report {

// A block of lines: name, shape and scheme, what was chosen and why, then the candidates, the chosen one marked.
// Precondition: the layer has weights.
std::string ExplanationText(const graph::LayerInfo& layer);

// ExplanationText of every layer with weights, on stdout. `name` is what the network is called.
void PrintExplanations(const std::string& name, const graph::Network& network);

}  // namespace report

#endif  // LACUNA_EXAMPLES_TOOLS_EXPLAIN_H_
