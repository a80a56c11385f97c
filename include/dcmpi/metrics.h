/* Scores of a clustering against labels, from counts of rows per class and cluster. Labels enter the program here and
 * nowhere else, and serve for nothing else: whatever they are, they never cost a run its result. */
#ifndef DCMPI_METRICS_H
#define DCMPI_METRICS_H

#include "dcmpi/base.h"

typedef struct dc_comm dc_comm;

/* ---- Counts ------------------------------------------------------------------------------------------------------ */

/* The most pairs of class and cluster that are counted, and the most cells of a table of all of them: 64 MiB. */
enum { DC_COUNTS_MAX = 1 << 23 };

typedef struct {
    int32_t class_, cluster;
    int64_t rows;
} dc_cell;
/* How many rows of which class lie in which cluster, where there are any. */
typedef struct {
    int64_t K, C;
    size_t n;
    dc_cell *cell; /* [n] ascending by class, then by cluster; owned */
    bool too_many; /* more than DC_COUNTS_MAX pairs: nothing is known */
} dc_counts;
void dc_counts_release(dc_counts *c);
/* Whether the table [C x K] is small enough to be made whole. */
bool dc_counts_has_table(int64_t K, int64_t C);
/* table[C*K]: table[c*K + k] = rows of class c in cluster k. */
void dc_counts_table(const dc_counts *c, int64_t *table);
/* The most memory that counting n rows takes here, and that joining and scoring the counts of all N takes on rank 0. */
double dc_counts_bytes(int64_t n, int64_t K, int64_t C);
double dc_scores_bytes(int64_t N, int64_t K, int64_t C);

/* Counts this rank's rows, in pieces. */
typedef struct dc_counter dc_counter;
DC_CHECKED dc_status dc_counter_create(dc_counter **out, int64_t K, int64_t C);
void dc_counter_destroy(dc_counter **c);
/* A row without a label (y = -1) does not count. Local. Labels outside 0..K-1, 0..C-1 assert. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_counter_add(dc_counter *c, const int32_t *labels, const int32_t *y, int64_t n);
/* The counts of this rank. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_counter_counts_local(const dc_counter *c, dc_counts *out);
/* The counts of all ranks on rank 0, the same for every number of ranks; elsewhere *out has no cells. Collective. */
DC_CHECKED dc_status dc_counter_counts(dc_comm *comm, const dc_counter *c, dc_counts *out);

/* ---- Scores ------------------------------------------------------------------------------------------------------ */

/* Clusters and classes without rows do not count: a clustering is its non-empty cells. Without rows all scores are 0.
 */
typedef struct {
    double acc;            /* best one-to-one matching of clusters to classes / N, any K and C; NaN: too much work */
    double nmi;            /* I / sqrt(H_k H_c); one cluster and one class: 1; one of the two only: 0 */
    double nmi_arithmetic; /* 2 I / (H_k + H_c), the same special cases */
    double ari;            /* Hubert and Arabie 1985; identical trivial partitions (one set, or all singletons): 1 */
} dc_scores;
/* A matching is given up after this many looks at cells: minutes. */
#define DC_SCORES_WORK_MAX (INT64_C(1) << 34)
/* All scores. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_scores_local(const dc_counts *c, dc_scores *out);
/* All scores of the counts that rank 0 holds, given to all ranks; the run may be stopped meanwhile (DC_STOPPED).
 * Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_scores_compute(dc_comm *comm, const dc_counts *c, dc_scores *out);
/* All but acc, which is left alone. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_scores_of_pairs(const dc_counts *c, dc_scores *out);

/* Which cluster stands for which class so that most rows agree: each cluster for at most one class. Exact. It is done
 * in steps, so that a run can listen in between. Local. */
typedef struct dc_matching dc_matching;
/* *c is borrowed. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_matching_create(dc_matching **out, const dc_counts *c);
void dc_matching_destroy(dc_matching **m);
/* About DC_MATCHING_STEP looks at cells, a second at most; false when nothing is left to do. */
enum { DC_MATCHING_STEP = 1 << 26 };
bool dc_matching_step(dc_matching *m);
/* How many cells it has looked at so far. */
int64_t dc_matching_work(const dc_matching *m);
/* Rows that agree, when it is done. */
int64_t dc_matching_rows(const dc_matching *m);
/* The share of rows that agree; NaN if the matching is not `whole`, 0 without rows. */
double dc_scores_acc(const dc_counts *c, const dc_matching *m, bool whole);

#endif
