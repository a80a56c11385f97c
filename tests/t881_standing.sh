#!/usr/bin/env bash
# Where rows stand in their clusters: distance, cosine and rank of each row, and quantiles of the distances, against Python, of
# runs on the embedding and on the input and of predictions; the same bits on any number of ranks; drift: none for rows like
# the training rows, a warning for others, none told if the result has no quantiles.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

py '
rng = np.random.default_rng(881)
def draw(n, more):
    X = rng.normal(size=(n, 6)) + 8 * np.eye(4, 6)[rng.integers(0, 4, n)]
    return (X + more).astype("f4")
X = draw(2000, 0)
X[5] = 0
X[10:14] = X[10]  # equally far
for name, rows in (("data", X), ("like", draw(3000, 0)), ("other", draw(3000, np.array([0, 0, 0, 0, 2.5, 0])))):
    with h5py.File(name + ".h5", "w") as f:
        f["X"] = rows
'
cat >deck.yaml <<EOF2
run: {output: fit, seed: 2}
input: {data: data.h5, scale: none}
model: {hidden: [16], latent: 3}
pretrain: {epochs: 3, batch: 64, lr: 0.001}
cluster: {method: aekm, clusters: 4, n_init: 2}
output: {rows: full}
EOF2
cat >twin.py <<'EOF2'
import sys
import h5py
import numpy as np
out, run, data = h5py.File(sys.argv[1]), h5py.File(sys.argv[2]), sys.argv[3]
X = (out["embedding"] if "embedding" in out else h5py.File(data)["X"])[:].astype(float)
label, mu = out["labels"][:], run["cluster_centers"][:].astype(float)
distance = np.sqrt(((X - mu[label]) ** 2).sum(1))
lengths = np.sqrt((X ** 2).sum(1)) * np.sqrt((mu[label] ** 2).sum(1))
cosine = np.where(lengths > 0, (X * mu[label]).sum(1) / np.where(lengths > 0, lengths, 1), 0)
found = out["rows/distance"][:]
assert abs(found - distance).max() < 1e-9 and abs(out["rows/cosine"][:] - cosine).max() < 1e-9
for k in range(len(mu)):
    rows = np.nonzero(label == k)[0]
    order = rows[np.lexsort((rows, found[rows]))]
    assert (out["rows/rank"][:][order] == np.arange(len(rows))).all()
    if out is run or sys.argv[1] == sys.argv[2]:
        q = run["clusters/distance_quantiles"]
        places = np.maximum(np.ceil(q.attrs["quantiles"] * len(rows) - 1e-9), 1).astype(int) - 1
        assert (q[k] == np.sort(found[rows])[places]).all()
if "drift" in out:
    q = run["clusters/distance_quantiles"]
    column = list(q.attrs["quantiles"]).index(out["drift"].attrs["quantile"])
    beyond = np.bincount(label[found > q[:, column][label]], minlength=len(mu))
    assert (out["drift/beyond"][:] == beyond).all()
    assert abs(out["drift"].attrs["share"] - beyond.sum() / len(X)) < 1e-12
    assert abs(out["drift/share"][:] - beyond / np.bincount(label, minlength=len(mu))).max() < 1e-12
print("ok")
EOF2
twin() { # WHAT OUT RUN DATA
    run_cmd /usr/bin/python3 twin.py "${@:2}"
    is "$(tail -n 1 "$out")" ok "$1"
}
kmeans() { # RANKS THREADS FOLDER
    run "$1" "$2" kmeans --input.data=data.h5 --input.scale=none --cluster.clusters=4 --output.rows=full --run.output="$3"
}

run 1 1 deck.yaml
expect_exit 0 "a small network"
twin "rows of a run with a network" fit/run.h5 fit/run.h5 data.h5
run 3 1 deck.yaml --run.output=fit3
run 0 1 compare fit/run.h5 fit3/run.h5
expect_exit 0 "the same bits on three ranks"
kmeans 1 1 km
twin "rows of k-means" km/run.h5 km/run.h5 data.h5
kmeans 2 2 km2
run 0 1 compare km/run.h5 km2/run.h5
expect_exit 0 "the same bits on two ranks with two threads"
run 0 1 check km/run.h5
expect_exit 0 "the result is whole"
run 1 1 kmeans --input.data=data.h5 --input.scale=none --cluster.clusters=4 --run.output=none
is "$(py 'f = h5py.File("none/run.h5"); print("rows" in f, f["clusters/distance_quantiles"].shape)')" "False (4, 7)" \
    "without output.rows only the quantiles"

for result in fit/run.h5 km/run.h5; do
    run_cmd /usr/bin/python3 "$root/tools/export.py" $result rows.csv --force
    is "$(py "
import csv
f, rows = h5py.File('$result')['rows'], list(csv.DictReader(open('rows.csv')))
print(all(np.array([float(r[name]) for r in rows]).tolist() == f[name][:].tolist() for name in ('distance', 'cosine', 'rank')))")" \
        True "$result: distance, cosine and rank in text"
done
run 2 1 predict --model=fit/run.h5 --input=data.h5 --output=same.h5 --rows=full --rows-per-round=300
expect_exit 0 "the run's own rows"
run 0 1 compare fit/run.h5 same.h5
expect_exit 0 "a prediction of the run's own rows has its bits"
run 1 1 predict --model=km/run.h5 --input=like.h5 --output=like1.h5 --rows=full
expect_out "drift  .*quantile 0.99" "the drift of rows like the training rows"
expect_no_out "WARNING" "is no warning"
twin "rows of a prediction, and its drift" like1.h5 km/run.h5 like.h5
run 3 1 predict --model=km/run.h5 --input=like.h5 --output=like3.h5 --rows=full
run 0 1 compare like1.h5 like3.h5
expect_exit 0 "a prediction on three ranks"
run 2 1 predict --model=km/run.h5 --input=other.h5 --output=other.h5p --rows=full --drift-quantile=0.9
expect_out "WARNING .*far more rows than expected" "a warning for other rows"
twin "their drift" other.h5p km/run.h5 other.h5
run 1 1 predict --model=fit/run.h5 --input=other.h5 --output=z.h5
expect_out "drift  " "drift in the embedding"

py 'import shutil; shutil.copy("km/run.h5", "old.h5"); f = h5py.File("old.h5", "r+"); del f["clusters/distance_quantiles"]'
run 1 1 predict --model=old.h5 --input=like.h5 --output=old_like.h5
expect_exit 0 "a result without quantiles"
expect_no_out "drift" "no line then"
py 'f = h5py.File("old.h5", "r+"); f["clusters/distance_quantiles"] = np.zeros((3, 2))'
run 2 1 predict --model=old.h5 --input=like.h5 --output=odd.h5
expect_error 6 "does not hold quantile" "odd quantiles"
run 1 1 predict --model=km/run.h5 --input=like.h5 --output=x.h5 --drift-quantile=0.42
expect_error 2 "drift-quantile=0.42" "a quantile that is not kept"
run 1 1 predict --model=km/run.h5 --input=like.h5 --output=x.h5 --rows=some
expect_error 2 "neither none nor full" "an unknown word"
done_testing
