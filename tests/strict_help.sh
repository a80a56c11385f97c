# shellcheck shell=bash
# shellcheck disable=SC2154  # set by lib.sh
# For the tests of equal bits (t820, t826, t827), after lib.sh.

# compare_all NAME "P T" ... -- ARGS...: fit with ARGS on 1 rank x 1 thread, kept as $tmp/NAME.h5, then on P ranks x T
# threads for each pair; all datasets of the results (labels, embedding, centres, weights, losses, scores) must have the
# same bits.
compare_all() {
    local name=$1 settings=() setting p t
    shift
    while [ "$1" != -- ]; do
        settings+=("$1")
        shift
    done
    shift
    set -- "$@" --run.resume=never --run.output="$tmp/$name"
    run 1 1 "$@"
    expect_exit 0 "$name on 1 rank x 1 thread"
    mv "$tmp/$name/run.h5" "$tmp/$name.h5"
    for setting in "${settings[@]}"; do
        read -r p t <<<"$setting"
        run "$p" "$t" "$@"
        expect_exit 0 "$name on $p ranks x $t threads"
        run 0 1 compare "$tmp/$name.h5" "$tmp/$name/run.h5"
        expect_exit 0 "$name: the same bits on $p ranks x $t threads" || cat "$out"
        rm -f "$tmp/$name/run.h5"
    done
}

# Every number of ranks and threads except 1 x 1.
# shellcheck disable=SC2034  # used by the tests
every_setting=("1 2" "1 3" "2 1" "2 2" "2 3" "3 1" "3 2" "3 3" "4 1" "4 2" "4 3" "5 1" "5 2" "5 3" "8 1" "8 2" "8 3")
