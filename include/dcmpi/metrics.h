/* Scores of a clustering against labels, from counts of rows per class and cluster. Labels are used here and nowhere
 * else: bad labels never cost a run its result. */
#ifndef DCMPI_METRICS_H
#define DCMPI_METRICS_H

#include "dcmpi/base.h"

typedef struct dc_comm dc_comm;

/* ---- Counts ------------------------------------------------------------------------------------------------------ */

/* Limit on the (class, cluster) pairs that are counted, and on the cells of a full table of them: 64 MiB. */
enum { DC_COUNTS_MAX = 1 << 23 };

typedef struct {
    int32_t class_, cluster;
    int64_t rows;
} dc_cell;
/* Number of rows of each class in each cluster, for all pairs that have rows. */
typedef struct {
    int64_t K, C;
    size_t n;
    dc_cell *cell; /* [n] ascending by class, then by cluster; owned */
    bool too_many; /* more than DC_COUNTS_MAX pairs: there are no counts */
} dc_counts;
void dc_counts_release(dc_counts *c);
/* Whether the full table [C x K] is small enough to be made. */
bool dc_counts_has_table(int64_t K, int64_t C);
/* table[C*K]: table[c*K + k] = rows of class c in cluster k. */
void dc_counts_table(const dc_counts *c, int64_t *table);
/* Peak memory for counting n rows on this rank, and for joining and scoring the counts of all N rows on rank 0. */
double dc_counts_bytes(int64_t n, int64_t K, int64_t C);
double dc_scores_bytes(int64_t N, int64_t K, int64_t C);

/* Counts this rank's rows piece by piece. */
typedef struct dc_counter dc_counter;
DC_CHECKED dc_status dc_counter_create(dc_counter **out, int64_t K, int64_t C);
void dc_counter_destroy(dc_counter **c);
/* Rows without a label (y = -1) are skipped. Local. Asserts that clusters are in 0..K-1 and classes in 0..C-1. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_counter_add(dc_counter *c, const int32_t *labels, const int32_t *y, int64_t n);
/* The counts of this rank. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_counter_counts_local(const dc_counter *c, dc_counts *out);
/* Joins the counts of all ranks on rank 0; they are the same for every number of ranks. On other ranks *out has no
 * cells. Collective. */
DC_CHECKED dc_status dc_counter_counts(dc_comm *comm, const dc_counter *c, dc_counts *out);

/* ---- Scores ------------------------------------------------------------------------------------------------------ */

/* Clusters and classes without rows are ignored. Without any rows all scores are 0.
 */
typedef struct {
    double acc; /* share of rows that agree in the best one-to-one matching, for any K and C; NaN: too much work */
    double nmi; /* I / sqrt(H_k H_c); 1 for one cluster and one class; 0 if only K or only C is 1 */
    double nmi_arithmetic; /* 2 I / (H_k + H_c), the same special cases */
    double ari;            /* Hubert and Arabie 1985; identical trivial partitions (one set, or all singletons): 1 */
    double purity;         /* share of the rows that are of the largest class of their cluster */
    double f_measure;      /* by classes: mean over the classes, weighted by their rows, of the largest F of a cluster,
                              2 n_ck / (n_c + n_k) (Larsen and Aone 1999) */
    double f_pairs; /* by pairs of rows: F1 of "in one cluster" as a prediction of "in one class"; 1 without pairs
                       of either kind */
} dc_scores;
/* A matching is given up after looking at this many cells, which takes minutes. */
#define DC_SCORES_WORK_MAX (INT64_C(1) << 34)
/* All scores. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_scores_local(const dc_counts *c, dc_scores *out);
/* Computes all scores from the counts on rank 0 and gives them to all ranks. The run may stop meanwhile (DC_STOPPED).
 * Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_scores_compute(dc_comm *comm, const dc_counts *c, dc_scores *out);
/* All scores but acc, which is left alone. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_scores_of_pairs(const dc_counts *c, dc_scores *out);

/* The one-to-one matching of clusters to classes in which most rows agree. It is exact, and computed in steps, so that
 * a run can check for stop requests in between. Local. */
typedef struct dc_matching dc_matching;
/* *c is borrowed. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_matching_create(dc_matching **out, const dc_counts *c);
void dc_matching_destroy(dc_matching **m);
/* Looks at about DC_MATCHING_STEP cells, which takes a second at most. Returns false when the matching is finished. */
enum { DC_MATCHING_STEP = 1 << 26 };
bool dc_matching_step(dc_matching *m);
/* How many cells it has looked at so far. */
int64_t dc_matching_work(const dc_matching *m);
/* Number of rows that agree; call it when the matching is finished. */
int64_t dc_matching_rows(const dc_matching *m);
/* The share of rows that agree; NaN if not `whole` (the matching was not finished), 0 without rows. */
double dc_scores_acc(const dc_counts *c, const dc_matching *m, bool whole);

#endif
