#!/usr/bin/env bash
# What is written of the soft assignment, output.q and predict --q: nothing, the largest values with their clusters, all. The
# values are the same whichever is written, on any number of ranks, from a run and from a prediction, and in the exports; all of
# it is refused beyond the limit. No array of rows x clusters: a dry run announces far less than one would take.
. "$(dirname "$0")/lib.sh"

py '
rng = np.random.default_rng(883)
with h5py.File("x.h5", "w") as f:
    f["X"] = (rng.normal(size=(700, 12)) + 3 * rng.normal(size=(10, 12))[rng.integers(0, 10, 700)]).astype("f4")
'
cat >deck.yaml <<EOF2
input: {data: x.h5, scale: none}
model: {hidden: [24], latent: 4}
pretrain: {epochs: 2, lr: 0.01}
cluster: {clusters: 10, n_init: 1, max_iter: 20, update_interval: 10, tol: 0}
output: {examples: 0}
EOF2
run 1 1 deck.yaml --run.output=one;                                             expect_exit 0 "top1"
run 3 2 deck.yaml --run.output=full --output.q=full;                            expect_exit 0 "full"
run 1 2 deck.yaml --run.output=top --output.q=top --output.q_top=3;             expect_exit 0 "top"
run 2 1 deck.yaml --run.output=more --output.q=top --output.q_top=50;           expect_exit 0 "more than there are clusters"
run 3 1 predict --model=one/run.h5 --input=x.h5 --output=p-full.h5 --q=full --rows-per-round=90
expect_exit 0 "predict, full"
run 2 2 predict --model=one/run.h5 --input=x.h5 --output=p-top.h5 --q=top --q-top=3
expect_exit 0 "predict, top"
cat >check.py <<'EOF2'
import sys
import h5py
import numpy as np
one, full, top, more, p_full, p_top = (h5py.File(name) for name in sys.argv[1:])
assert not any(name in one for name in ("q", "q_top", "q_top_index")) and "q" not in top and "q_top" not in full
q, N, K = full["q"][:], 700, 10
assert q.shape == (N, K) and abs(q.sum(1) - 1).max() < 1e-5
for f in (one, full, top, more, p_full, p_top):
    assert (f["labels"][:] == one["labels"][:]).all() and (f["confidence"][:] == one["confidence"][:]).all()
assert (p_full["q"][:] == q).all()
for f, M in ((top, 3), (more, K), (p_top, 3)):
    value, index = f["q_top"][:], f["q_top_index"][:]
    assert value.shape == index.shape == (N, M) and value.dtype == "f4" and index.dtype == "i4"
    assert (index[:, 0] == f["labels"][:]).all() and (value[:, 0] == f["confidence"][:]).all()
    assert (value == np.take_along_axis(q, index, 1)).all() and (value == -np.sort(-q, axis=1)[:, :M]).all()
    assert all(len(set(row)) == M for row in index.tolist())
    equal = value[:, 1:-1] == value[:, 2:]
    assert (index[:, 1:-1][equal] < index[:, 2:][equal]).all()
print("ok")
EOF2
run_cmd /usr/bin/python3 check.py {one,full,top,more}/run.h5 p-full.h5 p-top.h5
is "$(tail -n 1 "$out")" ok "the values are those of all q"
run 0 1 check top/run.h5;                                                       expect_exit 0 "check"
run 0 1 compare top/run.h5 p-top.h5;                                            expect_exit 0 "compare"

run_cmd "$root/tools/export.py" top/run.h5 top.csv;                             expect_exit 0 "export"
is "$(head -n 1 top.csv)" "row,label,confidence,label_2,q_2,label_3,q_3,z0,z1,z2,z3" "columns of the table"
run_cmd "$root/tools/report.py" top;                                            expect_exit 0 "report"
ok "the report tells what there is" grep -q 'q_top_index = f\[.*# \[N, 3\], their clusters' top/report.html
if /usr/bin/python3 -c 'import anndata' 2>/dev/null; then
    run_cmd "$root/tools/export.py" full/run.h5 full.h5ad;                      expect_exit 0 "AnnData"
    ok "q of AnnData" /usr/bin/python3 -c '
import h5py
assert (h5py.File("full.h5ad")["obsm/q"][:] == h5py.File("full/run.h5")["q"][:]).all()'
fi

# What is refused; what is announced.
run 1 1 deck.yaml --run.output=x --output.q_top=3
expect_error 2 "output.q_top is not used: output.q is top1" "a key of another choice"
run 1 1 predict --model=one/run.h5 --input=x.h5 --output=y.h5 --q-top=3
expect_error 2 "q-top goes with --q=top" "the same for predict"
large=(fit --dry-run --input.data=builtin:glyphs --input.rows=4000000 --cluster.clusters=5000 --model.hidden=[16]
    --cluster.n_init=1 --parallel.shards=64 --run.output=large)
run 2 1 "${large[@]}" --output.q=full
expect_error 2 "output.q = full would write 4000000 rows x 5000 clusters x 4 bytes, 74.5 GiB, and the limit is 64 GiB" \
    "more than the limit"
run 2 1 "${large[@]}" --output.q=top
expect_exit 0 "the largest values instead"
number_between "$(sed -nE 's/^memory +about ([0-9.]+) GiB per rank.*/\1/p' "$out")" 1 4 \
    "memory of a rank: rows, not rows x clusters, 37 GiB"
done_testing
