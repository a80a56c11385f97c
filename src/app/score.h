/* Scores of a job's labels. Scoring never costs the result: a score that needs too much memory or time is left out with
 * a warning. Private to app/. */
#ifndef DCMPI_APP_SCORE_H
#define DCMPI_APP_SCORE_H

#include "dcmpi/comm.h"
#include "dcmpi/metrics.h"

typedef struct {
    int64_t K, C;        /* C = 0: nothing is scored */
    dc_counter *counter; /* of this rank; NULL if memory was short; owned */
    dc_scores scores;    /* on all ranks, if has_scores */
    bool has_scores;     /* even so, acc may be NaN, if it would take too long */
    int64_t *table;      /* [C x K] on rank 0, unless it is too large; owned */
} dc_scoring;

/* Warns, before any work is done, if the C classes in N rows of `source` look like identifiers, or if their table with
 * K clusters would be too large. Local. */
void dc_scoring_announce(const char *source, int64_t N, int64_t K, int64_t C);
/* Allocates memory to score n rows of this rank, N in all, with C classes; C = 0: there are no classes. Collective,
 * never fails. */
void dc_scoring_start(dc_comm *comm, dc_scoring *s, int64_t n, int64_t N, int64_t K, int64_t C);
/* Adds this rank's next n rows. Local. */
void dc_scoring_add(dc_scoring *s, const int32_t *labels, const int32_t *y, int64_t n);
/* Computes scores and table of all rows. Collective. Errors: DC_STOPPED. */
DC_CHECKED dc_status dc_scoring_finish(dc_comm *comm, dc_scoring *s);
void dc_scoring_release(dc_scoring *s);

#endif
