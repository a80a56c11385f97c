/* Result files: complete under their final name, or not there at all.
 *
 * A full disk inside a parallel write makes HDF5 1.10 over MPI-IO hang, crash in MPI_Finalize, or (worst) report
 * success. So everything that can fail for lack of space happens serially on rank 0 first: the file with all arrays
 * allocated, its blocks reserved by posix_fallocate, fsync. The parallel phase then overwrites reserved bytes, creates
 * no metadata, and is followed by complete=1, fsync and rename. */
#include "h5_block.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "dcmpi/mem.h"

enum { VERIFY_BYTES = 4 << 20 };

typedef struct {
    const char *path;       /* final name */
    char part[DC_PATH_MAX]; /* path.part */
    char dir[DC_PATH_MAX];
    const dc_part *rows_part;
    const dc_h5_rows *rows;
    size_t n_rows;
    dc_status (*fill)(void *ctx, dc_h5 *h5);
    void *ctx;
} result;

static dc_status name_result(result *r)
{
    const char *slash = strrchr(r->path, '/');
    const int dir_length = slash == r->path ? 1 : slash ? (int)(slash - r->path) : 1;
    snprintf(r->dir, sizeof r->dir, "%.*s", dir_length, slash ? r->path : ".");
    if ((size_t)snprintf(r->part, sizeof r->part, "%s.part", r->path) < sizeof r->part) return DC_OK;
    r->part[0] = '\0';
    return DC_FAIL(DC_ERR_USAGE, "file name too long: %s", r->path);
}

/* ---- Space ------------------------------------------------------------------------------------------------------- */

static dc_status fail_space(const result *r, int64_t bytes, int cause)
{
    struct statvfs s;
    const double free_mib = statvfs(r->dir, &s) == 0 ? (double)s.f_bavail * (double)s.f_frsize / 0x1p20 : 0;
    return DC_FAIL(DC_ERR_IO,
                   "cannot write %s: %s: %.1f MiB needed, %.1f MiB free in %s; free some space or choose another "
                   "output directory",
                   r->path, strerror(cause), (double)bytes / 0x1p20, free_mib, r->dir);
}

/* Reserves blocks for the first `bytes` bytes (< 0: for the whole file) and makes sure that the disk has them. */
static dc_status reserve(const result *r, int flags, int64_t bytes)
{
    const int fd = open(r->part, flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) return DC_FAIL(DC_ERR_IO, "cannot create %s: %s; check the output directory", r->part, strerror(errno));
    if (bytes < 0) bytes = (int64_t)lseek(fd, 0, SEEK_END);
    int rc;
    do rc = bytes > 0 ? posix_fallocate(fd, 0, bytes) : 0;
    while (rc == EINTR);
    if (rc == 0 && fsync(fd) != 0) rc = errno;
    if (close(fd) != 0 && rc == 0) rc = errno;
    return rc == 0 ? DC_OK : fail_space(r, bytes, rc);
}

static int64_t bytes_of_rows(const result *r)
{
    double bytes = 0;
    for (size_t i = 0; i < r->n_rows; i++)
        bytes += (double)r->rows_part->N * (double)r->rows[i].width * (double)dc_h5_type_bytes(r->rows[i].type);
    return bytes < 0x1p62 ? (int64_t)bytes : INT64_C(1) << 62;
}

/* ---- Rank 0: before and after ------------------------------------------------------------------------------------ */

static dc_status create_arrays(dc_h5 *h5, const result *r)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "complete", (int64_t[]){0}, 1));
    for (size_t i = 0; i < r->n_rows; i++) {
        const dc_h5_rows *a = &r->rows[i];
        const dc_gidx dims[2] = {r->rows_part->N, (dc_gidx)a->width};
        DC_TRY(dc_h5_create_dataset(h5, a->name, a->type, a->vector ? 1 : 2, dims));
    }
    if (r->fill) DC_TRY(r->fill(r->ctx, h5));
out:
    return st;
}

/* Everything but the rows. The first reservation finds most full disks before HDF5 meets them. */
static dc_status make_skeleton(const result *r)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    if (unlink(r->part) != 0 && errno != ENOENT)
        return DC_FAIL(DC_ERR_IO, "cannot replace %s: %s; check the output directory", r->part, strerror(errno));
    DC_TRY(reserve(r, O_CREAT | O_EXCL, bytes_of_rows(r)));
    DC_TRY(dc_h5_open(&h5, r->part, DC_H5_CREATE));
    DC_TRY(create_arrays(h5, r));
    DC_TRY(dc_h5_close(&h5));
    DC_TRY(reserve(r, 0, -1));
out:
    if (st != DC_OK) (void)!dc_h5_close(&h5);
    return st;
}

static dc_status sync_directory(const char *dir)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems know no fsync of directories; only a real error counts. */
    const bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP);
    const int cause = errno;
    if (fd >= 0) close(fd);
    return ok ? DC_OK : DC_FAIL(DC_ERR_IO, "cannot write directory %s to disk: %s", dir, strerror(cause));
}

static dc_status publish(const result *r)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_TRY(dc_h5_open(&h5, r->part, DC_H5_APPEND));
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "complete", (int64_t[]){1}, 1));
    DC_TRY(dc_h5_close(&h5));
    if (rename(r->part, r->path) != 0)
        DC_TRY(DC_FAIL(DC_ERR_IO, "cannot rename %s to %s: %s", r->part, r->path, strerror(errno)));
    DC_TRY(sync_directory(r->dir));
out:
    if (st != DC_OK) (void)!dc_h5_close(&h5);
    return st;
}

/* ---- All ranks --------------------------------------------------------------------------------------------------- */

static dc_status write_arrays(dc_comm *comm, const result *r, hid_t file)
{
    dc_status st = DC_OK;
    for (size_t i = 0; i < r->n_rows && st == DC_OK; i++) {
        const dc_h5_rows *a = &r->rows[i];
        const dc_h5_block block = {
            .path = r->part, .name = a->name, .type = a->type, .part = r->rows_part, .width = a->width, .write = true};
        st = dc_h5_transfer_all(comm, &block, file, NULL, a->local);
    }
    return st;
}

/* After a failed parallel write the library can neither continue nor end: it crashes in MPI_Finalize. The job stops
 * here. */
static void write_parallel(dc_comm *comm, const result *r, hid_t file)
{
    dc_status st = write_arrays(comm, r, file);
    if (st == DC_OK) st = dc_h5_close_all(comm, r->part, file);
    if (st == DC_OK) return;
    if (dc_comm_rank(comm) == 0) unlink(r->part);
    dc_h5_abandon(comm, st);
}

/* Whether the file holds what this rank wrote, asked through the ordinary file system in pieces of bounded size. */
static dc_status verify_rows(const result *r, dc_h5 *h5, const dc_h5_rows *a, char *piece, size_t piece_bytes)
{
    const size_t row_bytes = a->width * dc_h5_type_bytes(a->type);
    const dc_gidx n = dc_part_rows(r->rows_part), step = (dc_gidx)(piece_bytes / row_bytes);
    for (dc_gidx lo = 0; lo < n; lo += step) {
        const dc_gidx rows = DC_MIN(step, n - lo), first = r->rows_part->row_lo + lo;
        const dc_status st = dc_h5_read_rows(h5, a->name, a->type, first, rows, piece);
        if (st != DC_OK) return st;
        if (memcmp(piece, (const char *)a->local + (size_t)lo * row_bytes, (size_t)rows * row_bytes) == 0) continue;
        return DC_FAIL(DC_ERR_IO,
                       "%s: rows %lld to %lld of '%s' were not written although MPI-IO reported no error; check "
                       "the file system, or try another MPI-IO (OMPI_MCA_io=romio321)",
                       r->part, (long long)first, (long long)(first + rows - 1), a->name);
    }
    return DC_OK;
}

static dc_status verify(const result *r)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    char *piece = NULL;
    size_t piece_bytes = VERIFY_BYTES;
    for (size_t i = 0; i < r->n_rows; i++)
        piece_bytes = DC_MAX(piece_bytes, r->rows[i].width * dc_h5_type_bytes(r->rows[i].type));
    if (dc_part_rows(r->rows_part) == 0 || r->n_rows == 0) return DC_OK;
    DC_TRY(dc_mem_alloc(&piece, piece_bytes, 1, "rows read back"));
    DC_TRY(dc_h5_open(&h5, r->part, DC_H5_READ));
    for (size_t i = 0; i < r->n_rows; i++) DC_TRY(verify_rows(r, h5, &r->rows[i], piece, piece_bytes));
out:
    (void)!dc_h5_close(&h5);
    dc_mem_free(&piece);
    return st;
}

dc_status dc_h5_write_result(dc_comm *comm, const char *path, const dc_part *part, const dc_h5_rows *rows,
                             size_t n_rows_arrays, dc_status (*fill)(void *ctx, dc_h5 *h5), void *ctx)
{
    dc_status st = DC_OK;
    const bool first = dc_comm_rank(comm) == 0;
    hid_t file = -1;
    int64_t bytes = 0;
    result r = {.path = path, .rows_part = part, .rows = rows, .n_rows = n_rows_arrays, .fill = fill, .ctx = ctx};
    DC_TRY_ALL(comm, name_result(&r));
    DC_TRY_ALL(comm, first ? make_skeleton(&r) : DC_OK);
    DC_TRY_ALL(comm, dc_h5_check_regular(r.part, &bytes));
    DC_TRY(dc_h5_open_all(comm, r.part, true, &file));
    write_parallel(comm, &r, file);
    DC_TRY_ALL(comm, verify(&r));
    DC_TRY_ALL(comm, first ? publish(&r) : DC_OK);
out:
    if (st != DC_OK) {
        if (first) unlink(r.part);
        dc_comm_barrier(comm); /* nobody returns while the remains are still there */
    }
    return st;
}
