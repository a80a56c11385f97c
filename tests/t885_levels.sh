#!/usr/bin/env bash
# Hierarchical k-means (cluster.levels): three levels against Python; the same bits on other ranks, and when continued from
# checkpoints of every kind and after stop requests there; predict finds the leaves that rows were in; a damaged hierarchy is refused; what cannot be is
# refused before work.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"

py '
from h5ad import put_csr
rng = np.random.default_rng(885)
X = rng.normal(size=(50, 6))[rng.choice(50, 4000, p=rng.dirichlet(np.ones(50)))] + 0.3 * rng.normal(size=(4000, 6))
with h5py.File("data.h5", "w") as f:
    f["X"] = X.astype("f4")
with h5py.File("sparse.h5ad", "w") as f:
    put_csr(f, np.eye(50)[np.arange(400) % 50])
'
args=(kmeans --input.data=data.h5 --input.scale=none "--cluster.levels=[5, 4, 3]" --cluster.n_init=2 --parallel.shards=8)
run 1 2 "${args[@]}" --run.output=good
expect_exit 0 "three levels"
expect_out 'levels +level 3: 20 clusters, the largest of [0-9]+ rows, split into 60; inertia' "the log tells of the levels"
is "$(py '
f = h5py.File("good/run.h5")
X = h5py.File("data.h5")["X"][:].astype("f8")
nearest = lambda X, C: ((X[:, None] - C)**2).sum(axis=2).argmin(axis=1)
centers = [f[n][:].astype("f8") for n in ("levels/centers_1", "levels/centers_2", "cluster_centers")]
path = np.hstack([f["clusters/parent"][:], np.arange(60)[:, None]])
y = nearest(X, centers[0])
size1 = np.bincount(y, minlength=5)
for v in (1, 2):
    children = [np.unique(path[path[:, v - 1] == k, v]) for k in range(len(centers[v - 1]))]
    new = np.empty_like(y)
    for k, c in enumerate(children):
        new[y == k] = c[nearest(X[y == k], centers[v][c])]
    y = new
of_first = np.bincount(np.unique(path[:, :2], axis=0)[:, 0])
share = 20 * size1 / 4000
labels = f["labels"][:]
means = max(abs(X[labels == k].mean(axis=0) - centers[2][k]).max() for k in range(60))
print(np.array_equal(y, labels), abs(of_first - share).max() < 1.5, [len(c) for c in centers], means < 1e-5,
      abs(((X - centers[2][labels])**2).sum() / f.attrs["inertia"] - 1) < 1e-6,
      np.array_equal(f["clusters/size"][:], np.bincount(labels, minlength=60)))')" \
    "True True [5, 20, 60] True True True" "labels by descent, children by rows, centres and inertia are those of Python"
run 1 1 predict --model=good/run.h5 --input=data.h5 --output=again.h5
is "$(py 'print(np.array_equal(h5py.File("good/run.h5")["labels"][:], h5py.File("again.h5")["labels"][:]))')" True "predict descends, too"

run 3 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_same all "three ranks, saved all the time"
list_saved all
continue_from levels 5     # within level 2, or at its end
continue_from levels "$(awk '$2 == "levels" { s = $3 } END { print s }' saved.txt)"
run 1 1 "${args[@]}" --run.output=good --cluster.kmeans_max_iter=400
expect_error 6 'kmeans_max_iter' "more iterations are another run"

# A stop while clusters are split: what was split is saved, and the rest is done later.
py '
X = np.random.default_rng(1).normal(size=(9000, 6))
with h5py.File("more.h5", "w") as f:
    f["X"] = X.astype("f4")
'
more=(kmeans --input.data=more.h5 --input.scale=none "--cluster.levels=[4,120]" --cluster.n_init=6 --cluster.kmeans_max_iter=60)
run 2 1 "${more[@]}" --run.output=whole
start 1 "${more[@]}" --run.output=stopped --checkpoint.every=0
await 'k-means +best'
signal_rank USR1 0
finish
expect_exit 75 "stopped while clusters are split"
run 3 1 "${more[@]}" --run.output=stopped
run 0 1 compare whole/run.h5 stopped/run.h5
expect_exit 0 "the bits of the whole run"

py '
import shutil
shutil.copy("good/run.h5", "bad.h5")
with h5py.File("bad.h5", "r+") as f:
    p = f["clusters/parent"][:]
    p[0] = p[-1]
    del f["clusters/parent"]
    f["clusters/parent"] = p
'
run 1 1 predict --model=bad.h5 --input=data.h5 --output=p.h5
expect_error 6 'bad.h5.*(parent)' "parents that are none"
refuse() { # REGEX WHAT OPTIONS...
    run 1 1 kmeans --input.data=data.h5 --run.output=bad "${@:3}"
    expect_error 2 "$1" "$2"
}
refuse 'cluster.levels has 1 number' "one level" "--cluster.levels=[5]"
refuse 'cluster.levels begin anew' "levels from centres of a run" "--cluster.levels=[20,3]" --cluster.init=weights --model.weights=good/run.h5
refuse 'cluster.clusters = 7, but cluster.levels make 60' "two numbers of clusters" "--cluster.levels=[20,3]" --cluster.clusters=7
refuse 'make [0-9]+ clusters or more, at most 1048576' "too many" "--cluster.levels=[100000,100]"
run 1 1 kmeans --input.data=data.h5 --run.output=bad "--cluster.levels=[100,100]"
expect_error 3 '4000 rows < 10000 clusters' "more clusters than rows"
run 1 1 kmeans --input.data=sparse.h5ad --input.scale=none --run.output=bad "--cluster.levels=[5,2]"
expect_error 2 'cluster.levels needs dense rows' "sparse rows"
run 2 1 "${args[@]}" --run.output=dry --dry-run
expect_out "^memory +about" "the dry run"
run 0 1 config --explain cluster.levels
expect_out 'Hierarchical k-means' "the key is explained"
done_testing
