#!/usr/bin/env bash
# A corpus of sparse shards (.h5ad, and files that convert wrote) as one data set: the result, labels, ids, terms and predictions
# are those of the one file with the same rows; which rows belong to which file; checksums; hostile shards are named in one line.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

py "
r = np.random.default_rng(3)
N, D = 400, 40
X = ((r.random((N, D)) < .2) * r.integers(1, 9, (N, D))).astype('f4')
X[:, :8] += (np.arange(N) % 2)[:, None] * 5
text = h5py.string_dtype()
def put(path, lo, hi, csc=False, genes=None, types=('i8', 'i4', 'f4'), gz=False, labels=True):
    x = X[lo:hi].T if csc else X[lo:hi]
    genes = genes or ['g%d' % c for c in range(D)]
    how = dict(chunks=(64,), compression='gzip') if gz else {}
    f = h5py.File(path, 'w')
    g = f.create_group('X')
    g.attrs['encoding-type'] = 'csc_matrix' if csc else 'csr_matrix'
    g.attrs['shape'] = np.array([hi - lo, len(genes)], 'i8')
    at = [np.nonzero(row)[0] for row in x]
    g.create_dataset('indptr', data=np.cumsum([0] + [len(c) for c in at]).astype(types[0]), **how)
    g.create_dataset('indices', data=np.concatenate(at).astype(types[1]), **how)
    g.create_dataset('data', data=x[x != 0].astype(types[2]), **how)
    o = f.create_group('obs'); o.attrs['_index'] = 'cell'
    o.create_dataset('cell', data=['c%d' % i for i in range(lo, hi)], dtype=text)
    name = ['t%d' % (i % 2) for i in range(lo, hi)]
    q = o.create_group('type'); q.attrs['encoding-type'] = 'categorical'
    q.create_dataset('categories', data=sorted(set(name)), dtype=text)
    q.create_dataset('codes', data=np.array([sorted(set(name)).index(t) for t in name], 'i1'))
    v = f.create_group('var'); v.attrs['_index'] = 'gene'
    v.create_dataset('gene', data=genes, dtype=text)
    f.close()
put('whole.h5ad', 0, N)
put('s0.h5ad', 0, 130); put('s1.h5ad', 130, 131, types=('i4', 'i8', 'f8')); put('s2.h5ad', 131, 250, types=('i8', 'i4', 'i8'), gz=True)
put('s3.h5ad', 250, N)
put('csc.h5ad', 131, 250, csc=True)
put('other.h5ad', 131, 250, genes=['g%d' % c for c in range(38)] + ['gX', 'g39'])
put('wide.h5ad', 131, 250, genes=['g%d' % c for c in range(41)])
put('bytes.h5ad', 131, 250, types=('i8', 'i4', 'u1'))
with h5py.File('dense.h5', 'w') as f: f['X'] = X[:5]
"
options="--input.label_dataset=type --cluster.clusters=2 --cluster.n_init=2"

# ---- The same as one file

# shellcheck disable=SC2086  # several options, here and below
run 0 2 kmeans --input.data=whole.h5ad $options --run.output=whole
expect_exit 0 "one file"
# shellcheck disable=SC2086
run 3 1 kmeans --input.data='s?.h5ad' $options --run.output=shards
expect_exit 0 "four shards on three ranks"
expect_out 'input     s\?.h5ad: 400 rows x 40 sparse float32 with [0-9]+ values' "are sparse rows"
expect_out 'acc=1.000' "with their labels"
expect_out 'topic     1, 200 rows: g[0-7], g[0-7]' "and terms"
run 0 1 compare whole/run.h5 shards/run.h5
expect_exit 0 "and give the same bits, ids and all"
run 0 1 info shards/run.h5
expect_out '^ *131 +s2.h5ad$' "info says which rows belong to which file"
run 0 1 predict --model=whole/run.h5 --input=whole.h5ad --output=p1.h5
run 2 1 predict --model=whole/run.h5 --input='s?.h5ad' --output=p2.h5
expect_exit 0 "predict of shards"
run 0 1 compare p1.h5 p2.h5
expect_exit 0 "as of one file"
# shellcheck disable=SC2086
run 2 1 kmeans --input.data='s?.h5ad' $options --run.output=shards
expect_exit 0 "the same command again"
expect_out 'shards/run.h5 is complete and belongs to this deck and data' "has nothing to do"

# ---- Checksums of shards that convert wrote

run 0 1 convert s0.h5ad c0.h5 && run 0 1 convert s3.h5ad c1.h5
run 2 1 kmeans --input.data='c?.h5' --cluster.clusters=2 --run.output=converted
expect_exit 0 "shards that convert wrote"
expect_out 'input     c\?.h5: 280 rows x 40 sparse uint8 .*checksum agrees' "have checksums"
py "f = h5py.File('c1.h5', 'r+'); f['X/data'][77] += 1; f.close()"
run 2 1 kmeans --input.data='c?.h5' --cluster.clusters=2 --run.output=damaged
expect_error 3 "c1.h5: /X is damaged: its checksum is" "a value that is another is found, and its file named"

# ---- Hostile shards

hostile() { # REGEX WHAT DATA
    run 0 1 kmeans --input.data="$3" --cluster.clusters=2 --run.output=new
    expect_error 3 "$1" "$2"
}
hostile "dense.h5 holds dense rows, and s0.h5ad holds sparse ones" "dense and sparse rows" "[s0.h5ad, dense.h5]"
hostile "csc.h5ad is stored by columns, .* dcmpi convert stores it by rows" "a shard by columns" "[s0.h5ad, csc.h5ad]"
hostile "other.h5ad: column 38 \(counted from 0\) is 'gX', in s0.h5ad it is 'g38'" "other columns" "[s0.h5ad, other.h5ad]"
hostile "wide.h5ad has 41 columns, and s0.h5ad has 40" "another width" "[s0.h5ad, wide.h5ad]"
hostile "bytes.h5ad holds uint8, and s0.h5ad holds float32" "another type" "[s0.h5ad, bytes.h5ad]"
head -c 20000 s3.h5ad >cut.h5ad
hostile "cut.h5ad.* truncated" "a shard that is cut off" "[s0.h5ad, cut.h5ad]"

# At the last reads of the values of a shard, the first or the last one: it must have stayed what it was when the next is opened,
# or all are read.
failio=$build/tests/failio.so
if [ -f "$failio" ] && [ -z "${DCMPI_SAN:-}" ]; then
    for shard in s0 s3; do
        for at in 4 5; do
            cp -p $shard.h5ad keep.h5ad
            # shellcheck disable=SC2086
            FAILIO_MATCH=$shard.h5ad FAILIO_CALL=read FAILIO_ERROR=TOUCH FAILIO_BYTES=2000 FAILIO_AT=$at LD_PRELOAD=$failio \
                run 0 1 kmeans --input.data='s?.h5ad' $options --run.output=changed
            expect_error 3 "$shard.h5ad changed while it was read: somebody wrote to it" "$shard changes after its large read $at"
            expect_no_file changed/run.h5 "no result"
            mv keep.h5ad $shard.h5ad
        done
    done
else
    note "SKIP: no $failio (make tests), or sanitizers, which must be loaded first"
fi
done_testing
