/* Looks at a file of sparse rows, in one process and bounded memory. `dcmpi check` uses this. */
#include <math.h>

#include "dcmpi/mem.h"
#include "sparse.h"

enum { PIECE_ENTRIES = 1 << 20 };

static dc_status check_finite(const char *path, dc_gidx first, const dc_csr *m)
{
    for (int64_t i = 0; i < m->n; i++)
        for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++)
            if (!isfinite(m->val[e]))
                return DC_FAIL(DC_ERR_DATA, "%s: row %lld, column %lld (counted from 0) is NaN or infinite", path,
                               (long long)(first + i), (long long)m->col[e]);
    return DC_OK;
}

static dc_status check_pieces(const char *path, const dc_data_header *head, dc_data_csr_reader *r)
{
    dc_status st = DC_OK;
    int64_t room = 0, *ptr = NULL;
    dc_csr m = {.D = head->D};
    const int64_t rows = DC_MIN(PIECE_ENTRIES / (head->nnz / head->N + 1) + 1, head->N);
    DC_TRY(dc_mem_alloc(&ptr, (size_t)rows + 1, sizeof *ptr, "piece of sparse rows"));
    m.ptr = ptr;
    for (dc_gidx lo = 0; lo < head->N; lo += rows) {
        DC_TRY(dc_data_csr_read_local(r, lo, DC_MIN(rows, head->N - lo), &room, &m));
        DC_TRY(check_finite(path, lo, &m));
    }
out:
    dc_data_csr_release(&m);
    return st;
}

/* By columns, a matrix is its transpose by rows. */
static void turn(dc_data_shape *shape)
{
    const dc_gidx rows = shape->head.N;
    shape->head.N = shape->head.D;
    shape->head.D = rows;
}

static dc_status say_turned(const dc_data_shape *shape, dc_status st)
{
    char text[DC_ERROR_TEXT_MAX];
    if (st != DC_ERR_DATA) return st;
    snprintf(text, sizeof text, "%s", dc_error_text());
    dc_error_clear();
    return DC_FAIL(DC_ERR_DATA, "%s ('%s' is stored by columns; they are the rows here)", text, shape->matrix);
}

dc_status dc_dataset_check_sparse(const char *path)
{
    dc_status st = DC_OK;
    dc_data_shape shape;
    dc_data_csr_reader r = {0};
    DC_TRY(dc_data_describe(&(dc_data_request){.path = path}, &shape));
    if (shape.sparse.by_columns && shape.head.N > INT32_MAX)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: '%s' is stored by columns and has more than 2^31 - 1 rows; first: dcmpi convert "
                       "%s OUT.h5",
                       path, shape.matrix, path);
    if (shape.sparse.by_columns) turn(&shape);
    DC_TRY(dc_data_csr_open_local(path, &shape, &r));
    st = check_pieces(path, &shape.head, &r);
    if (shape.sparse.by_columns) st = say_turned(&shape, st);
out:
    dc_data_csr_close(&r);
    return st;
}
