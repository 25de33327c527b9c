#!/usr/bin/env bash
# Installs, builds, and shows the whole workflow on an embedded log of its own, which is removed at the end.
# With ORDERSTREAM_BROKERS set it runs there, on topics and groups of its own.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_binary

# On a log of our own the default names do. Elsewhere they may be somebody's.
on_orders=() as_analytics=() as_inventory=() to_output=() from_output=(-t inventory-events) analytics=analytics
if [ "$OWN_LOG" = no ]; then
  on_orders=(-t "order-events-$RUN")
  analytics="analytics-$RUN"
  as_analytics=(-g "$analytics")
  as_inventory=(-g "inventory-$RUN")
  to_output=(--output-topic "inventory-events-$RUN")
  from_output=(-t "inventory-events-$RUN")
fi

step() { # title, command …
  heading "$1"
  shift
  show "$@"
  (cd "$WORK" && "$@" </dev/null) || die "$* ended with exit code $?"
}

notice() { printf -- '-> %s\n' "$*"; }

cat <<TEXT

orderstream: the workflow on $BROKER

      produce                       inventory
  orders ---> topic order-events --+--> topic inventory-events
                                   |
                                   +--> metrics_output.txt
                                    analytics
TEXT

# bash before 4.4 takes an empty array for an unset one, hence \${name[@]+...}.
step 'Publish 10 000 orders' \
  orderstream produce --events 10000 --span 7m ${on_orders[@]+"${on_orders[@]}"}
notice 'Each event was acknowledged: it is on the log, and would survive a crash.'

step 'Compute metrics' \
  orderstream analytics ${on_orders[@]+"${on_orders[@]}"} ${as_analytics[@]+"${as_analytics[@]}"}
notice "The consumer group \"$analytics\" read to the end of every partition, committed its offsets and left."

step 'Emit inventory events' \
  orderstream inventory ${on_orders[@]+"${on_orders[@]}"} ${as_inventory[@]+"${as_inventory[@]}"} \
  ${to_output[@]+"${to_output[@]}"}
notice 'Another group, so it saw the same 10 000 orders: groups do not take records from each other.'

step 'One inventory event' \
  orderstream tail --max-events 1 "${from_output[@]}"
notice 'The header "source" names the order that it comes from: topic/partition/offset/line.'

step 'Prove that it was exactly once' \
  orderstream audit ${on_orders[@]+"${on_orders[@]}"} ${to_output[@]+"${to_output[@]}"}
notice 'Every item of every order has exactly one inventory event, and no event is without an order.'

step 'Publish 500 more orders' \
  orderstream produce --events 500 ${on_orders[@]+"${on_orders[@]}"}

step 'Go on where the group stopped' \
  orderstream analytics ${on_orders[@]+"${on_orders[@]}"} ${as_analytics[@]+"${as_analytics[@]}"}
notice 'Only the 500 new records were read; the totals cover all 10 500, because state is committed with the offsets.'

step 'Replay' \
  orderstream replay ${on_orders[@]+"${on_orders[@]}"}
notice 'Metrics computed twice from the first record on: the same bytes.'

step 'Lag: a producer faster than its consumer' \
  orderstream lag-demo --events 600 --rate 600/s --consumer-delay 5ms
notice 'The log kept what the consumer had not read yet. Nothing was lost, nothing was consumed twice.'

step 'What is on the log, and who has read how far' \
  orderstream status ${as_analytics[@]+"${as_analytics[@]}"}
notice "Lag of \"$analytics\" is 0: it has committed the end of every partition. The group of inventory has not run since: its lag is 500."

say_what_remains
printf '\nThat was the whole workflow. To go on yourself:\n  %s help\n' "$ORDERSTREAM_BIN"
