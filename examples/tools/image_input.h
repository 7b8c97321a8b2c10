// Images as inputs of a network.

#ifndef LACUNA_EXAMPLES_TOOLS_IMAGE_INPUT_H_
#define LACUNA_EXAMPLES_TOOLS_IMAGE_INPUT_H_

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "graph/graph.h"
#include "tools/tensor_file.h"

namespace tools {

// Values are (pixel - mean) / deviation, pixels being 0 to 255.
struct ImageArguments {
  std::string mean;       // one number, or one for each channel: "123.7,116.3,103.5"; 0 unless given
  std::string deviation;  // likewise; 255 unless given, 1 where the input has integers
  std::string size;       // "480x640", height and width where the model leaves them open; else the image's own
  std::string layout = "auto";
  bool bgr = false;

  bool Given() const { return !mean.empty() || !deviation.empty() || !size.empty() || layout != "auto" || bgr; }
};

void AddImageOptions(CLI::App& app, ImageArguments& arguments);

// Whether `path` ends as images do that ReadImageInput reads: png, jpg, jpeg, bmp, ppm, in any case.
bool IsImageFile(const std::string& path);

// A tensor without values: the extents by which an open input of the model is known before it is loaded.
graph::Result<NamedTensor> ImageExtents(const std::string& name, const std::string& path,
                                        const ImageArguments& arguments);

// The image scaled until it covers the input's height and width, and its centre cropped (clip/clip.h says how), the
// same for each item of the batch. The input has 3 channels, or 1 for the luma of ITU-R BT.601; they are the axis
// behind the batch, or the last one.
graph::Result<graph::Tensor> ReadImageInput(const std::string& path, const graph::ValueInfo& input,
                                            const ImageArguments& arguments);

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_IMAGE_INPUT_H_
