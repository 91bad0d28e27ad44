#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two servers behind HAProxy with the configuration of docs/serving.md: both get work, every job is found again without a cookie, and a server
# that is sent SIGTERM finishes what it has while the other takes what comes. Called with the built program.
set -eu
program=$1
work=$(mktemp -d)
a=8394
b=8395
port=8396
base=http://127.0.0.1:$port
PATH=$PATH:/usr/sbin
trap 'kill $a_process $b_process $proxy 2>/dev/null || true; rm -rf "$work"' EXIT
fail() { echo "balance: $1" >&2; exit 1; }

awk '/^```/ { if (inside && index(text, "backend masksketch")) { printf "%s", text; exit } inside = !inside; text = ""; next }
  inside { text = text $0 "\n" }' docs/serving.md |
  sed -e "s/bind :80/bind 127.0.0.1:$port/" -e "s/127.0.0.1:8188/127.0.0.1:$a/" -e "s/127.0.0.1:8189/127.0.0.1:$b/" >"$work/haproxy.cfg"
grep -q force-persist "$work/haproxy.cfg" || fail "docs/serving.md has no configuration"

"$program" serve --quiet --drain 120 --port "$a" >"$work/a" & a_process=$!
"$program" serve --quiet --drain 120 --port "$b" >"$work/b" & b_process=$!
proxy=
while [ ! -s "$work/a" ] || [ ! -s "$work/b" ]; do kill -0 "$a_process" && kill -0 "$b_process"; sleep 0.1; done
haproxy -c -q -f "$work/haproxy.cfg" || fail "HAProxy does not take the configuration"
haproxy -f "$work/haproxy.cfg" >"$work/log" 2>&1 & proxy=$!

# Waits until the proxy answers through both.
for _ in $(seq 100); do [ "$(curl -s -o /dev/null -w '%{http_code}' "$base/healthz")" = 200 ] && break; sleep 0.1; done
accepted() { curl -s "http://127.0.0.1:$1/metrics" | awk '/^masksketch_jobs_total{outcome="accepted"}/ { print $2 }'; }
begin() { curl -s "$base/v1/generate" -F class=0 -F "steps=$1" -F "seed=$2" | sed 's/.*"self":"\([^"]*\)".*/\1/'; }
# All of a job, without a cookie.
finish() {
  curl -sN "$base$1/events" | grep -q '^event: done' || fail "$1 has no events, or did not end well"
  [ "$(curl -s "$base$1/images/0" | head -c 4 | tail -c 3)" = PNG ] || fail "$1 has no picture"
}

jobs=""
for seed in 1 2 3 4 5 6; do jobs="$jobs $(begin 2 "$seed")"; done
for job in $jobs; do finish "$job"; done
[ "$(accepted "$a")" -gt 0 ] && [ "$(accepted "$b")" -gt 0 ] || fail "one server got everything: $(accepted "$a") and $(accepted "$b")"

# A long job; its server is taken out while it runs.
long=$(begin 400 7)
first=$a_process last=$b_process left=$b
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$a$long")" = 200 ] || { first=$b_process last=$a_process left=$a; }
kill -TERM "$first"
sleep 3 # the balancer asks each second
before=$(accepted "$left")
for seed in 8 9 10; do finish "$(begin 2 "$seed")"; done
[ "$(($(accepted "$left") - before))" = 3 ] || fail "new jobs did not go to the server that is left"
finish "$long"
wait "$first" || fail "the server that drained ended with status $?"
finish "$(begin 2 11)"
kill -TERM "$last"
wait "$last" || fail "the other server ended with status $?"
echo "balance: two servers behind HAProxy, one after the other taken out, and no job lost"
