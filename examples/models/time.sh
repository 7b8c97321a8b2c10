#!/bin/bash
# Usage: examples/models/time.sh [NAME...]
# Times each trained model that fetch.sh has brought, on random input, one thread on one core: lacuna dense, lacuna
# pruned by bcr_col at 4x (every layer that lacuna-prune selects), ONNX Runtime (fetch.sh --ort). The three take turns,
# five times; medians in milliseconds. Below 0.1 ms ONNX Runtime's is mostly the call from JavaScript, 0.03 ms.
set -euo pipefail
cd "$(dirname "$0")/../.."

run=build/release/examples/lacuna-run
[[ -x $run ]] || run=build/examples/examples/lacuna-run
[[ -x $run ]] || { echo "time.sh: no lacuna-run: examples/run.sh builds it" >&2; exit 1; }
core=(taskset -c "$(($(nproc) - 1))")

lacuna() { "${core[@]}" "$run" "$@" --repeat 15 2>/dev/null | awk '/^whole run/ {print $NF}'; }
onnxruntime() { "${core[@]}" node examples/models/ort.mjs "$@" --time 15 2>/dev/null | awk '/^median/ {print $2}'; }
median() { sort -g | awk '{v[NR] = $1} END {if (NR) printf "%.3f", v[int((NR + 1) / 2)]; else printf "-"}'; }

printf '%-22s %10s %10s %10s %8s %8s\n' model dense bcr_col-4x ort dense 4x
while IFS=$'\t' read -r name _ _ _ _ shapes _; do
  [[ $name != '#'* && -f build/models/$name.onnx ]] || continue
  [[ $# -eq 0 || " $* " == *" $name "* ]] || continue
  options=()
  for shape in $shapes; do [[ $shape == *=* ]] && options+=(--shape "$shape"); done
  rate=()
  if [[ $name == silero* ]]; then rate=(--constant sr=16000); fi
  : >/tmp/time.$$.dense; : >/tmp/time.$$.pruned; : >/tmp/time.$$.ort
  for _ in 1 2 3 4 5; do
    lacuna "build/models/$name.onnx" "${options[@]}" "${rate[@]}" >>/tmp/time.$$.dense
    lacuna "build/models/$name.onnx" "${options[@]}" "${rate[@]}" --scheme bcr_col-4x --prune-first >>/tmp/time.$$.pruned
    onnxruntime "build/models/$name.onnx" "${options[@]}" ${rate[@]:+--fill sr=16000} >>/tmp/time.$$.ort || true
  done
  dense=$(median </tmp/time.$$.dense) pruned=$(median </tmp/time.$$.pruned) ort=$(median </tmp/time.$$.ort)
  awk -v n="$name" -v d="$dense" -v p="$pruned" -v o="$ort" 'BEGIN {
    printf("%-22s %10s %10s %10s %7.2fx %7.2fx\n", n, d, p, o, (d > 0) ? o / d : 0, (p > 0) ? o / p : 0)
  }'
done <examples/models/models.tsv
rm -f /tmp/time.$$.*
