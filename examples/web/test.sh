#!/bin/bash
# Usage: examples/web/test.sh
# Builds the page, runs it in node beside the same functions compiled for this machine (with SSE4 on x86), and, where
# Chromium is installed, draws and measures in the page itself.
set -euo pipefail
cd "$(dirname "$0")/../.."

examples/web/build.sh
out=build/web
flags=(-std=c++20 -O3 -DNDEBUG -DHWY_COMPILE_ONLY_STATIC -Iinclude -Iexamples -Ibench)
if [[ $(uname -m) == x86_64 ]]; then flags+=(-msse4.2 -maes -mpclmul); fi
if [[ ! -e $out/reference || $out/web.o -nt $out/reference || examples/web/reference.cc -nt $out/reference ]]; then
  g++-12 "${flags[@]}" examples/web/web.cc examples/web/reference.cc -o "$out/reference" -lhwy
fi
mapfile -t networks < <(/usr/bin/python3 -c 'import json, sys
for network in json.load(open(sys.argv[1])): print("%s=%d" % (network["scheme"], network["count"]))' "$out/site/digits.json")
"$out/reference" "$out/site/digits.bin" "${networks[@]}" >"$out/reference.json"
node examples/web/test.mjs "$out/reference.json" "$out/site"

if command -v chromium >/dev/null && command -v npm >/dev/null; then
  if [[ ! -d $out/node_modules/puppeteer-core ]]; then
    echo '{"private": true}' >"$out/package.json"
    npm install --prefix "$out" --no-audit --no-fund --silent puppeteer-core@23
  fi
  node examples/web/browser_test.mjs "$out/site" "$out"
fi
