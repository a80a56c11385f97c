/* The squared distance and the product of two rows. One body each, never inlined, with LANES partial sums, so that a
 * pair of rows has one distance, in both orders and wherever it is computed. */
#include "dcmpi/csr.h"
#include "dcmpi/la.h"

enum { LANES = 8 };

static double total(const double part[LANES])
{
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += part[l];
    return sum;
}

__attribute__((noinline)) double dc_row_product(const float *x, const float *y, int64_t d)
{
    double part[LANES] = {0};
    int64_t j = 0;
    for (; j + LANES <= d; j += LANES)
        for (int l = 0; l < LANES; l++) part[l] += (double)x[j + l] * (double)y[j + l];
    for (int l = 0; j < d; j++, l++) part[l] += (double)x[j] * (double)y[j];
    return total(part);
}

__attribute__((noinline)) double dc_square_distance(const float *x, const float *y, int64_t d)
{
    double part[LANES] = {0};
    int64_t j = 0;
    for (; j + LANES <= d; j += LANES)
        for (int l = 0; l < LANES; l++) {
            const double e = (double)x[j + l] - (double)y[j + l];
            part[l] += e * e;
        }
    for (int l = 0; j < d; j++, l++) part[l] += ((double)x[j] - (double)y[j]) * ((double)x[j] - (double)y[j]);
    return total(part);
}

/* The sum over all columns, zeros included. */
static double with_zeros(const dc_csr *m, int64_t i, const float *y)
{
    double part[LANES] = {0};
    int64_t e = m->ptr[i];
    for (int64_t c = 0; c < m->D; c++) {
        const bool stored = e < m->ptr[i + 1] && m->col[e] == c;
        const double t = (stored ? (double)dc_csr_value(m, i, e) : 0) - (double)y[c];
        part[c % LANES] += t * t;
        e += stored;
    }
    return total(part);
}

double dc_csr_square_distance(const dc_csr *m, int64_t i, const float *y, double y_square)
{
    static const double CANCELS = 1e-6; /* below this share of both squares, the sum has lost six digits or more */
    double sum = y_square, x_square = 0;
    for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) {
        const double v = (double)dc_csr_value(m, i, e);
        sum += v * (v - 2 * (double)y[m->col[e]]);
        x_square += v * v;
    }
    return sum > CANCELS * (x_square + y_square) ? sum : with_zeros(m, i, y);
}
