#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# training/run.sh gpu [--dry-run] [--tokenizer MODEL]   tokenizer, transformer and small CLIP on one large GPU, or the transformer alone for a model's
#                                               codes; resumes after a kill; --dry-run: its settings on the processor, made tiny, a few minutes
# training/run.sh train-clip [OPTIONS of train.py]      the small CLIP, on a processor
# training/run.sh test PROGRAM                  a miniature of all this, two minutes, with assertions; PROGRAM: a built masksketch
# training/run.sh is-tested                     succeeds if the sources are those of the last test that passed (tested.sha256)
# training/run.sh train-judge [SECONDS]         the judge, about three quarters of an hour on one core; resumes after a kill
# The Python environment and all work files lie in MSK_TRAINING (default ~/.cache/masksketch-training), never in the repository.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${MSK_TRAINING:-${XDG_CACHE_HOME:-$HOME/.cache}/masksketch-training}
word=${1:-help}
[ $# -gt 0 ] && shift

setup() {
  mkdir -p "$work"
  if python3 -c 'import torch, numpy, PIL, msgpack' 2>/dev/null; then
    python=python3
  else
    python="$work/venv/bin/python"
    stamp="$work/venv/requirements.txt"
    if ! cmp -s "$here/requirements.txt" "$stamp" 2>/dev/null; then
      echo "setting up Python in $work/venv (PyTorch is a large download)"
      python3 -m venv "$work/venv"
      "$work/venv/bin/pip" install -q -r "$here/requirements.txt"
      cp "$here/requirements.txt" "$stamp"
    fi
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

# What the test is about: the sources in Python, the renderer, and the program's importer.
fingerprint() (
  cd "$here/.."
  ls training/*.py training/run.sh training/requirements.txt training/render/*.[ch] src/api/import* src/tensor/flax.c | LC_ALL=C sort | xargs sha256sum | sha256sum
)

# MSK_TRAINING_CLOCK: a crowded machine does the same work, only later.
test_chain() {
  setup
  export MSK_TRAINING_CLOCK=processor
  tested=$(fingerprint)
  "$python" "$here/test_chain.py" "$work/test" "$@"
  echo "$tested" >"$here/tested.sha256"
}

# The preset's own networks, but few objects and seconds: shows that every stage of it runs.
train_on_gpu() {
  setup
  if [ "${1:-}" = --dry-run ]; then
    shift
    rm -rf "$work/dry"
    export MSK_TRAINING_CLOCK=processor
    set -- --work "$work/dry" --set device=cpu --set threads=2 --set render_workers=2 --set objects=96 --set test_objects=48 --set shard=24 \
      --set tokenizer_seconds=6 --set decoder_seconds=3 --set transformer_seconds=24 --set decay_seconds=8 --set transformer_log=8 --set perceptual_seconds=2 \
      --set clip_trunk_seconds=3 --set clip_seconds=3 --set tokenizer_batch=4 --set decoder_batch=4 --set transformer_batch=8 --set pair_batch=4 --set clip_objects=48 \
      --set clip_test_objects=24 --set clip_each=2 "$@"
  else
    set -- --work "$work/gpu" "$@"
  fi
  exec "$python" "$here/train.py" --preset gpu "$@"
}

case $word in
  gpu) train_on_gpu "$@" ;;
  train-clip) setup; exec "$python" "$here/train.py" --work "$work/run" --stage clip "$@" ;;
  train-judge)
    setup
    OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} "$python" "$here/judge.py" "$work/run" "$@"
    OMP_NUM_THREADS=1 exec "$python" "$here/judge_export.py" "$work/run" "$here/judge/judge.safetensors" ;;
  test) test_chain "$@" ;;
  is-tested) [ "$(fingerprint)" = "$(cat "$here/tested.sha256" 2>/dev/null)" ] ;;
  *) sed -n '3,9s/^# //p' "$0" ;;
esac
