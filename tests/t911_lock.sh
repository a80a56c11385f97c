#!/usr/bin/env bash
# One run at a time in an output directory: starts in the same second, a lock left by a killed run, and file systems without flock
# or with a flock that other nodes do not see; the lock is removed at the end, also of a failed run.
. "$(dirname "$0")/lib.sh"
failio=$build/tests/failio.so
[ -f "$failio" ] || skip_test "no $failio: make tests"
skip_with_sanitizers "they must be loaded first, and so must what makes flock fail"
export SLURM_JOB_ID=4711 OMP_NUM_THREADS=1
quick=(kmeans --run.resume=never --input.rows=300 --cluster.n_init=1)
slow=(fit --run.resume=never --input.rows=2000 --model.hidden=[64] --cluster.max_iter=1)

start() { # NUMBER OPTIONS...: in the background, its output in NUMBER.txt
    local number=$1
    shift
    # shellcheck disable=SC2086  # several options
    "$within" 60 mpirun $MPIRUN_FLAGS -n 1 "$@" >"$number.txt" 2>&1 </dev/null &
}
wait_for_lock() {
    until grep -qs '^epoch' shared/LOCK; do sleep 0.1; done
}

# One of the starts $a and $b ends by itself, however late the other was; then the other is told to stop. Gives their exit codes.
end_both() {
    while kill -0 "$a" && kill -0 "$b"; do sleep 0.1; done 2>/dev/null
    while kill -0 "$a" || kill -0 "$b"; do
        touch shared/STOP # again: a start removes what was there before
        sleep 0.1
    done 2>/dev/null
    wait "$a"
    a=$?
    wait "$b"
    b=$?
}

both_ways() { # WHAT PREFIX...: the checks with a command in front of the program
    local what=$1 good=0 refused=0 odd=0 a b busy=1.txt
    shift
    for _ in 1 2 3 4 5; do
        rm -rf shared
        start 1 "$@" "$dcmpi" "${slow[@]}" --pretrain.epochs=100000 --run.output=shared
        a=$!
        start 2 "$@" "$dcmpi" "${slow[@]}" --pretrain.epochs=100000 --run.output=shared
        b=$!
        end_both
        [ "$a $b" = "75 7" ] && busy=2.txt
        [ "$a $b" = "7 75" ] && busy=1.txt
        case "$a $b" in
        "75 7" | "7 75") good=$((good + 1)) ;;
        *) odd="$a $b" ;;
        esac
        grep -qE "ERROR: .*in use by (host $(hostname), pid [0-9]+, job 4711, started 2.*ago|another run that starts)" "$busy" &&
            refused=$((refused + 1))
    done
    is "$good $odd" "5 0" "$what: of two starts in the same second one runs, one ends with 7"
    is "$refused" 5 "$what: it names host, process, job, and age"
    ok "$what: the lock is gone at the end" test ! -e shared/LOCK -a ! -e shared/LOCK.guard

    start 3 "$@" "$dcmpi" "${slow[@]}" --pretrain.epochs=100000 --run.output=shared
    wait_for_lock
    kill -9 "$(sed -n 's/^pid //p' shared/LOCK)"
    wait $! 2>/dev/null
    ok "$what: a killed run leaves its lock" test -s shared/LOCK
    # shellcheck disable=SC2086
    run_cmd mpirun $MPIRUN_FLAGS -n 1 "$@" "$dcmpi" "${quick[@]}" --run.output=shared
    expect_exit 0 "$what: the next run takes it over"
    expect_out "WARNING took over shared/LOCK, left behind by host $(hostname), pid [0-9]+, job 4711" "$what: with a warning"
    ok "$what: and in the log" grep -q "WARNING took over" shared/log.txt
    ok "$what: it removes it" test ! -e shared/LOCK
}
both_ways "flock"
both_ways "no flock" env LD_PRELOAD="$failio" FAILIO_MATCH=LOCK FAILIO_CALL=flock FAILIO_AT=1+ FAILIO_ERROR=ENOLCK

# Two nodes: hosts with different names, and a flock that the other host does not see.
both_nodes() {
    local a local_flock=(env LD_PRELOAD="$failio" FAILIO_MATCH=LOCK FAILIO_CALL=flock FAILIO_AT=1+ FAILIO_ERROR=LOCAL)
    rm -rf shared
    # shellcheck disable=SC2016  # expanded by the inner shell
    on() { run_cmd unshare --uts bash -c 'hostname "$0" && exec "$@"' "$1" "${local_flock[@]}" "$dcmpi" "${@:2}"; }
    # shellcheck disable=SC2016
    unshare --uts bash -c 'hostname nodeA && exec "$@"' _ "${local_flock[@]}" "$dcmpi" "${slow[@]}" --pretrain.epochs=100000 \
        --run.output=shared >1.txt 2>&1 </dev/null &
    a=$!
    wait_for_lock
    on nodeB "${quick[@]}" --run.output=shared
    expect_error 7 "in use by host nodeA, pid $a, job 4711, .* last sign of life [0-9]+ s ago" "two nodes: the second is refused"
    kill -STOP $a
    touch -d '5 minutes ago' shared/LOCK
    on nodeB "${quick[@]}" --run.output=shared
    expect_error 7 "host nodeA, .* last sign of life 5 min ago" "two nodes: also after five minutes without a sign"
    touch -d '11 minutes ago' shared/LOCK
    on nodeB "${slow[@]}" --run.output=shared --pretrain.epochs=1
    expect_exit 0 "two nodes: after ten minutes it is taken over"
    expect_out "WARNING took over shared/LOCK, left behind by host nodeA, .* last sign of life 11 min ago" "two nodes: with the true age"
    cp shared/run.h5 theirs.h5
    printf 'dcmpi lock\nhost nodeB\npid 1\nticks 1\njob 1\nstarted now\nepoch 1\n' >shared/LOCK # as if it were still at work
    kill -CONT $a
    sleep 2
    kill -USR1 $a
    wait $a
    # Whatever the first run does now, it must not touch the files of the other.
    note "the first ended with $?: $(grep -a ERROR 1.txt)"
    ok "two nodes: the result of the second stays" cmp theirs.h5 shared/run.h5
    ok "two nodes: its lock, too" grep -q nodeB shared/LOCK
}
if [ "$(id -u)" = 0 ] && unshare --uts true 2>/dev/null; then both_nodes; else
    report_check 0 "two nodes # SKIP other host names need root"
fi
# A job that the queue starts again on another node need not wait.
printf 'dcmpi lock\nhost elsewhere\npid 1\nticks 1\njob 4711\nstarted now\nepoch 1\n' >requeued.lock
mkdir -p requeued
cp requeued.lock requeued/LOCK
run 1 1 "${quick[@]}" --run.output=requeued
expect_error 7 "in use by host elsewhere, pid 1, job 4711" "a second start in one job, on another node"
SLURM_RESTART_COUNT=1 run 1 1 "${quick[@]}" --run.output=requeued
expect_exit 0 "the same job after a requeue"
expect_out "WARNING took over requeued/LOCK, left behind by host elsewhere, pid 1, job 4711" "with a warning"

run 1 1 "${quick[@]}" --cluster.clusters=301 --run.output=failed
expect_exit 2 "a run that fails"
run 2 1 "${quick[@]}" --input.data=none.h5 --run.output=failed
expect_exit 4 "a run that fails later"
ok "leaves no lock" test ! -e failed/LOCK
mkdir linked
ln -s ../elsewhere linked/LOCK
run 1 1 "${quick[@]}" --run.output=linked
expect_error 4 "LOCK: Too many levels of symbolic links" "a lock that is a link is not followed"
expect_no_file elsewhere "nothing is made behind it"
done_testing
