/* HDF5 files for which the library does not access the disk itself: it works through a driver (H5FD) of our own.
 *
 * Writing: the headers of a new file (superblock, groups, attributes, descriptions of datasets) are in memory. Its
 * arrays get addresses behind the headers, in the order of their creation, but the values never pass through here. The
 * caller writes the headers to disk, and then the values in that order. So a failing disk shows up in the caller's own
 * calls (HDF5 1.10 would crash or hang later, or say nothing), and a checksum can cover every byte that goes to disk.
 * Reading: the HDF5 file is a part of an open file, which the driver reads with pread. The open file may have lost its
 * name, and what follows that part need not be HDF5. Instead of reading raw data the driver can also note where they
 * are. */
#include "h5_image.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dcmpi/mem.h"
#include "h5_private.h"

struct dc_h5_image {
    char *headers; /* [capacity], zeros at first; NULL for a file to be read */
    haddr_t capacity, used;
    haddr_t end; /* new file: end of the arrays, which begin at `capacity`; file to be read: its end */
    int fd;
    hid_t driver; /* registered until the file is closed */
    bool notes;   /* raw data are not read: */
    int reads;    /* how often the library asked for some, and the last it asked for */
    haddr_t noted;
    size_t noted_bytes;
};

/* ---- The driver -------------------------------------------------------------------------------------------------- */

typedef struct {
    H5FD_t library; /* must be first: the library's own part */
    struct dc_h5_image *image;
    haddr_t eoa; /* end of a file to be read, as the library sets it */
} opened;

static struct dc_h5_image *image_of(const H5FD_t *file)
{
    return ((const opened *)file)->image;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t fapl, haddr_t max)
{
    struct dc_h5_image *const *info = H5Pget_driver_info(fapl);
    opened *file = NULL;
    (void)name, (void)flags, (void)max;
    if (!info || dc_mem_alloc(&file, 1, sizeof *file, "file in memory") != DC_OK) return NULL;
    file->image = *info;
    return &file->library;
}

static herr_t driver_close(H5FD_t *file)
{
    dc_mem_free(&file);
    return 0;
}

/* Claims no features, so that the library does not group small blocks but asks for a place for each object. */
static herr_t driver_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = 0;
    return 0;
}

static haddr_t driver_alloc(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, hsize_t size)
{
    struct dc_h5_image *image = image_of(file);
    haddr_t *next = type == H5FD_MEM_DRAW ? &image->end : &image->used;
    (void)dxpl;
    if (next == &image->used && size > image->capacity - image->used) return HADDR_UNDEF;
    *next += size;
    return *next - size;
}

/* Does nothing: a freed place is never reused, so that the arrays stay in order. */
static herr_t driver_free(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t at, hsize_t size)
{
    (void)file, (void)type, (void)dxpl, (void)at, (void)size;
    return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    const struct dc_h5_image *image = image_of(file);
    (void)type;
    if (!image->headers) return ((const opened *)file)->eoa;
    return image->used == 0 ? 0 : image->end;
}

static herr_t driver_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t at)
{
    (void)type;
    ((opened *)file)->eoa = at;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *file, H5FD_mem_t type)
{
    const struct dc_h5_image *image = image_of(file);
    (void)type;
    return image->headers && image->used == 0 ? 0 : image->end;
}

/* Reports the error as the library's own drivers do, so that dc_h5_error() finds the cause. */
static herr_t fail_read(int cause)
{
    H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_VFL, H5E_READERROR,
             "file read failed: error message = '%s'", strerror(cause));
    return -1;
}

static herr_t read_disk(int fd, haddr_t at, size_t size, char *out)
{
    while (size > 0) {
        const ssize_t n = pread(fd, out, size, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail_read(n == 0 ? EIO : errno);
        out += n;
        at += (haddr_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static herr_t driver_read(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t at, size_t size, void *out)
{
    struct dc_h5_image *image = image_of(file);
    const haddr_t end = image->headers ? image->capacity : image->end;
    (void)dxpl;
    if (image->notes && type == H5FD_MEM_DRAW) {
        image->reads++;
        image->noted = at;
        image->noted_bytes = size;
        return 0;
    }
    if (at > end || size > end - at) return -1;
    if (!image->headers) return read_disk(image->fd, at, size, out);
    memcpy(out, image->headers + at, size);
    return 0;
}

void dc_h5_image_note(struct dc_h5_image *image, bool on)
{
    if (on) image->reads = 0;
    image->notes = on;
}

int64_t dc_h5_image_noted(const struct dc_h5_image *image, size_t bytes)
{
    const bool once = image->reads == 1 && image->noted_bytes == bytes && image->noted <= INT64_MAX;
    return once ? (int64_t)image->noted : -1;
}

static herr_t driver_write(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t at, size_t size, const void *in)
{
    struct dc_h5_image *image = image_of(file);
    (void)type, (void)dxpl;
    if (!image->headers || at > image->capacity || size > image->capacity - at) return -1;
    memcpy(image->headers + at, in, size);
    return 0;
}

static const H5FD_class_t driver = {.name = "dcmpi",
                                    .maxaddr = (haddr_t)1 << 62,
                                    .fc_degree = H5F_CLOSE_STRONG,
                                    .fapl_size = sizeof(struct dc_h5_image *),
                                    .open = driver_open,
                                    .close = driver_close,
                                    .query = driver_query,
                                    .alloc = driver_alloc,
                                    .free = driver_free,
                                    .get_eoa = driver_get_eoa,
                                    .set_eoa = driver_set_eoa,
                                    .get_eof = driver_get_eof,
                                    .read = driver_read,
                                    .write = driver_write,
                                    .fl_map = H5FD_FLMAP_DICHOTOMY};

/* The caller drops the list. The driver is registered anew for each file, because the library forgets it when MPI ends.
 * It stays registered until the file is closed: otherwise HDF5 1.10 would free the driver along with its last file and
 * then still call it. */
static hid_t access_through(struct dc_h5_image *image)
{
    const hid_t fapl = dc_h5_access();
    image->driver = H5FDregister(&driver);
    H5Pset_driver(fapl, image->driver, &image);
    return fapl;
}

/* ---- Handles ----------------------------------------------------------------------------------------------------- */

void dc_h5_image_release(struct dc_h5_image **image)
{
    if (!*image) return;
    if ((*image)->driver >= 0) H5FDunregister((*image)->driver);
    dc_mem_free(&(*image)->headers);
    dc_mem_free(image);
}

static void release(dc_h5 **h5)
{
    if (!*h5) return;
    dc_h5_image_release(&(*h5)->image);
    dc_mem_free(&(*h5)->path);
    dc_mem_free(h5);
}

static dc_status make_handle(dc_h5 **out, const char *name, dc_h5_mode mode, size_t bytes)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_setup();
    DC_TRY(dc_mem_alloc(&h5, 1, sizeof *h5, "HDF5 handle"));
    *h5 = (dc_h5){.file = -1,
                  .mode = mode,
                  .state.bytes = (int64_t)bytes,
                  .failed_drops = dc_h5_failed_drops(),
                  .refused_calls = dc_h5_refused_calls()};
    DC_TRY(dc_mem_alloc(&h5->path, strlen(name) + 1, 1, "file name"));
    memcpy(h5->path, name, strlen(name) + 1);
    DC_TRY(dc_mem_alloc(&h5->image, 1, sizeof *h5->image, "file in memory"));
    *h5->image = (struct dc_h5_image){.end = bytes, .fd = -1, .driver = -1};
out:
    if (st != DC_OK) release(&h5);
    *out = h5;
    return st;
}

dc_status dc_h5_image_create(dc_h5 **out, const char *name, size_t headers_bytes)
{
    dc_status st = make_handle(out, name, DC_H5_CREATE, headers_bytes);
    if (st != DC_OK) return st;
    struct dc_h5_image *image = (*out)->image;
    image->capacity = headers_bytes;
    st = dc_mem_alloc(&image->headers, headers_bytes, 1, "headers of a file");
    if (st == DC_OK) {
        const hid_t fapl = access_through(image), fcpl = dc_h5_creation();
        (*out)->file = H5Fcreate(name, H5F_ACC_TRUNC, fcpl, fapl);
        if ((*out)->file < 0) st = DC_FAIL(DC_ERR_MEMORY, "cannot make the headers of %s: %s", name, dc_h5_error());
        dc_h5_drop(fcpl);
        dc_h5_drop(fapl);
    }
    if (st != DC_OK) release(out);
    return st;
}

dc_status dc_h5_image_take(dc_h5 **h5, void **headers, size_t *bytes)
{
    struct dc_h5_image *image = (*h5)->image;
    dc_status st = DC_OK;
    *headers = NULL;
    const bool closed = dc_h5_drop_file((*h5)->file) && dc_h5_failed_drops() == (*h5)->failed_drops;
    if (!closed) st = DC_FAIL(DC_ERR_MEMORY, "cannot finish the headers of %s: %s", (*h5)->path, dc_h5_error());
    if (closed) {
        *headers = image->headers;
        image->headers = NULL;
        *bytes = (size_t)image->end;
    }
    release(h5);
    return st;
}

dc_status dc_h5_image_open(dc_h5 **out, const char *name, int fd, size_t bytes)
{
    dc_status st = make_handle(out, name, DC_H5_READ, bytes);
    if (st != DC_OK) return st;
    (*out)->image->fd = fd;
    const hid_t fapl = access_through((*out)->image);
    (*out)->file = H5Fopen(name, H5F_ACC_RDONLY, fapl);
    if ((*out)->file < 0) {
        const dc_status code = dc_h5_read_error();
        st = DC_FAIL(code, "%s is not an HDF5 file, damaged, or cannot be read: %s", name, dc_h5_error());
        release(out);
    }
    dc_h5_drop(fapl);
    return st;
}
