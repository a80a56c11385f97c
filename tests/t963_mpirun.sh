#!/usr/bin/env bash
# Signals to mpirun and killed processes: however much time mpirun leaves its ranks, the same command gives the same bits; the
# time limit; the k-means verb; a rank that is stopped for a while.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
# shellcheck disable=SC2206  # several options
args=(fit $small --model.hidden=[40] --pretrain.epochs=400 --cluster.max_iter=1500 --cluster.update_interval=30
    --checkpoint.every=0.3s)
run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "the undisturbed run"

run 3 1 "${args[@]}" --run.output=bad --run.max_time=0.5s
expect_exit 75 "a time limit"
expect_out "stopped   by run.max_time in (pretrain|reading), step [0-9]+, .*; the same command continues" "it says so"

ended() { # WHAT
    ok "$1: the run has ended (exit $rc)" test "$rc" != 0
}

start 2 "${args[@]}" --run.output=bad
await 'pretrain .*%'
kill -KILL "$job"
finish
ended "SIGKILL of mpirun"

start 3 "${args[@]}" --run.output=bad
await 'pretrain .*%'
signal_rank KILL 1
finish
ended "SIGKILL of a rank"

mpirun_options="--mca odls_base_sigkill_timeout 1"
start 2 "${args[@]}" --run.output=bad
await 'pretrain .*%'
kill -TERM "$job"
finish
ended "SIGTERM to mpirun, ranks have a second"

start 1 "${args[@]}" --run.output=bad
await '%'
kill -INT "$job"
finish
ended "SIGINT to mpirun"
mpirun_options=

start 2 "${args[@]}" --run.output=bad
await '%'
signal_rank STOP 1
sleep 0.5
signal_rank CONT 1
finish
expect_exit 0 "a rank that rests for a while"
expect_same bad "after all of that"
is "$(find bad -name '*.part' -o -name STOP -o -name 'LOCK*')" "" "nothing is left behind"

# mpirun sends SIGCONT first: everything is saved before SIGTERM follows.
mpirun_options="--mca odls_base_sigkill_timeout 3"
start 2 "${args[@]}" --run.output=late
await 'pretrain .*%'
kill -TERM "$job"
finish
mpirun_options=
note "SIGTERM to mpirun, ranks have three seconds: $(grep -c ' saved ' "$out") saved, $(sed -nE 's/.*(stopped   by.*): .*/\1/p' "$out")"
expect_out " saved .*, (pretrain|kmeans|cluster) step " "SIGTERM to mpirun, ranks have three seconds: it was saved"
run 2 1 "${args[@]}" --run.output=late
expect_exit 0 "to its end"
expect_same late "after SIGTERM to mpirun"

# ---- In parts, as a job that is queued again and again
parts=1
for _ in 1 2 3 4 5 6 7 8; do
    run 2 1 "${args[@]}" --run.output=parts --run.max_time=0:02
    [ "$rc" = 75 ] || break
    parts=$((parts + 1))
done
[ "$rc" != 75 ] || run 2 1 "${args[@]}" --run.output=parts # a start may take longer than the limit
expect_exit 0 "$parts parts of two seconds"
expect_same parts "in parts"

# ---- k-means alone
kmeans=(kmeans --input.rows=2000 --parallel.shards=8 --cluster.n_init=30 --cluster.kmeans_tol=0 --checkpoint.every=0)
run 1 1 "${kmeans[@]}" --run.output=good.k
expect_exit 0 "k-means, undisturbed"
start 3 "${kmeans[@]}" --run.output=bad.k
await 'memory    about'
kill -USR1 "$job"
finish
expect_exit 75 "k-means, stopped early"
expect_out "stopped   by .* in (reading|kmeans), step [0-9]+" "it says where"
start 2 "${kmeans[@]}" --run.output=bad.k
await 'memory    about'
sleep 0.3
signal_rank USR2 0
sleep 0.2
signal_rank USR1 1
finish
ok "k-means, saved and stopped (exit $rc)" test "$rc" = 75 -o "$rc" = 0
run 4 1 "${kmeans[@]}" --run.output=bad.k
expect_exit 0 "k-means to its end"
run 0 1 compare good.k/run.h5 bad.k/run.h5
expect_exit 0 "the bits of the undisturbed k-means"
done_testing
