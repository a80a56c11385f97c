#!/usr/bin/env bash
# Files of AnnData opened directly: sparse and dense matrices of the same rows give the same clusters; layers, raw, ids,
# labels and names of columns; the layout from before version 0.7; predict, check, info, dry run; what is refused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

$python - <<'EOF'
import h5py, numpy as np
r = np.random.default_rng(3)
N, D, K = 240, 150, 3
k = r.integers(0, K, N)
X = r.poisson(0.02 + 6.0 * (np.arange(D) % K == k[:, None]) * (r.random((N, D)) < 0.2)).astype("f4")
X[5] = 0
ids = np.array(["cell-%d" % i for i in range(N)], dtype=object)
genes = np.array(["gene%d" % c for c in range(D)], dtype=object)
kinds = np.array(["B", "NK", "T"], dtype=object)

def csr(X, index="i4", pointer="i4", value=None):
    row, col = np.nonzero(X)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(X)))]).astype(pointer)
    return X[row, col].astype(value or X.dtype), col.astype(index), ptr

def put(f, name, X, kind="csr", old=False, options={}, **types):
    data, indices, indptr = csr(X if kind == "csr" else X.T.copy(), **types)
    g = f.create_group(name)
    for part, v in (("data", data), ("indices", indices), ("indptr", indptr)):
        g.create_dataset(part, data=v, **options)
    if old:
        g.attrs["h5sparse_format"], g.attrs["h5sparse_shape"] = kind, X.shape
    else:
        g.attrs["encoding-type"], g.attrs["encoding-version"] = kind + "_matrix", "0.1.0"
        g.attrs["shape"] = np.array(X.shape)

def frame(f, name, index, **columns):
    g = f.create_group(name)
    g.attrs["encoding-type"], g.attrs["encoding-version"], g.attrs["_index"] = "dataframe", "0.2.0", "names"
    g.attrs["column-order"] = np.array(list(columns), dtype=h5py.string_dtype())
    g["names"] = index
    for column, (codes, categories) in columns.items():
        c = g.create_group(column)
        c.attrs["encoding-type"], c.attrs["encoding-version"], c.attrs["ordered"] = "categorical", "0.2.0", False
        c["codes"], c["categories"] = codes.astype("i1"), categories

with h5py.File("a.h5ad", "w") as f:
    f.attrs["encoding-type"], f.attrs["encoding-version"] = "anndata", "0.1.0"
    put(f, "X", X, options={"chunks": (64,), "compression": "gzip"})
    put(f, "layers/wide", X, index="i8", pointer="i8", value="f8")
    put(f, "layers/counts", X, value="u2")
    put(f, "layers/turned", X, kind="csc")
    f["layers/dense"] = X
    put(f, "raw/X", np.hstack([X, X[:, :3]]))
    frame(f, "obs", ids, kind=(k, kinds))
    frame(f, "var", genes)
    frame(f, "raw/var", np.concatenate([genes, ["x", "y", "z"]]))
with h5py.File("old.h5ad", "w") as f:
    f["X"] = X
    put(f, "raw.X", X, old=True)
    f["obs"] = np.array(list(zip([i.encode() for i in ids], k)), [("index", "S12"), ("kind", "i1")])
    f["var"] = f["raw.var"] = np.array([(g.encode(),) for g in genes], [("index", "S8")])
    f["uns/kind_categories"] = kinds.astype("S2")
with h5py.File("dense.h5", "w") as f:
    f["X"], f["y"], f["ids"] = X, k.astype("i4"), ids
    f.attrs["feature_names"], f.attrs["classes"] = "\n".join(genes), "\n".join(kinds)
with h5py.File("turned.h5ad", "w") as f:
    put(f, "X", X, kind="csc")
with h5py.File("bad.h5ad", "w") as f:
    put(f, "X", X)
    f["X/indices"][:] = f["X/indices"][:] + 1
EOF

km() { # P T NAME FILE OPTIONS: k-means into the folder NAME
    local p=$1 t=$2 to=$3 file=$4
    shift 4
    run "$p" "$t" kmeans --input.data="$file" --cluster.clusters=3 --input.scale="$scale" --run.output="$to" "$@"
}
# shellcheck disable=SC2317  # `ok` calls it
same() { # A B: the same labels, ids, names and classes
    $python -c "
import h5py, sys
a, b = (h5py.File(name + '/run.h5') for name in sys.argv[1:])
assert (a['labels'][:] == b['labels'][:]).all() and (a['ids'][:] == b['ids'][:]).all()
for name in 'feature_names', 'classes':
    assert a.attrs[name] == b.attrs[name], name" "$1" "$2"
}

scale=dec
km 1 1 twin dense.h5
expect_exit 0 "the dense twin"
acc=$(result_value acc)
number_between "$acc" 0.9 1 "which finds the clusters"
km 3 1 csr a.h5ad --input.label_dataset=kind
expect_exit 0 "X by rows, compressed chunks, 3 ranks"
expect_out "^.*input .* 240 rows x 150 sparse float32 with [0-9]+ values \(.* %\)" "the input line tells rows, columns and values"
is "$(result_value acc)" "$acc" "labels by a bare name of obs"
ok "labels, ids, names of columns and classes as of the dense twin" same twin csr
km 1 2 csr1 a.h5ad --input.label_dataset=/obs/kind
run 0 1 compare csr/run.h5 csr1/run.h5
expect_exit 0 "1 rank, 2 threads: the same bits"
for layer in wide counts turned dense; do
    km 2 1 "$layer" a.h5ad --input.matrix=layers/$layer --input.label_dataset=kind
    expect_exit 0 "layers/$layer"
    ok "layers/$layer: the same labels" same twin "$layer"
done
km 1 1 raw a.h5ad --input.matrix=raw/X --input.label_dataset=kind
expect_out "240 rows x 153 sparse float32" "raw/X has its own columns"
is "$($python -c "import h5py; print(h5py.File('raw/run.h5').attrs['feature_names'].decode().split()[-1])")" z "and their names"
km 2 1 oldraw old.h5ad --input.matrix=raw/X --input.label_dataset=kind
ok "raw.X of an old file: the same labels" same twin oldraw
run 2 1 predict --model=oldraw/run.h5 --input=old.h5ad --output=o.h5
expect_out "NOTE .*labels are those of kind, as in the run" "predict takes both of an old file"
is "$(result_value acc)" "$acc" "which score its result"
cp a.h5ad measured.h5ad
$python -c "
import h5py, numpy as np
with h5py.File('measured.h5ad', 'r+') as f:
    del f['obs/kind']
    f['obs/kind'] = np.full(240, 0.5, 'f4')"
run 1 1 predict --model=csr/run.h5 --input=measured.h5ad --output=m.h5
expect_exit 0 "a column of real numbers of that name is not taken for labels"
is "$(result_value acc)" "" "so nothing is scored"
km 1 1 oldx old.h5ad --input.label_dataset=kind
ok "X of an old file, dense: the same labels" same twin oldx
run 1 1 kmeans --input.data=old.h5ad --input.label_dataset=kinds --cluster.clusters=3 --run.output=wrong
expect_error 3 "has no '/obs/kinds' for labels; it has an integer or a text for each row in /obs/kind$" "fields of obs are named"
for scale in none standard minmax pca; do
    km 1 1 "d_$scale" dense.h5
    km 2 2 "s_$scale" a.h5ad --input.label_dataset=kind
    ok "input.scale=$scale: the same labels" same "d_$scale" "s_$scale"
done
expect_out "NOTE .*moves zeros" "a scaling that makes rows dense is told"
scale=dec
km 1 1 d_clip dense.h5 --input.clip=0.02
km 2 1 s_clip a.h5ad --input.clip=0.02 --input.label_dataset=kind
ok "input.clip: the same labels" same d_clip s_clip

run 2 1 predict --model=csr/run.h5 --input=a.h5ad --label-dataset=kind --output=p.h5 --rows-per-round=256
expect_exit 0 "predict"
run 0 1 compare csr/run.h5 p.h5
expect_exit 0 "predict of a sparse file gives the bits of training"
run 1 1 predict --model=csr/run.h5 --input=dense.h5 --output=q.h5
expect_no_out "NOTE .*labels are those" "predict of a file without the labels of the run: its own"
run 0 1 compare p.h5 q.h5
expect_no_out "^/labels" "predict of the dense twin: the same labels"
run 1 1 predict --model=d_none/run.h5 --input=a.h5ad --matrix=layers/wide --label-dataset=kind --output=w.h5
run 0 1 compare d_none/run.h5 w.h5
expect_no_out "^/labels" "predict of a sparse layer by a model of dense rows: the same labels"
run 1 1 predict --model=raw/run.h5 --input=a.h5ad --output=r.h5
expect_out "NOTE .*rows are those of raw/X, as in the run" "predict takes the matrix of the run"
expect_out "NOTE .*labels are those of kind, as in the run; --label-dataset takes others" "and its labels"
is "$(result_value acc)" "$acc" "which score the result"
run 0 1 compare raw/run.h5 r.h5
expect_exit 0 "with its bits"
run 1 1 predict --model=csr/run.h5 --input=a.h5ad --matrix=layers/turned --output=t.h5
expect_error 3 "stored by columns.*dcmpi convert" "predict of a matrix by columns"
expect_no_file t.h5 "which leaves nothing behind"

run 0 1 check a.h5ad
expect_out "whole: data, 240 rows x 150 sparse float32 with" "check"
run 0 1 check turned.h5ad
expect_out "whole: data, 240 rows x 150 sparse float32 with" "check of a matrix by columns"
run 0 1 check bad.h5ad
expect_error 6 "has a value in a column that is not in 0 .. 149" "check finds a column out of range"
run 0 1 info a.h5ad
expect_out "/X/indptr +int32 +241" "info"
run 1 1 kmeans --dry-run --input.data=a.h5ad --cluster.clusters=3 --run.output=dry
expect_out "^input .* 240 rows x 150 sparse float32 with [0-9]+ values" "the dry run tells the values"
expect_exit 0 "dry run"
km 3 1 bad bad.h5ad
expect_error 3 "row [0-9]+ .*has a value in a column that is not in 0 .. 149" "columns out of range"
km 1 1 none a.h5ad --input.matrix=layers/none
expect_error 3 "has no matrix 'layers/none' .*it has X, raw/X, layers/counts, layers/dense, layers/turned, layers/wide" \
    "a layer that is not there"
km 1 1 none a.h5ad --input.matrix=obs
expect_error 3 "'/obs' is a group, and no sparse matrix" "a group that is no matrix"
km 1 1 none a.h5ad --input.label_dataset=none
expect_error 3 "has no '/obs/none'" "labels that are not there"
expect_no_file none/run.h5 "and no run"

run 1 1 fit --input.data=a.h5ad --input.label_dataset=kind --cluster.clusters=3 --input.scale=dec --model.hidden=[20] \
    --model.latent=3 --pretrain.epochs=20 --cluster.max_iter=40 --cluster.update_interval=20 --run.output=fit
expect_exit 0 "fit"
run 2 1 predict --model=fit/run.h5 --input=a.h5ad --label-dataset=kind --output=f.h5
run 0 1 compare fit/run.h5 f.h5
expect_exit 0 "predict of a network gives the bits of training"

if $python -c 'import anndata' 2>/dev/null; then
    run_cmd $python "$root/tools/export.py" csr/run.h5 e.h5ad --data a.h5ad --matrix
    ok "export keeps obs and var" $python -W ignore -c "
import anndata
e, a = anndata.read_h5ad('e.h5ad'), anndata.read_h5ad('a.h5ad')
assert (e.X != a.X).nnz == 0 and list(e.obs_names) == list(a.obs_names) and list(e.var_names) == list(a.var_names)
assert (e.obs['kind'].astype(str) == a.obs['kind'].astype(str)).all() and 'label' in e.obs"
else
    note "SKIP export: python3-anndata is not installed"
fi
pbmc=$data/pbmc68k/10x_pbmc68k_reduced.h5ad
if [ -n "$data" ] && [ -e "$pbmc" ]; then
    for matrix in X raw/X; do
        run 2 1 kmeans --input.data="$pbmc" --input.matrix=$matrix --input.label_dataset=bulk_labels --cluster.clusters=10 \
            --input.scale=none --run.output="pbmc_${matrix%/X}"
        expect_exit 0 "pbmc68k, $matrix"
        number_between "$(result_value nmi)" 0.3 1 "pbmc68k, $matrix: scored by bulk_labels"
    done
else
    note "SKIP pbmc68k: no real data"
fi
done_testing
