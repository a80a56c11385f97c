#!/usr/bin/env bash
# A finished run goes on with a larger cluster.max_iter, pretrain.epochs, steps, layer_steps, kmeans_max_iter or a smaller tol,
# and ends with the bits and records of a run that had them from the start. Also: cases in which a longer run changes nothing
# and runs that cannot go on.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
. "$root/tests/longer_help.sh"

goes_on() { # PHASE STEP WHAT
    expect_out " longer .*: goes on after $1, step $2; everything after it is computed again, and run.h5 stays" "$3: says from where"
    expect_out " continues $1, step $2, with checkpoint" "$3: continues there"
}

# ---- Clustering
longer "max_iter, a refresh was due" "" --cluster.max_iter=40 3 2
goes_on cluster 20 "max_iter"
longer "max_iter between two refreshes" --cluster.max_iter=25 --cluster.max_iter=47
goes_on cluster 25 "max_iter"
longer "a smaller tol after it had converged" "--cluster.tol=0.5 --cluster.max_iter=40" --cluster.max_iter=40
goes_on cluster 10 "tol"
longer "a method that reconstructs, adam, k-means at the end" \
    "--cluster.method=idec --cluster.optimizer=adam --cluster.lr=0.001 --cluster.final_kmeans=true --cluster.max_iter=13" \
    "--cluster.method=idec --cluster.optimizer=adam --cluster.lr=0.001 --cluster.final_kmeans=true --cluster.max_iter=31" 3
goes_on cluster 13 "idec"

# ---- Pretraining: all that comes after it anew
longer "epochs" "" --pretrain.epochs=4 3 2
goes_on pretrain 8 "epochs"
longer "steps that cut an epoch" --pretrain.steps=6 --pretrain.steps=15 1 2
goes_on pretrain 6 "steps"
layers="--pretrain.mode=layerwise --model.hidden=[8,5]"
longer "layer-wise" "$layers --pretrain.layer_steps=7" "$layers --pretrain.layer_steps=10"
goes_on layer_1 7 "layer_steps"

# ---- k-means
longer "k-means before clustering" --cluster.kmeans_max_iter=1 --cluster.kmeans_max_iter=30
goes_on kmeans 0 "kmeans_max_iter"
kmeans=(kmeans --input.data=blobs.h5 --cluster.clusters=7 --cluster.n_init=5 --cluster.kmeans_tol=0)
rm -rf good x
run 1 1 "${kmeans[@]}" --run.output=good
run 2 1 "${kmeans[@]}" --cluster.kmeans_max_iter=2 --run.output=x
expect_out "WARNING .*cluster.kmeans_max_iter=2 was reached" "k-means, cut short"
run 3 1 "${kmeans[@]}" --run.output=x
expect_out " longer .*cluster.kmeans_max_iter is 300, was 2" "it goes on"
expect_same x "k-means"

# ---- Again and again, over what was made longer before
rm -rf good x
run 1 1 deck.yaml --pretrain.epochs=3 --cluster.max_iter=35 --run.output=good
for more in "" --cluster.max_iter=27 "--cluster.max_iter=27 --pretrain.epochs=3" "--cluster.max_iter=35 --pretrain.epochs=3"; do
    # shellcheck disable=SC2086  # several options
    run 2 1 deck.yaml $more --run.output=x
    expect_exit 0 "step by step: ${more:-the base}"
done
expect_same x "step by step"
run 2 1 deck.yaml --cluster.max_iter=35 --pretrain.epochs=3 --run.output=x
expect_out "nothing is left to do" "then it is complete"
is "$(cd x/ckpt && echo last-*)" "last-cluster.h5 last-kmeans.h5 last-pretrain.h5" "the last of each phase is there"

# ---- What changes nothing
run 2 1 deck.yaml --cluster.tol=0.5 --cluster.max_iter=35 --run.output=same
expect_out "RESULT .*converged=yes iter=10" "a run that converged"
rm -r same/ckpt
before=$(fingerprint same)
run 2 1 deck.yaml --cluster.tol=0.4 --cluster.max_iter=400 --run.output=same
expect_exit 0 "max_iter after convergence"
expect_out "NOTE .*cluster.max_iter is 400, was 35; cluster.tol is 0.4, was 0.5: that changes nothing, the run converged after 10 steps" "says so"
expect_out "RESULT .*converged=yes iter=10" "with its result"
is "$(fingerprint same)" "$before" "no file was touched"

# ---- What cannot go on
refused() { # REGEX WHAT OPTIONS...
    local before
    before=$(fingerprint x)
    run 2 1 deck.yaml "${@:3}" --run.output=x
    expect_error 6 "$1" "$2"
    is "$(fingerprint x)" "$before" "$2: no file was touched"
}
rm -rf x
run 2 1 deck.yaml --cluster.schedule=cosine --pretrain.schedule=cosine --run.output=x
refused "cluster.schedule is cosine, from the first step to the last: with another cluster.max_iter" "a schedule over the length" \
    --cluster.schedule=cosine --pretrain.schedule=cosine --cluster.max_iter=40
refused "pretrain.schedule is cosine.*another pretrain.epochs.*run.resume=never" "another one" \
    --cluster.schedule=cosine --pretrain.schedule=cosine --pretrain.epochs=4
rm -rf x
run 2 1 deck.yaml --run.output=x
refused "x/run.h5 was made with another deck: cluster.max_iter is 10, was 20" "shorter" --cluster.max_iter=10
refused "another deck: cluster.tol is 0.1, was 0" "a larger tol" --cluster.tol=0.1
refused "pretrain.epochs is 3, was 2; cluster.lr is 0.02" "longer, and another" --pretrain.epochs=3 --cluster.lr=0.02
rm x/ckpt/*
refused "pretrain.epochs is 3, was 2: a longer run goes on from the last state .* x/ckpt holds none" "no checkpoints" --pretrain.epochs=3

# ---- A damaged end of a phase: from that of the one before
rm -rf x
run 2 1 deck.yaml --run.output=x
for file in x/ckpt/ckpt-000003.h5 x/ckpt/last-cluster.h5; do
    cp $file copy # no second name of another
    flip_bit copy 5000
    mv copy $file
done
run 2 1 deck.yaml --pretrain.epochs=2 --cluster.max_iter=25 --run.output=x
expect_out "WARNING x/ckpt/ckpt-000003.h5 .*; trying the one before" "damaged: told"
expect_out " longer .*: goes on after kmeans, step" "from the end of k-means"
rm -rf good
run 1 1 deck.yaml --cluster.max_iter=25 --run.output=good
expect_same x "damaged"
done_testing
