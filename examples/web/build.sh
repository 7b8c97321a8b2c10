#!/bin/bash
# Usage: examples/web/build.sh
# Builds the page in build/web/site/: lacuna for WebAssembly with SIMD, by Debian's emscripten, and the digits networks.
set -euo pipefail
cd "$(dirname "$0")/../.."

cmake/install-debian.sh emscripten libhwy-dev python3-onnx

out=build/web
site=$out/site
mkdir -p "$out/include" "$site"
ln -sfn /usr/include/hwy "$out/include/hwy"  # Highway is headers where there is one target
export NODE_PATH=/usr/share/nodejs:/usr/lib/nodejs  # of emscripten's own scripts, whichever node runs them

exported=(malloc free web_target web_lanes web_layers web_open web_dense_multiply_adds web_kept_multiply_adds web_run
          web_checksum web_message web_digits_load web_digits_kept web_digits_weights web_digits_run)
printf -v exports ',_%s' "${exported[@]}"

# Compiled only if something changed: kernels take minutes.
if [[ ! -e $out/web.o || -n $(find include examples/web bench/layers.h -newer "$out/web.o" -name '*.*' ! -name '*.js' \
  ! -name '*.html' ! -name '*.css' ! -name '*.sh' ! -name '*.py' ! -name '*.mjs' ! -name '*.md' -print -quit) ]]; then
  em++ -std=c++20 -O3 -DNDEBUG -msimd128 -fno-exceptions -fno-rtti -DHWY_COMPILE_ONLY_STATIC -include examples/web/libcxx.h \
    -Iinclude -Iexamples -Ibench -I"$out/include" -c examples/web/web.cc -o "$out/web.o"
fi
em++ -O3 "$out/web.o" -o "$site/lacuna.mjs" -sMODULARIZE=1 -sEXPORT_ES6=1 -sENVIRONMENT=web,worker \
  -sALLOW_MEMORY_GROWTH=1 -sINITIAL_MEMORY=67108864 -sTOTAL_STACK=1048576 -sEXPORTED_FUNCTIONS="${exports:1}" \
  -sEXPORTED_RUNTIME_METHODS=UTF8ToString,ccall

cp examples/web/{index.html,style.css,app.js,worker.js,engine.js,sw.js} "$site"
/usr/bin/python3 examples/web/pack_digits.py examples/digits "$site/digits.bin" "$site/digits.json"
echo "build.sh: $site, $(du -sk "$site" | cut -f1) KB"
