// Header-only and compiled units, with and without -march, in one program: all compute the same.

#include <lacuna/core/status.h>

#include <cstdio>
#include <vector>

std::vector<float> Layer_lacuna_baseline();
std::vector<float> Layer_lacuna_wide();
std::vector<float> Layer_compiled_baseline();
std::vector<float> Layer_compiled_wide();

int main() {
  const std::vector<float> y = Layer_lacuna_baseline();
  bool same = !y.empty() && Layer_compiled_baseline() == y;
#if defined(__x86_64__)
  const bool runs_wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  const bool runs_wide = true;
#endif
  if (runs_wide) same = same && Layer_lacuna_wide() == y && Layer_compiled_wide() == y;
  std::printf("%zu outputs, %s\n", y.size(), same ? "all the same" : "different");
  return same ? 0 : 1;
}
