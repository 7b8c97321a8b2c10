#!/bin/bash
# Usage: examples/run.sh
# Builds the examples, classifies handwritten digits with a dense network and with one pruned by each scheme, then with
# a recurrent one dense and pruned, chooses a scheme for each layer of the digits network and of ResNet-18, then runs
# VGG-16 and C3D dense and pruned, VGG-16 with and without Winograd forms, and R(2+1)D pruned.
# Installs what is missing on Debian 12 (as root or through sudo); quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install-debian.sh cmake ninja-build g++-12 pkg-config libhwy-dev libonnx-dev libprotobuf-dev protobuf-compiler \
  libcli11-dev nlohmann-json3-dev libpthreadpool-dev zlib1g-dev libminizip-dev python3-sklearn libeigen3-dev \
  libopenblas-dev \
  libpng-dev libturbojpeg0-dev libavformat-dev libavcodec-dev libavutil-dev libswscale-dev

build=build/examples  # a folder of its own: it needs neither doctest nor the benchmarks' peers
cmake --preset release -B "$build" -DLACUNA_BUILD_TESTS=OFF -DLACUNA_BUILD_BENCH=OFF >/dev/null
cmake --build "$build" --target lacuna-run lacuna-prune lacuna-digits

bin=$build/examples
echo
"$bin/lacuna-digits" examples/digits/digits_dense.onnx examples/digits/digits_*-8x.onnx
echo
# The same images read row by row by a GRU.
"$bin/lacuna-digits" examples/digits/digits_gru_dense.onnx examples/digits/digits_gru_bcr-10x.onnx
echo
# A scheme for each layer: of the digits by what pruning each one costs in accuracy, of ResNet-18 by weight energy.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
digits=examples/digits/digits_dense.onnx
"$bin/lacuna-digits" "$digits" --candidates pattern,bcr_col --sensitivity "$work/drops.json"
"$bin/lacuna-run" "$digits" --map search --rate 2 --latency-weight 0 --candidates pattern,bcr_col \
  --sensitivity "$work/drops.json" --plan "$work/digits.json"
"$bin/lacuna-digits" "$digits" --plan "$work/digits.json"
echo
"$bin/lacuna-run" resnet18 --map search --rate 6 --candidates pattern-4x,pattern-8x,bcr_col-4x,bcr_col-8x \
  --plan "$work/resnet18.json"
"$bin/lacuna-run" resnet18 --plan "$work/resnet18.json" --compare dense --repeat 5
echo
# Each network with the kernels that suit it, the dense one mostly in Winograd form; then both in direct form.
"$bin/lacuna-run" vgg16 --scheme bcr_col-8x --compare dense --repeat 10
echo
"$bin/lacuna-run" vgg16 --scheme bcr_col-8x --compare dense --winograd-error 0 --repeat 10
echo
"$bin/lacuna-run" c3d --scheme punched --flops-rate usual --compare dense --repeat 3
echo
"$bin/lacuna-run" r2plus1d --scheme punched --flops-rate usual --repeat 3
