/* The caller's threads: an executor over POSIX threads, and concurrent runs of one plan. */

#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { kThreads = 3 };

typedef struct slot_of {
  void (*task)(void* data, size_t slot);
  void* data;
  size_t slot;
} slot_of;

static void* run_slot(void* argument) {
  const slot_of* of = argument;
  of->task(of->data, of->slot);
  return NULL;
}

/* `context` counts calls. */
static void parallel_for(void* context, size_t slots, void (*task)(void* data, size_t slot), void* data) {
  pthread_t thread[kThreads];
  slot_of of[kThreads];
  size_t i;
  ++*(int*)context;
  CHECK(slots <= kThreads);
  for (i = 0; i < slots; ++i) {
    of[i].task = task;
    of[i].data = data;
    of[i].slot = i;
    CHECK(pthread_create(&thread[i], NULL, &run_slot, &of[i]) == 0);
  }
  for (i = 0; i < slots; ++i) CHECK(pthread_join(thread[i], NULL) == 0);
}

typedef struct concurrent {
  const lacuna_conv* conv;
  const lacuna_tensor* x;
  lacuna_status status;
  float y[16 * 400];
} concurrent;

static void* run_alone(void* argument) {
  static const int64_t extent[4] = {1, 16, 20, 20};
  concurrent* c = argument;
  lacuna_tensor y;
  INIT(lacuna_run_args, args);
  args.workspace_bytes = lacuna_conv_workspace_bytes(c->conv, 1);
  args.workspace = malloc(args.workspace_bytes);
  c->status = lacuna_tensor_planar(c->y, 4, extent, &y);
  if (c->status == LACUNA_OK) c->status = lacuna_conv_run(c->conv, c->x, &y, &args);
  free(args.workspace);
  return NULL;
}

/* Errors are a thread's own. */
static void* fail(void* argument) {
  lacuna_weights_info info;
  memset(&info, 0, sizeof(info));
  (void)argument;
  if (strcmp(lacuna_last_error(), "") != 0) return NULL;
  if (lacuna_weights_describe(NULL, &info) != LACUNA_INVALID_ARGUMENT) return NULL;
  return strstr(lacuna_last_error(), "weights is null") != NULL ? argument : NULL;
}

void test_threads(void) {
  const int64_t extent[4] = {1, 16, 20, 20};
  const size_t count = 16 * 400;
  float *w = floats(16 * 16 * 9), *x = floats(count), *alone = floats(count), *y = floats(count);
  concurrent* runs = bytes(2 * sizeof(concurrent));
  int calls = 0, i;
  INIT(lacuna_matrix, matrix);
  INIT(lacuna_conv_shape, shape);
  INIT(lacuna_executor, executor);
  INIT(lacuna_run_args, args);
  lacuna_weights* weights = NULL;
  lacuna_conv* conv = NULL;
  lacuna_tensor tx, ty;
  pthread_t thread[2];
  void* result = NULL;
  matrix.rows = 16;
  matrix.columns = 144;
  matrix.taps = 9;
  shape.rank = 2;
  shape.in_channels = shape.out_channels = 16;
  shape.input[0] = shape.input[1] = 20;
  shape.kernel[0] = shape.kernel[1] = 3;
  shape.pad_begin[0] = shape.pad_begin[1] = shape.pad_end[0] = shape.pad_end[1] = 1;
  for (i = 0; i < 16 * 144; ++i) w[i] = (float)(i % 101) / 101.0f - 0.5f;
  for (i = 0; i < (int)count; ++i) x[i] = (float)(i % 103) / 103.0f - 0.5f;
  CHECK_OK(lacuna_prune(w, &matrix, "bcr_col-4x", &weights));
  CHECK_OK(lacuna_conv_create(weights, &shape, NULL, NULL, &conv));
  CHECK_OK(lacuna_tensor_planar(x, 4, extent, &tx));
  CHECK_OK(lacuna_tensor_planar(alone, 4, extent, &ty));
  CHECK(lacuna_conv_workspace_bytes(conv, kThreads) > lacuna_conv_workspace_bytes(conv, 1));
  args.workspace_bytes = lacuna_conv_workspace_bytes(conv, kThreads);
  args.workspace = bytes(args.workspace_bytes);
  CHECK_OK(lacuna_conv_run(conv, &tx, &ty, &args));

  executor.context = &calls;
  executor.parallel_for = &parallel_for;
  args.executor = &executor;
  CHECK_OK(lacuna_tensor_planar(y, 4, extent, &ty));
  CHECK_INVALID(lacuna_conv_run(conv, &tx, &ty, &args), "args.executor.concurrency is 0, must be at least 1");
  executor.concurrency = kThreads;
  CHECK_OK(lacuna_conv_run(conv, &tx, &ty, &args));
  CHECK(calls == 1);
  CHECK(memcmp(alone, y, count * sizeof(float)) == 0);

  for (i = 0; i < 2; ++i) {
    runs[i].conv = conv;
    runs[i].x = &tx;
    CHECK(pthread_create(&thread[i], NULL, &run_alone, &runs[i]) == 0);
  }
  for (i = 0; i < 2; ++i) {
    CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK(runs[i].status == LACUNA_OK);
    CHECK(memcmp(alone, runs[i].y, count * sizeof(float)) == 0);
  }
  CHECK(pthread_create(&thread[0], NULL, &fail, &calls) == 0);
  CHECK(pthread_join(thread[0], &result) == 0 && result == &calls);
  CHECK(strstr(lacuna_last_error(), "args.executor.concurrency is 0") != NULL); /* still that of this thread */
  free(args.workspace);
  free(runs);
  free(w);
  free(x);
  free(alone);
  free(y);
  lacuna_conv_destroy(conv);
  lacuna_weights_destroy(weights);
}
