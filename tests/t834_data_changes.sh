#!/usr/bin/env bash
# Data that have changed: bytes that changed since convert wrote them, files of older versions and of other programs, and files
# that are shortened or written to while they are read (a preloaded shim does it in the middle of a read). Every verb that
# reads rows finds the change, ends with the documented code, and leaves no result.
# limit: 240
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
failio=$build/tests/failio.so
[ -f "$failio" ] || skip_test "no $failio: make tests"
skip_with_sanitizers "they must be loaded first, and so must what changes files"

$python - <<'EOF'
import h5py, numpy as np
r = np.random.default_rng(3)
with h5py.File("foreign.h5", "w") as f:
    y = r.integers(0, 3, 4000)
    f["X"] = (r.normal(0, 60, (3, 64))[y] + r.normal(128, 9, (4000, 64))).clip(1, 255).astype("u1")
    f["y"] = y.astype("i4")
    with h5py.File("plain.h5", "w") as g: g["X"] = f["X"][:]
EOF
cat >change.py <<'EOF'
"""change.py IN OUT WHAT: a copy of a data file with one byte of a dataset changed, or without what older versions lack."""
import shutil, sys
import h5py
source, target, what = sys.argv[1:]
shutil.copy(source, target)
if what == "old":
    with h5py.File(target, "r+") as f: del f["X"].attrs["xxh3"]
else:
    with h5py.File(target) as f: at = f[what].id.get_offset() + f[what].id.get_storage_size() // 2
    with open(target, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0] ^ 2
        f.seek(at)
        f.write(bytes([byte]))
EOF
run 0 1 convert foreign.h5 data.h5
expect_exit 0 "a data file"
$python change.py data.h5 X.h5 X
$python change.py data.h5 y.h5 y
$python change.py data.h5 old.h5 old
$python change.py old.h5 old-X.h5 X
work="--input.rows=0 --cluster.clusters=3 --model.hidden=[8] --model.latent=2 --pretrain.epochs=1 --cluster.n_init=1
    --cluster.max_iter=20 --run.output=run"
kmeans="kmeans --cluster.clusters=3 --cluster.n_init=1 --run.output=km"

# ---- Checksums

# shellcheck disable=SC2086  # several options
run 2 1 $work --input.data=data.h5
expect_exit 0 "a run"
expect_out 'labels for the report only, checksum agrees$' "whose data have the checksum that is stored"
for ranks in 1 3; do
    run $ranks 1 predict --model=run/run.h5 --input=data.h5 --output=p.h5
    expect_exit 0 "a prediction on $ranks ranks"
    expect_out 'labels for the scores only, checksum compared at the end' "compares, too"
done
mv run good
for name in X y; do
    for ranks in 1 3; do
        # shellcheck disable=SC2086
        run $ranks 1 $work --input.data=$name.h5
        expect_error 3 "$name.h5: /$name is damaged: its checksum is [0-9a-f]{16}, stored is [0-9a-f]{16}; copy or convert" \
            "fit on a changed byte of $name, $ranks ranks"
        expect_no_file run/run.h5 "no result"
        # shellcheck disable=SC2086
        run $ranks 1 $kmeans --input.data=$name.h5
        expect_error 3 "/$name is damaged" "kmeans on it"
        run $ranks 1 predict --model=good/run.h5 --input=$name.h5 --output=q.h5 --rows-per-round=700
        expect_error 3 "/$name is damaged" "predict on it"
        expect_no_file q.h5 "no prediction"
        expect_no_file q.h5.part "and no part of one"
    done
    run 0 1 check $name.h5
    expect_error 6 "'/$name' is damaged" "check of it"
done
# shellcheck disable=SC2086
run 2 1 $kmeans --input.data=X.h5 --input.rows=100
expect_exit 0 "some rows of a damaged file cannot be judged"
expect_out 'NOTE .*all 4000 rows and is not compared, because only 100 are read' "and that is said"
expect_out 'checksum not compared$' "twice"
# shellcheck disable=SC2086
run 2 1 $kmeans --input.data=foreign.h5 --run.resume=never
expect_exit 0 "a foreign file"
expect_out 'no checksum stored$' "has no checksum"
# shellcheck disable=SC2086
run 1 1 $kmeans --input.data=old.h5 --run.resume=never
expect_out 'checksum agrees$' "an older file is compared on one rank"
# shellcheck disable=SC2086
run 2 1 $kmeans --input.data=old.h5 --run.resume=never
expect_out 'NOTE .*checksum is of an older kind' "and read on two"
# shellcheck disable=SC2086
run 1 1 $kmeans --input.data=old-X.h5 --run.resume=never
expect_error 3 "/X is damaged" "a damaged older file, kmeans"
run 1 1 predict --model=good/run.h5 --input=old-X.h5 --output=q.h5 --rows-per-round=700
expect_error 3 "/X is damaged" "a damaged older file, predict"
run 0 1 check old.h5
expect_exit 0 "check knows the older kind"
run 0 1 check old-X.h5
expect_error 6 "'/X' is damaged" "and compares it"
if $python -c 'import xxhash' 2>/dev/null; then
    ok "the checksums are what the documentation says" $python -c "
import h5py, xxhash
with h5py.File('data.h5') as f:
    for d in f['X'], f['y']:
        found = sum(xxhash.xxh3_64_intdigest(row.tobytes(), seed=i) for i, row in enumerate(d[:])) % 2**64
        assert d.attrs['xxh3'] == b'%016x' % found, d.name"
fi

# ---- Changes while reading

# The change happens at the first large read of this file. The first two reads of convert only look at the first bytes; some
# twenty small reads of a model only find out what it is.
meanwhile() { # ERROR FILE RANKS ARGS...
    local error=$1 file=$2 ranks=$3
    shift 3
    cp -p "${file%.h5}.keep" "$file"
    (
        export LD_PRELOAD=$failio FAILIO_MATCH=$file FAILIO_CALL=read FAILIO_AT=${at:-1} FAILIO_BYTES=${bytes:-5000} \
            FAILIO_ERROR="$error"
        if [ "$ranks" = 0 ]; then exec "$within" $((limit * ${SLOW:-1})) "$dcmpi" "$@"; fi
        # shellcheck disable=SC2086
        exec "$within" $((limit * ${SLOW:-1})) mpirun $MPIRUN_FLAGS -n "$ranks" "$dcmpi" "$@"
    ) >"$out" 2>"$err" </dev/null
    rc=$?
    ran_with=$([ "$ranks" = 0 ] && echo "$dcmpi" || echo mpirun)
}
cp plain.h5 f.keep # one dataset is opened once: HDF5 itself sees nothing
cp data.h5 d.keep
cp good/run.h5 m.keep
for error in SHRINK TOUCH; do
    for ranks in 1 2; do
        # shellcheck disable=SC2086
        meanwhile $error f.h5 $ranks $kmeans --input.data=f.h5 --run.resume=never
        expect_error 3 "f.h5 changed while it was read" "kmeans, $error, $ranks ranks"
        expect_no_file km/run.h5.part "nothing is left"
        meanwhile $error f.h5 $ranks predict --model=good/run.h5 --input=f.h5 --output=q.h5
        expect_error 3 "f.h5 changed while it was read" "predict, $error, $ranks ranks"
        expect_no_file q.h5 "no prediction"
        expect_no_file q.h5.part "nothing is left"
    done
    at=3 meanwhile $error f.h5 0 convert f.h5 out.h5
    expect_error 3 "f.h5 changed while it was read" "convert, $error"
    expect_no_file out.h5 "no output"
    expect_no_file out.h5.part "nothing is left"
    meanwhile $error d.h5 0 check d.h5
    expect_error 6 "d.h5" "check, $error"
    meanwhile $error d.h5 0 compare d.h5 data.h5
    expect_error 6 "d.h5 changed while it was read" "compare, $error"
    at=130 bytes=16 meanwhile $error m.h5 1 predict --model=m.h5 --input=data.h5 --output=q.h5
    expect_exit 6 "predict with a model that changes, $error"
    # shellcheck disable=SC2086
    at=130 bytes=16 meanwhile $error m.h5 1 $work --input.data=data.h5 --model.weights=m.h5 --run.resume=never
    expect_exit 6 "fit with weights that change, $error"
done
for error in SHRINK TOUCH; do
    # shellcheck disable=SC2086
    meanwhile $error d.h5 2 $kmeans --input.data=d.h5 --run.resume=never
    expect_error 3 "d.h5" "a file with labels, $error"
done

$python -c "
for i in range(200000): print(i % 7, i % 5, i % 3, sep=',')" >t.keep
for at in 1 2; do
    cp t.keep t.csv
    LD_PRELOAD=$failio FAILIO_MATCH=t.csv FAILIO_CALL=read FAILIO_AT=$at FAILIO_BYTES=100000 FAILIO_ERROR=TOUCH \
        run 0 1 convert t.csv out.h5
    expect_error 3 "t.csv changed while it was read" "text that changes at read $at"
    expect_no_file out.h5 "no output"
done
done_testing
