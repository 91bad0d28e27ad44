#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# training.sh PROGRAM PLAIN: training under Open MPI with tiny networks: PROGRAM is built with MPI, PLAIN without. Ranks that share a batch have to show the
# losses of one process that has all of it, in every stage; a rank that is killed ends all, and the same command goes on to the same bytes.
set -eu
program=$1
plain=$2
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
cd "$work"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_btl=self,vader OMPI_MCA_plm_rsh_agent=false

say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

golden="$root/tests/golden"
"$program" convert --tokenizer "$golden/tiny/tokenizer_imagenet128_checkpoint" --transformer "$golden/tiny/maskgit_imagenet128_checkpoint" \
  -o tiny.safetensors --quiet
mkdir -p photos/one photos/two
for name in apple-pen bird-marker car-pencil chair-pencil fish-thin lamp-thin; do
  for class in one two; do
    cp "$root/demo/sketches/$name.png" photos/$class/$name.png
    cp "$root/demo/sketches/$name.png" photos/$class/$name.sketch.png
  done
done

# spec NAME STAGE EACH STEPS LOG SAVE: EACH sequences a rank and step; seconds between logs, and between checkpoints.
spec() {
  cat >"$1.json" <<END
{"photos": "photos", "size": 128, "crops": 2, "tokenizer": "tiny.safetensors", "work": "$1", "output": "$1.safetensors", "stage": "$2", "batch": $3,
 "pair_batch": $3, "pair_every": 2, "layers": 2, "width": 32, "heads": 2, "structure_layers": [1], "sequences": $((4 * $4)), "warmup_sequences": 8,
 "decay_sequences": 8, "first_objects": 4, "autoencoder_share": 0.3, "log_seconds": $5, "save_seconds": $6}
END
}

# losses NAME: both losses and the gradient's norm of each step. Columns by their titles, which differ from stage to stage.
losses() {
  awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^(masked|pairs|picture|commitment|gradient_norm)$/) at[++n] = i; next }
    { line = $1; for (i = 1; i <= n; i++) line = line " " ($at[i] == "" ? "-" : $at[i]); print line }' "$1/curves.csv"
}

# close ONE OTHER: all of these within a thousandth, which is what roundings have grown to by then.
close() {
  losses "$1" >one.txt
  losses "$2" >other.txt
  [ "$(wc -l <one.txt)" -ge 8 ] || fail "$1 has no losses of eight steps"
  paste -d ' ' one.txt other.txt | awk '{ if (NF % 2 || NF < 6) exit 1; half = NF / 2; for (i = 1; i <= half; i++) { a = $i; b = $(i + half);
    if ((a == "-") != (b == "-")) exit 1; d = a - b; if (d < 0) d = -d; if (a != "-" && d > 1e-3 * (a < 0 ? -a : a)) exit 1; if (a > 0 && d / a > most) most = d / a } }
    END { printf "%.1e", most }' >most.txt || fail "$2 has other losses than $1: $(paste one.txt other.txt)"
}

mpirun --version | head -n 1
for stage in transformer decoder tokenizer; do
  for ranks in 1 2 4; do spec $stage-$ranks $stage $((4 / ranks)) 8 0 1000; done
  "$program" train $stage-1.json --threads 1 --quiet
  for ranks in 2 4; do
    mpirun -n $ranks "$program" train $stage-$ranks.json --threads 1 --quiet
    close $stage-1 $stage-$ranks
    say "ok: $stage by $ranks ranks, losses of one process within $(cat most.txt)"
  done
done

# ---- a rank is lost ----

spec whole transformer 2 2000 1000 1000
spec lost transformer 2 2000 1000 0
mpirun -n 2 "$program" train whole.json --threads 1 --quiet
mpirun -n 2 "$program" train lost.json --threads 1 --quiet >lost.log 2>&1 &
runner=$!
steps() { head -c 65536 lost/transformer.checkpoint 2>/dev/null | grep -ao '"step": *"[0-9]*"' | tr -dc 0-9; }
for i in $(seq 6000); do
  [ "$(steps)" = "" ] || [ "$(steps)" -lt 6 ] || break
  sleep 0.05
done
kill -KILL "$(pgrep -P $runner -f train | tail -n 1)"
! wait $runner || fail "mpirun told of no failure when a rank was killed"
for i in $(seq 100); do pgrep -f "train lost.json" >/dev/null || break; sleep 0.1; done
! pgrep -f "train lost.json" >/dev/null || fail "a rank went on alone"
[ "$(steps)" -lt 2000 ] || fail "all steps were taken before the rank was killed"
say "   killed after $(steps) of 2000 steps"
mpirun -n 2 "$program" train lost.json --threads 1 --quiet
cmp whole/transformer.checkpoint lost/transformer.checkpoint || fail "a run that lost a rank and went on is another"
cmp whole/transformer.safetensors lost/transformer.safetensors || fail "a run that lost a rank and went on has other weights"
say "ok: a rank that was killed ended all, and the same command went on to the same bytes"

# ---- what is refused ----

spec mixed transformer 2 8 1000 1000
! mpirun -n 1 "$program" train mixed.json --threads 1 --quiet : -n 1 "$program" train mixed.json --threads 1 --quiet --isa ref >mixed.log 2>&1 ||
  fail "ranks with other kernel sets trained together"
grep -q 'masksketch: rank 1 has another model, spec or kernel set' mixed.log || fail "ranks with other kernel sets: $(cat mixed.log)"
spec broken transformer 2 8 1000 1000
mkdir -p broken
printf 'no checkpoint' >broken/transformer.checkpoint
! mpirun -n 2 "$program" train broken.json --threads 1 --quiet >broken.log 2>&1 || fail "a broken checkpoint was passed over"
grep -q 'masksketch: .*transformer.checkpoint' broken.log || fail "the broken checkpoint was not named: $(cat broken.log)"
! mpirun -n 2 "$plain" train mixed.json --threads 1 --quiet >plain.log 2>&1 || fail "a build without MPI trained by mpirun"
grep -q 'built without MPI' plain.log || fail "a build without MPI: $(cat plain.log)"
say "ok: other kernels, a build without MPI and a broken checkpoint are refused"
say "ranks train as one"
