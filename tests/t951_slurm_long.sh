#!/usr/bin/env bash
# long: yes
# limit: 3600
# The job scripts on a virtual Slurm cluster of four nodes, under mpirun and srun: undisturbed, stopped by signals, cut by
# time limits, with a node that loses power, cancelled; each ends with the bits of an undisturbed run on one rank. A sweep.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cluster_help.sh
. "$root/tests/cluster_help.sh"

start_cluster 4
limit=300
reference

for launcher in mpirun srun; do
    submit "plain-$launcher" LAUNCHER=$launcher
    wait_job
    is "$state $restarts" "COMPLETED 0" "$launcher: undisturbed" || show_job
    same_bits "plain-$launcher" "$launcher"
    expect_file "runs/plain-$launcher/report.html" "$launcher: the script made a report"
    wall=$(sed -n 's/^RESULT .* wall=\([0-9]*\).*/\1/p' "$log")
done

stop_and_continue mpirun --batch
stop_and_continue srun

# Cancelled for good. srun's ranks have until KillWait to save; the next job continues where they stopped.
submit cancelled LAUNCHER=srun
wait_log ' pretrain .* epoch '
slurm scancel "$job"
wait_until "a cancelled job ends" is_in CANCELLED
ok "a cancelled job saves a checkpoint" has_checkpoint cancelled
submit cancelled LAUNCHER=srun
wait_job
is "$state" COMPLETED "a new job completes what a cancelled one began" || show_job
same_bits cancelled "cancelled"

# If a job loses a node, Slurm itself puts it back into the queue; the run had no time to save anything.
for launcher in mpirun srun; do
    submit "power-$launcher" LAUNCHER=$launcher
    wait_until "a checkpoint is written" has_checkpoint "power-$launcher"
    cluster off n3
    wait_pending
    cluster boot n3
    wait_job
    is "$state $restarts" "COMPLETED 1" "$launcher: a node lost its power, the job was run again" || show_job
    continued "$launcher with a power failure"
    same_bits "power-$launcher" "$launcher with a power failure"
done

slurm env OUTPUT=runs/sweep timeout $limit sbatch --wait -n 1 -c 1 --array=1,2,10 jobs/sweep.slurm "${options[@]}" \
    --pretrain.epochs=$epochs | sed 's/^/# /'
run_cmd /usr/bin/python3 tools/sweep.py runs/sweep
is "$(awk '/^seed-/ { printf "%s %s ", $1, $2 }' "$out")" "seed-1 max_iter seed-2 max_iter seed-10 max_iter " \
    "the sweep's table"
run 0 1 compare ref/run.h5 runs/sweep/seed-1/run.h5
expect_exit 0 "the run of seed 1 is the undisturbed one"

# Enough epochs for several parts of a minute each, at the measured speed.
epochs=$((epochs * 300 / (wall + 1)))
rm -r ref
mkdir other-tools && mv tools/report*.py other-tools # on a busy machine a report takes longer than the minute has left
reference
for launcher in mpirun srun; do
    submit "limit-$launcher" LAUNCHER=$launcher --time=1 --signal=B:CONT@1
    limit=1500 wait_job
    is "$state" COMPLETED "$launcher: time limits of a minute, completed" || show_job
    number_between "$restarts" 1 20 "$launcher: requeued at the time limit"
    same_bits "limit-$launcher" "$launcher in parts"
done
done_testing
