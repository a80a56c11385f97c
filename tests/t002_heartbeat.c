/* Signs of life: SIGPROF ends work without them, but not work with them, and not waiting. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/heartbeat.h"

/* Processor time of this process. */
static double used_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void work(double s, bool alive)
{
    for (const double end = used_s() + s; used_s() < end;)
        if (alive) dc_heartbeat();
}

static void loops(void)
{
    work(30, false);
}

static void gets_on(void)
{
    work(2.5, true);
}

static void waits(void)
{
    work(0.5, false);
    sleep(3);
}

static void is_free(void)
{
    dc_heartbeat_stop();
    work(2.5, false);
}

/* Starts signs of life in a new process with a limit of a second or two, does the job there, and tells how it ended. */
static int end_of(void (*job)(void))
{
    int result = 0;
    const pid_t child = fork();
    if (child == 0) {
        dc_heartbeat_start(2);
        job();
        _exit(7);
    }
    CHECK(child > 0 && waitpid(child, &result, 0) == child);
    return WIFSIGNALED(result) ? -WTERMSIG(result) : WEXITSTATUS(result);
}

int main(void)
{
    check_init(0);
    CHECK_INT(end_of(loops), -SIGPROF);
    CHECK_INT(end_of(gets_on), 7);
    CHECK_INT(end_of(waits), 7);
    CHECK_INT(end_of(is_free), 7);
    dc_heartbeat(); /* without effect here */
    return check_done();
}
