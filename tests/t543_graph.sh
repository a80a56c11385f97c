#!/usr/bin/env bash
# graph.save: /graph of run.h5 holds the nearest rows of the embedding and of the input, against numpy; the same bits on any
# number of ranks and threads; components; what is refused; memory in the dry run; exports for anndata.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
compare() { # WHAT PYTHON: the program must print ok
    run_cmd $python -c "import h5py, numpy as np
def near(X, k, cosine=False):
    X = X.astype('f8')
    if cosine:
        length = np.linalg.norm(X, axis=1)
        U = X / np.where(length > 0, length, 1)[:, None]
        D = 1 - U @ U.T
    else:
        D = np.sqrt(((X[:, None, :] - X[None, :, :]) ** 2).sum(2))
    np.fill_diagonal(D, np.inf)
    rows = np.argsort(D, axis=1, kind='stable')[:, :k]
    return rows, np.take_along_axis(D, rows, 1)
def scaled(run):
    return (h5py.File('data.h5')['X'][:] - run['scaling/shift'][:]) * run['scaling/scale'][:]
def check(g, X, cosine=False):
    rows, far = near(X, int(g.attrs['neighbours']), cosine)
    assert g['neighbours'].dtype == np.int64 and g['distances'].dtype == np.float64
    assert np.allclose(g['distances'][:], far, rtol=1e-12, atol=1e-7 if cosine else 1e-12), abs(g['distances'][:] - far).max()
    assert (g['neighbours'][:] == rows).mean() > 0.999
def components(rows, symmetry):
    N, k = rows.shape
    A = np.zeros((N, N), bool)
    A[np.repeat(np.arange(N), k), rows.ravel()] = True
    A = A & A.T if symmetry == 'mutual' else A | A.T
    label = np.arange(N)
    while True:
        least = np.where(A, label[None, :], N).min(1)
        new = np.minimum(label, least)
        if (new == label).all():
            return A, np.unique(label, return_inverse=True)[1]
        label = new
$2
print('ok')"
    is "$(tail -n 1 "$out")" ok "$1"
}

$python - <<'EOF2'
import h5py
import numpy as np
rng = np.random.default_rng(543)
y = rng.integers(0, 3, 300)
X = (rng.normal(size=(300, 6)) + 8 * np.eye(3, 6)[y]).astype("f4")
with h5py.File("data.h5", "w") as f:
    f["X"], f["y"] = X, y.astype("i4")
EOF2
cat >deck.yaml <<EOF2
run: {output: run, seed: 2}
input: {data: data.h5, scale: standard}
model: {hidden: [16], latent: 2}
pretrain: {epochs: 2, batch: 64, lr: 0.05}
cluster: {clusters: 3, update_interval: 5, max_iter: 10, n_init: 2}
graph: {save: true, neighbours: 7, symmetry: mutual}
EOF2
run 1 1 deck.yaml
expect_exit 0 "a graph of the embedding"
expect_out "graph +7 nearest of each row \(embedding, euclidean\): [0-9]+ mutual edges" "its line"
compare "neighbours, distances and components are those of numpy" "
run = h5py.File('run/run.h5')
g = run['graph']
check(g, run['embedding'][:])
A, label = components(g['neighbours'][:], 'mutual')
assert (g['component'][:] == label).all() and g.attrs['components'] == label.max() + 1
assert g.attrs['edges'] == A.sum() // 2 and g.attrs['isolated'] == (~A.any(1)).sum()
assert g.attrs['largest_component'] == np.bincount(label).max() and g.attrs['on'] == b'embedding'"
for P in 2 3 5; do
    run "$P" 2 deck.yaml --run.output="run$P"
    run 0 1 compare run/run.h5 "run$P/run.h5"
    expect_out "^equal: " "the same bits on $P ranks"
done
run 0 1 check run/run.h5
expect_exit 0 "checksums"

run 2 1 kmeans deck.yaml --run.output=raw --graph.symmetry=union --graph.metric=cosine
expect_exit 0 "a graph of the input, by kmeans"
compare "cosine distances of the scaled rows" "
raw = h5py.File('raw/run.h5')
g = raw['graph']
check(g, scaled(raw), True)
A, label = components(g['neighbours'][:], 'union')
assert (g['component'][:] == label).all() and g.attrs['edges'] == A.sum() // 2 and g.attrs['metric'] == b'cosine'"
run 2 1 deck.yaml --run.output=in --graph.on=input --graph.symmetry=directed
expect_exit 0 "a graph of the input, by fit"
compare "the rows compared are the scaled rows" "run = h5py.File('in/run.h5'); check(run['graph'], scaled(run))"

run 2 1 deck.yaml --run.output=many --graph.neighbours=300
expect_error 3 "300 rows have no 300 other rows each; lower graph.neighbours" "as many neighbours as rows"
run 1 1 deck.yaml --run.output=off --graph.save=false
expect_exit 0 "graph.save: false, the other keys of the deck stay"
compare "no graph" "assert 'graph' not in h5py.File('off/run.h5')"
run 1 1 deck.yaml --dry-run
expect_out "^phase +neighbours: about " "the dry run counts the search"

if $python -c 'import anndata' 2>/dev/null; then
    for r in run raw in; do run_cmd $python "$root/tools/export.py" $r/run.h5 $r.h5ad; done
    expect_exit 0 "export"
    compare "anndata reads the graph" "
import anndata
for name, symmetry in (('run', 'mutual'), ('raw', 'union'), ('in', 'directed')):
    g, a = h5py.File(name + '/run.h5')['graph'], anndata.read_h5ad(name + '.h5ad')
    rows = g['neighbours'][:]
    C = np.zeros((300, 300))
    C[np.repeat(np.arange(300), 7), rows.ravel()] = 1
    D = np.zeros((300, 300))
    D[np.repeat(np.arange(300), 7), rows.ravel()] = g['distances'][:].ravel()
    want = {'mutual': C * C.T, 'union': (C + C.T) / 2, 'directed': C}[symmetry]
    assert (a.obsp['connectivities'].toarray() == want).all() and (a.obsp['distances'].toarray() == D).all()
    assert a.uns['neighbors']['params']['n_neighbors'] == 7 and a.uns['neighbors']['distances_key'] == 'distances'
    assert (a.obs['component'].to_numpy() == g['component'][:]).all()"
else
    note "SKIP h5ad: python3-anndata is not installed"
fi
done_testing
