/* Figures of a sweep over numbers of clusters against scikit-learn and scipy (tests/golden/sweep.txt): silhouettes,
 * with a cluster of one row and with copies of rows, inertia, BIC, agreement of subsamples; the same bits on any number
 * of ranks and threads; the suggestion of tables made for it. ranks: 1 3  ranks_long: 2 5 threads: 1 2 */
#include <omp.h>

#include "check.h"
#include "golden/golden.h"
#include "t6_help.h"

#include "dcmpi/cluster.h"
#include "dcmpi/sweep.h"

enum { N = 120, D = 11, CLUSTERINGS = 6, SHARDS = 8 };
static const char FILE_NAME[] = "sweep.txt";

typedef struct {
    float x[N * D];
    double label[CLUSTERINGS * N], K[CLUSTERINGS];
} problem;

static void read_problem(problem *p)
{
    CHECK(golden_read_f32(FILE_NAME, "x", p->x, N * D) && golden_read(FILE_NAME, "label", p->label, CLUSTERINGS * N) &&
          golden_read(FILE_NAME, "K", p->K, CLUSTERINGS));
}

/* On one rank with one thread, then on all: the same bits. */
static void check_silhouettes(dc_comm *comm, dc_comm *alone, const problem *p)
{
    int32_t label[N * CLUSTERINGS];
    int64_t K[CLUSTERINGS];
    double expected[CLUSTERINGS], one[CLUSTERINGS], all[CLUSTERINGS];
    for (int t = 0; t < CLUSTERINGS; t++) {
        K[t] = (int64_t)p->K[t] + (t == 2); /* a cluster without rows changes nothing */
        for (int i = 0; i < N; i++) label[i * CLUSTERINGS + t] = (int32_t)p->label[t * N + i];
    }
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    CHECK_OK(dc_silhouettes(alone, p->x, N, D, label, K, CLUSTERINGS, SHARDS, one));
    omp_set_num_threads(threads);
    CHECK_OK(dc_silhouettes(comm, p->x, N, D, label, K, CLUSTERINGS, SHARDS, all));
    CHECK(golden_read(FILE_NAME, "silhouette", expected, CLUSTERINGS));
    CHECK_ARRAY_NEAR(one, expected, CLUSTERINGS, 1e-12);
    CHECK(memcmp(one, all, sizeof one) == 0);
}

static void check_no_other_cluster(dc_comm *comm, const problem *p)
{
    const int32_t label[N] = {0};
    double one;
    CHECK_OK(dc_silhouettes(comm, p->x, N, D, label, (int64_t[]){2}, 1, SHARDS, &one));
    CHECK(one == 0);
}

/* Rows of a data set, without an array. */
static void give_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    memcpy(out, (const float *)ctx + lo * D, (size_t)(n * D) * sizeof *out);
}

static void check_inertia(dc_comm *comm, const problem *p)
{
    dc_part part;
    double inertia[CLUSTERINGS], bic[CLUSTERINGS], calinski[CLUSTERINGS], expected[CLUSTERINGS], all, streamed;
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const float *own = p->x + part.row_lo * D;
    const dc_rows rows = {.part = &part, .d = D, .X = own},
                  stream = {.part = &part, .d = D, .rows = give_rows, .ctx = own};
    CHECK_OK(dc_cluster_inertia(comm, &rows, NULL, 1, NULL, &all));
    for (int t = 0; t < CLUSTERINGS; t++) {
        int32_t label[N];
        int64_t size[N];
        const int64_t K = (int64_t)p->K[t];
        for (int i = 0; i < N; i++) label[i] = (int32_t)p->label[t * N + i];
        CHECK_OK(dc_cluster_inertia(comm, &rows, label + part.row_lo, K, size, &inertia[t]));
        CHECK_OK(dc_cluster_inertia(comm, &stream, label + part.row_lo, K, size, &streamed));
        CHECK(streamed == inertia[t]);
        bic[t] = dc_sweep_bic(size, K, N, D, inertia[t]);
        calinski[t] = (all - inertia[t]) / (double)(K - 1) / (inertia[t] / (double)(N - K));
    }
    CHECK(golden_read(FILE_NAME, "inertia", expected, CLUSTERINGS));
    CHECK_ARRAY_NEAR(inertia, expected, CLUSTERINGS, 1e-9);
    CHECK(golden_read(FILE_NAME, "bic", expected, CLUSTERINGS));
    CHECK_ARRAY_NEAR(bic, expected, CLUSTERINGS, 1e-8);
    CHECK(golden_read(FILE_NAME, "calinski", expected, CLUSTERINGS));
    CHECK_ARRAY_NEAR(calinski, expected, CLUSTERINGS, 1e-9);
}

/* Rows that only one subsample has do not count. */
static void check_agreement(const problem *p)
{
    double expected[CLUSTERINGS], found[CLUSTERINGS];
    CHECK(golden_read(FILE_NAME, "agreement", expected, CLUSTERINGS));
    for (int t = 0; t < CLUSTERINGS; t++) {
        int64_t a[N], b[N];
        for (int i = 0; i < N; i++) {
            a[i] = i < 100 ? (int64_t)p->label[2 * N + i] : -1;
            b[i] = i >= 10 ? (int64_t)p->label[t * N + i] : -1;
        }
        CHECK_OK(dc_sweep_agreement(a, b, N, 7, &found[t]));
    }
    CHECK_ARRAY_NEAR(found, expected, CLUSTERINGS, 1e-14);
}

/* ---- Suggestion -------------------------------------------------------------------------------------------------- */

static dc_sweep table(int n, const double *silhouette, const double *stability, const double *bic)
{
    dc_sweep s = {.n = n};
    for (int t = 0; t < n; t++) {
        s.K[t] = t + 2;
        s.value[t][DC_SWEEP_SILHOUETTE] = silhouette[t];
        s.value[t][DC_SWEEP_STABILITY] = stability[t];
        s.value[t][DC_SWEEP_BIC] = bic[t];
        s.value[t][DC_SWEEP_NMI] = s.value[t][DC_SWEEP_ACC] = t == 0; /* must have no say */
    }
    return s;
}

static void check_suggestions(void)
{
    static const double silhouette[] = {.5, .6, .7, .6, .8}, stable[] = {.9, .9, .85, .9, .7}, bic[] = {5, 4, 3, 2, 1};
    dc_sweep s = table(5, silhouette, stable, bic);
    dc_sweep_suggest(&s);
    CHECK_INT(s.suggested, 4);
    CHECK_TEXT_HAS(s.reason, "silhouette, 0.700, is the highest among the 4 K whose stability");
    CHECK_TEXT_HAS(s.reason, "the highest silhouette is at 6, the highest stability at 2, the lowest BIC at 6");
    s.by_bic = true;
    dc_sweep_suggest(&s);
    CHECK_INT(s.suggested, 5);
    CHECK_TEXT_HAS(s.reason, "BIC, 2, is the lowest among");
    static const double even[] = {.1, .1, .1, .1, .1};
    s = table(5, even, even, bic);
    dc_sweep_suggest(&s);
    CHECK_INT(s.suggested, 2); /* ties: the smallest */
    CHECK_TEXT_HAS(s.reason, "end of the range");
    CHECK_TEXT_HAS(s.reason, "no substantial structure");
}

int main(void)
{
    dc_comm *comm = NULL;
    static problem p;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    struct dc_comm alone = t6_solo(comm);
    check_init(dc_comm_rank(comm));
    const uint64_t held = dc_mem_live_count();
    read_problem(&p);
    check_silhouettes(comm, &alone, &p);
    check_no_other_cluster(comm, &p);
    check_inertia(comm, &p);
    check_agreement(&p);
    check_suggestions();
    CHECK(dc_mem_live_count() == held);
    return check_done_all(&comm);
}
