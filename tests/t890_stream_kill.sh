#!/usr/bin/env bash
# More rows than memory, and kills: 300,000 streamed rows of four files, .npy and compressed HDF5, under a limit on memory that
# rows in memory break. A rank is killed in each phase: while the data are looked at, in pretraining, in the k-means|| start, in
# Lloyd's iterations, in clustering, while the result is written; the run goes on on another number of ranks each time, and ends
# with the bits of an undisturbed run on rows in memory without a limit.
# long: yes  limit: 3600
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
limit=900

py '
rng = np.random.default_rng(5)
N, D, K = 300000, 320, 12
center = rng.integers(-20, 20, (K, D)).astype(np.float32)
for k, (lo, hi) in enumerate([(0, 100001), (100001, 120000), (120000, 150000), (150000, N)]):
    x = center[rng.integers(0, K, hi - lo)] + rng.integers(-16, 17, (hi - lo, D), dtype=np.int8)
    x = (x / 16).astype(np.float32)
    if k in (0, 3):
        np.save("part%d.npy" % k, x)
    else:
        with h5py.File("part%d.h5" % k, "w") as f:
            f.create_dataset("X", data=x, chunks=(1000, 100), compression="gzip", compression_opts=1, shuffle=True)'

data=("--input.data=[part0.npy, part1.h5, part2.h5, part3.npy]" --input.scale=standard --cluster.clusters=12
    "--cluster.seeding=k-means||" --cluster.n_init=1 --cluster.kmeans_max_iter=12 --run.log_interval=0.001s)
fit=(fit "${data[@]}" --input.chunk_cache=100 "--model.hidden=[32]" --model.latent=6 --pretrain.epochs=1 --pretrain.batch=4000 --cluster.batch=2000
    --cluster.max_iter=40 --cluster.update_interval=20 --cluster.tol=0)
kmeans=(kmeans "${data[@]}")
memory=--input.residency=memory stream=--input.residency=stream

# Address space: what libraries map is most of it.
enough=950000
limited() { ulimit -S -v "$enough"; "$@"; ulimit -S -v unlimited; }

# NAME ARGS...: an undisturbed run of these in good/, and what rows in memory do under the limit.
undisturbed() {
    rm -rf good
    run 1 2 "$@" $memory --run.output=good
    expect_exit 0 "$1: rows in memory without a limit"
    limited run 1 2 "$@" $memory --run.output=refused
    expect_error 8 "within ulimit -v" "$1: rows in memory break the limit"
    rm -rf killed
}

# RANKS REGEX WHAT: the run of "${args[@]}" in killed/ goes on until its log has such a line; then its last rank is killed.
kill_at() {
    limited start "$1" "${args[@]}" $stream --run.output=killed --checkpoint.every=0.05s
    await "$2"
    ok "${args[0]}, $3: it came so far" grep -qE -- "$2" "$out"
    signal_rank KILL "$(($1 - 1))"
    finish
    ok "${args[0]}, $3: a killed run has no result" test ! -e killed/run.h5
}

kill_while_writing() { # RANKS: the last of them, when it is about to write its rows into the result
    # shellcheck disable=SC2086  # several options
    limited run_cmd env LD_PRELOAD="$build/tests/failio.so" FAILIO_MATCH=run.h5.part FAILIO_CALL=write FAILIO_AT=1 \
        FAILIO_RANK=$(($1 - 1)) FAILIO_ERROR=KILL mpirun $MPIRUN_FLAGS -n "$1" "$dcmpi" "${args[@]}" $stream --run.output=killed
    ok "${args[0]}, while it writes: a part of the result" test -e killed/run.h5.part
    ok "${args[0]}, while it writes: a killed run has no result" test ! -e killed/run.h5
}

ends() { # RANKS
    limited run "$1" 1 "${args[@]}" $stream --run.output=killed
    expect_exit 0 "${args[0]}: it ends on $1 ranks"
    run 0 1 compare good/run.h5 killed/run.h5
    expect_exit 0 "${args[0]}: with the bits of rows in memory"
}

args=("${kmeans[@]}")
undisturbed "${args[@]}"
kill_at 1 "residency stream" "while the data are looked at"
kill_at 2 "saved .*, kmeans step 0:" "in the start"
kill_at 3 "saved .*, kmeans step [1-9]" "in Lloyd's iterations"
kill_while_writing 2
ends 3

args=("${fit[@]}")
undisturbed "${args[@]}"
kill_at 3 "saved .*, pretrain step [0-9]+[1-9]:" "in pretraining"
kill_at 1 "saved .*, kmeans step" "in the embedding and the start"
kill_at 2 "saved .*, cluster step [1-9]" "in clustering"
kill_while_writing 3
ends 1
done_testing
