#!/usr/bin/env bash
# Every method of the table that trains, except dec and idec (t820, t961): the same bits on any number of ranks and threads,
# also when continued from any step; gmm (t551) and spectral (t572) train nothing. DCN's labels, counts and centres change with
# each step and are saved in the checkpoint; DKM's alpha follows from the step number. Here five of them; DCMPI_ALL=1 (t729): all, on
# 1, 2, 3 and 5 ranks with 1 and 2 threads, also with gradients by the tree.
# limit: 900
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"

# Six steps are an epoch: alpha changes at step 30. Refreshes at 0, 15, 30, 40.
# shellcheck disable=SC2206  # several options
common=(fit $small --model.hidden=[30,20] --pretrain.epochs=3 --cluster.max_iter=40 --cluster.update_interval=15
    --cluster.optimizer=adam --cluster.lr=0.0001)

scratch=(fit --input.rows=600 --parallel.shards=8 --run.log_interval=0.001s "--model.encoder=dense 30 bn relu, dense 20 bn relu"
    --cluster.batch=100 --cluster.tol=0 --cluster.max_iter=40 --cluster.update_interval=15 --cluster.optimizer=adam
    --cluster.lr=0.002)

# bits NAME P T ARGS...: a run on P ranks x T threads has the bits of good/.
bits() {
    local name=$1 p=$2 t=$3
    shift 3
    rm -rf other
    run "$p" "$t" "$@" --run.output=other
    expect_exit 0 "$name on $p ranks x $t threads"
    run 0 1 compare good/run.h5 other/run.h5
    expect_exit 0 "$name: the same bits on $p ranks x $t threads" || cat "$out"
}

settings=("3 2") tree_settings=() steps=(16)
if [ -n "${DCMPI_ALL:-}" ]; then
    settings=("1 2" "2 1" "2 2" "3 1" "3 2" "5 1" "5 2") tree_settings=("2 1" "5 2") steps=(1 15 16 30 40)
fi
methods=$("$dcmpi" fit --help | sed -n '/^Methods (cluster.method/,/^$/p' | awk '/^  [a-z]/ && !/^  (dec|idec|aekm|gmm|spectral) / {print $1}')
number_between "$(wc -w <<<"$methods")" 2 100 "methods of the table"
# Each frame once: labels and counts, a value that anneals, networks with cycles of their own, a decoder alone, a mixture, norms and radii.
[ -n "${DCMPI_ALL:-}" ] || methods=$(grep -xE 'dcn|dkm|aae|vade|imsat' <<<"$methods")
for method in $methods; do
    args=("${common[@]}" --cluster.method="$method")
    case $method in
    dkm) args+=(--dkm.sharpness=0) ;;
    # Networks, optimizers and cycles of their own; a message for clip_norm in each step.
    dcan) args+=(--dcan.discriminator=[9] --dcan.discriminator_lr=0.002 --dcan.encoder_every=2 --cluster.clip_norm=0.5) ;;
    aae) args+=(--aae.discriminator=[9] --aae.discriminator_lr=0.002 --aae.encoder_every=3 --cluster.clusters=3) ;;
    # Labels of k-means, saved, are the target of the first 18 steps.
    depict) args+=(--depict.label_epochs=3) ;;
    # No pretraining; batch norm, whose running moments move with each step, and the radius of each row.
    imsat) args=("${scratch[@]}" --cluster.method=imsat) ;;
    esac
    rm -rf good all
    run 1 1 "${args[@]}" --run.output=good
    expect_exit 0 "$method on 1 rank x 1 thread"
    for setting in "${settings[@]}"; do
        # shellcheck disable=SC2086  # two numbers
        bits "$method" $setting "${args[@]}"
    done

    run 2 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
    expect_same all "$method, saved all the time"
    list_saved all
    number_between "$(grep -c ' cluster ' saved.txt)" 40 60 "$method: checkpoints in the phase"
    for step in "${steps[@]}"; do continue_from cluster "$step"; done
    continue_from cluster 15 2

    [ -n "${DCMPI_ALL:-}" ] || continue
    # Gradients by the tree over shards: other bits, on all ranks the same.
    mv good/run.h5 gathered.h5
    run 1 1 "${args[@]}" --parallel.gather_rows=0 --run.output=good --run.resume=never
    expect_exit 0 "$method by the tree"
    run 0 1 compare gathered.h5 good/run.h5
    expect_exit 1 "$method: the tree has bits of its own"
    for setting in "${tree_settings[@]}"; do
        # shellcheck disable=SC2086  # two numbers
        bits "$method by the tree" $setting "${args[@]}" --parallel.gather_rows=0
    done
done
done_testing
