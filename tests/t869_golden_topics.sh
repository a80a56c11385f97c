#!/usr/bin/env bash
# long: yes
# limit: 1200
# The numbers of tests/golden/topics.txt, made again by scikit-learn and compared with gensim's; an .h5ad of export.py --matrix,
# read by anndata.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/golden_help.sh
. "$root/tests/golden_help.sh"
need_packages scikit-learn gensim anndata h5py

limit=300
run_cmd "$python" "$root/tools/golden_topics.py" --check topics.txt
expect_exit 0 "golden_topics.py, and gensim's coherence is the same"
is "$(/usr/bin/python3 - "$root/tests/golden/topics.txt" topics.txt <<'EOF2'
import sys
a, b = ([line.split() for line in open(name) if line[0] != "#"] for name in sys.argv[1:])
near = lambda x, y: x == y or abs(float(x) - float(y)) <= 1e-12 * max(1, abs(float(x)))
print(len(a) == len(b) and all(len(x) == len(y) and all(map(near, x, y)) for x, y in zip(a, b)))
EOF2
)" True "they are those of the stored file"

printf '%s\n' 'a	red green blue red' 'b	one two three one' 'a	green blue blue' 'b	two two three' 'a	red red blue' 'b	one three' >docs.tsv
run 0 1 convert docs.tsv docs.h5 --text-column=1 --label-column=0 --header=no
expect_exit 0 "documents to TF-IDF"
run 1 1 kmeans --input.data=docs.h5 --input.scale=none --cluster.clusters=2 --run.output=run
expect_exit 0 "k-means"
run_cmd "$python" "$root/tools/export.py" run/run.h5 a.h5ad --data docs.h5 --matrix
expect_exit 0 "export --matrix"
is "$("$python" -c "
import anndata
a, b = anndata.read_h5ad('a.h5ad'), anndata.read_h5ad('docs.h5')
topic = a.var['topic'].astype(str)
print((a.X != b.X).nnz == 0, sorted(a.var_names) == ['blue', 'green', 'one', 'red', 'three', 'two'], list(a.obs['class']) == list('ababab'),
      topic['red'] == topic['blue'] != topic['one'] == topic['two'], a.uns['dcmpi']['topics']['terms'].shape[0])" 2>&1 | tail -n 1)" \
    "True True True True 2" "anndata finds rows, names, classes and topics"
done_testing
