/* A sweep over numbers of clusters finds the number that was planted, in three kinds of data: round Gaussian groups,
 * groups of unequal sizes and spreads, and cubes on a grid; on all rows and on a sample of them. The table has the same
 * bits on any number of ranks and threads, whether the rows are an array or come in pieces; figures without a sample
 * are those of the whole. Wrong numbers are refused; a number that fails is left out with its reason, but not all; the
 * reason is the same on any number of ranks; ranks that differ end the sweep. Fixed seeds. ranks: 1 3  ranks_long: 2 5
 * threads: 1 2 */
#include <omp.h>

#include "check.h"
#include "t6_help.h"

#include "dcmpi/method.h"

enum { SHARDS = 8, ROWS_MAX = 1200, COLUMNS_MAX = 8, N_KINDS = 3 };

typedef struct {
    const char *name;
    int64_t N, d, K;
    uint64_t seed;
    float X[ROWS_MAX * COLUMNS_MAX];
} problem;

/* ---- Data -------------------------------------------------------------------------------------------------------- */

static double uniform(const problem *p, uint64_t i)
{
    uint32_t w[4];
    dc_rng4(p->seed, DC_STREAM_TEST, 1, i, w);
    return dc_rng_unit(w[0]);
}

static void place(problem *p, int64_t i, const double *centre, double spread)
{
    float noise[COLUMNS_MAX];
    t6_normal(noise, p->d, p->seed + 1000 + (uint64_t)i, 0, 1);
    for (int64_t c = 0; c < p->d; c++) p->X[i * p->d + c] = (float)(centre[c] + spread * (double)noise[c]);
}

static void make_round(problem *p)
{
    *p = (problem){.name = "round groups", .N = 900, .d = 8, .K = 6, .seed = 581};
    for (int64_t i = 0; i < p->N; i++) {
        double centre[COLUMNS_MAX] = {0};
        centre[i % p->K] = 8;
        place(p, i, centre, 1);
    }
}

static void make_unequal(problem *p)
{
    static const double centre[4][COLUMNS_MAX] = {{0, 0, 0}, {9, 0, 0}, {0, 8, 0}, {-7, -7, 3}};
    static const double spread[] = {1.5, 0.3, 0.8, 0.5};
    static const int64_t below[] = {700, 750, 1000, 1200};
    *p = (problem){.name = "unequal groups", .N = 1200, .d = 3, .K = 4, .seed = 582};
    for (int64_t i = 0; i < p->N; i++) {
        const int64_t at = i * 7 % p->N; /* groups mixed over the shards */
        int k = 0;
        while (at >= below[k]) k++;
        place(p, i, centre[k], spread[k]);
    }
}

static void make_cubes(problem *p)
{
    *p = (problem){.name = "cubes", .N = 810, .d = 2, .K = 9, .seed = 583};
    for (int64_t i = 0; i < p->N; i++)
        for (int64_t c = 0; c < p->d; c++)
            p->X[i * p->d + c] = (float)(2 * (double)(c ? i % 9 / 3 : i % 3) + uniform(p, (uint64_t)(i * p->d + c)));
}

/* ---- Sweeps ------------------------------------------------------------------------------------------------------ */

static dc_status fit(dc_comm *comm, const void *ctx, const dc_rows *rows, const dc_sweep_task *task, dc_sweep_fit *out)
{
    return dc_method_find("aekm")->sweep(comm, ctx, rows, task, out);
}

typedef struct {
    const problem *p;
    dc_gidx row_lo;
} source;

static void give_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const source *s = ctx;
    memcpy(out, s->p->X + (s->row_lo + lo) * s->p->d, (size_t)(n * s->p->d) * sizeof *out);
}

static const int64_t NUMBERS[] = {2, 3, 4, 6, 9, 11};

static dc_sweep_config config(const dc_sweep_method *method, int64_t sample)
{
    return (dc_sweep_config){.method = method,
                             .name = "k-means",
                             .K = NUMBERS,
                             .n = DC_COUNT_OF(NUMBERS),
                             .sample = sample,
                             .subsamples = 5,
                             .n_init = 3,
                             .share = 0.8,
                             .seed = 7};
}

static void sweep(dc_comm *comm, const problem *p, int64_t sample, bool in_pieces, dc_sweep *out)
{
    dc_part part;
    const dc_method_env env = {.kmeans = {.n_init = 3, .max_iter = 100, .tol = 1e-4}};
    const dc_sweep_method method = {fit, &env};
    const dc_sweep_config cfg = config(&method, sample);
    CHECK_OK(dc_part_init(&part, p->N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const source s = {p, part.row_lo};
    const dc_rows array = {.part = &part, .d = p->d, .X = p->X + part.row_lo * p->d},
                  pieces = {.part = &part, .d = p->d, .rows = give_rows, .ctx = &s};
    CHECK_OK(dc_sweep_keep(comm, &cfg, p->N, out));
    CHECK_OK(dc_sweep_run(comm, in_pieces ? &pieces : &array, &cfg, out));
}

static dc_status fail_at_4(dc_comm *comm, const void *ctx, const dc_rows *rows, const dc_sweep_task *task,
                           dc_sweep_fit *out)
{
    if (task->K == 4 && (task->n_init == 0) == (ctx == NULL))
        return DC_FAIL(DC_ERR_NUMERIC, "a covariance is singular");
    const dc_method_env env = {.kmeans = {.n_init = 1, .max_iter = 20, .tol = 1e-4}};
    return fit(comm, &env, rows, task, out);
}

/* Of all rows, and of a subsample. */
static void check_failure(dc_comm *comm, const problem *p)
{
    static dc_sweep out;
    dc_part part;
    CHECK_OK(dc_part_init(&part, p->N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = {.part = &part, .d = p->d, .X = p->X + part.row_lo * p->d};
    for (int i = 0; i < 2; i++) {
        const dc_sweep_method method = {fail_at_4, i == 0 ? NULL : p};
        const dc_sweep_config cfg = config(&method, p->N);
        CHECK_OK(dc_sweep_keep(comm, &cfg, p->N, &out));
        CHECK_OK(dc_sweep_run(comm, &rows, &cfg, &out));
        CHECK(out.suggested == p->K && out.done[0] == cfg.n && out.done[1] == cfg.n);
        for (int t = 0; t < cfg.n; t++) {
            const bool failed = cfg.K[t] == 4;
            CHECK((out.failure[t][0] != '\0') == failed && isnan(out.value[t][DC_SWEEP_BIC]) == failed &&
                  isnan(out.value[t][DC_SWEEP_SILHOUETTE]) == failed &&
                  isnan(out.value[t][DC_SWEEP_STABILITY]) == failed);
            if (failed) CHECK_TEXT_HAS(out.failure[t], i == 0 ? "a covariance is" : "of a subsample: a covariance is");
        }
        dc_sweep_config alone = cfg;
        alone.K = cfg.K + 2;
        alone.n = 1;
        CHECK_OK(dc_sweep_keep(comm, &alone, p->N, &out));
        CHECK_STATUS(dc_sweep_run(comm, &rows, &alone, &out), DC_ERR_NUMERIC);
        CHECK_TEXT_HAS(dc_error_text(), "each number of clusters of the sweep failed; 4: ");
        dc_error_clear();
    }
}

static dc_status fail_in_some(dc_comm *comm, const void *ctx, const dc_rows *rows, const dc_sweep_task *task,
                              dc_sweep_fit *out)
{
    const dc_method_env env = {.kmeans = {.n_init = 1, .max_iter = 20, .tol = 1e-4}};
    (void)ctx;
    if (task->K == 4 && task->n_init > 0 && task->seed % 3 == 0)
        return DC_FAIL(DC_ERR_NUMERIC, "seed %lld fails", (long long)task->seed);
    if (task->K == 6 && task->n_init == 0) /* found by one rank */
        return dc_agree(comm, rows->part->row_hi == rows->part->N ? DC_FAIL(DC_ERR_DATA, "the last row fails") : DC_OK);
    return fit(comm, &env, rows, task, out);
}

static dc_status differ(dc_comm *comm, const void *ctx, const dc_rows *rows, const dc_sweep_task *task,
                        dc_sweep_fit *out)
{
    const dc_method_env env = {.kmeans = {.n_init = 1, .max_iter = 20, .tol = 1e-4}};
    (void)ctx;
    const dc_status st = task->K == 4 ? dc_agree_hash(comm, (uint64_t)dc_comm_rank(comm), "centres") : DC_OK;
    return st == DC_OK ? fit(comm, &env, rows, task, out) : st;
}

static void sweep_with(dc_comm *comm, const problem *p, const dc_sweep_method *method, dc_sweep *out, dc_status wanted)
{
    dc_part part;
    const dc_sweep_config cfg = config(method, p->N);
    CHECK_OK(dc_part_init(&part, p->N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = {.part = &part, .d = p->d, .X = p->X + part.row_lo * p->d};
    CHECK_OK(dc_sweep_keep(comm, &cfg, p->N, out));
    CHECK_STATUS(dc_sweep_run(comm, &rows, &cfg, out), wanted);
}

/* Of some subsamples, which some groups of ranks cluster, and on one rank. */
static void check_reasons(dc_comm *comm, dc_comm *alone, const problem *p)
{
    static dc_sweep one, all;
    const dc_sweep_method method = {fail_in_some, NULL};
    sweep_with(alone, p, &method, &one, DC_OK);
    sweep_with(comm, p, &method, &all, DC_OK);
    CHECK_TEXT_HAS(one.failure[2], "of a subsample: seed ");
    CHECK_TEXT_HAS(one.failure[3], "the last row fails");
    for (int t = 0; t < one.n; t++)
        if (!CHECK(strcmp(one.failure[t], all.failure[t]) == 0)) printf("# %s\n", all.failure[t]);
}

/* After that, no failure of this process is one of a method. */
static void check_difference(dc_comm *comm, const problem *p)
{
    static dc_sweep out;
    const dc_sweep_method method = {differ, NULL};
    if (dc_comm_size(comm) == 1) return;
    sweep_with(comm, p, &method, &out, DC_ERR_NUMERIC);
    CHECK_TEXT_HAS(dc_error_text(), "centres differ between ranks");
    dc_error_clear();
}

static void check_problem(dc_comm *comm, dc_comm *alone, const problem *p)
{
    static dc_sweep one, all;
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    sweep(alone, p, ROWS_MAX, false, &one);
    omp_set_num_threads(threads);
    sweep(comm, p, ROWS_MAX, true, &all);
    if (!CHECK(one.suggested == p->K)) printf("# %s: %lld: %s\n", p->name, (long long)one.suggested, one.reason);
    CHECK(memcmp(&one, &all, sizeof one) == 0);
}

/* A silhouette of half of the rows is near that of all, and not the same. */
static void check_sample(dc_comm *comm, const problem *p)
{
    static dc_sweep half, all;
    sweep(comm, p, p->N / 2, false, &half);
    sweep(comm, p, p->N, false, &all);
    CHECK_INT(half.suggested, p->K);
    CHECK_INT(half.sample, p->N / 2);
    CHECK_INT(half.subsample, (int64_t)(0.8 * (double)(p->N / 2)));
    const double a = half.value[2][DC_SWEEP_SILHOUETTE], b = all.value[2][DC_SWEEP_SILHOUETTE];
    CHECK_NEAR(a, b, 0.05);
    CHECK(a != b);
    CHECK(half.value[2][DC_SWEEP_INERTIA] == all.value[2][DC_SWEEP_INERTIA]);
    CHECK(half.value[2][DC_SWEEP_NMI] == DC_SWEEP_UNKNOWN);
}

static void check_refusals(void)
{
    const dc_sweep_config cfg = config(NULL, 1000);
    CHECK_OK(dc_sweep_check(&cfg, 14));
    CHECK_STATUS(dc_sweep_check(&cfg, 10), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "11 clusters but only 10 rows: lower sweep.clusters");
    dc_error_clear();
    CHECK_STATUS(dc_sweep_check(&cfg, 13), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "a subsample for the stability has 10 rows");
    dc_error_clear();
}

int main(void)
{
    dc_comm *comm = NULL;
    static problem p[N_KINDS];
    if (dc_comm_create(&comm) != DC_OK) return 1;
    struct dc_comm alone = t6_solo(comm);
    check_init(dc_comm_rank(comm));
    const uint64_t held = dc_mem_live_count();
    make_round(&p[0]);
    make_unequal(&p[1]);
    make_cubes(&p[2]);
    for (int i = 0; i < N_KINDS; i++) check_problem(comm, &alone, &p[i]);
    check_sample(comm, &p[1]);
    check_failure(comm, &p[2]);
    check_reasons(comm, &alone, &p[2]);
    check_refusals();
    check_difference(comm, &p[2]);
    CHECK(dc_mem_live_count() == held);
    return check_done_all(&comm);
}
