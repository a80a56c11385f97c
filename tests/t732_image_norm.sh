#!/usr/bin/env bash
# A network with layer norm of images, of which some are wider than the operation's block of columns: bits of any ranks, its
# weights in run.h5, predictions with the bits of the run; autoencoders and IMSAT, whose rows are moved along a gradient.
# limit: 120
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
py "
r = np.random.default_rng(2)
X = r.normal(size=(4, 48))[np.arange(160) % 4] + .3 * r.normal(size=(160, 48))
with h5py.File('d.h5', 'w') as f:
    f['X'] = X.astype('f4')
    f.attrs['image_shape'] = np.array([6, 8])"
own=(fit --input.data=d.h5 --parallel.shards=8 --cluster.clusters=3 --cluster.batch=40 --cluster.update_interval=6
    --cluster.tol=0 --cluster.max_iter=12)
dec=("${own[@]}" --pretrain.steps=8 --pretrain.batch=40 --cluster.n_init=2
    --model.encoder="conv 3x3x4 /2 ln relu, conv 3x3x300 ln leaky_relu valid, dense 4")
imsat=("${own[@]}" --cluster.method=imsat --imsat.neighbours=5 --model.encoder="conv 3x3x4 /2 ln relu, dense 10 ln relu")

run 1 1 "${dec[@]}" --run.output=dec
expect_exit 0 "an autoencoder with layer norm of images"
run 3 1 "${dec[@]}" --run.output=dec3
run 0 1 compare dec/run.h5 dec3/run.h5
expect_exit 0 "has the bits of any ranks"
run_cmd /usr/bin/python3 -c "import h5py
f = h5py.File('dec/run.h5')['model/encoder_1']
print(*f['gamma'].shape, *f['bias'].shape, bool((f['gamma'][:] != 1).any()))"
expect_out '^300 300 True$' "gamma and bias are those of channels, and are trained"
run 1 1 predict --model=dec3/run.h5 --input=d.h5 --output=p.h5
expect_exit 0 "predict by it"
run_cmd /usr/bin/python3 -c "import h5py
print(h5py.File('dec/run.h5')['embedding'][:].tobytes() == h5py.File('p.h5')['embedding'][:].tobytes())"
expect_out '^True$' "with the bits of the run"

run 2 1 "${imsat[@]}" --run.output=imsat
expect_exit 0 "imsat with layer norm of images"
run 1 1 "${imsat[@]}" --imsat.radius=0 --run.output=still
run 0 1 compare imsat/run.h5 still/run.h5
expect_exit 1 "moved rows change the result"
done_testing
