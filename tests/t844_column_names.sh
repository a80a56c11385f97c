#!/usr/bin/env bash
# predict compares the names of columns with those of the run: the same columns in another order are no longer the same columns; rows
# without names are taken as they are. Documents of which most have no word of the vocabulary get a warning; a model of documents
# also takes rows.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

rows() { # FILE NAMES
    { echo "$2" && awk -v OFS=, 'BEGIN { for (i = 0; i < 60; i++) print i % 3 * 10 + i % 7, i % 5 / 8, i % 3 }'; } >"$1.csv"
    run 0 1 convert "$1.csv" "$1.h5" --label-column=last
    expect_exit 0 "rows of $2"
}
rows a height,weight,kind
rows same height,weight,kind
rows other weight,height,kind
sed 1d a.csv >bare.csv
run 0 1 convert bare.csv bare.h5 --label-column=last
run 0 1 kmeans --input.data=a.h5 --cluster.clusters=3 --run.output=km
expect_exit 0 "k-means"
for name in same bare; do
    run 0 1 predict --model=km/run.h5 --input=$name.h5 --output=$name-labels.h5
    expect_exit 0 "rows: $name"
done
run 2 1 predict --model=km/run.h5 --input=other.h5 --output=other-labels.h5
expect_error 3 "other.h5: column 0 \(counted from 0\) is 'weight', in the run of km/run.h5 it was 'height'" "columns in another order"
expect_no_file other-labels.h5 "nothing is written"

awk 'BEGIN { split("red green blue cold warm hot", w, " "); for (i = 0; i < 90; i++) print w[i % 6 + 1], w[(i + 1) % 6 + 1], w[i % 2 + 1] }' >docs.txt
run 0 1 convert docs.txt docs.h5 --text-column=line
run 0 1 kmeans --input.data=docs.h5 --input.scale=none --cluster.clusters=3 --run.output=dk
expect_exit 0 "k-means of documents"
seq -f "alien%g" 80 >alien.txt
run 0 1 predict --model=dk/run.h5 --input=alien.txt --output=alien.h5
expect_exit 0 "other documents"
expect_out "WARNING alien.txt: most documents, 80 of 80, have no word of the vocabulary" "a warning"
sed 's/ .*//' docs.txt >short.txt
run 0 1 predict --model=dk/run.h5 --input=short.txt --output=short.h5
expect_no_out "no word of the vocabulary" "no warning of known words"
printf "\x93NUMPY\x01\x00\x46\x00%-69s\n%096d" "{'descr': '|u1', 'fortran_order': False, 'shape': (16, 6), }" 0 >new.npy
run 0 1 predict --model=dk/run.h5 --input=new.npy --output=new.h5
expect_exit 0 "rows for a model of documents"
done_testing
