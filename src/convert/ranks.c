/* Collectives for the ranks of a job, which do nothing but copy in a process without MPI. */
#include "convert/ranks.h"

#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/signals.h"
#include "dcmpi/wish.h"

dc_status dc_ranks_agree(dc_comm *comm, dc_status local)
{
    return comm ? dc_agree(comm, local) : local;
}

dc_status dc_ranks_poll_stop(dc_comm *comm)
{
    if (comm) return dc_wish_poll_stop(comm);
    return dc_signals_stops() > 0 ? DC_STOPPED : DC_OK;
}

void dc_ranks_sum(dc_comm *comm, int64_t *x, size_t n)
{
    if (comm) dc_comm_sum_i64(comm, x, n);
}

void dc_ranks_max(dc_comm *comm, int64_t *x, size_t n)
{
    if (comm) dc_comm_max_i64(comm, x, n);
}

void dc_ranks_max_f64(dc_comm *comm, double *x, size_t n)
{
    if (comm) dc_comm_max_f64(comm, x, n);
}

void dc_ranks_bcast(dc_comm *comm, void *data, size_t bytes)
{
    if (comm) dc_comm_bcast(comm, data, bytes, 0);
}

void dc_ranks_gather_i64(dc_comm *comm, int64_t x, int64_t *all)
{
    const int P = dc_ranks_size(comm);
    memset(all, 0, (size_t)P * sizeof *all);
    all[dc_ranks_rank(comm)] = x;
    dc_ranks_sum(comm, all, (size_t)P);
}

dc_status dc_ranks_collect(dc_comm *comm, const void *mine, size_t bytes, size_t *counts, void *all, size_t *total)
{
    dc_status st = DC_OK;
    int64_t *sizes = NULL;
    char **to = all;
    const int P = dc_ranks_size(comm);
    *to = NULL;
    *total = 0;
    DC_TRY_RANKS(comm, dc_mem_alloc(&sizes, (size_t)P, sizeof *sizes, "sizes"));
    dc_ranks_gather_i64(comm, (int64_t)bytes, sizes);
    for (int r = 0; r < P; r++) *total += counts[r] = (size_t)sizes[r];
    DC_TRY_RANKS(comm, dc_mem_alloc_raw(to, *total, 1, "what the ranks found"));
    if (comm)
        dc_comm_allgatherv(comm, mine, *to, counts);
    else if (bytes > 0)
        memcpy(*to, mine, bytes);
out:
    dc_mem_free(&sizes);
    if (st != DC_OK) dc_mem_free(to);
    return st;
}

/* Makes room for `bytes` bytes, which need not keep what was there. */
static dc_status make_room(char **buffer, size_t *room, size_t bytes)
{
    if (*buffer && bytes <= *room) return DC_OK;
    dc_mem_free(buffer);
    *room = bytes + bytes / 4 + 64;
    return dc_mem_alloc_raw(buffer, *room, 1, "what the ranks found");
}

dc_status dc_ranks_exchange(dc_comm *comm, const void *send, const size_t *send_counts, char **recv, size_t *recv_room,
                            size_t *recv_counts)
{
    dc_status st = DC_OK;
    size_t *eight = NULL, all = 0;
    const size_t P = (size_t)dc_ranks_size(comm);
    DC_TRY_RANKS(comm, dc_mem_alloc(&eight, P, sizeof *eight, "sizes"));
    for (size_t r = 0; r < P; r++) eight[r] = sizeof *eight;
    if (comm)
        dc_comm_alltoallv(comm, send_counts, eight, recv_counts, eight);
    else
        recv_counts[0] = send_counts[0];
    for (size_t r = 0; r < P; r++) all += recv_counts[r];
    DC_TRY_RANKS(comm, make_room(recv, recv_room, all));
    if (comm)
        dc_comm_alltoallv(comm, send, send_counts, *recv, recv_counts);
    else if (all > 0)
        memcpy(*recv, send, all);
out:
    dc_mem_free(&eight);
    return st;
}
