#!/usr/bin/env bash
# dcmpi dedup: --dry-run tells memory, work and size, and leaves nothing behind; a search that is stopped or killed is saved, the
# same command goes on from there, on other ranks, too, to the bits of an undisturbed one, and another command is refused; a full
# disk leaves nothing, not even an empty lock; 3,000 clusters.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"

kmeans() { # ROWS CLUSTERS FOLDER
    run 2 1 kmeans --input.data=builtin:embeddings,rows="$1",width=64 --input.scale=none --cluster.clusters="$2" --cluster.n_init=1 \
        --cluster.kmeans_max_iter=3 --run.output="$3"
}
kmeans 24000 4 km
expect_exit 0 "k-means"

args=(dedup km/run.h5 --probe=3)
run 0 1 "${args[@]}" --dry-run
expect_exit 0 "a dry run"
expect_out "memory    at most 0\.[0-9]+ GiB per rank" "memory"
expect_out "work      [0-9.e+]+ pairs of rows are compared within clusters, [0-9.e+]+ across: 0\.0369 TFLOP" "all pairs of rows"
expect_out "result    at most 0\.0[0-9]+ GiB in km/dedup.h5" "size of the result"
is "$(compgen -G "km/dedup.h5*")" "" "nothing is left"
run 0 1 "${args[@]}" --output=good.h5
expect_exit 0 "an undisturbed search"

# Asks for a save until there is one.
await_saved() {
    await "memory  "
    until grep -q "saved  " "$out" || ! kill -0 "$job" 2>/dev/null; do
        signal_rank USR2 0
        sleep 0.05
    done
}
start 2 "${args[@]}" --output=x.h5
await_saved
expect_out "saved     x.h5.ckpt: [0-9]+ pairs so far" "SIGUSR2 saves the search"
signal_rank KILL 0
finish
ok "a killed rank ends the job" test "$rc" != 0
rm -f x.h5.ckpt.part
is "$(ls x.h5*)" "x.h5.ckpt
x.h5.lock" "a killed search leaves what was saved, perhaps a part of the next, and no result"
run 0 1 "${args[@]}" --output=x.h5 --cosine=0.9
expect_error 2 "x.h5.ckpt is of an unfinished search with other options" "another search"
start 3 "${args[@]}" --output=x.h5 --force
await_saved
signal_rank USR1 1
finish
is "$rc" 75 "a stop of the second start, on three ranks"
expect_out "continues x.h5.ckpt: [0-9.]+ % of the pairs of shards are compared" "which goes on, with --force, too"
expect_out "stopped   by SIGUSR1.*: x.h5.ckpt; the same command continues" "and says what happens next"
is "$(ls x.h5*)" "x.h5.ckpt" "no result yet"
share() { sed -n 's/.*continues .*: \([0-9.]*\) % .*/\1/p' "$out"; }
first=$(share)
cp x.h5.ckpt y.h5.ckpt
cp x.h5.ckpt w.h5.ckpt
run 0 1 check x.h5.ckpt
expect_out "x.h5.ckpt: whole: unfinished search" "dcmpi check knows it"
run 1 2 "${args[@]}" --output=x.h5
expect_exit 0 "the same command on one rank"
note "after the first save $first % were done, after the second $(share) %"
ok "more was done than before" test "$(awk "BEGIN { print $first < $(share) }")" = 1
run 0 1 compare good.h5 x.h5
expect_exit 0 "gives the bits of the undisturbed search"
is "$(ls x.h5*)" "x.h5" "and removes what was saved"
printf x | dd of=y.h5.ckpt bs=1 seek=$(($(stat -c %s y.h5.ckpt) / 2)) conv=notrunc 2>/dev/null
run 0 1 "${args[@]}" --output=y.h5
is "$rc" 6 "a damaged save is refused"
run 0 1 "${args[@]}" --output=y.h5 --force --dry-run
expect_exit 0 "a dry run with --force"
is "$(ls y.h5*)" "y.h5.ckpt" "removes nothing"

# One made on purpose: the program says itself which checksums such a file should have.
py 'f = h5py.File("w.h5.ckpt", "r+"); f["edges"][-1, 1] = 24000'
for where in edges /; do
    run 1 1 "${args[@]}" --output=w.h5
    right=$(sed -n 's/.* is \([0-9a-f]*\), stored is .*/\1/p' "$err")
    py "h5py.File('w.h5.ckpt', 'r+')['$where'].attrs.modify('xxh3' if '$where' == 'edges' else 'result_hash', np.bytes_('$right'))"
done
run 2 1 "${args[@]}" --output=w.h5
expect_error 6 "w.h5.ckpt is damaged: it names rows that there are not; --force starts anew" "a row that there is not, with the right checksums"
is "$(ls w.h5*)" "w.h5.ckpt" "no result"

"$dcmpi" "${args[@]}" --output=z.h5 >"$out" 2>"$err" &
job=$!
await "memory  "
ok "lines reach a file while the search goes on" kill -USR1 "$job"
wait "$job"
is "$?" 75 "which can be stopped"

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
