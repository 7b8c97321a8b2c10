#!/bin/bash
# Usage: bench/run.sh [FILTER] [FLAG...]
#        bench/run.sh gemv|narrow|rnn|winograd|int8 [FILTER] [FLAG...]
#        bench/run.sh select [FLAG...]
#        bench/run.sh networks [FILTER] [FLAG...]
# Builds the benchmarks (preset release), measures peak_bench, conv2d_bench, conv3d_bench and gemm_bench one after the
# other on one core, lists what formats take to store (storage_bench), prints their reports and writes Google
# Benchmark's JSON to build/bench/. FILTER is a regular expression over names like
# conv2d/vgg16.conv3_2/bcr_col-8x/lacuna; flags, say --target=avx2, go to conv2d_bench, conv3d_bench and gemm_bench.
# The others run gemv_bench, narrow_bench, rnn_bench, winograd_bench, int8_bench or select_bench alone, and write build/bench/gemv.json and so on.
# networks times whole networks beside ONNX Runtime (networks.py says how) and writes build/bench/networks.json.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install-debian.sh cmake ninja-build g++-12 libhwy-dev libbenchmark-dev libcli11-dev \
  libdnnl-dev libxnnpack-dev libpthreadpool-dev libcpuinfo-dev libopenblas-dev libeigen3-dev libxsmm-dev
cmake/install-debian.sh libtorch-dev || echo "run.sh: no libtorch-dev here, the peer pytorch is left out" >&2

if [[ ${1:-} == networks ]]; then
  shift
  # What tests/run.sh installs for the examples.
  cmake/install-debian.sh pkg-config nlohmann-json3-dev libprotobuf-dev protobuf-compiler libonnx-dev zlib1g-dev \
    libminizip-dev libpng-dev libturbojpeg0-dev python3
  command -v npm >/dev/null || cmake/install-debian.sh npm
  examples/models/fetch.sh --ort-only || echo "run.sh: the peer onnxruntime is left out" >&2
  cmake --preset release -DLACUNA_BUILD_TESTS=OFF -DLACUNA_BUILD_EXAMPLES=ON >/dev/null
  cmake --build --preset release --target peak_bench lacuna-run lacuna-prune
  exec /usr/bin/python3 bench/networks.py "$@"
fi

alone=
case ${1:-} in
  gemv | narrow | rnn | winograd | int8 | select)
    alone=$1
    shift
    ;;
esac
filter=.
if [[ $# -gt 0 && $1 != -* ]]; then
  filter=$1
  shift
fi

cmake --preset release -DLACUNA_BUILD_TESTS=OFF -DLACUNA_BUILD_EXAMPLES=OFF >/dev/null
targets=(peak_bench conv2d_bench conv3d_bench gemm_bench storage_bench)
if [[ -n $alone ]]; then targets=("${alone}_bench"); fi
cmake --build --preset release --target "${targets[@]}"

# One core, so that the samples of one engine do not migrate away from its caches; more if the flags ask for threads.
pin=()
if command -v taskset >/dev/null && [[ " $* " != *" --threads"* ]]; then
  pin=(taskset -c "$(($(nproc) - 1))")
fi

out=build/bench
mkdir -p "$out"
case $alone in
  gemv | narrow | rnn | winograd | int8)
    exec "${pin[@]}" "build/release/bench/${alone}_bench" --benchmark_filter="$filter" \
      --benchmark_out="$out/$alone.json" "$@"
    ;;
  select) exec "${pin[@]}" build/release/bench/select_bench --json="$out/select.json" "$@" ;;
esac
rm -f "$out"/*.json
"${pin[@]}" build/release/bench/peak_bench --benchmark_out="$out/peak.json"
status=0
for program in conv2d conv3d gemm; do
  # A program without a benchmark that matches is not asked.
  if build/release/bench/"${program}_bench" --benchmark_filter="$filter" --benchmark_list_tests "$@" \
    >/dev/null 2>&1; then
    echo
    "${pin[@]}" build/release/bench/"${program}_bench" --benchmark_filter="$filter" \
      --benchmark_out="$out/$program.json" "$@" || status=$?
  fi
done
if build/release/bench/storage_bench --benchmark_filter="$filter" --benchmark_list_tests >/dev/null 2>&1; then
  echo
  build/release/bench/storage_bench --benchmark_filter="$filter" --benchmark_out="$out/storage.json"
fi
echo
echo "JSON:" "$out"/*.json
exit "$status"
