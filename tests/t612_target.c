/* Target distribution: twin, torch's numbers, in place, dead clusters, underflowed q. Seed 1. */
#include "check.h"
#include "dcmpi/cluster.h"
#include "golden/golden.h"
#include "ref/cluster_ref.h"
#include "t6_help.h"

static void sum_columns(const float *q, int64_t n, int64_t K, double *f)
{
    for (int64_t k = 0; k < K; k++) f[k] = 0;
    for (int64_t i = 0; i < n * K; i++) f[i % K] += (double)q[i];
}

static void against_twin(int64_t n, int64_t K)
{
    float *Z = t6_alloc(n * 3, sizeof *Z), *M = t6_alloc(K * 3, sizeof *M), *q = t6_alloc(n * K, sizeof *q);
    float *p = t6_alloc(n * K, sizeof *p);
    double *f = t6_alloc(K, sizeof *f), *expected = t6_alloc(n * K, sizeof *expected);
    t6_normal(Z, n * 3, 1, 0, 2);
    t6_normal(M, K * 3, 2, 0, 2);
    dc_softassign(Z, M, n, K, 3, 1, q, NULL);
    sum_columns(q, n, K, f);
    double *qd = t6_double(q, n * K);
    ref_target(qd, f, n, K, expected);
    dc_target(q, f, n, K, n, p);
    CHECK_ARRAY_NEAR(p, expected, n * K, 1e-7);
    dc_target(q, f, n, K, n, q);
    CHECK(memcmp(p, q, (size_t)(n * K) * sizeof *p) == 0);
    free(Z), free(M), free(q), free(p), free(f), free(expected), free(qd);
}

static void golden(const char *q_name, const char *f_name, const char *p_name)
{
    float q[36], p[36];
    double f[4], expected[36];
    CHECK(golden_read_f32("dec.txt", q_name, q, 36) && golden_read("dec.txt", f_name, f, 4) &&
          golden_read("dec.txt", p_name, expected, 36));
    dc_target(q, f, 9, 4, 9, p);
    CHECK_ARRAY_NEAR(p, expected, 36, 2e-7);
}

static void extremes(void)
{
    float p[6];
    /* A cluster without mass, and one whose q are the smallest floats. */
    dc_target((float[]){0.5f, 0.5f, 0, 1, 0x1p-149f, 0}, (double[]){1.5, 0.5, 0}, 2, 3, 2, p);
    CHECK_ARRAY_NEAR(p, ((double[]){0.25, 0.75, 0, 1, 0, 0}), 6, 1e-7);
    /* f below its floor does not lift q^2 = 0, and does not hide a row that holds on to the cluster. */
    dc_target((float[]){1e-7f, 1 - 1e-7f}, (double[]){1e-30, 1e9}, 1, 2, 1000000000, p);
    CHECK(isfinite(p[0]) && isfinite(p[1]) && fabsf(p[0] + p[1] - 1) < 1e-6f);
    dc_target((float[]){1, 1}, (double[]){2}, 2, 1, 2, p);
    CHECK(p[0] == 1 && p[1] == 1);
}

int main(void)
{
    static const int64_t rows[] = {0, 1, 255, 256, 257, 600}, clusters[] = {1, 2, 10, 63, 64, 65, 130};
    for (size_t i = 0; i < DC_COUNT_OF(rows); i++)
        for (size_t k = 0; k < DC_COUNT_OF(clusters); k++) against_twin(rows[i], clusters[k]);
    golden("a1/q", "a1/f", "a1/p");
    golden("a17/q", "a17/f", "a17/p");
    extremes();
    return check_done();
}
