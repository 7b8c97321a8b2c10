/* The C interface of lacuna: sparse neural-network inference kernels for CPUs.
 *
 * Part of the library that the CMake target lacuna::compiled and the pkg-config package lacuna-c name; C99 or C++. A
 * layer goes through four calls:
 *
 *   lacuna_weights* weights;
 *   lacuna_prune(dense, &(lacuna_matrix){.struct_size = sizeof(lacuna_matrix), .rows = 64, .columns = 576, .taps = 9},
 *                "bcr_col-8x", &weights);
 *   lacuna_conv_create(weights, &shape, &epilogue, NULL, &conv);
 *   lacuna_tensor_planar(&x, input, 4, (const int64_t[]){1, 64, 56, 56}); ...
 *   lacuna_conv_run(conv, &x, &y, &(lacuna_run_args){.struct_size = sizeof(lacuna_run_args), .workspace = ...});
 *
 * Structs. The first field of each is struct_size, which must be sizeof the struct; every other field may be left zero,
 * and then means what is said beside it: initialise with {.struct_size = sizeof(...)}, or memset and set it. Fields are
 * only ever added, at the end. A library that is newer than its caller takes what the caller's struct does not have for
 * zero; one that is older refuses fields that it does not know, unless they are zero (LACUNA_UNSUPPORTED).
 *
 * Errors. What can fail returns a lacuna_status. If that is not LACUNA_OK, nothing was made or written through the last
 * argument, and lacuna_last_error() says which argument was wrong, its value and the limit. Nothing throws, nothing
 * aborts on bad arguments. A null pointer where an object is expected is an error too; destroy functions ignore it.
 *
 * Objects are immutable, and made and destroyed by the functions here. Any of them may be used by several threads at
 * the same time; its destruction must come after its last use. Weights may be destroyed when a plan has been made of
 * them, plans share what they need. Only what lacuna_weights_view makes refers to memory of the caller.
 *
 * Memory and threads. Runs allocate nothing and start no threads: the caller brings a workspace and, if it likes, an
 * executor. Results are bit-identical for any number of threads.
 *
 * Values are 32-bit floats. Strides and extents count elements, never bytes.
 *
 * The library is built for several SIMD targets; plans are bound to the best one of the machine.
 */
#ifndef LACUNA_C_LACUNA_H_
#define LACUNA_C_LACUNA_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LACUNA_C_API __attribute__((visibility("default")))
#else
#define LACUNA_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Of this interface. It changes if and only if a program that was compiled against an older header must be compiled
 * anew; whatever the version of the library says. */
#define LACUNA_C_ABI 1
#define LACUNA_MAX_RANK 5

/* begin declarations */

/* ---- Errors and versions ---- */

typedef enum lacuna_status {
  LACUNA_OK = 0,
  LACUNA_INVALID_ARGUMENT = 1, /* an argument breaks a documented limit */
  LACUNA_UNSUPPORTED = 2,      /* a valid request that this build or SIMD target cannot serve */
  LACUNA_OUT_OF_MEMORY = 3,    /* an allocation failed */
  LACUNA_DATA_LOSS = 4,        /* a file or blob is damaged or truncated */
  LACUNA_NOT_FOUND = 5         /* a file or name does not exist */
} lacuna_status;

/* "ok", "invalid argument", ...; "unknown" for other numbers. */
LACUNA_C_API const char* lacuna_status_name(lacuna_status status);
/* Why the last call of this thread that failed did so: one line, valid until the next one fails. "" if none has. */
LACUNA_C_API const char* lacuna_last_error(void);
/* LACUNA_C_ABI of the library that is loaded, to be compared with that of the header. */
LACUNA_C_API int32_t lacuna_c_abi(void);
/* Of the library, "major.minor.patch". */
LACUNA_C_API const char* lacuna_version(void);
/* The SIMD target that plans made now are bound to: "AVX3", "NEON", ... */
LACUNA_C_API const char* lacuna_target(void);

/* ---- Views ---- */

/* A tensor or matrix in memory of the caller. Element (i0, i1, ...) is data[i0 * stride[0] + i1 * stride[1] + ...].
 * Axes are in the order that a function says, whatever the layout in memory is: NCHW and NHWC differ in strides alone.
 * lacuna reads inputs and never writes to them. */
typedef struct lacuna_tensor {
  size_t struct_size;
  float* data;
  int64_t rank; /* the number of axes; later entries of the arrays are ignored */
  int64_t extent[5];
  int64_t stride[5];
} lacuna_tensor;

/* Makes a view of `rank` axes, the last one innermost in memory: NCHW, a row-major matrix. */
LACUNA_C_API lacuna_status lacuna_tensor_planar(const float* data, int32_t rank, const int64_t* extent,
                                                lacuna_tensor* tensor);
/* The same with axis 1, the channels, innermost: NHWC, NDHWC. `extent` still is (batch, channels, spatial axes...). */
LACUNA_C_API lacuna_status lacuna_tensor_channels_last(const float* data, int32_t rank, const int64_t* extent,
                                                       lacuna_tensor* tensor);

/* ---- Threads ---- */

/* How runs borrow the caller's threads. */
typedef struct lacuna_executor {
  size_t struct_size;
  void* context;      /* handed to parallel_for */
  size_t concurrency; /* how many slots may run at the same time, at least 1 */
  /* Calls task(data, i) exactly once for every i < slots, slots <= concurrency, on any threads in any order, also one
   * after the other, and returns when all calls have. task never calls back into the executor. */
  void (*parallel_for)(void* context, size_t slots, void (*task)(void* data, size_t slot), void* data);
} lacuna_executor;

/* What a run is given besides its tensors. */
typedef struct lacuna_run_args {
  size_t struct_size;
  void* workspace; /* of any alignment; nobody else touches it meanwhile */
  size_t workspace_bytes;
  const lacuna_executor* executor; /* null: the calling thread */
  const lacuna_tensor* residual;   /* if lacuna_epilogue has one; extents of y; may be y */
  const int32_t* lengths;          /* recurrent layers: steps of each sequence, null: all */
  size_t length_count;
} lacuna_run_args;

/* ---- Weights ---- */

/* Weights in a format (dense, CSR, BCR, block, pattern), or packed for the kernels of a SIMD target. */
typedef struct lacuna_weights lacuna_weights;

/* A matrix of weights: out_channels x (in_channels / groups * kernel cells) of a convolution, input channel outermost,
 * which is the memory of OC x IC x KH x KW. */
typedef struct lacuna_matrix {
  size_t struct_size;
  int64_t rows;
  int64_t columns;
  int64_t groups; /* 0 stands for 1 */
  int64_t taps;   /* cells of a kernel, a divisor of columns; 0 stands for 1: a matrix product */
} lacuna_matrix;

/* Prunes `dense`, row-major, to the nearest member of a scheme: "dense", "unstructured-8x", "pattern-8x", "bcr-8x",
 * "bcr_col-8x", "bcr_kernel-4x", "punched-4x", "block_8x1-4x", "connectivity-2x", "filter-2x"; 8x keeps one weight of
 * eight. */
LACUNA_C_API lacuna_status lacuna_prune(const float* dense, const lacuna_matrix* matrix, const char* scheme,
                                        lacuna_weights** weights);
/* The smallest cover of `dense`, which was pruned by the scheme before: what is zero is not stored, as far as the
 * format of the scheme can leave it out. The rate may be any. */
LACUNA_C_API lacuna_status lacuna_cover(const float* dense, const lacuna_matrix* matrix, const char* scheme,
                                        lacuna_weights** weights);
LACUNA_C_API void lacuna_weights_destroy(lacuna_weights* weights);

/* Which weights a scheme removes together, for saliencies and regularisers of one's own. The matrix is cut into blocks
 * of block_rows x block_columns, clipped at its edges and at those of groups; the weight at (row, column) of a block
 * belongs to its unit column / run % cycle, which goes as a whole. */
typedef struct lacuna_units {
  size_t struct_size;
  int64_t block_rows, block_columns;
  int64_t run, cycle;
  int64_t cells;       /* of pattern schemes the cells that a pattern leaves in a kernel, before kernels go; else 0 */
  int32_t rows;        /* nonzero: rows of a block go, too */
  int32_t every_block; /* nonzero: every block keeps as many units as the others; else units of all blocks compete */
} lacuna_units;
/* Not of "dense", nor of schemes with groups of channels (LACUNA_UNSUPPORTED). */
LACUNA_C_API lacuna_status lacuna_scheme_units(const lacuna_matrix* matrix, const char* scheme, lacuna_units* units);

/* Written by lacuna_weights_describe. */
typedef struct lacuna_weights_info {
  size_t struct_size;
  const char* format; /* "dense", "csr", "bcr", "block", "pattern" or "packed"; never freed */
  const char* target; /* of packed weights the SIMD target, else "" */
  int64_t rows, columns, groups;
  int64_t nnz;  /* stored weights; zeros that packing adds do not count */
  size_t bytes; /* of storage */
} lacuna_weights_info;
LACUNA_C_API lacuna_status lacuna_weights_describe(const lacuna_weights* weights, lacuna_weights_info* info);
/* Writes all weights, row-major with their zeros, to dense[rows * columns]. Not of packed weights. */
LACUNA_C_API lacuna_status lacuna_weights_to_dense(const lacuna_weights* weights, float* dense, size_t count);

/* Blobs: weights as a block of bytes, little-endian and with a checksum; packed ones for one SIMD target.
 * lacuna_weights_view uses them where they are, in a mapped file, say: `bytes` begins at a multiple of 64 and must
 * outlive, unchanged, the weights and all plans made of them. Whatever the bytes are, what comes out is safe. */
LACUNA_C_API size_t lacuna_weights_blob_bytes(const lacuna_weights* weights); /* a multiple of 64; 0 of null */
LACUNA_C_API lacuna_status lacuna_weights_write(const lacuna_weights* weights, void* bytes, size_t count);
LACUNA_C_API lacuna_status lacuna_weights_view(const void* bytes, size_t count, lacuna_weights** weights);
/* The same with a file, whose bytes are copied to memory. */
LACUNA_C_API lacuna_status lacuna_weights_save(const lacuna_weights* weights, const char* path);
LACUNA_C_API lacuna_status lacuna_weights_load(const char* path, lacuna_weights** weights);

/* ---- Plans ---- */

typedef enum lacuna_activation {
  LACUNA_NONE = 0,
  LACUNA_RELU = 1,       /* max(v, 0) */
  LACUNA_CLAMP = 2,      /* min(max(v, low), high); relu6 is low = 0, high = 6 */
  LACUNA_LEAKY_RELU = 3, /* v < 0 ? slope * v : v */
  LACUNA_SIGMOID = 4,    /* 1 / (1 + exp(-v)) */
  LACUNA_TANH = 5,
  LACUNA_SILU = 6,      /* v * sigmoid(v) */
  LACUNA_HARD_SWISH = 7 /* v * min(max(v + 3, 0), 6) / 6 */
} lacuna_activation;

/* y = activation(W x + bias + residual). */
typedef struct lacuna_epilogue {
  size_t struct_size;
  int32_t activation; /* lacuna_activation */
  int32_t residual;   /* nonzero: lacuna_run_args.residual is added */
  float low, high;    /* of LACUNA_CLAMP, low <= high */
  float slope;        /* of LACUNA_LEAKY_RELU */
  const float* bias;  /* one value per row of the weights, or null; copied */
  size_t bias_count;  /* rows, or 0 */
} lacuna_epilogue;

/* How a plan chooses its kernels. */
typedef struct lacuna_plan_options {
  size_t struct_size;
  int32_t winograd;      /* nonzero: convolutions may take a Winograd form */
  int32_t measure;       /* nonzero: candidates are timed on the layer (a second), not predicted */
  double winograd_error; /* the largest error of Winograd forms; 0 stands for 1e-4 of the outputs' root mean square */
} lacuna_plan_options;

/* ---- Convolutions ---- */

/* y[n, oc, o] = sum over ic, k of w[oc, ic, k] * x[n, ic, o * stride + k * dilation - pad_begin], per group. Axes from
 * the outermost: (H, W) of rank 2, (D, H, W) of rank 3; entries beyond the rank are ignored. */
typedef struct lacuna_conv_shape {
  size_t struct_size;
  int64_t rank;  /* 1 to 3 */
  int64_t batch; /* 0 stands for 1, here and below */
  int64_t in_channels, out_channels;
  int64_t groups; /* 0: 1 */
  int64_t input[3];
  int64_t kernel[3];
  int64_t stride[3];   /* 0: 1 */
  int64_t dilation[3]; /* 0: 1 */
  int64_t pad_begin[3];
  int64_t pad_end[3];
} lacuna_conv_shape;

typedef struct lacuna_conv lacuna_conv;

/* Packs weights of a format apart from any plan, to be shared or saved: for layers of that kernel, stride and dilation,
 * or, if `shape` is null, for any layer and matrix product. `options` may be null. LACUNA_UNSUPPORTED if the layer
 * takes a Winograd form, whose weights cannot be kept. */
LACUNA_C_API lacuna_status lacuna_pack(const lacuna_weights* weights, const lacuna_conv_shape* shape,
                                       const lacuna_plan_options* options, lacuna_weights** packed);

/* Makes a plan. `epilogue` and `options` may be null. Packed weights are shared with the plan, not copied. */
LACUNA_C_API lacuna_status lacuna_conv_create(const lacuna_weights* weights, const lacuna_conv_shape* shape,
                                              const lacuna_epilogue* epilogue, const lacuna_plan_options* options,
                                              lacuna_conv** conv);
/* The same layer for inputs of other extents: input[rank]. Packed weights are shared with `conv`, so this is quick; in a
 * Winograd form they are packed anew, from the weights that `conv` was made of, which it then keeps. */
LACUNA_C_API lacuna_status lacuna_conv_reshape(const lacuna_conv* conv, int64_t batch, const int64_t* input,
                                               lacuna_conv** reshaped);
LACUNA_C_API void lacuna_conv_destroy(lacuna_conv* conv);
/* The extents of y, extent[rank + 2]: batch, out_channels, spatial axes. */
LACUNA_C_API lacuna_status lacuna_conv_output(const lacuna_conv* conv, int64_t* extent);
/* Bytes of workspace for that concurrency; 0 of null. */
LACUNA_C_API size_t lacuna_conv_workspace_bytes(const lacuna_conv* conv, size_t threads);
/* x and y have the axes (batch, channels, spatial axes...) and positive strides; they must not overlap. `args` may be
 * null where neither workspace nor residual is needed. */
LACUNA_C_API lacuna_status lacuna_conv_run(const lacuna_conv* conv, const lacuna_tensor* x, const lacuna_tensor* y,
                                           const lacuna_run_args* args);
/* What was chosen and why, as one line: writes at most `bytes` with the terminating zero, and returns the length of the
 * whole text without it, as snprintf does; 0 of null. `text` may be null if `bytes` is 0. */
LACUNA_C_API size_t lacuna_conv_explain(const lacuna_conv* conv, char* text, size_t bytes);

/* ---- Matrix products ---- */

/* Y[M, N] = activation(W[M, K] X[K, N] + bias[M] + residual[M, N]) */
typedef struct lacuna_gemm lacuna_gemm;

/* `n`: the most columns of x that a run may bring. Otherwise as lacuna_conv_create. */
LACUNA_C_API lacuna_status lacuna_gemm_create(const lacuna_weights* weights, int64_t n, const lacuna_epilogue* epilogue,
                                              const lacuna_plan_options* options, lacuna_gemm** gemm);
/* The same for another number of columns, sharing the packed weights. */
LACUNA_C_API lacuna_status lacuna_gemm_reshape(const lacuna_gemm* gemm, int64_t n, lacuna_gemm** reshaped);
LACUNA_C_API void lacuna_gemm_destroy(lacuna_gemm* gemm);
LACUNA_C_API size_t lacuna_gemm_workspace_bytes(const lacuna_gemm* gemm, size_t threads);
/* x is K x N, y is M x N, of any strides of which one is 1: activations [K, N] are strides (ld, 1), [N, K], a row a
 * token, are (1, ld). N may differ from run to run. x and y must not overlap. */
LACUNA_C_API lacuna_status lacuna_gemm_run(const lacuna_gemm* gemm, const lacuna_tensor* x, const lacuna_tensor* y,
                                           const lacuna_run_args* args);
LACUNA_C_API size_t lacuna_gemm_explain(const lacuna_gemm* gemm, char* text, size_t bytes);

/* The same product for N = 1, or a few: bound by the bytes of the weights. */
typedef struct lacuna_gemv lacuna_gemv;

/* Weights of a format; packed ones are LACUNA_UNSUPPORTED, they are for convolutions and GEMM. */
LACUNA_C_API lacuna_status lacuna_gemv_create(const lacuna_weights* weights, const lacuna_epilogue* epilogue,
                                              lacuna_gemv** gemv);
LACUNA_C_API void lacuna_gemv_destroy(lacuna_gemv* gemv);
/* Of a run with n columns of x; 0 of null, or if n is out of range. */
LACUNA_C_API size_t lacuna_gemv_workspace_bytes(const lacuna_gemv* gemv, size_t threads, int64_t n);
/* x is K x N, y is M x N, of any positive strides; a vector has N = 1. */
LACUNA_C_API lacuna_status lacuna_gemv_run(const lacuna_gemv* gemv, const lacuna_tensor* x, const lacuna_tensor* y,
                                           const lacuna_run_args* args);
LACUNA_C_API size_t lacuna_gemv_explain(const lacuna_gemv* gemv, char* text, size_t bytes);

/* ---- Recurrent layers ---- */

/* With the semantics and the order of gates of ONNX's RNN, GRU (z, r, h) and LSTM (i, o, f, c). */
typedef enum lacuna_cell { LACUNA_RNN = 0, LACUNA_GRU = 1, LACUNA_LSTM = 2 } lacuna_cell;
typedef enum lacuna_direction { LACUNA_FORWARD = 0, LACUNA_REVERSE = 1, LACUNA_BIDIRECTIONAL = 2 } lacuna_direction;

typedef struct lacuna_recurrent_options {
  size_t struct_size;
  int32_t cell;                /* lacuna_cell */
  int32_t direction;           /* lacuna_direction; bidirectional has two of everything, forward first */
  int32_t linear_before_reset; /* of a GRU: the reset gate scales the product, as in PyTorch, not the state */
  int32_t input_forget;        /* of an LSTM: the forget gate is 1 - the input gate */
  const char *f, *g, *h;       /* ONNX's names of activations; null: Sigmoid, Tanh, Tanh, of an RNN f: Tanh */
  double clip;                 /* arguments of activations are clipped to [-clip, clip]; 0: not */
  const float* bias;           /* [directions][2][gates * hidden], of W and of R, or null; copied */
  size_t bias_count;
  const float* peephole; /* of an LSTM: [directions][3][hidden], i, o, f, or null; copied */
  size_t peephole_count;
  int64_t batch; /* the most sequences of a run; 0: 1 */
  int64_t steps; /* whose input products are computed at once; a run may bring more; 0: 32 */
} lacuna_recurrent_options;

typedef struct lacuna_recurrent lacuna_recurrent;

/* input[d] is W [gates * hidden, input], of a format or packed without a shape, recurrent[d] is R [gates * hidden,
 * hidden], of a format, of each of `directions` (1, or 2 if bidirectional). */
LACUNA_C_API lacuna_status lacuna_recurrent_create(const lacuna_weights* const* input,
                                                   const lacuna_weights* const* recurrent, size_t directions,
                                                   const lacuna_recurrent_options* options,
                                                   const lacuna_plan_options* plan_options,
                                                   lacuna_recurrent** layer);
LACUNA_C_API void lacuna_recurrent_destroy(lacuna_recurrent* layer);
LACUNA_C_API size_t lacuna_recurrent_workspace_bytes(const lacuna_recurrent* layer, size_t threads);
/* x is (time, batch, input), y is (time, directions, batch, hidden) or null, h and c (of an LSTM, else null) are
 * (directions, batch, hidden); the last stride is 1. h and c are the states before the first step and become those
 * after the last one. A sequence may be cut into several runs. */
LACUNA_C_API lacuna_status lacuna_recurrent_run(const lacuna_recurrent* layer, const lacuna_tensor* x,
                                                const lacuna_tensor* y, const lacuna_tensor* h, const lacuna_tensor* c,
                                                const lacuna_run_args* args);
/* A line for every product. */
LACUNA_C_API size_t lacuna_recurrent_explain(const lacuna_recurrent* layer, char* text, size_t bytes);

/* end declarations */

#ifdef __cplusplus
}
#endif

#endif /* LACUNA_C_LACUNA_H_ */
