#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The recipe study (docs/recipes-study.md): one setting after the other, each changed from the model's own `balanced`, all with the same drawings and
# seeds. Each is a run of `masksketch eval`, so that a study that was stopped goes on where it was.
#
#   sh bench/study.sh PROGRAM FOLDER       writes FOLDER/study.md (the table) and FOLDER/study.svg (structure against network passes)
#
# STUDY_SEEDS (0), STUDY_SKETCHES (12: so many of demo/sketches, from the first on), STUDY_ONLY (names of settings, with spaces),
# STUDY_FLAGS (for eval: --model, --judge, --clip ...). Where a judge or a CLIP is at hand, eval measures by them too.
set -eu
program=$1 folder=$2
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$folder"

# NAME RECIPE SETTINGS-AS-JSON-MEMBERS
settings() {
  cat <<'END'
balanced    balanced
fast        fast
thorough    thorough
steps-8     balanced "steps":8
steps-12    balanced "steps":12
steps-16    balanced "steps":16
steps-32    balanced "steps":32
steps-64    balanced "steps":64
cool        balanced "token_temperature":0.5
warm        balanced "token_temperature":1
tail-6      balanced "min_mask_rate":0.35,"tail":6
rest-0.1    balanced "min_mask_rate":0.1
rates-0.6   balanced "max_mask_rate":0.6
low-12      balanced "steps":12,"max_mask_rate":0.6
low-8       balanced "steps":8,"max_mask_rate":0.6
cosine      balanced "schedule":"cosine"
pow0.5      balanced "schedule":"pow0.5"
kept-stay   balanced "remask":"drawn"
recorded    balanced "remask":"recorded"
linear      balanced "guidance_schedule":"linear"
power-cos   balanced "guidance_schedule":"power-cosine"
late        balanced "guidance_schedule":"late"
skip-0.3    balanced "guidance_schedule":"linear","guidance_skip":0.3
cache-2     balanced "unconditional_every":2
cache-4     balanced "unconditional_every":4
score-2     balanced "structure_every":2
score-4     balanced "structure_every":4
halton      balanced "order":"halton"
random      balanced "order":"random"
cross-ent   balanced "distance":"cross-entropy"
shannon     balanced "distance":"jensen-shannon"
share-0.3   balanced "sketch_share":0.3,"sketch_steps":6
lean-24     balanced "steps":24,"guidance_schedule":"late","unconditional_every":3,"structure_every":3
lean-16     balanced "steps":16,"guidance_schedule":"late","unconditional_every":2,"structure_every":2
lean-12     balanced "steps":12,"guidance_schedule":"late","structure_every":2
official    official "steps":500
END
}

sketches() {
  most=${STUDY_SKETCHES:-12} count=0 separator=
  for file in "$root"/demo/sketches/*; do
    [ "$count" -lt "$most" ] || break
    name=${file##*/} paper=
    case $name in *photographed*) paper=', "photo_of_paper": true' ;; esac
    printf '%s{"file": "%s", "class": "%s"%s}' "$separator" "$file" "${name%%-*}" "$paper"
    separator=', ' count=$((count + 1))
  done
}

first_sketch() { ls "$root"/demo/sketches/* | head -n 1; }

# The keys of a line as --set options, for the count of network passes that one picture takes.
passes() {
  recipe=$1
  # shellcheck disable=SC2046
  set -- $(printf '%s' "$2" | sed 's/"//g; s/,/ /g; s/:/=/g')
  options=
  for pair in "$@"; do options="$options --set $pair"; done
  picture=$(first_sketch) class=${picture##*/}
  "$program" draw "$picture" --class "${class%%-*}" --recipe "$recipe" $options --force -o "$folder/passes.png" --json --quiet |
    sed 's/.*"passes":\([0-9]*\).*/\1/'
}

settings | while read -r name recipe members; do
  case " ${STUDY_ONLY:-$name} " in *" $name "*) ;; *) continue ;; esac
  # shellcheck disable=SC2086
  [ -s "$folder/$name.passes" ] || passes "$recipe" "$members" >"$folder/$name.passes"
  printf '{"title": "%s", "recipes": ["%s"], "settings": {%s}, "sketches": [%s], "seeds": [%s], "plots": [], "sheets": []}\n' \
    "$name" "$recipe" "$members" "$(sketches)" "${STUDY_SEEDS:-0}" >"$folder/$name.json"
  # shellcheck disable=SC2086
  "$program" eval "$folder/$name.json" -o "$folder/$name" --quiet ${STUDY_FLAGS:-} </dev/null
done
rm -f "$folder/passes.png"

# ---- the table ----

settings | while read -r name recipe members; do
  [ -s "$folder/$name/summary.csv" ] || continue
  awk -F, -v name="$name" -v what="$recipe${members:+ $members}" -v passes="$(cat "$folder/$name.passes")" '
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    function value(key) { return key in column ? $column[key] : "" }
    { gsub(/"/, "", what)
      printf "%s|%s|%s|%s|%s|%s", name, what, passes, value("pictures"), value("structure"), value("structure_error")
      printf "|%s|%s|%s|%s", value("judge_correct"), value("judge_iou"), value("judge_iou_error"), value("judge_specificity")
      printf "|%s|%s\n", value("clip_text"), value("clip_sketch") }' "$folder/$name/summary.csv"
done >"$folder/rows.txt"

awk -F'|' '
  function cell(x, digits) { return x == "" ? "" : sprintf("%." digits "f", x) }
  { row[NR] = $0; judge = judge || $7 != ""; drawing = drawing || $10 != ""; clip = clip || $11 != "" }
  END {
    head = "| setting | what is set | passes | structure |"; rule = "|---|---|---|---|"
    if (judge) { head = head " class | IoU |"; rule = rule "---|---|" }
    if (drawing) { head = head " by the drawing |"; rule = rule "---|" }
    if (clip) { head = head " CLIP text | CLIP sketch |"; rule = rule "---|---|" }
    print head; print rule
    for (i = 1; i <= NR; i++) {
      split(row[i], f, "|")
      line = "| " f[1] " | " (f[1] == "balanced" ? "the model'"'"'s own" : "`" f[2] "`") " | " f[3] " | " cell(f[5], 3) " ± " cell(f[6], 3) " |"
      if (judge) line = line " " cell(f[7], 2) " | " cell(f[8], 3) " ± " cell(f[9], 3) " |"
      if (drawing) line = line " " cell(f[10], 3) " |"
      if (clip) line = line " " cell(f[11], 3) " | " cell(f[12], 3) " |"
      print line
    }
  }' "$folder/rows.txt" >"$folder/study.md"

# ---- the plot: what a setting costs, and what it reaches; the judge'"'"'s IoU where there is one, else the structure score ----

awk -F'|' '
  { name[NR] = $1; x[NR] = log($3); iou = iou || $8 != ""; s[NR] = $5; e[NR] = $6; j[NR] = $8; je[NR] = $9; of[NR] = $2 }
  END {
    low = 1e9; high = -1e9; left = 1e9; right = -1e9
    for (i = 1; i <= NR; i++) {
      if (of[i] ~ /cross-entropy|jensen/ && !iou || name[i] == "official" && !iou) { skip[i] = 1; continue }  # another measure
      y[i] = iou ? j[i] : s[i]; d[i] = iou ? je[i] : e[i]
      if (y[i] - d[i] < low) low = y[i] - d[i]; if (y[i] + d[i] > high) high = y[i] + d[i]
      if (x[i] < left) left = x[i]; if (x[i] > right) right = x[i]
    }
    if (!(high > low)) high = low + 1; if (!(right > left)) right = left + 1
    W = 760; H = 420
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " W " " H "\" font-family=\"sans-serif\" font-size=\"11\">"
    print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    print "<text x=\"" W / 2 "\" y=\"" H - 6 "\" text-anchor=\"middle\">network passes a picture (logarithmic)</text>"
    print "<text x=\"14\" y=\"" H / 2 "\" text-anchor=\"middle\" transform=\"rotate(-90 14 " H / 2 ")\">" (iou ? "IoU with the drawn shape, by the judge" : "structure score of the result") "</text>"
    print "<path d=\"M60 20V370H740\" fill=\"none\" stroke=\"#888\"/>"
    for (k = 0; k <= 4; k++) {
      v = low + k * (high - low) / 4; p = 370 - k * 350 / 4
      printf "<text x=\"55\" y=\"%.1f\" text-anchor=\"end\">%.3f</text><path d=\"M60 %.1fH740\" stroke=\"#eee\"/>\n", p + 4, v, p
      w = left + k * (right - left) / 4
      printf "<text x=\"%.1f\" y=\"385\" text-anchor=\"middle\">%d</text>\n", 60 + k * 680 / 4 * 0.94, exp(w) + 0.5
    }
    for (i = 1; i <= NR; i++) {
      if (skip[i]) continue
      px = 60 + (x[i] - left) / (right - left) * 680 * 0.94; py = 370 - (y[i] - low) / (high - low) * 350; r = d[i] / (high - low) * 350
      printf "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#bbb\"/><circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/><text x=\"%.1f\" y=\"%.1f\" font-size=\"9\">%s</text>\n", \
        px, py - r, py + r, px, py, (name[i] ~ /steps|balanced/ ? "#c33" : name[i] ~ /lean/ ? "#282" : "#36c"), px + 4, py + 3, name[i]
    }
    print "</svg>"
  }' "$folder/rows.txt" >"$folder/study.svg"
cat "$folder/study.md"
