#!/usr/bin/env bash
# Ranks whose libraries chose different kernels: the run refuses them, warns of them, or pins all to kernels that all have.
. "$(dirname "$0")/lib.sh"
grep -q avx512vl /proc/cpuinfo || skip_test "needs a CPU with AVX-512, which can run older kernels too"
export OMP_NUM_THREADS=1

small=(--run.resume=never --input.rows=200 --parallel.shards=4 --model.hidden=[30] --pretrain.epochs=1 --cluster.max_iter=2 --cluster.n_init=1)

mixed() { # NAME ARGS...: rank 1 as on an older CPU
    local name=$1
    shift
    # shellcheck disable=SC2086  # several options
    run_cmd mpirun $MPIRUN_FLAGS -n 1 "$dcmpi" "${small[@]}" "$@" --run.output="$tmp/$name" : \
        -n 1 -x ONEDNN_MAX_CPU_ISA=AVX2 "$dcmpi" "${small[@]}" "$@" --run.output="$tmp/$name"
}

isa_of() { "$dcmpi" info "$tmp/$1/run.h5" | sed -n 's/^isa *//p'; }

mixed strict
expect_error 2 "\[rank 1 .*\(avx2\).* rank 0 .*\(avx512_core.*parallel.isa" "another instruction set"
expect_no_file "$tmp/strict" "refused before anything is written"
mixed off --parallel.reproducible=off
expect_exit 0 "another instruction set with reproducible: off"
expect_out "WARNING ranks run different kernels.*\[rank 1 .*\(avx2\)" "is warned of"
mixed pinned --parallel.isa=avx2
expect_exit 0 "another instruction set, pinned to the older"
expect_out "oneDNN [0-9.]+ \(avx2\)" "the banner names it"
is "$(isa_of pinned)" avx2 "the result names it"

cp "$dcmpi" "$tmp/other"
echo >>"$tmp/other"
# shellcheck disable=SC2086  # several options
run_cmd mpirun $MPIRUN_FLAGS -n 2 "$dcmpi" "${small[@]}" : -n 1 "$tmp/other" "${small[@]}"
expect_error 2 "\[rank 2 .*program [0-9a-f]{16}, but rank 0 .* program [0-9a-f]{16};" "another program"

OPENBLAS_CORETYPE=SkylakeX run 1 1 "${small[@]}" --parallel.gemm=cblas --parallel.isa=avx2 --run.output="$tmp/cblas"
expect_error 2 "SkylakeX kernels; set OPENBLAS_CORETYPE=Haswell" "OpenBLAS has to be told before the start"
OPENBLAS_CORETYPE=Haswell run 1 1 "${small[@]}" --parallel.gemm=cblas --parallel.isa=avx2 --run.output="$tmp/cblas"
expect_exit 0 "OpenBLAS was told"
is "$(isa_of cblas)" Haswell "the result names OpenBLAS's kernels"

run 1 1 "${small[@]}" --parallel.gemm=cblas --run.output="$tmp/chosen"
expect_exit 0 "the program tells OpenBLAS"
expect_no_out "kernels older than this CPU" "kernels that OpenBLAS does not choose by itself"
OPENBLAS_CORETYPE=Prescott run 1 1 "${small[@]}" --parallel.gemm=cblas --run.output="$tmp/prescott"
expect_exit 0 "the user's kernels"
is "$(isa_of prescott)" Prescott "the user's kernels stay"
expect_out "kernels older than this CPU; set OPENBLAS_CORETYPE=" "and the banner says that they are old"

run 1 1 "${small[@]}" --run.output="$tmp/native"
run 0 1 compare "$tmp/native/run.h5" "$tmp/pinned/run.h5"
expect_exit 1 "other kernels give other bits"
done_testing
