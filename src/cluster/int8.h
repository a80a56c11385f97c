/* Vectors as 8-bit integers, and their products by AVX-512 VNNI, whose instruction adds 64 of them.
 *
 * Blocks of vectors lie in lanes, four components of each side by side: [quads x BLOCK x QUAD], shifted by SHIFT so
 * that they are not negative. Rows that are multiplied with them are [rows x 4 quads]; their sums start at -SHIFT * sum
 * q, which makes up for the shift. */
#ifndef DCMPI_CLUSTER_INT8_H
#define DCMPI_CLUSTER_INT8_H

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { DC_INT8_LANES = 16, DC_INT8_VECTORS = 4, DC_INT8_BLOCK = DC_INT8_VECTORS * DC_INT8_LANES, DC_INT8_QUAD = 4 };
/* Bytes of a block for each four components. */
enum { DC_INT8_GROUP = DC_INT8_BLOCK * DC_INT8_QUAD };
/* Sums of LIMIT * LIMIT over MOST_COLUMNS fit into 32 bits. */
enum { DC_INT8_LIMIT = 127, DC_INT8_SHIFT = 128, DC_INT8_MOST_COLUMNS = 1 << 17 };

/* Four components each that d components fill. */
static inline int64_t dc_int8_quads(int64_t d)
{
    return (d + DC_INT8_QUAD - 1) / DC_INT8_QUAD;
}

#ifdef __AVX512VNNI__

#include <immintrin.h>

/* A vector v = scale * q + remainder. */
typedef struct {
    float scale;
    float length; /* at least |scale q| */
    float lost;   /* at least |remainder| */
    int32_t sum;  /* of q */
} dc_int8_rounded;

static inline __mmask16 dc_int8_lanes_of(int64_t n)
{
    return (__mmask16)(n < DC_INT8_LANES ? (1U << n) - 1 : 0xffff);
}

/* q[d]: v / scale, rounded; the scale brings the largest component to DC_INT8_LIMIT. Lengths are computed in units of
 * the scale, so that they do not underflow. In these units v is off by at most 127 * 2^-23 per component. */
static inline dc_int8_rounded dc_int8_round(const float *v, int64_t d, int8_t *q)
{
    const float root = sqrtf((float)d);
    __m512 most = _mm512_setzero_ps(), squares = most, remainders = most;
    __m512i sums = _mm512_setzero_si512();
    for (int64_t c = 0; c < d; c += DC_INT8_LANES)
        most = _mm512_max_ps(_mm512_abs_ps(_mm512_maskz_loadu_ps(dc_int8_lanes_of(d - c), v + c)), most);
    const float largest = _mm512_reduce_max_ps(most);
    if (!(largest > 0x1p-100F)) {
        memset(q, 0, (size_t)d);
        return (dc_int8_rounded){.lost = 1.001F * 0x1p-100F * root};
    }
    const float scale = largest / DC_INT8_LIMIT;
    const __m512 inverse = _mm512_set1_ps(DC_INT8_LIMIT / largest);
    for (int64_t c = 0; c < d; c += DC_INT8_LANES) {
        const __m512 x = _mm512_mul_ps(_mm512_maskz_loadu_ps(dc_int8_lanes_of(d - c), v + c), inverse);
        const __m512i level = _mm512_cvtps_epi32(x);
        const __m512 at = _mm512_cvtepi32_ps(level), rest = _mm512_sub_ps(x, at);
        _mm512_mask_cvtepi32_storeu_epi8(q + c, dc_int8_lanes_of(d - c), level);
        sums = _mm512_add_epi32(sums, level);
        squares = _mm512_fmadd_ps(at, at, squares);
        remainders = _mm512_fmadd_ps(rest, rest, remainders);
    }
    return (dc_int8_rounded){.scale = scale,
                             .length = 1.001F * scale * sqrtf(_mm512_reduce_add_ps(squares)),
                             .lost = 1.001F * scale * (sqrtf(_mm512_reduce_add_ps(remainders)) + 0x1p-15F * root),
                             .sum = _mm512_reduce_add_epi32(sums)};
}

/* Adds four products to each of 16 sums. Compilers copy the sums in each step of a loop around the intrinsic. */
static inline void dc_int8_add(__m512i *sum, __m512i c, __m512i x)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(c), "v"(x));
}

/* sum[r][v] = start[r] + products of row r of n_rows and a block of vectors. n_rows is a constant of the caller. */
static inline __attribute__((always_inline)) void dc_int8_multiply(const uint8_t *block, const int8_t *rows,
                                                                   const int32_t *start, int n_rows, int64_t quads,
                                                                   __m512i sum[][DC_INT8_VECTORS])
{
#pragma GCC unroll 4
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < DC_INT8_VECTORS; v++) sum[r][v] = _mm512_set1_epi32(start[r]);
    int64_t j = 0;
    do {
        __m512i c[DC_INT8_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < DC_INT8_VECTORS; v++)
            c[v] = _mm512_load_si512(block + j * DC_INT8_GROUP + (int64_t)v * DC_INT8_LANES * DC_INT8_QUAD);
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++) {
            int32_t four;
            memcpy(&four, rows + ((int64_t)r * quads + j) * DC_INT8_QUAD, sizeof four);
            const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 4
            for (int v = 0; v < DC_INT8_VECTORS; v++) dc_int8_add(&sum[r][v], c[v], x);
        }
    } while (++j < quads);
}

/* Puts q[d] to place `at` of the blocks, with zeros after it. */
static inline void dc_int8_place(const int8_t *q, int64_t d, int64_t at, uint8_t *blocks)
{
    const int64_t quads = dc_int8_quads(d), place = at % DC_INT8_BLOCK * DC_INT8_QUAD;
    uint8_t *out = blocks + at / DC_INT8_BLOCK * quads * DC_INT8_GROUP + place;
    for (int64_t j = 0; j < DC_INT8_QUAD * quads; j++)
        out[j / DC_INT8_QUAD * DC_INT8_GROUP + j % DC_INT8_QUAD] = (uint8_t)((j < d ? q[j] : 0) + DC_INT8_SHIFT);
}

#endif

#endif
