#!/bin/bash
# Usage: pkg_config_test.sh CXX PC_DIR EMBED_DIR WORK_DIR
# Builds and runs examples/embed with nothing but the compiler and what pkg-config says.
set -euo pipefail
cxx=$1 pc_dir=$2 embed_dir=$3 work_dir=$4

export PKG_CONFIG_PATH=$pc_dir
mkdir -p "$work_dir"
pkg-config --print-errors --exists 'lacuna >= 0.1'
read -ra flags <<<"$(pkg-config --cflags --libs lacuna)"
"$cxx" -std=c++20 -O1 -pthread "$embed_dir/main.cc" -o "$work_dir/embed" "${flags[@]}"
"$work_dir/embed"
