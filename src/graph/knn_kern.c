/* Which rows of a block are among the nearest. A product in float gives each distance up to a bound on its error; only
 * pairs that may be nearer than the k-th so far are computed in double. */
#include "graph/knn.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/la.h"

enum { LANES = 8 };

double dc_knn_norm(const float *x, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++) sum += (double)x[j] * (double)x[j];
    return sum;
}

/* In a fixed order: LANES partial sums. */
static double square_of(const float *x, const float *y, int64_t d)
{
    double part[LANES] = {0}, sum = 0;
    int64_t j = 0;
    for (; j + LANES <= d; j += LANES)
        for (int l = 0; l < LANES; l++) {
            const double e = (double)x[j + l] - (double)y[j + l];
            part[l] += e * e;
        }
    for (int l = 0; j < d; j++, l++) part[l] += ((double)x[j] - (double)y[j]) * ((double)x[j] - (double)y[j]);
    for (int l = 0; l < LANES; l++) sum += part[l];
    return sum;
}

/* Puts a row into a sorted list of k, if it belongs there. */
static void insert(int64_t k, double square, dc_gidx row, double *squares, dc_gidx *rows)
{
    int64_t at = k;
    while (at > 0 && (square < squares[at - 1] || (square == squares[at - 1] && row < rows[at - 1]))) at--;
    if (at == k) return;
    memmove(squares + at + 1, squares + at, (size_t)(k - 1 - at) * sizeof *squares);
    memmove(rows + at + 1, rows + at, (size_t)(k - 1 - at) * sizeof *rows);
    squares[at] = square;
    rows[at] = row;
}

typedef struct {
    const dc_rows *rows;
    const dc_knn_block *block;
    dc_knn *knn;
} search;

/* Local row i, x, against the block; dot[j]: its product with row j of the block. */
static void search_row(const search *s, int64_t i, const float *x, const float *dot)
{
    const dc_knn_block *b = s->block;
    const int64_t d = s->rows->d, k = s->knn->k;
    const dc_gidx self = s->rows->part->row_lo + i;
    /* Error of the product by rounding, as a share of |x| |y|, and by underflow. */
    const double norm = dc_knn_norm(x, d), error = 4 * (double)(d + 8) * 0x1p-24, tiny = (double)d * 0x1p-124;
    double *squares = s->knn->square + i * k;
    dc_gidx *nearest = s->knn->row + i * k;
    for (int64_t j = 0; j < b->n; j++) {
        const double least = norm + b->norm[j] - 2 * (double)dot[j] - error * sqrt(norm * b->norm[j]) - tiny;
        const bool far = isfinite(dot[j]) && least > squares[k - 1]; /* a product may overflow */
        if (far || b->first + j == self) continue;
        insert(k, square_of(x, b->X + j * d, d), b->first + j, squares, nearest);
    }
}

void dc_knn_visit(const dc_rows *rows, const dc_knn_block *block, float *tile, float *product, int64_t largest,
                  dc_knn *knn)
{
    const int64_t n = dc_part_rows(rows->part), d = rows->d;
    const search s = {rows, block, knn};
#pragma omp parallel for schedule(dynamic)
    for (int64_t lo = 0; lo < n; lo += DC_KNN_TILE) {
        const int64_t m = DC_MIN(n - lo, (int64_t)DC_KNN_TILE);
        float *x = tile + omp_get_thread_num() * DC_KNN_TILE * d;
        float *dot = product + omp_get_thread_num() * DC_KNN_TILE * largest;
        rows->rows(rows->ctx, lo, m, x);
        dc_gemm(DC_N, DC_T, m, block->n, d, 1, x, d, block->X, d, 0, dot, block->n);
        for (int64_t i = 0; i < m; i++) search_row(&s, lo + i, x + i * d, dot + i * block->n);
    }
}
