/* The ranks of a job: one handle over a duplicated communicator, with counted collectives and error agreement.
 *
 * A function is collective if and only if its first parameter is `dc_comm *` (except the queries below). Only the main
 * thread calls these, never inside a parallel region. An MPI error ends the job: the rank prints its number, the call
 * and MPI's error text to stderr, then calls MPI_Abort(70). After dc_comm_create() a failed DC_ASSERT ends the whole
 * job in the same way.
 *
 * In debug builds (-DDC_DEBUG) each collective first compares source line, call and count over all ranks, and ends the
 * job with both positions if they differ: a deadlock or a mixed-up message becomes an error message. */
#ifndef DCMPI_COMM_H
#define DCMPI_COMM_H

#include "dcmpi/base.h"

typedef struct dc_comm dc_comm;

/* Starts MPI (THREAD_FUNNELED) and duplicates the world; sets the log active on rank 0 only. Call once per process. The
 * caller passes *out to dc_comm_destroy() even after an error: MPI ends only when all ranks end it, so rank 0 can print
 * the error before the launcher sees an exit code and kills the other ranks. Errors: DC_ERR_MEMORY, DC_ERR_USAGE (an
 * MPI library without thread support). */
DC_CHECKED dc_status dc_comm_create(dc_comm **out);
/* Splits the ranks into groups that work independently at the same time. Ranks that pass the same number group >= 0
 * form one group and keep their order. Work in a group gives the same bits as on any other number of ranks. A group
 * gets no stop or save requests (wish.h) until dc_comm_set_wish(); only rank 0 of the job writes log lines. Destroy
 * *out before `comm`. Collective over comm. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_comm_split(dc_comm *comm, int group, dc_comm **out);
/* Ends MPI, or a group; accepts NULL. Collective. */
void dc_comm_destroy(dc_comm **comm);

/* Ends the job with exit code `st` when ending MPI normally would make a library crash. Rank 0 has already printed the
 * reason. Collective. */
_Noreturn void dc_comm_abort(dc_comm *comm, dc_status st);

/* Queries, not collective. */
int dc_comm_rank(const dc_comm *comm);
int dc_comm_size(const dc_comm *comm);
int dc_comm_node_rank(const dc_comm *comm); /* rank among the ranks of this node */
int dc_comm_node_size(const dc_comm *comm); /* ranks on this node */
int dc_comm_node_count(const dc_comm *comm);
const char *dc_comm_host(const dc_comm *comm);

/* Combine x over all ranks, in place. n is equal on all ranks; it may exceed 2^31 or be 0. The MPI library chooses the
 * order of floating-point sums, so their bits depend on the number of ranks (those of sum.h do not). */
void dc_comm_sum_f32(dc_comm *comm, float *x, size_t n);
void dc_comm_sum_f64(dc_comm *comm, double *x, size_t n);
void dc_comm_sum_i64(dc_comm *comm, int64_t *x, size_t n);
void dc_comm_max_f64(dc_comm *comm, double *x, size_t n);
void dc_comm_min_f64(dc_comm *comm, double *x, size_t n);
void dc_comm_max_i64(dc_comm *comm, int64_t *x, size_t n);
void dc_comm_min_i64(dc_comm *comm, int64_t *x, size_t n);
void dc_comm_bcast(dc_comm *comm, void *data, size_t bytes, int root);
void dc_comm_barrier(dc_comm *comm);
/* Every rank gets the concatenation in rank order. counts[P], in bytes, is equal on all ranks. recv has room for all
 * bytes; send holds counts[rank] bytes and may be this rank's part of recv. */
void dc_comm_allgatherv(dc_comm *comm, const void *send, void *recv, const size_t *counts);
/* As dc_comm_allgatherv, but only rank `root` receives; on other ranks recv is untouched and may be NULL. */
void dc_comm_gatherv(dc_comm *comm, const void *send, void *recv, const size_t *counts, int root);
/* send_counts[P], recv_counts[P] in bytes; both buffers are packed in rank order and must not overlap. */
void dc_comm_alltoallv(dc_comm *comm, const void *send, const size_t *send_counts, void *recv,
                       const size_t *recv_counts);

/* Traffic of this rank so far, for the report. */
typedef enum {
    DC_COMM_ALLREDUCE,
    DC_COMM_BCAST,
    DC_COMM_BARRIER,
    DC_COMM_ALLGATHERV,
    DC_COMM_GATHERV,
    DC_COMM_ALLTOALLV,
    DC_COMM_OP_COUNT
} dc_comm_op;
typedef struct {
    uint64_t calls;
    uint64_t bytes; /* payload handed to MPI by this rank */
    double seconds; /* time spent inside MPI by this rank, waiting included */
} dc_comm_traffic;
dc_comm_traffic dc_comm_traffic_of(const dc_comm *comm, dc_comm_op op);
dc_comm_traffic dc_comm_traffic_total(const dc_comm *comm);

/* ---- Agreement ------------------------------------------------------------------------------------------------ */

/* Collective. Every rank passes its own status; all return DC_OK or the worst one (highest code, ties: lowest rank; any
 * error beats DC_STOPPED). That rank's error text is recorded on all ranks, prefixed "[rank r host] " if P > 1 and not
 * all ranks failed alike. One reduction of 8 bytes when all is well. */
DC_CHECKED dc_status dc_agree(dc_comm *comm, dc_status local);
#ifdef __clang_analyzer__ /* the analyzer does not know that a rank whose call failed never gets DC_OK */
#define DC_TRY_ALL(comm, call) DC_TRY(call)
#else
#define DC_TRY_ALL(comm, call) DC_TRY(dc_agree((comm), (call)))
#endif
/* Collective. DC_OK if `hash` is the same on all ranks, else DC_ERR_NUMERIC. The error names `what` and a rank of the
 * minority; of two equal halves, the one without rank 0 counts as the minority. One reduction of 16 bytes when all is
 * well. */
DC_CHECKED dc_status dc_agree_hash(dc_comm *comm, uint64_t hash, const char *what);
/* The recorded error text without the rank and host that dc_agree() puts before it: the same for every number of ranks.
 * Local. */
const char *dc_agree_text(void);
/* Whether dc_agree_hash() has found a difference between this rank and others. Then no error is one of the data or the
 * method, and nothing may go on. Local. */
bool dc_agree_differed(void);

/* ---- Start-up -------------------------------------------------------------------------------------------------- */

/* Launch check: detects N launched processes that are each rank 0 of 1 (wrong mpirun, srun without PMIx). Reads the
 * environment only. Errors: DC_ERR_USAGE "N processes but MPI size 1"; afterwards the log is active in the launcher's
 * first process only, so that the error is printed once. Call after dc_comm_create(). */
DC_CHECKED dc_status dc_comm_check_launch(dc_comm *comm);
/* Whether a launcher of MPI jobs started this process; works without MPI. */
bool dc_comm_is_launched(void);
/* "Open MPI 4.1.4"; works without MPI. */
const char *dc_comm_library(void);

/* ---- Debug builds: who called ------------------------------------------------------------------------------------ */

/* Notes the caller's position for the next collective and returns `comm`. */
dc_comm *dc_comm_at(dc_comm *comm, const char *file, int line);
#if defined DC_DEBUG && !defined DC_COMM_NO_POSITION
#define DC_HERE(comm) dc_comm_at((comm), __FILE__, __LINE__)
#define dc_comm_sum_f32(comm, x, n) dc_comm_sum_f32(DC_HERE(comm), x, n)
#define dc_comm_sum_f64(comm, x, n) dc_comm_sum_f64(DC_HERE(comm), x, n)
#define dc_comm_sum_i64(comm, x, n) dc_comm_sum_i64(DC_HERE(comm), x, n)
#define dc_comm_max_f64(comm, x, n) dc_comm_max_f64(DC_HERE(comm), x, n)
#define dc_comm_min_f64(comm, x, n) dc_comm_min_f64(DC_HERE(comm), x, n)
#define dc_comm_max_i64(comm, x, n) dc_comm_max_i64(DC_HERE(comm), x, n)
#define dc_comm_min_i64(comm, x, n) dc_comm_min_i64(DC_HERE(comm), x, n)
#define dc_comm_bcast(comm, data, bytes, root) dc_comm_bcast(DC_HERE(comm), data, bytes, root)
#define dc_comm_barrier(comm) dc_comm_barrier(DC_HERE(comm))
#define dc_comm_allgatherv(comm, send, recv, counts) dc_comm_allgatherv(DC_HERE(comm), send, recv, counts)
#define dc_comm_gatherv(comm, send, recv, counts, root) dc_comm_gatherv(DC_HERE(comm), send, recv, counts, root)
#define dc_comm_alltoallv(comm, send, scounts, recv, rcounts)                                                          \
    dc_comm_alltoallv(DC_HERE(comm), send, scounts, recv, rcounts)
#define dc_agree(comm, local) dc_agree(DC_HERE(comm), local)
#define dc_agree_hash(comm, hash, what) dc_agree_hash(DC_HERE(comm), hash, what)
#endif

#endif
