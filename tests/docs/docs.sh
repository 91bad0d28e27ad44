#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the commands that the documentation shows, as they stand there, in a folder with the files that they name. What cannot run here is
# listed with its reason. $1 the program. A command is a line of a code block without a language in README.md or docs/*.md.
set -eu
program=$1
root=$PWD
[ -f models/default.safetensors ] || { echo "no default model: skipped"; exit 77; }
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$program" "$work/bin/masksketch"
PATH="$work/bin:$PATH"
export PATH
unset MASKSKETCH_MODEL MASKSKETCH_API_KEY

# The commands of one file, a line each: no comments, no prompt, no output of theirs.
commands() {
  awk '/^```/ { inside = !inside && $0 == "```"; next }
       inside && /^(\$ )?(masksketch|curl|openssl|\.\/run|ID=|mkdir|cc|ninja|build\/|systemctl|for|meson|  curl|done)/ {
         sub(/^\$ /, ""); sub(/ +# .*$/, ""); print }' "$1"
}

# Why a command is left out; nothing where it runs.
reason() {
  case "$1" in
    ./run* | meson* | ninja* | cc*) echo "builds the program" ;;
    *imagenet256*) echo "needs the official checkpoints" ;;
    *huggingface.co* | "mkdir clip"* | for* | done* | "masksketch score picture.png"*) echo "downloads a CLIP" ;;
    "masksketch bench"* | build/bench/*) echo "measures for minutes" ;;
    systemctl*) echo "changes the system" ;;
    "masksketch serve --listen"*) echo "needs an address of another network" ;;
    "masksketch serve --lan"*) echo "needs a network" ;;
    "masksketch serve --open"*) echo "opens a browser" ;;
    *serve*) command -v curl >/dev/null || echo "needs curl" ;;
    curl* | ID=*) command -v curl >/dev/null || echo "needs curl" ;;
    openssl*) command -v openssl >/dev/null || echo "needs openssl" ;;
  esac
}

# Files of the names that the commands have. Drawings come from the demo; the photo and what is made of it from the program.
stock() {
  for pair in mine.png:fish-thin.png apple.png:apple-pen.png teapot.png:teapot-pen.png teapot-pen.png:teapot-pen.png drawing.png:teapot-pen.png \
    sketch.png:mug-marker.png house.jpg:house-photographed.jpg map.png:apple-pen.png; do
    [ -e "${pair%%:*}" ] || cp "$root/demo/sketches/${pair##*:}" "${pair%%:*}"
  done
  for name in photo picture a b; do
    [ -e "$name.png" ] || masksketch generate --class teapot --steps 2 --quiet -o "$name.png"
  done
}

# A server is asked at a port of this test's own.
serve() {
  masksketch serve --port "$port" "$@" >serve.log 2>&1 &
  server=$!
  for i in $(seq 600); do
    grep -q "http://" serve.log && return 0
    kill -0 "$server" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}
stop_server() { [ -z "$server" ] || { kill "$server"; wait "$server" || true; server=""; }; }

port=$((20000 + $$ % 20000))
ran=0
failed=0
for page in README.md docs/*.md; do
  [ "$page" != docs/speed-lab-book.md ] || continue # tells how something was measured once
  mkdir -p "$work/here/$page"
  cd "$work/here/$page"
  (cd "$root" && commands "$page") >"$work/commands"
  [ ! -s "$work/commands" ] || stock
  while IFS= read -r line <&3; do
    why=$(reason "$line")
    if [ -n "$why" ]; then
      echo "left out: $page: $line ($why)"
      continue
    fi
    ran=$((ran + 1))
    status=0
    case "$line" in
      "masksketch serve"*)
        stop_server
        arguments=${line#masksketch serve}
        # shellcheck disable=SC2086
        serve ${arguments%&} || status=1
        case "$line" in *"&") ;; *) stop_server ;; esac
        ;;
      *) eval "$(printf '%s' "$line" | sed "s/127.0.0.1:8188/127.0.0.1:$port/")" >out 2>err || status=$? ;;
    esac
    [ "$status" = 0 ] || { failed=$((failed + 1)); echo "FAILED: $page: $line: $(cat err serve.log 2>/dev/null | tail -n 3)" >&2; }
    # an answer of HTTP that is an error is no success of curl
    ! grep -q '"type":"about:blank"' out 2>/dev/null || { failed=$((failed + 1)); echo "FAILED: $page: $line: $(cat out)" >&2; }
  done 3<"$work/commands"
  stop_server
  cd "$root"
done
echo "$ran commands were run, $failed failed"
[ "$failed" = 0 ] && [ "$ran" -ge 15 ]
