/* Reads a matrix that is stored by columns (CSC). A rank's rows may have values anywhere in the file, so every rank
 * passes over all of it, in pieces: once to count the values of its rows, once to put them in their places. The columns
 * come in order, and so does each row. */
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"
#include "sparse.h"

enum { PIECE_ENTRIES = 1 << 20 };

typedef struct {
    dc_data_csr_reader *r;
    const dc_part *part;
    int64_t *begin; /* [D + 1] pointers of the columns */
    int64_t *row;   /* [PIECE_ENTRIES] rows of a piece of entries */
    void *raw;      /* [PIECE_ENTRIES] its values, as stored */
    float *value;   /* [PIECE_ENTRIES] its values */
    int64_t *next;  /* [n + 1] counting: values of each row, one place further on; filling: the next place of each */
    const dc_csr *fill; /* NULL: count */
    int64_t column;     /* of the entry that is looked at */
} turning;

static dc_status read_columns(turning *t)
{
    dc_status st = DC_OK;
    const int64_t D = t->r->shape->head.D;
    DC_TRY(dc_mem_alloc_raw(&t->begin, (size_t)D + 1, sizeof *t->begin, "pointers of columns"));
    DC_TRY(dc_data_status(dc_h5_read_rows(t->r->h5, t->r->indptr, DC_H5_I64, 0, D + 1, t->begin)));
    for (int64_t c = 0; c < D; c++)
        if (t->begin[c + 1] < t->begin[c] || t->begin[c + 1] > t->r->shape->head.nnz)
            return DC_FAIL(DC_ERR_DATA,
                           "%s: '%s' is %lld at column %lld (counted from 0), after %lld; it must rise to the %lld "
                           "values",
                           t->r->path, t->r->indptr, (long long)t->begin[c + 1], (long long)c + 1,
                           (long long)t->begin[c], (long long)t->r->shape->head.nnz);
out:
    return st;
}

static dc_status take_memory(turning *t)
{
    dc_status st = DC_OK;
    DC_TRY(read_columns(t));
    DC_TRY(dc_mem_alloc_raw(&t->row, PIECE_ENTRIES, sizeof *t->row, "piece of sparse columns"));
    DC_TRY(dc_mem_alloc_raw(&t->raw, PIECE_ENTRIES, sizeof(int64_t), "piece of sparse columns"));
    DC_TRY(dc_mem_alloc_raw(&t->value, PIECE_ENTRIES, sizeof *t->value, "piece of sparse columns"));
    DC_TRY(dc_mem_alloc(&t->next, (size_t)dc_part_rows(t->part) + 1, sizeof *t->next, "pointers of sparse rows"));
out:
    return st;
}

static dc_status fail_row(const turning *t, int64_t row, int64_t column)
{
    return DC_FAIL(DC_ERR_DATA, "%s: column %lld has a value in row %lld (counted from 0), but there are %lld rows",
                   t->r->path, (long long)column, (long long)row, (long long)t->r->shape->promise.rows);
}

static dc_status take_entry(turning *t, int64_t entry, int64_t row, float value)
{
    while (entry >= t->begin[t->column + 1]) t->column++;
    if (row < 0 || row >= t->r->shape->promise.rows) return fail_row(t, row, t->column);
    if (row < t->part->row_lo || row >= t->part->row_hi) return DC_OK;
    const int64_t i = row - t->part->row_lo;
    if (!t->fill) {
        t->next[i + 1]++;
        return DC_OK;
    }
    const int64_t at = t->next[i]++;
    ((int32_t *)(uintptr_t)t->fill->col)[at] = (int32_t)t->column;
    ((float *)(uintptr_t)t->fill->val)[at] = value;
    return DC_OK;
}

static dc_status read_piece(turning *t, int64_t lo, int64_t n)
{
    dc_status st = DC_OK;
    const dc_h5_type type = dc_data_csr_read_type(t->r->shape->sparse.value);
    DC_TRY(dc_h5_read_rows(t->r->h5, t->r->indices, DC_H5_I64, lo, n, t->row));
    if (!t->fill) goto out;
    DC_TRY(dc_h5_read_rows(t->r->h5, t->r->data, type, lo, n, t->raw));
    const int64_t bad = dc_data_csr_to_float(type, t->raw, n, t->value);
    if (bad < n)
        st =
            DC_FAIL(DC_ERR_DATA,
                    "%s: row %lld (counted from 0) has a value beyond single precision, in which sparse rows are kept; "
                    "multiply the data by a constant that brings them near 1",
                    t->r->path, (long long)t->row[bad]);
out:
    return dc_data_status(st);
}

static dc_status take_piece(turning *t, int64_t lo, int64_t n)
{
    dc_status st = read_piece(t, lo, n);
    for (int64_t i = 0; i < n && st == DC_OK; i++) st = take_entry(t, lo + i, t->row[i], t->fill ? t->value[i] : 0);
    return st;
}

static dc_status pass(dc_comm *comm, turning *t)
{
    dc_status st = DC_OK;
    const int64_t nnz = t->r->shape->head.nnz;
    t->column = 0;
    for (int64_t lo = 0; lo < nnz; lo += PIECE_ENTRIES) {
        DC_TRY_ALL(comm, take_piece(t, lo, DC_MIN(nnz - lo, (int64_t)PIECE_ENTRIES)));
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    return st;
}

dc_status dc_data_csr_turn(dc_comm *comm, dc_data_csr_reader *r, const dc_part *part, dc_data_csr_room room, void *ctx,
                           dc_csr *out)
{
    dc_status st = DC_OK;
    turning t = {.r = r, .part = part};
    int64_t *ptr = NULL;
    DC_TRY_ALL(comm, take_memory(&t));
    dc_log_note("%s: '%s' is stored by columns: every rank reads all of it; dcmpi convert writes it by rows", r->path,
                r->shape->matrix);
    DC_TRY(pass(comm, &t));
    DC_TRY_ALL(comm, dc_mem_alloc(&ptr, (size_t)out->n + 1, sizeof *ptr, "pointers of sparse rows"));
    out->ptr = ptr;
    for (int64_t i = 0; i < out->n; i++) ptr[i + 1] = t.next[i + 1] += t.next[i];
    DC_TRY_ALL(comm, room(ctx, dc_mul_size((size_t)ptr[out->n], sizeof *out->col + sizeof *out->val)));
    DC_TRY_ALL(comm, dc_data_csr_take(ptr[out->n], out));
    t.fill = out;
    DC_TRY(pass(comm, &t));
out:
    dc_mem_free(&t.begin);
    dc_mem_free(&t.row);
    dc_mem_free(&t.raw);
    dc_mem_free(&t.value);
    dc_mem_free(&t.next);
    return st;
}
