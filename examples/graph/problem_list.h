// ProblemList: all that is wrong with a model, where a Status has room for one thing.

#ifndef LACUNA_EXAMPLES_GRAPH_PROBLEM_LIST_H_
#define LACUNA_EXAMPLES_GRAPH_PROBLEM_LIST_H_

#include <cstddef>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

class ProblemList {
 public:
  void Add(const Status& status) {
    if (count_++ == 0) first_ = status;
    messages_.emplace_back(status.message());
  }

  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }

  // Ok if there is none. `messages`, unless null, receives all.
  Status Report(std::vector<std::string>* messages) const {
    if (messages != nullptr) messages->insert(messages->end(), messages_.begin(), messages_.end());
    if (count_ <= 1) return first_;
    return Status::Make(first_.code(), "%s (and %zu more)", first_.message(), count_ - 1);
  }

 private:
  size_t count_ = 0;
  Status first_;
  std::vector<std::string> messages_;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_PROBLEM_LIST_H_
