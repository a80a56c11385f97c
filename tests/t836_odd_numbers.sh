#!/usr/bin/env bash
# HDF5 numbers of foreign types: bfloat16, floats of other formats and byte orders, integers of other sizes. convert keeps
# their values, or refuses them if it cannot; info and the error messages of other verbs name the type. And a convert of HDF5
# input stops when it is asked to.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

cat >make.py <<'EOF'
"""make.py NAME ...: NAME.h5 with all (or many) finite values of a format, NAME.npy with the same as float64, by the
definition of the format."""
import sys
import h5py, numpy as np

def custom(name, bytes_, exponent, mantissa, bias, big=False, spread=None):
    bits = 1 + exponent + mantissa
    u = np.arange(1 << bits, dtype="u8") if bits <= 16 else np.random.default_rng(1).integers(0, 1 << bits, 40000, dtype="u8")
    e, m = (u >> np.uint64(mantissa)) & np.uint64((1 << exponent) - 1), u & np.uint64((1 << mantissa) - 1)
    if spread: e = spread[0] + e % np.uint64(spread[1]); u = (u & ~(np.uint64((1 << exponent) - 1) << np.uint64(mantissa))) | (e << np.uint64(mantissa))
    keep = e != (1 << exponent) - 1 # the others are Inf and NaN
    u, e, m = u[keep], e[keep].astype("i8"), m[keep].astype("f8")
    v = np.where(e == 0, np.ldexp(m, 1 - bias - mantissa), np.ldexp(m + 2.0 ** mantissa, (e - bias - mantissa)))
    v = np.where((u >> np.uint64(bits - 1)) & np.uint64(1), -v, v)
    n = len(v) // 4 * 4
    t = h5py.h5t.IEEE_F32LE.copy() if bytes_ <= 4 else h5py.h5t.IEEE_F64LE.copy()
    t.set_fields(bits - 1, mantissa, exponent, 0, mantissa)
    t.set_size(bytes_)
    t.set_ebias(bias)
    if big: t.set_order(h5py.h5t.ORDER_BE)
    raw = u[:n].astype("<u8").view("u1").reshape(-1, 8)[:, :bytes_]
    raw = np.ascontiguousarray(raw[:, ::-1] if big else raw)
    with h5py.File(name + ".h5", "w") as f:
        d = h5py.h5d.create(f.id, b"X", t, h5py.h5s.create_simple((n // 4, 4)))
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, raw, t)
    np.save(name + ".npy", v[:n].reshape(-1, 4))

def plain(name, x):
    with h5py.File(name + ".h5", "w") as f: f["X"] = x
    np.save(name + ".npy", x.astype("f8"))

custom("bfloat16", 2, 8, 7, 127)
custom("bfloat16be", 2, 8, 7, 127, big=True)
custom("half", 2, 5, 10, 15)
custom("halfbe", 2, 5, 10, 15, big=True)
custom("e5m2", 1, 5, 2, 15)
custom("e4m3", 1, 4, 3, 7)
custom("half_bias", 2, 5, 10, 20)
custom("single_bias", 4, 8, 23, 120)
custom("single", 4, 8, 23, 127)
custom("narrow_double", 8, 11, 20, 1023)
r = np.random.default_rng(2)
plain("f4be", r.normal(size=(50, 4)).astype(">f4"))
plain("f8be", r.normal(size=(50, 4)).astype(">f8"))
plain("i2", r.integers(-999, 999, (50, 4)).astype("i2"))
plain("longdouble", r.normal(size=(50, 4)).astype(np.longdouble))
x = r.normal(size=(50, 4)).astype(np.longdouble)
x[7, 2] = np.longdouble(10) ** 4000
plain("huge", x)
with h5py.File("texts.h5", "w") as f: f["X"] = np.array([[b"a", b"b"]] * 5)
EOF
$python make.py 2>/dev/null

holds() { # NAME DTYPE WHAT
    run 0 1 convert "$1.h5" out.h5
    expect_exit 0 "convert $1"
    ok "$1: all values, as $2" $python -c "
import h5py, numpy as np
with h5py.File('out.h5') as f:
    x = f['X'][:]
    expected = np.load('$1.npy')
    assert x.dtype == '$2', x.dtype
    bad = np.flatnonzero((x.astype('f8') != expected).ravel())
    assert len(bad) == 0, (len(bad), x.ravel()[bad[:3]], expected.ravel()[bad[:3]])"
    run 0 1 check out.h5
    expect_exit 0 "which check finds whole"
    rm -f out.h5
}
holds bfloat16 float32
holds bfloat16be float32
holds half float16
holds halfbe float16
holds e5m2 float32
holds e4m3 float32
holds half_bias float32
holds single_bias float64
holds single float32
holds narrow_double float64
holds f4be float32
holds f8be float64
holds i2 float32
holds longdouble float64
run 0 1 convert longdouble.h5 out.h5
expect_out 'NOTE .*longdouble.h5: numbers become float64' "and says that digits are lost"
rm out.h5
run 0 1 convert huge.h5 out.h5
expect_error 3 "huge.h5: row 7, column 2: inf is not finite" "a number beyond float64 is refused"
expect_no_file out.h5 "no output"
run 0 1 convert texts.h5 out.h5
expect_error 3 "texts.h5: dataset /X holds text, not numbers" "text is no data"

named() { # FILE NAME
    run 0 1 info "$1.h5"
    expect_out "^  /X +$2 +[0-9]+ x [0-9]+$" "info names $2"
}
named bfloat16 bfloat16
named half float16
named halfbe float16
named e5m2 'float of 8 bits \(5 exponent bits, 2 mantissa bits\)'
named i2 int16
named texts text
for file in bfloat16 half_bias single_bias; do
    run 2 1 kmeans --input.data=$file.h5 --run.output=run
    expect_error 3 "$file.h5: /X is (bfloat16|float of (16|32) bits .*); it must be .*run: dcmpi convert" "kmeans refuses $file"
done

# ---- Stop

failio=$build/tests/failio.so
if [ -f "$failio" ] && [ -z "${DCMPI_SAN:-}" ]; then
    $python -c "
import h5py
with h5py.File('large.h5', 'w') as f: f['X'] = __import__('numpy').zeros((4000000, 8), 'u1')"
    for n in 1 3; do
        LD_PRELOAD=$failio FAILIO_MATCH=large.h5 FAILIO_CALL=read FAILIO_AT=$n FAILIO_BYTES=100000 FAILIO_ERROR=TERM \
            run 0 1 convert large.h5 out.h5
        expect_exit 75 "convert of HDF5 stops at SIGTERM, at large read $n"
        expect_out 'stopped by SIGTERM: no output is left' "and says so"
        expect_no_file out.h5 "no output"
        expect_no_file out.h5.part "nothing is left"
    done
fi
done_testing
