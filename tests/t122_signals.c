/* Signals: what each means, the name and time of the first; the third SIGINT ends the process; a thousand of them do
 * not disturb matrix products and the heap; those that come early, while they are blocked or ignored (job scripts start
 * ranks like that), count or are harmless. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/clock.h"
#include "dcmpi/la.h"
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

/* Sends a signal as kill(1) does; returns when it has arrived. */
static void get_signal(int number)
{
    const int before = dc_signals_stops() + dc_signals_saves();
    kill(getpid(), number);
    for (int i = 0; i < 5000 && dc_signals_stops() + dc_signals_saves() == before; i++) usleep(1000);
}

/* In a child, because signals cannot be taken back. */
static int receive(const expectation *e)
{
    const double before = dc_clock_now_s();
    dc_signals_install();
    for (int i = 0; i < 4 && e->signals[i]; i++) get_signal(e->signals[i]);
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

/* A wish that came before the program could listen. */
static int take_pending(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    dc_signals_install();
    for (int i = 0; i < 5000 && dc_signals_stops() == 0; i++) usleep(1000);
    return dc_signals_stops() == 1 && strcmp(dc_signals_stop_name(), "SIGUSR1") == 0 ? 0 : 1;
}

static int take_ignored(void)
{
    signal(SIGUSR1, SIG_IGN);
    dc_signals_install();
    get_signal(SIGUSR1);
    return dc_signals_stops() == 1 ? 0 : 1;
}

/* While another process sends one after the other, there is no moment at which one of them is deadly. */
static int install_in_a_storm(void)
{
    signal(SIGUSR1, SIG_IGN);
    const pid_t me = getpid(), sender = fork();
    if (sender == 0) {
        while (getppid() == me) kill(me, SIGUSR1);
        _exit(0);
    }
    usleep(2000);
    dc_signals_install();
    for (int i = 0; i < 5000 && dc_signals_stops() == 0; i++) usleep(100);
    kill(sender, SIGKILL);
    waitpid(sender, NULL, 0);
    return dc_signals_stops() > 0 ? 0 : 1;
}

static int status_of(int (*what)(void))
{
    int status = -1;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) _exit(what());
    waitpid(child, &status, 0);
    return status;
}

static void test_before_start(void)
{
    CHECK_INT(status_of(take_pending), 0);
    CHECK_INT(status_of(take_ignored), 0);
    int deadly = 0;
    for (int i = 0; i < 40; i++) deadly += status_of(install_in_a_storm) != 0;
    CHECK_INT(deadly, 0);
}

enum { M = 200, N = 256, K = 300, SIGNALS = 1000 };

static void send_signals(pid_t to)
{
    for (int i = 0; i < SIGNALS; i++) {
        kill(to, i % 2 ? SIGUSR2 : SIGUSR1);
        usleep(500);
    }
    _exit(0);
}

/* The kernels that oneDNN generates use the stack pointer for something else: with a handler in this thread, the first
 * hundred signals destroy the heap. */
static void test_products(void)
{
    float *A = NULL, *B = NULL, *C[2] = {NULL, NULL};
    dc_signals_install();
    CHECK_OK(dc_mem_alloc(&A, M * K, sizeof *A, "test"));
    CHECK_OK(dc_mem_alloc(&B, N * K, sizeof *B, "test"));
    for (int i = 0; i < 2; i++) CHECK_OK(dc_mem_alloc(&C[i], M * N, sizeof *C[i], "test"));
    for (int i = 0; i < M * K; i++) A[i] = (float)(i % 17) - 8;
    for (int i = 0; i < N * K; i++) B[i] = (float)(i % 13) - 6;
    dc_gemm(DC_N, DC_T, M, N, K, 1, A, K, B, K, 0, C[0], N);
    const pid_t me = getpid(), child = fork();
    if (child == 0) send_signals(me);
    int different = 0;
    while (waitpid(child, NULL, WNOHANG) == 0) {
        void *others = malloc(5000); /* a heap that is in use */
        dc_gemm(DC_N, DC_T, M, N, K, 1, A, K, B, K, 0, C[1], N);
        different += memcmp(C[0], C[1], M * N * sizeof *C[0]) != 0;
        free(others);
    }
    CHECK_INT(different, 0);
    CHECK(dc_signals_stops() > 0 && dc_signals_saves() > 0);
    dc_mem_free(&A);
    dc_mem_free(&B);
    for (int i = 0; i < 2; i++) dc_mem_free(&C[i]);
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
    test_before_start();
    test_products();
    return check_done();
}
