/* Files of results: complete under their final name, or not there at all.
 *
 * Rank 0 makes the file serially, with all arrays allocated, and reserves its blocks with posix_fallocate, so that a
 * full disk is noticed before the rows are written. Then each rank overwrites the bytes of its rows (h5_slab.c) and
 * reads them back. At the end rank 0 sets checksums and complete=1, reads back what it wrote, and calls fsync and
 * rename. */
#include "h5_slab.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/file.h"
#include "dcmpi/mem.h"

typedef struct {
    dc_h5_rows spec;
    dc_part rows;
    int64_t place; /* first byte in the file */
    dc_gidx done;  /* rows that this rank has written */
    uint64_t hash; /* hash of these rows; after join_hashes(), of all ranks' rows */
} array;

struct dc_h5_stream {
    char path[DC_PATH_MAX]; /* final name */
    char part[DC_PATH_MAX]; /* path.part */
    char dir[DC_PATH_MAX];
    array *arrays; /* [n_arrays], owned */
    size_t n_arrays;
    int64_t bytes; /* length of the file once rank 0 has made it */
    int fd;        /* this rank's descriptor, -1 if none */
    int made;      /* rank 0: descriptor of the file it made, even if another file has the name now; -1 if none */
};

static dc_status name_files(dc_h5_stream *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    const int dir_length = slash == path ? 1 : slash ? (int)(slash - path) : 1;
    const bool fits = (size_t)snprintf(s->part, sizeof s->part, "%s.part", path) < sizeof s->part;
    if (!fits) {
        s->part[0] = '\0';
        return DC_FAIL(DC_ERR_USAGE, "file name too long: %s", path);
    }
    snprintf(s->path, sizeof s->path, "%s", path);
    snprintf(s->dir, sizeof s->dir, "%.*s", dir_length, slash ? path : ".");
    return DC_OK;
}

/* ---- Space ------------------------------------------------------------------------------------------------------- */

static dc_status fail_space(const dc_h5_stream *s, int64_t bytes, int cause)
{
    struct statvfs fs;
    const double free_mib = statvfs(s->dir, &fs) == 0 ? (double)fs.f_bavail * (double)fs.f_frsize / 0x1p20 : 0;
    return DC_FAIL(DC_ERR_IO,
                   "cannot write %s: %s: %.1f MiB needed, %.1f MiB free in %s; free some space or choose another "
                   "output directory",
                   s->path, strerror(cause), (double)bytes / 0x1p20, free_mib, s->dir);
}

/* Creates the part. Fails if a file already has its name: it is not ours to remove. */
static dc_status make_part(dc_h5_stream *s)
{
    s->made = open(s->part, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (s->made >= 0) return DC_OK;
    if (errno == EEXIST) return DC_FAIL(DC_ERR_IO, "%s is in the way; move it away", s->part);
    return DC_FAIL(DC_ERR_IO, "cannot create %s: %s; check the output directory", s->part, strerror(errno));
}

/* Reserves blocks for the first `bytes` bytes (< 0: for the whole file) and makes sure that the disk has them. */
static dc_status reserve(dc_h5_stream *s, int64_t bytes)
{
    if (bytes < 0) bytes = (int64_t)lseek(s->made, 0, SEEK_END);
    s->bytes = bytes;
    int rc;
    do rc = bytes > 0 ? posix_fallocate(s->made, 0, bytes) : 0;
    while (rc == EINTR);
    if (rc == 0 && (fsync(s->made) != 0 || dc_fault(DC_FAULT_RESULT_RESERVE))) rc = errno;
    return rc == 0 ? DC_OK : fail_space(s, bytes, rc);
}

/* A process that took our lock because we seemed dead may have made another file of this name. */
static dc_status check_part(const dc_h5_stream *s)
{
    if (dc_file_is(s->made, s->part)) return DC_OK;
    return DC_FAIL(DC_ERR_IO, "%s is no longer the file that was written: something else has replaced it", s->part);
}

static size_t row_bytes(const array *a)
{
    return dc_mul_size(a->spec.width, dc_h5_type_bytes(a->spec.type));
}

static int64_t bytes_of_rows(const dc_h5_stream *s)
{
    double bytes = 0;
    for (size_t i = 0; i < s->n_arrays; i++) bytes += (double)s->arrays[i].rows.N * (double)row_bytes(&s->arrays[i]);
    return bytes < 0x1p62 ? (int64_t)bytes : INT64_C(1) << 62;
}

/* ---- Rank 0: before and after ------------------------------------------------------------------------------------ */

typedef struct {
    const dc_h5_stream *s;
    dc_h5 *h5;
} stamping;

static bool is_row_array(const dc_h5_stream *s, const char *name)
{
    for (size_t i = 0; i < s->n_arrays; i++)
        if (strcmp(s->arrays[i].spec.name, name) == 0) return true;
    return false;
}

/* Stores the checksum of a small dataset. Row arrays get theirs at the end. */
static dc_status stamp(void *ctx, const char *name, const dc_h5_info *info)
{
    const stamping *t = ctx;
    uint64_t hash;
    (void)info;
    if (is_row_array(t->s, name)) return DC_OK;
    const dc_status st = dc_h5_hash_dataset(t->h5, name, &hash);
    return st == DC_OK ? dc_h5_put_hash(t->h5, name, hash) : st;
}

/* The attributes get their place now, so that their values need no more space later. */
static dc_status create_arrays(dc_h5 *h5, const dc_h5_stream *s)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "complete", (int64_t[]){0}, 1));
    DC_TRY(dc_h5_put_content_hash(h5));
    for (size_t i = 0; i < s->n_arrays; i++) {
        const dc_h5_rows *a = &s->arrays[i].spec;
        const dc_gidx N = s->arrays[i].rows.N, dims[2] = {N, (dc_gidx)a->width};
        if (a->type == DC_H5_TEXT)
            DC_TRY(dc_h5_create_text(h5, a->name, a->width, N));
        else
            DC_TRY(dc_h5_create_dataset(h5, a->name, a->type, a->vector ? 1 : 2, dims));
        DC_TRY(dc_h5_put_hash(h5, a->name, 0));
    }
out:
    return st;
}

/* Makes everything but the rows. The first reservation usually finds a full disk before HDF5 does. */
static dc_status make_skeleton(dc_h5_stream *s, dc_h5_fill fill, void *ctx)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_TRY(make_part(s));
    DC_TRY(reserve(s, bytes_of_rows(s)));
    DC_TRY(dc_h5_open(&h5, s->part, DC_H5_CREATE));
    DC_TRY(create_arrays(h5, s));
    if (fill) DC_TRY(fill(ctx, h5));
    DC_TRY(dc_h5_visit(h5, stamp, &(stamping){s, h5}));
    for (size_t i = 0; i < s->n_arrays; i++) DC_TRY(dc_h5_place(h5, s->arrays[i].spec.name, &s->arrays[i].place));
    DC_TRY(dc_h5_close(&h5));
    DC_TRY(reserve(s, -1));
out:
    if (st != DC_OK) (void)!dc_h5_close(&h5);
    return st;
}

static dc_status sync_directory(const char *dir)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems do not support fsync of directories; only other errors count. */
    const bool ok =
        fd >= 0 && !dc_fault(DC_FAULT_RESULT_DIRSYNC) && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP);
    const int cause = errno;
    if (fd >= 0) close(fd);
    return ok ? DC_OK : DC_FAIL(DC_ERR_IO, "cannot write directory %s to disk: %s", dir, strerror(cause));
}

/* Reads back and checks a dataset that only this rank wrote. All ranks have already read back the row arrays. */
static dc_status confirm(void *ctx, const char *name, const dc_h5_info *info)
{
    const stamping *t = ctx;
    (void)info;
    return is_row_array(t->s, name) ? DC_OK : dc_h5_check_hash(t->h5, name);
}

static dc_status confirm_all(const dc_h5_stream *s)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_TRY(dc_h5_open(&h5, s->part, DC_H5_READ));
    DC_TRY(dc_h5_visit(h5, confirm, &(stamping){s, h5}));
    DC_TRY(dc_h5_check_content(h5));
out:;
    const dc_status closed = dc_h5_close(&h5);
    if (st == DC_OK) return closed;
    if (st != DC_ERR_FORMAT) return st;
    dc_error_clear();
    return DC_FAIL(DC_ERR_IO, "%s does not hold what was written to it; check the file system", s->part);
}

static dc_status publish(const dc_h5_stream *s, dc_h5_fill finish, void *ctx)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_TRY(check_part(s));
    DC_TRY(dc_h5_open(&h5, s->part, DC_H5_APPEND));
    for (size_t i = 0; i < s->n_arrays; i++) DC_TRY(dc_h5_put_hash(h5, s->arrays[i].spec.name, s->arrays[i].hash));
    if (finish) {
        DC_TRY(finish(ctx, h5));
        DC_TRY(dc_h5_visit(h5, stamp, &(stamping){s, h5}));
    }
    DC_TRY(dc_h5_put_content_hash(h5));
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "complete", (int64_t[]){1}, 1));
    DC_TRY(dc_h5_close(&h5));
    DC_TRY(confirm_all(s));
    DC_TRY(check_part(s));
    if (dc_fault(DC_FAULT_RESULT_RENAME) || rename(s->part, s->path) != 0)
        DC_TRY(DC_FAIL(DC_ERR_IO, "cannot rename %s to %s: %s", s->part, s->path, strerror(errno)));
    DC_TRY(sync_directory(s->dir));
out:
    if (st != DC_OK) (void)!dc_h5_close(&h5);
    return st;
}

/* ---- All ranks --------------------------------------------------------------------------------------------------- */

static void stream_free(dc_h5_stream **stream)
{
    if (!*stream) return;
    if ((*stream)->made >= 0) close((*stream)->made);
    dc_mem_free(&(*stream)->arrays);
    dc_mem_free(stream);
}

/* Collective. */
static void discard(dc_comm *comm, dc_h5_stream **stream)
{
    if (*stream && (*stream)->fd >= 0) close((*stream)->fd);
    if (*stream && (*stream)->made >= 0 && dc_file_is((*stream)->made, (*stream)->part)) unlink((*stream)->part);
    dc_comm_barrier(comm); /* nobody returns while the remains are still there */
    stream_free(stream);
}

static dc_status stream_alloc(dc_h5_stream **out, const char *path, const dc_part *part, const dc_h5_rows *rows,
                              size_t n)
{
    dc_status st = DC_OK;
    dc_h5_stream *s = NULL;
    DC_TRY(dc_mem_alloc(&s, 1, sizeof *s, "result file"));
    s->fd = s->made = -1;
    s->n_arrays = n;
    DC_TRY(dc_mem_alloc(&s->arrays, n, sizeof *s->arrays, "result arrays"));
    for (size_t i = 0; i < n; i++) {
        s->arrays[i].spec = rows[i];
        s->arrays[i].rows = rows[i].part ? *rows[i].part : *part;
    }
    DC_TRY(name_files(s, path));
out:
    if (st != DC_OK) stream_free(&s);
    *out = s;
    return st;
}

dc_status dc_h5_stream_create(dc_comm *comm, dc_h5_stream **out, const char *path, const dc_part *part,
                              const dc_h5_rows *rows, size_t n_rows_arrays, dc_h5_fill fill, void *ctx)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, stream_alloc(out, path, part, rows, n_rows_arrays));
    dc_h5_stream *s = *out;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? make_skeleton(s, fill, ctx) : DC_OK);
    dc_comm_bcast(comm, &s->bytes, sizeof s->bytes, 0);
    for (size_t i = 0; i < n_rows_arrays; i++) dc_comm_bcast(comm, &s->arrays[i].place, sizeof s->arrays[i].place, 0);
    DC_TRY_ALL(comm, dc_h5_slab_open(s->part, s->bytes, &s->fd));
out:
    if (st != DC_OK) discard(comm, out);
    return st;
}

dc_status dc_h5_stream_append(dc_comm *comm, dc_h5_stream *s, size_t index, dc_gidx n, const void *local)
{
    array *a = &s->arrays[index];
    const dc_gidx row = a->rows.row_lo + a->done;
    const size_t each = row_bytes(a);
    DC_ASSERT(row + n <= a->rows.row_hi);
    a->hash += dc_h5_hash_rows(each, row, n, local);
    a->done += n;
    return dc_agree(comm, dc_h5_slab_write(s->fd, s->part, a->place + row * (int64_t)each, local, (size_t)n * each));
}

static bool has_rows(const dc_h5_stream *s)
{
    for (size_t i = 0; i < s->n_arrays; i++)
        if (dc_part_rows(&s->arrays[i].rows) > 0) return true;
    return false;
}

/* Checks that the file, read through the ordinary file system, holds what this rank wrote. */
static dc_status verify(const dc_h5_stream *s)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    if (!has_rows(s)) return DC_OK;
    DC_TRY(dc_h5_open(&h5, s->part, DC_H5_READ));
    for (size_t i = 0; i < s->n_arrays; i++) {
        const array *a = &s->arrays[i];
        uint64_t hash;
        DC_ASSERT(a->done == dc_part_rows(&a->rows));
        if (a->done == 0) continue;
        DC_TRY(dc_h5_hash_range(h5, a->spec.name, a->rows.row_lo, a->done, &hash));
        if (hash == a->hash && !dc_fault(DC_FAULT_RESULT_VERIFY)) continue;
        st = DC_FAIL(DC_ERR_IO,
                     "%s: rows %lld to %lld of '%s' were not written although no error was reported; check the file "
                     "system",
                     s->part, (long long)a->rows.row_lo, (long long)(a->rows.row_hi - 1), a->spec.name);
        break;
    }
out:;
    const dc_status closed = dc_h5_close(&h5);
    return st == DC_OK ? closed : st;
}

/* Sums the hashes modulo 2^64 in two halves, whose sums do not overflow. */
static void join_hashes(dc_comm *comm, dc_h5_stream *s)
{
    for (size_t i = 0; i < s->n_arrays; i++) {
        int64_t half[2] = {(int64_t)(s->arrays[i].hash & UINT32_MAX), (int64_t)(s->arrays[i].hash >> 32)};
        dc_comm_sum_i64(comm, half, 2);
        s->arrays[i].hash = (uint64_t)half[0] + ((uint64_t)half[1] << 32);
    }
}

dc_status dc_h5_stream_commit(dc_comm *comm, dc_h5_stream **stream, dc_h5_fill finish, void *ctx)
{
    dc_status st = DC_OK;
    dc_h5_stream *s = *stream;
    DC_TRY_ALL(comm, dc_h5_slab_close(s->part, &s->fd));
    DC_TRY_ALL(comm, verify(s));
    join_hashes(comm, s);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? publish(s, finish, ctx) : DC_OK);
    stream_free(stream);
out:
    if (st != DC_OK) discard(comm, stream);
    return st;
}

void dc_h5_stream_abort(dc_comm *comm, dc_h5_stream **stream)
{
    if (*stream) discard(comm, stream);
}
