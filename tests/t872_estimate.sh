#!/usr/bin/env bash
# A run announces the memory that it then takes, or up to a quarter more (a tenth with convolutions), but never less. Each case
# makes another part the largest: centres and sums of many clusters or restarts, the network, its optimizer, outputs of frozen
# layers, wide rows, many rows, large batches, soft assignments, examples, messages, checkpoints, images, matrices and graphs over
# ranks. Checkpoints every few steps make every run reach its peak. Each third case; DCMPI_ALL=1 (t874): all of them.
# limit: 600
. "$(dirname "$0")/lib.sh"
if grep -qa libasan "$dcmpi"; then skip_test "sanitizers take memory of their own"; fi
py=/usr/bin/python3
$py -c "import h5py, numpy" 2>/dev/null || skip_test "no h5py for $py"
limit=200

$py -c "
import h5py, numpy as np
g = np.random.default_rng(0)
def save(name, n, d, classes):
    with h5py.File(name, 'w') as f:
        f['X'] = g.random((n, d), dtype='f4')
        f['y'] = (np.arange(n) % classes).astype('i4')
save('clusters.h5', 300, 3000, 7)
save('restarts.h5', 60000, 20, 5)
save('some.h5', 10000, 200, 10)
save('wide.h5', 400, 30000, 4)
save('many.h5', 2000000, 2, 8)
save('q.h5', 50000, 20, 10)
with h5py.File('images.h5', 'w') as f: f['X'] = g.integers(0, 256, (3000, 28, 28), 'u1')
save('mixed.h5', 6000, 100, 50)
save('components.h5', 200, 4200, 4)
save('broad.h5', 1200, 3300, 4)
"
always=(--run.resume=never --checkpoint.every=0.01 --cluster.kmeans_max_iter=2)
short=(--model.latent=10 --cluster.n_init=2 --cluster.max_iter=2)

announced() { # in MiB, for rank 0 and for the others
    sed -nE 's/.*memory +about ([0-9.]+) GiB per rank.*\), ([0-9.]+) more on rank 0.*/\1 \2/p' "$out" |
        awk '{ printf "%.0f %.0f\n", 1024 * ($1 + $2), 1024 * $1 }'
}
taken() { # in MiB, by the rank that took most and by the one that took least
    $py -c "
import json
s = json.load(open('$1/summary.json'))
print('%.0f %.0f' % (s['memory_peak_bytes'] / 2**20, s['memory_peak_least_bytes'] / 2**20))"
}
fits() { # ANNOUNCED TAKEN WHAT
    number_between "$1" "$2" "$(awk -v x="$2" -v most="${most:-1.25}" 'BEGIN { print most * x }')" "$3: MiB announced for $2"
}

number=0
deck() { # P NAME ARGS...
    local p=$1 name=$2 say have
    shift 2
    number=$((number + 1))
    [ -n "${DCMPI_ALL:-}" ] || [ $((number % 3)) = 2 ] || return
    run "$p" 1 "$@" "${always[@]}" --run.output="$name"
    expect_exit 0 "$name" || return
    read -r -a say < <(announced)
    read -r -a have < <(taken "$name")
    fits "${say[0]}" "${have[0]}" "$name"
    [ "$p" = 1 ] || fits "${say[1]}" "${have[1]}" "$name, the smallest rank"
    rm -rf "$name"
}

deck 1 clusters kmeans --input.data=clusters.h5 --cluster.clusters=150 --cluster.n_init=3
deck 1 restarts kmeans --input.data=restarts.h5 --cluster.clusters=30 --cluster.n_init=100
deck 2 ranks kmeans --input.data=clusters.h5 --cluster.clusters=100 --cluster.n_init=4
deck 1 many kmeans --input.data=many.h5 --cluster.clusters=8 --cluster.n_init=2
deck 1 dec fit --input.data=many.h5 --input.rows=300000 --model.hidden=[30] --pretrain.steps=3 --pretrain.batch=4096 "${short[@]}" \
    --cluster.clusters=10 --cluster.batch=1000
deck 1 idec fit --input.data=some.h5 --cluster.method=idec --model.hidden=[500,500,2000] --pretrain.steps=3 "${short[@]}" \
    --cluster.clusters=10
deck 1 tied fit --input.data=some.h5 --cluster.method=idec --model.encoder="dense 1500 relu, dense 1200 relu, dense 10" \
    --model.decoder="tied ~encoder" --pretrain.steps=3 --cluster.n_init=2 --cluster.max_iter=2 --cluster.clusters=10
deck 1 unlike fit --input.data=some.h5 --cluster.method=idec --model.encoder="dense 600 relu, dense 10" \
    --model.decoder="dense 1500 relu, dense 1500 relu, dense data" --pretrain.steps=3 --cluster.n_init=2 --cluster.max_iter=2 \
    --cluster.clusters=10
deck 1 layers fit --input.data=some.h5 --model.hidden=[1200,600] --pretrain.mode=layerwise --pretrain.layer_steps=3 \
    --pretrain.steps=3 --pretrain.optimizer=adam "${short[@]}" --cluster.clusters=10
deck 1 wide fit --input.data=wide.h5 --model.hidden=[100] --pretrain.epochs=1 "${short[@]}" --cluster.clusters=5
deck 1 batch fit --input.data=some.h5 --model.hidden=[500,500] --pretrain.batch=10000 --pretrain.steps=3 "${short[@]}" \
    --cluster.clusters=10 --cluster.batch=1000000000
expect_out "NOTE +cluster.batch=1000000000 is more than the rows there are: each step takes all 10000" "what the batch is"
expect_no_out "NOTE +pretrain.batch" "the other is as given"
deck 1 q fit --input.data=q.h5 --model.hidden=[50] --pretrain.steps=3 "${short[@]}" --cluster.clusters=300 \
    --output.q=full --output.examples=300
deck 2 strict fit --input.data=some.h5 --model.hidden=[1000,1000] --pretrain.steps=3 --pretrain.optimizer=adam "${short[@]}" \
    --cluster.optimizer=adam --cluster.clusters=10
deck 2 off fit --input.data=some.h5 --model.hidden=[1000,1000] --pretrain.steps=3 "${short[@]}" --cluster.clusters=10 \
    --parallel.reproducible=off
deck 2 tree fit --input.data=some.h5 --model.hidden=[600,600] --pretrain.steps=3 --pretrain.batch=8192 "${short[@]}" \
    --cluster.clusters=10 --cluster.batch=8192
deck 3 tree-of-three fit --input.data=some.h5 --cluster.method=idec --model.hidden=[800,800] --pretrain.steps=3 "${short[@]}" \
    --cluster.clusters=50 --cluster.batch=4000
deck 3 dcn fit --input.data=some.h5 --cluster.method=dcn --model.hidden=[800,800] --pretrain.steps=3 "${short[@]}" \
    --cluster.clusters=50 --cluster.batch=1000
deck 2 dkm fit --input.data=some.h5 --cluster.method=dkm --model.hidden=[800,800] --pretrain.steps=3 "${short[@]}" \
    --cluster.clusters=50 --parallel.reproducible=off
deck 3 aekm fit --input.data=some.h5 --cluster.method=aekm --model.hidden=[400] --pretrain.steps=3 --model.latent=10 \
    --cluster.clusters=300
deck 3 layers-of-three fit --input.data=some.h5 --model.hidden=[1200,600] --pretrain.mode=layerwise --pretrain.layer_steps=3 \
    --pretrain.steps=3 --pretrain.optimizer=adam "${short[@]}" --cluster.clusters=10

# What is spread over ranks: matrices and rows of them, graphs.
raw=(fit --cluster.on=input --input.scale=none)
mixture=("${raw[@]}" --input.data=mixed.h5 --cluster.method=gmm --cluster.clusters=50 --gmm.max_iter=2 --cluster.n_init=1)
deck 4 mixture "${mixture[@]}"
deck 4 exact "${raw[@]}" --input.data=mixed.h5 --input.rows=4000 --cluster.method=spectral --spectral.path=exact --cluster.clusters=10
deck 3 mixture-on-three "${mixture[@]}"
deck 4 landmarks "${raw[@]}" --input.data=q.h5 --cluster.method=spectral --spectral.path=landmark --spectral.affinity=gaussian \
    --cluster.clusters=10
deck 4 components kmeans --input.data=components.h5 --input.scale=pca --input.components=20 --cluster.clusters=4
deck 3 neighbours kmeans --input.data=q.h5 --graph.save=true --graph.neighbours=60 --input.scale=none --cluster.clusters=8
most=1.2
sparse=("${raw[@]}" --input.data=q.h5 --input.rows=30000 --cluster.method=spectral --spectral.path=knn
    --spectral.neighbors=30 --cluster.clusters=4 --cluster.n_init=1)
deck 3 graph-on-three "${sparse[@]}"
deck 5 neighbours-of-five kmeans --input.data=broad.h5 --graph.save=true --input.scale=none --cluster.clusters=4 --cluster.n_init=1
deck 1 graph "${sparse[@]}"

# Convolutions.
conv=(fit --input.data=images.h5 --input.scale=unit --cluster.method=idec --pretrain.steps=3 --cluster.n_init=2 --cluster.max_iter=2
    --cluster.clusters=10)
# 1000 rows of a batch for each rank: a tenth of what they need is more than what the libraries' own memory differs by.
one=(--pretrain.batch=1000 --cluster.batch=1000)
two=(--pretrain.batch=2000 --cluster.batch=2000)
layers="conv 5x5x32 /2 relu, conv 5x5x64 /2 relu, conv 3x3x128 /2 relu valid, dense 10"
most=1.1
deck 1 conv "${conv[@]}" "${one[@]}" --model.encoder="$layers" --pretrain.optimizer=adam
deck 1 conv-layers "${conv[@]}" "${one[@]}" --model.encoder="$layers" --pretrain.mode=layerwise --pretrain.layer_steps=3
deck 2 conv-of-two "${conv[@]}" "${two[@]}" --model.encoder="$layers"

# A run that is too large even for the rehearsal ends before it takes memory, and names the limit.
run_cmd bash -c "ulimit -v 1000000; exec mpirun $MPIRUN_FLAGS -n 1 $dcmpi fit --input.data=some.h5 --model.hidden=[20000] \
    --pretrain.batch=10000 --dry-run --run.output=wide"
expect_error 8 "each rank needs more than the [0-9.]+ GiB that are left within ulimit -v; use" "a network beyond ulimit -v"

# predict: a bound that does not grow with the file; it ends before it reads rows that do not fit into memory.
run 1 1 fit --input.data=q.h5 --model.hidden=[50] --pretrain.steps=3 "${short[@]}" --cluster.clusters=10 --run.output=model
expect_exit 0 "a model"
run 1 1 predict --model=model/run.h5 --input=q.h5 --output=y.h5
expect_out "memory +about 0\.0[0-9]+ GiB per rank, 50000 rows at a time" "predict tells its bound"
$py -c "
import h5py, numpy as np
g = np.random.default_rng(0)
with h5py.File('long.h5', 'w') as f:
    f['X'] = g.integers(0, 2, (3000000, 20), 'u1')"
run 1 1 predict --model=model/run.h5 --input=long.h5 --output=pieces.h5 --rows-per-round=1000
expect_exit 0 "predict in small pieces"
ulimit -v 600000
run 1 1 predict --model=model/run.h5 --input=long.h5 --output=z.h5 --rows-per-round=100000000
expect_error 8 "each rank needs about .* within ulimit -v; use a smaller --rows-per-round" "predict in one piece that nothing could hold"
expect_no_file z.h5 "nothing is written"
run 1 1 predict --model=model/run.h5 --input=long.h5 --output=z.h5
expect_exit 0 "the pieces that predict chooses fit"
done_testing
