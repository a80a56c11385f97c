#!/usr/bin/env bash
# Sparse inputs of every kind give the matrix that was meant, with ids, names and labels: Matrix Market in its variants and in
# any order, folders and HDF5 of 10x, AnnData (CSR, CSC, raw, layers, old layouts), Matlab, svmlight. Seed 332.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

cat >make.py <<'EOF'
import gzip, os
import h5py, numpy as np
r = np.random.default_rng(332)
N, D = 12, 5
A = (r.poisson(.5, (N, D)) * r.choice([1, 7], (N, D))).astype("f8")
A[3] = 0; A[:, 2] = 0; A[11, 4] = 3
B = A * 1.5 + (A > 0) * .1 # what uint8 does not hold
np.save("A.npy", A); np.save("B.npy", B)
rows, cols = A.nonzero()
def mtx(path, i, j, v, shape, kind="integer general", comments="%\n% made by a test\n\n", nnz=None):
    text = "%%%%MatrixMarket matrix coordinate %s\n%s%d %d %d\n" % (kind, comments, *shape, len(i) if nnz is None else nnz)
    text += "".join("%d %d%s\n" % (a + 1, b + 1, "" if v is None else " %.17g" % c) for a, b, c in zip(i, j, i if v is None else v))
    (gzip.open if path.endswith("gz") else open)(path, "wb").write(text.encode())
mtx("rows.mtx", rows, cols, A[rows, cols], A.shape)
p = r.permutation(len(rows))
mtx("any.mtx.gz", rows[p], cols[p], B[rows, cols][p], A.shape, "real general")
mtx("turned.mtx", cols, rows, A[rows, cols], (D, N))
half = A[rows, cols] / 2
mtx("twice.mtx", np.r_[rows, rows[p]], np.r_[cols, cols[p]], np.r_[half, half[p]], A.shape, "double GENERAL")
mtx("zeros.mtx", np.r_[rows, 3], np.r_[cols, 2], np.r_[A[rows, cols], 0], A.shape)
mtx("pattern.mtx", rows, cols, None, A.shape, "pattern general")
S = np.tril(r.poisson(.7, (6, 6))).astype("f8"); np.save("S.npy", S + np.tril(S, -1).T)
i, j = S.nonzero(); mtx("symmetric.mtx", i, j, S[i, j], S.shape, "integer symmetric")
K = np.tril(S, -1); np.save("K.npy", K - K.T); i, j = K.nonzero(); mtx("skew.mtx", i, j, K[i, j], K.shape, "real skew-symmetric")
open("array.mtx", "w").write("%%MatrixMarket matrix array real general\n" + "%d %d\n" % A.shape + "".join("%g\n" % v for v in A.T.ravel()))
open("array_s.mtx", "w").write("%%MatrixMarket matrix array real symmetric\n6 6\n" + "".join("%g\n" % S[a, b] for b in range(6) for a in range(b, 6)))
os.mkdir("10x"); os.mkdir("10x_old"); os.mkdir("square")
mtx("10x/matrix.mtx.gz", cols, rows, A[rows, cols], (D, N))
with gzip.open("10x/barcodes.tsv.gz", "wt") as f: f.write("".join("CELL%d-1\n" % k for k in range(N)))
with gzip.open("10x/features.tsv.gz", "wt") as f: f.write("".join("ENSG%d\tgene %d\tGene Expression\n" % (k, k) for k in range(D)))
mtx("10x_old/P_matrix.mtx", rows, cols, A[rows, cols], A.shape)
open("10x_old/P_barcodes.tsv", "w").write("".join("CELL%d\n" % k for k in range(N)))
open("10x_old/P_genes.tsv", "w").write("".join("ENSG%d\n" % k for k in range(D)))
mtx("square/matrix.mtx", [0], [2], [4], (3, 3))
open("square/barcodes.tsv", "w").write("a\nb\nc\n")
obs, var = np.array(["c%d" % k for k in range(N)], object), np.array(["g%d" % k for k in range(D)], object)
kind = (np.arange(N) % 3 - 1).astype("i1")
def group(f, name, M, csc=False, old=False, shuffled=False, **types):
    g = f.create_group(name); T = M.T if csc else M
    a, b = T.nonzero(); v = T[a, b]
    if shuffled: o = np.lexsort((-b, a)); a, b, v = a[o], b[o], v[o]
    g["data"] = v.astype(types.get("data", "f4")); g["indices"] = b.astype(types.get("indices", "i4"))
    g["indptr"] = np.r_[0, np.cumsum((T != 0).sum(1))].astype(types.get("indptr", "i4"))
    if old: g.attrs["h5sparse_format"] = "csc" if csc else "csr"; g.attrs["h5sparse_shape"] = M.shape
    else: g.attrs["encoding-type"] = "csc_matrix" if csc else "csr_matrix"; g.attrs["shape"] = M.shape
def frames(f, names=var):
    for n, x in (("obs", obs), ("var", names)):
        g = f.create_group(n); g.attrs["_index"] = "names"; g["names"] = x
    f["obs/kind/codes"] = kind; f["obs/kind/categories"] = np.array(["B", "T"], object)
with h5py.File("new.h5ad", "w") as f:
    group(f, "X", B); frames(f); group(f, "layers/counts", A, csc=True, indices="i8", data="i4")
    group(f, "raw/X", np.c_[A, A], shuffled=True, data="f8"); g = f.create_group("raw/var"); g["_index"] = np.r_[var, ["h%d" % k for k in range(D)]].astype(object)
with h5py.File("dense.h5ad", "w") as f: f["X"] = B; frames(f); f["layers/d"] = A; group(f, "raw/X", A); g = f.create_group("raw/var"); g["_index"] = var
with h5py.File("old.h5ad", "w") as f:
    f["X"] = B
    t = np.zeros(N, [("index", "S4"), ("kind", "i1")]); t["index"] = obs.astype("S4"); t["kind"] = kind; f["obs"] = t
    t = np.zeros(D, [("index", "S4")]); t["index"] = var.astype("S4"); f["var"] = t; f["raw.var"] = t
    f["uns/kind_categories"] = np.array([b"B", b"T"]); group(f, "raw.X", A, old=True)
with h5py.File("10x.h5", "w") as f:
    group(f, "matrix", A, indices="i8", indptr="i8", data="i4"); g = f["matrix"]
    for a in list(g.attrs): del g.attrs[a]
    g["shape"] = np.array([D, N], "i4"); g["barcodes"] = obs.astype("S4"); g["features/name"] = var.astype("S4"); g["features/id"] = var.astype("S4")
    g["features/feature_type"] = np.array([b"Gene Expression"] * D)
with h5py.File("10x2.h5", "w") as f:
    for name in ("GRCh38", "mm10"):
        group(f, name, A); g = f[name]
        for a in list(g.attrs): del g.attrs[a]
        g["shape"] = np.array([D, N]); g["barcodes"] = obs.astype("S4"); g["genes"] = var.astype("S4"); g["gene_names"] = var.astype("S4")
with h5py.File("matlab.mat", "w") as f:
    a, b = A.T.nonzero(); g = f.create_group("S"); g["data"] = A.T[a, b]; g["ir"] = b.astype("u8")
    g["jc"] = np.r_[0, np.cumsum((A.T != 0).sum(1))].astype("u8"); g.attrs["MATLAB_sparse"] = np.uint64(N)
with h5py.File("plain.h5", "w") as f: group(f, "X", A); f["y"] = np.arange(N, dtype="i4") % 2 + 5
def svm(path, M, base, label=lambda k: "%+d" % (1 - 2 * (k % 2)), tail=""):
    with open(path, "w") as f:
        f.write("# a comment\n")
        for k, x in enumerate(M):
            c = x.nonzero()[0][::-1 if k == 5 else 1]
            f.write(label(k) + (" qid:7 " if k == 4 else " ") + " ".join("%d:%.17g" % (a + base, x[a]) for a in c) + (" # end" if k == 1 else "") + tail + "\n")
svm("one.svm", B, 1); svm("zero.svm", A, 0, lambda k: str(k % 3)); svm("many.svm", A, 1, lambda k: "1,2"); svm("crlf.svm", A, 1, tail=" \t\r")
open("labels.txt", "w").write("".join("ab"[k % 2] + "\n" for k in range(N)))
EOF
$python make.py || exit 1

cat >see.py <<'EOF'
"""see.py FILE MATRIX.npy[,MATRIX.npy] [FUNCTION]: the file has these rows; prints type, ids, names, labels."""
import sys
import h5py, numpy as np
with h5py.File(sys.argv[1]) as f:
    g, (N, D) = f["X"], f["X"].attrs["shape"]
    p, c, v = g["indptr"][:], g["indices"][:], g["data"][:]
    assert (p.dtype, c.dtype) == ("i8", "i4") and len(p) == N + 1 and p[0] == 0 and p[-1] == len(c) == len(v) and (v != 0).all()
    X = np.zeros((N, D))
    for i in range(N):
        assert (np.diff(c[p[i]:p[i + 1]]) > 0).all()
        X[i, c[p[i]:p[i + 1]]] = v[p[i]:p[i + 1]]
    want = np.concatenate([np.load(n) for n in sys.argv[2].split(",")])
    if len(sys.argv) > 3: want = eval(sys.argv[3])(want)
    assert X.shape == want.shape and (X == want.astype(v.dtype)).all(), (X, want)
    assert abs(f.attrs["min"] - want.min()) < 1e-6 and abs(f.attrs["max"] - want.max()) < 1e-6 and abs(f.attrs["mean"] - want.mean()) < 1e-6
    text = lambda d: ",".join(x.decode() for x in d[:])
    print(v.dtype, "ids" if "id_dataset" in f.attrs else "-", text(f["obs/_index"])[:11], "names" if "feature_dataset" in f.attrs else "-", text(f["var/_index"]), end="")
    if "label" in f["obs"]: print(" labels", text(f["obs/label/categories"]), "".join("%d" % k if k >= 0 else "-" for k in f["obs/label/codes"]), end="")
    print()
EOF
converts() { # MATRIX[.npy list] TEXT WHAT ARGS...: the output holds the matrix, and the rest is TEXT
    local matrix=$1 text=$2 what=$3 function=
    shift 3
    case $matrix in *:*) function=${matrix#*:} matrix=${matrix%%:*} ;; esac
    run 0 1 convert "$@" o.h5 --force
    expect_exit 0 "$what"
    is "$($python see.py o.h5 "$matrix" ${function:+"$function"} 2>&1 | tail -1)" "$text" "$what: content"
}
numbers="- 0,1,2,3,4,5 - 0,1,2,3,4"
converts A.npy "uint8 $numbers" "Matrix Market" rows.mtx
expect_out "^wrote o.h5: 12 x 5 uint8, sparse, [0-9]+ values \(.* %\), no labels, min 0 max" "the line tells"
converts B.npy "float32 $numbers" "entries in any order, compressed, real" any.mtx.gz
converts A.npy "uint8 $numbers" "turned" turned.mtx --transpose
converts A.npy "uint8 $numbers" "values in one place are added" twice.mtx
expect_out "values that were added to others in the same place: [1-9]" "a NOTE counts them"
converts A.npy "uint8 $numbers" "a stored zero" zeros.mtx
converts "A.npy:lambda x: 1. * (x > 0)" "uint8 $numbers" "pattern" pattern.mtx
converts S.npy "uint8 - 0,1,2,3,4,5 - 0,1,2,3,4,5" "symmetric" symmetric.mtx
converts K.npy "float32 - 0,1,2,3,4,5 - 0,1,2,3,4,5" "skew-symmetric" skew.mtx
converts A.npy "uint8 $numbers" "array" array.mtx
converts S.npy "uint8 - 0,1,2,3,4,5 - 0,1,2,3,4,5" "symmetric array" array_s.mtx
converts A.npy,A.npy "uint8 $numbers" "two inputs" rows.mtx rows.mtx
converts A.npy,B.npy "float32 $numbers" "two inputs, one of them not in order" rows.mtx any.mtx.gz
converts A.npy "uint8 $numbers labels a,b 010101010101" "labels from a file" rows.mtx --labels=labels.txt
genes="names gene 0,gene 1,gene 2,gene 3,gene 4"
converts A.npy "uint8 ids CELL0-1,CEL $genes" "a folder of 10x" 10x
expect_out "5 x 12: its columns are the rows; ids from 10x/barcodes.tsv.gz; names from 10x/features.tsv.gz" "a NOTE says what was found"
mkdir runs
for i in 1 2; do cp -r 10x runs/s$i; cp labels.txt runs/l$i.txt; done
converts A.npy,A.npy "uint8 ids CELL0-1,CEL $genes labels a,b 010101010101010101010101" "folders and their labels by globs" 'runs/s?' --labels='runs/l?.txt'
run 0 1 convert 'runs/s?' none.h5 --text-column=file
expect_error 3 "runs/s1 is a directory; name its files" "a folder holds no documents by itself"
run 0 1 kmeans --input.data='runs/s?' --run.output=none
expect_error 3 "runs/s1 is a directory; .*; dcmpi convert reads folders of 10x" "folders of 10x are not data files"
converts A.npy,A.npy "uint8 ids CELL0-1,CEL $genes" "its matrix, twice" 10x/matrix.mtx.gz 10x
converts A.npy "uint8 ids CELL0,CELL1 names ENSG0,ENSG1,ENSG2,ENSG3,ENSG4" "old names, a prefix, cells in rows" 10x_old/P_matrix.mtx
converts A.npy "uint8 $numbers" "ids are not wanted" rows.mtx --id-column=none
seen() { $python -c "import h5py; f = h5py.File('o.h5'); print(f['X/indptr'][:], f['X/indices'][:])"; }
run 0 1 convert square o.h5 --force
is "$(seen)" "[0 0 0 1] [0]" "as many barcodes as features: 10x's way up"
run 0 1 convert square o.h5 --force --transpose=no
is "$(seen)" "[0 1 1 1] [2]" "or as the user says"
run 0 1 convert 10x o.h5 --force --transpose=no
expect_error 2 "--transpose does not agree with the barcodes and features" "the user's way up does not fit"
names="names g0,g1,g2,g3,g4"
converts B.npy "float32 ids c0,c1,c2,c3 $names labels B,T -01-01-01-01" "h5ad, CSR, labels by a bare name" new.h5ad --label-dataset=kind
converts B.npy "float32 ids c0,c1,c2,c3 $names labels B,T -01-01-01-01" "the same by the full name" new.h5ad --label-dataset=/obs/kind
converts A.npy "uint8 ids c0,c1,c2,c3 $names" "a layer, CSC, int64 indices" new.h5ad --matrix=layers/counts
converts "A.npy:lambda x: np.c_[x, x]" "uint8 ids c0,c1,c2,c3 $names,h0,h1,h2,h3,h4" "raw/X, columns of a row in any order" new.h5ad --dataset=raw/X
converts A.npy "uint8 ids c0,c1,c2,c3 $names" "raw/X beside a dense X" dense.h5ad --matrix=raw/X
converts A.npy "uint8 ids c0,c1,c2,c3 $names labels B,T -01-01-01-01" "the old layout" old.h5ad --matrix=raw/X --label-dataset=kind
converts "B.npy:lambda x: x.T" "float32 ids g0,g1,g2,g3 names c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11" "h5ad, turned" new.h5ad --transpose
run 0 1 convert dense.h5ad o.h5 --force --matrix=layers/d
is "$($python -c "import h5py, numpy as np; f = h5py.File('o.h5'); print((f['X'][:] == np.load('A.npy')).all(), f['ids'][1])")" "True b'c1'" "a dense layer stays dense, with ids"
converts A.npy "uint8 ids c0,c1,c2,c3 $names" "10x .h5, version 3" 10x.h5
converts A.npy "uint8 ids c0,c1,c2,c3 $names" "10x .h5, version 2" 10x2.h5 --matrix=mm10
run 0 1 convert 10x2.h5 none.h5
expect_error 3 "has 2 sparse matrices; choose one with --matrix: /GRCh38, /mm10" "several genomes"
converts A.npy "uint8 $numbers" "Matlab" matlab.mat
converts A.npy "uint8 $numbers labels 5,6 010101010101" "CSR beside /y" plain.h5
cp o.h5 first.h5
converts A.npy "uint8 $numbers labels 5,6 010101010101" "our own file" first.h5
is "$($python -c "import h5py; print(h5py.File('o.h5')['X'].attrs['xxh3'] == h5py.File('first.h5')['X'].attrs['xxh3'])")" True "with the same checksum"
converts B.npy "float32 $numbers labels -1.0,1 101010101010" "svmlight, indices from 1, qid, comments" one.svm
expect_out "indices count from 1 \(--zero-based=yes or no decides otherwise\): 5 columns" "a NOTE says from where indices count"
converts A.npy "uint8 $numbers labels 0,1,2 012012012012" "svmlight, indices from 0" zero.svm
converts A.npy "uint8 $numbers labels -1.0,1 101010101010" "svmlight, lines that end in CR LF" crlf.svm
converts "B.npy:lambda x: np.c_[0 * x[:, :1], x]" "float32 - 0,1,2,3,4,5 - 0,1,2,3,4,5 labels -1.0,1 101010101010" "forced to count from 0" one.svm --zero-based=yes
converts "B.npy:lambda x: np.c_[x, 0 * x]" "float32 - 0,1,2,3,4,5 - 0,1,2,3,4,5,6,7,8,9 labels -1.0,1 101010101010" "more columns than indices" one.svm --n-features=10
converts A.npy "uint8 $numbers" "several labels, left out" many.svm --label-column=none
converts A.npy "uint8 $numbers labels a,b 010101010101" "labels from a file" many.svm --labels=labels.txt
is "$(ls ./*.part ./*.lock .dcmpi* 2>/dev/null)" "" "nothing is left behind"
done_testing
