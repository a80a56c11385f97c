/* Kernels of k-means: distances of a tile of rows to many centres, nearest centres, sums per cluster.
 *
 * |x - c|^2 = |x|^2 - 2 x.c + |c|^2 with the products of a tile from one GEMM. The GEMM has the same shape for every
 * tile (short tiles are filled with zero rows) and runs in the calling thread, so a row's scores depend on its place in
 * its block alone. Scores are laid out [centre][row], so that the loops over rows run in vector lanes. The nearest
 * centre needs |c|^2 - 2 x.c only. Rows are added to their cluster in double, in row order. */
#include "kmeans_impl.h"

#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "softassign_impl.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { LANES = 16, COLUMNS = 512 };

static dc_status scratch_init(dc_km_scratch *s, int64_t d, int64_t K, int64_t panel)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&s->x, DC_KM_TILE * (size_t)d, sizeof *s->x, "k-means tile"));
    DC_TRY(dc_mem_alloc(&s->score, DC_KM_TILE * (size_t)panel, sizeof *s->score, "k-means scores"));
    DC_TRY(dc_mem_alloc(&s->best, DC_KM_TILE, sizeof *s->best, "k-means distances of a tile"));
    DC_TRY(dc_mem_alloc(&s->label, DC_KM_TILE, sizeof *s->label, "k-means labels of a tile"));
    DC_TRY(dc_mem_alloc(&s->order, DC_KM_TILE, sizeof *s->order, "k-means order of a tile"));
    DC_TRY(dc_mem_alloc(&s->start, (size_t)K + 1, sizeof *s->start, "k-means cluster starts"));
out:
    return st;
}

static void scratch_release(dc_km_scratch *s)
{
    dc_mem_free(&s->x);
    dc_mem_free(&s->score);
    dc_mem_free(&s->best);
    dc_mem_free(&s->label);
    dc_mem_free(&s->order);
    dc_mem_free(&s->start);
}

dc_status dc_km_tiles_init(dc_km_tiles *t, const dc_rows *rows, int64_t K, int n_init)
{
    dc_status st = DC_OK;
    const int64_t together = DC_MAX(1, DC_MIN((int64_t)n_init, DC_KM_PANEL / K));
    *t = (dc_km_tiles){.rows = rows, .K = K, .d = rows->d, .panel = K * together, .n_threads = omp_get_max_threads()};
    DC_TRY(dc_mem_alloc(&t->shift, (size_t)t->d, sizeof *t->shift, "column means"));
    DC_TRY(dc_mem_alloc(&t->scratch, (size_t)t->n_threads, sizeof *t->scratch, "k-means threads"));
    for (int i = 0; i < t->n_threads; i++) DC_TRY(scratch_init(&t->scratch[i], t->d, K, t->panel));
out:
    if (st != DC_OK) dc_km_tiles_release(t);
    return st;
}

void dc_km_tiles_release(dc_km_tiles *t)
{
    for (int i = 0; t->scratch && i < t->n_threads; i++) scratch_release(&t->scratch[i]);
    dc_mem_free(&t->scratch);
    dc_mem_free(&t->shift);
}

/* ---- Tiles ---------------------------------------------------------------------------------------------------------
 */

/* Local rows [lo, lo+n) minus the shift, n <= TILE. */
static void load_rows(const dc_km_tiles *t, int64_t lo, int64_t n, float *x)
{
    if (t->rows->X)
        memcpy(x, t->rows->X + lo * t->d, (size_t)(n * t->d) * sizeof *x);
    else
        t->rows->rows(t->rows->ctx, lo, n, x);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < t->d; c++) x[i * t->d + c] -= t->shift[c];
}

/* A tile from local row lo to at most hi; returns its rows. */
static int64_t load_tile(const dc_km_tiles *t, int64_t lo, int64_t hi, float *x)
{
    const int64_t n = DC_MIN(hi - lo, (int64_t)DC_KM_TILE);
    load_rows(t, lo, n, x);
    memset(x + n * t->d, 0, (size_t)((DC_KM_TILE - n) * t->d) * sizeof *x);
    return n;
}

void dc_km_row(const dc_km_tiles *t, int64_t row, float *out)
{
    load_rows(t, row, 1, out);
}

/* Sums run in LANES independent lanes, which are then added in order: vector code with a fixed order. */
static double combine(const double lane[LANES])
{
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sum;
}

static inline double square_of_difference(float a, float b)
{
    const double diff = (double)a - (double)b;
    return diff * diff;
}

static double squared_distance(const float *restrict x, const float *restrict y, int64_t d)
{
    double lane[LANES] = {0};
    int64_t c = 0;
    for (; c + LANES <= d; c += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += square_of_difference(x[c + l], y[c + l]);
    for (int l = 0; c + l < d; l++) lane[l] += square_of_difference(x[c + l], y[c + l]);
    return combine(lane);
}

static double squared_norm(const float *x, int64_t d)
{
    double lane[LANES] = {0};
    int64_t c = 0;
    for (; c + LANES <= d; c += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += square_of_difference(x[c + l], 0);
    for (int l = 0; c + l < d; l++) lane[l] += square_of_difference(x[c + l], 0);
    return combine(lane);
}

void dc_km_norms(const float *centers, int64_t m, int64_t d, float *norm)
{
    for (int64_t j = 0; j < m; j++) norm[j] = (float)squared_norm(centers + j * d, d);
}

/* score[j*TILE + i] = -2 c_j . x_i for m centres, by this thread alone: a loop over one block is no parallel region,
 * and a GEMM on several threads may split the sum over k. */
static void score_tile(const dc_km_tiles *t, const float *x, const float *centers, int64_t m, float *score)
{
    const int threads = omp_get_max_threads();
    if (!omp_in_parallel()) omp_set_num_threads(1);
    dc_gemm(DC_N, DC_T, m, DC_KM_TILE, t->d, -2.0f, centers, t->d, x, t->d, 0.0f, score, DC_KM_TILE);
    if (!omp_in_parallel()) omp_set_num_threads(threads);
}

/* The centre with the lowest score; ties go to the lowest index. */
static void nearest(const float *restrict score, const float *norm, int64_t K, float *restrict best,
                    int32_t *restrict label)
{
    for (int64_t i = 0; i < DC_KM_TILE; i++) {
        best[i] = INFINITY;
        label[i] = 0;
    }
    for (int64_t k = 0; k < K; k++) {
        const float *s = score + k * DC_KM_TILE;
        for (int64_t i = 0; i < DC_KM_TILE; i++) {
            const float v = s[i] + norm[k];
            const bool closer = v < best[i];
            best[i] = closer ? v : best[i];
            label[i] = closer ? (int32_t)k : label[i];
        }
    }
}

/* ---- Moments -------------------------------------------------------------------------------------------------------
 */

static void add_row(const float *restrict x, int64_t d, double *restrict sum)
{
    for (int64_t c = 0; c < d; c++) sum[c] += (double)x[c];
}

void dc_km_block_columns(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_tiles *t = ctx;
    float *x = t->scratch[thread].x;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = load_tile(t, lo, block->hi, x);
        for (int64_t i = 0; i < n; i++) add_row(x + i * t->d, t->d, leaf);
    }
}

void dc_km_block_squares(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_tiles *t = ctx;
    float *x = t->scratch[thread].x;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = load_tile(t, lo, block->hi, x);
        for (int64_t i = 0; i < n; i++) leaf[0] += squared_norm(x + i * t->d, t->d);
    }
}

/* ---- Lloyd ---------------------------------------------------------------------------------------------------------
 */

/* order[start[k] .. start[k+1]) = rows of the tile with label k, ascending. */
static void sort_by_label(const int32_t *label, int64_t n, int64_t K, int32_t *start, int32_t *order)
{
    memset(start, 0, (size_t)(K + 1) * sizeof *start);
    for (int64_t i = 0; i < n; i++) start[label[i] + 1]++;
    for (int64_t k = 0; k < K; k++) start[k + 1] += start[k];
    for (int64_t i = 0; i < n; i++) order[start[label[i]]++] = (int32_t)i;
    memmove(start + 1, start, (size_t)K * sizeof *start);
    start[0] = 0;
}

/* sum[d] += rows order[0..n) of the tile, in pieces of columns that stay in the first cache. */
static void add_rows(const float *x, int64_t d, const int32_t *order, int64_t n, double *sum)
{
    for (int64_t c = 0; c < d; c += COLUMNS) {
        const int64_t width = DC_MIN(d - c, (int64_t)COLUMNS);
        for (int64_t i = 0; i < n; i++) add_row(x + order[i] * d + c, width, sum + c);
    }
}

static void add_tile_to_clusters(const dc_km_tiles *t, const dc_km_scratch *s, int64_t n, double *sums, double *counts)
{
    sort_by_label(s->label, n, t->K, s->start, s->order);
    for (int64_t k = 0; k < t->K; k++) {
        const int32_t members = s->start[k + 1] - s->start[k];
        if (members == 0) continue;
        add_rows(s->x, t->d, s->order + s->start[k], members, sums + k * t->d);
        counts[k] += members;
    }
}

void dc_km_block_lloyd(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_lloyd *a = ctx;
    const dc_km_tiles *t = a->tiles;
    const dc_km_scratch *s = &t->scratch[thread];
    const int64_t K = t->K, d = t->d, together = t->panel / K;
    double *counts = leaf + a->groups * K * d;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = load_tile(t, lo, block->hi, s->x);
        for (int64_t g = 0; g < a->groups; g++) {
            const int64_t in_panel = g % together;
            if (in_panel == 0)
                score_tile(t, s->x, a->centers + g * K * d, K * DC_MIN(together, a->groups - g), s->score);
            nearest(s->score + in_panel * K * DC_KM_TILE, a->norm + g * K, K, s->best, s->label);
            add_tile_to_clusters(t, s, n, leaf + g * K * d, counts + g * K);
        }
    }
}

void dc_km_block_assign(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_assign *a = ctx;
    const dc_km_tiles *t = a->tiles;
    const dc_km_scratch *s = &t->scratch[thread];
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = load_tile(t, lo, block->hi, s->x);
        score_tile(t, s->x, a->centers, t->K, s->score);
        nearest(s->score, a->norm, t->K, s->best, s->label);
        for (int64_t i = 0; i < n; i++) {
            const int32_t k = s->label[i];
            const double distance = squared_distance(s->x + i * t->d, a->centers + k * t->d, t->d);
            leaf[0] += distance;
            leaf[1 + k] += 1;
            if (a->label) a->label[lo + i] = k;
            if (a->distance) a->distance[lo + i] = (float)distance;
        }
    }
}

void dc_km_block_label(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_label *a = ctx;
    const dc_km_tiles *t = a->tiles;
    const dc_km_scratch *s = &t->scratch[thread];
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = load_tile(t, lo, block->hi, s->x);
        leaf[0] += dc_nearest_rows(s->x, a->centers, n, t->K, t->d, a->label + lo);
        for (int64_t i = 0; i < n; i++) leaf[1 + a->label[lo + i]] += 1;
    }
}

/* ---- Seeding -------------------------------------------------------------------------------------------------------
 */

/* Squared norms of the rows of a tile. */
static void row_norms(const dc_km_tiles *t, const float *x, float *norm)
{
    for (int64_t i = 0; i < DC_KM_TILE; i++) norm[i] = (float)squared_norm(x + i * t->d, t->d);
}

/* distance[i] = |x_i - c|^2 from score[i] = -2 c.x_i. What is below the rounding of the product counts as 0, so that a
 * copy of a centre has no mass and is not drawn again. */
static void distances(const float *restrict score, const float *restrict row_norm, float norm, int64_t d,
                      float *restrict distance)
{
    const float rounding = 0x1p-23f * (4 + sqrtf((float)d));
    for (int64_t i = 0; i < DC_KM_TILE; i++) {
        const float scale = row_norm[i] + norm, v = scale + score[i];
        distance[i] = v > rounding * scale ? v : 0;
    }
}

static inline double smaller(float a, float b)
{
    return (double)(a < b ? a : b);
}

static double sum_of_min(const float *restrict a, const float *restrict b, int64_t n)
{
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += smaller(a[i + l], b[i + l]);
    for (int l = 0; i + l < n; l++) lane[l] += smaller(a[i + l], b[i + l]);
    return combine(lane);
}

void dc_km_block_potential(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_potential *a = ctx;
    const dc_km_tiles *t = a->tiles;
    const dc_km_scratch *s = &t->scratch[thread];
    const int64_t m = a->restarts * a->trials, n_local = dc_part_rows(t->rows->part);
    float row_norm[DC_KM_TILE];
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = load_tile(t, lo, block->hi, s->x);
        row_norms(t, s->x, row_norm);
        for (int64_t j = 0; j < m; j++) {
            const int64_t in_panel = j % t->panel;
            if (in_panel == 0) score_tile(t, s->x, a->candidates + j * t->d, DC_MIN(t->panel, m - j), s->score);
            distances(s->score + in_panel * DC_KM_TILE, row_norm, a->norm[j], t->d, s->best);
            leaf[j] += sum_of_min(s->best, a->d_min + j / a->trials * n_local + lo, n);
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

static void lower_block(const dc_km_tiles *t, const dc_block *block, const dc_km_scratch *s, const float *newest,
                        const float *norm, int64_t restarts, float *d_min, double *mass)
{
    const int64_t n_local = dc_part_rows(t->rows->part);
    float row_norm[DC_KM_TILE];
    memset(mass, 0, (size_t)restarts * sizeof *mass);
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = load_tile(t, lo, block->hi, s->x);
        row_norms(t, s->x, row_norm);
        for (int64_t r = 0; r < restarts; r++) {
            const int64_t in_panel = r % t->panel;
            if (in_panel == 0) score_tile(t, s->x, newest + r * t->d, DC_MIN(t->panel, restarts - r), s->score);
            distances(s->score + in_panel * DC_KM_TILE, row_norm, norm[r], t->d, s->best);
            mass[r] += lower(s->best, n, d_min + r * n_local + lo);
        }
    }
}

void dc_km_lower(const dc_km_tiles *tiles, const float *newest, const float *norm, int64_t restarts, float *d_min,
                 double *mass)
{
    const dc_part *part = tiles->rows->part;
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t b = 0; b < part->n_blocks; b++) {
        const dc_block block = dc_part_block(part, b);
        lower_block(tiles, &block, &tiles->scratch[omp_get_thread_num()], newest, norm, restarts, d_min,
                    mass + b * (size_t)restarts);
    }
}
