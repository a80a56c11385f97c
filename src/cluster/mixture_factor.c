/* Factors of inverse variances: with the Cholesky factor L of a variance, S = L L', F is the transposed inverse of L.
 * Plain loops in a fixed order: the bits depend on no library. */
#include <math.h>

#include "mixture_impl.h"

enum { LANES = 8 };

/* What rounding may leave of a variance that is 0, relative to the column's and per column. */
static const double ROUNDING = 0x1p-49;

/* In lanes, which are added up in order. */
static double dot(const double *a, const double *b, int64_t n)
{
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += a[i + l] * b[i + l];
    for (int l = 0; l < LANES; l++) sum += lane[l];
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Below the diagonal of `out` that of L, on the diagonal 1 / L_jj. */
static bool decompose(const double *variance, int64_t d, double *out)
{
    for (int64_t i = 0; i < d; i++) {
        double *row = out + i * d;
        for (int64_t j = 0; j < i; j++) row[j] = (variance[i * d + j] - dot(row, out + j * d, j)) * out[j * d + j];
        const double pivot = variance[i * d + i] - dot(row, row, i);
        if (!(pivot > ROUNDING * (double)d * variance[i * d + i]) || !isfinite(pivot)) return false;
        row[i] = 1 / sqrt(pivot);
    }
    return true;
}

/* Row j of F from the diagonal on: F_ji = -1/L_ii sum over p in j..i-1 of L_ip F_jp. What is below the diagonal is read
 * as L until all rows are done. */
static void invert(int64_t d, double *out)
{
    for (int64_t j = 0; j < d; j++) {
        double *row = out + j * d;
        for (int64_t i = j + 1; i < d; i++) row[i] = -dot(out + i * d + j, row + j, i - j) * out[i * d + i];
    }
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < i; j++) out[i * d + j] = 0;
}

bool dc_mix_factor(const double *variance, int64_t d, double *factor)
{
    if (!decompose(variance, d, factor)) return false;
    invert(d, factor);
    return true;
}
