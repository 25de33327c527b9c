#!/usr/bin/env bash
# The whole workflow: the producer, consumer lag and replay tests, then analytics and inventory on one topic.
# Stops at the first test that fails.
# With ORDERSTREAM_JUNIT=<directory> each of the four has a file of test cases there.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_binary

topic="order-events-$RUN"
output_topic="inventory-events-$RUN"

for test in test-producer test-consumer-lag test-replay; do
  (
    # Without a broker of the caller's each test has an embedded log of its own.
    [ "$OWN_LOG" = no ] || unset ORDERSTREAM_BROKERS
    "$ROOT/scripts/$test.sh"
  )
done

analytics() { # document, further options
  local document=$1
  shift
  run "$document" orderstream analytics -t "$topic" -g "analytics-$RUN" --json "$@"
}

inventory() { # document
  run "$1" orderstream inventory -t "$topic" --output-topic "$output_topic" -g "inventory-$RUN" --json
}

heading "Analytics: a restarted group goes on where it stopped, on $BROKER"
run "$WORK/produce.json" orderstream produce --events 10000 -t "$topic" --json
analytics "$WORK/first.json"
claim 'the metrics cover 10 000 orders' "$(json "$WORK/first.json" total_orders)" -eq 10000
claim 'the minutes add up to 10 000' "$(json_sum "$WORK/first.json" orders_by_minute)" -eq 10000
claim 'failed orders are those of the producer' \
  "$(json "$WORK/first.json" failed_orders)" -eq "$(json "$WORK/produce.json" failed_orders)"
run "$WORK/produce.json" orderstream produce --events 500 -t "$topic" --json
analytics "$WORK/second.json"
claim 'the second run processed the 500 new records only' "$(json "$WORK/second.json" processed)" -eq 500
claim 'the metrics cover 10 500 orders' "$(json "$WORK/second.json" total_orders)" -eq 10500
cp "$WORK/metrics_output.txt" "$WORK/metrics_before_reset.txt"
run "$WORK/stdout.txt" orderstream analytics -t "$topic" -g "analytics-$RUN" --reset-offsets
claim_same 'recomputed from the first record: the same file' "$WORK/metrics_before_reset.txt" "$WORK/metrics_output.txt"
claim_same 'metrics_output.txt is what stdout had' "$WORK/stdout.txt" "$WORK/metrics_output.txt"

heading "Inventory: one event an item, exactly once, on $BROKER"
inventory "$WORK/inventory.json"
items=$(json "$WORK/inventory.json" items)
reserved=$(json "$WORK/inventory.json" reserved)
released=$(json "$WORK/inventory.json" released)
claim 'all 10 500 orders were processed' "$(json "$WORK/inventory.json" orders)" -eq 10500
claim 'items = reserved + released' "$items" -eq "$((reserved + released))"
run "$WORK/inventory.jsonl" orderstream tail -t "$output_topic" --raw
claim "$output_topic has one record an item" "$(lines "$WORK/inventory.jsonl")" -eq "$items"
claim 'reserve events are the reserved items' \
  "$(grep -c '"action":"reserve"' "$WORK/inventory.jsonl" || true)" -eq "$reserved"
inventory "$WORK/again.json"
claim 'a second run has nothing to do' "$(json "$WORK/again.json" orders)" -eq 0
run "$WORK/inventory.jsonl" orderstream tail -t "$output_topic" --raw
claim 'and adds no record' "$(lines "$WORK/inventory.jsonl")" -eq "$items"

heading "Audit: what was claimed, proved from the two topics alone, on $BROKER"
run "$WORK/audit.json" orderstream audit -t "$topic" --output-topic "$output_topic" --json
for verdict_name in lost duplicated phantom wrong_action reordered wrong_partition; do
  claim "audit: $verdict_name is 0" "$(json "$WORK/audit.json" "$verdict_name")" -eq 0
done

heading 'Status: every group has read everything'
for group in analytics inventory; do
  run "$WORK/status.json" orderstream status -g "$group-$RUN" --json
  claim "lag of $group-$RUN is 0" "$(json "$WORK/status.json" groups.0.lag)" -eq 0
done

remove_traces
verdict 'workflow'
