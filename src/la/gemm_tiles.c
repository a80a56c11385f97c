/* Matrix products as fixed tiles, each computed by one thread: the bits of an element do not depend on the number of
 * threads, nor on what other rows a rank holds.
 *
 * The libraries' own threading splits a product by the number of threads, and the bits of their kernels depend on the
 * shapes they see. Here the shapes follow from the layer alone: row tiles of fixed height, whose rows keep their place
 * in the tile, and panels of fixed width for weight gradients. Nothing is chosen by timing. */
#include "dcmpi/la.h"

/* Columns per tile: narrow enough that a few row tiles feed all threads. */
static int64_t tile_columns(int64_t n)
{
    enum { WIDE = 512, NARROW = 256 };
    return n > WIDE ? WIDE : NARROW;
}

static int64_t count_tiles(int64_t n, int64_t tile)
{
    return (n + tile - 1) / tile;
}

void dc_gemm_rows(int64_t tile, int64_t m, int64_t n, int64_t k, const float *A, int64_t lda, const float *B,
                  int64_t ldb, float *C, int64_t ldc)
{
    DC_ASSERT(m % tile == 0);
    const int64_t down = m / tile, columns = tile_columns(n), across = count_tiles(n, columns);
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int64_t j = 0; j < across; j++)
        for (int64_t i = 0; i < down; i++) {
            const int64_t column = j * columns, width = DC_MIN(n - column, columns);
            dc_gemm(DC_N, DC_N, tile, width, k, 1, A + i * tile * lda, lda, B + column, ldb, 0,
                    C + i * tile * ldc + column, ldc);
        }
}

void dc_gemm_panels(int64_t first, int64_t last, int64_t m, int64_t n, int64_t k, const float *A, int64_t lda,
                    const float *B, int64_t ldb, float beta, float *C, int64_t ldc)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t p = first; p < last; p++) {
        const int64_t row = p * DC_PANEL_ROWS, rows = DC_MIN(m - row, (int64_t)DC_PANEL_ROWS);
        dc_gemm(DC_T, DC_N, rows, n, k, 1, A + row, lda, B, ldb, beta, C + row * ldc, ldc);
    }
}
