#!/bin/bash
# Usage: docs/doxygen.sh
# Builds the reference of the headers, build/docs/reference/index.html. Fails if Doxygen warns of anything.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install-debian.sh doxygen
rm -rf build/docs/include build/docs/reference
python3 docs/doxygen_input.py include build/docs/include
doxygen docs/Doxyfile
echo "build/docs/reference/index.html"
