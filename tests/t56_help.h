/* For the tests of components and singular vectors: how far directions are from orthonormal. */
#ifndef DCMPI_TESTS_T56_HELP_H
#define DCMPI_TESTS_T56_HELP_H

#include <math.h>
#include <stdint.h>

/* The largest difference of V V^T from the identity, of k directions V [k x d] as rows. */
static inline double off_orthogonal(const float *direction, int64_t k, int64_t d)
{
    double worst = 0;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j <= i; j++) {
            double dot = i == j ? -1 : 0;
            for (int64_t c = 0; c < d; c++) dot += (double)direction[i * d + c] * (double)direction[j * d + c];
            worst = fmax(worst, fabs(dot));
        }
    return worst;
}

#endif
