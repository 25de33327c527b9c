#!/usr/bin/env bash
# Claims: the metrics computed again from the first record are the same, to the byte.
#
#   scripts/test-replay.sh [--junit <file>]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_binary

topic="order-events-$RUN"
document="$WORK/replay.json"

heading "Replay: the same 5000 orders twice on $BROKER"
run "$WORK/produce.json" orderstream produce --events 5000 -t "$topic" --json
claim 'all 5000 events were acknowledged' "$(json "$WORK/produce.json" acknowledged)" -eq 5000
run "$document" orderstream replay -t "$topic" --json
claim 'replay says that they match' "$(json "$document" match)" = true
claim 'it names no difference' "$(json "$document" first_difference)" = null
claim 'the first pass counted 5000 orders' "$(json "$document" initial.total_orders)" -eq 5000
claim 'the replay counted 5000 orders' "$(json "$document" replay.total_orders)" -eq 5000
claim_same 'metrics_initial.txt and metrics_after_replay.txt are the same bytes' \
  "$WORK/metrics_initial.txt" "$WORK/metrics_after_replay.txt"
printf '\n'
sed 's/^/  /' "$WORK/metrics_after_replay.txt" || true

remove_traces
verdict 'test-replay'
