#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pages.sh PROGRAM: puts what the program says of its options into docs/commands.md and docs/masksketch.1, between the two
# lines that mark the place. tests/cli holds the pages to it.
set -eu
program=$1
docs=$(dirname "$0")

# fill PAGE FORMAT
fill() {
  made=$(mktemp)
  "$program" help --page "$2" >"$made.options"
  awk -v options="$made.options" '
    /options: from here/ { print; while ((getline line < options) > 0) print line; inside = 1 }
    /options: to here/ { inside = 0 }
    !inside' "$docs/$1" >"$made"
  cat "$made" >"$docs/$1"
  rm "$made" "$made.options"
}
fill commands.md markdown
fill masksketch.1 man
