/* What a program was compiled with stays true: numbers of constants, sizes of structs, places of fields. A line is only
 * ever added here; if one has to change, LACUNA_C_ABI does. And how structs of other versions are read. */

#include "check.h"

#include <string.h>

#define STATIC(name, condition) typedef char name[(condition) ? 1 : -1]

STATIC(abi, LACUNA_C_ABI == 1 && LACUNA_MAX_RANK == 5);
STATIC(statuses, LACUNA_OK == 0 && LACUNA_INVALID_ARGUMENT == 1 && LACUNA_UNSUPPORTED == 2 &&
                     LACUNA_OUT_OF_MEMORY == 3 && LACUNA_DATA_LOSS == 4 && LACUNA_NOT_FOUND == 5);
STATIC(status_size, sizeof(lacuna_status) == 4);
STATIC(activations, LACUNA_NONE == 0 && LACUNA_RELU == 1 && LACUNA_CLAMP == 2 && LACUNA_LEAKY_RELU == 3 &&
                        LACUNA_SIGMOID == 4 && LACUNA_TANH == 5 && LACUNA_SILU == 6 && LACUNA_HARD_SWISH == 7);
STATIC(cells, LACUNA_RNN == 0 && LACUNA_GRU == 1 && LACUNA_LSTM == 2);
STATIC(directions, LACUNA_FORWARD == 0 && LACUNA_REVERSE == 1 && LACUNA_BIDIRECTIONAL == 2);

#if UINTPTR_MAX == UINT64_MAX
#define AT(type, field, offset) STATIC(type##_##field, offsetof(type, field) == (offset))
#define SIZE(type, bytes) STATIC(type##_size, sizeof(type) == (bytes))
AT(lacuna_tensor, struct_size, 0);
AT(lacuna_tensor, data, 8);
AT(lacuna_tensor, rank, 16);
AT(lacuna_tensor, extent, 24);
AT(lacuna_tensor, stride, 64);
SIZE(lacuna_tensor, 104);
AT(lacuna_executor, context, 8);
AT(lacuna_executor, concurrency, 16);
AT(lacuna_executor, parallel_for, 24);
SIZE(lacuna_executor, 32);
AT(lacuna_run_args, workspace, 8);
AT(lacuna_run_args, workspace_bytes, 16);
AT(lacuna_run_args, executor, 24);
AT(lacuna_run_args, residual, 32);
AT(lacuna_run_args, lengths, 40);
AT(lacuna_run_args, length_count, 48);
SIZE(lacuna_run_args, 56);
AT(lacuna_matrix, rows, 8);
AT(lacuna_matrix, columns, 16);
AT(lacuna_matrix, groups, 24);
AT(lacuna_matrix, taps, 32);
SIZE(lacuna_matrix, 40);
AT(lacuna_units, block_rows, 8);
AT(lacuna_units, block_columns, 16);
AT(lacuna_units, run, 24);
AT(lacuna_units, cycle, 32);
AT(lacuna_units, cells, 40);
AT(lacuna_units, rows, 48);
AT(lacuna_units, every_block, 52);
SIZE(lacuna_units, 56);
AT(lacuna_weights_info, format, 8);
AT(lacuna_weights_info, target, 16);
AT(lacuna_weights_info, rows, 24);
AT(lacuna_weights_info, columns, 32);
AT(lacuna_weights_info, groups, 40);
AT(lacuna_weights_info, nnz, 48);
AT(lacuna_weights_info, bytes, 56);
SIZE(lacuna_weights_info, 64);
AT(lacuna_epilogue, activation, 8);
AT(lacuna_epilogue, residual, 12);
AT(lacuna_epilogue, low, 16);
AT(lacuna_epilogue, high, 20);
AT(lacuna_epilogue, slope, 24);
AT(lacuna_epilogue, bias, 32);
AT(lacuna_epilogue, bias_count, 40);
SIZE(lacuna_epilogue, 48);
AT(lacuna_plan_options, winograd, 8);
AT(lacuna_plan_options, measure, 12);
AT(lacuna_plan_options, winograd_error, 16);
SIZE(lacuna_plan_options, 24);
AT(lacuna_conv_shape, rank, 8);
AT(lacuna_conv_shape, batch, 16);
AT(lacuna_conv_shape, in_channels, 24);
AT(lacuna_conv_shape, out_channels, 32);
AT(lacuna_conv_shape, groups, 40);
AT(lacuna_conv_shape, input, 48);
AT(lacuna_conv_shape, kernel, 72);
AT(lacuna_conv_shape, stride, 96);
AT(lacuna_conv_shape, dilation, 120);
AT(lacuna_conv_shape, pad_begin, 144);
AT(lacuna_conv_shape, pad_end, 168);
SIZE(lacuna_conv_shape, 192);
AT(lacuna_recurrent_options, cell, 8);
AT(lacuna_recurrent_options, direction, 12);
AT(lacuna_recurrent_options, linear_before_reset, 16);
AT(lacuna_recurrent_options, input_forget, 20);
AT(lacuna_recurrent_options, f, 24);
AT(lacuna_recurrent_options, g, 32);
AT(lacuna_recurrent_options, h, 40);
AT(lacuna_recurrent_options, clip, 48);
AT(lacuna_recurrent_options, bias, 56);
AT(lacuna_recurrent_options, bias_count, 64);
AT(lacuna_recurrent_options, peephole, 72);
AT(lacuna_recurrent_options, peephole_count, 80);
AT(lacuna_recurrent_options, batch, 88);
AT(lacuna_recurrent_options, steps, 96);
SIZE(lacuna_recurrent_options, 104);
#endif

/* lacuna_matrix of a later version. */
typedef struct later_matrix {
  lacuna_matrix matrix;
  int64_t added;
} later_matrix;

static void test_other_versions(void) {
  float dense[24];
  lacuna_weights* weights = NULL;
  later_matrix later;
  fill(dense, 24, 1);
  memset(&later, 0, sizeof(later));
  later.matrix.struct_size = sizeof(later);
  later.matrix.rows = 4;
  later.matrix.columns = 6;
  CHECK_OK(lacuna_prune(dense, &later.matrix, "dense", &weights));
  lacuna_weights_destroy(weights);
  weights = NULL;
  later.added = 1;
  CHECK_ERROR(lacuna_prune(dense, &later.matrix, "dense", &weights), LACUNA_UNSUPPORTED,
              "matrix.struct_size is 48, this library knows fields in 40 bytes and the others are not zero");
  CHECK(weights == NULL);
  /* A caller whose header had no groups and taps yet. */
  later.matrix.groups = 77;
  later.matrix.struct_size = offsetof(lacuna_matrix, groups);
  CHECK_OK(lacuna_prune(dense, &later.matrix, "dense", &weights));
  lacuna_weights_destroy(weights);
  later.matrix.struct_size = 0;
  CHECK_INVALID(lacuna_prune(dense, &later.matrix, "dense", &weights), "matrix.struct_size is 0, must be the size");
  later.matrix.struct_size = (size_t)1 << 40;
  CHECK_INVALID(lacuna_prune(dense, &later.matrix, "dense", &weights), "matrix.struct_size is 1099511627776");
}

static void test_names(void) {
  CHECK(lacuna_c_abi() == LACUNA_C_ABI);
  CHECK(strlen(lacuna_version()) >= 5);
  CHECK(strlen(lacuna_target()) > 0);
  CHECK(strcmp(lacuna_status_name(LACUNA_OK), "ok") == 0);
  CHECK(strcmp(lacuna_status_name(LACUNA_NOT_FOUND), "not found") == 0);
  CHECK(strcmp(lacuna_status_name((lacuna_status)6), "unknown") == 0);
}

static void test_tensors(void) {
  const int64_t extent[5] = {2, 3, 5, 7, 1};
  const int64_t none[2] = {2, 0}, huge[2] = {(int64_t)1 << 40, 2}, overflow[2] = {INT64_MAX, INT64_MAX};
  float data[210] = {0};
  lacuna_tensor tensor;
  CHECK_OK(lacuna_tensor_planar(data, 4, extent, &tensor));
  CHECK(tensor.struct_size == sizeof(tensor) && tensor.data == data && tensor.rank == 4);
  CHECK(tensor.extent[0] == 2 && tensor.extent[3] == 7 && tensor.extent[4] == 0);
  CHECK(tensor.stride[0] == 105 && tensor.stride[1] == 35 && tensor.stride[2] == 7 && tensor.stride[3] == 1);
  CHECK_OK(lacuna_tensor_channels_last(data, 4, extent, &tensor));
  CHECK(tensor.stride[0] == 105 && tensor.stride[1] == 1 && tensor.stride[2] == 21 && tensor.stride[3] == 3);
  CHECK_OK(lacuna_tensor_planar(data, 1, extent, &tensor));
  CHECK(tensor.rank == 1 && tensor.stride[0] == 1);
  CHECK_INVALID(lacuna_tensor_planar(NULL, 4, extent, &tensor), "data is null");
  CHECK_INVALID(lacuna_tensor_planar(data, 4, NULL, &tensor), "extent is null");
  CHECK_INVALID(lacuna_tensor_planar(data, 4, extent, NULL), "tensor is null");
  CHECK_INVALID(lacuna_tensor_planar(data, 0, extent, &tensor), "rank is 0, must be in [1, 5]");
  CHECK_INVALID(lacuna_tensor_planar(data, 6, extent, &tensor), "rank is 6, must be in [1, 5]");
  CHECK_INVALID(lacuna_tensor_channels_last(data, 1, extent, &tensor), "rank is 1, must be in [2, 5]");
  CHECK_INVALID(lacuna_tensor_planar(data, 2, none, &tensor), "extent[1] is 0, must be at least 1");
  CHECK_INVALID(lacuna_tensor_planar(data, 2, huge, &tensor), "more elements than the limit");
  CHECK_INVALID(lacuna_tensor_planar(data, 2, overflow, &tensor), "more elements than the limit");
}

void test_layout(void) {
  CHECK(strcmp(lacuna_last_error(), "") == 0); /* nothing has failed yet */
  test_other_versions();
  test_names();
  test_tensors();
}
