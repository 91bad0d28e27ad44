#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cluster.sh PROGRAM PLAIN: an evaluation under Open MPI and a Slurm of one node, with a tiny network: PROGRAM is built with MPI, PLAIN without.
# Every way to divide it, killed or not, has to end with the CSVs of the undivided run, byte for byte. Needs root, for Slurm's daemons.
set -eu
program=$1
plain=$2
root=$PWD
work=$(mktemp -d)
slurm=""
# Slurm's daemons end with their standard input; a job that still runs would outlive them.
end_slurm() {
  scancel --user root 2>/dev/null || true
  for i in $(seq 100); do squeue -h 2>/dev/null | grep -q . || break; sleep 0.1; done
  exec 9>&-
  wait "$slurm" 2>/dev/null || true
}
finish() {
  [ -z "$slurm" ] || end_slurm
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM
cd "$work"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_btl=self,vader OMPI_MCA_plm_rsh_agent=false

say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

# ---- a tiny network, drawings, and what has to come out ----

printf 'ball\ncube\ncone\nc3\nc4\nc5\nc6\nc7\nc8\nc9\n' >names.txt
golden="$root/tests/golden"
"$program" convert --tokenizer "$golden/tiny/tokenizer_imagenet128_checkpoint" --transformer "$golden/tiny/maskgit_imagenet128_checkpoint" \
  --classes names.txt -o tiny.safetensors --quiet
export MASKSKETCH_MODEL="$work/tiny.safetensors"
mkdir -p drawn/ball drawn/cube reference
cp "$root/demo/sketches/apple-pen.png" "$root/demo/sketches/fish-thin.png" drawn/ball
cp "$root/demo/sketches/apple-pen.png" drawn/cube
for seed in 0 1 2; do "$program" generate --class cube --seed $seed --steps 2 -o reference/$seed.png --quiet; done
cat >spec.json <<'END'
{"settings": {"lambda_structure": [0, 0.75], "steps": 24, "tail": 0}, "sketches": "drawn", "seeds": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], "reference": "reference"}
END
judge="--judge $golden/judge/judge.safetensors --threads 1 --quiet"
# shellcheck disable=SC2086
"$program" eval spec.json -o whole $judge

# same FOLDER WHAT: the same bytes as the undivided run.
same() {
  for file in results.csv summary.csv features-judge.npy; do
    cmp "whole/$file" "$1/$file" >/dev/null || fail "$2: $file differs"
  done
  [ "$(ls "$1/pictures" | wc -l)" = 72 ] || fail "$2: not 72 pictures"
  [ "$(cat "$1"/records*.jsonl | wc -l)" = 72 ] || fail "$2: some pictures were made twice"
  say "ok: $2"
}

count() { cat "$1"/records*.jsonl 2>/dev/null | wc -l; }

# until_records FOLDER COUNT: waits for as many pictures.
until_records() {
  for i in $(seq 6000); do
    [ "$(count "$1")" -lt "$2" ] || return 0
    sleep 0.1
  done
  fail "no $2 pictures came in $1"
}

# ---- shards, one after the other ----

for shards in 1 2 7; do
  for i in $(seq $shards); do
    # shellcheck disable=SC2086
    "$program" eval spec.json -o "shards-$shards" $judge --shard "$i/$shards"
  done
  # shellcheck disable=SC2086
  "$program" eval spec.json -o "shards-$shards" $judge --merge
  same "shards-$shards" "$shards shards"
done

# ---- Open MPI ----

mpirun --version | head -n 1
# shellcheck disable=SC2086
mpirun -n 3 "$program" eval spec.json -o ranks $judge
same ranks "mpirun -n 3: ranks take pictures as they finish"
[ "$(ls ranks/records-*-of-3.jsonl | wc -l)" = 3 ] || fail "mpirun -n 3 left no three records"

# A rank is killed, then mpirun, then mpirun is asked to end; each time the next one goes on, at last with another number of ranks.
at=4
for victim in rank mpirun term; do
  # shellcheck disable=SC2086
  mpirun -n 3 "$program" eval spec.json -o killed $judge >killed.log 2>&1 &
  runner=$!
  until_records killed $at
  case $victim in
    rank) kill -KILL "$(pgrep -P $runner -f eval | tail -n 1)" ;;
    mpirun) kill -KILL $runner ;;
    term) kill -TERM $runner ;;
  esac
  ! wait $runner || fail "mpirun told of no failure when a $victim was ended"
  for i in $(seq 100); do pgrep -f "eval spec.json -o killed" >/dev/null || break; sleep 0.1; done
  at=$(($(count killed) + 4))
done
[ "$(count killed)" -lt 72 ] || fail "all pictures were there before the last run"
# shellcheck disable=SC2086
mpirun -n 2 "$program" eval spec.json -o killed $judge
same killed "ranks that were killed three times"

# A rank that fails ends them all.
printf 'no picture' >drawn/cube/apple-pen.png
# shellcheck disable=SC2086
! mpirun -n 3 "$program" eval spec.json -o broken $judge >broken.log 2>&1 || fail "a broken drawing was passed over"
grep -q 'masksketch: .*apple-pen.png' broken.log || fail "the broken drawing was not named"
cp "$root/demo/sketches/apple-pen.png" drawn/cube
say "ok: a rank that fails ends them all"

# Without MPI the variables that mpirun sets divide it.
# shellcheck disable=SC2086
mpirun -n 3 "$plain" eval spec.json -o plain $judge
# shellcheck disable=SC2086
"$plain" eval spec.json -o plain $judge --merge
same plain "mpirun -n 3 of a build without MPI"

# ---- Slurm ----

mkdir slurm
mkfifo hold
export SLURM_CONF="$work/slurm/slurm.conf" # from here on the commands know no other Slurm
sh "$root/tests/cluster/slurm.sh" "$work/slurm" <hold &
slurm=$!
exec 9>hold
for i in $(seq 300); do sinfo -h -t idle 2>/dev/null | grep -q idle && break; sleep 0.1; done
sinfo -h -t idle | grep -q idle || { cat slurm/*.log; fail "Slurm did not come up"; }
srun --version

# shellcheck disable=SC2086
srun -n 3 "$program" eval spec.json -o tasks $judge
# shellcheck disable=SC2086
"$program" eval spec.json -o tasks $judge --merge
same tasks "srun -n 3"

# await JOB: waits until a job has come to an end.
await() {
  for i in $(seq 6000); do
    squeue -h -j "$1" 2>/dev/null | grep -q . || return 0
    sleep 0.1
  done
  fail "job $1 does not end"
}

# The script of docs/cluster.md in small: tasks, then one process that merges, itself under the job's variables.
cat >job.sh <<END
#!/bin/sh
srun "$program" eval spec.json -o job $judge && "$program" eval spec.json -o job $judge --merge
END
await "$(sbatch --parsable -n 4 -o job.log job.sh)"
same job "sbatch -n 4, and --merge in the script"
# whoever runs in a script without srun does the whole
cat >alone.sh <<END
#!/bin/sh
"$program" eval spec.json -o alone $judge
END
await "$(sbatch --parsable -n 4 -o alone.log alone.sh)"
same alone "one process in a job of four tasks"

# An array, cancelled in the middle and sent again.
cat >array.sh <<END
#!/bin/sh
"$program" eval spec.json -o array $judge
END
job=$(sbatch --parsable -n 1 --array=10-30:10 -o array.log array.sh)
until_records array 6
scancel "$job"
await "$job"
[ "$(count array)" -lt 72 ] || fail "the array was not cancelled in time"
# shellcheck disable=SC2086
! "$program" eval spec.json -o array $judge --merge 2>merge.log || fail "a merge passed over gaps"
grep -q 'of 72 pictures in array are missing' merge.log || fail "the merge said: $(cat merge.log)"
await "$(sbatch --parsable -n 1 --array=10-30:10 -o array.log array.sh)"
# shellcheck disable=SC2086
"$program" eval spec.json -o array $judge --merge
same array "an array that was cancelled and sent again"

# Ranks inside a job: mpirun knows its processors from Slurm.
cat >ranks.sh <<END
#!/bin/sh
mpirun -n 3 "$program" eval spec.json -o inside $judge
END
await "$(sbatch --parsable -n 3 -o inside.log ranks.sh)"
same inside "mpirun in a job"

# ---- a folder of drawings ----

drawing="--recipe fast --threads 1 --quiet"
# shellcheck disable=SC2086
"$program" draw drawn -o drawn-whole $drawing
# shellcheck disable=SC2086
mpirun -n 2 "$program" draw drawn -o drawn-mpi $drawing
# shellcheck disable=SC2086
srun -n 3 "$program" draw drawn -o drawn-slurm $drawing
for folder in drawn-mpi drawn-slurm; do
  diff -r drawn-whole $folder || fail "$folder differs from the undivided run"
done
say "ok: draw over a folder, by mpirun -n 2 and srun -n 3"

# ---- the scripts of docs/cluster.md, on two classes ----

mkdir -p sketch/n01440764 sketch/n01443537
for i in 1 2 3 4; do
  cp drawn/ball/fish-thin.png sketch/n01440764/sketch_$i.png
  cp drawn/cube/apple-pen.png sketch/n01443537/sketch_$i.png
done
cp -r "$root/docs/cluster" imagenet
export MASKSKETCH="$program" CLIP="$root/models/clip"
ranks=$(($(nproc) > 2 ? 3 : $(nproc)))
echo "localhost slots=$ranks" >hosts
(
  cd imagenet
  [ "$(sh prepare.sh ../sketch)" = "2 classes" ] || fail "prepare.sh found other than two classes"
  unset OMPI_MCA_rmaps_base_oversubscribe # which would bind nothing
  RANKS=$ranks PROCESSORS=1 sh imagenet-sketch-mpirun.sh ../hosts
  mkdir by-mpirun
  mv results results.npz by-mpirun
)
(cd imagenet && await "$(sbatch --parsable --nodes=1 --ntasks-per-node=3 --cpus-per-task=1 -o sbatch.log imagenet-sketch.sbatch)")
[ "$(wc -l <imagenet/results/results.csv)" = 9 ] || { cat imagenet/sbatch.log; fail "imagenet-sketch.sbatch made other than 8 pictures"; }
for file in results/results.csv results/summary.csv results.npz; do
  cmp imagenet/$file imagenet/by-mpirun/$file || fail "$file of imagenet-sketch.sbatch is not mpirun's"
done
say "ok: imagenet-sketch.sbatch and imagenet-sketch-mpirun.sh"

# ---- readers that are not ours ----

python3 - whole/features-judge.npy <<'END'
import ast, struct, sys
data = open(sys.argv[1], 'rb').read()
assert data[:8] == b'\x93NUMPY\x01\x00'
length = struct.unpack('<H', data[8:10])[0]
header = ast.literal_eval(data[10:10 + length].decode())
rows, columns = header['shape']
assert header['descr'] == '<f4' and not header['fortran_order'] and rows == 72
assert len(data) == 10 + length + 4 * rows * columns
END
say "ok: the features are an array of NumPy's"

"$program" npz whole/pictures -o whole.npz --quiet
python3 - whole.npz <<'END'
import ast, struct, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None and archive.namelist() == ['arr_0.npy']
data = archive.read('arr_0.npy')
length = struct.unpack('<H', data[8:10])[0]
header = ast.literal_eval(data[10:10 + length].decode())
assert header == {'descr': '|u1', 'fortran_order': False, 'shape': (72, 128, 128, 3)}, header
assert len(data) == 10 + length + 72 * 128 * 128 * 3
END
say "ok: the pictures are an archive of Python's"
say "all the ways to divide it end the same"
