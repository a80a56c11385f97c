#!/usr/bin/env bash
# Labels of any kind are classes by name, rows without a label are clustered and not scored, ids travel with their rows.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

$python - <<'EOF'
import h5py, numpy as np
r = np.random.default_rng(1)
n = 300
k = r.integers(0, 3, n)
X = (r.normal(size=(n, 6)) + 9 * np.eye(3, 6)[k]).astype("f4")
name = np.array(["T cell", "B cell", "NK\u00e4"], dtype=object)[k]
number = np.array([5, 7, 3], "i4")[k]
hidden = [3, 77, 150, 299]                   # rows whose label is none
def save(path, **columns):
    with h5py.File(path, "w") as f:
        f["X"] = X
        f["ids"] = np.array(["cell-%d" % i for i in range(n)], dtype=object)
        f.attrs["feature_names"] = "a\nb\nc\nd\ne\nf"
        for where, value in columns.items():
            f[where.replace("__", "/", 1)] = value
def without(values, none):
    out = values.copy()
    for i, row in enumerate(hidden):
        out[row] = none[i % len(none)]
    return out
save("vlen.h5", y=without(name, ["", "NA", "nan", "?"]))
save("fixed.h5", y=np.array([v.encode() for v in without(name, ["", "None", "NaN", "-1"])]))
save("int.h5", y=without(number, [-1]))
save("float.h5", y=without(number.astype("f8"), [np.nan, -1.0]))
save("big.h5", y=without(number, [-1]).astype(">i2"))
save("half.h5", y=number + 0.5)
save("onehot.h5", y=np.eye(3)[k])
save("short.h5", y=name[:7])
save("ids.h5"); f = h5py.File("ids.h5", "a"); del f["ids"]; f["ids"] = np.arange(7); f.close()
save("long.h5"); f = h5py.File("long.h5", "a"); del f["ids"]; f["ids"] = np.array(["x" * 2000] * n, dtype=object); f.close()
with h5py.File("anndata.h5", "w") as f:
    f["X"] = X
    code = np.where(np.isin(np.arange(n), hidden), -1, np.array([1, 0, 2], "i1")[k])
    names = np.array(["B cell", "T cell", "NK\u00e4"], dtype=object)
    f["obs/new/codes"] = code.astype("i1"); f["obs/new/categories"] = names
    f["obs/old"] = code.astype("i1"); f["obs/__categories/old"] = names
    f["obs/nullable/values"] = number.astype("i8"); f["obs/nullable/mask"] = code < 0
    f["obs/bad/codes"] = code + 9; f["obs/bad/categories"] = names
    f["obs/empty"] = np.array([""] * n, dtype=object)
EOF
km() { # P T NAME FILE OPTIONS: k-means into the folder NAME
    local p=$1 t=$2 to=$3 file=$4
    shift 4
    run "$p" "$t" kmeans --input.data="$file" --cluster.clusters=3 --run.output="$to" "$@"
}
cp vlen.h5 v
km 1 1 letter v
expect_exit 0 "a file whose name is one letter"
root_attr() { $python -c "import h5py, sys; print(repr(h5py.File(sys.argv[1]).attrs[sys.argv[2]]))" "$1" "$2"; }
names="b'B cell\\nNK\\xc3\\xa4\\nT cell'"

for at in "vlen 2" "fixed 1" "int 2" "float 1" "big 1"; do
    read -r kind ranks <<<"$at"
    km "$ranks" 1 "$kind" "$kind.h5"
    expect_exit 0 "$kind labels"
    expect_out "^RESULT .* unlabelled=4 " "$kind: rows without a label are counted"
    is "$(result_value acc)" 1.000 "$kind: the others are scored"
done
expect_out "NOTE +4 of 300 rows have no label" "and told"
for kind in vlen fixed; do is "$(root_attr $kind/run.h5 classes)" "$names" "$kind: names of the classes, by bytes"; done
for kind in int float big; do is "$(root_attr $kind/run.h5 classes)" "b'3\\n5\\n7'" "$kind: numbers are their own names"; done
ok "summary.json counts them" grep -q '"unlabelled": 4' vlen/summary.json
run 0 1 compare vlen/run.h5 fixed/run.h5
expect_exit 0 "vlen and fixed: equal bits"
run 0 1 compare int/run.h5 float/run.h5
expect_exit 0 "int and float: equal bits"
run 0 1 compare vlen/run.h5 int/run.h5
expect_no_out "^/labels|^/ids" "names and numbers: at most the order of the classes differs"

for kind in new old nullable; do
    km 1 1 ann_$kind anndata.h5 --input.label_dataset=/obs/$kind
    expect_exit 0 "AnnData, $kind"
    expect_out "^RESULT .* acc=1.000 .* unlabelled=4 " "AnnData, $kind: scored"
done
is "$(root_attr ann_new/run.h5 classes)" "$names" "AnnData: names of the classes"
km 1 1 ann_empty anndata.h5 --input.label_dataset=obs/empty
expect_out "^RESULT .* unlabelled=300 " "labels that are all empty: no scores"
expect_no_out "^RESULT .* acc=" "labels that are all empty: no accuracy"

refuse() { # FILE REGEX WHAT OPTIONS, on `ranks` ranks
    local file=$1 regex=$2 what=$3
    shift 3
    km "$ranks" 1 refused "$file" "$@"
    expect_error 3 "$regex" "$what"
}
ranks=2
refuse half.h5 "row 0 .*label .*[.]5 is not an integer" "labels that are no integers"
refuse short.h5 "/y must hold one label for each of the 300 rows of /X, but has 7" "too few labels"
ranks=1
refuse onehot.h5 "/y.* is an array of 300 x 3" "a matrix of labels"
refuse anndata.h5 "has no '/obs/none'" "labels that are not there" --input.label_dataset=/obs/none
refuse anndata.h5 "'/obs' is a group without codes and categories" "a group" --input.label_dataset=/obs
refuse anndata.h5 "code [0-9]+ has none of 3 categories" "codes without categories" --input.label_dataset=/obs/bad
refuse ids.h5 "/ids must hold one id for each of the 300 rows of /X, but has 7" "too few ids"
refuse long.h5 "/ids has an id of 2000 bytes, the limit is 1024" "ids that are none"

# The same bits for any ranks and threads, with ids and names; predictions carry them too.
for at in "1 2" "3 1" "5 1"; do
    read -r p t <<<"$at"
    km "$p" "$t" "p$p$t" vlen.h5
    run 0 1 compare vlen/run.h5 "p$p$t/run.h5"
    expect_exit 0 "$p ranks, $t threads: equal bits, ids among them"
done
run 0 1 check vlen/run.h5
expect_exit 0 "check: the result is whole"
run 3 1 predict --model=vlen/run.h5 --input=vlen.h5 --output=p.h5 --rows-per-round=64
expect_out "^RESULT .* acc=1.000 .* unlabelled=4 " "predict scores the labelled rows"
run 0 1 compare vlen/run.h5 p.h5
expect_exit 0 "predict: the bits of the run, ids among them"
run 0 1 check p.h5
expect_exit 0 "check: the prediction is whole"
run 1 1 predict --model=vlen/run.h5 --input=anndata.h5 --label-dataset=/obs/new --output=q.h5
expect_out "^RESULT .* acc=1.000 .* unlabelled=4 " "predict --label-dataset"
is "$(root_attr p.h5 feature_names)" "b'a\\nb\\nc\\nd\\ne\\nf'" "names of the columns are carried to predictions"

cat >deck.yaml <<'EOF'
run: {output: dec}
input: {data: vlen.h5}
model: {hidden: [8], latent: 2}
pretrain: {epochs: 2, batch: 64}
cluster: {clusters: 3, update_interval: 5, max_iter: 20, n_init: 2}
EOF
run 3 1 deck.yaml
expect_out "^RESULT .* unlabelled=4 " "fit"
run 1 2 deck.yaml --run.output=dec12
run 0 1 compare dec/run.h5 dec12/run.h5
expect_exit 0 "fit: equal bits"

check_export() { # FILE CSV
    run_cmd $python "$root/tools/export.py" "$1" "$2" --data vlen.h5
    expect_exit 0 "export of $1"
    is "$(head -n 1 "$2")" "id,row,label,class" "its columns"
    is "$(sed -n 5p "$2" | cut -d, -f1,4)" "cell-3," "a row without a label has no class"
    ok "its rows are those of the data" $python -c "
import csv, h5py
f = h5py.File('vlen.h5')
for row, label, name in zip(csv.DictReader(open('$2')), h5py.File('vlen/run.h5')['labels'][:], f['y'][:]):
    assert row['id'] == 'cell-' + row['row'] and int(row['label']) == label, row
    assert row['class'] == ('' if name in (b'', b'NA', b'nan', b'?') else name.decode()), row"
}
check_export vlen/run.h5 run.csv
check_export p.h5 prediction.csv
run_cmd $python "$root/tools/report.py" dec
expect_exit 0 "report"
ok "it names the nearest rows by their ids" grep -q '>cell-[0-9]*, cell-' dec/report.html
ok "and the classes" grep -q 'NKä' dec/report.html
done_testing
