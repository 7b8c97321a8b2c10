/* Weights: pruned, recognised, packed, written, read. */

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kRows = 16, kColumns = 36, kCount = kRows * kColumns };

static const char* const kSchemes[] = {"dense",         "unstructured-4x", "pattern-4x",         "bcr-4x",
                                       "bcr_col-4x",    "bcr_kernel-2x",   "punched-3x",         "block_4x4-2x",
                                       "filter-2x",     "connectivity-2x", "block_kernel_2x2-2x"};
static const char* const kFormats[] = {"dense", "csr", "pattern", "bcr", "bcr", "bcr", "bcr", "block",
                                       "block", "block", "block"};

/* 16 filters of 4 channels of 3 x 3. */
static lacuna_matrix matrix(void) {
  INIT(lacuna_matrix, m);
  m.rows = kRows;
  m.columns = kColumns;
  m.taps = 9;
  return m;
}

static int64_t nonzeros(const float* values) {
  int64_t count = 0;
  int i;
  for (i = 0; i < kCount; ++i) count += values[i] != 0.0f;
  return count;
}

static void test_schemes(void) {
  float dense[kCount], kept[kCount], again[kCount];
  const lacuna_matrix m = matrix();
  size_t s;
  int i;
  fill(dense, kCount, 3);
  for (i = 0; i < kCount; ++i) dense[i] += dense[i] < 0 ? -1.0f : 1.0f; /* none is zero */
  for (s = 0; s < sizeof(kSchemes) / sizeof(kSchemes[0]); ++s) {
    INIT(lacuna_weights_info, info);
    INIT(lacuna_weights_info, covered_info);
    lacuna_weights *weights = NULL, *covered = NULL;
    CHECK_OK(lacuna_prune(dense, &m, kSchemes[s], &weights));
    CHECK_OK(lacuna_weights_describe(weights, &info));
    CHECK(strcmp(info.format, kFormats[s]) == 0);
    CHECK(strcmp(info.target, "") == 0);
    CHECK(info.rows == kRows && info.columns == kColumns && info.groups == 1);
    CHECK_OK(lacuna_weights_to_dense(weights, kept, kCount));
    CHECK(info.nnz == nonzeros(kept));
    CHECK(info.bytes >= (size_t)info.nnz * sizeof(float));
    CHECK(strcmp(kSchemes[s], "dense") == 0 ? info.nnz == kCount : info.nnz <= kCount / 2);
    for (i = 0; i < kCount; ++i) CHECK(kept[i] == 0.0f || kept[i] == dense[i]);
    CHECK_OK(lacuna_cover(kept, &m, kSchemes[s], &covered));
    CHECK_OK(lacuna_weights_describe(covered, &covered_info));
    CHECK(strcmp(covered_info.format, info.format) == 0);
    CHECK_OK(lacuna_weights_to_dense(covered, again, kCount));
    CHECK(memcmp(again, kept, sizeof(kept)) == 0);
    lacuna_weights_destroy(weights);
    lacuna_weights_destroy(covered);
  }
}

static void test_schemes_errors(void) {
  float dense[kCount];
  const lacuna_matrix good = matrix();
  lacuna_matrix bad;
  lacuna_weights* weights = NULL;
  fill(dense, kCount, 3);
  CHECK_INVALID(lacuna_prune(NULL, &good, "dense", &weights), "dense is null");
  CHECK_INVALID(lacuna_prune(dense, NULL, "dense", &weights), "matrix is null");
  CHECK_INVALID(lacuna_prune(dense, &good, NULL, &weights), "scheme is null");
  CHECK_INVALID(lacuna_prune(dense, &good, "dense", NULL), "weights is null");
  CHECK_INVALID(lacuna_prune(dense, &good, "bcr_col", &weights), "scheme \"bcr_col\" has no rate");
  CHECK_INVALID(lacuna_prune(dense, &good, "bcr_row-8x", &weights), "scheme is \"bcr_row\", must be one of dense");
  CHECK_INVALID(lacuna_prune(dense, &good, "bcr_col-0.5x", &weights), "rate is 0.5, must be in [1, 10000]");
  CHECK_INVALID(lacuna_cover(dense, &good, "", &weights), "scheme is \"\", must be one of dense");
  bad = good;
  bad.rows = 0;
  CHECK_INVALID(lacuna_prune(dense, &bad, "dense", &weights), "weights.rows is 0, must be in [1, 2147483647]");
  bad = good;
  bad.columns = -1;
  CHECK_INVALID(lacuna_prune(dense, &bad, "dense", &weights), "weights.columns is -1");
  bad = good;
  bad.groups = 3;
  CHECK_INVALID(lacuna_prune(dense, &bad, "dense", &weights), "weights.groups is 3");
  bad = good;
  bad.taps = 7;
  CHECK_INVALID(lacuna_prune(dense, &bad, "dense", &weights), "matrix.taps is 7, must be at least 1 and divide");
  bad.taps = -1;
  CHECK_INVALID(lacuna_prune(dense, &bad, "dense", &weights), "matrix.taps is -1");
  CHECK(weights == NULL);
}

static void test_access_errors(void) {
  float dense[kCount];
  const lacuna_matrix m = matrix();
  INIT(lacuna_weights_info, info);
  lacuna_weights *weights = NULL, *packed = NULL, *twice = NULL;
  fill(dense, kCount, 4);
  CHECK_OK(lacuna_prune(dense, &m, "bcr_col-4x", &weights));
  CHECK_INVALID(lacuna_weights_describe(NULL, &info), "weights is null");
  CHECK_INVALID(lacuna_weights_describe(weights, NULL), "info is null");
  info.struct_size = 3;
  CHECK_INVALID(lacuna_weights_describe(weights, &info), "info.struct_size is 3");
  info.struct_size = offsetof(lacuna_weights_info, nnz); /* of a caller that knows less */
  info.nnz = -5;
  CHECK_OK(lacuna_weights_describe(weights, &info));
  CHECK(info.rows == kRows && info.nnz == -5 && info.struct_size == offsetof(lacuna_weights_info, nnz));
  CHECK_INVALID(lacuna_weights_to_dense(NULL, dense, kCount), "weights is null");
  CHECK_INVALID(lacuna_weights_to_dense(weights, NULL, kCount), "dense is null");
  CHECK_INVALID(lacuna_weights_to_dense(weights, dense, kCount - 1), "count is 575, must be rows * columns = 576");
  CHECK_INVALID(lacuna_pack(NULL, NULL, NULL, &packed), "weights is null");
  CHECK_INVALID(lacuna_pack(weights, NULL, NULL, NULL), "packed is null");
  CHECK_OK(lacuna_pack(weights, NULL, NULL, &packed));
  CHECK_ERROR(lacuna_pack(packed, NULL, NULL, &twice), LACUNA_UNSUPPORTED, "weights are packed, must be of a format");
  CHECK_ERROR(lacuna_weights_to_dense(packed, dense, kCount), LACUNA_UNSUPPORTED, "weights are packed");
  lacuna_weights_destroy(packed);
  lacuna_weights_destroy(weights);
  lacuna_weights_destroy(NULL);
}

/* Where the blocks and units of a scheme lie: each lives or dies whole in what the scheme makes of a matrix. */
static void test_units(void) {
  float dense[kCount], kept[kCount];
  lacuna_matrix m = matrix();
  INIT(lacuna_units, units);
  size_t s;
  int i;
  fill(dense, kCount, 3);
  for (i = 0; i < kCount; ++i) dense[i] += dense[i] < 0 ? -1.0f : 1.0f;
  for (s = 1; s < sizeof(kSchemes) / sizeof(kSchemes[0]); ++s) {
    lacuna_weights* weights = NULL;
    int state[2 * kCount]; /* by block and unit: 0 not met, 1 removed, 2 kept */
    CHECK_OK(lacuna_scheme_units(&m, kSchemes[s], &units));
    CHECK(units.rows == (strcmp(kSchemes[s], "bcr-4x") == 0));
    CHECK(units.every_block == (strncmp(kSchemes[s], "bcr", 3) == 0));
    CHECK(units.cells == (strcmp(kSchemes[s], "pattern-4x") == 0 ? 4 : 0));
    if (units.rows || units.cells) continue;
    CHECK_OK(lacuna_prune(dense, &m, kSchemes[s], &weights));
    CHECK_OK(lacuna_weights_to_dense(weights, kept, kCount));
    memset(state, 0, sizeof(state));
    for (i = 0; i < kCount; ++i) {
      const int64_t row = i / kColumns, column = i % kColumns;
      const int64_t blocks = (kColumns + units.block_columns - 1) / units.block_columns;
      const int64_t block = row / units.block_rows * blocks + column / units.block_columns;
      const int64_t unit = block * units.block_columns + column % units.block_columns / units.run % units.cycle;
      const int now = kept[i] == 0.0f ? 1 : 2;
      CHECK(unit < 2 * kCount && (state[unit] == 0 || state[unit] == now));
      state[unit] = now;
    }
    lacuna_weights_destroy(weights);
  }
  CHECK_ERROR(lacuna_scheme_units(&m, "dense", &units), LACUNA_INVALID_ARGUMENT, "scheme is dense");
  CHECK_ERROR(lacuna_scheme_units(&m, "bcr_col_c4-2x", &units), LACUNA_UNSUPPORTED, "groups of channels");
  CHECK_ERROR(lacuna_scheme_units(NULL, "bcr-2x", &units), LACUNA_INVALID_ARGUMENT, "matrix is null");
  CHECK_ERROR(lacuna_scheme_units(&m, "bcr-2x", NULL), LACUNA_INVALID_ARGUMENT, "units is null");
  m.taps = 5;
  CHECK_ERROR(lacuna_scheme_units(&m, "bcr-2x", &units), LACUNA_INVALID_ARGUMENT, "matrix.taps is 5");
}

void test_weights(void) {
  test_schemes();
  test_units();
  test_schemes_errors();
  test_access_errors();
}

/* ---- Blobs and files ---- */

static const char* const kPath = "lacuna_c_test.blob";

/* The first address in `memory`, which has 64 bytes more, that a blob may begin at. */
static unsigned char* aligned(void* memory) { return (unsigned char*)(((uintptr_t)memory + 63) / 64 * 64); }

static void test_format_blobs(void) {
  float dense[kCount], kept[kCount], again[kCount];
  const lacuna_matrix m = matrix();
  size_t s;
  fill(dense, kCount, 5);
  for (s = 0; s < sizeof(kSchemes) / sizeof(kSchemes[0]); ++s) {
    INIT(lacuna_weights_info, info);
    lacuna_weights *weights = NULL, *viewed = NULL, *loaded = NULL;
    size_t count;
    void* memory;
    CHECK_OK(lacuna_prune(dense, &m, kSchemes[s], &weights));
    CHECK_OK(lacuna_weights_to_dense(weights, kept, kCount));
    count = lacuna_weights_blob_bytes(weights);
    CHECK(count > 0 && count % 64 == 0);
    memory = bytes(count + 64);
    CHECK_OK(lacuna_weights_write(weights, aligned(memory), count));
    CHECK_OK(lacuna_weights_save(weights, kPath));
    lacuna_weights_destroy(weights);
    CHECK_OK(lacuna_weights_view(aligned(memory), count, &viewed));
    CHECK_OK(lacuna_weights_describe(viewed, &info));
    CHECK(strcmp(info.format, kFormats[s]) == 0);
    CHECK_OK(lacuna_weights_to_dense(viewed, again, kCount));
    CHECK(memcmp(again, kept, sizeof(kept)) == 0);
    lacuna_weights_destroy(viewed);
    free(memory);
    CHECK_OK(lacuna_weights_load(kPath, &loaded));
    memset(again, 0, sizeof(again));
    CHECK_OK(lacuna_weights_to_dense(loaded, again, kCount));
    CHECK(memcmp(again, kept, sizeof(kept)) == 0);
    lacuna_weights_destroy(loaded);
  }
  CHECK(remove(kPath) == 0);
}

static void test_packed_blob(void) {
  float dense[kCount];
  const lacuna_matrix m = matrix();
  INIT(lacuna_weights_info, info);
  INIT(lacuna_weights_info, loaded_info);
  lacuna_weights *weights = NULL, *packed = NULL, *loaded = NULL;
  fill(dense, kCount, 6);
  CHECK_OK(lacuna_prune(dense, &m, "bcr_col-4x", &weights));
  CHECK_OK(lacuna_pack(weights, NULL, NULL, &packed));
  lacuna_weights_destroy(weights);
  CHECK_OK(lacuna_weights_describe(packed, &info));
  CHECK(strcmp(info.format, "packed") == 0 && strcmp(info.target, lacuna_target()) == 0);
  CHECK(info.rows == kRows && info.columns == kColumns && info.nnz == kCount / 4);
  CHECK_OK(lacuna_weights_save(packed, kPath));
  CHECK_OK(lacuna_weights_load(kPath, &loaded));
  CHECK_OK(lacuna_weights_describe(loaded, &loaded_info));
  CHECK(loaded_info.nnz == info.nnz && loaded_info.bytes == info.bytes);
  CHECK(strcmp(loaded_info.target, info.target) == 0);
  lacuna_weights_destroy(packed);
  lacuna_weights_destroy(loaded);
  CHECK(remove(kPath) == 0);
}

static void test_blob_errors(void) {
  float dense[kCount];
  const lacuna_matrix m = matrix();
  lacuna_weights *weights = NULL, *read = NULL;
  unsigned char* blob;
  void* memory;
  size_t count;
  FILE* file;
  fill(dense, kCount, 7);
  CHECK_OK(lacuna_prune(dense, &m, "bcr_col-4x", &weights));
  count = lacuna_weights_blob_bytes(weights);
  memory = bytes(count + 128);
  blob = aligned(memory);
  CHECK(lacuna_weights_blob_bytes(NULL) == 0);
  CHECK_INVALID(lacuna_weights_write(NULL, blob, count), "weights is null");
  CHECK_INVALID(lacuna_weights_write(weights, NULL, count), "bytes is null");
  CHECK_INVALID(lacuna_weights_write(weights, blob, count - 1), "must have SerializedBytes");
  CHECK_OK(lacuna_weights_write(weights, blob, count));
  CHECK_INVALID(lacuna_weights_view(NULL, count, &read), "bytes is null");
  CHECK_INVALID(lacuna_weights_view(blob, count, NULL), "weights is null");
  CHECK_ERROR(lacuna_weights_view(blob, 79, &read), LACUNA_DATA_LOSS, "bytes has 79 bytes");
  CHECK_ERROR(lacuna_weights_view(blob, count - 64, &read), LACUNA_DATA_LOSS, "the blob has");
  memmove(blob + 4, blob, count);
  CHECK_INVALID(lacuna_weights_view(blob + 4, count, &read), "bytes is at an address 4 past");
  memmove(blob, blob + 4, count);
  blob[count / 2] ^= 1;
  CHECK_ERROR(lacuna_weights_view(blob, count, &read), LACUNA_DATA_LOSS, "the bytes are damaged");
  CHECK_INVALID(lacuna_weights_save(NULL, kPath), "weights is null");
  CHECK_INVALID(lacuna_weights_save(weights, NULL), "path is null");
  CHECK_ERROR(lacuna_weights_save(weights, "no/such/folder/blob"), LACUNA_NOT_FOUND, "path: cannot write no/such");
  CHECK_INVALID(lacuna_weights_load(NULL, &read), "path is null");
  CHECK_INVALID(lacuna_weights_load(kPath, NULL), "weights is null");
  CHECK_ERROR(lacuna_weights_load("no/such/folder/blob", &read), LACUNA_NOT_FOUND, "path: cannot read no/such");
  CHECK_ERROR(lacuna_weights_load(".", &read), LACUNA_DATA_LOSS, "bytes has 0 bytes");
  file = fopen(kPath, "wb");
  CHECK(file != NULL);
  if (file != NULL) {
    fwrite(blob, 1, count, file);
    fclose(file);
    CHECK_ERROR(lacuna_weights_load(kPath, &read), LACUNA_DATA_LOSS, "the bytes are damaged");
    CHECK(remove(kPath) == 0);
  }
  CHECK(read == NULL);
  free(memory);
  lacuna_weights_destroy(weights);
}

void test_blobs(void) {
  test_format_blobs();
  test_packed_blob();
  test_blob_errors();
}
