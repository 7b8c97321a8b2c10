// RegisterCustomOps: what ONNX Runtime calls when a session is given this library.

#include <iterator>
#include <memory>

#include "engine.h"
#include "kernels.h"

namespace lacuna_ort {

namespace {

// A description of an operator, with what the functions of CustomOp need to know of it behind.
struct Operator {
  CustomOp op;  // first: the engine hands out its address
  const char* name;
  size_t inputs, required_inputs;
  size_t outputs;
  int fourth_input;  // element type of input 4
  Status* (*make)(const Engine& engine, const KernelInfo* info, std::unique_ptr<Kernel>& kernel);
};

const Operator& Of(const CustomOp* op) { return *reinterpret_cast<const Operator*>(op); }

// Engines before 1.16 have no place for a failure.
void* CreateOrNull(const CustomOp* op, const Function* table, const KernelInfo* info) {
  std::unique_ptr<Kernel> kernel;
  const Engine engine(table);
  if (Status* status = Of(op).make(engine, info, kernel)) engine.Release(status);
  return kernel.release();
}

Operator Describe(const char* name, size_t inputs, size_t required_inputs, size_t outputs,
                  decltype(Operator::make) make) {
  CustomOp op{};
  op.version = Engine::kVersion;
  op.create = &CreateOrNull;
  op.name = [](const CustomOp* of) { return Of(of).name; };
  op.provider = [](const CustomOp*) -> const char* { return nullptr; };
  op.input_type = [](const CustomOp* of, size_t index) { return index == 4 ? Of(of).fourth_input : kFloat; };
  op.inputs = [](const CustomOp* of) { return Of(of).inputs; };
  op.output_type = [](const CustomOp*, size_t) { return kFloat; };
  op.outputs = [](const CustomOp* of) { return Of(of).outputs; };
  op.compute = [](void*, KernelContext*) {};
  op.destroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
  op.input_characteristic = [](const CustomOp* of, size_t index) {
    return index < Of(of).required_inputs ? kRequired : kOptional;
  };
  op.output_characteristic = [](const CustomOp* of, size_t) { return Of(of).outputs == 1 ? kRequired : kOptional; };
  op.input_memory = [](const CustomOp*, size_t) { return 0; };
  op.variadic_input_least = op.variadic_output_least = [](const CustomOp*) { return 1; };
  op.variadic_input_same = op.variadic_output_same = [](const CustomOp*) { return 1; };
  op.create_or_fail = [](const CustomOp* of, const Function* table, const KernelInfo* info, void** out) {
    std::unique_ptr<Kernel> kernel;
    Status* status = Of(of).make(Engine(table), info, kernel);
    *out = kernel.release();
    return status;
  };
  op.compute_or_fail = [](void* kernel, KernelContext* context) {
    return static_cast<Kernel*>(kernel)->Compute(context);
  };
  op.first_version = op.last_version = [](const CustomOp*) { return 1; };
  return {op, name, inputs, required_inputs, outputs, kInt32, make};
}

}  // namespace

}  // namespace lacuna_ort

// Adds the domain "lacuna" to a session's options.
extern "C" __attribute__((visibility("default"))) lacuna_ort::Status* RegisterCustomOps(
    lacuna_ort::SessionOptions* options, const lacuna_ort::EngineBase* base) {
  using namespace lacuna_ort;
  static const Operator operators[] = {Describe("Conv", 3, 2, 1, &MakeConv), Describe("Gemm", 3, 2, 1, &MakeGemm),
                                       Describe("GRU", 6, 3, 2, &MakeGru)};
  const Function* table = base->table(Engine::kVersion);
  if (table == nullptr) return Engine(base->table(1)).Failure("lacuna's operators need ONNX Runtime 1.17 or newer");
  const Engine engine(table);
  // Sessions refer to it as long as they live, and the library is not unloaded before.
  static Domain* const domain = [&]() -> Domain* {
    Domain* made = nullptr;
    Status* status = engine.CreateDomain("lacuna", &made);
    for (size_t i = 0; status == nullptr && i < std::size(operators); ++i) status = engine.Add(made, &operators[i].op);
    if (status == nullptr) return made;
    engine.Release(status);
    return nullptr;
  }();
  if (domain == nullptr) return engine.Failure("lacuna's operators could not be registered");
  return engine.Add(options, domain);
}
