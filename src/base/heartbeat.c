/* A timer ticks after each second of CPU time. Each tick takes one second off the time left; dc_heartbeat() restores
 * the full limit. */
#include "dcmpi/heartbeat.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

static atomic_int left, limit;

static void tick(int number)
{
    if (atomic_fetch_sub(&left, 1) > 1) return;
    signal(number, SIG_DFL);
    raise(number); /* delivered when the handler returns */
}

static void set_timer(long period_s)
{
    const struct timeval period = {.tv_sec = period_s};
    setitimer(ITIMER_PROF, &(struct itimerval){period, period}, NULL);
}

void dc_heartbeat_start(int limit_s)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    limit = limit_s;
    left = limit_s;
    sigaction(SIGPROF, &action, NULL);
    set_timer(1);
}

void dc_heartbeat(void)
{
    left = limit;
}

void dc_heartbeat_stop(void)
{
    set_timer(0);
}
