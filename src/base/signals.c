/* One thread does nothing but take signals; all other threads block them. A handler must not run in the middle of a
 * matrix product: code that oneDNN generates uses the stack pointer as an extra address register, and the operating
 * system would write the handler's frame to wherever it points, into the matrices or the heap. */
#include "dcmpi/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "dcmpi/clock.h"

enum { INTERRUPTS_TO_ABORT = 3 };
static const int stop_signals[] = {SIGUSR1, SIGTERM, SIGINT}, save_signals[] = {SIGUSR2, SIGCONT};

static sigset_t ours;
static atomic_int stops, saves, first_stop;
static double first_stop_time; /* written once, before first_stop */

static void end_process(int signal_number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(signal_number);
}

static void note_stop(int signal_number)
{
    static int interrupts;
    if (!first_stop) {
        first_stop_time = dc_clock_now_s();
        first_stop = signal_number;
    }
    stops++;
    if (signal_number == SIGINT && ++interrupts >= INTERRUPTS_TO_ABORT) end_process(SIGINT);
}

static void *take_signals(void *unused)
{
    int signal_number;
    while (sigwait(&ours, &signal_number) == 0)
        if (signal_number == SIGUSR2 || signal_number == SIGCONT)
            saves++;
        else
            note_stop(signal_number);
    return unused;
}

/* Call it only when the signals are blocked; otherwise they would end the process. */
static void stop_ignoring(const int *signals, size_t n)
{
    for (size_t i = 0; i < n; i++) signal(signals[i], SIG_DFL);
}

void dc_signals_hold(void)
{
    sigemptyset(&ours);
    for (size_t i = 0; i < DC_COUNT_OF(stop_signals); i++) sigaddset(&ours, stop_signals[i]);
    for (size_t i = 0; i < DC_COUNT_OF(save_signals); i++) sigaddset(&ours, save_signals[i]);
    pthread_sigmask(SIG_BLOCK, &ours, NULL);
}

void dc_signals_install(void)
{
    pthread_t thread;
    dc_signals_hold();
    /* Shells start background jobs with SIGINT ignored, and job scripts start ranks with SIGUSR1 ignored. */
    stop_ignoring(stop_signals, DC_COUNT_OF(stop_signals));
    stop_ignoring(save_signals, DC_COUNT_OF(save_signals));
    if (pthread_create(&thread, NULL, take_signals, NULL) == 0)
        pthread_detach(thread);
    else
        pthread_sigmask(SIG_UNBLOCK, &ours, NULL); /* unblocked, they end the process, as they do by default */
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
    return first_stop ? first_stop_time : 0;
}
