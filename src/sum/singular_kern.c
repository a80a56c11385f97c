/* Products of all rows with a few directions, in double. The rows go by in chunks: first their products with the
 * directions, each row by one thread; then the products of these with the columns, each column by one thread. Terms of
 * sparse rows, and sums over a chunk of dense rows, are rounded to whole units before they are added.
 *
 * Sparse rows pick directions all over a matrix that no cache holds, so these, and what they give, are floats: another
 * basis of nearly the same space. What rounding adds to it outside the space is multiplied by X'X once more; within it,
 * it does not matter. */
#include "singular_kern.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/csr.h"
#include "dcmpi/la.h"
#include "dcmpi/rng.h"
#include "dcmpi/singular.h"

enum { SPARSE_CHUNK = 1024, TILE_MAX = 64, PANEL = DC_SINGULAR_PANEL };

int64_t dc_singular_tile(int64_t d)
{
    enum { TILE_MIN = 8, VALUES = 1 << 18 };
    return DC_MIN((int64_t)TILE_MAX, DC_MAX((int64_t)TILE_MIN, VALUES / d / TILE_MIN * TILE_MIN));
}

int64_t dc_singular_chunk(const dc_rows *rows)
{
    enum { TILES = 8 };
    return rows->csr ? SPARSE_CHUNK : TILES * dc_singular_tile(rows->d);
}

int64_t dc_singular_rows(int64_t l)
{
    enum { FEWEST = 512 };
    return DC_MIN((int64_t)DC_BLOCK_ROWS, DC_MAX((int64_t)FEWEST, 2 * l));
}

/* ---- Rows times directions --------------------------------------------------------------------------------------- */

static void multiply_sparse(const dc_singular_pass *p, int64_t i, double *restrict y)
{
    const dc_csr *m = p->rows->csr;
    const int64_t l = p->l;
    for (int64_t j = 0; j < l; j++) y[j] = p->mean ? -p->offset[j] : 0;
    for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) {
        const double v = (double)dc_csr_value(m, i, e);
        const double *restrict w = p->W + (int64_t)m->col[e] * l;
#pragma omp simd
        for (int64_t j = 0; j < l; j++) y[j] += v * w[j];
    }
}

/* Asks for a row of a matrix that is needed AHEAD values later: rows of such a matrix come from far away. */
enum { AHEAD = 4, LINE = 64 };
static void fetch(const void *row, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += LINE) __builtin_prefetch((const char *)row + at);
}

/* The same in floats of the rounded directions; y[l]: scratch. */
static void multiply_rough(const dc_singular_pass *p, int64_t i, double *restrict y, float *restrict out)
{
    const dc_csr *m = p->rows->csr;
    const int64_t l = p->l;
    for (int64_t j = 0; j < l; j++) y[j] = p->mean ? -p->offset[j] : 0;
    for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) {
        const double v = (double)dc_csr_value(m, i, e);
        if (e + AHEAD < m->ptr[m->n]) fetch(p->rough + (int64_t)m->col[e + AHEAD] * l, (size_t)l * sizeof *p->rough);
        const float *restrict w = p->rough + (int64_t)m->col[e] * l;
#pragma omp simd
        for (int64_t j = 0; j < l; j++) y[j] += v * (double)w[j];
    }
    for (int64_t j = 0; j < l; j++) out[j] = (float)y[j];
}

/* x[n x d] = rows [lo, lo + n) of dense data, minus the mean. */
static void read_dense(const dc_singular_pass *p, int64_t lo, int64_t n, double *restrict x)
{
    const dc_rows *r = p->rows;
    float *row = p->row + (int64_t)omp_get_thread_num() * dc_singular_tile(r->d) * r->d;
    const float *from = r->X ? r->X + lo * r->d : row;
    if (!r->X) r->rows(r->ctx, lo, n, row);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < r->d; c++) x[i * r->d + c] = (double)from[i * r->d + c] - (p->mean ? p->mean[c] : 0);
}

/* y[n x l]: rows [lo, lo + n) times the directions, by the calling thread. */
static void multiply(const dc_singular_pass *p, int64_t lo, int64_t n, int thread, double *y)
{
    const int64_t d = p->rows->d, l = p->l, tile = dc_singular_tile(d);
    for (int64_t i = 0; p->rows->csr && i < n; i++) multiply_sparse(p, lo + i, y + i * l);
    if (p->rows->csr) return;
    double *x = p->x + (int64_t)thread * tile * d;
    for (int64_t i = 0; i < n; i += tile) {
        const int64_t part = DC_MIN(tile, n - i);
        read_dense(p, lo + i, part, x);
        dc_gemm_f64(DC_N, DC_N, part, l, d, x, d, p->W, l, y + i * l, l);
    }
}

/* ---- Products with columns --------------------------------------------------------------------------------------- */

/* Adds f y, rounded; rint() would keep the compiler from using vectors. */
static void add_units(int64_t n, double f, const double *restrict y, int64_t *restrict G)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) G[j] += (int64_t)(f * y[j] + copysign(0.5, f * y[j]));
}

static void add_rough(int64_t n, double f, const float *restrict y, int64_t *restrict G)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) G[j] += (int64_t)(f * (double)y[j] + copysign(0.5, f * (double)y[j]));
}

static void products_dense(dc_singular_pass *p, int64_t lo, int64_t n)
{
    const int64_t d = p->rows->d, l = p->l, tile = dc_singular_tile(d);
    const double per_unit = 1 / p->unit;
#pragma omp parallel
    {
        double *product = p->y + (int64_t)omp_get_thread_num() * PANEL * l;
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < n; i += tile) {
            const int64_t part = DC_MIN(tile, n - i);
            read_dense(p, lo + i, part, p->X + i * d);
            dc_gemm_f64(DC_N, DC_N, part, l, d, p->X + i * d, d, p->W, l, p->Y + i * l, l);
        }
#pragma omp for schedule(dynamic)
        for (int64_t c = 0; c < d; c += PANEL) {
            const int64_t width = DC_MIN((int64_t)PANEL, d - c);
            dc_gemm_f64(DC_T, DC_N, width, l, n, p->X + c, d, p->Y, l, product, l);
            add_units(width * l, per_unit, product, p->G + c * l);
        }
    }
}

static void products_sparse(dc_singular_pass *p, int64_t lo, int64_t n)
{
    const dc_csr *m = p->rows->csr;
    const int64_t l = p->l;
    const double per_unit = 1 / p->unit;
#pragma omp parallel
    {
#pragma omp for schedule(dynamic, 16)
        for (int64_t i = 0; i < n; i++) multiply_rough(p, lo + i, p->y + omp_get_thread_num() * l, p->y_rough + i * l);
#pragma omp for schedule(dynamic)
        for (int r = 0; r <= p->ranges; r++) {
            const int64_t first = r < p->ranges ? p->range[r] : 0, end = r < p->ranges ? p->range[r + 1] : 0;
            for (int64_t i = 0; i < n; i++) {
                const float *y = p->y_rough + i * l;
                const int64_t stop = m->ptr[lo + i + 1];
                if (r == p->ranges) add_rough(l, per_unit * p->one, y, p->G + m->D * l);
                for (int64_t e = dc_csr_find(m, lo + i, first); e < stop && m->col[e] < end; e++) {
                    if (e + AHEAD < stop) fetch(p->G + (int64_t)m->col[e + AHEAD] * l, (size_t)l * sizeof *p->G);
                    add_rough(l, per_unit * (double)dc_csr_value(m, lo + i, e), y, p->G + (int64_t)m->col[e] * l);
                }
            }
        }
    }
}

void dc_singular_products(dc_singular_pass *p)
{
    const int64_t chunk = dc_singular_chunk(p->rows), n = dc_part_rows(p->rows->part);
    memset(p->G, 0, (size_t)((p->rows->d + 1) * p->l) * sizeof *p->G);
    if (p->rows->csr) {
        for (int64_t lo = 0; lo < n; lo += chunk) products_sparse(p, lo, DC_MIN(chunk, n - lo));
        return;
    }
    /* Chunks begin anew at each block, because the bits depend on what they hold. */
    for (dc_block b = {0}; dc_part_next_block(p->rows->part, &b);)
        for (int64_t lo = b.lo; lo < b.hi; lo += chunk) products_dense(p, lo, DC_MIN(chunk, b.hi - lo));
}

void dc_singular_cut(dc_singular_pass *p, int64_t *count)
{
    const dc_csr *m = p->rows->csr;
    int64_t sum = 0, all = m->ptr[m->n] - m->ptr[0];
    int r = 0;
    memset(count, 0, (size_t)m->D * sizeof *count);
    for (int64_t e = m->ptr[0]; e < m->ptr[m->n]; e++) count[m->col[e]]++;
    for (int64_t c = 0; c < m->D; c++) {
        while (r < p->ranges && (double)sum >= (double)all * r / p->ranges) p->range[r++] = c;
        sum += count[c];
    }
    p->range[0] = 0;
    while (r <= p->ranges) p->range[r++] = m->D;
}

void dc_singular_round(dc_singular_pass *p)
{
    const int64_t n = p->rows->d * p->l;
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < n; i++) {
        p->rough[i] = (float)p->W[i];
        p->W[i] = (double)p->rough[i];
    }
}

void dc_singular_next(dc_singular_pass *p)
{
    const int64_t d = p->rows->d, l = p->l, *rest = p->G + d * l;
    const bool shifted = p->rows->csr && p->mean;
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < d; c++)
        for (int64_t j = 0; j < l; j++)
            p->W[c * l + j] =
                p->unit * (double)p->G[c * l + j] - (shifted ? p->mean[c] / p->one * p->unit * (double)rest[j] : 0);
}

/* ---- Triangles --------------------------------------------------------------------------------------------------- */

void dc_singular_triangle(void *pass, const dc_block *block, int thread, double *leaf)
{
    const dc_singular_pass *p = pass;
    const int64_t l = p->l, most = dc_singular_rows(l);
    double *y = p->y + (int64_t)thread * (l + most) * l, *work = p->work + (int64_t)thread * dc_qr_work(l);
    int64_t above = 0; /* rows of the triangle so far */
    for (int64_t lo = block->lo, n; lo < block->hi; lo += n) {
        n = DC_MIN(most, block->hi - lo);
        multiply(p, lo, n, thread, y + above * l);
        dc_triangle(above + n, l, y, y, work);
        above = l;
    }
    memcpy(leaf, y, (size_t)(l * l) * sizeof *leaf);
}

/* ---- Directions -------------------------------------------------------------------------------------------------- */

void dc_singular_turn(const dc_singular_pass *p, int64_t k, const double *V, double *out)
{
    const int64_t d = p->rows->d, l = p->l;
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < d; c += PANEL)
        dc_gemm_f64(DC_N, DC_T, DC_MIN((int64_t)PANEL, d - c), k, l, p->W + c * l, l, V, l, out + c * k, k);
}

void dc_singular_gaussian(uint64_t seed, int64_t column, int64_t q, double out[4])
{
    uint32_t w[4];
    dc_rng4(seed, DC_STREAM_REDUCE, (uint64_t)q, (uint64_t)column, w);
    dc_rng_normal2(w[0], w[1], out);
    dc_rng_normal2(w[2], w[3], out + 2);
}

void dc_singular_fill(uint64_t seed, int64_t d, int64_t l, double *W)
{
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < d; c++)
        for (int64_t j = 0; j < l; j += 4) {
            double v[4];
            dc_singular_gaussian(seed, c, j / 4, v);
            memcpy(W + c * l + j, v, (size_t)DC_MIN(l - j, (int64_t)4) * sizeof *W);
        }
}

/* ---- Sums of sparse rows ----------------------------------------------------------------------------------------- */

void dc_singular_sums(void *pass, const dc_block *block, int thread, double *leaf)
{
    const dc_singular_pass *p = pass;
    const dc_csr *m = p->rows->csr;
    (void)thread;
    for (int64_t i = block->lo; i < block->hi; i++)
        for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) {
            const double v = (double)dc_csr_value(m, i, e);
            leaf[m->col[e]] += v;
            leaf[m->D + m->col[e]]++;
            leaf[2 * m->D] += v * v;
        }
}

void dc_singular_squares(void *pass, const dc_block *block, int thread, double *leaf)
{
    const dc_singular_pass *p = pass;
    const dc_csr *m = p->rows->csr;
    (void)thread;
    for (int64_t i = block->lo; i < block->hi; i++)
        for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) {
            const double v = (double)dc_csr_value(m, i, e) - p->mean[m->col[e]];
            *leaf += v * v;
        }
}
