#!/usr/bin/env bash
# Memory of a network that is large against its data: what a run says before it starts fits what it took, and with more
# ranks each takes less, because the optimizer's state is shared out.
. "$(dirname "$0")/lib.sh"
if grep -qa libasan "$dcmpi"; then skip_test "sanitizers take memory of their own"; fi

short=(--run.resume=never --parallel.shards=8 --pretrain.batch=64 --cluster.batch=64 --cluster.max_iter=2 --cluster.n_init=1)
large=(--input.rows=200 --model.hidden=[1500,1500] --pretrain.epochs=1 --pretrain.optimizer=adam --cluster.optimizer=adam)

peak_of() { # P NAME ARGS...: $peak, MiB; the estimate is compared with it
    local p=$1 name=$2 estimate
    shift 2
    run "$p" 1 "${short[@]}" "$@" --run.output="$tmp/$name"
    expect_exit 0 "$name"
    estimate=$(sed -nE 's/.*memory +about ([0-9.]+) GiB per rank.*/\1/p' "$out" | awk '{ print 1024 * $1 }')
    peak=$(sed -nE 's/.*"memory_peak_bytes": *([0-9.e+]+).*/\1/p' "$tmp/$name/summary.json" | awk '{ print $1 / 1048576 }')
    number_between "$estimate" "$(awk -v x="$peak" 'BEGIN { print x / 2 }')" "$(awk -v x="$peak" 'BEGIN { print 2 * x }')" \
        "$name: the estimate fits $peak MiB"
    expect_out "memory: at most [0-9.]+ GiB, on rank [0-9]+" "$name: which rank took most"
}

peak_of 1 one-rank "${large[@]}"
one=$peak
peak_of 4 four-ranks "${large[@]}"
# 27 MiB a slab: gradient and two moments of one rank against a quarter of them, less 4 batches of messages.
number_between "$(awk -v a="$one" -v b="$peak" 'BEGIN { print a - b }')" 30 80 "MiB that a rank saves with four"
ok "which rank is in the summary" grep -q '"memory_peak_rank": *[0-3],' "$tmp/four-ranks/summary.json"
peak_of 4 off "${large[@]}" --parallel.reproducible=off
number_between "$(awk -v a="$one" -v b="$peak" 'BEGIN { print a - b }')" -20 20 "MiB that are saved without sharing"

# 92 MiB of outputs of the first layer.
peak_of 1 layerwise --input.rows=20000 --model.hidden=[1200] --pretrain.mode=layerwise --pretrain.layer_steps=2 --pretrain.steps=2
number_between "$peak" 140 300 "MiB with the outputs of frozen layers"
done_testing
