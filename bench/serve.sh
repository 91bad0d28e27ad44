#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How long the page waits: from "draw" to the first preview and to the picture, and how often a live drawing is refreshed. Everything goes through
# curl, whose start (some milliseconds each) is counted too.
#     sh bench/serve.sh build/cli/masksketch [SERVE OPTION...]
# LIVE_SET='{"tail":0}' changes the recipe of the live drawing.
set -eu
program=$1
shift
sketch=${SKETCH:-demo/sketches/teapot-pen.png}
class=${CLASS:-teapot}
rounds=${ROUNDS:-15}
work=$(mktemp -d)
"$program" serve --quiet "$@" >"$work/address" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$work"' EXIT
until [ -s "$work/address" ]; do sleep 0.05; done
address=$(cat "$work/address")

printf '{"class":"%s","seed":1,"sketch":"%s"}' "$class" "$(base64 -w0 "$sketch")" >"$work/draw.json"
printf '{"class":"%s","seed":1,"recipe":"fast","set":%s,"live":true,"client":"bench","preview":false,"sketch":"%s"}' "$class" "${LIVE_SET:-{\}}" "$(base64 -w0 "$sketch")" >"$work/live.json"
now() { echo $(($(date +%s%N) / 1000)); }
# post FILE: the job's address
post() { curl -s -H 'Content-Type: application/json' --data-binary "@$1" "${address}v1/draw" | sed 's/.*"self":"\/\([^"]*\)".*/\1/'; }
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] / 1000 " (" v[1] / 1000 " to " v[NR] / 1000 ")" }'; }

round=0
while [ "$round" -lt "$rounds" ]; do
  begun=$(now)
  job=$(post "$work/draw.json")
  mkfifo "$work/events"
  curl -sN "$address$job/events" >"$work/events" &
  { grep -q -m 1 '"preview":{' && echo $(($(now) - begun)) >>"$work/first"; cat >/dev/null; } <"$work/events"
  echo $(($(now) - begun)) >>"$work/whole"
  rm "$work/events"
  round=$((round + 1))
done
echo "milliseconds, median of $rounds (least to most)"
echo "from draw to the first preview: $(median "$work/first")"
echo "from draw to the picture:       $(median "$work/whole")"

begun=$(now)
round=0
while [ "$round" -lt "$rounds" ]; do
  started=$(now)
  job=$(post "$work/live.json")
  curl -sN "$address$job/events" >/dev/null
  curl -s "$address$job/images/0" >/dev/null
  echo $(($(now) - started)) >>"$work/live"
  round=$((round + 1))
done
echo "a live drawing, recipe fast, from stroke to picture: $(median "$work/live")"
echo "refreshes a second: $(awk -v n="$rounds" -v t=$(($(now) - begun)) 'BEGIN { printf "%.2f", n * 1e6 / t }')"
