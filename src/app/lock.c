/* The lock of an output directory.
 *
 * Where the file system knows flock(2), the kernel says whether the owner lives: a lock that can be had is free or was
 * left behind. The file may have been unlinked by its last owner between our open and our lock, so the path is compared
 * with what we hold; only who holds the lock unlinks the file.
 *
 * Where it does not (some NFS and Lustre mounts), the file's existence is the lock. To look at it, take it over or make
 * it, one holds a second file for a moment, made with O_EXCL, so that of several starters one decides. The owner is
 * gone if its process is (same host) or if it gave no sign of life for ten minutes (another host), by the clock of the
 * file system, which gave both files their times. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dcmpi/clock.h"
#include "dcmpi/fault.h"
#include "dcmpi/mem.h"
#include "queue.h"

enum { ATTEMPTS = 200, PAUSE_NS = 10 * 1000 * 1000, BEAT_S = 60, STALE_S = 600, TEXT_MAX = 1024, WORD_MAX = 128 };
#define WORD_FORMAT "%127s"
#define FIRST_LINE "dcmpi lock\n"

struct dc_lock {
    char path[DC_PATH_MAX];
    int fd;
    double next_beat_s;
    char previous[TEXT_MAX];
    char taker[TEXT_MAX]; /* who has taken it from this run; "": nobody */
};

/* ---- Owners ------------------------------------------------------------------------------------------------------ */

typedef struct {
    char host[WORD_MAX], job[WORD_MAX], started[WORD_MAX];
    int64_t pid, ticks, epoch; /* ticks: when the kernel started the process, against reuse of its number */
} owner;

/* Field 22 of /proc/PID/stat, which follows the process name in parentheses; 0 if unknown. */
static int64_t start_ticks(int64_t pid)
{
    char path[64], text[TEXT_MAX] = "";
    int64_t ticks = 0;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    const size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    char *field = strrchr(text, ')');
    for (int i = 2; field && i < 22; i++) field = strchr(field + 1, ' ');
    if (field) ticks = strtoll(field, NULL, 10);
    return ticks;
}

static owner myself(void)
{
    owner o = {.pid = getpid(), .epoch = time(NULL)};
    gethostname(o.host, sizeof o.host - 1);
    snprintf(o.job, sizeof o.job, "%s", *dc_queue_job() ? dc_queue_job() : "none");
    dc_clock_iso(o.started);
    o.ticks = start_ticks(o.pid);
    return o;
}

static bool write_owner(int fd, bool to_disk)
{
    char text[TEXT_MAX];
    const owner o = myself();
    const int n =
        snprintf(text, sizeof text,
                 FIRST_LINE "host %s\npid %" PRId64 "\nticks %" PRId64 "\njob %s\nstarted %s\nepoch %" PRId64 "\n",
                 o.host, o.pid, o.ticks, o.job, o.started, o.epoch);
    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n && (!to_disk || fsync(fd) == 0);
}

/* What a lock file says. */
typedef enum { NOBODY, SOMEBODY, ANOTHER_FILE } finding;

static finding read_owner(int fd, owner *o)
{
    char text[TEXT_MAX] = "";
    *o = (owner){0};
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0) return n == 0 ? NOBODY : ANOTHER_FILE;
    const int found = sscanf(text,
                             FIRST_LINE "host " WORD_FORMAT " pid %" SCNd64 " ticks %" SCNd64 " job " WORD_FORMAT
                                        " started " WORD_FORMAT " epoch %" SCNd64,
                             o->host, &o->pid, &o->ticks, o->job, o->started, &o->epoch);
    return found == 6 ? SOMEBODY : ANOTHER_FILE;
}

static void describe(const owner *o, char out[TEXT_MAX])
{
    const long long age = DC_MAX((long long)time(NULL) - (long long)o->epoch, 0);
    snprintf(out, TEXT_MAX, "host %s, pid %" PRId64 ", job %s, started %s, %lld %s ago", o->host, o->pid, o->job,
             o->started,
             age < 120    ? age
             : age < 7200 ? age / 60
                          : age / 3600,
             age < 120    ? "s"
             : age < 7200 ? "min"
                          : "h");
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') *c = '?';
}

/* silent_s: since its last sign of life. */
static bool is_gone(const owner *o, double silent_s)
{
    const owner me = myself();
    if (strcmp(o->host, me.host) != 0) return silent_s > STALE_S;
    if (o->pid < 1 || (kill((pid_t)o->pid, 0) != 0 && errno == ESRCH)) return true;
    const int64_t ticks = start_ticks(o->pid);
    return ticks != 0 && ticks != o->ticks;
}

/* ---- Taking ------------------------------------------------------------------------------------------------------ */

typedef enum {
    TAKEN,    /* with what was in the file before */
    AGAIN,    /* somebody else is just taking or leaving it */
    BUSY,     /* fd tells who has it */
    NO_FLOCK, /* the file system has no such locks */
    BROKEN    /* errno says why */
} outcome;

static void drop(dc_lock *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}

static int open_lock(const char *path, int flags)
{
    return open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0666);
}

/* Is the file that we hold still the one that others will find? */
static bool is_current(int fd, const char *path)
{
    struct stat held, found;
    return fstat(fd, &held) == 0 && lstat(path, &found) == 0 && held.st_ino == found.st_ino &&
           held.st_dev == found.st_dev;
}

static outcome take_by_flock(dc_lock *l)
{
    l->fd = open_lock(l->path, O_CREAT);
    if (l->fd < 0 || dc_fault(DC_FAULT_LOCK_TAKE)) return BROKEN;
    if (flock(l->fd, LOCK_EX | LOCK_NB) == 0) return is_current(l->fd, l->path) ? TAKEN : AGAIN;
    if (errno == EWOULDBLOCK) return BUSY;
    if (errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP) return NO_FLOCK;
    return errno == EINTR ? AGAIN : BROKEN;
}

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + 1e-9 * (double)(to->tv_nsec - from->tv_nsec);
}

/* Nobody else looks at the lock now. `guard`: the second file, fresh, whose time is now. */
static outcome take_guarded(dc_lock *l, int guard)
{
    struct stat now, touched;
    owner o;
    l->fd = open_lock(l->path, O_CREAT);
    if (l->fd < 0 || fstat(guard, &now) != 0 || fstat(l->fd, &touched) != 0) return BROKEN;
    if (read_owner(l->fd, &o) != SOMEBODY) return TAKEN;
    if (!is_gone(&o, seconds_between(&touched.st_mtim, &now.st_mtim))) return BUSY;
    return is_current(l->fd, l->path) ? TAKEN : AGAIN; /* its owner may have unlinked it before it went */
}

/* A guard is held for as long as a small file takes to reach the disk; its owner's name in it tells one that was left
 * by a crash, its age one without a name. */
static void remove_old_guard(const char *path)
{
    struct stat s;
    owner o;
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    const double age = fstat(fd, &s) == 0 ? (double)(time(NULL) - s.st_mtime) : 0;
    const bool old = read_owner(fd, &o) == SOMEBODY ? is_gone(&o, age) : age > STALE_S;
    if (old && is_current(fd, path)) unlink(path);
    close(fd);
}

/* Ends with this process named in the file, or not held. */
static dc_status settle(dc_lock *l, outcome how)
{
    const int cause = errno;
    owner o = {0};
    const finding found = l->fd >= 0 ? read_owner(l->fd, &o) : NOBODY;
    char text[TEXT_MAX];
    describe(&o, text);
    if (how == BROKEN)
        return DC_FAIL(DC_ERR_IO, "cannot lock the output directory by %s: %s; set run.output", l->path,
                       strerror(cause));
    if (found == ANOTHER_FILE)
        return DC_FAIL(DC_ERR_IO, "%s is no lock of dcmpi; move it away or set run.output", l->path);
    if (how != TAKEN)
        return DC_FAIL(DC_ERR_BUSY,
                       "the output directory is in use by %s (%s); wait for that run, end it, or set run.output",
                       found == SOMEBODY ? text : "another run that starts just now", l->path);
    if (found == SOMEBODY) memcpy(l->previous, text, sizeof text);
    if (!write_owner(l->fd, true)) return DC_FAIL(DC_ERR_IO, "cannot write %s: %s", l->path, strerror(errno));
    return DC_OK;
}

/* *again: somebody else has the guard, or is just leaving. */
static dc_status take_by_guard(dc_lock *l, bool *again)
{
    char path[DC_PATH_MAX];
    if (snprintf(path, sizeof path, "%s.guard", l->path) >= DC_PATH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
    const int guard = open_lock(path, O_CREAT | O_EXCL);
    *again = guard < 0 && errno == EEXIST;
    if (*again) {
        remove_old_guard(path);
        return DC_OK;
    }
    const outcome how = guard < 0 || !write_owner(guard, false) ? BROKEN : take_guarded(l, guard);
    *again = how == AGAIN;
    const dc_status st = *again ? DC_OK : settle(l, how);
    if (guard >= 0) {
        unlink(path);
        close(guard);
    }
    return st;
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

/* Who holds the flock may not have written its name yet. */
static bool is_anonymous(const dc_lock *l)
{
    owner o;
    return read_owner(l->fd, &o) == NOBODY;
}

static dc_status take(dc_lock *l)
{
    outcome how = AGAIN;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        bool again = false;
        if (how != NO_FLOCK) how = take_by_flock(l);
        if (how == NO_FLOCK) {
            drop(l);
            const dc_status st = take_by_guard(l, &again);
            if (!again) return st;
        } else if (how != AGAIN && !(how == BUSY && is_anonymous(l))) {
            return settle(l, how);
        }
        drop(l);
        pause_a_little();
    }
    return settle(l, BUSY);
}

dc_status dc_lock_acquire(const char *path, dc_lock **out)
{
    dc_status st = DC_OK;
    dc_lock *l = NULL;
    *out = NULL;
    DC_TRY(dc_mem_alloc(&l, 1, sizeof *l, "lock"));
    l->fd = -1;
    if (snprintf(l->path, sizeof l->path, "%s", path) >= DC_PATH_MAX)
        DC_TRY(DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path"));
    DC_TRY(take(l));
    l->next_beat_s = dc_clock_now_s() + BEAT_S;
    *out = l;
    return DC_OK;
out:
    if (l) drop(l);
    dc_mem_free(&l);
    return st;
}

const char *dc_lock_previous_owner(const dc_lock *lock)
{
    return lock->previous;
}

/* The file names another owner: one that waited for a sign of life in vain has taken it. */
static void look_for_taker(dc_lock *l)
{
    owner o = {0};
    const owner me = myself();
    const int fd = open(l->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    const bool named = fd >= 0 && read_owner(fd, &o) == SOMEBODY;
    if (fd >= 0) close(fd);
    if (named && (o.pid != me.pid || strcmp(o.host, me.host) != 0))
        snprintf(l->taker, sizeof l->taker, "host %s, pid %" PRId64, o.host, o.pid);
}

/* What is lost stays lost: a run that stops for it comes again at once, to save. */
dc_status dc_lock_beat(dc_lock *lock)
{
    if (!lock || (!lock->taker[0] && dc_clock_now_s() < lock->next_beat_s)) return DC_OK;
    lock->next_beat_s = dc_clock_now_s() + BEAT_S;
    look_for_taker(lock);
    if (lock->taker[0])
        return DC_FAIL(DC_ERR_BUSY, "%s was taken over by %s: this run gave no sign of life for %d minutes", lock->path,
                       lock->taker, STALE_S / 60);
    (void)futimens(lock->fd, NULL); /* a sign that cannot be given is no reason to stop */
    return DC_OK;
}

void dc_lock_release(dc_lock **lock)
{
    if (!*lock) return;
    look_for_taker(*lock); /* it may have the same file */
    if (is_current((*lock)->fd, (*lock)->path) && !(*lock)->taker[0]) unlink((*lock)->path);
    drop(*lock);
    dc_mem_free(lock);
}
