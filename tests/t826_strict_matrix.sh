#!/usr/bin/env bash
# The same bits on {1,2,3,4,5,8} ranks x {1,2,3} threads, whatever the method, the optimizer and the sizes. Few rows and
# steps are enough, because bits are compared and not quality. long: yes, limit: 3600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/strict_help.sh
. "$root/tests/strict_help.sh"
limit=600

small=(--model.hidden=[70,33] --model.latent=5 --cluster.n_init=2 --cluster.update_interval=5 --cluster.max_iter=15)

# A prime number of rows; gathered batches that have more rows than the 8 shards, but not a multiple of 8.
compare_all dec-gather "${every_setting[@]}" -- "${small[@]}" --input.rows=509 --parallel.shards=8 --cluster.method=dec \
    --cluster.batch=100 --pretrain.epochs=2 --pretrain.batch=61 --pretrain.optimizer=adam --cluster.optimizer=adam

# Batches with fewer rows than there are shards, by the tree, with Adam: most leaves of a step are empty.
compare_all idec-tree "${every_setting[@]}" -- "${small[@]}" --input.rows=307 --parallel.shards=64 --parallel.gather_rows=0 \
    --cluster.method=idec --cluster.batch=37 --pretrain.epochs=1 --pretrain.batch=29 --pretrain.optimizer=adam

# Layer-wise with dropout, SGD with momentum; leaves of several rows, the last batch is short.
compare_all layerwise-tree "${every_setting[@]}" -- "${small[@]}" --input.rows=509 --parallel.shards=16 \
    --parallel.gather_rows=0 --pretrain.mode=layerwise --pretrain.layer_steps=8 --pretrain.steps=12 --pretrain.batch=130 \
    --pretrain.input_dropout=0.2 --pretrain.dropout=0.2 --pretrain.optimizer=sgd --cluster.batch=130
compare_all layerwise-gather "${every_setting[@]}" -- "${small[@]}" --input.rows=509 --parallel.shards=16 \
    --pretrain.mode=layerwise --pretrain.layer_steps=8 --pretrain.steps=12 --pretrain.batch=50 \
    --pretrain.input_dropout=0.2 --pretrain.dropout=0.2 --pretrain.optimizer=adam --cluster.batch=50

# Fewer rows than shards: some ranks have no rows, and batches have fewer rows than there are ranks.
for rows in 0 2048; do
    compare_all "few-$rows" "${every_setting[@]}" -- "${small[@]}" --input.rows=7 --parallel.shards=8 \
        --parallel.gather_rows=$rows --cluster.method=idec --cluster.clusters=2 --cluster.batch=5 --pretrain.epochs=3 \
        --pretrain.batch=3 --pretrain.optimizer=sgd
done

# As many ranks as shards.
compare_all one-shard-each "8 1" "7 1" -- "${small[@]}" --input.rows=97 --parallel.shards=8 --parallel.gather_rows=0 \
    --pretrain.epochs=2 --pretrain.batch=32 --cluster.batch=32
done_testing
