#!/usr/bin/env bash
# A run is saved at every step and iteration of every phase. Continued from checkpoints at all sorts of places - in the middle of
# each phase, at its last step, around a refresh - on other numbers of ranks and threads, it ends with the same bits.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
# shellcheck disable=SC2206  # several options
args=(fit $small --model.hidden=[30,20] --pretrain.mode=layerwise --pretrain.layer_steps=9 --pretrain.epochs=2
    --cluster.method=idec --cluster.max_iter=25 --cluster.update_interval=10 --cluster.final_kmeans=true
    --cluster.optimizer=adam --cluster.lr=0.001)
run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "the undisturbed run"
run 2 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_exit 0 "the run that is saved all the time"
expect_same all "saved all the time"

# "NUMBER PHASE STEP" of all checkpoints.
list_saved all
number_between "$(wc -l <saved.txt)" 80 400 "checkpoints"
for phase in layer_1 layer_2 layer_3 finetune kmeans cluster final_kmeans; do
    number_between "$(grep -c " $phase " saved.txt)" 2 200 "checkpoints in $phase"
done
is "$(grep -c ' cluster 10$' saved.txt)" 2 "two checkpoints in one step: behind it, and in the refresh that follows"

continue_from layer_1 4
continue_from layer_2 9
continue_from layer_3 7
continue_from finetune 12
continue_from kmeans 2
continue_from cluster 9
continue_from cluster 10 1
continue_from cluster 10 2
continue_from cluster 11
continue_from cluster 24
continue_from cluster 25
continue_from final_kmeans 1

# dcn keeps a label for each row, from the last batch that held the row: a table over all ranks.
# shellcheck disable=SC2206  # several options
args=(fit $small --model.hidden=[20] --pretrain.epochs=1 --cluster.method=dcn --cluster.max_iter=25 --cluster.update_interval=10
    --cluster.lr=0.0001)
rm -rf good all
run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "the undisturbed run of dcn"
run 3 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_same all "dcn, saved all the time"
sed -nE 's/.* saved +.*ckpt-0*([0-9]+)\.h5, ([a-z_0-9]+) step ([0-9]+):.*/\1 \2 \3/p' all/log.txt >saved.txt
run 0 1 info "$(find all/ckpt -name 'ckpt-*' | sort | tail -n 1)"
expect_out "/state/cluster/labels +float32 +[0-9]+ x 1" "its labels are a row block"
for step in 1 9 10 11 25; do continue_from cluster $step; done
done_testing
