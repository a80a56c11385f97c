#!/usr/bin/env bash
# Pages of runs on principal components: what the network makes of the rows, and centres, are projected back to pixels.
# limit: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py, matplotlib' 2>/dev/null || skip_test "h5py and matplotlib are not installed"
args=(--input.rows=400 --input.scale=pca --input.components=30 --input.whiten=true --parallel.shards=8 --cluster.n_init=2)

run 1 1 fit "${args[@]}" --model.hidden=[] --model.latent=30 --model.init=pca --pretrain.epochs=1 --pretrain.lr=1e-9 \
    --cluster.method=aekm --run.output=net
expect_exit 0 "an autoencoder that gives back all components"
run 1 1 kmeans "${args[@]}" --run.output=raw
expect_exit 0 "k-means on components"
is "$(PYTHONPATH=$root/tools py "
import report_data, report_math
net, raw = report_data.Run('net'), report_data.Run('raw')
rows = net.h5['clusters/nearest_rows'][:].reshape(-1, 784).astype(float)
mean, V = net.h5['scaling/shift'][:], net.h5['scaling/components'][:].astype(float)
best = (rows - mean) @ V.T @ V + mean
made = report_math.Network(net).reconstruct(rows)
centre = raw.unscaled(raw.h5['cluster_centers'][:])
print(made.shape == rows.shape, np.abs(made - best).max() < 0.5, raw.input_width(), centre.shape, centre.min() > -60 and centre.max() < 320)
")" "True True 30 (10, 784) True" "reconstructions and centres are pixels"
is "$(PYTHONPATH=$root/tools py "
import report_data, report_math
net, raw = report_data.Run('net'), report_data.Run('raw')
Z = net.embedding[:].astype(float)
xy, share = report_math.plane(net, Z)
other, other_share = report_math.pca(Z)
part = report_math.plane(net, Z[:50])[0]
print(np.abs(xy - other).max() < 1e-5 * np.abs(other).max(), np.abs(share - other_share).max() < 1e-6, np.abs(part - xy[:50]).max() < 1e-9 * np.abs(xy).max(),
      raw.map()[1].shape)
")" "True True True (2, 30)" "the map is on the principal components of all rows"
for name in net raw; do
    run_cmd /usr/bin/python3 "$root/tools/report.py" $name
    expect_exit 0 "the page of $name"
    ok "it has pictures" grep -q 'as an image' $name/report.html
done

run 1 1 kmeans --input.rows=400 --input.reduce=pca --input.components=30 --parallel.shards=8 --cluster.n_init=2 --run.output=reduced
expect_exit 0 "k-means on reduced rows"
is "$(PYTHONPATH=$root/tools py "
import report_data
run = report_data.Run('reduced')
x = run.h5['clusters/nearest_rows'][:].reshape(-1, 784).astype(float) if 'clusters/nearest_rows' in run.h5 else np.eye(784)[:5] * 255
mean, V = run.h5['scaling/shift'][:] , run.h5['scaling/components'][:].astype(float)
best = ((x - mean) / 255) @ V.T @ V * 255 + mean
print(np.abs(run.unscaled(run.scaled(x)) - best).max() < 0.5)
")" "True" "rows there and back are projections"
run 1 1 kmeans --input.rows=400 --input.reduce=random --input.components=30 --input.norm=l1 --parallel.shards=8 --cluster.n_init=2 --run.output=random
run_cmd /usr/bin/python3 "$root/tools/report.py" random
expect_exit 0 "the page of a random projection"
ok "it draws no centres" sh -c '! grep -q "as an image" random/report.html'
is "$(PYTHONPATH=$root/tools py "
import report_data
run = report_data.Run('random')
print(np.allclose(np.abs(run.scaled(np.eye(784)[:5] * 255)).sum(axis=1), 1))")" "True" "rows of norm 1"
done_testing
