/* Distances and cosines of rows to their centres: sums in double, with LANES partial sums in a fixed order. */
#include <math.h>

#include "dcmpi/la.h"
#include "dcmpi/standing.h"

enum { LANES = 8, SUMS = 3 };
typedef enum { DOT, OF_ROW, OF_CENTER } sum_kind;

static void sum_up(const float *restrict x, const float *restrict m, int64_t d, double total[SUMS])
{
    double part[SUMS][LANES] = {{0}};
    for (int64_t c = 0; c < d; c += LANES)
        for (int64_t l = 0; l < DC_MIN(d - c, (int64_t)LANES); l++) {
            const double a = x[c + l], b = m[c + l];
            part[DOT][l] += a * b;
            part[OF_ROW][l] += a * a;
            part[OF_CENTER][l] += b * b;
        }
    for (int s = 0; s < SUMS; s++) {
        total[s] = 0;
        for (int l = 0; l < LANES; l++) total[s] += part[s][l];
    }
}

static double cosine_of(const float *x, const float *m, int64_t d)
{
    double total[SUMS];
    sum_up(x, m, d, total);
    const double lengths = sqrt(total[OF_ROW]) * sqrt(total[OF_CENTER]);
    return lengths > 0 ? fmax(fmin(total[DOT] / lengths, 1), -1) : 0;
}

void dc_standing_local(const float *X, const float *centers, int64_t n, int64_t d, const int32_t *label,
                       double *distance, double *cosine)
{
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) {
        const float *x = X + i * d, *m = centers + label[i] * d;
        if (distance) distance[i] = sqrt(dc_square_distance(x, m, d));
        if (cosine) cosine[i] = cosine_of(x, m, d);
    }
}
