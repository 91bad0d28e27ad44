#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed.sh FILE... : C source of the table of these files, on standard output. Any bytes, an empty file aside.
set -eu
folder=$(dirname "$0")
for file in "$@"; do
  printf '= %s\n' "$(basename "$file")"
  od -An -v -tu1 "$file"
done | awk -f "$folder/embed.awk"
