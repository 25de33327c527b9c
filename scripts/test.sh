#!/usr/bin/env bash
# Installs what is missing, builds everything with warnings as errors, and runs all tests, those of the documentation and of install.sh too.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/homebrew.sh"
cd -- "$(dirname "${BASH_SOURCE[0]}")/.." >/dev/null

say_failed() { printf '\ntest: FAILED\n'; }
trap say_failed ERR

scripts/bootstrap.sh

if [ -n "${ORDERSTREAM_TEST_BROKERS:-}" ]; then
  printf 'ORDERSTREAM_TEST_BROKERS is %s\n' "$ORDERSTREAM_TEST_BROKERS"
else
  printf 'NOTE: ORDERSTREAM_TEST_BROKERS is not set: no test runs on a Kafka cluster, all run on the embedded log.\n'
fi

# SwiftPM gives -warnings-as-errors to this package and not to its dependencies. It has no such way for C and C++
# (-Xcc -Werror breaks SwiftPM 6.3 itself), so their warnings are found in the output; only a compile prints them.
mkdir -p .build
log=.build/test-build.log
printf '\n== Build\n'
swift build --build-tests -Xswiftc -warnings-as-errors 2>&1 | tee "$log"
if grep -F "$PWD/" "$log" | grep -F ': warning:' | grep -vF "$PWD/.build/"; then
  printf 'error: warnings in this package (above)\n' >&2
  say_failed
  exit 1
fi

printf '\n== Test\n'
swift test --skip-build

# With what was built, on an embedded log. What linking the Swift runtime in takes is left out: minutes.
printf '\n== Documentation and installation\n'
ORDERSTREAM_BIN="$(swift build --show-bin-path)/orderstream"
export ORDERSTREAM_BIN
env -u ORDERSTREAM_BROKERS scripts/docs-test.sh
env -u ORDERSTREAM_BROKERS scripts/test-install.sh
printf '\ntest: ok\n'
