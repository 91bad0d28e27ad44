#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# training/run.sh train [OPTIONS of train.py]   everything from nothing to an exported model; resumes after a kill
# training/run.sh test                          a two-minute miniature of it, with assertions
# training/run.sh train-judge [SECONDS]         the judge, about a quarter of an hour on one core; resumes after a kill
# The Python environment and all work files lie in MSK_TRAINING (default ~/.cache/masksketch-training), never in the repository.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${MSK_TRAINING:-${XDG_CACHE_HOME:-$HOME/.cache}/masksketch-training}
word=${1:-help}
[ $# -gt 0 ] && shift

setup() {
  mkdir -p "$work"
  stamp="$work/venv/requirements.txt"
  if ! cmp -s "$here/requirements.txt" "$stamp" 2>/dev/null; then
    echo "setting up Python in $work/venv (PyTorch is a large download)"
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install -q -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$stamp"
  fi
  export MSK_WORLD="$work/libworld.so"
  cc -std=c11 -O3 -ffp-contract=off -fno-math-errno -fPIC -shared -o "$MSK_WORLD.$$" \
    $(ls "$here"/render/*.c | grep -v render_world.c) -lm
  mv "$MSK_WORLD.$$" "$MSK_WORLD"
  # Idle OpenMP threads sleep: spinning ones slow a shared machine tenfold.
  export OMP_WAIT_POLICY=PASSIVE PYTHONUNBUFFERED=1
  # Freed memory is kept: giving it back and faulting it in again costs a quarter of every step.
  export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184
}

case $word in
  train) setup; exec "$work/venv/bin/python" "$here/train.py" --work "$work/run" "$@" ;;
  test) setup; exec "$work/venv/bin/python" "$here/test_chain.py" "$work/test" "$@" ;;
  train-judge)
    setup
    OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} "$work/venv/bin/python" "$here/judge.py" "$work/run" "$@"
    OMP_NUM_THREADS=1 exec "$work/venv/bin/python" "$here/judge_export.py" "$work/run" "$here/judge/judge.safetensors" ;;
  *) sed -n '3,6s/^# //p' "$0" ;;
esac
