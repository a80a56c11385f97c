/* Stability under resampling. Private to sweep/. */
#ifndef DCMPI_SWEEP_STABILITY_H
#define DCMPI_SWEEP_STABILITY_H

#include "sample.h"

/* Subsamples of a sample, and the labels that clustering each of them gave. Groups of ranks cluster different
 * subsamples at the same time, because a subsample is little work for all ranks together. */
typedef struct {
    const dc_sweep_config *cfg;
    const dc_sample *sample;
    int groups, group; /* number of groups; that of this rank */
    dc_comm *own;      /* the ranks of this rank's group; owned, as is all that follows but part */
    dc_part part;      /* of the rows of a subsample, over the ranks of the group */
    int64_t *pick;     /* [rows of a subsample] which rows of the sample it has */
    float *X;          /* [own rows x d] */
    int64_t *label;    /* [subsamples x m] labels of the rows of the sample; -1: not in the subsample */
    int32_t *piece;    /* [rows of a subsample] */
    size_t *counts;    /* [ranks of the group] */
} dc_resampling;

/* Number of groups of P ranks. */
int dc_resampling_groups(const dc_sweep_config *cfg, int P);
/* V: shards that the rows of a subsample are cut into. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_resampling_create(dc_comm *comm, const dc_sweep_config *cfg, const dc_sample *sample, int V,
                                          dc_resampling *r);
void dc_resampling_release(dc_resampling *r);
/* Clusters all subsamples into K; the mean agreement of their pairs, and its standard deviation. Collective. Errors:
 * those of the method, of dc_state_poll. */
DC_CHECKED dc_status dc_resampling_stability(dc_comm *comm, dc_resampling *r, int64_t K, double *mean, double *sd);

#endif
