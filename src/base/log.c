/* Log lines for people to read. Each line goes to stdout and to the log file; a failing stdout (closed pipe, full disk)
 * never stops a run. The progress bar is only for terminals and never reaches the file. */
#include "dcmpi/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dcmpi/clock.h"
#include "dcmpi/fault.h"
#include "dcmpi/file.h"
#include "dcmpi/text.h"

enum { LINE_MAX_BYTES = 1 << 14 };

static bool active = true;
static FILE *file; /* the log file, or the memory that holds lines until it is open */
static char *held;
static size_t held_bytes;
static bool holding;
static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER; /* the watchdog's thread may print, too */
static int warning_count;
static bool bar_shown;

void dc_log_set_active(bool on)
{
    active = on;
}
bool dc_log_is_active(void)
{
    return active;
}
int dc_log_warning_count(void)
{
    return warning_count;
}

/* From now on lines go to `to`; the lines held so far are written to it first. */
static void change_file(FILE *to)
{
    pthread_mutex_lock(&file_lock);
    if (file) fclose(file);
    if (to && holding) fwrite(held, 1, held_bytes, to);
    if (holding) free(held);
    file = to;
    holding = false;
    pthread_mutex_unlock(&file_lock);
}

void dc_log_hold(void)
{
    if (!active) return;
    change_file(open_memstream(&held, &held_bytes)); /* if memory is short, lines are not held */
    holding = file != NULL;
}

dc_status dc_log_open(const char *path)
{
    dc_status st = DC_OK;
    if (!active) return DC_OK;
    FILE *f = NULL;
    DC_TRY(dc_file_append(path, &f));
    setvbuf(f, NULL, _IOLBF, 0);
    change_file(f);
    if (dc_fault(DC_FAULT_LOG_OPEN)) st = DC_FAIL(DC_ERR_IO, "cannot open %s: %s", path, strerror(errno));
out:
    return st;
}

int64_t dc_log_bytes(void)
{
    return file && !holding ? dc_file_written(file) : 0;
}

void dc_log_close(void)
{
    change_file(NULL);
}

static void erase_bar(void)
{
    if (bar_shown) fputs("\r\033[K", stdout);
    bar_shown = false;
}

/* Prints a line in one call, because the watchdog's thread may print, too. File names and texts from files may contain
 * any characters, so those that would control a terminal are replaced. */
static void emit(FILE *to, const char *time, const char *prefix, const char *fmt, va_list args)
{
    char text[LINE_MAX_BYTES];
    vsnprintf(text, sizeof text, fmt, args);
    dc_text_clean(text, "\n\t");
    fprintf(to, "%s%s%s%s\n", time ? time : "", time ? "  " : "", prefix ? prefix : "", text);
}

static void emit_to_file(const char *time, const char *prefix, const char *fmt, va_list args)
{
    pthread_mutex_lock(&file_lock);
    if (file) emit(file, time, prefix, fmt, args);
    pthread_mutex_unlock(&file_lock);
}

static void line(bool with_time, const char *prefix, const char *fmt, va_list args)
{
    if (!active) return;
    char time[DC_ISO_MAX];
    dc_clock_iso(time);
    erase_bar();
    va_list again;
    va_copy(again, args);
    emit(stdout, with_time ? time : NULL, prefix, fmt, args);
    emit_to_file(with_time ? time : NULL, prefix, fmt, again);
    va_end(again);
}

#define FORWARD(with_time, prefix)                                                                                     \
    do {                                                                                                               \
        va_list args;                                                                                                  \
        va_start(args, fmt);                                                                                           \
        line((with_time), (prefix), fmt, args);                                                                        \
        va_end(args);                                                                                                  \
    } while (0)

void dc_log(const char *fmt, ...)
{
    FORWARD(true, NULL);
}
void dc_log_plain(const char *fmt, ...)
{
    FORWARD(false, NULL);
}
void dc_log_note(const char *fmt, ...)
{
    FORWARD(true, "NOTE    ");
}

void dc_log_warning(const char *fmt, ...)
{
    warning_count++;
    FORWARD(true, "WARNING ");
}

void dc_log_alarm(const char *fmt, ...)
{
    va_list args, again;
    char time[DC_ISO_MAX];
    dc_clock_iso(time);
    va_start(args, fmt);
    va_copy(again, args);
    emit(stdout, time, NULL, fmt, args);
    fflush(stdout);
    emit_to_file(time, NULL, fmt, again);
    va_end(again);
    va_end(args);
}

void dc_log_error(const char *text)
{
    erase_bar();
    fflush(stdout);
    fprintf(stderr, "dcmpi: ERROR: %s\n", text);
    if (file) fprintf(file, "dcmpi: ERROR: %s\n", text);
}

/* Open MPI gives each rank a pseudo-terminal, whatever the stdout of mpirun is. So under mpirun, which is the parent
 * process, the parent's stdout decides. On other nodes the parent is a daemon without a terminal. */
static bool find_terminal(void)
{
    char path[64], target[64] = "";
    if (!isatty(STDOUT_FILENO)) return false;
    if (!getenv("OMPI_COMM_WORLD_RANK")) return true;
    snprintf(path, sizeof path, "/proc/%d/fd/1", (int)getppid());
    if (readlink(path, target, sizeof target - 1) < 0) return false;
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

static bool has_terminal(void)
{
    static int known = -1;
    if (known < 0) known = find_terminal();
    return known;
}

void dc_log_bar(const char *fmt, ...)
{
    if (!active || !has_terminal()) return;
    va_list args;
    va_start(args, fmt);
    fputs("\r\033[K", stdout);
    vprintf(fmt, args);
    fflush(stdout);
    va_end(args);
    bar_shown = true;
}
