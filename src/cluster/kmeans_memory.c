/* What k-means will take, for those who ask before they start: the arrays of kmeans.c, kmeans_init.c, kmeans_lloyd.c
 * and kmeans_tiles_kern.c. */
#include <math.h>
#include <omp.h>

#include "kmeans_impl.h"

/* Working memory of the threads. */
static double tile_bytes(int64_t d, int64_t K, int n_init)
{
    const double panel = (double)K * (double)DC_MAX(1, DC_MIN((int64_t)n_init, DC_KM_PANEL / K));
    return omp_get_max_threads() * 4.0 * (DC_KM_TILE * (2 * (double)d + panel + 5) + 16 * (double)d + (double)K);
}

/* Images of m centres and what belongs to them. */
static double image_bytes(double m, int64_t d)
{
    return 4 * m * ((double)d + 3);
}

static double seeding_bytes(const dc_part *part, int64_t d, int64_t K, int n_init)
{
    const double R = n_init, n = (double)dc_part_rows(part), draws = R * (double)dc_km_trials(K);
    return R * (4 * n + 8 * ((double)part->n_blocks + part->V)) + 4 * (double)d * (draws + R) + image_bytes(draws, d) +
           8 * draws + dc_sum_bytes(part, (size_t)draws);
}

/* Sums of one pass, and the distances that are wanted where clusters are empty. */
static double iteration_bytes(const dc_part *part, double one, int n_init)
{
    const double restarts = fmax(1, fmin(n_init, floor(DC_KM_PASS_DOUBLES / one)));
    return dc_sum_bytes(part, (size_t)(restarts * one)) + 4 * (double)dc_part_rows(part);
}

double dc_kmeans_bytes(const dc_part *part, int64_t d, int64_t K, int n_init)
{
    const double R = n_init, Kd = (double)K * (double)d, one = Kd + (double)K;
    const double pass = fmax(one, fmin(R * one, DC_KM_PASS_DOUBLES));
    const double result = 4 * Kd + 4 * (double)dc_part_rows(part) + 8 * (double)K;
    const double restarts = 4 * R * Kd + 8 * pass + image_bytes(pass / ((double)d + 1), d);
    return result + restarts + dc_sum_bytes(part, 1 + (size_t)K) + tile_bytes(d, K, n_init) +
           fmax(seeding_bytes(part, d, K, n_init), iteration_bytes(part, one, n_init));
}
