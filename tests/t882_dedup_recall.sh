#!/usr/bin/env bash
# What dcmpi dedup finds of the near-duplicates among 100,000 generated embeddings, of which a comparison of all rows with all
# finds 5,360 pairs: within clusters, and with 1 to 8 neighbours of each. It takes a minute or two. long: yes
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
limit=300

run 0 1 convert builtin:embeddings,rows=100000 data.h5
expect_exit 0 "the corpus"
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
run 2 1 kmeans --input.data=data.h5 --input.scale=none --input.norm=l2 --cluster.clusters=200 --cluster.n_init=1 \
    --cluster.kmeans_max_iter=20 --run.output=km
expect_exit 0 "k-means"
for probe in 0 1 2 4 8; do
    run 1 1 dedup km/run.h5 --cosine=0.95 --probe=$probe --output=p$probe.h5
    expect_exit 0 "dedup with $probe neighbours"
done
limit=900
run_cmd /usr/bin/python3 recall.py p[01248].h5
note "$(tr '\n' ' ' <"$out")"
last=0.975
for probe in 0 1 2 4 8; do
    share=$(sed -n "s/^p$probe.h5 recall=\([0-9.]*\) false=0 .*/\1/p" "$out")
    number_between "$share" "$last" 1 "recall with $probe neighbours, nothing false"
    last=$share
done
number_between "$last" 0.985 1 "recall with 8 neighbours"
done_testing
