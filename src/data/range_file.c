/* Searches a data file for values far outside their columns (range.h). `dcmpi convert` uses this; it runs in one
 * process, so rows are read in pieces. */
#include <math.h>
#include <string.h>

#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "range.h"
#include "sparse.h"

enum { PIECE_BYTES = 4 << 20 };

typedef struct {
    const char *path;
    dc_h5 *h5;
    dc_dataset view; /* a piece of rows */
    int64_t N, D, piece_rows;
    double *min, *max, *row; /* [D] each; of sparse data, row counts the stored values of each column */
    dc_data_shape shape;
    dc_data_csr_reader sparse;
    int64_t room; /* values of sparse rows that there is room for */
} reader;

static dc_status take_rows(reader *r)
{
    const size_t row_bytes = (size_t)r->D * dc_dtype_bytes(r->view.dtype);
    int64_t *ptr = NULL;
    if (!r->shape.head.sparse) {
        r->piece_rows = DC_MAX((int64_t)(PIECE_BYTES / row_bytes), (int64_t)1);
        return dc_mem_alloc_raw(&r->view.X, (size_t)r->piece_rows, row_bytes, "piece of rows");
    }
    r->piece_rows = DC_MAX((int64_t)(PIECE_BYTES / 8) / (r->shape.head.nnz / r->N + 1), (int64_t)1);
    const dc_status st = dc_mem_alloc(&ptr, (size_t)r->piece_rows + 1, sizeof *ptr, "piece of rows");
    if (st != DC_OK) return st;
    r->view.csr = (dc_csr){.D = r->D, .ptr = ptr};
    return dc_data_csr_open_local(r->path, &r->shape, &r->sparse);
}

static dc_status open_reader(reader *r, const char *path)
{
    dc_status st = DC_OK;
    DC_TRY(dc_data_describe(&(dc_data_request){.path = path}, &r->shape));
    r->path = path;
    r->N = r->shape.head.N;
    r->D = r->shape.head.D;
    r->view = (dc_dataset){.D = r->D, .dtype = r->shape.head.dtype};
    const size_t D = (size_t)r->D;
    DC_TRY(take_rows(r));
    DC_TRY(dc_mem_alloc(&r->min, D, sizeof *r->min, "ranges of columns"));
    DC_TRY(dc_mem_alloc(&r->max, D, sizeof *r->max, "ranges of columns"));
    DC_TRY(dc_mem_alloc(&r->row, D, sizeof *r->row, "row"));
    st = dc_data_status(dc_h5_open(&r->h5, path, DC_H5_READ));
out:
    return st;
}

static void close_reader(reader *r)
{
    (void)!dc_h5_close(&r->h5);
    dc_data_csr_close(&r->sparse);
    dc_data_csr_release(&r->view.csr);
    dc_mem_free(&r->view.X);
    dc_mem_free(&r->min);
    dc_mem_free(&r->max);
    dc_mem_free(&r->row);
}

/* Reads rows [lo, lo + n) into the view. */
static dc_status read_rows(reader *r, int64_t lo, int64_t n)
{
    r->view.part.row_lo = lo;
    r->view.part.row_hi = lo + n;
    if (r->shape.head.sparse) return dc_data_csr_read_local(&r->sparse, lo, n, &r->room, &r->view.csr);
    return dc_data_status(dc_h5_read_rows(r->h5, r->shape.matrix, dc_data_h5_type(r->view.dtype), lo, n, r->view.X));
}

static void widen_ranges(reader *r)
{
    for (int64_t i = 0; i < dc_part_rows(&r->view.part); i++) {
        dc_data_piece_f64(&r->view, i, 0, r->D, r->row);
        for (int64_t c = 0; c < r->D; c++) {
            r->min[c] = r->row[c] < r->min[c] ? r->row[c] : r->min[c];
            r->max[c] = r->row[c] > r->max[c] ? r->row[c] : r->max[c];
        }
    }
}

static void widen_sparse_ranges(reader *r)
{
    const dc_csr *m = &r->view.csr;
    for (int64_t e = 0; e < m->ptr[m->n]; e++) {
        const int64_t c = m->col[e];
        const double x = (double)m->val[e];
        r->min[c] = x < r->min[c] ? x : r->min[c];
        r->max[c] = x > r->max[c] ? x : r->max[c];
        r->row[c]++;
    }
}

/* The zeros that are not stored. */
static void widen_to_zero(reader *r)
{
    for (int64_t c = 0; c < r->D; c++) {
        if (r->row[c] == (double)r->N) continue;
        r->min[c] = DC_MIN(r->min[c], 0);
        r->max[c] = DC_MAX(r->max[c], 0);
    }
}

static dc_status find_ranges(reader *r)
{
    for (int64_t c = 0; c < r->D; c++) r->min[c] = INFINITY, r->max[c] = -INFINITY;
    for (int64_t lo = 0; lo < r->N; lo += r->piece_rows) {
        const dc_status st = read_rows(r, lo, DC_MIN(r->piece_rows, r->N - lo));
        if (st != DC_OK) return st;
        if (r->shape.head.sparse)
            widen_sparse_ranges(r);
        else
            widen_ranges(r);
    }
    if (r->shape.head.sparse) widen_to_zero(r);
    for (int64_t c = 0; c < r->D; c++) r->min[c] += 0.0, r->max[c] += 0.0;
    return DC_OK;
}

static dc_status sketch(reader *r, dc_range_sketch *sk)
{
    dc_status st = DC_OK;
    double *block = NULL;
    const int64_t rows = dc_range_sample_rows(r->N, r->D), most = dc_range_block(r->D, rows);
    DC_TRY(dc_mem_alloc(&block, (size_t)(rows * most), sizeof *block, "sample of rows"));
    for (int64_t c = 0; c < r->D; c += most) {
        const int64_t width = DC_MIN(most, r->D - c);
        for (int64_t k = 0; k < rows; k++) {
            DC_TRY(read_rows(r, dc_range_sample_row(r->N, rows, k), 1));
            dc_data_piece_f64(&r->view, 0, c, width, block + k * width);
        }
        dc_range_describe(sk, block, rows, c, width, 0, 1);
    }
out:
    dc_mem_free(&block);
    return st;
}

static dc_status judge(reader *r, const dc_range_sketch *sk, const dc_range_suspect *suspect, int n)
{
    dc_status st = DC_OK;
    dc_range_tail *tail = NULL;
    dc_range_finding *list = NULL;
    char *names = NULL, about[128];
    int found = 0;
    DC_TRY(dc_mem_alloc(&tail, (size_t)n, sizeof *tail, "outermost values"));
    DC_TRY(dc_mem_alloc(&list, DC_RANGE_FINDINGS_MAX, sizeof *list, "outermost values"));
    for (int64_t lo = 0; n > 0 && lo < r->N; lo += r->piece_rows) {
        DC_TRY(read_rows(r, lo, DC_MIN(r->piece_rows, r->N - lo)));
        dc_range_tails(&r->view, suspect, n, tail);
    }
    for (int k = 0; k < n; k++) found += dc_range_judge(sk, &suspect[k], &tail[k], &list[found]);
    found += dc_range_coded_columns(sk, list + found, DC_RANGE_FINDINGS_MAX - found);
    if (found > 0) DC_TRY(dc_data_feature_names(r->path, &r->shape, &names));
    const dc_range_context with = {
        .source = r->path, .names = names, .scale = DC_RANGE_NO_SCALE, .dtype = r->view.dtype};
    dc_range_tell(sk, &with, list, found, about, sizeof about);
out:
    dc_mem_free(&tail);
    dc_mem_free(&list);
    dc_mem_free(&names);
    return st;
}

dc_status dc_dataset_tell_range(const char *path)
{
    dc_status st = DC_OK;
    reader r = {0};
    dc_range_sketch sk = {0};
    dc_range_suspect *suspect = NULL;
    DC_TRY(open_reader(&r, path));
    DC_TRY(find_ranges(&r));
    DC_TRY(dc_range_sketch_create(r.N, r.D, r.shape.head.sparse, r.min, r.max, &sk));
    DC_TRY(dc_mem_alloc(&suspect, DC_RANGE_SUSPECTS_MAX, sizeof *suspect, "outermost values"));
    DC_TRY(sketch(&r, &sk));
    st = judge(&r, &sk, suspect, dc_range_suspects(&sk, suspect));
out:
    dc_range_sketch_release(&sk);
    dc_mem_free(&suspect);
    close_reader(&r);
    return st;
}
