#!/usr/bin/env bash
# long: yes
# Files on which the HDF5 library loops for ever or crashes: every verb that reads them ends with the documented code and
# says so, on one rank and several, and leaves no file and no process behind. The loop comes from a heap of texts with a free
# piece of zero bytes; the crash comes from a preloaded shim, in the middle of a read.
# limit: 240
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
failio=$build/tests/failio.so
[ -f "$failio" ] || skip_test "no $failio: make tests"
skip_with_sanitizers "they must be loaded first, and so must what changes files"
ulimit -c 0

cat >loop.py <<'EOF'
"""loop.py FILE: damages the heap of a file's texts, so that the library does not find its end."""
import struct, sys
b = bytearray(open(sys.argv[1], "rb").read())
heap = b.index(b"GCOL")
at, end = heap + 16, heap + struct.unpack_from("<Q", b, heap + 8)[0]
while at < end:
    number, size = struct.unpack_from("<H6xQ", b, at)
    if number == 0: break
    at += 16 + (size + 7) // 8 * 8
assert at < end
struct.pack_into("<Q", b, at + 8, 0)
open(sys.argv[1], "wb").write(b)
EOF
$python - <<'EOF'
import h5py, numpy as np
r = np.random.default_rng(1)
def save(name, texts):
    with h5py.File(name, "w") as f:
        f["X"] = r.normal(size=(400, 12)).astype("f4")
        if texts: f.attrs["format"] = f.attrs["checksum"] = "a text"
save("data.h5", False)
save("loop.h5", True)
with h5py.File("large.h5", "w") as f: f["X"] = np.zeros((8000000, 8), "u1")
EOF
$python loop.py loop.h5
work="--input.rows=0 --cluster.clusters=3 --model.hidden=[8] --model.latent=2 --pretrain.epochs=1 --cluster.n_init=1
    --cluster.max_iter=20"
# shellcheck disable=SC2086  # several options
run 1 1 $work --input.data=data.h5 --run.output=run
expect_exit 0 "a result"

# ---- Loops

DCMPI_READ_LIMIT=soon run 0 1 info data.h5
expect_error 2 "DCMPI_READ_LIMIT=soon in the environment is not a number of seconds" "a limit that is none"
"$dcmpi" info data.h5 >&- 2>"$err" <&-
is $? 0 "info without stdin and stdout"
"$dcmpi" info nothing.h5 >"$out" 2>"$err" <&-
is "$(cat "$err")" "dcmpi: ERROR: cannot open nothing.h5: No such file or directory; check the path" "errors without stdin"
export DCMPI_READ_LIMIT=1
loops="reading .*loop.h5.* does not end: no progress in 1 s of processor time; the file is damaged"
run 0 1 info loop.h5
expect_error 6 "$loops" "info of a file that has no end"
run 0 1 check loop.h5
expect_error 6 "$loops" "check of it"
run 2 1 check loop.h5
expect_error 6 "$loops" "check of it on two ranks"
run 0 1 compare data.h5 loop.h5
expect_error 6 "$loops" "compare with it"
for ranks in 1 2; do
    # shellcheck disable=SC2086
    run $ranks 1 kmeans --cluster.clusters=3 --input.data=loop.h5 --run.output=out
    expect_error 3 "$loops" "kmeans on it, $ranks ranks"
    expect_no_file out/run.h5 "no result"
    run $ranks 1 predict --model=run/run.h5 --input=loop.h5 --output=y.h5
    expect_error 3 "$loops" "predict rows of it, $ranks ranks"
    run $ranks 1 predict --model=loop.h5 --input=data.h5 --output=y.h5
    expect_error 6 "$loops" "predict with it, $ranks ranks"
    expect_no_file y.h5 "no prediction"
    # shellcheck disable=SC2086
    run $ranks 1 $work --input.data=data.h5 --model.weights=loop.h5 --run.output=out --run.resume=never
    expect_error 6 "$loops" "weights of it, $ranks ranks"
done
# shellcheck disable=SC2086
run 1 1 $work --input.data=loop.h5 --run.output=out --dry-run
expect_error 3 "$loops" "a dry run on it"
# shellcheck disable=SC2086
run 1 1 $work --input.data=data.h5 --model.weights=loop.h5 --run.output=out --dry-run
expect_error 6 "$loops" "a dry run with its weights"

# ---- Crashes

dies() { # FILE ARGS...: the first read of this file crashes
    local file=$1 ranks=$2
    shift 2
    if [ "$ranks" = 0 ]; then
        LD_PRELOAD=$failio FAILIO_MATCH=$file FAILIO_CALL=read FAILIO_AT=${at:-3} FAILIO_ERROR=SEGV run 0 1 "$@"
    else
        # shellcheck disable=SC2086
        run_cmd mpirun $MPIRUN_FLAGS -x LD_PRELOAD="$failio" -x FAILIO_MATCH=$file -x FAILIO_CALL=read -x FAILIO_AT=${at:-3} \
            -x FAILIO_ERROR=SEGV -n "$ranks" "$dcmpi" "$@"
    fi
}
crashes="the HDF5 library crashes .Segmentation fault. when it reads .*: the file is damaged; make it again"
for verb in info check; do
    dies data.h5 0 $verb data.h5
    expect_error 6 "$crashes" "$verb where the library crashes"
done
dies data.h5 0 compare run/run.h5 data.h5
expect_error 6 "$crashes" "compare"
dies data.h5 2 info data.h5
expect_error 6 "$crashes" "info on two ranks"
for n in 1 3 6; do
    at=$n dies data.h5 0 convert data.h5 out.h5
    expect_error 3 "$crashes" "convert, at read $n"
    expect_no_file out.h5 "no output"
    run 0 1 convert data.h5 out.h5
    expect_exit 0 "the next convert is not in the way of a crashed one"
    rm out.h5
done
dies data.h5 2 kmeans --cluster.clusters=3 --input.data=data.h5 --run.output=out
expect_error 3 "$crashes" "kmeans on two ranks"
dies data.h5 2 predict --model=run/run.h5 --input=data.h5 --output=y.h5
expect_error 3 "$crashes" "predict on two ranks"
dies run.h5 2 predict --model=run/run.h5 --input=data.h5 --output=y.h5
expect_error 6 "$crashes" "predict with a model"

# ---- Signals, and no process is left

readers() { pgrep -f "$dcmpi info $tmp/loop.h5" | wc -l; }
wait_for_readers() { # N: until there are so many
    for _ in $(seq 100); do
        if [ "$(readers)" = "$1" ]; then break; fi
        sleep 0.1
    done
}
export DCMPI_READ_LIMIT=600
if command -v pgrep >/dev/null; then
    for signal in TERM USR1 KILL; do
        "$dcmpi" info "$tmp/loop.h5" >"$out" 2>"$err" &
        wait_for_readers 2
        sleep 0.2
        kill -$signal $!
        wait $!
        rc=$?
        is $rc $((128 + $(kill -l $signal))) "info ends by SIG$signal"
        wait_for_readers 0
        is "$(readers)" 0 "and its reader, too"
    done
fi
unset DCMPI_READ_LIMIT
"$dcmpi" convert large.h5 out.h5 >"$out" 2>"$err" &
for _ in $(seq 100); do
    if [ -e out.h5.part ]; then break; fi
    sleep 0.05
done
kill -TERM $!
wait $!
rc=$?
expect_exit 75 "convert of HDF5 answers SIGTERM"
expect_no_file out.h5 "no output"
expect_no_file out.h5.part "nothing is left"
done_testing
