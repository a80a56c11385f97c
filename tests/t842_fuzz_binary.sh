#!/usr/bin/env bash
# Sixty seconds (or FUZZ_SECONDS) of mutated files for each binary reader: convert, and k-means on files that have /X, end with
# a known exit code and leave nothing behind. The seed is fixed, the number of files is not. long: yes, limit: 3600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
limit=3600

cat >fuzz.py <<'EOF'
import os, random, subprocess, sys, time
import h5py, numpy as np

DCMPI, SECONDS = sys.argv[1], float(sys.argv[2])
r = np.random.default_rng(842)
A = r.normal(size=(12, 3)).astype("f4")
cells, genes = np.array(["c%d" % i for i in range(12)], dtype=object), np.array(["a", "b\u00e4", "c"], dtype=object)
kind = np.array(["B", "T", ""] * 4, dtype=object)
codes = (np.arange(12) % 3 - 1).astype("i1")

def loom(f):
    f.create_dataset("matrix", data=A.T, chunks=(2, 5), compression="gzip")
    f["row_attrs/Gene"] = genes; f["col_attrs/CellID"] = cells; f["col_attrs/kind"] = kind
def h5ad(f):
    f["X"] = A
    for group, names in (("obs", cells), ("var", genes)):
        g = f.create_group(group); g.attrs["_index"] = "_index"; g["_index"] = names
    f["obs/kind/codes"] = codes; f["obs/kind/categories"] = np.array(["B", "T"], dtype=object)
def table(f):
    f["X"] = A
    obs = np.zeros(12, [("index", "S4"), ("kind", "i1"), ("n", "f4")]); obs["kind"] = codes; obs["index"] = cells.astype("S4")
    f["obs"] = obs; f.create_group("var"); f["uns/kind_categories"] = np.array([b"B", b"T"])
def matlab(f):
    f["fea"] = A.T; f["fea"].attrs["MATLAB_class"] = np.bytes_("double"); f["gnd"] = np.arange(12.)[None, :] % 3
def strings(f):
    f["X"] = A; f["y"] = kind; f["ids"] = cells; f.attrs["classes"] = "x\ny"; f.attrs["feature_names"] = "a\nb\nc"
for name, fill, block in (("loom", loom, 0), ("h5ad", h5ad, 0), ("table", table, 0), ("matlab", matlab, 512), ("strings", strings, 0)):
    with h5py.File(name, "w", libver="earliest", userblock_size=block) as f: fill(f)
np.save("fortran.npy", np.asfortranarray(r.integers(0, 9, (4, 3, 2)).astype("i2")))
np.save("text.npy", np.array(["a", "b\u00e4", "", "NA"] * 3)); np.save("x.npy", A)

# What is run on a mutated file m, besides `convert m o.h5`.
KINDS = {"loom": ["--label-dataset=/col_attrs/kind"], "h5ad": ["--label-dataset=/obs/kind"],
         "table": ["--label-dataset=/obs/kind"], "matlab": ["--label-dataset=/gnd"], "strings": [],
         "fortran.npy": [], "text.npy": None}
KMEANS = {"strings": [], "h5ad": ["--input.label_dataset=/obs/kind"], "table": ["--input.label_dataset=/obs/kind"]}

def run(*args):
    done = subprocess.run([DCMPI, *args], capture_output=True, text=True, errors="replace", timeout=120)
    return done.returncode, done.stdout + done.stderr

def mutate(data, random):
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(data))
        data[at] = random.choice((0, 1, 0x7f, 0x80, 0xff, data[at] ^ 1 << random.randrange(8), random.randrange(256)))
    return bytes(data[:random.randrange(len(data))] if random.random() < .03 else data)

bad = 0
for name, options in KINDS.items():
    source, seed, counts, end = open(name, "rb").read(), random.Random(842), {}, time.time() + SECONDS
    while time.time() < end:
        data = mutate(source, seed)
        open("m", "wb").write(data)
        if name in KMEANS and seed.random() < .3:
            code, text = run("kmeans", "--input.data=m", "--cluster.clusters=2", "--run.output=k", "--run.resume=never",
                             *KMEANS[name])
        elif options is None:
            code, text = run("convert", "x.npy", "o.h5", "--force", "--labels=m")
        else:
            code, text = run("convert", "m", "o.h5", "--force", *options)
        counts[code] = counts.get(code, 0) + 1
        errors = text.count("dcmpi: ERROR")
        left = [f for f in os.listdir(".") if f.endswith((".part", ".lock"))]
        stuck = "does not end" in text or "the HDF5 library crashes" in text  # that process cleans nothing up
        for f in left if stuck else []: os.remove(f)
        if code not in (0, 2, 3) or errors != (code != 0) or (left and not stuck):
            bad += 1
            open("bad-%s-%d" % (name, bad), "wb").write(data)
            print("# %s: exit %d, %d errors, left %s: %s" % (name, code, errors, left, " ".join(l for l in text.split("\n") if "ERROR" in l)[-300:]))
            for f in left: os.path.exists(f) and os.remove(f)
    print("# %s: %s" % (name, counts))
sys.exit(bad > 0)
EOF
export OMP_NUM_THREADS=1
run_cmd $python fuzz.py "$dcmpi" "${FUZZ_SECONDS:-60}"
expect_exit 0 "every file ends as it may"
grep '^#' "$out"
done_testing
