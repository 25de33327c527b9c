#!/usr/bin/env bash
# A failover drill: brokers of a cluster of three are killed at random moments, one or two at once, and come back, while
# orders are produced at a rate and two members each of inventory and analytics follow them.
# Claims: no follower ends; everything drains; every acknowledged order is on the log where its receipt says, as it was sent;
# inventory is exactly-once (audit); both members of analytics report what is on the log.
#
#   scripts/drill.sh [--rounds <n>] [--away <seconds>] [--rate <orders a second>] [--seed <n>] [--brokers <n>]
#                    [--break <command>] [--heal <command>] [--grow <command>] [--junit <file>]
#
# Defaults: 20 rounds of up to 15 s away each, 1000 orders/s, and the compose profile "cluster" (start it first):
#   --break 'docker compose --profile cluster kill -s KILL broker-{}'    {}: the number of a broker, 1 to --brokers (3)
#   --heal  'docker compose --profile cluster start broker-{}'
# --grow is run once, half-way, with the name of the orders' topic in the place of {}: a command that adds partitions.
# ORDERSTREAM_BROKERS (default localhost:29092,localhost:39092,localhost:49092) names the cluster.
set -euo pipefail
export ORDERSTREAM_BROKERS="${ORDERSTREAM_BROKERS:-localhost:29092,localhost:39092,localhost:49092}"
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# read_number <option> <value>: sets $number to a whole number from 1 on, or ends the script.
read_number() {
  case "$2" in
    '' | *[!0-9]* | ??????????*) die "$1 needs a whole number of at most 9 digits, not '$2'" ;;
  esac
  number=$((10#$2))
  [ "$number" -ge 1 ] || die "$1 needs a whole number from 1 on, not '$2'"
}

rounds=20 away=15 rate=1000 seed=$$ brokers=3 grow=''
# The braces stand for a number, and are nothing to the shell.
# shellcheck disable=SC1083
break='docker compose --profile cluster kill -s KILL broker-{}' heal='docker compose --profile cluster start broker-{}'
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || die "$1 needs a value; see the head of this script"
  case "$1" in
    --rounds) read_number "$1" "$2" && rounds=$number ;;
    --away) read_number "$1" "$2" && away=$number ;;
    --rate) read_number "$1" "$2" && rate=$number ;;
    --seed) read_number "$1" "$2" && seed=$number ;;
    --brokers) read_number "$1" "$2" && brokers=$number ;;
    --break) break=$2 ;;
    --heal) heal=$2 ;;
    --grow) grow=$2 ;;
    *) die "unknown option $1; see the head of this script" ;;
  esac
  shift 2
done
case "$BROKER" in
  embedded*) die 'an embedded log has no brokers; name a cluster with ORDERSTREAM_BROKERS' ;;
esac
need_binary
RANDOM=$seed

topic="order-events-$RUN" output_topic="inventory-events-$RUN"
followers=() broken=''

# Whatever happens, brokers are healed and processes ended.
clean_up() {
  local code=$? number process
  for process in "${followers[@]}"; do kill -9 "$process" 2>/dev/null || true; done
  if [ -n "${producer:-}" ]; then end_producer; fi
  for number in $broken; do act "$heal" "$number" || true; done
  end "$code"
}
trap clean_up EXIT

# Asks the producer to end, and waits for what it has to say.
end_producer() {
  kill -TERM "$producer" 2>/dev/null || true
  while kill -0 "$producer" 2>/dev/null; do wait "$producer" || true; done
  producer=''
}

# act <command> <what stands for {}>
act() { bash -c "${1//'{}'/$2}" >>"$WORK/actions.txt" 2>&1 </dev/null; }

# follow <name> <command …>: starts a follower in a directory of its own; its document lines go to <name>.json.
follow() {
  local name=$1
  shift
  show "$@"
  mkdir "$WORK/$name.d"
  (cd "$WORK/$name.d" && exec "$@") >"$WORK/$name.json" 2>"$WORK/$name.txt" </dev/null &
  followers+=($!)
  names+=("$name")
}
names=()

# Produces until it is told to end. A run that fails has lost the cluster for longer than a record may wait; another takes
# its place. Each leaves a document, and its receipt behind those of the others.
produce_on() {
  local run=0 process=''
  trap '[ -z "$process" ] || kill -INT "$process" 2>/dev/null || true; ended=yes' TERM
  ended=no
  while [ "$ended" = no ]; do
    run=$((run + 1))
    (cd "$WORK" && exec "$ORDERSTREAM_BIN" produce -t "$topic" --events 1000000000 --rate "$rate/s" --json \
      --receipt orders.receipt -X message.timeout.ms=120000) >"$WORK/produce-$run.json" 2>>"$WORK/produce.txt" </dev/null &
    process=$!
    while kill -0 "$process" 2>/dev/null; do wait "$process" || true; done
  done
}

# alive: how many followers have not ended.
alive() {
  local process count=0
  for process in "${followers[@]}"; do if kill -0 "$process" 2>/dev/null; then count=$((count + 1)); fi; done
  printf '%s\n' "$count"
}

# lag <group>: of the whole group; nothing while it cannot be told.
lag() {
  orderstream status -q -t "$topic" -g "$1" --json >"$WORK/status.json" 2>/dev/null || return 0
  json "$WORK/status.json" groups.0.lag
}

# drain <group>: waits until its lag is 0, or three minutes; sets $left.
drain() {
  local deadline=$((SECONDS + 180))
  while left=$(lag "$1"); [ "$left" != 0 ] && [ "$SECONDS" -lt "$deadline" ]; do sleep 1; done
}

# sum <key>: over the documents of all runs of produce.
sum() {
  local file value total=0
  for file in "$WORK"/produce-*.json; do
    value=$(json "$file" "$1")
    total=$((total + ${value:-0}))
  done
  printf '%s\n' "$total"
}

printf 'seed %s, %s rounds of up to %s s, broker %s\n' "$seed" "$rounds" "$away" "$BROKER"

heading 'Followers and a producer'
for member in 1 2; do
  follow "inventory-$member" "$ORDERSTREAM_BIN" inventory --follow -t "$topic" --output-topic "$output_topic" \
    -g "inventory-$RUN" --json
  follow "analytics-$member" "$ORDERSTREAM_BIN" analytics --follow -t "$topic" -g "analytics-$RUN" --json
done
show "$ORDERSTREAM_BIN" produce -t "$topic" --rate "$rate/s" --receipt orders.receipt
produce_on &
producer=$!
sleep 10

heading 'Brokers are killed and come back'
for round in $(seq 1 "$rounds"); do
  first=$((1 + RANDOM % brokers)) seconds=$((1 + RANDOM % away))
  chosen=$first
  # Every third time another one along with it.
  if [ $((RANDOM % 3)) -eq 0 ] && [ "$brokers" -gt 1 ]; then
    chosen="$first $((1 + (first + RANDOM % (brokers - 1)) % brokers))"
  fi
  for number in $chosen; do
    broken="$broken $number"
    act "$break" "$number" || die "the command that breaks a broker failed: $(tail -n 1 "$WORK/actions.txt")"
  done
  sleep "$seconds"
  for number in $chosen; do
    act "$heal" "$number" || die "the command that heals a broker failed: $(tail -n 1 "$WORK/actions.txt")"
  done
  broken=''
  printf '  round %-3s broker %-4s away for %2s s, %s of %s followers there\n' "$round" "${chosen// /,}" "$seconds" "$(alive)" \
    "${#followers[@]}"
  if [ -n "$grow" ] && [ "$round" -eq $(((rounds + 1) / 2)) ]; then
    act "$grow" "$topic" || die "the command that adds partitions failed: $(tail -n 1 "$WORK/actions.txt")"
    printf '  partitions were added\n'
  fi
  sleep $((2 + RANDOM % 6))
done

heading 'The end'
end_producer
for group in inventory analytics; do
  drain "$group-$RUN"
  claim "the lag of $group is 0" "${left:-unknown}" = 0
done
claim 'no follower has ended' "$(alive)" -eq "${#followers[@]}"
for index in "${!followers[@]}"; do
  kill -INT "${followers[$index]}" 2>/dev/null || true
  code=0
  wait "${followers[$index]}" || code=$?
  claim "${names[$index]} ends with 0 when it is asked to" "$code" -eq 0
  [ "$code" -eq 0 ] || grep '^error' "$WORK/${names[$index]}.txt" | sed 's/^/          /' || true
done
followers=()

code=0
orderstream audit -q -t "$topic" --output-topic "$output_topic" --receipt "$WORK/orders.receipt" --json \
  >"$WORK/audit.json" 2>"$WORK/stderr.txt" || code=$?
for verdict_name in lost duplicated phantom wrong_action reordered wrong_partition; do
  claim "audit: $verdict_name is 0" "$(json "$WORK/audit.json" "$verdict_name")" -eq 0
done
acknowledged=$(sum acknowledged) failed=$(sum failed_deliveries) doubtful=$(sum possibly_duplicated)
claim_receipts "$WORK/audit.json" "$acknowledged" "$doubtful"
# What a producer that failed sent again may be there twice, which the audit does not forgive.
[ "$doubtful" -gt 0 ] || claim 'audit exits with 0' "$code" -eq 0
orders=$(json "$WORK/audit.json" orders)
claim "all $acknowledged acknowledged orders are on the log" "$orders" -ge "$acknowledged"
claim "and no others but the $((failed + doubtful)) whose fate the producer does not know" "$orders" -le $((acknowledged + failed + doubtful))
for member in 1 2; do
  tail -n 1 "$WORK/analytics-$member.json" >"$WORK/last.json"
  claim "member $member of analytics reports them all" "$(json "$WORK/last.json" total_orders)" -eq "$orders"
done
grep -h '^warning' "$WORK"/inventory-*.txt "$WORK"/analytics-*.txt | sed -E 's/[0-9]+/n/g' | sort | uniq -c | sort -rn |
  head -n 12 | sed 's/^/  said /' || true

remove_traces
verdict 'drill'
