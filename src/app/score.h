/* Scores of a job's labels. They never cost the result: what does not fit into memory, or would take too long, is left
 * out with a warning. Private to app/. */
#ifndef DCMPI_APP_SCORE_H
#define DCMPI_APP_SCORE_H

#include "dcmpi/comm.h"
#include "dcmpi/metrics.h"

typedef struct {
    int64_t K, C;        /* C = 0: nothing is scored */
    dc_counter *counter; /* of this rank, or NULL: memory was short. Owned */
    dc_scores scores;    /* on all ranks, */
    bool has_scores;     /* if there are some; an acc that would take too long is NaN */
    int64_t *table;      /* [C x K] on rank 0, unless it is too large; owned */
} dc_scoring;

/* Says what is odd about C classes in N rows of `source` and K clusters, before any work is done. Local. */
void dc_scoring_announce(const char *source, int64_t N, int64_t K, int64_t C);
/* Memory for the scores of n rows here, N in all, with C classes; C = 0: none. Collective, never fails. */
void dc_scoring_start(dc_comm *comm, dc_scoring *s, int64_t n, int64_t N, int64_t K, int64_t C);
/* This rank's next n rows. Local. */
void dc_scoring_add(dc_scoring *s, const int32_t *labels, const int32_t *y, int64_t n);
/* Scores and table of all rows. Collective. Errors: DC_STOPPED. */
DC_CHECKED dc_status dc_scoring_finish(dc_comm *comm, dc_scoring *s);
void dc_scoring_release(dc_scoring *s);

#endif
