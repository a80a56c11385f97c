/* Silhouettes of a tile of rows. Private to sweep/. */
#ifndef DCMPI_SWEEP_SILHOUETTE_KERN_H
#define DCMPI_SWEEP_SILHOUETTE_KERN_H

#include "dcmpi/base.h"

typedef struct {
    const float *X; /* [m x d] */
    int64_t m, d;
    int n;                /* clusterings */
    const int64_t *first; /* [n + 1] clusters of clustering t have the numbers first[t] .. first[t + 1] - 1 */
    const int32_t *place; /* [m x n] number of the row's cluster in each clustering */
    const int64_t *size;  /* [first[n]] rows of a cluster */
    double *sums;         /* [threads x first[n]] scratch */
} dc_silhouette_work;

/* out[(hi - lo) x n]: silhouettes of rows lo .. hi - 1. Local, threaded; the bits of a row depend on the row alone. */
void dc_silhouette_rows(const dc_silhouette_work *w, int64_t lo, int64_t hi, double *out);

#endif
