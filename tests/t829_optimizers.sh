#!/usr/bin/env bash
# Optimizers, weight decay, clipping, factors by name and the floor of schedules: the same bits on any number of ranks and
# threads, also for a run that continues on others; each of them changes the result; names that are not trained are refused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/strict_help.sh
. "$root/tests/strict_help.sh"
. "$root/tests/resume_help.sh"
. "$root/tests/longer_help.sh"

base=(--input.rows=307 --parallel.shards=8 --model.hidden=[70,33] --model.latent=5 --cluster.n_init=2
    --cluster.update_interval=5 --cluster.batch=100 --pretrain.batch=64 --pretrain.epochs=2)
steps=--cluster.max_iter=15
some=("3 2" "5 1")
decayed=(--pretrain.optimizer=nesterov --pretrain.lr=0.1 --pretrain.clip_norm=0.005 --pretrain.weight_decay=0.01
    --pretrain.lr_factors=[encoder=0.5,decoder_0=2] --pretrain.schedule=step --pretrain.lr_step=3 --pretrain.lr_min=0.05
    --cluster.method=idec --cluster.optimizer=rmsprop --cluster.lr=0.001 --cluster.clip_norm=0.01 --cluster.lr_factors=[centers=5]
    --cluster.rho=0.95)
compare_all gather "${some[@]}" -- "${base[@]}" $steps "${decayed[@]}"
compare_all tree "${some[@]}" -- "${base[@]}" $steps --parallel.gather_rows=0 --pretrain.mode=layerwise --pretrain.layer_steps=8 \
    --pretrain.optimizer=nesterov_torch --pretrain.lr=0.1 --pretrain.clip_norm=0.005 --pretrain.lr_factors=[encoder_1=0.5,decoder_1=2] \
    --cluster.optimizer=adam --cluster.lr=0.001 --cluster.clip_norm=0.01 --cluster.weight_decay=0.1

# ---- Each changes the result
for other in pretrain.optimizer=nesterov_torch pretrain.clip_norm=0 pretrain.weight_decay=0 pretrain.lr_factors=[encoder=0.5] \
    pretrain.lr_min=0 cluster.clip_norm=0 cluster.lr_factors=[] cluster.rho=0.8; do
    run 1 1 "${base[@]}" $steps "${decayed[@]/--${other%%=*}=*/--$other}" --run.resume=never --run.output="$tmp/other"
    run 0 1 compare "$tmp/gather.h5" "$tmp/other/run.h5"
    expect_exit 1 "$other gives another result"
done

# ---- A factor of 0
weights() { py "f = h5py.File('$1'); print(hash(f['model/encoder_0/weight'][()].tobytes() + f['model/encoder_2/bias'][()].tobytes()))"; }
export PYTHONHASHSEED=0
run 1 1 "${base[@]}" --cluster.max_iter=0 --run.output=before
run 2 1 "${base[@]}" $steps --cluster.lr_factors=[encoder=0,centers=2] --run.output=fixed
expect_exit 0 "encoder=0"
is "$(weights fixed/run.h5)" "$(weights before/run.h5)" "an encoder with factor 0 stays"
run 2 1 "${base[@]}" $steps --cluster.lr_factors=[centers=0] --run.output=free
is "$([ "$(weights free/run.h5)" != "$(weights before/run.h5)" ] && echo moved)" moved "one without does not"

# ---- Names
run 2 1 "${base[@]}" --cluster.lr_factors=[centres=2] --run.output=x
expect_error 2 "cluster.lr_factors: 'centres' is not trained, did you mean 'centers'\?; trained are encoder, encoder_0, encoder_1, encoder_2, centers$" "a name that there is not"
run 2 1 "${base[@]}" --cluster.method=dec --cluster.lr_factors=[decoder_1=2] --dry-run
expect_error 2 "'decoder_1' is not trained" "dec leaves the decoder"
run 1 1 "${base[@]}" --pretrain.lr_factors=[encoder_3=2] --run.output=x
expect_error 2 "pretrain.lr_factors: 'encoder_3' is not trained.* decoder_2$" "a layer that there is not"
expect_no_file x "nothing was written"

# ---- Runs that go on, on other ranks
for optimizer in nesterov_torch rmsprop; do
    own="--pretrain.optimizer=$optimizer --cluster.optimizer=$optimizer --pretrain.lr=0.01 --cluster.lr=0.001
        --pretrain.clip_norm=0.1 --cluster.clip_norm=0.01 --pretrain.weight_decay=0.01"
    longer "$optimizer, pretraining" "$own --cluster.max_iter=2" "$own --cluster.max_iter=2 --pretrain.epochs=3" 3
    longer "$optimizer, clustering" "$own --cluster.max_iter=13" "$own --cluster.max_iter=21" 2 2
done
done_testing
