// A clip as the input of a network: read, normalised, and what the network makes of it.

#ifndef LACUNA_EXAMPLES_TOOLS_CLIP_INPUT_H_
#define LACUNA_EXAMPLES_TOOLS_CLIP_INPUT_H_

#include <string>
#include <vector>

#include "graph/executor.h"
#include "graph/graph.h"

namespace tools {

// Whether the network takes one input of [batch, channels, frames, height, width].
bool TakesClips(const graph::Graph& model);

// One clip read from `path` (clip/clip.h) with the extents of the network's input and normalised as the built-in
// network `name` expects; other networks get values in [0, 1]. kInvalidArgument if the network takes no RGB clips.
graph::Result<std::vector<float>> ReadInputClip(const std::string& path, const std::string& name,
                                                const graph::Graph& model);

// Fills every item of the network's batch with `clip`.
void SetInputClip(const std::vector<float>& clip, graph::Network& network);

// Prints the largest values of the first item of the first output with their indices.
void PrintLargestOutputs(const graph::Network& network);

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_CLIP_INPUT_H_
