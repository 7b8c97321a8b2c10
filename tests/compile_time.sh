#!/bin/bash
# Usage: tests/compile_time.sh [--details] [--repeat N]
# Prints what including lacuna costs with g++-12 -O2, header-only and against lacuna::compiled, and writes
# build/bench/compile_time.json. See tests/compile_time.py.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 tests/compile_time.py --json build/bench/compile_time.json "$@"
