// What lacuna's operators use of ONNX Runtime's C interface, written down from its published definition: a table of
// functions whose places never change, and the struct that describes an operator. No header of ONNX Runtime is needed.

#ifndef LACUNA_ONNXRUNTIME_ENGINE_H_
#define LACUNA_ONNXRUNTIME_ENGINE_H_

#include <cstddef>
#include <cstdint>

namespace lacuna_ort {

// Objects of the engine.
struct Status;  // null: success
struct Value;
struct SessionOptions;
struct Domain;
struct ShapeInfo;
struct KernelInfo;
struct KernelContext;

using Function = void (*)();

// The engine's table of functions (OrtApi).
class Engine {
 public:
  // The version of the interface that has everything below: that of ONNX Runtime 1.17.
  static constexpr uint32_t kVersion = 17;

  explicit Engine(const Function* table) : table_(table) {}

  Status* Failure(const char* message) const { return At<Status*(int, const char*)>(0)(/*ORT_FAIL*/ 1, message); }
  void Release(Status* status) const { At<void(Status*)>(93)(status); }

  Status* CreateDomain(const char* name, Domain** out) const {
    return At<Status*(const char*, Domain**)>(26)(name, out);
  }
  Status* Add(Domain* domain, const struct CustomOp* op) const {
    return At<Status*(Domain*, const CustomOp*)>(27)(domain, op);
  }
  Status* Add(SessionOptions* options, Domain* domain) const {
    return At<Status*(SessionOptions*, Domain*)>(28)(options, domain);
  }
  void Release(Domain* domain) const { At<void(Domain*)>(101)(domain); }

  // Tensors.
  Status* Data(const Value* tensor, void** out) const {
    return At<Status*(Value*, void**)>(51)(const_cast<Value*>(tensor), out);
  }
  Status* ElementType(const ShapeInfo* info, int* out) const {
    return At<Status*(const ShapeInfo*, int*)>(60)(info, out);
  }
  Status* Rank(const ShapeInfo* info, size_t* out) const {
    return At<Status*(const ShapeInfo*, size_t*)>(61)(info, out);
  }
  Status* Extents(const ShapeInfo* info, int64_t* out, size_t rank) const {
    return At<Status*(const ShapeInfo*, int64_t*, size_t)>(62)(info, out, rank);
  }
  Status* Shape(const Value* tensor, ShapeInfo** out) const {
    return At<Status*(const Value*, ShapeInfo**)>(65)(tensor, out);
  }
  void Release(ShapeInfo* info) const { At<void(ShapeInfo*)>(99)(info); }

  // A node when its kernel is made. Text and arrays: with null for `out`, their size is written to `size`.
  Status* Attribute(const KernelInfo* info, const char* name, float* out) const {
    return At<Status*(const KernelInfo*, const char*, float*)>(85)(info, name, out);
  }
  Status* Attribute(const KernelInfo* info, const char* name, int64_t* out) const {
    return At<Status*(const KernelInfo*, const char*, int64_t*)>(86)(info, name, out);
  }
  Status* Attribute(const KernelInfo* info, const char* name, char* out, size_t* size) const {
    return At<Status*(const KernelInfo*, const char*, char*, size_t*)>(87)(info, name, out, size);
  }
  Status* Attribute(const KernelInfo* info, const char* name, int64_t* out, size_t* size) const {
    return At<Status*(const KernelInfo*, const char*, int64_t*, size_t*)>(163)(info, name, out, size);
  }
  Status* InputCount(const KernelInfo* info, size_t* out) const {
    return At<Status*(const KernelInfo*, size_t*)>(230)(info, out);
  }
  Status* ConstantInput(const KernelInfo* info, size_t index, int* is_constant, const Value** out) const {
    return At<Status*(const KernelInfo*, size_t, int*, const Value**)>(249)(info, index, is_constant, out);
  }

  // A node when it runs. Inputs and outputs that the model leaves out are null.
  Status* InputCount(const KernelContext* context, size_t* out) const {
    return At<Status*(const KernelContext*, size_t*)>(88)(context, out);
  }
  Status* OutputCount(const KernelContext* context, size_t* out) const {
    return At<Status*(const KernelContext*, size_t*)>(89)(context, out);
  }
  Status* Input(const KernelContext* context, size_t index, const Value** out) const {
    return At<Status*(const KernelContext*, size_t, const Value**)>(90)(context, index, out);
  }
  Status* Output(KernelContext* context, size_t index, const int64_t* extents, size_t rank, Value** out) const {
    return At<Status*(KernelContext*, size_t, const int64_t*, size_t, Value**)>(91)(context, index, extents, rank, out);
  }
  // task(data, i) for each i < count on the threads of the session, in any order; `batches` 0: the engine chooses.
  Status* ParallelFor(const KernelContext* context, void (*task)(void*, size_t), size_t count, size_t batches,
                      void* data) const {
    return At<Status*(const KernelContext*, void (*)(void*, size_t), size_t, size_t, void*)>(274)(context, task, count,
                                                                                                  batches, data);
  }

 private:
  template <class Signature>
  Signature* At(size_t place) const {
    return reinterpret_cast<Signature*>(table_[place]);
  }

  const Function* table_;
};

// What a library of operators is given (OrtApiBase).
struct EngineBase {
  const Function* (*table)(uint32_t version);  // null if the engine is older
  const char* (*version)();
};

inline constexpr int kFloat = 1, kInt32 = 6;        // element types
inline constexpr int kRequired = 0, kOptional = 1;  // inputs and outputs

// An operator of a domain (OrtCustomOp) as version 17 has it.
struct CustomOp {
  uint32_t version;
  void* (*create)(const CustomOp*, const Function* table, const KernelInfo*);  // used by engines before 1.16
  const char* (*name)(const CustomOp*);
  const char* (*provider)(const CustomOp*);  // null: the CPU
  int (*input_type)(const CustomOp*, size_t index);
  size_t (*inputs)(const CustomOp*);
  int (*output_type)(const CustomOp*, size_t index);
  size_t (*outputs)(const CustomOp*);
  void (*compute)(void* kernel, KernelContext*);
  void (*destroy)(void* kernel);
  int (*input_characteristic)(const CustomOp*, size_t index);
  int (*output_characteristic)(const CustomOp*, size_t index);
  int (*input_memory)(const CustomOp*, size_t index);
  int (*variadic_input_least)(const CustomOp*);
  int (*variadic_input_same)(const CustomOp*);
  int (*variadic_output_least)(const CustomOp*);
  int (*variadic_output_same)(const CustomOp*);
  Status* (*create_or_fail)(const CustomOp*, const Function* table, const KernelInfo*, void** kernel);
  Status* (*compute_or_fail)(void* kernel, KernelContext*);
  Status* (*infer_shapes)(const CustomOp*, void* context);  // null: extents are known when the node has run
  int (*first_version)(const CustomOp*);                    // of the domain
  int (*last_version)(const CustomOp*);
};

}  // namespace lacuna_ort

#endif  // LACUNA_ONNXRUNTIME_ENGINE_H_
