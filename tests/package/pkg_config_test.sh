#!/bin/bash
# Usage: pkg_config_test.sh COMPILER PACKAGE PC_DIR SOURCE WORK_DIR
# Builds and runs a program of examples/ with nothing but the compiler and what pkg-config says.
set -euo pipefail
compiler=$1 package=$2 pc_dir=$3 source=$4 work_dir=$5

export PKG_CONFIG_PATH=$pc_dir
mkdir -p "$work_dir"
pkg-config --print-errors --exists "$package >= 0.1"
read -ra flags <<<"$(pkg-config --cflags --libs "$package")"
language=(-std=c++20)
[[ $source == *.cc ]] || language=(-std=c99 -pedantic -Wall -Wextra -Werror)
"$compiler" "${language[@]}" -O0 -pthread "$source" -o "$work_dir/embed" "${flags[@]}"
"$work_dir/embed"
