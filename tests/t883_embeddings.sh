#!/usr/bin/env bash
# Generated embeddings by the whole program: in memory and from the file that convert writes, on any number of ranks and
# threads; ids that name planted copies, and what dedup finds of them; parts of one corpus in several files; prediction of rows
# that the run did not see; wrong names and options.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

name=builtin:embeddings,width=24,clusters=6,spread=0.9,duplicates=0.1
common=(--input.scale=none --input.norm=l2 --cluster.clusters=6 --cluster.n_init=2)
run 1 1 kmeans --input.data=$name --input.rows=3000 "${common[@]}" --run.output=one
expect_exit 0 "in memory"
expect_out "3000.* x 24" "rows and width"
run 3 2 kmeans --input.data=$name,rows=3000 "${common[@]}" --run.output=three
run 0 1 compare one/run.h5 three/run.h5
expect_exit 0 "the same bits on three ranks, and with the number of rows in the name"
run 0 1 convert $name,rows=3000 all.h5
expect_out "wrote all.h5: 3000 x 24 float16, labels 6 classes" "as a file"
run 0 1 check all.h5
expect_exit 0 "the file is whole"
run 2 1 kmeans --input.data=all.h5 "${common[@]}" --run.output=file
run 0 1 compare one/run.h5 file/run.h5
expect_exit 0 "the same bits from the file"

run 1 1 dedup one/run.h5 --cosine=0.95 --probe=2
expect_exit 0 "dedup makes the rows again"
is "$(py 'd, r = h5py.File("one/dedup.h5"), h5py.File("one/run.h5")
ids = [i.decode().split("~") for i in r["ids"][:]]
source = np.array([int(i[-1]) for i in ids])
copies = np.nonzero(source != np.arange(3000))[0]
assert (np.array([int(i[0]) for i in ids]) == np.arange(3000)).all() and 240 < len(copies) < 360
pairs = set(map(tuple, d["pairs/rows"][:].tolist()))
found = sum((source[i], i) in pairs for i in copies)
groups = d["group"][:]
strange = sum(source[a] != source[b] for a, b in pairs)
print(found >= 0.98 * len(copies), strange)')" "True 0" "planted copies are found, and nothing else"

run 0 1 convert $name,rows=1000,first=1000,type=float32 middle.h5
is "$(py 'a, b = h5py.File("all.h5"), h5py.File("middle.h5")
print((a["X"][1000:2000] == b["X"][:].astype("f2")).all(), (a["y"][1000:2000] == b["y"][:]).all(), b["X"].dtype, (a["ids"][1000:2000] == b["ids"][:]).all())')" \
    "True True float32 True" "a part of the corpus, as float32"
run 0 1 convert $name,first=3000,rows=500 new.h5
run 2 1 predict --model=one/run.h5 --input=new.h5 --output=new_labels.h5
expect_exit 0 "rows that the run did not see"
expect_no_out "WARNING" "do not drift"

run 0 1 convert $name,rows=10 all.h5
expect_error 2 "made from other inputs" "another corpus does not replace it"
run 0 1 convert $name middle.h5 x.h5
expect_error 2 "written alone" "other inputs beside it"
run 0 1 convert $name --label-column=last x.h5
expect_error 2 "no effect on built-in data" "options about files"
run 0 1 convert builtin:embedings x.h5
expect_error 2 "did you mean 'builtin:embeddings'" "a misspelt name"
run 2 1 kmeans --input.data=$name,rows=100 --input.rows=200 --run.output=x
expect_error 2 "input.rows = 200 is more than the rows=100" "more rows than there are"
run 1 1 predict --model=one/run.h5 --input=$name --output=x.h5
expect_error 3 "is not a file; first: dcmpi convert $name" "predict wants a file"
done_testing
