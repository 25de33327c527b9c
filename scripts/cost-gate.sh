#!/usr/bin/env bash
# The cost of one event in instructions and allocations, and what a job on a log of many partitions costs beside one of
# few, against scripts/cost-limits.txt. Does not depend on the clock, so it says the same on a busy machine.
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

# grown <job> <growth>: a job on a log of 1000 partitions beside one of 100.
grown() {
  local few many few_steps few_allocations many_steps many_allocations
  read -r _ few few_steps few_allocations many many_steps many_allocations <<<"$("$BENCH" --growth "$1" </dev/null)"
  growth_within "$1, $many partitions beside $few, database steps" "$many_steps" "$few_steps" "$2"
  growth_within "$1, $many partitions beside $few, allocations" "$many_allocations" "$few_allocations" "$2"
}

# growth_within <what> <measured> <base> <times>
growth_within() {
  if [ "$2" = unknown ]; then
    within "$1" unknown 0
  else
    within "$1 (at most $4 times $3)" "$2" $(($3 * $4))
  fi
}

while read -r loop instructions allocations; do
  case "$loop" in '' | '#'*) continue ;; esac
  if [ "$instructions" = growth ]; then
    grown "$loop" "$allocations"
    continue
  fi
  measured=$("$BENCH" --count "$loop" </dev/null)
  read -r _ found_instructions found_allocations <<<"$measured"
  # Other processors have other instructions.
  [ "$(uname -m)" = x86_64 ] || found_instructions=unknown
  within "$loop, instructions an event" "$found_instructions" "$instructions"
  within "$loop, allocations a batch" "$found_allocations" "$allocations"
done <"$ROOT/scripts/cost-limits.txt"
verdict cost-gate
