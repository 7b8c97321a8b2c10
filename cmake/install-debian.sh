#!/bin/bash
# Usage: cmake/install-debian.sh PACKAGE...
# Installs the Debian packages that are missing; PACKAGE may end in :arm64. Quick when nothing is missing.
set -euo pipefail

if ! command -v dpkg-query >/dev/null; then
  echo "install-debian.sh: no dpkg here; please install the equivalents of: $*" >&2
  exit 0
fi

# An unqualified name means the native package: with multiarch another architecture's may be installed alone.
native=$(dpkg --print-architecture)
missing=()
for package in "$@"; do
  architecture=$native
  [[ $package != *:* ]] || architecture=${package#*:}
  states=$(dpkg-query -W -f='${db:Status-Status} ${Architecture}\n' "${package%:*}" 2>/dev/null || true)
  grep -qxE "installed ($architecture|all)" <<<"$states" || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null || { echo "install-debian.sh: needs root or sudo to install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
for package in "${missing[@]}"; do
  if [[ $package == *:arm64 ]] && ! { dpkg --print-architecture; dpkg --print-foreign-architectures; } | grep -qx arm64
  then
    "${as_root[@]}" dpkg --add-architecture arm64
  fi
done
echo "install-debian.sh: installing ${missing[*]}"
"${as_root[@]}" apt-get -qq update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null
