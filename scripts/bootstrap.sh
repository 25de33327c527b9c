#!/usr/bin/env bash
# Installs what orderstream needs to build and is not there yet. Says nothing when all of it is.
#
#   scripts/bootstrap.sh               the libraries, pkg-config, git, a C++ compiler with its headers
#   scripts/bootstrap.sh --test-tools  those, and shellcheck
set -euo pipefail

OLDEST_RDKAFKA=2.0.2
# For the exit tests of Swift Testing.
OLDEST_SWIFT=6.2

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# at_least <version> <oldest>, both as major.minor
at_least() {
  [ "${1%.*}" -gt "${2%.*}" ] || { [ "${1%.*}" -eq "${2%.*}" ] && [ "${1#*.}" -ge "${2#*.}" ]; }
}

check_swift() {
  local remedy="the build needs Swift $OLDEST_SWIFT; install it from https://www.swift.org/install/" version
  have swift || fail "no Swift toolchain: $remedy"
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | head -n 1)
  at_least "${version:-0.0}" "$OLDEST_SWIFT" || fail "Swift ${version:-of an unknown version} is too old: $remedy"
}

# The compiler that the build will use is the one beside swift, where there is one.
compiles_cxx() {
  local compiler
  compiler="$(dirname "$(command -v swift)")/clang++"
  [ -x "$compiler" ] || compiler=clang++
  printf '#include <vector>\n#include <string_view>\n' | "$compiler" -std=c++17 -fsyntax-only -x c++ - >/dev/null 2>&1
}

# A word for each thing that is not there. No package manager is started, so a complete machine costs nothing.
missing() {
  have git || echo git
  compiles_cxx || echo cxx
  have pkg-config || echo pkg-config
  pkg-config --exists rdkafka 2>/dev/null || echo rdkafka
  pkg-config --exists simdjson 2>/dev/null || echo simdjson
  pkg-config --exists libcrypto 2>/dev/null || echo libcrypto
  # macOS has SQLite and its header in the SDK.
  [ "$(uname -s)" = Darwin ] || pkg-config --exists sqlite3 2>/dev/null || echo sqlite3
  if [ "$test_tools" = yes ]; then have shellcheck || echo shellcheck; fi
}

package_name() { # manager, thing
  case "$1:$2" in
    *:git) echo git ;;
    apt:cxx) echo g++ ;;
    dnf:cxx) echo gcc-c++ ;;
    brew:cxx) fail "no C++ compiler: run xcode-select --install, then this script again" ;;
    dnf:pkg-config) echo pkgconf-pkg-config ;;
    brew:pkg-config) echo pkgconf ;;
    apt:rdkafka) echo librdkafka-dev ;;
    dnf:rdkafka) echo librdkafka-devel ;;
    brew:rdkafka) echo librdkafka ;;
    apt:simdjson) echo libsimdjson-dev ;;
    dnf:simdjson) echo simdjson-devel ;;
    apt:libcrypto) echo libssl-dev ;;
    dnf:libcrypto) echo openssl-devel ;;
    brew:libcrypto) echo openssl@3 ;;
    apt:sqlite3) echo libsqlite3-dev ;;
    dnf:sqlite3) echo sqlite-devel ;;
    dnf:shellcheck) echo ShellCheck ;;
    *) echo "$2" ;;
  esac
}

# Package managers fill stdout with their own talk; stdout stays free for the caller's results.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@" >&2
  else
    sudo "$@" >&2
  fi
}

install_packages() { # manager, packages
  local manager=$1
  shift
  [ "$manager" = brew ] || [ "$(id -u)" -eq 0 ] || have sudo ||
    fail "cannot install $*: not root, and no sudo here; run scripts/bootstrap.sh as root"
  printf 'Installing %s\n' "$*" >&2
  case "$manager" in
    apt)
      as_root apt-get update -qq
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
      ;;
    dnf) as_root dnf install -y -q "$@" ;;
    brew) brew install -q "$@" >&2 ;;
  esac
}

test_tools=no
case "${1:-}" in
  '') ;;
  --test-tools) test_tools=yes ;;
  *) fail "unknown option $1; the only one is --test-tools" ;;
esac

check_swift

things=$(missing | paste -s -d ' ' -)
if [ -n "$things" ]; then
  if have apt-get; then
    manager=apt
  elif have dnf; then
    manager=dnf
  elif have brew; then
    manager=brew
  else
    fail "missing: $things; no apt-get, dnf or brew here to install it with, so install the development packages by hand"
  fi
  packages=()
  for thing in $things; do
    package=$(package_name "$manager" "$thing") || exit 1
    packages+=("$package")
  done
  install_packages "$manager" "${packages[@]}" </dev/null ||
    fail "$manager could not install ${packages[*]}; see its message above"
  things=$(missing | paste -s -d ' ' -)
  [ -z "$things" ] || fail "still missing after the installation: $things"
fi

pkg-config --atleast-version="$OLDEST_RDKAFKA" rdkafka ||
  fail "librdkafka $(pkg-config --modversion rdkafka) is too old: $OLDEST_RDKAFKA is the oldest supported; install a newer one"
