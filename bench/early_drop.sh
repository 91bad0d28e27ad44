#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Early drop measured against finishing all (docs/selection.md): the same drawings, several ways to choose one of many candidates; what the
# chosen picture's structure score is, and what it cost. The ways share their random numbers: the first 8 items are the same in each.
#
#   sh bench/early_drop.sh PROGRAM [OPTION...]      OPTIONs go to every draw (--model, --threads); prints a Markdown table
#
# DROP_SKETCHES: how many of demo/sketches (default: 12). DROP_SEED: default 0.
set -eu
program=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ways() {
  cat <<'END'
one candidate|--candidates 1
8, all finished|--candidates 8
8, 2 finished, dropped from 0.75 on|--candidates 8 --finish 2 --drop-from 0.75
10, 2 finished, dropped from 0.75 on|--candidates 10 --finish 2 --drop-from 0.75
8, 2 finished, dropped from 0.85 on|--candidates 8 --finish 2 --drop-from 0.85
8, 2 finished, dropped from 0.3 on|--candidates 8 --finish 2 --drop-from 0.3
18, 2 finished, dropped from 0.3 on|--candidates 18 --finish 2 --drop-from 0.3
18, the same, confidence counts as much|--candidates 18 --finish 2 --drop-from 0.3 --weight-confidence 1
END
}

number=0
ways | while IFS='|' read -r name options; do
  number=$((number + 1))
  ls "$root"/demo/sketches/* | head -n "${DROP_SKETCHES:-12}" | while read -r sketch; do
    class=${sketch##*/} paper=
    case $class in *photographed*) paper=--photo-of-paper ;; esac
    # shellcheck disable=SC2086
    "$program" draw "$sketch" --class "${class%%-*}" $paper --seed "${DROP_SEED:-0}" $options "$@" --json --quiet --force -o "$work/out.png" </dev/null |
      head -n 1 >>"$work/$number.jsonl"
  done
  printf '%s\n' "$name" >"$work/$number.name"
done

# A number of a JSON line by its key.
for file in "$work"/*.jsonl; do
  sed 's/.*"passes":\([0-9]*\).*"total":\([0-9.e-]*\).*"structure":\(-[0-9.e-]*\).*/\1 \2 \3/' "$file" >"${file%.jsonl}.numbers"
done
echo "| candidates | structure of the chosen | difference from 8 finished | passes | seconds |"
echo "|---|---|---|---|---|"
for file in "$work"/*.name; do
  numbers=${file%.name}.numbers
  paste -d' ' "$numbers" "$work/2.numbers" | awk -v name="$(cat "$file")" '
    { p += $1; t += $2; s += $3; d = $3 - $6; sum += d; squares += d * d }
    END { m = sum / NR; v = squares / NR - m * m; if (v < 0) v = 0
      printf "| %s | %.3f | %+.3f ± %.3f | %.0f | %.1f |\n", name, s / NR, m, NR > 1 ? sqrt(v / (NR - 1)) : 0, p / NR, t / NR }'
done
