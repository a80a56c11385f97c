#!/usr/bin/env bash
# Sixty seconds (or FUZZ_SECONDS) of mutated sparse files of each layout: k-means, predict and check end with a known exit code,
# one line, and leave nothing behind. The seed is fixed, the number of files is not. long: yes, limit: 3600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
limit=3600

cat >fuzz.py <<'EOF'
import os, random, subprocess, sys, time
import h5py, numpy as np

DCMPI, SECONDS = sys.argv[1], float(sys.argv[2])
MPIRUN = ["mpirun", *os.environ.get("MPIRUN_FLAGS", "--oversubscribe --bind-to none").split(), "-n", "2"]
r = np.random.default_rng(225)
A = (r.integers(1, 9, (12, 6)) * (r.random((12, 6)) < .4)).astype("f4"); A[0, 0] = 1
cells, genes = np.array(["c%d" % i for i in range(12)], dtype=object), np.array(["g%d" % i for i in range(6)], dtype=object)
codes = (np.arange(12) % 3 - 1).astype("i1")

def put(f, name, X, kind="csr", old=False, index="i4", **options):
    Y = X if kind == "csr" else X.T
    row, col = np.nonzero(Y)
    g = f.create_group(name)
    g.create_dataset("indptr", data=np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(Y)))]).astype(index), **options)
    g.create_dataset("indices", data=col.astype(index), **options)
    g.create_dataset("data", data=Y[row, col], **options)
    g.attrs["h5sparse_format" if old else "encoding-type"] = kind if old else kind + "_matrix"
    g.attrs["h5sparse_shape" if old else "shape"] = np.array(X.shape)
def frames(f):
    for group, names in (("obs", cells), ("var", genes)):
        g = f.create_group(group); g.attrs["_index"] = "_index"; g["_index"] = names
    f["obs/kind/codes"] = codes; f["obs/kind/categories"] = np.array(["B", "T"], dtype=object)
def csr(f): put(f, "X", A); frames(f)
def packed(f): put(f, "X", A.astype("f8"), index="i8", chunks=(5,), compression="gzip", shuffle=True); frames(f)
def csc(f): put(f, "X", A, kind="csc"); frames(f)
def old(f):
    put(f, "X", A, old=True)
    f["obs"] = np.array(list(zip(cells.astype("S4"), codes)), [("index", "S4"), ("kind", "i1")])
    f["uns/kind_categories"] = np.array([b"B", b"T"])
for name, fill in (("csr", csr), ("packed", packed), ("csc", csc), ("old", old)):
    with h5py.File(name, "w", libver="earliest") as f: fill(f)

def run(*args):
    done = subprocess.run(args, capture_output=True, text=True, errors="replace", timeout=120)
    return done.returncode, done.stdout + done.stderr

code, text = run(DCMPI, "kmeans", "--input.data=csr", "--cluster.clusters=2", "--run.output=model")
assert code == 0, text

def mutate(data, random):
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(data))
        data[at] = random.choice((0, 1, 0x7f, 0x80, 0xff, data[at] ^ 1 << random.randrange(8), random.randrange(256)))
    return bytes(data[:random.randrange(len(data))] if random.random() < .03 else data)

# One number of the matrix, so that what is wrong is not the file but what it says.
def set_number(path, random):
    with h5py.File(path, "r+") as f:
        item = f["X/" + random.choice(("indptr", "indices", "data"))]
        item[random.randrange(len(item))] = random.choice((-1, 0, 1, 5, 6, 11, 12, 1 << 30)) if item.dtype.kind == "i" else \
            random.choice((np.nan, np.inf, -1, 1e38))

ALLOWED = {"kmeans": (0, 2, 3, 8), "predict": (0, 2, 3, 8), "check": (0, 3, 6)}
bad = 0
for name in ("csr", "packed", "csc", "old"):
    source, seed, counts, end = open(name, "rb").read(), random.Random(225), {}, time.time() + SECONDS
    while time.time() < end:
        whole = seed.random() < .5
        open("m", "wb").write(source if whole else mutate(source, seed))
        if whole: set_number("m", seed)
        verb = seed.choice(("kmeans", "kmeans", "predict", "check"))
        many = MPIRUN if seed.random() < .1 and verb != "check" else []
        if verb == "kmeans":
            code, text = run(*many, DCMPI, "kmeans", "--input.data=m", "--cluster.clusters=2", "--run.output=k",
                             "--run.resume=never", "--input.label_dataset=kind")
        elif verb == "predict":
            code, text = run(*many, DCMPI, "predict", "--model=model/run.h5", "--input=m", "--output=p.h5", "--force")
        else:
            code, text = run(DCMPI, "check", "m")
        counts[code] = counts.get(code, 0) + 1
        errors = text.count("dcmpi: ERROR")
        left = [f for f in os.listdir(".") if f.endswith((".part", ".lock"))]
        stuck = "does not end" in text or "the HDF5 library crashes" in text  # that process cleans nothing up
        for f in left if stuck else []: os.remove(f)
        if code not in ALLOWED[verb] or errors != (code != 0) or (left and not stuck):
            bad += 1
            os.system("cp m bad-%s-%d" % (name, bad))
            print("# %s %s: exit %d, %d errors, left %s: %s" % (name, verb, code, errors, left, text[-400:].replace("\n", " | ")))
            for f in left: os.path.exists(f) and os.remove(f)
    print("# %s: %s" % (name, counts))
sys.exit(bad > 0)
EOF
export OMP_NUM_THREADS=1
run_cmd $python fuzz.py "$dcmpi" "${FUZZ_SECONDS:-60}"
expect_exit 0 "every file ends as it may"
grep '^#' "$out"
done_testing
