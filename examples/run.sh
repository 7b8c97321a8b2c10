#!/bin/bash
# Usage: examples/run.sh
# Builds the examples, classifies handwritten digits with a dense network and with one pruned by each scheme, then runs
# VGG-16 and C3D dense and pruned, and R(2+1)D pruned.
# Installs what is missing on Debian 12 (as root or through sudo); quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install-debian.sh cmake ninja-build g++-12 pkg-config libhwy-dev libonnx-dev libprotobuf-dev protobuf-compiler \
  libcli11-dev nlohmann-json3-dev libpthreadpool-dev zlib1g-dev python3-sklearn \
  libpng-dev libturbojpeg0-dev libavformat-dev libavcodec-dev libavutil-dev libswscale-dev

build=build/examples  # a folder of its own: it needs neither doctest nor the benchmarks' peers
cmake --preset release -B "$build" -DLACUNA_BUILD_TESTS=OFF -DLACUNA_BUILD_BENCH=OFF >/dev/null
cmake --build "$build" --target lacuna-run lacuna-prune lacuna-digits

bin=$build/examples
echo
"$bin/lacuna-digits" examples/digits/digits_dense.onnx examples/digits/digits_*-8x.onnx
echo
"$bin/lacuna-run" vgg16 --scheme bcr_col-8x --compare dense --repeat 10
echo
"$bin/lacuna-run" c3d --scheme punched --flops-rate usual --compare dense --repeat 3
echo
"$bin/lacuna-run" r2plus1d --scheme punched --flops-rate usual --repeat 3
