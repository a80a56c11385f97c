#!/usr/bin/env bash
# VAE and VaDE as a user meets them: the loss falls, labels are their own, the terms matter; a loss on bits needs a sigmoid and
# data in [0, 1] and says so before any work; collapses are named in the stop line; samples in the result and in the report.
# limit: 300
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

# shellcheck disable=SC2206  # several options
start=(fit $small --model.hidden=[30,20] --pretrain.epochs=20 --cluster.optimizer=adam)
common=("${start[@]}" --cluster.max_iter=120 --cluster.update_interval=30 --cluster.lr=0.002)

last() { py "print(h5py.File('$1/run.h5')['history/cluster/$2'][$3])"; }
labels() { py "import hashlib; print(hashlib.md5(h5py.File('$1/run.h5')['labels'][:].tobytes()).hexdigest())"; }
differ() { # A B WHAT
    ok "$3" test "$(labels "$1")" != "$(labels "$2")"
}
same() {
    run 0 1 compare "$1/run.h5" "$2/run.h5"
    expect_exit "$3" "$4"
}

run 1 1 "${common[@]}" --cluster.method=aekm --run.output=aekm
for method in vae vade; do
    run 1 1 "${common[@]}" --cluster.method=$method --$method.weight=50 --run.output=$method
    expect_exit 0 "$method"
    number_between "$(last $method step_loss -1)" 0 "$(last $method step_loss 1)" "the loss of $method falls"
    number_between "$(last $method prior -1)" 0.01 1000 "its divergence has a column"
    expect_no_out "collapsed" "$method does not collapse"
    differ aekm $method "labels of $method are not those of k-means"
done
run 1 1 "${common[@]}" --cluster.method=vae --vae.weight=50 --vae.beta=0 --run.output=free
same vae free 1 "without the divergence vae is another method"
run 1 1 "${common[@]}" --cluster.method=vade --vade.weight=50 --vade.em=0 --run.output=means
same vade means 1 "without EM vade starts elsewhere"
run 1 1 "${common[@]}" --cluster.method=vade --vade.weight=60 --run.output=heavy
same vade heavy 1 "the weight of the reconstruction counts"

# ---- Collapses, named
run 1 1 "${start[@]}" --cluster.method=vae --vae.beta=20 --cluster.max_iter=600 --cluster.update_interval=100 --cluster.lr=0.002 \
    --run.output=prior
expect_exit 0 "a collapsed embedding is a result"
expect_out "stop: .*; the rows' variances have collapsed to the prior's" "vae: the stop line names a posterior collapse"
expect_out "WARNING .*collapsed to the prior's: .*lower vae.beta" "with advice"
py "
X = np.random.default_rng(1).normal(size=(400, 6)); X[300:] = 9
h5py.File('twins.h5', 'w')['X'] = X.astype('f4')"
run 1 1 fit --input.data=twins.h5 --input.scale=minmax --parallel.shards=8 --model.hidden=[8] --model.latent=2 --pretrain.epochs=3 \
    --cluster.method=vade --cluster.clusters=2 --cluster.max_iter=2 --cluster.lr=0.0001 --run.output=twins
expect_out "stop: .*; the variance of a cluster has collapsed" "vade: a Gaussian of equal rows is a point"
expect_out "WARNING .*lr_factors=\[log_variances=0.1\]" "with advice"

# ---- Losses on bits
run 2 1 "${common[@]}" --cluster.method=vae --vae.loss=bce_sum --run.output=none
expect_error 2 "vae.loss = bce_sum needs a decoder that ends in a sigmoid" "no sigmoid"
run 2 1 "${common[@]}" --cluster.method=vade --vade.loss=bce_sum --model.output_activation=sigmoid --input.scale=standard \
    --run.output=none
expect_error 3 "vade.loss = bce_sum needs values in \[0, 1\]: use input.scale = unit" "data that are no bits"
run 1 1 "${common[@]}" --cluster.method=vade --vade.loss=bce_sum --model.output_activation=sigmoid --run.output=bits
expect_exit 0 "vade on bits"

# ---- Samples
is "$(py "
print(h5py.File('vae/run.h5')['vae/samples'].shape, h5py.File('vade/run.h5')['vade/samples'].shape[1:])")" "(32, 5) (10, 5)" \
    "samples in the result"
for method in vae vade; do
    ok "report of $method" /usr/bin/python3 "$root/tools/report.py" $method
    ok "the report of $method shows what is drawn" grep -q ">Drawn<" $method/report.html
done
done_testing
