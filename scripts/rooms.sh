#!/usr/bin/env bash
# How the sources are cut: files, their lengths and typed-throws closures, for each target and in all. Changes nothing.
#
#   scripts/rooms.sh [directory]...     (default: the targets of the product)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || set -- Sources/orderstream Sources/OrderStreamCore Sources/OrderStreamKafka Sources/OrderStreamEmbedded \
  Sources/OrderStreamThreads

# row <name> <directory>...
row() {
  local name=$1 closures
  shift
  closures=$({ grep -rhoE '\{ \(\) throws\([A-Za-z]+\) in' --include='*.swift' "$@" || true; } | wc -l)
  find "$@" -name '*.swift' -exec wc -l {} + | awk '$2 != "total" { print $1 }' | sort -n |
    awk -v name="$name" -v closures="$closures" '
      { lines[NR] = $1; all += $1 }
      END { printf "%-30s %5d %7d %7d %7d %7d %9d\n", name, NR, all, lines[int((NR + 1) / 2)], lines[int(NR * 0.9 + 0.5)], lines[NR], closures }'
}

printf '%-30s %5s %7s %7s %7s %7s %9s\n' directory files lines median 90th longest closures
for directory in "$@"; do row "$directory" "$directory"; done
row all "$@"
