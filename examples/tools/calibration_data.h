// Calibration data: many samples of a model's inputs from files.

#ifndef LACUNA_EXAMPLES_TOOLS_CALIBRATION_DATA_H_
#define LACUNA_EXAMPLES_TOOLS_CALIBRATION_DATA_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/staged_run.h"
#include "tools/tensor_file.h"

namespace tools {

// Samples, and arrays with a value for each of them that are no inputs of the model: labels.
struct CalibrationData {
  std::vector<graph::Sample> samples;
  std::map<std::string, graph::Tensor> others;
};

// At most `most` samples, 0: all. `path` is a .npy, .npz or .pb file, a folder that ReadTensors takes, or a folder of
// such folders (test_data_set_0, ...), one or more samples each. `inputs` are those of the model, open extents -1. An
// array whose first extent is a multiple of its input's holds so many samples, likewise one with an axis more; one of a
// single value, or a single sample, is the same in all samples. Integers become floats where the input has floats.
// Errors name file and input: what cannot be read, shapes that do not fit, inputs that are missing, numbers of samples
// that differ.
graph::Result<CalibrationData> ReadCalibrationData(const std::string& path, const std::vector<graph::ValueInfo>& inputs,
                                                   size_t most);

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_CALIBRATION_DATA_H_
