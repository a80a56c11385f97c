#!/usr/bin/env bash
# `dcmpi sweep-k` with numbers of clusters that fail: they are marked, with the reason, in log, table, summary, run.h5 and
# report, and the suggestion comes from the others; the same bits on other ranks, and continued over a failed number; more
# clusters than distinct rows; all fail.
# limit: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py, matplotlib' 2>/dev/null || skip_test "h5py and matplotlib are not installed"
py "
r = np.random.default_rng(584)
with h5py.File('two.h5', 'w') as f: f['X'] = np.concatenate([r.normal(m, 1, (60, 6)) for m in (0, 9)]).astype('f4')
with h5py.File('five.h5', 'w') as f: f['X'] = np.repeat(r.normal(0, 1, (5, 3)), 30, 0).astype('f4')
"
common=(--input.scale=none --cluster.on=input --parallel.shards=8 --sweep.subsamples=3)
args=(sweep-k --input.data=two.h5 --cluster.method=gmm --gmm.reg=0 "--clusters=2,3,30,40" "${common[@]}")

run 1 1 "${args[@]}" --run.output=good --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_exit 0 "a sweep in which two numbers fail"
expect_out "WARNING 30 clusters failed, the sweep goes on without them: a covariance of the mixture is not positive definite" "a warning"
expect_out "^ +40 failed: a covariance of the mixture" "the table has the reason"
expect_out "suggest   2 clusters: " "a suggestion from the others"
is "$(result_value clusters)" 2 "the run goes on with it"
is "$(py "
import json
s = h5py.File('good/run.h5')['sweep']
table = json.load(open('good/summary.json'))['sweep']['table']
fails = [bool(t) for t in s['failure'][:]]
print(fails, list(np.isnan(s['bic'][:])), list(np.isnan(s['silhouette'][:])), [('failure' in row, row['bic'] is None) for row in table])")" \
    "[False, False, True, True] [False, False, True, True] [False, False, True, True] [(False, False), (False, False), (True, True), (True, True)]" \
    "run.h5 and summary mark them"
run_cmd /usr/bin/python3 "$root/tools/report.py" good
expect_exit 0 "report"
ok "the report has the reason" grep -q "30 clusters failed: a covariance" good/report.html
ok "and its curves" grep -q 'aria-label="Line chart over the number of clusters: BIC is lowest at 2' good/report.html

run 3 1 "${args[@]}" --run.output=three
run 0 1 compare good/run.h5 three/run.h5
expect_exit 0 "the same bits on 3 ranks"
last=$(py "
import glob
for path in sorted(glob.glob('good/ckpt/ckpt-*.h5')):
    f = h5py.File(path)
    if list(f['state/sweep/done'][:]) == [3, 0]: print(path); break")
ok "a checkpoint after the first failure" test -s "$last"
mkdir -p again/ckpt && cp "$last" again/ckpt/
run 2 1 "${args[@]}" --run.output=again
expect_exit 0 "continued over a failed number"
expect_out "continues " "from the checkpoint"
expect_no_out "WARNING 30 clusters" "it is not clustered again"
run 0 1 compare good/run.h5 again/run.h5
expect_exit 0 "the same bits, and reasons"

# ---- Distinct rows --------------------------------------------------------------------------------------------------
run 1 1 sweep-k --input.data=five.h5 --cluster.method=aekm --clusters=2..7 "${common[@]}" --run.output=five
expect_exit 0 "more clusters than distinct rows"
expect_out "^ +6 failed: only 5 distinct rows in single precision$" "the table says so, without the file's name, however long"
expect_out "suggest   5 clusters" "five of five"
run 1 1 sweep-k --input.data=five.h5 --cluster.method=aekm "--clusters=6,7" "${common[@]}" --run.output=none
expect_error 3 "5 distinct rows in single precision < 6 clusters; use fewer clusters$" "none is possible"
run 2 1 sweep-k --input.data=two.h5 --cluster.method=gmm --gmm.reg=0 "--clusters=30,40" "${common[@]}" --run.output=none
expect_error 5 "each number of clusters of the sweep failed; 30: a covariance" "all fail"
expect_no_file none/run.h5 "no result"
done_testing
