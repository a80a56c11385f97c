#!/usr/bin/env bash
# Many files as one data set: the same result as one converted file has, on any number of ranks; which rows belong to which file;
# hostile files, which are named in one line before any work; files that change between two starts, and during one.
# limit: 240
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
failio=$build/tests/failio.so
[ -f "$failio" ] || skip_test "no $failio: make tests"

py "
import h5py, os
r = np.random.default_rng(7)
X = (r.normal(size=(700, 12)) + 6 * r.integers(0, 4, (700, 1))).astype('<f2')
cuts = [0, 130, 300, 301, 700]
for i in range(4): np.save('s%d.npy' % i, X[cuts[i]:cuts[i + 1]])
np.save('wide.npy', np.zeros((5, 13), '<f2'))
np.save('f32.npy', X[:5].astype('<f4'))
whole = h5py.File('whole.h5', 'w'); whole['X'] = X; whole.close()
one = h5py.File('one.h5', 'w'); one['emb'] = X[301:]; one.close()
two = h5py.File('two.h5', 'w'); two.create_dataset('emb', data=X[130:300], chunks=(9, 12), compression='gzip'); two.close()
odd = h5py.File('nan.h5', 'w'); odd['emb'] = X[:4]; odd['again'] = X[:4]; odd['again'][3, 5] = np.nan; odd.close()
far = X[130:300].copy(); far[6, 2] = 60000; np.save('far.npy', far)
open('short.npy', 'wb').write(open('s1.npy', 'rb').read()[:-1])
os.mkdir('many')
np.save('many/00000.npy', X[:1])
head = open('many/00000.npy', 'rb').read()[:-24]
for i in range(1, 10000): open('many/%05d.npy' % i, 'wb').write(head + X[i % 700].tobytes())
"
options="--cluster.clusters=4 --cluster.n_init=1"

# ---- The same as one file

# shellcheck disable=SC2086  # several options, here and below
run 0 2 kmeans --input.data=whole.h5 $options --run.output=whole
expect_exit 0 "one file"
# shellcheck disable=SC2086
run 3 1 kmeans --input.data='[s0.npy, two.h5:emb, "s2.npy", one.h5:emb]' $options --run.output=files
expect_exit 0 "four files of three kinds on three ranks"
expect_out 'input     s0.npy, \.\.\. \(4 files\): 700 rows x 12 float16' "have the rows of all"
expect_out 'files     4 in this order: s0.npy from row 0, ..., one.h5 from row 301' "in the order named"
run 0 1 compare whole/run.h5 files/run.h5
expect_exit 0 "and give the same bits"
run 0 1 info files/run.h5
expect_out '^ *130 +two.h5$' "info says which rows belong to which file"
py "
import h5py
f = h5py.File('files/run.h5')['files']
assert f['name'][:].tolist() == [b's0.npy', b'two.h5', b's2.npy', b'one.h5'] and f['dataset'][1] == b'emb'
assert f['first_row'][:].tolist() == [0, 130, 300, 301] and f['rows'][:].tolist() == [130, 170, 1, 399]"
is $? 0 "so does the result"
run 0 1 check files/run.h5
expect_exit 0 "it is whole"
cat >deck.yaml <<'END'
input:
  data:
    - s?.npy
cluster: {clusters: 4, n_init: 1}
run: {output: globbed}
END
run 2 1 kmeans deck.yaml --input.rows=301
expect_exit 0 "a glob in a deck, and the first rows of it"
expect_out 'input     s\?.npy: 301 rows' "over the borders of files"
run 0 1 predict --model=whole/run.h5 --input=whole.h5 --output=p1.h5
run 2 1 predict --model=whole/run.h5 --input='s?.npy' --output=p2.h5
expect_exit 0 "predict of a glob"
run 0 1 compare p1.h5 p2.h5
expect_exit 0 "as of one file"
run 0 1 info p2.h5
expect_out '^ *301 +s3.npy$' "which rows belong to which file"
run_cmd /usr/bin/python3 "$root/tools/export.py" files/run.h5 rows.csv
expect_exit 0 "export"
is "$(sed -n '1p;132,133p;302,303p' rows.csv | cut -d, -f1-3 | tr '\n' ' ')" \
    "row,file,row_in_file 130,two.h5:emb,0 131,two.h5:emb,1 300,s2.npy,0 301,one.h5:emb,0 " "says of each row in which file it is"
run 0 1 dedup files/run.h5 --on=input
expect_exit 0 "dedup of the files of a run"
run 0 1 info files/dedup.h5
expect_out '^ *301 +one.h5$' "says the same"
run_cmd env -C many "$dcmpi" dedup ../files/run.h5 --on=input --dry-run
expect_error 4 "s0.npy: No such file.*; ../files/run.h5 names its data so, .*: --input=DATA" "from another folder: what helps"
run_cmd env -C many "$dcmpi" dedup ../files/run.h5 --on=input --output=../moved.h5 --dry-run --input='[../s0.npy, ../two.h5:emb, ../s2.npy, ../one.h5:emb]'
expect_exit 0 "it does"

# ---- Ten thousand files

(
    ulimit -n 64
    # shellcheck disable=SC2086
    exec env FAILIO_MATCH=many/ FAILIO_CALL=open FAILIO_AT=0 FAILIO_LOG="$tmp/opens" LD_PRELOAD="$failio" \
        "$within" 60 "$dcmpi" kmeans --input.data='many/*.npy' $options --run.output=many-run >"$out" 2>"$err"
)
is $? 0 "ten thousand files, of which few may be open at once"
expect_out 'files     10000 in this order: many/00000.npy from row 0, ..., many/09999.npy from row 9999' "are one data set"
is "$(wc -l <many-run/files.tsv)" 10003 "and are listed beside the result"
before=$(wc -l <"$tmp/opens")
: >"$tmp/again"
# shellcheck disable=SC2086
FAILIO_MATCH=many/ FAILIO_CALL=open FAILIO_AT=0 FAILIO_LOG=$tmp/again LD_PRELOAD=$failio \
    run 0 1 kmeans --input.data='many/*.npy' $options --run.output=many-run --dry-run
expect_exit 0 "a second start"
note "$before opens of files at first, $(wc -l <"$tmp/again") in a dry run beside that result"
number_between "$(wc -l <"$tmp/again")" 0 100 "does not open them again"

# ---- Hostile files: one line, documented exit code

hostile() { # EXIT REGEX WHAT DATA
    # shellcheck disable=SC2086
    run 0 1 kmeans --input.data="$4" $options --run.output=new
    expect_error "$1" "$2" "$3"
    expect_no_file new/run.h5 "and nothing was done"
}
mkfifo fifo
echo "1,2" >table.csv
hostile 3 "short.npy is truncated: 4207 bytes, its header asks for 4208" "a truncated file" "[s0.npy, short.npy]"
hostile 3 "wide.npy has 13 columns, and s0.npy has 12" "a file of another width" "[s0.npy, wide.npy]"
hostile 3 "f32.npy holds float32, and s0.npy holds float16" "a file of another type" "[s0.npy, f32.npy]"
hostile 3 "table.csv is neither HDF5 nor NPY; first: dcmpi convert table.csv" "a table" "[s0.npy, table.csv]"
hostile 3 "fifo is a pipe, not a file" "a pipe" "[s0.npy, fifo]"
hostile 3 "many is a directory; name its files" "a directory" "[s0.npy, many]"
hostile 4 "none.npy: No such file" "a missing file" "[s0.npy, none.npy]"
hostile 4 "no file matches none/\*.npy" "a glob without a match" "none/*.npy"
hostile 3 "one.h5 has no dataset /X .*it has emb \[399 x 12 float16\]: take one as one.h5:NAME" "a file without the dataset" "[s0.npy, one.h5]"
hostile 2 "s1.npy is named twice" "a file that is named twice" "[s1.npy, s?.npy]"
FAILIO_MATCH=s1.npy FAILIO_CALL=open FAILIO_ERROR=EACCES FAILIO_AT=1+ LD_PRELOAD=$failio \
    hostile 4 "cannot open s1.npy: Permission denied" "an unreadable file" "s?.npy"
FAILIO_MATCH=one.h5 FAILIO_CALL=read FAILIO_ERROR=SEGV FAILIO_AT=3 LD_PRELOAD=$failio \
    hostile 3 "crashes .* when it reads one.h5" "a file that crashes the library" "[two.h5:emb, one.h5:emb]"
hostile 4 "no file matches \[s0.npy, s1.npy; a list ends with '\]'" "half a list" "[s0.npy, s1.npy"
hostile 4 "s0.npy,s1.npy: No such file or directory; several files are a list, such as '\[a.npy, b.npy\]'" "names without a list" s0.npy,s1.npy
hostile 3 "many is a directory, not a data file; name its files, such as many/\*.npy" "one directory" many
hostile 3 "one.h5 has no matrix 'nope' \(input.matrix\); it has emb \[399 x 12 float16\]" "another dataset" one.h5:nope
hostile 3 "nan.h5:emb, ... \(2 files\): 1 NaN .* row 7 \(row 3 of nan.h5:again\), column 5" "NaN: the file and its row" "[nan.h5:emb, nan.h5:again]"
run 0 1 kmeans --input.data='[s0.npy, far.npy]' --input.norm=l2 --cluster.clusters=2 --run.output=far
expect_out "NOTE .*input.norm=l2 comes after input.scale=unit, .* all rows then point much the same way" "a norm after the usual scale"
expect_out "WARNING .*: row 136 \(row 6 of far.npy\), column 2: 60000 is" "a value far outside: the file and its row"
run 0 1 kmeans --input.data='[s0.npy, whole/run.h5]' --run.output=new
expect_error 3 "whole/run.h5 has no dataset /X" "a result is no data"
run 0 1 predict --model=whole/run.h5 --input='[s0.npy, wide.npy]' --output=p3.h5
expect_error 3 "wide.npy has 13 columns" "predict finds the same"
expect_no_file p3.h5 "and writes nothing"
run 0 1 predict --model=whole/run.h5 --input='s[0-3].npy' --output=s3.npy --force
expect_error 2 "is also an input" "an output that is one of the files"

# ---- Changes between two starts, and during one

cp s2.npy kept.npy
py "np.save('s2.npy', np.load('s3.npy')[:9])"
# shellcheck disable=SC2086
run 0 1 kmeans --input.data='[s0.npy, two.h5:emb, "s2.npy", one.h5:emb]' $options --run.output=files
expect_error 3 "changed since this run was started: s2.npy has 9 rows, before 1" "a file with other rows is named before rows are read"
py "np.save('s2.npy', np.load('s3.npy')[:1])"
# shellcheck disable=SC2086
run 0 1 kmeans --input.data='[s0.npy, two.h5:emb, "s2.npy", one.h5:emb]' $options --run.output=files
expect_error 3 "changed since this run was started: s2.npy: (somebody wrote to it|another file has its name now); hash" \
    "one with other values is named when they are read"
cp kept.npy s2.npy
# shellcheck disable=SC2086
run 0 1 kmeans --input.data='[s0.npy, two.h5:emb, "s2.npy", one.h5:emb]' $options --run.output=files
expect_exit 0 "the same files again are the same run"
cp -p s3.npy keep.npy
while read -r ranks error code regex; do
    # shellcheck disable=SC2086
    FAILIO_MATCH=s3.npy FAILIO_CALL=read FAILIO_ERROR=$error FAILIO_BYTES=2000 FAILIO_AT=1 LD_PRELOAD=$failio \
        run "$ranks" 1 kmeans --input.data='s?.npy' $options --run.output=new --run.resume=never
    expect_error "$code" "$regex" "$error while reading, $ranks ranks"
    expect_no_file new/run.h5 "no result"
    cp -p keep.npy s3.npy
done <<'END'
0 SHRINK 3 s3.npy changed while it was read
2 TOUCH 3 s3.npy changed while it was read
0 EIO 4 cannot read s3.npy at byte .*: Input/output error
END
# ---- What an earlier start kept of other files in the same folder decides nothing about these

py '
X = np.random.default_rng(4).random((60, 16)).astype("f4")
for name, labels in ("a", "y"), ("b", "lab"):
    for i in range(2):
        with h5py.File("%s%d.h5" % (name, i), "w") as f:
            f["X"], f[labels] = X + i, np.arange(60, dtype="i4") % 4
            f.attrs["format"], f.attrs["label_dataset"] = "dcmpi-data", labels
np.save("picture.npy", X.reshape(60, 4, 4))
np.save("flat.npy", X + 1)'
few=(--cluster.clusters=4 --cluster.n_init=1 --run.output=anew --run.resume=never)
run 1 1 kmeans "--input.data=[a0.h5,a1.h5]" "${few[@]}"
run 1 1 kmeans "--input.data=[b0.h5,b1.h5]" "${few[@]}"
expect_out '^RESULT .*acc=' "labels in another place than those of the files before"
run 1 1 kmeans "--input.data=[picture.npy,flat.npy]" "${few[@]}"
run 1 1 kmeans --input.data=picture.npy "${few[@]}"
is "$(py 'print(*h5py.File("anew/run.h5").attrs["image_shape"])')" "4 4" "pictures, after files that were not all pictures"
done_testing
