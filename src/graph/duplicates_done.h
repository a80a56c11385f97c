/* Private to graph/: what a search for near-duplicates has done, in terms that do not depend on the number of ranks. */
#ifndef DCMPI_GRAPH_DUPLICATES_DONE_H
#define DCMPI_GRAPH_DUPLICATES_DONE_H

#include "dcmpi/duplicates.h"

/* Pairs are counted as fresh until all rows of the shards in question are compared; then they count as found, and the
 * shards as done. */
typedef struct {
    const dc_duplicates_state *from; /* NULL: nothing was done before */
    int shards, finer;               /* shards of this search; how many of them make one of `from` */
    int64_t K, words;                /* words 0: nothing is to be saved */
    int64_t *mine, *all;             /* [words] what this rank has done; scratch: all ranks, and before */
    int64_t *fresh_of, *all_of;      /* [K] fresh pairs within each cluster; scratch */
    int64_t fresh, fresh_across;
    int64_t n_edges, n_pairs; /* of those of this rank, how many are found */
} dc_pairs_done;
/* Errors: DC_ERR_MEMORY; the caller releases it after an error, too. */
DC_CHECKED dc_status dc_pairs_done_take(const dc_duplicates_config *cfg, dc_pairs_done *done);
void dc_pairs_done_release(dc_pairs_done *done);
/* Memory that it takes. */
double dc_pairs_done_bytes(const dc_duplicates_config *cfg);
/* Whether an earlier search compared the rows of two shards. */
bool dc_pairs_were_done(const dc_pairs_done *done, int a, int b);
/* This rank has compared the rows of shard b with those of shards [lo, hi): fresh pairs are added to *out, and all but
 * the first n_edges and n_pairs count as found. */
void dc_pairs_mark(dc_pairs_done *done, int b, int lo, int hi, int64_t n_edges, int64_t n_pairs, dc_duplicates *out);
/* Sets all of *state but pair, edge and listed; the arrays belong to `done`. out: this rank's counts. Collective. */
void dc_pairs_state(dc_comm *comm, dc_pairs_done *done, const dc_duplicates *out, dc_duplicates_state *state);

#endif
