#!/usr/bin/env bash
# limit: 900
# Each read of the newest checkpoint at a restart fails once, with a broken disk's error, or because somebody shortens the file or
# writes to it. If this happens while the checkpoint is checked, the one before is taken; once the run continues from it, the run
# ends with one error line and exit 4 or 6, and the same command then gives the good result. The bits never differ.
# DCMPI_EVERY=N: every N-th read (default 10; t934: each one).
. "$(dirname "$0")/lib.sh"
failio=$build/tests/failio.so
[ -f "$failio" ] || skip_test "no $failio: make tests"
skip_with_sanitizers "they must be loaded first, and so must what makes calls fail"
export OMP_NUM_THREADS=1
every=${DCMPI_EVERY:-10}
limit=60
ranks=2

make_blobs 200 4
cat >deck.yaml <<'DECK'
input: {data: blobs.h5}
model: {hidden: [8], latent: 2}
pretrain: {epochs: 1, batch: 128, optimizer: adam}
cluster: {clusters: 3, n_init: 1, max_iter: 5, tol: 0}
DECK
run $ranks 1 deck.yaml --run.output=good --checkpoint.every=0.000000001s
expect_exit 0 "a good run"
mkdir -p state/ckpt
cp good/log.txt good/metrics.jsonl state
mapfile -t newest < <(find good/ckpt -name 'ckpt-*' | sort)
is "${#newest[@]}" 2 "two checkpoints"
cp "${newest[@]}" state/ckpt
match=$(basename "${newest[1]}")

failing() { # N ERROR: a restart in which the N-th read of the newest checkpoint fails
    rm -rf bad && cp -R state bad
    # shellcheck disable=SC2086  # several options
    env FAILIO_MATCH="$match" FAILIO_CALL=read FAILIO_AT="$1" FAILIO_ERROR="$2" FAILIO_RANK=0 FAILIO_LOG="$tmp/calls" \
        "$within" $limit mpirun ${MPIRUN_FLAGS?} -x LD_PRELOAD="$failio" -n $ranks "$dcmpi" deck.yaml --run.output=bad \
        --checkpoint.every=0 >"$out" 2>"$err" </dev/null
    rc=$?
}
verdict() {
    case $rc in
    0) before=$((before + $(grep -c 'trying the one before' "$out"))) ;;
    4 | 6)
        stopped=$((stopped + 1))
        [ "$(cat "$out" "$err" | grep -ac 'dcmpi: ERROR')" = 1 ] || echo "not one error line"
        cp "${newest[@]}" bad/ckpt
        run $ranks 1 deck.yaml --run.output=bad
        [ "$rc" = 0 ] || echo "the rerun ends with $rc"
        ;;
    *) echo "exit code $rc" ;;
    esac
    "$dcmpi" compare good/run.h5 bad/run.h5 >/dev/null 2>&1 || echo "another result"
}

rm -f calls
failing 0 EIO
expect_out " continues cluster" "an undisturbed restart"
total=$(grep -c . calls)
number_between "$total" 20 500 "reads of a checkpoint"
for error in EIO SHRINK TOUCH; do
    before=0 stopped=0 bad_ones=0
    for n in $(seq 1 "$every" "$total") "$total"; do
        failing "$n" "$error"
        verdict >found.txt
        [ -s found.txt ] || continue
        bad_ones=$((bad_ones + 1))
        note "read $n of $total, $error: $(tr '\n' ';' <found.txt)"
        show_run
    done
    is $bad_ones 0 "$error: each ends well"
    number_between "$before" 1 500 "$error: times that the checkpoint before was taken"
    [ "$error" = TOUCH ] || number_between "$stopped" 1 500 "$error: times that the run stopped"
done
done_testing
