#!/usr/bin/env bash
# input.residency: rows that stay in their file give the bits of rows in memory, on other ranks, and when a run is stopped and
# continued with the other residency; a run keeps to the memory that --dry-run states, which does not grow with the rows; auto
# chooses by what is free and says why; a file that changes under the run, or a disk that fails, ends it.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"

# Shards of 3,000 rows: more than a pool of rows to be mixed.
py '
from h5ad import put_csr
rng = np.random.default_rng(5)
y = rng.integers(0, 4, 12000)
x = rng.normal(size=(4, 16))[y] + 0.4 * rng.normal(size=(12000, 16))
with h5py.File("rows.h5", "w") as f:
    f["X"] = x.astype(np.float16)
parts = np.split(x.astype(np.float16), [3001, 3002, 7000])
for k in range(3):
    np.save("part%d.npy" % k, parts[k])
with h5py.File("part3.h5", "w") as f: # chunks that cut columns, and cross the borders of shards
    f.create_dataset("X", data=parts[3], chunks=(700, 7), compression="gzip", shuffle=True, fletcher32=True)
    f.create_dataset("other", data=(9 * x).astype(np.int8).view(np.uint8), chunks=(500, 16), scaleoffset=0)
with h5py.File("sparse.h5", "w") as f:
    put_csr(f, np.eye(8)[np.arange(40) % 8])
with h5py.File("large.h5", "w") as f:
    f["X"] = rng.integers(0, 256, (300000, 64), dtype=np.uint8)
plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
with h5py.File("holes.h5", "w") as f:
    space = h5py.h5s.create_simple((600000, 784))
    h5py.h5d.create(f.id, b"X", h5py.h5t.STD_U8LE, space, plan)'

args=(fit --input.scale=standard --parallel.shards=4 --cluster.clusters=4 --model.hidden=12
    --model.latent=4 --pretrain.mode=layerwise --pretrain.epochs=1 --pretrain.layer_steps=9 --pretrain.batch=500
    --cluster.batch=500 --cluster.max_iter=30 --cluster.update_interval=15 --cluster.tol=0 --cluster.n_init=2
    --run.log_interval=0.001s)
memory=--input.residency=memory stream=--input.residency=stream

run 1 2 "${args[@]}" --run.output=good $memory --input.data=rows.h5
expect_exit 0 "rows of one file in memory"
args+=("--input.data=part?.*")
expect_out "residency memory: as input.residency says" "the log says so"
expect_out "order     a batch takes its rows from pools, one in each of 4 shards: 2048 rows, mixed, from blocks of 256" "the log states the order of rows"
run 3 1 "${args[@]}" --run.output=all $stream --input.chunk_cache=1 --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_exit 0 "rows in four files, one of them compressed"
expect_out "residency stream, each pass reads the rows again: as input.residency says" "the log says that, too"
expect_same all "rows in four files, one of them compressed, 3 ranks"
list_saved all
shorter=("${args[@]}")
args=("${shorter[@]}" "$memory")
continue_from layer_2 4
continue_from cluster 14
args=("${shorter[@]}" "$stream")
continue_from finetune 23

# Built-in rows are made again in each pass.
made=(kmeans "--input.data=builtin:embeddings,rows=5000,clusters=9" --input.scale=standard --cluster.clusters=9 --output.rows=full)
run 1 1 "${made[@]}" --run.output=made $memory
expect_exit 0 "built-in rows in memory"
run 2 1 "${made[@]}" --run.output=again $stream
expect_exit 0 "built-in rows that are made again"
expect_out "residency stream, each pass makes the rows again: as input.residency says" "the log says so"
run 0 1 compare made/run.h5 again/run.h5
expect_out "^equal: " "the same bits"

# ---- Memory -------------------------------------------------------------------------------------------------------

large=(kmeans --input.data=large.h5 --cluster.clusters=3 --cluster.n_init=1 --cluster.kmeans_max_iter=1 --output.rows=none)
gib() { sed -nE "s/$1/\\1/p" "$out" | head -n 1; }
run 1 1 "${large[@]}" --run.output=large $stream
expect_exit 0 "a large file"
stated=$(gib '.*memory    about ([0-9.]+) GiB per rank.*')
peak=$(gib '.*memory: .* to ([0-9.]+) GiB, most on rank.*')
note "stated $stated GiB, peak $peak GiB, rows 0.018 GiB"
number_between "$peak" 0.005 "$stated" "the peak is within what was stated"
run 1 1 "${large[@]}" --run.output=large --dry-run
with_rows=$(gib '.*memory    about ([0-9.]+) GiB per rank.*')
number_between "$(echo "$with_rows - $stated" | bc)" 0.016 0.020 "it has no room for the rows"
expect_out "residency memory: the job fits into what is free" "auto: memory, and why"

limited() { # KB ARGS...
    # shellcheck disable=SC2016,SC2086  # for the inner shell; several options
    run_cmd bash -c 'ulimit -v "$0" || exit 99; exec "$@"' "$1" mpirun $MPIRUN_FLAGS -n 1 "$dcmpi" "${@:2}"
}
if ! grep -qa libasan "$dcmpi"; then
    holes=(kmeans --cluster.clusters=3 --run.output=holes --dry-run)
    limited 700000 "${holes[@]}" --input.data=holes.h5
    expect_exit 0 "more rows than memory"
    expect_out "residency stream, each pass reads the rows again: with the rows in memory each rank needs about .* GiB are left within ulimit -v" "auto: stream, and why"
    limited 700000 "${holes[@]}" --input.data=holes.h5 $memory
    expect_error 8 "within ulimit -v" "memory, if the deck says so"
    limited 700000 "${holes[@]}" --input.data=holes.h5 --input.log1p=true
    expect_error 8 "within ulimit -v" "auto: rows that cannot stay in their file do not"
fi

# ---- Errors -------------------------------------------------------------------------------------------------------

refused() { # REGEX WHAT ARGS...
    run 0 1 kmeans --cluster.clusters=3 --run.output=bad $stream "${@:3}"
    expect_error 3 "input.residency = stream, but the rows $1" "$2"
    expect_no_file bad/run.h5 "$2: nothing was written"
}
run 0 1 kmeans --cluster.clusters=3 --run.output=bad $stream --input.data=part3.h5:other
expect_error 3 "part3.h5: '/other' is packed by filter 6 \(scaleoffset\), which only rows in memory may be: .*dcmpi convert" "a filter of few"
refused "are sparse" "sparse rows" --input.data=sparse.h5
refused "are transformed as counts" "counts of the built-in problem" --input.data=builtin:glyphs --input.log1p=true
refused "are transformed as counts" "counts" --input.data=rows.h5 --input.log1p=true

# In the hundredth piece that rank 1 reads, while it clusters.
harmed() { # ERROR CODE REGEX WHAT
    cp rows.h5 harmed.h5
    # shellcheck disable=SC2086  # several options
    run_cmd env LD_PRELOAD="$failio" FAILIO_MATCH=harmed.h5 FAILIO_CALL=read FAILIO_BYTES=30000 FAILIO_AT=100 FAILIO_RANK=1 FAILIO_ERROR="$1" \
        mpirun $MPIRUN_FLAGS -n 2 "$dcmpi" kmeans --input.data=harmed.h5 --cluster.clusters=8 --cluster.n_init=20 --run.output=harmed $stream
    expect_error "$2" "$3" "$4"
    expect_out "residency stream" "$4: after the start"
    expect_no_file harmed/run.h5 "$4: no result"
    rm -rf harmed
}
py '
bytes = bytearray(open("part3.h5", "rb").read())
with h5py.File("part3.h5") as f:
    chunk = f["X"].id.get_chunk_info(20)
bytes[chunk.byte_offset + 50] ^= 1
open("damaged.h5", "wb").write(bytes)'
run 1 1 kmeans --cluster.clusters=3 --run.output=bad $stream --input.data=damaged.h5
expect_error 3 "damaged.h5 is damaged: the chunk of row [0-9]+ at byte [0-9]+ has another checksum than when it was written; make the file again" "a damaged chunk"
failio=$build/tests/failio.so
if [ -f "$failio" ] && ! grep -qa libasan "$dcmpi"; then
    harmed EIO 4 "cannot read harmed.h5 at byte [0-9]+: Input/output error" "a disk that fails"
    harmed SHRINK 3 "harmed.h5 changed while it was read: .*start again" "a file that is cut under the run"
    harmed TOUCH 3 "harmed.h5 changed while it was read: somebody wrote to it" "a file that is written to under the run"
else
    note "SKIP: no $failio (make tests), or sanitizers, which must be loaded first"
fi
done_testing
