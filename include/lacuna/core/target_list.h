// LACUNA_TARGET_LIST: a name for the SIMD targets that this unit compiles, the best that its flags allow first:
// baseline_N_SCALAR_AVX2_AVX3. As the inline namespace of what depends on them it tells units apart whose -march flags
// or HWY_DISABLED_TARGETS differ.

#ifndef LACUNA_CORE_TARGET_LIST_H_
#define LACUNA_CORE_TARGET_LIST_H_

#include "hwy/highway.h"

// Names that this release of Highway does not know are zeros to the preprocessor. Of Arm's targets one is compiled.
#if HWY_TARGETS & HWY_SSE2
#define LACUNA_HAS_SSE2 _SSE2
#else
#define LACUNA_HAS_SSE2
#endif
#if HWY_TARGETS & HWY_SSSE3
#define LACUNA_HAS_SSSE3 _SSSE3
#else
#define LACUNA_HAS_SSSE3
#endif
#if HWY_TARGETS & HWY_SSE4
#define LACUNA_HAS_SSE4 _SSE4
#else
#define LACUNA_HAS_SSE4
#endif
#if HWY_TARGETS & HWY_AVX2
#define LACUNA_HAS_AVX2 _AVX2
#else
#define LACUNA_HAS_AVX2
#endif
#if HWY_TARGETS & HWY_AVX3
#define LACUNA_HAS_AVX3 _AVX3
#else
#define LACUNA_HAS_AVX3
#endif
#if HWY_TARGETS & HWY_AVX3_DL
#define LACUNA_HAS_AVX3_DL _DL
#else
#define LACUNA_HAS_AVX3_DL
#endif
#if HWY_TARGETS & HWY_AVX3_ZEN4
#define LACUNA_HAS_AVX3_ZEN4 _ZEN4
#else
#define LACUNA_HAS_AVX3_ZEN4
#endif
#if HWY_TARGETS & HWY_AVX3_SPR
#define LACUNA_HAS_AVX3_SPR _SPR
#else
#define LACUNA_HAS_AVX3_SPR
#endif

#define LACUNA_JOIN_TARGETS2(baseline, a, b, c, d, e, f, g, h) baseline_##baseline##a##b##c##d##e##f##g##h
#define LACUNA_JOIN_TARGETS(baseline, a, b, c, d, e, f, g, h) LACUNA_JOIN_TARGETS2(baseline, a, b, c, d, e, f, g, h)
#define LACUNA_TARGET_LIST                                                                                \
  LACUNA_JOIN_TARGETS(HWY_NAMESPACE, LACUNA_HAS_SSE2, LACUNA_HAS_SSSE3, LACUNA_HAS_SSE4, LACUNA_HAS_AVX2, \
                      LACUNA_HAS_AVX3, LACUNA_HAS_AVX3_DL, LACUNA_HAS_AVX3_ZEN4, LACUNA_HAS_AVX3_SPR)

#endif  // LACUNA_CORE_TARGET_LIST_H_
