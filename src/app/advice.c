/* Advice about how a job was started: problems that a run can see, and the option that solves each. */
#include "advice.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/statvfs.h>

#include "dcmpi/data.h"
#include "dcmpi/la.h"

/* Advice is given if an uneven distribution slows the job down at least this much. */
static const double UNEVEN = 1.2;
/* A rank with fewer rows of a batch than this spends more time on messages than on work. */
static const double ROWS_LEAST = 8;
/* Shared memory that Open MPI takes per rank; containers often have 64 MiB in all. */
static const double SHM_PER_RANK = 4 * 0x1p20;

/* Whether waiting threads sleep and leave their core free, as set by the user or by us (waiting.h). */
static bool threads_sleep(void)
{
    const char *policy = getenv("OMP_WAIT_POLICY");
    return policy ? strcasecmp(policy, "passive") == 0 : getenv("GOMP_SPINCOUNT") != NULL;
}

bool dc_advise_cores(const dc_binding *b, int ranks_here, char *out, size_t cap)
{
    const bool too_many_threads = b->threads > b->cores_allowed;
    out[0] = '\0';
    if (too_many_threads)
        snprintf(out, cap, "%d threads per rank on %d allowed core%s; set OMP_NUM_THREADS=%d%s", b->threads,
                 b->cores_allowed, b->cores_allowed == 1 ? "" : "s", b->cores_allowed,
                 b->cores_allowed < b->cores_machine ? ", or start with `mpirun --bind-to none`" : "");
    else if (ranks_here * b->threads > b->quota + 1)
        snprintf(
            out, cap,
            "%d rank%s x %d thread%s, of which control groups let %.3g run at a time: use fewer, or a larger quota",
            ranks_here, ranks_here == 1 ? "" : "s", b->threads, b->threads == 1 ? "" : "s", b->quota);
    else if (ranks_here * b->threads > b->cores_machine)
        snprintf(out, cap, "%d ranks x %d thread%s on %d cores of this node: oversubscribed; use fewer%s", ranks_here,
                 b->threads, b->threads == 1 ? "" : "s", b->cores_machine,
                 threads_sleep() ? "" : ", or set OMP_WAIT_POLICY=passive");
    else if (b->cores_allowed == 1 && b->cores_machine > ranks_here)
        snprintf(out, cap,
                 "each rank is bound to one core of %d, so OpenMP has one thread; start with `mpirun --bind-to none` "
                 "and OMP_NUM_THREADS, or with --map-by slot:PE=n",
                 b->cores_machine);
    return too_many_threads;
}

void dc_advise_threads(const dc_binding *b, int ranks_here, char *out, size_t cap)
{
    out[0] = '\0';
    if (b->piled_up)
        snprintf(out, cap, "OMP_PROC_BIND or OMP_PLACES put the threads of %d ranks on the same cores; they %s",
                 b->sharers, b->pinned ? "were bound to cores of their own" : "may use all of these now");
    else if (b->chosen && b->quota / ranks_here < (double)b->cores_allowed / b->sharers)
        snprintf(out, cap,
                 "OMP_NUM_THREADS is not set: %d thread%s per rank, as control groups grant this node's %d rank%s "
                 "%.3g cores",
                 b->threads, b->threads == 1 ? "" : "s", ranks_here, ranks_here == 1 ? "" : "s", b->quota);
    else if (b->chosen && b->sharers > 1)
        snprintf(out, cap, "OMP_NUM_THREADS is not set: %d thread%s per rank, as %d ranks share %d core%s", b->threads,
                 b->threads == 1 ? "" : "s", b->sharers, b->cores_allowed, b->cores_allowed == 1 ? "" : "s");
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

void dc_advise_shards(int shards, int ranks, char *out, size_t cap)
{
    const int most = (shards + ranks - 1) / ranks;
    int fit = 1; /* largest power of two <= ranks: it divides the shards */
    while (2 * fit <= ranks) fit *= 2;
    out[0] = '\0';
    if ((double)most * ranks < UNEVEN * shards) return;
    snprintf(out, cap,
             "%d shards on %d ranks: some ranks hold %d, the others %d and wait; use %d or %d ranks, or more "
             "parallel.shards (which gives other results)",
             shards, ranks, most, shards / ranks, fit, DC_MIN(2 * fit, shards));
}

void dc_advise_batch(int64_t batch, int ranks, char *out, size_t cap)
{
    const double rows = (double)batch / ranks;
    out[0] = '\0';
    if (ranks == 1 || rows >= ROWS_LEAST) return;
    snprintf(
        out, cap,
        "a batch of %lld gives each of %d ranks %.1f rows per step, so messages will take most of the time; use fewer "
        "ranks with more threads, or a larger batch (which gives other results)",
        (long long)batch, ranks, rows);
}

void dc_advise_labels(const char *source, int64_t rows, int64_t classes, char *out, size_t cap)
{
    out[0] = '\0';
    if (!dc_labels_name_rows(classes, rows)) return;
    snprintf(out, cap,
             "%s: %lld different labels in %lld rows: are they identifiers? They score the result and do nothing else",
             source, (long long)classes, (long long)rows);
}

double dc_shm_free_bytes(void)
{
    struct statvfs s;
    return statvfs("/dev/shm", &s) == 0 ? (double)s.f_bavail * (double)s.f_frsize : -1;
}

void dc_advise_shm(double free_bytes, int ranks_here, char *out, size_t cap)
{
    out[0] = '\0';
    if (ranks_here == 1 || free_bytes < 0 || free_bytes >= ranks_here * SHM_PER_RANK) return;
    snprintf(
        out, cap,
        "/dev/shm has %.1f MiB left for %d ranks, where Open MPI keeps messages between the ranks of a node and may "
        "fail with a bus error; make it larger (docker run --shm-size=1g) or put its files elsewhere "
        "(OMPI_MCA_btl_vader_backing_directory=/tmp)",
        free_bytes / 0x1p20, ranks_here);
}
