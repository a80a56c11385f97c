/* Safe replacement of a file. Every call that may fail is checked: a full disk, a quota or a failing disk shows in
 * posix_fallocate, write, fsync, close or rename, or in bytes that read back differently. For that comparison only a
 * checksum of the written bytes is kept, so that nobody has to hold all of them in memory. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "dcmpi/fault.h"
#include "dcmpi/file.h"
#include "dcmpi/mem.h"

enum { PIECE_BYTES = 1 << 20 };

static dc_status fail(const char *what, const char *path, int cause)
{
    return DC_FAIL(DC_ERR_IO, "cannot %s %s: %s", what, path, strerror(cause));
}

/* Checkpoints have fault points of their own. */
static bool fault(dc_fault_id of_checkpoint, dc_fault_id of_other, const char *path)
{
    return dc_fault(strstr(path, "/ckpt-") ? of_checkpoint : of_other);
}

/* ---- In pieces --------------------------------------------------------------------------------------------------- */

/* Reserves space for the whole file before its first byte. If the file system cannot reserve space, we write without a
 * reservation. */
static dc_status reserve(const dc_file_new *f)
{
    int cause;
    if (f->length == 0) return DC_OK;
    do cause = posix_fallocate(f->fd, 0, (off_t)f->length);
    while (cause == EINTR);
    return cause == 0 || cause == EOPNOTSUPP || cause == EINVAL ? DC_OK : fail("reserve space for", f->part, cause);
}

static dc_status start_hash(dc_file_new *f)
{
    f->hash = XXH3_createState();
    return f->hash && XXH3_128bits_reset(f->hash) == XXH_OK
               ? DC_OK
               : DC_FAIL(DC_ERR_MEMORY, "no memory for the checksum of %s", f->path);
}

dc_status dc_file_begin(dc_file_new *f, const char *path, size_t length)
{
    dc_status st = DC_OK;
    *f = (dc_file_new){.fd = -1, .length = length};
    if (snprintf(f->part, sizeof f->part, "%s.part", path) >= DC_PATH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "too long for a path: %s", path);
    snprintf(f->path, sizeof f->path, "%s", path);
    if (unlink(f->part) != 0 && errno != ENOENT) return fail("remove", f->part, errno);
    f->fd = open(f->part, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (f->fd < 0) return fail("create", f->part, errno);
    DC_TRY(start_hash(f));
    DC_TRY(reserve(f));
out:
    return st == DC_OK ? DC_OK : dc_file_end(f, st);
}

dc_status dc_file_put(dc_file_new *f, const void *data, size_t bytes)
{
    const char *p = data;
    if (bytes == 0) return DC_OK;
    XXH3_128bits_update(f->hash, data, bytes);
    f->bytes += bytes;
    while (bytes > 0) {
        const ssize_t n = fault(DC_FAULT_CKPT_WRITE, DC_FAULT_FILE_WRITE, f->path) ? -1 : write(f->fd, p, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail("write", f->part, n == 0 ? ENOSPC : errno);
        p += n;
        bytes -= (size_t)n;
    }
    return DC_OK;
}

void dc_file_hash(const dc_file_new *f, uint64_t *high, uint64_t *low)
{
    const XXH128_hash_t hash = XXH3_128bits_digest(f->hash);
    *high = hash.high64;
    *low = hash.low64;
}

static dc_status fail_comparison(const dc_file_new *f)
{
    return DC_FAIL(DC_ERR_IO, "%s reads back differently than it was written: check the disk", f->part);
}

static dc_status compare(dc_file_new *f, char *buffer)
{
    const XXH128_hash_t written = XXH3_128bits_digest(f->hash);
    XXH3_128bits_reset(f->hash);
    for (size_t left = f->bytes; left > 0;) {
        const ssize_t n = read(f->fd, buffer, DC_MIN(left, (size_t)PIECE_BYTES));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail("read back", f->part, errno);
        if (n == 0) return fail_comparison(f);
        XXH3_128bits_update(f->hash, buffer, (size_t)n);
        left -= (size_t)n;
    }
    return XXH128_isEqual(XXH3_128bits_digest(f->hash), written) ? DC_OK : fail_comparison(f);
}

/* The pages must leave the cache, or the comparison would see memory instead of the disk. */
static dc_status verify(dc_file_new *f)
{
    char *buffer = NULL;
    dc_status st = dc_mem_alloc_raw(&buffer, PIECE_BYTES, 1, "read back");
    if (st != DC_OK) return st;
    (void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
    st = lseek(f->fd, 0, SEEK_SET) == 0 ? compare(f, buffer) : fail("read back", f->part, errno);
    dc_mem_free(&buffer);
    return st;
}

static dc_status force_to_disk(dc_file_new *f)
{
    if (fault(DC_FAULT_CKPT_FSYNC, DC_FAULT_FILE_FSYNC, f->path) || fsync(f->fd) != 0)
        return fail("write to disk", f->part, errno);
    return verify(f);
}

/* A rename is on disk once its directory is. Some file systems cannot fsync directories and return EINVAL. */
static dc_status sync_directory_of(const char *path)
{
    char dir[DC_PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash) slash[slash == dir] = '\0';
    const int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail("open", dir, errno);
    const int cause = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return cause == 0 || cause == EINVAL ? DC_OK : fail("write to disk", dir, cause);
}

dc_status dc_file_end(dc_file_new *f, dc_status st)
{
    DC_ASSERT(st != DC_OK || f->bytes == f->length);
    if (st == DC_OK) st = force_to_disk(f);
    XXH3_freeState(f->hash);
    f->hash = NULL;
    if (close(f->fd) != 0 && st == DC_OK) st = fail("close", f->part, errno);
    f->fd = -1;
    if (st == DC_OK && (fault(DC_FAULT_CKPT_RENAME, DC_FAULT_FILE_RENAME, f->path) || rename(f->part, f->path) != 0))
        st = fail("rename", f->part, errno);
    if (st != DC_OK) {
        unlink(f->part);
        return st;
    }
    return sync_directory_of(f->path);
}

/* ---- At once ----------------------------------------------------------------------------------------------------- */

dc_status dc_file_publish(const char *part, const char *path)
{
    if (rename(part, path) != 0) return fail("rename", part, errno);
    return sync_directory_of(path);
}

dc_status dc_file_replace(const char *path, const dc_file_piece *piece, int n)
{
    dc_file_new f;
    size_t bytes = 0;
    for (int i = 0; i < n; i++) bytes += piece[i].bytes;
    dc_status st = dc_file_begin(&f, path, bytes);
    if (st != DC_OK) return st;
    for (int i = 0; i < n && st == DC_OK; i++) st = dc_file_put(&f, piece[i].data, piece[i].bytes);
    return dc_file_end(&f, st);
}

/* Appends the rest of the file `from`: f already has the bytes before it. */
static dc_status put_rest(dc_file_new *f, int from, const char *path, size_t bytes)
{
    char *buffer = NULL;
    dc_status st = dc_mem_alloc_raw(&buffer, PIECE_BYTES, 1, "copy of a file");
    while (st == DC_OK && f->bytes < bytes) {
        const size_t n = DC_MIN(bytes - f->bytes, (size_t)PIECE_BYTES);
        st = dc_file_read_at(from, path, f->bytes, buffer, n);
        if (st == DC_OK) st = dc_file_put(f, buffer, n);
    }
    dc_mem_free(&buffer);
    return st;
}

dc_status dc_file_copy(const char *from, const char *to)
{
    dc_status st = DC_OK;
    dc_file_new f;
    size_t bytes;
    int fd = -1;
    DC_TRY(dc_file_open(from, SIZE_MAX, &fd, &bytes));
    DC_TRY(dc_file_begin(&f, to, bytes));
    st = dc_file_end(&f, put_rest(&f, fd, from, bytes));
out:
    if (fd >= 0) close(fd);
    return st;
}
