#!/usr/bin/env bash
# The size of values and the shape of clusters: labels are the nearest centres in any unit; ranges that single precision
# cannot hold are refused; few small bytes, empty clusters and rows beyond the training data are reported; uneven clusters do
# not count as a collapse. Data: blobs, seed 1.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

made=
make_data() { # FILE EXPRESSION: X of 4 blobs of 50 rows in 8 columns, y their numbers, after the expression
    [ "$made" != "$*" ] || return 0
    made=$*
    $python - "$1" "$2" <<'EOF'
import h5py, numpy as np, sys
r = np.random.default_rng(1)
X = np.concatenate([r.normal(3 * i, .3, (50, 8)) for i in range(4)])
y = np.repeat(np.arange(4), 50)
exec(sys.argv[2])
with h5py.File(sys.argv[1], "w") as f:
    f["X"], f["y"] = X, y.astype("i4")
EOF
}
python_check() { # WHAT CODE: the code prints ok
    is "$($python -c "import h5py, numpy as np
$2")" ok "$1"
}
nearest_labels() { # RUN
    python_check "$1: labels are the nearest centres" "
f = h5py.File('$1/run.h5'); Z, M = f['embedding'][:].astype('f8'), f['cluster_centers'][:].astype('f8')
print('ok' if (((Z[:, None] - M) ** 2).sum(2).argmin(1) == f['labels'][:]).all() else 'no')"
}
net=(--model.hidden=[6] --model.latent=3 --pretrain.epochs=3 --pretrain.batch=32 --pretrain.optimizer=sgd --pretrain.lr=0.01)
four=(--cluster.clusters=4 --cluster.n_init=5)

# ---- Units
for unit in 1e-4 1e-3 1; do
    make_data x.h5 "X = (X * $unit).astype('f4')"
    run 2 1 fit "${net[@]}" "${four[@]}" --cluster.method=aekm --input.data=x.h5 --input.scale=none --run.output="a$unit"
    expect_exit 0 "autoencoder and k-means in units of $unit"
    nearest_labels "a$unit"
    run 3 1 predict --model="a$unit/run.h5" --input=x.h5 --output="p$unit.h5"
    expect_exit 0 "predict"
    run 0 1 compare "a$unit/run.h5" "p$unit.h5"
    expect_exit 0 "predict gives the labels of the run"
done
for unit in 1e-25 1e-20 1e15 1e19 1e30; do
    make_data x.h5 "X = (X * $unit).astype('f4')"
    run 2 1 kmeans "${four[@]}" --input.data=x.h5 --input.scale=none --run.output="k$unit"
    is "$(result_value acc) $(result_value iter)" "1.000 2" "k-means in units of $unit"
done
make_data x.h5 "X = np.where(X > 4.5, 1, 0).astype('u1')"
run 1 1 fit "${net[@]}" --cluster.clusters=2 --cluster.method=aekm --input.data=x.h5 --run.output=bits
expect_out "NOTE .*input.scale=unit takes uint8 for 0 to 255, but the data go from 0 to 1 only" "bits as bytes: a note"
nearest_labels bits
make_data x.h5 "X = (X * 20).clip(0, 255).astype('u1')"
run 1 1 kmeans "${four[@]}" --input.data=x.h5 --run.output=bytes
expect_no_out "takes uint8" "bytes that use their range: no note"

# ---- Ranges
refuse() { # WHAT EXPRESSION SCALE REGEX
    make_data x.h5 "$2"
    run 2 1 kmeans "${four[@]}" --input.data=x.h5 --input.scale="$3" --run.output=refused
    expect_error 3 "$4" "$1, $3"
}
for scale in none unit dec standard minmax; do
    refuse "a range of 1e-39" "X = X * 1e-40" $scale "spans \\[-?[0-9.]+e-4[0-9], [0-9.]+e-(39|4[0-9])\\]"
done
for scale in none unit dec standard minmax; do refuse "values of 1e300" "X = X * 1e300" $scale "spans"; done
refuse "one column of tiny values" "X[:, 3] *= 1e-41" minmax "column 3 spans"
refuse "one column of tiny values" "X[:, 5] *= 1e-41" standard "column 5 spans"
refuse "a range of 1e-34" "X = (X * 1e-34).astype('f4')" none "the data spans"

# ---- Distinct rows
refuse "0 and -0" "X = np.zeros((200, 8), 'f4'); X[::2] = -0.0" none "1 distinct row in single precision < 4"
refuse "rows equal in single precision" "X = 1 + 1e-12 * np.arange(200.)[:, None] * np.ones(8)" none "1 distinct row"
make_data x.h5 "X = 1 + 1e-12 * np.arange(200.)[:, None] * np.ones(8)"
run 1 1 kmeans "${four[@]}" --input.data=x.h5 --input.scale=standard --run.output=fine
expect_exit 0 "the same rows, scaled in double"

# ---- What k-means and training could not do
make_data x.h5 "X = r.normal(0, 1, (200, 8)).astype('f4')"
run 1 1 kmeans --cluster.clusters=6 --cluster.n_init=2 --cluster.kmeans_max_iter=1 --input.data=x.h5 --run.output=short
expect_out "WARNING +cluster.kmeans_max_iter=1 was reached" "k-means: too few iterations are told"
run 1 1 fit --model.hidden=[8] --model.latent=2 --pretrain.epochs=2 --pretrain.batch=32 --cluster.clusters=40 \
    --cluster.n_init=1 --cluster.batch=32 --cluster.update_interval=20 --cluster.max_iter=200 --cluster.lr=0.5 \
    --cluster.tol=0 --input.data=x.h5 --run.output=drawn
empty=$(result_value empty)
number_between "$empty" 1 39 "training that draws clusters together leaves empty ones"
expect_out "WARNING +$empty of 40 clusters are empty: .*lower it, or, if training" "and says so"

# ---- Uneven clusters
uneven() { # SIZES...: DEC on blobs of these sizes
    local sizes
    sizes=$(printf '%s,' "$@")
    make_data x.h5 "n = [$sizes]; y = np.repeat(np.arange(len(n)), n); X = r.normal(0, .3, (len(y), 8)) + 3 * y[:, None]"
    run 2 1 fit --model.hidden=[32] --model.latent=3 --pretrain.epochs=20 --pretrain.batch=32 --pretrain.lr=0.1 \
        --cluster.method=dec --cluster.clusters=$# --cluster.n_init=5 --cluster.batch=32 --cluster.update_interval=10 \
        --cluster.max_iter=100 --input.data=x.h5 --run.output="u$sizes"
    expect_exit 0 "clusters of $*"
    expect_no_out "WARNING +collapsed" "no collapse"
    is "$(result_value converged)" yes "converged"
}
for sizes in "294 6" "282 18" "297 3"; do
    # shellcheck disable=SC2086  # several sizes
    uneven $sizes
    is "$(result_value acc)" 1.000 "found"
done
uneven 288 6 6
make_data x.h5 "X = X / 12"
run 1 1 fit --model.hidden=[8] --model.latent=2 --pretrain.epochs=1 --pretrain.batch=32 --cluster.clusters=10 \
    --cluster.n_init=1 --cluster.batch=32 --cluster.update_interval=20 --cluster.max_iter=400 --cluster.lr=20 \
    --cluster.tol=0 --input.data=x.h5 --run.output=collapse
expect_out "WARNING +collapsed: of 200 rows the largest cluster holds [0-9]+, at the start [0-9]+" "a collapse is seen"

# ---- Rows that predict cannot know
make_data x.h5 "X = X.astype('f4')"
run 1 1 fit "${net[@]}" "${four[@]}" --cluster.method=aekm --input.data=x.h5 --run.output=m
strange() { # EXPRESSION
    make_data new.h5 "$1"
    rm -f y.h5
    run 2 1 predict --model=m/run.h5 --input=new.h5 --output=y.h5 --rows-per-round=30
}
strange "X[150, 6] = 1e300; X[99, 2] = 1e5"
expect_error 3 "new.h5: row 150, column 6 .*beyond single precision" "a value that overflows"
expect_no_file y.h5 "no file"
strange "X[150, 6] = 9.96921e36; X[77, 2] = -1000"
expect_exit 0 "fill values"
expect_out "WARNING +2 of 200 rows hold values far beyond .* row 77, column 2 " "the rows are told"
python_check "what is written is finite" "
f = h5py.File('y.h5'); print('ok' if np.isfinite(f['embedding'][:]).all() and np.isfinite(f['confidence'][:]).all() else 'no')"
run 0 1 check y.h5
expect_exit 0 "check"
strange "X = X * 2"
expect_no_out "far beyond" "twice the range is no reason"
done_testing
