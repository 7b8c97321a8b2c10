// Errors, versions, views and threads of the C interface.

#include "common.h"

#include "lacuna/core/target.h"
#include "lacuna/op/active.h"
#include "lacuna/version.h"

#include <array>
#include <cstdio>

namespace lacuna::inline LACUNA_ABI::c {

namespace {

thread_local Status last_error;

constexpr bool IsSame(lacuna_status c, StatusCode code) { return static_cast<int>(c) == static_cast<int>(code); }
static_assert(IsSame(LACUNA_OK, StatusCode::kOk) && IsSame(LACUNA_INVALID_ARGUMENT, StatusCode::kInvalidArgument) &&
              IsSame(LACUNA_UNSUPPORTED, StatusCode::kUnsupported) &&
              IsSame(LACUNA_OUT_OF_MEMORY, StatusCode::kOutOfMemory) &&
              IsSame(LACUNA_DATA_LOSS, StatusCode::kDataLoss) && IsSame(LACUNA_NOT_FOUND, StatusCode::kNotFound));

constexpr bool IsSame(lacuna_activation c, Activation activation) {
  return static_cast<int>(c) == static_cast<int>(activation);
}
static_assert(IsSame(LACUNA_NONE, Activation::kNone) && IsSame(LACUNA_RELU, Activation::kRelu) &&
              IsSame(LACUNA_CLAMP, Activation::kClamp) && IsSame(LACUNA_LEAKY_RELU, Activation::kLeakyRelu) &&
              IsSame(LACUNA_SIGMOID, Activation::kSigmoid) && IsSame(LACUNA_TANH, Activation::kTanh) &&
              IsSame(LACUNA_SILU, Activation::kSilu) && IsSame(LACUNA_HARD_SWISH, Activation::kHardSwish));

Result<std::span<const float>> ValuesOf(const char* name, const float* values, size_t count) {
  if (values == nullptr && count != 0) {
    return Status::InvalidArgument("%s is null, must point to %zu values", name, count);
  }
  return std::span(values, count);
}

using TensorOf = TensorView<const float, LACUNA_MAX_RANK> (*)(const float*, const Extents<LACUNA_MAX_RANK>&);

// `least` is the smallest rank that the layout is defined for.
Status MakeTensor(const float* data, int32_t rank, int32_t least, const int64_t* extent, TensorOf layout,
                  lacuna_tensor* tensor) {
  LACUNA_RETURN_IF_ERROR(NotNull("data", data));
  LACUNA_RETURN_IF_ERROR(NotNull("extent", extent));
  LACUNA_RETURN_IF_ERROR(NotNull("tensor", tensor));
  if (rank < least || rank > LACUNA_MAX_RANK) {
    return Status::InvalidArgument("rank is %d, must be in [%d, %d]", rank, least, LACUNA_MAX_RANK);
  }
  // Axes that the tensor does not have are of extent 1, behind the others.
  Extents<LACUNA_MAX_RANK> extents = FilledExtents<LACUNA_MAX_RANK>(1);
  Checked elements(1);
  for (size_t axis = 0; axis < static_cast<size_t>(rank); ++axis) {
    if (extent[axis] < 1) {
      return Status::InvalidArgument("extent[%zu] is %lld, must be at least 1", axis,
                                     static_cast<long long>(extent[axis]));
    }
    extents[axis] = extent[axis];
    elements = elements * extent[axis];
  }
  if (!elements.ok() || elements.value() > kMaxElements) {
    return Status::InvalidArgument("extent: the tensor has more elements than the limit of %lld",
                                   static_cast<long long>(kMaxElements));
  }
  const TensorView<const float, LACUNA_MAX_RANK> view = layout(data, extents);
  lacuna_tensor made{};
  made.struct_size = sizeof(made);
  made.data = const_cast<float*>(data);
  made.rank = rank;
  std::copy_n(view.extent.begin(), rank, made.extent);
  std::copy_n(view.stride.begin(), rank, made.stride);
  *tensor = made;
  return Status();
}

}  // namespace

lacuna_status Report(const Status& status) {
  if (!status.ok()) last_error = status;
  return static_cast<lacuna_status>(status.code());
}

Result<MatrixView<float>> MatrixOf(const char* name, const lacuna_tensor* tensor) {
  LACUNA_ASSIGN_OR_RETURN(view, ViewOf<2>(name, tensor));
  return MatrixView<float>{view.data, view.extent[0], view.extent[1], view.stride[0], view.stride[1]};
}

Result<Arguments> Arguments::Of(const lacuna_run_args* args) {
  LACUNA_ASSIGN_OR_RETURN(fields, ReadStruct("args", args));
  if (fields.workspace == nullptr && fields.workspace_bytes != 0) {
    return Status::InvalidArgument("args.workspace is null, must point to %zu bytes", fields.workspace_bytes);
  }
  if (fields.lengths == nullptr && fields.length_count != 0) {
    return Status::InvalidArgument("args.lengths is null, must point to %zu values", fields.length_count);
  }
  Arguments arguments{.workspace = {static_cast<std::byte*>(fields.workspace), fields.workspace_bytes},
                      .threads = {},
                      .residual = fields.residual,
                      .lengths = {fields.lengths, fields.length_count}};
  if (fields.executor == nullptr) return arguments;
  LACUNA_ASSIGN_OR_RETURN(executor, ReadStruct("args.executor", fields.executor));
  if (executor.parallel_for == nullptr) {
    return Status::InvalidArgument("args.executor.parallel_for is null, must point to a function");
  }
  if (executor.concurrency < 1) {
    return Status::InvalidArgument("args.executor.concurrency is 0, must be at least 1");
  }
  arguments.threads = CallerThreads(executor);
  return arguments;
}

Status Arguments::NoLengths() const {
  if (lengths.empty()) return Status();
  return Status::InvalidArgument("args.lengths has %zu values, must have none but for recurrent layers",
                                 lengths.size());
}

Result<OwnedEpilogue> OwnedEpilogue::Of(const lacuna_epilogue* epilogue) {
  LACUNA_ASSIGN_OR_RETURN(fields, ReadStruct("epilogue", epilogue));
  LACUNA_ASSIGN_OR_RETURN(bias, ValuesOf("epilogue.bias", fields.bias, fields.bias_count));
  if (fields.activation < LACUNA_NONE || fields.activation > LACUNA_HARD_SWISH) {
    return Status::InvalidArgument("epilogue.activation is %d, must be a lacuna_activation", fields.activation);
  }
  LACUNA_ASSIGN_OR_RETURN(copy, Buffer<float>::CopyOf(bias));
  OwnedEpilogue owned;
  owned.values_ = {.activation = static_cast<Activation>(fields.activation),
                   .low = fields.low,
                   .high = fields.high,
                   .slope = fields.slope,
                   .residual = fields.residual != 0};
  owned.bias_ = std::move(copy);
  return owned;
}

Result<OwnedEpilogue> OwnedEpilogue::Copy() const {
  LACUNA_ASSIGN_OR_RETURN(bias, Buffer<float>::CopyOf(bias_));
  OwnedEpilogue copy;
  copy.values_ = values_;
  copy.bias_ = std::move(bias);
  return copy;
}

}  // namespace lacuna::inline LACUNA_ABI::c

const char* lacuna_status_name(lacuna_status status) {
  if (status < LACUNA_OK || status > LACUNA_NOT_FOUND) return "unknown";
  return lacuna::StatusCodeName(static_cast<lacuna::StatusCode>(status));
}
const char* lacuna_last_error(void) { return lacuna::c::last_error.message(); }
int32_t lacuna_c_abi(void) { return LACUNA_C_ABI; }
const char* lacuna_version(void) { return LACUNA_VERSION; }
const char* lacuna_target(void) { return lacuna::ActiveTargetName(); }

lacuna_status lacuna_tensor_planar(const float* data, int32_t rank, const int64_t* extent, lacuna_tensor* tensor) {
  using View = lacuna::TensorView<const float, LACUNA_MAX_RANK>;
  return lacuna::c::Report(lacuna::c::MakeTensor(data, rank, 1, extent, &View::Planar, tensor));
}
lacuna_status lacuna_tensor_channels_last(const float* data, int32_t rank, const int64_t* extent,
                                          lacuna_tensor* tensor) {
  using View = lacuna::TensorView<const float, LACUNA_MAX_RANK>;
  return lacuna::c::Report(lacuna::c::MakeTensor(data, rank, 2, extent, &View::ChannelsLast, tensor));
}
