#!/usr/bin/env bash
# Claims: a consumer slower than the producer falls behind, the log keeps what it has not read, and it catches up with
# nothing lost and nothing doubled.
#
#   scripts/test-consumer-lag.sh [--junit <file>]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_binary

document="$WORK/lag.json"

heading "Consumer lag: 500 events/s against 100 events/s on $BROKER"
run "$document" orderstream lag-demo --events 1000 --rate 500/s --consumer-delay 10ms --json
peak=$(json "$document" peak_lag)
last=$(json_flat "$document" | awk -F '\t' '$1 ~ /^samples\.[0-9]+\.lag$/ { lag = $2 } END { print lag }')

printf '\n  %10s  %8s  %8s  %6s\n' 'time' 'produced' 'consumed' 'lag'
json_flat "$document" | awk -F '\t' '
  $1 ~ /^samples\./ { split($1, part, "."); cell[part[2], part[3]] = $2; count = part[2] + 1 }
  END {
    step = int(count / 12) + 1
    for (i = 0; i < count; i++)
      if (i % step == 0 || i == count - 1)
        printf "  %7d ms  %8d  %8d  %6d\n", cell[i, "t_ms"], cell[i, "produced"], cell[i, "consumed"], cell[i, "lag"]
  }'
printf '\n'

claim 'all 1000 events were produced' "$(json "$document" produced)" -eq 1000
claim 'lag built up to more than 200 records' "$peak" -gt 200
claim 'lag drained: the last sample is 0' "$last" -eq 0
claim 'all 1000 events were consumed' "$(json "$document" consumed)" -eq 1000
claim 'none was lost' "$(json "$document" lost)" -eq 0
claim 'none was consumed twice' "$(json "$document" duplicated)" -eq 0
printf '  peak    %s records, drained in %s ms\n' "$peak" "$(json "$document" drain_ms)"

verdict 'test-consumer-lag'
