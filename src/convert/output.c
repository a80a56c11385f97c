/* The output file. It grows under the name OUT.part, which is made with O_EXCL and never through a symbolic link; a
 * lock on it tells a writer at work from what a killed one left behind. Space is claimed before the first row is
 * written, so that a full disk ends the job early; the rename at the end is the moment at which the output exists. */
#include "convert/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static dc_status fail_io(const char *path, const char *what)
{
    const int cause = errno;
    if (cause == ENAMETOOLONG) return DC_FAIL(DC_ERR_USAGE, "%s: %s: the name is too long", path, what);
    return DC_FAIL(DC_ERR_IO, "%s: %s: %s", path, what, strerror(cause));
}

/* ---- The name ---------------------------------------------------------------------------------------------------- */

static dc_status refuse_input(const char *output, const struct stat *info, const char *const *files, int n)
{
    struct stat other;
    for (int i = 0; i < n; i++)
        if (stat(files[i], &other) == 0 && other.st_dev == info->st_dev && other.st_ino == info->st_ino)
            return DC_FAIL(DC_ERR_USAGE, "%s: output is also an input; give another name as the last argument", output);
    return DC_OK;
}

static bool has_hdf5_signature(const char *path)
{
    char head[8] = {0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const bool ok = fd >= 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head;
    if (fd >= 0) close(fd);
    return ok && memcmp(head, "\x89HDF\r\n\x1a\n", sizeof head) == 0;
}

/* What may be replaced: an HDF5 file, or with force any regular file, but never an input. */
static dc_status check_existing(const char *output, const struct stat *info, const dc_convert_config *cfg)
{
    dc_status st = DC_OK;
    if (!S_ISREG(info->st_mode)) return DC_FAIL(DC_ERR_IO, "%s: output exists and is no regular file", output);
    DC_TRY(refuse_input(output, info, cfg->inputs, cfg->n_inputs));
    DC_TRY(refuse_input(output, info, cfg->labels, cfg->n_labels));
    if (!cfg->force && info->st_size > 0 && !has_hdf5_signature(output))
        st = DC_FAIL(DC_ERR_USAGE,
                     "%s: output exists and is no HDF5 file; is the output name missing? --force replaces it", output);
out:
    return st;
}

/* The name the rename will go to: of a symbolic link the file it points to. */
static dc_status resolve(dc_output *o, const dc_convert_config *cfg)
{
    const char *output = cfg->output;
    struct stat info;
    if (strlen(output) + sizeof ".part" > sizeof o->path)
        return DC_FAIL(DC_ERR_USAGE, "output name of %zu bytes is too long", strlen(output));
    if (output[0] == '\0') return DC_FAIL(DC_ERR_USAGE, "output name is empty");
    snprintf(o->path, sizeof o->path, "%s", output);
    if (stat(output, &info) == 0) {
        if (lstat(output, &info) == 0 && S_ISLNK(info.st_mode) && !realpath(output, o->path))
            return fail_io(output, "cannot follow the symbolic link");
        if (stat(output, &info) != 0) return fail_io(output, "cannot look at the output");
        const dc_status st = check_existing(output, &info, cfg);
        if (st != DC_OK) return st;
    } else if (lstat(output, &info) == 0) {
        return DC_FAIL(DC_ERR_IO, "%s: output is a symbolic link to nothing", output);
    }
    if (strlen(o->path) + sizeof ".part" > sizeof o->part)
        return DC_FAIL(DC_ERR_USAGE, "output name of %zu bytes is too long", strlen(o->path));
    memcpy(o->part, o->path, strlen(o->path));
    memcpy(o->part + strlen(o->path), ".part", sizeof ".part");
    return DC_OK;
}

/* ---- The temporary file ------------------------------------------------------------------------------------------ */

/* A part that nobody locks was left by a killed run. File systems without locks: taken for left over as well. */
static dc_status remove_leftover(const char *part)
{
    struct stat info;
    if (lstat(part, &info) != 0) return errno == ENOENT ? DC_OK : fail_io(part, "cannot write output");
    if (!S_ISREG(info.st_mode)) return DC_FAIL(DC_ERR_IO, "%s: is in the way and no regular file; remove it", part);
    const int fd = open(part, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return fail_io(part, "cannot open what an earlier run left");
    const bool busy = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    dc_status st = DC_OK;
    if (busy)
        st = DC_FAIL(DC_ERR_BUSY, "%s: another process is writing this output", part);
    else if (unlink(part) != 0)
        st = fail_io(part, "cannot remove what an earlier run left");
    close(fd);
    return st;
}

dc_status dc_output_begin(dc_output *o, const dc_convert_config *cfg)
{
    dc_status st = DC_OK;
    memset(o, 0, sizeof *o);
    o->lock = -1;
    DC_TRY(resolve(o, cfg));
    DC_TRY(remove_leftover(o->part));
    o->lock = open(o->part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (o->lock < 0) return fail_io(o->part, "cannot create output");
    (void)flock(o->lock, LOCK_EX | LOCK_NB);
out:
    return st;
}

/* Reserves `bytes` of disk for the part; a file system that cannot promise them (EOPNOTSUPP) may still have them. */
static dc_status claim_space(const dc_output *o, off_t bytes)
{
    if (fallocate(o->lock, 0, 0, bytes) == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR) return DC_OK;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        return DC_FAIL(DC_ERR_IO, "%s: no room for %lld bytes: %s", o->part, (long long)bytes, strerror(errno));
    return fail_io(o->part, "cannot claim disk space");
}

/* Upper bound of the file's size: arrays, headers, and the alignment that io/ gives to large arrays. */
static dc_status size_of_file(const dc_output *o, dc_gidx N, bool labels, off_t *bytes)
{
    const int64_t row = o->D * (int64_t)dc_dtype_bytes(o->dtype) + (labels ? (int64_t)sizeof(int32_t) : 0);
    const int64_t header = 256 << 10, alignment = 2 << 20;
    int64_t all;
    if (__builtin_mul_overflow(N, row, &all) || __builtin_add_overflow(all, header + DC_MIN(all, alignment), &all))
        return DC_FAIL(DC_ERR_DATA, "%s: %lld rows of %lld bytes are more than a file can hold", o->part, (long long)N,
                       (long long)row);
    *bytes = all;
    return DC_OK;
}

static dc_h5_type h5_type_of(dc_dtype t)
{
    static const dc_h5_type types[] = {
        [DC_U8] = DC_H5_U8, [DC_F16] = DC_H5_F16, [DC_F32] = DC_H5_F32, [DC_F64] = DC_H5_F64};
    return types[t];
}

dc_status dc_output_create(dc_output *o, dc_gidx N, int64_t D, dc_dtype dtype, bool labels)
{
    dc_status st = DC_OK;
    struct stat info;
    off_t bytes = 0;
    const dc_gidx dims[2] = {N, D};
    o->D = D;
    o->dtype = dtype;
    /* A disk that is too small must not be found by HDF5 1.10, which crashes at exit after a failed close. */
    DC_TRY(size_of_file(o, N, labels, &bytes));
    DC_TRY(claim_space(o, bytes));
    DC_TRY(dc_h5_open(&o->h5, o->part, DC_H5_CREATE));
    DC_TRY(dc_h5_create_dataset(o->h5, "/X", h5_type_of(dtype), 2, dims));
    if (labels) DC_TRY(dc_h5_create_dataset(o->h5, "/y", DC_H5_I32, 1, dims));
    /* Creating the file gave the space back; now that it has its full length, it is claimed for good. */
    DC_TRY(dc_h5_close(&o->h5));
    if (fstat(o->lock, &info) != 0) return fail_io(o->part, "cannot look at the output");
    DC_TRY(claim_space(o, info.st_size));
    DC_TRY(dc_h5_open(&o->h5, o->part, DC_H5_APPEND));
out:
    return st;
}

dc_status dc_output_append(dc_output *o, size_t n, const void *X, const int32_t *y)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_write_rows(o->h5, "/X", h5_type_of(o->dtype), o->next_row, (dc_gidx)n, X));
    if (y) DC_TRY(dc_h5_write_rows(o->h5, "/y", DC_H5_I32, o->next_row, (dc_gidx)n, y));
    o->next_row += (dc_gidx)n;
out:
    return st;
}

/* Makes the rename itself survive a power cut; not every file system can, so failure is no error. */
static void sync_directory(const char *path)
{
    char copy[DC_PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

dc_status dc_output_commit(dc_output *o)
{
    const dc_status st = dc_h5_close(&o->h5);
    if (st != DC_OK) return st;
    if (rename(o->part, o->path) != 0) return fail_io(o->path, "cannot move the finished output to its name");
    sync_directory(o->path);
    close(o->lock);
    o->lock = -1;
    return DC_OK;
}

void dc_output_abort(dc_output *o)
{
    /* The first error is kept; that an abandoned file does not close cleanly is no news. */
    const dc_status ignored = dc_h5_close(&o->h5);
    (void)ignored;
    if (o->lock < 0) return;
    unlink(o->part);
    close(o->lock);
    o->lock = -1;
}
