/* Squared distances in double: the sum of squared differences. */
#include "kmeans_impl.h"

enum { LANES = 16 };

/* Sums run in LANES independent lanes, which are then added in order: vector code with a fixed order. */
static double combine(const double lane[LANES])
{
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sum;
}

static inline double square_of_difference(float a, float b)
{
    const double diff = (double)a - (double)b;
    return diff * diff;
}

double dc_km_distance(const float *restrict x, const float *restrict c, int64_t d)
{
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= d; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += square_of_difference(x[i + l], c[i + l]);
    for (int l = 0; i + l < d; l++) lane[l] += square_of_difference(x[i + l], c[i + l]);
    return combine(lane);
}
