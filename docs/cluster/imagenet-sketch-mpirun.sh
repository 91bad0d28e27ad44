#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# imagenet-sketch-mpirun.sh HOSTS: the same without Slurm, by a program that was built with MPI. HOSTS has a line a machine, "node07 slots=32"; on each
# run RANKS processes of PROCESSORS processors. Run it again if it was stopped.
set -eu
masksketch=${MASKSKETCH:-masksketch}
clip=${CLIP:-clip}
mpirun --hostfile "$1" --map-by "ppr:${RANKS:-8}:node:PE=${PROCESSORS:-4}" -x MASKSKETCH_MODEL \
  "$masksketch" eval imagenet-sketch.json -o results --clip "$clip" --quiet
"$masksketch" npz results/pictures -o results.npz --force --quiet
