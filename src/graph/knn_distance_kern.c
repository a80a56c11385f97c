/* What decides who is near: sums in double of the rows as they are. The dot product has one body, never inlined, and
 * LANES partial sums, so that a pair of rows has the same distance in both orders and wherever it is computed. */
#include <math.h>

#include "graph/knn.h"

enum { LANES = 8 };

static double total(const double part[LANES])
{
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += part[l];
    return sum;
}

__attribute__((noinline)) double dc_knn_dot(const float *x, const float *y, int64_t d)
{
    double part[LANES] = {0};
    int64_t j = 0;
    for (; j + LANES <= d; j += LANES)
        for (int l = 0; l < LANES; l++) part[l] += (double)x[j + l] * (double)y[j + l];
    for (int l = 0; j < d; j++, l++) part[l] += (double)x[j] * (double)y[j];
    return total(part);
}

/* 0 for copies: the root of a square is exact. */
double dc_knn_cosine(double dot, double x_square, double y_square)
{
    if (x_square == 0 || y_square == 0) return 1;
    return fmax(1 - dot / sqrt(x_square * y_square), 0);
}
