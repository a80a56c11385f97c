#!/usr/bin/env bash
# input.scale: pca in whole runs: the same bits on any number of ranks and threads, also when continued; run.h5 holds the
# components, and predict gives the run's own rows the same bits; k-means on components; weights of other components are
# refused; info, check and the dry run know them; 6,000 columns of 60 rows, by pairs of rows.
# limit: 600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"
make_blobs 601 12

# shellcheck disable=SC2206  # several options
base=(fit --input.data=blobs.h5 --input.scale=pca --model.hidden=[20]
    --model.latent=4 --cluster.clusters=3 --parallel.shards=8 --run.log_interval=0.001s --cluster.n_init=3
    --pretrain.batch=100 --cluster.batch=100 --cluster.tol=0 --pretrain.epochs=5 --cluster.max_iter=30
    --cluster.update_interval=10)
args=("${base[@]}" --input.components=7 --input.whiten=true)

run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "a run on components"
expect_out 'scaling +12 columns -> 7 principal components, [0-9.]+ % of the variance, whitened' "the log says what the network sees"
for setting in "1 2" "3 2" "5 1"; do
    read -r p t <<<"$setting"
    rm -rf other
    run "$p" "$t" "${args[@]}" --run.output=other
    run 0 1 compare good/run.h5 other/run.h5
    expect_exit 0 "the same bits on $p ranks x $t threads"
done
is "$(py '
f, X = h5py.File("good/run.h5"), h5py.File("blobs.h5")["X"][:].astype("f8")
s = f["scaling"]
Z = (X - s["shift"][:]) * s["scale"][:] @ s["components"][:].T * s["component_scale"][:]
w, v = np.linalg.eigh(np.cov(X.T))
print(f["model/encoder_0/weight"].shape == (7, 20), np.allclose(np.cov(Z.T), np.eye(7), atol=1e-5),
      np.allclose(s["explained_variance"][:], w[::-1][:7], rtol=1e-5),
      np.allclose(s["explained_variance_ratio"][:], w[::-1][:7] / w.sum(), rtol=1e-5))')" "True True True True" "run.h5: a network for 7 columns, whitened components, their variance"

run 2 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_same all "saved all the time"
list_saved all
continue_from cluster 10
continue_from pretrain 12

for p in 1 3; do
    run "$p" 1 predict --force --model=good/run.h5 --input=blobs.h5 --output=p.h5 --rows-per-round=256
    expect_exit 0 "own rows on $p ranks"
    is "$(py '
a, b = h5py.File("good/run.h5"), h5py.File("p.h5")
print([a[n][:].tobytes() == b[n][:].tobytes() for n in ("labels", "confidence", "embedding")])')" "[True, True, True]" "the same bits on $p ranks"
done
run 2 1 kmeans --input.data=blobs.h5 --input.scale=pca --input.variance=0.5 --cluster.clusters=3 --parallel.shards=8 --run.output=raw
expect_exit 0 "k-means on components"
run 3 1 predict --force --model=raw/run.h5 --input=blobs.h5 --output=p.h5
expect_exit 0 "new rows by k-means on components"
is "$(py '
a, b = h5py.File("raw/run.h5"), h5py.File("p.h5")
r = np.cumsum(a["scaling/explained_variance_ratio"][:])
print(a["cluster_centers"].shape[1] == len(r), r[-1] > 0.5, (r[:-1] <= 0.5).all(), (a["labels"][:] == b["labels"][:]).all())')" "True True True True" "as few components as hold more than half of the variance; the same labels"
for verb in info check; do
    run 0 1 $verb good/run.h5
    expect_exit 0 "$verb"
done

run 1 1 "${args[@]}" --run.output=weights --model.weights=good/run.h5
expect_exit 0 "weights of the same components"
run 1 1 "${base[@]}" --input.components=7 --run.output=weights --run.resume=never --model.weights=good/run.h5
expect_error 2 "good/run.h5 .model.weights. was trained with other principal components" "weights of other factors"
run 1 1 "${base[@]}" --input.components=6 --run.output=weights --run.resume=never --model.weights=good/run.h5
expect_error 6 "good/run.h5: .* has another shape" "weights of fewer components"
run 1 1 "${base[@]}" --input.components=7 --run.output=good
expect_error 6 "input.whiten is false, was true" "another deck does not continue the run"
run 1 1 "${args[@]}" --run.output=dry --dry-run
expect_out "^memory +about" "the dry run"
run 1 1 "${base[@]}" --input.components=13 --run.output=bad
expect_error 2 "601 rows of 12 columns have at most 12 principal components" "more components than columns"
run 1 1 "${args[@]}" --run.output=bad --input.variance=0.5
expect_error 2 "input.variance is not used: input.components is 7, not 0" "number and share"
run 1 1 fit --input.data=blobs.h5 --input.scale=pca "--model.encoder=conv 3x3x4 relu, dense 3" --input.image_shape=[3,4] --run.output=bad
expect_error 2 "the rows are no images any more" "layers for images"

py '
r = np.random.default_rng(562)
x = r.standard_normal((60, 8)) * 2.0 ** -np.arange(8) @ r.standard_normal((8, 6000)) + 0.01 * r.standard_normal((60, 6000)) + 3
np.save("few.npy", x.astype("f4"))
np.save("flat.npy", np.tile(x[:1].astype("f4"), (60, 1)))'
few=(kmeans --input.scale=pca --input.whiten=true --cluster.clusters=3 --cluster.n_init=1 --parallel.shards=8)
run 1 2 "${few[@]}" --input.data=few.npy --input.components=59 --run.output=few
expect_exit 0 "more columns than rows"
run 3 1 "${few[@]}" --input.data=few.npy --input.components=59 --run.output=few3
run 0 1 compare few/run.h5 few3/run.h5
expect_exit 0 "the same bits on 3 ranks"
run 1 1 "${few[@]}" --input.data=few.npy --input.variance=0.99 --run.output=share
is "$(py '
x = np.load("few.npy").astype("f8")
x -= x.mean(0)
u, v, w = np.linalg.svd(x, full_matrices=False)
s, t = h5py.File("few/run.h5")["scaling"], h5py.File("share/run.h5")["scaling"]
c = s["components"][:].astype("f8")
print(np.allclose(s["explained_variance"][:], v[:59] ** 2 / 59, rtol=1e-6), np.allclose(abs((c * w[:59]).sum(1)), 1, rtol=1e-6),
      np.allclose(c @ c.T, np.eye(59), atol=1e-6),
      len(t["explained_variance"]) == (np.cumsum(v**2) <= 0.99 * (v**2).sum()).sum() + 1)')" "True True True True" "numpy's variances, directions and number of components"
run 1 1 "${few[@]}" --input.data=few.npy --input.components=60 --run.output=bad
expect_error 2 "60 rows of 6000 columns have at most 59 principal components" "as many components as rows: the last one would be any direction"
run 1 1 "${few[@]}" --input.data=flat.npy --input.components=5 --run.output=bad
expect_error 3 "all rows are equal" "equal rows"

# Few rows, which take the components of an earlier run.
run 3 1 "${few[@]}" --input.data=few.npy --input.rows=5 --input.components=59 --cluster.init=weights --model.weights=few/run.h5 \
    --run.output=more
expect_exit 0 "5 rows with the 59 components of the run that had 60"
is "$(py 'print((h5py.File("more/run.h5")["scaling/components"][:] == h5py.File("few/run.h5")["scaling/components"][:]).all())')" True \
    "they are that run's"
done_testing
