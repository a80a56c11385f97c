/* A library to preload (LD_PRELOAD) that makes one call on one file fail, as a full disk, a lost connection or a file
 * system without locks would. Tests count the calls of a run first and then make each of them fail in turn.
 *
 *   FAILIO_MATCH=TEXT   files whose path contains TEXT (of rename: the old or the new one); not given: none
 *   FAILIO_CALL=NAME    open, write (and pwrite, writev, pwritev, aio_write), fsync, rename, fallocate, truncate,
 *                       flock, unlink, close; any of them if not given; read (and its like) only if given
 *   FAILIO_AT=N         the N-th such call fails, counted in each process; 0: none; N+: also all that follow
 *   FAILIO_ERROR=NAME   ENOSPC, EDQUOT, EIO (default), EINTR, EROFS, EFBIG, ENOLCK, EACCES; SHORT: half is written;
 *                       LOCAL: flock succeeds, for whoever has the lock is on another node; of read also SHRINK, TOUCH:
 *                       somebody else shortens the file to half, or writes to it; TERM, SEGV: the process is sent
 *                       SIGTERM, or crashes. Of any call KILL: the process is killed
 *   FAILIO_BYTES=N      only reads of at least N bytes
 *   FAILIO_RANK=R       only in this rank of an Open MPI job
 *   FAILIO_LOG=FILE     each such call is appended as "rank call path"
 */
#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, SHORT_WRITE = -1, LOCAL_LOCK = -2, SHRINK = -3, TOUCH = -4, TERM = -5, SEGV = -6, KILL = -7 };

static const struct {
    const char *name;
    int number;
} errors[] = {{"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EIO", EIO},       {"EINTR", EINTR},       {"EROFS", EROFS},
              {"EFBIG", EFBIG},   {"ENOLCK", ENOLCK}, {"EACCES", EACCES}, {"SHORT", SHORT_WRITE}, {"LOCAL", LOCAL_LOCK},
              {"SHRINK", SHRINK}, {"TOUCH", TOUCH},   {"TERM", TERM},     {"SEGV", SEGV},         {"KILL", KILL}};

static const char *setting(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value && *value ? value : fallback;
}

static int chosen_error(void)
{
    const char *name = setting("FAILIO_ERROR", "EIO");
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(errors[i].name, name) == 0) return errors[i].number;
    return EIO;
}

/* Uses system calls only: stdio would call the functions of this library again. */
static void log_call(const char *rank, const char *call, const char *path)
{
    const char *file = getenv("FAILIO_LOG");
    char line[PATH_BYTES + 64];
    if (!file) return;
    const int n = snprintf(line, sizeof line, "%s %s %s\n", rank, call, path);
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) return;
    (void)!syscall(SYS_write, fd, line, (size_t)n);
    syscall(SYS_close, fd);
}

/* 0: let the call through; else the error, or SHORT_WRITE. */
static int verdict(const char *call, const char *path)
{
    static _Atomic long count;
    const char *match = getenv("FAILIO_MATCH"), *wanted = getenv("FAILIO_CALL"), *at = setting("FAILIO_AT", "0");
    const char *rank = setting("OMPI_COMM_WORLD_RANK", "0");
    if (!match || !path || !strstr(path, match) || (wanted && strcmp(wanted, call) != 0)) return 0;
    if (strcmp(setting("FAILIO_RANK", rank), rank) != 0) return 0;
    const long n = atomic_fetch_add(&count, 1) + 1, first = strtol(at, NULL, 10);
    log_call(rank, call, path);
    if (first < 1 || n < first || (n > first && !strchr(at, '+'))) return 0;
    const int error = chosen_error();
    if (error == KILL) kill(getpid(), SIGKILL);
    return error;
}

static int verdict_fd(const char *call, int fd)
{
    char link[64], path[PATH_BYTES];
    if (!getenv("FAILIO_MATCH")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = '\0';
    return verdict(call, path);
}

static int fail(int error)
{
    errno = error == SHORT_WRITE ? EIO : error;
    return -1;
}

/* The function that ours replaces. */
#define NEXT(name) ((__typeof__(name) *)(__extension__(__typeof__(name) *) dlsym(RTLD_NEXT, #name)))

/* ---- Calls that take a path -------------------------------------------------------------------------------------- */

#define OPEN_LIKE(name)                                                                                                \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list args;                                                                                                  \
        va_start(args, flags);                                                                                         \
        const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                                                \
        va_end(args);                                                                                                  \
        const int error = verdict("open", path);                                                                       \
        return error ? fail(error) : NEXT(name)(path, flags, mode);                                                    \
    }
OPEN_LIKE(open)
OPEN_LIKE(open64)

FILE *fopen(const char *path, const char *mode)
{
    const int error = verdict("open", path);
    return error ? fail(error), NULL : NEXT(fopen)(path, mode);
}

int rename(const char *from, const char *to)
{
    const char *match = getenv("FAILIO_MATCH");
    const int error = verdict("rename", match && strstr(to, match) ? to : from);
    return error ? fail(error) : NEXT(rename)(from, to);
}

int unlink(const char *path)
{
    const int error = verdict("unlink", path);
    return error ? fail(error) : NEXT(unlink)(path);
}

/* ---- Calls that write -------------------------------------------------------------------------------------------- */

ssize_t write(int fd, const void *data, size_t n)
{
    const int error = verdict_fd("write", fd);
    if (error == SHORT_WRITE && n > 1) n /= 2;
    return error && error != SHORT_WRITE ? fail(error) : NEXT(write)(fd, data, n);
}

#define PWRITE_LIKE(name)                                                                                              \
    ssize_t name(int fd, const void *data, size_t n, off_t at)                                                         \
    {                                                                                                                  \
        const int error = verdict_fd("write", fd);                                                                     \
        if (error == SHORT_WRITE && n > 1) n /= 2;                                                                     \
        return error && error != SHORT_WRITE ? fail(error) : NEXT(name)(fd, data, n, at);                              \
    }
PWRITE_LIKE(pwrite)
PWRITE_LIKE(pwrite64)

/* A short write takes half of the first piece. */
ssize_t writev(int fd, const struct iovec *pieces, int n)
{
    const int error = verdict_fd("write", fd);
    if (error == SHORT_WRITE) return NEXT(write)(fd, pieces[0].iov_base, (pieces[0].iov_len + 1) / 2);
    return error ? fail(error) : NEXT(writev)(fd, pieces, n);
}

#define PWRITEV_LIKE(name)                                                                                             \
    ssize_t name(int fd, const struct iovec *pieces, int n, off_t at)                                                  \
    {                                                                                                                  \
        const int error = verdict_fd("write", fd);                                                                     \
        if (error == SHORT_WRITE) return NEXT(pwrite)(fd, pieces[0].iov_base, (pieces[0].iov_len + 1) / 2, at);        \
        return error ? fail(error) : NEXT(name)(fd, pieces, n, at);                                                    \
    }
PWRITEV_LIKE(pwritev)
PWRITEV_LIKE(pwritev64)

int aio_write(struct aiocb *request)
{
    const int error = verdict_fd("write", request->aio_fildes);
    return error ? fail(error) : NEXT(aio_write)(request);
}

/* ---- Calls that read --------------------------------------------------------------------------------------------- */

/* What another process does to the file at this moment. */
static void change(int fd, int how)
{
    char link[64];
    struct stat s;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (how == SHRINK && fstat(fd, &s) == 0) (void)!truncate(link, s.st_size / 2);
    if (how == TERM) kill(getpid(), SIGTERM);
    if (how == SEGV) raise(SIGSEGV);
    if (how == TOUCH) (void)!utimensat(AT_FDCWD, link, NULL, 0);
}

/* Whether the call fails. */
static bool read_fails(int fd, size_t n)
{
    if (strcmp(setting("FAILIO_CALL", ""), "read") != 0 || n < strtoul(setting("FAILIO_BYTES", "0"), NULL, 10))
        return false;
    const int error = verdict_fd("read", fd);
    if (error < SHORT_WRITE) change(fd, error);
    if (error > 0) fail(error);
    return error > 0;
}

ssize_t read(int fd, void *data, size_t n)
{
    return read_fails(fd, n) ? -1 : NEXT(read)(fd, data, n);
}

#define PREAD_LIKE(name)                                                                                               \
    ssize_t name(int fd, void *data, size_t n, off_t at)                                                               \
    {                                                                                                                  \
        return read_fails(fd, n) ? -1 : NEXT(name)(fd, data, n, at);                                                   \
    }
PREAD_LIKE(pread)
PREAD_LIKE(pread64)

ssize_t readv(int fd, const struct iovec *pieces, int n)
{
    return read_fails(fd, pieces[0].iov_len) ? -1 : NEXT(readv)(fd, pieces, n);
}

#define PREADV_LIKE(name)                                                                                              \
    ssize_t name(int fd, const struct iovec *pieces, int n, off_t at)                                                  \
    {                                                                                                                  \
        return read_fails(fd, pieces[0].iov_len) ? -1 : NEXT(name)(fd, pieces, n, at);                                 \
    }
PREADV_LIKE(preadv)
PREADV_LIKE(preadv64)

/* ---- Other calls on an open file --------------------------------------------------------------------------------- */

#define ON_FD(name, call)                                                                                              \
    int name(int fd)                                                                                                   \
    {                                                                                                                  \
        const int error = verdict_fd(call, fd);                                                                        \
        return error ? fail(error) : NEXT(name)(fd);                                                                   \
    }
ON_FD(fsync, "fsync")
ON_FD(fdatasync, "fsync")

/* Even if it fails, the file is closed, as on Linux. */
int close(int fd)
{
    const int error = verdict_fd("close", fd);
    const int rc = NEXT(close)(fd);
    return error ? fail(error) : rc;
}

/* Returns its error. */
#define RESERVE_LIKE(name)                                                                                             \
    int name(int fd, off_t at, off_t n)                                                                                \
    {                                                                                                                  \
        const int error = verdict_fd("fallocate", fd);                                                                 \
        return error == SHORT_WRITE ? EIO : error ? error : NEXT(name)(fd, at, n);                                     \
    }
RESERVE_LIKE(posix_fallocate)
RESERVE_LIKE(posix_fallocate64)

int fallocate(int fd, int mode, off_t at, off_t n)
{
    const int error = verdict_fd("fallocate", fd);
    return error ? fail(error) : NEXT(fallocate)(fd, mode, at, n);
}

#define TRUNCATE_LIKE(name)                                                                                            \
    int name(int fd, off_t n)                                                                                          \
    {                                                                                                                  \
        const int error = verdict_fd("truncate", fd);                                                                  \
        return error ? fail(error) : NEXT(name)(fd, n);                                                                \
    }
TRUNCATE_LIKE(ftruncate)
TRUNCATE_LIKE(ftruncate64)

int flock(int fd, int operation)
{
    const int error = verdict_fd("flock", fd);
    if (error == LOCAL_LOCK) return 0;
    return error ? fail(error) : (int)syscall(SYS_flock, fd, operation);
}
