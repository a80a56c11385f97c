/* A search for neighbours that is stopped after each of its steps and continued by the next start gives what a search
 * in one go gives; continued on another number of ranks it begins anew; checkpoints that fit no search are refused.
 * Fixed seed 542. ranks: 2  ranks_long: 1 3  threads: 1 2 */
#include "check.h"
#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/knn.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/wish.h"
#include "state_store.h"

enum { SHARDS = 16, SEED = 542, N = 9000, D = 3, K = 4 };

static float X[N * D];

/* ---- Searches ---------------------------------------------------------------------------------------------------- */

static dc_status find(dc_comm *comm, dc_state *state, dc_part *part, dc_knn *out)
{
    CHECK_OK(dc_part_init(part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = {.part = part, .d = D, .X = X + part->row_lo * D};
    const dc_knn_config cfg = {.k = K, .state = state};
    return dc_knn_find(comm, &rows, &cfg, out);
}

/* One start, that ends after one step of the search if stops is true. */
static dc_status start(dc_comm *comm, bool stops, dc_part *part, dc_knn *out)
{
    dc_wish *wish;
    dc_state *state;
    const dc_wish_config wishes = {.stop_at_s = stops ? dc_clock_now_s() : 0, .stop_file = "none"};
    CHECK_OK(dc_wish_create(comm, &wish, &wishes));
    dc_comm_set_wish(comm, wish);
    store_open(comm, &state);
    const dc_status st = find(comm, state, part, out);
    dc_comm_set_wish(comm, NULL);
    dc_state_destroy(&state);
    dc_wish_destroy(&wish);
    return st;
}

static void compare(const dc_part *part, const dc_knn *knn, const dc_knn *all)
{
    const size_t n = (size_t)(dc_part_rows(part) * K);
    CHECK(memcmp(knn->row, all->row + part->row_lo * K, n * sizeof *knn->row) == 0);
    CHECK(memcmp(knn->square, all->square + part->row_lo * K, n * sizeof *knn->square) == 0);
}

/* value: in place of number `at` of the checkpoint, which begins with the position and the lists. */
static void check_refused(dc_comm *comm, size_t at, int64_t value)
{
    dc_part part;
    dc_knn knn;
    int64_t *number = (int64_t *)store.bytes + at, was = 0;
    if (dc_comm_rank(comm) == 0) was = *number, *number = value;
    CHECK_STATUS(start(comm, false, &part, &knn), DC_ERR_FORMAT);
    dc_error_clear();
    if (dc_comm_rank(comm) == 0) *number = was;
}

int main(void)
{
    dc_comm *comm, *alone;
    dc_part part, whole;
    dc_knn all, knn;
    int starts = 0;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &alone));
    dc_rng_fill_uniform(X, N * D, SEED, 1, 1);
    CHECK_OK(find(alone, NULL, &whole, &all));
    dc_status st;
    while ((st = start(comm, true, &part, &knn)) == DC_STOPPED) starts++;
    CHECK_OK(st);
    const int P = dc_comm_size(comm);
    CHECK_INT(starts, P == 2 ? 4 : 3); /* a step is a block of at most 4096 rows */
    compare(&part, &knn, &all);
    dc_knn_release(&knn);
    store.n = 0;
    CHECK_INT(start(comm, true, &part, &knn), DC_STOPPED);
    check_refused(comm, 2, -7); /* steps */
    check_refused(comm, 2, 1000000);
    check_refused(comm, 3, N); /* the first neighbour */
    if (dc_comm_rank(comm) == 0) {
        CHECK(store.n == 3);
        CHECK_OK(start(alone, false, &part, &knn));
        compare(&part, &knn, &all);
        dc_knn_release(&knn);
    }
    dc_knn_release(&all);
    dc_comm_destroy(&alone);
    return check_done_all(&comm);
}
