/* Scores of a clustering against labels, from one K x C table of counts. Labels enter the program here and nowhere
 * else. */
#ifndef DCMPI_METRICS_H
#define DCMPI_METRICS_H

#include "dcmpi/base.h"

typedef struct dc_comm dc_comm;

/* Clusters and classes without rows do not count: a clustering is its non-empty cells. Without rows all scores are 0.
 */
typedef struct {
    double acc;            /* best one-to-one matching of clusters to classes (Hungarian) / N, any K and C */
    double nmi;            /* I / sqrt(H_k H_c); one cluster and one class: 1; one of the two only: 0 */
    double nmi_arithmetic; /* 2 I / (H_k + H_c), the same special cases */
    double ari;            /* Hubert and Arabie 1985; identical trivial partitions (one set, or all singletons): 1 */
} dc_scores;

/* table[C*K]: table[c*K + k] = rows of class c in cluster k, this rank's rows; a row without a label (y = -1) does not
 * count. Labels outside 0..K-1, 0..C-1 assert. */
void dc_contingency_local(const int32_t *labels, const int32_t *y, int64_t n, int64_t K, int64_t C, int64_t *table);
/* The global table: local part, then one integer reduction. Collective. */
void dc_contingency(dc_comm *comm, const int32_t *labels, const int32_t *y, int64_t n, int64_t K, int64_t C,
                    int64_t *table);
/* Scores of a table [C x K] of any K, C >= 1. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_scores_compute(const int64_t *table, int64_t K, int64_t C, dc_scores *out);
/* Assignment of rows to columns with the largest total weight: every row has at most one column, every column at most
 * one row, min(n_rows, n_cols) pairs. weight[n_rows x n_cols], |weight| < 2^60; match[n_rows]: column of the row or -1;
 * *total: its weight. Local. O(min^2 max) time, O(n_rows + n_cols) memory (and a transposed copy if n_rows > n_cols).
 * Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_hungarian_max(const int64_t *weight, int64_t n_rows, int64_t n_cols, int64_t *match,
                                      int64_t *total);

#endif
