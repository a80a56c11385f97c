/* Columns of a matrix: their sums against double, with the bits of adding row by row, for one and two threads and
 * wherever the matrix lies in memory; blocks of columns packed and put back without touching anything else. Widths
 * around the strips of 128. Seed 132. */
#include <omp.h>

#include "check.h"
#include "dcmpi/outer.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"
#include "sum/outer_priv.h"

enum { ROWS_MAX = 301, WIDTH_MAX = 500, FLOATS = ROWS_MAX * WIDTH_MAX, SHIFT = 3 };
static const int64_t row_counts[] = {0, 1, 2, 17, 64, ROWS_MAX}, widths[] = {1, 3, 10, 127, 128, 129, 255, WIDTH_MAX};
static float X[FLOATS + SHIFT], moved[FLOATS + SHIFT];

static void test_sums(int64_t n, int64_t width)
{
    float one[WIDTH_MAX + 1], two[WIDTH_MAX + 1], serial[WIDTH_MAX] = {0};
    double error = 0;
    one[width] = two[width] = 77;
    memcpy(moved + SHIFT, X, (size_t)(n * width) * sizeof *X);
    omp_set_num_threads(1);
    dc_column_sums(X, n, width, false, one);
    omp_set_num_threads(2);
    dc_column_sums(moved + SHIFT, n / 2, width, false, two);
    dc_column_sums(moved + SHIFT + n / 2 * width, n - n / 2, width, true, two); /* the other half is added to it */
    for (int64_t j = 0; j < width; j++) {
        double sum = 0, size = 0;
        for (int64_t i = 0; i < n; i++) {
            const float x = X[i * width + j];
            serial[j] += x;
            sum += (double)x;
            size += fabs((double)x);
        }
        const double bound = (double)n * 0x1p-24 * size; /* of n roundings */
        error = worse_of(error, bound > 0 ? fabs((double)one[j] - sum) / bound : fabs((double)one[j]));
    }
    const size_t bytes = (size_t)width * sizeof *one;
    CHECK(memcmp(one, two, bytes) == 0 && memcmp(one, serial, bytes) == 0 && one[width] == 77 && two[width] == 77);
    CHECK(error <= 1);
}

static void test_blocks(int64_t n, int64_t width)
{
    static float packed[FLOATS + 1], back[FLOATS];
    for (int64_t column = 0; column < width; column += DC_MAX(width / 3, 1)) {
        const int64_t columns = DC_MIN(width - column, 130);
        int64_t wrong = 0;
        for (int64_t i = 0; i < n * width; i++) back[i] = -2;
        packed[n * columns] = -1;
        dc_columns_pack(X + column, n, width, columns, packed);
        dc_columns_unpack(packed, n, width, columns, back + column);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < width; j++) {
                const bool inside = j >= column && j < column + columns;
                wrong += back[i * width + j] != (inside ? X[i * width + j] : -2);
            }
        CHECK_INT(wrong, 0);
        CHECK_NEAR(packed[n * columns], -1, 0);
    }
}

int main(void)
{
    dc_rng_fill_uniform(X, FLOATS, 132, 1, 1);
    for (size_t r = 0; r < DC_COUNT_OF(row_counts); r++)
        for (size_t w = 0; w < DC_COUNT_OF(widths); w++) {
            test_sums(row_counts[r], widths[w]);
            test_blocks(row_counts[r], widths[w]);
        }
    return check_done();
}
