/* A limit on the sizes of clusters. */
#ifndef DCMPI_CAPPED_H
#define DCMPI_CAPPED_H

#include "dcmpi/cluster.h"

typedef struct {
    int64_t moved, rounds; /* rows that are not where they were; rounds that this took */
    double inertia;        /* with the new labels */
} dc_capped;
/* Gives no cluster more than `most` rows, most * K >= N. Each row asks the nearest centre (r->centers [K x d], ties:
 * the lowest) that would take it; a centre that is asked by more than `most` rows keeps the nearest (ties: the lowest
 * row), and the others ask on (Gale and Shapley 1962). What comes out does not depend on who asks when: no row is
 * nearer to a centre that has room, or that keeps a row farther away.
 *
 * r holds the clustering to begin with; its labels, sizes and inertia are replaced, its centres stay. Collective; the
 * same bits for every number of ranks and threads. Errors: DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_cap_sizes(dc_comm *comm, const dc_rows *rows, int64_t K, int64_t most, dc_kmeans_result *r,
                                  dc_capped *out);
/* Memory that this takes on this rank besides the arrays, measured in a rehearsal (mem.h). Local. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_cap_bytes(const dc_part *part, int64_t d, int64_t K, double *bytes);

#endif
