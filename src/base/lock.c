/* Lock files.
 *
 * While a process looks at a lock, makes it or takes it over, it holds a second file, the guard. So only one of
 * several starting processes decides at a time, even on file systems where flock(2) works within one node only, or
 * not at all. The guard is a symbolic link that nobody follows. Link and text are created in one step, and the text
 * names the owner, so that a guard left by a crash is recognised at once. As the guard is new, its time stamp is the
 * present time on the file system's clock.
 *
 * The owner holds the flock of the lock file for as long as it lives. lock_owner.c says what a free flock means, and
 * when the signs of life count. The last owner may unlink the file between our open and our flock, so we check that the
 * path still names the file that we hold. Only the owner unlinks the file. */
#include "dcmpi/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dcmpi/clock.h"
#include "dcmpi/fault.h"
#include "dcmpi/file.h"
#include "dcmpi/mem.h"
#include "lock_owner.h"

enum { ATTEMPTS = 200, PAUSE_NS = 10 * 1000 * 1000, BEAT_S = 60, WHAT_MAX = DC_PATH_MAX + 64, ADVICE_MAX = 64 };

struct dc_lock {
    char path[DC_PATH_MAX], guard[DC_PATH_MAX];
    char what[WHAT_MAX], advice[ADVICE_MAX];
    int fd;
    uid_t user;
    bool left; /* the file was there before us */
    char previous[DC_OWNER_TEXT_MAX];
    /* Signs of life; the mutex protects all that follows. */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool threaded, ending;
    dc_owner self;
    double last_beat_s, next_beat_s;
    char taker[DC_OWNER_TEXT_MAX]; /* who has taken the lock from this process; "": nobody */
};

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + 1e-9 * (double)(to->tv_nsec - from->tv_nsec);
}

static dc_owner_finding read_owner(int fd, dc_owner *o)
{
    char text[DC_OWNER_TEXT_MAX] = "";
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    return n < 0 ? DC_OWNER_ANOTHER_FILE : dc_owner_parse(text, o);
}

/* Writes the new text before it cuts off the rest of the old one, so that the file is never empty. */
static bool write_owner(int fd, const dc_owner *o)
{
    char text[DC_OWNER_TEXT_MAX];
    const int n = dc_owner_format(o, text);
    return pwrite(fd, text, (size_t)n, 0) == n && ftruncate(fd, n) == 0 && fsync(fd) == 0;
}

/* ---- The guard --------------------------------------------------------------------------------------------------- */

typedef enum {
    TAKEN,
    AGAIN,   /* somebody else is just taking or leaving it */
    BUSY,    /* the file at fd names the owner */
    ANOTHER, /* not a lock of dcmpi */
    BROKEN   /* errno says why */
} outcome;

/* Reads the guard of another process, open as `fd` (O_PATH). Version 0.1.0 made guards as regular files. */
static dc_owner_finding read_guard(int fd, const char *path, const struct stat *s, dc_owner *o)
{
    char text[DC_OWNER_TEXT_MAX] = "";
    *o = (dc_owner){0};
    if (S_ISLNK(s->st_mode))
        return readlinkat(fd, "", text, sizeof text - 1) > 0 ? dc_owner_parse(text, o) : DC_OWNER_NOBODY;
    if (!S_ISREG(s->st_mode)) return DC_OWNER_ANOTHER_FILE;
    const int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const dc_owner_finding found = file >= 0 ? read_owner(file, o) : DC_OWNER_NOBODY;
    if (file >= 0) close(file);
    return found;
}

/* A guard is held only while a small file is written to disk. A guard that a crash left is recognised by the owner that
 * it names, or by its age if it names none. */
static outcome wait_for_guard(const char *path)
{
    const struct timespec now = {.tv_sec = time(NULL)};
    struct stat s;
    dc_owner o;
    outcome how = AGAIN;
    const int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &s) != 0) goto out; /* just gone */
    const dc_owner_finding found = read_guard(fd, path, &s, &o);
    const double age_s = seconds_between(&s.st_mtim, &now);
    const bool old = found == DC_OWNER_SOMEBODY ? dc_owner_is_gone(&o, age_s, false) : age_s > DC_OWNER_STALE_S;
    if (found == DC_OWNER_ANOTHER_FILE)
        how = ANOTHER;
    else if (old && dc_file_is(fd, path))
        unlink(path);
out:
    if (fd >= 0) close(fd);
    return how;
}

/* Is the guard still ours? A process that meant to remove a guard left by a crash may have removed ours instead. */
static bool is_guarded(const dc_lock *l)
{
    char text[DC_OWNER_TEXT_MAX] = "", own[DC_OWNER_TEXT_MAX];
    dc_owner_format(&l->self, own);
    return readlink(l->guard, text, sizeof text - 1) > 0 && strcmp(text, own) == 0;
}

/* *now: time of the file system. On file systems without symbolic links there is no guard; the flock alone must do. */
static outcome raise_guard(dc_lock *l, bool *raised, struct timespec *now)
{
    char text[DC_OWNER_TEXT_MAX];
    struct stat s;
    *raised = false;
    *now = (struct timespec){.tv_sec = time(NULL)};
    l->user = geteuid();
    dc_owner_format(&l->self, text);
    if (symlink(text, l->guard) != 0) {
        if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS) return TAKEN;
        return errno == EEXIST ? wait_for_guard(l->guard) : BROKEN;
    }
    *raised = true;
    if (lstat(l->guard, &s) != 0) return BROKEN;
    *now = s.st_mtim;
    l->user = s.st_uid;
    return TAKEN;
}

/* ---- Taking ------------------------------------------------------------------------------------------------------ */

static void drop(dc_lock *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}

static outcome open_lock(dc_lock *l)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    struct stat s;
    if (dc_fault(DC_FAULT_LOCK_TAKE)) return BROKEN;
    l->fd = open(l->path, flags | O_CREAT | O_EXCL, 0666);
    l->left = l->fd < 0;
    if (l->fd >= 0) return TAKEN;
    if (errno != EEXIST) return BROKEN;
    if (lstat(l->path, &s) == 0 && !S_ISREG(s.st_mode) && !S_ISLNK(s.st_mode)) return ANOTHER;
    l->fd = open(l->path, flags);
    if (l->fd < 0) return errno == ENOENT ? AGAIN : BROKEN;
    return fstat(l->fd, &s) == 0 && s.st_nlink < 2 ? TAKEN : ANOTHER;
}

/* Looks at the lock, while the guard keeps others from doing so. *silent_s: seconds since the lock owner's last sign of
 * life. */
static outcome look(dc_lock *l, const struct timespec *now, dc_owner *o, double *silent_s)
{
    struct stat touched;
    outcome how = open_lock(l);
    if (how != TAKEN) return how;
    const bool flock_is_free = flock(l->fd, LOCK_EX | LOCK_NB) == 0;
    const int cause = errno;
    if (fstat(l->fd, &touched) != 0) return BROKEN;
    *silent_s = seconds_between(&touched.st_mtim, now);
    const dc_owner_finding found = read_owner(l->fd, o);
    if (found == DC_OWNER_ANOTHER_FILE) return ANOTHER;
    if (!flock_is_free && cause == EWOULDBLOCK) return found == DC_OWNER_NOBODY ? AGAIN : BUSY;
    if (!flock_is_free && cause != ENOLCK && cause != ENOSYS && cause != EOPNOTSUPP && cause != EINTR) {
        errno = cause;
        return BROKEN;
    }
    const bool gone = found == DC_OWNER_NOBODY ||
                      dc_owner_equal(o, &l->self) || /* from an earlier attempt that was disturbed */
                      dc_owner_is_gone(o, *silent_s, flock_is_free);
    if (!dc_file_is(l->fd, l->path)) return AGAIN; /* its owner has just unlinked it */
    return gone ? TAKEN : BUSY;
}

/* Writes this process into the file as its owner, or says why it cannot have the lock. */
static dc_status settle(dc_lock *l, outcome how, const dc_owner *o, double silent_s)
{
    char text[DC_OWNER_TEXT_MAX];
    const int cause = errno;
    dc_owner_describe(o, silent_s, text);
    if (how == BROKEN)
        return DC_FAIL(DC_ERR_IO, "cannot lock the %s by %s: %s; %s", l->what, l->path, strerror(cause), l->advice);
    if (how == ANOTHER) return DC_FAIL(DC_ERR_IO, "%s is not a lock of dcmpi; move it away, or %s", l->path, l->advice);
    if (how != TAKEN)
        return DC_FAIL(DC_ERR_BUSY, "the %s is in use by %s (%s); wait for that run, end it, or %s", l->what,
                       o->host[0] ? text : "another run that is starting just now", l->path, l->advice);
    if (o->host[0]) memcpy(l->previous, text, sizeof text);
    if (write_owner(l->fd, &l->self)) return DC_OK;
    const dc_status st = DC_FAIL(DC_ERR_IO, "cannot write %s: %s", l->path, strerror(errno));
    if (!l->left && dc_file_is(l->fd, l->path)) unlink(l->path);
    return st;
}

/* *again: the caller must try again, because another process has the guard, took ours away, or is just leaving the
 * lock. */
static dc_status try_once(dc_lock *l, bool *again)
{
    struct timespec now;
    dc_owner o = {0};
    double silent_s = 0;
    bool raised;
    outcome how = raise_guard(l, &raised, &now);
    *again = how == AGAIN;
    if (*again) return DC_OK;
    if (how == ANOTHER)
        return DC_FAIL(DC_ERR_IO, "%s is not the guard of a lock of dcmpi; move it away, or %s", l->guard, l->advice);
    const char *slash = strrchr(l->path, '/');
    if (how == BROKEN && !raised && errno == ENOENT && slash)
        return DC_FAIL(DC_ERR_IO,
                       "cannot write to the %s: there is no such directory; make it (mkdir -p '%.*s'), or %s", l->what,
                       (int)(slash - l->path), l->path, l->advice);
    if (how == BROKEN && !raised)
        return DC_FAIL(DC_ERR_IO, "cannot write to the %s: %s (%s); %s", l->what, strerror(errno), l->guard, l->advice);
    if (how == TAKEN) how = look(l, &now, &o, &silent_s);
    *again = how == AGAIN;
    const dc_status st = *again ? DC_OK : settle(l, how, &o, silent_s);
    const bool guarded = raised && is_guarded(l);
    if (guarded) unlink(l->guard);
    /* Our guard was taken away, so another process may have read the file before our name was in it: try again. */
    if (raised && !guarded && st == DC_OK) *again = true;
    if (st != DC_OK || *again) drop(l);
    return st;
}

static dc_status take(dc_lock *l)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        bool again;
        const dc_status st = try_once(l, &again);
        if (!again) return st;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return settle(l, BUSY, &(dc_owner){0}, 0);
}

/* ---- Signs of life ----------------------------------------------------------------------------------------------- */

/* Checks whether another process has taken the lock because it saw no sign of life for too long: such a process puts
 * its name into the file or makes a new file. */
static void look_for_taker(dc_lock *l)
{
    dc_owner o;
    const int fd = open(l->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const bool named = fd >= 0 && read_owner(fd, &o) == DC_OWNER_SOMEBODY;
    if (fd >= 0) close(fd);
    if (named && !dc_owner_equal(&o, &l->self))
        snprintf(l->taker, sizeof l->taker, "host %s, pid %lld, job %s", o.host, (long long)o.pid, o.job);
}

/* A lost lock stays lost: a run that stops because of it asks again when it saves, and must get the same answer. */
static void beat_when_due(dc_lock *l)
{
    const double now_s = dc_clock_now_s();
    if (l->taker[0] || now_s < l->next_beat_s) return;
    look_for_taker(l);
    l->next_beat_s = now_s + BEAT_S;
    /* Failing to give a sign of life is no reason to stop. */
    if (!l->taker[0] && futimens(l->fd, NULL) == 0) l->last_beat_s = now_s;
}

static void *keep_beating(void *lock)
{
    dc_lock *l = lock;
    pthread_mutex_lock(&l->mutex);
    while (!l->ending) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += BEAT_S;
        pthread_cond_timedwait(&l->wake, &l->mutex, &until);
        if (!l->ending) beat_when_due(l);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

/* If the thread cannot be made, only dc_lock_beat() gives signs of life. The thread blocks all signals. */
static void start_beating(dc_lock *l)
{
    sigset_t all, before;
    pthread_condattr_t clock;
    l->last_beat_s = dc_clock_now_s();
    l->next_beat_s = l->last_beat_s + BEAT_S;
    pthread_mutex_init(&l->mutex, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &clock);
    pthread_condattr_destroy(&clock);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    l->threaded = pthread_create(&l->thread, NULL, keep_beating, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_beating(dc_lock *l)
{
    pthread_mutex_lock(&l->mutex);
    l->ending = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->mutex);
    if (l->threaded) pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->mutex);
}

static dc_status beat(dc_lock *l, bool now)
{
    char silent[32];
    if (!l) return DC_OK;
    pthread_mutex_lock(&l->mutex);
    if (now) l->next_beat_s = 0;
    beat_when_due(l);
    const bool lost = l->taker[0] != '\0';
    dc_owner_duration(dc_clock_now_s() - l->last_beat_s, silent);
    pthread_mutex_unlock(&l->mutex);
    if (!lost) return DC_OK;
    return DC_FAIL(DC_ERR_BUSY, "%s was taken over by %s: the last sign of life of this process is %s old", l->path,
                   l->taker, silent);
}

dc_status dc_lock_beat(dc_lock *lock)
{
    return beat(lock, false);
}

dc_status dc_lock_confirm(dc_lock *lock)
{
    return beat(lock, true);
}

/* ---- A lock ------------------------------------------------------------------------------------------------------ */

dc_status dc_lock_acquire(const char *path, const char *what, const char *advice, dc_lock **out)
{
    dc_status st = DC_OK;
    dc_lock *l = NULL;
    *out = NULL;
    DC_TRY(dc_mem_alloc(&l, 1, sizeof *l, "lock"));
    l->fd = -1;
    snprintf(l->what, sizeof l->what, "%s", what);
    snprintf(l->advice, sizeof l->advice, "%s", advice);
    snprintf(l->path, sizeof l->path, "%s", path);
    if (snprintf(l->guard, sizeof l->guard, "%s.guard", path) >= DC_PATH_MAX)
        DC_TRY(DC_FAIL(DC_ERR_USAGE, "%s is too long for a path; %s", path, advice));
    l->self = dc_owner_self();
    DC_TRY(take(l));
    start_beating(l);
    *out = l;
    return DC_OK;
out:
    dc_mem_free(&l);
    return st;
}

bool dc_lock_was_left(const dc_lock *lock)
{
    return lock->left;
}

const char *dc_lock_previous_owner(const dc_lock *lock)
{
    return lock->previous;
}

uid_t dc_lock_user(const dc_lock *lock)
{
    return lock->user;
}

void dc_lock_release(dc_lock **lock)
{
    dc_lock *l = *lock;
    if (!l) return;
    stop_beating(l);
    look_for_taker(l); /* a taker may use the same file */
    if (dc_file_is(l->fd, l->path) && !l->taker[0]) unlink(l->path);
    drop(l);
    dc_mem_free(lock);
}
