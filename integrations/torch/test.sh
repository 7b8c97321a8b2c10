#!/bin/bash
# Installs PyTorch (Debian 12, root or sudo; some 500 MB), builds lacuna_torch and runs its tests. --bench: times it, too.
set -euo pipefail
cd "$(dirname "$0")/../.."

cmake/install-debian.sh cmake ninja-build g++-12 libhwy-dev doctest-dev python3-torch libtorch-dev
cmake -S . -B build/torch -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc-12 -DCMAKE_CXX_COMPILER=g++-12 \
  -DLACUNA_BUILD_TORCH=ON -DLACUNA_BUILD_PYTHON=OFF -DLACUNA_BUILD_BENCH=OFF -DLACUNA_BUILD_EXAMPLES=OFF
cmake --build build/torch --target lacuna_torch
ctest --test-dir build/torch --output-on-failure --no-tests=error -R '^torch_test$'
if [[ ${1:-} == --bench ]]; then
  python=$(sed -n 's/^LACUNA_TORCH_PYTHON:FILEPATH=//p' build/torch/CMakeCache.txt)
  PYTHONPATH=build/torch/integrations/torch "$python" integrations/torch/bench/resnet18.py "${@:2}"
fi
