#!/usr/bin/env bash
# IDEC on images (DCEC), DCN, DKM, DEPICT and IMSAT do what they say: their losses fall, their labels are not those of k-means on
# the same weights, and with weight 0 for what is their own the result is another one. The mixture and the spectral method, which
# train nothing, give labels of their own. (VAE and VaDE: t722_variational; DCAN and AAE: t730; IMSAT's weights: t722_heads.)
# limit: 300
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

# Images of five kinds, so noisy that no two methods agree on all of them.
py "
r = np.random.default_rng(1)
glyph = r.random((5, 8, 6)) > 0.6
X = np.clip(255 * (0.4 * glyph[r.integers(0, 5, 400)] + 0.6 * r.random((400, 8, 6))), 0, 255)
h5py.File('images.h5', 'w')['X'] = X.astype('u1')"
data=(fit --input.data=images.h5 --input.scale=unit --parallel.shards=8 --cluster.clusters=5)
common=("${data[@]}" "--model.encoder=conv 3x3x4 /2 relu, conv 3x3x6 /2 relu, dense 5" --cluster.n_init=3)
training=(--cluster.batch=100 --cluster.update_interval=20 --cluster.max_iter=100 --cluster.tol=0 --cluster.optimizer=adam
    --cluster.lr=0.003)

last() { py "print(h5py.File('$1/run.h5')['history/cluster/step_loss'][$2])"; }
# agree A B: share of rows whose labels agree.
agree() { "$dcmpi" compare "$1/run.h5" "$2/run.h5" | sed -nE 's/^labels: .*matched ([0-9.]+).*/\1/p'; }

run 1 1 "${common[@]}" --pretrain.epochs=10 --pretrain.optimizer=adam --pretrain.lr=0.003 --pretrain.batch=100 --cluster.method=aekm \
    --run.output=aekm
expect_exit 0 "k-means on the embedding"
for method in gmm spectral; do
    run 1 1 "${common[@]}" --model.weights=aekm/run.h5 --cluster.method=$method --run.output=$method
    expect_exit 0 "$method"
    number_between "$(agree aekm $method)" 0.2 0.9999 "labels of $method are its own"
done
for own in idec.gamma=0.1 dcn.beta=1 dkm.lambda=1 depict.hidden=1; do
    method=${own%%.*}
    run 1 1 "${common[@]}" "${training[@]}" --model.weights=aekm/run.h5 --cluster.method="$method" --"$own" --run.output="$method"
    expect_exit 0 "$method"
    expect_out "stop: max_iter after 100 steps" "$method sees no failure"
    number_between "$(last "$method" -1)" -1000 "$(last "$method" 1)" "the loss of $method falls"
    number_between "$(agree aekm "$method")" 0.2 0.9999 "labels of $method are not those of k-means"
    run 1 1 "${common[@]}" "${training[@]}" --model.weights=aekm/run.h5 --cluster.method="$method" --"${own%=*}=0" --run.output="not-$method"
    expect_exit 0 "$method without its own"
    run 0 1 compare "$method/run.h5" "not-$method/run.h5"
    expect_exit 1 "without it the result of $method is another one"
done
run 1 1 "${data[@]}" "${training[@]}" --cluster.method=imsat "--model.encoder=dense 40 bn relu" --run.output=imsat
expect_exit 0 "imsat"
number_between "$(last imsat -1)" -1000 "$(last imsat 1)" "the loss of imsat falls"
number_between "$(agree aekm imsat)" 0.2 0.9999 "labels of imsat are not those of k-means"
done_testing
