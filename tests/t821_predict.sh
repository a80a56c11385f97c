#!/usr/bin/env bash
# predict gives the rows of a run the same labels, confidence and embedding as the run, bit by bit, on any number of ranks and
# in any pieces; new rows get scores; every error ends with one line. Data: 6 blobs, seed 1.
# limit: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

$python - <<'EOF'
import h5py, numpy as np
r = np.random.default_rng(1)
centres = r.normal(0, 4, (6, 20))
def blobs(n):
    y = r.integers(0, 6, n)
    return centres[y] + r.normal(0, 1, (n, 20)), (3 * y - 5).astype("i4")
def save(path, X, y=None):
    with h5py.File(path, "w") as f:
        f["X"] = X
        if y is not None: f["y"] = y
X, y = blobs(1501)
save("own.h5", X.astype("f4"), y)
order = r.permutation(1501)
save("moved.h5", X.astype("f4")[order])
np.save("order.npy", order)
new, y_new = blobs(700)
save("new.h5", new.astype("f4"), y_new)
save("half.h5", new.astype("f2"))
save("double.h5", new.astype("f4").astype("f8"))
save("three.h5", X[:3].astype("f4"))
save("wide.h5", np.zeros((10, 21), "f4"))
bad = new.astype("f4"); bad[555, 7] = np.nan
save("nan.h5", bad)
h5py.File("foreign.h5", "w")["A"] = np.arange(5)
EOF
cat >deck.yaml <<'EOF'
input: {data: own.h5}
model: {hidden: [32], latent: 5}
pretrain: {epochs: 3}
cluster: {clusters: 6, n_init: 4, max_iter: 150}
EOF
printf 'input: {data: own.h5}\ncluster: {clusters: 6, n_init: 4}\n' >kmeans.yaml

same() { # RUN PREDICTION [order]: equal bits, prints ok
    run_cmd $python -c "
import h5py, numpy as np, sys
a, b = h5py.File(sys.argv[1]), h5py.File(sys.argv[2])
rows = np.load('order.npy') if len(sys.argv) > 3 else slice(None)
names = [n for n in ('labels', 'confidence', 'embedding') if n in a]
equal = [a[n][:][rows].tobytes() == b[n][:].tobytes() for n in names]
print('ok' if all(equal) and ('embedding' in a) == ('embedding' in b) else dict(zip(names, equal)))" "$@"
    tail -n 1 "$out"
}

run 2 1 deck.yaml --run.output=dec
expect_exit 0 "a run on 2 ranks"
run 1 2 deck.yaml --cluster.final_kmeans=true --run.output=final
expect_exit 0 "a run with final k-means, 2 threads"
run 1 1 deck.yaml --parallel.gemm=cblas --run.output=blas
expect_exit 0 "a run with the other GEMM"
run 3 1 kmeans kmeans.yaml --run.output=raw
expect_exit 0 "k-means on the data, 3 ranks"

own_rows() { # NAME RANKS THREADS
    run "$2" "$3" predict --force --model="$1/run.h5" --input=own.h5 --output=p.h5 --rows-per-round=100
    expect_exit 0 "$1: own rows on $2 ranks x $3 threads"
    is "$(same "$1/run.h5" p.h5)" ok "$1: the same bits"
}
for setting in "1 1" "3 1" "1 2"; do
    read -r p t <<<"$setting"
    own_rows dec "$p" "$t"
done
for name in final blas raw; do
    own_rows $name 3 2
done
run 1 1 predict --force --model dec/run.h5 --input own.h5 --output p.h5
expect_out '^RESULT  rows=1501 acc=[0-9.]+ nmi=[0-9.]+ ari=[0-9.-]+ purity=[0-9.]+ f=[0-9.]+ clusters=6 used=[0-9] wall=[0-9.]+s$' "one round; the RESULT line with scores"
acc=$(result_value acc)
is "$(same dec/run.h5 p.h5)" ok "the same bits in one round"
run 0 1 compare dec/run.h5 p.h5
expect_exit 0 "compare finds what a prediction holds equal to the run's"
expect_out '^equal: 5 datasets, bit by bit$' "labels, confidence, embedding, sizes, confusion table"
run 0 1 check p.h5
expect_out '^p.h5: whole: prediction, 1501 rows, 6 clusters' "check finds the prediction whole"

run 2 1 predict --force --model=dec/run.h5 --input=moved.h5 --output=p.h5
expect_out '^RESULT  rows=1501 clusters=6 used=' "without labels no scores"
is "$(same dec/run.h5 p.h5 order)" ok "rows in another order keep their bits"
run 2 1 predict --force --model=raw/run.h5 --input=moved.h5 --output=p.h5
is "$(same raw/run.h5 p.h5 order)" ok "k-means: rows in another order keep their labels"

run 3 1 predict --force --model=dec/run.h5 --input=new.h5 --output=new-p.h5
expect_exit 0 "held-back rows"
number_between "$(result_value acc)" "$(awk "BEGIN { print $acc - .05 }")" "$(awk "BEGIN { print $acc + .05 }")" \
    "their accuracy is that of the run's rows"
run 0 1 compare new-p.h5 dec/run.h5
expect_exit 1 "compare tells other rows from the run's"
expect_out '^/labels +types or shapes differ$' "by their labels"
run 1 1 predict --force --model=dec/run.h5 --input=double.h5 --output=p.h5
ok "float64 rows with the same values get the same labels" $python -c "
import h5py
assert (h5py.File('new-p.h5')['labels'][:] == h5py.File('p.h5')['labels'][:]).all()"
run 2 1 predict --force --model=dec/run.h5 --input=half.h5 --output=p.h5
expect_exit 0 "float16 rows"
run 5 1 predict --force --model=dec/run.h5 --input=three.h5 --output=p.h5
expect_exit 0 "3 rows on 5 ranks"
run 0 1 check p.h5
expect_exit 0 "and the file is whole"
ok "sizes, attributes and scores are there" $python -c "
import h5py
f = h5py.File('new-p.h5')
assert f['clusters/size'][:].sum() == 700 and f['confusion'][:].sum() == 700
assert f.attrs['complete'] == 1 and f.attrs['format'] == b'dcmpi-prediction' and 0 < f['metrics'].attrs['acc'] <= 1"

# The method's keys come from the deck in the file, even if version 0.1.0 wrote it.
run 2 1 deck.yaml --cluster.alpha=3 --run.output=alpha
expect_exit 0 "a run with another alpha, by its name of before"
expect_out "NOTE +cluster.alpha is now dec.alpha; the old names go on working" "which is told"
$python - <<'EOF'
import h5py, shutil, numpy as np
shutil.copy("alpha/run.h5", "before.h5")
with h5py.File("before.h5", "r+") as f:
    text, section = f.attrs["deck"].decode(), "dec:\n  alpha: 3\n"
    assert text.endswith(section)
    f.attrs.create("deck", np.bytes_(text[:-len(section)].replace("cluster:\n", "cluster:\n  alpha: 3\n")))
    f.attrs.create("alpha", 3.0)
EOF
for model in alpha/run.h5 before.h5; do
    run 2 1 predict --force --model=$model --input=own.h5 --output=own-p.h5
    expect_exit 0 "predict with $model"
    is "$(same alpha/run.h5 own-p.h5)" ok "gives the run's confidence"
done

limit=30
wrong() { # CODE REGEX WHAT MODEL INPUT [OUTPUT]
    cp new-p.h5 before.h5
    run 2 1 predict --force --model="$4" --input="$5" --output="${6:-new-p.h5}"
    expect_error "$1" "$2" "$3"
    ok "the older output stays: $3" cmp -s before.h5 new-p.h5
    is "$(echo new-p.h5*)" new-p.h5 "no remains, no lock: $3"
}
head -c 5000 dec/run.h5 >short.h5
$python - <<'EOF'
import h5py, shutil, numpy as np
def change(name, how):
    shutil.copy("dec/run.h5", name)
    with h5py.File(name, "r+") as f: how(f)
change("unfinished.h5", lambda f: f.attrs.modify("complete", 0))
def bend(f): f["model/encoder_1/weight"][0, 0] += 1
change("bent.h5", bend)
change("no-deck.h5", lambda f: f.attrs.__delitem__("deck"))
def deck(f, old, new):
    text = f.attrs["deck"].decode()
    assert old in text
    f.attrs.create("deck", np.bytes_(text.replace(old, new)))
change("bad-deck.h5", lambda f: deck(f, "dec:\n  alpha: 1\n", "dec:\n  alpha: 0\n"))
change("other-deck.h5", lambda f: deck(f, "method: dec\n", "method: idec\n"))
def other_layer(f):
    del f["model/encoder_1/weight"]
    f["model/encoder_1/weight"] = f["model/encoder_0/weight"][:]
change("shape.h5", other_layer)
change("no-centres.h5", lambda f: f.__delitem__("cluster_centers"))
change("method.h5", lambda f: f.attrs.create("method", np.bytes_("unheard-of")))
EOF
echo text >text.h5
wrong 4 "none.h5" "missing model" none.h5 new.h5
wrong 6 "text.h5.*not an HDF5 file" "a model that is text" text.h5 new.h5
wrong 6 "short.h5" "a truncated model" short.h5 new.h5
wrong 6 "foreign.h5 is not a result of dcmpi" "a foreign HDF5 file as model" foreign.h5 new.h5
wrong 6 "it is a prediction" "a prediction as model" p.h5 new.h5
wrong 6 "unfinished.h5 is incomplete" "a model whose run did not finish" unfinished.h5 new.h5
wrong 6 "encoder_1/weight' is damaged" "changed weights" bent.h5 new.h5
wrong 6 "deck" "a missing attribute" no-deck.h5 new.h5
wrong 6 "this program cannot read the deck in bad-deck.h5: .*dec.alpha = 0 is out of range" "a key out of range" bad-deck.h5 new.h5
wrong 6 "other-deck.h5: the deck in it is of method idec, the result of dec" "a deck of another method" other-deck.h5 new.h5
wrong 6 "encoder_1/weight has another shape" "shapes that do not fit" shape.h5 new.h5
wrong 6 "cluster_centers" "no centres" no-centres.h5 new.h5
wrong 6 "unheard-of" "an unknown method" method.h5 new.h5
wrong 3 "wide.h5 has 21 columns, the model of dec/run.h5 was trained on 20" "data of another width" dec/run.h5 wide.h5
wrong 3 "row 555 .*NaN" "NaN in the rows" dec/run.h5 nan.h5
wrong 3 "foreign.h5 has no dataset /X" "a foreign file as data" dec/run.h5 foreign.h5
wrong 4 "none.h5" "missing data" dec/run.h5 none.h5
wrong 2 "is the file of --input" "output = input" dec/run.h5 new.h5 new.h5
wrong 2 "is the file of --model" "output = model" dec/run.h5 new.h5 dec/run.h5
wrong 4 "no/dir" "no output directory" dec/run.h5 new.h5 no/dir/p.h5
run 1 1 predict --force --model=dec/run.h5 --input=new.h5
expect_error 2 "needs --model" "an option is missing"
run 2 1 predict --force --model=dec/run.h5 --input=new.h5 --output=p.h5 --outlier
expect_error 2 "'--outlier' is not an option" "an unknown option"
run 1 1 predict --force --model=dec/run.h5 --input=new.h5 --output=p.h5 --rows-per-round=0
expect_error 2 "rows-per-round" "no rows per round"
# A result from before isa was stored: predict says who wrote it, and still embeds its rows.
cp dec/run.h5 old.h5
$python -c "
import h5py
f = h5py.File('old.h5', 'r+')
del f.attrs['isa']
f.attrs['version'], f.attrs['git'] = b'0.0.9', b'abc1234'"
run 1 1 predict --model=old.h5 --input=own.h5 --output=old-p.h5
expect_exit 0 "a model that does not tell its instruction set"
expect_out "NOTE +the model was written by dcmpi 0.0.9, commit abc1234, which did not store the instruction set" "says who wrote it"
is "$(same dec/run.h5 old-p.h5)" ok "and gives the same bits on the same CPU"
done_testing
