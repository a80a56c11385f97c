/* Private to train/: what is counted over all rows whenever labels are renewed. */
#ifndef DCMPI_TRAIN_REFRESH_H
#define DCMPI_TRAIN_REFRESH_H

#include "dcmpi/method.h"

typedef struct {
    double *f;                /* [K] global sums of q, owned */
    int64_t *size;            /* [K] global sizes of clusters, owned */
    dc_soft_counter *counter; /* counts while rows are embedded, owned */
} dc_cluster_shares;
DC_CHECKED dc_status dc_shares_create(dc_cluster_shares *c, const dc_part *part, int64_t K); /* DC_ERR_MEMORY */
void dc_shares_release(dc_cluster_shares *c);
/* Computes f and sizes from what was counted of all rows; from f and sizes it computes *out, with loss 0 and
 * odd_targets -1. Collective. */
void dc_shares_renew(dc_comm *comm, const dc_part *part, int64_t K, dc_cluster_shares *c, dc_refresh *out);

#endif
