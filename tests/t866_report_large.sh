#!/usr/bin/env bash
# long: yes
# tools/report.py for tables too large for a page: 200,000 classes, 100,000 clusters, a million records, a table of an older version
# that does not fit into memory. It shows the largest and ends in seconds, because it is called at the end of every job.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py, matplotlib' 2>/dev/null || skip_test "python3-h5py or python3-matplotlib is not installed"
limit=60

run 1 1 fit --input.rows=400 --model.hidden=[16] --model.latent=3 --pretrain.epochs=2 --cluster.clusters=4 --cluster.n_init=1 \
    --cluster.max_iter=20 --run.output=run
expect_exit 0 "a small run"

# N, K, C: a run of this size, made from the small one; its data have a class for each row if there are many.
cat >enlarge.py <<'EOF'
import shutil
import sys

import h5py
import numpy as np

name, N, K, C = sys.argv[1], *map(int, sys.argv[2:5])
g = np.random.default_rng(1)
shutil.copytree("run", name)
label = (g.random(N) ** 2 * K).astype("i4")
y = np.arange(N) % C
with h5py.File(name + "/run.h5", "a") as f:
    def put(path, data):
        if path in f:
            del f[path]
        f[path] = data
    put("labels", label)
    put("clusters/size", np.bincount(label, minlength=K))
    put("confidence", g.random(N).astype("f4"))
    put("embedding", g.normal(size=(N, 3)).astype("f4") + label[:, None] % 7)
    put("cluster_centers", g.normal(size=(K, 3)).astype("f4"))
    for kind in ("nearest", "border"):
        put("clusters/" + kind, g.integers(0, N, (K, 5)))
        del f["clusters/%s_rows" % kind]
    del f["confusion"]
    if C * K <= 1 << 23:
        table = np.zeros((C, K), "i8")
        np.add.at(table, (y, label), 1)
        f["confusion"] = table
    else:
        f.create_dataset("confusion", (C, K), "i8", chunks=(1, K))
    for column in f["history/cluster"]:
        put("history/cluster/" + column, np.abs(g.normal(size=1000000)) if name == "records" else f["history/cluster/" + column][:])
    f.attrs["data"] = np.bytes_("data.h5")
with h5py.File("data.h5", "w") as f:
    f["X"] = g.integers(0, 255, (N, 784), "u1")
    f["y"] = y.astype("i4")
EOF

report() { # NAME N K C
    run_cmd $python enlarge.py "$@"
    expect_exit 0 "$1: made"
    run_cmd $python "$root/tools/report.py" "$1" --data data.h5
    expect_exit 0 "$1"
    ok "$1: in seconds ($seconds)" test "$seconds" -le $((30 * ${SLOW:-1}))
    is "$(grep -v 'summary.json is missing' "$err")" "" "$1: without another warning than that of its missing summary"
    number_between "$(stat -c %s "$1/report.html")" 50000 5000000 "$1: bytes of the page"
    rm -rf "$1/run.h5"
}
has() { ok "$1 says: $2" grep -q -- "$2" "$1/report.html"; }

report classes 200000 40 200000
has classes "Matrix of 200000 classes by 40 clusters"
has classes "Shown are the 50 classes and 40 clusters with the most rows"
report clusters 150000 100000 20
has clusters "The 50 largest clusters"
has clusters "Shown are the 20 classes and 50 clusters with the most rows"
report both 100000 2500 3000
has both "Shown are the 50 classes and 50 clusters with the most rows"
report older 100000 1500 100000
report records 2000 4 10
has records "1000000 records"
done_testing
