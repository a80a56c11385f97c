#!/usr/bin/env bash
# Checkpoints with a sound checksum and odd contents: each integer of each array and attribute of checkpoints of all phases is
# set to 0, -1, 2^31 and 2^62, and the deck to a text that is not a deck. Each is refused with 6, or does no harm: the run ends
# with the bits of the undisturbed one. Never a crash, never exit code 70 or 2.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
limit=30
every=${DCMPI_EVERY:-false} # t969: all of them; else three checkpoints, and of their odd forms each third

make_blobs 200
cat >deck.yaml <<'DECK'
input: {data: blobs.h5}
model: {hidden: [16, 8], latent: 3}
pretrain: {mode: layerwise, layer_steps: 5, epochs: 2, batch: 64, lr: 0.1}
cluster: {clusters: 3, n_init: 3, batch: 64, update_interval: 10, max_iter: 25, tol: 0}
DECK
run 1 1 deck.yaml --run.output=good --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_exit 0 "a run that is saved at every step"
list_saved good
number_of() { awk -v p="$1" -v s="$2" '$2 == p && $3 == s { print $1 }' saved.txt | tail -n 1; } # PHASE STEP

# mutate.py CHECKPOINT FOLDER PATTERN: all odd forms of it, as FOLDER/"KIND NAME INDEX VALUE", for what matches the pattern.
cat >mutate.py <<'PYTHON'
import ctypes, os, re, sys
import h5py, numpy as np
class Hash(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]
xxh = ctypes.CDLL("libxxhash.so.0").XXH3_128bits
xxh.restype, xxh.argtypes = Hash, [ctypes.c_char_p, ctypes.c_size_t]
source, folder, pattern = sys.argv[1:]
image = open(source, "rb").read()[:-64]
def write(name, change):
    open("image.h5", "wb").write(image)
    with h5py.File("image.h5", "r+") as f: change(f)
    data = open("image.h5", "rb").read()
    h = xxh(data, len(data))
    line = b"dcmpi-ckpt xxh3-128 %016x%016x" % (h.high, h.low)
    with open(os.path.join(folder, name.replace("/", ":")), "wb") as out: out.write(data + line.ljust(63) + b"\n")
def replace(f, value):
    del f.attrs["deck"]
    f.attrs.create("deck", value, dtype="S%d" % len(value))
open("image.h5", "wb").write(image)
places = []
with h5py.File("image.h5", "r") as f:
    f.visititems(lambda name, o: places.extend(("array", name, i) for i in range(o.size))
                 if isinstance(o, h5py.Dataset) and o.dtype.kind == "i" else None)
    places += [("attribute", name, 0) for name in f.attrs if np.asarray(f.attrs[name]).dtype.kind == "i"]
for kind, name, i in places:
    for value in (0, -1, 2 ** 31, 2 ** 62):
        what = "%s %s %d %d" % (kind, name, i, value)
        if not re.search(pattern, what): continue
        if kind == "array": write(what, lambda f: f[name].__setitem__(i, value))
        else: write(what, lambda f: f.attrs.modify(name, np.int64(value)))
if re.search(pattern, "deck"):
    for i, text in enumerate((b"nonsense: [", b"a: {b: c}", b"run: {seed: x}", b"\xff", b"\n", b"run")):
        write("deck %d" % i, lambda f: replace(f, text))
PYTHON

tried=0 refused=0 bad=0
try() { # WHAT FILE: what is wrong with this one, "" if nothing is
    local verdict=
    rm -rf odd && mkdir -p odd/ckpt
    cp good/log.txt good/metrics.jsonl odd/
    mv "$2" odd/ckpt/ckpt-000001.h5
    run_cmd "$dcmpi" deck.yaml --run.output=odd --checkpoint.every=0
    tried=$((tried + 1))
    case $rc in
    6) refused=$((refused + 1)) && [ "$(grep -c 'dcmpi: ERROR' "$err")" = 1 ] || verdict="not one error line" ;;
    3) [[ $1 == *data_hash* ]] || verdict="exit code 3" ;;
    0) if [[ $1 == *": deck "* ]] || ! "$dcmpi" compare good/run.h5 odd/run.h5 >compare.txt 2>&1; then verdict="taken"; fi ;;
    *) verdict="exit code $rc" ;;
    esac
    [ -z "$verdict" ] && return
    bad=$((bad + 1))
    is "$verdict" "" "$1"
    show_run
}

# The header is the same in all checkpoints, and finished phases are as in earlier ones.
while read -r phase step pattern; do
    $every || [[ "$phase $step" =~ ^(layer_2.5|kmeans.1|cluster.9)$ ]] || continue
    number=$(number_of "$phase" "$step")
    ok "a checkpoint at $phase $step" test -n "$number" || continue
    rm -rf forms && mkdir forms
    ok "its odd forms" /usr/bin/python3 mutate.py "good/ckpt/$(printf 'ckpt-%06d.h5' "$number")" forms "$pattern"
    turn=0
    for form in forms/*; do
        turn=$((turn + 1))
        $every || [ $((turn % 3)) = 0 ] || continue
        try "$phase $step: ${form#*/}" "$form"
    done
done <<'CHECKPOINTS'
layer_1 3 ^array
layer_2 5 ^array
finetune 6 ^array
kmeans 1 kmeans
cluster 9 cluster|^attribute|deck
cluster 10 cluster
cluster 25 cluster
CHECKPOINTS
number_between "$tried" 40 5000 "odd checkpoints"
number_between "$refused" 30 5000 "of which were refused"
is $bad 0 "each was refused with 6, or gave the good result"
done_testing
