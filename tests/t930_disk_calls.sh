#!/usr/bin/env bash
# limit: 1200
# Each system call on a result and on a checkpoint fails once, with a full disk's, a quota's or a broken disk's error, a short
# write or an interruption (tests/shim/failio.c). If a call on a result fails: exit 4 and one error line, the older result is
# unchanged, nothing is left behind, and the rerun is good; or, if the failure does no harm, the result is good. If a call on a
# checkpoint fails, the run goes on to the good result, with a warning if a checkpoint is missing; those that exist are whole.
# DCMPI_EVERY=N tests every N-th call only (default 29, with the first of the errors; t932: each one, with each error).
. "$(dirname "$0")/lib.sh"
failio=$build/tests/failio.so
[ -f "$failio" ] || skip_test "no $failio: make tests"
skip_with_sanitizers "they must be loaded first, and so must what makes calls fail"
export OMP_NUM_THREADS=1
every=${DCMPI_EVERY:-29}
limit=60
ranks=2

make_blobs 200 4
cat >deck.yaml <<'DECK'
input: {data: blobs.h5}
model: {hidden: [8], latent: 2}
pretrain: {epochs: 1, batch: 128}
cluster: {clusters: 3, n_init: 1, max_iter: 0}
DECK
run $ranks 1 deck.yaml --run.output=good
expect_exit 0 "a good run"
run $ranks 1 deck.yaml --run.seed=2 --run.output=older
expect_exit 0 "an older run"

failing() { # MATCH CALL N ERROR: a run over the older result, in which this call fails
    rm -rf bad
    mkdir bad
    cp older/run.h5 bad
    # shellcheck disable=SC2086  # several options
    env FAILIO_MATCH="$1" ${2:+"FAILIO_CALL=$2"} FAILIO_AT="$3" FAILIO_ERROR="$4" FAILIO_RANK="${rank:-0}" FAILIO_LOG="$tmp/calls" \
        "$within" $limit mpirun ${MPIRUN_FLAGS?} -x LD_PRELOAD="$failio" -n $ranks "$dcmpi" deck.yaml --run.resume=never \
        --run.output=bad >"$out" 2>"$err" </dev/null
    rc=$?
}
count() { # MATCH CALL: sets total, how often a run does it
    local calls=calls-$1-${rank:-0}
    if [ ! -e "$calls" ]; then
        rm -f calls
        failing "$1" "" 0 EIO
        mv calls "$calls"
    fi
    total=$(awk -v call="$2" '$2 == call { n++ } END { print n + 0 }' "$calls")
}
same() { "$dcmpi" compare "$1" "$2" >/dev/null 2>&1; }

# What is wrong after a failure, "" if nothing is.
verdict_on_result() {
    local left
    if [ "$rc" = 4 ]; then
        [ "$(cat "$out" "$err" | grep -ac 'dcmpi: ERROR')" = 1 ] || echo "not one error line"
        cmp -s older/run.h5 bad/run.h5 || same good/run.h5 bad/run.h5 || echo "the older result is gone"
        run $ranks 1 deck.yaml --run.output=bad --run.resume=never
        [ "$rc" = 0 ] || echo "the rerun ends with $rc"
    elif [ "$rc" != 0 ]; then
        echo "exit code $rc"
    fi
    same good/run.h5 bad/run.h5 || echo "another result"
    left=$(find bad -name '*.part*' -o -name LOCK)
    [ -z "$left" ] || echo "left behind: $left"
}
verdict_on_checkpoint() {
    local file
    [ "$rc" = 0 ] || echo "exit code $rc"
    same good/run.h5 bad/run.h5 || echo "another result"
    for file in bad/ckpt/*; do
        "$dcmpi" check "$file" >/dev/null 2>&1 || echo "$file is not a whole checkpoint"
    done
    [ "$(find bad/ckpt -type f | wc -l)" = 2 ] || grep -q WARNING "$out" || echo "a checkpoint is missing, without a warning"
}

sweep() { # WHAT MATCH CALL ERROR...
    local what=$1 match=$2 call=$3 n total found bad_ones=0 harmless=0
    shift 3
    count "$match" "$call"
    number_between "$total" 1 1000 "$what: calls of $call"
    [ "$every" = 1 ] || set -- "$1"
    for error in "$@"; do
        for n in $(seq 1 "$every" "$total"); do
            failing "$match" "$call" "$n" "$error"
            [ "$rc" = 0 ] && harmless=$((harmless + 1))
            found=$(if [ "$what" = result ]; then verdict_on_result; else verdict_on_checkpoint; fi)
            [ -z "$found" ] && continue
            bad_ones=$((bad_ones + 1))
            note "$what, $call $n of $total, $error: $(tr '\n' ';' <<<"$found")"
            show_run
        done
    done
    is $bad_ones 0 "$what: every $call that fails ($*) ends well; $harmless did no harm"
}

sweep result run.h5 fsync EIO
sweep result run.h5 rename EIO EDQUOT
sweep result run.h5 fallocate ENOSPC EINTR
sweep result run.h5 open EROFS
sweep result run.h5 close EIO
sweep result run.h5 unlink EACCES
sweep result run.h5 write ENOSPC SHORT EINTR
rank=1 sweep result run.h5 write EIO
rank=1 sweep result run.h5 fsync EIO
for call in write fsync rename fallocate open close unlink; do sweep checkpoint ckpt $call EIO; done
sweep checkpoint ckpt write ENOSPC SHORT EINTR
done_testing
