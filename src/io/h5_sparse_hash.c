/* The checksum of the rows of a sparse data file. In a row, all columns come before all values; so both are read by
 * windows of their own, and a row may be longer than a window. */
#define XXH_STATIC_LINKING_ONLY /* for states on the stack */
#include <xxhash.h>

#include "h5_sparse_private.h"

#include "dcmpi/mem.h"

enum { WINDOW_BYTES = 4 << 20, WINDOW_ROWS = 1 << 16 };

/* Elements [at, at + n) of a dataset of `total` elements; `used` of them are consumed. */
typedef struct {
    dc_h5 *h5;
    char name[DC_H5_NAME_MAX];
    dc_h5_type type;
    size_t each;
    int64_t at, n, used, total;
    char *data; /* owned */
} window;

static dc_status open_window(window *w, dc_h5 *h5, const char *group, const char *array, int64_t from)
{
    dc_h5_info info;
    w->h5 = h5;
    snprintf(w->name, sizeof w->name, "%s/%s", group, array);
    const dc_status st = dc_h5_dataset_info(h5, w->name, &info);
    if (st != DC_OK) return st;
    w->type = info.type;
    w->each = info.item_bytes;
    w->total = info.n_dims == 1 ? info.dims[0] : 0;
    w->at = from;
    if (!info.exact || info.text || info.n_dims != 1)
        return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is stored in a type that dcmpi does not write", h5->path, w->name);
    return dc_mem_alloc_raw(&w->data, WINDOW_BYTES, 1, "values to hash");
}

static dc_status refill(window *w)
{
    w->at += w->n;
    w->used = 0;
    w->n = DC_MIN((int64_t)(WINDOW_BYTES / w->each), w->total - w->at);
    return dc_h5_read_rows(w->h5, w->name, w->type, w->at, w->n, w->data);
}

/* Hashes the next n elements. */
static dc_status feed(window *w, int64_t n, XXH3_state_t *state)
{
    while (n > 0) {
        if (w->used == w->n) {
            const dc_status st = refill(w);
            if (st != DC_OK) return st;
        }
        const int64_t m = DC_MIN(n, w->n - w->used);
        XXH3_64bits_update(state, w->data + (size_t)w->used * w->each, (size_t)m * w->each);
        w->used += m;
        n -= m;
    }
    return DC_OK;
}

static dc_status fail_ends(dc_h5 *h5, const char *name, dc_gidx row)
{
    return DC_FAIL(DC_ERR_FORMAT, "%s: '%s/indptr' is damaged: row %lld does not end where a row can", h5->path, name,
                   (long long)row);
}

/* Rows [row, row + n), whose bounds are ends[0..n]. */
static dc_status hash_rows(dc_h5 *h5, const char *name, window *col, window *val, dc_gidx row, dc_gidx n,
                           const int64_t *ends, uint64_t *hash)
{
    dc_status st = DC_OK;
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    for (dc_gidx i = 0; i < n; i++) {
        const int64_t entries = ends[i + 1] - ends[i];
        if (ends[i] < 0 || entries < 0 || ends[i + 1] > col->total || ends[i + 1] > val->total)
            return fail_ends(h5, name, row + i);
        XXH3_64bits_reset_withSeed(&state, (uint64_t)(row + i));
        DC_TRY(feed(col, entries, &state));
        DC_TRY(feed(val, entries, &state));
        *hash += XXH3_64bits_digest(&state);
    }
out:
    return st;
}

dc_status dc_h5_hash_sparse_range(dc_h5 *h5, const char *name, dc_gidx first, dc_gidx n, uint64_t *hash)
{
    dc_status st = DC_OK;
    window col = {0}, val = {0};
    char indptr[DC_H5_NAME_MAX];
    int64_t *ends = NULL;
    *hash = 0;
    snprintf(indptr, sizeof indptr, "%s/indptr", name);
    DC_TRY(dc_mem_alloc_raw(&ends, WINDOW_ROWS + 1, sizeof *ends, "ends of rows"));
    DC_TRY(dc_h5_read_rows(h5, indptr, DC_H5_I64, first, 1, ends));
    DC_TRY(open_window(&col, h5, name, "indices", ends[0]));
    DC_TRY(open_window(&val, h5, name, "data", ends[0]));
    if (ends[0] < 0 || ends[0] > col.total || ends[0] > val.total) DC_TRY(fail_ends(h5, name, first));
    for (dc_gidx row = first; row < first + n; row += WINDOW_ROWS) {
        const dc_gidx m = DC_MIN((dc_gidx)WINDOW_ROWS, first + n - row);
        DC_TRY(dc_h5_read_rows(h5, indptr, DC_H5_I64, row, m + 1, ends));
        DC_TRY(hash_rows(h5, name, &col, &val, row, m, ends, hash));
    }
out:
    dc_mem_free(&ends);
    dc_mem_free(&col.data);
    dc_mem_free(&val.data);
    return st;
}
