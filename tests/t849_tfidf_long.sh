#!/usr/bin/env bash
# Documents, at length: all values beside scikit-learn's, in a virtual environment; time and memory of a corpus of random words
# (DCMPI_DOCUMENTS=5000000 for the whole 2 GB), the same bytes on 1 and 2 ranks; files with errors for a minute.
# long: yes
# limit: 3000
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# ---- Files with errors ----------------------------------------------------------------------------------------------------

cat >fuzz.py <<'END'
import os, random, subprocess, sys, time
program, seconds = sys.argv[1], float(sys.argv[2])
rng, start, runs, codes = random.Random(849), time.time(), 0, {}
seeds = [(b'{"a": "red green", "t": "x", "i": 1}\n{"a": "caf\xc3\xa9 \\u00e9\\ud83d\\ude00", "t": null, "i": "b"}\n\n', "a", "t", "i"),
         (b'i,a,t\n1,"red, ""green""\nblue",x\n2,caf\xc3\xa9,y\n', "a", "t", "i"),
         (b'x\tred green\ny\t"blue\tsky"\nz\t"open quote\n', "1", "0", "none"),
         (b"one line\nand one more\n\nlast", "line", "none", "none")]
parts = [b'"', b"\n", b"\t", b",", b"\\", b"{", b"}", b"[", b"\0", b"\xff", b"\xe2\x82", b"\xef\xbb\xbf", b"\r", b":", b"null", b"1e999", b"\\ud800"]
while time.time() - start < seconds:
    text, *columns = rng.choice(seeds)
    text = bytearray(text * rng.choice([1, 1, 3]))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(4)
        if kind == 0: text[at:at] = rng.choice(parts)
        elif kind == 1: del text[at:at + rng.randrange(1, 9)]
        elif kind == 2 and at < len(text): text[at] = rng.randrange(256)
        else: text[at:at] = text[at // 2:at]
    open("f.txt", "wb").write(text)
    for left in ("f.h5", "f.h5.part"):
        if os.path.exists(left): os.remove(left)
    options = ["--%s-column=%s" % p for p in zip(("text", "label", "id"), columns) if p[1] != "none"]
    if rng.random() < 0.3: options.append("--decode-error=replace")
    if rng.random() < 0.2: options.append("--ngram-range=1,3")
    r = subprocess.run([program, "convert", "f.txt", "f.h5"] + options, capture_output=True, timeout=60)
    runs += 1
    codes[r.returncode] = codes.get(r.returncode, 0) + 1
    errors = r.stderr.decode("utf8", "replace").strip().split("\n")
    bad = r.returncode not in (0, 2, 3) or (r.returncode and len(errors) != 1) or os.path.exists("f.h5.part")
    if bad or (r.returncode and os.path.exists("f.h5")):
        os.replace("f.txt", "kept.txt")
        print("runs", runs, "exit", r.returncode, options, errors[-1][:200])
        sys.exit(1)
print("all right:", runs, "runs, exit codes", codes)
END
limit=200 run_cmd python3 fuzz.py "$dcmpi" "${FUZZ_SECONDS:-60}"
expect_exit 0 "files with errors end in one line, and leave nothing"
note "$(tail -n 1 "$out")"

# ---- A large corpus -------------------------------------------------------------------------------------------------------

py "import sys" || skip_test "no Python with numpy"
documents=${DCMPI_DOCUMENTS:-500000}
limit=1500 run_cmd "${PYTHON:-/usr/bin/python3}" "$root/tests/zipf_documents.py" "$documents" zipf.jsonl
expect_exit 0 "$documents documents"
for P in 1 2; do
    limit=1500 run_cmd mpirun -q --oversubscribe -n $P /usr/bin/time -f "peak %M KiB" "$dcmpi" convert zipf.jsonl z$P.h5 \
        --text-column=body --label-column=topic --id-column=id --min-df=2
    expect_exit 0 "on $P ranks"
    peak=$(sed -nE 's/^peak ([0-9]+) KiB/\1/p' "$err" | sort -n | tail -n 1)
    note "$documents documents, $(stat -c %s zipf.jsonl) bytes, on $P ranks: $seconds s, at most $peak KiB per rank"
    number_between "$peak" 1 1048576 "a rank takes at most 1 GiB"
done
py '
a, b = h5py.File("z1.h5"), h5py.File("z2.h5")
print(a["X"].attrs["xxh3"] == b["X"].attrs["xxh3"] and all((a[n][:] == b[n][:]).all() for n in ("X/indptr", "var/df", "obs/_index")))' >told.txt
is "$(cat told.txt)" True "the same rows"
rm -f zipf.jsonl z1.h5 z2.h5

# ---- More words than the table of counts holds, on each rank --------------------------------------------------------------

py "
with open('many.jsonl', 'w') as out:
    for i in range(0, 6000000, 1000):
        out.write('{\"body\": \"%s\"}\n' % ' '.join('w%07x' % (j * 2654435761 % 2**28) for j in range(i, i + 1000)))"
for P in 1 2 3; do
    limit=900 run $P 1 convert many.jsonl m$P.h5 --text-column=body
    expect_exit 0 "6,000,000 words on $P ranks"
    expect_out '^wrote m.\.h5: 6000 x 6000000 float32' "all of them"
    # The command line, which the file holds, differs: rows and words are compared.
    py "
a, b = h5py.File('m$P.h5'), h5py.File('m1.h5')
print(a['X'].attrs['xxh3'] == b['X'].attrs['xxh3'] and a['var/_index'].attrs['xxh3'] == b['var/_index'].attrs['xxh3'])" >told.txt
    is "$(cat told.txt)" True "the same rows and words on $P ranks"
done
limit=900 run 2 1 convert many.jsonl m4.h5 --text-column=body --ngram-range=1,3
expect_error 8 'the vocabulary has more than .* --min-df with a larger number' "18,000,000 terms are too many, and that is said"
expect_no_file m4.h5.part "nothing stays"
rm -f many.jsonl m?.h5

# ---- scikit-learn ---------------------------------------------------------------------------------------------------------

# shellcheck source=tests/golden_help.sh
. "$root/tests/golden_help.sh"
if [ -n "$data" ] && with_packages scikit-learn h5py anndata; then
    run_cmd "$python" "$root/tools/golden_terms.py" "$data" --output=terms.txt
    expect_exit 0 "scikit-learn's numbers again"
    is "$(cmp terms.txt "$root/tests/golden/terms.txt" && echo same)" same "are those that are stored"
    cat >whole.py <<'END'
import sys, subprocess, time, resource
sys.path.insert(0, sys.argv[2] + "/tools")
import anndata, numpy as np, golden_terms as g
for number, (name, line, options) in enumerate(g.CASES):
    part, *files = g.SETS[name]
    inputs = ["%s/%s/%s.tsv.gz" % (sys.argv[3], part, f) for f in files]
    start = time.time()
    subprocess.run([sys.argv[1], "convert", *inputs, "w.h5", "--text-column=last", "--label-column=first", "--force", *line.split()], check=True, capture_output=True)
    ours = time.time() - start
    start = time.time()
    x, names = g.matrix(name, dict(options), sys.argv[3])
    theirs = time.time() - start
    a = anndata.read_h5ad("w.h5")
    assert a.X.shape == x.shape and (a.X.indptr == x.indptr).all() and (a.X.indices == x.indices).all(), line
    worst = np.abs(a.X.data - x.data) / np.maximum(1, np.abs(x.data))
    assert worst.max() < 1e-6, (line, worst.max())
    assert names is None or list(a.var_names) == list(names), line
    print("%s %s: worst %.1e; %.2f s, scikit-learn %.2f s" % (name, line, worst.max(), ours, theirs))
END
    limit=900 run_cmd "$python" whole.py "$dcmpi" "$root" "$data"
    expect_exit 0 "all values to 1e-6, opened by anndata"
    while read -r line; do note "$line"; done < <(grep scikit-learn "$out")
else
    note "no data, or scikit-learn could not be installed: not compared"
fi
done_testing
