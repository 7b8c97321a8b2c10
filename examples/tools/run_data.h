// What a network reads and gives: inputs from files, outputs to files or against expected ones.

#ifndef LACUNA_EXAMPLES_TOOLS_RUN_DATA_H_
#define LACUNA_EXAMPLES_TOOLS_RUN_DATA_H_

#include <string>
#include <vector>

#include "graph/executor.h"
#include "tools/image_input.h"
#include "tools/tensor_file.h"

namespace tools {

// What stands for the model's inputs: tensors, and images, which are read once their inputs' shapes are known.
struct GivenInputs {
  struct Image {
    std::string name, path;
  };
  std::vector<NamedTensor> tensors;
  std::vector<Image> images;
};

// What `inputs` name: NAME=FILE each, or files and folders, whose tensors may have no names. Images are among
// `tensors` too, without values, so that the model's open extents are known.
graph::Result<GivenInputs> ReadInputs(const std::vector<std::string>& inputs, const ImageArguments& image_arguments);

// Puts the images' values into the tensors of their names. Precondition: NameInputs was ok.
graph::Status ReadImages(const graph::Graph& model, const ImageArguments& arguments, GivenInputs& inputs);

// Gives each tensor the name of the model's input that it is for; those without a name are for one after the other.
graph::Status NameInputs(const graph::Graph& model, std::vector<NamedTensor>& inputs);

// Sets the inputs that are given; all others get random values, floats standard normal, integers 0.
graph::Status SetInputs(const std::vector<NamedTensor>& given, graph::Network& network);

std::vector<NamedTensor> OutputsOf(const graph::Network& network);

// Prints by how much each output differs from the one expected of its name or place. kDataLoss if one has another
// shape, or differs by more than `tolerance` times the larger of 1 and the largest magnitude expected.
graph::Status CompareOutputs(const std::vector<NamedTensor>& expected, double tolerance, const graph::Network& network);

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_RUN_DATA_H_
