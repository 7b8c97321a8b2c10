#!/bin/bash
# Usage: packaging/deb.sh [--no-tools] [--no-test] [build folder, build/deb by default]
# Builds the Debian packages, then installs, uses and removes them in a fresh Debian 12 that debootstrap makes (root or
# sudo; some 300 MB are fetched). --no-tools: without lacuna-run and lacuna-prune.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=ON test=1 build=build/deb
for argument in "$@"; do
  case $argument in
    --no-tools) tools=OFF ;;
    --no-test) test=0 ;;
    *) build=$argument ;;
  esac
done
packages=(cmake ninja-build g++-12 libhwy-dev dpkg-dev file python3-numpy python3-cffi)
[[ $tools == OFF ]] || packages+=(libcli11-dev nlohmann-json3-dev libprotobuf-dev protobuf-compiler libonnx-dev zlib1g-dev
  libminizip-dev libpng-dev libturbojpeg0-dev libavformat-dev libavcodec-dev libavutil-dev libswscale-dev)
[[ $test == 0 ]] || packages+=(debootstrap)
cmake/install-debian.sh "${packages[@]}"

cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc-12 -DCMAKE_CXX_COMPILER=g++-12 \
  -DCMAKE_INSTALL_PREFIX=/usr -DLACUNA_BUILD_TESTS=OFF -DLACUNA_BUILD_BENCH=OFF -DLACUNA_BUILD_EXAMPLES=$tools
cmake --build "$build" --target all man_pages
rm -f "$build"/*.deb
(cd "$build" && cpack -G DEB)
[[ $test == 1 ]] || exit 0

as_root=()
[[ $(id -u) -eq 0 ]] || as_root=(sudo)
root=$(mktemp -d)
trap '"${as_root[@]}" rm -rf --one-file-system "$root"' EXIT
"${as_root[@]}" debootstrap --variant=minbase bookworm "$root" http://deb.debian.org/debian >/dev/null
"${as_root[@]}" mkdir "$root/packages"
"${as_root[@]}" cp "$build"/*.deb packaging/smoke_test.sh examples/embed_c/main.c examples/embed/main.cc \
  examples/embed/thread_pool.h "$root/packages"
"${as_root[@]}" chroot "$root" /bin/bash /packages/smoke_test.sh
