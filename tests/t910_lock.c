/* The lock of an output directory: of many processes that start at once one gets it, over a free path, a lock left
 * behind, and one that is just being given back; with flock(2) and on a file system without it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/lock.h"

static bool without_flock;
static const char *leaves; /* the owner of this file unlinks it at the worst moment, once */

static void leave(void)
{
    if (leaves) unlink(leaves);
    leaves = NULL;
}

/* Takes the place of the C library's: between open and lock. */
int flock(int fd, int operation)
{
    errno = ENOLCK;
    if (without_flock) return -1;
    leave();
    return (int)syscall(SYS_flock, fd, operation);
}

static bool owner_ends;

/* So does this one: while it is asked whether it lives. */
int kill(pid_t pid, int number)
{
    if (!owner_ends) return (int)syscall(SYS_kill, pid, number);
    leave();
    errno = ESRCH;
    return -1;
}

static int later_s;

/* And this one. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
    const int rc = (int)syscall(SYS_clock_gettime, clock, t);
    t->tv_sec += later_s;
    return rc;
}

static char dir[] = "/tmp/dcmpi-lock.XXXXXX", path[64], guard[80];

static dc_status acquire(dc_lock **lock)
{
    return dc_lock_acquire(path, "output directory", "set run.output", lock);
}

enum { STARTERS = 8, ROUNDS = 40 };

typedef struct {
    _Atomic int ready, inside, most, taken, busy, done;
} board;
static board *shared;

static void pause_us(long us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static void write_owner(const char *file, const char *host, long pid, int age_s)
{
    FILE *f = fopen(file, "w");
    fprintf(f, "dcmpi lock\nhost %s\npid %ld\nticks 1\njob 4711\nstarted 2026-01-01T00:00:00+0000\nepoch 1767225600\n",
            host, pid);
    fclose(f);
    const struct timespec then = {.tv_sec = time(NULL) - age_s};
    utimensat(AT_FDCWD, file, (struct timespec[]){then, then}, 0);
}

static void write_lock(const char *host, long pid, int age_s)
{
    write_owner(path, host, pid, age_s);
}

static void start_together(int n)
{
    shared->ready++;
    while (shared->ready < n) pause_us(50);
}

/* Takes the lock if it can and keeps it until all have tried. */
static void starter(void)
{
    dc_lock *lock;
    start_together(STARTERS);
    const dc_status st = acquire(&lock);
    if (st == DC_OK) shared->taken++;
    if (st == DC_ERR_BUSY) shared->busy++;
    shared->done++;
    while (shared->done < STARTERS) pause_us(200);
    if (st == DC_OK) dc_lock_release(&lock);
}

/* Comes and goes: never are two of them inside. */
static void visitor(void)
{
    start_together(STARTERS);
    for (int i = 0; i < ROUNDS; i++) {
        dc_lock *lock;
        if (acquire(&lock) == DC_OK) {
            const int inside = ++shared->inside;
            if (inside > shared->most) shared->most = inside;
            shared->taken++;
            pause_us(100);
            shared->inside--;
            dc_lock_release(&lock);
        }
        dc_error_clear();
    }
}

static void run_all(void (*what)(void))
{
    memset(shared, 0, sizeof *shared);
    for (int i = 0; i < STARTERS; i++)
        if (fork() == 0) {
            what();
            _exit(0);
        }
    while (wait(NULL) > 0) {
    }
}

static int count_files(void)
{
    return (access(path, F_OK) == 0) + (access(guard, F_OK) == 0);
}

static void check_races(void)
{
    char host[64];
    gethostname(host, sizeof host);
    int one_winner = 0, clean = 0;
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 2) write_lock(host, 2147483000, 5);
        run_all(starter);
        one_winner += shared->taken == 1 && shared->busy == STARTERS - 1;
        clean += count_files() == 0;
    }
    CHECK_INT(one_winner, ROUNDS);
    CHECK_INT(clean, ROUNDS);
    run_all(visitor);
    CHECK_INT(shared->most, 1);
    CHECK(shared->taken > 0);
    CHECK_INT(count_files(), 0);
}

/* Whether the lock in the file keeps this process out. */
static bool is_busy(void)
{
    dc_lock *lock;
    const dc_status st = acquire(&lock);
    if (st == DC_OK) dc_lock_release(&lock);
    return st == DC_ERR_BUSY;
}

static void check_signs_of_life(void)
{
    char host[64];
    gethostname(host, sizeof host);
    write_lock("elsewhere", 1, 300);
    CHECK(is_busy());
    CHECK_TEXT_HAS(dc_error_text(), "host elsewhere, pid 1, job 4711, started 2026-01-01T00:00:00+0000");
    dc_error_clear();
    write_lock("elsewhere", 1, 700);
    CHECK(!is_busy());
    write_lock(host, 2147483000, 5);
    CHECK(!is_busy());
    write_lock(host, (long)getppid(), 5); /* alive, but started at another time: the number was used again */
    CHECK(!is_busy());
}

/* The owner goes while we look: the lock that we get must be the file that others find. */
static void check_leaving_owner(void)
{
    char host[64];
    dc_lock *lock;
    gethostname(host, sizeof host);
    write_lock(host, 2147483000, 5);
    owner_ends = without_flock;
    leaves = path;
    CHECK_OK(acquire(&lock));
    CHECK(leaves == NULL);
    CHECK(access(path, F_OK) == 0);
    owner_ends = false;
    dc_lock_release(&lock);
}

static void check_guard(void)
{
    const struct timespec then = {.tv_sec = time(NULL) - 700};
    fclose(fopen(guard, "w"));
    CHECK(is_busy());
    dc_error_clear();
    utimensat(AT_FDCWD, guard, (struct timespec[]){then, then}, 0);
    CHECK(!is_busy());
    /* A fresh one with a name is as old as its owner is gone. */
    char host[64];
    gethostname(host, sizeof host);
    write_owner(guard, "elsewhere", 1, 5);
    CHECK(is_busy());
    dc_error_clear();
    write_owner(guard, host, 2147483000, 5);
    CHECK(!is_busy());
    CHECK_INT(count_files(), 0);
}

static time_t last_touched(void)
{
    struct stat s;
    return stat(path, &s) == 0 ? s.st_mtime : 0;
}

static void check_beat(void)
{
    dc_lock *lock;
    const struct timespec long_ago = {.tv_sec = 1000};
    CHECK_OK(dc_lock_beat(NULL));
    CHECK_OK(acquire(&lock));
    utimensat(AT_FDCWD, path, (struct timespec[]){long_ago, long_ago}, 0);
    later_s = 50;
    CHECK_OK(dc_lock_beat(lock));
    CHECK_INT(last_touched(), 1000);
    later_s = 61;
    CHECK_OK(dc_lock_beat(lock));
    CHECK(last_touched() > 1000);
    write_lock("elsewhere", 1, 0);
    CHECK_OK(dc_lock_beat(lock));
    later_s = 122;
    CHECK_STATUS(dc_lock_beat(lock), DC_ERR_BUSY);
    CHECK_TEXT_HAS(dc_error_text(), "taken over by host elsewhere, pid 1");
    dc_error_clear();
    CHECK_STATUS(dc_lock_beat(lock), DC_ERR_BUSY); /* before the next look is due */
    dc_error_clear();
    later_s = 0;
    dc_lock_release(&lock);
    dc_lock_release(&lock);
    CHECK(access(path, F_OK) == 0); /* it is another run's */
    unlink(path);
}

static void check_odd_files(void)
{
    dc_lock *lock;
    char target[80];
    snprintf(target, sizeof target, "%s/target", dir);
    CHECK(symlink(target, path) == 0);
    CHECK_STATUS(acquire(&lock), DC_ERR_IO);
    dc_error_clear();
    CHECK(access(target, F_OK) != 0);
    unlink(path);
    CHECK(mkdir(path, 0700) == 0);
    CHECK_STATUS(acquire(&lock), DC_ERR_IO);
    dc_error_clear();
    rmdir(path);
    FILE *f = fopen(path, "w");
    fputs("notes of somebody\n", f);
    fclose(f);
    CHECK_STATUS(acquire(&lock), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "no lock of dcmpi");
    dc_error_clear();
    unlink(path);
}

int main(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !mkdtemp(dir)) return 1;
    snprintf(path, sizeof path, "%s/LOCK", dir);
    snprintf(guard, sizeof guard, "%s.guard", path);
    check_races();
    check_leaving_owner();
    check_odd_files();
    check_beat();
    without_flock = true;
    check_races();
    check_leaving_owner();
    check_odd_files();
    check_signs_of_life();
    check_guard();
    CHECK_INT(count_files(), 0);
    rmdir(dir);
    return check_done();
}
