/* The soft assignment that a clustering result gives. */
#ifndef DCMPI_TESTS_TAKE_Q_H
#define DCMPI_TESTS_TAKE_Q_H

#include <string.h>

#include "check.h"
#include "dcmpi/train.h"

/* own[n x K]: q of all rows of this rank, which come in pieces. */
static inline void take_q(dc_q_rows *q, int64_t n, int64_t K, float *own)
{
    const float *rows;
    int64_t at = 0;
    for (int64_t i = 0; i < dc_q_rows_pieces(q); i++) {
        const int64_t m = dc_q_rows_get(q, i, &rows);
        CHECK(at + m <= n);
        if (at + m <= n) memcpy(own + at * K, rows, (size_t)(m * K) * sizeof *own);
        at += m;
    }
    CHECK_INT(at, n);
}

#endif
