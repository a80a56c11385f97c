#!/usr/bin/env bash
# The shape of images is part of what a network with layers for images computes, wherever it comes from: a run with another
# shape does not go on from it, be it complete, unfinished or shorter; predict warns. For other networks it is only for the report.
# limit: 120
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
py "
r = np.random.default_rng(2)
X = r.normal(size=(4, 48))[np.arange(160) % 4] + .3 * r.normal(size=(160, 48))
for name, shape in (('flat', None), ('wide', [6, 8]), ('wide1', [6, 8, 1]), ('high', [8, 6])):
    with h5py.File(name + '.h5', 'w') as f:
        f['X'] = X.astype('f4')
        if shape: f.attrs['image_shape'] = np.array(shape)"

own=(--parallel.shards=8 --pretrain.steps=8 --pretrain.batch=40 --cluster.clusters=3 --cluster.n_init=2 --cluster.batch=40
    --cluster.update_interval=6 --cluster.tol=0)
conv=("${own[@]}" --model.encoder="conv 3x3x4 /2 relu, dense 4")
dense=("${own[@]}" --model.hidden=[12] --model.latent=4)
go() { # DATA STEPS OPTIONS...
    local data=$1 steps=$2
    shift 2
    run 2 1 fit --input.data="$data.h5" --cluster.max_iter="$steps" "$@"
}
other="holds a run with images of 6x8x1, and now they are 8x6x1"

go wide 12 "${conv[@]}" --run.output=good
expect_exit 0 "a run, its shape from the data"
expect_match good/config.used.yaml '^  image_shape: \[6, 8\]$' "which config.used.yaml says"
cp good/run.h5 was.h5
for data in wide1 flat; do
    shape=()
    [ $data = flat ] && shape=(--input.image_shape=[6,8,1])
    go $data 12 "${conv[@]}" "${shape[@]}" --run.output=good
    expect_exit 0 "the same shape in other words ($data)"
    expect_out "nothing is left to do" "is the same run ($data)"
done
go high 12 "${conv[@]}" --run.output=good
expect_error 6 "$other" "another shape in the data, after a complete run"
go wide 12 "${conv[@]}" --input.image_shape=[8,6] --run.output=turned
expect_exit 0 "the deck decides on the shape"
expect_out "NOTE +wide.h5 has images of 6 x 8; input.image_shape makes them 8 x 6" "and a note says that the data differ"
go wide 12 "${conv[@]}" --input.image_shape=[6,8,1] --run.output=good
expect_no_out "input.image_shape makes" "one channel may be named or not"
go flat 12 "${conv[@]}" --input.image_shape=[8,6] --run.output=good
expect_error 6 "$other" "another shape in the deck"
go high 18 "${conv[@]}" --run.output=good
expect_error 6 "$other" "another shape of a longer run"
ok "the result stays" cmp -s was.h5 good/run.h5

rm good/run.h5
go high 12 "${conv[@]}" --run.output=good
expect_error 6 "$other" "another shape, after a checkpoint"
go wide1 12 "${conv[@]}" --run.output=good
expect_exit 0 "the same shape goes on"
run 0 1 compare was.h5 good/run.h5
expect_exit 0 "to the same bits"
go wide 18 "${conv[@]}" --run.output=good
expect_exit 0 "a longer run of the same shape"
expect_out "longer " "goes on"
go high 18 "${conv[@]}" --run.output=good --run.resume=never
expect_exit 0 "run.resume=never starts anew with another shape"

go wide 12 "${dense[@]}" --run.output=dense
expect_exit 0 "a network without layers for images"
go high 12 "${dense[@]}" --run.output=dense
expect_exit 0 "takes another shape"
expect_out "nothing is left to do" "as the same run"
go high 18 "${dense[@]}" --run.output=dense --input.image_shape=[4,12]
expect_exit 0 "and a longer one"
expect_out "longer " "goes on"

# New rows of another shape.
run 1 1 predict --model=good/run.h5 --input=wide.h5 --output=p.h5 --force
expect_exit 0 "predict of another shape"
expect_out "WARNING +wide.h5 has images of 6 x 8; the model of good/run.h5 takes them as images of 8 x 6, as in its run" "warns"
run 1 1 predict --model=good/run.h5 --input=high.h5 --output=p.h5 --force
expect_no_out "has images of" "predict of the shape of the run does not"
run 1 1 predict --model=dense/run.h5 --input=high.h5 --output=p.h5 --force
expect_no_out "has images of" "nor does a network without layers for images"
done_testing
