/* within SECONDS COMMAND [ARGUMENT...]: runs COMMAND with a time limit that tells a busy machine from a hang.
 * It counts the time in which the command had the machine, in short intervals. An interval counts in full if no process
 * of the command was ready to run (a hang that waits, or a sleep); else the processor time that they got counts, at
 * most the interval. So a machine that gives the command a tenth of a core makes the limit ten times as long, and a
 * deadlock ends at the limit whether it sleeps or spins. The command's processes are all its descendants, even if their
 * parent has gone. At the limit: one line on stderr, SIGTERM to all of them, SIGKILL five seconds later, exit code 124.
 * Otherwise the exit code of COMMAND, 128 + N if signal N ended it, 127 if it cannot be run, 125 if `within` itself
 * fails. Processes that COMMAND leaves behind go on. SIGTERM, SIGINT and SIGHUP are passed on to COMMAND. If
 * WITHIN_SECONDS names a file, the whole seconds that counted are written to it. within --slow: prints how many times
 * slower this processor is than the one that the limits were made on, at least 1. Linux only (/proc). */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PIDS_MAX = 1 << 15 };

typedef struct {
    pid_t pid, parent;
    double cpu; /* seconds, including those of children that it has waited for */
    bool ours;
} process;

static process table[PIDS_MAX];
static int n_processes;
static pid_t child;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Waits for one of the blocked signals, SIGCHLD for instance; passes the others on. */
static void wait_at_most(double seconds, const sigset_t *blocked)
{
    const struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    const int signal = sigtimedwait(blocked, NULL, &t);
    if (signal > 0 && signal != SIGCHLD) kill(child, signal);
}

/* The state and the fields from the fourth on of a stat file; they follow the last ")" of the name. */
static bool read_stat(const char *path, char *state, long *parent, double *cpu)
{
    char text[1024];
    FILE *in = fopen(path, "r");
    if (!in) return false;
    const size_t n = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    unsigned long user, system;
    long user_of_children, system_of_children;
    if (!end || sscanf(end + 1, " %c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", state, parent, &user,
                       &system, &user_of_children, &system_of_children) != 6)
        return false;
    *cpu =
        (double)(user + system + (unsigned long)(user_of_children + system_of_children)) / (double)sysconf(_SC_CLK_TCK);
    return true;
}

static void read_processes(void)
{
    n_processes = 0;
    DIR *dir = opendir("/proc");
    if (!dir) return;
    for (const struct dirent *e; (e = readdir(dir)) && n_processes < PIDS_MAX;) {
        if (!isdigit((unsigned char)e->d_name[0])) continue;
        char path[300], state;
        long parent;
        double cpu;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        if (!read_stat(path, &state, &parent, &cpu)) continue;
        table[n_processes++] = (process){(pid_t)atol(e->d_name), (pid_t)parent, cpu, false};
    }
    closedir(dir);
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < n_processes; i++) {
            if (table[i].ours) continue;
            bool of_ours = table[i].parent == getpid();
            for (int j = 0; j < n_processes && !of_ours; j++)
                of_ours = table[j].ours && table[j].pid == table[i].parent;
            if (of_ours) table[i].ours = more = true;
        }
    }
}

static bool any_thread_ready(pid_t pid)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    bool ready = false;
    for (const struct dirent *e; dir && !ready && (e = readdir(dir));) {
        char state = 'S';
        long parent;
        double cpu;
        snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)pid, e->d_name);
        ready = e->d_name[0] != '.' && read_stat(path, &state, &parent, &cpu) && (state == 'R' || state == 'D');
    }
    if (dir) closedir(dir);
    return ready;
}

/* Processor time of all descendants, dead ones included, and whether one of them could use the machine now. */
static double look(bool *ready)
{
    struct rusage dead;
    getrusage(RUSAGE_CHILDREN, &dead);
    double cpu = (double)(dead.ru_utime.tv_sec + dead.ru_stime.tv_sec) +
                 1e-6 * (double)(dead.ru_utime.tv_usec + dead.ru_stime.tv_usec);
    *ready = false;
    read_processes();
    for (int i = 0; i < n_processes; i++) {
        if (!table[i].ours) continue;
        cpu += table[i].cpu;
        *ready = *ready || any_thread_ready(table[i].pid);
    }
    return cpu;
}

static void signal_all(int signal)
{
    read_processes();
    for (int i = 0; i < n_processes; i++)
        if (table[i].ours) kill(table[i].pid, signal);
}

/* Collects children that have ended, including orphans of COMMAND; true: COMMAND is among them. */
static bool reap(int *status)
{
    int s;
    for (pid_t pid; (pid = waitpid(-1, &s, WNOHANG)) > 0;)
        if (pid == child) {
            *status = s;
            return true;
        }
    return false;
}

static int end_all(double limit, const char *command, const sigset_t *blocked)
{
    int status;
    fprintf(stderr, "within: %s did not end in %g s of the machine\n", command, limit);
    signal_all(SIGTERM);
    const double until = now_s() + 5;
    while (!reap(&status) && now_s() < until) wait_at_most(0.05, blocked);
    signal_all(SIGKILL);
    return 124;
}

static int watch(double limit, const char *command, const sigset_t *blocked, double *counted)
{
    const double interval = limit < 60 ? 0.05 : limit < 600 ? 0.1 : 0.25;
    bool ready;
    double cpu = look(&ready), at = now_s();
    for (int status = 0;;) {
        wait_at_most(interval, blocked);
        const bool over = reap(&status);
        const double was = cpu, began = at;
        cpu = look(&ready), at = now_s();
        const double wall = at - began, used = cpu > was ? cpu - was : 0;
        *counted += !ready && used < wall ? wall : used < wall ? used : wall;
        if (over) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        if (*counted > limit) return end_all(limit, command, blocked);
    }
}

static void write_seconds(double counted)
{
    const char *path = getenv("WITHIN_SECONDS");
    FILE *out = path && path[0] ? fopen(path, "w") : NULL;
    if (!out) return;
    fprintf(out, "%d\n", (int)counted);
    fclose(out);
}

/* Times a known piece of work: a chain of multiplications that took 0.28 s on the Intel Xeon on which the limits were
 * tried. */
static int times_slower(void)
{
    volatile unsigned long x = 1;
    unsigned long y = x;
    for (long i = 0; i < 200000000; i++) y = y * 6364136223846793005UL + 1442695040888963407UL;
    x = y;
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    const double ratio = ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec) / 0.28;
    return ratio < 1 ? 1 : (int)(ratio + 0.5);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--slow") == 0) {
        printf("%d\n", times_slower());
        return 0;
    }
    char *end;
    const double limit = argc > 2 ? strtod(argv[1], &end) : 0;
    if (!(limit > 0) || *end) {
        fprintf(stderr, "usage: within SECONDS COMMAND [ARGUMENT...], within --slow\n");
        return 125;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t blocked, before;
    sigemptyset(&blocked);
    const int waited_for[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof waited_for / sizeof waited_for[0]; i++) sigaddset(&blocked, waited_for[i]);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    child = fork();
    if (child < 0) {
        fprintf(stderr, "within: cannot start a process: %s\n", strerror(errno));
        return 125;
    }
    if (child == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        unsetenv("WITHIN_SECONDS");
        execvp(argv[2], argv + 2);
        fprintf(stderr, "within: cannot run %s: %s\n", argv[2], strerror(errno));
        _exit(127);
    }
    double counted = 0;
    const int code = watch(limit, argv[2], &blocked, &counted);
    write_seconds(counted);
    return code;
}
