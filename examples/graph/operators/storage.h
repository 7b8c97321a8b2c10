// Calls a template for how elements of a type are stored.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_STORAGE_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_STORAGE_H_

#include <cstdint>
#include <type_traits>
#include <utility>

#include "graph/graph.h"
#include "graph/step.h"

namespace graph {

// f(std::type_identity<float>()) or f(std::type_identity<int64_t>()).
template <class F>
auto WithStorage(ElementType type, const F& f) {
  return IsFloating(type) ? f(std::type_identity<float>()) : f(std::type_identity<int64_t>());
}

// The step StepTemplate<T>(args...) for the T by which elements of `type` are stored.
template <template <class> class StepTemplate, class... Args>
StepResult MakeStored(ElementType type, Args&&... args) {
  return WithStorage(type, [&](auto storage) {
    using T = typename decltype(storage)::type;
    return StepResult(std::unique_ptr<Step>(new StepTemplate<T>(std::forward<Args>(args)...)));
  });
}

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_STORAGE_H_
