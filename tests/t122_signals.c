/* Signals: which count as what, the name and time of the first, and that the third SIGINT ends the process. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/clock.h"
#include "dcmpi/signals.h"

typedef struct {
    int signals[4];
    int stops, saves;
    const char *name;
    int killed_by;
} expectation;

static const expectation table[] = {
    {{0}, 0, 0, "", 0},
    {{SIGUSR1}, 1, 0, "SIGUSR1", 0},
    {{SIGTERM}, 1, 0, "SIGTERM", 0},
    {{SIGINT}, 1, 0, "SIGINT", 0},
    {{SIGUSR2, SIGCONT}, 0, 2, "", 0},
    {{SIGTERM, SIGUSR1, SIGUSR2}, 2, 1, "SIGTERM", 0},
    {{SIGINT, SIGINT}, 2, 0, "SIGINT", 0},
    {{SIGINT, SIGTERM, SIGUSR1, SIGINT}, 4, 0, "SIGINT", 0},
    {{SIGINT, SIGINT, SIGINT}, 0, 0, "", SIGINT},
    {{SIGUSR1, SIGINT, SIGINT, SIGINT}, 0, 0, "", SIGINT},
};

/* In a child, for signals cannot be taken back. */
static int receive(const expectation *e)
{
    const double before = dc_clock_now_s();
    dc_signals_install();
    for (int i = 0; i < 4 && e->signals[i]; i++) raise(e->signals[i]);
    const double at = dc_signals_stop_time();
    bool ok = dc_signals_stops() == e->stops && dc_signals_saves() == e->saves;
    ok = ok && strcmp(dc_signals_stop_name(), e->name) == 0;
    ok = ok && (e->stops ? at >= before && at <= dc_clock_now_s() : at == 0);
    return ok ? 0 : 1;
}

static int status_of_child(const expectation *e)
{
    int status = -1;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) _exit(receive(e));
    waitpid(child, &status, 0);
    return status;
}

int main(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        const int status = status_of_child(&table[i]);
        if (table[i].killed_by)
            CHECK_INT(WIFSIGNALED(status) ? WTERMSIG(status) : 0, table[i].killed_by);
        else
            CHECK_INT(status, 0);
    }
    return check_done();
}
