#!/usr/bin/env bash
# Claims: what README.md and docs/*.md show is what happens. Each of these files is followed from its first line to its
# last in a directory that was empty, with a home that was empty:
#
#   ```console   the lines behind "$ " are run ("> " goes on with the one before), and print what is shown below them,
#                stdout and stderr; each exits with 0, unless the next one is `echo $?`
#   ```sh        the block is run as it stands, and every command of it exits with 0
#   `orderstream …` in the text: the command and its options exist
#
# In what is shown "…" stands for any text, alone on a line for any lines, and `normal` below has what differs from run to
# run. HTML comments before a block say: <!-- not run: <reason> -->, and <!-- fresh directory --> where another one begins.
#
#   scripts/docs-test.sh [file …]            (default: README.md and docs/*.md)
#
# On a Kafka cluster (ORDERSTREAM_BROKERS) outputs and default names are others': there only the sh blocks behind
# <!-- also on Kafka --> are run.

# A process of its own runs what the documents say: nothing of this script's is in its way.
#   docs-test.sh --session <directory> <steps …>: leaves <step>.out and <step>.code, or <step>.failed with line and code.
if [ "${1:-}" = --session ]; then
  session_steps=$2 session_code=0
  shift 2
  # shellcheck disable=SC1090  # the blocks of a document
  for session_step in "$@"; do
    session_step=$session_steps/$session_step
    if [ -e "$session_step.command" ]; then
      session_command=$(cat "$session_step.command")
      # The exit code of the command before, for one that asks.
      (exit "$session_code")
      eval "$session_command" >"$session_step.out" 2>&1 </dev/null
      session_code=$?
    else
      trap 'echo "$LINENO $?" >"$session_step.failed"' ERR
      set -eE
      . "$session_step.block" >"$session_step.out" 2>&1 </dev/null
      set +eE
      trap - ERR
      session_code=0
    fi
    echo "$session_code" >"$session_step.code"
  done
  exit 0
fi

set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

documents=()
for document in "$@"; do documents+=("$(absolute "$document")"); done
[ $# -gt 0 ] || documents=("$ROOT/README.md" "$ROOT"/docs/*.md)
need_binary

# What differs from run to run, in both texts.
normal() {
  sed -E \
    -e 's/"timestamp_ms":[0-9]+/"timestamp_ms":N/g' \
    -e 's/"(elapsed_ms|active_ms|events_per_second|peak_lag|drain_ms)":[0-9.]+/"\1":N/g' \
    -e 's/(Events per second|Peak lag) +[0-9]+/\1 N/' \
    -e 's/(Time to drain) +[0-9.]+ (s|ms)/\1 N s/' \
    -e 's/lag-demo-[0-9a-z]+/lag-demo-NAME/g' "$1"
}

# blocks <document> <directory>: writes each step into files there, and prints a line a step:
# step; "command", "block" or "skipped"; line of the document; marks, "fresh" and "kafka" among them; the command or the reason.
blocks() {
  awk -v directory="$2" '
    function put(kind, what) {
      step = sprintf("%03d", ++steps)
      printf "%s\t%s\t%d\t%s\t%s\n", step, kind, kind == "command" ? NR : opened, marks, what
      marks = "-"
    }
    BEGIN { marks = "-" }
    language == "" && /^```/ {
      language = substr($0, 4); opened = NR
      if (language == "") language = "text"
      if (language == "bash") language = "sh"
      continues = 0; step = ""
      if (reason != "" && (language == "console" || language == "sh")) { put("skipped", reason); language = "text" }
      else if (language == "sh") { put("block", "the commands"); printf "" >(directory "/" step ".block") }
      reason = ""
      next
    }
    language != "" && /^```$/ { language = ""; next }
    language == "sh" { print >(directory "/" step ".block"); next }
    language == "console" && /^\$ / {
      put("command", substr($0, 3))
      print substr($0, 3) >(directory "/" step ".command")
      printf "" >(directory "/" step ".shown")
      continues = 1
      next
    }
    language == "console" && continues && /^> / { print substr($0, 3) >(directory "/" step ".command"); next }
    language == "console" && step != "" { continues = 0; print >(directory "/" step ".shown"); next }
    language == "" && match($0, /^<!-- not run: .* -->$/) { reason = substr($0, 15, RLENGTH - 18); next }
    language == "" && $0 == "<!-- fresh directory -->" { marks = marks "fresh"; next }
    language == "" && $0 == "<!-- also on Kafka -->" { marks = marks "kafka"; next }
    language == "" && NF { reason = "" }' "$1"
}

# first_difference <shown> <found>: nothing where they agree, else the number of the shown line, it and the found one.
first_difference() {
  normal "$1" >"$WORK/shown.txt"
  normal "$2" >"$WORK/found.txt"
  awk '
    # Whether a line is this pattern, in which "…" is any text.
    function same(pattern, text,   part, count, i, at, last) {
      count = split(pattern, part, "…")
      if (count <= 1) return pattern == text
      if (substr(text, 1, length(part[1])) != part[1]) return 0
      text = substr(text, length(part[1]) + 1)
      for (i = 2; i < count; i++) {
        at = index(text, part[i])
        if (!at) return 0
        text = substr(text, at + length(part[i]))
      }
      last = part[count]
      return length(text) >= length(last) && substr(text, length(text) - length(last) + 1) == last
    }
    FILENAME == ARGV[1] { shown[++shown_count] = $0; next }
    { found[++found_count] = $0 }
    # From the first line on: which found lines may come next, after so many shown ones.
    END {
      first = last = 1
      next_may_be[1] = 1
      for (s = 1; s <= shown_count; s++) {
        if (shown[s] ~ /^ *…$/) {
          last = found_count + 1
          for (f = first; f <= last; f++) next_may_be[f] = 1
          continue
        }
        matches = 0
        for (f = last; f >= first; f--) {
          next_may_be[f + 1] = next_may_be[f] && f <= found_count && same(shown[s], found[f])
          if (next_may_be[f + 1]) { first_match = f + 1; if (!matches++) last_match = f + 1 }
        }
        if (!matches) break
        next_may_be[first] = 0
        first = first_match; last = last_match
      }
      if (s > shown_count && next_may_be[found_count + 1]) exit
      print s
      print s <= shown_count ? shown[s] : "nothing more"
      print first <= found_count ? found[first] : "nothing more"
    }' "$WORK/shown.txt" "$WORK/found.txt"
}

# differs <document:line> <sentence> <expected> <found>
differs() {
  CLAIMS=$((CLAIMS + 1)) FAILED_CLAIMS=$((FAILED_CLAIMS + 1))
  printf '  FAILED  %s: %s\n          expected  %s\n          found     %s\n' "$1" "$2" "$3" "$4"
}

holds() {
  CLAIMS=$((CLAIMS + 1))
  printf '  ok      %s\n' "$1"
}

# The commands named in the text: each is asked for its help, behind the options that are named.
named_commands() { # document
  local number command code count=0 failed=$FAILED_CLAIMS
  while IFS=$'\t' read -r number command; do
    code=0
    # Placeholders such as <name> are words too; quotes and pipes are left to the blocks.
    # shellcheck disable=SC2086
    (set -f && cd "$WORK" && orderstream ${command#orderstream} --help) >"$WORK/help.txt" 2>&1 || code=$?
    [ "$code" -eq 0 ] || differs "$name:$number" "$command" "a command and options that exist" "$(head -n 1 "$WORK/help.txt")"
    count=$((count + 1))
  done < <(awk '
    /^```/ { fenced = !fenced }
    !fenced {
      line = $0
      while (match(line, /`orderstream [^`]*`/)) {
        command = substr(line, RSTART + 1, RLENGTH - 2)
        if (command !~ /[|;&"\047…]/) printf "%d\t%s\n", NR, command
        line = substr(line, RSTART + RLENGTH)
      }
    }' "$1")
  [ "$count" -eq 0 ] || [ "$FAILED_CLAIMS" -gt "$failed" ] || holds "$name: $count commands named in the text, and their options, exist"
}

mkdir "$WORK/bin"
ln -s "$ORDERSTREAM_BIN" "$WORK/bin/orderstream"

# follow <steps …>: runs the steps of one session in an empty directory, for at most LONGEST seconds. What they have
# left running is ended.
LONGEST=100
clean_up() {
  local code=$? group
  while read -r group; do kill -KILL -- "-$group" 2>/dev/null || true; done <"$WORK/groups.txt"
  end "$code"
}
printf '' >"$WORK/groups.txt"
trap clean_up EXIT
follow() {
  local place process watchdog
  place=$(mktemp -d "$WORK/place.XXXXXX")
  mkdir "$place/home" "$place/here"
  # With job control each of the two is a process group, which can be ended as a whole.
  set -m
  (
    unset XDG_DATA_HOME ORDERSTREAM_BIN ORDERSTREAM_LOG_LEVEL ORDERSTREAM_COLOR
    [ "$OWN_LOG" = no ] || unset ORDERSTREAM_BROKERS
    cd "$place/here"
    exec env HOME="$place/home" TMPDIR="$place" PATH="$WORK/bin:$PATH" ORDERSTREAM_PROGRESS=none \
      bash "$ROOT/scripts/docs-test.sh" --session "$steps" "$@"
  ) </dev/null 2>>"$WORK/shell.txt" &
  process=$!
  (sleep "$LONGEST" && kill -KILL -- "-$process") >/dev/null 2>&1 &
  watchdog=$!
  set +m
  printf '%s\n' "$process" "$watchdog" >>"$WORK/groups.txt"
  wait "$process" || true
  kill -KILL -- "-$watchdog" "-$process" 2>/dev/null || true
  wait "$watchdog" 2>/dev/null || true
}

# judge <step> <kind> <line> <what>: whether what happened is what is shown.
judge() {
  local code='' line=$3 difference found='the shell has ended'
  local step=$steps/$1
  [ ! -e "$step.code" ] || code=$(cat "$step.code")
  if [ "$2" = block ]; then
    if [ -n "$code" ]; then
      holds "$name:$line: the commands"
    else
      if [ -s "$step.failed" ]; then
        read -r line code <"$step.failed"
        line=$((line + $3)) found="exit code $code"
      fi
      differs "$name:$line" "$(sed -n "${line}p" "$document")" 'exit code 0' "$found"
      [ ! -e "$step.out" ] || tail -n 5 "$step.out" | sed 's/^/          /'
    fi
  elif [ -z "$code" ]; then
    differs "$name:$line" "$4" 'an exit code' "$found"
  else
    difference=$(first_difference "$step.shown" "$step.out")
    if [ -n "$difference" ]; then
      line=$((line + $(wc -l <"$step.command") - 1 + ${difference%%$'\n'*}))
      differs "$name:$line" "$4" "$(sed -n 2p <<<"$difference")" "$(sed -n 3p <<<"$difference")"
    elif [ "$code" -ne 0 ] && [ "$next_command" != 'echo $?' ]; then
      differs "$name:$line" "$4" 'exit code 0' "exit code $code"
    else
      holds "$name:$line: $4"
    fi
  fi
}

# is_run <kind> <marks>: whether a step is run here.
is_run() {
  case $1:$OWN_LOG:$2 in
    skipped:*) return 1 ;;
    *:yes:* | block:no:*kafka*) ;;
    *) return 1 ;;
  esac
}

# follow_session <file with lines of blocks>
follow_session() {
  local step kind line marks what
  local -a session=()
  while IFS=$'\t' read -r step kind line marks what; do
    ! is_run "$kind" "$marks" || session+=("$step")
  done <"$1"
  [ ${#session[@]} -eq 0 ] || follow "${session[@]}"
}

# judge_session <the same file>: up to the first difference.
judge_session() {
  local step kind line marks what index failed=$FAILED_CLAIMS
  local -a session=() kinds=() lines=() whats=()
  while IFS=$'\t' read -r step kind line marks what; do
    if is_run "$kind" "$marks"; then
      session+=("$step") kinds+=("$kind") lines+=("$line") whats+=("$what")
    elif [ "$kind" = skipped ]; then
      printf '  skipped %s:%s: %s\n' "$name" "$line" "$what"
      skipped=$((skipped + 1))
    fi
  done <"$1"
  for index in ${session[@]+"${!session[@]}"}; do
    next_command=${whats[$((index + 1))]:-}
    judge "${session[$index]}" "${kinds[$index]}" "${lines[$index]}" "${whats[$index]}"
    [ "$FAILED_CLAIMS" -eq "$failed" ] || break
  done
}

# All sessions at once: most of their time is waiting.
steps_of() { printf '%s/steps.%s' "$WORK" "$(tr -c 'A-Za-z0-9\n' _ <<<"$1")"; }
for document in "${documents[@]}"; do
  steps=$(steps_of "$document")
  mkdir "$steps"
  # One file a session: a new one begins at a "fresh".
  blocks "$document" "$steps" | awk -F '\t' -v prefix="$steps/session." '
    BEGIN { session = 100 }
    $4 ~ /fresh/ { session++ }
    { print >(prefix session) }'
  for session_file in "$steps"/session.*; do
    [ ! -e "$session_file" ] || follow_session "$session_file" &
  done
done
wait

skipped=0
for document in "${documents[@]}"; do
  name=${document#"$ROOT/"} steps=$(steps_of "$document")
  heading "$name"
  named_commands "$document"
  for session_file in "$steps"/session.*; do
    [ ! -e "$session_file" ] || judge_session "$session_file"
  done
done
[ "$skipped" -eq 0 ] || printf '\n%s blocks were skipped, for the reasons above.\n' "$skipped"
verdict docs-test
