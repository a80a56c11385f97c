/* What a file states about a sparse matrix, before any of its values is read: a group of the datasets data, indices and
 * indptr, as AnnData lays out a matrix in compressed form, by rows (CSR) or by columns (CSC). Nothing is believed that
 * the stored bytes do not bear out: the numbers of rows, of values and, if its names are there, of columns. */
#include <string.h>

#include "dcmpi/h5_column.h"
#include "matrix.h"

typedef struct {
    dc_h5 *h5;
    const char *path, *group;
    dc_h5_info data, indices, indptr;
    char indptr_name[DC_H5_NAME_MAX + 16];
} sparse_file;

/* The format and the shape have other names in files from before AnnData 0.7. */
static dc_status read_format(const sparse_file *f, bool *by_columns)
{
    char text[32] = "";
    const char *attr = dc_h5_has_attr(f->h5, f->group, "encoding-type") ? "encoding-type" : "h5sparse_format";
    if (dc_h5_has_attr(f->h5, f->group, attr)) {
        const dc_status st = dc_h5_get_attr_str(f->h5, f->group, attr, text, sizeof text);
        if (st != DC_OK) return dc_data_status(st);
    }
    *by_columns = strncmp(text, "csc", 3) == 0;
    if (*by_columns || strncmp(text, "csr", 3) == 0) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: '%s' is a group, and no sparse matrix of AnnData: its encoding-type is neither csr_matrix nor "
                   "csc_matrix; run: dcmpi convert %s OUT.h5",
                   f->path, f->group, f->path);
}

static dc_status read_shape(const sparse_file *f, dc_data_header *head)
{
    int64_t shape[2] = {0}, values;
    size_t n = 0;
    const char *attr = dc_h5_has_attr(f->h5, f->group, "shape") ? "shape" : "h5sparse_shape";
    const dc_status st = dc_h5_get_attr_i64(f->h5, f->group, attr, shape, 2, &n);
    if (st != DC_OK) return dc_data_status(st);
    if (n != 2 || shape[0] < 0 || shape[1] < 0)
        return DC_FAIL(DC_ERR_DATA, "%s: the shape of '%s' is not [rows, columns]", f->path, f->group);
    if (shape[0] == 0 || shape[1] == 0)
        return DC_FAIL(DC_ERR_DATA, "%s: %s is empty (%lld rows, %lld columns)", f->path, f->group, (long long)shape[0],
                       (long long)shape[1]);
    if (shape[1] > INT32_MAX || __builtin_mul_overflow(shape[0], shape[1], &values))
        return DC_FAIL(DC_ERR_DATA,
                       "%s: %s has %lld rows and %lld columns; the limit is 2^31 - 1 columns and 2^63 places", f->path,
                       f->group, (long long)shape[0], (long long)shape[1]);
    head->N = shape[0];
    head->D = shape[1];
    return DC_OK;
}

/* Describes a vector of numbers. */
static dc_status describe_vector(const sparse_file *f, const char *leaf, char name[DC_H5_NAME_MAX + 16],
                                 dc_h5_info *info)
{
    snprintf(name, DC_H5_NAME_MAX + 16, "%s/%s", f->group, leaf);
    if (!dc_h5_exists(f->h5, name))
        return DC_FAIL(DC_ERR_DATA,
                       "%s: '%s' is a group without '%s', so it is no sparse matrix; run: dcmpi convert %s "
                       "OUT.h5",
                       f->path, f->group, leaf, f->path);
    const dc_status st = dc_data_status(dc_h5_dataset_info(f->h5, name, info));
    if (st != DC_OK) return st;
    const bool number = info->integer || (strcmp(leaf, "data") == 0 && info->floating && info->fits_f64);
    if (info->n_dims == 1 && number) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: '%s' is %s of %d dimension(s); it must be a vector of %s", f->path, name,
                   info->type_name, info->n_dims, strcmp(leaf, "data") == 0 ? "numbers" : "integers");
}

static dc_status describe_vectors(sparse_file *f)
{
    dc_status st = DC_OK;
    char name[DC_H5_NAME_MAX + 16];
    DC_TRY(describe_vector(f, "data", name, &f->data));
    DC_TRY(describe_vector(f, "indices", name, &f->indices));
    DC_TRY(describe_vector(f, "indptr", f->indptr_name, &f->indptr));
    if (f->data.dims[0] != f->indices.dims[0])
        st = DC_FAIL(DC_ERR_DATA, "%s: '%s' has %lld values and %lld indices", f->path, f->group,
                     (long long)f->data.dims[0], (long long)f->indices.dims[0]);
out:
    return st;
}

/* A column of names bears out a number of rows or columns that indptr says nothing about. */
static bool has_names(dc_h5 *h5, const char *name, int64_t n)
{
    dc_h5_column *column = NULL;
    const bool there = name[0] && dc_h5_column_open(h5, name, &column) == DC_OK && dc_h5_column_rows(column) == n;
    dc_h5_column_close(&column);
    dc_error_clear();
    return there;
}

static dc_status check_sizes(const sparse_file *f, const dc_data_shape *s)
{
    const bool csc = s->sparse.by_columns;
    const int64_t lines = csc ? s->head.D : s->head.N, across = csc ? s->head.N : s->head.D;
    if (f->indptr.dims[0] - 1 != lines)
        return DC_FAIL(DC_ERR_DATA, "%s: '%s' has %lld elements; %lld %s have one more", f->path, f->indptr_name,
                       (long long)f->indptr.dims[0], (long long)lines, csc ? "columns" : "rows");
    if (csc && across > f->data.dims[0] && !has_names(f->h5, s->ids, across))
        return DC_FAIL(DC_ERR_DATA, "%s: '%s' claims %lld rows, but has only %lld values, and no names of rows",
                       f->path, f->group, (long long)across, (long long)f->data.dims[0]);
    return DC_OK;
}

static dc_status fail_pointer(const sparse_file *f, int64_t at, int64_t v)
{
    return DC_FAIL(DC_ERR_DATA, "%s: '%s' is %lld at %lld (counted from 0); it must rise from 0 to the %lld values",
                   f->path, f->indptr_name, (long long)v, (long long)at, (long long)f->data.dims[0]);
}

/* Reads how many values stand before each of the marked rows; a few pointers, not all. */
static dc_status read_marks(const sparse_file *f, dc_data_header *head)
{
    dc_status st = DC_OK;
    int64_t before = 0;
    const int64_t whole = head->N / DC_NNZ_MARKS, left = head->N % DC_NNZ_MARKS;
    for (int64_t i = 0; i <= DC_NNZ_MARKS; i++) {
        const int64_t row = i * whole + i * left / DC_NNZ_MARKS;
        int64_t *v = &head->nnz_before[i];
        DC_TRY(dc_data_status(dc_h5_read_rows(f->h5, f->indptr_name, DC_H5_I64, row, 1, v)));
        if (*v < before || *v > f->data.dims[0] || (i == 0 && *v != 0)) return fail_pointer(f, row, *v);
        before = *v;
    }
    head->nnz = before;
out:
    return st;
}

/* The last pointer of all is that of the number of values. */
static dc_status check_last(const sparse_file *f)
{
    int64_t first, last;
    dc_status st = DC_OK;
    const dc_gidx n = f->indptr.dims[0];
    DC_TRY(dc_data_status(dc_h5_read_rows(f->h5, f->indptr_name, DC_H5_I64, 0, 1, &first)));
    DC_TRY(dc_data_status(dc_h5_read_rows(f->h5, f->indptr_name, DC_H5_I64, n - 1, 1, &last)));
    if (first != 0) return fail_pointer(f, 0, first);
    if (last != f->data.dims[0]) st = fail_pointer(f, n - 1, last);
out:
    return st;
}

static dc_h5_type type_of(const dc_h5_info *info)
{
    return info->exact ? info->type : DC_H5_OTHER;
}

dc_status dc_data_describe_sparse(dc_h5 *h5, const char *path, dc_gidx rows, dc_data_shape *s)
{
    dc_status st = DC_OK;
    sparse_file f = {.h5 = h5, .path = path, .group = s->matrix};
    DC_TRY(read_format(&f, &s->sparse.by_columns));
    DC_TRY(read_shape(&f, &s->head));
    DC_TRY(describe_vectors(&f));
    DC_TRY(check_sizes(&f, s));
    DC_TRY(check_last(&f));
    if (rows > s->head.N)
        return DC_FAIL(DC_ERR_DATA, "%s: %s has %lld rows, fewer than input.rows=%lld", path, s->matrix,
                       (long long)s->head.N, (long long)rows);
    s->head.sparse = true;
    s->sparse.index = type_of(&f.indices);
    s->sparse.value = type_of(&f.data);
    s->head.dtype = s->sparse.value == DC_H5_U8 ? DC_U8 : DC_F32;
    if (s->sparse.by_columns) { /* which rows hold the values, their indices alone say: evenly spread, it is assumed */
        s->head.nnz = f.data.dims[0];
        for (int64_t i = 0; i < DC_NNZ_MARKS; i++)
            s->head.nnz_before[i] = (int64_t)((double)s->head.nnz * (double)i / DC_NNZ_MARKS);
        s->head.nnz_before[DC_NNZ_MARKS] = s->head.nnz;
    } else {
        dc_data_header used = s->head;
        if (rows > 0) used.N = rows;
        DC_TRY(read_marks(&f, &used));
        s->head.nnz = used.nnz;
        memcpy(s->head.nnz_before, used.nnz_before, sizeof used.nnz_before);
    }
out:
    return st;
}
