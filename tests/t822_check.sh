#!/usr/bin/env bash
# check accepts whole files and finds every changed byte of a dataset, wherever it is; a changed byte elsewhere never ends
# worse than with exit 6. Flips: seed 7.
# limit: 240
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

$python - <<'EOF'
import numpy as np
r = np.random.default_rng(2)
y = r.integers(0, 4, 400)
X = r.normal(0, 4, (4, 8))[y] + r.normal(0, 1, (400, 8))
np.savetxt("data.csv", np.column_stack([y, X]), delimiter=",", fmt="%.6g")
EOF
run 0 1 convert data.csv data.h5 --label-column=first
expect_exit 0 "a data file"
run 2 1 --input.data=data.h5 --input.rows=0 --cluster.clusters=4 --model.hidden=[16] --model.latent=4 --pretrain.epochs=2 \
    --cluster.n_init=2 --cluster.max_iter=100 --output.q=full --output.outlier_below=0.9 --run.output=run
expect_exit 0 "a run"
run 1 1 predict --model=run/run.h5 --input=data.h5 --output=p.h5
expect_exit 0 "a prediction"

run 0 1 check data.h5
expect_exit 0 "the data file is whole"
expect_out '^data.h5: whole: data, 400 rows x 8 float32, labels, checksum agrees$' "and says so"
run 0 1 check run/run.h5
expect_exit 0 "the result is whole"
expect_out '^run/run.h5: whole: result, 400 rows, 4 clusters, checksums of [0-9]+ datasets agree$' "and says so"
run 0 1 check p.h5
expect_exit 0 "the prediction is whole"
run 2 1 check run/run.h5
expect_exit 0 "under mpirun, too"

if $python -c 'import xxhash' 2>/dev/null; then
    ok "the checksums are what the documentation says" $python -c "
import h5py, xxhash
def look(name, d):
    if not isinstance(d, h5py.Dataset): return
    rows = enumerate(d[:]) if d.ndim else [(0, d[()])]
    found = sum(xxhash.xxh3_64_intdigest(row.tobytes(), seed=i) for i, row in rows) % 2**64
    assert d.attrs['xxh3'] == b'%016x' % found, name
h5py.File('run/run.h5').visititems(look)"
fi

cat >flip.py <<'EOF'
"""flip.py FILE PROGRAM COUNT: COUNT single-bit changes inside the datasets, COUNT elsewhere; prints ok if all are found."""
import random, subprocess, sys
import h5py
path, program, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
whole, spans = open(path, "rb").read(), []
def note(name, d):
    if isinstance(d, h5py.Dataset) and d.id.get_storage_size():
        spans.append((d.id.get_offset(), d.id.get_storage_size(), name))
with h5py.File(path) as f:
    f.visititems(note)
inside = set()
for first, size, _ in spans:
    inside.update(range(first, first + size))
elsewhere = [i for i, byte in enumerate(whole) if byte and i not in inside]
rng, wrong = random.Random(7), 0
def flip(at, allowed, name):
    changed = bytearray(whole)
    changed[at] ^= 1 << rng.randrange(8)
    open("flipped.h5", "wb").write(changed)
    p = subprocess.run([program, "check", "flipped.h5"], capture_output=True, text=True, timeout=60)
    lines = p.stderr.count("\n")
    good = p.returncode in allowed and (lines == 1 and "dcmpi: ERROR" in p.stderr if p.returncode else lines == 0)
    if not good:
        print(f"byte {at} ({name}): exit {p.returncode}, {p.stdout[-200:]} {p.stderr[-200:]}")
    return not good
for _ in range(count):
    first, size, name = rng.choice(spans)
    wrong += flip(first + rng.randrange(size), (6,), name)
    wrong += flip(rng.choice(elsewhere), (0, 6), "outside of datasets")
print("ok" if wrong == 0 else f"{wrong} of {2 * count}")
EOF
limit=120
for file in run/run.h5 p.h5 data.h5; do
    run_cmd $python flip.py $file "$dcmpi" 40
    is "$(tail -n 1 "$out")" ok "changed bits of $file are found" || head -n 5 "$out" | sed 's/^/# /'
done
limit=30

$python - <<'EOF'
import h5py, shutil, numpy as np
def change(source, name, how):
    shutil.copy(source, name)
    with h5py.File(name, "r+") as f: how(f)
change("run/run.h5", "unfinished.h5", lambda f: f.attrs.modify("complete", 0))
change("run/run.h5", "no-labels.h5", lambda f: f.__delitem__("labels"))
change("run/run.h5", "no-hash.h5", lambda f: f["q"].attrs.__delitem__("xxh3"))
change("run/run.h5", "version.h5", lambda f: f.attrs.modify("format_version", 2))
change("run/run.h5", "format.h5", lambda f: f.attrs.create("format", np.bytes_("dcmpi-unknown")))
def shorter(f):
    rows, keep = f["confidence"][:-1], dict(f["confidence"].attrs)
    del f["confidence"]
    f["confidence"] = rows
change("run/run.h5", "shorter.h5", shorter)
h5py.File("foreign.h5", "w")["A"] = np.arange(5)
with h5py.File("plain.h5", "w") as f:
    f["X"] = np.ones((3, 2), "f4")
with h5py.File("nan.h5", "w") as f:
    f["X"] = np.array([[1, np.nan]], "f4")
with h5py.File("labels.h5", "w") as f:
    f["X"] = np.ones((3, 2), "f4"); f["y"] = np.zeros(2, "i4")
EOF
head -c 6000 run/run.h5 >short.h5
echo text >text.h5
: >empty.h5
broken() { # FILE REGEX WHAT
    run 0 1 check "$1"
    expect_error 6 "$2" "$3"
}
broken unfinished.h5 "incomplete" "an unfinished run"
broken no-labels.h5 "'/labels' is missing" "a missing dataset"
broken no-hash.h5 "'/q' has no attribute 'xxh3'" "a missing checksum"
broken version.h5 "format version 2" "another version"
broken format.h5 "unknown format 'dcmpi-unknown'" "an unknown format"
broken shorter.h5 "/confidence" "a shorter array"
broken foreign.h5 "is not a file of dcmpi" "a foreign HDF5 file"
broken nan.h5 "'/X' has a NaN" "NaN in the data"
broken labels.h5 "/y must hold one label for each of the 3 rows" "too few labels"
broken short.h5 "short.h5" "a truncated file"
broken text.h5 "not an HDF5 file" "a text file"
broken empty.h5 "not an HDF5 file" "an empty file"
broken . "a directory" "a directory"
run 0 1 check none.h5
expect_error 4 "none.h5" "a missing file"
run 0 1 check
expect_error 2 "usage: dcmpi check FILE" "no file"
run 0 1 check plain.h5
expect_out '^plain.h5: whole: data, 3 rows x 2 float32, no labels, no checksum stored$' "a data file of another program"
done_testing
