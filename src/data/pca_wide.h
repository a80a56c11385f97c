/* Private to data/: principal components of more than DC_PRINCIPAL_MAX columns. */
#ifndef DCMPI_DATA_PCA_WIDE_H
#define DCMPI_DATA_PCA_WIDE_H

#include "dcmpi/moments.h"

/* As dc_principal_create(), for k components, 1 <= k <= DC_PRINCIPAL_MAX. */
DC_CHECKED dc_status dc_pca_wide(dc_comm *comm, const dc_rows *rows, int64_t k, dc_principal *out);
/* Memory that it takes at most on each rank, with its results. Local. Errors: those of dc_dla_plan_make(),
 * with *bytes all the same. */
DC_CHECKED dc_status dc_pca_wide_bytes(const dc_part *part, int64_t d, int64_t k, double *bytes);

#endif
