#!/usr/bin/env bash
# Spherical k-means (cluster.metric: cosine) against Python: centres of length 1, each the direction of the sum of its rows, each
# row at the centre with the largest cosine, in predictions, too; the same bits on other ranks; rows of zeros are named; another
# norm is refused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

py '
rng = np.random.default_rng(884)
U = rng.normal(size=(12, 9))
X = (U[rng.integers(0, 12, 3000)] + 0.4 * rng.normal(size=(3000, 9))) * rng.lognormal(0, 2, size=(3000, 1))
X[77] = 0
with h5py.File("data.h5", "w") as f:
    f["X"] = X.astype("f4")
'
args=(kmeans --input.data=data.h5 --input.scale=none --cluster.metric=cosine --cluster.clusters=12 --cluster.n_init=4
    --cluster.kmeans_tol=0 --output.rows=full)
run 1 2 "${args[@]}" --run.output=one
expect_exit 0 "a run on the sphere"
expect_out 'NOTE +input.norm=l2: 1 of 3000 rows hold only zeros, and stay so; the first is row 77 ' "the row of zeros is named"
expect_out 'RESULT .*converged=yes' "it converges"
# The program normalises in float32: U below is a row of the program to a rounding error.
is "$(py '
f = h5py.File("one/run.h5")
X = h5py.File("data.h5")["X"][:].astype("f8")
C, y = f["cluster_centers"][:].astype("f8"), f["labels"][:]
length = np.linalg.norm(X, axis=1, keepdims=True)
U = X / np.where(length > 0, length, 1)
cosine = U @ C.T
rest = length[:, 0] > 0
sums = np.stack([U[y == k].sum(axis=0) for k in range(12)])
print(abs(np.linalg.norm(C, axis=1) - 1).max() < 1e-6,
      np.array_equal(y[rest], cosine.argmax(axis=1)[rest]),
      abs(sums / np.linalg.norm(sums, axis=1, keepdims=True) - C).max() < 1e-5,
      abs(f["rows/cosine"][:] - cosine[np.arange(len(y)), y])[rest].max() < 1e-6,
      abs(((U - C[y])**2).sum() / f.attrs["inertia"] - 1) < 1e-5)
')" "True True True True True" "centres, labels, cosines and inertia are those of Python"
# Rows of other lengths are nearest to other centres by distance.
run 1 2 "${args[@]}" --cluster.metric=euclidean --run.output=flat
ok "the metric matters" test "$(result_value inertia)" != "$(py 'print(h5py.File("one/run.h5").attrs["inertia"])')"
run 3 1 "${args[@]}" --run.output=three
expect_exit 0 "three ranks"
is "$(py '
a, b = h5py.File("one/run.h5"), h5py.File("three/run.h5")
print(all(np.array_equal(a[k][:], b[k][:]) for k in ("labels", "cluster_centers", "rows/cosine")))
')" True "the same bits on three ranks"
run 1 1 predict --model=one/run.h5 --input=data.h5 --output=again.h5
expect_exit 0 "a prediction"
is "$(py 'print(np.array_equal(h5py.File("one/run.h5")["labels"][:], h5py.File("again.h5")["labels"][:]))')" True "predict agrees"
run 1 1 "${args[@]}" --input.norm=max --run.output=none
expect_error 2 'input.norm.*cluster.metric = cosine needs input.norm = l2, not max' "another norm is refused"
run 0 1 config --explain cluster.metric
expect_out 'spherical k-means' "the key is explained"
done_testing
