#!/usr/bin/env bash
# Topics of whole runs: /topics of run.h5 against a computation with numpy, the same bits on any number of ranks and threads,
# summary.json and the log; data without names, with negative values; keys; rows with ids alone.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

py "
rng = np.random.default_rng(607)
y = rng.integers(0, 3, 300)
X = rng.poisson(0.4, (300, 33))
for k in range(3): X[y == k, 11 * k:11 * k + 11] += rng.poisson(1.5, ((y == k).sum(), 11))
def write(name, X, names=True, ids=True):
    with h5py.File(name, 'w') as f:
        f['X'], f['y'] = X, y.astype('i4')
        if names: f.attrs['feature_names'] = '\n'.join('term%02d' % c for c in range(33))
        if ids: f['ids'] = np.array(['doc-%03d' % i for i in range(300)], 'S7')
write('counts.h5', X.astype('f4'))
write('bytes.h5', X.astype('u1'))
write('negative.h5', (X - 1).astype('f4'))
write('ids.h5', (X - 1).astype('f4'), names=False)
write('plain.h5', X.astype('f4'), names=False, ids=False)"
cat >deck.yaml <<'END'
input: {data: counts.h5}
model: {hidden: [20], latent: 3}
pretrain: {epochs: 3, batch: 64, optimizer: adam, lr: 0.003}
cluster: {method: dec, clusters: 4, n_init: 2, update_interval: 5, max_iter: 20}
output: {top_terms: 12, documents: 4}
END

run 1 1 deck.yaml --run.output=p1
expect_exit 0 "fit"
expect_out 'topic     [0-3], [0-9]+ rows?: term[0-9]+, term[0-9]+' "the log lists terms"
expect_out 'mean coherence \(NPMI of the first 10 terms of a cluster, over all rows\): -?[0-9.]+' "and the coherence"
for where in "2 2" "3 1" "5 2"; do
    read -r P T <<<"$where"
    run "$P" "$T" deck.yaml --run.output="p$P"
    run 0 1 compare p1/run.h5 "p$P/run.h5"
    expect_exit 0 "the same bits on $P ranks x $T threads"
done
run 0 1 check p1/run.h5
expect_exit 0 "check"

cat >topics.py <<'END'
import itertools, json, sys
import h5py
import numpy as np
folder, data, terms, documents = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
f = h5py.File(folder + "/run.h5")
X, label, t = h5py.File(data)["X"][:].astype(float), f["labels"][:], f["topics"]
K = f["clusters/size"].shape[0]
if terms:
    S = np.stack([X[label == k].sum(0) for k in range(K)])
    used = S.sum(1) > 0
    W = S / np.maximum(S.sum(1, keepdims=True), 1) * np.log1p(S.sum(1)[used].mean() / np.maximum(S.sum(0), 1e-300))
    there = X > 0
    for k in range(K):
        order = np.argsort(-W[k], kind="stable")[:terms]
        order = order[W[k][order] > 0]
        n = len(order)
        assert (t["columns"][k, :n] == order).all() and (t["columns"][k, n:] == -1).all(), (t["columns"][k], order)
        assert np.allclose(t["weights"][k, :n], W[k][order], rtol=1e-10)
        assert (t["term_rows"][k, :n] == there[:, order].sum(0)).all()
        assert [v.decode() for v in t["terms"][k, :n]] == ["term%02d" % c for c in order]
        values = []
        for a, b in itertools.combinations(order[:10], 2):
            p, q = (there[:, a] & there[:, b]).mean(), there[:, a].mean() * there[:, b].mean()
            values.append(np.log((p + 1e-12) / q) / -np.log(p + 1e-12))
        assert np.isclose(t["coherence"][k], np.mean(values)) if n > 1 else np.isnan(t["coherence"][k])
if documents:
    scale = f["scaling/scale"][:], f["scaling/shift"][:]
    Z = f["embedding"][:].astype(float) if "embedding" in f else ((X - scale[1]) * scale[0])
    centre = f["cluster_centers"][:].astype(float)
    for k in range(K):
        rows = np.flatnonzero(label == k)
        d = np.sqrt(((Z[rows] - centre[k]) ** 2).sum(1))
        for name, sign in (("nearest", 1), ("furthest", -1)):
            order = np.lexsort((rows, np.round(sign * d, 12)))[:documents]
            assert (t[name][k, :len(order)] == rows[order]).all() and (t[name][k, len(order):] == -1).all(), (k, name)
            assert np.allclose(t[name + "_distance"][k, :len(order)], d[order], atol=1e-6)
            assert [v.decode() for v in t[name + "_ids"][k, :len(order)]] == ["doc-%03d" % i for i in rows[order]]
    summary = json.load(open(folder + "/summary.json"))["topics"]
    assert len(summary["clusters"]) == K
    for k, one in enumerate(summary["clusters"]):
        assert one["cluster"] == k and one["nearest"] == [v.decode() for v in t["nearest_ids"][k] if v][:10]
        if terms:
            assert one["terms"] == [v.decode() for v in t["terms"][k] if v][:10]
print("ok")
END
check_topics() { is "$(/usr/bin/python3 topics.py "$@" 2>&1 | tail -n 1)" ok "numpy finds the same terms, coherence and rows: $1"; }
check_topics p1 counts.h5 12 4

run 2 1 kmeans --input.data=bytes.h5 --input.scale=standard --cluster.clusters=3 --output.documents=40 --run.output=km
expect_exit 0 "k-means of bytes, whose columns are shifted"
check_topics km bytes.h5 10 40
run 1 1 kmeans --input.data=counts.h5 --input.scale=pca --input.components=5 --cluster.clusters=3 --output.documents=0 --run.output=pca
expect_exit 0 "of principal components"
check_topics pca counts.h5 10 0
run 2 1 fit --input.data=counts.h5 --cluster.method=gmm --cluster.on=input --cluster.clusters=3 --gmm.reg=0.05 --run.output=gmm
expect_exit 0 "a mixture of the rows"
check_topics gmm counts.h5 10 5

# What the data do not allow.
run 1 1 kmeans --input.data=negative.h5 --cluster.clusters=3 --run.output=neg
expect_exit 0 "negative values, auto"
is "$(py "print(sorted(h5py.File('neg/run.h5')['topics']))")" \
    "['furthest', 'furthest_distance', 'furthest_ids', 'nearest', 'nearest_distance', 'nearest_ids']" "no terms"
run 3 1 kmeans --input.data=negative.h5 --cluster.clusters=3 --output.topics=on --run.output=no
expect_error 3 "negative.h5: the smallest value is -1; output.topics = on needs counts or weights" "negative values, on"
run 3 1 kmeans --input.data=plain.h5 --cluster.clusters=3 --output.topics=on --run.output=no
expect_error 3 "plain.h5: columns have no names" "no names, on"
expect_no_file no/run.h5 "before any work"
run 1 1 kmeans --input.data=ids.h5 --cluster.clusters=3 --run.output=ids
is "$(py "print('nearest_ids' in h5py.File('ids/run.h5')['topics'])")" True "rows with ids have documents"
run 1 1 kmeans --input.data=plain.h5 --cluster.clusters=3 --run.output=plain
is "$(py "print('topics' in h5py.File('plain/run.h5'))")" False "nothing without names and ids"
run 1 1 kmeans --input.data=counts.h5 --cluster.clusters=3 --output.topics=off --run.output=off
is "$(py "print('topics' in h5py.File('off/run.h5'))")" False "nothing with off"
run 1 1 deck.yaml --output.topics=off --run.output=no
expect_no_out 'ERROR' "keys of the deck that are not used because of the command line are no error"
run 1 1 kmeans --input.data=counts.h5 --output.top_terms=0
expect_error 2 "output.top_terms" "no terms at all"

# More clusters than rows that differ: some have no rows, no terms.
run 2 1 kmeans --input.data=counts.h5 --input.rows=6 --cluster.clusters=6 --run.output=few
expect_exit 0 "a cluster for each row"
run 1 1 sweep-k --input.data=counts.h5 --clusters=2..4 --cluster.on=input --cluster.method=aekm --sweep.subsamples=2 --run.output=sweep
expect_exit 0 "sweep-k"
expect_out 'purity      F$' "its table has purity and F"
is "$(py "f = h5py.File('sweep/run.h5'); print(f['topics/terms'].shape[0] == f['clusters/size'].shape[0], f['sweep/purity'].shape, 'f_pairs' in f['sweep'])")" \
    "True (3,) True" "and its result topics"
done_testing
