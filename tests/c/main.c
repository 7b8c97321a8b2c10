/* The C interface as a C99 program uses it. */

#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks, failures;

void check(int holds, const char* text, const char* file, int line) {
  ++checks;
  if (holds) return;
  ++failures;
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
}

void check_status(lacuna_status status, lacuna_status code, const char* part, const char* file, int line) {
  const char* message = lacuna_last_error();
  ++checks;
  if (status == code && (status == LACUNA_OK || strstr(message, part) != NULL)) return;
  ++failures;
  fprintf(stderr, "%s:%d: %s (%s), must be %s (... %s ...)\n", file, line, lacuna_status_name(status),
          status == LACUNA_OK ? "" : message, lacuna_status_name(code), part);
}

void* bytes(size_t count) {
  void* memory = calloc(count == 0 ? 1 : count, 1);
  if (memory == NULL) {
    fprintf(stderr, "cannot allocate %lu bytes\n", (unsigned long)count);
    exit(1);
  }
  return memory;
}
float* floats(size_t count) { return bytes(count * sizeof(float)); }

void fill(float* values, size_t count, unsigned seed) {
  unsigned state = seed * 2654435761u + 1u;
  size_t i;
  for (i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    values[i] = (float)((int)(state >> 24) % 9 - 4);
  }
}

double difference(const float* a, const float* b, size_t count) {
  double largest = 0.0;
  size_t i;
  for (i = 0; i < count; ++i) {
    const double apart = fabs((double)a[i] - (double)b[i]);
    if (!(apart <= largest)) largest = apart; /* NaN too */
  }
  return largest;
}

int main(void) {
  test_layout();
  test_weights();
  test_blobs();
  test_convolution();
  test_products();
  test_recurrent();
  test_threads();
  printf("%d checks, %d failures, on %s\n", checks, failures, lacuna_target());
  return failures == 0 && checks > 0 ? 0 : 1;
}
