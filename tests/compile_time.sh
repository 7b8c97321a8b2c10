#!/bin/bash
# Prints how long g++-12 -O2 takes for one translation unit with lacuna.h and one convolution. Prints only: machines differ.
set -euo pipefail
cd "$(dirname "$0")/.."

object=$(mktemp --suffix=.o)
trap 'rm -f "$object"' EXIT
compiler=${CXX:-g++-12}
flags=(-std=c++20 -O2 -Iinclude)
if command -v pkg-config >/dev/null && pkg-config --exists libhwy; then
  read -ra highway <<<"$(pkg-config --cflags libhwy)"
  flags+=("${highway[@]}")
fi
TIMEFORMAT='%U'
seconds=$({ time "$compiler" "${flags[@]}" -c tests/compile_time.cc -o "$object"; } 2>&1)
echo "compile time of lacuna.h and one convolution, $compiler -O2: $seconds s of CPU"
