#!/usr/bin/env bash
# DCAN and AAE do what they say: their losses fall, their labels are not those of k-means on the same weights, without their
# adversarial loss the result is another one, a failure stands in the line of the stop; new rows get the run's labels.
# limit: 300
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"
python=/usr/bin/python3
$python -c "import h5py" 2>/dev/null || skip_test "python3-h5py is not installed"

# shellcheck disable=SC2206  # several options
common=(fit $small --model.hidden=[30,20] --pretrain.epochs=10 --cluster.max_iter=120 --cluster.update_interval=30
    --cluster.optimizer=adam --cluster.lr=0.001)
dcan=("${common[@]}" --cluster.method=dcan)
aae=("${common[@]}" --cluster.method=aae --cluster.clusters=4 --aae.discriminator=[20])

# value DIR COLUMN ITER: of a record of clustering.
value() { sed -nE "s/.*\"phase\": \"cluster\", \"iter\": $3, .*\"$2\": ([^,]*),.*/\1/p" "$1/metrics.jsonl"; }
# falls DIR COLUMN WHAT: from the first interval to the last.
falls() {
    ok "$3: $(value "$1" "$2" 30), then $(value "$1" "$2" 120)" \
        awk -v a="$(value "$1" "$2" 30)" -v b="$(value "$1" "$2" 120)" 'BEGIN { exit !(a != "" && b != "" && b < a) }'
}
plain=()
for option in "${common[@]}"; do
    [[ $option =~ ^--cluster.(batch|update_interval|max_iter|tol|optimizer|lr)= ]] || plain+=("$option")
done
run 1 1 "${plain[@]}" --cluster.method=aekm --run.output=aekm
expect_exit 0 "aekm"
run 2 1 "${dcan[@]}" --run.output=dcan
expect_exit 0 "dcan"
expect_out "stop: max_iter after 120 steps$" "no failure is seen"
run 1 1 "${dcan[@]}" --dcan.weight=0 --run.output=still
expect_exit 0 "dcan without its loss"
falls still discriminator "the discriminator of an encoder that stands still learns"
is "$(value still changed 120)" 0 "without its loss no label changes"
# agree DIR DIR: share of rows whose labels agree.
agree() { "$dcmpi" compare "$1/run.h5" "$2/run.h5" | sed -nE 's/^labels: .*matched ([0-9.]+).*/\1/p'; }
is "$(agree aekm still)" 1.000000 "and they are those of k-means"
number_between "$(agree aekm dcan | sed 's/0*\.0*//')" 1 999999 "with its loss they are not"

bn=(--model.encoder="dense 30 bn relu, dense 7 bn")
for option in "${aae[@]}"; do [[ $option == --model.* ]] || bn+=("$option"); done
run 1 2 fit "${bn[@]/#fit/--run.seed=1}" --run.output=aae
expect_exit 0 "aae"
falls aae step_recon "its reconstruction improves"
run 1 1 fit "${bn[@]/#fit/--run.seed=1}" --aae.weight=0 --run.output=alone
expect_exit 0 "aae without its loss"
number_between "$(agree aae alone | sed 's/0*\.0*//')" 1 999999 "other labels"
run 1 1 "${aae[@]}" --aae.encoder_lr=0.3 --run.output=few
expect_exit 0 "aae with a rate that is too high"
expect_out "stop: [a-z_]+ after [0-9]+ steps; rows fall into less than half of the categories$" "named in the line of the stop"
expect_out "WARNING +rows fall into less than half of the categories: .*batch norm" "with advice"
run 2 1 "${common[@]}" --cluster.method=aae --run.output=narrow
expect_error 2 "model.latent is 5" "says what is too narrow"

# New rows.
$python -c "
import h5py, numpy as np
x = np.random.default_rng(1).random((600, 16), dtype=np.float32)
with h5py.File('own.h5', 'w') as f: f['X'] = x"
for method in dcan aae; do
    declare -n args=$method
    own=("${args[@]/#--input.rows=600/--input.data=own.h5}")
    run 2 1 "${own[@]}" --run.output=own-$method
    expect_exit 0 "$method on rows of a file"
    run 3 1 predict --force --model=own-$method/run.h5 --input=own.h5 --output=p.h5
    expect_exit 0 "$method: predict"
    is "$($python -c "
import h5py
a, b = h5py.File('own-$method/run.h5'), h5py.File('p.h5')
print(all(a[n][:].tobytes() == b[n][:].tobytes() for n in ('labels', 'confidence', 'embedding')))")" True "$method: the rows of the run get its labels"
done
done_testing
