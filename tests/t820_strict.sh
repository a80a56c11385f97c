#!/usr/bin/env bash
# The same bits on any number of ranks and threads: one small run of each kind, compared with that of 1 rank x 1 thread.
. "$(dirname "$0")/lib.sh"

base=(--run.resume=never --input.rows=509 --parallel.shards=8 --model.hidden=[70,33] --model.latent=5 --cluster.n_init=2 --cluster.max_iter=30
    --cluster.update_interval=10 --cluster.batch=100)

compare_all() { # NAME ARGS...: the settings against 1 x 1
    local name=$1 setting p t
    shift
    run 1 1 "${base[@]}" "$@" --run.output="$tmp/$name"
    expect_exit 0 "$name on 1 rank x 1 thread"
    mv "$tmp/$name/run.h5" "$tmp/$name.h5"
    for setting in "1 2" "2 1" "3 1" "5 1" "2 2" "8 1"; do
        read -r p t <<<"$setting"
        run "$p" "$t" "${base[@]}" "$@" --run.output="$tmp/$name"
        expect_exit 0 "$name on $p ranks x $t threads"
        run 0 1 compare "$tmp/$name.h5" "$tmp/$name/run.h5"
        expect_exit 0 "$name: the same bits on $p ranks x $t threads" || cat "$out"
    done
}

compare_all dec --cluster.method=dec --pretrain.epochs=2 --pretrain.batch=64
compare_all idec-tree --cluster.method=idec --pretrain.epochs=2 --pretrain.optimizer=sgd --pretrain.lr=0.5 --parallel.gather_rows=0
compare_all layerwise --pretrain.mode=layerwise --pretrain.layer_steps=20 --pretrain.steps=30 --pretrain.batch=64 --pretrain.optimizer=sgd
if grep -qw avx2 /proc/cpuinfo; then
    compare_all idec-avx2 --cluster.method=idec --pretrain.epochs=2 --pretrain.batch=64 --pretrain.optimizer=adam --parallel.isa=avx2
fi

run 1 1 "${base[@]}" --pretrain.epochs=2 --pretrain.batch=64 --run.seed=2 --run.output="$tmp/seed"
run 0 1 compare "$tmp/dec.h5" "$tmp/seed/run.h5"
expect_exit 1 "another seed gives other bits"
run 2 1 "${base[@]}" --pretrain.epochs=2 --pretrain.batch=64 --parallel.reproducible=off --run.output="$tmp/off"
expect_exit 0 "parallel.reproducible: off"
run 0 1 compare "$tmp/dec.h5" "$tmp/off/run.h5"
expect_exit 1 "off gives other bits"
done_testing
