/* A stop request at any row that k-means reads, in every pass: it is answered within a few blocks, and the run that
 * goes on, on other ranks, ends with the same bits. Starts that take turns, sums in pieces, empty clusters,
 * k-means||. The test plays the signals. Seed 628.
 * ranks: 1 3  ranks_long: 2 5  threads: 2 */
#include <omp.h>

#include "../src/cluster/kmeans_impl.h"
#include "check.h"
#include "dcmpi/comm.h"
#include "dcmpi/signals.h"
#include "dcmpi/wish.h"
#include "state_store.h"
#include "t6_help.h"

enum { N = 24000, D = 4, K = 24, USED = 20, V = 16, SEED = 628, STOPS = 12 };

/* ---- Signals ----------------------------------------------------------------------------------------------------- */

static int64_t rows_read;    /* by this rank */
static int64_t stop_at = -1; /* as many rows until the signal; -1: none */

int dc_signals_stops(void)
{
    int64_t read;
#pragma omp atomic read
    read = rows_read;
    return stop_at >= 0 && read >= stop_at;
}

int dc_signals_saves(void)
{
    return 0;
}

const char *dc_signals_stop_name(void)
{
    return "SIGTERM";
}

double dc_signals_stop_time(void)
{
    return 0;
}

void dc_signals_hold(void) {}

void dc_signals_install(void) {}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    int64_t pass_doubles; /* of dc_km_limits */
    int n_init;
    dc_seeding seeding;
    bool from_start; /* the last clusters of each start are empty */
    int whole;       /* passes that are not left: those for the means of k-means|| */
} test_case;

static const test_case cases[] = {
    {"turns of two starts, empty clusters", 2 * K *(D + 1), 5, DC_SEEDING_AUTO, true, 0},
    {"sums in pieces", K *D / 3, 2, DC_SEEDING_AUTO, true, 0},
    {"all starts together", 0, 3, DC_SEEDING_AUTO, true, 0},
    {"k-means||", 0, 1, DC_SEEDING_PARALLEL, false, 3},
};

static float *X, *start_of; /* [N x D], [n_init x K x D] */

static void get_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const dc_part *part = ctx;
    memcpy(out, X + (part->row_lo + lo) * D, (size_t)(n * D) * sizeof *out);
#pragma omp atomic
    rows_read += n;
}

/* Goes on from what is stored. */
static dc_status run(dc_comm *comm, const test_case *t, dc_kmeans_result *out)
{
    dc_wish *wish;
    dc_state *state;
    dc_part part;
    const dc_wish_config wishes = {.stop_file = "none"};
    CHECK_OK(dc_part_init(&part, N, V, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = {.part = &part, .d = D, .rows = get_rows, .ctx = &part};
    CHECK_OK(dc_wish_create(comm, &wish, &wishes));
    dc_comm_set_wish(comm, wish);
    store_open(comm, &state);
    dc_state_at(state, "kmeans", 0);
    const dc_kmeans_config cfg = {
        .K = K, .n_init = t->n_init, .max_iter = 4, .seeding = t->seeding, .seed = 1, .state = state, .quiet = true};
    /* A part: a block for each thread, or about 1000 rows of a search. */
    const dc_km_limits limits = {.pass_doubles = t->pass_doubles, .part = 3e5};
    rows_read = 0;
    const dc_status st = dc_kmeans_from(comm, &rows, &cfg, limits, t->from_start ? start_of : NULL, out);
    dc_comm_set_wish(comm, NULL);
    dc_state_destroy(&state);
    dc_wish_destroy(&wish);
    return st;
}

static bool same(const dc_kmeans_result *a, const dc_kmeans_result *whole, const dc_part *part)
{
    return a->inertia == whole->inertia && a->best == whole->best && a->reseeded == whole->reseeded &&
           a->iterations == whole->iterations && memcmp(a->centers, whole->centers, K * D * sizeof *a->centers) == 0 &&
           memcmp(a->labels, whole->labels + part->row_lo, (size_t)dc_part_rows(part) * sizeof *a->labels) == 0;
}

/* A stop after as many rows of rank 0; the run goes on on rank 0 alone, or on all ranks. Returns whether it stopped. */
static bool stop_and_go_on(dc_comm *comm, dc_comm *alone, const test_case *t, int64_t at, const dc_kmeans_result *whole)
{
    /* Blocks that may be in work, in two parts, and those of a pass that ended before the request was heard. */
    const int64_t most = 3 * omp_get_max_threads() * (N / V + 1) + K * 2 + t->whole * (int64_t)N;
    dc_kmeans_result r;
    dc_part part, all;
    CHECK_OK(dc_part_init(&part, N, V, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_part_init(&all, N, V, 1, 0));
    store.n = 0;
    stop_at = dc_comm_rank(comm) == 0 ? at : -1;
    const dc_status st = run(comm, t, &r);
    stop_at = -1;
    if (dc_comm_rank(comm) == 0 && !CHECK(rows_read - at <= most))
        printf("# %s: %lld rows read after the request at %lld, %lld allowed\n", t->name, (long long)(rows_read - at),
               (long long)at, (long long)most);
    if (st == DC_OK) {
        CHECK(same(&r, whole, &part));
        dc_kmeans_result_release(&r);
        return false;
    }
    CHECK_STATUS(st, DC_STOPPED);
    dc_error_clear();
    if (at % 2) {
        CHECK_OK(run(comm, t, &r));
        CHECK(same(&r, whole, &part));
        dc_kmeans_result_release(&r);
    } else if (dc_comm_rank(comm) == 0) {
        CHECK_OK(run(alone, t, &r));
        CHECK(same(&r, whole, &all));
        dc_kmeans_result_release(&r);
    }
    return true;
}

static void stops(dc_comm *comm, dc_comm *alone, const test_case *t)
{
    dc_kmeans_result whole, here;
    int stopped = 0;
    store.n = 0;
    CHECK_OK(run(alone, t, &whole));
    store.n = 0;
    CHECK_OK(run(comm, t, &here));
    dc_kmeans_result_release(&here);
    int64_t read = rows_read;
    dc_comm_bcast(comm, &read, sizeof read, 0);
    for (int i = 0; i < STOPS; i++) stopped += stop_and_go_on(comm, alone, t, read * i / STOPS + i, &whole);
    if (dc_comm_rank(comm) == 0)
        printf("# %s: %lld rows read, %lld centres re-seeded, %d of %d runs stopped\n", t->name, (long long)read,
               (long long)whole.reseeded, stopped, STOPS);
    CHECK(stopped >= STOPS - 2);
    CHECK(!t->from_start || whole.reseeded > 0);
    dc_kmeans_result_release(&whole);
}

int main(void)
{
    enum { STARTS = 5 };
    dc_comm *comm, *alone;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &alone));
    X = t6_alloc(N * D, sizeof *X);
    start_of = t6_alloc((int64_t)STARTS * K * D, sizeof *start_of);
    t6_normal(X, N * D, SEED, 0, 1);
    t6_normal(start_of, (int64_t)STARTS * K * D, SEED + 1, 0, 1);
    for (int64_t r = 0; r < STARTS; r++)
        for (int64_t k = USED; k < K; k++) start_of[(r * K + k) * D] = 1e3F;
    for (size_t i = 0; i < DC_COUNT_OF(cases); i++) stops(comm, alone, &cases[i]);
    free(X), free(start_of);
    dc_comm_destroy(&alone);
    return check_done_all(&comm);
}
