#!/usr/bin/env bash
# Makes what a release has for this machine's system and processor: a tarball with the binary (Swift runtime linked in), manual
# pages, completions, README and changelog, which unpacks into a prefix, and its SHA-256. The same commit gives the same
# tarball where the compiler is the same.
#
#   scripts/package.sh [directory]        (default: .build/package)
#
# ORDERSTREAM_BIN is a binary to pack instead of building one.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

destination=$(absolute "${1:-$ROOT/.build/package}")
mkdir -p -- "$destination"
DESTDIR="$WORK/out" "$ROOT/scripts/install.sh" --prefix /
version=$("$WORK/out/bin/orderstream" --version)
version=${version#orderstream }
name=orderstream-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)
mv -- "$WORK/out" "$WORK/$name"
mkdir -p "$WORK/$name/share/doc/orderstream"
cp -- "$ROOT/README.md" "$ROOT/CHANGELOG.md" "$WORK/$name/share/doc/orderstream/"

# In one order, with one time and one owner: GNU tar's options, which BSD's lacks.
same=()
if tar --version 2>/dev/null | grep -q GNU; then
  same=(--sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null || echo 0)")
fi
tar -C "$WORK" ${same[@]+"${same[@]}"} -cf - "$name" | gzip -n -9 >"$WORK/$name.tar.gz"
mv -f -- "$WORK/$name.tar.gz" "$destination/"
cd -- "$destination"
if command -v sha256sum >/dev/null 2>&1; then
  sha256sum "$name.tar.gz" >"$name.tar.gz.sha256"
else
  shasum -a 256 "$name.tar.gz" >"$name.tar.gz.sha256"
fi
printf '%s\n' "$destination/$name.tar.gz"
