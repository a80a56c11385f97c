#!/usr/bin/env bash
# Bad sparse inputs: one line that names the file and the place, exit code 3 (2 for options), nothing left behind.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

refused() { # REGEX WHAT ARGS...
    local regex=$1 what=$2
    shift 2
    run 0 1 convert "$@" bad.h5
    expect_error "${code:-3}" "$regex" "$what"
    is "$(ls bad.h5* 2>/dev/null)" "" "$what: nothing is left"
}
head="%%MatrixMarket matrix coordinate real general\n"
mtx() { # REGEX TEXT
    printf '%b' "$2" >m.mtx
    refused "$1" "${2//\\n/ }" m.mtx
}
mtx "m.mtx:3: row 0 is out of range: they count from 1 to 4" "${head}4 3 1\n0 1 1\n"
mtx "m.mtx:3: row 5 is out of range" "${head}4 3 1\n5 1 1\n"
mtx "m.mtx:3: column 4 is out of range: they count from 1 to 3" "${head}4 3 1\n1 4 1\n"
mtx "m.mtx:3: column -1 is out of range" "${head}4 3 1\n1 -1 1\n"
mtx "m.mtx:3: row 9223372036854775807 is out of range" "${head}4 3 1\n99999999999999999999 1 1\n"
mtx "m.mtx:3: row '1.5' is not an integer" "${head}4 3 1\n1.5 1 1\n"
mtx "m.mtx:3: has no value" "${head}4 3 1\n1 1\n"
mtx "m.mtx:3: has more than 3 numbers" "${head}4 3 1\n1 1 1 1\n"
mtx "m.mtx:3: value 'nan' is not a finite number" "${head}4 3 1\n1 1 nan\n"
mtx "m.mtx:3: value '-inf' is not a finite number" "${head}4 3 1\n1 1 -inf\n"
mtx "m.mtx:3: value '1e999' is not a finite number" "${head}4 3 1\n1 1 1e999\n"
mtx "m.mtx:3: value 'x' is not a number" "${head}4 3 1\n1 1 x\n"
mtx "column 0: 1e\+300 does not fit float32" "${head}4 3 1\n1 1 1e300\n"
mtx "the values in this place add up to inf" "${head}4 3 2\n1 1 1e308\n1 1 1e308\n"
mtx "ends after 1 of the 2 values that its header claims" "${head}4 3 2\n1 1 1\n"
mtx "m.mtx:4: more than the 1 values that the header claims" "${head}4 3 1\n1 1 1\n1 2 1\n"
mtx "m.mtx:2: claims 1000000000 values, which [0-9]+ bytes cannot hold" "${head}4 3 1000000000\n1 1 1\n"
mtx "m.mtx:2: claims 9223372036854775807 values" "${head}4 3 9223372036854775808\n1 1 1\n"
mtx "claims 1000000000 rows, but has only 1 values and no names for them" "${head}1000000000 3 1\n1 1 1\n"
mtx "claims 1000000000 columns, but has only 1 values" "${head}3 1000000000 1\n1 1 1\n"
mtx "4000000000 rows and 3 columns; 1 to 2147483647 of each are read" "${head}4000000000 3 1\n1 1 1\n"
mtx "0 rows and 3 columns" "${head}0 3 0\n"
mtx "all values are 0" "${head}4 3 0\n"
mtx "m.mtx:2: has no size: 3 numbers of rows, columns and values" "${head}4 3\n1 1 1\n"
mtx "m.mtx:2: has no size" "${head}-4 3 1\n1 1 1\n"
mtx "the size has more than 3 numbers" "${head}4 3 1 1\n1 1 1\n"
mtx "m.mtx:1: has no size" "%%MatrixMarket matrix coordinate real general\n"
mtx "m.mtx:1: 'complex' is not a kind of numbers" "%%MatrixMarket matrix coordinate complex general\n1 1 1\n1 1 1 0\n"
mtx "'hermitian' is not a symmetry" "%%MatrixMarket matrix coordinate real hermitian\n1 1 1\n1 1 1\n"
mtx "'graph' is not an object" "%%MatrixMarket graph coordinate real general\n1 1 1\n1 1 1\n"
mtx "is symmetric, but has 4 rows and 3 columns" "%%MatrixMarket matrix coordinate real symmetric\n4 3 1\n1 1 1\n"
mtx "ends after 3 of the 4 values" "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n"
mtx "m.mtx:7: more than the 4 values" "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n5\n"
printf '%b' "${head}4 3 3\n1 1 1\n2 2 2\n3 3 3\n" | gzip -n >whole.mtx.gz
for bytes in 40 60 $(($(stat -c %s whole.mtx.gz) - 4)); do
    head -c "$bytes" whole.mtx.gz >cut.mtx.gz
    refused "cut.mtx.gz: .*(end too early|damaged|trailer)" "gzip data cut to $bytes bytes" cut.mtx.gz
done
mkdir tenx empty
printf '%b' "${head}3 4 1\n1 1 1\n" >tenx/matrix.mtx
printf 'a\nb\n' >tenx/barcodes.tsv
printf 'x\ny\nz\n' >tenx/features.tsv
refused "3 rows and 4 columns, but beside it are 2 barcodes and 3 features" "barcodes that do not fit" tenx
printf 'a\nb\n\x01\nd\n' >tenx/barcodes.tsv
refused "barcodes.tsv: id '.' has characters that do not print" "a barcode that is not text" tenx
refused "empty: is a directory without matrix.mtx or matrix.mtx.gz" "a folder without a matrix" empty

svm() { # REGEX TEXT [LINES]: so many good lines first
    { yes '1 1:1' | head -n "${3:-0}"; printf '%b' "$2"; } >s.svm
    refused "$1" "${2//\\n/ }" s.svm
}
svm "s.svm:2: index 2 is there twice" "1 1:1\n2 2:1 2:2\n"
svm "s.svm:66: index -1 is out of range" "1 -1:3\n" 65
svm "s.svm:66: index 9223372036854775807 is out of range" "1 99999999999999999999:3\n" 65
svm "s.svm:66: 'x' is not index:value" "1 x\n" 65
svm "s.svm:66: 'x:1' has an index that is not an integer" "1 x:1\n" 65
svm "s.svm:2: value 'nan' is not a finite number" "1 1:1\n2 2:nan\n"
svm "s.svm:66: 'a' is not a label" "a 1:1\n" 65
svm "s.svm:1: '1,2' are several labels; say --label-column=none" "1,2 1:1\n2 2:2\n"
svm "all values are 0" "1 1:0\n2 2:0\n"
svm "s.svm: has no values" "1\n-1\n1\n"
printf '1 0:1\n2 2:1\n' >s.svm
refused "index 0, but --zero-based=no" "indices that count from 0" s.svm --zero-based=no
refused "index 2 needs more than --n-features=2 columns" "an index beyond --n-features" s.svm --n-features=2
printf '1,2\n3,4\n' >t.csv
refused "t.csv: is not sparse, but s.svm is" "a dense input after a sparse one" s.svm t.csv
refused "m.mtx: is a sparse matrix \(Matrix Market\), but the first input is not" "a sparse input after a dense one" t.csv m.mtx
code=2
refused "--missing is not for sparse inputs" "--missing" s.svm --missing=mean
refused "--zero-based is for svmlight" "--zero-based" m.mtx --zero-based=yes
refused "--n-features=0: use a number from 1 to" "--n-features" s.svm --n-features=0
refused "--transpose is not for svmlight" "--transpose" s.svm --transpose
refused "--label-dataset is for HDF5" "--label-dataset" s.svm --label-dataset=y
refused "--dataset \(--matrix\) is for HDF5" "--matrix of a sparse matrix in text" m.mtx --matrix=X
refused "t.csv: --dataset \(--matrix\) is for HDF5" "--matrix of a table" t.csv --matrix=X
refused "t.csv: --zero-based is for svmlight" "--zero-based of a table" t.csv --zero-based=no
refused "t.csv: --n-features is for svmlight" "--n-features of a table" t.csv --n-features=7
code=3

cat >h5.py <<'EOF'
import h5py, numpy as np
def make(name, data=(1., 2, 3), indices=(0, 1, 2), indptr=(0, 1, 2, 3), shape=(3, 4), kind="csr_matrix", **types):
    with h5py.File(name + ".h5", "w") as f:
        g = f.create_group("X"); g["data"] = np.array(data, types.get("data_type", "f4"))
        g["indices"] = np.array(indices, types.get("index_type", "i8")); g["indptr"] = np.array(indptr, types.get("ptr_type", "i8"))
        g.attrs["encoding-type"] = kind; g.attrs["shape"] = np.array(shape, "i8")
make("range", indices=(0, 1, 4)); make("negative", indices=(0, -1, 2)); make("big", indices=(0, 2**63, 2), index_type="u8")
make("repeated", data=(1, 2, 3, 4), indices=(0, 1, 1, 2), indptr=(0, 1, 3, 4)); make("nan", data=(1, np.nan, 3)); make("inf", data=(1, 2, -np.inf))
make("descends", indptr=(0, 2, 1, 3)); make("begins", indptr=(1, 1, 2, 3)); make("ends", indptr=(0, 1, 2, 2)); make("beyond", indptr=(0, 1, 2, 9))
make("minus", indptr=(0, -5, 2, 3)); make("short", indptr=(0, 1, 3)); make("unequal", indices=(0, 1)); make("columns", indptr=(0, 1, 2, 3), kind="csc_matrix")
make("floats", index_type="f8"); make("texts", data=(b"a", b"b", b"c"), data_type="S1"); make("matrix", data=((1,), (2,), (3,)))
make("rows", shape=(10**9, 4)); make("none", shape=(0, 4)); make("empty", indptr=(0,), indices=(), data=(), shape=(0, 4)); make("three", shape=(3, 4, 5)); make("zeros", data=(0, 0, 0))
with h5py.File("lying.h5", "w") as f:
    g = f.create_group("X"); g.create_dataset("data", (10**9,), "f4", chunks=(1000,)); g.create_dataset("indices", (10**9,), "i4", chunks=(1000,))
    g["indptr"] = np.array([0, 5, 10**9]); g.attrs["encoding-type"] = "csr_matrix"; g.attrs["shape"] = (2, 4)
with h5py.File("names.h5", "w") as f:
    make("tmp"); h5py.File("tmp.h5").copy("X", f); f["obs/_index"] = np.array([b"a", b"b"]); f["var/_index"] = np.array([b"a"] * 4)
EOF
$python h5.py || exit 1
while IFS='|' read -r name regex; do refused "$regex" "$name" "$name.h5"; done <<'EOF'
range|/X/indices\[2\] is 4: out of range, they count from 0 to 3
negative|/X/indices\[1\] is -1: out of range
big|/X/indices\[1\] is 9223372036854775807: out of range
repeated|row 1 has column 1 twice
nan|/X/data\[1\] is nan, not a finite number
inf|/X/data\[2\] is -inf, not a finite number
descends|/X/indptr\[2\] is 1: it must be from 2 to 3
begins|/X/indptr begins with 1, not with 0
ends|/X/indptr ends with 2, but there are 3 values
beyond|/X/indptr\[3\] is 9: it must be from 2 to 3
minus|/X/indptr\[1\] is -5: it must be from 0 to 3
short|/X/indptr has 3 numbers, but the matrix has 3 rows
unequal|/X/indices has not as many numbers as the data
columns|/X/indptr has 4 numbers, but the matrix has 4 columns
floats|/X/indices is not a list of integers
texts|/X/data is not a list of numbers
matrix|/X/data is not a list of numbers
rows|/X/indptr has 4 numbers, but the matrix has 1000000000 rows
none|/X has 0 rows and 4 columns
empty|/X/indptr has less than two numbers: the matrix is empty
three|/X has no shape of 2 numbers
zeros|all values are 0
lying|'/X/(data|indices)' claims 4000000000 bytes but only [0-9]+ are stored
names|'/obs/_index' has 2 names for the 3 rows of /X
EOF
done_testing
