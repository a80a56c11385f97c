/* Signal handlers: they set flags of type sig_atomic_t and read the clock, which POSIX allows them, and nothing else.
 * MPI must not be called in a handler. */
#include "dcmpi/signals.h"

#include <signal.h>
#include <time.h>

enum { INTERRUPTS_TO_ABORT = 3 };

static volatile sig_atomic_t stops, saves, interrupts, first_stop;
static struct timespec first_stop_time; /* written once, before first_stop */

static void note_stop(int signal_number)
{
    if (!first_stop) {
        clock_gettime(CLOCK_MONOTONIC, &first_stop_time);
        first_stop = signal_number;
    }
    stops++;
    if (signal_number == SIGINT && ++interrupts >= INTERRUPTS_TO_ABORT) {
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
}

static void note_save(int signal_number)
{
    (void)signal_number;
    saves++;
}

static void handle(int signal_number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

void dc_signals_install(void)
{
    static const int stop[] = {SIGUSR1, SIGTERM, SIGINT}, save[] = {SIGUSR2, SIGCONT};
    for (size_t i = 0; i < DC_COUNT_OF(stop); i++) handle(stop[i], note_stop);
    for (size_t i = 0; i < DC_COUNT_OF(save); i++) handle(save[i], note_save);
}

int dc_signals_stops(void)
{
    return stops;
}
int dc_signals_saves(void)
{
    return saves;
}

const char *dc_signals_stop_name(void)
{
    return first_stop == SIGUSR1 ? "SIGUSR1" : first_stop == SIGTERM ? "SIGTERM" : first_stop ? "SIGINT" : "";
}

double dc_signals_stop_time(void)
{
    return first_stop ? (double)first_stop_time.tv_sec + 1e-9 * (double)first_stop_time.tv_nsec : 0;
}
