/* The criterion that is made of the inertia of k-means. */
#include <math.h>

#include "dcmpi/sweep.h"

double dc_sweep_bic(const int64_t *size, int64_t K, int64_t N, int64_t d, double inertia)
{
    static const double LEAST = 1e-300, PI = 3.14159265358979323846;
    const double rows = (double)N, values = rows * (double)d, degrees = (double)d * (rows - (double)K);
    const double variance = fmax(degrees > 0 ? inertia / degrees : 0, LEAST);
    double log_l = -0.5 * values * log(2 * PI * variance) - 0.5 * inertia / variance;
    for (int64_t k = 0; k < K; k++)
        if (size[k] > 0) log_l += (double)size[k] * log((double)size[k] / rows);
    return -2 * log_l + (double)(K + K * d) * log(rows);
}
