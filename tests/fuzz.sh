#!/bin/bash
# Usage: tests/fuzz.sh SECONDS [NAME...]
#
# Runs each fuzzer of tests/fuzz, or those named, for SECONDS each: libFuzzer under AddressSanitizer and
# UndefinedBehaviorSanitizer, by clang++-14. Prints a line for each: executions, edges of the program that were reached,
# largest memory. Fails at the first finding, whose input is kept in build/fuzz/findings; give it to the fuzzer as its
# argument to see it again. The corpus stays in build/fuzz/corpus from run to run; its first inputs are made by the
# fuzzer itself, so that no file of it needs to be kept.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ $# -ge 1 && $1 =~ ^[0-9]+$ ]] || { sed -n 2,8p "$0" >&2; exit 2; }
seconds=$1
shift

cmake/install-debian.sh cmake ninja-build clang-14 libhwy-dev doctest-dev nlohmann-json3-dev libprotobuf-dev protobuf-compiler \
  libonnx-dev libcli11-dev libpthreadpool-dev zlib1g-dev libminizip-dev libpng-dev libturbojpeg0-dev libavformat-dev \
  libavcodec-dev libavutil-dev libswscale-dev
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -- --quiet

build=build/fuzz
binaries=("$build"/tests/fuzz/*_fuzz)
names=("$@")
[[ ${#names[@]} -gt 0 ]] || for binary in "${binaries[@]}"; do names+=("$(basename "$binary" _fuzz)"); done

mkdir -p "$build/findings" "$build/fuzz-logs"
printf '%-14s %12s %9s %8s %7s\n' fuzzer executions per-second edges MiB
for name in "${names[@]}"; do
  binary=$build/tests/fuzz/${name}_fuzz
  corpus=$build/corpus/$name
  log=$build/fuzz-logs/$name.log
  [[ -x $binary ]] || { echo "fuzz.sh: there is no fuzzer $name" >&2; exit 2; }
  mkdir -p "$corpus"
  LACUNA_FUZZ_SEEDS=$corpus "$binary"
  # Readers take bytes, all others decisions, of which those that are missing are 0: they need whole inputs at once.
  case $name in
    blob | packed_blob | text | json | onnx | tensor_file | image) options=(-max_len=4096 -use_value_profile=1) ;;
    *) options=(-max_len=128 -len_control=0) ;;
  esac
  # A reader that allocates what a header claims, before it looks at the bytes, exceeds
  # malloc_limit_mb.
  if ! ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 nice "$binary" -max_total_time="$seconds" \
    "${options[@]}" -timeout=25 -rss_limit_mb=3072 -malloc_limit_mb=512 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$name-" "$corpus" >"$log" 2>&1; then
    tail -60 "$log"
    echo "fuzz.sh: $name has a finding, $log has all of it" >&2
    exit 1
  fi
  stat() { sed -n "s/^stat::$1: *//p" "$log"; }
  edges=$(grep -oE 'cov: [0-9]+' "$log" | tail -1 | cut -d' ' -f2)
  printf '%-14s %12s %9s %8s %7s\n' "$name" "$(stat number_of_executed_units)" "$(stat average_exec_per_sec)" "$edges" \
    "$(stat peak_rss_mb)"
done
