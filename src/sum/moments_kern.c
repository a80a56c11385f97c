#include "moments_kern.h"

#include <string.h>

/* Rows that are added to an element of a panel between reading and writing it, and rows of the panel together. */
enum { DEPTH = 16, PAIR = 2 };
_Static_assert(DC_MOMENT_TILE % DEPTH == 0, "a tile consists of whole groups of rows");

void dc_moment_add(const float *restrict row, int64_t n, int64_t d, double *restrict leaf)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++) leaf[c] += (double)row[i * d + c];
}

void dc_moment_centre(const float *restrict row, int64_t n, int64_t d, int64_t c, const double *restrict mean,
                      double *restrict x)
{
    const int64_t width = d - c;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++) x[i * width + j] = (double)row[i * d + c + j] - mean[c + j];
    memset(x + n * width, 0, (size_t)((DC_MOMENT_TILE - n) * width) * sizeof *x);
}

/* Rows i and i + 1 of the panel; DEPTH rows of the tile from x on. */
static void add_pair(const double *restrict x, int64_t height, int64_t i, int64_t width, double *restrict leaf)
{
    double *restrict out0 = leaf + i * width, *restrict out1 = out0 + width;
    for (int64_t j = 0; j < width; j++) {
        double sum0 = out0[j], sum1 = out1[j];
#pragma GCC unroll 16
        for (int64_t r = 0; r < DEPTH; r++) {
            sum0 += x[r * height + i] * x[r * height + j];
            sum1 += x[r * height + i + 1] * x[r * height + j];
        }
        out0[j] = sum0;
        out1[j] = sum1;
    }
}

static void add_row(const double *restrict x, int64_t height, int64_t i, int64_t width, double *restrict leaf)
{
    double *restrict out = leaf + i * width;
    for (int64_t j = 0; j < width; j++) {
        double sum = out[j];
#pragma GCC unroll 16
        for (int64_t r = 0; r < DEPTH; r++) sum += x[r * height + i] * x[r * height + j];
        out[j] = sum;
    }
}

void dc_moment_products(const double *x, int64_t height, int64_t width, double *leaf)
{
    for (int64_t r = 0; r < DC_MOMENT_TILE; r += DEPTH) {
        int64_t i = 0;
        for (; i + PAIR <= height; i += PAIR) add_pair(x + r * height, height, i, width, leaf);
        if (i < height) add_row(x + r * height, height, i, width, leaf);
    }
}
