#!/usr/bin/env bash
# Sixty seconds (or FUZZ_SECONDS) of mutated files for each reader of sparse inputs: convert ends with a known exit code and one
# line, and leaves nothing behind; what it writes is whole. The seed is fixed, the number of files is not. long: yes, limit: 3600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
limit=3600

cat >fuzz.py <<'EOF'
import gzip, os, random, subprocess, sys, time
import h5py, numpy as np

DCMPI, SECONDS = sys.argv[1], float(sys.argv[2])
r = np.random.default_rng(334)
A = r.poisson(.6, (12, 5)).astype("f4")
i, j = A.nonzero(); v = A[i, j]
def mtx(head, lines): return ("%%MatrixMarket matrix " + head + "\n% x\n" + lines).encode()
body = "12 5 %d\n" % len(i) + "".join("%d %d %g\n" % (a + 1, b + 1, c) for a, b, c in zip(i, j, v))
any_order = "12 5 %d\n" % len(i) + "".join("%d %d %g\n" % (i[k] + 1, j[k] + 1, v[k]) for k in r.permutation(len(i)))
square = "5 5 4\n1 1 1\n3 1 2\n4 2 3\n5 5 4\n"
array = "3 2\n1\n0\n2.5\n-1e3\n0\n7\n"
svm = "".join("%d qid:1 %s # c\n" % (k % 2 * 2 - 1, " ".join("%d:%g" % (b + 1, x[b]) for b in x.nonzero()[0])) for k, x in enumerate(A)).encode()
def h5(fill):
    with h5py.File("x.h5", "w", libver="earliest") as f: fill(f)
    return open("x.h5", "rb").read()
def group(g, T, **types):
    a, b = T.nonzero()
    g["data"], g["indices"], g["indptr"] = T[a, b], b.astype("i4"), np.r_[0, np.cumsum((T != 0).sum(1))].astype("i4")
def h5ad(f):
    g = f.create_group("X"); group(g, A); g.attrs["encoding-type"], g.attrs["shape"] = "csr_matrix", A.shape
    for n, k in (("obs", 12), ("var", 5)): f[n + "/_index"] = np.array(["%s%d" % (n, c) for c in range(k)], object)
    f["obs/kind/codes"], f["obs/kind/categories"] = (np.arange(12) % 3 - 1).astype("i1"), np.array(["B", "T"], object)
def csc(f): g = f.create_group("X"); group(g, A.T); g.attrs["encoding-type"], g.attrs["shape"] = "csc_matrix", A.shape
def tenx(f):
    g = f.create_group("matrix"); group(g, A); g["shape"] = np.array([5, 12])
    g["barcodes"], g["features/name"] = np.array(["c%d" % k for k in range(12)], "S4"), np.array(["g%d" % k for k in range(5)], "S4")
KINDS = {"m.mtx": [mtx("coordinate real general", body), mtx("coordinate real general", any_order), mtx("coordinate integer symmetric", square), mtx("array real general", array)],
         "m.mtx.gz": [gzip.compress(mtx("coordinate real general", any_order), mtime=0)], "s.svm": [svm],
         "csr.h5": [h5(h5ad)], "csc.h5": [h5(csc)], "tenx.h5": [h5(tenx)],
         "barcodes.tsv": ["".join("c%d\n" % k for k in range(12)).encode()], "features.tsv": ["".join("i%d\tg%d\tx\n" % (k, k) for k in range(5)).encode()]}
SPECIAL = [b"0", b"-1", b"99999999999999999999", b"nan", b"inf", b"1e999", b":", b"%", b"\n", b" ", b"2147483648"]

def mutate(data, random):
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(data))
        if random.random() < .3: data[at:at + random.randrange(3)] = random.choice(SPECIAL)
        else: data[at] = random.choice((0, 1, 0x7f, 0x80, 0xff, data[at] ^ 1 << random.randrange(8), random.randrange(256)))
    return bytes(data[:random.randrange(len(data))] if random.random() < .05 else data)

def run(*args):
    done = subprocess.run([DCMPI, *args], capture_output=True, text=True, errors="replace", timeout=120)
    return done.returncode, done.stdout + done.stderr

bad = 0
for name, samples in KINDS.items():
    chance, end, n, read = random.Random(334), time.monotonic() + SECONDS, 0, 0
    os.makedirs("d", exist_ok=True)
    beside = name.endswith(".tsv")
    if beside:
        with open("d/matrix.mtx", "wb") as f: f.write(mtx("coordinate real general", body))
        for other in ("barcodes.tsv", "features.tsv"):
            with open("d/" + other, "wb") as f: f.write(KINDS[other][0])
    while time.monotonic() < end:
        data = mutate(chance.choice(samples), chance)
        path = "d/" + name if beside else name
        with open(path, "wb") as f: f.write(data)
        options = ["--label-dataset=kind"] if name == "csr.h5" and n % 2 else []
        rc, text = run("convert", "d" if beside else path, "o.h5", "--force", *options)
        n += 1
        read += rc == 0
        left = [x for x in os.listdir(".") if x.startswith("o.h5.")]
        if "does not end" in text or "the HDF5 library crashes" in text: # that process cleans nothing up
            for x in left: os.remove(x)
            left = []
        lines = [x for x in text.split("\n") if "dcmpi: ERROR" in x]
        if rc not in (0, 2, 3) or left or (rc and len(lines) != 1) or "runtime error" in text or "Sanitizer" in text:
            bad += 1
            with open("/tmp/dcmpi-fuzz-%s-%d" % (name, n), "wb") as f: f.write(data)
            print("# %s %d: exit %d, left %s: %s" % (name, n, rc, left, text[-300:].replace("\n", " ")))
            if bad > 5: sys.exit(1)
    print("# %s: %d files, %d read" % (name, n, read))
    for x in ("d/matrix.mtx", "d/barcodes.tsv", "d/features.tsv"):
        if beside: os.remove(x)
sys.exit(bad > 0)
EOF
run_cmd $python fuzz.py "$dcmpi" "${FUZZ_SECONDS:-60}"
grep '^#' "$out"
is "$rc" 0 "mutated files end with a known exit code and leave nothing behind"
done_testing
