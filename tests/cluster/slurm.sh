#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slurm.sh FOLDER: a Slurm of one node on the loopback, its daemons run directly, everything of theirs in the folder. Prints nothing; ends when
# its standard input does. SLURM_CONF=FOLDER/slurm.conf is what its commands need.
set -eu
folder=$1
name=$(hostname -s)
umask 022
mkdir -p "$folder/spool" "$folder/state"
umask 077
dd if=/dev/urandom of="$folder/munge.key" bs=64 count=1 2>/dev/null
umask 022
# Four processors whatever there are: what is tested is who does what, not how fast.
cat >"$folder/slurm.conf" <<END
ClusterName=loopback
SlurmctldHost=$name(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
SlurmctldPort=$((21000 + $$ % 9000))
SlurmdPort=$((31000 + $$ % 9000))
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SwitchType=switch/none
MpiDefault=none
KillWait=5
NodeName=$name NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 State=UNKNOWN
PartitionName=all Nodes=$name Default=YES MaxTime=INFINITE State=UP
END
munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" >/dev/null 2>&1 &
munged=$!
trap 'kill $slurmd $slurmctld $munged 2>/dev/null' EXIT
slurmd=""
slurmctld=""
for i in $(seq 100); do [ -S "$folder/munge.socket" ] && break; sleep 0.1; done
export SLURM_CONF="$folder/slurm.conf"
slurmctld -D >/dev/null 2>&1 &
slurmctld=$!
slurmd -D -N "$name" >/dev/null 2>&1 &
slurmd=$!
cat >/dev/null
