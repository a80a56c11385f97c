/* The nearest centre that takes a row.
 *
 * As in kmeans_kern.c, scores from a product in float and a bound on their errors tell which centres may be nearer than
 * the best so far; for these the distance is summed in double, and decides. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "capped_impl.h"

uint64_t dc_cap_bits(double distance)
{
    uint64_t bits;
    memcpy(&bits, &distance, sizeof bits);
    return bits;
}

static void read_rows(const dc_rows *rows, int64_t lo, int64_t n, float *out)
{
    if (rows->X)
        memcpy(out, rows->X + lo * rows->d, (size_t)(n * rows->d) * sizeof *out);
    else
        rows->rows(rows->ctx, lo, n, out);
}

void dc_cap_read(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const dc_cap_search *s = ctx;
    for (int64_t i = 0; i < n; i++) read_rows(s->rows, s->index[lo + i], 1, out + i * s->rows->d);
}

/* The best centres so far of the rows of a tile. */
typedef struct {
    double distance[DC_KM_TILE];
    float bound[DC_KM_TILE]; /* no centre with a score above this can be nearer; rows that are not there: -infinity */
    int32_t label[DC_KM_TILE];
} leaders;

/* Lower bound of the score of centre k, number j of the panel. */
static inline float lower_bound(const dc_km_centers *c, const dc_km_scratch *w, int64_t i, int64_t k, int64_t j)
{
    return w->score[j * DC_KM_TILE + i] + c->low[k] - w->reach[i] * c->slack[k];
}

static bool may_win_any(const dc_km_centers *c, const dc_km_scratch *w, int64_t k, int64_t j, const float *bound)
{
    const float *restrict score = w->score + j * DC_KM_TILE, *restrict reach = w->reach;
    const float low = c->low[k], slack = c->slack[k];
    int any = 0;
    for (int64_t i = 0; i < DC_KM_TILE; i++) any |= score[i] + low - reach[i] * slack <= bound[i];
    return any;
}

/* Lets centre k, number j of the panel, compete for row i of the tile. */
static void compete(const dc_cap_search *s, const dc_km_scratch *w, const dc_km_tile *tile, int64_t i, int64_t k,
                    int64_t j, leaders *best)
{
    const dc_km_centers *c = s->centers;
    const float low = lower_bound(c, w, i, k, j);
    if (low > best->bound[i]) return;
    const double distance = dc_km_distance(tile->x + i * s->rows->d, c->at + k * s->rows->d, s->rows->d);
    const dc_gidx row = s->rows->part->row_lo + s->index[tile->lo + i];
    if (!(distance < best->distance[i])) return;
    if (!dc_cap_not_after((dc_cap_place){dc_cap_bits(distance), row}, s->last[k])) return;
    best->distance[i] = distance;
    best->bound[i] =
        low + 2.02F * (c->norm[k] - c->low[k] + w->reach[i] * c->slack[k]) + w->length[i] * w->length[i] * w->hidden;
    best->label[i] = (int32_t)k;
}

static void find_of_tile(const dc_cap_search *s, dc_km_scratch *w, const dc_km_tile *tile)
{
    leaders best;
    const int64_t K = s->centers->m, panel = s->tiles->panel;
    for (int64_t i = 0; i < DC_KM_TILE; i++) {
        best.distance[i] = INFINITY;
        best.bound[i] = i < tile->n ? INFINITY : -INFINITY;
        best.label[i] = 0;
    }
    for (int64_t first = 0; first < K; first += panel) {
        const int64_t m = DC_MIN(panel, K - first);
        dc_km_score(s->tiles, s->centers, first, m, tile, w);
        for (int64_t j = 0; j < m; j++) {
            if (!may_win_any(s->centers, w, first + j, j, best.bound)) continue;
            for (int64_t i = 0; i < tile->n; i++) compete(s, w, tile, i, first + j, j, &best);
        }
    }
    for (int64_t i = 0; i < tile->n; i++) {
        const int64_t row = s->index[tile->lo + i];
        s->label[row] = best.label[i];
        s->distance[row] = dc_cap_bits(best.distance[i]);
    }
}

void dc_cap_find(const dc_cap_search *s)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t lo = 0; lo < s->n; lo += DC_KM_TILE) {
        dc_km_scratch *w = &s->tiles->scratch[omp_get_thread_num()];
        const dc_km_tile tile = dc_km_load(s->tiles, lo, s->n, w);
        find_of_tile(s, w, &tile);
    }
}

void dc_cap_distances(const dc_rows *rows, const dc_km_tiles *tiles, const float *centers, const int32_t *label,
                      uint64_t *distance)
{
    const int64_t N = dc_part_rows(rows->part), d = rows->d;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t lo = 0; lo < N; lo += DC_KM_TILE) {
        const int64_t n = DC_MIN(N - lo, (int64_t)DC_KM_TILE);
        float *x = tiles->scratch[omp_get_thread_num()].x;
        read_rows(rows, lo, n, x);
        for (int64_t i = 0; i < n; i++)
            distance[lo + i] = dc_cap_bits(dc_km_distance(x + i * d, centers + label[lo + i] * d, d));
    }
}
