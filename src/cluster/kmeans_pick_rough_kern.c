/* Rules out, for a trial of a k-means++ draw, most of the candidates to which it is not nearer than d_min.
 *
 * Images are rounded to 8-bit integers with a scale of their own: x = a q + r, c = b p + t. Then |x - c| is at least
 * |a q - b p| - |r| - |t|, where |a q - b p|^2 = a^2 |q|^2 + b^2 |p|^2 - 2 a b q.p takes integer products only. So a
 * candidate is read in a quarter of the memory, and few distances are left to be computed as they always are. The
 * bounds allow for all rounding, also that of the distances in float. Without AVX-512 VNNI nothing is ruled out. */
#include "int8.h"
#include "kmeans_impl.h"

#include "dcmpi/mem.h"

#include <math.h>

enum { BLOCK = DC_KM_PICK_BLOCK, ROWS = DC_KM_PICK_TRIALS, VECTORS = DC_INT8_VECTORS };

dc_status dc_km_pick_rough_init(dc_km_pick_rough *r, int64_t blocks, int64_t trials, int64_t d)
{
    dc_status st = DC_OK;
    const size_t places = (size_t)blocks * BLOCK, rows = (size_t)((trials + ROWS - 1) / ROWS * ROWS);
    *r = (dc_km_pick_rough){.d = d, .quads = dc_int8_quads(d)};
    r->on = dc_km_rough_pays((int64_t)places, d);
    if (!r->on) return DC_OK;
    const size_t width = (size_t)(DC_INT8_QUAD * r->quads);
    DC_TRY(dc_mem_alloc(&r->level, dc_mul_size(places, width), sizeof *r->level, "k-means|| candidates as integers"));
    DC_TRY(dc_mem_alloc(&r->scale, places, sizeof *r->scale, "k-means|| rough distances"));
    DC_TRY(dc_mem_alloc(&r->square, places, sizeof *r->square, "k-means|| rough distances"));
    DC_TRY(dc_mem_alloc(&r->lost, places, sizeof *r->lost, "k-means|| rough distances"));
    DC_TRY(dc_mem_alloc(&r->reach, places, sizeof *r->reach, "k-means|| rough distances"));
    DC_TRY(dc_mem_alloc(&r->trial_level, dc_mul_size(rows, width), sizeof *r->trial_level, "k-means|| draws"));
    DC_TRY(dc_mem_alloc(&r->trial, rows, sizeof *r->trial, "k-means|| draws"));
out:
    return st;
}

void dc_km_pick_rough_release(dc_km_pick_rough *r)
{
    dc_mem_free(&r->level);
    dc_mem_free(&r->scale);
    dc_mem_free(&r->square);
    dc_mem_free(&r->lost);
    dc_mem_free(&r->reach);
    dc_mem_free(&r->trial_level);
    dc_mem_free(&r->trial);
}

#ifdef __AVX512VNNI__

/* In the sum of two squares and a product, and in those themselves, fewer than ten roundings of 2^-24. */
static const float LESS = 1 - 0x1p-20F, MORE = 1 + 0x1p-18F;
/* Times the root of d: more than a distance may shrink because squares fall below the normal floats. */
static const float VANISHING = 0x1p-60F;

/* (scale |q|)^2 or a little less. */
static float square_of(float scale, const int8_t *q, int64_t d)
{
    int32_t sum = 0;
    for (int64_t c = 0; c < d; c++) sum += q[c] * q[c];
    return scale * scale * (float)sum * LESS;
}

void dc_km_pick_rough_take(const dc_km_pick_rough *r, int64_t i, const float *image)
{
    int8_t *level = r->trial_level;
    const dc_int8_rounded x = dc_int8_round(image, r->d, level);
    dc_int8_place(level, r->d, i, r->level);
    r->scale[i] = x.scale;
    r->square[i] = square_of(x.scale, level, r->d);
    r->lost[i] = x.lost;
}

void dc_km_pick_rough_reach(const dc_km_pick_rough *r, int64_t i, int64_t n, const float *d_min)
{
    const float rounding = MORE + 0x1p-23F * (float)(r->d + 8), vanishing = VANISHING * sqrtf((float)r->d);
    for (int64_t j = i; j < i + n; j++) {
        r->reach[j] = MORE * (sqrtf(d_min[j]) * rounding + r->lost[j] + vanishing);
        r->square[j] = d_min[j] > 0 ? r->square[j] : INFINITY; /* no trial is nearer */
    }
}

void dc_km_pick_rough_trials(const dc_km_pick_rough *r, const float *trial, int64_t n)
{
    if (!r->on) return;
    for (int64_t t = 0; t < (n + ROWS - 1) / ROWS * ROWS; t++) {
        int8_t *level = r->trial_level + t * DC_INT8_QUAD * r->quads;
        memset(level, 0, (size_t)(DC_INT8_QUAD * r->quads));
        r->trial[t] = (dc_km_pick_trial){.square = INFINITY}; /* nearer to no candidate */
        if (t >= n) continue;
        const dc_int8_rounded x = dc_int8_round(trial + t * r->d, r->d, level);
        r->trial[t] = (dc_km_pick_trial){.twice = 2 * x.scale,
                                         .square = square_of(x.scale, level, r->d),
                                         .lost = MORE * x.lost,
                                         .start = -DC_INT8_SHIFT * x.sum};
    }
}

/* The parts of candidates [i, i + DC_INT8_BLOCK) to which one of n_rows trials from `first` on may be nearer; a value
 * that is not a number may. n_rows is a constant of the caller. */
static inline __attribute__((always_inline)) unsigned near_of(const dc_km_pick_rough *r, int64_t i, int64_t first,
                                                              int n_rows)
{
    __m512i sum[ROWS][VECTORS];
    int32_t start[ROWS];
    unsigned near = 0;
    const dc_km_pick_trial *trial = r->trial + first;
#pragma GCC unroll 4
    for (int t = 0; t < n_rows; t++) start[t] = trial[t].start;
    dc_int8_multiply(r->level + i / DC_INT8_BLOCK * r->quads * DC_INT8_GROUP,
                     r->trial_level + first * DC_INT8_QUAD * r->quads, start, n_rows, r->quads, sum);
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
        const int64_t at = i + (int64_t)v * DC_INT8_LANES;
        const __m512 scale = _mm512_load_ps(r->scale + at), square = _mm512_load_ps(r->square + at);
        const __m512 reach = _mm512_load_ps(r->reach + at);
        __mmask16 lanes = 0;
#pragma GCC unroll 4
        for (int t = 0; t < n_rows; t++) {
            const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[t][v]), scale);
            const __m512 both = _mm512_add_ps(square, _mm512_set1_ps(trial[t].square));
            const __m512 low = _mm512_fnmadd_ps(_mm512_set1_ps(trial[t].twice), product, both);
            const __m512 most = _mm512_add_ps(reach, _mm512_set1_ps(trial[t].lost));
            lanes |= _mm512_cmp_ps_mask(low, _mm512_mul_ps(most, most), _CMP_NGT_UQ);
        }
        near |= (unsigned)(lanes != 0) << v * DC_INT8_LANES / DC_KM_PICK_PART;
    }
    return near;
}

unsigned dc_km_pick_rough_near(const dc_km_pick_rough *r, int64_t b, int64_t first, int64_t n)
{
    unsigned near = 0;
    if (!r->on) return DC_KM_PICK_ALL;
    for (int64_t j = 0; j < BLOCK; j += DC_INT8_BLOCK) {
        const int64_t i = b * BLOCK + j;
        near |= (n == 1 ? near_of(r, i, first, 1) : near_of(r, i, first, ROWS)) << j / DC_KM_PICK_PART;
    }
    return near;
}

#else

void dc_km_pick_rough_take(const dc_km_pick_rough *r, int64_t i, const float *image)
{
    (void)r, (void)i, (void)image;
}

void dc_km_pick_rough_reach(const dc_km_pick_rough *r, int64_t i, int64_t n, const float *d_min)
{
    (void)r, (void)i, (void)n, (void)d_min;
}

void dc_km_pick_rough_trials(const dc_km_pick_rough *r, const float *trial, int64_t n)
{
    (void)r, (void)trial, (void)n;
}

unsigned dc_km_pick_rough_near(const dc_km_pick_rough *r, int64_t b, int64_t first, int64_t n)
{
    (void)r, (void)b, (void)first, (void)n;
    return DC_KM_PICK_ALL;
}

#endif
