#!/usr/bin/env bash
# tools/export.py: csv, npy and h5ad hold the contents of run.h5, read back with the readers of these formats.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
export_to() { run_cmd $python "$root/tools/export.py" "$@"; }
compare() { # WHAT PYTHON: the program must print ok
    run_cmd $python -c "import h5py, numpy as np; run = h5py.File('run/run.h5'); y = h5py.File('data.h5')['y'][:]
$2
print('ok')"
    is "$(tail -n 1 "$out")" ok "$1"
}

$python - <<'EOF'
import h5py
import numpy as np
rng = np.random.default_rng(5)
y = rng.integers(0, 3, 300).astype("i4")
with h5py.File("data.h5", "w") as f:
    f["X"] = (rng.normal(size=(300, 6)) + 6 * np.eye(3, 6)[y]).astype("f4")
    f["y"] = y
    f.attrs["classes"] = np.bytes_('one\ntwo, "three"\nfour')
EOF
$python -c "import h5py; h5py.File('other.h5', 'w')['X'] = h5py.File('data.h5')['X'][:]"
cat >deck.yaml <<EOF
run: {output: run, seed: 2}
input: {data: data.h5}
model: {hidden: [16], latent: 2}
pretrain: {epochs: 2, batch: 64}
cluster: {clusters: 3, update_interval: 5, max_iter: 10, n_init: 2}
EOF
run 1 1 deck.yaml
expect_exit 0 "a small run"

export_to run/run.h5 z.npy
expect_exit 0 "npy"
compare "npy holds the embedding" "z = np.load('z.npy'); assert z.dtype == np.float32 and (z == run['embedding'][:]).all()"

export_to run/run.h5 a.csv
expect_exit 0 "csv"
is "$(head -n 1 a.csv)" "row,label,confidence,z0,z1" "its columns"
compare "csv holds labels, confidence and embedding, to the bit" "
a = np.loadtxt('a.csv', delimiter=',', skiprows=1)
assert (a[:, 0] == np.arange(300)).all() and (a[:, 1] == run['labels'][:]).all()
assert (a[:, 2].astype('f4') == run['confidence'][:]).all() and (a[:, 3:].astype('f4') == run['embedding'][:]).all()"

export_to run/run.h5 b.csv --data data.h5
expect_exit 0 "csv with classes"
compare "names with commas and quotes come back" "
import csv
rows = list(csv.DictReader(open('b.csv')))
assert [r['class'] for r in rows] == [['one', 'two, \"three\"', 'four'][k] for k in y]"

if $python -c 'import anndata' 2>/dev/null; then
    export_to run/run.h5 a.h5ad --data data.h5
    expect_exit 0 "h5ad"
    compare "anndata reads it" "
import anndata
a = anndata.read_h5ad('a.h5ad')
assert a.shape == (300, 2) and (a.X == run['embedding'][:]).all()
assert (a.obs['label'].astype(int) == run['labels'][:]).all() and list(a.obs['label'].cat.categories) == ['0', '1', '2']
assert (a.obs['confidence'].to_numpy() == run['confidence'][:]).all() and a.obs['class'][0] in ('one', 'two, \"three\"', 'four')
assert (a.uns['dcmpi']['cluster_centers'] == run['cluster_centers'][:]).all()
assert a.uns['dcmpi']['metrics']['acc'] == run['metrics'].attrs['acc'] and a.uns['dcmpi']['seed'] == '2'"
else
    note "SKIP h5ad: python3-anndata is not installed"
fi

fails() { # CODE REGEX WHAT ARGS...
    local code=$1 regex=$2 what=$3
    shift 3
    export_to "$@"
    is "$rc $(wc -l <"$err")" "$code 1" "$what: exit code and lines"
    expect_err "export.py: ERROR: .*$regex" "$what: the reason"
}
fails 2 "use .h5ad, .npy or .csv" "unknown format" run/run.h5 a.xlsx
fails 4 "no such file" "missing result" none.h5 a.csv
fails 6 "not a result of dcmpi" "data file" data.h5 c.csv
fails 3 "no labels" "data without labels" run/run.h5 c.csv --data other.h5
fails 4 "cannot write" "missing folder" run/run.h5 nowhere/c.csv
expect_no_file c.csv "a failure leaves no file"
$python -c "import h5py; f = h5py.File('run/run.h5', 'a'); del f['embedding']"
fails 2 "needs an embedding" "run without embedding" run/run.h5 c.npy
export_to run/run.h5 d.csv
expect_exit 0 "csv without embedding"
is "$(head -n 1 d.csv)" "row,label,confidence" "its columns"
done_testing
