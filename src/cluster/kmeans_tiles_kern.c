/* Rows and centres of k-means as the kernels see them: tiles of rows, images of centres, products of the two.
 *
 * Products are in float, of rows and centres that are shifted by the mean of all rows and multiplied by a power of two,
 * which is exact. Everything else is in double, of the rows and centres as they are. A product has the same shape for
 * every tile (short tiles are filled with zero rows) and runs in the calling thread, so a row's scores depend on its
 * place in its block alone. Scores are laid out [centre][row], so that loops over rows run in vector lanes. */
#include "kmeans_impl.h"

#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "softassign_impl.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { LANES = 16 };

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

static dc_status scratch_init(dc_km_scratch *s, const dc_km_tiles *t)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)t->d;
    if (!t->rows->X) DC_TRY(dc_mem_alloc(&s->x, DC_KM_TILE * d, sizeof *s->x, "k-means tile"));
    DC_TRY(dc_mem_alloc(&s->u, DC_KM_TILE * d, sizeof *s->u, "k-means tile"));
    DC_TRY(dc_mem_alloc(&s->doubtful, DC_SOFT_LANES * d, sizeof *s->doubtful, "k-means tile"));
    DC_TRY(dc_mem_alloc(&s->score, DC_KM_TILE * (size_t)t->panel, sizeof *s->score, "k-means scores"));
    DC_TRY(dc_mem_alloc(&s->length, DC_KM_TILE, sizeof *s->length, "k-means lengths of a tile"));
    DC_TRY(dc_mem_alloc(&s->best, DC_KM_TILE, sizeof *s->best, "k-means distances of a tile"));
    DC_TRY(dc_mem_alloc(&s->second, DC_KM_TILE, sizeof *s->second, "k-means distances of a tile"));
    DC_TRY(dc_mem_alloc(&s->label, DC_KM_TILE, sizeof *s->label, "k-means labels of a tile"));
    DC_TRY(dc_mem_alloc(&s->order, DC_KM_TILE, sizeof *s->order, "k-means order of a tile"));
    DC_TRY(dc_mem_alloc(&s->start, (size_t)t->K + 1, sizeof *s->start, "k-means cluster starts"));
out:
    return st;
}

static void scratch_release(dc_km_scratch *s)
{
    dc_mem_free(&s->x);
    dc_mem_free(&s->u);
    dc_mem_free(&s->doubtful);
    dc_mem_free(&s->score);
    dc_mem_free(&s->length);
    dc_mem_free(&s->best);
    dc_mem_free(&s->second);
    dc_mem_free(&s->label);
    dc_mem_free(&s->order);
    dc_mem_free(&s->start);
}

dc_status dc_km_tiles_init(dc_km_tiles *t, const dc_rows *rows, int64_t K, int n_init)
{
    dc_status st = DC_OK;
    const int64_t together = DC_MAX(1, DC_MIN((int64_t)n_init, DC_KM_PANEL / K));
    *t = (dc_km_tiles){
        .rows = rows, .unit = 1, .K = K, .d = rows->d, .panel = K * together, .n_threads = omp_get_max_threads()};
    DC_TRY(dc_mem_alloc(&t->shift, (size_t)t->d, sizeof *t->shift, "column means"));
    DC_TRY(dc_mem_alloc(&t->scratch, (size_t)t->n_threads, sizeof *t->scratch, "k-means threads"));
    for (int i = 0; i < t->n_threads; i++) DC_TRY(scratch_init(&t->scratch[i], t));
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

dc_status dc_km_centers_init(dc_km_centers *c, int64_t m, int64_t d)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)m;
    *c = (dc_km_centers){0};
    DC_TRY(dc_mem_alloc(&c->image, dc_mul_size(n, (size_t)d), sizeof *c->image, "k-means centres of a pass"));
    DC_TRY(dc_mem_alloc(&c->norm, n, sizeof *c->norm, "k-means norms"));
    DC_TRY(dc_mem_alloc(&c->low, n, sizeof *c->low, "k-means bounds"));
    DC_TRY(dc_mem_alloc(&c->slack, n, sizeof *c->slack, "k-means bounds"));
out:
    if (st != DC_OK) dc_km_centers_release(c);
    return st;
}

void dc_km_centers_release(dc_km_centers *c)
{
    dc_mem_free(&c->image);
    dc_mem_free(&c->norm);
    dc_mem_free(&c->low);
    dc_mem_free(&c->slack);
}

/* ---- Sums of squares -------------------------------------------------------------------------------------------- */

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

double dc_km_distance(const float *restrict x, const float *restrict c, int64_t d)
{
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= d; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += square_of_difference(x[i + l], c[i + l]);
    for (int l = 0; i + l < d; l++) lane[l] += square_of_difference(x[i + l], c[i + l]);
    return combine(lane);
}

/* Length of a vector of floats near 1, good to d rounding errors. */
static float length_of(const float *u, int64_t d)
{
    float lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= d; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += u[i + l] * u[i + l];
    for (int l = 0; i + l < d; l++) lane[l] += u[i + l] * u[i + l];
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sqrtf(sum);
}

/* ---- Tiles ------------------------------------------------------------------------------------------------------ */

/* Shift and unit in one rounding: both products are exact. */
static void shift_row(const dc_km_tiles *t, const float *restrict x, float *restrict u)
{
    const float *restrict shift = t->shift, unit = t->unit;
    for (int64_t c = 0; c < t->d; c++) u[c] = x[c] * unit - shift[c] * unit;
}

static const float *load_rows(const dc_km_tiles *t, int64_t lo, int64_t n, float *x)
{
    if (t->rows->X) return t->rows->X + lo * t->d;
    t->rows->rows(t->rows->ctx, lo, n, x);
    return x;
}

dc_km_tile dc_km_load(const dc_km_tiles *t, int64_t lo, int64_t hi, dc_km_scratch *s)
{
    const int64_t n = DC_MIN(hi - lo, (int64_t)DC_KM_TILE), d = t->d;
    const dc_km_tile tile = {.lo = lo, .n = n, .x = load_rows(t, lo, n, s->x)};
    for (int64_t i = 0; i < n; i++) {
        shift_row(t, tile.x + i * d, s->u + i * d);
        s->length[i] = length_of(s->u + i * d, d);
    }
    memset(s->u + n * d, 0, (size_t)((DC_KM_TILE - n) * d) * sizeof *s->u);
    memset(s->length + n, 0, (size_t)(DC_KM_TILE - n) * sizeof *s->length);
    return tile;
}

void dc_km_row(const dc_km_tiles *t, int64_t row, float *out)
{
    const float *x = load_rows(t, row, 1, out);
    if (x != out) memcpy(out, x, (size_t)t->d * sizeof *out);
}

/* ---- Images of centres ------------------------------------------------------------------------------------------ */

/* A score |c|^2 - 2 c.u in float, u and c being row and centre after shift and unit, is at least low + product -
 * slack |u|, and the exact one lies at most 2 (norm - low + slack |u|) above that. With e = 2^-24 the unit roundoff
 * and for every order of summation (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1): the product
 * of d terms is off by 2 d e |c||u|, by 4 e |c||u| for the rounding of u and c; two additions by 2 e (|c|^2 + 2
 * |c||u|); the norm by 3 e |c|^2 for the rounding of c and its own; terms that underflow by 2^-126 each. A hundredth is
 * for the rounding of these bounds themselves and of |u|. */
static void set_bounds(dc_km_centers *c, int64_t k, double squares, int64_t d)
{
    const double e = 0x1p-24, width = (double)d, margin = 1.01 + 2 * width * e, tiny = width * 0x1p-124;
    c->norm[k] = (float)squares;
    c->low[k] = (float)(squares - margin * (6 * e * squares + tiny));
    c->slack[k] = (float)(margin * ((2 * width + 8) * e * sqrt(squares) + tiny));
}

void dc_km_project(const dc_km_tiles *t, const float *at, int64_t m, dc_km_centers *c)
{
    const int64_t d = t->d;
    c->at = at;
    for (int64_t k = 0; k < m; k++) {
        double squares = 0;
        shift_row(t, at + k * d, c->image + k * d);
        for (int64_t i = 0; i < d; i++) squares += (double)c->image[k * d + i] * (double)c->image[k * d + i];
        set_bounds(c, k, squares, d);
    }
}

/* By this thread alone: a loop over one block does not open a parallel region, and a GEMM on several threads may
 * split the sum over the columns. */
void dc_km_score(const dc_km_tiles *t, const dc_km_centers *c, int64_t first, int64_t m, dc_km_scratch *s)
{
    const int threads = omp_get_max_threads();
    if (!omp_in_parallel()) omp_set_num_threads(1);
    dc_gemm(DC_N, DC_T, m, DC_KM_TILE, t->d, -2.0f, c->image + first * t->d, t->d, s->u, t->d, 0.0f, s->score,
            DC_KM_TILE);
    if (!omp_in_parallel()) omp_set_num_threads(threads);
}

/* ---- Moments ---------------------------------------------------------------------------------------------------- */

void dc_km_block_columns(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_tiles *t = ctx;
    dc_km_scratch *s = &t->scratch[thread];
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)DC_KM_TILE);
        const float *restrict x = load_rows(t, lo, n, s->x);
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < t->d; c++) leaf[c] += (double)x[i * t->d + c];
    }
}

void dc_km_block_squares(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_tiles *t = ctx;
    dc_km_scratch *s = &t->scratch[thread];
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)DC_KM_TILE);
        const float *x = load_rows(t, lo, n, s->x);
        for (int64_t i = 0; i < n; i++) leaf[0] += dc_km_distance(x + i * t->d, t->shift, t->d);
    }
}
