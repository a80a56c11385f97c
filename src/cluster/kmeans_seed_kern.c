/* Distances of all rows to the candidates of a k-means++ draw, and to the nearest centre so far.
 *
 * Distances come from the products of a tile, in float, in units of the image. A distance that rounding could change by
 * more than a sixty-fourth is summed from the differences in double. So rows that lie close together keep their masses
 * even if other rows are far away, and a copy of a centre has no mass. */
#include "kmeans_impl.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { LANES = 16, DOUBT = 64 };

/* s->best[i] = |x_i - c_j|^2; centre j is number in_panel of the panel that was scored. */
static void distances(const dc_km_tiles *t, const dc_km_tile *tile, const dc_km_centers *c, int64_t j, int64_t in_panel,
                      dc_km_scratch *s)
{
    const float *restrict score = s->score + in_panel * DC_KM_TILE, *restrict length = s->length, norm = c->norm[j];
    const float rounding = DOUBT * 0x1p-23F * (4 + sqrtf((float)(t->csr ? dc_csr_longest(t->csr) : t->d)));
    const double unit = (double)t->unit;
    float *restrict distance = s->best;
    int64_t doubtful = 0;
    for (int64_t i = 0; i < DC_KM_TILE; i++) {
        const float squares = length[i] * length[i] + norm, v = squares + score[i];
        distance[i] = v > rounding * squares ? v : -1;
        doubtful += !(v > rounding * squares);
    }
    for (int64_t i = 0; doubtful && i < tile->n; i++)
        if (distance[i] < 0) distance[i] = (float)(dc_km_distance_of(t, tile, i, c, j, s) * unit * unit);
}

static inline double smaller(float a, float b)
{
    return (double)(a < b ? a : b);
}

/* Sums in independent lanes, which are then added in order. */
static double sum_of_min(const float *restrict a, const float *restrict b, int64_t n)
{
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += smaller(a[i + l], b[i + l]);
    for (int l = 0; i + l < n; l++) lane[l] += smaller(a[i + l], b[i + l]);
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sum;
}

void dc_km_block_potential(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_potential *a = ctx;
    const dc_km_tiles *t = a->tiles;
    dc_km_scratch *s = &t->scratch[thread];
    const int64_t m = a->restarts * a->trials, n_local = dc_part_rows(t->rows->part);
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const dc_km_tile tile = dc_km_load(t, lo, block->hi, s);
        for (int64_t j = 0; j < m; j++) {
            const int64_t in_panel = j % t->panel;
            if (in_panel == 0) dc_km_score(t, a->candidates, j, DC_MIN(t->panel, m - j), &tile, s);
            distances(t, &tile, a->candidates, j, in_panel, s);
            leaf[j] += sum_of_min(s->best, a->d_min + j / a->trials * n_local + lo, tile.n);
        }
    }
}

/* d_min[i] = min(d_min[i], distance[i]); returns the sum. */
static double lower(const float *distance, int64_t n, float *d_min)
{
    const double sum = sum_of_min(distance, d_min, n);
    for (int64_t i = 0; i < n; i++) d_min[i] = distance[i] < d_min[i] ? distance[i] : d_min[i];
    return sum;
}

static void lower_block(const dc_km_tiles *t, const dc_block *block, dc_km_scratch *s, const dc_km_centers *newest,
                        int64_t restarts, float *d_min, double *mass)
{
    const int64_t n_local = dc_part_rows(t->rows->part);
    memset(mass, 0, (size_t)restarts * sizeof *mass);
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const dc_km_tile tile = dc_km_load(t, lo, block->hi, s);
        for (int64_t r = 0; r < restarts; r++) {
            const int64_t in_panel = r % t->panel;
            if (in_panel == 0) dc_km_score(t, newest, r, DC_MIN(t->panel, restarts - r), &tile, s);
            distances(t, &tile, newest, r, in_panel, s);
            mass[r] += lower(s->best, tile.n, d_min + r * n_local + lo);
        }
    }
}

void dc_km_block_owners(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_owners *a = ctx;
    const dc_km_tiles *t = a->tiles;
    const dc_km_centers *c = a->candidates;
    dc_km_scratch *s = &t->scratch[thread];
    const double unit = (double)t->unit;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const dc_km_tile tile = dc_km_load(t, lo, block->hi, s);
        for (int64_t first = 0; first < c->m; first += t->panel) {
            dc_km_find_nearest(t, c, first, DC_MIN(t->panel, c->m - first), &tile, s);
            for (int64_t i = 0; i < tile.n; i++) {
                const int64_t j = first + s->label[i];
                const float distance = (float)(dc_km_distance_of(t, &tile, i, c, j, s) * unit * unit);
                if (!(distance < a->d_min[lo + i])) continue;
                a->d_min[lo + i] = distance;
                a->owner[lo + i] = (int32_t)(a->number + j);
            }
        }
        for (int64_t i = lo; i < lo + tile.n; i++) leaf[0] += (double)a->d_min[i];
    }
}

void dc_km_lower(const dc_km_tiles *tiles, const dc_km_centers *newest, int64_t restarts, float *d_min, double *mass)
{
    const dc_part *part = tiles->rows->part;
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t b = 0; b < part->n_blocks; b++) {
        const dc_block block = dc_part_block(part, b);
        lower_block(tiles, &block, &tiles->scratch[omp_get_thread_num()], newest, restarts, d_min,
                    mass + b * (size_t)restarts);
    }
}
