/* Scores of a clustering against labels, from one K x C table of counts. */
#ifndef DCMPI_METRICS_H
#define DCMPI_METRICS_H

#include "dcmpi/comm.h"

typedef struct {
    double acc;            /* best one-to-one matching of clusters to classes (Hungarian) / N */
    double nmi;            /* I / sqrt(H_k H_c) */
    double nmi_arithmetic; /* 2 I / (H_k + H_c) */
    double ari;
} dc_scores;

/* table[C*K]: table[c*K + k] = rows of class c in cluster k. Local part. Labels outside 0..K-1, 0..C-1 assert. */
void dc_contingency_local(const int32_t *labels, const int32_t *y, int64_t n, int64_t K, int64_t C, int64_t *table);
/* The global table: local part, then one integer reduction. Collective. */
void dc_contingency(dc_comm *comm, const int32_t *labels, const int32_t *y, int64_t n, int64_t K, int64_t C, int64_t *table);
/* Scores of a table [C x K] of any K, C >= 1. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_scores_compute(const int64_t *table, int64_t K, int64_t C, dc_scores *out);
/* Maximum-weight assignment on a C x K table: match[c] = k or -1; returns the total. Errors via *st. O(max(K,C)^3). */
DC_CHECKED dc_status dc_hungarian_max(const int64_t *weight, int64_t n_rows, int64_t n_cols, int64_t *match, int64_t *total);

#endif
