#!/usr/bin/env bash
# Text of foreign files in the program's output: names, attributes and class names with control characters or newlines;
# attributes with more values than anybody looks at.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

$python - <<'EOF'
import h5py, numpy as np
evil = "a\x1b[31mred\x1b]0;title\x07\rb\x9bc\x7f"
r = np.random.default_rng(1)
for name, labels in (("a.h5", 0), ("b.h5", 1)):
    with h5py.File(name, "w") as f:
        f["X"] = r.normal(size=(60, 4)).astype("f4")
        f["y"] = np.arange(60, dtype="i4") % 3
        f[evil] = np.arange(3 + labels)
        f.attrs["format"] = "dcmpi-data"
        f.attrs["source"] = evil
        f.attrs["classes"] = "zero\n" + evil + "\ntwo"
        f.attrs["command_line"] = np.array(b"raw \x1b[2J \x9b1m \xff")
        f.attrs["cpu"] = "x" * 5000
with h5py.File("format.h5", "w") as f:
    f["labels"] = np.zeros(3, "i4")
    f.attrs["format"] = evil
with h5py.File("matrices.h5", "w") as f:
    f[evil] = r.normal(size=(5, 4))
with open("names.csv", "wb") as f:
    f.write(b"a;b\x1b[31m\n1;x\x1b[31m\n2;y\n")
with h5py.File("many.h5", "w", libver="latest") as f:
    f["X"] = np.zeros((2, 2), "f4")
    for name in ("max", "image_shape", "seed"): f.attrs[name] = np.arange(1000000 if name == "max" else 9.0)
with h5py.File("eight.h5", "w") as f:
    f["X"] = np.zeros((2, 2), "f4")
    f.attrs["max"] = np.arange(8.0)
EOF

# Checks that the output is lines of UTF-8 text without control characters, those of ISO 8859-1 included.
cat >plain.py <<'EOF'
import sys
for path in sys.argv[1:]:
    text = open(path, "rb").read().decode("utf-8")
    bad = [c for c in text if c not in "\n\t" and (ord(c) < 32 or 127 <= ord(c) < 160)]
    assert not bad, (path, bad[:5], text[:300])
EOF
plain() { ok "$1: nothing steers the terminal" $python plain.py "$out" "$err"; }

for file in a.h5 format.h5 matrices.h5; do
    run 0 1 info $file
    expect_exit 0 "info $file"
    plain "info $file"
done
run 0 1 info a.h5
expect_out '^source          a\?\[31mred\?\]0;title\?\?b' "the source, without what does not print"
expect_out '^classes         zero,a\?.*,two$' "a list in one line"
expect_out '^cpu             x{1023} \.\.\.$' "a long text is cut, and that is said"
run 0 1 check format.h5
expect_error 6 "unknown format 'a.\[31mred" "check of a foreign format"
plain "check format.h5"
run 0 1 compare a.h5 b.h5
expect_exit 1 "compare"
plain "compare"
for file in matrices.h5 a.h5 names.csv; do
    run 0 1 convert $file out.h5
    plain "convert $file"
done
run 2 1 kmeans --input.data=format.h5 --run.output=out
expect_error 3 "no dataset /X" "kmeans on another file"
run 1 1 predict --model=format.h5 --input=a.h5 --output=y.h5
expect_error 6 "its format is a.\[31mred" "predict with another file"
plain "predict"

run 0 1 info many.h5
expect_exit 0 "info of an attribute of a million numbers"
expect_out '^max             0 1 2 3 4 5 6 7 \.\.\.$' "shows eight of them"
expect_out '^seed            0 1 2 3 4 5 6 7 \.\.\.$' "also of nine"
run 0 1 info eight.h5
expect_out '^max             0 1 2 3 4 5 6 7$' "and all of eight"
done_testing
