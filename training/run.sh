#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# training/run.sh train [OPTIONS of train.py]   everything from nothing to an exported model; resumes after a kill
# training/run.sh gpu [--dry-run]               the same on one large GPU in 25 minutes; --dry-run: its settings on the processor, made tiny, a few minutes
# training/run.sh test PROGRAM                  a miniature of it, two minutes, with assertions; PROGRAM: a built masksketch
# training/run.sh is-tested                     succeeds if the sources are those of the last test that passed (tested.sha256)
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

# What the test is about: the training's sources, and the program's importer.
fingerprint() (
  cd "$here/.."
  { find training -name '*.py' -o -name '*.[ch]' -o -name '*.sh' -o -name requirements.txt; ls src/api/import* src/tensor/flax.c; } | LC_ALL=C sort | xargs sha256sum | sha256sum
)

# MSK_TRAINING_CLOCK: a crowded machine does the same work, only later.
test_chain() {
  setup
  export MSK_TRAINING_CLOCK=processor
  tested=$(fingerprint)
  "$work/venv/bin/python" "$here/test_chain.py" "$work/test" "$@"
  echo "$tested" >"$here/tested.sha256"
}

# The preset's own networks, but few objects and seconds: shows that every stage of it runs.
train_on_gpu() {
  setup
  if [ "${1:-}" = --dry-run ]; then
    shift
    rm -rf "$work/dry"
    export MSK_TRAINING_CLOCK=processor
    set -- --work "$work/dry" --set device=cpu --set threads=2 --set render_workers=2 --set size=64 --set objects=48 --set test_objects=24 --set shard=24 \
      --set tokenizer_seconds=6 --set decoder_seconds=3 --set transformer_sequences=256 --set decay_sequences=128 --set perceptual_seconds=2 --set clip_trunk_seconds=3 --set clip_seconds=3 \
      --set tokenizer_batch=4 --set decoder_batch=4 --set transformer_batch=8 --set pair_batch=4 --set clip_objects=48 --set clip_test_objects=24 \
      --set clip_each=2 "$@"
  else
    set -- --work "$work/gpu" "$@"
  fi
  exec "$work/venv/bin/python" "$here/train.py" --preset gpu "$@"
}

case $word in
  gpu) train_on_gpu "$@" ;;
  train) setup; exec "$work/venv/bin/python" "$here/train.py" --work "$work/run" "$@" ;;
  train-judge)
    setup
    OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} "$work/venv/bin/python" "$here/judge.py" "$work/run" "$@"
    OMP_NUM_THREADS=1 exec "$work/venv/bin/python" "$here/judge_export.py" "$work/run" "$here/judge/judge.safetensors" ;;
  test) test_chain "$@" ;;
  is-tested) [ "$(fingerprint)" = "$(cat "$here/tested.sha256" 2>/dev/null)" ] ;;
  *) sed -n '3,8s/^# //p' "$0" ;;
esac
