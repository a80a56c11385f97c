#!/usr/bin/env bash
# predict of several files of documents: the same result as of one file with all of them, and which rows belong to which file.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

py "
import json
rng = np.random.default_rng(853)
words = ['space orbit moon nasa launch', 'god church faith bible sin', 'game team hockey goal season']
docs = []
for i in range(300):
    k = int(rng.integers(0, 3))
    docs.append({'id': 'd%d' % i, 'topic': k, 'body': ' '.join(rng.choice(words[k].split() + ['the', 'people'], 12))})
for name, lo, hi in [('all', 0, 300), ('docs 0', 0, 100), ('docs 1', 100, 170), ('docs 2', 170, 170), ('docs 3', 170, 300), ('docs 4', 300, 300)]:
    open(name + '.jsonl', 'w').write(''.join(json.dumps(d) + '\n' for d in docs[lo:hi]))"
gzip 'docs 1.jsonl'
run 0 1 convert all.jsonl all.h5 --text-column=body --label-column=topic --id-column=id
run 0 1 kmeans --input.data=all.h5 --input.scale=none --cluster.clusters=3 --run.output=r
expect_exit 0 "k-means of documents"
run 0 1 predict --model=r/run.h5 --input=all.jsonl --output=one.h5
expect_exit 0 "predict of one file"
run 3 1 predict --model=r/run.h5 --input='docs *.json*' --output=three.h5
expect_exit 0 "of a glob, on three ranks"
expect_out 'documents docs \*\.json\*: 300 rows' "the log names it"
run 0 1 compare one.h5 three.h5
expect_exit 0 "the same bits"
is "$(py "f = h5py.File('three.h5')['files']; print(f['name'].asstr()[:].tolist(), f['first_row'][:].tolist(), f['rows'][:].tolist())")" \
    "['docs 0.jsonl', 'docs 1.jsonl.gz', 'docs 2.jsonl', 'docs 3.jsonl', 'docs 4.jsonl'] [0, 100, 170, 170, 300] [100, 70, 0, 130, 0]" \
    "the result says which rows belong to which file, none at the end, too"
run_cmd /usr/bin/python3 "$root/tools/export.py" three.h5 three.csv
expect_exit 0 "export"
is "$(cut -d, -f 1 three.csv | sed -n '1p;172p' | tr '\n' ' ') $(grep -c 'docs 3.jsonl' three.csv)" "id d170  130" "it names the file of each row"
is "$(py "print('files' in h5py.File('one.h5'))")" False "one file needs no list"
run 0 1 predict --model=r/run.h5 --input='["docs 0.jsonl", "docs 1.jsonl.gz", "docs 3.jsonl"]' --output=list.h5
run 0 1 compare one.h5 list.h5
expect_exit 0 "a list"
ok "no file of rows is left" test -z "$(ls ./*rows.h5* 2>/dev/null)"

sed -E 's/"(id|topic)": [^,]*, //g' all.jsonl >bare.jsonl
run 0 1 predict --model=r/run.h5 --input=bare.jsonl --output=bare.h5
expect_exit 0 "new documents without labels and ids"
expect_out "NOTE .*: no document has a key 'topic': no labels" "it says that"
expect_out "NOTE .*bare.jsonl: has no column 'id', from which the ids were taken" "of both"
is "$(py "a, b = (h5py.File(n) for n in ('one.h5', 'bare.h5')); print((a['labels'][:] == b['labels'][:]).all(), 'ids' in b, 'metrics' in b)")" \
    "True False False" "the clusters are the same"
printf '%s\n' '[bare.jsonl, all.jsonl]' '["docs 4.jsonl", all.jsonl]' >inputs
while read -r list; do
    run 0 1 predict --model=r/run.h5 --input="$list" --output=late.h5 --force
    expect_exit 0 "labels that the first document, or the first file, does not have: $list"
    expect_out "RESULT  rows=[36]00 acc=1.000" "those of the others are taken"
done <inputs
echo '{"body": null}' >null.jsonl
run 0 1 predict --model=r/run.h5 --input='[bare.jsonl, null.jsonl]' --output=null.h5
expect_out "NOTE +bare.jsonl, ... \(2 files\): texts that are null, read as empty: 1" "messages name the inputs"
cut -d '"' -f 4 bare.jsonl >lines.txt
run 0 1 predict --model=r/run.h5 --input=lines.txt --text-column=line --output=lines.h5
expect_exit 0 "of one document per line"
is "$(py "a, b = (h5py.File(n) for n in ('one.h5', 'lines.h5')); print((a['labels'][:] == b['labels'][:]).all())")" True "the same clusters"

run 0 1 convert 'docs 1.jsonl.gz' 'part 1.h5' --vocabulary=all.h5 --text-column=body --label-column=topic
run 0 1 convert 'docs 3.jsonl' 'part 3.h5' --vocabulary=all.h5 --text-column=body --label-column=topic
run 0 1 kmeans --input.data='part [13].h5' --input.scale=none --cluster.clusters=3 --run.output=parts
run 0 1 predict --model=parts/run.h5 --input='docs [13].jsonl*' --output=parts.h5
expect_exit 0 "of documents, by a run on several files of rows"
run 0 1 compare parts/run.h5 parts.h5
expect_exit 0 "with the bits of the run"
py "f = h5py.File('part 3.h5', 'r+'); f['var/idf'][0] *= 2"
run 0 1 kmeans --input.data='part [13].h5' --input.scale=none --cluster.clusters=3 --run.output=parts2
expect_out "NOTE +part 1.h5 and part 3.h5 were made of documents with other" "files with other weights are told"
is "$(py "print([n in h5py.File('%s/run.h5' % d).attrs for d in ('parts', 'parts2') for n in ['vectorizer']])")" "[True, False]" \
    "and their run reads no documents"

refused() { # CODE REGEX WHAT ARGUMENTS
    run 0 1 predict --model=r/run.h5 --output=no.h5 "${@:4}"
    expect_error "$1" "$2" "$3"
    expect_no_file no.h5 "nothing is written"
}
refused 4 "no file matches none-\*" "a glob that matches nothing" --input='none-*'
refused 4 "cannot open none.jsonl: No such file" "a file that is missing" --input='[all.jsonl, none.jsonl]'
refused 2 "all.h5 holds rows, and all.jsonl is no such file; predict takes" "documents and rows" --input='[all.jsonl, all.h5]'
refused 2 "is named twice" "a file twice" --input='[all.jsonl, all.jsonl]'
refused 2 "all.jsonl:body: documents have no datasets; their column is --text-column" "a dataset" --input=all.jsonl:body
refused 2 "all.h5: is no file of documents, so it has no --id-column" "options of documents for rows" --input=all.h5 --id-column=id
refused 3 "docs 0.jsonl:1: the object has no key 'text'" "the wrong key" --input='docs [03].jsonl' --text-column=text
cp all.jsonl out.h5
run 0 1 predict --model=r/run.h5 --input='[out.h5, "docs 0.jsonl"]' --output=out.h5 --force
expect_error 2 "out.h5 would be written, and is also an input" "an output that is an input"
ok "which is left as it was" cmp all.jsonl out.h5
refused 2 "label-column=none.such: no document has such a key" "labels that were asked for" --input=bare.jsonl --label-column=none.such
make_blobs 30
run 0 1 kmeans --input.data=blobs.h5 --cluster.clusters=3 --run.output=b
run 0 1 predict --model=b/run.h5 --input=all.jsonl --label-column=topic --output=no.h5
expect_error 2 "label-column is for documents, but the rows of b/run.h5 were not made of documents" "a model of other rows"
mkdir cells
: >cells/matrix.mtx
run 0 1 predict --model=b/run.h5 --input=cells --output=no.h5
expect_error 3 "cells is a folder of a sparse matrix, not a data file: first dcmpi convert cells OUT.h5" "a folder of 10x"
done_testing
