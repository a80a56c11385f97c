#!/usr/bin/env bash
# `dcmpi convert` as a user runs it: command line, exit codes, one line of output, outputs that appear complete or not at
# all, odd file names, HDF5 files of all kinds (made with h5py, if it is installed).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

python=${PYTHON:-/usr/bin/python3}
printf '1,2,3\n4,5,6\n' >a.csv
printf '7\n8\n' >labels.txt

run 0 1 convert --help
expect_exit 0 "--help"
expect_out '^usage: dcmpi convert' "--help prints the usage"
run 0 1 convert a.csv out.h5 --labels labels.txt
expect_exit 0 "labels in a file"
expect_out '^wrote out.h5: 2 x 3 uint8, labels 2 classes, min 1 max 6 mean 3.5, checksum [0-9a-f]{16}$' "the line that is printed"
is "$(wc -l <"$out")" 1 "one line"
expect_no_file out.h5.part "no temporary file stays"
cp out.h5 before.h5
run 0 1 convert a.csv out.h5 --labels=labels.txt
is "$(cmp out.h5 before.h5 && echo same)" same "the same input gives the same bytes"

# ---- wrong command lines
while IFS='|' read -r args regex; do
    # shellcheck disable=SC2086  # several arguments
    run 0 1 convert $args
    expect_error 2 "$regex" "convert $args"
done <<'END'
|at least one input
a.csv|at least one input
a.csv out.h5 --bogus|unknown option --bogus
a.csv out.h5 --label-column|needs a value
a.csv out.h5 --label-column=|needs a value
a.csv new.h5 --label-column=-1|--label-column=-1
a.csv new.h5 --label-column=2x|--label-column=2x
a.csv new.h5 --label-column=99999999999999999999|has 3 columns, 0 to 2
a.csv new.h5 --label-column=3|has 3 columns, 0 to 2
a.csv out.h5 --max-input=0|--max-input=0
a.csv out.h5 --max-input=9999999999TiB|--max-input
a.csv out.h5 --force=yes|takes no value
a.csv out.h5 --labels labels.txt --labels labels.txt|1 inputs but 2 --labels
a.csv out.h5 --labels labels.txt --label-column last|exclude each other
a.csv a.csv|also an input
a.csv labels.txt|not an HDF5 file.*--force
END
is "$(cat a.csv labels.txt)" "$(printf '1,2,3\n4,5,6\n7\n8')" "inputs are as they were"

# ---- the output
printf '1,2\n3\n' >ragged.csv
run 0 1 convert ragged.csv out.h5 --force
expect_error 3 'ragged.csv:2: the line has 1 column, but the first has 2' "ragged rows"
is "$(cmp out.h5 before.h5 && echo same)" same "a failed conversion leaves the old output alone"
expect_no_file out.h5.part "and no temporary file"
: >out.h5.part
run 0 1 convert a.csv out.h5 --force
expect_exit 0 "an empty file in place of the temporary one is replaced"
ln -s labels.txt out2.h5.part
run 0 1 convert a.csv out2.h5
expect_error 4 'in the way' "a symbolic link in place of the temporary file is not followed"
is "$(head -n 1 labels.txt)" 7 "its target is as it was"
mkdir target
: >target/real.h5
ln -s target/real.h5 link.h5
run 0 1 convert a.csv link.h5
expect_exit 0 "a symbolic link to the output is followed"
ok "the file it points to is written" test -s target/real.h5
ok "the link stays" test -L link.h5
ln -s nowhere dangling.h5
run 0 1 convert a.csv dangling.h5
expect_error 4 'symbolic link to nothing' "dangling link"
run 0 1 convert a.csv no/such/folder/out.h5
expect_error 4 'no/such/folder/out.h5: there is no such directory' "missing folder"
(
    umask 027
    "$dcmpi" convert a.csv mode.h5 >/dev/null
)
is "$(stat -c %a mode.h5)" 640 "the umask decides the mode"
# ---- kinds and names of inputs
mkdir folder
mkfifo fifo
: >empty
while IFS='|' read -r file regex; do
    run 0 1 convert "$file" bad.h5
    expect_error 3 "$regex" "input $file"
done <<'END'
folder|is a directory
fifo|is a FIFO
/dev/zero|is a character device
empty|is empty
END
run 0 1 convert missing bad.h5
expect_error 4 "missing: cannot open input: No such file" "input missing"
expect_no_file bad.h5 "no output of bad inputs"
odd=$'a b\n\xc3\xa9%n%s.csv'
cp a.csv "$odd"
run 0 1 convert "$odd" "ü b.h5"
expect_exit 0 "blanks, newlines, UTF-8 and percent signs in names"
printf 'x,y,z\n1,2,\n' >"$odd"
run 0 1 convert "$odd" "x.h5"
expect_error 3 'a b\?.*%n%s.csv:2: column 2 \(z, counted from 0\): ' "an odd name in a message stays on one line"
long=$(printf 'n%.0s' $(seq 253)) # ".part" makes it longer than a name may be
run 0 1 convert a.csv "$long"
expect_error 2 'too long' "output name too long"
cp a.csv ./-dash.csv
run 0 1 convert a.csv out.h5 -- -dash.csv
expect_error 2 'not an HDF5 file' "-- ends the options: the last name is the output"
LC_ALL=de_DE.UTF-8 LC_NUMERIC=de_DE.UTF-8 run 0 1 convert a.csv out.h5 --force
expect_out 'mean 3.5,' "the locale changes nothing"

# ---- a file size limit, a full disk
run_cmd bash -c 'ulimit -f 100; exec "$0" convert a.csv out3.h5' "$dcmpi"
expect_error 4 'no room for .* File too large' "file size limit"
expect_no_file out3.h5.part "nothing stays"
if mkdir tiny && mount -t tmpfs -o size=4m tmpfs tiny 2>/dev/null; then
    seq 1000000 | awk '{ print $1 % 256, 1, 2, 3, 4, 5, 6, 7 }' >big.txt
    run 0 1 convert big.txt tiny/out.h5
    expect_error 4 'tiny/out.h5.part.*(no room|No space)' "full disk"
    is "$(ls tiny)" "" "nothing stays on it"
    umount tiny
else
    note "no right to mount: a full disk is not tested"
fi

# ---- HDF5 of all kinds
if "$python" -c 'import h5py' 2>/dev/null; then
    "$python" - <<'END'
import h5py, numpy as np
x = np.arange(24).reshape(6, 4)
def make(name, **sets):
    with h5py.File(name + ".h5", "w") as f:
        for k, (v, kw) in sets.items():
            f.create_dataset(k, data=v, **kw)
make("zipped", X=(x.astype("u1"), dict(chunks=(2, 4), compression="gzip", shuffle=True)))
make("image", X=(x.astype("f4").reshape(6, 2, 2), {}))
make("big_endian", X=(x.astype(">f4"), {}))
make("small_int", X=(x.astype("i2"), {}))
make("big_int", X=(x.astype("i8") + 2**30, {}))
make("bool", X=(x > 5, {}))
make("string", X=(x.astype("S3"), {}))
make("compound", X=(np.zeros((6, 4), dtype=[("a", "f4"), ("b", "i4")]), {}))
make("scalar", X=(3.0, {}))
make("vector", X=(np.zeros(6), {}))
make("no_rows", X=(np.zeros((0, 4)), {}))
make("nan", X=(np.where(x == 13, np.nan, x), {}))
make("two", a=(x, {}), b=(x, {}))
make("named", other=(x.astype("u1"), {}))
make("labelled", X=(x.astype("u1"), {}), y=(np.array([3, 3, 1, 1, 2, 2], "i8"), {}))
make("short_y", X=(x.astype("u1"), {}), y=(np.array([3, 3, 1], "i4"), {}))
with h5py.File("soft.h5", "w") as f:
    f["real"] = x
    f["X"] = h5py.SoftLink("/real")
with h5py.File("external.h5", "w") as f:
    f["X"] = h5py.ExternalLink("zipped.h5", "/X")
with h5py.File("virtual.h5", "w") as f:
    layout = h5py.VirtualLayout((6, 4), "u1")
    layout[:] = h5py.VirtualSource("zipped.h5", "X", (6, 4))
    f.create_virtual_dataset("X", layout)
with h5py.File("huge.h5", "w") as f:
    f.create_dataset("X", (10**9, 10**4), "f8", chunks=(100, 100))
with h5py.File("group.h5", "w") as f:
    f.create_group("X").create_dataset("data", data=x)
np.savez("arrays.npz", x=x)
np.savez("sparse.npz", indices=[0, 1], indptr=[0, 1, 2], format=b"csr", shape=[2, 3], data=[1.0, 2.0])
np.save("object.npy", x.astype(object), allow_pickle=True)
END
    head -c 1500 labelled.h5 >cut.h5
    while IFS='|' read -r file regex; do
        rm -f h.h5
        run 0 1 convert "$file.h5" h.h5
        expect_exit 0 "HDF5 $file"
        expect_out "$regex" "HDF5 $file: $regex"
    done <<'END'
zipped|6 x 4 uint8, no labels, min 0 max 23
image|6 x 4 float32.*max 23
big_endian|6 x 4 float32.*max 23
small_int|6 x 4 float32.*max 23
big_int|NOTE .*kept as float64
bool|6 x 4 float32.*max 1
named|6 x 4 uint8
labelled|labels 3 classes
END
    while IFS='|' read -r file regex; do
        run 0 1 convert "$file" bad.h5
        expect_error 3 "$regex" "refused: $file"
        expect_no_file bad.h5 "refused: $file leaves nothing"
    done <<'END'
string.h5|string.h5
compound.h5|compound.h5
scalar.h5|scalar
vector.h5|has 1 dimension
no_rows.h5|no_rows.h5
nan.h5|row 3, column 1: nan is not finite
two.h5|2 datasets.*--dataset
short_y.h5|3 labels for the 6 rows
external.h5|external.h5
virtual.h5|virtual.h5
huge.h5|huge.h5
group.h5|group.h5
cut.h5|cut.h5
arrays.npz|zip archive
sparse.npz|load_npz
object.npy|object arrays
END
    run 0 1 convert two.h5 two-a.h5 --dataset=/a
    expect_exit 0 "--dataset"
    run 0 1 convert soft.h5 bad.h5 --dataset=/X
    expect_error 3 "soft.h5" "a soft link is not followed"
    run 0 1 convert two.h5 two-c.h5 --dataset /c
    expect_error 3 'two.h5.*/c' "--dataset that is missing"
    run 0 1 convert a.csv labelled.h5 mixed.h5
    expect_error 3 'labelled.h5' "inputs of different width"
    is "$("$python" -c 'import h5py; f = h5py.File("out.h5"); print(f["X"][1].tolist(), f.attrs["source"].decode(), f["X"].chunks)')" \
        "[4, 5, 6] a.csv None" "h5py reads the output"
else
    note "no h5py: HDF5 files of other kinds are not tested"
fi
done_testing
