/* Matrix products and products with vectors: against loops of their own; what they refuse. */

#include "check.h"

#include <stdlib.h>
#include <string.h>

enum { kM = 24, kK = 40, kN = 13 };

typedef struct product {
  lacuna_matrix matrix;
  float w[kM * kK], x[kK * kN], residual[kM * kN], bias[kM];
  float expected[kM * kN]; /* [M, N] = max(w x + bias + residual, 0) */
  lacuna_weights* weights;
  lacuna_epilogue epilogue;
} product;

static void begin(product* p, const char* scheme) {
  int m, n, k;
  memset(p, 0, sizeof(*p));
  p->matrix.struct_size = sizeof(p->matrix);
  p->matrix.rows = kM;
  p->matrix.columns = kK;
  fill(p->w, kM * kK, 1);
  fill(p->x, kK * kN, 2);
  fill(p->residual, kM * kN, 3);
  fill(p->bias, kM, 4);
  CHECK_OK(lacuna_prune(p->w, &p->matrix, scheme, &p->weights));
  CHECK_OK(lacuna_weights_to_dense(p->weights, p->w, kM * kK));
  for (m = 0; m < kM; ++m)
    for (n = 0; n < kN; ++n) {
      float sum = p->bias[m] + p->residual[m * kN + n];
      for (k = 0; k < kK; ++k) sum += p->w[m * kK + k] * p->x[k * kN + n];
      p->expected[m * kN + n] = sum > 0.0f ? sum : 0.0f;
    }
  p->epilogue.struct_size = sizeof(p->epilogue);
  p->epilogue.activation = LACUNA_RELU;
  p->epilogue.residual = 1;
  p->epilogue.bias = p->bias;
  p->epilogue.bias_count = kM;
}

/* A view of an array [rows, columns], of its first `n` columns. */
static lacuna_tensor matrix_of(const float* data, int64_t rows, int64_t columns, int64_t n) {
  const int64_t extent[2] = {rows, columns};
  lacuna_tensor tensor;
  CHECK_OK(lacuna_tensor_planar(data, 2, extent, &tensor));
  tensor.extent[1] = n;
  return tensor;
}
/* The same matrix of its transpose, an array [columns, rows]. */
static lacuna_tensor transposed(const float* data, int64_t rows, int64_t columns) {
  lacuna_tensor tensor = matrix_of(data, columns, rows, rows);
  tensor.extent[0] = rows;
  tensor.extent[1] = columns;
  tensor.stride[0] = 1;
  tensor.stride[1] = rows;
  return tensor;
}
static void transpose(const float* from, int rows, int columns, float* to) {
  int r, c;
  for (r = 0; r < rows; ++r)
    for (c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
}

/* Whether the first n columns of y are those expected. */
static int equal(const product* p, const float* y, int n) {
  int r;
  for (r = 0; r < kM; ++r)
    if (memcmp(y + r * kN, p->expected + r * kN, (size_t)n * sizeof(float)) != 0) return 0;
  return 1;
}

static void check_gemm(const product* p, const lacuna_gemm* gemm, int n) {
  float y[kM * kN] = {0}, xt[kK * kN], yt[kM * kN] = {0}, back[kM * kN];
  lacuna_tensor x = matrix_of(p->x, kK, kN, n), to = matrix_of(y, kM, kN, n);
  const lacuna_tensor residual = matrix_of(p->residual, kM, kN, n);
  INIT(lacuna_run_args, args);
  args.workspace_bytes = lacuna_gemm_workspace_bytes(gemm, 1);
  args.workspace = bytes(args.workspace_bytes);
  args.residual = &residual;
  CHECK_OK(lacuna_gemm_run(gemm, &x, &to, &args));
  CHECK(equal(p, y, n));
  if (n == kN) { /* a row a token */
    transpose(p->x, kK, kN, xt);
    x = transposed(xt, kK, kN);
    to = transposed(yt, kM, kN);
    CHECK_OK(lacuna_gemm_run(gemm, &x, &to, &args));
    transpose(yt, kN, kM, back);
    CHECK(equal(p, back, kN));
  }
  free(args.workspace);
}

static void test_gemm(const char* scheme) {
  product p;
  lacuna_weights* packed = NULL;
  lacuna_gemm *gemm = NULL, *wider = NULL, *of_packed = NULL;
  char text[1000];
  begin(&p, scheme);
  CHECK_OK(lacuna_gemm_create(p.weights, 7, &p.epilogue, NULL, &gemm));
  check_gemm(&p, gemm, 7);
  check_gemm(&p, gemm, 1);
  CHECK_OK(lacuna_gemm_reshape(gemm, kN, &wider));
  CHECK(lacuna_gemm_explain(gemm, text, sizeof(text)) == strlen(text) && strstr(text, "panel") != NULL);
  lacuna_gemm_destroy(gemm);
  check_gemm(&p, wider, kN);
  lacuna_gemm_destroy(wider);
  CHECK_OK(lacuna_pack(p.weights, NULL, NULL, &packed));
  lacuna_weights_destroy(p.weights);
  CHECK_OK(lacuna_gemm_create(packed, kN, &p.epilogue, NULL, &of_packed));
  lacuna_weights_destroy(packed);
  check_gemm(&p, of_packed, kN);
  lacuna_gemm_destroy(of_packed);
}

static void test_gemv(const char* scheme) {
  product p;
  lacuna_gemv* gemv = NULL;
  char text[1000];
  int n;
  begin(&p, scheme);
  CHECK_OK(lacuna_gemv_create(p.weights, &p.epilogue, &gemv));
  lacuna_weights_destroy(p.weights);
  CHECK(lacuna_gemv_explain(gemv, text, sizeof(text)) == strlen(text) && strlen(text) > 0);
  for (n = 1; n <= 5; n += 4) {
    float y[kM * kN] = {0};
    const lacuna_tensor x = matrix_of(p.x, kK, kN, n), to = matrix_of(y, kM, kN, n);
    const lacuna_tensor residual = matrix_of(p.residual, kM, kN, n);
    INIT(lacuna_run_args, args);
    args.workspace_bytes = lacuna_gemv_workspace_bytes(gemv, 1, n);
    args.workspace = bytes(args.workspace_bytes);
    args.residual = &residual;
    CHECK_OK(lacuna_gemv_run(gemv, &x, &to, &args));
    CHECK(equal(&p, y, n));
    free(args.workspace);
  }
  lacuna_gemv_destroy(gemv);
}

static void test_errors(void) {
  product p;
  float y[kM * kN] = {0};
  char text[4] = "abc";
  lacuna_tensor x, to, bad;
  lacuna_gemm *gemm = NULL, *none = NULL;
  lacuna_gemv *gemv = NULL, *no_gemv = NULL;
  lacuna_weights* packed = NULL;
  INIT(lacuna_run_args, args);
  INIT(lacuna_epilogue, epilogue);
  begin(&p, "bcr_col-4x");
  CHECK_INVALID(lacuna_gemm_create(NULL, 4, NULL, NULL, &none), "weights is null");
  CHECK_INVALID(lacuna_gemm_create(p.weights, 4, NULL, NULL, NULL), "gemm is null");
  CHECK_INVALID(lacuna_gemm_create(p.weights, 0, NULL, NULL, &none), "shape.n is 0, must be in [1, ");
  epilogue.bias = p.bias;
  epilogue.bias_count = 3;
  CHECK_INVALID(lacuna_gemm_create(p.weights, 4, &epilogue, NULL, &none), "epilogue.bias has 3 values");
  CHECK_INVALID(lacuna_gemv_create(p.weights, &epilogue, &no_gemv), "epilogue.bias has 3 values");
  CHECK_INVALID(lacuna_gemv_create(NULL, NULL, &no_gemv), "weights is null");
  CHECK_INVALID(lacuna_gemv_create(p.weights, NULL, NULL), "gemv is null");
  CHECK_OK(lacuna_pack(p.weights, NULL, NULL, &packed));
  CHECK_ERROR(lacuna_gemv_create(packed, NULL, &no_gemv), LACUNA_UNSUPPORTED, "must be of a format for a GEMV");
  lacuna_weights_destroy(packed);

  CHECK_OK(lacuna_gemm_create(p.weights, 4, NULL, NULL, &gemm));
  CHECK_OK(lacuna_gemv_create(p.weights, NULL, &gemv));
  CHECK_INVALID(lacuna_gemm_reshape(NULL, 4, &none), "gemm is null");
  CHECK_INVALID(lacuna_gemm_reshape(gemm, 4, NULL), "reshaped is null");
  CHECK_INVALID(lacuna_gemm_reshape(gemm, -1, &none), "shape.n is -1");
  CHECK(lacuna_gemm_workspace_bytes(NULL, 1) == 0 && lacuna_gemv_workspace_bytes(NULL, 1, 1) == 0);
  CHECK(lacuna_gemv_workspace_bytes(gemv, 1, 0) == 0 && lacuna_gemv_workspace_bytes(gemv, 1, INT64_MAX) == 0);
  CHECK(lacuna_gemm_explain(NULL, text, 4) == 0 && lacuna_gemv_explain(NULL, text, 4) == 0);
  x = matrix_of(p.x, kK, kN, 4);
  to = matrix_of(y, kM, kN, 4);
  args.workspace_bytes = lacuna_gemm_workspace_bytes(gemm, 1) + lacuna_gemv_workspace_bytes(gemv, 1, 5);
  args.workspace = bytes(args.workspace_bytes);
  CHECK_INVALID(lacuna_gemm_run(NULL, &x, &to, &args), "gemm is null");
  CHECK_INVALID(lacuna_gemm_run(gemm, NULL, &to, &args), "x is null");
  CHECK_INVALID(lacuna_gemm_run(gemm, &x, NULL, &args), "y is null");
  CHECK_INVALID(lacuna_gemv_run(NULL, &x, &to, &args), "gemv is null");
  CHECK_INVALID(lacuna_gemm_run(gemm, &x, &to, NULL), "workspace");
  bad = x;
  bad.extent[1] = 5;
  CHECK_INVALID(lacuna_gemm_run(gemm, &bad, &to, &args), "x.columns is 5, must be in [1, 4]");
  bad = to;
  bad.extent[0] = 2;
  CHECK_INVALID(lacuna_gemm_run(gemm, &x, &bad, &args), "y is 2 x 4, must be 24 x 4");
  CHECK_INVALID(lacuna_gemv_run(gemv, &x, &bad, &args), "y is 2 x 4, must be 24 x 4");
  bad = x;
  bad.stride[0] = 3;
  bad.stride[1] = 2;
  CHECK_INVALID(lacuna_gemm_run(gemm, &bad, &to, &args), "x has strides 3 and 2");
  bad.stride[1] = 0;
  CHECK_INVALID(lacuna_gemv_run(gemv, &bad, &to, &args), "x has strides 3 and 0");
  bad = x;
  bad.rank = 1;
  CHECK_INVALID(lacuna_gemm_run(gemm, &bad, &to, &args), "x.rank is 1, must be 2");
  CHECK(none == NULL && no_gemv == NULL);
  free(args.workspace);
  lacuna_gemm_destroy(gemm);
  lacuna_gemm_destroy(NULL);
  lacuna_gemv_destroy(gemv);
  lacuna_gemv_destroy(NULL);
  lacuna_weights_destroy(p.weights);
}

void test_products(void) {
  static const char* const kSchemes[] = {"dense", "unstructured-4x", "bcr-4x", "bcr_col-4x", "block_8x1-2x"};
  size_t i;
  for (i = 0; i < sizeof(kSchemes) / sizeof(kSchemes[0]); ++i) {
    test_gemm(kSchemes[i]);
    test_gemv(kSchemes[i]);
  }
  test_errors();
}
