/* Matrix products as fixed tiles, each computed by one thread: the bits of an element do not depend on the number of
 * threads, nor on which rows a rank holds beside it.
 *
 * The libraries' own threading cuts a product by the number of threads, and the bits of their kernels depend on the
 * shapes they see. Here the shapes follow from the layer alone: row tiles of fixed height, whose rows keep their place
 * in the tile, and panels of fixed width for weight gradients. Nothing is chosen by timing. */
#include "dcmpi/la.h"

/* Columns per tile: wide layers are cut, so that few row tiles still feed all threads. */
enum { TILE_COLUMNS = 1024 };

static int64_t count_tiles(int64_t n, int64_t tile)
{
    return (n + tile - 1) / tile;
}

void dc_gemm_rows(dc_trans tb, int64_t tile, int64_t m, int64_t n, int64_t k, const float *A, int64_t lda,
                  const float *B, int64_t ldb, float *C, int64_t ldc)
{
    DC_ASSERT(m % tile == 0);
    const int64_t down = m / tile, across = count_tiles(n, TILE_COLUMNS);
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t j = 0; j < across; j++)
        for (int64_t i = 0; i < down; i++) {
            const int64_t column = j * TILE_COLUMNS, width = DC_MIN(n - column, (int64_t)TILE_COLUMNS);
            dc_gemm(DC_N, tb, tile, width, k, 1, A + i * tile * lda, lda, tb == DC_N ? B + column : B + column * ldb,
                    ldb, 0, C + i * tile * ldc + column, ldc);
        }
}

void dc_gemm_panels(int64_t first, int64_t last, int64_t m, int64_t n, int64_t k, const float *A, int64_t lda,
                    const float *B, int64_t ldb, float *C, int64_t ldc)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t p = first; p < last; p++) {
        const int64_t row = p * DC_PANEL_ROWS, rows = DC_MIN(m - row, (int64_t)DC_PANEL_ROWS);
        dc_gemm(DC_T, DC_N, rows, n, k, 1, A + row, lda, B, ldb, 0, C + row * ldc, ldc);
    }
}
