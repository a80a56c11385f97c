#!/usr/bin/env bash
# tools/report.py and tools/export.py on results damaged in many ways, the same in every run of the test: attributes and datasets
# missing, of other types and shapes, with odd numbers; files cut or with changed bytes. They make a page or a table, or print one
# line and end with a documented exit code; never a traceback. One line also if packages are missing. Class names that are formulas.
# limit: 400
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py, matplotlib' 2>/dev/null || skip_test "python3-h5py or python3-matplotlib is not installed"
limit=300

$python - <<'EOF'
import h5py
import numpy as np
g = np.random.default_rng(5)
with h5py.File("data.h5", "w") as f:
    f["X"] = g.integers(0, 255, (120, 36), "u1")
    f["y"] = (np.arange(120) % 8).astype("i4")
    f.attrs["classes"] = np.bytes_("=cmd|' /C calc'!A0\n+1\n-1\n@SUM(A1)\n\ttab\nplain\nx=1\n'quoted")
    f.attrs["image_shape"] = np.array([6, 6])
EOF
run 1 1 fit --input.data=data.h5 --model.hidden=[8] --model.latent=2 --pretrain.epochs=1 --cluster.clusters=3 --cluster.n_init=1 \
    --cluster.max_iter=10 --cluster.batch=32 --output.outlier_below=0.5 --run.output=run
expect_exit 0 "a run"

cat >mutate.py <<'EOF'
"""mutate.py TOOL COUNT: runs the tool on COUNT damaged copies of run/run.h5; prints the exit codes, and what is wrong."""
import collections
import io
import os
import random
import shutil
import sys
import traceback

tool, count, tools = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sys.path.insert(0, tools)
import h5py
import numpy as np

import export
import report
import report_charts  # what takes long to load is loaded once
import report_images
import report_sections

ODD = [np.nan, np.inf, -1, 0, 2**62, -2**63, 1e300, "text", b"\xff\xfe", np.zeros(0), np.zeros((3, 3)), np.array([1, 2]),
       np.array(["a", "b"], h5py.string_dtype()), h5py.Empty("f4"), True, np.zeros(2, [("a", "i4"), ("b", "f8")]), "", "x" * 3000]


def objects(f):
    names = []
    f.visit(names.append)
    return names


def drop_attribute(f, r):
    where = f[r.choice(["/"] + objects(f))]
    if len(where.attrs):
        del where.attrs[r.choice(list(where.attrs))]


def odd_attribute(f, r):
    where = f[r.choice(["/", "/", "/"] + objects(f))]
    if len(where.attrs):
        name = r.choice(list(where.attrs))
        del where.attrs[name]
        where.attrs[name] = r.choice(ODD)


def drop_object(f, r):
    del f[r.choice(objects(f))]


def odd_object(f, r):
    name = r.choice(objects(f))
    del f[name]
    f[name] = r.choice(ODD)


def some_dataset(f, r):
    return r.choice([name for name in objects(f) if isinstance(f[name], h5py.Dataset)])


def replace(f, r, change):
    name = some_dataset(f, r)
    data, attrs = f[name][()], dict(f[name].attrs)
    del f[name]
    f[name] = change(np.atleast_1d(data))
    f[name].attrs.update(attrs)


def other_type(f, r):
    replace(f, r, lambda x: x.astype(r.choice(["i1", "u2", "f2", "f8", ">i4", "i8", "S5", "c8", "?"])))


def other_shape(f, r):
    replace(f, r, lambda x: r.choice([x[:-1], x[:0], x[..., None], np.concatenate([x, x]), x.ravel()[:1], x.T, x[None]]))


def odd_values(f, r):
    def change(x):
        x = np.array(x)
        value = r.choice([np.nan, np.inf, -np.inf, 1e300, -7, 2**31 - 1]) if x.dtype.kind == "f" else r.choice([-7, 2**31 - 1, 99])
        with np.errstate(all="ignore"):
            if x.size:
                x.flat[r.randrange(x.size)::r.choice([1, 7])] = np.array(value).astype(x.dtype)
        return x
    replace(f, r, change)


def huge(f, r):
    name = some_dataset(f, r)
    kind, ndim = f[name].dtype, max(f[name].ndim, 1)
    del f[name]
    f.create_dataset(name, (2**40,) + (2,) * (ndim - 1), kind, chunks=(1024,) + (2,) * (ndim - 1))


def link_nowhere(f, r):
    name = r.choice(objects(f))
    del f[name]
    f[name] = r.choice([h5py.SoftLink("/nowhere"), h5py.ExternalLink("none.h5", "/x")])


INSIDE = [drop_attribute, odd_attribute, odd_attribute, drop_object, odd_object, other_type, other_shape, odd_values, huge, link_nowhere]


def cut(path, r):
    with open(path, "r+b") as file:
        file.truncate(r.randrange(os.path.getsize(path)))


def other_bytes(path, r):
    with open(path, "r+b") as file:
        for _ in range(r.choice([1, 5, 50])):
            file.seek(r.randrange(os.path.getsize(path)))
            file.write(bytes([r.randrange(256)]))


def damage(r):
    shutil.rmtree("bad", ignore_errors=True)
    shutil.copytree("run", "bad")
    if r.random() < 0.25:
        r.choice([cut, other_bytes])("bad/run.h5", r)
        return
    with h5py.File("bad/run.h5", "a") as f:
        for _ in range(r.choice([1, 1, 2, 4])):
            try:
                r.choice(INSIDE)(f, r)
            except (KeyError, ValueError, TypeError, OSError, IndexError, AttributeError, RuntimeError):
                pass  # what was to be damaged is gone already, or cannot be made


def start():
    """In a process of its own: exit code and stderr."""
    child = os.fork()
    if child == 0:
        sys.stderr = text = open("stderr.txt", "w", encoding="utf-8", errors="backslashreplace")
        sys.stdout = io.StringIO()
        sys.argv = [tool + ".py"] + (["bad"] if tool == "report" else ["bad/run.h5", "out." + kind, "--data", "data.h5"])
        code = 0
        try:
            {"report": report, "export": export}[tool].main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
            code = 99
        text.flush()
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)


codes = collections.Counter()
for i in range(count):
    kind = "csv" if i % 2 else "npy"
    damage(random.Random(1000 * count + i))
    code = start()
    codes[code] += 1
    said = open("stderr.txt", encoding="utf-8").read()
    errors = [line for line in said.splitlines() if "WARNING" not in line]
    wrong = code not in (0, 2, 3, 4, 6) or "Traceback" in said or len(errors) != (code != 0)
    if wrong:
        print("number %d: exit code %d: %s" % (i, code, said[-600:]))
print("codes", sorted(codes.items()))
EOF

for what in "report 12" "export 80"; do
    read -r tool count <<<"$what"
    run_cmd $python mutate.py "$tool" "$count" "$root/tools"
    expect_exit 0 "$tool on damaged results"
    is "$(grep -v '^codes' "$out")" "" "$tool: each of $count has one line and a documented exit code"
    note "$(tail -n 1 "$out")"
    ok "$tool: some can be read all the same, most cannot" grep -qE "\(0, [0-9]+\).*\(6, [0-9]+\)" "$out"
done

# Names of classes
run_cmd $python "$root/tools/export.py" run/run.h5 out.csv --data data.h5
expect_exit 0 "a table with class names"
is "$($python -c "
import csv
print(sorted({row['class'] for row in csv.DictReader(open('out.csv', newline=''))}))")" \
    "[\"'\\ttab\", \"'+1\", \"'-1\", \"'=cmd|' /C calc'!A0\", \"'@SUM(A1)\", \"'quoted\", 'plain', 'x=1']" "formulas are names"

# Missing packages: a module of the same name that cannot be loaded stands in front.
mkdir none
for package in h5py numpy matplotlib PIL; do
    echo "raise ImportError('no $package here')" >none/$package.py
    PYTHONPATH=$PWD/none run_cmd $python "$root/tools/report.py" run
    is "$rc $(wc -l <"$err") $(grep -c "report.py: ERROR: .*needed: no $package here" "$err")" "2 1 1" "report without $package"
    if [ $package = h5py ] || [ $package = numpy ]; then
        PYTHONPATH=$PWD/none run_cmd $python "$root/tools/export.py" run/run.h5 out.csv
        is "$rc $(wc -l <"$err") $(grep -c "export.py: ERROR: .*needed: no $package here" "$err")" "2 1 1" "export without $package"
    fi
    rm none/$package.py
done
done_testing
