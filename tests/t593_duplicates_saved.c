/* A search for near-duplicates that goes on from what another one saved: after every block, with more shards, with the
 * lists on other ranks, with a list that is given up; the same pairs, groups and rows that are kept, and only what is
 * left is compared.
 *
 * ranks: 1 3  ranks_long: 2 5 threads: 1 2 */
#include "check.h"
#include "dcmpi/duplicates.h"
#include "dcmpi/rng.h"
#include "dcmpi/wish.h"

enum { N = 600, D = 6, K = 9, SHARDS = 8, WIDTH = 2, SEED = 593 };

static float X[N * D], centers[K * WIDTH];
static int32_t label[N];
static int64_t size[K];
static double distance[N];
static dc_comm *comm;

static double draw(uint64_t what, int64_t i)
{
    uint32_t w[4];
    dc_rng4(SEED, DC_STREAM_TEST, what, (uint64_t)i, w);
    return dc_rng_unit(w[0]);
}

/* Every third row is close to an earlier one. */
static void fill(void)
{
    for (int64_t i = 0; i < N; i++) {
        const int64_t of = i % 3 == 2 ? (int64_t)(draw(1, i) * (double)i) : i;
        for (int64_t c = 0; c < D; c++)
            X[i * D + c] =
                of < i ? X[of * D + c] + (float)(0.02 * draw(2, i * D + c)) : (float)(draw(3, i * D + c) - 0.5);
        label[i] = (int32_t)(draw(4, of < i && i % 2 ? of : i) * K);
        distance[i] = floor(20 * draw(5, i));
        size[label[i]]++;
    }
    for (int64_t e = 0; e < K * WIDTH; e++) centers[e] = (float)draw(6, e);
}

/* ---- Saving ------------------------------------------------------------------------------------------------------ */

typedef struct {
    int64_t wanted, calls; /* the state of this call is kept, and how many there were */
    int64_t rounds;
    dc_duplicates_state kept; /* owned */
    int owner;                /* rank that gets all lists; -1: they stay where they are */
} keeping;

static void copy_numbers(int64_t **to, const int64_t *from, size_t n)
{
    CHECK_OK(dc_mem_alloc(to, n, sizeof **to, "test"));
    memcpy(*to, from, n * sizeof **to);
}

/* out = all ranks' items on rank `owner`, or a copy of this rank's. */
static int64_t collect(const void *items, int64_t n, size_t item, int owner, void *out)
{
    void **to = out, *all = NULL;
    const size_t P = (size_t)dc_comm_size(comm);
    size_t counts[8] = {0};
    int64_t sizes[8] = {0}, total = 0;
    sizes[dc_comm_rank(comm)] = n;
    dc_comm_sum_i64(comm, sizes, P);
    for (size_t r = 0; r < P; r++) total += sizes[r], counts[r] = (size_t)sizes[r] * item;
    CHECK_OK(dc_mem_alloc_raw(&all, (size_t)total, item, "test"));
    dc_comm_allgatherv(comm, items, all, counts);
    if (owner >= 0) {
        *to = all;
        return owner == dc_comm_rank(comm) ? total : 0;
    }
    dc_mem_free(&all);
    CHECK_OK(dc_mem_alloc_raw(to, (size_t)n, item, "test"));
    if (n) memcpy(*to, items, (size_t)n * item);
    return n;
}

static dc_status keep(dc_comm *c, void *ctx, const dc_duplicates_state *s, bool stops, bool ends)
{
    keeping *k = ctx;
    CHECK(c == comm && !stops);
    if (k->calls++ != k->wanted || ends) return DC_OK;
    k->kept = *s;
    copy_numbers(&k->kept.done, s->done, (size_t)dc_duplicates_words(s->shards));
    copy_numbers(&k->kept.pairs_of, s->pairs_of, K);
    k->kept.n_edges = collect(s->edge, s->n_edges, sizeof *s->edge, k->owner, &k->kept.edge);
    k->kept.n_pairs = collect(s->pair, s->n_pairs, sizeof *s->pair, k->owner, &k->kept.pair);
    return DC_OK;
}

static void count_round(void *ctx, int64_t done, int64_t all)
{
    keeping *k = ctx;
    CHECK(done <= all);
    k->rounds = done;
}

static void release(keeping *k)
{
    dc_mem_free(&k->kept.done);
    dc_mem_free(&k->kept.pairs_of);
    dc_mem_free(&k->kept.edge);
    dc_mem_free(&k->kept.pair);
}

/* ---- Searches ---------------------------------------------------------------------------------------------------- */

static void find(int shards, int64_t probe, int64_t pairs_max, const dc_duplicates_state *from, keeping *k,
                 dc_part *part, dc_duplicates *d)
{
    dc_wish *wish = NULL;
    CHECK_OK(dc_wish_create(comm, &wish, &(dc_wish_config){.save_every_s = 1e-9}));
    CHECK_OK(dc_part_init(part, N, shards, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = {.part = part, .d = D, .X = X + part->row_lo * D};
    const dc_duplicates_config c = {.rows = &rows,
                                    .K = K,
                                    .label = label + part->row_lo,
                                    .size = size,
                                    .cosine = 0.99,
                                    .probe = probe,
                                    .centers = centers,
                                    .width = WIDTH,
                                    .distance = distance + part->row_lo,
                                    .pairs_max = pairs_max,
                                    .save = keep,
                                    .progress = count_round,
                                    .ctx = k,
                                    .from = from};
    dc_comm_set_wish(comm, wish);
    CHECK_OK(dc_duplicates_find(comm, &c, d));
    dc_comm_set_wish(comm, NULL);
    dc_wish_destroy(&wish);
}

static bool same(const dc_part *part, const dc_duplicates *a, const dc_duplicates *b)
{
    const size_t n = (size_t)dc_part_rows(part);
    return a->pairs == b->pairs && a->across == b->across && a->groups == b->groups && a->removed == b->removed &&
           a->largest == b->largest && a->listed == b->listed && a->n_pairs == b->n_pairs &&
           memcmp(a->kept, b->kept, n * sizeof *a->kept) == 0 &&
           memcmp(a->group, b->group, n * sizeof *a->group) == 0 &&
           memcmp(a->pairs_of, b->pairs_of, K * sizeof *a->pairs_of) == 0 &&
           memcmp(a->removed_of, b->removed_of, K * sizeof *a->removed_of) == 0 &&
           (a->n_pairs == 0 || memcmp(a->pair, b->pair, (size_t)a->n_pairs * sizeof *a->pair) == 0);
}

static void check(int64_t probe, int64_t pairs_max)
{
    dc_part part;
    dc_duplicates whole, again, twice;
    keeping none = {.wanted = -1, .owner = -1};
    find(SHARDS, probe, pairs_max, NULL, &none, &part, &whole);
    CHECK(whole.pairs > 100 && whole.listed == (whole.pairs <= pairs_max) && (probe == 0 || whole.across > 10));
    const int64_t calls = none.calls - 1; /* but for the last one */
    CHECK(calls >= SHARDS / dc_comm_size(comm) && calls == none.rounds);
    for (int64_t at = 0; at < calls; at++) {
        keeping k = {.wanted = at, .owner = at % 2 ? (int)(at / 2) % dc_comm_size(comm) : -1},
                rest = {.wanted = at / 2, .owner = 0}, last = {.wanted = -1};
        dc_duplicates first;
        find(SHARDS, probe, pairs_max, NULL, &k, &part, &first);
        dc_duplicates_release(&first);
        find(SHARDS, probe, pairs_max, &k.kept, &rest, &part, &again);
        CHECK(same(&part, &whole, &again));
        CHECK(rest.rounds < none.rounds); /* the blocks that were done are not visited again */
        dc_duplicates_release(&again);
        if (rest.kept.done) { /* stopped once more, and now there are more shards */
            dc_part finer;
            find(2 * SHARDS, probe, pairs_max, &rest.kept, &last, &finer, &twice);
            if (finer.row_lo == part.row_lo && finer.row_hi == part.row_hi) CHECK(same(&part, &whole, &twice));
            CHECK(twice.pairs == whole.pairs && twice.groups == whole.groups && twice.removed == whole.removed);
            dc_duplicates_release(&twice);
        }
        release(&k);
        release(&rest);
    }
    dc_duplicates_release(&whole);
}

int main(void)
{
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    fill();
    const uint64_t before = dc_mem_live_count();
    check(0, 100000);
    check(3, 100000);
    check(3, 100);
    CHECK_INT(dc_mem_live_count(), before);
    return check_done_all(&comm);
}
