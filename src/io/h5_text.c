/* Datasets of strings. Our strings have a fixed length, so that their rows are arrays like all others. Strings of other
 * programs have any length and padding, and are passed to a visitor one by one. The memory that one piece may take for
 * strings of variable length is limited, because every row of a damaged file may point at the same long string. */
#include "h5_private.h"

#include <string.h>

#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"

enum { PIECE_ROWS = 1 << 14, PIECE_BYTES = 64 << 20 };

static hid_t type_of(size_t bytes)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, DC_MAX(bytes, (size_t)1));
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

dc_status dc_h5_create_text(dc_h5 *h5, const char *name, size_t bytes, dc_gidx N)
{
    return dc_h5_make_dataset(h5, name, type_of(bytes), 1, &(hsize_t){(hsize_t)N});
}

dc_status dc_h5_put_table(dc_h5 *h5, const char *name, size_t bytes, dc_gidx rows, dc_gidx columns, const char *in)
{
    const hsize_t dims[] = {(hsize_t)rows, (hsize_t)columns};
    const dc_status st = dc_h5_make_dataset(h5, name, type_of(bytes), 2, dims);
    return st == DC_OK ? dc_h5_write_rows(h5, name, DC_H5_TEXT, 0, rows, in) : st;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* Memory for one piece's strings of variable length. It is taken from the front and given back as a whole, even after a
 * read that failed half-way. */
typedef struct {
    char *memory; /* [PIECE_BYTES] pages */
    size_t used;
} heap;

static void *take(size_t bytes, void *ctx)
{
    heap *h = ctx;
    const size_t rounded = (bytes + 7) / 8 * 8;
    if (rounded < bytes || rounded > PIECE_BYTES - h->used) return NULL;
    h->used += rounded;
    return h->memory + h->used - rounded;
}

static void give_back(void *p, void *ctx)
{
    (void)p;
    (void)ctx;
}

typedef struct {
    dc_h5 *h5;
    const char *name;
    hid_t dset, type;
    size_t item; /* bytes of a string, or of a pointer to one */
    bool variable;
    H5T_str_t padding;
    dc_h5_text_visitor visit;
    void *ctx;
    heap strings;
} reading;

static size_t length_of(const reading *r, const char *text)
{
    if (r->variable) return text ? strlen(text) : 0;
    size_t n = strnlen(text, r->item);
    if (r->padding == H5T_STR_SPACEPAD)
        while (n > 0 && text[n - 1] == ' ') n--;
    return n;
}

static dc_status visit_piece(const reading *r, dc_gidx n, const char *items)
{
    for (dc_gidx i = 0; i < n; i++) {
        const char *item = items + (size_t)i * r->item, *text = item;
        if (r->variable) memcpy(&text, item, sizeof text);
        const dc_status st = r->visit(r->ctx, text ? text : "", length_of(r, text));
        if (st != DC_OK) return st;
    }
    return DC_OK;
}

static dc_status read_piece(reading *r, dc_gidx row, dc_gidx n, char *items)
{
    hid_t mem_space = -1;
    const hid_t file_space = H5Dget_space(r->dset), dxpl = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_vlen_mem_manager(dxpl, take, &r->strings, give_back, NULL);
    r->strings.used = 0;
    dc_status st = dc_h5_select_rows(file_space, row, n, &mem_space);
    memset(items, 0, (size_t)n * r->item);
    dc_heartbeat();
    if (st == DC_OK && H5Dread(r->dset, r->type, mem_space, file_space, dxpl, items) < 0)
        st = DC_FAIL(dc_h5_read_error(), "cannot read text of '%s' (rows from %lld) of %s: %s; the file is damaged",
                     r->name, (long long)row, r->h5->path, dc_h5_error());
    if (st == DC_OK) st = visit_piece(r, n, items);
    dc_h5_drop(mem_space);
    dc_h5_drop(file_space);
    dc_h5_drop(dxpl);
    return st;
}

static dc_status check_text(dc_h5 *h5, const char *name, const dc_h5_info *info, dc_gidx row, dc_gidx n)
{
    int64_t width;
    if (!info->text) return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' holds %s, not text", h5->path, name, info->type_name);
    const dc_status st = dc_h5_row_width(h5->path, name, info, &width);
    if (st != DC_OK) return st;
    const dc_gidx rows = info->n_dims ? info->dims[0] : 1;
    if (width == 1 && row >= 0 && n >= 0 && row <= rows && n <= rows - row) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' has %lld rows of %lld texts; rows %lld to %lld are not a list of texts",
                   h5->path, name, (long long)rows, (long long)width, (long long)row, (long long)(row + n));
}

/* Number of rows read at a time; fewer if strings are long, since even 1 MiB each is legal. */
static dc_gidx rows_at_a_time(const reading *r)
{
    return DC_MAX((dc_gidx)1, DC_MIN((dc_gidx)PIECE_ROWS, (dc_gidx)(PIECE_BYTES / r->item)));
}

dc_status dc_h5_read_text(dc_h5 *h5, const char *name, dc_gidx row, dc_gidx n, dc_h5_text_visitor visit, void *ctx)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    char *items = NULL;
    reading r = {.h5 = h5, .name = name, .dset = -1, .type = -1, .visit = visit, .ctx = ctx};
    DC_TRY(dc_h5_open_dataset(h5, name, &r.dset));
    DC_TRY(dc_h5_describe(h5, name, r.dset, &info));
    DC_TRY(dc_h5_check_storage(h5, name, r.dset, &info));
    DC_TRY(check_text(h5, name, &info, row, n));
    r.type = H5Dget_type(r.dset);
    r.item = H5Tget_size(r.type);
    r.variable = H5Tis_variable_str(r.type) > 0;
    r.padding = H5Tget_strpad(r.type);
    const dc_gidx step = rows_at_a_time(&r);
    if (r.variable) DC_TRY(dc_mem_alloc_pages(&r.strings.memory, PIECE_BYTES, 1, "texts"));
    DC_TRY(dc_mem_alloc_raw(&items, (size_t)DC_MIN(step, DC_MAX(n, (dc_gidx)1)), r.item, "texts"));
    for (dc_gidx at = 0; at < n; at += step) DC_TRY(read_piece(&r, row + at, DC_MIN(step, n - at), items));
out:
    dc_mem_free(&items);
    dc_mem_free(&r.strings.memory);
    dc_h5_drop(r.type);
    dc_h5_drop(r.dset);
    return st;
}
