/* Existing files: reads them, opens them safely to append, and detects whether they change during a read. */
#include "dcmpi/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dcmpi/fault.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"

static dc_status fail(const char *what, const char *path, int cause)
{
    return DC_FAIL(DC_ERR_IO, "cannot %s %s: %s", what, path, strerror(cause));
}

dc_status dc_file_open(const char *path, size_t max_bytes, int *fd, size_t *bytes)
{
    struct stat s;
    dc_status st = DC_OK;
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe must not make us wait */
    if (*fd < 0) return fail("open", path, errno);
    if (fstat(*fd, &s) != 0 || (strstr(path, "/ckpt-") && dc_fault(DC_FAULT_CKPT_READ)))
        st = fail("read", path, errno);
    else if (!S_ISREG(s.st_mode) || (uint64_t)s.st_size > max_bytes)
        st = DC_FAIL(DC_ERR_FORMAT, "%s is not a regular file, or is larger than %zu bytes", path, max_bytes);
    if (st == DC_OK) {
        *bytes = (size_t)s.st_size;
        return DC_OK;
    }
    close(*fd);
    *fd = -1;
    return st;
}

dc_status dc_file_read_at(int fd, const char *path, size_t at, void *data, size_t bytes)
{
    char *p = data;
    while (bytes > 0) {
        const ssize_t n = pread(fd, p, bytes, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail("read", path, n == 0 ? EIO : errno);
        dc_heartbeat();
        p += n;
        at += (size_t)n;
        bytes -= (size_t)n;
    }
    return DC_OK;
}

dc_status dc_file_read(const char *path, size_t max_bytes, unsigned char **data, size_t *bytes)
{
    dc_status st = DC_OK;
    size_t length;
    int fd = -1;
    *data = NULL;
    *bytes = 0;
    DC_TRY(dc_file_open(path, max_bytes, &fd, &length));
    DC_TRY(dc_mem_alloc_raw(data, length, 1, "file"));
    DC_TRY(dc_file_read_at(fd, path, 0, *data, length));
    *bytes = length;
out:
    if (fd >= 0) close(fd);
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

/* Checks the kind before open(), because opening a device may have side effects, and again after open(). */
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

dc_file_state dc_file_state_from(const struct stat *s)
{
    return (dc_file_state){.device = (uint64_t)s->st_dev,
                           .inode = (uint64_t)s->st_ino,
                           .bytes = (int64_t)s->st_size,
                           .changed_s = (int64_t)s->st_mtim.tv_sec,
                           .changed_ns = (int64_t)s->st_mtim.tv_nsec};
}

bool dc_file_look(int fd, dc_file_state *state)
{
    struct stat s;
    if (fstat(fd, &s) != 0) return false;
    *state = dc_file_state_from(&s);
    return true;
}

int64_t dc_file_read_ahead(uint64_t device)
{
    /* Network file systems have a bdi of their own, partitions have that of their disk. */
    static const char *const places[] = {"/sys/class/bdi/%u:%u/read_ahead_kb",
                                         "/sys/dev/block/%u:%u/queue/read_ahead_kb",
                                         "/sys/dev/block/%u:%u/../queue/read_ahead_kb"};
    for (size_t i = 0; i < DC_COUNT_OF(places); i++) {
        char path[64];
        long long kib = 0;
        snprintf(path, sizeof path, places[i], major((dev_t)device), minor((dev_t)device));
        FILE *f = fopen(path, "re");
        if (!f) continue;
        const bool found = fscanf(f, "%lld", &kib) == 1;
        fclose(f);
        if (found) return kib << 10;
    }
    return 0;
}

dc_status dc_file_state_of(int fd, const char *path, dc_file_state *state)
{
    return dc_file_look(fd, state) ? DC_OK : fail("look at", path, errno);
}

const char *dc_file_change(const dc_file_state *then, const dc_file_state *now)
{
    return then->device != now->device || then->inode != now->inode                   ? "another file has its name now"
           : then->bytes != now->bytes                                                ? "it has another length"
           : then->changed_s != now->changed_s || then->changed_ns != now->changed_ns ? "somebody wrote to it"
                                                                                      : NULL;
}

static dc_status compare_states(const char *path, const dc_file_state *then, const dc_file_state *now, dc_status code)
{
    const char *what = dc_file_change(then, now);
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
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* open() makes network file systems ask the server */
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
