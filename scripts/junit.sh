# shellcheck shell=bash
# The claims of a script as test cases in JUnit's XML, one file a script. Sourced by lib.sh, never run.
#   --junit <file>            of a script, or
#   ORDERSTREAM_JUNIT=<dir>   <dir>/<name of the script>.xml
# From its start to its end the file says that the script is not over, so that one that is killed leaves no green file.
JUNIT='' JUNIT_STARTED=$(date -u +%Y-%m-%dT%H:%M:%S)
JUNIT_WORDS=("$@")
JUNIT_NAME=$(basename "$0" .sh)
# Why the script ended before its verdict, and whether it has come to that.
END_REASON='' HAS_VERDICT=no

# Takes --junit out of what the script reads its own options from.
rest=()
while [ $# -gt 0 ]; do
  if [ "$1" = --junit ]; then
    [ $# -ge 2 ] || die '--junit needs a file'
    JUNIT=$(absolute "$2")
    shift
  else
    rest+=("$1")
  fi
  shift
done
set -- ${rest[@]+"${rest[@]}"}
unset rest
if [ -n "${ORDERSTREAM_JUNIT:-}" ]; then
  ORDERSTREAM_JUNIT=$(absolute "$ORDERSTREAM_JUNIT")
  export ORDERSTREAM_JUNIT
  JUNIT=${JUNIT:-$ORDERSTREAM_JUNIT/$JUNIT_NAME.xml}
fi

# Microseconds on the clock, in whole seconds where the shell has no better one.
microseconds() {
  local now=${EPOCHREALTIME:-}
  now=${now//[.,]/}
  printf '%s\n' "${now:-$(date +%s)000000}"
}
JUNIT_START=$(microseconds)
JUNIT_LAST=$JUNIT_START

# seconds_since <microseconds>
seconds_since() {
  local passed=$(($(microseconds) - $1))
  [ "$passed" -ge 0 ] || passed=0
  printf '%d.%03d\n' $((passed / 1000000)) $((passed / 1000 % 1000))
}

# xml <text>: for an attribute; what XML cannot hold is left out.
xml() {
  printf '%s' "$1" | tr '\t\n\r' '   ' | tr -d '\000-\037' |
    sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'
}

# junit_case <name> [failure|error <message>]: one more test case; its time is that since the one before. Names of topics
# and groups lose what no other run has, so that a case has the same name in each run.
junit_case() {
  [ -n "$JUNIT" ] || return 0
  printf '<testcase classname="scripts.%s" name="%s" time="%s"' "$(xml "$JUNIT_NAME")" "$(xml "${1//-$RUN/}")" \
    "$(seconds_since "$JUNIT_LAST")"
  if [ $# -eq 1 ]; then printf '/>\n'; else printf '>\n<%s message="%s"/>\n</testcase>\n' "$2" "$(xml "$3")"; fi
  JUNIT_LAST=$(microseconds)
} >>"$WORK/junit-cases.xml"

# Writes the file. The last case is whether the script has come to its end.
# junit_write [<why it has not>]
junit_write() {
  [ -n "$JUNIT" ] || return 0
  if [ $# -eq 0 ]; then junit_case 'the script comes to its end'; else junit_case 'the script comes to its end' error "$1"; fi
  local cases="$WORK/junit-cases.xml" head
  head="name=\"$(xml "$JUNIT_NAME")\" tests=\"$(grep -c '<testcase' "$cases")\" failures=\"$(grep -c '^<failure' "$cases" || true)\""
  head="$head errors=\"$(grep -c '^<error' "$cases" || true)\""
  {
    printf '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n<testsuite %s skipped="0" time="%s" timestamp="%s">\n' \
      "$head" "$(seconds_since "$JUNIT_START")" "$JUNIT_STARTED"
    printf '<properties>\n<property name="command" value="%s"/>\n' \
      "$(xml "$0${JUNIT_WORDS[*]:+ ${JUNIT_WORDS[*]}}")"
    printf '<property name="broker" value="%s"/>\n' "$(xml "$BROKER")"
    printf '<property name="version" value="%s"/>\n</properties>\n' \
      "$(xml "$(if [ -x "${ORDERSTREAM_BIN:-}" ]; then "$ORDERSTREAM_BIN" --version; fi)")"
    cat "$cases"
    printf '</testsuite>\n</testsuites>\n'
  } >"$JUNIT.$$.tmp" && mv -f "$JUNIT.$$.tmp" "$JUNIT"
}

# end <exit code>: what every script does last, however it ends.
end() {
  if [ "$HAS_VERDICT" = yes ]; then
    junit_write || true
  else
    junit_write "${END_REASON:-it ended with exit code $1}" || true
  fi
  remove_work
}

if [ -n "$JUNIT" ]; then
  mkdir -p "$(dirname "$JUNIT")" 2>/dev/null || true
  junit_write 'the script is not over: it goes on, or was killed' 2>/dev/null || {
    JUNIT=''
    die "cannot write the file of --junit or ORDERSTREAM_JUNIT; choose another one"
  }
  rm -f "$WORK/junit-cases.xml"
  JUNIT_LAST=$JUNIT_START
fi
trap 'end $?' EXIT
