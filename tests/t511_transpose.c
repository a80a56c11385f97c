/* dc_transpose element by element: sizes around the blocks of 16, nothing written beyond, one and two threads. */
#include <omp.h>

#include "check.h"
#include "dcmpi/la.h"

enum { SIDE_MAX = 70, ELEMENTS = SIDE_MAX * SIDE_MAX };

static int64_t wrong_elements(int64_t rows, int64_t columns)
{
    static float A[ELEMENTS], B[ELEMENTS + 1];
    int64_t wrong = 0;
    for (int64_t i = 0; i < rows * columns; i++) A[i] = (float)(i + 1);
    B[rows * columns] = -1;
    dc_transpose(rows, columns, A, B);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) wrong += B[j * rows + i] != A[i * columns + j];
    return wrong + (B[rows * columns] != -1);
}

int main(void)
{
    static const int64_t sizes[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 48, SIDE_MAX};
    for (int threads = 1; threads <= 2; threads++) {
        int64_t wrong = 0;
        omp_set_num_threads(threads);
        for (size_t r = 0; r < DC_COUNT_OF(sizes); r++)
            for (size_t c = 0; c < DC_COUNT_OF(sizes); c++) wrong += wrong_elements(sizes[r], sizes[c]);
        CHECK_INT(wrong, 0);
    }
    return check_done();
}
