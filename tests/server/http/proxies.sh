#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The configurations of docs/serving.md in nginx and Caddy, as printed but for names, ports and certificates: at the root and under a path, with
# the Origin that a browser sends. Called with the built program; a proxy that is not installed is told and left out.
set -eu
program=$1
work=$(mktemp -d)
chmod 711 "$work" # nginx keeps large bodies there, as another user
host=sketch.example.org
upstream=8391
port=8392
started=""
stop() {
  for process in $started; do kill "$process" 2>/dev/null || true; done
  started=""
}
trap 'stop; rm -rf "$work"' EXIT

# The n-th block between fences that holds a word.
block() { awk -v word="$1" -v nth="$2" '/^```/ { if (inside && index(text, word) && ++seen == nth) { printf "%s", text; exit }
  inside = !inside; text = ""; next } inside { text = text $0 "\n" }' docs/serving.md | sed "s/127.0.0.1:8188/127.0.0.1:$upstream/"; }

fetch() { curl -s --resolve "$host:$port:127.0.0.1" -H "Origin: http://$host:$port" "$@"; }

# check NAME PREFIX: the page, its files, a job with its events and picture, a body near the limit.
check() {
  base="http://$host:$port$2"
  for _ in $(seq 50); do fetch -o /dev/null "$base/healthz" && break; sleep 0.1; done
  for path in / /api.js /v1/models /v1/classes; do
    code=$(fetch -o /dev/null -w '%{http_code}' "$base$path")
    [ "$code" = 200 ] || { echo "proxies: $1: $2$path: status $code" >&2; exit 1; }
  done
  url=$(fetch "$base/v1/generate" -F class=0 -F steps=2 | sed 's/.*"self":"\([^"]*\)".*/\1/')
  fetch -N "$base$url/events" | grep -q '^event: done' || { echo "proxies: $1: $2: no events" >&2; exit 1; }
  [ "$(fetch "$base$url/images/0" | head -c 4 | tail -c 3)" = PNG ] || { echo "proxies: $1: $2: no picture" >&2; exit 1; }
  head -c 20000000 /dev/zero >"$work/large"
  code=$(fetch -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' --data-binary "@$work/large" "$base/v1/draw")
  [ "$code" = 400 ] || { echo "proxies: $1: $2: a body of 20 MB: status $code" >&2; exit 1; }
}

"$program" serve --quiet --port "$upstream" --allow-host "$host" >"$work/address" &
server=$!
started=$server
while [ ! -s "$work/address" ]; do kill -0 "$server"; sleep 0.1; done

nginx_with() {
  { echo "daemon off; pid $work/pid; error_log $work/error.log; events {} http { access_log off;"
    for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $work/$kind;"; done
    cat "$work/site"
    echo "}"; } >"$work/nginx.conf"
  nginx -c "$work/nginx.conf" & proxy=$!
  started="$started $proxy"
  check nginx "$1"
  kill "$proxy"
  wait "$proxy" 2>/dev/null || true
  started=$server
}

caddy_with() {
  { printf '{\n\tadmin off\n\tauto_https off\n}\n'; sed "s|^$host|http://$host:$port|" "$work/site"; } >"$work/Caddyfile"
  HOME=$work caddy run --config "$work/Caddyfile" >"$work/caddy.log" 2>&1 & proxy=$!
  started="$started $proxy"
  check Caddy "$1"
  kill "$proxy"
  wait "$proxy" 2>/dev/null || true
  started=$server
}

ran=0
PATH=$PATH:/usr/sbin
if command -v nginx >/dev/null; then
  block 'listen 443' 1 | sed -e "s/listen 443 ssl/listen 127.0.0.1:$port/" -e '/ssl_/d' >"$work/plain"
  cp "$work/plain" "$work/site"
  nginx_with ""
  sed -e 's|location / {|location /draw/ { proxy_redirect / /draw/; proxy_set_header X-Forwarded-Prefix /draw;|' \
    -e "s|\(proxy_pass [^;]*\);|\1/;|" "$work/plain" >"$work/site"
  nginx_with /draw
  ran=$((ran + 1))
else
  echo "proxies: nginx is not installed: left out" >&2
fi
if command -v caddy >/dev/null; then
  block reverse_proxy 1 >"$work/site"
  caddy_with ""
  block reverse_proxy 2 >"$work/site"
  caddy_with /draw
  ran=$((ran + 1))
else
  echo "proxies: Caddy is not installed: left out" >&2
fi
[ "$ran" -gt 0 ] || { echo "proxies: nothing ran" >&2; exit 1; }
kill -TERM "$server"
wait "$server"
started=""
echo "proxies: $ran proxies pass everything on as docs/serving.md has them"
