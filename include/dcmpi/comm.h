/* The ranks of a job: one handle over a duplicated communicator, with counted collectives and error agreement.
 *
 * A function is collective if and only if its first parameter is `dc_comm *` (except the four queries below).
 * Only the main thread calls these, never inside a parallel region. An MPI error ends the job (MPI_Abort). */
#ifndef DCMPI_COMM_H
#define DCMPI_COMM_H

#include "dcmpi/base.h"

typedef struct dc_comm dc_comm;

/* Starts MPI (THREAD_FUNNELED) and duplicates the world; sets the log active on rank 0 only. Call once per process. */
DC_CHECKED dc_status dc_comm_create(dc_comm **out);
/* Ends MPI; accepts NULL. Collective. */
void dc_comm_destroy(dc_comm **comm);

/* Queries, not collective. */
int dc_comm_rank(const dc_comm *comm);
int dc_comm_size(const dc_comm *comm);
int dc_comm_node_rank(const dc_comm *comm); /* rank among the ranks of this node */
int dc_comm_node_size(const dc_comm *comm); /* ranks on this node */
int dc_comm_node_count(const dc_comm *comm);
const char *dc_comm_host(const dc_comm *comm);

/* In place over all ranks; counts may exceed 2^31. Sums of floats in the order of the MPI library. */
void dc_comm_sum_f32(dc_comm *comm, float *x, size_t n);
void dc_comm_sum_f64(dc_comm *comm, double *x, size_t n);
void dc_comm_sum_i64(dc_comm *comm, int64_t *x, size_t n);
void dc_comm_max_f64(dc_comm *comm, double *x, size_t n);
void dc_comm_min_f64(dc_comm *comm, double *x, size_t n);
void dc_comm_max_i64(dc_comm *comm, int64_t *x, size_t n);
void dc_comm_min_i64(dc_comm *comm, int64_t *x, size_t n);
void dc_comm_bcast(dc_comm *comm, void *data, size_t bytes, int root);
void dc_comm_barrier(dc_comm *comm);
/* Every rank gets the concatenation in rank order. counts[P] in bytes, equal on all ranks; recv holds their sum. */
void dc_comm_allgatherv(dc_comm *comm, const void *send, void *recv, const size_t *counts);
/* send_counts[P], recv_counts[P] in bytes; both buffers packed in rank order. */
void dc_comm_alltoallv(dc_comm *comm, const void *send, const size_t *send_counts, void *recv, const size_t *recv_counts);

/* Traffic so far, for the report. */
typedef struct {
    uint64_t calls;
    uint64_t bytes;  /* payload handed to MPI by this rank */
    double seconds;  /* time spent inside MPI by this rank */
} dc_comm_traffic;
dc_comm_traffic dc_comm_traffic_total(const dc_comm *comm);

/* ---- Agreement ------------------------------------------------------------------------------------------------ */

/* Collective. Every rank brings its own status; all ranks return the same: DC_OK, or the highest code (ties: lowest
 * rank), with that rank's error text, prefixed "[rank r host] " if P > 1 and not all ranks failed alike, recorded
 * everywhere. One small reduction when all is well. */
DC_CHECKED dc_status dc_agree(dc_comm *comm, dc_status local);
#define DC_TRY_ALL(comm, call) DC_TRY(dc_agree((comm), (call)))
/* Collective. DC_OK if `hash` is the same on all ranks, else DC_ERR_NUMERIC naming an odd rank (the minority) and `what`. */
DC_CHECKED dc_status dc_agree_hash(dc_comm *comm, uint64_t hash, const char *what);

/* ---- Start-up -------------------------------------------------------------------------------------------------- */

/* Launch checks without MPI: N processes of a launcher that each would be rank 0 of 1 (wrong mpirun, srun without
 * PMIx). Errors: DC_ERR_USAGE "N processes but MPI size 1". Call after dc_comm_create(). */
DC_CHECKED dc_status dc_comm_check_launch(dc_comm *comm);
/* Cores this process may run on (hwloc / sched affinity) and the OpenMP threads that will run. */
typedef struct {
    int cores_allowed; /* this rank */
    int threads;       /* OpenMP threads of this rank */
    int cores_machine; /* cores of this node */
} dc_binding;
dc_binding dc_comm_binding(const dc_comm *comm);

#endif
