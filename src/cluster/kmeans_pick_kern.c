/* Distances of a block of candidates to the trials of a k-means++ draw.
 *
 * Differences are squared and summed in float, column by column; candidates lie in vector lanes. Sums over a block run
 * in a fixed order. */
#include "kmeans_impl.h"

#include <string.h>

enum { BLOCK = DC_KM_PICK_BLOCK, LANES = 32, TRIALS = 4, SUMS = 16 };

/* A block of candidates. */
typedef struct {
    const float *turned;  /* [d x BLOCK] */
    const double *weight; /* [BLOCK] */
    float *d_min;         /* [BLOCK] */
} block;

/* Block b of all, which must be one of this rank's. */
static block block_of(const dc_km_pick *p, int64_t b)
{
    const int64_t own = b - p->block_lo;
    return (block){p->turned + own * p->d * BLOCK, p->weight + own * BLOCK, p->d_min + own * BLOCK};
}

/* out[t][i]: squared distances of candidates [i0, i0 + LANES) of the block to TRIALS trials. */
static void distances(const float *restrict turned, int64_t i0, int64_t d, const float *const trial[TRIALS],
                      float out[TRIALS][LANES])
{
    float sum[TRIALS][LANES] = {{0}};
    for (int64_t c = 0; c < d; c++) {
        const float *y = turned + c * BLOCK + i0;
        for (int t = 0; t < TRIALS; t++) {
            const float x = trial[t][c];
            for (int i = 0; i < LANES; i++) sum[t][i] += (y[i] - x) * (y[i] - x);
        }
    }
    memcpy(out, sum, sizeof sum);
}

static double add_up(const double lane[SUMS])
{
    double sum = 0;
    for (int l = 0; l < SUMS; l++) sum += lane[l];
    return sum;
}

/* potential[trials] of one block. */
static void potentials(const dc_km_pick *p, const block *b, double *potential)
{
    for (int64_t first = 0; first < p->trials; first += TRIALS) {
        const int64_t count = DC_MIN(p->trials - first, (int64_t)TRIALS);
        const float *trials[TRIALS];
        double lane[TRIALS][SUMS] = {{0}};
        for (int64_t t = 0; t < TRIALS; t++) trials[t] = p->trial + (first + DC_MIN(t, count - 1)) * p->d;
        for (int64_t i0 = 0; i0 < BLOCK; i0 += LANES) {
            float distance[TRIALS][LANES];
            distances(b->turned, i0, p->d, trials, distance);
            for (int t = 0; t < TRIALS; t++) {
                for (int i = 0; i < LANES; i++) {
                    const float old = b->d_min[i0 + i], v = distance[t][i] < old ? distance[t][i] : old;
                    lane[t][i % SUMS] += b->weight[i0 + i] * (double)v;
                }
            }
        }
        for (int64_t t = 0; t < count; t++) potential[first + t] = add_up(lane[t]);
    }
}

void dc_km_pick_potentials(const dc_km_pick *p)
{
#pragma omp parallel for schedule(static)
    for (int64_t b = p->block_lo; b < p->block_hi; b++) {
        const block own = block_of(p, b);
        potentials(p, &own, p->potential + b * p->trials);
    }
}

/* Returns the mass of the block. */
static double lower(const block *b, int64_t d, const float *restrict chosen)
{
    const float *restrict turned = b->turned;
    float *restrict d_min = b->d_min;
    float distance[BLOCK] = {0};
    double lane[SUMS] = {0};
    for (int64_t c = 0; c < d; c++)
        for (int i = 0; i < BLOCK; i++)
            distance[i] += (turned[c * BLOCK + i] - chosen[c]) * (turned[c * BLOCK + i] - chosen[c]);
    for (int i = 0; i < BLOCK; i++) d_min[i] = distance[i] < d_min[i] ? distance[i] : d_min[i];
    for (int i = 0; i < BLOCK; i++) lane[i % SUMS] += b->weight[i] * (double)d_min[i];
    return add_up(lane);
}

void dc_km_pick_lower_blocks(const dc_km_pick *p)
{
#pragma omp parallel for schedule(static)
    for (int64_t b = p->block_lo; b < p->block_hi; b++) {
        const block own = block_of(p, b);
        p->mass[b] = lower(&own, p->d, p->trial);
    }
}
