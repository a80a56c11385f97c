/* Mean, covariance and principal components of all rows, with the same bits for every number of ranks and threads. */
#ifndef DCMPI_MOMENTS_H
#define DCMPI_MOMENTS_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

/* mean[d] of all rows, on all ranks; cov[d x d], on rank 0 only (other ranks may pass NULL): the lower triangle (column
 * <= row) of the products of the rows' differences from the mean, summed over all N >= 2 rows and divided by N - 1. All
 * sums are in double. Columns are taken in panels, so that only rank 0 holds d^2 values; the rows are read once for the
 * mean and once for each panel. Call it outside parallel regions. Collective. Errors: DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_moments(dc_comm *comm, const dc_rows *rows, double *mean, double *cov);
/* mean[d] and the variance of all columns together, on all ranks: what dc_moments() gives without a matrix. The rows
 * are read twice. Otherwise as there. */
DC_CHECKED dc_status dc_moments_total(dc_comm *comm, const dc_rows *rows, double *mean, double *total);
/* Memory that they take at most on each rank besides their results. */
double dc_moments_bytes(const dc_part *part, int64_t d);
double dc_moments_total_bytes(const dc_part *part, int64_t d);

/* ---- Principal components ---------------------------------------------------------------------------------------- */

/* Largest eigenproblem that rank 0 solves: about a minute, and 400 MB. Its order is the number of columns, or that of
 * the rows if there are fewer. */
enum { DC_PRINCIPAL_MAX = 4096 };
bool dc_principal_fits(dc_gidx N, int64_t d);

typedef struct {
    int64_t d, k;     /* columns, components */
    int64_t varying;  /* components of all (beyond DC_PRINCIPAL_MAX: of the k) whose variance is more than rounding */
    double total;     /* variance of all columns together */
    double *mean;     /* [d], owned, like the next two */
    double *variance; /* [k] of the components, descending, divided by N - 1 */
    float *direction; /* [k x d] rows of length 1, orthogonal, turned by dc_orient() */
} dc_principal;

/* How many: `components` of them; if that is 0, as few as hold more than the share `variance` of the total variance
 * (scikit-learn's rule), and all that vary if the share is 1. A total variance of at most `noise` counts as none: then
 * nothing is solved, and k and varying are 0. */
typedef struct {
    int64_t components;
    double variance;
    double noise;
} dc_principal_wanted;

/* Principal components of all N >= 2 rows, dc_principal_fits(N, d): at most min(N, d) of them. The eigenproblem is
 * solved on rank 0. Release *out even after an error. Collective. Errors: DC_ERR_MEMORY, DC_ERR_NUMERIC (rows that are
 * not finite), DC_STOPPED. */
DC_CHECKED dc_status dc_principal_create(dc_comm *comm, const dc_rows *rows, const dc_principal_wanted *wanted,
                                         dc_principal *out);
void dc_principal_release(dc_principal *p);
/* The variance that rounding may leave where there is none: of rows of d columns whose first component has the variance
 * `largest`. */
double dc_principal_rounding(int64_t d, double largest);
/* Memory that dc_principal_create() takes at most, on each rank with its results, and more on rank 0. */
double dc_principal_bytes(const dc_part *part, int64_t d, int64_t k);
double dc_principal_root_bytes(const dc_part *part, int64_t d, int64_t k);

#endif
