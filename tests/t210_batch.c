/* The order of rows: every epoch visits every row once, batches do not depend on the number of ranks and are spread
 * evenly over the shards. Ranks are simulated: nothing here communicates. */
#include <stdlib.h>

#include "check.h"
#include "dcmpi/data.h"
#include "dcmpi/rng.h"

enum { MAX_N = 5000 };

/* Row i of a shard of n rows, by the definition in batch.c. */
static int64_t row_ref(uint64_t seed, int64_t epoch, int s, int64_t n, int64_t i)
{
    enum { BLOCK = 256, POOL = 2048 };
    const bool one = n <= POOL;
    const int64_t pool = i / POOL, of_pool = DC_MIN(n - pool * POOL, (int64_t)POOL), whole = n / BLOCK;
    dc_perm rows, blocks;
    uint32_t w[4];
    dc_perm_init(&rows, seed, DC_STREAM_SHUFFLE, (uint64_t)epoch, (uint64_t)s + (one ? 0 : (uint64_t)(pool + 1) << 32),
                 (uint64_t)of_pool);
    const int64_t j = pool * POOL + (int64_t)dc_perm_at(&rows, (uint64_t)(i % POOL)), block = j / BLOCK;
    if (one) return j;
    dc_perm_init(&blocks, seed, DC_STREAM_BLOCKS, (uint64_t)epoch, (uint64_t)s, (uint64_t)whole);
    dc_rng4(seed, DC_STREAM_BLOCKS, (uint64_t)epoch, (uint64_t)s + (UINT64_C(1) << 32), w);
    const uint64_t first = ((uint64_t)w[0] << 31 | w[1] >> 1) % (uint64_t)n;
    const int64_t place = block < whole ? (int64_t)dc_perm_at(&blocks, (uint64_t)block) : block;
    return ((int64_t)first + place * BLOCK + j % BLOCK) % n;
}

/* The definition, word by word: rows of a step in shard order. Returns their number. */
static int64_t step_ref(const dc_part *whole, uint64_t seed, int64_t B, int64_t epoch, int64_t t, int64_t *rows)
{
    int64_t count = 0;
    for (int s = 0; s < whole->V; s++) {
        const int64_t begin = dc_part_shard_begin(whole, s), size = dc_part_shard_begin(whole, s + 1) - begin;
        for (int64_t j = t * B; j < DC_MIN((t + 1) * B, whole->N); j++) {
            if ((int)dc_bitrev((unsigned)(j % whole->V), whole->V) != s) continue;
            rows[count++] = begin + row_ref(seed, epoch, s, size, j / whole->V);
        }
    }
    return count;
}

/* Global rows of a step as P ranks find them, concatenated; checks each rank's counts. */
static bool step_of_ranks(int64_t N, int V, int P, uint64_t seed, int64_t B, int64_t step, int64_t *rows,
                          int64_t *total)
{
    *total = 0;
    bool ok = true;
    for (int r = 0; r < P; r++) {
        dc_part part;
        dc_batcher b;
        int64_t n = -1, n_global = -1, offset = -1;
        if (dc_part_init(&part, N, V, P, r) != DC_OK || dc_batcher_init(&b, &part, seed, B) != DC_OK) return false;
        dc_batcher_step(&b, step, rows + *total, &n, &n_global, &offset);
        const int64_t t = step % b.steps_per_epoch;
        ok = ok && n >= 0 && n <= b.capacity && offset == *total && n_global == DC_MIN(b.B, N - t * b.B);
        for (int64_t i = 0; i < n; i++) {
            int64_t *row = &rows[*total + i];
            ok = ok && *row >= 0 && *row < dc_part_rows(&part);
            *row += part.row_lo;
        }
        *total += n;
    }
    return ok;
}

static bool evenly_spread(const dc_part *whole, const int64_t *rows, int64_t n)
{
    int64_t lowest = INT64_MAX, highest = 0, i = 0;
    for (int s = 0; s < whole->V; s++) {
        int64_t count = 0;
        for (const int64_t end = dc_part_shard_begin(whole, s + 1); i < n && rows[i] < end; i++) count++;
        lowest = DC_MIN(lowest, count);
        highest = DC_MAX(highest, count);
    }
    return i == n && highest - lowest <= 1;
}

/* One case over two epochs; returns whether all holds. */
static bool check_case(int64_t N, int V, int P, int64_t B, uint64_t seed)
{
    static int64_t rows[MAX_N], expected[MAX_N];
    static uint8_t seen[MAX_N];
    dc_part whole;
    dc_batcher b;
    if (dc_part_init(&whole, N, V, 1, 0) != DC_OK || dc_batcher_init(&b, &whole, seed, B) != DC_OK) return false;
    bool ok = b.steps_per_epoch == (N + b.B - 1) / b.B;
    for (int64_t epoch = 0; epoch < 2 && ok; epoch++) {
        memset(seen, 0, sizeof seen);
        int64_t visited = 0;
        for (int64_t t = 0; t < b.steps_per_epoch && ok; t++) {
            int64_t n = 0;
            ok = step_of_ranks(N, V, P, seed, B, epoch * b.steps_per_epoch + t, rows, &n) &&
                 evenly_spread(&whole, rows, n);
            ok = ok && n == step_ref(&whole, seed, b.B, epoch, t, expected) &&
                 memcmp(rows, expected, (size_t)n * sizeof *rows) == 0;
            for (int64_t i = 0; i < n && ok; i++) ok = seen[rows[i]]++ == 0;
            visited += n;
        }
        ok = ok && visited == N;
    }
    if (!ok) printf("# N=%lld V=%d P=%d B=%lld\n", (long long)N, V, P, (long long)B);
    return ok;
}

static void test_all_cases(void)
{
    static const int64_t n_list[] = {1, 2, 3, 5, 7, 16, 31, 64, 65, 100, 127, 257};
    static const int64_t b_list[] = {1, 2, 3, 7, 16, 37, 64, 100, 1000};
    bool ok = true;
    int cases = 0;
    for (size_t i = 0; i < DC_COUNT_OF(n_list); i++)
        for (size_t j = 0; j < DC_COUNT_OF(b_list); j++)
            for (int V = 1; V <= 64; V *= 4)
                for (int P = 1; P <= DC_MIN(V, 7); P++, cases++) ok = check_case(n_list[i], V, P, b_list[j], 5) && ok;
    printf("# %d cases\n", cases);
    CHECK(ok);
    CHECK(check_case(4999, 64, 5, 256, 1));
    CHECK(check_case(4096, 64, 64, 256, 2));
    CHECK(check_case(4097, 8, 3, 4000, 3));
    CHECK(check_case(5000, 1, 1, 256, 4));
    CHECK(check_case(4999, 2, 2, 100, 5));  /* shards of two pools */
    CHECK(check_case(4608, 1, 1, 2048, 6)); /* whole blocks only */
    CHECK(check_case(2049, 1, 1, 1000, 7));
}

/* The reach is that of the step which needs most. */
static void check_reach(int64_t N, int V, int P, int64_t B, int64_t tile)
{
    for (int r = 0; r < P; r++) {
        dc_part part;
        dc_batcher b;
        int64_t most = 0;
        CHECK_OK(dc_part_init(&part, N, V, P, r));
        CHECK_OK(dc_batcher_init(&b, &part, 1, B));
        for (int64_t step = 0; step < b.steps_per_epoch; step++) {
            const int64_t below = dc_batcher_offset(&b, step, r), n = dc_batcher_offset(&b, step, r + 1) - below;
            most = DC_MAX(most, below % tile + n);
        }
        CHECK_INT(dc_batcher_reach(&b, tile), most);
    }
}

static void test_reach(void)
{
    check_reach(4000, 64, 1, 256, 64);
    check_reach(4000, 64, 3, 256, 64);
    check_reach(4001, 64, 5, 250, 8);
    check_reach(9999, 16, 7, 97, 64);
    check_reach(30, 64, 2, 1000, 64);
    check_reach(1, 8, 2, 1, 64);
}

/* Another seed, another epoch: another order. */
static void test_orders_differ(void)
{
    enum { N = 1000, B = 100 };
    int64_t a[B], b[B], n, all;
    dc_part part;
    dc_batcher one, two;
    CHECK_OK(dc_part_init(&part, N, 8, 1, 0));
    CHECK_OK(dc_batcher_init(&one, &part, 1, B));
    CHECK_OK(dc_batcher_init(&two, &part, 2, B));
    dc_batcher_step(&one, 0, a, &n, &all, NULL);
    dc_batcher_step(&two, 0, b, &n, &all, NULL);
    CHECK(memcmp(a, b, sizeof a) != 0);
    dc_batcher_step(&one, one.steps_per_epoch, b, &n, &all, NULL);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

/* A step far into training of a set that no machine holds: numbers above 2^32, no allocation. */
static void test_huge(void)
{
    enum { B = 4096 };
    static int64_t rows[B];
    const int64_t N = (INT64_C(1) << 40) + 12345;
    dc_part part;
    dc_batcher b;
    int64_t n, all, offset;
    CHECK_OK(dc_part_init(&part, N, 1 << 12, 100, 99));
    CHECK_OK(dc_batcher_init(&b, &part, 1, B));
    const uint64_t allocations = dc_mem_alloc_count();
    dc_batcher_step(&b, 3 * b.steps_per_epoch - 1, rows, &n, &all, &offset);
    CHECK_INT(all, N % B);
    CHECK(n <= b.capacity && offset + n == all);
    dc_batcher_step(&b, 2 * b.steps_per_epoch + 5, rows, &n, &all, &offset);
    CHECK_INT(n, part.shard_hi - part.shard_lo);
    CHECK_INT(offset, part.shard_lo);
    CHECK_INT(dc_mem_alloc_count(), allocations);
    CHECK_STATUS(dc_batcher_init(&b, &part, 1, 0), DC_ERR_USAGE);
    dc_error_clear();
}

/* ---- Reading ahead ----------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t rows;
    bool strange;     /* rows that are not there */
    int asked[MAX_N]; /* how often each row was announced, minus how often it was taken */
} announced;

static announced rows_ahead;

static void note_rows(const void *ctx, int64_t lo, int64_t n)
{
    (void)ctx;
    rows_ahead.strange |= lo < 0 || n < 1 || lo + n > MAX_N;
    for (int64_t i = lo; i < lo + n && !rows_ahead.strange; i++) rows_ahead.asked[i]++;
    rows_ahead.rows += n;
}

/* Every row is announced before each step that takes it, and not much more often. */
static void check_ahead(int64_t N, int V, int64_t B)
{
    static int64_t rows[MAX_N];
    dc_part part;
    dc_batcher b;
    int64_t missed = 0;
    CHECK_OK(dc_part_init(&part, N, V, 1, 0));
    CHECK_OK(dc_batcher_init(&b, &part, 11, B));
    memset(&rows_ahead, 0, sizeof rows_ahead);
    const int64_t steps = 3 * b.steps_per_epoch;
    for (int64_t t = 0; t < steps; t++) {
        int64_t n, all;
        dc_batcher_ahead(&b, t, t == 0, note_rows, NULL);
        dc_batcher_step(&b, t, rows, &n, &all, NULL);
        for (int64_t i = 0; i < n; i++) missed += rows_ahead.asked[rows[i]]-- == 0;
    }
    printf("# %lld rows of %d shards: %lld announced in 3 epochs\n", (long long)N, V, (long long)rows_ahead.rows);
    CHECK(!rows_ahead.strange);
    CHECK_INT(missed, 0);
    CHECK(rows_ahead.rows >= 3 * N && rows_ahead.rows <= 4 * N + V * DC_POOL_ROWS);
}

static void test_ahead(void)
{
    check_ahead(5000, 1, 64);
    check_ahead(4999, 2, 100);
    check_ahead(3000, 64, 7);
    check_ahead(4608, 1, 4608);
}

int main(void)
{
    test_all_cases();
    test_reach();
    test_ahead();
    test_orders_differ();
    test_huge();
    return check_done();
}
