/* Transposition of a matrix: blocks of 16 x 16 elements in vector registers.
 *
 * Four rounds of interleaving row i with row i + 8 transpose a block of 16 rows: each round moves one bit of the row
 * number into the column number (the perfect shuffle; Stone, IEEE Trans. Comput. C-20, 1971). What is left at the
 * edges is copied element by element. */
#include <string.h>

#include "dcmpi/la.h"

enum { SIDE = 16 };

/* GCC splits it where the CPU's vectors are shorter. */
typedef float row16 __attribute__((vector_size(SIDE * sizeof(float))));

static void transpose_block(const float *A, int64_t lda, float *B, int64_t ldb)
{
    row16 row[SIDE], next[SIDE];
    for (int i = 0; i < SIDE; i++) memcpy(&row[i], A + i * lda, sizeof row[i]);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < SIDE / 2; i++) {
            const row16 a = row[i], b = row[i + SIDE / 2];
            next[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            next[2 * i + 1] =
                __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        memcpy(row, next, sizeof row);
    }
    for (int i = 0; i < SIDE; i++) memcpy(B + i * ldb, &row[i], sizeof row[i]);
}

static void transpose_edge(int64_t rows, int64_t columns, const float *A, int64_t lda, float *B, int64_t ldb)
{
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i < rows; i++) B[j * ldb + i] = A[i * lda + j];
}

void dc_transpose(int64_t rows, int64_t columns, const float *A, float *B)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < rows; i += SIDE)
        for (int64_t j = 0; j < columns; j += SIDE) {
            const int64_t down = DC_MIN(rows - i, (int64_t)SIDE), across = DC_MIN(columns - j, (int64_t)SIDE);
            const float *from = A + i * columns + j;
            float *to = B + j * rows + i;
            if (down == SIDE && across == SIDE)
                transpose_block(from, columns, to, rows);
            else
                transpose_edge(down, across, from, columns, to, rows);
        }
}
