/* Makes a small change to a result: changes a copy, which replaces the file once it is complete and on disk. */
#include "h5_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/file.h"
#include "dcmpi/mem.h"

enum { PIECE_BYTES = 4 << 20 };

static dc_status fail(const char *what, const char *path, int cause)
{
    return DC_FAIL(DC_ERR_IO, "cannot %s %s: %s", what, path, strerror(cause));
}

static dc_status write_piece(int fd, const char *path, const char *piece, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        const ssize_t n = write(fd, piece + done, bytes - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail("write", path, n == 0 ? ENOSPC : errno);
        done += (size_t)n;
    }
    return DC_OK;
}

static dc_status copy_bytes(int from, int to, const char *path, const char *part)
{
    dc_status st = DC_OK;
    char *piece = NULL;
    DC_TRY(dc_mem_alloc_raw(&piece, PIECE_BYTES, 1, "copy of a file"));
    for (ssize_t n = 1; n != 0;) {
        n = read(from, piece, PIECE_BYTES);
        if (n < 0 && errno != EINTR) DC_TRY(fail("read", path, errno));
        if (n > 0) DC_TRY(write_piece(to, part, piece, (size_t)n));
    }
out:
    dc_mem_free(&piece);
    return st;
}

/* Copies the file, after reserving space for all of it. */
static dc_status copy(const char *path, const char *part)
{
    dc_status st = DC_OK;
    struct stat s;
    int to = -1;
    const int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0 || fstat(from, &s) != 0) DC_TRY(fail("read", path, errno));
    if (unlink(part) != 0 && errno != ENOENT) DC_TRY(fail("replace", part, errno));
    to = open(part, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (to < 0) DC_TRY(fail("create", part, errno));
    const int cause = posix_fallocate(to, 0, s.st_size);
    if (cause != 0 && cause != EOPNOTSUPP && cause != EINVAL) DC_TRY(fail("reserve space for", part, cause));
    DC_TRY(copy_bytes(from, to, path, part));
out:
    if (from >= 0) close(from);
    if (to >= 0 && close(to) != 0 && st == DC_OK) st = fail("write", part, errno);
    return st;
}

/* Adds a checksum to a dataset that has none: the change has just made it. */
static dc_status stamp(void *ctx, const char *name, const dc_h5_info *info)
{
    dc_h5 *h5 = ctx;
    uint64_t hash;
    (void)info;
    if (dc_h5_has_attr(h5, name, "xxh3")) return DC_OK;
    const dc_status st = dc_h5_hash_dataset(h5, name, &hash);
    return st == DC_OK ? dc_h5_put_hash(h5, name, hash) : st;
}

static dc_status change(const char *part, dc_h5_fill edit, void *ctx)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_TRY(dc_h5_open(&h5, part, DC_H5_APPEND));
    DC_TRY(edit(ctx, h5));
    DC_TRY(dc_h5_visit(h5, stamp, h5));
    DC_TRY(dc_h5_put_content_hash(h5));
out:;
    const dc_status closed = dc_h5_close(&h5);
    return st == DC_OK ? closed : st;
}

static dc_status confirm_one(void *ctx, const char *name, const dc_h5_info *info)
{
    (void)info;
    return dc_h5_check_hash(ctx, name);
}

/* Checks the whole copy as it is on disk, because it will replace the original. */
static dc_status confirm(const char *part)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    DC_TRY(dc_h5_open(&h5, part, DC_H5_READ));
    DC_TRY(dc_h5_visit(h5, confirm_one, h5));
    DC_TRY(dc_h5_check_content(h5));
out:;
    const dc_status closed = dc_h5_close(&h5);
    return st == DC_OK ? closed : st;
}

dc_status dc_h5_revise(const char *path, dc_h5_fill edit, void *ctx)
{
    dc_status st = DC_OK;
    char part[DC_PATH_MAX];
    if (snprintf(part, sizeof part, "%s.part", path) >= DC_PATH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "too long for a path: %s", path);
    DC_TRY(copy(path, part));
    DC_TRY(change(part, edit, ctx));
    DC_TRY(confirm(part));
    DC_TRY(dc_file_publish(part, path));
out:
    if (st != DC_OK) unlink(part);
    return st;
}
