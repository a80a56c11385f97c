/* HDF5 files in memory: made there and handed out as bytes, or read from bytes. What has to be checksummed as a whole,
 * or written without the library touching the disk, goes this way. */
#include "h5_private.h"

#include <string.h>

#include "dcmpi/mem.h"

/* What a file holds besides the values: headers of objects and attributes. */
enum { HEADERS_BYTES = 256 << 10 };
/* The library wants a name, and minds a file of that name. */
static const char nowhere[] = "/dev/null/dcmpi";

static dc_status make_handle(dc_h5 **out, const char *name, dc_h5_mode mode, size_t bytes)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    *out = NULL;
    dc_h5_setup();
    DC_TRY(dc_mem_alloc(&h5, 1, sizeof *h5, "HDF5 handle"));
    *h5 = (dc_h5){.file = -1, .mode = mode, .in_memory = true, .state.bytes = (int64_t)bytes};
    DC_TRY(dc_mem_alloc(&h5->path, strlen(name) + 1, 1, "file name"));
    memcpy(h5->path, name, strlen(name) + 1);
    *out = h5;
    return DC_OK;
out:
    dc_mem_free(&h5);
    return st;
}

static void release_handle(dc_h5 **h5)
{
    if (!*h5) return;
    dc_mem_free(&(*h5)->path);
    dc_mem_free(h5);
}

/* Access list of a file that stays in memory. The caller drops it. The oldest layout: HDF5 1.10 hands out images of
 * newer ones with a superblock whose checksum is wrong. */
static hid_t memory_access(size_t grow_bytes)
{
    const hid_t fapl = dc_h5_access();
    H5Pset_libver_bounds(fapl, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
    H5Pset_fapl_core(fapl, grow_bytes, false);
    return fapl;
}

/* The library takes memory in steps of one size, and moves all it has with each: the first step should be the last. */
dc_status dc_h5_image_create(dc_h5 **out, const char *name, size_t bytes)
{
    dc_status st = make_handle(out, name, DC_H5_CREATE, 0);
    if (st != DC_OK) return st;
    const hid_t fapl = memory_access(bytes + HEADERS_BYTES), fcpl = dc_h5_creation();
    (*out)->file = H5Fcreate(nowhere, H5F_ACC_TRUNC, fcpl, fapl);
    if ((*out)->file < 0) {
        st = DC_FAIL(DC_ERR_MEMORY, "cannot make the image of %s: %s", name, dc_h5_error());
        release_handle(out);
    }
    dc_h5_drop(fcpl);
    dc_h5_drop(fapl);
    return st;
}

dc_status dc_h5_image_take(dc_h5 *h5, void **data, size_t *bytes)
{
    *data = NULL;
    *bytes = 0;
    if (H5Fflush(h5->file, H5F_SCOPE_LOCAL) < 0)
        return DC_FAIL(DC_ERR_MEMORY, "cannot finish the image of %s: %s", h5->path, dc_h5_error());
    const ssize_t size = H5Fget_file_image(h5->file, NULL, 0);
    if (size < 0) return DC_FAIL(DC_ERR_INTERNAL, "no image of %s: %s", h5->path, dc_h5_error());
    const dc_status st = dc_mem_alloc_raw(data, (size_t)size, 1, "file image");
    if (st != DC_OK) return st;
    if (H5Fget_file_image(h5->file, *data, (size_t)size) != size) {
        dc_mem_free(data);
        return DC_FAIL(DC_ERR_INTERNAL, "no image of %s: %s", h5->path, dc_h5_error());
    }
    *bytes = (size_t)size;
    return DC_OK;
}

dc_status dc_h5_image_open(dc_h5 **out, const char *name, const void *data, size_t bytes)
{
    dc_status st = make_handle(out, name, DC_H5_READ, bytes);
    if (st != DC_OK) return st;
    const hid_t fapl = memory_access(HEADERS_BYTES);
    /* The library copies the bytes and leaves them alone: its prototype forgot the const. */
    H5Pset_file_image(fapl, (void *)(uintptr_t)data, bytes);
    (*out)->file = H5Fopen(nowhere, H5F_ACC_RDONLY, fapl);
    if ((*out)->file < 0) {
        st = DC_FAIL(DC_ERR_FORMAT, "%s is not an HDF5 file, or damaged: %s", name, dc_h5_error());
        release_handle(out);
    }
    dc_h5_drop(fapl);
    return st;
}
