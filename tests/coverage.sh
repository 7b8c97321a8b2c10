#!/bin/bash
# Usage: tests/coverage.sh [TARGET...]
#
# Builds the tests of the library with clang++-14's source-based coverage, runs them, merges what they reached on every SIMD
# target and in every instance of a template, and prints lines and branches of each folder of include/. Fails below the
# gate of tests/coverage.py. With TARGET..., those tests alone and no gate. Half an hour of two cores: run it by hand.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install-debian.sh cmake ninja-build clang-14 llvm-14 libhwy-dev doctest-dev python3
cmake --preset coverage >/dev/null
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(all)
cmake --build --preset coverage --target "${targets[@]}" -- --quiet

build=build/coverage
rm -rf "$build/profiles"
mkdir -p "$build/profiles"
export LLVM_PROFILE_FILE=$PWD/$build/profiles/%p-%m.profraw
if [[ $# -gt 0 ]]; then
  for target in "$@"; do "$build/tests/$target" >/dev/null; done
else
  ctest --preset coverage -j "$(nproc)" --quiet
fi
llvm-profdata-14 merge -sparse "$build"/profiles/*.profraw -o "$build/all.profdata"
mapfile -t binaries < <(for target in "$build"/tests/*_test; do [[ -x $target && -f $target ]] && printf '%s\n' "$target"; done)
if [[ $# -gt 0 ]]; then binaries=("${@/#/$build/tests/}"); fi
objects=()
for binary in "${binaries[@]:1}"; do objects+=(-object "$binary"); done
llvm-cov-14 export -format=text -skip-expansions -instr-profile="$build/all.profdata" "${binaries[0]}" "${objects[@]}" \
  -ignore-filename-regex='/(usr|tests|cmake)/' >"$build/coverage.json"
gate=()
[[ $# -gt 0 ]] || gate=(--gate)
/usr/bin/python3 tests/coverage.py "${gate[@]}" "$build/coverage.json" include/lacuna
