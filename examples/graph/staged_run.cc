#include "graph/staged_run.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "graph/executor.h"

namespace graph {

Result<StagedRun> StagedRun::Make(const Graph& graph, const Values& values, const std::vector<Sample>& samples,
                                  size_t threads) {
  if (samples.empty()) return Status::InvalidArgument("there are no samples, must be at least 1");
  StagedRun run(graph, values, threads);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& input : graph.nodes[i].inputs) run.last_[input] = i + 1;
  }
  for (const std::string& output : graph.outputs) run.last_[output] = graph.nodes.size() + 1;
  for (size_t i = 0; i < samples.size(); ++i) {
    Sample& live = run.live_.emplace_back();
    for (const ValueInfo& input : graph.inputs) {
      const auto found = samples[i].find(input.name);
      if (found == samples[i].end()) {
        return Status::Make(StatusCode::kNotFound, "sample %zu has no input '%.80s'", i, input.name.c_str());
      }
      if (found->second.shape != input.shape || found->second.IsFloats() != IsFloating(input.type)) {
        return Status::InvalidArgument("sample %zu: input '%.60s' has type %s and shape %s, must have %s and %s", i,
                                       input.name.c_str(), ToString(found->second.type),
                                       ToString(found->second.shape).c_str(), ToString(input.type),
                                       ToString(input.shape).c_str());
      }
      const std::vector<float>& floats = found->second.floats;
      const auto bad = std::find_if(floats.begin(), floats.end(), [](float value) { return !std::isfinite(value); });
      if (bad != floats.end()) {
        return Status::InvalidArgument("sample %zu: input '%.60s' is %g at place %zu, must be finite", i,
                                       input.name.c_str(), static_cast<double>(*bad),
                                       static_cast<size_t>(bad - floats.begin()));
      }
      live.emplace(input.name, found->second);
    }
  }
  return run;
}

Graph StagedRun::Stage(size_t end) const {
  Graph stage;
  stage.name = graph_->name;
  stage.opset = graph_->opset;
  std::set<std::string> made, read;
  for (size_t i = done_; i < end; ++i) {
    const Node& node = graph_->nodes[i];
    for (const std::string& input : node.inputs) {
      if (input.empty() || made.contains(input) || !read.insert(input).second) continue;
      if (const auto constant = graph_->initializers.find(input); constant != graph_->initializers.end()) {
        stage.initializers.emplace(input, constant->second);
      } else {
        const TensorInfo& info = values_->at(input);
        stage.inputs.push_back({input, info.shape, info.type});
      }
    }
    made.insert(node.outputs.begin(), node.outputs.end());
    stage.nodes.push_back(node);
  }
  for (const std::string& value : made) {
    const auto last = last_.find(value);
    if (!value.empty() && last != last_.end() && last->second > end) stage.outputs.push_back(value);
  }
  return stage;
}

Status StagedRun::AdvanceTo(size_t end) {
  if (end <= done_) return Status();
  Graph stage = Stage(end);
  if (!stage.outputs.empty()) {
    LACUNA_ASSIGN_OR_RETURN(network, Network::Compile(std::move(stage), {.threads = threads_}));
    for (Sample& live : live_) {
      for (size_t i = 0; i < network.input_count(); ++i) {
        LACUNA_RETURN_IF_ERROR(network.SetInput(i, live.at(network.input_info(i).name)));
      }
      LACUNA_RETURN_IF_ERROR(network.Run());
      for (size_t i = 0; i < network.output_count(); ++i) live[network.output_name(i)] = network.OutputTensor(i);
    }
  }
  done_ = end;
  for (Sample& live : live_) {
    std::erase_if(live, [&](const auto& value) {
      const auto last = last_.find(value.first);
      return last == last_.end() || last->second <= end;
    });
  }
  return Status();
}

const Tensor* StagedRun::Find(size_t sample, const std::string& value) const {
  const auto found = live_[sample].find(value);
  return found == live_[sample].end() ? nullptr : &found->second;
}

}  // namespace graph
