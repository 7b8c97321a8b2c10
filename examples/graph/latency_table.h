// LatencyTable: measured latencies of layers, kept in a JSON file from run to run.

#ifndef LACUNA_EXAMPLES_GRAPH_LATENCY_TABLE_H_
#define LACUNA_EXAMPLES_GRAPH_LATENCY_TABLE_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "graph/executor.h"
#include "graph/graph.h"

namespace graph {

// What latencies hold for.
struct LatencyConditions {
  std::string cpu{};       // lacuna::CpuName()
  std::string target{};    // SIMD
  std::string settings{};  // threads, and how plans choose

  // Of networks that are compiled here, now, with `options`.
  static LatencyConditions Of(const CompileOptions& options);
};

class LatencyTable {
 public:
  explicit LatencyTable(LatencyConditions conditions) : conditions_(std::move(conditions)) {}

  const LatencyConditions& conditions() const { return conditions_; }
  size_t size() const { return ms_.size(); }

  // `key` tells a layer's operators, shapes and scheme.
  std::optional<double> Find(const std::string& key) const;
  // Precondition: `ms` is at least 0 and finite.
  void Set(const std::string& key, double ms) { ms_[key] = ms; }

  // Takes over the latencies of a file. kNotFound if it cannot be read, kDataLoss if it is damaged, kUnsupported if it
  // is stale, of another version, library, CPU, target or settings; the table is empty then: carry on with it.
  Status Load(const std::string& path);
  // Replaces the file whole or not at all.
  Status Save(const std::string& path) const;

 private:
  LatencyConditions conditions_;
  std::map<std::string, double> ms_;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_LATENCY_TABLE_H_
