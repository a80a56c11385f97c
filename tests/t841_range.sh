#!/usr/bin/env bash
# long: yes
# Values far outside their columns: fit, kmeans and convert name row, column, value, how many, and what helps; advice for
# runs that went wrong names these values and not the learning rate; scalings that they make impossible are refused.
# input.clip and input.scale=robust give the same bits on any number of ranks and threads and in predict, and are kept in the
# result. Data: blobs, seed 1.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

make_data() { # FILE EXPRESSION ...: X of 4 blobs of 250 rows in 20 columns in [0, 1], y their numbers, after the expression
    $python - "$@" <<'PY'
import h5py, numpy as np, sys
for file, expression in zip(sys.argv[1::2], sys.argv[2::2]):
    r = np.random.default_rng(1)
    y = r.integers(0, 4, 1000)
    X = r.uniform(0, .6, (4, 20))[y] + r.normal(0, .05, (1000, 20))
    names = ""
    exec(expression)
    with h5py.File(file, "w") as f:
        f["X"], f["y"] = X, y.astype("i4")
        if names:
            f.attrs["feature_names"] = names
PY
}
four=(--cluster.clusters=4 --cluster.n_init=5)
net=(--model.hidden=[16] --model.latent=3 --pretrain.epochs=10 --pretrain.batch=32 --pretrain.lr=0.1
    --cluster.batch=32 --cluster.update_interval=10 --cluster.max_iter=20)
kmeans() { run "$1" 1 kmeans "${four[@]}" --input.data=x.h5 --run.output="k$((++n))" "${@:2}"; }
n=0

# ---- What is told
names='names = "\n".join("gene %d" % i for i in range(20))'
make_data x.h5 "X[500, 7] = 9999; X = X.astype('f4'); $names"
for scale in dec none robust; do
    kmeans 1 --input.scale=$scale
    expect_out "WARNING .*row 500, column 7 \('gene 7'\): 9999 is .*input.clip=0.002 or input.clip=\[-0[.].*--missing" "one cell, $scale"
done
expect_no_out "RESULT .*acc=1.000" "which k-means cannot do with"
kmeans 1 --input.scale=unit
expect_out "WARNING .*9999 .*input.scale=unit then leaves 0.00[0-9]+ % of \[0, 1\] to all other values" "what it does to unit"
kmeans 1 --input.scale=minmax
expect_out "WARNING .*9999 .*input.scale=minmax then leaves 0.00[0-9]+ % of \[0, 1\] to the others of the column" "to minmax"
kmeans 2 --input.scale=standard
expect_out "WARNING .*9999 .*makes about 100 % of the variance that input.scale=standard" "to standard"
told=() files=()
plant() { # WHAT EXPRESSION REGEX
    files+=("told${#told[@]}.h5" "$2")
    told+=("$1" "$3")
}
plant "a code in one column" "X[3::50, 4] = -999" "column 4 holds -999 in 20 rows, first in row 3: "
plant "a code in most rows of a column" "X[r.random(1000) < .7, 4] = 1e20" "column 4 holds 1e\+20 in [67][0-9]+ rows, first in row"
plant "a code in all columns" "X[r.random(X.shape) < .2] = -9999" "-9999 occurs in 20 columns, [34][0-9]+ times in all, first in row [0-9]+, column [0-9]+: "
plant "one row of other units" "X[77] = 1000 * X[77]" "row 77 is far outside in 20 columns, first in column 0: "
plant "one row of codes" "X[77] = 9999" "9999 occurs in 20 columns, 20 times in all, first in row 77, column 0: "
plant "wild values of one column" "X[[5, 900, 30], 2] = [-88, -77.5, -70]" "column 2 holds 3 values, the first -88 in row 5"
plant "the smallest float32" "X[9::10, 1] = -3.4028235e38; X = X.astype('f4')" "column 1 holds -3.40282347e\+38 in 100 rows, first in row 9"
plant "the smallest int16" "X = np.round(50 * X); X[8, 3] = -32768" "row 8, column 3: -32768 is "
plant "bytes filled up with 255" "X = (40 * X).clip(0, 40).astype('u1'); X[::7, 5] = 255" "column 5 holds 255 in 143 rows, first in row 0"
plant "a column of nothing else" "X[:, 5] = -9999" "column 5 is -9999 in every row"
quiet=("X[:] = r.standard_cauchy(X.shape)" "X[:] = r.poisson(.02, X.shape)" "X[:, 3] = y == 0" "X[:] = np.exp(r.normal(0, 2, X.shape))"
    "X = (r.random(X.shape) < .01) * np.ceil(r.pareto(1, X.shape)); X[:4, 0] = 7 + np.arange(4)")
for k in "${!quiet[@]}"; do files+=("quiet$k.h5" "${quiet[k]}"); done
make_data "${files[@]}"
for ((k = 0; k < ${#told[@]}; k += 2)); do
    mv "told$k.h5" x.h5
    kmeans $((k == 0 ? 3 : 1)) --input.scale=none
    expect_out "WARNING .*${told[k + 1]}" "${told[k]}"
    is "$(grep -c 'WARNING.*column' "$out")" 1 "in one line"
done
for k in "${!quiet[@]}"; do
    mv "quiet$k.h5" x.h5
    kmeans 1 --input.scale=unit
    expect_no_out "WARNING" "nothing of ${quiet[k]}"
done

# ---- convert
make_data x.h5 "X[500, 7] = 9999; np.savetxt('x.csv', X, '%.5f', ',', header=','.join('g%d' % i for i in range(20)), comments='')"
run 0 1 convert x.csv y.h5
expect_exit 0 "convert"
expect_out "WARNING y.h5: row 500, column 7 \('g7'\): 9999 is .*input.clip=" "convert tells, too"
make_data x.h5 "np.savetxt('x.csv', X, '%.5f', ',')"
run 0 1 convert x.csv y2.h5
expect_no_out "WARNING" "and says nothing of others"

printf '1.5,2\n3.5,4\n' >few.csv
run 0 1 convert few.csv few.h5
expect_no_out "WARNING" "of two rows none is far from the others"
printf '1,2\n3,4\n5,-9999\n2,3\n4,6\n' >code.csv
run 0 1 convert code.csv code.h5
expect_out "WARNING .*row 2, column 1: -9999" "but a code is"

# ---- Scalings that are impossible, runs that go wrong
make_data x.h5 "X[500, 7] = -3.4e38; X = X.astype('f4')"
for scale in unit symmetric minmax robust; do
    ranks=$([ "$scale" = unit ] && echo 2 || echo 1)
    kmeans "$ranks" --input.scale="$scale"
    expect_error 3 "spans \[-3.4e\+38, .*row 500, column 7: -3.39999995e\+38\): correct them, or clip them \(input.clip\)" "$scale of -3.4e38"
done
kmeans 1 --input.scale=minmax --input.clip=0.002
expect_exit 0 "clipped it can be done"
is "$(result_value acc)" 1.000 "and all is well"
make_data x.h5 "X[500, 7] = 1e30"
run 2 1 fit "${net[@]}" "${four[@]}" --model.activation=linear --input.data=x.h5 --input.scale=none --run.output=diverges
expect_error 5 "pretraining diverged: .*values far outside dominate the data \(row 500, column 7: 1e\+30\): correct them or clip them" "a run that diverges"
expect_out "WARNING pretrain diverged at .*\(row 500, column 7: 1e\+30\)" "and its warning"
make_data x.h5 "X[500, 7] = 9999; X = X.astype('f4')"
run 1 1 fit --model.hidden=[8] --model.latent=2 --pretrain.epochs=1 --pretrain.batch=32 --cluster.clusters=10 \
    --cluster.n_init=1 --cluster.batch=32 --cluster.update_interval=20 --cluster.max_iter=400 --cluster.lr=20 \
    --cluster.tol=0 --input.data=x.h5 --input.scale=standard --run.output=collapses
expect_out "WARNING +collapsed: .*row 500, column 7: 9999" "a run that collapses"
expect_no_out "WARNING +collapsed: .*lower" "the learning rate is not blamed"

# ---- input.clip and robust
kmeans 1 --input.clip=0.002
is "$(result_value acc)" 1.000 "clipped at quantiles"
expect_no_out "WARNING" "nothing is far outside then"
expect_out "clip +[0-9]+ of 20000 values were beyond input.clip" "how many were clipped"
kmeans 1 --input.clip=[-1,2]
is "$(result_value acc)" 1.000 "clipped to a range"
expect_out "clip +1 of 20000 values" "one value"
for settings in "--input.clip=[-0.1,0.5] --input.scale=standard" "--input.clip=0.05 --input.scale=robust"; do
    read -ra set <<<"$settings"
    for at in "1 1" "3 2"; do
        read -ra PT <<<"$at"
        run "${PT[@]}" fit "${net[@]}" "${four[@]}" --input.data=x.h5 "${set[@]}" --run.output="f${PT[0]}$n"
        expect_exit 0 "$settings on $at"
        [ "$at" = "1 1" ] && continue
        run 0 1 compare "f1$n/run.h5" "f${PT[0]}$n/run.h5"
        expect_exit 0 "the same bits"
    done
    run 2 1 predict --model="f1$n/run.h5" --input=x.h5 --output="p$n.h5"
    expect_exit 0 "predict"
    run 0 1 compare "f1$n/run.h5" "p$n.h5"
    expect_exit 0 "gives the labels and the embedding of the run"
    run 0 1 check "f1$n/run.h5"
    expect_exit 0 "check"
    n=$((n + 1))
done
kmeans 3 --input.clip=0.01 --input.scale=robust
run 1 1 predict --model="k$n/run.h5" --input=x.h5 --output=pk.h5
run 0 1 compare "k$n/run.h5" pk.h5
expect_exit 0 "k-means and predict"
is "$($python - "k$n" <<'PY'
import h5py, numpy as np, sys
f = h5py.File(sys.argv[1] + "/run.h5"); X = h5py.File("x.h5")["X"][:].astype("f8")
lo, hi = np.quantile(X, .01, axis=0), np.quantile(X, .99, axis=0)
C = X.clip(lo, hi)
q = np.quantile(C, [.25, .5, .75], axis=0)
print((f["scaling/clip_lo"][:] == lo).all() and (f["scaling/clip_hi"][:] == hi).all()
      and np.allclose(f["scaling/shift"][:], q[1], rtol=1e-6) and np.allclose(f["scaling/scale"][:], 1 / (q[2] - q[0]), rtol=1e-6))
PY
)" True "bounds and scaling are those of numpy"

# ---- What a continued run and first weights must share
kmeans 1 --input.clip=0.02
run 1 1 kmeans "${four[@]}" --input.data=x.h5 --run.output="k$n" --input.clip=0.03
expect_error 6 "input.clip is 0.03, was 0.02" "other bounds are another deck"
run 1 1 fit "${net[@]}" "${four[@]}" --input.data=x.h5 --input.clip=0.01 --run.output=first
run 1 1 fit "${net[@]}" "${four[@]}" --input.data=x.h5 --model.weights=first/run.h5 --run.output=second
expect_error 2 "first/run.h5 .*was trained with" "weights of another scaling"
run 1 1 fit "${net[@]}" "${four[@]}" --input.data=x.h5 --input.clip=0.01 --model.weights=first/run.h5 --run.output=second
expect_exit 0 "weights of the same bounds"
for bad in 0 0.5 0.7 [1,0] [1] x; do
    run 0 1 fit --dry-run --input.data=x.h5 --input.clip="$bad" --run.output=no
    expect_error 2 "input.clip" "input.clip=$bad"
done
done_testing
