#!/bin/bash
# Usage: bench/run-on-device.sh [PROGRAM [ARGUMENT...]]
#        bench/run-on-device.sh conv2d_bench --benchmark_filter='vgg16.*/(dense|bcr_col-8x)'
# Runs a benchmark on the phone that adb sees, once on each kind of its cores, and pulls the JSON to
# build/bench/device/<model>/. Without ADB, in Termux, it runs it right here. Build the programs first: bench/android.sh.
# ADB, ANDROID_SERIAL and PROGRAMS (the folder of the programs) may be set; device.sh names the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

programs=${PROGRAMS:-build/android/arm64-v8a}
program=${1:-conv2d_bench}
shift || true
if [[ ! -x $programs/$program ]]; then
  echo "run-on-device.sh: no $programs/$program, see bench/android.sh" >&2
  exit 1
fi

if [[ -n ${TERMUX_VERSION:-} ]]; then
  out=build/bench/device/termux
  mkdir -p "$out"
  exec sh bench/device.sh "$out/$program" "$programs/$program" "$@"
fi

adb=${ADB:-adb}
command -v "$adb" >/dev/null || {
  echo "run-on-device.sh: no adb (Debian: package adb), and this is not Termux" >&2
  exit 1
}
[[ $("$adb" get-state 2>/dev/null) == device ]] || {
  echo "run-on-device.sh: adb sees no device that is authorised, or more than one: set ANDROID_SERIAL" >&2
  exit 1
}
model=$("$adb" shell getprop ro.product.model | tr -d '\r' | tr -c 'A-Za-z0-9_.\n-' '_')
out=build/bench/device/${model:-unknown}
there=/data/local/tmp/lacuna
mkdir -p "$out"
"$adb" shell "mkdir -p $there && rm -f $there/$program.*"
"$adb" push "$programs/$program" bench/device.sh "$there/" >/dev/null
# What the shell over there is given, as one word each.
printf -v arguments ' %q' "$@"
status=0
"$adb" shell "cd $there && chmod 755 $program && HOT=${HOT:-42} COOL_SECONDS=${COOL_SECONDS:-300} sh device.sh $program ./$program$([[ $# -gt 0 ]] && echo "$arguments")" || status=$?
for file in $("$adb" shell "cd $there && ls $program.*.json $program.log" 2>/dev/null | tr -d '\r'); do
  "$adb" pull "$there/$file" "$out/$file" >/dev/null
done
ls "$out"/"$program".*
exit "$status"
