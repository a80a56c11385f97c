# shellcheck shell=bash disable=SC2034,SC2154  # set or used by lib.sh and the tests
# For tests that make the numbers of tests/golden/ again with the packages of others; read it after lib.sh.
#     with_packages PACKAGE...   sets $python to that of a virtual environment with these packages: DCMPI_VENV, or one that
#                                is made here; fails if they cannot be installed, see pip.log
#     need_packages PACKAGE...   the same, but then skips the test
#     expect_stored FILE         the arrays in FILE are those of tests/golden/FILE, to 1e-6
with_packages() {
    local venv=${DCMPI_VENV:-$tmp/venv}
    python=$venv/bin/python
    { { [ -x "$python" ] || python3 -m venv "$venv"; } && "$venv/bin/pip" install -q "$@"; } >"$tmp/pip.log" 2>&1
}

need_packages() { with_packages "$@" || skip_test "cannot be installed: $*: $(tail -n 1 "$tmp/pip.log")"; }

expect_stored() {
    is "$(py "
def read(path):
    found, lines = {}, [l for l in open(path) if not l.startswith('#')]
    while lines:
        name, rows, columns = lines.pop(0).split()
        found[name] = np.array([lines.pop(0).split() for _ in range(int(rows))], float)
    return found
a, b = read('$root/tests/golden/$1'), read('$1')
print(sorted(a) == sorted(b), all(np.allclose(a[n], b[n], rtol=1e-6, atol=1e-7) for n in a))")" "True True" "they are those that are stored"
}
