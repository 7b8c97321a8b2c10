// What the page calls: layers that are measured and the digits network. A C interface, as WebAssembly exports
// functions.

#ifndef LACUNA_EXAMPLES_WEB_WEB_H_
#define LACUNA_EXAMPLES_WEB_WEB_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The SIMD target that the kernels were compiled for, "WASM" say, and the floats of its vectors.
const char* web_target(void);
int32_t web_lanes(void);

// The layers that can be measured, as "vgg16.conv1_1 vgg16.conv1_2 ...".
const char* web_layers(void);

// Prepares a layer under a scheme ("dense", "bcr_col-8x"), with made-up weights, which are the same everywhere. False
// if that fails; web_message() says why.
int32_t web_open(const char* layer, const char* scheme);
// Of the layer that was prepared: multiply-adds of one run with all weights, and with those that are kept.
double web_dense_multiply_adds(void);
double web_kept_multiply_adds(void);
// Runs it once.
int32_t web_run(void);
// Of the outputs of the last run: their sum, weighted so that any exchange of two is seen.
double web_checksum(void);

const char* web_message(void);

// The digits network in `slot` (0 to 7) from its weights, `count` floats: of each convolution and of the last product
// weights and bias, in order. `scheme` names how the convolutions were pruned.
int32_t web_digits_load(int32_t slot, const char* scheme, const float* values, int32_t count);
// How many weights of the convolutions are kept, and how many there are.
int32_t web_digits_kept(int32_t slot);
int32_t web_digits_weights(int32_t slot);
// An image of 8 x 8 pixels in [0, 1] to 10 logits.
int32_t web_digits_run(int32_t slot, const float* image, float* logits);

#ifdef __cplusplus
}
#endif

#endif  // LACUNA_EXAMPLES_WEB_WEB_H_
