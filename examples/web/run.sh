#!/bin/bash
# Usage: examples/web/run.sh [PORT]
# Builds the page and serves it: open the address that is printed, also from a phone in the same network. Everything is
# static files; any web server does.
set -euo pipefail
cd "$(dirname "$0")/../.."
examples/web/build.sh
port=${1:-8080}
echo "http://localhost:$port/ (and port $port of this machine's other addresses)"
exec /usr/bin/python3 -m http.server --directory build/web/site "$port"
