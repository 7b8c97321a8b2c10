/* One pruned 3x3 layer in C99: prune, plan, run, another image size, and what an error looks like. */

#include <lacuna/c/lacuna.h>

#include <stdio.h>
#include <stdlib.h>

/* Ends the program with what went wrong. */
static void need(lacuna_status status) {
  if (status == LACUNA_OK) return;
  fprintf(stderr, "embed_c: %s: %s\n", lacuna_status_name(status), lacuna_last_error());
  exit(1);
}

static float* uniform(size_t count, float scale) {
  float* values = malloc(count * sizeof(float));
  size_t i;
  if (values == NULL) exit(1);
  for (i = 0; i < count; ++i) values[i] = scale * ((float)rand() / (float)RAND_MAX - 0.5f);
  return values;
}

/* Runs `conv` on an image [1, channels, height, width] and gives the output, which the caller frees. */
static float* run(const lacuna_conv* conv, const float* image, const int64_t* extent, int64_t* out_extent) {
  lacuna_tensor x, y;
  lacuna_run_args args = {.struct_size = sizeof(args)};
  float* output;
  need(lacuna_conv_output(conv, out_extent));
  output = malloc((size_t)(out_extent[1] * out_extent[2] * out_extent[3]) * sizeof(float));
  args.workspace_bytes = lacuna_conv_workspace_bytes(conv, 1);
  args.workspace = malloc(args.workspace_bytes);
  if (output == NULL || args.workspace == NULL) exit(1);
  need(lacuna_tensor_planar(image, 4, extent, &x)); /* or lacuna_tensor_channels_last */
  need(lacuna_tensor_planar(output, 4, out_extent, &y));
  need(lacuna_conv_run(conv, &x, &y, &args));
  free(args.workspace);
  return output;
}

int main(void) {
  const int64_t extent[4] = {1, 64, 28, 28}, smaller[4] = {1, 64, 14, 20};
  const lacuna_conv_shape shape = {.struct_size = sizeof(shape),
                                   .rank = 2,
                                   .in_channels = 64,
                                   .out_channels = 96,
                                   .input = {28, 28},
                                   .kernel = {3, 3},
                                   .pad_begin = {1, 1},
                                   .pad_end = {1, 1}};
  const lacuna_matrix matrix = {.struct_size = sizeof(matrix), .rows = 96, .columns = 64 * 9, .taps = 9};
  float *trained = uniform(96 * 64 * 9, 0.2f), *bias = uniform(96, 0.1f), *image = uniform(64 * 28 * 28, 2.0f);
  const lacuna_epilogue epilogue = {
      .struct_size = sizeof(epilogue), .activation = LACUNA_RELU, .bias = bias, .bias_count = 96};
  lacuna_weights* weights;
  lacuna_conv *conv, *reshaped;
  int64_t out_extent[4];
  char text[1000];
  float* output;

  need(lacuna_prune(trained, &matrix, "bcr_col-8x", &weights));
  need(lacuna_conv_create(weights, &shape, &epilogue, NULL, &conv));
  lacuna_weights_destroy(weights);
  lacuna_conv_explain(conv, text, sizeof(text));
  printf("lacuna %s on %s: %s\n", lacuna_version(), lacuna_target(), text);
  output = run(conv, image, extent, out_extent);
  printf("%d x %d x %d outputs, the first is %g\n", (int)out_extent[1], (int)out_extent[2], (int)out_extent[3],
         output[0]);
  free(output);

  need(lacuna_conv_reshape(conv, 1, smaller + 2, &reshaped)); /* shares the packed weights */
  output = run(reshaped, image, smaller, out_extent);
  printf("%d x %d x %d outputs, the first is %g\n", (int)out_extent[1], (int)out_extent[2], (int)out_extent[3],
         output[0]);
  free(output);

  if (lacuna_conv_reshape(conv, 1, (const int64_t[]){0, 20}, &reshaped) == LACUNA_OK) return 1;
  printf("an image without rows: %s\n", lacuna_last_error());
  lacuna_conv_destroy(conv);
  lacuna_conv_destroy(reshaped);
  free(trained);
  free(bias);
  free(image);
  return 0;
}
