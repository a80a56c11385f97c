/* Distances of a block of candidates to the trials of a k-means++ draw.
 *
 * Parts of a block whose candidates are farther from the trials than d_min, as rough distances prove, are left out
 * (kmeans_pick_rough_kern.c). Differences are squared and summed in float, column by column; candidates lie in vector
 * lanes. Sums over a block run in a fixed order. */
#include "kmeans_impl.h"

#include <string.h>

enum { BLOCK = DC_KM_PICK_BLOCK, LANES = DC_KM_PICK_PART, TRIALS = DC_KM_PICK_TRIALS, SUMS = 16 };

/* A block of candidates. */
typedef struct {
    const float *turned;  /* [d x BLOCK] */
    const double *weight; /* [BLOCK] */
    float *d_min;         /* [BLOCK] */
} block;

/* Block `own` of this rank's. */
static block block_of(const dc_km_pick *p, int64_t own)
{
    return (block){p->turned + own * p->d * BLOCK, p->weight + own * BLOCK, p->d_min + own * BLOCK};
}

/* out[t][i]: squared distances of candidates [i0, i0 + LANES) of the block to n of the trials. n is a constant of the
 * caller. */
static inline __attribute__((always_inline)) void distances(const float *restrict turned, int64_t i0, int64_t d, int n,
                                                            const float *const trial[TRIALS], float out[][LANES])
{
    float sum[TRIALS][LANES] = {{0}};
    for (int64_t c = 0; c < d; c++) {
        const float *y = turned + c * BLOCK + i0;
        for (int t = 0; t < n; t++) {
            const float x = trial[t][c];
            for (int i = 0; i < LANES; i++) sum[t][i] += (y[i] - x) * (y[i] - x);
        }
    }
    memcpy(out, sum, (size_t)n * sizeof *sum);
}

/* Adds weight * d_min of LANES candidates. */
static inline void add(const double *restrict weight, const float *restrict d_min, double *restrict lane)
{
    for (int i = 0; i < LANES; i++) lane[i % SUMS] += weight[i] * (double)d_min[i];
}

static double add_up(const double lane[SUMS])
{
    double sum = 0;
    for (int l = 0; l < SUMS; l++) sum += lane[l];
    return sum;
}

/* potential[trials] of a block with this mass. */
static void potentials(const dc_km_pick *p, int64_t own, double mass, double *potential)
{
    const block b = block_of(p, own);
    for (int64_t first = 0; first < p->trials; first += TRIALS) {
        const int64_t count = DC_MIN(p->trials - first, (int64_t)TRIALS);
        const unsigned near = dc_km_pick_rough_near(&p->rough, own, first, count);
        const float *trials[TRIALS];
        double lane[TRIALS][SUMS] = {{0}};
        for (int64_t t = 0; t < TRIALS; t++) trials[t] = p->trial + (first + DC_MIN(t, count - 1)) * p->d;
        for (int64_t i0 = 0; near && i0 < BLOCK; i0 += LANES) {
            const float *d_min = b.d_min + i0;
            float lowered[TRIALS][LANES];
            if (!(near >> i0 / LANES & 1)) {
                for (int t = 0; t < TRIALS; t++) add(b.weight + i0, d_min, lane[t]);
                continue;
            }
            distances(b.turned, i0, p->d, TRIALS, trials, lowered);
            for (int t = 0; t < TRIALS; t++) {
                for (int i = 0; i < LANES; i++) lowered[t][i] = lowered[t][i] < d_min[i] ? lowered[t][i] : d_min[i];
                add(b.weight + i0, lowered[t], lane[t]);
            }
        }
        for (int64_t t = 0; t < count; t++) potential[first + t] = near ? add_up(lane[t]) : mass;
    }
}

void dc_km_pick_potentials(const dc_km_pick *p)
{
    dc_km_pick_rough_trials(&p->rough, p->trial, p->trials);
#pragma omp parallel for schedule(static)
    for (int64_t b = p->block_lo; b < p->block_hi; b++)
        potentials(p, b - p->block_lo, p->mass[b], p->potential + b * p->trials);
}

/* Lowers d_min of the part from i0 on by the distances to the first trial. */
static void lower_part(const dc_km_pick *p, int64_t own, int64_t i0)
{
    const block b = block_of(p, own);
    float *d_min = b.d_min + i0, distance[1][LANES];
    distances(b.turned, i0, p->d, 1, (const float *const[TRIALS]){p->trial}, distance);
    for (int i = 0; i < LANES; i++) d_min[i] = distance[0][i] < d_min[i] ? distance[0][i] : d_min[i];
    if (p->rough.on) dc_km_pick_rough_reach(&p->rough, own * BLOCK + i0, LANES, p->d_min);
}

/* Lowers a block, and changes its mass. */
static void lower(const dc_km_pick *p, int64_t own, double *mass)
{
    const block b = block_of(p, own);
    const unsigned near = dc_km_pick_rough_near(&p->rough, own, 0, 1);
    double lane[SUMS] = {0};
    if (!near) return;
    for (int64_t i0 = 0; i0 < BLOCK; i0 += LANES)
        if (near >> i0 / LANES & 1) lower_part(p, own, i0);
    for (int64_t i0 = 0; i0 < BLOCK; i0 += LANES) add(b.weight + i0, b.d_min + i0, lane);
    *mass = add_up(lane);
}

void dc_km_pick_lower_blocks(const dc_km_pick *p)
{
    dc_km_pick_rough_trials(&p->rough, p->trial, 1);
#pragma omp parallel for schedule(static)
    for (int64_t b = p->block_lo; b < p->block_hi; b++) lower(p, b - p->block_lo, p->mass + b);
}
