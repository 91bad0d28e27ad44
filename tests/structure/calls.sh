#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# calls.sh - what structure.sh cannot see, since a call needs no include of its own: no function of
# a lower floor of src/ calls one of a higher floor, and no two files call each other in a circle.
# The symbols of the built libraries tell; tables of commands or routes are data, and no calls.
# Usage: calls.sh LIBRARY...
set -eu
command -v nm >/dev/null || { echo "skipped: there is no nm"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "user definer function" for every call from one object to another.
nm -A -g "$@" 2>/dev/null | awk '
  {
    object = $1
    sub(/\.o:.*/, "", object)
    sub(/.*:/, "", object)
  }
  NF == 3 && $2 == "T" { definer[$3] = object }
  NF == 3 && $2 == "U" { user[++count] = object; called[count] = $3 }
  END {
    for (i = 1; i <= count; i++)
      if (called[i] in definer && definer[called[i]] != user[i])
        print user[i], definer[called[i]], called[i]
  }' | sort -u >"$work/calls"

awk '
  BEGIN {
    count = split("base metrics tensor compute image model sampling train api", floors, " ")
    for (i = 1; i <= count; i++) height["src_" floors[i]] = i
  }
  function floor_of(object) {
    return match(object, /^src_[a-z]+/) ? height[substr(object, 1, RLENGTH)] : 0
  }
  floor_of($1) && floor_of($2) > floor_of($1) { print $1 " calls up: " $3 " of " $2 }' "$work/calls" >"$work/found"
cut -d ' ' -f 1,2 "$work/calls" | sort -u >"$work/pairs"
tsort "$work/pairs" 2>&1 >/dev/null | sed -n 's/^tsort: \([^ ]*\.c\)$/a circle of calls goes through \1/p' >>"$work/found"

cat "$work/found"
echo "$(wc -l <"$work/pairs") pairs of files, $(wc -l <"$work/found") things found"
[ "$(wc -l <"$work/pairs")" -gt 300 ] && [ ! -s "$work/found" ]
