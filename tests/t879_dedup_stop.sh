#!/usr/bin/env bash
# dcmpi dedup: --dry-run tells memory, work and size, and leaves nothing behind; a search that is stopped by a signal or killed
# leaves no result and no lock, and the same command gives the bits of an undisturbed one, on other ranks, too; a full disk leaves
# nothing, not even an empty lock; 3,000 clusters.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"

kmeans() { # ROWS CLUSTERS FOLDER
    run 2 1 kmeans --input.data=builtin:embeddings,rows="$1",width=32 --input.scale=none --cluster.clusters="$2" --cluster.n_init=1 \
        --cluster.kmeans_max_iter=3 --run.output="$3"
}
kmeans 20000 4 km
expect_exit 0 "k-means"

args=(dedup km/run.h5 --probe=3)
run 2 1 "${args[@]}" --dry-run
expect_exit 0 "a dry run"
expect_out "memory    at most 0\.[0-9]+ GiB per rank" "memory"
expect_out "work      [0-9.e+]+ pairs of rows are compared within clusters, [0-9.e+]+ across: 0\.0128 TFLOP" "all pairs of rows"
expect_out "result    at most 0\.0[0-9]+ GiB in km/dedup.h5" "size of the result"
is "$(compgen -G "km/dedup.h5*")" "" "nothing is left"
run 1 1 "${args[@]}" --output=good.h5
expect_exit 0 "an undisturbed search"

stopped() { # WHAT CODE
    is "$rc" "$2" "$1"
    is "$(ls x.h5* 2>/dev/null)" "" "$1: no result"
}
start 2 "${args[@]}" --output=x.h5
await "memory  "
signal_rank USR1 1
finish
stopped "a signal to one rank" 75
expect_out "nothing is written; the same command starts anew" "what happens next"
start 2 "${args[@]}" --output=x.h5
await "memory  "
signal_rank KILL 0
finish
ok "a killed rank ends the job" test "$rc" != 0
expect_no_file x.h5 "a killed search: no result"
run 3 1 "${args[@]}" --output=x.h5
expect_exit 0 "the same command on three ranks"
run 0 1 compare good.h5 x.h5
expect_exit 0 "gives the bits of the undisturbed search"

if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=64k tmpfs small 2>/dev/null; then
    head -c 60k /dev/zero >small/full 2>/dev/null
    run 1 1 "${args[@]}" --output=small/d.h5
    expect_error 4 "cannot write .*No space left" "a disk with one page left"
    is "$(ls small)" full "nothing is left on it"
    rm small/full && head -c 16k /dev/zero >small/most
    run 2 1 "${args[@]}" --output=small/d.h5
    expect_error 4 "small/d.h5" "a disk that is full when the result is written"
    is "$(ls small)" most "nothing is left on it, either"
    umount small
fi

kmeans 6000 3000 many
expect_exit 0 "3,000 clusters"
run 2 1 dedup many/run.h5 --probe=4
expect_exit 0 "dedup within them, and their neighbours"
number_between "$(sed -n 's/.*memory    at most \([0-9.]*\) GiB.*/\1/p' "$out")" 0.03 0.4 "memory: no array of rows x clusters, GiB"
number_between "$(result_value removed)" 250 320 "most copies are found"
done_testing
