// Layout: which values stand channels-last between the layers that make and read them.

#ifndef LACUNA_EXAMPLES_GRAPH_LAYOUT_H_
#define LACUNA_EXAMPLES_GRAPH_LAYOUT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graph/fusion.h"
#include "graph/graph.h"

namespace graph {

enum class Layout : uint8_t {
  kPlanar,       // batch, channels, spatial axes: what ONNX has
  kChannelsLast  // batch, spatial axes, channels
};

// By name; values that are missing are planar.
using Layouts = std::map<std::string, Layout>;

// Convolutions read and write either layout, depthwise ones are several times faster channels-last, all other operators
// take planar values. So a value between convolutions, of which one is depthwise, stands channels-last where that one
// gains more than the others pay for writing and reading it so, both estimated from the extents.
Layouts ChooseLayouts(const Graph& graph, const Values& values, const std::vector<Layer>& layers);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_LAYOUT_H_
