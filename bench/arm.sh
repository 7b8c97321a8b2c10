#!/bin/bash
# Usage: bench/arm.sh [--check]
# Says what the steady loops of the NEON kernels take: instructions, loads and spills a multiply-add, counted in their
# disassembly, and cycles as llvm-mca models them, beside kernels of Debian's XNNPACK. Writes build/bench/arm.json.
# --check fails where a kernel misses its bar. Needs no Arm machine.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install-debian.sh cmake ninja-build g++-12-aarch64-linux-gnu libhwy-dev:arm64 python3 llvm-19

cmake --preset arm64 >/dev/null
cmake --build --preset arm64 --target lacuna_compiled -- --quiet

# The library alone, unpacked beside the build: nothing links it.
xnnpack=build/debian-arm64/usr/lib/aarch64-linux-gnu/libXNNPACK.so.0
if [[ ! -e $xnnpack ]]; then
  mkdir -p build/debian-arm64
  (cd build/debian-arm64 && apt-get -qq -o APT::Sandbox::User= download libxnnpack0:arm64 && dpkg -x libxnnpack0_*_arm64.deb .) ||
    echo "arm.sh: no libxnnpack0:arm64, XNNPACK is left out" >&2
fi
options=()
if [[ -e $xnnpack ]]; then options+=(--xnnpack "$xnnpack"); fi

/usr/bin/python3 bench/arm_count.py build/arm64/liblacuna.a --mca llvm-mca-19 --json build/bench/arm.json "${options[@]}" "$@"
