/* The environment variable DCMPI_APART, "FD" or "FD PROBE", marks a process that was started to read a foreign file; FD
 * is the pipe to which it writes its record. A process that ends without a record has crashed, whatever its exit
 * code. */
#include "apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dcmpi/files.h"
#include "dcmpi/h5.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/keys.h"
#include "dcmpi/mem.h"
#include "dcmpi/recipe.h"
#include "dcmpi/train.h"
#include "result_model.h"

#define VARIABLE "DCMPI_APART="
#define LIMIT_VARIABLE "DCMPI_READ_LIMIT"
enum { LIMIT_S = 6, LIMIT_MAX_S = 1000000 };

/* How the process ended; short enough for one atomic write to a pipe. */
typedef struct {
    dc_status st;
    bool more; /* not the end: the file named in `text` is about to be read */
    char where[128];
    char text[DC_ERROR_TEXT_MAX];
} record;

static int record_fd = -1; /* set only in the started process */

/* Limit of processor time without progress, in seconds; 0 if the environment variable is not a valid number. */
static int limit_s(void)
{
    const char *text = getenv(LIMIT_VARIABLE);
    char *end;
    if (!text) return LIMIT_S;
    const long s = strtol(text, &end, 10);
    return *text && *end == '\0' && s >= 1 && s <= LIMIT_MAX_S ? (int)s : 0;
}

/* ---- The process that was started -------------------------------------------------------------------------------- */

/* Reads a dataset in the same way as loading the model does. Only an I/O error ends the visit; the actual reader will
 * report any other error. */
static dc_status check_array(void *ctx, const char *name, const dc_h5_info *info)
{
    (void)info;
    const dc_status st = dc_h5_check_hash(ctx, name);
    dc_error_clear();
    return st == DC_ERR_IO ? st : DC_OK;
}

/* What a probe is about; only `path` is always set. */
typedef struct {
    const char *path, *labels, *matrix, *table;
} target;

static void probe_model(const target *of)
{
    const char *path = of->path;
    dc_trained t;
    dc_config config;
    dc_h5 *h5 = NULL;
    char *deck = NULL;
    if (dc_result_model_read(path, &config, &t) == DC_OK) dc_trained_release(&t);
    dc_error_clear();
    if (dc_h5_open(&h5, path, DC_H5_READ) == DC_OK) (void)!dc_h5_visit(h5, check_array, h5);
    if (h5 && dc_result_deck_text(h5, &deck) == DC_OK) dc_mem_free(&deck);
    (void)!dc_h5_close(&h5);
}

static void probe_data(const target *of)
{
    (void)!dc_dataset_probe(&(dc_data_request){.path = of->path, .labels = of->labels, .matrix = of->matrix});
}

static void tell_file(const char *path)
{
    record r = {.more = true};
    snprintf(r.text, sizeof r.text, "%s", path);
    (void)!write(record_fd, &r, sizeof r);
}

static void probe_files(const target *of)
{
    dc_files *files = NULL;
    if (dc_files_find(of->path, of->matrix, of->labels, of->table, &files) == DC_OK)
        (void)!dc_files_look(files, tell_file);
    dc_files_destroy(&files);
}

static void probe_output(const target *of)
{
    bool same;
    char made[256], format[32];
    (void)!dc_recipe_format(of->path, format, sizeof format);
    (void)!dc_recipe_made(&(dc_recipe){.verb = "", .options = ""}, of->path, &same, made, sizeof made);
}

static void (*const probes[])(const target *of) = {[DC_PROBE_DATA] = probe_data,
                                                   [DC_PROBE_MODEL] = probe_model,
                                                   [DC_PROBE_OUTPUT] = probe_output,
                                                   [DC_PROBE_FILES] = probe_files};

bool dc_apart_enter(int argc, char **argv)
{
    const char *text = getenv("DCMPI_APART");
    char *end;
    if (!text) return false;
    record_fd = (int)strtol(text, &end, 10);
    const long probe = *end ? strtol(end, NULL, 10) : -1;
    unsetenv("DCMPI_APART");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dc_heartbeat_start(limit_s());
    if (probe < 0) return true;
    if (argc == 5 && (size_t)probe < DC_COUNT_OF(probes)) probes[probe](&(target){argv[1], argv[2], argv[3], argv[4]});
    dc_error_clear();
    dc_apart_leave(DC_OK);
    _exit(0); /* run no exit handlers: the library may have broken what they use */
}

void dc_apart_leave(dc_status st)
{
    record r = {.st = st};
    dc_heartbeat_stop();
    fflush(NULL);
    snprintf(r.where, sizeof r.where, "%s", dc_error_where());
    snprintf(r.text, sizeof r.text, "%s", dc_error_text());
    (void)!write(record_fd, &r, sizeof r);
}

/* ---- The process that starts it ---------------------------------------------------------------------------------- */

/* Makes the environment of the process to start: this process's own plus `extra`, and without DC_FAULT for a probe. */
static dc_status make_environment(char *extra, bool probe, char ***out)
{
    size_t n = 0, used = 0;
    while (environ[n]) n++;
    const dc_status st = dc_mem_alloc(out, n + 2, sizeof **out, "environment");
    if (st != DC_OK) return st;
    for (size_t i = 0; i < n; i++)
        if (!probe || strncmp(environ[i], "DC_FAULT=", 9) != 0) (*out)[used++] = environ[i];
    (*out)[used] = extra;
    return DC_OK;
}

/* Starts the process with no signal blocked. It will write its record to `to`. Returns 0 or an error number. */
static int start(char *const *argv, char **environment, bool quiet, int to, pid_t *child)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, to, to); /* duplicated to itself, so that it stays open there */
    if (quiet) posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attr, &none);
    const int error = posix_spawn(child, "/proc/self/exe", &files, &attr, argv, environment);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* Reads the record until it is complete or the pipe is closed; false if it is not complete. */
static bool take_record(int from, record *r)
{
    size_t got = 0;
    while (got < sizeof *r) {
        const ssize_t n = read(from, (char *)r + got, sizeof *r - got);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        got += (size_t)n;
    }
    return got == sizeof *r;
}

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

/* Passes on signals that were sent to this process alone; those of a terminal reach the child anyway. */
static void pass_on(int signals, pid_t child)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) == (ssize_t)sizeof info && info.ssi_code <= 0)
        kill(child, (int)info.ssi_signo);
}

/* Waits until the process sends a record, or ends. */
static bool next_record(int from, int signals, pid_t child, record *r)
{
    struct pollfd at[] = {{.fd = from, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    do {
        if (poll(at, DC_COUNT_OF(at), -1) < 0 && errno != EINTR) break;
        if (at[1].revents & POLLIN) pass_on(signals, child);
    } while (!(at[0].revents & (POLLIN | POLLHUP | POLLERR)));
    return take_record(from, r);
}

/* Waits for the last record; what[DC_PATH_MAX] becomes the file that the process reads. */
static bool follow(int from, int signals, pid_t child, record *r, char *what)
{
    bool told;
    while ((told = next_record(from, signals, child, r)) && r->more) snprintf(what, DC_PATH_MAX, "%s", r->text);
    return told;
}

static dc_status fail_read(const char *what, const char *how, dc_status code)
{
    return DC_FAIL(code, "the HDF5 library %s when it reads %s: the file is damaged; make it again", how, what);
}

/* Explains why a process ended without a record. */
static dc_status judge_end(int result, const char *what, dc_status code)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
    char how[128];
    if (WIFSIGNALED(result) && WTERMSIG(result) == SIGPROF)
        return DC_FAIL(code,
                       "reading %s does not end: no progress in %d s of processor time; the file is damaged, make it "
                       "anew (if it is only slow: " LIMIT_VARIABLE "=SECONDS in the environment)",
                       what, limit_s());
    if (!WIFSIGNALED(result)) {
        snprintf(how, sizeof how, "ends the program (exit code %d)", WEXITSTATUS(result));
        return fail_read(what, how, code);
    }
    for (size_t i = 0; i < DC_COUNT_OF(crashes); i++) {
        if (WTERMSIG(result) != crashes[i]) continue;
        snprintf(how, sizeof how, "crashes (%s)", strsignal(WTERMSIG(result)));
        return fail_read(what, how, code);
    }
    return DC_FAIL(DC_ERR_IO, "the process that reads %s was ended by a signal: %s", what, strsignal(WTERMSIG(result)));
}

/* Opens a pipe whose ends do not get the numbers of stdin, stdout or stderr, even if those are closed. */
static bool open_pipe(int ends[2])
{
    int low[2];
    if (pipe2(low, O_CLOEXEC) != 0) return false;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        close(low[i]);
    }
    if (ends[0] >= 0 && ends[1] >= 0) return true;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0) close(ends[i]);
    return false;
}

/* Starts the process, waits for its end, and returns its status. *started is false if no process could be created.
 * signals: a signalfd() whose signals are passed on, or -1. */
static dc_status run_apart(char *const *argv, int probe, int signals, const char *what, dc_status code, bool *started,
                           int *result)
{
    char variable[64], reads[DC_PATH_MAX];
    char **environment = NULL;
    record r;
    int ends[2];
    pid_t child;
    *started = false;
    if (limit_s() == 0)
        return DC_FAIL(DC_ERR_USAGE, LIMIT_VARIABLE "=%s in the environment is not a number of seconds from 1 to %d",
                       getenv(LIMIT_VARIABLE), LIMIT_MAX_S);
    if (!open_pipe(ends)) return DC_OK;
    snprintf(variable, sizeof variable, probe < 0 ? VARIABLE "%d" : VARIABLE "%d %d", ends[1], probe);
    fflush(NULL);
    dc_status st = make_environment(variable, probe >= 0, &environment);
    *started = st == DC_OK && start(argv, environment, probe >= 0, ends[1], &child) == 0;
    dc_mem_free(&environment);
    close(ends[1]);
    if (*started) {
        snprintf(reads, sizeof reads, "%s", what);
        const bool told = follow(ends[0], signals, child, &r, reads);
        while (waitpid(child, result, 0) < 0 && errno == EINTR) continue;
        st = told ? r.st : judge_end(*result, reads, code);
        if (told && r.text[0]) dc_error_set(r.st, r.where, r.text);
    }
    close(ends[0]);
    return st;
}

/* Joins the arguments of a verb ("a.h5 b.h5"), as far as they fit. */
static void join_arguments(const dc_cli *cli, char *out, size_t cap)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 1; i < cli->rest_argc && used < cap; i++) {
        const int n = snprintf(out + used, cap - used, "%s%s", i > 1 ? " " : "", cli->rest_argv[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

static void end_as(int signal_number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    signal(signal_number, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(signal_number);
}

dc_status dc_apart_run(const dc_verb *verb, const dc_cli *cli)
{
    char what[512];
    bool started;
    int result = 0;
    sigset_t mine, before;
    join_arguments(cli, what, sizeof what);
    sigemptyset(&mine);
    for (size_t i = 0; i < DC_COUNT_OF(forwarded); i++) sigaddset(&mine, forwarded[i]);
    sigprocmask(SIG_BLOCK, &mine, &before);
    const int signals = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
    const dc_status st = run_apart(cli->argv, -1, signals, what, verb->apart, &started, &result);
    if (signals >= 0) close(signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (started && WIFSIGNALED(result) && sigismember(&mine, WTERMSIG(result))) end_as(WTERMSIG(result));
    return started || st != DC_OK ? st : verb->serial(cli->rest_argc, cli->rest_argv);
}

static dc_status run_probe(dc_probe probe, const target *of, dc_status code)
{
    bool started;
    int result = 0;
    char program[] = "dcmpi", path[DC_FILES_TEXT_MAX], labels[DC_PATH_MAX], matrix[DC_PATH_MAX], table[DC_PATH_MAX];
    if (strlen(of->path) >= sizeof path) return DC_OK; /* the reader refuses it */
    snprintf(path, sizeof path, "%s", of->path);
    snprintf(labels, sizeof labels, "%s", of->labels ? of->labels : "");
    snprintf(matrix, sizeof matrix, "%s", of->matrix ? of->matrix : "");
    snprintf(table, sizeof table, "%s", of->table ? of->table : "");
    return run_apart((char *[]){program, path, labels, matrix, table, NULL}, (int)probe, -1, of->path, code, &started,
                     &result);
}

dc_status dc_apart_probe(dc_probe probe, const char *path, dc_status code)
{
    return run_probe(probe, &(target){.path = path}, code);
}

dc_status dc_apart_probe_data(const char *path, const char *labels, const char *matrix)
{
    return run_probe(DC_PROBE_DATA, &(target){.path = path, .labels = labels, .matrix = matrix}, DC_ERR_DATA);
}

dc_status dc_apart_probe_files(const char *names, const char *labels, const char *matrix, const char *table)
{
    return run_probe(DC_PROBE_FILES, &(target){names, labels, matrix, table}, DC_ERR_DATA);
}
