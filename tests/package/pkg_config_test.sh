#!/bin/bash
# Usage: pkg_config_test.sh CXX PACKAGE PC_DIR EMBED_DIR WORK_DIR
# Builds and runs examples/embed with nothing but the compiler and what pkg-config says.
set -euo pipefail
cxx=$1 package=$2 pc_dir=$3 embed_dir=$4 work_dir=$5

export PKG_CONFIG_PATH=$pc_dir
mkdir -p "$work_dir"
pkg-config --print-errors --exists "$package >= 0.1"
read -ra flags <<<"$(pkg-config --cflags --libs "$package")"
"$cxx" -std=c++20 -O1 -pthread "$embed_dir/main.cc" -o "$work_dir/embed" "${flags[@]}"
"$work_dir/embed"
