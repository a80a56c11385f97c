/* A mixture of several starts that is stopped wherever it may be stopped goes on at the start where it was, and ends
 * with the bits of one that was not: after each iteration of EM, and within the k-means of a later start, which itself
 * is not kept. Fixed seed 554. ranks: 2  ranks_long: 1 3  threads: 1 2 */
#include "dcmpi/clock.h"
#include "dcmpi/mixture.h"
#include "dcmpi/rng.h"
#include "dcmpi/wish.h"
#include "state_store.h"

enum { SHARDS = 8, SEED = 554, N = 1000, D = 3, K = 4, STARTS = 3, STOPS_MAX = 200 };

static float X[N * D];

static dc_status fit(dc_comm *comm, bool stops, dc_mixture *out)
{
    dc_part part;
    dc_wish *wish;
    dc_state *state;
    const dc_wish_config wishes = {.stop_at_s = stops ? dc_clock_now_s() : 0, .stop_file = "none"};
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_wish_create(comm, &wish, &wishes));
    dc_comm_set_wish(comm, wish);
    store_open(comm, &state);
    const dc_rows rows = {.part = &part, .d = D, .X = X + part.row_lo * D};
    const dc_mixture_config cfg = {
        .kmeans = {.K = K, .n_init = 1, .max_iter = 50, .first = X, .state = state, .quiet = true},
        .covariance = DC_COVARIANCE_FULL,
        .n_init = STARTS,
        .max_iter = 20,
        .tol = 1e-3,
        .reg = 1e-6,
        .phase = "mixture"};
    const dc_status st = dc_mixture_fit(comm, &rows, &cfg, out);
    dc_comm_set_wish(comm, NULL);
    dc_state_destroy(&state);
    dc_wish_destroy(&wish);
    return st;
}

/* Starts of EM that the checkpoint has behind it; -1: none of EM is saved. On all ranks. */
static int64_t starts_saved(dc_comm *comm)
{
    int64_t count = -1;
    for (int i = 0; i < store.n; i++)
        if (strcmp(store.array[i].name, "mixture/count") == 0 && dc_comm_rank(comm) == 0)
            CHECK_OK(load(&store, i, 0, 1, &count));
    dc_comm_bcast(comm, &count, sizeof count, 0);
    return count;
}

int main(void)
{
    dc_comm *comm;
    dc_mixture whole, m;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_rng_fill_normal(X, N * D, SEED, 1, 1);
    for (int i = 0; i < N; i++) X[i * D] += (float)(2 * (i % K));
    CHECK_OK(fit(comm, false, &whole));
    store.n = 0;
    int stops = 0;
    for (; stops < STOPS_MAX && starts_saved(comm) < 1; stops++) CHECK_INT(fit(comm, true, &m), DC_STOPPED);
    CHECK(stops > 3);
    CHECK_INT(starts_saved(comm), 1); /* stopped in the k-means of the second start */
    CHECK_OK(fit(comm, false, &m));
    CHECK_INT(m.best, whole.best);
    CHECK(m.log_likelihood == whole.log_likelihood);
    CHECK(memcmp(m.mean, whole.mean, K * D * sizeof *m.mean) == 0);
    dc_mixture_release(&m);
    dc_mixture_release(&whole);
    return check_done_all(&comm);
}
