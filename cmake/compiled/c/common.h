// What the functions of the C interface, lacuna/c/lacuna.h, have in common.

#ifndef LACUNA_COMPILED_C_COMMON_H_
#define LACUNA_COMPILED_C_COMMON_H_

#include "lacuna/c/lacuna.h"
#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/text_writer.h"
#include "lacuna/core/view.h"
#include "lacuna/format/any.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/policy/policy.h"
#include "lacuna/policy/select.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace lacuna::inline LACUNA_ABI::c {

// The code of `status`; its message is what lacuna_last_error says from now on.
lacuna_status Report(const Status& status);

inline Status NotNull(const char* name, const void* pointer) {
  return pointer != nullptr ? Status() : Status::InvalidArgument("%s is null, must point to an object", name);
}

// A struct of the caller, whatever the version of the header that it was compiled against. Null gives zeros.
template <class T>
Result<T> ReadStruct(const char* name, const T* from) {
  T fields{};
  if (from == nullptr) return fields;
  static_assert(std::is_trivially_copyable_v<T> && offsetof(T, struct_size) == 0);
  size_t size;
  std::memcpy(&size, from, sizeof(size));
  constexpr size_t kMost = size_t{1} << 16;  // a size that was never set must not be read
  if (size < sizeof(size) || size > kMost) {
    return Status::InvalidArgument("%s.struct_size is %zu, must be the size of the struct, %zu", name, size, sizeof(T));
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(from);
  if (size > sizeof(T) && !std::all_of(bytes + sizeof(T), bytes + size, [](unsigned char b) { return b == 0; })) {
    return Status::Make(StatusCode::kUnsupported,
                        "%s.struct_size is %zu, this library knows fields in %zu bytes and the others are not zero",
                        name, size, sizeof(T));
  }
  std::memcpy(&fields, from, std::min(size, sizeof(T)));
  return fields;
}
// The same where there must be one.
template <class T>
Result<T> ReadRequired(const char* name, const T* from) {
  LACUNA_RETURN_IF_ERROR(NotNull(name, from));
  return ReadStruct(name, from);
}

template <class Handle>
Status MakeHandle(Handle value, Handle** out) {
  auto* handle = new (std::nothrow) Handle(std::move(value));
  if (handle == nullptr) return Status::OutOfMemory("handle", sizeof(Handle));
  *out = handle;
  return Status();
}

// As snprintf with "%s".
// `explain(writer)` into `text`; the length of all of it, as snprintf returns it.
template <class F>
size_t WriteText(char* text, size_t bytes, const F& explain) {
  TextWriter writer(text, text == nullptr ? 0 : bytes);
  explain(writer);
  return writer.length();
}

// The view of `tensor`, called `name`, which must have kRank axes. Extents and strides are for plans to check.
template <int kRank>
Result<TensorView<float, kRank>> ViewOf(const char* name, const lacuna_tensor* tensor) {
  LACUNA_ASSIGN_OR_RETURN(fields, ReadRequired(name, tensor));
  if (fields.rank != kRank) {
    return Status::InvalidArgument("%s.rank is %lld, must be %d", name, static_cast<long long>(fields.rank), kRank);
  }
  TensorView<float, kRank> view{fields.data, {}, {}};
  std::copy_n(fields.extent, kRank, view.extent.begin());
  std::copy_n(fields.stride, kRank, view.stride.begin());
  return view;
}
Result<MatrixView<float>> MatrixOf(const char* name, const lacuna_tensor* tensor);

// The caller's threads, as plans take them.
class CallerThreads {
 public:
  CallerThreads() = default;
  explicit CallerThreads(const lacuna_executor& executor) : executor_(executor) {}

  size_t concurrency() const { return executor_.parallel_for == nullptr ? 1 : executor_.concurrency; }
  template <class F>
  void parallel_for(size_t slots, const F& f) const {
    if (executor_.parallel_for == nullptr) return SerialExecutor{}.parallel_for(slots, f);
    const auto task = [](void* data, size_t slot) { (*static_cast<const F*>(data))(slot); };
    executor_.parallel_for(executor_.context, slots, task, const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  lacuna_executor executor_{};
};

// lacuna_run_args, read.
struct Arguments {
  std::span<std::byte> workspace;
  CallerThreads threads;
  const lacuna_tensor* residual;
  std::span<const int32_t> lengths;

  static Result<Arguments> Of(const lacuna_run_args* args);
  // Ok if no lengths are given, as but for recurrent layers.
  Status NoLengths() const;
};

// lacuna_epilogue with a bias of its own.
class OwnedEpilogue {
 public:
  static Result<OwnedEpilogue> Of(const lacuna_epilogue* epilogue);
  Result<OwnedEpilogue> Copy() const;
  Epilogue values() const {
    Epilogue epilogue = values_;
    epilogue.bias = bias_;
    return epilogue;
  }
  bool residual() const { return values_.residual; }

 private:
  Epilogue values_;
  Buffer<float> bias_;
};

// The caller's shape, and f(shape) with the ConvShape of its rank.
template <int kRank>
ConvShape<kRank> ShapeOf(const lacuna_conv_shape& fields) {
  const auto or_one = [](int64_t value) { return value == 0 ? 1 : value; };
  ConvShape<kRank> shape{.batch = or_one(fields.batch),
                         .in_channels = fields.in_channels,
                         .out_channels = fields.out_channels,
                         .groups = or_one(fields.groups)};
  for (size_t axis = 0; axis < kRank; ++axis) {
    shape.input[axis] = fields.input[axis];
    shape.kernel[axis] = fields.kernel[axis];
    shape.stride[axis] = or_one(fields.stride[axis]);
    shape.dilation[axis] = or_one(fields.dilation[axis]);
    shape.pad_begin[axis] = fields.pad_begin[axis];
    shape.pad_end[axis] = fields.pad_end[axis];
  }
  return shape;
}
template <class F>
auto WithShape(const lacuna_conv_shape& fields, const F& f) -> decltype(f(ConvShape<1>())) {
  switch (fields.rank) {
    case 1: return f(ShapeOf<1>(fields));
    case 2: return f(ShapeOf<2>(fields));
    case 3: return f(ShapeOf<3>(fields));
    default: break;
  }
  return Status::InvalidArgument("shape.rank is %lld, must be in [1, 3]", static_cast<long long>(fields.rank));
}

// What a lacuna_weights holds. Plans that refer to it keep it.
struct HeldWeights {
  Buffer<std::byte> file;  // the blob that was loaded, if so: the weights lie in it
  std::variant<AnyWeights<float>, Shared<PackedWeights<float>>> weights;
  int64_t target = 0;  // of packed weights, Highway's bit

  const AnyWeights<float>* format() const { return std::get_if<0>(&weights); }
  const Shared<PackedWeights<float>>* packed() const { return std::get_if<1>(&weights); }
  LayerWeights ref() const { return packed() != nullptr ? LayerWeights(*packed()) : LayerWeights(*format()); }
};

// The weights behind a handle, called `name`.
Result<Shared<HeldWeights>> Held(const char* name, const lacuna_weights* weights);
// The same, which must be of a format: `use` says what for.
Result<Shared<HeldWeights>> HeldFormat(const char* name, const lacuna_weights* weights, const char* use);
// A lacuna_weights that holds them.
Status MakeWeights(HeldWeights weights, lacuna_weights** out);

// Plans choose by the cost model, or, Measured, by measuring.
template <class Base>
struct Measured : Base {
  using Select = SelectByMeasurement;
  SelectByMeasurement select;
};

// f(policy) with what the options say.
template <class F>
auto WithPolicy(const lacuna_plan_options& options, const F& f) {
  const auto with = [&](auto policy) {
    if (options.winograd_error != 0.0) policy.winograd_error = options.winograd_error;
    return f(policy);
  };
  if (options.winograd != 0) {
    return options.measure != 0 ? with(Measured<WinogradPolicy>()) : with(WinogradPolicy());
  }
  return options.measure != 0 ? with(Measured<DefaultPolicy>()) : with(DefaultPolicy());
}

}  // namespace lacuna::inline LACUNA_ABI::c

struct lacuna_weights {
  lacuna::Shared<lacuna::c::HeldWeights> held;
};

#endif  // LACUNA_COMPILED_C_COMMON_H_
