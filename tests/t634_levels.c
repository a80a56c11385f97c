/* Hierarchical k-means: the bits of one rank, whichever clusters are split alone or by all ranks together; numbers of
 * children; labels are those of a descent by dc_nearest; parents from and to the file's form. Seed 1.
 * ranks: 1 3
 * ranks_long: 2 5
 * threads: 2 */
#include "../src/cluster/levels_impl.h"
#include "check.h"
#include "dcmpi/rng.h"
#include "t6_help.h"

/* first[] of K sizes against its definition: no cluster has more than its rows, and none could give a child to another
 * that then would still have more rows per child. */
static bool fair(const int64_t *size, int64_t K, int64_t total)
{
    int64_t first[65], heap[64];
    dc_lv_allot(size, K, total, first, heap);
    if (first[0] != 0 || first[K] != total) return false;
    for (int64_t a = 0; a < K; a++) {
        const int64_t of_a = first[a + 1] - first[a];
        if (of_a < 1 || of_a > DC_MAX(size[a], (int64_t)1)) return false;
        for (int64_t b = 0; b < K; b++) {
            const int64_t of_b = first[b + 1] - first[b];
            if (of_b > 1 && (double)size[a] / (double)of_a > (double)size[b] / (double)(of_b - 1)) return false;
        }
    }
    return true;
}

static void allotment(void)
{
    int64_t size[64] = {0};
    int wrong = 0;
    for (uint64_t trial = 0; trial < 200; trial++) {
        uint32_t w[4];
        int64_t rows = 0, K = 1 + (int64_t)(trial % 64);
        for (int64_t k = 0; k < K; k++) {
            dc_rng4(1, DC_STREAM_TEST, trial, (uint64_t)k, w);
            size[k] = w[0] % 3 ? (int64_t)(w[1] % (w[2] % 5 ? 20 : 900)) : 0;
            rows += size[k];
        }
        if (rows < K) continue;
        wrong += !fair(size, K, K) + !fair(size, K, rows) + !fair(size, K, (K + rows) / 2);
    }
    CHECK_INT(wrong, 0);
    const int64_t even[] = {100, 100, 0, 100};
    int64_t first[5], heap[4];
    dc_lv_allot(even, 4, 8, first, heap);
    CHECK(first[1] == 3 && first[2] == 5 && first[3] == 6 && first[4] == 8); /* ties: the lowest */
}

static bool same(const dc_levels *a, const dc_levels *b)
{
    bool equal = a->n == b->n;
    for (int v = 0; equal && v + 1 < a->n; v++) {
        const size_t K = (size_t)a->K[v];
        equal = a->K[v] == b->K[v] && memcmp(a->first[v], b->first[v], (K + 1) * sizeof(int64_t)) == 0 &&
                memcmp(a->centers[v], b->centers[v], K * (size_t)a->d * sizeof(float)) == 0;
    }
    return equal;
}

static bool same_result(const dc_kmeans_result *a, const dc_kmeans_result *b, int64_t K, int64_t d)
{
    return a->inertia == b->inertia && a->converged == b->converged && a->iterations == b->iterations &&
           a->reseeded == b->reseeded && memcmp(a->size, b->size, (size_t)K * sizeof *a->size) == 0 &&
           memcmp(a->centers, b->centers, (size_t)(K * d) * sizeof *a->centers) == 0;
}

static bool parents_return(const dc_levels *l)
{
    dc_levels other = {.n = l->n, .d = l->d};
    const int upper = l->n - 1;
    const int64_t K = l->K[upper];
    int64_t *parent = t6_alloc(K * upper, sizeof *parent);
    memcpy(other.K, l->K, sizeof other.K);
    if (dc_levels_init(&other) != DC_OK) abort();
    dc_levels_parents(l, parent);
    bool good = dc_levels_set_parents(&other, parent);
    for (int v = 0; good && v < upper; v++)
        good = memcmp(other.first[v], l->first[v], (size_t)(l->K[v] + 1) * sizeof(int64_t)) == 0;
    parent[(K - 1) * upper] = 0; /* the last leaf in the first cluster */
    good = good && (l->K[0] == 1 || !dc_levels_set_parents(&other, parent));
    dc_levels_release(&other);
    free(parent);
    return good;
}

typedef struct {
    int64_t N, d;
    const float *X;
    dc_levels_config cfg;
} problem;

/* The same bits as alone, with these limits. */
static void check(dc_comm *comm, const problem *p, const dc_lv_limits *limits)
{
    struct dc_comm solo = t6_solo(comm);
    dc_part part, all;
    dc_levels mine, whole;
    dc_kmeans_result r, r_whole;
    const int64_t K = p->cfg.K[p->cfg.n - 1];
    CHECK_OK(dc_part_init(&part, p->N, 16, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_part_init(&all, p->N, 16, 1, 0));
    const dc_rows rows = dc_rows_of_array(&part, p->X + part.row_lo * p->d, &p->d),
                  rows_all = dc_rows_of_array(&all, p->X, &p->d);
    CHECK_OK(dc_lv_fit(comm, &rows, &p->cfg, limits, &mine, &r));
    CHECK_OK(dc_levels_fit(&solo, &rows_all, &p->cfg, &whole, &r_whole));
    const int64_t n = dc_part_rows(&part);
    CHECK(same(&mine, &whole));
    CHECK(same_result(&r, &r_whole, K, p->d));
    CHECK(memcmp(r.labels, r_whole.labels + part.row_lo, (size_t)n * sizeof *r.labels) == 0);
    int32_t *label = t6_alloc(n, sizeof *label);
    dc_levels_descend(&mine, r.centers, rows.X, n, label);
    CHECK(memcmp(r.labels, label, (size_t)n * sizeof *label) == 0);
    CHECK(parents_return(&mine));
    free(label);
    dc_levels_release(&mine);
    dc_levels_release(&whole);
    dc_kmeans_result_release(&r);
    dc_kmeans_result_release(&r_whole);
}

int main(void)
{
    enum { N = 9000, D = 5 };
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    static float X[N * D];
    const dc_lv_limits all_alone = {INT64_C(1) << 40, 1e30}, few_rows = {1, 1e30}, little_work = {INT64_C(1) << 40, 1};
    const dc_kmeans_config km = {.n_init = 2, .max_iter = 20, .tol = 1e-4, .seed = 1, .quiet = true};
    t6_normal(X, N * D, 1, 0, 1);
    for (int64_t i = 0; i < N / 2; i++) X[i * D] += 20;    /* clusters of unequal sizes */
    for (int64_t i = 0; i < 400 * D; i++) X[i] = X[i % D]; /* and equal rows */
    problem p = {N, D, X, {.n = 2, .K = {3, 40}, .kmeans = km}};
    allotment();
    check(comm, &p, &all_alone);
    check(comm, &p, &few_rows);
    check(comm, &p, &little_work);
    p.cfg = (dc_levels_config){.n = 3, .K = {2, 6, 90}, .kmeans = km};
    check(comm, &p, &little_work);
    p.N = 300; /* all equal: clusters without rows */
    p.cfg = (dc_levels_config){.n = 2, .K = {4, 12}, .kmeans = km};
    check(comm, &p, &all_alone);
    return check_done_all(&comm);
}
