/* Rough scores of all centres, which rule out all but a few of them for each row.
 *
 * Rows and centres, as images, are rounded to 8-bit integers with a scale of their own: u = a q + r, c = b p + t with
 * remainders r and t. Then -2 u.c = -2 a b q.p with an error of at most 2 (|r||c| + |a q||t|), as Cauchy and Schwarz
 * say. An instruction of the CPU (AVX-512 VNNI) adds 64 of the integer products, four times as many as in float. So the
 * score of every centre is known between two bounds, which include all rounding; the nearest centre is among those
 * whose lower bound does not exceed the lowest upper bound. These few are decided in kmeans_kern.c as all would be, so
 * the labels are the same. Without this instruction, and where too many centres are left, all are scored in float. */
#include "int8.h"
#include "kmeans_impl.h"

#include "dcmpi/mem.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    LANES = DC_INT8_LANES,
    VECTORS = DC_INT8_VECTORS,
    BLOCK = DC_INT8_BLOCK,
    QUAD = DC_INT8_QUAD,
    GROUP = BLOCK * QUAD
};
enum { SHIFT = DC_INT8_SHIFT, ROWS = 4, LEAST = 64 };
enum { MID, STEP, LENGTH, LOST, ROUNDING, TERMS };

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

bool dc_km_rough_pays(int64_t K, int64_t d)
{
#ifdef __AVX512VNNI__
    return K >= LEAST && d > 0 && d <= DC_INT8_MOST_COLUMNS;
#else
    (void)K, (void)d;
    return false;
#endif
}

dc_status dc_km_rough_init(dc_km_rough *r, int64_t m, int64_t run, int64_t d)
{
    dc_status st = DC_OK;
    *r = (dc_km_rough){.run = run, .padded = (run + BLOCK - 1) / BLOCK * BLOCK, .quads = dc_int8_quads(d)};
    const size_t places = (size_t)((m + run - 1) / run * r->padded), width = (size_t)(QUAD * r->quads);
    DC_TRY(dc_mem_alloc(&r->level, dc_mul_size(places, width), sizeof *r->level, "k-means centres as integers"));
    DC_TRY(dc_mem_alloc(&r->term, places * TERMS, sizeof *r->term, "k-means rough scores"));
    DC_TRY(dc_mem_alloc(&r->most, places / BLOCK * TERMS, sizeof *r->most, "k-means rough scores"));
out:
    if (st != DC_OK) dc_km_rough_release(r);
    return st;
}

void dc_km_rough_release(dc_km_rough *r)
{
    dc_mem_free(&r->level);
    dc_mem_free(&r->term);
    dc_mem_free(&r->most);
}

dc_status dc_km_rough_rows_init(dc_km_rough_rows *x, int64_t d)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&x->level, (size_t)(DC_KM_TILE * QUAD * dc_int8_quads(d)), 1, "k-means rows as integers"));
    DC_TRY(dc_mem_alloc(&x->few, DC_KM_TILE, sizeof *x->few, "k-means rows as integers"));
    DC_TRY(dc_mem_alloc(&x->row, DC_KM_TILE, sizeof *x->row, "k-means rows as integers"));
out:
    return st;
}

void dc_km_rough_rows_release(dc_km_rough_rows *x)
{
    dc_mem_free(&x->level);
    dc_mem_free(&x->few);
    dc_mem_free(&x->row);
}

#ifdef __AVX512VNNI__

/* ---- Centres and rows in integers -------------------------------------------------------------------------------- */

/* The score of centre k is MID - STEP * (2 a q.p) for a row, with an error of at most LENGTH * |r| + LOST * (|a q| +
 * |r|) + ROUNDING. In LOST and ROUNDING are the bounds of set_bounds (kmeans_tiles_kern.c), which hold for the images,
 * and `more` for the rounding of the rough score itself, of about six operations. */
static void set_centre(const dc_km_rough *r, const dc_km_centers *c, int64_t d, int64_t k, int64_t place, int8_t *level)
{
    const float more = 0x1p-18F, norm = c->norm[k];
    const dc_int8_rounded x = dc_int8_round(c->image + k * d, d, level);
    float *term = r->term + place / LANES * LANES * TERMS + place % LANES;
    term[MID * LANES] = norm;
    term[STEP * LANES] = x.scale;
    term[LENGTH * LANES] = 2.002F * (x.length + x.lost);
    term[LOST * LANES] = 2.002F * x.lost + 1.001F * c->slack[k] + more * (x.length + x.lost);
    term[ROUNDING * LANES] = 2 * (norm - c->low[k]) + more * norm;
    dc_int8_place(level, d, place, r->level);
}

/* Sets the places of a block of centres: center[BLOCK], -1: none. */
static void set_block(const dc_km_rough *r, const dc_km_centers *c, int64_t d, const int64_t *center, int64_t block,
                      int8_t *level)
{
    float *most = r->most + block * TERMS;
    memset(most, 0, TERMS * sizeof *most);
    for (int64_t i = 0; i < BLOCK; i++) {
        const int64_t place = block * BLOCK + i;
        float *term = r->term + place / LANES * LANES * TERMS + place % LANES;
        term[MID * LANES] = INFINITY; /* never the nearest */
        if (center[i] < 0) continue;
        set_centre(r, c, d, center[i], place, level);
        for (int q = LENGTH; q <= ROUNDING; q++) most[q] = fmaxf(1.001F * term[q * LANES], most[q]);
    }
}

void dc_km_rough_project(const dc_km_tiles *t, dc_km_centers *c)
{
    const dc_km_rough *r = &c->rough;
    const int64_t runs = (c->m + r->run - 1) / r->run;
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < runs * r->padded / BLOCK; block++) {
        int64_t center[BLOCK];
        for (int64_t i = 0; i < BLOCK; i++) {
            const int64_t at = (block * BLOCK + i) % r->padded, k = block * BLOCK / r->padded * r->run + at;
            center[i] = at < r->run && k < c->m ? k : -1;
        }
        set_block(r, c, t->d, center, block, t->scratch[omp_get_thread_num()].rough.level);
    }
}

void dc_km_rough_take(const dc_km_tiles *t, const dc_km_centers *c, const int64_t *center, int64_t n, dc_km_rough *r)
{
    int64_t taken[BLOCK];
    _Static_assert((int)DC_KM_FAST == (int)BLOCK, "they fill a block");
    for (int64_t i = 0; i < BLOCK; i++) taken[i] = i < n ? center[i] : -1;
    set_block(r, c, t->d, taken, 0, t->scratch[0].rough.level);
}

void dc_km_rough_load(const float *u, const float *square, const int32_t *index, int64_t n, int64_t d,
                      const dc_km_rough_rows *x)
{
    const int64_t width = QUAD * dc_int8_quads(d);
    for (int64_t i = 0; i < n; i++) {
        int8_t *level = x->level + i * width;
        const dc_int8_rounded q = dc_int8_round(u + index[i] * d, d, level);
        memset(level + d, 0, (size_t)(width - d));
        x->row[i] = (dc_km_rough_row){2 * q.scale, q.lost, q.length + q.lost, square[index[i]], -SHIFT * q.sum};
    }
    if (n % ROWS == 0) return;
    memset(x->level + n * width, 0, (size_t)((ROWS - n % ROWS) * width));
    memset(x->row + n, 0, (size_t)(ROWS - n % ROWS) * sizeof *x->row);
}

/* ---- Scores ------------------------------------------------------------------------------------------------------ */

/* Forgets centres whose lower bound is above the limit. */
static void forget(dc_km_few *f)
{
    int n = 0;
    for (int j = 0; j < f->n; j++) {
        f->center[n] = f->center[j];
        f->low[n] = f->low[j];
        n += f->low[j] <= f->limit;
    }
    f->n = n;
}

/* Sets the limit to distances up to `reach`, or a quarter, farther than the nearest. */
static void set_limit(dc_km_few *f, float square, float reach)
{
    const float squared = square + f->upper, nearest = squared > 0 ? sqrtf(squared) : 0, most = nearest / 4;
    const float more = reach < most ? reach : most;
    f->limit = f->upper + f->hidden + 1.0001F * (2 * nearest + more) * more;
}

static void add(dc_km_few *f, int32_t center, float low)
{
    if (f->n == DC_KM_FEW) forget(f);
    if (f->n == DC_KM_FEW && f->limit > f->upper + f->hidden) {
        f->limit = f->upper + f->hidden;
        f->wide = false;
        forget(f);
        if (low > f->limit) return;
    }
    if (f->n == DC_KM_FEW) {
        f->many = true;
        return;
    }
    f->center[f->n] = center;
    f->low[f->n++] = low;
}

/* Adds to f those of a block of centres, from number `first` on, that may be the nearest to the row. */
static void collect(const __m512 score[VECTORS], const float *term, const dc_km_rough_row *row, int64_t first,
                    float reach, dc_km_few *f)
{
    float low[BLOCK];
    __m512 least = _mm512_set1_ps(f->upper);
    uint64_t mask = 0;
    for (int v = 0; v < VECTORS; v++, term += LANES * TERMS) {
        const __m512 length = _mm512_load_ps(term + LENGTH * LANES), lost = _mm512_load_ps(term + LOST * LANES);
        const __m512 error = _mm512_fmadd_ps(
            _mm512_set1_ps(row->lost), length,
            _mm512_fmadd_ps(_mm512_set1_ps(row->length), lost, _mm512_load_ps(term + ROUNDING * LANES)));
        _mm512_storeu_ps(low + v * LANES, _mm512_sub_ps(score[v], error));
        least = _mm512_min_ps(_mm512_add_ps(score[v], error), least);
    }
    f->upper = _mm512_reduce_min_ps(least);
    set_limit(f, row->square, f->wide ? reach : 0);
    const __m512 limit = _mm512_set1_ps(f->limit);
    for (int v = 0; v < VECTORS; v++)
        mask |= (uint64_t)_mm512_cmp_ps_mask(_mm512_loadu_ps(low + v * LANES), limit, _CMP_LE_OQ) << (v * LANES);
    for (; mask; mask &= mask - 1) {
        const int at = __builtin_ctzll(mask);
        add(f, (int32_t)first + at, low[at]);
    }
}

/* Compares ROWS rows with the block of centres at `place`, numbered from `first`. */
static void compare(const dc_km_rough *c, int64_t place, int64_t first, const int8_t *rows, const dc_km_rough_row *row,
                    float reach, dc_km_few *few)
{
    __m512i sum[ROWS][VECTORS];
    const int32_t start[ROWS] = {row[0].start, row[1].start, row[2].start, row[3].start};
    const float *term = c->term + place * TERMS, *most = c->most + place / BLOCK * TERMS;
    dc_int8_multiply(c->level + place / BLOCK * c->quads * GROUP, rows, start, ROWS, c->quads, sum);
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; r++) {
        __m512 score[VECTORS];
        __mmask16 mask = 0;
        const float error = row[r].lost * most[LENGTH] + row[r].length * most[LOST] + most[ROUNDING];
        const __m512 twice = _mm512_set1_ps(row[r].twice), bound = _mm512_set1_ps(few[r].limit + error);
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            const float *of = term + v * LANES * TERMS;
            const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][v]), _mm512_load_ps(of + STEP * LANES));
            score[v] = _mm512_fnmadd_ps(twice, product, _mm512_load_ps(of + MID * LANES));
            mask |= _mm512_cmp_ps_mask(score[v], bound, _CMP_LE_OQ);
        }
        if (mask) collect(score, term, &row[r], first, reach, &few[r]);
    }
}

void dc_km_rough_lowest(const dc_km_rough *c, int64_t n, const dc_km_rough_rows *x, float *lowest)
{
    for (int64_t i = 0; i < n; i += ROWS) {
        __m512i sum[ROWS][VECTORS];
        const dc_km_rough_row *row = x->row + i;
        const int32_t start[ROWS] = {row[0].start, row[1].start, row[2].start, row[3].start};
        dc_int8_multiply(c->level, x->level + i * c->quads * QUAD, start, ROWS, c->quads, sum);
#pragma GCC unroll 4
        for (int r = 0; r < ROWS; r++) {
            __m512 least = _mm512_set1_ps(INFINITY);
            const float error = row[r].lost * c->most[LENGTH] + row[r].length * c->most[LOST] + c->most[ROUNDING];
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                const float *of = c->term + v * LANES * TERMS;
                const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][v]), _mm512_load_ps(of + STEP * LANES));
                const __m512 mid = _mm512_load_ps(of + MID * LANES);
                least = _mm512_min_ps(_mm512_fnmadd_ps(_mm512_set1_ps(row[r].twice), product, mid), least);
            }
            lowest[i + r] = _mm512_reduce_min_ps(least) - error;
        }
    }
}

void dc_km_rough_rule_out(const dc_km_rough *c, int64_t run, int64_t m, int64_t n, float reach, const float *upper,
                          const dc_km_rough_rows *x)
{
    for (int64_t i = 0; i < (n + ROWS - 1) / ROWS * ROWS; i++) {
        dc_km_few *f = &x->few[i];
        f->n = 0;
        f->many = false;
        f->wide = reach > 0;
        f->upper = i < n ? upper[i] : -INFINITY; /* rows that fill up: no centre */
        f->hidden = i < n ? x->row[i].square * dc_km_hidden(QUAD * c->quads) : 0;
        f->limit = INFINITY;
        if (f->upper < INFINITY) set_limit(f, x->row[i].square, reach);
    }
    for (int64_t k = 0; k < m; k += BLOCK)
        for (int64_t i = 0; i < n; i += ROWS)
            compare(c, run * c->padded + k, k, x->level + i * c->quads * QUAD, x->row + i, reach, x->few + i);
    for (int64_t i = 0; i < n; i++) {
        forget(&x->few[i]);
        x->few[i].many |= x->few[i].n == 0; /* a value that is not a number */
    }
}

#else

void dc_km_rough_take(const dc_km_tiles *t, const dc_km_centers *c, const int64_t *center, int64_t n, dc_km_rough *r)
{
    (void)t, (void)c, (void)center, (void)n, (void)r;
}

void dc_km_rough_lowest(const dc_km_rough *r, int64_t n, const dc_km_rough_rows *x, float *lowest)
{
    (void)r, (void)n, (void)x, (void)lowest;
}

void dc_km_rough_project(const dc_km_tiles *t, dc_km_centers *c)
{
    (void)t, (void)c;
}

void dc_km_rough_load(const float *u, const float *square, const int32_t *index, int64_t n, int64_t d,
                      const dc_km_rough_rows *x)
{
    (void)u, (void)square, (void)index, (void)n, (void)d, (void)x;
}

void dc_km_rough_rule_out(const dc_km_rough *c, int64_t run, int64_t m, int64_t n, float reach, const float *upper,
                          const dc_km_rough_rows *x)
{
    (void)c, (void)run, (void)m, (void)reach, (void)upper;
    for (int64_t i = 0; i < n; i++) x->few[i].many = true;
}

#endif
