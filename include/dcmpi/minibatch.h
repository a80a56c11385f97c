/* Mini-batch k-means, for rows that are read in batches. */
#ifndef DCMPI_MINIBATCH_H
#define DCMPI_MINIBATCH_H

#include "dcmpi/cluster.h"

/* Batches of rows: step t takes the same rows on any number of ranks. Borrowed. */
typedef struct {
    int64_t B;        /* most rows of a batch, over all ranks */
    int64_t per_pass; /* batches in which every row occurs once */
    int64_t capacity; /* most rows of this rank in a batch */
    /* Local rows of a step, row[capacity] in an order that does not depend on the ranks; returns their number. */
    int64_t (*rows)(const void *ctx, int64_t step, int64_t *row);
    /* Rows of a step on the ranks below `rank`; rank P: of the whole batch. */
    int64_t (*below)(const void *ctx, int64_t step, int rank);
    const void *ctx;
} dc_row_batches;

/* Mini-batch k-means (Sculley 2010): the rows of a batch go to their nearest centres, then each centre becomes the mean
 * of all rows that it has ever got, so that it moves less and less. It starts from at most 10 iterations of k-means on
 * the rows of the first batches, at least three batches and 3 rows per centre, with cfg->n_init restarts. cfg->max_iter
 * counts passes over all rows; cfg->tol as in dc_kmeans, for the shift over a pass. At the end all rows are labelled
 * with the nearest centre.
 *
 * Each rank labels its own rows of a batch; then all ranks hold the whole batch and add its rows in its order, so that
 * the bits are the same for every number of ranks and threads. Memory: a batch, the first batches, and what dc_kmeans
 * takes for them and for the last labels. Progress is kept in cfg->state. Rows must not be sparse. Collective. Errors:
 * those of dc_kmeans. */
DC_CHECKED dc_status dc_minibatch(dc_comm *comm, const dc_rows *rows, const dc_row_batches *batches,
                                  const dc_kmeans_config *cfg, dc_kmeans_result *out);
/* Memory that this takes; only B and capacity of the batches are used. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_minibatch_needs_of(dc_comm *comm, const dc_part *part, int64_t d, const dc_row_batches *batches,
                                           const dc_kmeans_config *cfg, dc_kmeans_needs *out);

#endif
