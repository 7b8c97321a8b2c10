#!/bin/bash
# Usage: tests/compilers.sh [--kernels] [NAME...]
#
# Builds and runs small programs by every compiler that is installed, or those named, and prints the matrix of what was
# run: headers against lacuna::compiled under -Wconversion and its like, both language levels, without exceptions and
# RTTI, each optimisation level, -ffast-math (refused where kernels are compiled), link-time optimisation. `--kernels`
# compiles the kernels too, header-only: a minute or more for each. Foreign architectures run formats and blobs under
# qemu-user, big-endian ones too, which must refuse blobs by name. Installs nothing but what Debian 12 has: g++-12, clang-14,
# clang-16, clang-19, and cross compilers for armhf, s390x, ppc64el and riscv64 where apt knows them.
set -uo pipefail
cd "$(dirname "$0")/.."

kernels=
[[ ${1:-} != --kernels ]] || { kernels=yes; shift; }
native=(g++-12 g++-13 g++-14 clang++-14 clang++-15 clang++-16 clang++-19 clang++-20)
foreign=(arm-linux-gnueabihf-g++-12:qemu-arm s390x-linux-gnu-g++-12:qemu-s390x powerpc64le-linux-gnu-g++-12:qemu-ppc64le
  riscv64-linux-gnu-g++-12:qemu-riscv64 aarch64-linux-gnu-g++-12:qemu-aarch64)
if [[ $# -gt 0 ]]; then
  all_foreign=("${foreign[@]}")
  native=() foreign=()
  for name in "$@"; do
    entry=$(printf '%s\n' "${all_foreign[@]}" | grep "^$name:" || true)
    if [[ -n $entry ]]; then foreign+=("$entry"); else native+=("$name"); fi
  done
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Debian's Highway is in the default include path; others in HWY_INCLUDE.
include=(-Iinclude ${HWY_INCLUDE:+-I"$HWY_INCLUDE"})
# Signs of indices are left out: extents are int64_t, and arrays are indexed by them.
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror)
failed=0

# report COMPILER WHAT RESULT
report() {
  printf '%-32s %-58s %s\n' "$1" "$2" "$3"
  case $3 in FAILED*) failed=1 ;; esac
}
# check COMPILER WHAT COMMAND...: ok if the command succeeds; its output is shown if it does not.
check() {
  local compiler=$1 what=$2
  shift 2
  if "$@" >"$work/log" 2>&1; then
    report "$compiler" "$what" ok
  else
    report "$compiler" "$what" FAILED
    grep -m 5 -E "error|Error|qemu|what\(\)" "$work/log" | sed 's/^/    /' || head -5 "$work/log"
  fi
}
# check_refused COMPILER WHAT TEXT COMMAND...: ok if it fails and says TEXT.
check_refused() {
  local compiler=$1 what=$2 text=$3
  shift 3
  if ! "$@" >"$work/log" 2>&1 && grep -q "$text" "$work/log"; then
    report "$compiler" "$what" "refused, as it must be"
  else
    report "$compiler" "$what" "FAILED: must be refused by name"
  fi
}
# run_program SOURCE PREFIX... -- COMPILER FLAGS...: compiles to a program, runs it behind PREFIX.
run_program() {
  local source=$1 prefix=()
  shift
  while [[ $1 != -- ]]; do prefix+=("$1"); shift; done
  shift
  "$@" "$source" -o "$work/program" && "${prefix[@]}" "$work/program"
}

for compiler in ${native[@]+"${native[@]}"}; do
  command -v "$compiler" >/dev/null || { report "$compiler" "" "not installed"; continue; }
  for standard in 20 23; do
    [[ $standard != 23 || $compiler != clang++-1[46] ]] || standard=2b
    check "$compiler" "-std=c++$standard: all headers, conversions are errors" \
      "$compiler" "-std=c++$standard" "${include[@]}" "${warnings[@]}" -DLACUNA_COMPILED -fsyntax-only tests/compilers/all_headers.cc
  done
  check "$compiler" "-fno-exceptions -fno-rtti: all headers" \
    "$compiler" -std=c++20 "${include[@]}" "${warnings[@]}" -fno-exceptions -fno-rtti -DLACUNA_COMPILED -fsyntax-only tests/compilers/all_headers.cc
  for level in -O0 -O2 -O3 -Os "-O2 -flto"; do
    # shellcheck disable=SC2086
    check "$compiler" "$level: formats, pruning, blobs, reference run" \
      run_program tests/compilers/formats.cc -- "$compiler" -std=c++20 "${include[@]}" "${warnings[@]}" $level
  done
  check_refused "$compiler" "-ffast-math: kernels" "lacuna: kernels tell NaN" \
    "$compiler" -std=c++20 "${include[@]}" -O2 -ffast-math -DHWY_COMPILE_ONLY_STATIC -fsyntax-only tests/compilers/kernels.cc
  [[ -n $kernels ]] || continue
  for flags in "-O2" "-O3 -march=native" "-Os -fno-exceptions -fno-rtti"; do
    # shellcheck disable=SC2086
    check "$compiler" "$flags: kernels of all targets, header-only, run" \
      run_program tests/compilers/kernels.cc -- "$compiler" -std=c++20 "${include[@]}" "${warnings[@]}" $flags -lhwy
  done
done

for entry in ${foreign[@]+"${foreign[@]}"}; do
  compiler=${entry%:*} emulator=${entry#*:}
  command -v "$compiler" >/dev/null && command -v "$emulator" >/dev/null || { report "$compiler" "" "not installed"; continue; }
  check "$compiler" "-O2 -static: formats, pruning, blobs, reference under $emulator" \
    run_program tests/compilers/formats.cc "$emulator" -- "$compiler" -std=c++20 "${include[@]}" -Wall -Wextra -Wshadow -Werror -O2 -static
done
exit $failed
