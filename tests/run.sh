#!/bin/bash
# Installs what is missing (Debian 12, root or sudo), builds the preset dev and runs its tests. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(cmake ninja-build g++-12 pkg-config libhwy-dev doctest-dev libtbb-dev libpthreadpool-dev)
# Benchmarks (without their peers) and examples are part of the preset.
packages+=(libbenchmark-dev libcli11-dev nlohmann-json3-dev libprotobuf-dev protobuf-compiler libonnx-dev libonnx-testdata
  zlib1g-dev libminizip-dev python3-sklearn python3-numpy python3-cffi libeigen3-dev libopenblas-dev
  libpng-dev libturbojpeg0-dev libavformat-dev libavcodec-dev libavutil-dev libswscale-dev)
cmake/install-debian.sh "${packages[@]}"

cmake --preset dev
cmake --build --preset dev
ctest --preset dev -j "$(nproc)" "$@"
