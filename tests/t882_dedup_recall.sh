#!/usr/bin/env bash
# What dcmpi dedup finds of the near-duplicates among 100,000 generated rows, of which a comparison of all rows with all finds
# 18,011 pairs: within clusters, and with 2 and 8 neighbours of each. It takes a few minutes. long: yes
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
limit=300

py '
rng = np.random.default_rng(2)
N, D, K = 100000, 32, 200
C = rng.normal(size=(K, D))
C /= np.linalg.norm(C, axis=1)[:, None]
w = 1 / np.arange(1, K + 1) ** .7
X = C[rng.choice(K, N, p=w / w.sum())] + .12 * rng.normal(size=(N, D))
twice = rng.choice(N, N // 5, replace=False)
X[twice] = X[rng.integers(0, N, N // 5)] + .025 * rng.normal(size=(N // 5, D))
with h5py.File("data.h5", "w") as f:
    f["X"] = X.astype("f4")
'
cat >recall.py <<'EOF2'
import sys
import h5py
import numpy as np
X = h5py.File("data.h5")["X"][:].astype(float)
U = X / np.linalg.norm(X, axis=1)[:, None]
F, all_pairs = U.astype("f4"), []
for a in range(0, len(X), 1000):
    i, j = np.nonzero(F[a:a + 1000] @ F[a:].T >= .95 - 1e-4)
    i, j = i[i < j] + a, j[i < j] + a
    same = np.einsum("ij,ij->i", U[i], U[j]) >= .95
    all_pairs.append(i[same] * len(X) + j[same])
all_pairs = np.concatenate(all_pairs)
for name in sys.argv[1:]:
    pairs = h5py.File(name)["pairs/rows"][:]
    found = pairs[:, 0] * len(X) + pairs[:, 1]
    both = np.intersect1d(all_pairs, found).size
    print("%s recall=%.4f false=%d of=%d" % (name, both / all_pairs.size, found.size - both, all_pairs.size))
EOF2
run 1 1 kmeans --input.data=data.h5 --input.scale=none --cluster.clusters=200 --cluster.n_init=1 \
    --cluster.kmeans_max_iter=20 --run.output=km
expect_exit 0 "k-means"
for probe in 0 2 8; do
    run 1 1 dedup km/run.h5 --cosine=0.95 --probe=$probe --output=p$probe.h5
    expect_exit 0 "dedup with $probe neighbours"
done
limit=900
run_cmd /usr/bin/python3 recall.py p0.h5 p2.h5 p8.h5
note "$(tr '\n' ' ' <"$out")"
recall() { sed -n "s/^p$1.h5 recall=\([0-9.]*\) false=0 .*/\1/p" "$out"; }
number_between "$(recall 0)" 0.95 1 "recall within clusters, nothing false"
number_between "$(recall 2)" 0.99 1 "recall with 2 neighbours, nothing false"
number_between "$(recall 8)" 0.999 1 "recall with 8 neighbours, nothing false"
done_testing
