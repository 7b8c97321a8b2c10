#!/bin/bash
# Usage: examples/models/test.sh FOLDER-OF-LACUNA-RUN
# Runs each trained model that fetch.sh has brought, dense and pruned. Those with a reference/ are run on its inputs
# and compared with its outputs, which another engine gave; a pruned model must run as lacuna-prune wrote it.
# Exit code 77 where no model is there.
set -euo pipefail
bin=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tested=0
failed=0
while IFS=$'\t' read -r name _; do
  model=build/models/$name.onnx
  reference=examples/models/reference/$name
  [[ $name != '#'* && -f $model && -f $reference.in.npz ]] || continue
  tested=$((tested + 1))
  if ! "$bin/lacuna-run" "$model" --repeat 1 --input "$reference.in.npz" --expect "$reference.out.npz" \
    --tolerance 1e-4 >"$work/log" 2>&1 ||
    ! "$bin/lacuna-prune" "$model" "$work/pruned.onnx" --scheme bcr_col-4x >"$work/log" 2>&1 ||
    ! "$bin/lacuna-run" "$work/pruned.onnx" --scheme stored --repeat 1 --input "$reference.in.npz" \
      >"$work/log" 2>&1; then
    echo "failed  $name: $(tail -n 2 "$work/log")"
    failed=$((failed + 1))
  else
    echo "passed  $name"
  fi
done <examples/models/models.tsv
echo "$tested trained models tested, $failed failed"
[[ $tested -gt 0 ]] || { echo "none is there: examples/models/fetch.sh brings them"; exit 77; }
[[ $failed -eq 0 ]]
