// Scheme mapping and scheme plans on the command line.

#ifndef LACUNA_EXAMPLES_TOOLS_MAP_SCHEMES_H_
#define LACUNA_EXAMPLES_TOOLS_MAP_SCHEMES_H_

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

#include "graph/executor.h"
#include "graph/scheme_mapping.h"
#include "graph/scheme_plan.h"
#include "tools/report.h"

namespace tools {

struct MapArguments {
  std::string mapper;  // "rules" or "search"; empty: no mapping
  std::optional<double> latency_ms;
  std::optional<double> latency_weight;
  std::string candidates;     // empty: graph::kDefaultCandidates
  std::string latency_table;  // paths, empty: none
  std::string sensitivity;
  std::string plan;
};

// --map, --latency, --latency-weight, --candidates, --latency-table, --sensitivity and --plan.
void AddMapOptions(CLI::App& app, MapArguments& arguments);

// kInvalidArgument names an option that goes without one it needs. Others that exclude a plan or mapping are the
// caller's to check.
graph::Status CheckMapArguments(const MapArguments& arguments, std::optional<double> rate);

// Maps the schemes of `model`, called `name`, prints the choice and writes the plan. `options` say which layers are
// mapped and how networks are compiled.
graph::Status MapSchemes(const std::string& name, const graph::Graph& model, const graph::CompileOptions& options,
                         std::optional<double> rate, const MapArguments& arguments);

// Prunes `model` as the plan of the file says, and has `options` compile what is stored.
graph::Result<graph::SchemePlan> ApplyPlan(const std::string& path, graph::Graph& model,
                                           graph::CompileOptions& options);

// What the plan predicted beside what was measured, of its layers and of the whole run.
void PrintPrediction(const graph::SchemePlan& plan, const report::Report& report);

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_MAP_SCHEMES_H_
