#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# ternaries.sh - no conditional operator stands in the branch of another one, be it in parentheses
# or on another line: an `if` reads better. Run it from the root of the sources.
set -eu
found=$(find src app cli server eval bench -name '*.[ch]' -o -name '*.inc' | sort | xargs awk '
  function begin() { depth = 0; open[0] = 0; in_comment = 0 }
  FNR == 1 { begin() }
  {
    line = $0
    gsub(/\\./, "", line)
    gsub(/"[^"]*"|\047[^\047]*\047/, "", line)
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
    if (in_comment) { # from a line before
      if (!index(line, "*/")) next
      line = substr(line, index(line, "*/") + 2)
      in_comment = 0
    }
    if (index(line, "/*")) {
      line = substr(line, 1, index(line, "/*") - 1)
      in_comment = 1
    }
    sub(/\/\/.*/, "", line)
    gsub(/[^][(){},;?]/, "", line)
    for (i = 1; i <= length(line); i++) {
      c = substr(line, i, 1)
      if (c ~ /[[({]/) open[++depth] = 0
      else if (c ~ /[])}]/) { if (depth > 0) depth-- }
      else if (c != "?") open[depth] = 0
      else {
        for (level = 0; level <= depth && !open[level]; level++) continue
        if (level <= depth) print FILENAME ":" FNR ": a conditional operator inside another one"
        open[depth] = 1
      }
    }
    lines++
  }
  END { print lines " lines looked at" }')
printf '%s\n' "$found"
[ "$(printf '%s\n' "$found" | wc -l)" = 1 ] && [ "${found%% *}" -gt 20000 ]
