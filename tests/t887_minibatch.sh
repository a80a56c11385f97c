#!/usr/bin/env bash
# Mini-batch k-means (cluster.kmeans_batch): inertia near that of Lloyd; labels are the nearest centres, and those of predict;
# the same bits on other ranks, when continued from checkpoints within and at the end, and when it goes on for more passes; on the
# sphere centres have length 1; what cannot be is refused before work.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"

py '
rng = np.random.default_rng(887)
X = rng.normal(size=(30, 6))[rng.choice(30, 5000, p=rng.dirichlet(np.ones(30)))] + 0.4 * rng.normal(size=(5000, 6))
with h5py.File("data.h5", "w") as f:
    f["X"] = X.astype("f4")
'
lloyd=(kmeans --input.data=data.h5 --input.scale=none --cluster.clusters=25 --cluster.n_init=3 --parallel.shards=8)
args=("${lloyd[@]}" --cluster.kmeans_batch=300)
run 1 2 "${args[@]}" --run.output=good
expect_exit 0 "batches"
expect_out 'k-means +batches of 300 rows, [0-9]+ passes of 17, inertia' "the log tells of batches"
passes=$(result_value iter)
run 1 1 "${lloyd[@]}" --run.output=lloyd
is "$(py '
f, g = h5py.File("good/run.h5"), h5py.File("lloyd/run.h5")
X = h5py.File("data.h5")["X"][:].astype("f8")
D = ((X[:, None] - f["cluster_centers"][:].astype("f8"))**2).sum(axis=2)
print(np.array_equal(D.argmin(axis=1), f["labels"][:]), abs(D.min(axis=1).sum() / f.attrs["inertia"] - 1) < 1e-6,
      f.attrs["inertia"] < 1.03 * g.attrs["inertia"], f.attrs["inertia"] != g.attrs["inertia"])')" \
    "True True True True" "nearest centres; inertia within 3 % of Lloyd"
run 1 1 predict --model=good/run.h5 --input=data.h5 --output=again.h5
is "$(py 'print(np.array_equal(h5py.File("good/run.h5")["labels"][:], h5py.File("again.h5")["labels"][:]))')" True "predict agrees"
run 3 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_same all "three ranks, saved all the time"
list_saved all
continue_from kmeans $((passes * 17 - 1))
run 2 1 "${args[@]}" --run.output=longer --cluster.kmeans_max_iter=2
expect_out 'RESULT .*converged=no iter=2 ' "two passes"
run 1 1 "${args[@]}" --run.output=longer
expect_same longer "two passes, then more"
start 2 "${args[@]}" --run.output=killed --checkpoint.every=0.000000001s
await 'kmeans step 1[0-9]'
kill -9 "$job"
finish
run 1 1 "${args[@]}" --run.output=killed
expect_same killed "after a kill"
run 1 1 "${args[@]}" --cluster.metric=cosine --run.output=sphere
is "$(py 'print(abs(np.linalg.norm(h5py.File("sphere/run.h5")["cluster_centers"][:], axis=1) - 1).max() < 1e-6)')" True "on the sphere"
run 1 1 kmeans --input.data=data.h5 --cluster.kmeans_batch=300 "--cluster.levels=[5,5]" --run.output=bad
expect_error 2 'cluster.levels and cluster.kmeans_batch are two ways' "levels of batches"
run 2 1 "${args[@]}" --run.output=dry --dry-run
expect_out "^memory +about" "the dry run"
run 0 1 config --explain cluster.kmeans_batch
expect_out 'Mini-batch k-means' "the key is explained"
done_testing
