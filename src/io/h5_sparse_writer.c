/* Writes rows into a sparse data file that h5_sparse.c made: each writer overwrites the bytes of its rows and entries
 * and then reads them back. */
#include "h5_slab.h"
#include "h5_sparse_private.h"

#include <string.h>

#include "dcmpi/fault.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"

enum { PIECE_ROWS = 4096, NUMBER_BYTES = 24 };

struct dc_h5_sparse_writer {
    char part[DC_PATH_MAX];
    dc_h5_sparse_places places;
    dc_gidx N, first, row; /* row: the next */
    int64_t D, nnz, entry; /* entry: the next */
    size_t value_bytes, id_bytes, text_bytes;
    bool has_labels, numbered; /* numbered: rows are named by their numbers */
    dc_h5_sparse_sums sums;
    int64_t *ends; /* [PIECE_ROWS] */
    char *numbers; /* [PIECE_ROWS x id_bytes], if numbered */
    int fd;
};

static void release(dc_h5_sparse_writer **writer)
{
    if (!*writer) return;
    dc_mem_free(&(*writer)->ends);
    dc_mem_free(&(*writer)->numbers);
    dc_mem_free(writer);
}

dc_status dc_h5_sparse_begin(dc_h5_sparse_writer **out, const char *part, const dc_h5_sparse_spec *spec,
                             const dc_h5_sparse_places *places, dc_gidx row, int64_t entry)
{
    dc_status st = DC_OK;
    dc_h5_sparse_writer *w = NULL;
    *out = NULL;
    DC_TRY(dc_mem_alloc(&w, 1, sizeof *w, "writer of rows"));
    snprintf(w->part, sizeof w->part, "%s", part);
    w->fd = -1;
    w->places = *places;
    w->N = spec->N, w->D = spec->D, w->nnz = spec->nnz;
    w->first = w->row = row, w->entry = entry;
    w->value_bytes = dc_dtype_bytes(spec->dtype);
    w->id_bytes = dc_h5_sparse_id_bytes(spec);
    w->text_bytes = spec->text_bytes;
    w->has_labels = spec->has_labels;
    w->numbered = spec->id_bytes == 0;
    DC_TRY(dc_mem_alloc(&w->ends, PIECE_ROWS, sizeof *w->ends, "ends of rows"));
    if (w->numbered) DC_TRY(dc_mem_alloc(&w->numbers, PIECE_ROWS, w->id_bytes, "numbers of rows"));
    DC_TRY(dc_h5_slab_open(part, places->bytes, &w->fd));
    /* The end of the row before is read back with ours, perhaps before its own writer has come so far. */
    DC_TRY(dc_h5_slab_write(w->fd, part, places->indptr + row * (int64_t)sizeof entry, &entry, sizeof entry));
    *out = w;
    return DC_OK;
out:
    if (w && w->fd >= 0) (void)!dc_h5_slab_close(part, &w->fd);
    release(&w);
    return st;
}

/* ---- Appending --------------------------------------------------------------------------------------------------- */

static bool ascends(const dc_h5_sparse_writer *w, dc_gidx n, const int64_t *ptr, const int32_t *col)
{
    for (dc_gidx i = 0; i < n; i++) {
        int64_t before = -1;
        if (ptr[i + 1] < ptr[i]) return false;
        for (int64_t e = ptr[i] - ptr[0]; e < ptr[i + 1] - ptr[0]; before = col[e++])
            if (col[e] <= before || col[e] >= w->D) return false;
    }
    return true;
}

static dc_status put(const dc_h5_sparse_writer *w, int64_t place, int64_t at, size_t each, int64_t n, const void *data)
{
    return dc_h5_slab_write(w->fd, w->part, place + at * (int64_t)each, data, (size_t)n * each);
}

/* The ends of n <= PIECE_ROWS rows, and the names of rows without ids. */
static dc_status put_piece(dc_h5_sparse_writer *w, dc_gidx n, const int64_t *ptr, int64_t entry)
{
    char digits[NUMBER_BYTES];
    for (dc_gidx i = 0; i < n; i++) w->ends[i] = entry + ptr[i + 1] - ptr[0];
    const dc_status st = put(w, w->places.indptr, w->row + 1, sizeof *w->ends, n, w->ends);
    if (st != DC_OK || !w->numbered) return st;
    memset(w->numbers, 0, (size_t)n * w->id_bytes);
    for (dc_gidx i = 0; i < n; i++) {
        const int length = snprintf(digits, sizeof digits, "%lld", (long long)w->row + (long long)i);
        memcpy(w->numbers + (size_t)i * w->id_bytes, digits, (size_t)length);
    }
    w->sums.ids_hash += dc_h5_hash_rows(w->id_bytes, w->row, n, w->numbers);
    return put(w, w->places.ids, w->row, w->id_bytes, n, w->numbers);
}

dc_status dc_h5_sparse_append(dc_h5_sparse_writer *w, dc_gidx n, const int64_t *ptr, const int32_t *col,
                              const void *val, const int32_t *label, const char *ids, const char *texts)
{
    dc_status st = DC_OK;
    if (n == 0) return DC_OK;
    const int64_t entries = ptr[n] - ptr[0], entry = w->entry;
    DC_ASSERT(w->row + n <= w->N && entry + entries <= w->nnz && ascends(w, n, ptr, col));
    DC_ASSERT(w->has_labels == (label != NULL) && w->numbered == (ids == NULL) &&
              (w->text_bytes > 0) == (texts != NULL));
    dc_heartbeat();
    DC_TRY(put(w, w->places.indices, entry, sizeof *col, entries, col));
    DC_TRY(put(w, w->places.data, entry, w->value_bytes, entries, val));
    if (label) DC_TRY(put(w, w->places.codes, w->row, sizeof *label, n, label));
    if (label) w->sums.codes_hash += dc_h5_hash_rows(sizeof *label, w->row, n, label);
    if (ids) DC_TRY(put(w, w->places.ids, w->row, w->id_bytes, n, ids));
    if (ids) w->sums.ids_hash += dc_h5_hash_rows(w->id_bytes, w->row, n, ids);
    if (texts) DC_TRY(put(w, w->places.texts, w->row, w->text_bytes, n, texts));
    if (texts) w->sums.texts_hash += dc_h5_hash_rows(w->text_bytes, w->row, n, texts);
    w->sums.rows_hash += dc_h5_hash_sparse(w->value_bytes, w->row, n, ptr, col, val);
    for (dc_gidx lo = 0; lo < n; lo += PIECE_ROWS) {
        const dc_gidx m = DC_MIN(n - lo, (dc_gidx)PIECE_ROWS);
        DC_TRY(put_piece(w, m, ptr + lo, entry + ptr[lo] - ptr[0]));
        w->row += m;
    }
    w->entry += entries;
    w->sums.rows += n;
    w->sums.entries += entries;
out:
    return st;
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

/* Whether the file holds what was written, read through the library. */
static dc_status verify(const dc_h5_sparse_writer *w)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    uint64_t rows = 0, codes = 0, ids = 0, texts = 0;
    const dc_gidx n = w->sums.rows;
    if (n == 0) return DC_OK;
    DC_TRY(dc_h5_open(&h5, w->part, DC_H5_READ));
    DC_TRY(dc_h5_hash_sparse_range(h5, "/X", w->first, n, &rows));
    DC_TRY(dc_h5_hash_range(h5, "/obs/_index", w->first, n, &ids));
    if (w->has_labels) DC_TRY(dc_h5_hash_range(h5, "/obs/label/codes", w->first, n, &codes));
    if (w->text_bytes) DC_TRY(dc_h5_hash_range(h5, "/obs/text", w->first, n, &texts));
out:;
    const dc_status closed = dc_h5_close(&h5);
    if (st == DC_OK) st = closed;
    if (st == DC_ERR_FORMAT) dc_error_clear();
    if (st != DC_OK && st != DC_ERR_FORMAT) return st;
    if (st == DC_OK && rows == w->sums.rows_hash && ids == w->sums.ids_hash && codes == w->sums.codes_hash &&
        texts == w->sums.texts_hash && !dc_fault(DC_FAULT_RESULT_VERIFY))
        return DC_OK;
    return DC_FAIL(DC_ERR_IO,
                   "%s: rows %lld to %lld were not written although no error was reported; check the file system",
                   w->part, (long long)w->first, (long long)(w->row - 1));
}

dc_status dc_h5_sparse_end(dc_h5_sparse_writer **writer, dc_h5_sparse_sums *sums)
{
    dc_h5_sparse_writer *w = *writer;
    dc_status st = dc_h5_slab_close(w->part, &w->fd);
    if (st == DC_OK) st = verify(w);
    *sums = w->sums;
    release(writer);
    return st;
}

void dc_h5_sparse_drop(dc_h5_sparse_writer **writer)
{
    /* The first error is kept: it does not matter whether an abandoned file reaches the disk. */
    if (*writer) (void)!dc_h5_slab_close((*writer)->part, &(*writer)->fd);
    release(writer);
}
