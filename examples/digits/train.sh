#!/bin/bash
# Makes the models of this folder anew: trains dense, prunes with lacuna-prune under each scheme, retrains what was kept.
# About 7 minutes on one core.
#   examples/digits/train.sh [BUILD_DIR] [OUT_DIR] [SCHEME...]
# Defaults: build/release, this folder, all schemes. LACUNA_PRUNE names the tool when it is not below BUILD_DIR.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
build="${1:-$here/../../build/release}"
out="${2:-$here}"
schemes=("${@:3}")
[[ ${#schemes[@]} -gt 0 ]] || schemes=(unstructured pattern pattern_g4 bcr bcr_col punched)
python=/usr/bin/python3  # Debian's, the one that python3-torch, python3-onnx and python3-sklearn install for
rate=8

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
models=("$out/digits_dense.onnx")
for scheme in "${schemes[@]}"; do
  model="$out/digits_$scheme-${rate}x.onnx"
  "$prune" "$out/digits_dense.onnx" "$scratch/pruned.onnx" --scheme "$scheme" --rate "$rate" --layers 'conv[2-5]'
  "$python" "$here/train.py" retrain "$scratch/pruned.onnx" "$model"
  models+=("$model")
done
"$python" "$here/train.py" accuracy "${models[@]}"
