/* Private to data/: principal components of more than DC_PRINCIPAL_MAX rows and columns. */
#ifndef DCMPI_DATA_PCA_WIDE_H
#define DCMPI_DATA_PCA_WIDE_H

#include "dcmpi/moments.h"

/* As dc_principal_create(), for up to `most` <= DC_PRINCIPAL_MAX components. Errors: also DC_ERR_USAGE if that many do
 * not hold the share of the variance. */
DC_CHECKED dc_status dc_pca_wide(dc_comm *comm, const dc_rows *rows, const dc_principal_wanted *wanted, int64_t most,
                                 dc_principal *out);
/* Memory that it takes at most on each rank, with its results. k: components, at most if a share of the variance is
 * wanted. Local. Errors: those of dc_dla_plan_make(), with *bytes all the same. */
DC_CHECKED dc_status dc_pca_wide_bytes(const dc_part *part, int64_t d, int64_t k, bool share, double *bytes);
/* More on rank 0: of a share of the variance only. */
double dc_pca_wide_root_bytes(const dc_part *part, int64_t d, int64_t k, bool share);

#endif
