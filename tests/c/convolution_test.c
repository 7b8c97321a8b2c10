/* Convolutions: against loops of their own, in any layout and form; what plans and runs refuse. */

#include "check.h"

#include <stdlib.h>
#include <string.h>

typedef struct layer {
  lacuna_conv_shape shape;
  int64_t in[5], out[5]; /* extents of x and y, those that the rank does not have 1 */
  size_t in_count, out_count, weight_count;
  lacuna_matrix matrix;
} layer;

static int64_t output_of(const lacuna_conv_shape* s, int axis) {
  const int64_t stride = s->stride[axis] == 0 ? 1 : s->stride[axis];
  const int64_t dilation = s->dilation[axis] == 0 ? 1 : s->dilation[axis];
  const int64_t reach = (s->kernel[axis] - 1) * dilation + 1;
  return (s->input[axis] + s->pad_begin[axis] + s->pad_end[axis] - reach) / stride + 1;
}

static layer layer_of(const lacuna_conv_shape* shape) {
  layer l;
  int axis;
  const int64_t groups = shape->groups == 0 ? 1 : shape->groups;
  memset(&l, 0, sizeof(l));
  l.shape = *shape;
  l.in[0] = l.out[0] = shape->batch == 0 ? 1 : shape->batch;
  l.in[1] = shape->in_channels;
  l.out[1] = shape->out_channels;
  l.matrix.struct_size = sizeof(l.matrix);
  l.matrix.taps = 1;
  l.matrix.groups = shape->groups;
  for (axis = 0; axis < 3; ++axis) {
    const int has = axis < shape->rank;
    l.in[2 + axis] = has ? shape->input[axis] : 1;
    l.out[2 + axis] = has ? output_of(shape, axis) : 1;
    if (has) l.matrix.taps *= shape->kernel[axis];
  }
  l.matrix.rows = shape->out_channels;
  l.matrix.columns = shape->in_channels / groups * l.matrix.taps;
  l.in_count = l.out_count = 1;
  for (axis = 0; axis < 5; ++axis) {
    l.in_count *= (size_t)l.in[axis];
    l.out_count *= (size_t)l.out[axis];
  }
  l.weight_count = (size_t)(l.matrix.rows * l.matrix.columns);
  return l;
}

/* Element i of the axes (batch, channels, spatial...), in order, of a tensor. */
static int64_t place_of(const lacuna_tensor* t, size_t i) {
  int64_t place = 0;
  int64_t axis;
  for (axis = t->rank - 1; axis >= 0; --axis) {
    place += (int64_t)(i % (size_t)t->extent[axis]) * t->stride[axis];
    i /= (size_t)t->extent[axis];
  }
  return place;
}

/* y = max(w x + bias + residual, 0), all planar; bias and residual may be null. */
static void naive(const layer* l, const float* w, const float* x, const float* bias, const float* residual, float* y) {
  const lacuna_conv_shape* s = &l->shape;
  const int64_t groups = s->groups == 0 ? 1 : s->groups;
  const int64_t channels = s->in_channels / groups;
  int64_t kernel[3] = {1, 1, 1}, o[3], k[3], i[3];
  int64_t n, oc, c, at = 0;
  int axis;
  for (axis = 0; axis < s->rank; ++axis) kernel[axis] = s->kernel[axis];
  for (n = 0; n < l->out[0]; ++n)
    for (oc = 0; oc < l->out[1]; ++oc)
      for (o[0] = 0; o[0] < l->out[2]; ++o[0])
        for (o[1] = 0; o[1] < l->out[3]; ++o[1])
          for (o[2] = 0; o[2] < l->out[4]; ++o[2], ++at) {
            double sum = bias == NULL ? 0.0 : bias[oc];
            const float* weight = w + oc * l->matrix.columns;
            for (c = 0; c < channels; ++c)
              for (k[0] = 0; k[0] < kernel[0]; ++k[0])
                for (k[1] = 0; k[1] < kernel[1]; ++k[1])
                  for (k[2] = 0; k[2] < kernel[2]; ++k[2], ++weight) {
                    int inside = 1;
                    for (axis = 0; axis < 3; ++axis) {
                      const int has = axis < s->rank;
                      const int64_t stride = !has || s->stride[axis] == 0 ? 1 : s->stride[axis];
                      const int64_t dilation = !has || s->dilation[axis] == 0 ? 1 : s->dilation[axis];
                      i[axis] = o[axis] * stride + k[axis] * dilation - (has ? s->pad_begin[axis] : 0);
                      inside = inside && i[axis] >= 0 && i[axis] < l->in[2 + axis];
                    }
                    if (inside) {
                      const int64_t channel = oc / (s->out_channels / groups) * channels + c;
                      const int64_t plane = (n * s->in_channels + channel) * l->in[2];
                      sum += *weight * x[((plane + i[0]) * l->in[3] + i[1]) * l->in[4] + i[2]];
                    }
                  }
            if (residual != NULL) sum += residual[at];
            y[at] = sum > 0.0 ? (float)sum : 0.0f;
          }
}

/* Runs `conv` on the planar values x in that layout, and gives the planar values y. */
static void run(const layer* l, const lacuna_conv* conv, int channels_last, const float* x, const float* residual,
                float* y) {
  const int32_t rank = (int32_t)l->shape.rank + 2;
  float *in = floats(l->in_count), *out = floats(l->out_count), *add = floats(l->out_count);
  lacuna_tensor tx, ty, tr;
  INIT(lacuna_run_args, args);
  size_t i;
  if (channels_last) {
    CHECK_OK(lacuna_tensor_channels_last(in, rank, l->in, &tx));
    CHECK_OK(lacuna_tensor_channels_last(out, rank, l->out, &ty));
    CHECK_OK(lacuna_tensor_channels_last(add, rank, l->out, &tr));
  } else {
    CHECK_OK(lacuna_tensor_planar(in, rank, l->in, &tx));
    CHECK_OK(lacuna_tensor_planar(out, rank, l->out, &ty));
    CHECK_OK(lacuna_tensor_planar(add, rank, l->out, &tr));
  }
  for (i = 0; i < l->in_count; ++i) in[place_of(&tx, i)] = x[i];
  for (i = 0; residual != NULL && i < l->out_count; ++i) add[place_of(&tr, i)] = residual[i];
  args.workspace_bytes = lacuna_conv_workspace_bytes(conv, 1);
  args.workspace = bytes(args.workspace_bytes);
  if (residual != NULL) args.residual = &tr;
  CHECK_OK(lacuna_conv_run(conv, &tx, &ty, &args));
  for (i = 0; i < l->out_count; ++i) y[i] = out[place_of(&ty, i)];
  free(args.workspace);
  free(in);
  free(out);
  free(add);
}

/* The layer pruned by `scheme`: planned from the format and from packed weights, in both layouts. */
static void check_layer(const lacuna_conv_shape* shape, const char* scheme) {
  const layer l = layer_of(shape);
  float *w = floats(l.weight_count), *x = floats(l.in_count), *residual = floats(l.out_count);
  float *expected = floats(l.out_count), *y = floats(l.out_count), *bias = floats((size_t)l.out[1]);
  lacuna_weights *weights = NULL, *packed = NULL;
  INIT(lacuna_epilogue, epilogue);
  int64_t extent[5] = {0, 0, 1, 1, 1};
  int form, layout;
  fill(w, l.weight_count, 1);
  fill(x, l.in_count, 2);
  fill(residual, l.out_count, 3);
  fill(bias, (size_t)l.out[1], 4);
  epilogue.activation = LACUNA_RELU;
  epilogue.residual = 1;
  epilogue.bias = bias;
  epilogue.bias_count = (size_t)l.out[1];
  CHECK_OK(lacuna_prune(w, &l.matrix, scheme, &weights));
  CHECK_OK(lacuna_weights_to_dense(weights, w, l.weight_count));
  naive(&l, w, x, bias, residual, expected);
  CHECK_OK(lacuna_pack(weights, shape, NULL, &packed));
  for (form = 0; form < 2; ++form) {
    lacuna_conv* conv = NULL;
    CHECK_OK(lacuna_conv_create(form == 0 ? weights : packed, shape, &epilogue, NULL, &conv));
    CHECK_OK(lacuna_conv_output(conv, extent));
    CHECK(memcmp(extent, l.out, sizeof(extent)) == 0);
    if (form == 1) {
      lacuna_weights_destroy(weights); /* before the plans run */
      lacuna_weights_destroy(packed);
    }
    for (layout = 0; layout < 2; ++layout) {
      memset(y, 0, l.out_count * sizeof(float));
      run(&l, conv, layout, x, residual, y);
      CHECK(difference(y, expected, l.out_count) == 0.0);
    }
    lacuna_conv_destroy(conv);
  }
  free(w);
  free(x);
  free(residual);
  free(expected);
  free(y);
  free(bias);
}

static void test_layers(void) {
  static const char* const kSchemes[] = {"dense", "unstructured-4x", "pattern-4x", "bcr_col-4x", "punched-3x",
                                         "filter-2x"};
  size_t i;
  INIT(lacuna_conv_shape, image);
  INIT(lacuna_conv_shape, strided);
  INIT(lacuna_conv_shape, depthwise);
  INIT(lacuna_conv_shape, line);
  INIT(lacuna_conv_shape, volume);
  image.rank = 2;
  image.in_channels = 5;
  image.out_channels = 12;
  image.input[0] = 9;
  image.input[1] = 11;
  image.kernel[0] = image.kernel[1] = 3;
  image.pad_begin[0] = image.pad_begin[1] = image.pad_end[0] = image.pad_end[1] = 1;
  strided = image;
  strided.batch = 2;
  strided.in_channels = 8;
  strided.groups = 2;
  strided.stride[0] = 2;
  strided.dilation[1] = 2;
  depthwise = image;
  depthwise.in_channels = depthwise.out_channels = depthwise.groups = 12;
  line.rank = 1;
  line.batch = 3;
  line.in_channels = 4;
  line.out_channels = 9;
  line.input[0] = 30;
  line.kernel[0] = 5;
  line.pad_begin[0] = 2;
  volume.rank = 3;
  volume.in_channels = 4;
  volume.out_channels = 8;
  volume.input[0] = 4;
  volume.input[1] = 5;
  volume.input[2] = 6;
  volume.kernel[0] = volume.kernel[1] = volume.kernel[2] = 3;
  volume.pad_begin[0] = volume.pad_end[2] = 1;
  for (i = 0; i < sizeof(kSchemes) / sizeof(kSchemes[0]); ++i) {
    check_layer(&image, kSchemes[i]);
    check_layer(&strided, kSchemes[i]);
    check_layer(&depthwise, kSchemes[i]);
    check_layer(&line, kSchemes[i]);
    check_layer(&volume, kSchemes[i]);
  }
}

static lacuna_conv_shape square(int64_t channels, int64_t extent) {
  INIT(lacuna_conv_shape, shape);
  shape.rank = 2;
  shape.in_channels = shape.out_channels = channels;
  shape.input[0] = shape.input[1] = extent;
  shape.kernel[0] = shape.kernel[1] = 3;
  shape.pad_begin[0] = shape.pad_begin[1] = shape.pad_end[0] = shape.pad_end[1] = 1;
  return shape;
}

/* Extents that differ from run to run: plans made of plans. `tolerance` is that of Winograd forms. */
static void check_reshape(const lacuna_plan_options* options, const char* scheme, const char* form, double tolerance) {
  const lacuna_conv_shape shape = square(32, 24);
  const int64_t other[2] = {13, 40};
  lacuna_conv_shape reshaped_shape = shape;
  layer l = layer_of(&shape);
  float *w = floats(l.weight_count), *x, *y, *expected;
  lacuna_weights* weights = NULL;
  lacuna_conv *conv = NULL, *reshaped = NULL, *again = NULL;
  INIT(lacuna_epilogue, epilogue);
  char text[1000];
  int round;
  epilogue.activation = LACUNA_RELU;
  fill(w, l.weight_count, 8);
  CHECK_OK(lacuna_prune(w, &l.matrix, scheme, &weights));
  CHECK_OK(lacuna_weights_to_dense(weights, w, l.weight_count));
  CHECK_OK(lacuna_conv_create(weights, &shape, &epilogue, options, &conv));
  lacuna_weights_destroy(weights);
  CHECK(lacuna_conv_explain(conv, text, sizeof(text)) == strlen(text));
  CHECK(strstr(text, form) != NULL);
  CHECK_OK(lacuna_conv_reshape(conv, 2, other, &reshaped));
  reshaped_shape.batch = 2;
  memcpy(reshaped_shape.input, other, sizeof(other));
  for (round = 0; round < 2; ++round) {
    l = layer_of(round == 0 ? &reshaped_shape : &shape);
    x = floats(l.in_count);
    y = floats(l.out_count);
    expected = floats(l.out_count);
    fill(x, l.in_count, 9);
    naive(&l, w, x, NULL, NULL, expected);
    run(&l, round == 0 ? reshaped : again, 0, x, NULL, y);
    CHECK(difference(y, expected, l.out_count) <= tolerance);
    free(x);
    free(y);
    free(expected);
    if (round == 1) break;
    /* Back to where it came from; the plans in between are not needed any more. */
    CHECK_OK(lacuna_conv_reshape(reshaped, 0, shape.input, &again));
    lacuna_conv_destroy(conv);
    lacuna_conv_destroy(reshaped);
  }
  lacuna_conv_destroy(again);
  free(w);
}

static void test_reshape(void) {
  INIT(lacuna_plan_options, winograd);
  winograd.winograd = 1;
  check_reshape(NULL, "bcr_col-4x", "panel", 0.0);
  check_reshape(NULL, "pattern-4x", "", 0.0);
  check_reshape(&winograd, "dense", "winograd", 0.05);
}

/* Weights in a Winograd form cannot be kept. */
static void test_winograd_is_not_packed(void) {
  const lacuna_conv_shape shape = square(32, 24);
  const layer l = layer_of(&shape);
  float* w = floats(l.weight_count);
  INIT(lacuna_plan_options, winograd);
  lacuna_weights *weights = NULL, *packed = NULL;
  winograd.winograd = 1;
  CHECK_OK(lacuna_prune(w, &l.matrix, "dense", &weights));
  CHECK_ERROR(lacuna_pack(weights, &shape, &winograd, &packed), LACUNA_UNSUPPORTED, "weights would be packed for");
  CHECK(packed == NULL);
  lacuna_weights_destroy(weights);
  free(w);
}

static void test_measured(void) {
  const lacuna_conv_shape shape = square(8, 6);
  const layer l = layer_of(&shape);
  float* w = floats(l.weight_count);
  INIT(lacuna_plan_options, options);
  lacuna_weights* weights = NULL;
  lacuna_conv* conv = NULL;
  char text[1000];
  fill(w, l.weight_count, 8);
  options.measure = 1;
  CHECK_OK(lacuna_prune(w, &l.matrix, "pattern-2x", &weights));
  CHECK_OK(lacuna_conv_create(weights, &shape, NULL, &options, &conv));
  CHECK(lacuna_conv_explain(conv, text, sizeof(text)) > 0);
  CHECK(strstr(text, "lowest predicted cost") == NULL);
  lacuna_conv_destroy(conv);
  lacuna_weights_destroy(weights);
  free(w);
}

static void test_plan_errors(void) {
  const lacuna_conv_shape good = square(8, 6);
  const layer l = layer_of(&good);
  float* w = floats(l.weight_count);
  float bias[8] = {0};
  const int64_t input[2] = {6, 6}, small[2] = {0, 6};
  int64_t extent[4];
  char text[8] = "unused";
  lacuna_conv_shape shape;
  lacuna_epilogue epilogue;
  INIT(lacuna_epilogue, plain);
  INIT(lacuna_plan_options, options);
  lacuna_weights *weights = NULL, *packed = NULL;
  lacuna_conv *conv = NULL, *none = NULL;
  CHECK_OK(lacuna_prune(w, &l.matrix, "dense", &weights));
  CHECK_INVALID(lacuna_conv_create(NULL, &good, NULL, NULL, &none), "weights is null");
  CHECK_INVALID(lacuna_conv_create(weights, NULL, NULL, NULL, &none), "shape is null");
  CHECK_INVALID(lacuna_conv_create(weights, &good, NULL, NULL, NULL), "conv is null");
  shape = good;
  shape.struct_size = 1;
  CHECK_INVALID(lacuna_conv_create(weights, &shape, NULL, NULL, &none), "shape.struct_size is 1");
  shape = good;
  shape.rank = 4;
  CHECK_INVALID(lacuna_conv_create(weights, &shape, NULL, NULL, &none), "shape.rank is 4, must be in [1, 3]");
  CHECK_INVALID(lacuna_pack(weights, &shape, NULL, &packed), "shape.rank is 4, must be in [1, 3]");
  shape.rank = 0;
  CHECK_INVALID(lacuna_conv_create(weights, &shape, NULL, NULL, &none), "shape.rank is 0, must be in [1, 3]");
  shape = good;
  shape.input[1] = 0;
  CHECK_INVALID(lacuna_conv_create(weights, &shape, NULL, NULL, &none), "shape.input[1] is 0, must be at least 1");
  CHECK_INVALID(lacuna_pack(weights, &shape, NULL, &packed), "shape.input[1] is 0, must be at least 1");
  shape = good;
  shape.out_channels = 9;
  CHECK_INVALID(lacuna_conv_create(weights, &shape, NULL, NULL, &none), "weights are 8 x 72 in 1 groups");
  epilogue = plain;
  epilogue.activation = 8;
  CHECK_INVALID(lacuna_conv_create(weights, &good, &epilogue, NULL, &none), "epilogue.activation is 8");
  epilogue.activation = -1;
  CHECK_INVALID(lacuna_conv_create(weights, &good, &epilogue, NULL, &none), "epilogue.activation is -1");
  epilogue = plain;
  epilogue.bias_count = 8;
  CHECK_INVALID(lacuna_conv_create(weights, &good, &epilogue, NULL, &none), "epilogue.bias is null");
  epilogue.bias = bias;
  epilogue.bias_count = 7;
  CHECK_INVALID(lacuna_conv_create(weights, &good, &epilogue, NULL, &none), "epilogue.bias has 7 values");
  epilogue = plain;
  epilogue.activation = LACUNA_CLAMP;
  epilogue.low = 1.0f;
  CHECK_INVALID(lacuna_conv_create(weights, &good, &epilogue, NULL, &none), "epilogue.low is 1");
  epilogue = plain;
  epilogue.struct_size = 0;
  CHECK_INVALID(lacuna_conv_create(weights, &good, &epilogue, NULL, &none), "epilogue.struct_size is 0");
  options.winograd = 1;
  options.winograd_error = -1.0;
  CHECK_INVALID(lacuna_conv_create(weights, &good, NULL, &options, &none), "policy.winograd_error is -1");
  options.struct_size = 4;
  CHECK_INVALID(lacuna_conv_create(weights, &good, NULL, &options, &none), "options.struct_size is 4");
  CHECK_INVALID(lacuna_pack(weights, NULL, &options, &packed), "options.struct_size is 4");
  CHECK(none == NULL && packed == NULL);

  CHECK_OK(lacuna_conv_create(weights, &good, NULL, NULL, &conv));
  CHECK_INVALID(lacuna_conv_reshape(NULL, 1, input, &none), "conv is null");
  CHECK_INVALID(lacuna_conv_reshape(conv, 1, NULL, &none), "input is null");
  CHECK_INVALID(lacuna_conv_reshape(conv, 1, input, NULL), "reshaped is null");
  CHECK_INVALID(lacuna_conv_reshape(conv, -1, input, &none), "shape.batch is -1");
  CHECK_INVALID(lacuna_conv_reshape(conv, 1, small, &none), "shape.input[0] is 0");
  CHECK_INVALID(lacuna_conv_output(NULL, extent), "conv is null");
  CHECK_INVALID(lacuna_conv_output(conv, NULL), "extent is null");
  CHECK(lacuna_conv_workspace_bytes(NULL, 1) == 0);
  CHECK(lacuna_conv_explain(NULL, text, sizeof(text)) == 0);
  CHECK(lacuna_conv_explain(conv, NULL, 0) > sizeof(text));
  CHECK(lacuna_conv_explain(conv, text, sizeof(text)) > sizeof(text) && strlen(text) == sizeof(text) - 1);
  lacuna_conv_destroy(conv);
  lacuna_conv_destroy(NULL);
  lacuna_weights_destroy(weights);
  free(w);
}

static void test_run_errors(void) {
  const lacuna_conv_shape shape = square(8, 6);
  const layer l = layer_of(&shape);
  float *w = floats(l.weight_count), *x = floats(l.in_count), *y = floats(l.out_count);
  const int32_t lengths[1] = {1};
  INIT(lacuna_epilogue, epilogue);
  INIT(lacuna_run_args, args);
  INIT(lacuna_executor, executor);
  lacuna_weights* weights = NULL;
  lacuna_conv* conv = NULL;
  lacuna_tensor tx, ty, bad;
  epilogue.residual = 1;
  CHECK_OK(lacuna_prune(w, &l.matrix, "bcr_col-2x", &weights));
  CHECK_OK(lacuna_conv_create(weights, &shape, &epilogue, NULL, &conv));
  CHECK_OK(lacuna_tensor_planar(x, 4, l.in, &tx));
  CHECK_OK(lacuna_tensor_planar(y, 4, l.out, &ty));
  args.workspace_bytes = lacuna_conv_workspace_bytes(conv, 1);
  args.workspace = bytes(args.workspace_bytes);
  args.residual = &ty;
  CHECK_OK(lacuna_conv_run(conv, &tx, &ty, &args));
  CHECK_INVALID(lacuna_conv_run(NULL, &tx, &ty, &args), "conv is null");
  CHECK_INVALID(lacuna_conv_run(conv, NULL, &ty, &args), "x is null");
  CHECK_INVALID(lacuna_conv_run(conv, &tx, NULL, &args), "y is null");
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &ty, NULL), "args.residual is null");
  bad = tx;
  bad.struct_size = 0;
  CHECK_INVALID(lacuna_conv_run(conv, &bad, &ty, &args), "x.struct_size is 0");
  bad = tx;
  bad.rank = 5;
  CHECK_INVALID(lacuna_conv_run(conv, &bad, &ty, &args), "x.rank is 5, must be 4");
  bad = tx;
  bad.data = NULL;
  CHECK_INVALID(lacuna_conv_run(conv, &bad, &ty, &args), "x.data is null");
  bad = tx;
  bad.extent[2] = 7;
  CHECK_INVALID(lacuna_conv_run(conv, &bad, &ty, &args), "x.extent[2] is 7, must be 6");
  bad = ty;
  bad.stride[1] = 0;
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &bad, &args), "y.stride[1] is 0, must be at least 1");
  args.residual = &bad;
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &ty, &args), "args.residual.stride[1] is 0");
  args.residual = &ty;
  args.struct_size = 2;
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &ty, &args), "args.struct_size is 2");
  args.struct_size = sizeof(args);
  args.workspace_bytes -= 1;
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &ty, &args), "workspace");
  args.workspace_bytes += 1;
  args.lengths = lengths;
  args.length_count = 1;
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &ty, &args), "args.lengths has 1 values, must have none");
  args.lengths = NULL;
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &ty, &args), "args.lengths is null, must point to 1 values");
  args.length_count = 0;
  args.executor = &executor;
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &ty, &args), "args.executor.parallel_for is null");
  executor.struct_size = 0;
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &ty, &args), "args.executor.struct_size is 0");
  args.executor = NULL;
  free(args.workspace);
  args.workspace = NULL;
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &ty, &args), "args.workspace is null");
  lacuna_conv_destroy(conv);
  lacuna_weights_destroy(weights);
  free(w);
  free(x);
  free(y);
}

void test_convolution(void) {
  test_layers();
  test_reshape();
  test_winograd_is_not_packed();
  test_measured();
  test_plan_errors();
  test_run_errors();
}
