#!/usr/bin/env bash
# model.init: pca: weights are principal directions of the layers' inputs (numpy's), the decoder has their transposes, so that a
# linear autoencoder starts as the best one and a rectified one close to it; the same bits on any number of ranks and threads;
# tied decoders, batch norm, layers of their own scheme, images and wide layers.
# limit: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

py '
r = np.random.default_rng(563)
X = r.normal(size=(900, 20)) @ r.normal(size=(20, 20)) * 0.7 ** np.arange(20) + 3
h5py.File("x.h5", "w")["X"] = X.astype("f4")
h5py.File("few.h5", "w")["X"] = r.normal(size=(30, 4097)).astype("f4")
h5py.File("wide.h5", "w")["X"] = r.integers(0, 9, (4097, 4097), "u1")'
args=(fit --input.data=x.h5 --input.scale=standard --model.init=pca --pretrain.epochs=1 --pretrain.lr=1e-12
    --cluster.method=aekm --cluster.clusters=3 --cluster.n_init=1 --parallel.shards=8)

# What the autoencoder in RUN makes of the rows: mean square error, that of the best projection on L components; how many
# units of the first layer are principal directions of the rows.
errors() {
    PYTHONPATH=$root/tools py "
import report_data, report_math
run = report_data.Run('$1')
X = h5py.File('x.h5')['X'][:].astype('f8')
S = run.scaled(X)
net = report_math.Network(run)
E = net._forward(net.decoder, net._forward(net.encoder, S.astype('f4'))) - S
w, v = np.linalg.eigh(np.cov(S.T))
W = net.encoder[0][0]
unit = W / np.maximum(np.linalg.norm(W, axis=0), 1e-30)
n = $2
near = np.abs(v[:, ::-1][:, :n].T @ unit).max(axis=0)
print('%.3f' % ((E ** 2).mean() / (w[:-4].sum() * 899 / 900 / 20)), (near > 0.9999).sum(),
      2 * (np.cumsum(w[::-1]) <= 0.8 * w.sum()).sum() + 2)"
}

run 1 1 "${args[@]}" --model.hidden=[] --model.latent=4 --run.output=linear
expect_exit 0 "a linear autoencoder"
expect_out "init +encoder_0: 4 principal directions of 20 inputs" "the log says so"
is "$(errors linear 4 | cut -d' ' -f1-2)" "1.000 4" "it starts as the best linear one"
run 1 1 "${args[@]}" --model.hidden=[40] --model.latent=4 --run.output=good
expect_exit 0 "an autoencoder with rectifiers"
read -r ratio near expected <<<"$(errors good 20)"
number_between "$ratio" 0.5 1.8 "its reconstruction starts near that of the best linear one"
is "$near" "$expected" "its first layer has the directions of 80 % of the variance, twice"
for setting in "1 2" "2 1" "3 2" "5 1"; do
    read -r p t <<<"$setting"
    rm -rf other
    run "$p" "$t" "${args[@]}" --model.hidden=[40] --model.latent=4 --run.output=other
    run 0 1 compare good/run.h5 other/run.h5
    expect_exit 0 "the same bits on $p ranks x $t threads"
done
run 1 1 "${args[@]}" "--model.encoder=dense 30 relu, dense 10 relu init=glorot, dense 4" "--model.decoder=tied ~encoder" --run.output=tied
expect_exit 0 "a tied decoder, a layer of its own scheme"
expect_out "init +encoder_2: 4 principal directions of 10 inputs" "the last layer"
ok "the layer with its own scheme is left" sh -c '! grep -q "init .*encoder_1" '"$out"
run 1 1 "${args[@]/scale=standard/scale=none}" "--model.encoder=dense 40 bn relu, dense 4" --run.output=norm
expect_exit 0 "batch norm"
is "$(py '
X = h5py.File("x.h5")["X"][:].astype("f8")
f = h5py.File("norm/run.h5")["model/encoder_0"]
Z = X @ f["weight"][:, :2].astype("f8")
first = lambda name: f[name][:2]
print(np.abs(Z.mean(0)).max() > 0.5, np.abs(first("bias")).max() < 1e-6, np.allclose(first("gamma") ** 2, Z.var(0), rtol=0.01),
      np.allclose(first("mean"), Z.mean(0), atol=0.2 * Z.std(0).max()), np.allclose(first("variance"), Z.var(0), rtol=0.4))')" \
    "True True True True True" "its moments and scale are those of the projections, its bias is 0"
run 1 1 "${args[@]}" --model.hidden=[30] --pretrain.mode=layerwise --pretrain.layer_steps=5 --run.output=layers
expect_exit 0 "layer-wise pretraining"
run 1 1 "${args[@]}" "--model.encoder=conv 3x3x2 relu, dense 4" --input.image_shape=[4,5] --run.output=bad
expect_error 2 "layer encoder_0 is no dense layer" "layers for images"
run 1 1 "${args[@]}" "--model.encoder=dense 9 ln relu, dense 4" --run.output=bad
expect_error 2 "layer encoder_0 has ln" "a norm that undoes the directions"
wide=(fit --input.scale=none --model.init=pca --model.hidden=[] --model.latent=4 --pretrain.steps=1 --cluster.clusters=3 --cluster.method=aekm
    --cluster.n_init=1 --parallel.shards=8)
run 1 1 "${wide[@]}" --input.data=few.h5 --run.output=few
expect_out "init +encoder_0: 4 principal directions of 4097 inputs" "more columns than rows"
run 1 1 "${wide[@]}" --input.data=wide.h5 --run.output=bad
expect_error 2 "has 4097 inputs for 4097 rows" "a layer that is too wide for its rows"
done_testing
