#!/usr/bin/env bash
# Every error ends the run soon, on all ranks, with one line and the documented exit code; older results stay.
. "$(dirname "$0")/lib.sh"
limit=30
small=(--input.rows=300 --model.latent=8 --model.hidden=[32] --pretrain.epochs=2 --cluster.n_init=2 --cluster.max_iter=500)

run 2 1 "${small[@]}" --run.output="$tmp/good"
expect_exit 0 "a run to compare with"
cp "$tmp/good/run.h5" "$tmp/before.h5"

run 3 1 "${small[@]}" --run.resume=never --pretrain.lr=1e6 --pretrain.optimizer=sgd --run.output="$tmp/good"
expect_error 5 "pretraining diverged.*pretrain.lr" "diverged pretraining"
ok "the log tells it, too" grep -q "ERROR: pretraining diverged" "$tmp/good/log.txt"
ok "the older result is untouched" cmp "$tmp/before.h5" "$tmp/good/run.h5"
run 2 1 "${small[@]}" --cluster.lr=1e6 --run.output="$tmp/collapsed"
expect_exit 0 "a collapsed clustering is a result"
expect_out "WARNING collapsed: .*cluster.lr" "with a warning"
run 2 1 "${small[@]}" --cluster.clusters=301 --run.output="$tmp/x"
expect_error 2 "cluster.clusters = 301 is more than input.rows = 300" "more clusters than rows"
run 2 1 "${small[@]}" --parallel.shards=1 --run.output="$tmp/x"
expect_error 2 "2 ranks but parallel.shards=1" "more ranks than shards"
expect_no_file "$tmp/x" "seen before anything is written"
run 2 1 "${small[@]}" --input.data="$tmp/none.h5" --run.output="$tmp/x"
expect_error 4 "none.h5" "missing data file"
echo "not HDF5" >"$tmp/text.h5"
run 2 1 "${small[@]}" --input.data="$tmp/text.h5" --run.output="$tmp/x"
expect_error 3 "text.h5.*not an HDF5 file" "a data file of another kind"
run 2 1 "${small[@]}" --model.weights="$tmp/text.h5" --run.output="$tmp/x"
expect_error 6 "text.h5" "weights from no HDF5 file"
run 2 1 --input.rows=300 --model.weights="$tmp/before.h5" --model.hidden=[33] --run.output="$tmp/x"
expect_error 6 "another shape.*model.hidden" "weights of another network"
run 2 1 --input.rows=300 --model.weights="$tmp/before.h5" --model.hidden=[33] --run.output="$tmp/x" --dry-run
expect_error 6 "another shape.*model.hidden" "--dry-run sees it, too"
run 2 1 "${small[@]}" --model.weights="$tmp/before.h5" --run.output="$tmp/weights"
expect_exit 0 "weights of an earlier run"
expect_no_out '^[^ ]+  pretrain +[0-9.]+%' "and no pretraining"

touch "$tmp/file"
run 3 1 "${small[@]}" --run.output="$tmp/file"
expect_error 4 "not a directory" "the output path is a file"
run 3 1 "${small[@]}" --run.output="/proc/none/x"
expect_error 4 "cannot create" "the output directory cannot be made"
run 1 1 "${small[@]}" --dry-run --run.output=/proc/none/x
expect_error 4 "" "--dry-run sees it, too"
printf '1,2\n3,4\n' >two.csv
run 0 1 convert two.csv two.h5
run 1 1 --dry-run --input.data=two.h5 --cluster.clusters=3 --run.output="$tmp/x"
expect_error 3 "two.h5: 2 rows < 3 clusters" "--dry-run sees what the header of the data shows"

run 1 1 no_such_deck.yaml
expect_error 2 "no_such_deck.yaml" "missing deck"
# shellcheck disable=SC2086  # several options
run_cmd mpirun $MPIRUN_FLAGS -n 2 "$dcmpi" kmeans --input.rows=300 --run.output="$tmp/x" : -n 1 "$dcmpi" frobnicate
expect_error 2 "frobnicate" "one rank has another command line"
run 0 1 frobnicate
expect_error 2 "frobnicate" "unknown verb, without MPI"
run 0 1 info "$tmp/text.h5"
expect_error 6 "text.h5" "info on a text file"
run 0 1 compare "$tmp/before.h5" "$tmp/none.h5"
expect_error 4 "none.h5" "compare with a missing file"

SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=0 run 0 1 "${small[@]}" --run.output="$tmp/x"
expect_error 2 "4 processes but MPI size 1" "a launcher that is not ours"
done_testing
