#!/usr/bin/env bash
# Topics of documents: TF-IDF rows are sparse; the same terms as numpy finds, the same bits on any number of ranks and threads, with
# and without a reduction; report and export read the corpus file and show the texts that it keeps.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

py "
rng = np.random.default_rng(608)
words = ['space orbit moon nasa launch shuttle earth', 'god church faith bible sin belief jesus', 'game team hockey goal season player ice']
common = 'the of and to in time people'.split()
with open('docs.tsv', 'w') as f:
    for i in range(240):
        k = int(rng.integers(0, 3))
        text = list(rng.choice(words[k].split(), 12)) + list(rng.choice(common, 8)) if i != 17 else []
        f.write('%s\tpost-%03d\t%s\n' % ('abc'[k], i, ' '.join(text)))"
run 0 1 convert docs.tsv docs.h5 --text-column=2 --id-column=1 --label-column=0 --header=no
expect_exit 0 "documents to TF-IDF"
kmeans() { run "$1" "$2" kmeans --input.data=docs.h5 --input.scale="$3" --cluster.clusters=3 --cluster.n_init=4 --run.output="$4" "${@:5}"; }
for scale in none standard; do
    kmeans 1 1 $scale $scale-1
    expect_exit 0 "k-means, scale $scale"
    expect_out 'topic     [0-2], [0-9]+ rows: .*(orbit|church|hockey)' "terms in the log"
    kmeans 3 1 $scale $scale-3
    kmeans 2 2 $scale $scale-2
    for other in 2 3; do
        run 0 1 compare $scale-1/run.h5 $scale-$other/run.h5
        expect_exit 0 "the same bits on $other ranks"
    done
done
kmeans 2 1 none reduced --input.reduce=svd --input.components=5 --input.norm=l2
expect_exit 0 "of singular vectors, rows of length 1"
is "$(py "
same = lambda a, b: (a == b).all()
ok = []
for folder in ('none-1', 'standard-1', 'reduced'):
    f, d = h5py.File(folder + '/run.h5'), h5py.File('docs.h5')
    N, D = (int(v) for v in d['X'].attrs['shape'])
    X = np.zeros((N, D))
    ptr = d['X/indptr'][:]
    X[np.repeat(np.arange(N), np.diff(ptr)), d['X/indices'][:]] = d['X/data'][:]
    label, t = f['labels'][:], f['topics']
    S = np.stack([X[label == k].sum(0) for k in range(3)])
    W = S / S.sum(1, keepdims=True) * np.log1p(S.sum(1).mean() / S.sum(0))
    names, order = d['var/_index'][:], np.argsort(-W, axis=1, kind='stable')[:, :10]
    for k in range(3):
        n = (W[k][order[k]] > 0).sum()
        ok.append(same(t['columns'][k, :n], order[k][:n]) and np.allclose(t['weights'][k, :n], W[k][order[k][:n]], rtol=1e-9)
                  and [v.decode() for v in t['terms'][k, :n]] == [names[c].decode() for c in order[k][:n]])
    ids = d['obs/_index'][:]
    ok.append(all(t['nearest_ids'][k, i] == ids[t['nearest'][k, i]] for k in range(3) for i in range(5)))
print(len(ok), all(ok))")" "12 True" "numpy finds the same terms, with and without scaling and reduction"
number_between "$(py "print(h5py.File('none-1/run.h5')['topics'].attrs['mean_coherence'])")" 0.01 1 "coherence"

if /usr/bin/python3 -c 'import matplotlib' 2>/dev/null; then
    py "
texts = [line.rstrip('\n').split('\t')[2] for line in open('docs.tsv')]
with h5py.File('docs.h5', 'a') as f: f['obs/text'] = np.array(texts, h5py.string_dtype())"
    run_cmd /usr/bin/python3 "$root/tools/report.py" none-1 --data docs.h5
    expect_exit 0 "report of sparse rows"
    ok "it shows texts of the corpus file" grep -qE '<b><bdi>post-[0-9]{3}</bdi></b> <q><bdi>[a-z ]{40,}</bdi></q>' none-1/report.html
fi
run_cmd /usr/bin/python3 "$root/tools/export.py" none-1/run.h5 rows.csv --data docs.h5
expect_exit 0 "export with classes of the corpus file"
is "$(head -n 1 rows.csv)" "id,row,label,class" "its columns"
done_testing
