#!/bin/bash
# Makes the models of this folder anew: trains each network dense, prunes with lacuna-prune, retrains what was kept.
# About 9 minutes on one core.
#   examples/digits/train.sh [BUILD_DIR] [OUT_DIR] [MODEL...]
# MODEL is a scheme of the convolutional network, or gru, the recurrent one. Defaults: build/release, this folder, all
# models. LACUNA_PRUNE names the tool when it is not below BUILD_DIR.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
build="${1:-$here/../../build/release}"
out="${2:-$here}"
wanted=("${@:3}")
[[ ${#wanted[@]} -gt 0 ]] || wanted=(unstructured pattern pattern_g4 bcr bcr_col punched gru)
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
models=()

train_dense() {  # NETWORK MODEL
  "$python" "$here/train.py" dense --network "$1" "$2"
  models+=("$2")
}

prune_and_retrain() {  # DENSE_MODEL MODEL SCHEME RATE LAYERS
  "$prune" "$1" "$scratch/pruned.onnx" --scheme "$3" --rate "$4" --layers "$5"
  "$python" "$here/train.py" retrain "$scratch/pruned.onnx" "$2"
  models+=("$2")
}

[[ "${wanted[*]}" == gru ]] || train_dense cnn "$out/digits_dense.onnx"
for model in "${wanted[@]}"; do
  if [[ "$model" == gru ]]; then
    "$python" "$here/gru_test.py"
    train_dense gru "$out/digits_gru_dense.onnx"
    # Blocks of 16 columns keep whole columns and round up: at a rate of 10 they would keep 4, an 8th of the weights.
    prune_and_retrain "$out/digits_gru_dense.onnx" "$out/digits_gru_bcr-10x.onnx" bcr 10.67 gru
  else
    prune_and_retrain "$out/digits_dense.onnx" "$out/digits_$model-8x.onnx" "$model" 8 'conv[2-5]'
  fi
done
"$python" "$here/train.py" accuracy "${models[@]}"
