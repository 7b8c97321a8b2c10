#!/bin/bash
# Usage: exports_test.sh liblacuna.so
# Every symbol that the shared library defines and shows is lacuna's own, those of the C interface are the ones in
# c_symbols.txt. Prints its size, and code by SIMD target.
set -euo pipefail
library=$1

# The list only ever grows: programs that were linked before look for every name in it.
if ! nm -D --defined-only "$library" | sed 's/^[0-9a-f]* [A-Za-z] //' | grep '^lacuna_' | LC_ALL=C sort |
  diff "$(dirname "$0")/c_symbols.txt" - >&2; then
  echo "the symbols of the C interface (>) are not those of c_symbols.txt (<)" >&2
  exit 1
fi
foreign=$(nm -DC --defined-only "$library" | sed 's/^[0-9a-f]* [A-Za-z] //' |
  grep -vE '^lacuna_|lacuna::compiled_v[0-9]+::' || true)
if [[ -n $foreign ]]; then
  echo "symbols that are not lacuna's:" >&2
  head -20 <<<"$foreign" >&2
  exit 1
fi
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip -o "$stripped" "$library"
echo "$(nm -DC --defined-only "$library" | wc -l) symbols, $(stat -c %s "$stripped") bytes stripped"
# Local symbols tell the SIMD target: N_AVX2.
nm -CS --defined-only "$library" | python3 -c '
import collections, re, sys
code = collections.Counter()
for line in sys.stdin:
    fields = line.split(None, 3)
    if len(fields) < 4 or fields[2] not in "tTwW":
        continue
    target = re.search(r"::N_([A-Z0-9_]+)::", fields[3])
    code[target.group(1) if target else "plans and packing"] += int(fields[1], 16)
for target, size in sorted(code.items()):
    print(f"  {target:18} {size:8} bytes of code")
sys.exit(not code)'
