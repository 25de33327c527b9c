#!/usr/bin/env bash
# Builds orderstream with the Swift runtime linked in, and puts it into a prefix: the binary, manual pages, and completions
# of bash, zsh and fish. Run again it replaces what is there; a process that runs the old binary goes on with it.
#
#   scripts/install.sh [--prefix <directory>]              (default: ~/.local)
#   scripts/install.sh [--prefix <directory>] --uninstall
#
# ORDERSTREAM_BIN is a binary to install instead of building one. DESTDIR, as packagers have it, stands before the prefix.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

prefix='' uninstall=no
while [ $# -gt 0 ]; do
  case "$1" in
    --prefix)
      [ -n "${2:-}" ] || die '--prefix needs a directory'
      prefix=$2
      shift
      ;;
    --prefix=?*) prefix=${1#--prefix=} ;;
    --uninstall) uninstall=yes ;;
    *) die "unknown option $1; see the head of this script" ;;
  esac
  shift
done
[ -n "$prefix" ] || prefix=${HOME:?is not set, so name a directory with --prefix}/.local
prefix=$(absolute "$prefix")
prefix=${prefix%/}
root=${DESTDIR:-}$prefix

bin=$root/bin
man=$root/share/man/man1
bash_completions=$root/share/bash-completion/completions
zsh_completions=$root/share/zsh/site-functions
fish_completions=$root/share/fish/vendor_completions.d

# The pages that are ours, of commands that no longer exist too.
installed_pages() {
  local page
  for page in "$man"/orderstream.1 "$man"/orderstream-*.1; do
    [ -f "$page" ] && head -n 1 "$page" | grep -q '^\.TH ORDERSTREAM' && printf '%s\n' "$page"
  done
  return 0
}

if [ "$uninstall" = yes ]; then
  count=0
  while read -r file; do
    [ -e "$file" ] || continue
    rm -f -- "$file" || die "cannot remove $file"
    count=$((count + 1))
  done < <(installed_pages
    printf '%s\n' "$bin/orderstream" "$bash_completions/orderstream" "$zsh_completions/_orderstream" \
      "$fish_completions/orderstream.fish")
  # Directories that nothing else is in; the prefix stays.
  for directory in "$bin" "$man" "$bash_completions" "$zsh_completions" "$fish_completions"; do
    while [ "$directory" != "$root" ] && rmdir -- "$directory" 2>/dev/null; do directory=$(dirname "$directory"); done
  done
  if [ "$count" -eq 0 ]; then
    printf 'Nothing of orderstream is in %s\n' "$root"
  else
    printf 'Removed %s files from %s; embedded logs stay where they are\n' "$count" "$root"
  fi
  exit 0
fi

if [ -z "${ORDERSTREAM_BIN:-}" ]; then
  "$ROOT/scripts/bootstrap.sh"
  printf 'Building orderstream (release, Swift runtime linked in)\n' >&2
  # macOS has the runtime, and no other one to link in. Apart from the ordinary build, which has other objects.
  build=(swift build --package-path "$ROOT" --scratch-path "$ROOT/.build/static" -c release)
  [ "$(uname -s)" = Darwin ] || build+=(--static-swift-stdlib)
  "${build[@]}" --product orderstream >&2
  ORDERSTREAM_BIN="$("${build[@]}" --show-bin-path)/orderstream"
fi
need_binary

# All of it is made, and the binary has run, before anything is replaced.
stage=$WORK/stage
mkdir "$stage"
cp -- "$ORDERSTREAM_BIN" "$stage/orderstream"
if [ "$(uname -s)" != Darwin ] && command -v strip >/dev/null 2>&1; then strip "$stage/orderstream"; fi
ORDERSTREAM_BIN=$stage/orderstream
version=$(orderstream --version) || die "$version: the binary does not start here"
orderstream help --man >"$stage/orderstream.1"
while read -r command; do
  orderstream help --man "$command" >"$stage/orderstream-$command.1"
done < <(orderstream help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }')
for shell in bash zsh fish; do orderstream completions "$shell" >"$stage/$shell"; done

# put <file> <mode> <destination>: whoever looks finds the old one or the new one, whole.
new=''
put() {
  local directory
  directory=$(dirname "$3")
  [ ! -d "$3" ] || die "$3 is a directory"
  mkdir -p -- "$directory" 2>/dev/null || die "cannot create $directory; take another --prefix, or run it as a user who may"
  new=$(mktemp "$directory/.orderstream.XXXXXX" 2>/dev/null) ||
    die "cannot write to $directory; take another --prefix, or run it as a user who may"
  if ! { cat -- "$1" >"$new" && chmod "$2" "$new" && mv -f -- "$new" "$3"; }; then
    die "cannot write $3"
  fi
  new=''
}
clean_up() {
  local code=$?
  [ -z "$new" ] || rm -f -- "$new"
  end "$code"
}
trap clean_up EXIT

put "$stage/orderstream" 755 "$bin/orderstream"
while read -r page; do
  [ -e "$stage/$(basename "$page")" ] || rm -f -- "$page"
done < <(installed_pages)
for page in "$stage"/*.1; do put "$page" 644 "$man/$(basename "$page")"; done
put "$stage/bash" 644 "$bash_completions/orderstream"
put "$stage/zsh" 644 "$zsh_completions/_orderstream"
put "$stage/fish" 644 "$fish_completions/orderstream.fish"

printf '%s is in %s\n' "$version" "$bin"
[ -z "${DESTDIR:-}" ] || exit 0

# What a shell does not find yet. man looks beside the directories of PATH.
case ":$PATH:" in
  *":$prefix/bin:"*)
    found=$(type -P orderstream || true)
    [ "$found" = "$prefix/bin/orderstream" ] ||
      printf 'Your shell finds %s first: put %s before it in PATH\n' "$found" "$prefix/bin"
    ;;
  *) printf "Add to your shell's profile:  export PATH=\"%s:\$PATH\"\n" "$prefix/bin" ;;
esac
if command -v manpath >/dev/null 2>&1; then
  case ":$(PATH="$prefix/bin:$PATH" manpath -q 2>/dev/null):" in
    *":$prefix/share/man:"*) ;;
    *) printf "For the manual pages:         export MANPATH=\"%s:\$MANPATH\"\n" "$prefix/share/man" ;;
  esac
fi
case $prefix in
  /usr | /usr/local | /opt/homebrew) ;;
  *)
    if command -v zsh >/dev/null 2>&1; then
      # shellcheck disable=SC2016  # for the reader's shell
      printf 'For zsh, before compinit:     fpath=("%s" $fpath)\n' "$prefix/share/zsh/site-functions"
    fi
    ;;
esac
