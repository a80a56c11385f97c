# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # set or used by lib.sh
# For the tests of fault points (t900, t901), after lib.sh: a small problem, runs with a fault, and the checks after them.
dcmpi=$build/fault/dcmpi
[ -x "$dcmpi" ] || skip_test "no fault points: make FAULT=1 BUILD=$build/fault"
limit=60
ranks=3

# Three blobs of 100 rows in 6 columns and their numbers, the same every time.
make_blobs 300
cat >deck.yaml <<'DECK'
input: {data: blobs.h5}
model: {hidden: [16], latent: 3}
pretrain: {epochs: 3, batch: 64}
cluster: {clusters: 3, n_init: 2, batch: 64, update_interval: 10, max_iter: 60}
DECK
run $ranks 1 deck.yaml --run.output=good
expect_exit 0 "the undisturbed run"
# Ten seconds are plenty.
most_seconds=$(((seconds > 2 ? 5 * seconds : 10) * ${SLOW:-1}))

# A run that was killed after two checkpoints.
DC_FAULT=rank.kill@1#24 run $ranks 1 deck.yaml --run.output=killed
expect_exit 137 "a killed run"
is "$(cd killed/ckpt && echo ckpt-* | tr " " "\n")" "$(printf 'ckpt-%06d.h5\n' 1 2)" "leaves two checkpoints"

run_with_fault() { # POINT RANK N
    local options=(--run.output=bad)
    rm -rf bad
    case $1 in
    ckpt.read) cp -r killed bad ;;
    rank.hang) options+=(--run.stall_abort=$((2 * ${SLOW:-1}))s) ;;
    esac
    DC_FAULT=$1@$2#$3 run $ranks 1 deck.yaml "${options[@]}"
}

# What is wrong with the run, "" if nothing is.
verdict() { # POINT RANK N CODE
    local point=$1 code=$4 mark="$1@$2#$3" errors
    errors=$(grep -ah 'dcmpi: ERROR' "$out" "$err")
    [ "$(grep -ac "^dcmpi: FAULT $mark\$" "$err")" = 1 ] || { echo "the point was not passed" && return; }
    [ "$rc" = "$code" ] || echo "exit code $rc, expected $code"
    [ "$seconds" -le $most_seconds ] || echo "$seconds s"
    case $code in
    0) grep -aq "WARNING .*(fault point $mark)" "$out" || echo "no warning names the point" ;;
    137) [ -z "$errors" ] || echo "an error line: $errors" ;;
    *) [ "$(grep -c . <<<"$errors")" = 1 ] || echo "not one error line" ;;
    esac
    case $point in
    # An error that the ranks find together does not name the one that failed.
    rank.* | *.nan | *.flip) ;;
    *) [ "$code" = 0 ] || grep -q "(fault point $mark)" <<<"$errors" || echo "rank and point are not named" ;;
    esac
    [ -z "$(find bad -name '*.part' -o -name '*.tmp*' 2>/dev/null)" ] || echo "left behind: $(ls -A bad)"
}

rerun() { # WHAT
    run $ranks 1 deck.yaml --run.output=bad
    [ "$rc" = 0 ] && run 0 1 compare good/run.h5 bad/run.h5
    expect_exit 0 "after $1 the same command gives the result"
}
