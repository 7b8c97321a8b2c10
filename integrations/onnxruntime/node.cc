#include "node.h"

#include <algorithm>
#include <iterator>
#include <thread>

namespace lacuna_ort {

Status* Check(const Engine& engine, lacuna_status status) {
  if (status == LACUNA_OK) return nullptr;
  return engine.Failure((std::string("lacuna: ") + lacuna_last_error()).c_str());
}

int64_t Tensor::elements() const {
  int64_t count = 1;
  for (const int64_t extent : extents) count *= extent;
  return count;
}

namespace {

// The tensor of an engine's value of that element type.
Status* TensorOf(const Engine& engine, const Value* value, int type, Tensor& tensor) {
  ShapeInfo* info = nullptr;
  LACUNA_ORT_RETURN(engine.Shape(value, &info));
  const auto read = [&]() -> Status* {
    int found = 0;
    LACUNA_ORT_RETURN(engine.ElementType(info, &found));
    if (found != type) return engine.Failure("lacuna: a tensor has another element type than its operator takes");
    size_t rank = 0;
    LACUNA_ORT_RETURN(engine.Rank(info, &rank));
    tensor.extents.resize(rank);
    return engine.Extents(info, tensor.extents.data(), rank);
  };
  Status* status = read();
  engine.Release(info);
  if (status != nullptr) return status;
  return engine.Data(value, &tensor.data);
}

}  // namespace

bool Node::Absent(Status* status) const {
  if (status == nullptr) return false;
  engine_.Release(status);
  return true;
}

void Node::Read(const char* name, std::string& value) const {
  if (ReadSized(name, value) && !value.empty()) value.pop_back();  // the terminating zero
}

Status* Node::Constant(size_t index, const char* name, bool optional, Tensor& tensor) const {
  size_t count = 0;
  LACUNA_ORT_RETURN(engine_.InputCount(info_, &count));
  int is_constant = 0;
  const Value* value = nullptr;
  if (index < count) LACUNA_ORT_RETURN(engine_.ConstantInput(info_, index, &is_constant, &value));
  if (is_constant != 0 && value != nullptr) return TensorOf(engine_, value, kFloat, tensor);
  if (optional) return nullptr;
  return engine_.Failure((std::string("lacuna: input ") + name + " is computed, must be a constant").c_str());
}

Status* Run::Input(size_t index, int type, Tensor& tensor) const {
  size_t count = 0;
  LACUNA_ORT_RETURN(engine_.InputCount(context_, &count));
  const Value* value = nullptr;
  if (index < count) LACUNA_ORT_RETURN(engine_.Input(context_, index, &value));
  return value == nullptr ? nullptr : TensorOf(engine_, value, type, tensor);
}

Status* Run::Output(size_t index, const Ints& extents, Tensor& tensor) const {
  size_t count = 0;
  LACUNA_ORT_RETURN(engine_.OutputCount(context_, &count));
  Value* value = nullptr;
  if (index < count) LACUNA_ORT_RETURN(engine_.Output(context_, index, extents.data(), extents.size(), &value));
  if (value == nullptr) return nullptr;
  tensor.extents = extents;
  return engine_.Data(value, &tensor.data);
}

lacuna_executor Run::Threads() const {
  // The engine does not say how many threads a session has: slots beyond them run one after the other.
  static const unsigned processors = std::max(1u, std::thread::hardware_concurrency());
  auto threads = Sized<lacuna_executor>();
  threads.context = const_cast<Run*>(this);
  threads.concurrency = processors;
  threads.parallel_for = [](void* context, size_t slots, void (*task)(void* data, size_t slot), void* data) {
    const Run& run = *static_cast<const Run*>(context);
    Status* status = run.engine_.ParallelFor(run.context_, task, slots, 0, data);
    if (status == nullptr) return;
    run.engine_.Release(status);  // refused before anything ran
    for (size_t slot = 0; slot < slots; ++slot) task(data, slot);
  };
  return threads;
}

lacuna_run_args Run::Args(size_t workspace_bytes, const lacuna_executor& threads) {
  thread_local std::unique_ptr<char[]> memory;
  thread_local size_t size = 0;
  if (size < workspace_bytes) {
    memory.reset();
    memory.reset(new char[workspace_bytes]);
    size = workspace_bytes;
  }
  auto args = Sized<lacuna_run_args>();
  args.workspace = memory.get();
  args.workspace_bytes = workspace_bytes;
  args.executor = &threads;
  return args;
}

lacuna_tensor ViewOf(const Tensor& tensor) {
  auto view = Sized<lacuna_tensor>();
  view.data = tensor.floats();
  view.rank = static_cast<int64_t>(std::min<size_t>(tensor.extents.size(), LACUNA_MAX_RANK));
  int64_t stride = 1;
  for (int64_t axis = view.rank - 1; axis >= 0; --axis) {
    view.extent[axis] = tensor.extents[static_cast<size_t>(axis)];
    view.stride[axis] = stride;
    stride *= std::max<int64_t>(view.extent[axis], 1);
  }
  return view;
}

Status* Cover(const Engine& engine, const float* dense, const lacuna_matrix& matrix, const std::string& scheme,
              Owned<lacuna_weights>& weights) {
  lacuna_weights* made = nullptr;
  LACUNA_ORT_RETURN(Check(engine, lacuna_cover(dense, &matrix, scheme.c_str(), &made)));
  weights.reset(made);
  return nullptr;
}

void Output::Read(const Node& node) {
  node.Read("activation", activation);
  node.Read("low", low);
  node.Read("high", high);
  node.Read("slope", slope);
}

Status* Output::Epilogue(const Engine& engine, int64_t rows, lacuna_epilogue& epilogue) const {
  static constexpr const char* kNames[] = {"none",    "relu", "clamp", "leaky_relu",
                                           "sigmoid", "tanh", "silu",  "hard_swish"};  // lacuna_activation
  const auto* name = std::find(std::begin(kNames), std::end(kNames), activation);
  if (name == std::end(kNames)) {
    return engine.Failure(("lacuna: activation is \"" + activation +
                           "\", must be one of none, relu, clamp, leaky_relu, sigmoid, tanh, silu, hard_swish")
                              .c_str());
  }
  if (!bias.empty() && static_cast<int64_t>(bias.size()) != rows) {
    return engine.Failure(
        ("lacuna: the bias has " + std::to_string(bias.size()) + " values, must have " + std::to_string(rows)).c_str());
  }
  epilogue = Sized<lacuna_epilogue>();
  epilogue.activation = static_cast<int32_t>(name - std::begin(kNames));
  epilogue.low = low;
  epilogue.high = high;
  epilogue.slope = slope;
  epilogue.bias = bias.empty() ? nullptr : bias.data();
  epilogue.bias_count = bias.size();
  return nullptr;
}

}  // namespace lacuna_ort
