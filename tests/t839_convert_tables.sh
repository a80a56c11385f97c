#!/usr/bin/env bash
# Text tables as people bring them, on the command line: one NOTE tells each decision, the user's options win, nothing is
# lost silently; the output is complete and a run can read it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3

# convert TEXT OPTIONS...: o.h5 of t.csv, without mpirun
convert() {
    printf '%b' "$1" >t.csv
    shift
    rm -f o.h5
    run 0 1 convert t.csv o.h5 "$@"
}
# row_count: N and D of o.h5
row_count() { "$dcmpi" info o.h5 | sed -n 's|^ */X  *[a-z0-9]*  *||p'; }

# ---- each decision is a NOTE
convert ',a,b\n0,1,2\n1,3,4\n'
expect_out 'NOTE .*t.csv: line 1 holds names: a, b; column 0 \(no name\) holds ids: 0, ... \(columns count from 0\); otherwise say --header=no, --id-column=none$' "pandas"
is "$(row_count)" "2 x 2" "the index is no feature"
convert 'a b\nr1 1 2\nr2 3 4\n'
expect_out 'NOTE .*column 0 \(no name\) holds ids: r1, ... \(columns count from 0\); otherwise say --id-column=none$' "R"
convert '0,1,2\n0.5,0.25,1\n1,2,3.5\n'
expect_out 'NOTE .*line 1 holds names: 0, 1, 2; otherwise say --header=no$' "integers as names"
convert '0,1,2\n0.5,0.25,1\n1,2,3.5\n' --header=no
is "$(grep -c NOTE "$out"),$(row_count)" "0,3 x 3" "what the user says needs no NOTE"
convert '0,1\n3,1\n1,0\n'
expect_out 'NOTE .*line 1 \(0, 1\) is taken as a row; if it holds names, say --header=yes$' "what cannot be known is a row, and that is said"
convert '0\n0.5\n0.25\n'
expect_out 'NOTE .*line 1 \(0\) is taken as a row' "one column"
convert '400.1,402.5,404,406,408,410,412,414\n1,2,3,2,2,5,6,7\n4,5,6,2,2,3,4,4\n'
expect_out 'NOTE .*line 1 \(400.1, 402.5, 404, 406, ...\) is taken as a row' "uneven wavelengths"
convert '0.1,0.2,0.3,?\n0.2,0.1,0.4,1\n0.5,0.2,0.1,2\n' --label-column=last
expect_out 'NOTE .*line 1 is a row; column 3 holds labels: \?, ... \(columns count from 0\)$' "a label that is a question mark"
expect_out 'NOTE .*rows without a label .*: 1$' "is counted"
is "$(row_count)" "3 x 3" "and its row is there"
convert "$(seq 1 20 | sed 's/$/,0.5,7/')\n"
expect_out 'NOTE .*column 0 counts the rows and is taken as a feature' "row numbers without a header"
convert "n,a,b\n$(seq 1 20 | sed 's/$/,0.5,7/')\n"
expect_out 'NOTE .*column 0 \(n\) holds ids: 1, ... \(columns count from 0\); otherwise say --header=no, --id-column=none$' "row numbers with a name"
convert '# made by x\n1,2\n#3,4\n5,6\n'
expect_out "NOTE .*lines that begin with '#' are left out: 2$" "comments"
convert "barcode,a\n$(seq 1 20 | sed 's/.*/CELL_&-1,0.&/')\n" --label-column=first
expect_out 'NOTE .*there are as many labels as rows: are they identifiers' "labels that are ids"
convert "barcode,a\n$(seq 1 20 | sed 's/.*/CELL_&-1,0.&/')\n" --id-column=barcode
expect_exit 0 "as ids"
run 0 1 check o.h5
expect_exit 0 "the file is whole"
printf '1\n2\n' >labels.txt
sed -i '1i class' labels.txt
convert '1,5\n2,5\n' --labels=labels.txt
expect_out 'NOTE .*labels.txt: line 1 is taken as a name' "the header of a file of labels"
convert '1700000000.5,1\n1700000001.5,2\n'
expect_out 'NOTE .*kept as float64: feature 0 \(counted from 0 among the features\), 1700000000.5 to 1700000001.5; features like it: 1$' "float32 would not tell them apart"
expect_out '^wrote o.h5: 2 x 2 float64' "float64"

convert 'entrez,s1,s2\n5,1,2\n9,3,4\n' --transpose
expect_out 'NOTE .*t.csv: column 0 \(entrez\) is taken as a sample: 5, ... \(columns count from 0\); if it holds names of features, say --id-column=first$' "numbers that may be names"

# ---- missing values
for action in drop mean value:7; do
    convert 'a,b\n1,2\nNA,4\n5,inf\n' --missing=$action
    expect_exit 0 "--missing=$action"
    expect_out 'NOTE .*(left out for missing values: 2|2 in 2 rows) \(inf 1, NA 1\)' "--missing=$action is counted"
    run 0 1 info o.h5
    expect_out "^missing +action=${action%%:*}" "--missing=$action is stored"
done
convert 'a,b\n1,2\nNA,4\n'
expect_error 3 "t.csv:3: column 0 \(a, counted from 0\): 'NA' looks like a missing value; say --missing=drop, mean or value:X" "missing"

# ---- wrong command lines
while IFS='|' read -r args regex; do
    # shellcheck disable=SC2086  # several arguments
    run 0 1 convert t.csv o2.h5 $args
    expect_error 2 "$regex" "$args"
done <<'END'
--header=maybe|--header=maybe: use yes or no
--header|needs a value
--decimal=;|--decimal=;: use comma or point
--separator=1|--separator=1: use one character
--separator=ab|--separator=ab: use one character
--missing=value:|--missing=value:: use error, drop, mean or value:X
--missing=value:1x|use error, drop, mean
--missing=zero|use error, drop, mean
--missing=value:nan|use a number that fits
--transpose=maybe|use yes or no
--id-column=|needs a value
--id-column=aa|no column of line 1 has this name, did you mean 'a'
--id-column=0 --label-column=a|column 0 \(counted from 0\) is also named by --label-column
--id-column=a --header=no|--header=no leaves columns without names
--drop-columns=a,a|also named by --drop-columns
--label-column=a --transpose|exclude each other
END
expect_no_file o2.h5 "nothing is written"
convert '1,2\n3,4\n'
run 0 1 convert o.h5 o3.h5 --id-column=first
expect_error 2 "is for text; in HDF5 say --id-dataset=NAME" "columns are for text"
run 0 1 convert o.h5 o3.h5 --label-column=class
expect_error 2 "is for text; in HDF5 say --label-dataset=NAME" "and labels of HDF5 have an option of their own"
run 0 1 convert o.h5 o3.h5 --text-column=body
expect_error 2 "o.h5: is HDF5, but --text-column is for documents" "an array of numbers holds no documents"
convert "$(seq -s ' ' 200)"'\nshort\n' --text-column=0
run 0 1 convert t.csv o3.h5 --text-column=body
expect_error 2 "no column of line 1 has this name; line 1 holds no names" "a long text is no name"

# ---- transposition: the same file as numpy makes, compressed or not, also through a temporary file
if $python -c 'import h5py' 2>/dev/null; then
    $python - <<'EOF2'
import gzip, lzma, numpy as np
x = np.random.default_rng(1).integers(0, 1000, (60, 37))
lines = ["," + ",".join(f"cell{i}" for i in range(60))] + [f"gene{k}," + ",".join(map(str, x[:, k])) for k in range(37)]
text = "\n".join(lines) + "\n"
open("genes.csv", "w").write(text)
gzip.open("genes.csv.gz", "wt").write(text)
lzma.open("genes.csv.xz", "wt").write(text)
open("genes16.csv", "w", encoding="utf-16").write(text)
np.savetxt("cells.csv", x, fmt="%d", delimiter=",", header=",".join(f"gene{k}" for k in range(37)), comments="")
EOF2
    run 0 1 convert cells.csv cells.h5
    for file in genes.csv genes.csv.gz genes.csv.xz genes16.csv; do
        run 0 1 convert $file genes.h5 --transpose --force
        expect_exit 0 "$file"
        is "$($python -c 'import h5py
a, b = h5py.File("genes.h5"), h5py.File("cells.h5")
print((a["X"][:] == b["X"][:]).all(), a.attrs["checksum"] == b.attrs["checksum"], a.attrs["feature_names"] == b.attrs["feature_names"],
      a["ids"][59].decode(), a["ids"].shape)')" "True True True cell59 (60,)" "$file: values, names, ids"
    done
    run 0 1 check genes.h5
    expect_exit 0 "is whole"
    run 2 1 kmeans --input.data=genes.h5 --cluster.clusters=3 --run.output=run
    expect_exit 0 "k-means of it"
    is "$($python -c 'import h5py; f = h5py.File("run/run.h5"); print(f["ids"][0].decode(), f["ids"].shape)')" "cell0 (60,)" "ids are in the result"
else
    note "no h5py: transposition is not compared"
fi
is "$(find . -name '*transpose*')" "" "no temporary file stays"
done_testing
