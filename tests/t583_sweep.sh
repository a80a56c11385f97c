#!/usr/bin/env bash
# `dcmpi sweep-k`: pretraining, a sweep over numbers of clusters on the embedding, the result for the suggested one. Its bits on
# other ranks and threads; continued from checkpoints of every kind, after a kill and after stop requests, on other ranks; table
# in log, summary, run.h5 and report; labels that change; what a longer run may change; wrong numbers of clusters; memory that is
# not there. On the rows themselves, by k-means and by a mixture.
# limit: 600
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"

common=(--input.rows=600 --parallel.shards=8 --model.latent=5 "--model.hidden=[30,20]" --run.log_interval=0.001s
    --cluster.n_init=3 --pretrain.batch=100 --cluster.method=aekm)
any=(sweep-k "${common[@]}" "--clusters=2,3..5" --sweep.sample=250)
args=("${any[@]}" --pretrain.epochs=3 --sweep.subsamples=3)

run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "a sweep on an embedding"
expect_out "^clusters +inertia +silhouette +stability" "the table is in the log"
expect_out "suggest   [2-5] clusters: its silhouette, " "a suggestion with its reason"
suggested=$(sed -nE 's/.*suggest   ([0-9]+) clusters.*/\1/p' "$out")
is "$(result_value clusters)" "$suggested" "the result is that of the suggested number"
is "$(result_value inertia)" "$(sed -nE "s/.*sweep     K = $suggested, .*: inertia ([0-9.]+), .*/\\1/p" "$out")" "with its inertia"
is "$(grep -c "saved .*, sweep step" "$out")" 0 "no checkpoint for each number before its time"
run 5 1 "${args[@]}" --run.output=other
expect_exit 0 "on 5 ranks"
expect_same other "on 5 ranks"

# ---- Result ---------------------------------------------------------------------------------------------------------

run 0 1 check good/run.h5
expect_exit 0 "run.h5 is whole"
run 1 1 "${args[@]}" --run.output=good
expect_out "nothing is left to do" "a finished sweep is known as such"
py "
import json
h5, summary = h5py.File('good/run.h5'), json.load(open('good/summary.json'))['sweep']
names = ['inertia', 'silhouette', 'stability', 'bic', 'calinski_harabasz', 'nmi', 'ari', 'acc']
assert list(h5['sweep/clusters'][:]) == [2, 3, 4, 5] == [row['clusters'] for row in summary['table']]
for name in names:
    assert np.allclose(h5['sweep/' + name][:], [row[name] for row in summary['table']], rtol=1e-7), name
assert h5['sweep'].attrs['suggested'] == $suggested == summary['suggested'] == len(h5['cluster_centers'])
assert summary['sample'] == 250 and summary['subsample'] == 200 and summary['reason']
i = $suggested - 2
Z, label, mu = h5['embedding'][:].astype(float), h5['labels'][:], h5['cluster_centers'][:]
means = np.array([Z[label == k].mean(0) for k in range(len(mu))])
assert np.isclose(((Z - means[label]) ** 2).sum(), h5['sweep/inertia'][i], rtol=1e-5)
assert abs(h5['metrics'].attrs['nmi'] - h5['sweep/nmi'][i]) < 1e-12
"
is "$?" 0 "table, summary and result agree"
run 1 1 fit "${common[@]}" --pretrain.epochs=3 --cluster.clusters="$suggested" --run.output=fit
expect_exit 0 "fit with the suggested number"
run 0 1 compare good/run.h5 fit/run.h5
is "$(grep -c 'only in' "$out") $(grep -vc 'only in' "$out")" "15 2" "the sweep's result is that of fit, and the table" || cat "$out"
run_cmd "$root/tools/report.py" good
expect_exit 0 "report"
ok "the report has the table and its curves" grep -q 'id="sweep".*' good/report.html
is "$(grep -c 'aria-label="Line chart over the number of clusters' good/report.html)" 4 "four charts"

# ---- Continued ------------------------------------------------------------------------------------------------------

run 2 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_same all "saved all the time"
list_saved all
continue_from pretrain 12
continue_from sweep 1                # within the k-means of K = 2
continue_from sweep 1 3              # of another K
continue_from sweep 2 3
continue_from sweep "$(awk '$2 == "sweep" { s = $3 } END { print s }' saved.txt)" 3 # subsamples of the last K
continue_from kmeans 1               # the number is chosen
continue_from cluster 0

many=("${any[@]}" --pretrain.epochs=3 --sweep.subsamples=90)
run 1 1 "${many[@]}" --run.output=many
same_as_many() { # DIR WHAT
    run 0 1 compare many/run.h5 "$1/run.h5"
    expect_exit 0 "$2: the same bits"
}
start 2 "${many[@]}" --run.output=killed --checkpoint.every=0.000000001s
await "sweep     K = 3, 2 of 4"
signal_rank KILL 0 # ranks whose mpirun is killed may come to their end before they notice it
finish
ok "a killed sweep has no result" test ! -e killed/run.h5
run 3 1 "${many[@]}" --run.output=killed
expect_exit 0 "after a kill, on other ranks"
expect_out "continues sweep, step" "it goes on within the sweep"
same_as_many killed "after a kill"

start 2 "${many[@]}" --run.output=stopped
await "K = 2: stability"
kill -USR1 "$job" # the file STOP is looked for once a second, in which a fast machine ends
finish
is "$rc" 75 "a stop request while subsamples are clustered"
run 3 1 "${many[@]}" --run.output=stopped
expect_exit 0 "continued"
same_as_many stopped "after a stop request"
run 1 1 "${any[@]}" --pretrain.epochs=3 --sweep.subsamples=5 --run.output=stopped
expect_error 6 "sweep.subsamples is 5, was 90" "another number of subsamples is another run"

run 1 1 "${args[@]}" --run.output=good --cluster.kmeans_max_iter=400
expect_error 6 "another deck: cluster.kmeans_max_iter is 400" "a longer k-means would be another sweep"
cp -r all longer
run 2 1 "${any[@]}" --sweep.subsamples=3 --run.output=longer --pretrain.epochs=4
expect_exit 0 "longer pretraining goes on from its end"
expect_out "goes on after pretrain, step 1[28]" "from the last state of pretraining"

# ---- Rows, mixture, labels ------------------------------------------------------------------------------------------

make_blobs 300
rows=(--input.data=blobs.h5 --cluster.on=input --clusters=2..4 --sweep.subsamples=3 --parallel.shards=8)
for method in aekm gmm; do
    run 1 1 sweep-k "${rows[@]}" --cluster.method=$method --run.output=$method
    expect_exit 0 "$method on the rows"
    expect_out "suggest   3 clusters: all others have a stability more than 0.1 below" "$method finds the three groups"
    run 3 2 sweep-k "${rows[@]}" --cluster.method=$method --run.output=other --run.resume=never
    run 0 1 compare $method/run.h5 other/run.h5
    expect_exit 0 "$method on 3 ranks x 2 threads: the same bits"
    run 2 1 predict --model=$method/run.h5 --input=blobs.h5 --output=labels.h5 --force
    expect_exit 0 "predict with a result of $method"
    run 0 1 compare $method/run.h5 labels.h5
    expect_exit 0 "the same labels"
done
cp blobs.h5 relabelled.h5
py "
f = h5py.File('relabelled.h5', 'r+')
y = f['y'][:]
f['y'][:] = np.roll(y, 1)
if 'xxh3' in f['y'].attrs: del f['y'].attrs['xxh3']
"
rows[0]=--input.data=relabelled.h5
run 1 1 sweep-k "${rows[@]}" --cluster.method=aekm --run.output=aekm
expect_exit 0 "labels that changed"
expect_out "scored anew" "the result is scored anew"
is "$(py "print(sorted(set(h5py.File('aekm/run.h5')['sweep']) & {'acc', 'nmi', 'ari', 'bic'}))")" "['bic']" \
    "the scores of the other numbers are gone"
printf 'input: {data: blobs.h5}\ncluster: {method: dec, tol: 0.1, clusters: 7}\nsweep: {clusters: [2, 3, "4..6:2"]}\n' >deck.yaml
run 1 1 sweep-k deck.yaml --dry-run
expect_exit 0 "a deck of a method that trains"
expect_out "not used: cluster.method \(sweep-k takes [a-z]+" "it is swept by k-means" || cat "$out"
run 1 1 fit deck.yaml --dry-run
expect_exit 0 "the same deck for fit"

# ---- Refused --------------------------------------------------------------------------------------------------------

base=(sweep-k --input.data=blobs.h5 --cluster.on=input --cluster.method=aekm --run.output=wrong)
refused() { # CODE SERIES REGEX
    run 1 1 "${base[@]}" --clusters="$2"
    expect_error "$1" "$3" "--clusters='$2'"
}
refused 2 0..4 "'0..4' is out of range; .* in 2..1048576 and ascending"
refused 2 1,2 "'1' is out of range"
refused 2 5..3 "'5..3' goes down"
refused 2 3,3 "'3' repeats a number"
refused 2 4,3 "'3' does not ascend"
refused 2 2..x "'2..x' is no number and no range"
refused 2 "" "'' is no number and no range"
refused 2 2..9:0 "'2..9:0' has a step below 1"
refused 2 2..900 "'2..900' makes it more than 256 numbers"
refused 3 2,301 "301 clusters but only 300 rows: lower sweep.clusters"
refused 3 2,280 "280 clusters, but a subsample for the stability has 240 rows"
run 1 1 "${base[@]}" --clusters=2..4 --clusters=3
expect_error 2 "--clusters: key sweep.clusters is given twice" "two series"
run 1 1 fit --clusters=2..4
expect_error 2 "unknown option --clusters" "fit has no series"
run 1 1 "${base[@]}" --cluster.clusters=4
expect_error 2 "cluster.clusters is not used: the verb is sweep-k, which takes --clusters" "one number"
run 1 1 sweep-k --cluster.method=dec
expect_error 2 "cluster.method = dec: sweep-k takes" "a method that trains, on the command line"
run 1 1 sweep-k "${common[@]}" --clusters=2..4 --run.output=wrong --dry-run
expect_exit 0 "dry run"
expect_out "^phase +sweep: about" "the dry run counts the memory of the sweep"
room_of() { # RESTARTS: GiB of the sweep with so many in a subsample
    run 1 1 sweep-k --input.rows=2000 --cluster.on=input --cluster.method=aekm --clusters=100 --cluster.n_init=1 \
        --sweep.n_init="$1" --run.output=wrong --dry-run
    sed -nE 's/^phase +sweep: about ([0-9.]+) GiB.*/\1/p' "$out"
}
few=$(room_of 1)
number_between "$(room_of 200)" "$(awk -v x="$few" 'BEGIN { print x + 0.03 }')" 4 "GiB with 200 restarts, $few with one"
run_cmd bash -c "ulimit -v 700000; exec '$dcmpi' sweep-k --input.rows=100000 --cluster.on=input --cluster.method=aekm \
    --clusters=2,3 --sweep.sample=100000 --run.output=wrong --dry-run"
expect_error 8 "each rank needs about 0\.[67][0-9]* GiB.* are left within ulimit -v" "a sample that does not fit"
expect_no_file wrong/run.h5 "no result of refused runs"
done_testing
