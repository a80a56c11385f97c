#!/usr/bin/env bash
# Odd surroundings: many ranks, ranks with different environments, few file descriptors, odd names and inputs, read-only data,
# little shared memory, checkpoints read while they are replaced.
# shellcheck disable=SC2086  # MPIRUN_FLAGS are several options
[ "${TMPDIR:-}" != /dev/shm ] || unset TMPDIR # one case takes all but a little of it
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
limit=200 # of 16 ranks on a small machine

make_blobs 300
cat >deck.yaml <<'DECK'
input: {data: blobs.h5}
model: {hidden: [200], latent: 3}
pretrain: {epochs: 3, batch: 64, lr: 0.1}
cluster: {clusters: 3, n_init: 2, batch: 64, update_interval: 10, max_iter: 60, tol: 0}
DECK
run 1 1 deck.yaml --run.output=good
expect_exit 0 "the undisturbed run"
same() { # DIR WHAT
    run 0 1 compare good/run.h5 "$1/run.h5"
    expect_exit 0 "$2: the same bits"
}

# ---- Process
run 16 1 deck.yaml --run.output=many
expect_exit 0 "16 ranks"
same many "16 ranks"

run_cmd mpirun $MPIRUN_FLAGS -n 1 -x OMP_NUM_THREADS=1 "$dcmpi" deck.yaml --run.output=mixed : \
    -n 1 -x OMP_NUM_THREADS=3 -x LC_ALL=de_DE.UTF-8 "$dcmpi" deck.yaml --run.output=mixed
expect_exit 0 "ranks with other threads and another language"
same mixed "other threads and another language"

# ---- Files
run_cmd bash -c 'ulimit -n 48; exec "$@"' _ mpirun $MPIRUN_FLAGS -n 1 "$dcmpi" deck.yaml --run.output=few \
    --checkpoint.every=0.000000001s
expect_exit 0 "48 file descriptors"
number_between "$(grep -c ' saved ' few/log.txt)" 50 1000 "and more checkpoints than that"
same few "few file descriptors"

long=$(printf '%255s' '' | tr ' ' n)
for name in "a b" "$(printf '\303\244\342\202\254')" "%n%s" "$long"; do
    run 1 1 kmeans --input.data=blobs.h5 --cluster.clusters=3 --cluster.n_init=1 --run.output="$name"
    expect_exit 0 "the folder ${name::20}"
    ok "it has a result" test -s "$name/run.h5"
done
run 1 1 deck.yaml --run.output="$long$long"
expect_error 4 "File name too long" "a name of 510 bytes"
for _ in 1 2 3 4; do long=$long/$long; done
run 1 1 deck.yaml --run.output="$long"
expect_error 2 "" "a path of 4 KiB"

mkfifo fifo
: >empty
mkdir folder
sed -i '/^input/d' deck.yaml
for input in fifo empty folder /dev/zero /proc/self/status; do
    run 1 1 deck.yaml --input.data=$input --run.output=input
    expect_error 3 "$input" "$input as input"
done

# ---- What needs root
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
    mkdir readonly
    # shellcheck disable=SC2016  # expanded by the inner shell
    run_cmd unshare -m bash -c 'mount -t tmpfs none readonly && cp blobs.h5 readonly/ && mount -o remount,ro readonly &&
        exec "$@"' _ mpirun $MPIRUN_FLAGS -n 2 "$dcmpi" deck.yaml --input.data=readonly/blobs.h5 --run.output=ro
    expect_exit 0 "data on a read-only file system"
    same ro "read-only data"
    run_cmd unshare -m bash -c 'mount -t tmpfs -o size=1m none /dev/shm && exec "$@"' _ \
        mpirun $MPIRUN_FLAGS -n 2 "$dcmpi" deck.yaml --input.data=blobs.h5 --run.output=shm
    # mpirun 4.1.4 may lose the message of its ranks (ORTE_ERROR_LOG), or die of SIGPIPE, when all of them end while it starts.
    if [ "$rc" = 0 ]; then same shm "little shared memory"; elif [ "$rc" = 141 ]; then note "mpirun died"; else
        ok "little shared memory: MPI says so (exit $rc)" grep -qiE "shared memory|backing file|/dev/shm|space|ORTE_ERROR_LOG" "$err"
    fi
else
    note "not root: no read-only data, no small /dev/shm"
fi

# ---- A checkpoint that is read while it is replaced: the old one or the new one, never half of one
start 1 deck.yaml --input.data=blobs.h5 --run.output=replaced --checkpoint.every=0.000000001s --checkpoint.keep=1
bad=0 read=0
while kill -0 "$job" 2>/dev/null; do
    for file in replaced/ckpt/ckpt-*.h5; do
        if "$dcmpi" check "$file" >check.txt 2>&1; then read=$((read + 1)); else
            grep -q "No such file" check.txt || bad=$((bad + 1))
        fi
    done
done
finish
is $bad 0 "checkpoints read while they are replaced: none is half written ($read were read)"
run 1 1 predict --model="$(find replaced/ckpt -name "ckpt-*.h5")" --input=blobs.h5 --output=predicted.h5
ok "predict with a checkpoint says what is wrong (exit $rc)" test "$rc" = 2 -o "$rc" = 6
note "$(grep -a ERROR "$err")"
done_testing
