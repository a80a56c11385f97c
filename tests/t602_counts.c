/* Counts of classes and clusters over ranks equal those of one rank over all rows, in pieces, also if some ranks have
 * no rows; their scores on all ranks; more pairs than can be counted. ranks: 1 3 */
#include "t60_help.h"

#include <signal.h>
#include <unistd.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/rng.h"
#include "dcmpi/signals.h"
#include "dcmpi/wish.h"

static dc_comm *comm;
static int rank, P;

/* Row i of N: a class of C and a cluster of K that often go together; half of the classes never occur. */
static void draw(int64_t i, int64_t K, int64_t C, int32_t *label, int32_t *y)
{
    uint32_t w[4];
    dc_rng4(7, DC_STREAM_SHUFFLE, (uint64_t)i, 0, w);
    *y = (int32_t)(w[0] % (uint32_t)((C + 1) / 2) * 2 % (uint32_t)C);
    *label = (int32_t)(w[1] % 3 ? (uint32_t)*y % (uint32_t)K : w[2] % (uint32_t)K);
}

static void add(dc_counter *c, int64_t lo, int64_t hi, int64_t K, int64_t C)
{
    int32_t label[100], y[100];
    for (int64_t i = lo; i < hi;) {
        int64_t n = 0;
        for (; n < 100 && i < hi; n++, i++) draw(i, K, C, &label[n], &y[n]);
        CHECK_OK(dc_counter_add(c, label, y, n));
    }
}

static bool same_cells(const dc_counts *a, const dc_counts *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = a->cell[i].class_ == b->cell[i].class_ && a->cell[i].cluster == b->cell[i].cluster &&
               a->cell[i].rows == b->cell[i].rows;
    return same;
}

static void compare(int64_t N, int64_t K, int64_t C, bool last_only)
{
    dc_counter *mine = NULL, *all = NULL;
    dc_counts joined, whole;
    dc_scores s, expected;
    const int64_t lo = last_only ? (rank == P - 1 ? 0 : N) : N * rank / P, hi = last_only ? N : N * (rank + 1) / P;
    CHECK_OK(dc_counter_create(&mine, K, C));
    CHECK_OK(dc_counter_create(&all, K, C));
    add(mine, lo, hi, K, C);
    add(all, 0, N, K, C);
    CHECK_OK(dc_counter_counts(comm, mine, &joined));
    CHECK_OK(dc_counter_counts_local(all, &whole));
    if (rank == 0) CHECK(same_cells(&joined, &whole));
    if (rank != 0) CHECK_INT(joined.n, 0);
    int64_t rows = 0;
    for (size_t i = 0; i < whole.n; i++) rows += whole.cell[i].rows;
    CHECK_INT(rows, N);
    CHECK_OK(dc_scores_compute(comm, &joined, &s));
    CHECK_OK(dc_scores_local(&whole, &expected));
    CHECK(memcmp(&s, &expected, sizeof s) == 0);
    dc_counts_release(&joined);
    dc_counts_release(&whole);
    dc_counter_destroy(&mine);
    dc_counter_destroy(&all);
}

static void table(void)
{
    const int32_t labels[] = {0, 2, 2, 1, 2}, y[] = {1, 0, 0, 1, 1};
    const int64_t expected[] = {0, 0, 2, 1, 1, 1};
    int64_t found[6];
    dc_counter *c = NULL;
    dc_counts counts;
    memset(found, 0xff, sizeof found);
    CHECK_OK(dc_counter_create(&c, 3, 2));
    CHECK_OK(dc_counter_add(c, labels, y, 5));
    CHECK_OK(dc_counter_counts_local(c, &counts));
    dc_counts_table(&counts, found);
    CHECK(memcmp(found, expected, sizeof found) == 0);
    dc_counts_release(&counts);
    dc_counter_destroy(&c);
    CHECK(dc_counts_has_table(1 << 10, 1 << 13) && !dc_counts_has_table(1 << 10, (1 << 13) + 1));
    CHECK(!dc_counts_has_table(INT64_C(1) << 31, INT64_C(1) << 31));
}

/* Numbers of classes and clusters that no table could hold: a compared file may have any. */
static void far_numbers(void)
{
    const int32_t labels[] = {INT32_MAX, 5, INT32_MAX, 0}, y[] = {0, INT32_MAX, 0, 7};
    dc_counter *c = NULL;
    dc_counts counts;
    dc_scores s;
    CHECK_OK(dc_counter_create(&c, INT64_C(1) << 31, INT64_C(1) << 31));
    CHECK_OK(dc_counter_add(c, labels, y, 4));
    CHECK_OK(dc_counter_counts_local(c, &counts));
    CHECK_INT(counts.n, 3);
    CHECK_OK(dc_scores_local(&counts, &s));
    CHECK(s.acc == 1 && s.ari == 1 && s.nmi == 1);
    dc_counts_release(&counts);
    dc_counter_destroy(&c);
}

/* Every rank alone stays below the limit, but all together do not: no rank runs out of memory, and there are no scores.
 */
static void too_many(void)
{
    enum { N = DC_COUNTS_MAX + 1 };
    dc_counter *c = NULL;
    dc_counts counts;
    CHECK_OK(dc_counter_create(&c, 1, N));
    const int32_t label = 0;
    dc_status st = DC_OK;
    for (int64_t i = (int64_t)N * rank / P; i < (int64_t)N * (rank + 1) / P && st == DC_OK; i++)
        st = dc_counter_add(c, &label, &(int32_t){(int32_t)i}, 1);
    CHECK_OK(st);
    CHECK_OK(dc_counter_counts(comm, c, &counts));
    CHECK(counts.too_many && counts.n == 0);
    dc_counts_release(&counts);
    dc_counter_destroy(&c);
}

/* A stop that is wished while scores are made ends them on all ranks. Last: the wish stays. */
static void stopped(void)
{
    dc_wish *wish = NULL;
    dc_counter *c = NULL;
    dc_counts counts;
    dc_scores s;
    CHECK_OK(dc_wish_create(comm, &wish, &(dc_wish_config){0}));
    dc_comm_set_wish(comm, wish);
    CHECK_OK(dc_counter_create(&c, 3, 5));
    add(c, 0, 10, 3, 5);
    CHECK_OK(dc_counter_counts(comm, c, &counts));
    if (rank == P - 1) kill(getpid(), SIGUSR1);
    for (int i = 0; rank == P - 1 && i < 5000 && dc_signals_stops() == 0; i++) usleep(1000);
    CHECK_STATUS(dc_scores_compute(comm, &counts, &s), DC_STOPPED);
    dc_counts_release(&counts);
    dc_counter_destroy(&c);
    dc_comm_set_wish(comm, NULL);
    dc_wish_destroy(&wish);
}

int main(void)
{
    dc_signals_install();
    if (dc_comm_create(&comm) != DC_OK) return 1;
    rank = dc_comm_rank(comm);
    P = dc_comm_size(comm);
    check_init(rank);
    dc_log_set_active(false);
    const uint64_t live = dc_mem_live_count();
    compare(1000, 7, 5, false);
    compare(1000, 7, 5, true);
    compare(3, 2, 9, false);
    compare(1, 1, 1, false);
    compare(0, 3, 3, false);
    compare(20000, 300, 9000, false);
    table();
    far_numbers();
    too_many();
    stopped();
    CHECK_INT(dc_mem_live_count(), live);
    return check_done_all(&comm);
}
