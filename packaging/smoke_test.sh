#!/bin/bash
# Inside a fresh system: installs the packages beside this file, uses them in every way, removes them.
set -euo pipefail
cd /packages
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

apt-get -qq update
apt-get -qq -y --no-install-recommends install g++ pkg-config cmake make >/dev/null
# What is installed, but for what the package manager keeps to itself.
list_files() { find / -xdev -not -path "/proc/*" -not -path "/packages/*" -not -path "/var/*" -not -path "/tmp/*" | sort; }
list_files >before
names=()
for deb in ./*.deb; do names+=("$(dpkg-deb -f "$deb" Package)"); done
apt-get -qq -y --no-install-recommends install ./*.deb >/dev/null
echo "installed: ${names[*]}"

echo "== C, by pkg-config"
cc -std=c99 -pedantic -Wall -O1 main.c -o embed_c $(pkg-config --cflags --libs lacuna-c)
./embed_c
echo "== C++, by CMake"
mkdir -p project
cp main.cc thread_pool.h project/
cat >project/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(smoke CXX)
find_package(lacuna REQUIRED)
find_package(Threads REQUIRED)
add_executable(smoke main.cc)
target_link_libraries(smoke PRIVATE lacuna::compiled Threads::Threads)
CMAKE
cmake -S project -B project/build >/dev/null
cmake --build project/build >/dev/null
project/build/smoke
test -s /usr/share/doc/liblacuna-dev/docs/c-interface.md
if [[ " ${names[*]} " == *" python3-lacuna "* ]]; then
  echo "== Python"
  python3 -c 'import doctest, lacuna; result = doctest.testmod(lacuna); print(lacuna.__version__, lacuna.target(), result)
assert result.failed == 0 and result.attempted > 0'
fi
if [[ " ${names[*]} " == *" lacuna-tools "* ]]; then
  echo "== tools"
  lacuna-run --version
  lacuna-run resnet18 --scheme bcr_col-8x --threads 1 | tail -3
  test -s /usr/share/man/man1/lacuna-run.1*
fi

apt-get -qq -y purge "${names[@]}" >/dev/null
list_files >after
comm -13 before after | grep -i lacuna >leftovers || true
if [[ -s leftovers ]]; then
  echo "left behind: $(cat leftovers)" >&2
  exit 1
fi
echo "removed, nothing of them is left"
