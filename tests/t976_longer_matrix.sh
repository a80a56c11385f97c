#!/usr/bin/env bash
# long: yes
# Longer runs as in t975, with more lengths, methods and optimizers, on several numbers of ranks and threads; nothing is lost when a
# longer run is killed, and a run in progress is made longer.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
. "$root/tests/longer_help.sh"
layers="--pretrain.mode=layerwise --model.hidden=[8,5]"
longer "max_iter from nothing" --cluster.max_iter=0 --cluster.max_iter=15 1
longer "tol and max_iter between two refreshes" "--cluster.tol=0.5 --cluster.max_iter=7" "--cluster.tol=0.4 --cluster.max_iter=33"
longer "steps instead of epochs" "" --pretrain.steps=9 1
longer "adam, and all at once" "--pretrain.optimizer=adam --pretrain.lr=0.01 --cluster.tol=0.5" \
    "--pretrain.optimizer=adam --pretrain.lr=0.01 --pretrain.epochs=3 --cluster.tol=0.1 --cluster.max_iter=35"
longer "no training behind it" --cluster.method=aekm "--cluster.method=aekm --pretrain.epochs=3" 1
longer "fine-tuning" "$layers --pretrain.layer_steps=7 --pretrain.steps=5" "$layers --pretrain.layer_steps=7 --pretrain.steps=11"
longer "a layer to the end of an epoch" "$layers --pretrain.layer_steps=8" "$layers --pretrain.layer_steps=13" 3 2
longer "layers, fine-tuning, clustering" "$layers --pretrain.layer_steps=3" \
    "$layers --pretrain.layer_steps=9 --pretrain.epochs=3 --cluster.max_iter=23" 1 2
for P in 1 2 3 5; do
    for T in 1 2; do
        longer "$P x $T: max_iter" --cluster.max_iter=13 --cluster.max_iter=32 $P $T
        longer "$P x $T: epochs" "" --pretrain.epochs=3 $P $T
        longer "$P x $T: k-means" --cluster.kmeans_max_iter=1 --cluster.kmeans_max_iter=9 $P $T
    done
done
longer "a step schedule" "--cluster.schedule=step --cluster.lr_step=7" "--cluster.schedule=step --cluster.lr_step=7 --cluster.max_iter=31"
longer "warm-up and burn-in" "--pretrain.warmup=5 --pretrain.burnin=6" "--pretrain.warmup=5 --pretrain.burnin=6 --pretrain.epochs=3"
longer "large batches by the tree" "--parallel.gather_rows=1 --pretrain.optimizer=adam --pretrain.lr=0.01" \
    "--parallel.gather_rows=1 --pretrain.optimizer=adam --pretrain.lr=0.01 --pretrain.epochs=3 --cluster.max_iter=26" 3

# ---- Nothing is lost: the result stays until the longer one is there, whenever that is killed
rm -rf good x
lengths=(--pretrain.epochs=3000 --cluster.max_iter=20000)
run 1 1 deck.yaml "${lengths[@]}" --run.output=good
run 2 1 deck.yaml --run.output=x
cp -R x kept
long=(deck.yaml "${lengths[@]}" --run.output=x)
for when in ' longer ' ' saved .* pretrain step' ' saved .* cluster step'; do
    start 2 "${long[@]}" --checkpoint.every=0.05s --run.log_interval=0.001s
    await "$when"
    signal_rank KILL 0 # with mpirun alone the ranks would go on for a moment, perhaps to the end
    finish
    ok "killed at '$when': run.h5 stays" cmp x/run.h5 kept/run.h5
    ok "so do its records" cmp x/metrics.jsonl kept/metrics.jsonl
    run 1 1 deck.yaml --run.output=x
    expect_exit 0 "the shorter deck still finds its result"
    expect_out "nothing is left to do" "complete"
done
run 3 1 "${long[@]}"
expect_exit 0 "to its end, on other ranks"
expect_same x "killed three times"
is "$(find x -name '*.new' -o -name '*.part' -o -name 'LOCK*')" "" "nothing is left over"

# ---- A run in progress
rm -rf good x
stretch=(deck.yaml --cluster.update_interval=50)
run 1 1 "${stretch[@]}" --cluster.max_iter=20007 --run.output=good
start 2 "${stretch[@]}" --cluster.max_iter=20000 --checkpoint.every=0.05s --run.log_interval=0.001s --run.output=x
await ' saved .* cluster step'
signal_rank KILL 1
finish
ok "killed within clustering" test ! -e x/run.h5
run 3 1 "${stretch[@]}" --cluster.max_iter=20007 --run.output=x
expect_out " longer .*cluster.max_iter is 20007, was 20000: goes on after cluster, step [1-9]" "from the step it had come to"
expect_same x "max_iter while it clusters"
rm -rf good x
run 1 1 deck.yaml --pretrain.epochs=5 --cluster.max_iter=25 --run.output=good
run 2 1 deck.yaml --run.output=x
rm x/run.h5 x/summary.json x/ckpt/ckpt-000003.h5 x/ckpt/last-cluster.h5
run 2 1 deck.yaml --pretrain.epochs=5 --cluster.max_iter=25 --run.output=x
expect_out " longer .*: goes on after pretrain, step 8; everything after it is computed again$" "while it clusters: back to pretraining"
expect_same x "in progress"
done_testing
