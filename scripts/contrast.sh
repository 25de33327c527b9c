#!/usr/bin/env bash
# What a weaker guarantee costs: inventory is killed with SIGKILL in the middle of its work under each --guarantee, started
# again until it is done, and audited. What is killed, and how often, is the same; what the audit finds is not.
# Claims: exactly-once loses and doubles nothing; at-least-once loses nothing and doubles some; at-most-once doubles nothing
# and loses some. So the audit can fail, too.
#
#   scripts/contrast.sh [--events <n>] [--junit <file>]          (default: 60000 events)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

events=60000
while [ $# -gt 0 ]; do
  case "$1" in
    --events)
      [ $# -ge 2 ] || die '--events needs a whole number'
      case "$2" in
        '' | *[!0-9]* | ??????????*) die "--events needs a whole number of at most 9 digits, not '$2'" ;;
      esac
      events=$((10#$2))
      # Less is done before anybody can see that it has begun.
      [ "$events" -ge 20000 ] || die "--events needs a whole number from 20000 on, not '$2'"
      shift 2
      ;;
    *) die "unknown option $1; see the head of this script" ;;
  esac
done
need_binary

topic="order-events-$RUN"
# Kills before an audit, and how many there are at most until a weaker guarantee has shown what it costs.
round=2 most=30

produce() {
  orderstream produce -q --events "$events" --span 1h -t "$topic" --json >"$WORK/produce.json" 2>"$WORK/stderr.txt" || {
    END_REASON="produce: $(first_error)"
    die "$END_REASON"
  }
}

# A commit lasts about so long, after which everything is as before: the longest time from the first event to the kill.
case "$BROKER" in
  embedded*) longest_ms=120 ;;
  *) longest_ms=300 ;;
esac

# kill_in_the_middle <output topic> <command …>: starts the command and kills it a random moment after its output begins to
# grow. Its exit code is in $ended: 137 when it was killed.
kill_in_the_middle() {
  local output=$1 process watch
  shift
  ended=0
  # A watch of its own for each kill: it ends with the first event that comes.
  orderstream tail "$output" --from latest --follow --max-events 1 -q >"$WORK/first.jsonl" 2>/dev/null </dev/null &
  watch=$!
  # What the watch takes for the end is the end before the command begins.
  sleep 0.2
  (cd "$WORK" && exec "$@") >"$WORK/stdout.txt" 2>"$WORK/stderr.txt" </dev/null &
  process=$!
  while kill -0 "$watch" 2>/dev/null && kill -0 "$process" 2>/dev/null; do sleep 0.005; done
  sleep "$(printf '0.%03d' $((RANDOM % longest_ms)))"
  kill -9 "$process" 2>/dev/null || true
  wait "$process" 2>/dev/null || ended=$?
  kill -9 "$watch" 2>/dev/null || true
  wait "$watch" 2>/dev/null || true
  if [ "$ended" -ne 0 ] && [ "$ended" -ne 137 ]; then
    END_REASON="exit code $ended of inventory: $(first_error)"
    die "$END_REASON"
  fi
}

# audit <output topic>: what it finds is in $lost, $duplicated and $others; its exit code in $found.
audit() {
  found=0
  orderstream audit -q -t "$topic" --output-topic "$1" --no-group --json >"$WORK/audit.json" 2>"$WORK/stderr.txt" ||
    found=$?
  if [ "$found" -gt 1 ]; then
    END_REASON="audit: $(first_error)"
    die "$END_REASON"
  fi
  lost=$(json "$WORK/audit.json" lost)
  duplicated=$(json "$WORK/audit.json" duplicated)
  others=$(($(json "$WORK/audit.json" phantom) + $(json "$WORK/audit.json" wrong_action)))
}

# What this guarantee costs, once it was paid.
has_shown() {
  case "$1" in
    exactly-once) true ;;
    at-least-once) [ "$duplicated" -gt 0 ] ;;
    at-most-once) [ "$lost" -gt 0 ] ;;
  esac
}

printf '%s orders, killed at least %s times under each guarantee, broker %s\n' "$events" "$round" "$BROKER"
produce
table=''
for guarantee in exactly-once at-least-once at-most-once; do
  heading "--guarantee $guarantee"
  output="inventory-events-$guarantee-$RUN"
  inventory=("$ORDERSTREAM_BIN" inventory -q -t "$topic" --guarantee "$guarantee" --output-topic "$output"
    -g "$guarantee-$RUN" --json)
  show orderstream "${inventory[@]:1}"
  kills=0 left=$round
  while true; do
    while [ "$left" -gt 0 ]; do
      kill_in_the_middle "$output" "${inventory[@]}"
      if [ "$ended" -eq 137 ]; then kills=$((kills + 1)) left=$((left - 1)); else produce; fi
    done
    (cd "$WORK" && "${inventory[@]}") >"$WORK/inventory.json" 2>"$WORK/stderr.txt" </dev/null || {
      END_REASON="inventory: $(first_error)"
      die "$END_REASON"
    }
    audit "$output"
    if has_shown "$guarantee" || [ "$kills" -ge "$most" ]; then break; fi
    produce
    left=$round
  done
  orders=$(json "$WORK/audit.json" orders) items=$(json "$WORK/audit.json" items)
  printf '  killed %s times; audit of %s orders, %s items: lost %s, duplicated %s (exit %s)\n' \
    "$kills" "$orders" "$items" "$lost" "$duplicated" "$found"
  table="$table$(printf '%-14s %5s kills %8s items %8s lost %8s duplicated' "$guarantee" "$kills" "$items" "$lost" "$duplicated")
"
  case "$guarantee" in
    exactly-once)
      claim "$guarantee: nothing is lost" "$lost" -eq 0
      claim "$guarantee: nothing is there twice" "$duplicated" -eq 0
      claim "$guarantee: the audit says so (exit 0)" "$found" -eq 0
      ;;
    at-least-once)
      claim "$guarantee: nothing is lost" "$lost" -eq 0
      claim "$guarantee: events are there twice" "$duplicated" -gt 0
      claim "$guarantee: the audit says so (exit 1)" "$found" -eq 1
      ;;
    at-most-once)
      claim "$guarantee: events are lost" "$lost" -gt 0
      claim "$guarantee: nothing is there twice" "$duplicated" -eq 0
      claim "$guarantee: the audit says so (exit 1)" "$found" -eq 1
      ;;
  esac
  claim "$guarantee: no event is wrong, or of no order" "$others" -eq 0
  claim "$guarantee: the document names it" "$(json "$WORK/inventory.json" guarantee)" = "$guarantee"
done
printf '\n%s' "$table"
remove_traces
verdict contrast
