/* Reads rows of sparse matrices, all ranks together. Values in our own layout (columns int32, values float32) of one
 * file are read collectively into their place. Others are read by each rank for itself, in agreed rounds of whole rows,
 * and converted: in memory columns are int32 and values float32. */
#include "sparse.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"

enum { PIECE_ENTRIES = 1 << 22 };

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

dc_status dc_data_csr_take(int64_t entries, dc_csr *out)
{
    int32_t *col = NULL;
    float *val = NULL;
    dc_status st = dc_mem_alloc_raw(&col, (size_t)entries, sizeof *col, "columns of sparse rows");
    if (st == DC_OK) st = dc_mem_alloc_raw(&val, (size_t)entries, sizeof *val, "values of sparse rows");
    if (st != DC_OK) {
        dc_mem_free(&col);
        return st;
    }
    dc_data_touch(col, (size_t)entries * sizeof *col);
    dc_data_touch(val, (size_t)entries * sizeof *val);
    out->col = col;
    out->val = val;
    return DC_OK;
}

void dc_data_csr_release(dc_csr *m)
{
    dc_mem_free(&m->ptr);
    dc_mem_free(&m->col);
    dc_mem_free(&m->val);
}

/* ---- Pointers ---------------------------------------------------------------------------------------------------- */

/* ptr[n + 1]: those of rows of the current file, from `row` of it on. */
static dc_status check_pointers(const dc_data_csr_reader *r, dc_gidx row, int64_t n, const int64_t *ptr)
{
    for (int64_t i = 0; i <= n; i++) {
        const int64_t before = i > 0 ? ptr[i - 1] : 0;
        if (ptr[i] < before || ptr[i] > r->nnz)
            return DC_FAIL(DC_ERR_DATA,
                           "%s: '%s' is %lld at row %lld (counted from 0), after %lld; it must rise to the %lld values",
                           r->path, r->indptr, (long long)ptr[i], (long long)(row + i), (long long)before,
                           (long long)r->nnz);
    }
    return DC_OK;
}

static dc_status read_pointers(dc_data_csr_reader *r, dc_gidx row, int64_t n, int64_t *ptr)
{
    dc_status st = DC_OK;
    ptr[0] = 0;
    for (int64_t done = 0, rows; done < n; done += rows) { /* rows of one file */
        int64_t *p = ptr + done;
        const int64_t total = *p;
        DC_TRY(dc_data_csr_open_file(r, row + done));
        const dc_gidx at = row + done - r->first;
        rows = DC_MIN(n - done, r->end - (row + done));
        DC_TRY(dc_h5_read_rows(r->h5, r->indptr, DC_H5_I64, at, rows + 1, p));
        DC_TRY(check_pointers(r, at, rows, p));
        const int64_t shift = total - p[0];
        for (int64_t i = 0; i <= rows; i++) p[i] += shift;
    }
out:
    return dc_data_status(st);
}

dc_status dc_data_csr_read_pointers(dc_comm *comm, dc_data_csr_reader *r, const dc_part *piece, int64_t *ptr)
{
    return dc_agree(comm, read_pointers(r, piece->row_lo, dc_part_rows(piece), ptr));
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

dc_h5_type dc_data_csr_read_type(dc_h5_type stored)
{
    return stored == DC_H5_OTHER ? DC_H5_F64 : stored;
}

static int64_t narrow(const double *restrict x, int64_t n, float *restrict out)
{
    int64_t first = n;
    for (int64_t i = 0; i < n; i++) {
        out[i] = (float)x[i];
        if (first == n && fabs(x[i]) <= DBL_MAX && isinf(out[i])) first = i;
    }
    return first;
}

int64_t dc_data_csr_to_float(dc_h5_type type, const void *stored, int64_t n, float *restrict out)
{
    const uint8_t *restrict u8 = stored;
    const _Float16 *restrict f16 = stored;
    const int32_t *restrict i32 = stored;
    const int64_t *restrict i64 = stored;
    switch (type) {
    case DC_H5_U8:
        for (int64_t i = 0; i < n; i++) out[i] = (float)u8[i];
        break;
    case DC_H5_F16:
        for (int64_t i = 0; i < n; i++) out[i] = (float)f16[i];
        break;
    case DC_H5_F32:
        memcpy(out, stored, (size_t)n * sizeof *out);
        break;
    case DC_H5_I32:
        for (int64_t i = 0; i < n; i++) out[i] = (float)i32[i];
        break;
    case DC_H5_I64:
        for (int64_t i = 0; i < n; i++) out[i] = (float)i64[i];
        break;
    case DC_H5_F64:
        return narrow(stored, n, out);
    case DC_H5_TEXT:
    case DC_H5_OTHER:
        break;
    }
    return n;
}

/* Columns of another type become int32; those out of range become -1, which the check refuses. */
static void narrow_columns(const int64_t *restrict x, int64_t n, int64_t D, int32_t *restrict out)
{
    for (int64_t i = 0; i < n; i++) out[i] = x[i] >= 0 && x[i] < D ? (int32_t)x[i] : -1;
}

typedef struct {
    dc_data_csr_reader *r;
    const dc_csr *m;
    dc_gidx row_lo; /* global number of row 0 */
    void *raw;      /* [entries of a piece] values or columns of any type */
    dc_data_sums *sums;
} conversion;

/* End of the piece that begins with row lo: so many rows of one file that their values fit, at least one. */
static int64_t piece_end(const conversion *c, int64_t lo)
{
    const dc_csr *m = c->m;
    dc_data_csr_turn_to(c->r, c->row_lo + lo);
    const int64_t end = DC_MIN(m->n, c->r->end - c->row_lo);
    int64_t hi = lo;
    while (hi < end && (hi == lo || m->ptr[hi + 1] - m->ptr[lo] <= PIECE_ENTRIES)) hi++;
    return hi;
}

static void count_pieces(const conversion *c, int64_t *pieces, int64_t *most)
{
    *pieces = *most = 0;
    for (int64_t lo = 0, hi; lo < c->m->n; lo = hi, ++*pieces) {
        hi = piece_end(c, lo);
        *most = DC_MAX(*most, c->m->ptr[hi] - c->m->ptr[lo]);
    }
}

static dc_status fail_value(const conversion *c, int64_t entry)
{
    int64_t row = 0;
    while (c->m->ptr[row + 1] <= entry) row++;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: row %lld, column %lld (counted from 0): the value is beyond single precision, in which sparse "
                   "rows are kept; multiply the data by a constant that brings them near 1",
                   c->r->path, (long long)(c->row_lo + row - c->r->first), (long long)c->m->col[entry]);
}

/* Reads rows [lo, hi), which are of one file. */
static dc_status convert_piece(const conversion *c, int64_t lo, int64_t hi)
{
    dc_status st = DC_OK;
    const dc_csr *m = c->m;
    dc_data_csr_reader *r = c->r;
    const int64_t at = m->ptr[lo], n = m->ptr[hi] - at;
    const dc_h5_type type = dc_data_csr_read_type(r->types.value);
    int32_t *col = (int32_t *)(uintptr_t)m->col + at;
    int64_t first;
    DC_TRY(dc_data_csr_open_file(r, c->row_lo + lo));
    DC_TRY(dc_data_csr_entry(r, c->row_lo + lo, &first));
    if (r->types.index == DC_H5_I32) {
        DC_TRY(dc_h5_read_rows(r->h5, r->indices, DC_H5_I32, first, n, col));
    } else {
        DC_TRY(dc_h5_read_rows(r->h5, r->indices, DC_H5_I64, first, n, c->raw));
        narrow_columns(c->raw, n, m->D, col);
    }
    DC_TRY(dc_h5_read_rows(r->h5, r->data, type, first, n, c->raw));
    if (c->sums)
        dc_data_sums_add_sparse(c->sums, dc_h5_type_bytes(type), c->row_lo + lo, hi - lo, m->ptr + lo, col, c->raw);
    const int64_t bad = dc_data_csr_to_float(type, c->raw, n, (float *)(uintptr_t)m->val + at);
    if (bad < n) st = fail_value(c, at + bad);
out:
    return dc_data_status(st);
}

/* Puts the columns of rows [lo, hi), which are of one file, in order. */
static dc_status settle_piece(const conversion *c, int64_t lo, int64_t hi)
{
    const dc_csr *m = c->m, piece = {.n = hi - lo, .D = m->D, .ptr = m->ptr + lo, .col = m->col, .val = m->val};
    dc_data_csr_turn_to(c->r, c->row_lo + lo);
    return dc_data_csr_check(c->r->path, c->row_lo + lo - c->r->first, &piece);
}

static dc_status read_piece(const conversion *c, int64_t lo, int64_t hi)
{
    const dc_status st = hi > lo ? convert_piece(c, lo, hi) : DC_OK;
    return st == DC_OK && hi > lo ? settle_piece(c, lo, hi) : st;
}

static dc_status convert_all(dc_comm *comm, conversion *c)
{
    dc_status st = DC_OK;
    int64_t pieces, most, lo = 0;
    count_pieces(c, &pieces, &most);
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&c->raw, (size_t)most, sizeof(int64_t), "piece of sparse rows"));
    dc_comm_max_i64(comm, &pieces, 1);
    for (int64_t i = 0; i < pieces; i++) {
        const int64_t hi = lo < c->m->n ? piece_end(c, lo) : lo;
        DC_TRY_ALL(comm, read_piece(c, lo, hi));
        DC_TRY(dc_wish_poll_stop(comm));
        lo = hi;
    }
out:
    dc_mem_free(&c->raw);
    return st;
}

/* Reads values that are stored as they are held, of one file. */
static dc_status read_direct(dc_comm *comm, const conversion *c)
{
    dc_status st = DC_OK;
    const dc_csr *m = c->m;
    dc_data_csr_reader *r = c->r;
    int64_t first = 0;
    if (m->n > 0) st = dc_data_csr_entry(r, c->row_lo, &first);
    DC_TRY_ALL(comm, st);
    dc_part entries = {.N = r->nnz, .row_lo = first, .row_hi = first + m->ptr[m->n]};
    DC_TRY(dc_h5_read_part(comm, r->path, r->indices, DC_H5_I32, &entries, 1, (void *)(uintptr_t)m->col));
    DC_TRY(dc_h5_read_part(comm, r->path, r->data, DC_H5_F32, &entries, 1, (void *)(uintptr_t)m->val));
    dc_data_sums_add_sparse(c->sums, sizeof *m->val, c->row_lo, m->n, m->ptr, m->col, m->val);
    DC_TRY_ALL(comm, m->n > 0 ? settle_piece(c, 0, m->n) : DC_OK);
out:
    return dc_data_status(st);
}

dc_status dc_data_csr_read(dc_comm *comm, dc_data_csr_reader *r, const dc_part *piece, dc_data_sums *sums,
                           const dc_csr *m)
{
    conversion c = {.r = r, .m = m, .row_lo = piece->row_lo, .sums = sums};
    const bool direct = !r->shape->files && r->types.index == DC_H5_I32 && r->types.value == DC_H5_F32;
    return direct ? read_direct(comm, &c) : convert_all(comm, &c);
}

/* ---- A piece by one process alone -------------------------------------------------------------------------------- */

dc_status dc_data_csr_make_room(int64_t entries, int64_t *room, dc_csr *m)
{
    if (entries <= *room && m->col) return DC_OK;
    dc_mem_free(&m->col);
    dc_mem_free(&m->val);
    *room = entries;
    return dc_data_csr_take(entries, m);
}

dc_status dc_data_csr_read_local(dc_data_csr_reader *r, dc_gidx row, int64_t n, int64_t *room, dc_csr *m)
{
    dc_status st = DC_OK;
    conversion c = {.r = r, .m = m, .row_lo = row};
    int64_t pieces, most;
    m->n = n;
    DC_TRY(read_pointers(r, row, n, (int64_t *)(uintptr_t)m->ptr));
    DC_TRY(dc_data_csr_make_room(m->ptr[n], room, m));
    count_pieces(&c, &pieces, &most);
    DC_TRY(dc_mem_alloc_raw(&c.raw, (size_t)most, sizeof(int64_t), "piece of sparse rows"));
    for (int64_t lo = 0, hi; lo < n; lo = hi) {
        hi = piece_end(&c, lo);
        DC_TRY(read_piece(&c, lo, hi));
    }
out:
    dc_mem_free(&c.raw);
    return st;
}
