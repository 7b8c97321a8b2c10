// Calibrated pruning of ONNX models.

#ifndef LACUNA_EXAMPLES_GRAPH_CALIBRATED_MODEL_H_
#define LACUNA_EXAMPLES_GRAPH_CALIBRATED_MODEL_H_

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "graph/calibration.h"
#include "graph/graph.h"
#include "graph/pruning.h"
#include "graph/staged_run.h"

namespace graph {

struct CalibratedModel {
  PrunedModel pruned;
  std::vector<CalibratedLayer> layers;  // in the order in which they ran
};

// PruneModel whose layers are reconstructed on `samples`, as CalibrateGraph does; those that it never sees, in branches
// that the samples do not take, are projected. Biases of the main graph are fitted too; a Conv or Gemm without one gets
// one. Samples decide extents and branches that the model leaves open. Errors: those of both.
Result<CalibratedModel> CalibrateModel(const PruneOptions& options, const std::vector<Sample>& samples,
                                       const CalibrationOptions& calibration, onnx::ModelProto& model);

// The input `name` of a sample, or null: what ImportOptions::given wants.
const Tensor* FindInput(const Sample& sample, const std::string& name);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_CALIBRATED_MODEL_H_
