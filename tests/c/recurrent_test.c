/* Recurrent layers: against loops in double; what they refuse. */

#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { kInput = 12, kHidden = 10, kBatch = 3, kTime = 6, kMaxGates = 4, kMaxRows = kMaxGates * kHidden };

typedef struct network {
  lacuna_recurrent_options options;
  int gates, directions;
  float w[2][kMaxRows * kInput], r[2][kMaxRows * kHidden];
  float bias[2 * 2 * kMaxRows], peephole[2 * 3 * kHidden];
  lacuna_weights *input[2], *recurrent[2];
  float x[kTime * kBatch * kInput], h[2 * kBatch * kHidden], c[2 * kBatch * kHidden];
} network;

static void small(float* values, size_t count, unsigned seed) {
  size_t i;
  fill(values, count, seed);
  for (i = 0; i < count; ++i) values[i] *= 0.11f;
}

static void begin(network* n, lacuna_cell cell, lacuna_direction direction) {
  int d;
  memset(n, 0, sizeof(*n));
  n->gates = cell == LACUNA_RNN ? 1 : cell == LACUNA_GRU ? 3 : 4;
  n->directions = direction == LACUNA_BIDIRECTIONAL ? 2 : 1;
  n->options.struct_size = sizeof(n->options);
  n->options.cell = cell;
  n->options.direction = direction;
  n->options.batch = kBatch;
  n->options.steps = 4;
  n->options.bias = n->bias;
  n->options.bias_count = (size_t)(n->directions * 2 * n->gates * kHidden);
  small(n->bias, n->options.bias_count, 11);
  small(n->peephole, sizeof(n->peephole) / sizeof(float), 12);
  small(n->x, kTime * kBatch * kInput, 13);
  small(n->h, 2 * kBatch * kHidden, 14);
  small(n->c, 2 * kBatch * kHidden, 15);
  for (d = 0; d < n->directions; ++d) {
    INIT(lacuna_matrix, matrix);
    matrix.rows = n->gates * kHidden;
    matrix.columns = kInput;
    small(n->w[d], kMaxRows * kInput, 16 + (unsigned)d);
    CHECK_OK(lacuna_prune(n->w[d], &matrix, "unstructured-2x", &n->input[d]));
    CHECK_OK(lacuna_weights_to_dense(n->input[d], n->w[d], (size_t)(matrix.rows * matrix.columns)));
    matrix.columns = kHidden;
    small(n->r[d], kMaxRows * kHidden, 18 + (unsigned)d);
    CHECK_OK(lacuna_prune(n->r[d], &matrix, "bcr_col-2x", &n->recurrent[d]));
    CHECK_OK(lacuna_weights_to_dense(n->recurrent[d], n->r[d], (size_t)(matrix.rows * matrix.columns)));
  }
}

static void end(network* n) {
  int d;
  for (d = 0; d < 2; ++d) {
    lacuna_weights_destroy(n->input[d]);
    lacuna_weights_destroy(n->recurrent[d]);
  }
}

static double sigmoid(double v) { return 1.0 / (1.0 + exp(-v)); }

/* sum over k of m[row, k] v[k] */
static double dot(const float* m, int row, int columns, const double* v) {
  double sum = 0.0;
  int k;
  for (k = 0; k < columns; ++k) sum += (double)m[row * columns + k] * v[k];
  return sum;
}

/* A step of direction d of one sequence: h and c become the next ones. */
static void step(const network* n, int d, const double* x, double* h, double* c) {
  const float* wb = n->bias + (size_t)d * 2 * (size_t)(n->gates * kHidden);
  const float* rb = wb + n->gates * kHidden;
  const float* p = n->peephole + d * 3 * kHidden;
  const int with_peephole = n->options.peephole != NULL;
  double a[kMaxGates][kHidden], b[kMaxGates][kHidden], next[kHidden], scaled[kHidden];
  int g, u;
  for (g = 0; g < n->gates; ++g)
    for (u = 0; u < kHidden; ++u) {
      a[g][u] = dot(n->w[d], g * kHidden + u, kInput, x) + wb[g * kHidden + u];
      b[g][u] = dot(n->r[d], g * kHidden + u, kHidden, h) + rb[g * kHidden + u];
    }
  if (n->options.cell == LACUNA_GRU)
    for (u = 0; u < kHidden; ++u) scaled[u] = sigmoid(a[1][u] + b[1][u]) * h[u];
  for (u = 0; u < kHidden; ++u) {
    const double peep_i = with_peephole ? p[u] * c[u] : 0.0, peep_f = with_peephole ? p[2 * kHidden + u] * c[u] : 0.0;
    if (n->options.cell == LACUNA_RNN) {
      next[u] = tanh(a[0][u] + b[0][u]);
    } else if (n->options.cell == LACUNA_GRU) {
      const double z = sigmoid(a[0][u] + b[0][u]), r = sigmoid(a[1][u] + b[1][u]);
      const double candidate = n->options.linear_before_reset
                                   ? tanh(a[2][u] + r * b[2][u])
                                   : tanh(a[2][u] + dot(n->r[d], 2 * kHidden + u, kHidden, scaled) +
                                          rb[2 * kHidden + u]);
      next[u] = (1.0 - z) * candidate + z * h[u];
    } else {
      const double i = sigmoid(a[0][u] + b[0][u] + peep_i), f = sigmoid(a[2][u] + b[2][u] + peep_f);
      c[u] = f * c[u] + i * tanh(a[3][u] + b[3][u]);
      next[u] = sigmoid(a[1][u] + b[1][u] + (with_peephole ? p[kHidden + u] * c[u] : 0.0)) * tanh(c[u]);
    }
  }
  memcpy(h, next, sizeof(next));
}

/* y[time, directions, batch, hidden] and the states h and c, of sequences of those lengths. */
static void naive(const network* n, const int32_t* lengths, float* y, float* h_out, float* c_out) {
  int d, s, t, u;
  memset(y, 0, (size_t)(kTime * n->directions * kBatch * kHidden) * sizeof(float));
  for (d = 0; d < n->directions; ++d)
    for (s = 0; s < kBatch; ++s) {
      const int reverse = d == 1 || n->options.direction == LACUNA_REVERSE;
      const int length = lengths == NULL ? kTime : lengths[s];
      const int state = (d * kBatch + s) * kHidden;
      double h[kHidden], c[kHidden], x[kInput];
      for (u = 0; u < kHidden; ++u) {
        h[u] = n->h[state + u];
        c[u] = n->c[state + u];
      }
      for (t = 0; t < length; ++t) {
        const int at = reverse ? length - 1 - t : t;
        for (u = 0; u < kInput; ++u) x[u] = n->x[(at * kBatch + s) * kInput + u];
        step(n, d, x, h, c);
        for (u = 0; u < kHidden; ++u) y[((at * n->directions + d) * kBatch + s) * kHidden + u] = (float)h[u];
      }
      for (u = 0; u < kHidden; ++u) {
        h_out[state + u] = (float)h[u];
        c_out[state + u] = (float)c[u];
      }
    }
}

typedef struct views {
  float y[kTime * 2 * kBatch * kHidden], h[2 * kBatch * kHidden], c[2 * kBatch * kHidden];
  lacuna_tensor tx, ty, th, tc;
} views;

static void begin_views(const network* n, views* v) {
  const int64_t in[3] = {kTime, kBatch, kInput};
  int64_t out[4] = {kTime, 1, kBatch, kHidden};
  out[1] = n->directions;
  memset(v->y, 0, sizeof(v->y));
  memcpy(v->h, n->h, sizeof(v->h));
  memcpy(v->c, n->c, sizeof(v->c));
  CHECK_OK(lacuna_tensor_planar(n->x, 3, in, &v->tx));
  CHECK_OK(lacuna_tensor_planar(v->y, 4, out, &v->ty));
  CHECK_OK(lacuna_tensor_planar(v->h, 3, out + 1, &v->th));
  CHECK_OK(lacuna_tensor_planar(v->c, 3, out + 1, &v->tc));
}

static void check_layer(const network* n, const int32_t* lengths) {
  const size_t outputs = (size_t)(kTime * n->directions * kBatch * kHidden);
  const size_t states = (size_t)(n->directions * kBatch * kHidden);
  const int has_c = n->options.cell == LACUNA_LSTM;
  float expected[kTime * 2 * kBatch * kHidden], h[2 * kBatch * kHidden], c[2 * kBatch * kHidden];
  views v;
  lacuna_recurrent* layer = NULL;
  INIT(lacuna_run_args, args);
  char text[4000];
  naive(n, lengths, expected, h, c);
  begin_views(n, &v);
  CHECK_OK(lacuna_recurrent_create((const lacuna_weights* const*)n->input, (const lacuna_weights* const*)n->recurrent,
                                   (size_t)n->directions, &n->options, NULL, &layer));
  CHECK(lacuna_recurrent_explain(layer, text, sizeof(text)) == strlen(text) && strchr(text, '\n') != NULL);
  args.workspace_bytes = lacuna_recurrent_workspace_bytes(layer, 1);
  args.workspace = bytes(args.workspace_bytes);
  args.lengths = lengths;
  args.length_count = lengths == NULL ? 0 : kBatch;
  CHECK_OK(lacuna_recurrent_run(layer, &v.tx, &v.ty, &v.th, has_c ? &v.tc : NULL, &args));
  CHECK(difference(v.y, expected, outputs) < 1e-5);
  CHECK(difference(v.h, h, states) < 1e-5);
  if (has_c) CHECK(difference(v.c, c, states) < 1e-5);
  if (lengths == NULL) { /* the states alone */
    begin_views(n, &v);
    CHECK_OK(lacuna_recurrent_run(layer, &v.tx, NULL, &v.th, has_c ? &v.tc : NULL, &args));
    CHECK(difference(v.h, h, states) < 1e-5);
  }
  if (lengths == NULL && n->options.direction == LACUNA_FORWARD) { /* in two runs */
    begin_views(n, &v);
    v.tx.extent[0] = v.ty.extent[0] = 2;
    CHECK_OK(lacuna_recurrent_run(layer, &v.tx, &v.ty, &v.th, has_c ? &v.tc : NULL, &args));
    v.tx.extent[0] = v.ty.extent[0] = kTime - 2;
    v.tx.data += 2 * v.tx.stride[0];
    v.ty.data += 2 * v.ty.stride[0];
    CHECK_OK(lacuna_recurrent_run(layer, &v.tx, &v.ty, &v.th, has_c ? &v.tc : NULL, &args));
    CHECK(difference(v.y, expected, outputs) < 1e-5);
  }
  free(args.workspace);
  lacuna_recurrent_destroy(layer);
}

static void test_cells(void) {
  static const int32_t kLengths[kBatch] = {6, 0, 4};
  int cell, direction, variant;
  for (cell = LACUNA_RNN; cell <= LACUNA_LSTM; ++cell)
    for (direction = LACUNA_FORWARD; direction <= LACUNA_BIDIRECTIONAL; ++direction)
      for (variant = 0; variant < 2; ++variant) {
        network n;
        begin(&n, (lacuna_cell)cell, (lacuna_direction)direction);
        if (variant == 1) {
          n.options.linear_before_reset = cell == LACUNA_GRU;
          if (cell == LACUNA_LSTM) {
            n.options.peephole = n.peephole;
            n.options.peephole_count = (size_t)(n.directions * 3 * kHidden);
          }
          n.options.f = cell == LACUNA_RNN ? "Tanh" : "sigmoid";
          n.options.g = cell == LACUNA_RNN ? NULL : "Tanh";
        }
        check_layer(&n, variant == 0 ? NULL : kLengths);
        if (variant == 0) check_layer(&n, kLengths);
        end(&n);
      }
}

/* Packed input weights from memory that a plan keeps when their handle is gone. */
static void test_packed(void) {
  network n;
  lacuna_weights* packed = NULL;
  begin(&n, LACUNA_GRU, LACUNA_FORWARD);
  CHECK_OK(lacuna_pack(n.input[0], NULL, NULL, &packed));
  lacuna_weights_destroy(n.input[0]);
  n.input[0] = packed;
  check_layer(&n, NULL);
  end(&n);
}

static void test_create_errors(void) {
  network n;
  lacuna_recurrent_options o;
  lacuna_recurrent* layer = NULL;
  lacuna_weights *packed = NULL, *none[2] = {NULL, NULL}, *packed_pair[2] = {NULL, NULL};
  const lacuna_weights* const *in, *const *state;
  begin(&n, LACUNA_GRU, LACUNA_BIDIRECTIONAL);
  in = (const lacuna_weights* const*)n.input;
  state = (const lacuna_weights* const*)n.recurrent;
#define CREATE(options) lacuna_recurrent_create(in, state, 2, options, NULL, &layer)
  CHECK_INVALID(lacuna_recurrent_create(NULL, state, 2, &n.options, NULL, &layer), "input is null");
  CHECK_INVALID(lacuna_recurrent_create(in, NULL, 2, &n.options, NULL, &layer), "recurrent is null");
  CHECK_INVALID(lacuna_recurrent_create(in, state, 2, &n.options, NULL, NULL), "layer is null");
  CHECK_INVALID(lacuna_recurrent_create(in, state, 1, &n.options, NULL, &layer), "directions is 1, must be 2");
  CHECK_INVALID(lacuna_recurrent_create((const lacuna_weights* const*)none, state, 2, &n.options, NULL, &layer),
                "input weights is null");
  CHECK_INVALID(lacuna_recurrent_create(in, (const lacuna_weights* const*)none, 2, &n.options, NULL, &layer),
                "recurrent weights is null");
  CHECK_INVALID(lacuna_recurrent_create(state, in, 2, &n.options, NULL, &layer), "must");
  CHECK_OK(lacuna_pack(n.recurrent[0], NULL, NULL, &packed));
  packed_pair[0] = packed_pair[1] = packed;
  CHECK_ERROR(lacuna_recurrent_create(in, (const lacuna_weights* const*)packed_pair, 2, &n.options, NULL, &layer),
              LACUNA_UNSUPPORTED, "recurrent weights are packed");
  lacuna_weights_destroy(packed);
  CHECK_INVALID(CREATE(NULL), "options is null");
  o = n.options;
  o.struct_size = 0;
  CHECK_INVALID(CREATE(&o), "options.struct_size is 0");
  o = n.options;
  o.cell = 3;
  CHECK_INVALID(CREATE(&o), "options.cell is 3");
  o = n.options;
  o.direction = 3;
  CHECK_INVALID(CREATE(&o), "options.direction is 3");
  o = n.options;
  o.bias_count -= 1;
  CHECK_INVALID(CREATE(&o), "options.bias has 119 values, must have as many for each of 2 directions");
  o.bias_count -= 1;
  CHECK_INVALID(CREATE(&o), "options.bias has 59 values");
  o.bias = NULL;
  CHECK_INVALID(CREATE(&o), "options.bias is null, must point to 118 values");
  o = n.options;
  o.f = "Sine";
  CHECK_INVALID(CREATE(&o), "activation is \"Sine\"");
  o = n.options;
  o.h = "Tanh";
  CHECK_INVALID(CREATE(&o), "options.h is \"Tanh\", must be null: cells of kind gru have no such activation");
  o = n.options;
  o.clip = -1.0;
  CHECK_INVALID(CREATE(&o), "options.clip is -1, must be above 0");
  o = n.options;
  o.batch = -1;
  CHECK_INVALID(CREATE(&o), "batch is -1");
  o = n.options;
  o.steps = -1;
  CHECK_INVALID(CREATE(&o), "steps is -1");
  o = n.options;
  o.peephole_count = 4;
  CHECK_INVALID(CREATE(&o), "options.peephole is null, must point to 4 values");
  o.peephole = n.peephole;
  CHECK_INVALID(CREATE(&o), "options.peephole has 4 values, must have none");
#undef CREATE
  CHECK(layer == NULL);
  end(&n);
}

static void test_run_errors(void) {
  network n;
  views v;
  const int32_t lengths[kBatch] = {1, 7, 1};
  char text[4] = "abc";
  lacuna_recurrent* layer = NULL;
  lacuna_tensor bad;
  INIT(lacuna_run_args, args);
  begin(&n, LACUNA_GRU, LACUNA_REVERSE);
  begin_views(&n, &v);
  CHECK_OK(lacuna_recurrent_create((const lacuna_weights* const*)n.input, (const lacuna_weights* const*)n.recurrent, 1,
                                   &n.options, NULL, &layer));
  args.workspace_bytes = lacuna_recurrent_workspace_bytes(layer, 1);
  args.workspace = bytes(args.workspace_bytes);
  CHECK(lacuna_recurrent_workspace_bytes(NULL, 1) == 0 && lacuna_recurrent_explain(NULL, text, 4) == 0);
  CHECK_INVALID(lacuna_recurrent_run(NULL, &v.tx, &v.ty, &v.th, NULL, &args), "layer is null");
  CHECK_INVALID(lacuna_recurrent_run(layer, NULL, &v.ty, &v.th, NULL, &args), "x is null");
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &v.ty, NULL, NULL, &args), "h is null");
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &v.ty, &v.th, &v.tc, &args), "c is given, must be null");
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &v.ty, &v.th, NULL, NULL), "workspace");
  bad = v.ty;
  bad.extent[1] = 2;
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &bad, &v.th, NULL, &args), "y.extent[1] is 2, must be 1");
  bad = v.ty;
  bad.data = NULL;
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &bad, &v.th, NULL, &args), "y.data is null");
  bad = v.th;
  bad.extent[0] = 2;
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &v.ty, &bad, NULL, &args), "h.extent[0] is 2, must be 1");
  bad = v.th;
  bad.data = NULL;
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &v.ty, &bad, NULL, &args), "state.h");
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &v.ty, &v.th, &bad, &args), "c.data is null");
  bad = v.tx;
  bad.extent[2] = 5;
  CHECK_INVALID(lacuna_recurrent_run(layer, &bad, &v.ty, &v.th, NULL, &args), "x.extent[2] is 5, must be 12");
  args.residual = &v.ty;
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &v.ty, &v.th, NULL, &args), "args.residual is given");
  args.residual = NULL;
  args.lengths = lengths;
  args.length_count = 2;
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &v.ty, &v.th, NULL, &args), "lengths has 2 values");
  args.length_count = 3;
  CHECK_INVALID(lacuna_recurrent_run(layer, &v.tx, &v.ty, &v.th, NULL, &args), "lengths[1] is 7");
  free(args.workspace);
  lacuna_recurrent_destroy(layer);
  lacuna_recurrent_destroy(NULL);
  end(&n);
}

void test_recurrent(void) {
  test_cells();
  test_packed();
  test_create_errors();
  test_run_errors();
}
