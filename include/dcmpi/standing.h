/* Where rows stand in their clusters: distance and cosine to the centre, and rank by distance. */
#ifndef DCMPI_STANDING_H
#define DCMPI_STANDING_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

/* distance[n]: of each row of X [n x d] to its centre, centers[label[i]] of [K x d]; cosine[n]: with it, 0 if the row
 * or the centre is zeros; either may be NULL. By sums in double in a fixed order. Local, threaded; a row's result does
 * not depend on its position. */
void dc_standing_local(const float *X, const float *centers, int64_t n, int64_t d, const int32_t *label,
                       double *distance, double *cosine);
/* The same for all rows of this rank, which are read in tiles. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_standing_of(const dc_rows *rows, const float *centers, const int32_t *label, double *distance,
                                    double *cosine);
/* Memory that dc_standing_of() takes besides its arrays. */
double dc_standing_tile_bytes(const dc_rows *rows);

/* The quantiles of distances that a result keeps for each cluster. */
enum { DC_STANDING_QUANTILES = 7 };
extern const double dc_standing_quantile[DC_STANDING_QUANTILES];
/* Which of `count` sorted distances, count > 0, is quantile q: the first that at least the share q of them do not
 * exceed. */
int64_t dc_standing_place(int64_t count, double q);
/* rank[n] (or NULL): how many rows of its cluster are nearer to the centre than each row, or as near and before it.
 * quantile[K x DC_STANDING_QUANTILES] (or NULL): of the distances in each cluster, exact; NaN in empty ones. size[K]:
 * rows of the clusters, global. Collective; the same bits for every number of ranks and threads. Errors: DC_ERR_MEMORY.
 */
DC_CHECKED dc_status dc_standing_rank(dc_comm *comm, const dc_part *part, int64_t K, const int64_t *size,
                                      const int32_t *label, const double *distance, int64_t *rank, double *quantile);
/* Memory that this takes on this rank besides its arrays; ranks: whether `rank` is wanted. Local. */
double dc_standing_rank_bytes(const dc_part *part, int64_t K, bool ranks);

#endif
