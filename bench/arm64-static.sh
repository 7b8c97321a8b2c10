#!/bin/bash
# Usage: bench/arm64-static.sh
# Builds lacuna's benchmarks, without peers, as static programs for 64-bit Arm Linux in build/arm64-static/bench/ and
# runs a short smoke test of them under qemu. Debian has Highway and Google Benchmark only as shared libraries, so both
# are built from Debian's source packages.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install-debian.sh cmake ninja-build g++-12-aarch64-linux-gnu libc6-dev-arm64-cross libcli11-dev qemu-user dpkg-dev

sources=$PWD/build/debian-sources
if [[ ! -e $sources/complete ]]; then
  rm -rf "$sources"
  mkdir -p "$sources/lists/partial" "$sources/parts"
  # The system's own lists, asking for source packages instead of binary ones.
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    case $list in
      *.sources) sed -E 's/^Types:.*/Types: deb-src/' "$list" >"$sources/parts/${list##*/}" ;;
      *.list) sed -nE 's/^deb /deb-src /p' "$list" >"$sources/parts/${list##*/}" 2>/dev/null || true ;;
    esac
  done
  apt=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$sources/parts"
       -o "Dir::State::Lists=$sources/lists" -o "Dir::Cache=$sources" -o APT::Sandbox::User=)
  (cd "$sources" && "${apt[@]}" update && "${apt[@]}" source benchmark highway >/dev/null)
  touch "$sources/complete"
fi

# Debian's Google Benchmark takes its version from outside.
cmake -S . -B build/arm64-static -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_TOOLCHAIN_FILE=cmake/toolchain-arm64.cmake \
  -DLACUNA_BUILD_TESTS=OFF -DLACUNA_BUILD_EXAMPLES=OFF -DLACUNA_BENCH_STATIC=ON \
  -DCMAKE_DISABLE_FIND_PACKAGE_hwy=ON -DGIT_VERSION=1.7.1 \
  -DFETCHCONTENT_SOURCE_DIR_HIGHWAY="$(echo "$sources"/highway-*/)" \
  -DFETCHCONTENT_SOURCE_DIR_BENCHMARK="$(echo "$sources"/benchmark-*/)" >/dev/null
cmake --build build/arm64-static --target peak_bench conv2d_bench conv3d_bench gemm_bench gemv_bench rnn_bench

smoke() { qemu-aarch64 "build/arm64-static/bench/$1" --smoke "${@:2}"; }
smoke peak_bench
smoke conv2d_bench --benchmark_filter=mobilenet_v2.project7
smoke conv3d_bench --benchmark_filter=r2plus1d.conv5_down
smoke gemm_bench --benchmark_filter=gemm/bert_base.qkv_out
smoke gemv_bench '--benchmark_filter=resnet50.fc/(dense|bcr_col-8x|unstructured-8x)'
smoke rnn_bench --benchmark_filter=timit.step39/bcr
