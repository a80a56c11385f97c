#!/usr/bin/env bash
# Failures of discriminators, each made on purpose: the stop line names it, and the advice is that of the method.
. "$(dirname "$0")/lib.sh"

common=(fit --input.rows=300 --cluster.clusters=4 --cluster.batch=50 --cluster.max_iter=120 --cluster.update_interval=20
    --cluster.tol=0 --cluster.optimizer=adam --pretrain.mode=none --model.init=glorot
    "--model.encoder=dense 20 relu, dense 9")

run 1 1 "${common[@]}" --cluster.method=aae --aae.discriminator=[64] --aae.discriminator_lr=0.02 --cluster.lr=1e-6 --run.output=wins
expect_exit 0 "a discriminator that wins leaves a result"
expect_out "stop: .*; the discriminator of categories wins" "aae: the stop line names it"
expect_out "WARNING .*lower aae.discriminator_lr" "with advice"
run 1 1 "${common[@]}" --cluster.method=dcan --cluster.lr=1e-6 --dcan.discriminator_lr=1e-9 --run.output=idle
expect_exit 0 "so does one that learns nothing"
expect_out "stop: .*; the discriminator learns nothing" "dcan: the stop line names it"
expect_out "WARNING .*raise dcan.discriminator_lr" "with advice"
run 1 1 "${common[@]}" --cluster.method=aae --aae.discriminator=[8] --aae.discriminator_lr=1e-7 --cluster.lr=0.05 --run.output=few
expect_out "stop: collapsed .*; rows fall into less than half of the categories" "aae: so few categories are a collapse"
expect_out "WARNING .*put batch norm into model.encoder" "with advice"
expect_no_out "pretrain longer" "which is not to pretrain longer, for nothing was pretrained"
done_testing
