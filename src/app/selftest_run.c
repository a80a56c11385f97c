/* Runs the checks of the self-test and prints their table. Also has the functions that checks use to set their texts
 * and to combine numbers over all ranks. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/log.h"
#include "selftest.h"

/* ---- Words of a check -------------------------------------------------------------------------------------------- */

#define FORMAT_INTO(out)                                                                                               \
    do {                                                                                                               \
        va_list args;                                                                                                  \
        va_start(args, fmt);                                                                                           \
        vsnprintf((out), sizeof(out), fmt, args);                                                                      \
        va_end(args);                                                                                                  \
    } while (0)

void dc_selftest_figure(dc_selftest *t, const char *fmt, ...)
{
    FORMAT_INTO(t->figure);
}

void dc_selftest_advise(dc_selftest *t, const char *fmt, ...)
{
    FORMAT_INTO(t->advice);
}

dc_status dc_selftest_skip(dc_selftest *t, const char *fmt, ...)
{
    FORMAT_INTO(t->figure);
    t->skipped = true;
    return DC_OK;
}

/* ---- Over ranks -------------------------------------------------------------------------------------------------- */

double dc_selftest_sum(dc_comm *comm, double x)
{
    dc_comm_sum_f64(comm, &x, 1);
    return x;
}

double dc_selftest_min(dc_comm *comm, double x)
{
    dc_comm_min_f64(comm, &x, 1);
    return x;
}

double dc_selftest_max(dc_comm *comm, double x)
{
    dc_comm_max_f64(comm, &x, 1);
    return x;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static void print_row(const dc_selftest *t, const char *verdict)
{
    dc_log_plain("  %s  %-18s  %s", verdict, t->check->name, t->figure);
    if (t->advice[0]) dc_log_plain("        -> %s", t->advice);
    fflush(stdout); /* a check may take seconds: show what is known */
}

/* Appends the name of a failed check to a list. */
static void note_failure(const dc_selftest_check *check, char *names, size_t cap)
{
    const size_t used = strlen(names);
    snprintf(names + used, cap - used, "%s%s", used ? ", " : "", check->name);
}

/* True if the check passed or was skipped. The result is equal on all ranks, because the check's status is equal. */
static bool run_check(dc_comm *comm, dc_selftest *t, const dc_selftest_check *check)
{
    t->check = check;
    t->figure[0] = t->advice[0] = '\0';
    t->skipped = false;
    const dc_status st = check->run(comm, t);
    if (st != DC_OK) {
        dc_selftest_figure(t, "%s", dc_error_text());
        dc_error_clear();
    }
    t->failed += st != DC_OK;
    t->skips += st == DC_OK && t->skipped;
    t->passed += st == DC_OK && !t->skipped;
    print_row(t, st != DC_OK ? "FAIL" : t->skipped ? "SKIP" : "PASS");
    return st == DC_OK;
}

dc_status dc_selftest_run(dc_comm *comm, dc_selftest *t, const dc_selftest_check *checks, int n)
{
    char names[DC_SELFTEST_TEXT_MAX] = "";
    const char *section = "";
    dc_status worst = DC_OK;
    const double start = dc_clock_now_s();
    for (int i = 0; i < n; i++) {
        if (strcmp(section, checks[i].section) != 0) dc_log_plain("%s", section = checks[i].section);
        if (run_check(comm, t, &checks[i])) continue;
        worst = DC_MAX(worst, checks[i].code);
        note_failure(&checks[i], names, sizeof names);
    }
    dc_log_plain("selftest %s: %d passed, %d failed, %d skipped, in %.1f s", t->failed ? "FAILED" : "PASSED", t->passed,
                 t->failed, t->skips, dc_clock_now_s() - start);
    return worst == DC_OK ? DC_OK : DC_FAIL(worst, "selftest failed: %s", names);
}
