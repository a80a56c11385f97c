/* Private to graph/: plans of values that travel both ways. */
#ifndef DCMPI_GRAPH_HALO_H
#define DCMPI_GRAPH_HALO_H

#include "dcmpi/neighbours.h"

/* Sorts row[n] and drops repeats; returns how many are left. */
int64_t dc_rows_distinct(dc_gidx *row, int64_t n);
/* Number of `wanted` among row[n], rising, where it is. */
int64_t dc_rows_place(const dc_gidx *row, int64_t n, dc_gidx wanted);

/* The way back: value[m], one for each fetched row, goes to the owners of these rows. *row, *given: local rows of this
 * rank and what came for them, in the order of ranks; returns how many. Valid until the next call. Collective. */
int64_t dc_halo_give(dc_comm *comm, dc_halo *h, const int64_t *value, const int64_t **row, const int64_t **given);

#endif
