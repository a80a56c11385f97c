/* Rows of which few values are not zero: compressed sparse rows (CSR), on one rank. */
#ifndef DCMPI_CSR_H
#define DCMPI_CSR_H

#include "dcmpi/base.h"

/* Row i has values at ptr[i] <= e < ptr[i+1]: in column col[e], dc_csr_value(m, i, e). Columns ascend within a row and
 * do not repeat; stored zeros are legal. All arrays are borrowed. */
typedef struct dc_csr {
    int64_t n;              /* rows */
    int64_t D;              /* columns, at most INT32_MAX */
    const int64_t *ptr;     /* [n+1] */
    const int32_t *col;     /* [ptr[n]] */
    const float *val;       /* [ptr[n]] */
    const float *scale;     /* [D] factor of a column, NULL: 1 */
    const float *row_scale; /* [n] factor of a row, NULL: 1 */
} dc_csr;

/* Value e of row i. */
static inline float dc_csr_value(const dc_csr *m, int64_t i, int64_t e)
{
    float v = m->val[e];
    if (m->scale) v *= m->scale[m->col[e]];
    if (m->row_scale) v *= m->row_scale[i];
    return v;
}

#endif
