#!/usr/bin/env bash
# dcmpi dedup: pairs, groups, kept and removed rows against a comparison of all rows in Python, on the input and on the
# embedding, with neighbouring clusters, for each choice of what is kept; the same bits on any number of ranks; lists in text;
# and the errors: other data, options out of range, files that are no result, too little memory.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

py '
rng = np.random.default_rng(880)
X = rng.normal(size=(6, 12))[rng.integers(0, 6, 900)] * 2 + rng.normal(size=(900, 12))
twice = rng.choice(900, 200, replace=False)
X[twice] = X[rng.integers(0, 900, 200)] * rng.uniform(.5, 2, (200, 1)) + .02 * rng.normal(size=(200, 12))
X[7] = 0
with h5py.File("data.h5", "w") as f:
    f["X"] = X.astype("f4")
    f["ids"] = np.array([b"id%03d" % i for i in range(900)])
with h5py.File("other.h5", "w") as f:
    f["X"] = (X + 1).astype("f4")
'
cat >deck.yaml <<EOF2
run: {output: fit, seed: 2}
input: {data: data.h5, scale: none}
model: {hidden: [16], latent: 5}
pretrain: {epochs: 2, batch: 64, lr: 0.001}
cluster: {method: aekm, clusters: 4, n_init: 2}
EOF2
cat >twin.py <<'EOF2'
import sys
import h5py
import numpy as np
run, ded, probe, keep = h5py.File(sys.argv[1]), h5py.File(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
embeds = "embedding" in run
space = (run["embedding"] if embeds else h5py.File("data.h5")["X"])[:].astype(float)
X = (run["embedding"] if ded.attrs["on"] == b"embedding" else h5py.File("data.h5")["X"])[:].astype(float)
label, mu, N = run["labels"][:], run["cluster_centers"][:].astype(float), len(X)
apart = ((mu[:, None] - mu[None]) ** 2).sum(2)
near = np.argsort(np.argsort(apart, axis=1, kind="stable"), axis=1) <= probe
near = (near | near.T)[label][:, label]
norm = np.sqrt((X * X).sum(1))
U = X / np.where(norm > 0, norm, 1)[:, None]
S = U @ U.T
a, b = np.nonzero(np.triu(near & (S >= ded.attrs["cosine"]), 1))
root = np.arange(N)
for i, j in zip(a, b):
    root[root == max(root[i], root[j])] = min(root[i], root[j])
distance = {"nearest": 1, "furthest": -1, "first": 0}[keep] * np.sqrt(((space - mu[label]) ** 2).sum(1))
kept = np.empty(N, int)
for r in np.unique(root):
    rows = np.nonzero(root == r)[0]
    kept[rows] = rows[np.argmin(distance[rows])]
own = kept == np.arange(N)
assert (ded["pairs/rows"][:] == np.c_[a, b]).all() and len(a) == ded.attrs["pairs"] > 20
assert abs(ded["pairs/cosine"][:] - S[a, b]).max() < 1e-12
assert (ded["kept_for"][:] == kept).all() and (ded["kept"][:] == np.nonzero(own)[0]).all()
assert (ded["removed"][:] == np.nonzero(~own)[0]).all()
assert (ded["clusters/removed"][:] == np.bincount(label[~own], minlength=len(mu))).all()
assert (ded["clusters/pairs"][:] == np.bincount(label[a][label[a] == label[b]], minlength=len(mu))).all()
names, numbers = np.unique(root, return_inverse=True)
many = np.bincount(numbers) > 1
assert (ded["group"][:] == np.where(many[numbers], (np.cumsum(many) - 1)[numbers], -1)).all()
assert ded.attrs["groups"] == many.sum() and ded.attrs["largest_group"] == np.bincount(numbers).max()
print("ok")
EOF2
twin() { # WHAT RUN DEDUP PROBE KEEP
    run_cmd /usr/bin/python3 twin.py "${@:2}"
    is "$(tail -n 1 "$out")" ok "$1"
}

run 1 1 kmeans --input.data=data.h5 --input.scale=none --cluster.clusters=6 --run.output=km
expect_exit 0 "k-means"
run 1 1 deck.yaml
expect_exit 0 "a small network"

run 1 1 dedup km/run.h5 --cosine=0.99
expect_exit 0 "dedup of the input"
expect_out "1 rows of zeros have no cosine" "rows of zeros are named"
expect_file km/dedup.h5 "the file is beside the run"
twin "within clusters" km/run.h5 km/dedup.h5 0 nearest
run 1 1 dedup km/run.h5 --cosine=0.95 --probe=2 --keep=furthest --output=p1.h5
expect_exit 0 "with neighbouring clusters"
twin "neighbouring clusters, the furthest stay" km/run.h5 p1.h5 2 furthest
run 1 1 dedup fit/run.h5 --cosine=0.9999 --keep=first --output=e1.h5
expect_exit 0 "dedup of the embedding"
twin "the embedding, the first stay" fit/run.h5 e1.h5 0 first
run 1 1 dedup fit/run.h5 --cosine=0.99 --on=input --output=i1.h5
expect_exit 0 "the input of a run with a network"
twin "the input of a run with a network" fit/run.h5 i1.h5 0 nearest

run 3 1 dedup km/run.h5 --cosine=0.95 --probe=2 --keep=furthest --output=p3.h5
expect_exit 0 "three ranks"
run 0 1 compare p1.h5 p3.h5
expect_exit 0 "the same bits on three ranks"
run 2 2 dedup fit/run.h5 --cosine=0.9999 --keep=first --output=e2.h5
run 0 1 compare e1.h5 e2.h5
expect_exit 0 "the same bits on two ranks with two threads"
run 0 1 check p3.h5
expect_out "whole: list of duplicates" "the file is whole"
run 1 1 dedup km/run.h5 --cosine=0.99 --pairs=3
expect_error 2 "made from other inputs or with other options" "another request does not replace it"
run 1 1 dedup km/run.h5 --cosine=0.99 --pairs=3 --output=few.h5
expect_out "counted, not listed" "a list that is too long"

run_cmd /usr/bin/python3 "$root/tools/export.py" p1.h5 removed.csv
expect_exit 0 "removed rows in text"
run_cmd /usr/bin/python3 "$root/tools/export.py" p1.h5 kept.txt
is "$(wc -l <kept.txt) $(tail -n +2 removed.csv | wc -l)" "$(py 'f = h5py.File("p1.h5"); print(len(f["kept"]), len(f["removed"]))')" \
    "as many lines as rows"
run_cmd /usr/bin/python3 "$root/tools/export.py" p1.h5 kept.npy
is "$(py 'k = np.load("kept.npy"); print(k.dtype, (k == h5py.File("p1.h5")["kept"][:]).all())')" "int64 True" "kept rows as numbers"
is "$(sed -n 2p removed.csv)" "$(py 'f = h5py.File("p1.h5"); r = f["removed"][0]; k = f["kept_for"][r]
print("%d,id%03d,%d,%d,%d,id%03d" % (r, r, f["labels"][r], f["group"][r], k, k))')" "a line of it"

run 1 1 dedup km/run.h5 --cosine=1.5
expect_error 2 "cosine=1.5" "a cosine above 1"
run 1 1 dedup km/run.h5 --probe=6 --output=x.h5
expect_error 2 "has 6 clusters" "more neighbours than clusters"
run 1 1 dedup km/run.h5 --on=embedding --output=x.h5
expect_error 2 "use --on=input" "a run without an embedding"
run 2 1 dedup km/run.h5 --input=other.h5 --output=x.h5
expect_error 3 "its values have changed" "other data"
run 1 1 dedup data.h5
expect_error 6 "not a result of dcmpi" "data instead of a run"
run 1 1 dedup missing.h5
expect_error 4 "missing.h5" "no such run"
run 1 1 dedup km/run.h5 --frobnicate=1
expect_error 2 "not an option of dedup" "an unknown option"
cp fit/run.h5 bad.h5
py 'f = h5py.File("bad.h5", "r+"); f["embedding"][5, 1] = 9'
run 2 1 dedup bad.h5 --output=x.h5
expect_error 6 "embedding" "a damaged run"
expect_no_file x.h5.part "nothing is left behind"
run_cmd bash -c "ulimit -v 2000000; exec '$dcmpi' dedup km/run.h5 --pairs=2000000000 --output=x.h5"
expect_error 8 "GiB" "too little memory"
done_testing
