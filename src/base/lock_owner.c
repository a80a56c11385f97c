/* Owners of locks.
 *
 * A host is known by its name and by the random number that its kernel draws at boot, because two machines or
 * containers may have the same name. If only the number differs, either this machine has been booted again, or the
 * owner's host is another machine; an owner whose last sign of life is older than our boot counts as gone. A renamed
 * host counts as another host, so a process there waits until the old owner has been silent for long enough. A process
 * number has a meaning only in its own PID namespace. */
#include "lock_owner.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dcmpi/clock.h"
#include "dcmpi/queue.h"

#define WORD "%127s"
#define FIRST_LINE "dcmpi lock\n"
#define LAST_LINE "end\n" /* text after it is left over from an earlier, longer entry */

static size_t read_start(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "r");
    const size_t n = f ? fread(out, 1, cap - 1, f) : 0;
    if (f) fclose(f);
    out[n] = '\0';
    return n;
}

/* When the process started: field 22 of /proc/PID/stat (field 2 is the name in parentheses); 0 if unknown. */
static int64_t start_ticks(int64_t pid)
{
    char path[64], text[DC_OWNER_TEXT_MAX];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    read_start(path, text, sizeof text);
    char *field = strrchr(text, ')');
    for (int i = 2; field && i < 22; i++) field = strchr(field + 1, ' ');
    return field ? strtoll(field, NULL, 10) : 0;
}

/* The first word of `text`, or "unknown". */
static void take_word(const char *text, char out[DC_OWNER_WORD_MAX])
{
    const size_t n = strcspn(text, " \t\n");
    snprintf(out, DC_OWNER_WORD_MAX, "%.*s", n > 0 ? (int)DC_MIN(n, (size_t)DC_OWNER_WORD_MAX) : 7,
             n > 0 ? text : "unknown");
}

dc_owner dc_owner_self(void)
{
    dc_owner o = {.pid = getpid(), .epoch = time(NULL), .restart = dc_queue_restarts()};
    char text[DC_OWNER_WORD_MAX] = "";
    gethostname(text, sizeof text - 1);
    take_word(text, o.host);
    take_word(*dc_queue_job() ? dc_queue_job() : "none", o.job);
    dc_clock_iso(o.started);
    o.ticks = start_ticks(o.pid);
    read_start("/proc/sys/kernel/random/boot_id", text, sizeof text);
    take_word(text, o.boot);
    const ssize_t n = readlink("/proc/self/ns/pid", text, sizeof text - 1);
    text[DC_MAX(n, 0)] = '\0';
    take_word(text, o.pidns);
    return o;
}

int dc_owner_format(const dc_owner *o, char out[DC_OWNER_TEXT_MAX])
{
    return snprintf(out, DC_OWNER_TEXT_MAX,
                    FIRST_LINE "host %s\npid %" PRId64 "\nticks %" PRId64 "\njob %s\nstarted %s\nepoch %" PRId64
                               "\nrestart %" PRId64 "\nboot %s\npidns %s\n" LAST_LINE,
                    o->host, o->pid, o->ticks, o->job, o->started, o->epoch, o->restart, o->boot, o->pidns);
}

dc_owner_finding dc_owner_parse(const char *text, dc_owner *o)
{
    *o = (dc_owner){0};
    if (!*text) return DC_OWNER_NOBODY;
    const int found =
        sscanf(text,
               FIRST_LINE "host " WORD " pid %" SCNd64 " ticks %" SCNd64 " job " WORD " started " WORD " epoch %" SCNd64
                          " restart %" SCNd64 " boot " WORD " pidns " WORD,
               o->host, &o->pid, &o->ticks, o->job, o->started, &o->epoch, &o->restart, o->boot, o->pidns);
    return found == 6 || found == 9 ? DC_OWNER_SOMEBODY : DC_OWNER_ANOTHER_FILE;
}

bool dc_owner_equal(const dc_owner *a, const dc_owner *b)
{
    return a->pid == b->pid && a->ticks == b->ticks && strcmp(a->host, b->host) == 0 && strcmp(a->boot, b->boot) == 0 &&
           strcmp(a->pidns, b->pidns) == 0;
}

/* ---- Gone? ------------------------------------------------------------------------------------------------------- */

/* True if the words are equal or one of them is unknown. */
static bool may_be_same(const char *a, const char *b)
{
    return !*a || !*b || strcmp(a, b) == 0;
}

static bool is_earlier_part(const dc_owner *o, const dc_owner *me)
{
    return strcmp(me->job, "none") != 0 && strcmp(o->job, me->job) == 0 && me->restart > o->restart;
}

static bool has_ended(const dc_owner *o)
{
    if (o->pid < 1 || (kill((pid_t)o->pid, 0) != 0 && errno == ESRCH)) return true;
    const int64_t ticks = start_ticks(o->pid);
    return ticks != 0 && ticks != o->ticks;
}

static double seconds_since_boot(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_BOOTTIME, &t) == 0 ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec : 1e300;
}

bool dc_owner_is_gone(const dc_owner *o, double silent_s, bool flock_is_free)
{
    const dc_owner me = dc_owner_self();
    const bool same_name = strcmp(o->host, me.host) == 0, same_start = may_be_same(o->boot, me.boot);
    if (same_name && same_start && flock_is_free) return true;
    if (same_name && same_start && may_be_same(o->pidns, me.pidns)) return has_ended(o);
    if (same_name && !same_start && silent_s > seconds_since_boot()) return true;
    return silent_s > DC_OWNER_STALE_S || is_earlier_part(o, &me);
}

/* ---- For people -------------------------------------------------------------------------------------------------- */

void dc_owner_duration(double seconds, char out[32])
{
    const long long s = seconds > 0 ? (long long)seconds : 0;
    snprintf(out, 32, "%lld %s", s < 120 ? s : s < 7200 ? s / 60 : s / 3600, s < 120 ? "s" : s < 7200 ? "min" : "h");
}

void dc_owner_describe(const dc_owner *o, double silent_s, char out[DC_OWNER_TEXT_MAX])
{
    char age[32], silent[32];
    dc_owner_duration((double)time(NULL) - (double)o->epoch, age);
    dc_owner_duration(silent_s, silent);
    snprintf(out, DC_OWNER_TEXT_MAX, "host %s, pid %" PRId64 ", job %s, started %s, %s ago, last sign of life %s ago",
             o->host, o->pid, o->job, o->started, age, silent);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') *c = '?';
}
