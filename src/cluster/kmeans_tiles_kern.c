/* Rows and centres of k-means as the kernels see them: tiles of rows, images of centres, products of the two.
 *
 * Products are in float. Their rows and centres are shifted by the mean of all rows and multiplied by a power of two,
 * which is exact. Everything else is in double and uses rows and centres as they are. A product has the same shape for
 * every tile (short tiles are filled with zero rows) and runs in the calling thread; so, apart from its values, only a
 * row's place in its block affects its scores. Scores are laid out [centre][row], so that loops over rows run in vector
 * lanes. */
#include "kmeans_impl.h"

#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "softassign_impl.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { LANES = 16 };

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

static dc_status sparse_init(dc_km_scratch *s, const dc_km_tiles *t)
{
    dc_status st = DC_OK;
    const size_t longest = (size_t)dc_csr_longest(t->csr);
    DC_TRY(dc_mem_alloc(&s->reach, DC_KM_TILE, sizeof *s->reach, "k-means bounds of a tile"));
    DC_TRY(dc_mem_alloc(&s->ptr, DC_KM_GROUP + 1, sizeof *s->ptr, "k-means tile"));
    DC_TRY(dc_mem_alloc(&s->val, DC_KM_GROUP * longest, sizeof *s->val, "k-means tile"));
    DC_TRY(dc_mem_alloc(&s->row_score, DC_KM_GROUP * (size_t)t->panel, sizeof *s->row_score, "k-means scores"));
out:
    return st;
}

static dc_status dense_init(dc_km_scratch *s, const dc_km_tiles *t)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)t->d;
    if (dc_km_rough_pays(t->K, t->d)) {
        DC_TRY(dc_km_rough_rows_init(&s->rough, t->d));
        DC_TRY(dc_mem_alloc(&s->active, DC_KM_TILE, sizeof *s->active, "k-means tile"));
        DC_TRY(dc_mem_alloc(&s->square, DC_KM_TILE, sizeof *s->square, "k-means lengths of a tile"));
        DC_TRY(dc_mem_alloc(&s->upper, DC_KM_TILE, sizeof *s->upper, "k-means distances of a tile"));
    }
    if (!t->rows->X) DC_TRY(dc_mem_alloc(&s->x, DC_KM_TILE * d, sizeof *s->x, "k-means tile"));
    DC_TRY(dc_mem_alloc(&s->u, DC_KM_TILE * d, sizeof *s->u, "k-means tile"));
out:
    return st;
}

static dc_status scratch_init(dc_km_scratch *s, const dc_km_tiles *t)
{
    dc_status st = DC_OK;
    DC_TRY(t->csr ? sparse_init(s, t) : dense_init(s, t));
    DC_TRY(dc_mem_alloc(&s->doubtful, DC_SOFT_LANES * (size_t)t->d, sizeof *s->doubtful, "k-means tile"));
    DC_TRY(dc_mem_alloc(&s->score, DC_KM_TILE * (size_t)t->panel, sizeof *s->score, "k-means scores"));
    DC_TRY(dc_mem_alloc(&s->length, DC_KM_TILE, sizeof *s->length, "k-means lengths of a tile"));
    if (!t->csr) s->reach = s->length;
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
    if (s->reach != s->length) dc_mem_free(&s->reach);
    dc_km_rough_rows_release(&s->rough);
    dc_mem_free(&s->active);
    dc_mem_free(&s->square);
    dc_mem_free(&s->upper);
    dc_mem_free(&s->ptr);
    dc_mem_free(&s->val);
    dc_mem_free(&s->row_score);
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
    if (rows->csr && dc_csr_pays(rows->csr, rows->part->N)) t->csr = rows->csr;
    DC_TRY(dc_mem_alloc(&t->shift, (size_t)t->d, sizeof *t->shift, "column means"));
    DC_TRY(dc_mem_alloc(&t->scratch, (size_t)t->n_threads, sizeof *t->scratch, "k-means threads"));
    for (int i = 0; i < t->n_threads; i++) {
        t->scratch[i].hidden = dc_km_hidden(t->d);
        DC_TRY(scratch_init(&t->scratch[i], t));
    }
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
    DC_TRY(dc_mem_alloc(&c->square, n, sizeof *c->square, "k-means norms"));
    DC_TRY(dc_mem_alloc(&c->norm, n, sizeof *c->norm, "k-means norms"));
    DC_TRY(dc_mem_alloc(&c->low, n, sizeof *c->low, "k-means bounds"));
    DC_TRY(dc_mem_alloc(&c->slack, n, sizeof *c->slack, "k-means bounds"));
out:
    if (st != DC_OK) dc_km_centers_release(c);
    return st;
}

dc_status dc_km_runs_init(dc_km_centers *c, const dc_km_tiles *t, int64_t m, int64_t run)
{
    dc_status st = DC_OK;
    DC_TRY(dc_km_centers_init(c, m, t->d));
    if (t->csr)
        DC_TRY(dc_mem_alloc(&c->zeros, dc_mul_size((size_t)m, (size_t)dc_km_sparse_blocks(t->d)), sizeof *c->zeros,
                            "k-means norms"));
    if (!t->csr && dc_km_rough_pays(t->K, t->d)) DC_TRY(dc_km_rough_init(&c->rough, m, run, t->d));
out:
    if (st != DC_OK) dc_km_centers_release(c);
    return st;
}

void dc_km_centers_release(dc_km_centers *c)
{
    dc_km_rough_release(&c->rough);
    dc_mem_free(&c->image);
    dc_mem_free(&c->square);
    dc_mem_free(&c->zeros);
    dc_mem_free(&c->norm);
    dc_mem_free(&c->low);
    dc_mem_free(&c->slack);
}

/* Length of a vector of floats near 1, accurate to d rounding errors. */
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

void dc_km_shift_row(const dc_km_tiles *t, const float *restrict x, float *restrict u)
{
    const float *restrict shift = t->shift, unit = t->unit;
    for (int64_t c = 0; c < t->d; c++) u[c] = x[c] * unit - shift[c] * unit;
}

const float *dc_km_rows(const dc_km_tiles *t, int64_t lo, int64_t n, float *x)
{
    if (t->rows->X) return t->rows->X + lo * t->d;
    t->rows->rows(t->rows->ctx, lo, n, x);
    return x;
}

dc_km_tile dc_km_load(const dc_km_tiles *t, int64_t lo, int64_t hi, dc_km_scratch *s)
{
    const int64_t n = DC_MIN(hi - lo, (int64_t)DC_KM_TILE), d = t->d;
    const dc_km_tile tile = {.lo = lo, .n = n, .x = t->csr ? NULL : dc_km_rows(t, lo, n, s->x)};
    if (t->csr) {
        dc_km_sparse_load(t, &tile, s);
        return tile;
    }
    for (int64_t i = 0; i < n; i++) {
        dc_km_shift_row(t, tile.x + i * d, s->u + i * d);
        s->length[i] = length_of(s->u + i * d, d);
    }
    memset(s->u + n * d, 0, (size_t)((DC_KM_TILE - n) * d) * sizeof *s->u);
    memset(s->length + n, 0, (size_t)(DC_KM_TILE - n) * sizeof *s->length);
    return tile;
}

void dc_km_row(const dc_km_tiles *t, int64_t row, float *out)
{
    if (t->csr) {
        dc_csr_rows(t->csr, row, 1, out);
        return;
    }
    const float *x = dc_km_rows(t, row, 1, out);
    if (x != out) memcpy(out, x, (size_t)t->d * sizeof *out);
}

/* ---- Images of centres ------------------------------------------------------------------------------------------ */

/* Let u and c be a row and a centre after shift and unit, and `product` be -2 c.u in float. The exact score
 * |c|^2 - 2 c.u is at least low + product - slack |u|, and at most 2 (norm - low + slack |u|) above that. With the unit
 * roundoff e = 2^-24, the errors are, for every order of summation (Higham, Accuracy and Stability of Numerical
 * Algorithms, section 3.1): in the product of d terms 2 d e |c||u|, plus 4 e |c||u| for the rounding of u and c; in two
 * additions 2 e (|c|^2 + 2 |c||u|); in the norm 3 e |c|^2 for its rounding and that of c; in each term that underflows
 * 2^-126. The hundredth in `margin` covers the rounding of these bounds themselves and of |u|. */
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
    c->m = m;
    if (t->csr) {
        dc_km_sparse_project(t, at, m, c);
        return;
    }
    for (int64_t k = 0; k < m; k++) {
        double squares = 0;
        dc_km_shift_row(t, at + k * d, c->image + k * d);
        for (int64_t i = 0; i < d; i++) squares += (double)c->image[k * d + i] * (double)c->image[k * d + i];
        set_bounds(c, k, squares, d);
    }
    if (c->rough.run) dc_km_rough_project(t, c);
}

/* Runs in this thread alone, because a GEMM on several threads may split the sum over the columns. A loop over one
 * block opens no parallel region, so the GEMM must be held to one thread here. */
void dc_km_score(const dc_km_tiles *t, const dc_km_centers *c, int64_t first, int64_t m, const dc_km_tile *tile,
                 dc_km_scratch *s)
{
    if (t->csr) {
        dc_km_sparse_score(t, c, first, m, tile, s);
        return;
    }
    const int threads = omp_get_max_threads();
    if (!omp_in_parallel()) omp_set_num_threads(1);
    dc_gemm(DC_N, DC_T, m, DC_KM_TILE, t->d, -2.0f, c->image + first * t->d, t->d, s->u, t->d, 0.0f, s->score,
            DC_KM_TILE);
    if (!omp_in_parallel()) omp_set_num_threads(threads);
}

double dc_km_distance_of(const dc_km_tiles *t, const dc_km_tile *tile, int64_t i, const dc_km_centers *c, int64_t j,
                         const dc_km_scratch *s)
{
    return t->csr ? dc_km_sparse_distance(t, tile->lo + i, c, j, s)
                  : dc_km_distance(tile->x + i * t->d, c->at + j * t->d, t->d);
}

/* ---- Moments ---------------------------------------------------------------------------------------------------- */

void dc_km_block_columns(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_tiles *t = ctx;
    dc_km_scratch *s = &t->scratch[thread];
    if (t->csr) {
        dc_km_sparse_columns(t, block, leaf);
        return;
    }
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)DC_KM_TILE);
        const float *restrict x = dc_km_rows(t, lo, n, s->x);
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < t->d; c++) leaf[c] += (double)x[i * t->d + c];
    }
}

void dc_km_block_squares(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_km_tiles *t = ctx;
    dc_km_scratch *s = &t->scratch[thread];
    if (t->csr) {
        dc_km_sparse_squares(t, block, leaf);
        return;
    }
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)DC_KM_TILE);
        const float *x = dc_km_rows(t, lo, n, s->x);
        for (int64_t i = 0; i < n; i++) leaf[0] += dc_km_distance(x + i * t->d, t->shift, t->d);
    }
}
