#!/usr/bin/env bash
# The cost of one event in instructions and allocations against scripts/cost-limits.txt. Does not depend on the clock, so
# it says the same on a busy machine.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_bench

# within <what> <measured> <limit>
within() {
  if [ "$2" = unknown ]; then
    printf '  NOTE    %s are not counted on this system\n' "$1"
  else
    claim "$1: $2 of at most $3" "$2" -le "$3"
  fi
}

while read -r loop instructions allocations; do
  case "$loop" in '' | '#'*) continue ;; esac
  measured=$("$BENCH" --count "$loop" </dev/null)
  read -r _ found_instructions found_allocations <<<"$measured"
  # Other processors have other instructions.
  [ "$(uname -m)" = x86_64 ] || found_instructions=unknown
  within "$loop, instructions an event" "$found_instructions" "$instructions"
  within "$loop, allocations a batch" "$found_allocations" "$allocations"
done <"$ROOT/scripts/cost-limits.txt"
verdict cost-gate
