/* Counter-based random numbers (Philox4x32-10, Salmon et al., SC11, through Random123), keyed permutations, threaded
 * fills. The counter is {index, step, stream}: 64 + 48 + 16 bits; the key is the seed. */
#include "dcmpi/rng.h"

#include <Random123/philox.h>
#include <math.h>

static inline philox4x32_ctr_t draw(uint64_t seed, dc_rng_stream stream, uint64_t step, uint64_t index)
{
    const philox4x32_ctr_t counter = {{(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)step,
                                       ((uint32_t)(step >> 32) & 0xffffu) | ((uint32_t)stream << 16)}};
    const philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    return philox4x32(counter, key);
}

void dc_rng4(uint64_t seed, dc_rng_stream stream, uint64_t step, uint64_t index, uint32_t out[4])
{
    const philox4x32_ctr_t r = draw(seed, stream, step, index);
    for (int i = 0; i < 4; i++) out[i] = r.v[i];
}

void dc_rng4_many(uint64_t seed, dc_rng_stream stream, uint64_t step, uint64_t first, size_t count,
                  uint32_t *restrict out)
{
    for (size_t i = 0; i < count; i++) {
        const philox4x32_ctr_t r = draw(seed, stream, step, first + i);
        for (size_t w = 0; w < 4; w++) out[4 * i + w] = r.v[w];
    }
}

void dc_rng_normal2(uint32_t a, uint32_t b, double out[2])
{
    const double radius = sqrt(-2.0 * log(dc_rng_unit(a)));
    const double angle = 6.283185307179586 * dc_rng_unit(b);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

/* Round function of the Feistel network: a strong 64-bit mixer (splitmix64's finalizer) keyed by addition. */
static uint64_t mix(uint64_t x, uint64_t key)
{
    x += key;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void dc_perm_init(dc_perm *perm, uint64_t seed, dc_rng_stream stream, uint64_t step, uint64_t index, uint64_t n)
{
    *perm = (dc_perm){.n = n, .half_bits = 1};
    while (perm->half_bits < 32 && (UINT64_C(1) << (2 * perm->half_bits)) < n) perm->half_bits++;
    uint32_t a[4], b[4];
    dc_rng4(seed, stream, step, 2 * index, a);
    dc_rng4(seed, stream, step, 2 * index + 1, b);
    for (int i = 0; i < 4; i++) perm->key[i] = ((uint64_t)a[i] << 32) | b[i];
}

/* Six rounds over 2*half_bits bits: a bijection of 0..4^half_bits-1. */
static uint64_t feistel(const dc_perm *perm, uint64_t x)
{
    const unsigned h = perm->half_bits;
    const uint64_t mask = (UINT64_C(1) << h) - 1;
    uint64_t left = x >> h, right = x & mask;
    for (unsigned round = 0; round < 6; round++) {
        const uint64_t next = left ^ (mix(right, perm->key[round & 3] + round) & mask);
        left = right;
        right = next;
    }
    return (left << h) | right;
}

uint64_t dc_perm_at(const dc_perm *perm, uint64_t i)
{
    /* Cycle walking: applies the bijection of the larger set until the result is below n. The larger set has fewer
     * than 4n elements, or 4 if n is 1. */
    do i = feistel(perm, i);
    while (i >= perm->n);
    return i;
}

/* Element e uses word e mod 4 of block e / 4, so threads may start anywhere. */
void dc_rng_fill_uniform(float *x, size_t n, uint64_t seed, uint64_t step, double bound)
{
    const int64_t blocks = (int64_t)((n + 3) / 4);
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks; b++) {
        uint32_t w[4];
        dc_rng4(seed, DC_STREAM_INIT, step, (uint64_t)b, w);
        for (size_t e = 4 * (size_t)b, i = 0; i < 4 && e < n; i++, e++)
            x[e] = (float)((2.0 * dc_rng_unit(w[i]) - 1.0) * bound);
    }
}

void dc_rng_fill_normal(float *x, size_t n, uint64_t seed, uint64_t step, double sigma)
{
    const int64_t pairs = (int64_t)((n + 1) / 2);
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < pairs; b++) {
        uint32_t w[4];
        double v[2];
        dc_rng4(seed, DC_STREAM_INIT, step, (uint64_t)b, w);
        dc_rng_normal2(w[0], w[1], v);
        for (size_t e = 2 * (size_t)b, i = 0; i < 2 && e < n; i++, e++) x[e] = (float)(sigma * v[i]);
    }
}
