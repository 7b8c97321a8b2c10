#!/bin/bash
# Usage: bench/android.sh
# Builds the benchmarks for Android in build/android/: static programs for Linux on 64-bit Arm, which Android's kernel
# runs as they are (bench/arm64-static.sh, no NDK), or, with ANDROID_NDK set, programs by the NDK. bench/run-on-device.sh
# takes them to a phone.
set -euo pipefail
cd "$(dirname "$0")/.."

programs=(peak_bench conv2d_bench conv3d_bench gemm_bench gemv_bench rnn_bench)
mkdir -p build/android/arm64-v8a
if [[ -n ${ANDROID_NDK:-} ]]; then
  # Highway and Google Benchmark from the sources that the static build fetches.
  sources=$PWD/build/debian-sources
  [[ -e $sources/complete ]] || bench/arm64-static.sh
  cmake -S . -B build/android-ndk -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_TOOLCHAIN_FILE="$ANDROID_NDK/build/cmake/android.toolchain.cmake" -DANDROID_ABI=arm64-v8a \
    -DANDROID_PLATFORM=android-24 -DANDROID_STL=c++_static -DLACUNA_BUILD_TESTS=OFF -DLACUNA_BUILD_EXAMPLES=OFF \
    -DLACUNA_BENCH_PEERS=OFF -DCMAKE_DISABLE_FIND_PACKAGE_hwy=ON -DGIT_VERSION=1.7.1 \
    -DFETCHCONTENT_SOURCE_DIR_HIGHWAY="$(echo "$sources"/highway-*/)" \
    -DFETCHCONTENT_SOURCE_DIR_BENCHMARK="$(echo "$sources"/benchmark-*/)" >/dev/null
  cmake --build build/android-ndk --target "${programs[@]}"
  from=build/android-ndk/bench
  strip=$(echo "$ANDROID_NDK"/toolchains/llvm/prebuilt/*/bin/llvm-strip)
else
  bench/arm64-static.sh
  from=build/arm64-static/bench
  strip=aarch64-linux-gnu-strip
fi
for program in "${programs[@]}"; do "$strip" -o "build/android/arm64-v8a/$program" "$from/$program"; done
du -ch build/android/arm64-v8a/*
