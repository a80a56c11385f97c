/* Drift: how many new rows are farther from their centres than a quantile of the training rows was. Private to app/. */
#ifndef DCMPI_APP_DRIFT_H
#define DCMPI_APP_DRIFT_H

#include "dcmpi/comm.h"
#include "dcmpi/h5.h"

#define DC_DRIFT_QUANTILE 0.99

typedef struct {
    int64_t K;
    double q;
    double *quantile; /* [K] of the training distances; NULL: the result has none, and there is no drift to tell */
    double *expected; /* [K] share of rows like the training rows that is beyond it */
    double *share;    /* [K] of the new rows; NaN without new or training rows */
    int64_t *beyond;  /* [K] new rows: of this rank, after dc_drift_finish() of all */
    int64_t rows, all_beyond;
    double all_expected; /* rows */
} dc_drift;

/* text: --drift-quantile, or NULL. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_drift_parse(const char *text, double *q);
/* Takes quantile q from the result at `model`, which may have none. Collective. Errors: DC_ERR_FORMAT, DC_ERR_MEMORY.
 */
DC_CHECKED dc_status dc_drift_load(dc_comm *comm, const char *model, int64_t K, double q, dc_drift *d);
void dc_drift_release(dc_drift *d);
/* Counts n rows. Local. */
void dc_drift_add(dc_drift *d, const int32_t *label, const double *distance, int64_t n);
/* size[K]: new rows of each cluster, of all ranks. Collective. */
void dc_drift_finish(dc_comm *comm, dc_drift *d, const int64_t *size);
/* One line, and a WARNING if far more rows than expected are beyond. */
void dc_drift_tell(const dc_drift *d);
/* Serial: creates /drift; sets its final values. */
DC_CHECKED dc_status dc_drift_put(dc_h5 *h5, const dc_drift *d);
DC_CHECKED dc_status dc_drift_rewrite(dc_h5 *h5, const dc_drift *d);

#endif
