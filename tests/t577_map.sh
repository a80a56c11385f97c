#!/usr/bin/env bash
# /map: the first two principal components of what was clustered, against scikit-learn's (tests/golden/pca.txt) and against
# numpy's of all scaled rows: dense, sparse, streamed, reduced and whitened rows, counts, images, fewer rows than columns; the same
# bits on other ranks and threads; the report projects its sample on them; where there is none: too wide, one row, equal rows,
# an embedding that is not written, output.map = off; what is refused; the dry run counts its memory.
# limit: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py, matplotlib' 2>/dev/null || skip_test "h5py and matplotlib are not installed"
py "
from h5ad import put_csr
lines = open('$root/tests/golden/pca.txt').read().split('\n')
at = lines.index('x 150 17')
x = np.array([[float(v) for v in line.split()] for line in lines[at + 1:at + 151]])
r = np.random.default_rng(577)
with h5py.File('golden.h5', 'w') as f: f['X'] = x.astype('f4')
with h5py.File('sparse.h5ad', 'w') as f: put_csr(f, r.poisson(0.3, (400, 60)))
with h5py.File('few.h5', 'w') as f: f['X'] = r.normal(0, 1, (40, 90)).astype('f4') + 3
with h5py.File('equal.h5', 'w') as f: f['X'] = np.full((9, 3), 0.1, 'f4')
with h5py.File('wide.h5', 'w') as f: f['X'] = r.integers(0, 9, (60, 1030), 'u1')
with h5py.File('wider.h5ad', 'w') as f: put_csr(f, np.eye(4200)[:, :4150] + np.eye(4200)[:, 50:])
"
common=(--parallel.shards=8 --cluster.n_init=1 --cluster.kmeans_max_iter=3 --cluster.clusters=1)
map_of() { # NAME P T ARGS...: a run with a map
    local name=$1 p=$2 t=$3
    shift 3
    run "$p" "$t" "$@" "${common[@]}" --run.output="$name"
    expect_exit 0 "$name"
}

map_of golden 1 1 kmeans --input.data=golden.h5 --input.scale=none
is "$(py "
text = open('$root/tests/golden/pca.txt').read()
def read(name, n):
    words = text.split('\n' + name + ' ', 1)[1].split('\n', 1)[1].split()
    return np.array([float(v) for v in words[:n]])
m = h5py.File('golden/run.h5')['map']
sklearn = read('components', 34).reshape(2, 17)
print(m.attrs['on'].decode(), np.abs(m['components'][:] - sklearn).max() < 1e-6, np.abs(m['mean'][:] - read('mean', 17)).max() < 1e-6,
      np.allclose(m['explained_variance'][:], read('variance', 2), rtol=1e-7),
      np.allclose(m['explained_variance_ratio'][:], read('ratio', 2), rtol=1e-7))")" "input True True True True" \
    "mean, components and variances are scikit-learn's"
map_of golden-of-three 3 2 kmeans --input.data=golden.h5 --input.scale=none
run 0 1 compare golden/run.h5 golden-of-three/run.h5
expect_exit 0 "the same bits on 3 ranks x 2 threads"

map_of sparse 1 1 kmeans --input.data=sparse.h5ad --input.scale=none
map_of reduced 1 1 kmeans --input.data=sparse.h5ad --input.scale=none --input.reduce=svd --input.components=5 --input.norm=l2
map_of counts 1 1 kmeans --input.data=sparse.h5ad --input.normalize_total=median --input.log1p=true --input.variable_columns=20 \
    --input.scale=standard
map_of streamed 1 1 kmeans --input.data=golden.h5 --input.scale=standard --input.residency=stream
map_of whitened 1 1 fit --cluster.on=input --cluster.method=gmm --input.data=golden.h5 --input.scale=pca --input.components=4 \
    --input.whiten=true
map_of few 1 1 kmeans --input.data=few.h5 --input.scale=standard
map_of images 1 1 kmeans --input.rows=300 --output.map=on
map_of wide 1 1 kmeans --input.data=wide.h5 --output.map=on
map_of pair 2 1 kmeans --input.data=few.h5 --input.rows=2 --input.scale=none
map_of embedded 1 1 fit --input.data=golden.h5 --input.scale=standard --cluster.method=aekm --model.hidden=[20] --model.latent=4 \
    --pretrain.steps=3
is "$(PYTHONPATH=$root/tools py "
import report_data, report_math, report_sections
for name in ('sparse', 'reduced', 'counts', 'streamed', 'whitened', 'few', 'wide', 'embedded'):
    run = report_data.Run(name)
    x = run.points(np.arange(run.N))
    c = x - x.mean(0)
    s, v = np.linalg.svd(c, full_matrices=False)[1:]
    mean, components, share = run.map()
    good = np.abs(mean - x.mean(0)).max() < 1e-5 and np.allclose(share, (s ** 2 / (s ** 2).sum())[:2], rtol=1e-5)
    same = name == 'whitened' or np.abs(np.abs((components * v[:2]).sum(1)) - 1).max() < 1e-5
    xy, two = report_math.plane(run, x[:30])
    drawn = np.abs(xy - (x[:30] - mean) @ components.T).max() < 1e-9 and np.array_equal(two, share)
    if not (good and same and drawn and report_math.is_plane(run.map(), x)): print(name, good, same, drawn)
images = report_data.Run('images').h5['map']
pair = report_data.Run('pair')
print(images['components'].shape, report_data.Run('embedded').h5['map'].attrs['on'].decode(), pair.map()[1].shape,
      report_math.plane(pair, pair.points(np.arange(2)))[0].shape,
      'nothing is drawn on them. The rows of the built-in' in report_sections.embedding(report_data.Run('images')))")" \
    "(2, 784) embedding (1, 90) (2, 2) True" \
    "components of all scaled rows are numpy's, and the report draws on them"

# ---- None -----------------------------------------------------------------------------------------------------------
none() { # WHAT ARGS...
    local what=$1
    shift
    run 1 1 "$@" "${common[@]}" --run.output=none --run.resume=never
    expect_exit 0 "$what"
    ok "$what: no map" py "assert 'map' not in h5py.File('none/run.h5')"
}
none "more columns than auto takes" kmeans --input.data=wide.h5
none "equal rows" kmeans --input.data=equal.h5 --input.scale=none
none "output.map = off" kmeans --input.data=golden.h5 --output.map=off
none "an embedding that is not written" fit --input.data=golden.h5 --cluster.method=aekm --model.hidden=[] --model.latent=4 \
    --pretrain.steps=1 --output.embedding=false
run 1 1 kmeans --input.data=wider.h5ad --input.scale=none --output.map=on "${common[@]}" --run.output=refused
expect_error 2 "output.map = on: the components of 4200 rows of 4150 columns are those of a matrix of more than 4096" "too wide"
run 1 1 fit --input.data=golden.h5 --cluster.method=aekm --model.hidden=[] --model.latent=4 --output.embedding=false --output.map=on \
    "${common[@]}" --run.output=refused
expect_error 2 "output.map = on: there is no map of an embedding that is not written" "asked for, but without the embedding"
run 1 1 kmeans --input.data=wide.h5 --output.map=on "${common[@]}" --run.output=dry --dry-run
expect_out "^phase +map: about" "the dry run counts its memory"
done_testing
