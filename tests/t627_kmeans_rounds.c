/* Seeding by k-means||: the same bits on P ranks and T threads, also when it is stopped after each of its steps and
 * continued on other ranks; inertia after Lloyd as from k-means++; few rows for each centre; few distinct rows, far
 * rows, sparse rows; memory as announced; checkpoints that fit no seeding are refused; the choice among candidates
 * against naive loops, and the same bits with and without ruling out. Seed 627.
 * ranks: 1 3  ranks_long: 2 5  threads: 2 */
#include <math.h>
#include <omp.h>

#include "../src/cluster/kmeans_impl.h"
#include "check.h"
#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"
#include "t51_sparse.h"
#include "t6_help.h"

enum { V = 16, SEED = 627, BYTES_MAX = 1 << 20 };

static dc_part part_of(dc_comm *comm, int64_t N)
{
    dc_part part;
    if (dc_part_init(&part, N, V, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    return part;
}

/* Row i is near centre i mod K, drawn from N(0, spread^2). */
static float *make_groups(int64_t N, int64_t d, int64_t K, double spread)
{
    float *X = t6_alloc(N * d, sizeof *X), *M = t6_alloc(K * d, sizeof *M);
    t6_normal(M, K * d, SEED, 0, spread);
    t6_normal(X, N * d, SEED + 1, 0, 1);
    for (int64_t i = 0; i < N; i++)
        for (int64_t c = 0; c < d; c++) X[i * d + c] += M[i % K * d + c];
    free(M);
    return X;
}

static bool same(const dc_kmeans_result *mine, const dc_kmeans_result *whole, const dc_part *part, int64_t K, int64_t d)
{
    return mine->inertia == whole->inertia && mine->iterations == whole->iterations && mine->best == whole->best &&
           memcmp(mine->centers, whole->centers, (size_t)(K * d) * sizeof *mine->centers) == 0 &&
           memcmp(mine->labels, whole->labels + part->row_lo, (size_t)dc_part_rows(part) * sizeof *mine->labels) == 0;
}

/* On all ranks, and on one rank and one thread; returns the inertia. */
static double check_bits(dc_comm *comm, const char *what, const float *X, const dc_csr *whole, const dc_csr *own,
                         int64_t N, int64_t d, const dc_kmeans_config *cfg)
{
    struct dc_comm solo = t6_solo(comm);
    const dc_part part = part_of(comm, N), all = part_of(&solo, N);
    const dc_rows mine = {.part = &part, .d = d, .X = X ? X + part.row_lo * d : NULL, .csr = own},
                  every = {.part = &all, .d = d, .X = X, .csr = whole};
    dc_kmeans_result r, one;
    const int threads = omp_get_max_threads();
    CHECK_OK(dc_kmeans(comm, &mine, cfg, &r));
    omp_set_num_threads(1);
    CHECK_OK(dc_kmeans(&solo, &every, cfg, &one));
    omp_set_num_threads(threads);
    if (dc_comm_rank(comm) == 0) printf("# %s: inertia %.9g, %d iterations\n", what, r.inertia, r.iterations);
    CHECK(same(&r, &one, &part, cfg->K, d));
    const double inertia = r.inertia;
    dc_kmeans_result_release(&r);
    dc_kmeans_result_release(&one);
    return inertia;
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

/* Inertia after Lloyd is at most 1 % above that from k-means++, usually below it. */
static void quality(dc_comm *comm)
{
    enum { N = 6000, D = 16, K = 260 };
    float *X = make_groups(N, D, K, 2);
    dc_kmeans_config cfg = {.K = K, .n_init = 1, .max_iter = 30, .tol = 1e-4, .seed = 1};
    const double rounds = check_bits(comm, "auto", X, NULL, NULL, N, D, &cfg);
    CHECK(dc_km_in_rounds(&cfg, 10 * K) && !dc_km_in_rounds(&cfg, 10 * K - 1));
    cfg.seeding = DC_SEEDING_PLUSPLUS;
    CHECK(!dc_km_in_rounds(&cfg, N));
    const double plusplus = check_bits(comm, "k-means++", X, NULL, NULL, N, D, &cfg);
    CHECK(rounds < 1.01 * plusplus);
    cfg = (dc_kmeans_config){.K = 255, .seeding = DC_SEEDING_AUTO};
    CHECK(!dc_km_in_rounds(&cfg, N));
    cfg.K = 999;
    CHECK(!dc_km_in_rounds(&cfg, 9989) && dc_km_in_rounds(&cfg, 9990));
    cfg.K = 1000;
    CHECK(!dc_km_in_rounds(&cfg, 3999) && dc_km_in_rounds(&cfg, 4000));
    free(X);
}

/* Few rows for each centre: as good as k-means++, and a centre on each row if there are as many. */
static void many_centers(dc_comm *comm)
{
    enum { N = 1200, D = 6, FAR = 60 };
    float *X = make_groups(N, D, N / 4, 1);
    dc_kmeans_config cfg = {.n_init = 1, .max_iter = 30, .seed = 1};
    for (int share = 4; share >= 1; share /= 2) {
        cfg.K = N / share;
        cfg.seeding = DC_SEEDING_PARALLEL;
        const double rounds = check_bits(comm, "few rows for each centre", X, NULL, NULL, N, D, &cfg);
        cfg.seeding = DC_SEEDING_PLUSPLUS;
        const double plusplus = check_bits(comm, "k-means++", X, NULL, NULL, N, D, &cfg);
        CHECK(share == 1 ? rounds == 0 && plusplus == 0 : rounds < 1.03 * plusplus);
    }
    /* Rows each of which is as far from the others as these are from zero: the first rounds draw only the furthest. */
    for (int64_t i = 0; i < FAR; i++) X[i] = powf(1.2F, (float)i);
    cfg = (dc_kmeans_config){.K = FAR, .n_init = 1, .max_iter = 0, .seeding = DC_SEEDING_PARALLEL, .seed = 1};
    CHECK(check_bits(comm, "a centre per far row", X, NULL, NULL, FAR, 1, &cfg) == 0);
    free(X);
}

static void few_rows(dc_comm *comm)
{
    enum { N = 300 };
    static float X[N * 2];
    dc_kmeans_config cfg = {.n_init = 3, .max_iter = 20, .tol = 1e-4, .seeding = DC_SEEDING_PARALLEL, .seed = 1};
    for (int i = 0; i < N; i++) X[2 * i] = (float)(i % 3), X[2 * i + 1] = (float)(i % 9 / 3);
    cfg.K = 10;
    CHECK(check_bits(comm, "9 distinct rows, K = 10", X, NULL, NULL, N, 2, &cfg) == 0);
    memset(X, 0, sizeof X);
    cfg.K = 3;
    CHECK(check_bits(comm, "equal rows", X, NULL, NULL, N, 2, &cfg) == 0);
    t6_normal(X, N * 2, SEED, 0, 1);
    cfg.K = N;
    CHECK(check_bits(comm, "a centre per row", X, NULL, NULL, N, 2, &cfg) == 0);
    cfg.K = 1;
    (void)check_bits(comm, "one centre", X, NULL, NULL, N, 2, &cfg);
}

/* A tenth of the rows lies far away; the seeds alone hit every group nevertheless. */
static void far_rows(dc_comm *comm)
{
    enum { N = 2000, D = 8, GROUPS = 20, SEEDS = 5 };
    const int64_t d = D;
    float *X = make_groups(N, D, GROUPS, 20);
    for (int64_t i = 0; i < N; i += 10)
        for (int64_t c = 0; c < D; c++) X[i * D + c] = 1e5F;
    const dc_part part = part_of(comm, N);
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * D, &d);
    dc_kmeans_config cfg = {.K = 40, .n_init = 1, .seeding = DC_SEEDING_PARALLEL};
    for (cfg.seed = 1; cfg.seed <= SEEDS; cfg.seed++) {
        dc_kmeans_result r;
        CHECK_OK(dc_kmeans(comm, &rows, &cfg, &r));
        CHECK(r.inertia < 2.0 * N * D);
        dc_kmeans_result_release(&r);
    }
    free(X);
}

static void sparse_rows(dc_comm *comm)
{
    enum { N = 1200, D = 900, GROUPS = 9 };
    t51_rows r = t51_make(N, D, 12, GROUPS, false, SEED);
    struct dc_comm solo = t6_solo(comm);
    const dc_part part = part_of(comm, N), all = part_of(&solo, N);
    const dc_csr own = t51_of(&r, &part), whole = t51_of(&r, &all);
    const dc_kmeans_config cfg = {
        .K = 12, .n_init = 2, .max_iter = 5, .tol = 1e-4, .seeding = DC_SEEDING_PARALLEL, .seed = 1};
    (void)check_bits(comm, "sparse", NULL, &whole, &own, N, D, &cfg);
    t51_free(&r);
}

static void check_memory(dc_comm *comm)
{
    enum { N = 20000, D = 32, K = 700 };
    const int64_t d = D;
    float *X = make_groups(N, D, K, 2);
    const dc_part part = part_of(comm, N);
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * D, &d);
    const dc_kmeans_config cfg = {.K = K, .n_init = 1, .max_iter = 1, .seeding = DC_SEEDING_PARALLEL, .seed = 1};
    dc_kmeans_needs needs;
    dc_kmeans_result r;
    CHECK_OK(dc_kmeans_needs_of(comm, &part, D, NULL, &cfg, &needs));
    const size_t before = dc_mem_current_bytes();
    CHECK_OK(dc_kmeans(comm, &rows, &cfg, &r));
    /* The counters know distances, labels and bounds of rows, sums, and centres of the pass before and of the result,
     * which no page holds while seeding. */
    const double lazy = 3 * 4.0 * (double)dc_part_rows(&part) + K * (8.0 * (D + 1) + 2 * 4.0 * D),
                 taken = (double)(dc_mem_peak_bytes() - before);
    printf("# said %.0f, taken %.0f\n", needs.bytes, taken);
    CHECK(taken - lazy <= needs.bytes);
    dc_kmeans_result_release(&r);
    free(X);
}

/* ---- Stops ------------------------------------------------------------------------------------------------------- */

/* A checkpoint in memory of every rank. */
static struct {
    int n;
    dc_state_array array[DC_STATE_ARRAYS_MAX];
    size_t used;
    _Alignas(int64_t) char bytes[BYTES_MAX];
} store;

static dc_status begin(void *ctx, const dc_state *c, const dc_state_array *array, int n)
{
    (void)ctx, (void)c;
    store.n = n;
    store.used = 0;
    memcpy(store.array, array, (size_t)n * sizeof *array);
    return DC_OK;
}

static dc_status put(void *ctx, const void *data, size_t bytes)
{
    (void)ctx;
    if (!CHECK(store.used + bytes <= BYTES_MAX)) return DC_OK;
    memcpy(store.bytes + store.used, data, bytes);
    store.used += bytes;
    return DC_OK;
}

static dc_status end(void *ctx, const dc_state *c, dc_status so_far)
{
    (void)ctx, (void)c;
    return so_far;
}

static char *stored(int index)
{
    size_t at = 0;
    for (int i = 0; i < index; i++) at += store.array[i].n * dc_state_type_bytes(store.array[i].type);
    return store.bytes + at;
}

static dc_status load(void *ctx, int index, size_t first, size_t n, void *out)
{
    (void)ctx;
    const size_t size = dc_state_type_bytes(store.array[index].type);
    memcpy(out, stored(index) + first * size, n * size);
    return DC_OK;
}

enum { STOP_N = 3000, STOP_D = 5, STOP_K = 150 };

/* One start, which ends at its first opportunity if `stops`. */
static dc_status start(dc_comm *comm, const float *X, bool stops, dc_kmeans_result *out)
{
    dc_wish *wish;
    dc_state *state;
    const int64_t d = STOP_D;
    const dc_part part = part_of(comm, STOP_N);
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * STOP_D, &d);
    const dc_wish_config wishes = {.stop_at_s = stops ? dc_clock_now_s() : 0, .stop_file = "none"};
    const dc_state_config keep = {.begin = begin, .put = put, .end = end, .load = load};
    CHECK_OK(dc_wish_create(comm, &wish, &wishes));
    dc_comm_set_wish(comm, wish);
    CHECK_OK(dc_state_create(comm, &state, &keep, store.array, store.n));
    dc_state_at(state, "kmeans", 0);
    const dc_kmeans_config cfg = {.K = STOP_K,
                                  .n_init = 2,
                                  .max_iter = 4,
                                  .seeding = DC_SEEDING_PARALLEL,
                                  .seed = 1,
                                  .state = state,
                                  .quiet = true};
    const dc_status st = dc_kmeans(comm, &rows, &cfg, out);
    dc_comm_set_wish(comm, NULL);
    dc_state_destroy(&state);
    dc_wish_destroy(&wish);
    return st;
}

/* All ranks get the checkpoint that rank 0 holds. */
static void share_store(dc_comm *comm)
{
    dc_comm_bcast(comm, &store, sizeof store, 0);
}

static int find_array(const char *name)
{
    for (int i = 0; i < store.n; i++)
        if (strcmp(store.array[i].name, name) == 0) return i;
    return -1;
}

/* value: in place of number `at` of the saved seeding. */
static void check_refused(dc_comm *comm, const float *X, size_t at, int64_t value)
{
    const int index = find_array("kmeans/seeding");
    dc_kmeans_result r;
    if (!CHECK(index >= 0)) return;
    int64_t *number = (int64_t *)stored(index) + at;
    const int64_t was = *number;
    *number = value;
    CHECK_STATUS(start(comm, X, false, &r), DC_ERR_FORMAT);
    dc_error_clear();
    *number = was;
}

static void stops(dc_comm *comm)
{
    float *X = make_groups(STOP_N, STOP_D, STOP_K, 1);
    dc_comm *alone;
    dc_kmeans_result whole, r;
    int starts = 0, seeding = 0;
    dc_status st;
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &alone));
    store.n = 0;
    CHECK_OK(start(alone, X, false, &whole));
    store.n = 0;
    while ((st = start(starts % 2 ? alone : comm, X, true, &r)) == DC_STOPPED) {
        starts++;
        share_store(comm);
        seeding += find_array("kmeans/seeding") >= 0;
        if (starts == 3) {
            check_refused(comm, X, 0, 2);  /* restart */
            check_refused(comm, X, 1, -1); /* rounds */
            check_refused(comm, X, 2, 1);  /* the first candidate of round 0 */
            check_refused(comm, X, 4, 1 << 20);
        }
    }
    CHECK_OK(st);
    if (dc_comm_rank(comm) == 0) printf("# %d starts, %d of them seeded\n", starts, seeding);
    CHECK(seeding >= 14 && starts > seeding);
    const dc_part part = part_of(starts % 2 ? alone : comm, STOP_N);
    CHECK(same(&r, &whole, &part, STOP_K, STOP_D));
    dc_kmeans_result_release(&r);
    dc_kmeans_result_release(&whole);
    dc_comm_destroy(&alone);
    free(X);
}

typedef struct {
    size_t next;
    int parts, gaps;
} worked;

static void work(void *ctx, size_t first, size_t end)
{
    worked *w = ctx;
    w->gaps += first != w->next;
    w->next = end;
    w->parts++;
}

/* A long pass can be left between its parts; all ranks work on as many. */
static void parts(dc_comm *comm)
{
    enum { N = 1 << 18 };
    const int64_t d = 1, endless = INT64_C(1) << 40;
    const float none = 0;
    const dc_part part = part_of(comm, N);
    const dc_rows rows = dc_rows_of_array(&part, &none, &d);
    const dc_wish_config wishes = {.stop_at_s = dc_clock_now_s(), .stop_file = "none"};
    const dc_kmeans_config cfg = {.K = 1, .n_init = 1, .say_every_s = 1e-9};
    dc_km_tiles tiles;
    dc_km_watch watch;
    dc_wish *wish;
    worked whole = {0}, one = {0}, left = {0};
    CHECK_OK(dc_km_tiles_init(&tiles, &rows, 1, 1));
    dc_km_watch_init(&watch, &cfg);
    CHECK_OK(dc_km_in_parts(comm, &watch, &tiles, 1, "short", work, &one));
    CHECK(one.parts == 1 && one.next == part.n_blocks);
    CHECK_OK(dc_km_in_parts(comm, &watch, &tiles, endless, "whole", work, &whole));
    CHECK(whole.parts > 5 && whole.gaps == 0 && whole.next == part.n_blocks);
    CHECK_OK(dc_wish_create(comm, &wish, &wishes));
    dc_comm_set_wish(comm, wish);
    CHECK_STATUS(dc_km_in_parts(comm, &watch, &tiles, endless, "left", work, &left), DC_STOPPED);
    CHECK_INT(left.parts, 1);
    int64_t most = -whole.parts;
    dc_comm_min_i64(comm, &most, 1);
    CHECK_INT(whole.parts, -most);
    dc_comm_set_wish(comm, NULL);
    dc_wish_destroy(&wish);
    dc_km_tiles_release(&tiles);
}

/* ---- The choice among candidates --------------------------------------------------------------------------------- */

static void check_pick(int64_t m, int64_t d, int64_t K)
{
    float *at = t6_alloc(m * d, sizeof *at), *d_min = t6_alloc(m, sizeof *d_min);
    int64_t *weight = t6_alloc(m, sizeof *weight);
    dc_part part;
    dc_km_tiles tiles;
    dc_km_pick p;
    t6_normal(at, m * d, SEED + 2, 3, 1);
    for (int64_t i = 0; i < m; i++) weight[i] = i % 7, d_min[i] = INFINITY;
    CHECK_OK(dc_part_init(&part, m, 1, 1, 0));
    const dc_rows rows = dc_rows_of_array(&part, at, &d);
    const dc_kmeans_config cfg = {.K = K, .seed = 1};
    CHECK_OK(dc_km_tiles_init(&tiles, &rows, K, 1));
    CHECK_OK(dc_km_pick_init(&p, &part, &cfg, d, m + 100));
    dc_km_pick_start(&p, &part, &tiles, at, weight, m);
    const int64_t chosen[] = {m / 2, 0, m - 1};
    for (size_t c = 0; c < DC_COUNT_OF(chosen); c++) {
        double mass = 0, expected = 0;
        memcpy(p.trial, at + chosen[c] * d, (size_t)d * sizeof *at);
        dc_km_pick_lower_blocks(&p);
        for (int64_t i = 0; i < m; i++) {
            double square = 0;
            for (int64_t j = 0; j < d; j++) square += pow((double)at[i * d + j] - (double)at[chosen[c] * d + j], 2);
            d_min[i] = fminf(d_min[i], (float)square);
            expected += (double)weight[i] * (double)d_min[i];
        }
        for (int64_t b = 0; b < p.n_blocks; b++) mass += p.mass[b];
        CHECK_NEAR(mass, expected, 1e-5 * expected + 1e-12);
    }
    for (int64_t j = 0; j < p.trials; j++) memcpy(p.trial + j * d, at + j % m * d, (size_t)d * sizeof *at);
    dc_km_pick_potentials(&p);
    for (int64_t j = 0; j < p.trials; j++) {
        double left = 0, expected = 0;
        for (int64_t b = 0; b < p.n_blocks; b++) left += p.potential[b * p.trials + j];
        for (int64_t i = 0; i < m; i++) {
            double square = 0;
            for (int64_t c = 0; c < d; c++) square += pow((double)at[i * d + c] - (double)at[j % m * d + c], 2);
            expected += (double)weight[i] * fmin(square, (double)d_min[i]);
        }
        CHECK_NEAR(left, expected, 1e-5 * expected + 1e-12);
    }
    dc_km_pick_release(&p);
    dc_km_tiles_release(&tiles);
    free(at), free(d_min), free(weight);
}

/* Ranks that share the blocks choose the same candidates as one rank. */
static void share_blocks(dc_comm *comm)
{
    enum { M = 2000, D = 6, K = 30 };
    struct dc_comm solo = t6_solo(comm);
    dc_comm *both[] = {comm, &solo};
    float *at = make_groups(M, D, K, 3);
    int64_t *weight = t6_alloc(M, sizeof *weight), chosen[2][K];
    const int64_t d = D;
    for (int64_t i = 0; i < M; i++) weight[i] = 1 + i % 5;
    for (int w = 0; w < 2; w++) {
        const dc_part part = part_of(both[w], M);
        const dc_rows rows = dc_rows_of_array(&part, at + part.row_lo * D, &d);
        const dc_kmeans_config cfg = {.K = K, .seed = 1};
        dc_km_tiles tiles;
        dc_km_pick p;
        CHECK_OK(dc_km_tiles_init(&tiles, &rows, K, 1));
        CHECK_OK(dc_km_pick_init(&p, &part, &cfg, D, M));
        p.share_from = w == 0 ? 1 : M;
        dc_km_pick_start(&p, &part, &tiles, at, weight, M);
        for (int64_t c = 0; c < K; c++) {
            chosen[w][c] = c == 0 ? 7 : dc_km_pick_next(both[w], &p, &tiles, at, &cfg, 0, c);
            dc_km_pick_lower(both[w], &p, &tiles, at, chosen[w][c]);
        }
        dc_km_pick_release(&p);
        dc_km_tiles_release(&tiles);
    }
    CHECK(memcmp(chosen[0], chosen[1], sizeof chosen[0]) == 0);
    free(at), free(weight);
}

enum { KINDS = 6 };

/* Candidates of many kinds: in groups far apart, without groups, on each other, a few of them far away, tiny, zero; so
 * near that squares of differences are zero in float, so that a trial lowers distances to candidates that it lies far
 * from, as lengths go. */
static float *make_candidates(int kind, int64_t m, int64_t d)
{
    float *at = make_groups(m, d, kind == 0 ? 40 : 1, kind == 0 ? 30 : 0);
    for (int64_t i = 0; i < m; i++) {
        float *x = at + i * d;
        for (int64_t c = 0; c < d; c++) {
            if (kind == 2) x[c] = at[i % 50 * d + c];
            if (kind == 3 && i % 97 == 5) x[c] *= 1e4F;
            if (kind == 4) x[c] *= i % 3 == 0 ? 1e-25F : i % 3 == 1 ? 0 : 1;
            if (kind == 5) x[c] = (i < m / 2 ? 0x1p-76F : -0x1p-76F) + (i == 7 && c == 0 ? 0x1p-74F : 0);
        }
    }
    return at;
}

/* Parts of blocks that a distance to a trial is computed for, if the next trials were these. */
static int64_t count_near(const dc_km_pick *p)
{
    int64_t n = 0;
    dc_km_pick_rough_trials(&p->rough, p->trial, 1);
    for (int64_t b = 0; b < p->n_blocks; b++) n += __builtin_popcount(dc_km_pick_rough_near(&p->rough, b, 0, 1));
    return n;
}

enum { RULED_M = 3000, RULED_D = 37, RULED_K = 200 };

/* Both choose centre c; whether anything of them differs. */
static bool differ_at(dc_comm *solo, dc_km_pick p[2], const dc_km_tiles *tiles, const float *at,
                      const dc_kmeans_config *cfg, int64_t c)
{
    int64_t chosen[2];
    for (int w = 0; w < 2; w++) {
        chosen[w] = c == 0 ? 7 : dc_km_pick_next(solo, &p[w], tiles, at, cfg, 0, c);
        if (chosen[w] >= 0) dc_km_pick_lower(solo, &p[w], tiles, at, chosen[w]);
    }
    return chosen[0] != chosen[1] || memcmp(p[0].d_min, p[1].d_min, RULED_M * sizeof *p[0].d_min) != 0 ||
           memcmp(p[0].mass, p[1].mass, (size_t)p[0].n_blocks * sizeof *p[0].mass) != 0 ||
           memcmp(p[0].left, p[1].left, (size_t)p[0].trials * sizeof *p[0].left) != 0;
}

/* Candidates are ruled out without a trace: the choice and all sums have the same bits as without. */
static void rule_out(dc_comm *comm, int kind)
{
    struct dc_comm solo = t6_solo(comm);
    const int64_t d = RULED_D;
    const dc_part part = part_of(&solo, RULED_M);
    float *at = make_candidates(kind, RULED_M, RULED_D);
    int64_t *weight = t6_alloc(RULED_M, sizeof *weight), differ = 0;
    const dc_rows rows = dc_rows_of_array(&part, at, &d);
    const dc_kmeans_config cfg = {.K = RULED_K, .seed = 1};
    dc_km_tiles tiles;
    dc_km_pick p[2];
    for (int64_t i = 0; i < RULED_M; i++) weight[i] = 1 + i % 5;
    CHECK_OK(dc_km_tiles_init(&tiles, &rows, RULED_K, 1));
    for (int w = 0; w < 2; w++) {
        CHECK_OK(dc_km_pick_init(&p[w], &part, &cfg, RULED_D, RULED_M));
        if (w == 1) p[w].rough.on = false;
        dc_km_pick_start(&p[w], &part, &tiles, at, weight, RULED_M);
    }
    for (int64_t c = 0; c < RULED_K; c++) differ += differ_at(&solo, p, &tiles, at, &cfg, c);
    CHECK_INT(differ, 0);
    if (kind == 1 && p[0].rough.on) {
        const int64_t near = count_near(&p[0]), all = p[0].n_blocks * DC_KM_PICK_BLOCK / DC_KM_PICK_PART;
        printf("# distances left in %lld of %lld parts\n", (long long)near, (long long)all);
        CHECK(2 * near <= all);
    }
    for (int w = 0; w < 2; w++) dc_km_pick_release(&p[w]);
    dc_km_tiles_release(&tiles);
    free(at), free(weight);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    check_memory(comm); /* first, because it reads the peak */
    quality(comm);
    many_centers(comm);
    few_rows(comm);
    far_rows(comm);
    sparse_rows(comm);
    stops(comm);
    parts(comm);
    share_blocks(comm);
    for (int kind = 0; kind < KINDS; kind++) rule_out(comm, kind);
    check_pick(1, 3, 2);
    check_pick(255, 7, 300);
    check_pick(1030, 33, 20);
    return check_done_all(&comm);
}
