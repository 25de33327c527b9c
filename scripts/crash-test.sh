#!/usr/bin/env bash
# Kills real processes with SIGKILL at random moments (inventory and analytics as often as asked for, produce five
# times), restarts them, and proves that nothing was lost or doubled.
# Claims: every acknowledged event is on the log where its receipt says, as it was sent, and later runs make new orders;
# inventory is exactly-once (audit); the metrics are those that an independent program computes from the records.
#
#   scripts/crash-test.sh [--kills <n>] [--events <n>] [--seed <n>] [--junit <file>]
#                                        (defaults: 100 kills, 300000 events)
#   scripts/crash-test.sh --kills 10 --events 20000                     (the short form of .ci/run: below a minute)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# read_number <option> <value> <smallest>: sets $number to a value that the shell can count with, or ends the script.
read_number() {
  case "$2" in
    '' | *[!0-9]* | ???????????????????*) die "$1 needs a whole number of at most 18 digits, not '$2'" ;;
  esac
  number=$((10#$2))
  [ "$number" -ge "$3" ] || die "$1 needs a whole number from $3 on, not '$2'"
}

kills=100 events=300000 seed=$$
while [ $# -gt 0 ]; do
  case "$1" in
    --kills | --events | --seed)
      [ $# -ge 2 ] || die "$1 needs a whole number"
      case "$1" in
        --kills) read_number "$1" "$2" 1 && kills=$number ;;
        --events) read_number "$1" "$2" 1 && events=$number ;;
        --seed) read_number "$1" "$2" 0 && seed=$number ;;
      esac
      shift 2
      ;;
    *) die "unknown option $1; see the head of this script" ;;
  esac
done
need_binary
RANDOM=$seed

topic="order-events-$RUN" output_topic="inventory-events-$RUN"
# The longest time that a process lives: enough for a few commits. A member of a Kafka group has to join first.
case "$BROKER" in
  embedded*) longest_ms=150 ;;
  *) longest_ms=2500 ;;
esac

# Sets $ms to a random time up to this one. Not for a $(…): a subshell has random numbers of its own, whatever the seed.
random_ms() { ms=$((1 + (RANDOM * 32768 + RANDOM) % $1)); }

seconds() { printf '%d.%03d\n' $(($1 / 1000)) $(($1 % 1000)); }

# start_and_kill <ms> <command …>: kills the command after that time; its exit code is in $ended, 137 when it was killed.
start_and_kill() {
  local delay=$1 process
  shift
  ended=0
  (cd "$WORK" && exec "$@") >"$WORK/stdout.txt" 2>"$WORK/stderr.txt" </dev/null &
  process=$!
  sleep "$(seconds "$delay")"
  kill -9 "$process" 2>/dev/null || true
  wait "$process" 2>/dev/null || ended=$?
  if [ "$ended" -ne 0 ] && [ "$ended" -ne 137 ]; then
    printf '  FAILED  exit code %s of a restart\n' "$ended"
    END_REASON="exit code $ended of a restart: $(first_error)"
    head -n 5 "$WORK/stderr.txt" | sed 's/^/          /'
    exit 1
  fi
}

# kill_until_done <name> <command …>: at least $kills kills; when the command gets done before that, there is more to do.
kill_until_done() {
  local name=$1 count=0 starts=0 longest=$longest_ms
  shift
  show "$@"
  while [ "$count" -lt "$kills" ]; do
    random_ms "$longest"
    start_and_kill "$ms" "$@"
    starts=$((starts + 1))
    if [ "$ended" -eq 137 ]; then
      count=$((count + 1))
    else
      # Too late: kill the next one sooner, and give it more to do.
      longest=$((longest > 30 ? longest * 9 / 10 : longest))
      (cd "$WORK" && "$ORDERSTREAM_BIN" produce -q --events 20000 --span 20m -t "$topic" --receipt orders.receipt) >/dev/null
    fi
  done
  printf '  killed  %s %s times in %s starts\n' "$name" "$count" "$starts"
}

printf 'seed %s, %s kills of inventory and of analytics, broker %s\n' "$seed" "$kills" "$BROKER"

heading 'produce: killed while it publishes'
run "$WORK/produce.json" orderstream produce --events "$events" --span 2h -t "$topic" --receipt "$WORK/orders.receipt" --json
claim "all $events events were acknowledged" "$(json "$WORK/produce.json" acknowledged)" -eq "$events"
acknowledged=$events
for _ in 1 2 3 4 5; do
  random_ms 1000
  start_and_kill $((1500 + ms)) \
    "$ORDERSTREAM_BIN" produce --events 1000000 --rate 5000/s --span 1h -q -t "$topic" --receipt orders.receipt
  acknowledged=$(receipt_records "$WORK/orders.receipt")
  orderstream tail -t "$topic" --raw >"$WORK/orders.jsonl"
  claim "of $acknowledged acknowledged events all are on the log" "$(lines "$WORK/orders.jsonl")" -ge "$acknowledged"
done
claim 'the receipts of killed runs have what was acknowledged, once a second' "$acknowledged" -gt "$events"
claim 'later runs made new orders: all order ids are distinct' \
  "$(distinct order_id "$WORK/orders.jsonl")" -eq "$(lines "$WORK/orders.jsonl")"

heading 'inventory: killed while it consumes'
inventory=("$ORDERSTREAM_BIN" inventory -q -t "$topic" --output-topic "$output_topic" -g "inventory-$RUN" --json)
kill_until_done inventory "${inventory[@]}"
run "$WORK/inventory.json" "${inventory[@]}"
run "$WORK/audit.json" orderstream audit -q -t "$topic" --output-topic "$output_topic" \
  --receipt "$WORK/orders.receipt" --json
for verdict_name in lost duplicated phantom wrong_action reordered wrong_partition; do
  claim "audit: $verdict_name is 0" "$(json "$WORK/audit.json" "$verdict_name")" -eq 0
done
claim_receipts "$WORK/audit.json" "$acknowledged" 0

heading 'analytics: killed while it consumes'
analytics=("$ORDERSTREAM_BIN" analytics -q -t "$topic" -g "analytics-$RUN")
kill_until_done analytics "${analytics[@]}"
run "$WORK/report.txt" "${analytics[@]}"
orderstream tail -t "$topic" --raw >"$WORK/orders.jsonl"
# The report again, from the records, by a program that shares no line with orderstream. Rounding by whole numbers.
awk '
  function hundredths(n) { return sprintf("%d.%02d", int(n / 100), n % 100) }
  function rounded(n, d) { return d ? int((2 * n + d) / (2 * d)) : 0 }
  {
    match($0, /"timestamp":"[0-9-]+T[0-9:]+/)
    minute = substr($0, RSTART + 13, 10) " " substr($0, RSTART + 24, 5)
    total++; orders[minute]++
    if ($0 ~ /"status":"failed"/) { failed++; failures[minute]++ }
  }
  END {
    for (minute in orders) { count++; if (minute > newest) newest = minute }
    printf "Order metrics\n  Total orders               %d\n  Failed orders              %d\n", total, failed
    printf "  Failure rate               %s %%\n", hundredths(rounded(failed * 10000, total))
    printf "  Average orders per minute  %s\n", hundredths(rounded(total * 100, count))
    printf "  Current orders per minute  %d (%s)\n", orders[newest], newest
    printf "  Rejected records           0\n\nOrders by minute (UTC)\n"
    fflush()
    for (minute in orders) printf "  %s%8d%6d failed\n", minute, orders[minute], failures[minute] | "LC_ALL=C sort"
  }' "$WORK/orders.jsonl" >"$WORK/expected.txt"
claim_same 'the metrics are those of an independent computation' "$WORK/report.txt" "$WORK/expected.txt"
claim_same 'and so is the file' "$WORK/metrics_output.txt" "$WORK/expected.txt"

remove_traces
verdict 'crash-test'
