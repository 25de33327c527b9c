#!/usr/bin/env bash
# How fast the canonical jobs are, beside plain alternatives in the same run, and whether the targets are met. On Kafka
# too, beside plain C, when ORDERSTREAM_BROKERS names a cluster. docs/performance.md explains the numbers.
#
#   scripts/bench.sh [options]        those of orderstream-bench: --quick, --ten-million, --json, …; --help has all
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_binary
need_bench

# Logs and files of the benchmark go into WORK, which is removed at the end.
cd "$WORK"
TMPDIR=$WORK "$BENCH" --binary "$ORDERSTREAM_BIN" "$@"
