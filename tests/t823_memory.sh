#!/usr/bin/env bash
# Memory of a network that is large compared with its data: the run takes what it announced before it started, and with more
# ranks each takes less, because the optimizer's state is divided among them.
. "$(dirname "$0")/lib.sh"
if grep -qa libasan "$dcmpi"; then skip_test "sanitizers take memory of their own"; fi

short=(--parallel.shards=8 --pretrain.batch=64 --cluster.batch=64 --cluster.max_iter=2 --cluster.n_init=1)
large=(--input.rows=200 --model.hidden=[1500,1500] --pretrain.epochs=1 --pretrain.optimizer=adam --cluster.optimizer=adam)

of_summary() { # NAME KEY: in MiB
    sed -nE "s/.*\"$2\": *([0-9.e+]+).*/\\1/p" "$tmp/$1/summary.json" | awk '{ print $1 / 1048576 }'
}

peak_of() { # P NAME ARGS...: $peak and $least, MiB of the largest and the smallest rank; $said, the estimate for the largest
    local p=$1 name=$2 each root
    shift 2
    run "$p" 1 "${short[@]}" "$@" --run.output="$tmp/$name"
    expect_exit 0 "$name"
    each=$(sed -nE 's/.*memory +about ([0-9.]+) GiB per rank.*/\1/p' "$out" | awk '{ print 1024 * $1 }')
    root=$(sed -nE 's/.*memory +about .* ([0-9.]+) more on rank 0.*/\1/p' "$out" | awk -v x="$each" '{ print x + 1024 * $1 }')
    said=$root
    peak=$(of_summary "$name" memory_peak_bytes)
    least=$(of_summary "$name" memory_peak_least_bytes)
    number_between "$root" "$(awk -v x="$peak" 'BEGIN { print x / 2 }')" "$(awk -v x="$peak" 'BEGIN { print 2 * x }')" \
        "$name: the estimate for rank 0 fits $peak MiB"
    [ "$p" = 1 ] ||
        number_between "$each" "$(awk -v x="$least" 'BEGIN { print x / 2 }')" "$(awk -v x="$least" 'BEGIN { print 2 * x }')" \
            "$name: the estimate for the others fits $least MiB"
    expect_out "memory: [0-9.]+ to [0-9.]+ GiB, most on rank [0-9]+" "$name: which rank took most"
}

peak_of 1 one-rank "${large[@]}"
one=$peak
peak_of 4 off "${large[@]}" --parallel.reproducible=off
whole=$least
peak_of 4 four-ranks "${large[@]}"
# A slab has 26 MiB. One rank has gradient and two moments, each of four ranks a quarter of them, plus 4 batches of messages.
number_between "$(awk -v a="$whole" -v b="$least" 'BEGIN { print a - b }')" 30 80 "MiB that a rank saves by sharing with four"
number_between "$peak" "$least" "$one" "rank 0 takes less, too, checkpoints included"
number_between "$(awk -v a="$peak" -v b="$least" 'BEGIN { print a - b }')" 0 16 "MiB more on rank 0: a checkpoint of 104 MiB goes in pieces"
ok "which rank is in the summary" grep -q '"memory_peak_rank": *0,' "$tmp/four-ranks/summary.json"

# A restart takes its values in pieces, too: no more than the run said before it began.
rm "$tmp"/four-ranks/run.h5
peak_of 3 four-ranks "${large[@]}" --checkpoint.every=0
expect_out " continues cluster" "on other ranks"
number_between "$peak" 1 "$said" "MiB at a restart are within the estimate"

# 92 MiB of outputs of the first layer.
peak_of 1 layerwise --input.rows=20000 --model.hidden=[1200] --pretrain.mode=layerwise --pretrain.layer_steps=2 --pretrain.steps=2
number_between "$peak" 140 300 "MiB with the outputs of frozen layers"
done_testing
