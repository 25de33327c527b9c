# shellcheck shell=bash
# Sourced by whatever builds. On a Mac the compiler and the linker do not look where Homebrew puts headers and libraries
# (/opt/homebrew on Apple Silicon), and simdjson is found by their own path alone. Elsewhere this does nothing.
if [ "$(uname -s)" = Darwin ] && command -v brew >/dev/null 2>&1; then
  homebrew=$(brew --prefix)
  export CPATH="${CPATH:+$CPATH:}$homebrew/include"
  export LIBRARY_PATH="${LIBRARY_PATH:+$LIBRARY_PATH:}$homebrew/lib"
  unset homebrew
fi
