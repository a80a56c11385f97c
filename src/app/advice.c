/* Advice about the start of a job: causes that a run can see and the option that mends them. */
#include "advice.h"

#include "dcmpi/la.h"

bool dc_advise_cores(const dc_binding *b, int ranks_here, char *out, size_t cap)
{
    const bool too_many_threads = b->threads > b->cores_allowed;
    out[0] = '\0';
    if (too_many_threads)
        snprintf(out, cap, "%d threads per rank on %d allowed core%s; set OMP_NUM_THREADS=%d%s", b->threads,
                 b->cores_allowed, b->cores_allowed == 1 ? "" : "s", b->cores_allowed,
                 b->cores_allowed < b->cores_machine ? ", or start with `mpirun --bind-to none`" : "");
    else if (ranks_here * b->threads > b->cores_machine)
        snprintf(out, cap,
                 "%d ranks x %d threads on %d cores of this node: oversubscribed; set OMP_WAIT_POLICY=passive",
                 ranks_here, b->threads, b->cores_machine);
    else if (b->cores_allowed == 1 && b->cores_machine > ranks_here)
        snprintf(out, cap,
                 "each rank is bound to one core of %d, so OpenMP has one thread; start with `mpirun --bind-to none` "
                 "and OMP_NUM_THREADS, or with --map-by slot:PE=n",
                 b->cores_machine);
    return too_many_threads;
}

void dc_advise_blas(char *out, size_t cap)
{
    const char *core;
    out[0] = '\0';
    if (!dc_la_blas_core_is_old(&core)) return;
    snprintf(out, cap,
             "OpenBLAS took kernels older than this CPU; set OPENBLAS_CORETYPE=%s before mpirun (parallel.gemm is %s)",
             core, dc_gemm_get_backend() == DC_GEMM_CBLAS ? "cblas" : "onednn, so the network is not slowed");
}
