/* Rows of which few values are not zero, for tests: each row belongs to one of some topics, which prefer columns of
 * their own; frequent and rare columns, rows without values, stored zeros; with or without factors. */
#ifndef DCMPI_TESTS_T51_SPARSE_H
#define DCMPI_TESTS_T51_SPARSE_H

#include <stdlib.h>

#include "dcmpi/csr.h"
#include "dcmpi/part.h"
#include "dcmpi/rng.h"

typedef struct {
    int64_t N, D;
    int64_t *ptr;
    int32_t *col;
    float *val, *scale, *row_scale;
    float *dense; /* [N x D] */
    dc_csr csr;
} t51_rows;

static inline double t51_unit(uint64_t seed, int64_t i, int64_t j)
{
    uint32_t w[4];
    dc_rng4(seed, DC_STREAM_TEST, (uint64_t)i, (uint64_t)j, w);
    return dc_rng_unit53(w[0], w[1]);
}

static inline void *t51_alloc(int64_t n, size_t size)
{
    void *p = calloc((size_t)n + 1, size);
    if (!p) abort();
    return p;
}

/* Column c has a value in a row with a probability that falls with c, and is larger if c belongs to the row's topic. */
static inline void t51_row(t51_rows *r, int64_t i, double per_row, int topics, uint64_t seed, int64_t *n)
{
    const int topic = (int)(i % topics);
    for (int64_t c = 0; c < r->D && i % 37 != 36; c++) {
        const double own = c % topics == topic ? 2.5 : 0.5,
                     p = own * per_row / (double)(r->D) * (c % 11 == 0 ? 3 : 0.8);
        if (t51_unit(seed, i, c) >= p) continue;
        r->col[*n] = (int32_t)c;
        r->val[(*n)++] = c % 23 == 5 ? 0 : (float)(0.1 + t51_unit(seed + 1, i, c)) * (c % 7 == 0 ? -1.0F : 1.0F);
    }
}

static inline t51_rows t51_make(int64_t N, int64_t D, double per_row, int topics, bool factors, uint64_t seed)
{
    t51_rows r = {.N = N, .D = D};
    int64_t n = 0, longest = 0;
    r.ptr = t51_alloc(N + 1, sizeof *r.ptr);
    r.col = t51_alloc(N * D, sizeof *r.col);
    r.val = t51_alloc(N * D, sizeof *r.val);
    r.scale = t51_alloc(D, sizeof *r.scale);
    r.row_scale = t51_alloc(N, sizeof *r.row_scale);
    r.dense = t51_alloc(N * D, sizeof *r.dense);
    for (int64_t c = 0; c < D; c++) r.scale[c] = (float)(0.5 + t51_unit(seed + 2, 0, c));
    for (int64_t i = 0; i < N; i++) {
        r.row_scale[i] = (float)(0.5 + t51_unit(seed + 3, 0, i));
        t51_row(&r, i, per_row, topics, seed, &n);
        r.ptr[i + 1] = n;
        longest = DC_MAX(longest, n - r.ptr[i]);
    }
    r.csr = (dc_csr){.n = N, .D = D, .ptr = r.ptr, .col = r.col, .val = r.val, .longest = longest, .total = n};
    if (factors) r.csr.scale = r.scale;
    if (factors) r.csr.row_scale = r.row_scale;
    for (int64_t i = 0; i < N; i++)
        for (int64_t e = r.ptr[i]; e < r.ptr[i + 1]; e++) r.dense[i * D + r.col[e]] = dc_csr_value(&r.csr, i, e);
    return r;
}

static inline void t51_free(t51_rows *r)
{
    free(r->ptr), free(r->col), free(r->val), free(r->scale), free(r->row_scale), free(r->dense);
}

/* The rows of a rank. */
static inline dc_csr t51_of(const t51_rows *r, const dc_part *part)
{
    return dc_csr_view(&r->csr, part->row_lo, dc_part_rows(part));
}

#endif
