#!/usr/bin/env bash
# input.reduce and input.norm in whole runs: the same bits on any number of ranks and threads, also when continued; run.h5
# holds the map, and predict gives the run's own rows the same bits; k-means on reduced rows, and on rows of norm 1; a
# stop in the reduction, and the same command again; weights of another map are refused; senseless combinations; memory
# that is known before the start. DCMPI_ALL=1 (t559): more ranks, threads and reductions of sparse rows.
# limit: 600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"
py '
from h5ad import put_csr
rng = np.random.default_rng(567)
label = np.arange(601) % 3
x = rng.poisson(0.15 + 1.5 * (np.arange(90) % 3 == label[:, None])) * (rng.random((601, 90)) < 0.4)
x[[5, 77]] = 0
with h5py.File("words.h5", "w") as f:
    f["X"], f["y"] = x.astype("f4"), label.astype("i4")
for name, x in ("sparse", x), ("thin", x * (rng.random(x.shape) < 0.5)):
    with h5py.File(name + ".h5ad", "w") as f:
        put_csr(f, x)
        f["obs/label"] = label.astype("i4")'

cat >fit.yaml <<'DECK'
run: {log_interval: 0.001s}
input: {data: words.h5, scale: none, reduce: svd, components: 7, norm: l2}
model: {hidden: [20], latent: 4}
pretrain: {batch: 100, epochs: 5}
cluster: {clusters: 3, n_init: 3, batch: 100, tol: 0, max_iter: 30, update_interval: 10}
parallel: {shards: 8}
DECK
cat >kmeans.yaml <<'DECK'
input: {data: words.h5, scale: none}
cluster: {clusters: 3}
parallel: {shards: 8}
DECK
args=(fit fit.yaml)

run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "a run on reduced rows"
expect_out 'reduce +90 columns -> 7 dimensions by svd: [0-9.]+ % of the variance, singular values [0-9.]+ to [0-9.]+, 9 passes over the rows, [0-9.]+ s' "the log says what came of it"
zeros=$(py 'print((h5py.File("words.h5")["X"][:] == 0).all(axis=1).sum())')
expect_out "NOTE +input.norm=l2: $zeros of 601 rows hold only zeros, and stay so" "rows of zeros are counted"
is "$(py '
f, X = h5py.File("good/run.h5"), h5py.File("words.h5")["X"][:].astype("f8")
s = f["scaling"]
V = s["components"][:].astype("f8")
u, v, w = np.linalg.svd(X, full_matrices=False)
Z = X @ w[:7].T
print(s["components"].attrs["reduce"].decode(), f.attrs["row_norm"].decode(), f["model/encoder_0/weight"].shape == (7, 20),
      np.allclose(s["singular_values"][:], v[:7], rtol=1e-2), np.allclose(s["singular_values"][:3], v[:3], rtol=1e-6), np.linalg.norm(V @ V.T - np.eye(7)) < 1e-5,
      np.allclose(s["explained_variance"][:], (X @ V.T).var(axis=0), rtol=1e-4),
      np.allclose(s["explained_variance_ratio"][:], (X @ V.T).var(axis=0) / X.var(axis=0).sum(), rtol=1e-4))')" "svd l2 True True True True True True" "run.h5: a network for 7 dimensions, singular vectors, their variance"
same_bits_elsewhere "reduced rows"

run 2 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_same all "saved all the time"
list_saved all
continue_from cluster 10
continue_from pretrain 12
run 2 1 "${args[@]}" --run.output=stopped --run.max_time=0.000001s
expect_exit 75 "a stop in the reduction"
expect_no_file stopped/run.h5 "it leaves no result"
run 3 1 "${args[@]}" --run.output=stopped
expect_same stopped "the same command again reduces anew"

for p in 1 3; do
    run "$p" 1 predict --force --model=good/run.h5 --input=words.h5 --output=p.h5 --rows-per-round=256
    expect_exit 0 "own rows on $p ranks"
    is "$(py '
a, b = h5py.File("good/run.h5"), h5py.File("p.h5")
print([a[n][:].tobytes() == b[n][:].tobytes() for n in ("labels", "confidence", "embedding")])')" "[True, True, True]" "the same bits on $p ranks"
done

for how in "svd --input.components=5 --input.norm=max" "pca --input.components=5" "random --input.components=40" "none --input.norm=l2"; do
    # shellcheck disable=SC2086  # several options
    run 1 2 kmeans kmeans.yaml --run.output=one --run.resume=never --input.reduce=$how
    expect_exit 0 "k-means, input.reduce=$how"
    for p in ${DCMPI_ALL:+3} 5; do
        rm -rf other
        # shellcheck disable=SC2086
        run "$p" 1 kmeans kmeans.yaml --run.output=other --input.reduce=$how
        run 0 1 compare one/run.h5 other/run.h5
        expect_exit 0 "the same bits on $p ranks"
    done
    run 3 1 predict --force --model=one/run.h5 --input=words.h5 --output=p.h5
    expect_exit 0 "new rows"
    is "$(py '
a, b = h5py.File("one/run.h5"), h5py.File("p.h5")
print((a["labels"][:] == b["labels"][:]).all(), a["metrics"].attrs["acc"] > 0.9)')" "True True" "the same labels, the right ones"
done
# Sparse rows: the same map but for rounding, the same bits on all ranks and in predict.
for how in "svd --input.components=5 --input.norm=l2" ${DCMPI_ALL:+"pca --input.components=5" "random --input.components=40"} \
    "none --input.norm=l1"; do
    for data in words.h5 sparse.h5ad; do
        # shellcheck disable=SC2086  # several options
        run 1 2 kmeans kmeans.yaml --run.output="of-$data" --run.resume=never --input.data=$data --input.reduce=$how
        expect_exit 0 "$data, input.reduce=$how"
    done
    rm -rf other
    # shellcheck disable=SC2086
    run 5 1 kmeans kmeans.yaml --run.output=other --input.data=sparse.h5ad --input.reduce=$how
    run 0 1 compare of-sparse.h5ad/run.h5 other/run.h5
    expect_exit 0 "the same bits on 5 ranks"
    is "$(py '
a, b = h5py.File("of-words.h5/run.h5"), h5py.File("of-sparse.h5ad/run.h5")
V = [f["scaling/components"][:] if "components" in f["scaling"] else 0 for f in (a, b)]
print(np.allclose(V[0], V[1], atol=1e-6), abs(a.attrs["inertia"] / b.attrs["inertia"] - 1) < 1e-5)')" "True True" "dense and sparse rows agree"
    run 2 1 predict --force --model=of-sparse.h5ad/run.h5 --input=sparse.h5ad --output=p.h5
    is "$(py 'print((h5py.File("p.h5")["labels"][:] == h5py.File("other/run.h5")["labels"][:]).all())')" "True" "predict"
done
# Of so few values that a network on the columns themselves would take the rows sparse.
run 1 1 fit fit.yaml --input.data=thin.h5ad --run.output=fit-sparse
expect_exit 0 "a network on sparse rows, reduced"
run 3 1 predict --force --model=fit-sparse/run.h5 --input=thin.h5ad --output=p.h5
is "$(py '
a, b = h5py.File("fit-sparse/run.h5"), h5py.File("p.h5")
print([a[n][:].tobytes() == b[n][:].tobytes() for n in ("labels", "confidence", "embedding")])')" "[True, True, True]" "predict gives its rows their bits"

# A trained method on ranks without rows of their own, and a sweep over numbers of clusters for one.
few=(fit.yaml --input.data=thin.h5ad --input.rows=7 --input.components=3 --cluster.clusters=2 --pretrain.batch=4 --cluster.batch=4)
sweep=(fit.yaml --input.data=thin.h5ad --clusters=2..4 --sweep.sample=200)
run 1 1 fit "${few[@]}" --run.output=few
expect_exit 0 "a network on 7 sparse rows, reduced"
run 5 1 fit "${few[@]}" --run.output=few-elsewhere
run 0 1 compare few/run.h5 few-elsewhere/run.h5
expect_exit 0 "has the same bits on 5 ranks"
run 1 2 sweep-k "${sweep[@]}" --run.output=sweep
expect_exit 0 "sweep-k on sparse rows, reduced"
expect_out '^RESULT .*clusters=3' "finds the clusters"
run 3 1 sweep-k "${sweep[@]}" --run.output=sweep-elsewhere
run 0 1 compare sweep/run.h5 sweep-elsewhere/run.h5
expect_exit 0 "with the same bits on 3 ranks"
run 2 1 predict --force --model=sweep/run.h5 --input=thin.h5ad --output=p.h5
is "$(py 'print((h5py.File("p.h5")["labels"][:] == h5py.File("sweep/run.h5")["labels"][:]).all())')" "True" "predict gives its rows their labels"

for verb in info check; do
    run 0 1 $verb good/run.h5
    expect_exit 0 "$verb"
done

weights() { run 1 1 "${args[@]}" --run.output=weights --run.resume=never --model.weights=good/run.h5 "$@"; }
weights
expect_exit 0 "weights of the same map"
weights --run.seed=2
expect_error 2 "good/run.h5 .model.weights. was trained with other principal components" "weights of a map from another seed"
weights --input.norm=l1
expect_error 2 "was trained with input.norm = l2" "weights of rows of another norm"
weights --input.reduce=pca
expect_error 2 "was trained with" "weights of another reduction"
run 1 1 "${args[@]}" --run.output=good --input.norm=none
expect_error 6 "input.norm is none, was l2" "another deck does not continue the run"

refuse() { # REGEX WHAT OPTIONS...
    run 1 1 kmeans kmeans.yaml --run.output=bad "${@:3}"
    expect_error 2 "$1" "$2"
}
refuse "input.reduce = svd needs input.components" "no number of dimensions" --input.reduce=svd
refuse "two reductions; choose one" "two reductions" --input.reduce=svd --input.components=5 --input.scale=pca
refuse "at most 90 dimensions of 601 rows of 90 columns" "more dimensions than columns" --input.reduce=svd --input.components=91
run 1 1 kmeans kmeans.yaml --run.output=bad --input.reduce=svd --input.components=1 --input.rows=1 --cluster.clusters=1
expect_error 3 "input.reduce = svd needs at least two rows, there is one" "one row"
refuse "components is not used: input.scale is none, not pca, and input.reduce is none" "a number for nothing" --input.components=5
refuse "input.variance is not used" "a share" --input.reduce=pca --input.components=5 --input.variance=0.5
refuse "'l3'.*l2" "an unknown norm" --input.norm=l3
run 1 1 fit kmeans.yaml --input.reduce=svd --input.components=12 "--model.encoder=conv 3x3x4 relu, dense 3" --input.image_shape=[9,10] --run.output=bad
expect_error 2 "the rows are no images any more" "layers for images"
run 1 1 "${args[@]}" --run.output=dry --dry-run
expect_out "^memory +about" "the dry run"
py '
with h5py.File("wide.h5ad", "w") as f:
    g = f.create_group("X")
    g.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": np.array([5000, 30000000])})
    g["data"], g["indices"] = np.ones(5000, "f4"), np.arange(5000, dtype="i4") * 6000
    g["indptr"] = np.arange(5001, dtype="i8")
    f.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})'
run 2 1 kmeans kmeans.yaml --input.data=wide.h5ad --input.reduce=svd --input.components=2000 --run.output=bad
expect_error 8 "GiB" "directions that no memory holds are refused before the start"
done_testing
