/* Rough scores of all centres, which rule out all but a few of them for each row.
 *
 * Rows and centres, as images, are rounded to 8-bit integers with a scale of their own: u = a q + r, c = b p + t with
 * remainders r and t. Then -2 u.c = -2 a b q.p with an error of at most 2 (|r||c| + |a q||t|), as Cauchy and Schwarz
 * say. An instruction of the CPU (AVX-512 VNNI) adds 64 of the integer products, four times as many as in float. So the
 * score of every centre is known between two bounds, which include all rounding; the nearest centre is among those
 * whose lower bound does not exceed the lowest upper bound. These few are decided in kmeans_kern.c as all would be, so
 * the labels are the same. Without this instruction, and where too many centres are left, all are scored in float. */
#include "kmeans_impl.h"

#include "dcmpi/mem.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { LANES = 16, VECTORS = 4, BLOCK = VECTORS * LANES, QUAD = 4, GROUP = BLOCK * QUAD };
enum {
    LIMIT = 127,
    SHIFT = 128,
    ROWS = 4,
    LEAST = 64,
    MOST_COLUMNS = 1 << 17
}; /* sums of 127 * 127 fit into 32 bits */
enum { MID, STEP, LENGTH, LOST, ROUNDING, TERMS };

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

bool dc_km_rough_pays(int64_t K, int64_t d)
{
#ifdef __AVX512VNNI__
    return K >= LEAST && d > 0 && d <= MOST_COLUMNS;
#else
    (void)K, (void)d;
    return false;
#endif
}

static int64_t quads_of(int64_t d)
{
    return (d + QUAD - 1) / QUAD;
}

dc_status dc_km_rough_init(dc_km_rough *r, int64_t m, int64_t run, int64_t d)
{
    dc_status st = DC_OK;
    *r = (dc_km_rough){.run = run, .padded = (run + BLOCK - 1) / BLOCK * BLOCK, .quads = quads_of(d)};
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
    DC_TRY(dc_mem_alloc(&x->level, (size_t)(DC_KM_TILE * QUAD * quads_of(d)), 1, "k-means rows as integers"));
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

#include <immintrin.h>

/* ---- Images in integers ------------------------------------------------------------------------------------------ */

/* An image v = scale * q + remainder. */
typedef struct {
    float scale;
    float length; /* at least |scale q| */
    float lost;   /* at least |remainder| */
    int32_t sum;  /* of q */
} rounded;

static inline __mmask16 lanes_of(int64_t n)
{
    return (__mmask16)(n < LANES ? (1U << n) - 1 : 0xffff);
}

/* q[d]: v / scale, rounded; the scale brings the largest component to LIMIT. Lengths are computed in units of the
 * scale, so that they do not underflow. In these units v is off by at most 127 * 2^-23 per component. */
static rounded quantize(const float *v, int64_t d, int8_t *q)
{
    const float root = sqrtf((float)d);
    __m512 most = _mm512_setzero_ps(), squares = most, remainders = most;
    __m512i sums = _mm512_setzero_si512();
    for (int64_t c = 0; c < d; c += LANES)
        most = _mm512_max_ps(_mm512_abs_ps(_mm512_maskz_loadu_ps(lanes_of(d - c), v + c)), most);
    const float largest = _mm512_reduce_max_ps(most);
    if (!(largest > 0x1p-100F)) {
        memset(q, 0, (size_t)d);
        return (rounded){.lost = 1.001F * 0x1p-100F * root};
    }
    const float scale = largest / LIMIT;
    const __m512 inverse = _mm512_set1_ps(LIMIT / largest);
    for (int64_t c = 0; c < d; c += LANES) {
        const __m512 x = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes_of(d - c), v + c), inverse);
        const __m512i level = _mm512_cvtps_epi32(x);
        const __m512 at = _mm512_cvtepi32_ps(level), rest = _mm512_sub_ps(x, at);
        _mm512_mask_cvtepi32_storeu_epi8(q + c, lanes_of(d - c), level);
        sums = _mm512_add_epi32(sums, level);
        squares = _mm512_fmadd_ps(at, at, squares);
        remainders = _mm512_fmadd_ps(rest, rest, remainders);
    }
    return (rounded){.scale = scale,
                     .length = 1.001F * scale * sqrtf(_mm512_reduce_add_ps(squares)),
                     .lost = 1.001F * scale * (sqrtf(_mm512_reduce_add_ps(remainders)) + 0x1p-15F * root),
                     .sum = _mm512_reduce_add_epi32(sums)};
}

/* The score of centre k is MID - STEP * (2 a q.p) for a row, with an error of at most LENGTH * |r| + LOST * (|a q| +
 * |r|) + ROUNDING. In LOST and ROUNDING are the bounds of set_bounds (kmeans_tiles_kern.c), which hold for the images,
 * and `more` for the rounding of the rough score itself, of about six operations. */
static void set_centre(const dc_km_rough *r, const dc_km_centers *c, int64_t d, int64_t k, int64_t place, int8_t *level)
{
    const float more = 0x1p-18F, norm = c->norm[k];
    const rounded x = quantize(c->image + k * d, d, level);
    float *term = r->term + place / LANES * LANES * TERMS + place % LANES;
    term[MID * LANES] = norm;
    term[STEP * LANES] = x.scale;
    term[LENGTH * LANES] = 2.002F * (x.length + x.lost);
    term[LOST * LANES] = 2.002F * x.lost + 1.001F * c->slack[k] + more * (x.length + x.lost);
    term[ROUNDING * LANES] = 2 * (norm - c->low[k]) + more * norm;
    uint8_t *out = r->level + place / BLOCK * r->quads * GROUP + place % BLOCK * QUAD;
    for (int64_t j = 0; j < d; j++) out[j / QUAD * GROUP + j % QUAD] = (uint8_t)(level[j] + SHIFT);
    for (int64_t j = d; j < QUAD * r->quads; j++) out[j / QUAD * GROUP + j % QUAD] = SHIFT;
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
    const int64_t width = QUAD * quads_of(d);
    for (int64_t i = 0; i < n; i++) {
        int8_t *level = x->level + i * width;
        const rounded q = quantize(u + index[i] * d, d, level);
        memset(level + d, 0, (size_t)(width - d));
        x->row[i] = (dc_km_rough_row){2 * q.scale, q.lost, q.length + q.lost, square[index[i]], -SHIFT * q.sum};
    }
    if (n % ROWS == 0) return;
    memset(x->level + n * width, 0, (size_t)((ROWS - n % ROWS) * width));
    memset(x->row + n, 0, (size_t)(ROWS - n % ROWS) * sizeof *x->row);
}

/* ---- Scores ------------------------------------------------------------------------------------------------------ */

/* Adds four products to each of 16 sums. Compilers copy the sums in each step of a loop around the intrinsic. */
static inline void add_products(__m512i *sum, __m512i c, __m512i x)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(c), "v"(x));
}

/* sum[r][v]: products of ROWS rows and a block of centres. */
static inline void multiply(const uint8_t *centers, const int8_t *rows, const dc_km_rough_row *row, int64_t quads,
                            __m512i sum[ROWS][VECTORS])
{
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) sum[r][v] = _mm512_set1_epi32(row[r].start);
    int64_t j = 0;
    do {
        __m512i c[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) c[v] = _mm512_load_si512(centers + j * GROUP + (int64_t)v * LANES * QUAD);
#pragma GCC unroll 4
        for (int r = 0; r < ROWS; r++) {
            int32_t four;
            memcpy(&four, rows + ((int64_t)r * quads + j) * QUAD, sizeof four);
            const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) add_products(&sum[r][v], c[v], x);
        }
    } while (++j < quads);
}

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
    const float *term = c->term + place * TERMS, *most = c->most + place / BLOCK * TERMS;
    multiply(c->level + place / BLOCK * c->quads * GROUP, rows, row, c->quads, sum);
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
        multiply(c->level, x->level + i * c->quads * QUAD, row, c->quads, sum);
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
