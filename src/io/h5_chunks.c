/* Asks the HDF5 library how a dataset in chunks is stored. H5Dget_chunk_info() of HDF5 1.10 walks through the whole
 * index for every chunk; so each chunk is looked up by H5Dread_chunk(), through our own driver, which notes the place
 * instead of reading it. */
#include <string.h>

#include "chunks.h"
#include "dcmpi/heartbeat.h"
#include "h5_image.h"
#include "h5_private.h"

/* ---- How it is cut and filtered ---------------------------------------------------------------------------------- */

static dc_status fail_filter(const dc_h5 *h5, const char *name, H5Z_filter_t id, const char *filter)
{
    static const struct {
        H5Z_filter_t id;
        const char *name;
    } known[] = {{H5Z_FILTER_SZIP, "szip"}, {H5Z_FILTER_NBIT, "nbit"}, {H5Z_FILTER_SCALEOFFSET, "scaleoffset"}};
    for (size_t i = 0; i < DC_COUNT_OF(known); i++)
        if (known[i].id == id) filter = known[i].name;
    return DC_FAIL(DC_ERR_FORMAT,
                   "%s: '%s' is packed by filter %d (%s), which only rows in memory may be: h5repack -f GZIP=1 or "
                   "dcmpi convert makes a file that streams",
                   h5->path, name, (int)id, filter);
}

static dc_status read_filters(const dc_h5 *h5, const char *name, hid_t dcpl, dc_chunk_layout *l)
{
    l->n_filters = H5Pget_nfilters(dcpl);
    if (l->n_filters > DC_CHUNK_FILTERS_MAX)
        return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' is packed by %d filters, more than %d", h5->path, name, l->n_filters,
                       DC_CHUNK_FILTERS_MAX);
    for (int i = 0; i < l->n_filters; i++) {
        unsigned flags, config, value = 0;
        size_t n_values = 1;
        char text[64] = "";
        const H5Z_filter_t id =
            H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, &value, sizeof text, text, &config);
        switch (id) {
        case H5Z_FILTER_DEFLATE:
            l->filter[i] = DC_CHUNK_DEFLATE;
            break;
        case H5Z_FILTER_SHUFFLE:
            l->filter[i] = DC_CHUNK_SHUFFLE;
            if (value != l->item_bytes)
                return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' was shuffled as items of %u bytes, but has %zu", h5->path, name,
                               value, l->item_bytes);
            break;
        case H5Z_FILTER_FLETCHER32:
            l->filter[i] = DC_CHUNK_FLETCHER32;
            break;
        default:
            return fail_filter(h5, name, id, text);
        }
    }
    return DC_OK;
}

static void read_fill(hid_t dset, hid_t dcpl, dc_chunk_layout *l)
{
    H5D_fill_value_t kind;
    H5D_fill_time_t time;
    const hid_t type = H5Dget_type(dset);
    l->has_fill = H5Pfill_value_defined(dcpl, &kind) >= 0 && kind != H5D_FILL_VALUE_UNDEFINED &&
                  H5Pget_fill_time(dcpl, &time) >= 0 && time != H5D_FILL_TIME_NEVER &&
                  H5Pget_fill_value(dcpl, type, l->fill) >= 0;
    dc_h5_drop(type);
}

static bool read_shape(const dc_h5_info *info, hid_t dcpl, dc_chunk_layout *l)
{
    hsize_t chunk[DC_H5_MAX_DIMS];
    int64_t items = 1;
    l->n_dims = info->n_dims;
    l->item_bytes = info->item_bytes;
    l->per_band = 1;
    if (l->n_dims < 1 || H5Pget_layout(dcpl) != H5D_CHUNKED || H5Pget_chunk(dcpl, DC_H5_MAX_DIMS, chunk) != l->n_dims)
        return false;
    bool ok = l->item_bytes >= 1 && l->item_bytes <= DC_CHUNK_ITEM_MAX;
    for (int i = 0; i < l->n_dims; i++) {
        ok = ok && chunk[i] >= 1 && chunk[i] <= UINT32_MAX;
        if (!ok) return false;
        l->dims[i] = info->dims[i];
        l->chunk[i] = (int64_t)chunk[i];
        const int64_t n = l->dims[i] / l->chunk[i] + (l->dims[i] % l->chunk[i] > 0);
        if (i == 0) l->bands = n;
        ok = !__builtin_mul_overflow(items, l->chunk[i], &items) &&
             (i == 0 || !__builtin_mul_overflow(l->per_band, n, &l->per_band));
    }
    l->chunk_bytes = dc_mul_size((size_t)items, l->item_bytes);
    return ok && l->chunk_bytes <= UINT32_MAX; /* HDF5 allows no more */
}

dc_status dc_h5_chunk_layout(dc_h5 *h5, const char *name, dc_chunk_layout *l)
{
    dc_status st = DC_OK;
    hid_t dset = -1, dcpl = -1;
    unsigned options = 0;
    dc_h5_info info;
    memset(l, 0, sizeof *l);
    DC_TRY(dc_h5_open_dataset(h5, name, &dset));
    DC_TRY(dc_h5_describe(h5, name, dset, &info));
    dcpl = H5Dget_create_plist(dset);
    if (dcpl < 0 || !read_shape(&info, dcpl, l))
        DC_TRY(DC_FAIL(DC_ERR_FORMAT,
                       "%s: '%s' is neither in one piece nor in chunks of numbers; dcmpi convert makes a file "
                       "that streams",
                       h5->path, name));
    DC_TRY(read_filters(h5, name, dcpl, l));
    read_fill(dset, dcpl, l);
    l->plain_edges = H5Pget_chunk_opts(dcpl, &options) >= 0 && (options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
out:
    dc_h5_drop(dcpl);
    dc_h5_drop(dset);
    return st;
}

dc_status dc_h5_get_packing(dc_h5 *h5, const char *name, dc_h5_packing *out)
{
    dc_chunk_layout l;
    *out = (dc_h5_packing){0};
    const dc_status st = dc_h5_chunk_layout(h5, name, &l);
    if (st != DC_OK) return st;
    out->chunk_bytes = l.chunk_bytes;
    out->band_bytes = dc_mul_size(l.chunk_bytes, (size_t)l.per_band);
    if (__builtin_mul_overflow(l.bands, l.per_band, &out->chunks)) out->chunks = INT64_MAX;
    return DC_OK;
}

/* ---- Where its chunks are ---------------------------------------------------------------------------------------- */

static dc_status fail_chunk(const dc_h5 *h5, const char *name, const hsize_t *start, const char *wrong)
{
    return DC_FAIL(DC_ERR_FORMAT,
                   "%s: '%s' is damaged or incomplete: the chunk of row %lld %s; make the file again, or copy it with "
                   "h5repack",
                   h5->path, name, (long long)start[0], wrong);
}

/* Whether the chunk reaches over the end of the dataset. */
static bool is_edge(const dc_chunk_layout *l, const hsize_t *start)
{
    for (int i = 0; i < l->n_dims; i++)
        if ((int64_t)start[i] > l->dims[i] - l->chunk[i]) return true;
    return false;
}

/* *bytes = packed length of a chunk, 0: it is not stored. HDF5 1.10 says the latter by an error. */
static bool find_bytes(hid_t dset, const hsize_t *start, hsize_t *bytes)
{
    if (H5Dget_chunk_storage_size(dset, start, bytes) >= 0) return true;
    *bytes = 0;
    return strcmp(dc_h5_error(), "chunk storage is not allocated") == 0;
}

static dc_status find_chunk(dc_h5 *h5, const char *name, hid_t dset, const dc_chunk_layout *l, const hsize_t *start,
                            dc_chunk_place *out)
{
    static char nothing[1];
    hsize_t bytes = 0;
    uint32_t skipped = 0;
    *out = (dc_chunk_place){.at = -1};
    if (!find_bytes(dset, start, &bytes)) return fail_chunk(h5, name, start, "cannot be found in the index");
    if (bytes == 0) return l->has_fill ? DC_OK : fail_chunk(h5, name, start, "is missing, and there is no fill value");
    if (bytes > dc_chunk_room(l)) return fail_chunk(h5, name, start, "is longer than a chunk can be");
    dc_h5_image_note(h5->image, true);
    const bool found = H5Dread_chunk(dset, H5P_DEFAULT, start, &skipped, nothing) >= 0;
    dc_h5_image_note(h5->image, false);
    out->at = dc_h5_image_noted(h5->image, (size_t)bytes);
    if (!found || out->at < 0) return fail_chunk(h5, name, start, "is not where the index says");
    if (out->at > h5->state.bytes - (int64_t)bytes)
        return fail_chunk(h5, name, start, "lies beyond the end of the file");
    out->bytes = (uint32_t)bytes;
    out->skipped = l->plain_edges && is_edge(l, start) ? UINT32_MAX : skipped;
    return DC_OK;
}

/* The next chunk in row order. */
static void advance(const dc_chunk_layout *l, hsize_t *start)
{
    for (int i = l->n_dims - 1; i >= 0; i--) {
        start[i] += (hsize_t)l->chunk[i];
        if (i == 0 || (int64_t)start[i] < l->dims[i]) return;
        start[i] = 0;
    }
}

dc_status dc_h5_chunk_places(dc_h5 *h5, const char *name, const dc_chunk_layout *l, int64_t band, int64_t bands,
                             dc_chunk_place *out)
{
    dc_status st = DC_OK;
    hid_t dset = -1;
    hsize_t start[DC_H5_MAX_DIMS] = {(hsize_t)(band * l->chunk[0])};
    DC_ASSERT(h5->image);
    DC_TRY(dc_h5_open_dataset(h5, name, &dset));
    for (int64_t k = 0; k < bands * l->per_band; k++) {
        DC_TRY(find_chunk(h5, name, dset, l, start, &out[k]));
        if (k % 4096 == 0) dc_heartbeat();
        advance(l, start);
    }
out:
    dc_h5_drop(dset);
    return st;
}
