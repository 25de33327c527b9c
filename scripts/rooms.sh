#!/usr/bin/env bash
# How the sources are cut: files, their lengths and typed-throws closures, for each target and in all. Changes nothing.
#
#   scripts/rooms.sh [directory]...     (default: the targets of the product)
#   scripts/rooms.sh --imports [directory]...
#
# With --imports: names every import that its file does without, and exits with 1 when there is one. Each file is type-checked
# once with all of its imports and once without each of them, a second or so each time: minutes in all.
set -euo pipefail
cd -- "$(dirname "${BASH_SOURCE[0]}")/.." >/dev/null

mode=count
if [ "${1:-}" = --imports ]; then
  mode=imports
  shift
fi
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

# What the build gave the compiler for a module, of that what type-checking takes, one argument a line.
flags_of() {
  sed -n '/^  "C\.'"$1"'-[^"]*-debug\.module":/,/^$/s/^    args: \["\(.*\)"\]$/\1/p' .build/debug.yaml | awk '
    { count = split($0, word, "\",\"") }
    END {
      for (i = 1; i <= count; i++) {
        if (word[i] ~ /^(-module-name|-I|-F|-Xcc|-module-cache-path|-swift-version|-package-name|-target|-sdk|-D)$/) {
          print word[i]; print word[++i]
        } else if (word[i] ~ /^(-D.|-enable-testing$|-parse-as-library$)/) print word[i]
      }
    }'
}

# errors <file as it is> <its text now>: how many errors the compiler finds in it, beside the other files of the module.
# What a file uses without importing it itself is an error here, so that no other file's import stands in for its own.
errors() {
  local file others=()
  for file in "${files[@]}"; do [ "$file" = "$1" ] || others+=("$file"); done
  swiftc -frontend -typecheck "${flags[@]}" -enable-upcoming-feature MemberImportVisibility \
    -primary-file "$2" "${others[@]}" 2>&1 | grep -c ' error: ' || true
}

# Prints the unused imports of one target.
unused_imports() {
  local file number line
  mapfile -t flags < <(flags_of "$(basename "$1")")
  [ ${#flags[@]} -gt 0 ] || { printf 'error: no build of %s\n' "$1" >&2; exit 1; }
  mapfile -t files < <(find "$1" -name '*.swift' | sort)
  for file in "${files[@]}"; do
    local before=''
    while IFS=: read -r number line; do
      # Those of other systems are beside one of this system.
      case $line in *Musl | *Darwin) continue ;; esac
      [ -n "$before" ] || before=$(errors "$file" "$file")
      sed "${number}d" "$file" >"$work/$(basename "$file")"
      [ "$(errors "$file" "$work/$(basename "$file")")" -gt "$before" ] || printf '%s:%s: %s\n' "$file" "$number" "${line#"${line%%[! ]*}"}"
    done < <(grep -nE '^ *(@[a-z]+ )*import ' "$file")
  done
}

if [ "$mode" = imports ]; then
  swift build >/dev/null
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  for directory in "$@"; do unused_imports "${directory%/}"; done | tee "$work/found"
  count=$(wc -l <"$work/found")
  printf '%s unused imports\n' "$((count))"
  [ "$count" -eq 0 ]
  exit
fi

printf '%-30s %5s %7s %7s %7s %7s %9s\n' directory files lines median 90th longest closures
for directory in "$@"; do row "$directory" "$directory"; done
row all "$@"
