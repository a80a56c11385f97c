/* What the files of capped clusters share; not for other modules. */
#ifndef DCMPI_CLUSTER_CAPPED_IMPL_H
#define DCMPI_CLUSTER_CAPPED_IMPL_H

#include "dcmpi/capped.h"
#include "kmeans_impl.h"

/* Rows are ordered by squared distance, then by number. Distances are not negative, so their bits are in their order.
 */
typedef struct {
    uint64_t distance;
    dc_gidx row;
} dc_cap_place;
static inline bool dc_cap_not_after(dc_cap_place a, dc_cap_place b)
{
    return a.distance < b.distance || (a.distance == b.distance && a.row <= b.row);
}
uint64_t dc_cap_bits(double distance);

/* Rows that look for another centre. */
typedef struct {
    const dc_rows *rows;
    const int64_t *index; /* [n] their local numbers */
    int64_t n;
    const dc_km_tiles *tiles; /* of dc_cap_read() */
    const dc_km_centers *centers;
    const dc_cap_place *last; /* [K] the last place that a centre still takes */
    int32_t *label;           /* [rows] local, set for these rows */
    uint64_t *distance;       /* [rows] local, likewise */
} dc_cap_search;
/* The rows with these numbers, for dc_rows.rows; ctx is a dc_cap_search. */
void dc_cap_read(const void *ctx, int64_t lo, int64_t n, float *out);
/* Finds for each of them the nearest centre that takes it. Threaded. */
void dc_cap_find(const dc_cap_search *s);

/* distance[n]: of all rows to the centres of their labels. Threaded. */
void dc_cap_distances(const dc_rows *rows, const dc_km_tiles *tiles, const float *centers, const int32_t *label,
                      uint64_t *distance);

#endif
