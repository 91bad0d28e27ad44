#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed.sh TABLE FILE... : C source of the table of these files (embedded.h) and of its count, on standard output. Any bytes, an empty
# file aside.
set -eu
folder=$(dirname "$0")
table=$1
shift
for file in "$@"; do
  printf '= %s\n' "$(basename "$file")"
  od -An -v -tu1 "$file"
done | awk -v table="$table" -f "$folder/embed.awk"
