/* The watchdog of a node: see watchdog.h.
 *
 * Each rank writes only its own cell, and cells are read without locks: the worst that can happen is a garbled phase
 * name in a warning. The watching threads never call MPI (only the main thread may), so they abort by a plain exit; the
 * launcher then ends the other ranks. */
#include "dcmpi/watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comm_priv.h"
#include "dcmpi/beat.h"
#include "dcmpi/clock.h"
#include "dcmpi/log.h"

enum { CELL_BYTES = 64, WATCHERS = 2, NAMED_MAX = 8, TEXT_MAX = 1024 };
static const double LOOK_S = 5, LOOKS_PER_LIMIT = 5;

typedef struct {
    _Alignas(CELL_BYTES) dc_beat beat;
    _Atomic int rank, pid;
    _Atomic uint64_t looks; /* how often this rank's thread, if it has one, has looked */
} cell;

/* The state of the watchdog, one per process. */
static struct {
    MPI_Comm node;
    MPI_Win window;
    cell *cells; /* [n], one for each rank of this node */
    cell *own;
    int n, node_rank;
    bool more_nodes;
    char host[DC_HOST_MAX];
    double warn_s, abort_s, look_s;
    pthread_t thread;
    bool threaded, ending;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
} dog = {.node = MPI_COMM_NULL, .window = MPI_WIN_NULL, .mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

/* What a thread remembers from one look to the next. */
typedef struct {
    uint64_t moves, looks_of_first;
    double last_look_s, since_s, first_seen_s;
    bool warned;
} watcher;

static uint64_t all_moves(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < dog.n; i++) sum += atomic_load_explicit(&dog.cells[i].beat.moves, memory_order_relaxed);
    return sum;
}

static int append(char *text, int used, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int append(char *text, int used, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int n = used < TEXT_MAX ? vsnprintf(text + used, (size_t)(TEXT_MAX - used), fmt, args) : 0;
    va_end(args);
    return used + DC_MAX(n, 0);
}

/* Like "rank 2 in cluster, step 140". */
static const char *place_of(const cell *c, char text[TEXT_MAX])
{
    if (c->beat.phase[0])
        append(text, 0, "rank %d in %.*s, step %lld", atomic_load(&c->rank), DC_BEAT_PHASE_CHARS - 1, c->beat.phase,
               (long long)atomic_load(&c->beat.step));
    else
        append(text, 0, "rank %d at the start", atomic_load(&c->rank));
    return text;
}

/* The kernel's reason why a process cannot go on, whatever its `waits` flag says; "" if there is none. */
static const char *trouble_of(int pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f) return "";
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    const char *name_end = strrchr(text, ')');
    const char state = name_end && name_end[1] ? name_end[2] : '?';
    return state == 'T' || state == 't' ? " (stopped)" : state == 'D' ? " (waiting for a disk)" : "";
}

/* Lists the ranks that do not wait for others or that cannot go on, like "rank 2 in cluster, step 140". Returns their
 * number. */
static int name_late_ranks(char text[TEXT_MAX])
{
    int late = 0, used = 0;
    char place[TEXT_MAX];
    text[0] = '\0';
    for (int i = 0; i < dog.n; i++) {
        const cell *c = &dog.cells[i];
        const char *trouble = trouble_of(atomic_load(&c->pid));
        if ((atomic_load(&c->beat.waits) && !trouble[0]) || ++late > NAMED_MAX) continue;
        used = append(text, used, "%s%s%s", late > 1 ? "; " : "", place_of(c, place), trouble);
    }
    if (late > NAMED_MAX) append(text, used, "; and %d more", late - NAMED_MAX);
    return late;
}

/* Returns false if all ranks of this node wait: then the late rank, if any, is on another node, whose thread names
 * it. */
static bool describe_stall(char text[TEXT_MAX])
{
    char place[TEXT_MAX];
    if (name_late_ranks(text) > 0) return true;
    append(text, 0, "all %d ranks wait in MPI, %s%s", dog.n, place_of(&dog.cells[0], place),
           dog.more_nodes ? ": a rank of another node is late" : "");
    return false;
}

/* A node without late ranks stays silent. Only the node of rank 0 warns in any case, because the late rank's node may
 * be dead and unable to warn. */
static void warn(const watcher *w, double now)
{
    char text[TEXT_MAX];
    if (describe_stall(text) || atomic_load(&dog.cells[0].rank) == 0)
        dc_log_alarm("WARNING no progress for %.0f s on node %s: %s", now - w->since_s, dog.host, text);
}

static _Noreturn void end_job(const watcher *w, double now)
{
    char text[TEXT_MAX];
    (void)describe_stall(text);
    fprintf(stderr, "dcmpi: ERROR: no progress for %.0f s (run.stall_abort) on node %s: %s\n", now - w->since_s,
            dog.host, text);
    fflush(stderr);
    _Exit(DC_ERR_INTERNAL);
}

/* The second rank's thread stays quiet as long as the first rank's thread keeps looking. */
static bool is_on_duty(watcher *w, double now)
{
    if (dog.node_rank == 0) return true;
    const uint64_t looks = atomic_load(&dog.cells[0].looks);
    if (looks != w->looks_of_first) w->first_seen_s = now;
    w->looks_of_first = looks;
    return now - w->first_seen_s > 3 * dog.look_s;
}

static void look(watcher *w)
{
    const double now = dc_clock_now_s();
    const uint64_t moves = all_moves();
    const bool slept = now - w->last_look_s > 3 * dog.look_s; /* we were stopped: earlier looks prove nothing */
    w->last_look_s = now;
    atomic_fetch_add(&dog.own->looks, 1);
    const bool on_duty = is_on_duty(w, now);
    if (moves != w->moves || slept) {
        if (w->warned) dc_log_alarm("NOTE    going on after %.0f s without progress", now - w->since_s);
        w->moves = moves;
        w->since_s = now;
        w->warned = false;
    } else if (on_duty) {
        const double still_s = now - w->since_s;
        if (dog.warn_s > 0 && still_s >= dog.warn_s && !w->warned) {
            warn(w, now);
            w->warned = true;
        }
        if (dog.abort_s > 0 && still_s >= dog.abort_s) end_job(w, now);
    }
}

static void *watch(void *unused)
{
    watcher w = {.moves = all_moves(), .since_s = dc_clock_now_s()};
    w.last_look_s = w.first_seen_s = w.since_s;
    pthread_mutex_lock(&dog.mutex);
    while (!dog.ending) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        const double wake_s = (double)until.tv_nsec * 1e-9 + dog.look_s;
        until.tv_sec += (time_t)wake_s;
        until.tv_nsec = (long)((wake_s - (double)(time_t)wake_s) * 1e9);
        pthread_cond_timedwait(&dog.wake, &dog.mutex, &until);
        if (!dog.ending) look(&w);
    }
    pthread_mutex_unlock(&dog.mutex);
    return unused;
}

/* ---- Start and stop ---------------------------------------------------------------------------------------------- */

/* Allocates the table of cells in one piece on the first rank of the node. Returns false if this MPI library or node
 * cannot share memory. */
static bool share_table(dc_comm *comm)
{
    /* One cell more, so that the start can be rounded up to a cell: MPI may align it less, but equally on all ranks. */
    MPI_Aint bytes = dog.node_rank == 0 ? (MPI_Aint)(sizeof(cell) * ((size_t)dog.n + 1)) : 0;
    void *memory;
    int unit;
    MPI_Comm_set_errhandler(dog.node, MPI_ERRORS_RETURN);
    if (MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, dog.node, &memory, &dog.window) != MPI_SUCCESS) return false;
    DC_MPI(comm, MPI_Win_shared_query(dog.window, 0, &bytes, &unit, &memory));
    DC_MPI(comm, MPI_Win_lock_all(MPI_MODE_NOCHECK, dog.window));
    dog.cells = (cell *)(((uintptr_t)memory + sizeof(cell) - 1) / sizeof(cell) * sizeof(cell));
    dog.own = &dog.cells[dog.node_rank];
    memset(dog.own, 0, sizeof *dog.own);
    atomic_store(&dog.own->rank, comm->rank);
    atomic_store(&dog.own->pid, getpid());
    dc_beat_to(&dog.own->beat);
    DC_MPI(comm, MPI_Barrier(dog.node)); /* nobody looks at cells that are not yet cleared */
    return true;
}

/* Starts the thread with all signals blocked: they are for the main thread. */
static void start_thread(void)
{
    sigset_t all, before;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC); /* setting the system clock must not look like a stall */
    pthread_cond_init(&dog.wake, &clock);
    pthread_condattr_destroy(&clock);
    dog.ending = false;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    dog.threaded = pthread_create(&dog.thread, NULL, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

dc_status dc_watchdog_start(dc_comm *comm, double warn_s, double abort_s)
{
    DC_ASSERT(!dog.cells);
    const double limit = warn_s > 0 && abort_s > 0 ? DC_MIN(warn_s, abort_s) : DC_MAX(warn_s, abort_s);
    if (limit <= 0) return DC_OK;
    dog.warn_s = warn_s;
    dog.abort_s = abort_s;
    dog.look_s = DC_MIN(LOOK_S, limit / LOOKS_PER_LIMIT);
    dog.n = comm->node_size;
    dog.node_rank = comm->node_rank;
    dog.more_nodes = comm->node_count > 1;
    memcpy(dog.host, comm->host, sizeof dog.host);
    DC_MPI(comm, MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &dog.node));
    int64_t shared = share_table(comm);
    dc_comm_min_i64(comm, &shared, 1);
    if (!shared)
        dc_log_note("no shared memory between the ranks of a node: late ranks will not be named");
    else if (dog.node_rank < WATCHERS)
        start_thread();
    return DC_OK;
}

void dc_watchdog_stop(dc_comm *comm)
{
    if (dog.threaded) {
        pthread_mutex_lock(&dog.mutex);
        dog.ending = true;
        pthread_cond_signal(&dog.wake);
        pthread_mutex_unlock(&dog.mutex);
        pthread_join(dog.thread, NULL);
        pthread_cond_destroy(&dog.wake);
        dog.threaded = false;
    }
    dc_beat_to(NULL);
    dog.cells = dog.own = NULL;
    if (dog.window != MPI_WIN_NULL) {
        DC_MPI(comm, MPI_Win_unlock_all(dog.window));
        DC_MPI(comm, MPI_Win_free(&dog.window));
    }
    if (dog.node != MPI_COMM_NULL) DC_MPI(comm, MPI_Comm_free(&dog.node));
}
