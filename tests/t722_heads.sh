#!/usr/bin/env bash
# IMSAT and DEPICT as programs: IMSAT trains no autoencoder and stores none, its distinctive term changes its result; without
# the term of the marginal it collapses and says so; networks with batch norm and layer norm are pretrained, jointly and layer
# by layer; predict uses the running moments; weights of a network with another norm are refused.
# limit: 600
. "$(dirname "$0")/lib.sh"

common=(fit --input.rows=800 --cluster.batch=100 --cluster.update_interval=40 --cluster.optimizer=adam --cluster.tol=0)
imsat=("${common[@]}" --cluster.method=imsat "--model.encoder=dense 40 bn relu, dense 20 bn relu" --cluster.max_iter=200
    --cluster.lr=0.002)
depict=("${common[@]}" --cluster.method=depict "--model.encoder=dense 40 bn leaky_relu, dense 20 ln leaky_relu, dense 10"
    --pretrain.epochs=10 --pretrain.optimizer=adam --pretrain.lr=0.001 --cluster.max_iter=80 --cluster.lr=0.001)

run 1 1 "${imsat[@]}" --run.output=imsat
expect_exit 0 "imsat"
expect_no_out "pretrain  " "imsat trains no autoencoder"
run 0 1 info imsat/run.h5
expect_exit 0 "info of its result"
run_cmd /usr/bin/python3 -c 'import h5py
f = h5py.File("imsat/run.h5")
print(*sorted(f["model"]), *sorted(f["model/encoder_0"]))'
expect_out '^encoder_0 encoder_1 head_0 bias gamma mean variance weight$' "imsat stores its networks, and no decoder"
run 1 1 "${imsat[@]}" --imsat.radius=0 --run.output=still
expect_exit 0 "imsat without moved rows"
run 0 1 compare imsat/run.h5 still/run.h5
expect_exit 1 "moved rows change the result"
run 1 1 "${imsat[@]/max_iter=200/max_iter=2000}" --imsat.mu=0 --imsat.lambda=10 --run.output=alone
expect_out 'stop: collapsed after .*; the mean of p has left most clusters' "without the marginal term imsat collapses"
expect_out 'raise imsat.mu' "and gives advice"
expect_no_out 'pretrain longer' "which is not to pretrain: imsat does not"
run 1 1 "${imsat[@]}" --pretrain.epochs=3 --run.output=none
expect_exit 2 "imsat has no pretraining"
expect_err 'imsat, which has no pretraining' "says why"
run 1 1 "${imsat[@]}" --cluster.final_kmeans=true --run.output=none
expect_exit 2 "a head takes no centres from k-means"
run 1 1 "${imsat[@]}" --imsat.neighbours=900 --run.output=none
expect_error 3 '800 rows have no 900 other rows each; lower imsat.neighbours' "too few rows for the radius"
run 1 1 "${imsat[@]}" --imsat.neighbours=900 --run.output=none --dry-run
expect_error 3 '800 rows have no 900 other rows each; lower imsat.neighbours' "also by a dry run"

run 1 1 "${depict[@]}" --run.output=depict
expect_exit 0 "depict, with batch norm and layer norm"
expect_out 'pretrain  ' "depict pretrains"
run 1 1 "${depict[@]}" --depict.hidden=0 --depict.dropout=0 --run.output=plain
run 0 1 compare depict/run.h5 plain/run.h5
expect_exit 1 "noise and hidden layers change the result"
loss() { py "print(h5py.File('$1/run.h5')['history/pretrain/loss'][-1])"; }
number_between "$(loss plain)" 0.0001 "$(loss depict)" "both count in pretraining, too"
run 1 1 "${depict[@]/tol=0/tol=1}" --model.weights=depict/run.h5 --depict.label_epochs=5 --run.output=labels
expect_out "stop: converged after 80 steps" "while the labels of k-means are learnt, the run does not end because they stay"
run 2 1 "${depict[@]}" --pretrain.mode=layerwise --pretrain.layer_steps=30 --run.output=layers
expect_exit 0 "depict pretrained layer by layer"
run 1 1 "${depict[@]}" --model.weights=depict/run.h5 --run.output=again
expect_exit 0 "its autoencoder is the start of another run"
run 1 1 "${depict[@]/dense 40 bn/dense 40}" --model.weights=depict/run.h5 --run.output=none
expect_exit 2 "weights trained with a norm are not taken without"
expect_err "encoder_0 has the norm 'bn' there and '' in the deck" "and it says which"
run 1 1 "${imsat[@]}" --model.weights=depict/run.h5 --run.output=none
expect_error 2 "depict/run.h5 .model.weights. holds an encoder with a decoder, and the deck's cluster.method trains one without a decoder" \
    "weights of an autoencoder for a method without a decoder"
run 1 1 "${depict[@]}" --model.weights=imsat/run.h5 --run.output=none
expect_error 2 "imsat/run.h5 .model.weights. holds an encoder without a decoder, and the deck's cluster.method trains one with a decoder" \
    "and the other way round"

# predict knows the running moments: bits of the run's own rows, on other ranks.
py 'import h5py, numpy as np
r = np.random.default_rng(1)
y = r.integers(0, 4, 700)
h5py.File("own.h5", "w")["X"] = (r.normal(0, 4, (4, 12))[y] + r.normal(0, 1, (700, 12))).astype("f4")'
for method in imsat depict; do
    args=("${imsat[@]/rows=800/rows=0}")
    [ $method = imsat ] || args=("${depict[@]/rows=800/rows=0}")
    run 1 2 "${args[@]}" --input.data=own.h5 --cluster.clusters=4 --run.output=own-$method
    expect_exit 0 "$method on a file"
    run 2 1 predict --force --model=own-$method/run.h5 --input=own.h5 --output=p.h5
    expect_exit 0 "predict by $method"
    run_cmd /usr/bin/python3 -c "import h5py
a, b = h5py.File('own-$method/run.h5'), h5py.File('p.h5')
print(all(a[n][:].tobytes() == b[n][:].tobytes() for n in ('labels', 'confidence', 'embedding')))"
    expect_out '^True$' "with the bits of the run of $method"
done
done_testing
