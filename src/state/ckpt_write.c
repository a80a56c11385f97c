/* Checkpoint files, written in pieces by rank 0.
 *
 * The file is an HDF5 file: its headers first, then the values of the arrays in the order in which they were
 * registered, then the trailer. The HDF5 library only makes the headers, in memory (dc_h5_image_create). It never
 * writes to the disk, because after a disk error it may crash or hang; and it is never given the values, because it
 * would only copy them. So every byte is written here, once and in order, and a running checksum covers all bytes. A
 * disk error is an error of one of our own calls. Besides the arrays, memory holds only the headers and one piece.
 *
 * Rank 0 is the only writer, even of tables whose rows lie on all ranks: their pieces come to it in row order
 * (state.h). If each rank wrote its own blocks, we would need a checksum per block, an answer to a disk that fails on
 * one rank alone, and a file system that shows all ranks the same bytes at once. The file would also depend on the
 * number of ranks, or have to hide it. The price of one writer: all values pass through one rank, at the speed of its
 * network or its disk, whichever is slower. */
#include <string.h>

#include "ckpt_priv.h"
#include "dcmpi/file.h"
#include "dcmpi/mem.h"

/* Room for the headers: a fixed size for the file, another for each array, and 4 bytes for each byte of the deck; the
 * sum is rounded up to whole steps. HDF5 needs about a quarter of it. */
enum { FILE_HEADERS = 32 << 10, ARRAY_HEADERS = 2 << 10, HEADERS_STEP = 4 << 10 };

struct dc_ckpt_writer {
    dc_file_new file;
    dc_state_array array[DC_STATE_ARRAYS_MAX];
    int n, at;   /* number of arrays; the one whose values come next */
    size_t left; /* bytes of that array which are still to come */
};

/* Makes a dataset for each array. They must lie behind the headers, in order and without gaps. */
static dc_status make_places(dc_h5 *h5, const dc_state_array *array, int n, size_t headers_bytes, size_t *end)
{
    dc_status st = DC_OK;
    *end = headers_bytes;
    DC_TRY(dc_h5_create_group(h5, dc_ckpt_group));
    for (int i = 0; i < n; i++) {
        const dc_state_array *a = &array[i];
        const dc_gidx dims[2] = {(dc_gidx)(a->width ? a->n / a->width : a->n), (dc_gidx)a->width};
        char name[DC_H5_NAME_MAX];
        int64_t place;
        snprintf(name, sizeof name, "%s/%s", dc_ckpt_group, a->name);
        DC_TRY(dc_h5_create_dataset(h5, name, dc_ckpt_type[a->type], a->width ? 2 : 1, dims));
        DC_TRY(dc_h5_place(h5, name, &place));
        if (a->n && (size_t)place != *end)
            return DC_FAIL(DC_ERR_INTERNAL, "the HDF5 library put '%s' at byte %lld, not %zu", name, (long long)place,
                           *end);
        *end += a->n * dc_state_type_bytes(a->type);
    }
out:
    return st;
}

static dc_status make_headers(const char *path, const dc_ckpt_header *header, const dc_state_array *array, int n,
                              void **headers, size_t *headers_bytes, size_t *bytes)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    size_t end;
    const size_t room = FILE_HEADERS + 4 * strlen(header->deck) + (size_t)n * ARRAY_HEADERS;
    *headers_bytes = (room + HEADERS_STEP - 1) / HEADERS_STEP * HEADERS_STEP;
    DC_TRY(dc_h5_image_create(&h5, path, *headers_bytes));
    DC_TRY(dc_ckpt_put_header(h5, header));
    DC_TRY(make_places(h5, array, n, *headers_bytes, &end));
    DC_TRY(dc_h5_image_take(&h5, headers, bytes));
    if (*bytes != end)
        st = DC_FAIL(DC_ERR_INTERNAL, "the HDF5 library ends %s at byte %zu, not %zu", path, *bytes, end);
out:
    (void)!dc_h5_close(&h5);
    return st;
}

/* Moves `at` on to the next array that has values, if it is not at one. */
static void next_array(dc_ckpt_writer *w)
{
    while (w->at < w->n && w->array[w->at].n == 0) w->at++;
    w->left = w->at < w->n ? w->array[w->at].n * dc_state_type_bytes(w->array[w->at].type) : 0;
}

dc_status dc_ckpt_begin(dc_ckpt_writer **out, const char *path, const dc_ckpt_header *header,
                        const dc_state_array *array, int n)
{
    dc_status st = DC_OK;
    dc_ckpt_writer *w = NULL;
    void *headers = NULL;
    size_t headers_bytes, bytes;
    DC_ASSERT(n <= DC_STATE_ARRAYS_MAX);
    DC_TRY(dc_mem_alloc(&w, 1, sizeof *w, "writer of checkpoints"));
    memcpy(w->array, array, (size_t)n * sizeof *array);
    w->n = n;
    next_array(w);
    DC_TRY(make_headers(path, header, array, n, &headers, &headers_bytes, &bytes));
    DC_TRY(dc_file_begin(&w->file, path, bytes + DC_CKPT_TRAILER_BYTES));
    st = dc_file_put(&w->file, headers, headers_bytes);
    if (st != DC_OK) st = dc_file_end(&w->file, st);
out:
    dc_mem_free(&headers);
    if (st != DC_OK) dc_mem_free(&w);
    *out = w;
    return st;
}

dc_status dc_ckpt_put(dc_ckpt_writer *w, const void *data, size_t bytes)
{
    const dc_state_array *a = &w->array[w->at];
    DC_ASSERT(bytes <= w->left);
    if (!dc_ckpt_is_finite(a->type, data, bytes / dc_state_type_bytes(a->type)))
        return DC_FAIL(DC_ERR_NUMERIC, "'%s' holds a value that is not finite", a->name);
    w->left -= bytes;
    if (w->left == 0) {
        w->at++;
        next_array(w);
    }
    return dc_file_put(&w->file, data, bytes);
}

static dc_status put_trailer(dc_file_new *file)
{
    char trailer[DC_CKPT_TRAILER_BYTES];
    uint64_t high, low;
    dc_file_hash(file, &high, &low);
    dc_ckpt_make_trailer(trailer, high, low);
    return dc_file_put(file, trailer, sizeof trailer);
}

dc_status dc_ckpt_end(dc_ckpt_writer **writer, dc_status st, size_t *bytes)
{
    dc_ckpt_writer *w = *writer;
    DC_ASSERT(st != DC_OK || w->at == w->n);
    if (st == DC_OK) st = put_trailer(&w->file);
    *bytes = w->file.bytes;
    st = dc_file_end(&w->file, st);
    dc_mem_free(writer);
    return st;
}
