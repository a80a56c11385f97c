#!/usr/bin/env bash
# Every verb on input that is not its own: text, an empty file, a directory, a FIFO, a device, a truncated file, links to
# nowhere, odd and long names, files of the other verbs. One line, the documented exit code, no hang, nothing left behind.
# limit: 240
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

$python - <<'EOF'
import h5py, numpy as np
r = np.random.default_rng(1)
def save(path, name, values):
    with h5py.File(path, "w") as f: f[name] = values
save("data.h5", "X", r.normal(size=(60, 12)).astype("f4"))
save("narrow.h5", "X", r.normal(size=(60, 7)).astype("f4"))
save("floats.h5", "labels", np.zeros(60, "f4"))
save("texts.h5", "labels", np.array([b"a"] * 60))
save("negative.h5", "labels", np.full(60, -1, "i4"))
save("other.h5", "labels", np.arange(60, dtype="i4"))
save("far.h5", "labels", np.where(np.arange(60) < 20, 2**31 - 1, np.arange(60) % 2).astype("i4"))
save("two.h5", "labels", np.where(np.arange(60) < 20, 5, np.arange(60) % 2).astype("i4"))
save("rows.h5", "labels", np.arange(9000, dtype="i4"))
save("rows2.h5", "labels", np.arange(9000, dtype="i4")[::-1].copy())
with h5py.File("group.h5", "w") as f: f.create_group("labels")
EOF
run 1 1 --input.data=data.h5 --input.rows=0 --cluster.clusters=3 --model.hidden=[8] --model.latent=2 --pretrain.epochs=2 \
    --cluster.n_init=1 --cluster.max_iter=30 --run.output=run
expect_exit 0 "a result"
printf 'input: {data: narrow.h5}\ncluster: {clusters: 3, n_init: 1}\n' >kmeans.yaml
run 1 1 kmeans kmeans.yaml --run.output=raw
expect_exit 0 "a result of k-means"
run 1 1 predict --model=run/run.h5 --input=data.h5 --output=prediction.h5
expect_exit 0 "a prediction"

echo "some text" >text
: >empty
mkdir dir
mkfifo fifo
head -c 3000 run/run.h5 >short
ln -s loop loop
ln -s nowhere dangling
newline=$'new\nline'
long_name=$(printf 'n%.0s' $(seq 255))
long_path=$(printf 'd/%.0s' $(seq 2500))x

limit=20
# Exit codes of: a file to look at (info, check, compare, model); rows (convert, predict --input, input.data); the deck;
# model.weights; run.output (--dry-run).
on() { # FILE LOOK ROWS DECK WEIGHTS OUTPUT REGEX
    local file=$1 name=${1:0:20}
    name=${name//$'\n'/ }
    shift
    run 0 1 info "$file"
    expect_error "$1" "$6" "info $name"
    run 0 1 check "$file"
    expect_error "$1" "$6" "check $name"
    run 0 1 compare run/run.h5 "$file"
    expect_error "$1" "$6" "compare with $name"
    run 0 1 predict --model="$file" --input=data.h5 --output=out.h5
    expect_error "$1" "$6" "$name as model"
    run 0 1 convert "$file" out.h5
    expect_error "$2" "" "convert $name"
    run 0 1 predict --model=run/run.h5 --input="$file" --output=out.h5
    expect_error "$2" "$6" "predict rows of $name"
    run 0 1 fit "$file"
    expect_error "$3" "" "$name as deck"
    if [ ${#file} -lt 4096 ] && [ "$file" != "$newline" ]; then # which the deck refuses by themselves
        run 0 1 --input.data="$file" --run.output=out
        expect_error "$2" "$6" "fit on $name"
        run 0 1 --model.weights="$file" --run.output=out
        expect_error "$4" "$6" "weights of $name"
        run 0 1 --dry-run --run.output="$file"
        if [ "$5" = 0 ]; then expect_exit 0 "output in $name"; else expect_error "$5" "" "output in $name"; fi
    fi
    rm -rf out
    expect_no_file out.h5 "no prediction and no data file is left"
}
on text 6 3 2 6 4 "text .10 bytes. is not an HDF5 file"
on empty 6 3 2 6 4 "empty .0 bytes. is not an HDF5 file"
on dir 6 3 2 6 0 "dir is a (directory|folder)"
on fifo 6 3 2 6 4 "fifo is a pipe"
on /dev/zero 6 3 2 6 4 "zero is a device"
on short 6 3 2 6 4 "short"
on loop 4 4 2 4 4 "Too many levels of symbolic links"
on dangling 4 4 2 4 4 "dangling: No such file"
on "$newline" 4 4 2 - - 'new.+line: No such file'
on "$long_name" 4 4 2 4 0 "nnn: No such file"
on "$long_path" 4 4 2 - - "d/d/d"

run 0 1 predict --model=data.h5 --input=data.h5 --output=out.h5
expect_error 6 "data.h5 is not a result of dcmpi" "data as model"
run 0 1 predict --model=prediction.h5 --input=data.h5 --output=out.h5
expect_error 6 "it is a prediction" "a prediction as model"
run 0 1 predict --model=raw/run.h5 --input=data.h5 --output=out.h5
expect_error 3 "data.h5 has 12 columns, the model of raw/run.h5 was trained on 7" "k-means of other data as model"
run 0 1 --input.data=data.h5 --input.rows=0 --model.weights=raw/run.h5 --run.output=out
expect_error 6 "has no /model/encoder_0/weight" "k-means as pretrained weights"
run 0 1 predict --model=run/run.h5 --input=run/run.h5 --output=out.h5
expect_error 3 "is the result of a run, not data" "a result as rows"
run 0 1 convert run/run.h5 out.h5
expect_error 3 "choose one with --dataset" "a result to convert"

run 0 1 compare run/run.h5 data.h5
expect_exit 1 "a result is not equal to data"
expect_out '^/X +only in data.h5$' "and what differs is said"
run 0 1 compare far.h5 two.h5
expect_exit 1 "labels up to 2147483647 against others"
expect_out '^labels: ARI 1.000000  NMI 1.000000  matched 1.000000$' "which say the same"
run 0 1 compare rows.h5 rows2.h5
expect_exit 1 "row numbers as labels"
expect_out '^labels: ARI 1.000000  NMI 1.000000  matched 1.000000$' "are as good as any"
for labels in floats texts negative; do
    run 0 1 compare other.h5 $labels.h5
    expect_exit 1 "labels against $labels"
    expect_no_out '^labels:' "no scores of what are no labels"
done
run 0 1 compare group.h5 other.h5
expect_error 6 "'/labels' is a group" "a group against a dataset is no equality"
run 0 1 compare group.h5 group.h5
expect_error 6 "holds a dataset to compare" "nothing to compare is no equality"

for name in 'two words.h5' 'größe-数.h5' "$newline.h5" '%n%s$(x).h5'; do
    cp data.h5 "$name"
    run 0 1 check "$name"
    expect_exit 0 "check '${name//$'\n'/ }'"
    run 0 1 convert "$name" "converted $name"
    expect_exit 0 "and convert"
    run 0 1 predict --model=run/run.h5 --input="$name" --output="predicted $name"
    expect_exit 0 "and predict"
    run 0 1 compare prediction.h5 "predicted $name"
    expect_exit 0 "with the same result"
done
done_testing
