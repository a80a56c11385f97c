#!/usr/bin/env bash
# A run that is stopped again and again, each time in another way and on another number of ranks, ends with the bits and the
# records of an undisturbed one. Prints how long it took from each signal to the end.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
# shellcheck disable=SC2206  # several options
args=(fit $small --model.hidden=[40] --pretrain.epochs=400 --cluster.max_iter=6000 --cluster.update_interval=30 --checkpoint.every=0)
run 2 1 "${args[@]}" --run.output=good
expect_exit 0 "the undisturbed run"

stopped() { # REASON PHASE WHAT
    expect_exit 75 "$3"
    expect_out "stopped   by $1 in $2, step [0-9]+, .*: checkpoint [0-9]+ is written; the same command continues" "$3: says so"
    note "$3: $(sed -nE 's/.* ([0-9.]+ s after the request).*/\1/p' "$out")"
    expect_no_file bad/LOCK "$3: the lock is gone"
}
continued() { # WHAT
    ok "$1: it continues" grep -qE "continues .* with checkpoint" bad/log.txt
}

start 4 "${args[@]}" --run.output=bad
await 'pretrain .*%'
kill -USR1 "$job"
finish
stopped "SIGUSR1( to rank [123])?" pretrain "SIGUSR1 to mpirun on 4 ranks"

start 1 "${args[@]}" --run.output=bad
await 'pretrain .*%'
signal_rank TERM 0
finish
stopped SIGTERM pretrain "SIGTERM to the only rank"
continued "on 1 rank"

start 3 "${args[@]}" --run.output=bad
await 'cluster .*%'
signal_rank USR1 2
finish
stopped "SIGUSR1 to rank 2" cluster "SIGUSR1 to the last of 3 ranks"

start 2 "${args[@]}" --run.output=bad
await 'cluster .*%'
signal_rank INT 0
signal_rank INT 0
finish
stopped SIGINT cluster "SIGINT twice"

start 2 "${args[@]}" --run.output=bad
await 'cluster .*%'
touch bad/STOP
finish
stopped "the file STOP" cluster "a file STOP"
expect_no_file bad/STOP "it is removed"

start 2 "${args[@]}" --run.output=bad
await 'cluster .*%'
for _ in 1 2 3; do
    signal_rank INT 1
    sleep 0.05 # those that wait together are one
done
finish
ok "SIGINT three times (exit $rc)" test "$rc" != 0

touch bad/STOP
start 2 "${args[@]}" --run.output=bad
await 'cluster .*%'
kill -USR2 "$job"
finish
expect_exit 0 "SIGUSR2, and an earlier file STOP"
expect_out "WARNING a file STOP from before this start was removed" "the old STOP is told"
ok "SIGUSR2: a checkpoint besides that of the end" test "$(grep -c ' saved ' "$out")" -ge 2
expect_same bad "after six stops"
is "$(find bad -name '*.part' -o -name STOP -o -name 'LOCK*')" "" "nothing is left behind"
is "$(find bad/ckpt -name 'ckpt-*.h5' | wc -l)" 2 "two checkpoints are kept"

before=$(fingerprint bad)
run 1 1 "${args[@]}" --run.output=bad
expect_exit 0 "once more"
expect_out "bad/run.h5 is complete and belongs to this deck and data: nothing is left to do" "it is complete, and says so"
is "$(fingerprint bad)" "$before" "no file was touched"
run 1 1 "${args[@]}" --run.output=bad --run.max_time=1h --checkpoint.keep=5 --run.resume=must
expect_exit 0 "harmless keys do not matter"
is "$(fingerprint bad)" "$before" "no file was touched either"
done_testing
