#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ./run compare training [OPTIONS OF training.py]: a step of training beside PyTorch's.
# ./run compare [OPTIONS OF compare.py]: sets up Python packages outside the repository, gets the authors' code, and makes the table again.
# MASKSKETCH_COMPARE names the folder for it all (default: ~/.cache/masksketch-compare; packages and models take 8 GB).
set -eu
program=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
folder=${MASKSKETCH_COMPARE:-$HOME/.cache/masksketch-compare}
mkdir -p "$folder"
if [ ! -x "$folder/venv/bin/python" ] || ! cmp -s "$here/requirements.txt" "$folder/requirements.txt"; then
  echo "installing the other programs into $folder/venv (several GB) ..." >&2
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$folder/requirements.txt"
fi
if [ "${1:-}" = training ]; then
  shift
  exec "$folder/venv/bin/python" "$here/training.py" --program "$program" "$@"
fi
if [ -z "${MASKSKETCH_JAX:-}" ]; then
  [ -d "$folder/masksketch/.git" ] || git clone --quiet https://github.com/google-research/masksketch "$folder/masksketch" >&2 ||
    echo "the authors' code cannot be had here: it is left out" >&2
  [ ! -d "$folder/masksketch/.git" ] || export MASKSKETCH_JAX="$folder/masksketch"
fi
exec "$folder/venv/bin/python" "$here/compare.py" --program "$program" --model "$folder/official.safetensors" \
  --results "$folder/results.json" --table "$folder/table.md" "$@"
