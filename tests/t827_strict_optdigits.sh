#!/usr/bin/env bash
# Real data: idec on optdigits has the same bits on {1,2,3,4,5,8} ranks x {1,2,3} threads. long: yes, limit: 3600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/strict_help.sh
. "$root/tests/strict_help.sh"
need_data uci/optdigits-test.csv.gz
limit=600

run 0 1 convert "$data/uci/optdigits-test.csv.gz" optdigits.h5 --label-column=last
expect_exit 0 "optdigits"
compare_all idec "${every_setting[@]}" -- --input.data="$tmp/optdigits.h5" --input.scale=minmax --model.hidden=[64,32] \
    --model.latent=10 --cluster.method=idec --cluster.n_init=3 --cluster.update_interval=5 --cluster.max_iter=15 \
    --pretrain.epochs=2 --pretrain.optimizer=adam
done_testing
