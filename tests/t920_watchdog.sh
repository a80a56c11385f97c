#!/usr/bin/env bash
# A rank that stops (by SIGSTOP here; a node that pages or a debugger would do the same) is named in one warning, even if its own
# thread is the watchdog; the run goes on afterwards with the same bits; run.stall_abort ends the job.
. "$(dirname "$0")/lib.sh"
export OMP_NUM_THREADS=1
deck=(fit --input.rows=1000 --model.hidden=[48] --cluster.max_iter=40 --cluster.update_interval=20)

# stopped RANK PAUSE OPTIONS...: a run of three ranks, of which one is stopped for so many seconds once it trains, or until the
# job has ended.
stopped() {
    local rank=$1 pause=$2 job pid i
    shift 2
    rm -rf run
    # shellcheck disable=SC2086  # several options
    "$within" "$limit" mpirun $MPIRUN_FLAGS -n 3 "$dcmpi" "${deck[@]}" --run.output=run "$@" >"$out" 2>"$err" </dev/null &
    job=$!
    until grep -qs '"epoch": 2,' run/metrics.jsonl || ! kill -0 $job 2>/dev/null; do sleep 0.1; done
    pid=$(rank_pid "$rank" $job)
    kill -STOP "$pid"
    for ((i = 0; i < 10 * pause; i++)); do kill -0 $job 2>/dev/null && sleep 0.1; done
    kill -CONT "$pid" 2>/dev/null
    wait $job
    rc=$? ran_with=mpirun
}

rank_pid() { # RANK JOB
    local pid
    for pid in $(pgrep -f "^$dcmpi .*--run.output=run"); do
        [ "$(readlink "/proc/$pid/cwd")" = "$tmp" ] && tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1" && echo "$pid"
    done
}

run 3 1 "${deck[@]}" --pretrain.epochs=60 --run.output=good
expect_exit 0 "the undisturbed run"
expect_no_out "no progress" "no warning without a reason"

for rank in 0 2; do # below: rank 1
    stopped $rank 5 --pretrain.epochs=60 --run.stall_warning=2s
    expect_exit 0 "rank $rank stopped for 5 s"
    is "$(grep -c "WARNING no progress .*(stopped)" "$out")" 1 "one warning"
    expect_out "WARNING no progress for [2-4] s on node $(hostname): rank $rank in pretrain, step [0-9]+ \(stopped\)" "it names rank, phase and step"
    expect_out "NOTE +going on after [0-9]+ s" "a line says when it goes on"
    run 0 1 compare good/run.h5 run/run.h5
    expect_exit 0 "the result is that of the undisturbed run"
done

patience=$((3 * ${SLOW:-1}))
stopped 1 $((4 * patience)) --pretrain.epochs=100000 --run.stall_abort=${patience}s
expect_error 70 "no progress for ($patience|$((patience + 1))|$((patience + 2))) s .run.stall_abort. .*rank 1 in pretrain, step [0-9]+ \(stopped\)" "run.stall_abort ends the job"
is "$(pgrep -fc "^$dcmpi .*--run.output=run")" 0 "no process is left"
done_testing
