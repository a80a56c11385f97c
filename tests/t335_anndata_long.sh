#!/usr/bin/env bash
# AnnData opens our sparse files, scipy reads the same matrices from the inputs, and tests/golden/scanpy.txt is what
# tools/golden_scanpy.py makes with the scanpy of today.
# long: yes
# limit: 900
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/golden_help.sh
. "$root/tests/golden_help.sh"
need_packages scanpy scikit-learn
limit=600
cat >make.py <<'EOF'
import gzip, os
import anndata, numpy as np, pandas as pd, scipy.io, scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file
r = np.random.default_rng(335)
M = sp.random(200, 60, 0.07, "csr", "f4", r); M.data = (M.data * 100).round()
M[0, 0] = 5.0; M = M.tocsr(); M.eliminate_zeros()
obs = pd.DataFrame({"kind": pd.Categorical.from_codes(r.integers(-1, 3, 200), ["B", "NK", "T"])}, index=["c%d" % i for i in range(200)])
var = pd.DataFrame(index=["g%d" % i for i in range(60)])
a = anndata.AnnData(M, obs, var, layers={"turned": M.tocsc(), "dense": M.toarray()}); a.raw = a.copy()
a.write_h5ad("a.h5ad"); a.write_h5ad("packed.h5ad", compression="gzip")
scipy.io.mmwrite("m.mtx", M); sp.save_npz("M.npz", M)
os.mkdir("tenx"); scipy.io.mmwrite("tenx/matrix.mtx", M.T)
for name, lines in (("barcodes", obs.index), ("features", ["%s\t%s\tGene Expression" % (n, n) for n in var.index])):
    with gzip.open("tenx/%s.tsv.gz" % name, "wt") as f: f.write("".join(x + "\n" for x in lines))
dump_svmlight_file(M, r.integers(0, 4, 200), "s.svm", zero_based=False)
EOF
cat >see.py <<'EOF'
import sys
import anndata, numpy as np, scipy.sparse as sp
a = anndata.read_h5ad(sys.argv[1]); M = sp.load_npz("M.npz")
assert sp.issparse(a.X) and a.X.has_sorted_indices and a.shape == M.shape and abs(a.X.astype("f4") - M).max() == 0
print(a.obs_names[3], a.var_names[3], list(a.obs["label"].cat.categories) if "label" in a.obs else "-")
if "label" in a.obs and "kind" in sys.argv:
    b = anndata.read_h5ad("a.h5ad"); assert (a.obs["label"].astype(str) == b.obs["kind"].astype(str)).all()
EOF
"$python" make.py || exit 1
opens() { # TEXT OPTIONS... ARGS
    local text=$1
    shift
    run 0 1 convert "$@" o.h5 --force
    expect_exit 0 "$*"
    is "$("$python" see.py o.h5 kind 2>&1 | tail -1)" "$text" "$*: AnnData opens it, with the same values"
}
for file in a packed; do
    opens "c3 g3 ['B', 'NK', 'T']" $file.h5ad --label-dataset=kind
    opens "c3 g3 -" $file.h5ad --matrix=layers/turned
    opens "c3 g3 -" $file.h5ad --matrix=raw/X
done
opens "3 3 -" m.mtx
opens "c3 g3 -" tenx
run 0 1 convert s.svm o.h5 --force
is "$("$python" see.py o.h5 2>&1 | tail -1)" "3 3 ['0', '1', '2', '3']" "svmlight of scikit-learn"

run_cmd "$python" "$root/tools/golden_scanpy.py" "$tmp/scanpy.txt"
expect_exit 0 "the numbers are made"
expect_stored scanpy.txt
done_testing
