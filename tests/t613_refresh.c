/* The pass that renews assignment and target over all rows, against twins and the bits of one rank and one thread.
 * Seed 1. ranks: 1 2 3 5 threads: 1 2 */
#include <omp.h>

#include "check.h"
#include "dcmpi/cluster.h"
#include "ref/cluster_ref.h"
#include "t6_help.h"

/* Everything the two passes give for the rows of one rank. */
typedef struct {
    dc_part part;
    float *q, *p;
    int32_t *label;
    double f[64], loss;
    int64_t odd;
    int64_t size[64];
    dc_soft_stats stats;
} refresh;

/* The rows as they pass by: pieces of at most 100 rows, which end with their block. */
static void count_rows(dc_comm *comm, refresh *r, int64_t K, const int32_t *next)
{
    dc_soft_counter *counter;
    CHECK_OK(dc_soft_create(&counter, &r->part, K));
    for (int again = 0; again < 2; again++) { /* what was counted before dc_soft_begin() is forgotten */
        dc_soft_begin(counter);
        for (dc_block b = {0}; dc_part_next_block(&r->part, &b);)
            for (int64_t i = b.lo; i < b.hi; i += 100) {
                const int64_t n = DC_MIN(b.hi - i, (int64_t)100);
                if (!again) r->label[i] = next[i];
                for (int64_t j = i; again && j < i + n; j++) r->label[j] = (int32_t)((r->part.row_lo + j) % K);
                dc_soft_add(counter, i, n, r->q + i * K, next + i, r->label + i);
                if (!again) break;
            }
    }
    dc_soft_finish(comm, counter, &r->stats);
    dc_soft_destroy(&counter);
}

static void run(dc_comm *comm, int64_t N, int64_t K, int64_t L, const float *Z, const float *M, refresh *r)
{
    dc_soft_target t = {.kind = DC_TARGET_SQUARE, .model = DC_SOFT_STUDENT, .alpha = 1.7, .K = K, .L = L};
    *r = (refresh){0};
    CHECK_OK(dc_part_init(&r->part, N, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    const int64_t n = dc_part_rows(&r->part), lo = r->part.row_lo;
    r->q = t6_alloc(n * K, sizeof *r->q), r->p = t6_alloc(n * K, sizeof *r->p),
    r->label = t6_alloc(n, sizeof *r->label);
    r->stats = (dc_soft_stats){.f = r->f, .size = r->size};
    int32_t *next = t6_alloc(n, sizeof *next);
    dc_softassign(Z + lo * L, M, n, K, L, 1.7, r->q, next);
    count_rows(comm, r, K, next);
    free(next);
    dc_target(r->q, r->f, n, K, N, r->p);
    CHECK_OK(dc_target_create(&t, &r->part));
    memcpy(t.param, M, dc_target_params(&t) * sizeof *t.param);
    memcpy(t.f, r->f, (size_t)K * sizeof *t.f);
    r->loss = dc_target_loss(comm, &t, Z + lo * L, &r->odd);
    dc_target_release(&t);
}

static void drop(refresh *r)
{
    free(r->q), free(r->p), free(r->label);
}

/* On one rank: labels, sizes, changes, f, loss by the definition. */
static void check_meaning(const refresh *r, int64_t N, int64_t K)
{
    int64_t changed = 0, size[64] = {0};
    double f[64] = {0}, loss = 0, all = 0;
    int wrong = 0;
    for (int64_t i = 0; i < N; i++) {
        const float *q = r->q + i * K, *p = r->p + i * K;
        int32_t best = 0;
        for (int64_t k = 0; k < K; k++) {
            if (q[k] > q[best]) best = (int32_t)k;
            f[k] += (double)q[k];
            if (p[k] > 0) loss += (double)p[k] * log((double)p[k] / (double)q[k]);
        }
        wrong += r->label[i] != best;
        changed += best != i % K;
        size[best]++;
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(r->stats.changed, changed);
    CHECK(memcmp(size, r->size, sizeof size) == 0);
    CHECK_ARRAY_NEAR(r->f, f, K, 1e-9 * (double)(N + 1));
    for (int64_t k = 0; k < K; k++) all += r->f[k];
    CHECK_NEAR(all, N, 1e-6 * (double)(N + 1));
    CHECK_NEAR(r->loss, N ? loss / (double)N : 0, 1e-6);
    CHECK(r->stats.sum_check < 1e-5);
    CHECK_INT(r->odd, 0);
}

static bool same(const refresh *part, const refresh *whole, int64_t K)
{
    const int64_t n = dc_part_rows(&part->part), lo = part->part.row_lo;
    return memcmp(part->q, whole->q + lo * K, (size_t)(n * K) * sizeof(float)) == 0 &&
           memcmp(part->p, whole->p + lo * K, (size_t)(n * K) * sizeof(float)) == 0 &&
           memcmp(part->label, whole->label + lo, (size_t)n * sizeof(int32_t)) == 0 &&
           memcmp(part->f, whole->f, sizeof part->f) == 0 && memcmp(part->size, whole->size, sizeof part->size) == 0 &&
           part->loss == whole->loss && part->stats.changed == whole->stats.changed &&
           part->stats.sum_check == whole->stats.sum_check && part->odd == whole->odd;
}

static void compare(dc_comm *comm, int64_t N, int64_t K, int64_t L)
{
    float *Z = t6_alloc(N * L, sizeof *Z), *M = t6_alloc(K * L, sizeof *M);
    struct dc_comm solo = t6_solo(comm);
    const int threads = omp_get_max_threads();
    refresh part, whole;
    t6_normal(Z, N * L, 1, 0, 2);
    t6_normal(M, K * L, 2, 0, 2);
    run(comm, N, K, L, Z, M, &part);
    omp_set_num_threads(1);
    run(&solo, N, K, L, Z, M, &whole);
    omp_set_num_threads(threads);
    check_meaning(&whole, N, K);
    CHECK(same(&part, &whole, K));
    drop(&part), drop(&whole);
    free(Z), free(M);
}

/* Rows that a NaN has spoilt are counted over all ranks. */
static void count_odd_rows(dc_comm *comm)
{
    enum { N = 41, K = 3 };
    dc_part part;
    dc_soft_target t = {.kind = DC_TARGET_ROOT, .model = DC_SOFT_STUDENT, .alpha = 1, .K = K, .L = 1};
    int64_t odd = -1, expected = 0;
    float z[N];
    CHECK_OK(dc_part_init(&part, N, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_target_create(&t, &part));
    for (int64_t i = 0; i < dc_part_rows(&part); i++) z[i] = (part.row_lo + i) % 4 == 1 ? NAN : 0.25f;
    for (int64_t i = 0; i < N; i++) expected += i % 4 == 1;
    for (int k = 0; k < K; k++) t.f[k] = 10 + k, t.param[k] = (float)k;
    (void)dc_target_loss(comm, &t, z, &odd);
    CHECK_INT(odd, expected);
    dc_target_release(&t);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    static const int64_t sizes[] = {0, 1, 2, 7, 40, 257, 5003};
    for (size_t i = 0; i < DC_COUNT_OF(sizes); i++) {
        compare(comm, sizes[i], 4, 3);
        compare(comm, sizes[i], 1, 1);
    }
    compare(comm, 40000, 10, 2);
    compare(comm, 3000, 64, 10);
    count_odd_rows(comm);
    return check_done_all(&comm);
}
