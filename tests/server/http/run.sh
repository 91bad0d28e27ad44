#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The server against other people's programs: OpenAI's Python client, webuiapi, and a property tester that reads the OpenAPI document. Called by
# `./run test-http` with the built program; the clients come from PyPI into build-http/.
set -eu
program=$1
here=$(cd "$(dirname "$0")" && pwd)
work=${2:-build-http}
mkdir -p "$work"
work=$(cd "$work" && pwd)
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"

# The tiny network of the golden data, with names for its classes.
printf '%s\n' "goldfish, Carassius auratus" teapot mug house tree car apple bird fish "house finch" >"$work/names.txt"
"$program" convert --quiet --tokenizer tests/golden/tiny/tokenizer_imagenet128_checkpoint --transformer tests/golden/tiny/maskgit_imagenet128_checkpoint \
  --classes "$work/names.txt" --force -o "$work/tiny.safetensors"

: >"$work/address"
"$program" serve --quiet --a1111 --model "$work/tiny.safetensors" >"$work/address" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 300); do
  [ -s "$work/address" ] && break
  kill -0 "$server" 2>/dev/null || { echo "run: the server does not start" >&2; exit 1; }
  sleep 0.1
done
address=$(cat "$work/address")

timeout 300 "$work/venv/bin/python" "$here/openai_client.py" "$address" "$program" "$work"
timeout 300 "$work/venv/bin/python" "$here/a1111_clients.py" "$address" "$program" "$work"

# Not checked: that every picture made of random letters is taken (it is none), and that a job which was cancelled by DELETE is gone (it tells that
# it was cancelled; a second DELETE forgets it).
cd "$work" # it leaves its notes where it runs
"$work/venv/bin/st" --config-file "$here/schemathesis.toml" run "${address}v1/openapi.json" --checks all \
  --exclude-checks positive_data_acceptance,use_after_free --max-examples "${MASKSKETCH_EXAMPLES:-40}" --continue-on-failure --request-timeout 120 \
  --seed 1 --warnings off --no-color --report-junit-path "$work/report.xml"

kill -TERM "$server"
wait "$server" || { echo "run: the server ended with an error" >&2; exit 1; }
trap - EXIT
echo "test-http: OpenAI's client, webuiapi and the property tester found nothing wrong"
