/* The lock of an output directory: if many processes start at once, one gets it, whether the path is free, a lock was
 * left behind, or one is just being released; with flock(2) and on a file system without it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/lock.h"

static bool without_flock, local_flock;
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
    if (local_flock) return 0; /* of this node alone */
    leave();
    return (int)syscall(SYS_flock, fd, operation);
}

static bool owner_ends;

/* So does this one: the owner leaves while it is asked whether it lives. */
int kill(pid_t pid, int number)
{
    if (!owner_ends) return (int)syscall(SYS_kill, pid, number);
    leave();
    errno = ESRCH;
    return -1;
}

static char node[32]; /* name of this host, "": the machine's own */

int gethostname(char *name, size_t cap)
{
    struct utsname u;
    if (uname(&u) != 0) return -1;
    snprintf(name, cap, "%s", node[0] ? node : u.nodename);
    return 0;
}

static int later_s;

/* And this one. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
    const int rc = (int)syscall(SYS_clock_gettime, clock, t);
    t->tv_sec += later_s;
    return rc;
}

static char dir[CHECK_PATH_MAX], path[CHECK_PATH_MAX + 8], guard[CHECK_PATH_MAX + 16];

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

/* more: what version 0.1.0 did not write */
static void write_text(const char *file, const char *host, long pid, int age_s, const char *more)
{
    FILE *f = fopen(file, "w");
    fprintf(f,
            "dcmpi lock\nhost %s\npid %ld\nticks 1\njob 4711\nstarted 2026-01-01T00:00:00+0000\nepoch 1767225600\n%s",
            host, pid, more);
    fclose(f);
    const struct timespec then = {.tv_sec = time(NULL) - age_s};
    utimensat(AT_FDCWD, file, (struct timespec[]){then, then}, 0);
}

static void write_owner(const char *file, const char *host, long pid, int age_s)
{
    write_text(file, host, pid, age_s, "");
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

static bool on_nodes; /* each starter on a host of its own */

/* Takes the lock if it can and keeps it until all have tried. */
static void starter(void)
{
    dc_lock *lock;
    if (on_nodes) snprintf(node, sizeof node, "node%d", (int)getpid());
    start_together(STARTERS);
    const dc_status st = acquire(&lock);
    if (st == DC_OK) shared->taken++;
    if (st == DC_ERR_BUSY) shared->busy++;
    shared->done++;
    while (shared->done < STARTERS) pause_us(200);
    if (st == DC_OK) dc_lock_release(&lock);
}

/* Takes and releases the lock again and again: two processes never hold it at once. */
static void visitor(void)
{
    if (on_nodes) snprintf(node, sizeof node, "node%d", (int)getpid());
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
    const int age_s = on_nodes ? 700 : 5; /* a host that is another one is waited for */
    gethostname(host, sizeof host);
    int one_winner = 0, clean = 0;
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 2) write_lock(host, 2147483000, age_s);
        if (round % 3 == 0) write_owner(guard, host, 2147483000, age_s); /* a guard that a crash left */
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

/* Checked even if flock works, because it may be known to one node only. */
static void check_other_hosts(void)
{
    write_lock("elsewhere", 1, 300);
    CHECK(is_busy());
    CHECK_TEXT_HAS(dc_error_text(), "host elsewhere, pid 1, job 4711, started 2026-01-01T00:00:00+0000");
    CHECK_TEXT_HAS(dc_error_text(), "last sign of life 5 min ago");
    dc_error_clear();
    write_lock("elsewhere", 1, 700);
    CHECK(!is_busy());
}

static bool taken_by_job(const char *id, const char *count)
{
    setenv("SLURM_JOB_ID", id, 1);
    setenv("SLURM_RESTART_COUNT", count, 1);
    const bool taken = !is_busy();
    dc_error_clear();
    unlink(path);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
    return taken;
}

/* Slurm has ended the earlier part of a job before it starts the job again; another step of the same part lives. */
static void check_requeued(void)
{
    write_lock("elsewhere", 1, 5);
    CHECK(taken_by_job("4711", "1"));
    write_lock("elsewhere", 1, 5);
    CHECK(!taken_by_job("4711", "0"));
    write_lock("elsewhere", 1, 5);
    CHECK(!taken_by_job("4712", "1"));
    write_text(path, "elsewhere", 1, 5, "restart 1\nboot b\npidns p\n");
    CHECK(!taken_by_job("4711", "1"));
    write_text(path, "elsewhere", 1, 5, "restart 1\nboot b\npidns p\n");
    CHECK(taken_by_job("4711", "2"));
}

/* The text of a lock of this machine and PID namespace. */
static void own_text(char boot[64], char pidns[64])
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (!f || fscanf(f, "%63s", boot) != 1) snprintf(boot, 64, "unknown");
    if (f) fclose(f);
    pidns[DC_MAX(readlink("/proc/self/ns/pid", pidns, 63), 0)] = '\0';
}

/* Two machines with one name: started at different times, or a container with process numbers of its own. */
static void check_same_names(void)
{
    char host[64], boot[64], pidns[64] = "", more[256];
    struct timespec up;
    gethostname(host, sizeof host);
    own_text(boot, pidns);
    clock_gettime(CLOCK_BOOTTIME, &up);
    snprintf(more, sizeof more, "restart 0\nboot another\npidns %s\n", pidns);
    write_text(path, host, 2147483000, 5, more);
    CHECK(is_busy()); /* a sign from after this machine was started: it is another one */
    dc_error_clear();
    write_text(path, host, 2147483000, DC_MIN((int)up.tv_sec, 600) + 60, more);
    CHECK(!is_busy()); /* from before: it was this one */
    snprintf(more, sizeof more, "restart 0\nboot %s\npidns another\n", boot);
    write_text(path, host, 2147483000, 5, more);
    CHECK_INT(is_busy(), without_flock); /* flock is known to all of a machine, process numbers are not */
    dc_error_clear();
    write_text(path, host, 2147483000, 700, more);
    CHECK(!is_busy());
    snprintf(more, sizeof more, "restart 0\nboot %s\npidns %s\n", boot, pidns);
    write_text(path, host, 2147483000, 5, more);
    CHECK(!is_busy());
    unlink(path);
}

static void check_signs_of_life(void)
{
    char host[64];
    gethostname(host, sizeof host);
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
    /* As this version makes it: a link that holds the text. */
    char text[512];
    write_owner(guard, host, 2147483000, 5);
    FILE *f = fopen(guard, "r");
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    unlink(guard);
    CHECK_INT(symlink(text, guard), 0);
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
    CHECK_TEXT_HAS(dc_error_text(), "taken over by host elsewhere, pid 1, job 4711");
    CHECK_TEXT_HAS(dc_error_text(), "the last sign of life of this process is 61 s old");
    dc_error_clear();
    CHECK_STATUS(dc_lock_beat(lock), DC_ERR_BUSY); /* before the next look is due */
    dc_error_clear();
    later_s = 0;
    dc_lock_release(&lock);
    dc_lock_release(&lock);
    CHECK(access(path, F_OK) == 0); /* it is another run's */
    unlink(path);
}

static void check_odd_file(const char *what)
{
    dc_lock *lock;
    CHECK_STATUS(acquire(&lock), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), what);
    dc_error_clear();
}

/* Files of others under the names of lock and guard: refused, and they stay, however old they are. */
static void check_foreign(const char *file, const char *what)
{
    const struct timespec then = {.tv_sec = time(NULL) - 700};
    FILE *f = fopen(file, "w");
    fputs("notes of somebody\n", f);
    fclose(f);
    utimensat(AT_FDCWD, file, (struct timespec[]){then, then}, 0);
    check_odd_file(what);
    CHECK_INT(unlink(file), 0);
    CHECK_INT(mkfifo(file, 0600), 0);
    utimensat(AT_FDCWD, file, (struct timespec[]){then, then}, 0);
    check_odd_file(what);
    CHECK_INT(unlink(file), 0);
    CHECK_INT(mkdir(file, 0700), 0);
    check_odd_file(what);
    CHECK_INT(rmdir(file), 0);
}

/* What a start leaves if it is killed in a folder that it has just made. */
static void check_cut_lock(void)
{
    dc_lock *lock;
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            fclose(fopen(path, "w"));
        else
            write_text(path, "elsewhere", 1, 700,
                       "restart 0\nboot b\npidns p\nend\nd 1\nend\n"); /* over a longer text */
        CHECK_OK(acquire(&lock));
        CHECK(dc_lock_was_left(lock));
        dc_lock_release(&lock);
    }
    CHECK_OK(acquire(&lock));
    CHECK(!dc_lock_was_left(lock));
    CHECK_TEXT_HAS(dc_lock_previous_owner(lock), "");
    CHECK_INT(dc_lock_user(lock), geteuid());
    dc_lock_release(&lock);
}

static void check_odd_files(void)
{
    dc_lock *lock;
    char target[CHECK_PATH_MAX + 8];
    snprintf(target, sizeof target, "%s/target", dir);
    CHECK(symlink(target, path) == 0);
    CHECK_STATUS(acquire(&lock), DC_ERR_IO);
    dc_error_clear();
    CHECK(access(target, F_OK) != 0);
    unlink(path);
    check_foreign(path, "is not a lock of dcmpi");
    check_foreign(guard, "is not the guard of a lock of dcmpi");
    CHECK_INT(symlink("elsewhere", guard), 0);
    check_odd_file("is not the guard of a lock of dcmpi");
    CHECK_INT(unlink(guard), 0);
    /* A second name of it would be written, too. */
    write_lock("elsewhere", 1, 700);
    CHECK_INT(link(path, target), 0);
    check_odd_file("is not a lock of dcmpi");
    unlink(target);
    unlink(path);
}

int main(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !mkdtemp(check_temporary(dir))) return 1;
    snprintf(path, sizeof path, "%s/LOCK", dir);
    snprintf(guard, sizeof guard, "%s.guard", path);
    check_races();
    check_leaving_owner();
    check_odd_files();
    check_cut_lock();
    check_other_hosts();
    check_requeued();
    check_same_names();
    check_beat();
    on_nodes = local_flock = true;
    check_races();
    on_nodes = local_flock = false;
    without_flock = true;
    check_races();
    check_leaving_owner();
    check_odd_files();
    check_cut_lock();
    check_other_hosts();
    check_requeued();
    check_same_names();
    check_signs_of_life();
    check_guard();
    CHECK_INT(count_files(), 0);
    rmdir(dir);
    return check_done();
}
