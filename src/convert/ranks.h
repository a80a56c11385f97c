/* The ranks of a job, or this process alone if `comm` is NULL: conversion of text also works without MPI. Functions are
 * collective, as those of comm.h that they call. */
#ifndef DCMPI_CONVERT_RANKS_H
#define DCMPI_CONVERT_RANKS_H

#include "dcmpi/comm.h"

static inline int dc_ranks_rank(const dc_comm *comm)
{
    return comm ? dc_comm_rank(comm) : 0;
}
static inline int dc_ranks_size(const dc_comm *comm)
{
    return comm ? dc_comm_size(comm) : 1;
}
DC_CHECKED dc_status dc_ranks_agree(dc_comm *comm, dc_status local);
/* As DC_TRY_ALL(). */
#define DC_TRY_RANKS(comm, call) DC_TRY(dc_ranks_agree((comm), (call)))
/* DC_STOPPED if the job must end. */
DC_CHECKED dc_status dc_ranks_poll_stop(dc_comm *comm);
void dc_ranks_sum(dc_comm *comm, int64_t *x, size_t n);
void dc_ranks_max(dc_comm *comm, int64_t *x, size_t n);
void dc_ranks_max_f64(dc_comm *comm, double *x, size_t n);
void dc_ranks_bcast(dc_comm *comm, void *data, size_t bytes);
/* all[P] gets x of each rank. */
void dc_ranks_gather_i64(dc_comm *comm, int64_t x, int64_t *all);
/* Every rank gets the bytes of all ranks, in rank order: *all (freed by the caller with dc_mem_free()) with *total
 * bytes; counts[P] the bytes of each. Errors: DC_ERR_MEMORY, the same on all ranks. */
DC_CHECKED dc_status dc_ranks_collect(dc_comm *comm, const void *mine, size_t bytes, size_t *counts, void *all,
                                      size_t *total);
/* Sends send_counts[r] bytes to each rank r, packed in rank order; *recv (room *recv_room, made larger if need be) and
 * recv_counts[P] hold what came. Errors: DC_ERR_MEMORY, the same on all ranks. */
DC_CHECKED dc_status dc_ranks_exchange(dc_comm *comm, const void *send, const size_t *send_counts, char **recv,
                                       size_t *recv_room, size_t *recv_counts);

#endif
