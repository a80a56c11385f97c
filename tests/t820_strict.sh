#!/usr/bin/env bash
# The same bits on any number of ranks and threads: one small run of each kind, compared with that of 1 rank x 1 thread.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/strict_help.sh
. "$root/tests/strict_help.sh"

base=(--input.rows=509 --parallel.shards=8 --model.hidden=[70,33] --model.latent=5 --cluster.n_init=2 --cluster.max_iter=30
    --cluster.update_interval=10 --cluster.batch=100)
some=("1 2" "2 2" "3 1" "8 1")

compare_all dec "${some[@]}" -- "${base[@]}" --cluster.method=dec --pretrain.epochs=2 --pretrain.batch=64
compare_all idec-tree "${some[@]}" -- "${base[@]}" --cluster.method=idec --pretrain.epochs=2 --pretrain.optimizer=sgd --pretrain.lr=0.5 --parallel.gather_rows=0
compare_all layerwise "2 2" "5 1" -- "${base[@]}" --pretrain.mode=layerwise --pretrain.layer_steps=20 --pretrain.steps=30 --pretrain.batch=64 --pretrain.optimizer=sgd
if grep -qw avx2 /proc/cpuinfo; then
    compare_all idec-avx2 "1 2" "3 1" -- "${base[@]}" --cluster.method=idec --pretrain.epochs=2 --pretrain.batch=64 --pretrain.optimizer=adam --parallel.isa=avx2
fi

run 1 1 "${base[@]}" --pretrain.epochs=2 --pretrain.batch=64 --run.seed=2 --run.output="$tmp/seed"
run 0 1 compare "$tmp/dec.h5" "$tmp/seed/run.h5"
expect_exit 1 "another seed gives other bits"
run 2 1 "${base[@]}" --pretrain.epochs=2 --pretrain.batch=64 --parallel.reproducible=off --run.output="$tmp/off"
expect_exit 0 "parallel.reproducible: off"
run 0 1 compare "$tmp/dec.h5" "$tmp/off/run.h5"
expect_exit 1 "off gives other bits"
done_testing
