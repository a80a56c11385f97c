/* The same rows as a dense and as a sparse file, for tests of sparse rows: few values, in powers of two and their sums,
 * so that all types hold them; empty rows and columns, a full column, stored zeros. */
#ifndef DCMPI_TESTS_T22_HELP_H
#define DCMPI_TESTS_T22_HELP_H

#include "check.h"
#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "dcmpi/rng.h"

typedef struct {
    int64_t N, D, nnz;
    int64_t *ptr, *col;
    double *val;
    float *X; /* [N x D] */
} sparse_rows;

/* whole: values are 0..255, as of uint8. */
static inline void sparse_rows_make(int64_t N, int64_t D, bool whole, sparse_rows *s)
{
    *s = (sparse_rows){.N = N, .D = D};
    CHECK_OK(dc_mem_alloc(&s->ptr, (size_t)N + 1, sizeof *s->ptr, "test"));
    CHECK_OK(dc_mem_alloc(&s->col, (size_t)(N * D), sizeof *s->col, "test"));
    CHECK_OK(dc_mem_alloc(&s->val, (size_t)(N * D), sizeof *s->val, "test"));
    CHECK_OK(dc_mem_alloc(&s->X, (size_t)(N * D), sizeof *s->X, "test"));
    for (int64_t i = 0; i < N; i++) {
        for (int64_t c = 0; c < D; c++) {
            uint32_t w[4];
            dc_rng4(5, DC_STREAM_TEST, 0, (uint64_t)(i * D + c), w);
            const bool full = c == D - 1, there = full || (c > 0 && i % 7 != 3 && w[0] % 8 == 0);
            if (!there) continue;
            const double v = whole ? (double)(w[1] % 200) : (double)(int)(w[1] % 400 - (full ? 0 : 100)) / 16;
            s->col[s->nnz] = c;
            s->val[s->nnz++] = v;
            s->X[i * D + c] = (float)v;
        }
        s->ptr[i + 1] = s->nnz;
    }
}

static inline void sparse_rows_free(sparse_rows *s)
{
    dc_mem_free(&s->ptr);
    dc_mem_free(&s->col);
    dc_mem_free(&s->val);
    dc_mem_free(&s->X);
}

static inline void dense_file(const char *path, const sparse_rows *s, dc_h5_type type)
{
    dc_h5 *h5 = NULL;
    uint8_t *bytes = NULL;
    CHECK_OK(dc_mem_alloc(&bytes, (size_t)(s->N * s->D), 1, "test"));
    for (int64_t i = 0; i < s->N * s->D; i++) bytes[i] = (uint8_t)DC_MAX(s->X[i], 0);
    CHECK_OK(dc_h5_open(&h5, path, DC_H5_CREATE));
    CHECK_OK(dc_h5_put(h5, "X", type, 2, (dc_gidx[]){s->N, s->D}, type == DC_H5_U8 ? (void *)bytes : (void *)s->X));
    CHECK_OK(dc_h5_close(&h5));
    dc_mem_free(&bytes);
}

/* How a sparse file is to be stored. */
typedef struct {
    dc_h5_type ptr, col, val;
    bool by_columns, old, mixed; /* mixed: the columns of a row in no order */
} sparse_layout;

/* Writes numbers of another type than the library is given. */
static inline void put_numbers(dc_h5 *h5, const char *name, dc_h5_type type, int64_t n, dc_h5_type from, const void *v)
{
    CHECK_OK(dc_h5_create_dataset(h5, name, type, 1, (dc_gidx[]){n}));
    CHECK_OK(dc_h5_write_rows(h5, name, from, 0, n, v));
}

static inline void put_matrix(dc_h5 *h5, const char *group, int64_t N, int64_t D, const int64_t *ptr, int64_t lines,
                              int64_t nnz, const int64_t *col, const double *val, const sparse_layout *how)
{
    char name[64];
    CHECK_OK(dc_h5_create_group(h5, group));
    CHECK_OK(dc_h5_put_attr_str(h5, group, how->old ? "h5sparse_format" : "encoding-type",
                                how->by_columns ? how->old ? "csc" : "csc_matrix"
                                : how->old      ? "csr"
                                                : "csr_matrix"));
    CHECK_OK(dc_h5_put_attr_i64(h5, group, how->old ? "h5sparse_shape" : "shape", (int64_t[]){N, D}, 2));
    snprintf(name, sizeof name, "%s/indptr", group);
    put_numbers(h5, name, how->ptr, lines + 1, DC_H5_I64, ptr);
    snprintf(name, sizeof name, "%s/indices", group);
    put_numbers(h5, name, how->col, nnz, DC_H5_I64, col);
    snprintf(name, sizeof name, "%s/data", group);
    put_numbers(h5, name, how->val, nnz, DC_H5_F64, val);
}

static inline void put_rows(dc_h5 *h5, const char *group, const sparse_rows *s, const sparse_layout *how)
{
    int64_t *col = NULL;
    double *val = NULL;
    CHECK_OK(dc_mem_alloc(&col, (size_t)s->nnz, sizeof *col, "test"));
    CHECK_OK(dc_mem_alloc(&val, (size_t)s->nnz, sizeof *val, "test"));
    for (int64_t i = 0; i < s->N; i++)
        for (int64_t e = s->ptr[i]; e < s->ptr[i + 1]; e++) {
            const int64_t from = how->mixed ? s->ptr[i] + s->ptr[i + 1] - 1 - e : e;
            col[e] = s->col[from];
            val[e] = s->val[from];
        }
    put_matrix(h5, group, s->N, s->D, s->ptr, s->N, s->nnz, col, val, how);
    dc_mem_free(&col);
    dc_mem_free(&val);
}

static inline void put_columns(dc_h5 *h5, const char *group, const sparse_rows *s, const sparse_layout *how)
{
    int64_t *ptr = NULL, *row = NULL, used = 0;
    double *val = NULL;
    CHECK_OK(dc_mem_alloc(&ptr, (size_t)s->D + 1, sizeof *ptr, "test"));
    CHECK_OK(dc_mem_alloc(&row, (size_t)s->nnz, sizeof *row, "test"));
    CHECK_OK(dc_mem_alloc(&val, (size_t)s->nnz, sizeof *val, "test"));
    for (int64_t c = 0; c < s->D; c++) {
        for (int64_t i = 0; i < s->N; i++)
            for (int64_t e = s->ptr[i]; e < s->ptr[i + 1]; e++)
                if (s->col[e] == c) row[used] = i, val[used++] = s->val[e];
        ptr[c + 1] = used;
    }
    put_matrix(h5, group, s->N, s->D, ptr, s->D, s->nnz, row, val, how);
    dc_mem_free(&ptr);
    dc_mem_free(&row);
    dc_mem_free(&val);
}

static inline void sparse_file(const char *path, const sparse_rows *s, const sparse_layout *how)
{
    dc_h5 *h5 = NULL;
    CHECK_OK(dc_h5_open(&h5, path, DC_H5_CREATE));
    if (how->by_columns)
        put_columns(h5, "/X", s, how);
    else
        put_rows(h5, "/X", s, how);
    CHECK_OK(dc_h5_close(&h5));
}

#endif
