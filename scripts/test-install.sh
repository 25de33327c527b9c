#!/usr/bin/env bash
# Claims: install.sh puts a binary that runs, manual pages and completions into a prefix, replaces them as a whole when it
# is run again, and --uninstall takes away what it has put there and nothing else.
#
#   scripts/test-install.sh     builds a binary with the Swift runtime linked in (minutes, the first time)
#
# With ORDERSTREAM_BIN, as scripts/test.sh runs it, that binary is installed, and what is linked in is not looked at.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

own_build=no
[ -n "${ORDERSTREAM_BIN:-}" ] || own_build=yes
prefix="$WORK/a prefix"
mkdir -p "$prefix/bin" "$prefix/share/orderstream" "$prefix/share/man/man1"
printf 'another\n' | tee "$prefix/bin/another" "$prefix/share/man/man1/orderstream-of-orders.1" >"$prefix/share/orderstream/orderstream.db"
files() { (cd "$prefix" && find . -type f | LC_ALL=C sort); }
files >"$WORK/before.txt"

install() { "$ROOT/scripts/install.sh" --prefix "$prefix" "$@" 2>"$WORK/stderr.txt" </dev/null || die "$(cat "$WORK/stderr.txt")"; }

inode() { find "$1" -prune -printf '%i\n' 2>/dev/null || stat -f %i "$1"; }

heading 'Install'
show scripts/install.sh --prefix "$prefix"
install >"$WORK/first.txt"
files >"$WORK/installed.txt"
binary="$prefix/bin/orderstream"
claim 'the binary runs and says its version' "$("$binary" --version)" = "$(sed 's/ is in .*//;q' "$WORK/first.txt")"
claim 'it says what PATH lacks' "$(grep -c 'export PATH' "$WORK/first.txt" || true)" -eq 1
commands=$("$binary" help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }')
pages=0
for command in '' $commands; do
  ! grep -q '^\.SH SYNOPSIS' "$prefix/share/man/man1/orderstream${command:+-$command}.1" || pages=$((pages + 1))
done
claim 'orderstream and every command of it have a manual page' "$pages" -eq $((1 + $(wc -w <<<"$commands")))
if command -v man >/dev/null 2>&1; then
  claim 'man finds it beside PATH' "$(PATH="$prefix/bin:$PATH" MANPATH='' man -w orderstream-produce 2>/dev/null || true)" = \
    "$prefix/share/man/man1/orderstream-produce.1"
fi
for file in bash-completion/completions/orderstream zsh/site-functions/_orderstream fish/vendor_completions.d/orderstream.fish; do
  claim "$file is there" "$([ ! -s "$prefix/share/$file" ] || echo yes)" = yes
done
# shellcheck disable=SC2016  # for the other shell
claim 'bash completes with it' \
  "$(bash -c 'source "$1" && complete -p orderstream' - "$prefix/share/bash-completion/completions/orderstream" | grep -c orderstream)" -eq 1
(cd "$WORK" && HOME=$WORK "$binary" produce --events 100 --json -b "embedded:$WORK/log") >"$WORK/produce.json"
claim 'it publishes to an embedded log' "$(json "$WORK/produce.json" acknowledged)" -eq 100
if [ "$own_build" = yes ] && command -v ldd >/dev/null 2>&1; then
  claim "no library of Swift is looked for ($(ldd "$binary" | wc -l) lines of ldd)" "$(ldd "$binary" | grep -ci 'swift\|foundation' || true)" -eq 0
fi

heading 'Install again'
old=$(inode "$binary")
printf '.TH ORDERSTREAM\\-GONE 1\n' >"$prefix/share/man/man1/orderstream-gone.1"
PATH="$prefix/bin:$PATH" install >"$WORK/second.txt"
files >"$WORK/again.txt"
claim_same 'the same files are there, and the page of a command that is gone is not' "$WORK/installed.txt" "$WORK/again.txt"
claim 'the binary is another file, not the old one written over' "$(inode "$binary")" != "$old"
claim 'with PATH as it should be it does not speak of it' "$(grep -c 'export PATH' "$WORK/second.txt" || true)" -eq 0

heading 'Uninstall'
install --uninstall >"$WORK/uninstall.txt"
files >"$WORK/after.txt"
claim_same 'what was there before is there, and nothing else' "$WORK/before.txt" "$WORK/after.txt"
install --uninstall >"$WORK/uninstall.txt"
claim 'a second time there is nothing to do' "$(grep -c '^Nothing' "$WORK/uninstall.txt" || true)" -eq 1

heading 'What cannot be'
code=0
"$ROOT/scripts/install.sh" --prefix "$prefix/bin/another" >"$WORK/stdout.txt" 2>"$WORK/stderr.txt" </dev/null || code=$?
claim 'a prefix that is a file is refused' "$code" -eq 1
claim 'and named' "$(grep -c "^error: cannot create $prefix/bin/another" "$WORK/stderr.txt" || true)" -eq 1

verdict test-install
