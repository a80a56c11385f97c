#!/usr/bin/env bash
# long: yes
# Longer runs as in t975, with more lengths, methods and optimizers, on several numbers of ranks and threads.
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
done_testing
