#!/usr/bin/env bash
# IDEC with a convolutional autoencoder (DCEC): the same bits on any number of ranks and threads, by gathered rows and by the
# tree, with pooling and tied kernels, pretrained as a whole or layer by layer, also when continued from any step; predict
# gives the labels of the run, also if only the data say what images they are; weights of another window are refused; the
# clustering loss changes the result; images that do not fit are refused by layer and column.
# limit: 900
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

$python - <<'EOF'
import h5py, numpy as np
r = np.random.default_rng(1)
y = r.integers(0, 4, 300)
glyph = r.random((4, 8, 6)) > 0.6
X = np.clip(255 * (0.7 * glyph[y] + 0.4 * r.random((300, 8, 6))), 0, 255).astype("u1")
with h5py.File("images.h5", "w") as f: f["X"] = X
with h5py.File("flat.h5", "w") as f: f["X"] = X.reshape(300, 48)
EOF

enc="conv 3x3x4 /2 relu, conv 3x3x6 /2 relu, dense 5"
common=(fit --parallel.shards=8 --run.log_interval=0.001s
    --cluster.clusters=4 --cluster.n_init=3 --pretrain.batch=60 --cluster.batch=60 --cluster.tol=0 --pretrain.epochs=4
    --cluster.max_iter=12 --cluster.update_interval=5 --cluster.optimizer=adam --cluster.lr=0.001 --cluster.method=idec)
base=("${common[@]}" --input.data=flat.h5 "--input.image_shape=[8,6]")

bits() { # NAME P T ARGS...: a run on P ranks x T threads has the bits of good/
    local name=$1 p=$2 t=$3
    shift 3
    rm -rf other
    run "$p" "$t" "$@" --run.output=other
    expect_exit 0 "$name on $p ranks x $t threads"
    run 0 1 compare good/run.h5 other/run.h5
    expect_exit 0 "$name: the same bits on $p ranks x $t threads" || cat "$out"
}

check() { # NAME "P T" ... -- ARGS...: a run has the same bits everywhere
    local name=$1 settings=()
    shift
    while [ "$1" != -- ]; do settings+=("$1") && shift; done
    shift
    rm -rf good
    run 1 1 "${base[@]}" "$@" --run.output=good
    expect_exit 0 "$name"
    for setting in "${settings[@]}"; do
        # shellcheck disable=SC2086  # two numbers
        bits "$name" $setting "${base[@]}" "$@"
    done
}

same() { # RUN PREDICTION
    $python -c "
import h5py, sys
a, b = (h5py.File(f) for f in sys.argv[1:])
print('ok' if all(a[n][:].tobytes() == b[n][:].tobytes() for n in ('labels', 'embedding')) else 'other')" "$@"
}

check "kernels, by the tree" "3 2" -- --model.encoder="$enc" --parallel.gather_rows=0
check "tied kernels" "3 2" -- --model.encoder="$enc" --model.decoder="tied ~encoder"
check "pooling" "3 2" -- --model.encoder="conv 3x3x4 relu, maxpool 2x2, avgpool 2x2 /1 same, dense 5" \
    --model.decoder="dense 4x3x4 relu, deconv 3x3x1 /2"
check "batch norm by channel" "3 2" -- --model.encoder="conv 3x3x4 /2 bn relu, conv 3x3x6 /2 bn relu, dense 5"
run 2 1 predict --model=good/run.h5 --input=flat.h5 --output=normed.h5
expect_exit 0 "predict by the running moments of channels"
is "$(same good/run.h5 normed.h5)" ok "gives the labels and the embedding of the run"
check "layer by layer" "2 2" -- --model.encoder="$enc" --pretrain.mode=layerwise --pretrain.layer_steps=5
check "gamma 0" -- --model.encoder="$enc" --idec.gamma=0
mv good/run.h5 alone.h5
check "kernels" "1 2" "5 1" -- --model.encoder="$enc"
run 0 1 compare alone.h5 good/run.h5
expect_exit 1 "the clustering loss changes the result"

args=("${base[@]}" --model.encoder="$enc")
run 2 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_same all "saved all the time"
list_saved all
for step in 1 5 12; do continue_from cluster $step; done

run 2 1 predict --model=good/run.h5 --input=flat.h5 --output=flat-labels.h5
expect_exit 0 "predict"
is "$(same good/run.h5 flat-labels.h5)" ok "predict gives the labels and the embedding of the run"
run 1 1 "${common[@]}" --model.encoder="$enc" --input.data=images.h5 --run.output=found
expect_exit 0 "the shape of the images comes from the data"
run 1 1 predict --model=found/run.h5 --input=images.h5 --output=labels.h5
expect_exit 0 "predict with the shape from the result"
is "$(same good/run.h5 labels.h5)" ok "the same labels"

run 1 1 "${args[@]}" --model.weights=good/run.h5 --run.output=further
expect_exit 0 "weights of another run"
run 1 1 "${base[@]}" --model.encoder="conv 3x3x4 /2 relu pad=1, conv 3x3x6 /2 relu, dense 5" --model.weights=good/run.h5 \
    --run.output=refused
expect_exit 2 "weights of another window"
expect_err "layer encoder_0 was trained with another kernel, stride, padding or size of images" "what differs"

refuse() { # MESSAGE ARGS...
    local message=$1
    shift
    run 1 1 "${common[@]}" --input.data=flat.h5 "$@" --run.output=refused
    expect_exit 2 "refused: $*"
    expect_err "$message" "it says why"
}
refuse "nothing says what images the rows of 48 columns are: set input.image_shape" --model.encoder="$enc"
refuse "model.encoder: column 29, layer encoder_1: its window of 5x5 does not fit into images of 4x3x4" \
    "--input.image_shape=[8,6]" --model.encoder="conv 3x3x4 /2 relu, conv    5x5x6 valid, dense 5"
refuse "is maxpool, which ~encoder cannot mirror" "--input.image_shape=[8,6]" --model.encoder="conv 3x3x4, maxpool 2x2, dense 5"
refuse "mirror" "--input.image_shape=[8,6]" --model.encoder="conv 3x3x4, dense 5" --pretrain.mode=layerwise \
    --model.decoder="dense 3, dense 9, dense data"
done_testing
