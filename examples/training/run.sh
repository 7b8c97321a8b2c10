#!/bin/bash
# Pruning with training: installs what is missing (Debian 12, root or sudo; PyTorch takes some 500 MB), builds the Python
# package and runs examples/training/digits.py, by default `compare`, an hour on one core.
#   examples/training/run.sh [compare|prune] [ARGUMENT...]
#   examples/training/run.sh prune admm bcr_col-8x pruned.onnx
set -euo pipefail
folder=$(cd "$(dirname "$0")/../.." && pwd)

"$folder/cmake/install-debian.sh" cmake ninja-build g++-12 libhwy-dev python3-numpy python3-cffi python3-torch python3-onnx \
  python3-sklearn
cmake -S "$folder" -B "$folder/build/training" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc-12 \
  -DCMAKE_CXX_COMPILER=g++-12 -DLACUNA_PYTHON=/usr/bin/python3 -DLACUNA_BUILD_TESTS=OFF -DLACUNA_BUILD_BENCH=OFF \
  -DLACUNA_BUILD_EXAMPLES=OFF >/dev/null
cmake --build "$folder/build/training" --target lacuna_python -- --quiet
if [[ $# -eq 0 ]]; then set -- compare; fi
PYTHONPATH=$folder/build/training/integrations/python exec /usr/bin/python3 "$folder/examples/training/digits.py" "$@"
