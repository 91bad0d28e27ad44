#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pictures.sh PROGRAM QUALITY WORK [GROUP...]: makes the pictures and tables of README.md and docs/ that depend on the default model, all of them or those of
# some groups. QUALITY is the built training/quality/quality; WORK keeps what takes long, so that a run that was stopped goes on. Run it from the root of
# the sources. What the words beside a table say of it is written by hand.
set -eu
program=$1
quality=$2
work=$3
shift 3
out=docs/pictures
mkdir -p "$work"

masksketch() { "$program" "$@" --quiet --force; }

# A table or line of a page, between its two marks. fill PAGE MARK < what stands there
fill() {
  cat >"$work/fill"
  awk -v mark="$2" -v made="$work/fill" '
    index($0, "<!-- " mark ": from here") { print; while ((getline line < made) > 0) print line; inside = 1 }
    index($0, "<!-- " mark ": to here") { inside = 0 }
    !inside' "$1" >"$work/page"
  grep -q "<!-- $2: from here" "$1" || { echo "$1 has no mark $2" >&2; exit 1; }
  cat "$work/page" >"$1"
}

demo() {
  sh demo/demo.sh "$program" "$work/demo" >/dev/null
  set --
  for sketch in demo/sketches/*; do
    name=$(basename "${sketch%.*}")
    set -- "$@" "$sketch" "$work/demo/$name-1.png" "$work/demo/$name-2.png" "$work/demo/$name-3.png"
  done
  masksketch sheet "$@" --columns 12 --tile 130 --quality 85 -o $out/demo.jpg
}

explorer() {
  teapot=demo/sketches/teapot-pen.png
  draw="draw $teapot --class teapot"
  masksketch $draw -o "$work/photo.png"
  masksketch attention $teapot "$work/photo.png" --class teapot --at 60,150 --at 128,100 --at 210,110 -o "$work/attention.png"
  masksketch sheet "$work/attention.png" --quality 85 -o $out/attention.jpg
  masksketch $draw --first-item 3 --lambda 0.5 --film $out/film.jpg --quality 55 -o "$work/film.jpg"
  echo iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQAAAAA3iMLMAAAADklEQVR42mP4z8BACgIAhrcP8R06V9gAAAAASUVORK5CYII= | base64 -d >"$work/left.png"
  echo iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQAAAAA3iMLMAAAADklEQVR42mNg+M9ACgIAdscP8fnvb64AAAAASUVORK5CYII= | base64 -d >"$work/right.png"
  masksketch $draw --recipe attention --first-item 1 -o "$work/whole.png"
  set -- "$work/whole.png"
  for side in left right; do
    masksketch $draw --recipe attention --first-item 1 --lambda-map "$work/$side.png" -o "$work/strict-$side.png"
    set -- "$@" "$work/$side.png" "$work/strict-$side.png"
  done
  masksketch sheet "$@" --columns 5 --tile 256 --quality 85 -o $out/lambda-map.jpg
  masksketch $draw --candidates 3 --guidance 1,3 -o "$work/best.png" --sheet "$work/candidates.png" >/dev/null
  masksketch sheet "$work/candidates.png" --quality 80 -o $out/candidates.jpg
}

# The plots of a report, two beside each other, as one SVG that brings its style.
plots() {
  awk '
    BEGIN { print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1040 HEIGHT\"><style>text{font:11px sans-serif;fill:#333;stroke:none}" \
                  ".title{font-size:13px;font-weight:600}.grid{stroke:#e8e8e8}.axis{stroke:#777;fill:none}</style>"
            print "<rect width=\"1040\" height=\"HEIGHT\" fill=\"#fff\"/>" }
    /^<svg / { sub(/<svg /, "<svg x=\"" (count % 2) * 520 "\" y=\"" int(count / 2) * 340 "\" width=\"520\" height=\"340\" "); inside = 1; count++ }
    inside { print }
    /^<\/svg>/ { inside = 0 }
    END { print "</svg>"; print int((count + 1) / 2) * 340 > height }' height="$work/height" "$1" >"$work/plots"
  sed "s/HEIGHT/$(cat "$work/height")/" "$work/plots"
}

# The tiles of a report's contact sheet, COLUMNS beside each other, the drawings among them. contact REPORT COLUMNS OUT
contact() {
  rm -rf "$work/tiles"
  mkdir "$work/tiles"
  grep -o 'base64,[A-Za-z0-9+/=]*' "$1" | cut -c8- | { n=1000; while read -r tile; do n=$((n + 1)); echo "$tile" | base64 -d >"$work/tiles/$n.jpg"; done; }
  masksketch sheet "$work"/tiles/*.jpg --columns "$2" --quality 75 -o "$3"
}

# Means of a summary as a Markdown table: the setting, then some measures with their errors. means CSV SETTING MEASURE...
means() {
  csv=$1 setting=$2
  shift 2
  awk -F, -v setting="$setting" -v wanted="$*" '
    # layers are a list within quotes
    { gsub(/"[^"]*"/, "&"); n = 0; rest = $0; delete f
      while (rest != "") { if (substr(rest, 1, 1) == "\"") { match(rest, /^"[^"]*"/); f[++n] = substr(rest, 2, RLENGTH - 2); rest = substr(rest, RLENGTH + 2) }
                           else { p = index(rest, ","); if (p == 0) p = length(rest) + 1; f[++n] = substr(rest, 1, p - 1); rest = substr(rest, p + 1) } } }
    NR == 1 { for (i = 1; i <= n; i++) column[f[i]] = i; count = split(wanted, w, " "); line = "| " setting; rule = "|---"
              for (k = 1; k <= count; k++) { line = line " | " w[k]; rule = rule "|---" } print line " |"; print rule "|"; next }
    { line = "| " f[column[setting]]; for (k = 1; k <= count; k++) line = line sprintf(" | %.2f ± %.2f", f[column[w[k]]], f[column[w[k] "_error"]]); print line " |" }' "$csv"
}

# experiment NAME COLUMNS [SETTING: a table, too]
experiment() {
  "$program" eval "docs/eval/$1.json" -o "$work/$1" --quiet
  plots "$work/$1/report.html" >"$out/eval-$1-plots.svg"
  contact "$work/$1/report.html" "$2" "$out/eval-$1-sheet.jpg"
  [ -z "${3:-}" ] || means "$work/$1/summary.csv" "$3" structure judge_iou judge_specificity judge_class clip_text clip_sketch | fill docs/eval.md "$1"
}

evaluate() {
  experiment lambda 7 lambda_structure
  experiment layers 8 layers
  experiment abstraction 4
}

tables() {
  "$quality" --model "$model" --work "$work/quality" --reporting --threads 1 --drawings 6 --sweep 1 --robust 1
  made=$(ls -td "$work"/quality/*/table.md | head -n 1)
  sed 's/^## /### /' "$made" | fill docs/quality.md tables
  for sheet in renders sketches robustness; do
    masksketch sheet "$(dirname "$made")/$sheet.jpg" --tile 900 --quality 80 -o $out/quality-$sheet.jpg
  done
}

study() { STUDY_FLAGS="--model $model" sh bench/study.sh "$program" "$work/study" && cp "$work/study/study.svg" $out/study-present.svg; }

tutorial() { sh docs/tutorial.sh "$program"; }

model=models/default.safetensors
[ $# -gt 0 ] || set -- demo explorer evaluate tables study tutorial
for group in "$@"; do
  case $group in
    demo | explorer | evaluate | tables | study | tutorial) echo "$group ..."; $group ;;
    *) echo "there is no group $group; these are: demo explorer evaluate tables study tutorial" >&2; exit 2 ;;
  esac
done
