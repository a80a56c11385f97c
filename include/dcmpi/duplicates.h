/* Near-duplicates: rows of a cluster, or of neighbouring clusters, whose cosine reaches a bound. */
#ifndef DCMPI_DUPLICATES_H
#define DCMPI_DUPLICATES_H

#include "dcmpi/order.h"

typedef struct dc_comm dc_comm;

/* Which row of a group stays: the one nearest to its centre, the one furthest from it, or the first; ties: the first.
 */
typedef enum { DC_KEEP_NEAREST, DC_KEEP_FURTHEST, DC_KEEP_FIRST } dc_keep;

typedef struct {
    dc_gidx a, b; /* a < b */
    double cosine;
} dc_pair;

/* A pair that joined two groups when it was found. */
typedef struct {
    dc_gidx a, b;
} dc_edge;

/* What a search has found among the rows that it has compared so far: enough for another one, on any number of ranks,
 * to compare only the others. Rows are told apart by the shard of their places in the order of clusters; two shards are
 * either compared or not. */
enum { DC_DUPLICATES_SHARDS_MAX = 4096 };
typedef struct {
    int shards;            /* of the part of the rows, at most DC_DUPLICATES_SHARDS_MAX; a multiple of this in a search
                              that goes on */
    int64_t *done;         /* [dc_duplicates_words(shards)] bit b(b + 1)/2 + a: shards a <= b are compared */
    int64_t pairs, across; /* as of dc_duplicates */
    int64_t *pairs_of;     /* [K] */
    bool listed;           /* not yet too many for the list */
    dc_pair *pair;         /* [n_pairs] those that are listed; any rank may have any of them, as of the edges */
    int64_t n_pairs;
    dc_edge *edge; /* [n_edges] */
    int64_t n_edges;
} dc_duplicates_state;
static inline int64_t dc_duplicates_words(int shards)
{
    return (int64_t)shards * (shards + 1) / 2 / 64 + 1;
}

typedef struct {
    const dc_rows *rows;
    const dc_items
        *items; /* the same rows, for those who gather them in any order; NULL: not needed, as rows->X is set */
    int64_t K;
    const int32_t *label; /* [n] cluster of each local row */
    const int64_t *size;  /* [K] rows of each cluster, global */
    double cosine;        /* the bound: 0 < cosine <= 1 */
    int64_t probe;        /* other clusters in which the rows of each one are looked for, too: 0 <= probe < K */
    const float *centers; /* [K x width]: whose distances say which clusters are near; used if probe > 0 */
    int64_t width;        /* of the centres, which need not lie in the space of the rows */
    dc_keep keep;
    const double *distance; /* [n] of each row to its centre; NULL with DC_KEEP_FIRST */
    int64_t pairs_max;      /* pairs are listed if there are no more than this many on all ranks */
    void (*progress)(void *ctx, int64_t done, int64_t all); /* called after each block of rows; NULL: nobody asks */
    /* Saves what has been found so far, when a save or a stop is wished for (wish.h), and at the end (`ends`), after
     * which groups are made. Collective; of *state, pair and edge are this rank's, the rest is of all ranks. An error
     * ends the search. NULL: nothing is saved. */
    dc_status (*save)(dc_comm *comm, void *ctx, const dc_duplicates_state *state, bool stops, bool ends);
    void *ctx;
    const dc_duplicates_state *from; /* what an earlier search saved, equal on all ranks but for pair and edge; NULL:
                                        nothing; borrowed */
} dc_duplicates_config;

/* Groups are the connected components of the pairs. Of each group one row is kept. */
typedef struct {
    dc_gidx *kept;  /* [n] the row that is kept for each local row: itself, or the one of its group; owned, as are all
                       arrays */
    int64_t *group; /* [n] number of its group, counted in the order of their first rows; -1: it has no duplicate */
    int64_t groups, largest;        /* number of groups; rows of the largest, or 0 */
    int64_t removed;                /* rows that are not kept */
    int64_t zeros;                  /* rows of zeros, which have no cosine and no duplicates */
    int64_t pairs, across;          /* pairs; of these, pairs of rows of two clusters */
    int64_t *pairs_of, *removed_of; /* [K] pairs within each cluster, and rows of it that are not kept */
    bool listed;                    /* whether the pairs are listed */
    dc_pair *pair;                  /* [n_pairs] this rank's share of the list; all ranks' in rank order are sorted */
    int64_t n_pairs;
} dc_duplicates;

/* The cosine of two rows is x.y / sqrt(x.x y.y) of the floats that rows->rows gives, by sums in double in a fixed
 * order. Products in float decide on pairs where a bound on their error allows it, cosines in double on the others; so
 * pairs, groups and the rest are the same on any number of ranks and threads, and those that a comparison of all rows
 * of a cluster in double finds; a search that goes on from the state of another ends as one that was not interrupted.
 * Rows of equal clusters are brought together, on ranks that all hold as many rows as before, and compared block by
 * block, so that not even one cluster of all rows needs more memory. Blocks go only where they are needed. Collective;
 * all numbers but those of arrays [n] and [n_pairs] are global. Errors: DC_ERR_MEMORY, DC_ERR_NUMERIC (rows that are
 * not finite), DC_STOPPED. */
DC_CHECKED dc_status dc_duplicates_find(dc_comm *comm, const dc_duplicates_config *cfg, dc_duplicates *out);
void dc_duplicates_release(dc_duplicates *d);
/* Pairs of rows that dc_duplicates_find() will compare: of one cluster, and of neighbouring ones. Of cfg, label and
 * distance are not used, nor the members of rows but part and d. Collective; equal on all ranks. Errors:
 * DC_ERR_MEMORY. */
typedef struct {
    double within, across;
} dc_duplicates_work;
DC_CHECKED dc_status dc_duplicates_foresee(dc_comm *comm, const dc_duplicates_config *cfg, dc_duplicates_work *work);
/* Memory that dc_duplicates_find() takes at most on this rank, result included, for these clusters; of cfg, label,
 * centers, distance and the members of rows but part and d are not used. Local. */
double dc_duplicates_bytes(const dc_duplicates_config *cfg);

#endif
