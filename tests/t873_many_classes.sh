#!/usr/bin/env bash
# Labels with as many classes as rows, or nearly: row numbers as /y are a common mistake. In kmeans, fit and predict the result is
# still written, with no extra memory or disk; the scores that can be computed are there; every reader works without /confusion.
. "$(dirname "$0")/lib.sh"
py=/usr/bin/python3
$py -c "import h5py, numpy" 2>/dev/null || skip_test "no h5py for $py"

rows=40000 clusters=250 # the table of all would take 80 MB
$py -c "
import h5py, numpy as np
g = np.random.default_rng(0)
def save(name, x, y):
    with h5py.File(name, 'w') as f:
        f['X'] = x
        f['y'] = y
x = g.random(($rows, 2), dtype='f4')
save('row.h5', x, np.arange($rows, dtype='i8') * 2**30)
save('few.h5', x, (np.arange($rows) % 7).astype('i4'))
save('most.h5', np.zeros((1100000, 1), 'u1') + np.arange(1100000, dtype='u1')[:, None] % 5, np.arange(1100000, dtype='i4'))
"
kmeans=(kmeans --cluster.clusters="$clusters" --cluster.n_init=1 --cluster.kmeans_max_iter=2)
limit=120

score_of() { $py -c "
import h5py
f = h5py.File('$1')
print('%s %s %.4f %.4f' % ('confusion' in f, 'acc' in f['metrics'].attrs, *(f['metrics'].attrs[k] for k in ('acc', 'nmi'))))"; }

for ranks in 1 2; do
    run $ranks 1 "${kmeans[@]}" --input.data=row.h5 --run.output=row$ranks
    expect_exit 0 "row numbers as labels, $ranks ranks"
    expect_out "WARNING row.h5: 40000 different labels in 40000 rows: are they identifiers" "it says so"
    expect_out "WARNING the result will have no /confusion: a table of 40000 classes and 250 clusters takes 76 MiB" "and that"
    expect_out "^RESULT .* acc=0.006 nmi=0.[0-9]+ ari=0.000" "scores all the same: each cluster has one row of its class"
    number_between "$(stat -c %s row$ranks/run.h5)" 160000 500000 "bytes of the result"
    is "$(score_of row$ranks/run.h5 | cut -d' ' -f1-3)" "False True 0.0063" "no table, but scores"
done
run 0 1 compare row1/run.h5 row2/run.h5
expect_exit 0 "the same on two ranks"
run 0 1 check row1/run.h5
expect_exit 0 "check copes"
run 0 1 info row1/run.h5
expect_exit 0 "info copes"
run_cmd $py "$root/tools/report.py" row1 --data row.h5
expect_exit 0 "report copes"
run_cmd $py "$root/tools/export.py" row1/run.h5 row1.csv --data row.h5
expect_exit 0 "export copes"

(
    ulimit -v 1000000
    run 1 1 "${kmeans[@]}" --input.data=row.h5 --run.output=small
    echo $rc >small.rc
)
is "$(cat small.rc)" 0 "memory is not taken for the table either"

run 1 1 "${kmeans[@]}" --input.data=few.h5 --run.output=few
expect_exit 0 "few classes"
expect_no_out "identifiers|no /confusion" "nothing is odd about them"
is "$(score_of few/run.h5 | cut -d' ' -f1-2)" "True True" "their table is there"
run 0 1 compare few/run.h5 row1/run.h5
expect_exit 1 "compare tells that one has no table"
expect_out "^/confusion +only in few/run.h5" "by name"

run 2 1 predict --model=few/run.h5 --input=row.h5 --output=row-y.h5
expect_exit 0 "predict on row numbers"
expect_out "no /confusion" "predict says so"
is "$(score_of row-y.h5 | cut -d' ' -f1-3)" "False True 0.0063" "predict: no table, but scores"
run 0 1 check row-y.h5
expect_exit 0 "check copes with that, too"
run 1 1 predict --model=few/run.h5 --input=few.h5 --output=few-y.h5
expect_exit 0 "predict on few classes"
run 0 1 compare few/run.h5 few-y.h5
expect_exit 0 "gives the run's own table"

run 2 1 kmeans --cluster.clusters=3 --cluster.n_init=1 --input.data=most.h5 --run.output=most
expect_exit 0 "more classes than can be numbered"
expect_out "WARNING /y holds more than 1000000 different values: they are not class labels" "a warning"
expect_out "^RESULT  converged=[a-z]+ iter=[0-9]+ delta=[0-9.]+ inertia=" "no scores"

run 0 1 convert row.h5 copy.h5
expect_exit 0 "convert"
expect_out "WARNING copy.h5: 40000 different labels in 40000 rows" "convert says so"
done_testing
