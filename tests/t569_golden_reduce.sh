#!/usr/bin/env bash
# tests/golden/reduce.txt is what tools/golden_reduce.py makes with the scikit-learn of today.
# long: yes
# limit: 600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=${DCMPI_SKLEARN_PYTHON:-}
if [ -z "$python" ]; then
    { python3 -m venv "$tmp/venv" && "$tmp/venv/bin/pip" install -q scikit-learn; } >"$tmp/pip.log" 2>&1 ||
        skip_test "scikit-learn cannot be installed: $(tail -n 1 "$tmp/pip.log")"
    python=$tmp/venv/bin/python
fi
run_cmd "$python" "$root/tools/golden_reduce.py" "$tmp/reduce.txt"
expect_exit 0 "the numbers are made"
is "$(py "
def read(path):
    found, lines = {}, [l for l in open(path) if not l.startswith('#')]
    while lines:
        name, rows, columns = lines.pop(0).split()
        found[name] = np.array([lines.pop(0).split() for _ in range(int(rows))], float)
    return found
a, b = read('$root/tests/golden/reduce.txt'), read('reduce.txt')
print(sorted(a) == sorted(b), all(np.allclose(a[n], b[n], rtol=1e-6, atol=1e-7) for n in a))")" "True True" "they are those that are stored"
done_testing
