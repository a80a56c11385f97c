#!/usr/bin/env bash
# HDF5 of other programs: orientation, ids, names and labels of loom, h5ad and Matlab; messages name what cannot be read.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

$python - <<'EOF'
import h5py, numpy as np
r = np.random.default_rng(3)
A = r.normal(size=(40, 4)).astype("f4")          # 40 samples, 4 features
np.save("a.npy", A)
cells = np.array(["cell%d" % i for i in range(40)], dtype=object)
genes = np.array(["g,1", "g2", "g3", "g\u00e44"], dtype=object)
kind = np.array(["B", "T", ""] * 13 + ["B"], dtype=object)
with h5py.File("x.loom", "w") as f:
    f.create_dataset("matrix", data=A.T, chunks=(3, 7), compression="gzip")
    f["row_attrs/Gene"] = genes; f["col_attrs/CellID"] = cells; f["col_attrs/ClusterName"] = kind
    f["layers/spliced"] = A.T; f.create_group("row_graphs"); f.create_group("col_graphs")
with h5py.File("odd.loom", "w") as f:             # names that are called otherwise
    f["matrix"] = A.T; f["row_attrs/symbol"] = genes; f["col_attrs/barcode"] = cells.astype("S9")
with h5py.File("a.h5ad", "w") as f:
    f["X"] = A
    for group, names in (("obs", cells), ("var", genes)):
        g = f.create_group(group); g.attrs["_index"] = "_index"; g["_index"] = names
    f["obs/kind/codes"] = np.array([{"B": 0, "T": 1, "": -1}[k] for k in kind], "i1")
    f["obs/kind/categories"] = np.array(["B", "T"], dtype=object)
def matlab(path, block=True, **arrays):
    with h5py.File(path, "w", userblock_size=512) as f:
        for name, value in arrays.items():
            f[name] = value; f[name].attrs["MATLAB_class"] = np.bytes_("double")
    if block:
        data = bytearray(open(path, "rb").read()); head = b"MATLAB 7.3 MAT-file, HDF5 schema 1.00 ."
        data[:len(head)] = head; open(path, "wb").write(data)
matlab("m.mat", fea=A.T.astype("f8"), gnd=np.array([[{"B": 1., "T": 2., "": np.nan}[k] for k in kind]]))
matlab("noblock.mat", block=False, fea=A.T.astype("f8"))
matlab("two.mat", a=A.T, b=A.T)
matlab("images.mat", img=np.arange(5 * 3 * 2.).reshape(5, 3, 2))
for path, group in (("sparse.h5ad", "X"), ("10x.h5", "matrix"), ("10x2.h5", "GRCh38")):
    with h5py.File(path, "w") as f:
        g = f.create_group(group)
        g["data"] = np.ones(3, "f4"); g["indices"] = np.arange(3); g["indptr"] = np.arange(4)
with h5py.File("sparse.mat", "w") as f:
    g = f.create_group("S"); g["data"] = np.ones(3); g["ir"] = np.arange(3); g["jc"] = np.arange(4)
with h5py.File("bad.loom", "w") as f:
    f["matrix"] = A.T; f["row_attrs/Gene"] = genes[:3]; f["col_attrs/CellID"] = cells
with h5py.File("wide.h5", "w") as f: f["X"] = r.normal(size=(6, 120))
# A text that lies, as the file says, where the file has ended.
with h5py.File("heap.h5", "w", libver="earliest") as f:
    f["X"] = A; f["ids"] = cells; at = f["ids"].id.get_offset() + 16 * 5 + 4
with open("heap.h5", "r+b") as f: f.seek(at); f.write(b"\xff\xff\xff\x7f")
# A type that this library does not know, as version 4 of the datatype message.
with h5py.File("newer.h5", "w", libver="earliest") as f: f["X"] = A
data = bytearray(open("newer.h5", "rb").read()); at = data.index(bytes([0x11, 0x20, 0x1f, 0x00])); data[at] = 0x51
open("newer.h5", "wb").write(data)
EOF
# shellcheck disable=SC2317  # called by ok
same() { # FILE: /X is the matrix that was meant
    $python -c "
import h5py, numpy as np, sys
assert (h5py.File(sys.argv[1])['X'][:] == np.load('a.npy')).all()" "$1"
}
text() { # FILE PYTHON of f
    $python -c "import h5py, sys; f = h5py.File(sys.argv[1]); print(eval(sys.argv[2]))" "$1" "$2"
}
names="g,1|g2|g3|gä4"

for file in x.loom odd.loom; do
    run 0 1 convert $file o.h5 --force
    expect_exit 0 "$file"
    expect_out "NOTE +$file: is a loom file, 4 features x 40 samples" "$file: its orientation is told"
    ok "$file: samples are rows" same o.h5
    is "$(text o.h5 "f['ids'][39].decode()")" cell39 "$file: ids"
    is "$(text o.h5 "f.attrs['feature_names'].decode().replace(chr(10), '|')")" "$names" "$file: names"
done
run 0 1 convert x.loom o.h5 --force --label-dataset=/col_attrs/ClusterName
expect_out "^wrote .* labels 2 classes" "loom: labels by name"
is "$(text o.h5 "list(f['y'][:4])")" "[0, 1, -1, 0]" "loom: classes by bytes, -1 without a label"
run 0 1 convert x.loom o.h5 --force --transpose=no
expect_out "^wrote .* 4 x 40 " "loom: --transpose=no"
is "$(text o.h5 "f['ids'][0].decode()")" "g,1" "loom: the ids are those of its rows then"
run 0 1 convert x.loom o.h5 --force --id-dataset=/col_attrs/ClusterName
is "$(text o.h5 "f['ids'][1].decode()")" T "--id-dataset"
run 0 1 convert x.loom o.h5 --force --id-dataset=none
is "$(text o.h5 "'ids' in f")" False "--id-dataset=none"

run 0 1 convert a.h5ad o.h5 --force --label-dataset=/obs/kind
expect_out "^wrote .* 40 x 4 float32, labels 2 classes" "h5ad"
ok "h5ad: rows" same o.h5
is "$(text o.h5 "f['ids'][39].decode() + ' ' + f.attrs['classes'].decode()")" $'cell39 B\nT' "h5ad: names of obs, classes"
is "$(text o.h5 "f.attrs['feature_names'].decode().replace(chr(10), '|')")" "$names" "h5ad: names of var"
run 0 1 check o.h5
expect_out "whole: data, 40 rows x 4 float32, labels" "check of a file with ids"
run 0 1 convert o.h5 o2.h5
expect_exit 0 "a data file again"
is "$(text o2.h5 "(f['ids'][39].decode(), f.attrs['classes'].decode(), list(f['y'][:3]))")" "('cell39', 'B\\nT', [0, 1, -1])" \
    "ids, names and classes travel through it"
run 0 1 convert o.h5 a.h5ad o3.h5 --label-dataset=/y
expect_error 3 "a.h5ad has no '/y' .--label-dataset.; it has integers or texts in .*/obs/kind" "two inputs, one without the labels"
run 0 1 convert a.h5ad o3.h5 --label-dataset=kinds
expect_error 3 "a.h5ad has no '/obs/kinds' .--label-dataset.; it has integers or texts in .*/obs/kind" "a wrong column of obs"

for file in m.mat noblock.mat; do
    run 0 1 convert $file o.h5 --force --dataset=/fea
    expect_out "NOTE +$file: is a Matlab file, /fea is 40 x 4 there" "$file: its orientation is told"
    ok "$file: rows" same o.h5
done
run 0 1 convert m.mat o.h5 --force --label-dataset=gnd
expect_out "^wrote .* 40 x 4 float64, labels 2 classes" "Matlab: the only matrix, labels of 1 x n"
run 0 1 convert m.mat o.h5 --force --dataset=fea --transpose=no
expect_out "^wrote .* 4 x 40 " "Matlab: --transpose=no"
run 0 1 convert images.mat o.h5 --force
expect_out "^wrote .* 5 x 6 " "Matlab: of three dimensions the last counts the rows"
run 0 1 convert x.loom o.h5 --force --image-shape=2x2
is "$(text o.h5 "list(f.attrs['image_shape'])")" "[2, 2]" "--image-shape"
run 0 1 convert wide.h5 o.h5 --force
expect_out "NOTE .* 6 rows of 120 columns: if features are in the rows, say --transpose" "wide data are told"
run 0 1 convert wide.h5 o.h5 --force --transpose
expect_out "^wrote .* 120 x 6 " "and turned over"
expect_no_out "NOTE" "in silence"

refuse() { # REGEX WHAT ARGS
    local regex=$1 what=$2
    shift 2
    run 0 1 convert "$@" bad.h5
    expect_error 3 "$regex" "$what"
    expect_no_file bad.h5 "$what: leaves nothing"
}
for file in sparse.h5ad 10x.h5 10x2.h5 sparse.mat; do refuse "has no shape of 2 numbers" "$file" $file; done
refuse "2 datasets.*--dataset: /a 4 x 40, /b 4 x 40" "several matrices" two.mat
refuse "'/row_attrs/Gene' has 3 names for the 4 rows" "too few names" bad.loom
refuse "has no '/none' .--id-dataset.; it has an integer or a text for each row in .*/col_attrs/" "ids that are not there" x.loom --id-dataset=/none
refuse "has no '/c' .--dataset.; it has /a 4 x 40, /b 4 x 40" "a matrix that is not there" two.mat --dataset=c
refuse "has no '/none' .--dataset.; it has /X sparse" "a sparse one that is not there" sparse.h5ad --dataset=none
refuse "4 columns, which do not make an image of --image-shape .16 pixels" "an image shape that does not fit" a.npy --image-shape=4x4
refuse "cannot read text of '/ids'" "an id whose text is not there" heap.h5
refuse "cannot read text of '/ids'" "a label whose text is not there" heap.h5 --id-dataset=none --label-dataset=/ids
run 1 1 kmeans --input.data=heap.h5 --cluster.clusters=2 --run.output=k0
expect_error 3 "cannot read text of '/ids'" "k-means with such an id"
refuse "newer HDF5 library" "a file of a newer library" newer.h5
run 0 1 convert a.npy bad.h5 --label-dataset=/y
expect_error 2 "--label-dataset is for HDF5" "--label-dataset of an array"
run 0 1 convert a.npy bad.h5 --image-shape=4by4
expect_error 2 "--image-shape=4by4: use HEIGHTxWIDTH" "a shape that is none"

# The shape of flat data reaches the report.
run 0 1 convert a.npy o.h5 --force --image-shape=2x2
run 2 1 kmeans --input.data=o.h5 --cluster.clusters=2 --run.output=k
expect_exit 0 "k-means on pictures"
is "$(text k/run.h5 "list(f.attrs['image_shape'])")" "[2, 2]" "the result knows their shape"
run 0 1 convert a.npy flat.h5
run 2 1 kmeans --input.data=flat.h5 --cluster.clusters=2 --run.output=k2 '--input.image_shape=[2, 2]'
is "$(text k2/run.h5 "list(f.attrs['image_shape'])")" "[2, 2]" "so does input.image_shape"
run 1 1 kmeans --input.data=flat.h5 --cluster.clusters=2 --run.output=k3 '--input.image_shape=[2, 3]'
expect_error 3 "4 columns, which do not make an image of 2 x 3" "input.image_shape that does not fit"
run 1 1 kmeans --input.data=flat.h5 --cluster.clusters=2 --run.output=k3 '--input.image_shape=[4]'
expect_error 2 "input.image_shape has 1 number" "input.image_shape of one number"
done_testing
