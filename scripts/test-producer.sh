#!/usr/bin/env bash
# Claims: 10 000 events are published, each acknowledged once, each an order of its own; a later run makes new orders.
#
#   scripts/test-producer.sh [--junit <file>]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_binary

topic="order-events-$RUN"

heading "Producer: 10 000 events on $BROKER"
run "$WORK/produce.json" orderstream produce --events 10000 -t "$topic" --json
claim 'all 10 000 events were acknowledged' "$(json "$WORK/produce.json" acknowledged)" -eq 10000
claim 'no delivery failed' "$(json "$WORK/produce.json" failed_deliveries)" -eq 0
claim 'no event was sent twice' "$(json "$WORK/produce.json" possibly_duplicated)" -eq 0
claim 'the partitions hold 10 000 records' "$(json_sum "$WORK/produce.json" partitions)" -eq 10000
claim 'about 5 % of the orders failed: at least 3 %' "$(json "$WORK/produce.json" failed_orders)" -ge 300
claim 'about 5 % of the orders failed: at most 7 %' "$(json "$WORK/produce.json" failed_orders)" -le 700
printf '  rate    %s events/s\n' "$(json "$WORK/produce.json" events_per_second)"

heading 'What is on the log'
run "$WORK/orders.jsonl" orderstream tail -t "$topic" --raw
claim 'the topic has 10 000 records' "$(lines "$WORK/orders.jsonl")" -eq 10000
claim 'with 10 000 distinct order ids' "$(distinct order_id "$WORK/orders.jsonl")" -eq 10000

heading 'A later run makes new orders'
run "$WORK/later.json" orderstream produce --events 500 -t "$topic" --json
claim 'all 500 events were acknowledged' "$(json "$WORK/later.json" acknowledged)" -eq 500
run "$WORK/orders.jsonl" orderstream tail -t "$topic" --raw
claim 'the topic has 10 500 distinct order ids' "$(distinct order_id "$WORK/orders.jsonl")" -eq 10500

remove_traces
verdict 'test-producer'
