#!/usr/bin/env bash
# limit: 900
# The job script on a virtual Slurm cluster of two nodes, under mpirun and srun: a signal stops the run with a checkpoint, the
# script requeues the job, and the second part ends with the bits of an undisturbed run. t951 is the long version.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cluster_help.sh
. "$root/tests/cluster_help.sh"

start_cluster 2
limit=200
epochs=12
reference

# With --batch the signal reaches the batch shell, which passes it on to mpirun; without, it reaches the ranks that srun started.
stop_and_continue mpirun --batch
stop_and_continue srun
done_testing
