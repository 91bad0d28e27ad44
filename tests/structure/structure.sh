#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# structure.sh - the house as docs/architecture.md has it, held against the includes of the sources:
# no include points to a higher floor or to a neighbour that it should not know, none goes round in
# a circle, and no two files share a base name (a header and its source are one). Each thing found
# is told on a line; run it from the root of the sources.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find include src app cli eval server training/render training/quality bench fuzz tests -name '*.[ch]' ! -path 'tests/golden/*' | sort >"$work/files"

# Includes as they are found: beside the file, from the root, or in the folders that the build names.
xargs grep -H '^#include "' <"$work/files" | tr -d '"' | awk -F ':#include ' '
  FILENAME != "-" { exists[$0] = 1; next }
  {
    folder = $1
    sub("/[^/]*$", "", folder)
    count = split(folder "/,,include/,src/,app/,cli/,server/,tests/support/,training/render/", places, ",")
    for (i = 1; i <= count; i++) {
      path = places[i] $2
      while (sub("[^/.]+/\\.\\./", "", path)) continue
      if (path in exists) {
        print $1, path
        break
      }
    }
  }' "$work/files" - >"$work/includes"

# Who may include whom, besides itself. src/ has its floors one above the other. Only foreign JSON is judged by one file for all.
awk '
  BEGIN {
    below = "include"
    count = split("base metrics tensor compute image model sampling train api", floors, " ")
    for (i = 1; i <= count; i++) {
      allowed["src/" floors[i]] = below
      below = below " src/" floors[i]
    }
    allowed["include"] = ""
    allowed["app"] = "include"
    allowed["eval"] = allowed["server"] = "include app"
    allowed["cli"] = "include app eval server training/render"
    allowed["training/quality"] = "include app training/render"
    allowed["training/render"] = "include"
  }
  function room(path) {
    split(path, part, "/")
    return part[1] == "src" || part[1] == "training" ? part[1] "/" part[2] : part[1]
  }
  {
    from = room($1)
    to = room($2)
    if ($2 == "src/base/json_tree.h") next
    if (from != to && from in allowed && index(" " allowed[from] " ", " " to " ") == 0)
      print $1 " includes " $2 ": " from " stands on " (allowed[from] == "" ? "nothing" : allowed[from])
  }' "$work/includes" >"$work/found"

# What tsort cannot bring into an order goes round.
tsort "$work/includes" 2>&1 >/dev/null | sed -n 's/^tsort: \([^ ]*\/[^ ]*\)$/a circle of includes goes through \1/p' >>"$work/found"

# A header and its source have one name.
sed 's/\.[ch]$//' "$work/files" | sort -u | awk -F / '
  $NF in seen { print "two files are called " $NF ": " seen[$NF] ", " $0 }
  { seen[$NF] = $0 }' >>"$work/found"

cat "$work/found"
echo "$(wc -l <"$work/files") files, $(wc -l <"$work/includes") includes, $(wc -l <"$work/found") things found"
[ "$(wc -l <"$work/includes")" -gt 500 ] && [ ! -s "$work/found" ]
