/* Safe replacement of a file. Every call that may fail is checked: a full disk, a quota or a failing disk shows in
 * posix_fallocate, write, fsync, close or rename, or in bytes that read back differently. */
#include "dcmpi/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/fault.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"

enum { COMPARE_BYTES = 1 << 20 };

static dc_status fail(const char *what, const char *path, int cause)
{
    return DC_FAIL(DC_ERR_IO, "cannot %s %s: %s", what, path, strerror(cause));
}

/* Checkpoints have points of their own. */
static bool fault(dc_fault_id of_checkpoint, dc_fault_id of_other, const char *path)
{
    return dc_fault(strstr(path, "/ckpt-") ? of_checkpoint : of_other);
}

static dc_status write_all(int fd, const char *path, const dc_file_piece *piece)
{
    const char *p = piece->data;
    for (size_t left = piece->bytes; left > 0;) {
        const ssize_t n = fault(DC_FAULT_CKPT_WRITE, DC_FAULT_FILE_WRITE, path) ? -1 : write(fd, p, left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail("write", path, n == 0 ? ENOSPC : errno);
        p += n;
        left -= (size_t)n;
    }
    return DC_OK;
}

/* Space for all of it before the first byte. File systems without the call write without. */
static dc_status reserve(int fd, const char *path, size_t bytes)
{
    int cause;
    if (bytes == 0) return DC_OK;
    do cause = posix_fallocate(fd, 0, (off_t)bytes);
    while (cause == EINTR);
    return cause == 0 || cause == EOPNOTSUPP || cause == EINVAL ? DC_OK : fail("reserve space for", path, cause);
}

static dc_status compare(int fd, const char *path, const dc_file_piece *piece, char *buffer)
{
    const char *p = piece->data;
    for (size_t left = piece->bytes; left > 0;) {
        const ssize_t n = read(fd, buffer, DC_MIN(left, (size_t)COMPARE_BYTES));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail("read back", path, errno);
        if (n == 0 || memcmp(p, buffer, (size_t)n) != 0)
            return DC_FAIL(DC_ERR_IO, "%s does not read back as it was written: check the disk", path);
        p += n;
        left -= (size_t)n;
    }
    return DC_OK;
}

/* The pages must leave the cache, or the comparison would see memory instead of the disk. */
static dc_status verify(int fd, const char *path, const dc_file_piece *piece, int n)
{
    dc_status st = DC_OK;
    char *buffer = NULL;
    DC_TRY(dc_mem_alloc_raw(&buffer, COMPARE_BYTES, 1, "read back"));
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (lseek(fd, 0, SEEK_SET) != 0) DC_TRY(fail("read back", path, errno));
    for (int i = 0; i < n; i++) DC_TRY(compare(fd, path, &piece[i], buffer));
out:
    dc_mem_free(&buffer);
    return st;
}

static dc_status fill(int fd, const char *path, const dc_file_piece *piece, int n)
{
    dc_status st = DC_OK;
    size_t bytes = 0;
    for (int i = 0; i < n; i++) bytes += piece[i].bytes;
    DC_TRY(reserve(fd, path, bytes));
    for (int i = 0; i < n; i++) DC_TRY(write_all(fd, path, &piece[i]));
    if (fault(DC_FAULT_CKPT_FSYNC, DC_FAULT_FILE_FSYNC, path) || fsync(fd) != 0)
        DC_TRY(fail("write to disk", path, errno));
    DC_TRY(verify(fd, path, piece, n));
out:
    return st;
}

/* A rename is on disk when its directory is. Some file systems cannot fsync directories; they say EINVAL. */
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

dc_status dc_file_publish(const char *part, const char *path)
{
    if (rename(part, path) != 0) return fail("rename", part, errno);
    return sync_directory_of(path);
}

dc_status dc_file_replace(const char *path, const dc_file_piece *piece, int n)
{
    char part[DC_PATH_MAX];
    if (snprintf(part, sizeof part, "%s.part", path) >= DC_PATH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "too long for a path: %s", path);
    if (unlink(part) != 0 && errno != ENOENT) return fail("remove", part, errno);
    const int fd = open(part, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) return fail("create", part, errno);
    dc_status st = fill(fd, part, piece, n);
    if (close(fd) != 0 && st == DC_OK) st = fail("close", part, errno);
    if (st == DC_OK && (fault(DC_FAULT_CKPT_RENAME, DC_FAULT_FILE_RENAME, path) || rename(part, path) != 0))
        st = fail("rename", part, errno);
    if (st != DC_OK) {
        unlink(part);
        return st;
    }
    return sync_directory_of(path);
}

static dc_status read_all(int fd, const char *path, unsigned char *data, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        const ssize_t n = read(fd, data + at, bytes - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail("read", path, n == 0 ? EIO : errno);
        dc_heartbeat();
        at += (size_t)n;
    }
    return DC_OK;
}

dc_status dc_file_read(const char *path, size_t max_bytes, unsigned char **data, size_t *bytes)
{
    dc_status st = DC_OK;
    struct stat s;
    *data = NULL;
    *bytes = 0;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe must not make us wait */
    if (fd >= 0 && strstr(path, "/ckpt-") && dc_fault(DC_FAULT_CKPT_READ)) {
        close(fd);
        return fail("read", path, errno);
    }
    if (fd < 0) return fail("open", path, errno);
    if (fstat(fd, &s) != 0) {
        st = fail("read", path, errno);
        goto out;
    }
    if (!S_ISREG(s.st_mode) || (uint64_t)s.st_size > max_bytes) {
        st = DC_FAIL(DC_ERR_FORMAT, "%s is not a regular file, or is larger than %zu bytes", path, max_bytes);
        goto out;
    }
    DC_TRY(dc_mem_alloc_raw(data, (size_t)s.st_size, 1, "file"));
    DC_TRY(read_all(fd, path, *data, (size_t)s.st_size));
    *bytes = (size_t)s.st_size;
out:
    close(fd);
    if (st != DC_OK) dc_mem_free(data);
    return st;
}

/* ---- Which file, and of what kind -------------------------------------------------------------------------------- */

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

bool dc_file_is(int fd, const char *path)
{
    struct stat held, found;
    return fstat(fd, &held) == 0 && lstat(path, &found) == 0 && same(&held, &found);
}

bool dc_file_same(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && same(&x, &y);
}

const char *dc_file_kind_name(const struct stat *s)
{
    switch (s->st_mode & S_IFMT) {
    case S_IFREG:
        return NULL;
    case S_IFLNK:
        return "a symbolic link";
    case S_IFDIR:
        return "a directory";
    case S_IFIFO:
        return "a pipe";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

/* The kind is looked at before open(), which may do something to a device, and again after it. */
static dc_status open_plain(const char *path, int flags, int *fd)
{
    struct stat s;
    const char *kind = lstat(path, &s) == 0 ? dc_file_kind_name(&s) : NULL;
    *fd = kind ? -1 : open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (*fd < 0 && !kind) return fail("open", path, errno);
    if (!kind && fstat(*fd, &s) == 0) kind = dc_file_kind_name(&s);
    if (!kind && s.st_nlink > 1) kind = "a file with a second name";
    if (!kind) return DC_OK;
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return DC_FAIL(DC_ERR_IO, "cannot write %s: it is %s", path, kind);
}

dc_status dc_file_append(const char *path, FILE **file)
{
    int fd;
    *file = NULL;
    const dc_status st = open_plain(path, O_WRONLY | O_APPEND | O_CREAT, &fd);
    if (st != DC_OK) return st;
    *file = fdopen(fd, "a");
    if (*file) return DC_OK;
    close(fd);
    return fail("open", path, ENOMEM);
}

dc_status dc_file_cut(const char *path, int64_t bytes)
{
    struct stat s;
    int fd;
    if (lstat(path, &s) != 0 && errno == ENOENT) return DC_OK;
    dc_status st = open_plain(path, O_WRONLY, &fd);
    if (st != DC_OK) return st;
    if (fstat(fd, &s) != 0 || ((int64_t)s.st_size > bytes && ftruncate(fd, (off_t)bytes) != 0))
        st = fail("shorten", path, errno);
    close(fd);
    return st;
}

/* ---- Change while reading --------------------------------------------------------------------------------------- */

dc_status dc_file_state_of(int fd, const char *path, dc_file_state *state)
{
    struct stat s;
    if (fstat(fd, &s) != 0) return fail("look at", path, errno);
    *state = (dc_file_state){.device = (uint64_t)s.st_dev,
                             .inode = (uint64_t)s.st_ino,
                             .bytes = (int64_t)s.st_size,
                             .changed_s = (int64_t)s.st_mtim.tv_sec,
                             .changed_ns = (int64_t)s.st_mtim.tv_nsec};
    return DC_OK;
}

static dc_status compare_states(const char *path, const dc_file_state *then, const dc_file_state *now, dc_status code)
{
    const char *what = then->device != now->device || then->inode != now->inode ? "another file has its name now"
                       : then->bytes != now->bytes                              ? "it has another length"
                       : then->changed_s != now->changed_s || then->changed_ns != now->changed_ns
                           ? "somebody wrote to it"
                           : NULL;
    if (!what) return DC_OK;
    return DC_FAIL(code, "%s changed while it was read: %s (%lld bytes, before %lld); start again when it is complete",
                   path, what, (long long)now->bytes, (long long)then->bytes);
}

dc_status dc_file_unchanged_fd(int fd, const char *path, const dc_file_state *then, dc_status code)
{
    dc_file_state now;
    const dc_status st = dc_file_state_of(fd, path, &now);
    return st == DC_OK ? compare_states(path, then, &now, code) : st;
}

dc_status dc_file_unchanged(const char *path, const dc_file_state *then, dc_status code)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* network file systems ask the server at an open */
    if (fd < 0)
        return DC_FAIL(code, "%s changed while it was read: %s; start again when it is complete", path,
                       strerror(errno));
    const dc_status st = dc_file_unchanged_fd(fd, path, then, code);
    close(fd);
    return st;
}

int64_t dc_file_written(FILE *f)
{
    struct stat now;
    return fflush(f) == 0 && fstat(fileno(f), &now) == 0 ? (int64_t)now.st_size : INT64_MAX;
}
