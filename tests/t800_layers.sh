#!/usr/bin/env bash
# The sources keep the layer rules, and tools/check_layers.py finds each kind of breach.
. "$(dirname "$0")/lib.sh"

layers() { /usr/bin/env python3 "$root/tools/check_layers.py" "$@"; }

while read -r line; do
    case $line in
    "ok "*) report_check 0 "${line#ok * - }" ;;
    "not ok "*) report_check 1 "${line#not ok * - }" ;;
    "#"*) echo "$line" ;;
    esac
done < <(layers --tap)

mkdir -p src/{base,nn,cluster,train,method,app} include/dcmpi
touch Makefile include/dcmpi/{comm,train,base,h5}.h
echo '#include "dcmpi/comm.h"' >include/dcmpi/cluster.h

# breach FILE CODE MESSAGE: a tree with this one file; the checker must say so.
breach() {
    printf '%s\n' "$2" >"$1"
    layers "$tmp" >"$out"
    rc=$?
    rm "$1"
    ok "found: $3" grep -q "^$1:[0-9]*: .*$3" "$out" && is "$rc" 1 "exit 1"
}
layers "$tmp" >"$out"
is "$?" 0 "a tree without breaches"
breach src/base/a.c '#include "dcmpi/train.h"' "base must not include train"
breach src/nn/a.c '#include "dcmpi/comm.h"' "nn must not include comm"
breach src/cluster/a_kern.c '#include "dcmpi/cluster.h"' "mathematics must not see comm.h (through include/dcmpi/cluster.h"
breach src/train/a.c '#include <mpi.h>' "MPI only in src/comm"
breach src/train/a.c 'int f(void) { return MPI_Barrier(0); }' "MPI only in src/comm"
breach src/train/a.c '#include <hdf5.h>' "HDF5 only in src/io"
breach src/nn/a.c 'void f(void) { cblas_sgemm(0); }' "oneDNN, CBLAS and LAPACK only in la/gemm.c"
breach src/train/a.c '#pragma omp parallel' "OpenMP loops only in kernels"
breach src/train/a.c 'void f(void) { free(malloc(1)); }' "memory only through"
breach src/train/a.c 'void f(void) { exit(1); }' "the process ends only in"
breach src/train/a.c 'int dc_f(int x, dc_comm *comm);' "dc_f: a collective function takes dc_comm . first"
breach Makefile 'CFLAGS = -ffast-math' "fast-math"
touch Makefile
printf 'void dc_b(void)\n{\n    dc_c();\n}\n' >src/nn/b.c
printf 'int dc_c(int x)\n{\n    return x; /* dc_b() */\n}\n' >src/nn/c.c
layers "$tmp" >"$out"
is "$?" 0 "calls in one direction"
breach src/nn/c.c $'static void dc_e(void)\n{\n    dc_b();\n}\nint dc_c(int x)\n{\n    return x;\n}' "dc_b closes a circle with src/nn/b.c"
rm src/nn/b.c
printf 'const dc_method dc_method_xyz = {\n    .name = "xyz",\n};\n' >src/method/xyz.c
breach src/train/a.c 'bool f(s) { return !strcmp(s, "xyz"); }' "only src/method/xyz.c and the registry know the method xyz"
breach src/method/a.c '/* as xyz does */' "only src/method/xyz.c and the registry know the method xyz"
breach include/dcmpi/a.h '/* xyz, abc */' "only src/method/xyz.c and the registry know the method xyz"
echo 'extern dc_method dc_method_xyz; /* xyzzy */' >src/method/methods.h
echo '/* MPI_Send( */ const char *s = "malloc("; int dc_g(dc_comm *comm, int x);' >src/train/a.c
layers "$tmp" >"$out"
is "$?" 0 "comments and texts are no breaches"
done_testing
