/* Sums columns of a matrix, packs columns into a block and unpacks them, sums squares of gradients. */
#include <string.h>

#include "outer_priv.h"

/* With fewer floats than this, waking the threads does not pay off. */
enum { THREAD_FLOATS = 1 << 15 };

void dc_columns_pack(const float *X, int64_t n, int64_t width, int64_t columns, float *packed)
{
#pragma omp parallel for schedule(static) if (n * columns >= THREAD_FLOATS)
    for (int64_t i = 0; i < n; i++) memcpy(packed + i * columns, X + i * width, (size_t)columns * sizeof *packed);
}

void dc_columns_unpack(const float *packed, int64_t n, int64_t width, int64_t columns, float *X)
{
#pragma omp parallel for schedule(static) if (n * columns >= THREAD_FLOATS)
    for (int64_t i = 0; i < n; i++) memcpy(X + i * width, packed + i * columns, (size_t)columns * sizeof *packed);
}

/* Columns per strip. One thread sums a strip: it reads whole cache lines and keeps the sums in registers. */
enum { STRIP = 128 };

static void sum_strip(const float *X, int64_t n, int64_t width, bool adds, float *out)
{
    float sum[STRIP] = {0};
    if (adds) memcpy(sum, out, sizeof sum);
    for (int64_t i = 0; i < n; i++) {
#pragma omp simd
        for (int j = 0; j < STRIP; j++) sum[j] += X[i * width + j];
    }
    memcpy(out, sum, sizeof sum);
}

/* Sums the last, incomplete strip. */
static void sum_rest(const float *X, int64_t n, int64_t width, int64_t count, bool adds, float *out)
{
    if (!adds) memset(out, 0, (size_t)count * sizeof *out);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < count; j++) out[j] += X[i * width + j];
}

void dc_column_sums(const float *X, int64_t n, int64_t width, bool adds, float *sum)
{
#pragma omp parallel for schedule(dynamic) if (n * width >= THREAD_FLOATS)
    for (int64_t j = 0; j < width; j += STRIP)
        if (width - j >= STRIP)
            sum_strip(X + j, n, width, adds, sum + j);
        else
            sum_rest(X + j, n, width, width - j, adds, sum + j);
}

/* Number of partial sums kept side by side; the same for every instruction set. */
enum { LANES = 16 };

double dc_squares(const float *x, size_t n)
{
    double lane[LANES] = {0}, sum = 0;
    const size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) {
#pragma omp simd
        for (size_t j = 0; j < LANES; j++) lane[j] += (double)x[i + j] * (double)x[i + j];
    }
    for (size_t i = whole; i < n; i++) lane[i - whole] += (double)x[i] * (double)x[i];
    for (int j = 0; j < LANES; j++) sum += lane[j];
    return sum;
}

void dc_unit_squares(const dc_outer_item *item, int first, int last, const float *grad, double *sum)
{
    const int64_t floats = (int64_t)(last - first) * DC_PANEL_ROWS * item->d;
#pragma omp parallel for schedule(dynamic) if (floats >= THREAD_FLOATS)
    for (int u = first; u < last; u++) {
        const size_t at = dc_unit_offset(item, u);
        sum[u - first] = dc_squares(grad + item->at + at, dc_unit_offset(item, u + 1) - at);
    }
}
