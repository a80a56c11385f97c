#!/usr/bin/env bash
# Runs on counts that are transformed: sparse and dense files give the same, any ranks and threads the same bits, predict does
# the same to rows with all columns, weights do not go with other transforms; what the log and the dry run say. Seed 337.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

$python - <<'EOF'
import h5py, numpy as np
r = np.random.default_rng(337)
N, D = 300, 60
k = np.arange(N) % 3
rate = r.gamma(1, 1, D) * (1 + 9 * ((np.arange(D) % 20 == k[:, None]) | (np.arange(D) % 20 == k[:, None] + 3)))
X = r.poisson(rate * r.gamma(4, .25, (N, 1)))
X[11] = 0
with h5py.File("dense.h5", "w") as f:
    f["X"], f["y"] = X.astype("f4"), k.astype("i4")
    f.attrs["feature_names"] = "\n".join("g%d" % c for c in range(D))
i, j = X.nonzero()
with open("c.mtx", "w") as f:
    f.write("%%%%MatrixMarket matrix coordinate integer general\n%d %d %d\n" % (N, D, len(i)))
    f.writelines("%d %d %d\n" % (a + 1, b + 1, X[a, b]) for a, b in zip(i, j))
open("y.txt", "w").writelines("%d\n" % c for c in k)
EOF
run 0 1 convert c.mtx sparse.h5 --labels=y.txt
expect_exit 0 "a sparse file"
counts="--input.normalize_total=median --input.log1p=true --input.variable_columns=20 --input.scale=sample --input.clip_scaled=4"
km() { # P T NAME FILE OPTIONS
    local p=$1 t=$2 to=$3 file=$4
    shift 4
    # shellcheck disable=SC2086  # several options
    run "$p" "$t" kmeans --input.data="$file" --cluster.clusters=3 $counts --run.output="$to" "$@"
}
km 1 1 a sparse.h5
expect_exit 0 "k-means on sparse counts"
expect_out "counts +transformed, rows to a sum of [0-9.]+ \(the median\), log1p, 20 of 60 columns by dispersion" "the log tells the transforms"
number_between "$(result_value acc)" 0.9 1 "which finds the clusters"
km 3 2 b sparse.h5
run 0 1 compare a/run.h5 b/run.h5
expect_exit 0 "3 ranks, 2 threads: the same bits"
km 2 1 c dense.h5
is "$($python -c "
import h5py
a, c = h5py.File('a/run.h5'), h5py.File('c/run.h5')
print((a['labels'][:] == c['labels'][:]).all(), (a['scaling/columns'][:] == c['scaling/columns'][:]).all(), a['scaling'].attrs['columns_of'], a['scaling'].attrs['normalize_total'] == c['scaling'].attrs['normalize_total'], len(c.attrs['feature_names'].split()))")" \
    "True True 60 True 20" "the dense twin: the same labels, columns, sum; names of the chosen columns"
for model in a c; do
    for file in sparse dense; do
        run 2 1 predict --model=$model/run.h5 --input=$file.h5 --output=p.h5 --force --rows-per-round=256
        expect_exit 0 "predict of $file rows by model $model"
        is "$($python -c "import h5py; print((h5py.File('p.h5')['labels'][:] == h5py.File('$model/run.h5')['labels'][:]).all())")" True "the labels of training"
    done
done
$python -c "import h5py; f = h5py.File('narrow.h5', 'w'); f['X'] = h5py.File('dense.h5')['X'][:, :20]"
run 1 1 predict --model=c/run.h5 --input=narrow.h5 --output=n.h5
expect_error 3 "narrow.h5 has 20 columns, the model of c/run.h5 was trained on 60" "rows must have all columns"
$python -c "
import h5py
X = h5py.File('dense.h5')['X'][:]; X[7, 5] = -3
h5py.File('minus.h5', 'w')['X'] = X"
run 1 1 predict --model=c/run.h5 --input=minus.h5 --output=n.h5
expect_error 3 "minus.h5: row 7, column 5 \(counted from 0\) is negative" "a value that is not a count"
expect_no_file n.h5 "which leaves nothing behind"

fit="fit --input.data=sparse.h5 --cluster.method=dec --cluster.clusters=3 --model.hidden=[16] --model.latent=4 --pretrain.epochs=2 --cluster.max_iter=20 --cluster.batch=64"
# shellcheck disable=SC2086  # several options
run 2 1 $fit $counts --run.output=f
expect_exit 0 "fit on sparse counts"
# shellcheck disable=SC2086
run 1 2 $fit $counts --run.output=g
run 0 1 compare f/run.h5 g/run.h5
expect_exit 0 "1 rank, 2 threads: the same bits"
run 1 1 predict --model=f/run.h5 --input=sparse.h5 --output=q.h5
run 0 1 compare f/run.h5 q.h5
expect_exit 0 "predict: the bits of training"
# shellcheck disable=SC2086
run 1 1 $fit ${counts/median/500} --run.output=h --model.weights=f/run.h5
expect_error 2 "f/run.h5 \(model.weights\) was trained on counts that were transformed in another way" "weights of other transforms"
# shellcheck disable=SC2086
run 1 1 $fit $counts --run.output=dry --dry-run
expect_exit 0 "dry run"
expect_out "20 .*|columns" "of the columns that are chosen"
run 0 1 check f/run.h5
expect_exit 0 "check of the result"
run 1 1 kmeans --input.data=sparse.h5 --cluster.clusters=3 --input.normalize_total=mean --run.output=bad
expect_error 2 "input.normalize_total = 'mean' is not a valid number or median" "a word that is not one"
run 1 1 kmeans --input.data=sparse.h5 --cluster.clusters=3 --input.variable_columns=61 --run.output=bad
expect_error 2 "input.variable_columns=61, but there are only 60 columns" "more columns than there are"
run 0 1 config --explain input.normalize_total
expect_out "median" "explain"
done_testing
