#!/usr/bin/env bash
# A cap on the sizes of clusters (cluster.max_size) against Gale and Shapley's algorithm in Python, with equal rows, with room for
# all rows exactly, and for the leaves of levels; the same bits on other ranks; a cap that cannot be is refused before work.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

py '
rng = np.random.default_rng(886)
X = rng.normal(size=(9, 4))[rng.choice(9, 1500, p=rng.dirichlet(np.ones(9)))] + 0.3 * rng.normal(size=(1500, 4))
X[100:180] = X[100]
X[700:760] = X[100]
with h5py.File("data.h5", "w") as f:
    f["X"] = X.astype("f4")
with h5py.File("equal.h5", "w") as f:
    f["X"] = np.eye(8, dtype="f4")[np.minimum(rng.geometric(0.3, 600), 8) - 1]
# Four rows at (1.5, 0): the second round brings the first two of them to a cluster that has just kept the third.
with h5py.File("late.h5", "w") as f:
    at = [(1.5, 0), (-0.375, 0), (0, 1), (0, 1.95), (4, 0), (20, 20)]
    f["X"] = np.repeat(at, [4, 16, 4, 16, 17, 1], axis=0).astype("f4")
'
cat >check.py <<'EOF2'
import heapq, sys
import h5py
import numpy as np
f = h5py.File(sys.argv[1])
most = int(sys.argv[2])
X, C, y = h5py.File(sys.argv[3])["X"][:].astype("f8"), f["cluster_centers"][:].astype("f8"), f["labels"][:]
D = ((X[:, None] - C)**2).sum(axis=2)
wish = np.argsort(D, axis=1, kind="stable")
asked = np.zeros(len(X), int)
kept = [[] for _ in C]  # heaps, the row to go first on top
free = list(range(len(X)))
while free:
    i = free.pop()
    k = wish[i, asked[i]]
    asked[i] += 1
    heapq.heappush(kept[k], (-D[i, k], -i))
    if len(kept[k]) > most:
        free.append(-heapq.heappop(kept[k])[1])
expected = np.empty(len(X), int)
for k, rows in enumerate(kept):
    for _, i in rows:
        expected[-i] = k
size = np.bincount(y, minlength=len(C))
print(np.array_equal(expected, y), size.max() <= most, np.array_equal(size, f["clusters/size"][:]),
      (y != D.argmin(axis=1)).sum() > 100, abs(D[np.arange(len(X)), y].sum() / f.attrs["inertia"] - 1) < 1e-6)
EOF2
args=(kmeans --input.data=data.h5 --input.scale=none --cluster.clusters=20 --cluster.n_init=2 --parallel.shards=8)
for most in 90 75; do # 75: no place stays empty
    run 1 2 "${args[@]}" --cluster.max_size=$most --run.output=one-$most
    expect_out "sizes +at most $most rows in a cluster: [0-9]+ of 1500 rows moved in [0-9]+ rounds" "at most $most rows"
    is "$(/usr/bin/python3 check.py one-$most/run.h5 $most data.h5)" "True True True True True" "labels, sizes and inertia are those of Python"
done
run 3 1 "${args[@]}" --cluster.max_size=90 --run.output=three
run 0 1 compare one-90/run.h5 three/run.h5
expect_exit 0 "the same bits on three ranks"
run 0 1 predict --model=one-90/run.h5 --input=data.h5 --output=same.h5
expect_exit 0 "predict of the same rows"
expect_out 'drift +[0-9]+ of 1500 rows' "tells what is far from its centre"
expect_no_out WARNING "nothing drifted, though a cap had moved rows"
is "$(py 'f = h5py.File("one-90/run.h5")["clusters"]; s = h5py.File("same.h5"); print((f["distance_rows"][:] == np.bincount(s["labels"][:], minlength=20)).all(), s["drift/beyond"][:].sum() <= 20)')" \
    "True True" "the quantiles are those of the nearest centres"
run 1 1 kmeans --input.data=data.h5 --input.scale=none "--cluster.levels=[4,5]" --cluster.max_size=80 --run.output=levels
is "$(/usr/bin/python3 check.py levels/run.h5 80 data.h5 | cut -d ' ' -f 2,3,5)" "True True True" "leaves of levels have a cap, too"
run 1 2 kmeans --input.data=equal.h5 --input.scale=none --cluster.clusters=8 --cluster.max_size=80 --run.output=equal
is "$(/usr/bin/python3 check.py equal/run.h5 80 equal.h5 | cut -d ' ' -f 1-4)" "True True True True" "centres at equal distances: the lowest first"
run 1 1 kmeans --input.data=late.h5 --input.scale=none --cluster.clusters=4 --cluster.max_size=18 --run.output=late
is "$(/usr/bin/python3 check.py late/run.h5 18 late.h5 | cut -d ' ' -f 1-3,5) $(py 'print(*h5py.File("late/run.h5")["labels"][:4] == h5py.File("late/run.h5")["labels"][41])')" \
    "True True True True True False False False" "of equal rows the first has the place, whenever it asks"
run 2 1 "${args[@]}" --cluster.max_size=74 --run.output=bad
expect_error 3 '20 clusters of at most 74 rows cannot hold 1500 rows; cluster.max_size must be at least 75' "too little room"
run 1 1 "${args[@]}" --cluster.max_size=90 --run.output=dry --dry-run
expect_out "^phase +sizes: about" "the dry run"
run 0 1 config --explain cluster.max_size
expect_out 'Most rows of a cluster' "the key is explained"
done_testing
