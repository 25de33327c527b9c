# shellcheck shell=bash
# What the scripts share. Sourced, never run. Afterwards:
#   ROOT      the repository
#   WORK      a temporary directory, removed at the end
#   RUN       a word that no other run has, for names of topics and groups
#   BROKER    ORDERSTREAM_BROKERS if set, else an embedded log in WORK (exported as ORDERSTREAM_BROKERS)
# --junit <file> is taken out of the script's arguments: see junit.sh.
set -euo pipefail
# With CDPATH, `cd` prints where it went.
unset CDPATH
source "$(dirname "${BASH_SOURCE[0]}")/homebrew.sh"

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=''
remove_work() { [ -z "$WORK" ] || rm -rf "$WORK"; }
trap remove_work EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# TMPDIR may be relative, and commands run in other directories.
if ! temporary=$(cd -- "${TMPDIR:-/tmp}" 2>/dev/null && pwd) ||
  ! WORK=$(mktemp -d "$temporary/orderstream.XXXXXX" 2>/dev/null); then
  printf 'error: cannot create a directory in %s (TMPDIR); make it writable, or unset TMPDIR\n' "${TMPDIR:-/tmp}" >&2
  exit 1
fi
[ -z "${TMPDIR:-}" ] || TMPDIR=$temporary
unset temporary
RUN="$(date +%Y%m%d%H%M%S)-$$"
FAILED_CLAIMS=0
CLAIMS=0

# The tool is run from WORK, so a relative path of the caller's is made absolute here.
absolute() {
  case "$1" in
    /* | '~'*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$PWD/$1" ;;
  esac
}

if [ -n "${ORDERSTREAM_BROKERS:-}" ]; then
  OWN_LOG=no
  case "$ORDERSTREAM_BROKERS" in
    embedded:?*) ORDERSTREAM_BROKERS="embedded:$(absolute "${ORDERSTREAM_BROKERS#embedded:}")" ;;
  esac
else
  OWN_LOG=yes
  ORDERSTREAM_BROKERS="embedded:$WORK/log"
fi
export ORDERSTREAM_BROKERS
BROKER=$ORDERSTREAM_BROKERS
if [ -n "${ORDERSTREAM_CONFIG:-}" ]; then
  ORDERSTREAM_CONFIG=$(absolute "$ORDERSTREAM_CONFIG")
  export ORDERSTREAM_CONFIG
fi
# Every script names its topics and groups itself.
unset ORDERSTREAM_TOPIC ORDERSTREAM_GROUP

die() {
  printf 'error: %s\n' "$*" >&2
  END_REASON=$*
  exit 1
}

# shellcheck source=scripts/junit.sh
source "$(dirname "${BASH_SOURCE[0]}")/junit.sh"

heading() { printf '\n== %s\n' "$*"; }

# Sets and exports ORDERSTREAM_BIN: the binary given, or a release build of this repository. Scripts that
# this one starts find it set and build nothing.
need_binary() {
  if [ -z "${ORDERSTREAM_BIN:-}" ]; then
    "$ROOT/scripts/bootstrap.sh"
    printf 'Building orderstream (release)\n' >&2
    swift build --package-path "$ROOT" -c release --product orderstream >&2
    ORDERSTREAM_BIN="$(swift build --package-path "$ROOT" -c release --show-bin-path)/orderstream"
  fi
  [ -x "$ORDERSTREAM_BIN" ] || die "no binary at $ORDERSTREAM_BIN; unset ORDERSTREAM_BIN to have it built"
  ORDERSTREAM_BIN=$(absolute "$ORDERSTREAM_BIN")
  export ORDERSTREAM_BIN
}

# Sets and exports BENCH: a release build of orderstream-bench, a package of its own. It is built among the products of
# this one, so that the libraries are compiled once for both.
need_bench() {
  "$ROOT/scripts/bootstrap.sh"
  printf 'Building orderstream-bench (release)\n' >&2
  local -a build=(swift build --package-path "$ROOT/Benchmarks" --scratch-path "$ROOT/.build" -c release)
  # With the same version of GRDB, so that it is fetched and compiled once too.
  [ ! "$ROOT/Package.resolved" -nt "$ROOT/Benchmarks/Package.resolved" ] || cp "$ROOT/Package.resolved" "$ROOT/Benchmarks/"
  "${build[@]}" --product orderstream-bench >&2
  BENCH="$("${build[@]}" --show-bin-path)/orderstream-bench"
  export BENCH
}

# The tool under its own name, so that what a script shows is what it runs.
orderstream() { "$ORDERSTREAM_BIN" "$@"; }

# A command as one could type it: words with white space in quotes.
show() {
  local word line='$'
  for word in "$@"; do
    case "$word" in
      *[[:space:]]*) line="$line '$word'" ;;
      *) line="$line $word" ;;
    esac
  done
  printf '%s\n' "$line"
}

# run <file> <command …>: in WORK, stdout to the file. An exit code other than 0 ends the script, with the beginning
# of what the command said.
run() {
  local output=$1 code=0
  shift
  show "$@"
  (cd "$WORK" && "$@") >"$output" 2>"$WORK/stderr.txt" </dev/null || code=$?
  [ "$code" -eq 0 ] && return
  printf '  FAILED  exit code 0 (was %s)\n' "$code"
  head -n 20 "$output" "$WORK/stderr.txt" | sed 's/^/          /'
  END_REASON="$*: exit code $code: $(first_error)"
  exit 1
}

# What the last command said of its failure.
first_error() { grep -m 1 '^error' "$WORK/stderr.txt" || tail -n 1 "$WORK/stderr.txt"; }

in_words() {
  case "$1" in
    -gt) echo 'more than ' ;;
    -ge) echo 'at least ' ;;
    -le) echo 'at most ' ;;
  esac
}

# claim <sentence> <actual> <operator of test> <expected>
claim() {
  CLAIMS=$((CLAIMS + 1))
  local found
  if test "$2" "$3" "$4" 2>/dev/null; then
    printf '  ok      %s\n' "$1"
    junit_case "$1"
  else
    FAILED_CLAIMS=$((FAILED_CLAIMS + 1))
    found="found ${2:-nothing}, expected $(in_words "$3")$4"
    printf '  FAILED  %s\n          %s\n' "$1" "$found"
    junit_case "$1" failure "$found"
  fi
}

# claim_same <sentence> <file> <file>: equal to the byte.
claim_same() {
  CLAIMS=$((CLAIMS + 1))
  local difference
  if difference=$(cmp "$2" "$3" 2>&1); then
    printf '  ok      %s\n' "$1"
    junit_case "$1"
  else
    FAILED_CLAIMS=$((FAILED_CLAIMS + 1))
    printf '  FAILED  %s\n          %s\n' "$1" "$difference"
    junit_case "$1" failure "$difference"
  fi
}

# The last line of a test, and its exit code.
verdict() {
  HAS_VERDICT=yes
  if [ "$FAILED_CLAIMS" -gt 0 ]; then
    printf '\n%s: FAILED (%s of %s claims are false)\n' "$1" "$FAILED_CLAIMS" "$CLAIMS"
    exit 1
  fi
  printf '\n%s: ok (%s claims)\n' "$1" "$CLAIMS"
}

# What stays on a broker that is not ours.
say_what_remains() {
  [ "$OWN_LOG" = no ] || return 0
  printf 'On %s remain the topics and groups whose names contain %s; orderstream delete removes them.\n' "$BROKER" "$RUN"
}

# Removes what is ours from a broker that is not. After a false claim it stays, to be looked at.
remove_traces() {
  [ "$OWN_LOG" = no ] || return 0
  if [ "$FAILED_CLAIMS" -gt 0 ]; then
    say_what_remains
    return 0
  fi
  local path name
  local -a ours=()
  orderstream status --json >"$WORK/status.json"
  while IFS=$'\t' read -r path name; do
    case $path:$name in
      topics.*.name:*"$RUN"*) ours+=(--topic "$name") ;;
      groups.*.group:*"$RUN"*) ours+=(--group "$name") ;;
    esac
  done < <(json_flat "$WORK/status.json")
  [ ${#ours[@]} -eq 0 ] || orderstream delete "${ours[@]}" --execute -q >"$WORK/delete.txt" || say_what_remains
}

# json_flat <file>: a JSON document as lines "path<TAB>value", one a scalar, so that a script needs no JSON tool on
# a fresh machine. Array elements are numbered from 0: samples.3.lag. Strings keep their escapes.
json_flat() {
  awk '
    { text = text $0 " " }
    END {
      depth = 0; want = "value"
      while (match(text, /^[ \t\r]*("([^"\\]|\\.)*"|[][{}:,]|[^][{}:, \t\r"]+)/)) {
        token = substr(text, 1, RLENGTH); text = substr(text, RLENGTH + 1); sub(/^[ \t\r]+/, "", token)
        if (token == "{") { depth++; kind[depth] = "object"; want = "key" }
        else if (token == "[") { depth++; kind[depth] = "array"; name[depth] = 0; want = "value" }
        else if (token == "}" || token == "]") depth--
        else if (token == ":") want = "value"
        else if (token == ",") {
          if (kind[depth] == "array") name[depth]++; else want = "key"
        } else {
          if (token ~ /^"/) token = substr(token, 2, length(token) - 2)
          if (want == "key") name[depth] = token
          else {
            path = ""
            for (level = 1; level <= depth; level++) path = path (level > 1 ? "." : "") name[level]
            print path "\t" token
          }
        }
      }
    }' "$1"
}

# json <file> <path>: one scalar of a document; nothing if it is not there.
# All of it is read: leaving early would end json_flat by SIGPIPE, and with it the script.
json() { json_flat "$1" | awk -F '\t' -v path="$2" '$1 == path && !found { print $2; found = 1 }'; }

# json_sum <file> <path of an object>: the sum of its numbers.
json_sum() {
  json_flat "$1" | awk -F '\t' -v prefix="$2." 'index($1, prefix) == 1 { sum += $2 } END { print sum + 0 }'
}

# receipt_records <file>: how many records the runs in a file of receipts have offsets for.
receipt_records() {
  awk '
    /^\{"schema":/ { run++ }
    # The last line of a chunk counts. One that was cut off has no end.
    /"chunk":/ && /\}$/ {
      split($0, word, /[:,]/)
      match($0, /"records":[0-9]+/)
      records[run "/" word[2] "/" word[4]] = substr($0, RSTART + 10, RLENGTH - 10)
    }
    END { for (chunk in records) sum += records[chunk]; print sum + 0 }' "$1"
}

# claim_receipts <document of audit> <acknowledged> <doubtful>: what was acknowledged, so many orders at the least, is on the
# log where the receipts say, as it was sent; so many may be there twice.
claim_receipts() {
  claim "the receipts have all $2 acknowledged orders" "$(json "$1" acknowledged)" -ge "$2"
  claim 'what was acknowledged is on the log, by the receipts: none is missing' "$(json "$1" acknowledged_missing)" -eq 0
  claim 'none is altered' "$(json "$1" acknowledged_altered)" -eq 0
  claim "and none is there twice, but for $3 that a producer had to send again" "$(json "$1" acknowledged_twice)" -le "$3"
}

# distinct <field> <file of JSON lines>: how many values a text field has.
distinct() {
  sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' "$2" | sort -u | wc -l | tr -d ' '
}

lines() { wc -l <"$1" | tr -d ' '; }
