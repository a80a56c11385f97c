#!/usr/bin/env bash
# Ranks that are not bound and have no number of threads set share the cores; OMP_PROC_BIND does not put them all on one core;
# the program restarts itself with threads that sleep while they wait, keeps its name and arguments, and misses no signal.
. "$(dirname "$0")/lib.sh"
unset OMP_WAIT_POLICY OMP_NUM_THREADS
cores=$(lscpu -p=CORE,SOCKET | grep -v '^#' | sort -u | wc -l)

for ranks in 1 2 3; do
    for case in 0 1 2 3 4; do
        # shellcheck disable=SC2086  # several options
        run_cmd mpirun $MPIRUN_FLAGS -n $ranks "$build/tests/t142_cores" $case
        expect_exit 0 "$ranks ranks, $(sed -nE 's/^# \[rank 0\] (.*)/\1/p' "$out" | head -n 1)"
    done
done

deck=(fit --input.rows=300 --model.hidden=[16] --cluster.max_iter=10 --cluster.n_init=1 --cluster.batch=64
    --run.output=r --run.resume=never)
banner() { sed -nE 's/.* 1 node x (.*) on .*/\1/p' "$out"; }
# shellcheck disable=SC2086
run_cmd mpirun $MPIRUN_FLAGS -n 2 "$dcmpi" "${deck[@]}" --pretrain.epochs=1
expect_exit 0 "two ranks without a word of threads"
share=$((cores / 2 > 1 ? cores / 2 : 1))
is "$(banner | sed 's/ (pinned)//')" "2 ranks x $share thread$([ $share = 1 ] || echo s)" "share the cores"
expect_out "NOTE +OMP_NUM_THREADS is not set: $share threads? per rank, as 2 ranks share $cores core" "and the log says so"
# shellcheck disable=SC2086
OMP_NUM_THREADS=3 run_cmd mpirun $MPIRUN_FLAGS -n 2 "$dcmpi" "${deck[@]}" --pretrain.epochs=1
is "$(banner)" "2 ranks x 3 threads" "what is set is kept"
expect_no_out "OMP_NUM_THREADS is not set" "without a note"
if [ "$cores" -ge 2 ]; then
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=1 OMP_PROC_BIND=true run_cmd mpirun $MPIRUN_FLAGS -n 2 "$dcmpi" "${deck[@]}" --pretrain.epochs=1
    expect_out "NOTE +OMP_PROC_BIND or OMP_PLACES put the threads of 2 ranks on the same cores; they were bound to cores of their own" \
        "OMP_PROC_BIND with ranks that are not bound"
    is "$(banner)" "2 ranks x 1 thread (pinned)" "mended"
    # shellcheck disable=SC2086
    SLURM_JOB_ID=17 run_cmd mpirun $MPIRUN_FLAGS -n $cores "$dcmpi" "${deck[@]}" --pretrain.epochs=1
    is "$(banner)" "$cores ranks x 1 thread (pinned)" "in a job, ranks that fill the node are pinned"
    # shellcheck disable=SC2086
    SLURM_JOB_ID=17 run_cmd mpirun $MPIRUN_FLAGS -n $cores "$dcmpi" "${deck[@]}" --pretrain.epochs=1 --parallel.pin=off
    is "$(banner)" "$cores ranks x 1 thread" "not with parallel.pin=off"
fi

long() { # starts $job and waits until it trains
    : >"$out" # of the run before
    "$dcmpi" "${deck[@]}" --pretrain.epochs=100000 >"$out" 2>"$err" &
    job=$!
    until grep -qa 'pretrain .*%' "$out" || ! kill -0 $job; do sleep 0.05; done
}

# The program restarts itself only once, under the same name and with the same arguments.
run_cmd bash -c "exec -a somebody '$dcmpi' --version"
expect_exit 0 "a verb without ranks is not started anew"
long
is "$(cat /proc/$job/comm)" dcmpi "it has the same name"
number_between "$(tr '\0' '\n' </proc/$job/environ | sed -n 's/^GOMP_SPINCOUNT=//p')" 100 30000 "threads sleep soon when they wait"
kill -USR1 $job
wait $job
is $? 75 "it is the same process: a signal stops it"
spins() { # does libgomp's own setting stay, with these variables of Slurm?
    : >"$out" # of the run before
    "$@" "$dcmpi" "${deck[@]}" --pretrain.epochs=100000 >"$out" 2>"$err" &
    job=$!
    until grep -qa 'pretrain .*%' "$out" || ! kill -0 $job; do sleep 0.05; done
    tr '\0' '\n' </proc/$job/environ | grep -c ^GOMP_SPINCOUNT=
    kill -TERM $job
    wait $job
}
is "$(spins env SLURM_JOB_ID=17 SLURM_CPUS_ON_NODE=4 SLURM_STEP_TASKS_PER_NODE='2(x2),1' OMP_NUM_THREADS=2)" 0 \
    "threads to each of which the queue gave a core spin as the library likes"
is "$(spins env SLURM_JOB_ID=17 SLURM_CPUS_ON_NODE=3 SLURM_STEP_TASKS_PER_NODE='2(x2),1' OMP_NUM_THREADS=2)" 1 \
    "with fewer cores they sleep soon"
is "$(spins env SLURM_JOB_ID=17 SLURM_CPUS_ON_NODE=4 OMPI_COMM_WORLD_LOCAL_SIZE=4 SLURM_STEP_TASKS_PER_NODE=1 OMP_NUM_THREADS=2)" 1 \
    "the ranks of mpirun share the cores"
export GOMP_SPINCOUNT=12345
long
is "$(tr '\0' '\n' </proc/$job/environ | grep ^GOMP_SPINCOUNT=)" GOMP_SPINCOUNT=12345 "what the user chose is kept"
kill -TERM $job
wait $job
is $? 75 "and it stops, too"
done_testing
