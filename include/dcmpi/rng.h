/* Counter-based random numbers: every draw is a function of (seed, stream, step, index). So nothing depends on the
 * number of ranks or threads, and no generator state needs to be saved. Philox4x32-10 of Random123 (Salmon et al.,
 * SC11). */
#ifndef DCMPI_RNG_H
#define DCMPI_RNG_H

#include "dcmpi/base.h"

/* One stream per purpose. Never renumber: results would change. */
typedef enum {
    DC_STREAM_INIT = 1, /* initial weights: step = layer, index = element */
    DC_STREAM_SHUFFLE =
        2, /* order of rows: step = epoch, index = shard + 2^32 times the pool, from 1, if there are several */
    DC_STREAM_KMEANS = 3,        /* seeding: step = restart and centre, index = draw */
    DC_STREAM_SYNTH = 4,         /* built-in problem: step = draw block, index = global row */
    DC_STREAM_SAMPLE = 5,        /* fixed samples for reports */
    DC_STREAM_DROPOUT = 6,       /* step = training step and layer, index = global row and unit */
    DC_STREAM_NOISE = 7,         /* step = training step and site, index = global row and columns */
    DC_STREAM_SPECTRAL = 8,      /* step = 0: landmarks; else vector of a Lanczos iteration, index = global row */
    DC_STREAM_SWEEP = 12,        /* sweep over numbers of clusters: step = sample (0) or subsample, index 0 */
    DC_STREAM_REDUCE = 13,       /* Gaussian matrix of input.reduce: step = component / 4, index = column */
    DC_STREAM_KMEANS_ROUND = 16, /* k-means||: step = restart and round, index = global row */
    DC_STREAM_LEVELS = 17,       /* seeds of hierarchical k-means: step = level, index = cluster */
    DC_STREAM_BLOCKS = 20, /* order of the blocks of a shard: step = epoch, index = shard; where they begin: + 2^32 */
    DC_STREAM_CORPUS = 24, /* generated embeddings: step = kind of draw and row or part, index = column / 4 */
    DC_STREAM_TEST = 99
} dc_rng_stream;

/* Four independent 32-bit words. step < 2^48. */
void dc_rng4(uint64_t seed, dc_rng_stream stream, uint64_t step, uint64_t index, uint32_t out[4]);

/* The same for the indices first .. first + count - 1, written to out[4 * count]; vectorized. */
void dc_rng4_many(uint64_t seed, dc_rng_stream stream, uint64_t step, uint64_t first, size_t count, uint32_t *out);

/* Uniform in the open interval (0, 1), from one 32-bit word or, with 53 bits, from two. */
static inline double dc_rng_unit(uint32_t w)
{
    return ((double)w + 0.5) * 0x1p-32;
}
static inline double dc_rng_unit53(uint32_t hi, uint32_t lo)
{
    return ((double)((((uint64_t)hi << 32) | lo) >> 12) + 0.5) * 0x1p-52;
}
/* Two independent N(0, 1) values from two words (Box-Muller). */
void dc_rng_normal2(uint32_t a, uint32_t b, double out[2]);

/* A keyed permutation of 0..n-1 (Feistel network with cycle walking): O(1) memory, O(1) per value. */
typedef struct {
    uint64_t n;
    uint64_t key[4];
    unsigned half_bits;
} dc_perm;
void dc_perm_init(dc_perm *perm, uint64_t seed, dc_rng_stream stream, uint64_t step, uint64_t index, uint64_t n);
/* The i-th element; i < n. */
uint64_t dc_perm_at(const dc_perm *perm, uint64_t i);

/* Fill x[0..n) with independent uniforms in (-bound, bound). Element e is a function of (seed, INIT, step, e).
 * Threaded. */
void dc_rng_fill_uniform(float *x, size_t n, uint64_t seed, uint64_t step, double bound);
/* The same with values from N(0, sigma^2). */
void dc_rng_fill_normal(float *x, size_t n, uint64_t seed, uint64_t step, double sigma);

#endif
