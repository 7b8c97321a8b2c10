#!/bin/bash
# Makes both models of this folder anew: train dense, prune with lacuna-prune, retrain what was kept. About 2 minutes.
#   examples/digits/train.sh [BUILD_DIR] [OUT_DIR]      defaults: build/release, this folder
# LACUNA_PRUNE names the tool when it is not below BUILD_DIR.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
build="${1:-$here/../../build/release}"
out="${2:-$here}"
python=/usr/bin/python3  # Debian's, the one that python3-torch, python3-onnx and python3-sklearn install for

prune="${LACUNA_PRUNE:-}"
if [[ -z "$prune" && -d "$build" ]]; then
  prune="$(find "$build" -name lacuna-prune -type f -executable -print -quit)"
fi
if [[ -z "$prune" ]]; then
  echo "train.sh: no lacuna-prune below '$build'; build it first, or set LACUNA_PRUNE" >&2
  exit 1
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$out"

"$python" "$here/train.py" dense "$out/digits_dense.onnx"
"$prune" "$out/digits_dense.onnx" "$scratch/pruned.onnx" --scheme bcr_col --rate 8 --layers 'conv[2-5]'
"$python" "$here/train.py" retrain "$scratch/pruned.onnx" "$out/digits_bcr_col-8x.onnx"
"$python" "$here/train.py" accuracy "$out/digits_dense.onnx" "$out/digits_bcr_col-8x.onnx"
