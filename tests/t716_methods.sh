#!/usr/bin/env bash
# Methods that take several steps on a batch, or anneal: the same bits on any number of ranks and threads, and from any step
# on. DCN's labels, counts and centres move step by step and live in the checkpoint; DKM's alpha follows from the step.
# limit: 900
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"

# Six steps are an epoch: alpha changes at step 30. Refreshes at 0, 15, 30, 40.
# shellcheck disable=SC2206  # several options
common=(fit $small --model.hidden=[30,20] --pretrain.epochs=1 --cluster.max_iter=40 --cluster.update_interval=15
    --cluster.optimizer=adam --cluster.lr=0.003)

# bits NAME P T ARGS...: another run has the bits of good/.
bits() {
    local name=$1 p=$2 t=$3
    shift 3
    rm -rf other
    run "$p" "$t" "$@" --run.output=other
    expect_exit 0 "$name on $p ranks x $t threads"
    run 0 1 compare good/run.h5 other/run.h5
    expect_exit 0 "$name: the same bits on $p ranks x $t threads" || cat "$out"
}

continue_from() { # NAME STEP WHICH ARGS...: from the only checkpoint there is, on other ranks and threads each time
    local name=$1 step=$2 number ranks threads
    number=$(awk -v s="$step" '$2 == "cluster" && $3 == s { print $1 }' saved.txt | sed -n "${3}p")
    shift 3
    [ -n "$number" ] || { is "none" "a checkpoint" "$name: step $step" && return; }
    layout=$((layout + 1))
    ranks=$((layout % 4 + 1)) threads=$((layout % 2 + 1))
    rm -rf part
    mkdir -p part/ckpt
    cp all/log.txt all/metrics.jsonl part/
    cp "all/ckpt/$(printf 'ckpt-%06d.h5' "$number")" part/ckpt/
    run $ranks $threads "$@" --run.output=part --checkpoint.every=0
    expect_exit 0 "$name: from step $step on $ranks x $threads" && expect_same part "$name: from step $step"
}

layout=0
for method in dcn dkm; do
    args=("${common[@]}" --cluster.method="$method")
    [ $method = dcn ] || args+=(--dkm.sharpness=0)
    rm -rf good all
    run 1 1 "${args[@]}" --run.output=good
    expect_exit 0 "$method on 1 rank x 1 thread"
    for setting in "1 2" "2 1" "2 2" "3 1" "3 2" "5 1" "5 2"; do
        # shellcheck disable=SC2086  # two numbers
        bits "$method" $setting "${args[@]}"
    done

    run 2 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
    expect_same all "$method, saved all the time"
    sed -nE 's/.* saved +.*ckpt-0*([0-9]+)\.h5, ([a-z_0-9]+) step ([0-9]+):.*/\1 \2 \3/p' all/log.txt >saved.txt
    number_between "$(grep -c ' cluster ' saved.txt)" 40 60 "$method: checkpoints in the phase"
    for step in 1 8 15 16 29 30 31 40; do continue_from "$method" $step 1 "${args[@]}"; done
    continue_from "$method" 15 2 "${args[@]}"

    # Gradients by the tree over shards: other bits, on all ranks the same.
    mv good/run.h5 gathered.h5
    run 1 1 "${args[@]}" --parallel.gather_rows=0 --run.output=good --run.resume=never
    expect_exit 0 "$method by the tree"
    run 0 1 compare gathered.h5 good/run.h5
    expect_exit 1 "$method: the tree has bits of its own"
    for setting in "2 1" "3 2" "5 1"; do
        # shellcheck disable=SC2086  # two numbers
        bits "$method by the tree" $setting "${args[@]}" --parallel.gather_rows=0
    done
done
done_testing
