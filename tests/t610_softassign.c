/* Student-t soft assignment: twin over odd sizes, torch's numbers, extremes, no dependence on place or threads. Seed 1.
 */
#include <omp.h>

#include "../src/cluster/lanes.h"
#include "../src/cluster/softassign_impl.h"
#include "check.h"
#include "dcmpi/cluster.h"
#include "golden/golden.h"
#include "ref/cluster_ref.h"
#include "t6_help.h"

static void lanes(void)
{
    double worst_log = 0, worst_log1p = 0, worst_exp = 0;
    for (int i = -1000; i <= 1000; i++) {
        const double x = exp(i * 0.1234567), y = -exp(i * 0.006543);
        worst_log = fmax(worst_log, fabs(dc_lane_log(x) - log(x)) / fmax(1, fabs(log(x))));
        worst_log1p = fmax(worst_log1p, fabs(dc_lane_log1p(x) / log1p(x) - 1));
        worst_exp = fmax(worst_exp, y > -700 ? fabs(dc_lane_exp(y) / exp(y) - 1) : 0);
    }
    CHECK_NEAR(worst_log, 0, 5e-16);
    CHECK_NEAR(worst_log1p, 0, 2e-15);
    CHECK_NEAR(worst_exp, 0, 5e-16);
    CHECK(dc_lane_exp(0) == 1);
    CHECK(dc_lane_log(1) == 0);
    CHECK(dc_lane_log1p(0) == 0);
    CHECK((float)dc_lane_exp(-1e300) == 0);
    CHECK(0 * dc_lane_log(0) == 0);
    CHECK(isnan(dc_lane_exp(NAN)));
    CHECK(isnan(dc_lane_log1p(NAN)));
}

static double worst_against_twin(int64_t n, int64_t K, int64_t L, double alpha, double sigma)
{
    float *Z = t6_alloc(n * L, sizeof *Z), *M = t6_alloc(K * L, sizeof *M), *q = t6_alloc(n * K, sizeof *q);
    double *expected = t6_alloc(n * K, sizeof *expected), worst = 0;
    t6_normal(Z, n * L, 1, 0, sigma);
    t6_normal(M, K * L, 2, 0, sigma);
    double *Zd = t6_double(Z, n * L), *Md = t6_double(M, K * L);
    ref_softassign(Zd, Md, n, K, L, alpha, expected, NULL);
    dc_softassign(Z, M, n, K, L, alpha, q, NULL);
    for (int64_t i = 0; i < n * K; i++) {
        const double error = fabs((double)q[i] - expected[i]) / (expected[i] + 1e-30);
        if (!(error <= worst)) worst = error;
    }
    free(Z), free(M), free(q), free(expected), free(Zd), free(Md);
    return worst;
}

static void against_twin(void)
{
    static const int64_t rows[] = {0, 1, 15, 16, 17, 257}, clusters[] = {1, 2, 10, 63, 64, 65, 131},
                         widths[] = {0, 1, 3, 10, 64, 67, 130};
    double worst = 0;
    for (size_t i = 0; i < DC_COUNT_OF(rows); i++)
        for (size_t j = 0; j < DC_COUNT_OF(clusters); j++)
            for (size_t k = 0; k < DC_COUNT_OF(widths); k++)
                worst = fmax(worst, worst_against_twin(rows[i], clusters[j], widths[k], 1, 1));
    CHECK_NEAR(worst, 0, 2e-7);
    CHECK_NEAR(worst_against_twin(100, 10, 10, 1.7, 3), 0, 2e-7);
    CHECK_NEAR(worst_against_twin(100, 10, 10, 0.01, 3), 0, 2e-7);
    CHECK_NEAR(worst_against_twin(100, 10, 10, 1e6, 0.3), 0, 2e-7);
    CHECK_NEAR(worst_against_twin(100, 10, 10, 1, 1e12), 0, 2e-7);
    CHECK_NEAR(worst_against_twin(40, DC_SOFT_KEPT, 5, 1, 1), 0, 2e-7);
    CHECK_NEAR(worst_against_twin(40, DC_SOFT_KEPT + 1, 5, 1, 1), 0, 2e-7);
}

static void golden(const char *alpha_name, const char *q_name)
{
    float z[27], mu[12], q[36];
    double alpha, expected[36];
    CHECK(golden_read_f32("dec.txt", "z", z, 27) && golden_read_f32("dec.txt", "mu", mu, 12) &&
          golden_read("dec.txt", alpha_name, &alpha, 1) && golden_read("dec.txt", q_name, expected, 36));
    dc_softassign(z, mu, 9, 4, 3, alpha, q, NULL);
    CHECK_ARRAY_NEAR(q, expected, 36, 2e-7);
}

/* Rows on centres, equal centres, one cluster, far rows, huge alpha: finite, rows sum to 1, the nearest has most. */
static void extremes(void)
{
    const float M[] = {0, 0, 0, 0, 3, 4, -1e18f, 1e18f}, Z[] = {0, 0, 3, 4, 1e18f, 1e18f, 1e-30f, 0};
    static const double alphas[] = {1e-3, 1, 1.7, 1e3, 1e9};
    float q[16];
    for (size_t a = 0; a < DC_COUNT_OF(alphas); a++) {
        int bad = 0;
        dc_softassign(Z, M, 4, 4, 2, alphas[a], q, NULL);
        for (int i = 0; i < 4; i++) {
            double sum = 0;
            for (int k = 0; k < 4; k++) {
                bad += !isfinite(q[i * 4 + k]) || q[i * 4 + k] < 0;
                sum += (double)q[i * 4 + k];
            }
            bad += fabs(sum - 1) > 1e-6;
        }
        CHECK_INT(bad, 0);
        CHECK(q[0] == q[1] && q[0] > q[2]);
        CHECK(q[4 + 2] >= q[4 + 0] && q[4 + 2] > q[4 + 3]);
    }
    dc_softassign(Z, M, 4, 1, 2, 1, q, NULL);
    CHECK(q[0] == 1 && q[1] == 1 && q[2] == 1 && q[3] == 1);
}

static void place_and_threads(void)
{
    enum { n = 700, K = 70, L = 67 };
    static float Z[(n + 5) * L], M[K * L], q[n * K], other[(n + 5) * K];
    t6_normal(Z, (n + 5) * L, 1, 0, 1);
    t6_normal(M, K * L, 2, 0, 1);
    dc_softassign(Z + 5 * L, M, n, K, L, 1.7, q, NULL);
    dc_softassign(Z, M, n + 5, K, L, 1.7, other, NULL);
    CHECK(memcmp(q, other + 5 * K, sizeof q) == 0);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        dc_softassign(Z + 5 * L, M, n, K, L, 1.7, other, NULL);
        CHECK(memcmp(q, other, sizeof q) == 0);
    }
}

int main(void)
{
    lanes();
    against_twin();
    golden("a1/alpha", "a1/q");
    golden("a17/alpha", "a17/q");
    extremes();
    place_and_threads();
    return check_done();
}
