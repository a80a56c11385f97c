/* The collectives: one thin wrapper per call that adds 64-bit counts, the error policy, traffic counters and the call
 * check of debug builds.
 *
 * MPI counts are int, so messages are sent in pieces of at most `piece_bytes`. The number of pieces follows from counts
 * that are the same on all ranks or, in exchange(), known to both partners. No fault tolerance, no overlap. */
#include <stdio.h>
#include <string.h>

#include "comm_priv.h"
#include "dcmpi/beat.h"
#include "dcmpi/clock.h"

#ifdef DC_DEBUG
static const char *const op_names[DC_COMM_OP_COUNT] = {"allreduce",  "bcast",   "barrier",
                                                       "allgatherv", "gatherv", "alltoallv"};
#endif

dc_comm_traffic dc_comm_traffic_of(const dc_comm *comm, dc_comm_op op)
{
    return comm->traffic[op];
}

dc_comm_traffic dc_comm_traffic_total(const dc_comm *comm)
{
    dc_comm_traffic total = {0};
    for (int op = 0; op < DC_COMM_OP_COUNT; op++) {
        total.calls += comm->traffic[op].calls;
        total.bytes += comm->traffic[op].bytes;
        total.seconds += comm->traffic[op].seconds;
    }
    return total;
}

dc_comm *dc_comm_at(dc_comm *comm, const char *file, int line)
{
    const char *slash = strrchr(file, '/');
    comm->file = slash ? slash + 1 : file;
    comm->line = line;
    return comm;
}

/* Enters a collective; returns the time. `count` must be the same on all ranks. */
static double enter(dc_comm *comm, dc_comm_op op, size_t count)
{
    dc_beat_waits(true);
#ifdef DC_DEBUG
    dc_comm_check_same_call(comm, op_names[op], count);
#else
    (void)comm, (void)op, (void)count;
#endif
    return dc_clock_now_s();
}

static void leave(dc_comm *comm, dc_comm_op op, size_t bytes, double entered_s)
{
    dc_comm_traffic *traffic = &comm->traffic[op];
    traffic->calls++;
    traffic->bytes += bytes;
    traffic->seconds += dc_clock_now_s() - entered_s;
    dc_beat_waits(false);
}

static void allreduce(dc_comm *comm, void *x, size_t n, size_t size, MPI_Datatype type, MPI_Op op)
{
    const double t = enter(comm, DC_COMM_ALLREDUCE, n);
    const size_t piece = comm->piece_bytes / size;
    for (size_t at = 0; at < n; at += piece) {
        const int count = dc_int((int64_t)DC_MIN(piece, n - at));
        DC_MPI(comm, MPI_Allreduce(MPI_IN_PLACE, (char *)x + at * size, count, type, op, comm->mpi));
    }
    leave(comm, DC_COMM_ALLREDUCE, n * size, t);
}

void dc_comm_sum_f32(dc_comm *comm, float *x, size_t n)
{
    allreduce(comm, x, n, sizeof *x, MPI_FLOAT, MPI_SUM);
}
void dc_comm_sum_f64(dc_comm *comm, double *x, size_t n)
{
    allreduce(comm, x, n, sizeof *x, MPI_DOUBLE, MPI_SUM);
}
void dc_comm_sum_i64(dc_comm *comm, int64_t *x, size_t n)
{
    allreduce(comm, x, n, sizeof *x, MPI_INT64_T, MPI_SUM);
}
void dc_comm_max_f64(dc_comm *comm, double *x, size_t n)
{
    allreduce(comm, x, n, sizeof *x, MPI_DOUBLE, MPI_MAX);
}
void dc_comm_min_f64(dc_comm *comm, double *x, size_t n)
{
    allreduce(comm, x, n, sizeof *x, MPI_DOUBLE, MPI_MIN);
}
void dc_comm_max_i64(dc_comm *comm, int64_t *x, size_t n)
{
    allreduce(comm, x, n, sizeof *x, MPI_INT64_T, MPI_MAX);
}
void dc_comm_min_i64(dc_comm *comm, int64_t *x, size_t n)
{
    allreduce(comm, x, n, sizeof *x, MPI_INT64_T, MPI_MIN);
}

static void bcast_pieces(dc_comm *comm, void *data, size_t bytes, int root)
{
    for (size_t at = 0; at < bytes; at += comm->piece_bytes) {
        const int count = dc_int((int64_t)DC_MIN(comm->piece_bytes, bytes - at));
        DC_MPI(comm, MPI_Bcast((char *)data + at, count, MPI_BYTE, root, comm->mpi));
    }
}

void dc_comm_bcast(dc_comm *comm, void *data, size_t bytes, int root)
{
    const double t = enter(comm, DC_COMM_BCAST, bytes);
    bcast_pieces(comm, data, bytes, root);
    leave(comm, DC_COMM_BCAST, bytes, t);
}

void dc_comm_barrier(dc_comm *comm)
{
    const double t = enter(comm, DC_COMM_BARRIER, 0);
    DC_MPI(comm, MPI_Barrier(comm->mpi));
    leave(comm, DC_COMM_BARRIER, 0, t);
}

/* Sends to `to` and receives from `from` in pieces; sender and receiver know the number of pieces. */
static void exchange(dc_comm *comm, const char *send, size_t send_bytes, int to, char *recv, size_t recv_bytes,
                     int from)
{
    const size_t piece = comm->piece_bytes;
    for (size_t at = 0; at < send_bytes || at < recv_bytes; at += piece) {
        const bool sends = at < send_bytes, receives = at < recv_bytes;
        const int n_send = sends ? dc_int((int64_t)DC_MIN(piece, send_bytes - at)) : 0;
        const int n_recv = receives ? dc_int((int64_t)DC_MIN(piece, recv_bytes - at)) : 0;
        DC_MPI(comm, MPI_Sendrecv(sends ? send + at : NULL, n_send, MPI_BYTE, sends ? to : MPI_PROC_NULL, 0,
                                  receives ? recv + at : NULL, n_recv, MPI_BYTE, receives ? from : MPI_PROC_NULL, 0,
                                  comm->mpi, MPI_STATUS_IGNORE));
    }
}

static size_t sum_before(const size_t *counts, int rank)
{
    size_t sum = 0;
    for (int r = 0; r < rank; r++) sum += counts[r];
    return sum;
}

/* For totals beyond one piece: each rank broadcasts its part, because MPI's displacements are int, too. */
static void gather_pieces(dc_comm *comm, char *all, const size_t *counts)
{
    for (int r = 0; r < comm->size; r++) {
        bcast_pieces(comm, all, counts[r], r);
        all += counts[r];
    }
}

static void gather_at_once(dc_comm *comm, char *all, const size_t *counts)
{
    int *n = comm->counts, *at = comm->counts + comm->size;
    int64_t sum = 0;
    for (int r = 0; r < comm->size; r++) {
        n[r] = dc_int((int64_t)counts[r]);
        at[r] = dc_int(sum);
        sum += n[r];
    }
    DC_MPI(comm, MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_BYTE, all, n, at, MPI_BYTE, comm->mpi));
}

void dc_comm_allgatherv(dc_comm *comm, const void *send, void *recv, const size_t *counts)
{
    const size_t total = sum_before(counts, comm->size), own = counts[comm->rank];
    const double t = enter(comm, DC_COMM_ALLGATHERV, total);
    if (own > 0) memmove((char *)recv + sum_before(counts, comm->rank), send, own);
    if (total <= comm->piece_bytes)
        gather_at_once(comm, recv, counts);
    else
        gather_pieces(comm, recv, counts);
    leave(comm, DC_COMM_ALLGATHERV, own, t);
}

/* The root receives the parts one rank after the other. As the only receiver, it is the bottleneck in any order. */
void dc_comm_gatherv(dc_comm *comm, const void *send, void *recv, const size_t *counts, int root)
{
    const size_t own = counts[comm->rank];
    const double t = enter(comm, DC_COMM_GATHERV, sum_before(counts, comm->size));
    if (comm->rank == root) {
        char *part = recv;
        for (int r = 0; r < comm->size; part += counts[r++]) {
            if (r != root)
                exchange(comm, NULL, 0, MPI_PROC_NULL, part, counts[r], r);
            else if (own > 0)
                memmove(part, send, own);
        }
    } else {
        exchange(comm, send, own, root, NULL, 0, MPI_PROC_NULL);
    }
    leave(comm, DC_COMM_GATHERV, comm->rank == root ? 0 : own, t);
}

/* Pairwise exchange: in step s rank r sends to r+s and receives from r-s (modulo P). */
void dc_comm_alltoallv(dc_comm *comm, const void *send, const size_t *send_counts, void *recv,
                       const size_t *recv_counts)
{
    const int P = comm->size, me = comm->rank;
    const double t = enter(comm, DC_COMM_ALLTOALLV, 0);
    const size_t own = send_counts[me], recv_total = sum_before(recv_counts, P);
    size_t send_at = sum_before(send_counts, me), recv_at = sum_before(recv_counts, me);
    DC_ASSERT(own == recv_counts[me]);
    if (own > 0) memcpy((char *)recv + recv_at, (const char *)send + send_at, own);
    for (int s = 1; s < P; s++) {
        const int to = (me + s) % P, from = (me + P - s) % P;
        send_at = to == 0 ? 0 : send_at + send_counts[to - 1];
        recv_at = (from == P - 1 ? recv_total : recv_at) - recv_counts[from];
        exchange(comm, (const char *)send + send_at, send_counts[to], to, (char *)recv + recv_at, recv_counts[from],
                 from);
    }
    leave(comm, DC_COMM_ALLTOALLV, sum_before(send_counts, P) - own, t);
}

/* Hashes the position and the count of a call into one key. One MAX reduction then tells whether all ranks have the
 * same key: max(x) = -max(-x) only if all x are equal. */
static int64_t call_key(const dc_comm *comm, const char *call, size_t count)
{
    uint64_t key = 14695981039346656037u; /* FNV-1a */
    for (const char *c = comm->file; *c; c++) key = (key ^ (unsigned char)*c) * 1099511628211u;
    for (const char *c = call; *c; c++) key = (key ^ (unsigned char)*c) * 1099511628211u;
    key = (key ^ (uint64_t)comm->line) * 1099511628211u;
    key = (key ^ count) * 1099511628211u;
    return (int64_t)(key >> 1);
}

void dc_comm_check_same_call(dc_comm *comm, const char *call, size_t count)
{
    const int64_t key = call_key(comm, call, count);
    int64_t ends[2] = {key, -key};
    DC_MPI(comm, MPI_Allreduce(MPI_IN_PLACE, ends, 2, MPI_INT64_T, MPI_MAX, comm->mpi));
    if (ends[0] == -ends[1]) return;
    fprintf(stderr,
            "dcmpi: ERROR: [rank %d %s] ranks are in different collective calls: this one in %s of %zu at %s:%d\n",
            comm->rank, comm->host, call, count, comm->file, comm->line);
    fflush(stderr);
    /* Lets every rank print its position before the first abort ends the others. */
    MPI_Barrier(comm->mpi);
    MPI_Abort(comm->mpi, DC_ERR_INTERNAL);
}
