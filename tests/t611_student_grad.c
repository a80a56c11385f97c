/* Loss and gradients of deep embedded clustering: finite differences of the twin, torch's numbers, translation
 * invariance, parts of a batch, threads, extremes. Seed 1. */
#include <omp.h>

#include "check.h"
#include "dcmpi/cluster.h"
#include "golden/golden.h"
#include "ref/cluster_ref.h"
#include "t6_help.h"

typedef struct {
    int64_t n, K, L, B;
    double alpha;
    float *Z, *M, *P, *dZ, *dM, *scratch;
    int64_t *rows;
    double loss;
} batch;

/* P: sharpened assignment of other rows, some entries exactly 0, stored in reverse order. */
static batch make(int64_t n, int64_t K, int64_t L, double alpha, double sigma)
{
    batch b = {.n = n, .K = K, .L = L, .B = n + 3, .alpha = alpha};
    b.Z = t6_alloc(n * L, sizeof *b.Z), b.M = t6_alloc(K * L, sizeof *b.M), b.P = t6_alloc(n * K, sizeof *b.P);
    b.dZ = t6_alloc(n * L, sizeof *b.dZ), b.dM = t6_alloc(K * L, sizeof *b.dM);
    b.scratch = t6_alloc(2 * n * K, sizeof *b.scratch), b.rows = t6_alloc(n, sizeof *b.rows);
    t6_normal(b.Z, n * L, 3, 0, sigma);
    t6_normal(b.M, K * L, 2, 0, sigma);
    double *f = t6_alloc(K, sizeof *f);
    for (int64_t k = 0; k < K; k++) f[k] = 1 + (double)(k % 3);
    dc_softassign(b.Z, b.M, n, K, L, alpha, b.P, NULL);
    for (int64_t i = 0; i < n && K > 2; i += 4) b.P[i * K + i % K] = 0;
    dc_target(b.P, f, n, K, n, b.P);
    t6_normal(b.Z, n * L, 1, 0, sigma);
    for (int64_t i = 0; i < n; i++) b.rows[i] = n - 1 - i;
    free(f);
    return b;
}

static void run(batch *b)
{
    b->loss = dc_student_kl_grad(b->Z, b->M, b->P, b->rows, b->n, b->K, b->L, b->alpha, b->B, b->dZ, b->dM, b->scratch);
}

static void drop(batch *b)
{
    free(b->Z), free(b->M), free(b->P), free(b->dZ), free(b->dM), free(b->scratch), free(b->rows);
}

/* Largest difference between g and central differences of the twin's loss in x, relative to the largest of g. */
static double worst_slope(const batch *b, const double *Z, const double *M, const double *p, double *x, const float *g,
                          int64_t count)
{
    const double h = 1e-4;
    double worst = 0, largest = 1e-12;
    for (int64_t i = 0; i < count; i++) {
        const double x0 = x[i];
        x[i] = x0 + h;
        const double up = ref_student_kl(Z, M, p, b->n, b->K, b->L, b->alpha, b->B);
        x[i] = x0 - h;
        const double down = ref_student_kl(Z, M, p, b->n, b->K, b->L, b->alpha, b->B);
        x[i] = x0;
        worst = fmax(worst, fabs((up - down) / (2 * h) - (double)g[i]));
        largest = fmax(largest, fabs((double)g[i]));
    }
    return worst / largest;
}

static void finite_differences(int64_t n, int64_t K, int64_t L, double alpha)
{
    batch b = make(n, K, L, alpha, 1);
    run(&b);
    double *Z = t6_double(b.Z, n * L), *M = t6_double(b.M, K * L), *p = t6_alloc(n * K, sizeof *p);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < K; k++) p[i * K + k] = (double)b.P[b.rows[i] * K + k];
    printf("# n %lld K %lld L %lld alpha %g\n", (long long)n, (long long)K, (long long)L, alpha);
    const double loss = ref_student_kl(Z, M, p, n, K, L, alpha, b.B);
    CHECK_NEAR(b.loss, loss, 2e-7 * (1 + fabs(loss)));
    CHECK_NEAR(worst_slope(&b, Z, M, p, Z, b.dZ, n * L), 0, 1e-6);
    CHECK_NEAR(worst_slope(&b, Z, M, p, M, b.dM, K * L), 0, 1e-6);
    free(Z), free(M), free(p);
    drop(&b);
}

/* Moving all rows and centres together changes nothing: sum dZ + sum dM = 0 in every component. */
static void translation(void)
{
    batch b = make(300, 70, 67, 1.7, 1);
    run(&b);
    double worst = 0, largest = 0;
    for (int64_t c = 0; c < b.L; c++) {
        double sum = 0, size = 0;
        for (int64_t i = 0; i < b.n; i++) sum += (double)b.dZ[i * b.L + c], size += fabs((double)b.dZ[i * b.L + c]);
        for (int64_t k = 0; k < b.K; k++) sum += (double)b.dM[k * b.L + c];
        worst = fmax(worst, fabs(sum));
        largest = fmax(largest, size);
    }
    CHECK_NEAR(worst / largest, 0, 1e-6);
    drop(&b);
}

static void golden(const char *prefix)
{
    char name[5][32];
    static const char *const fields[] = {"alpha", "p", "loss", "dz", "dmu"};
    for (int i = 0; i < 5; i++) snprintf(name[i], sizeof name[i], "%s/%s", prefix, fields[i]);
    float zb[18], mu[12], p[36], dz[18], dmu[12], scratch[48];
    double alpha, loss, rows_d[6], B, dz_d[18], dmu_d[12];
    CHECK(golden_read_f32("dec.txt", "zb", zb, 18) && golden_read_f32("dec.txt", "mu", mu, 12) &&
          golden_read("dec.txt", "rows", rows_d, 6) && golden_read("dec.txt", "B", &B, 1) &&
          golden_read("dec.txt", name[0], &alpha, 1) && golden_read_f32("dec.txt", name[1], p, 36) &&
          golden_read("dec.txt", name[2], &loss, 1) && golden_read("dec.txt", name[3], dz_d, 18) &&
          golden_read("dec.txt", name[4], dmu_d, 12));
    int64_t rows[6];
    for (int i = 0; i < 6; i++) rows[i] = (int64_t)rows_d[i];
    CHECK_NEAR(dc_student_kl_grad(zb, mu, p, rows, 6, 4, 3, alpha, (int64_t)B, dz, dmu, scratch), loss, 1e-7);
    CHECK_ARRAY_NEAR(dz, dz_d, 18, 2e-8);
    CHECK_ARRAY_NEAR(dmu, dmu_d, 12, 2e-8);
}

/* Two parts of a batch: the same rows of dZ bit by bit, loss and dM add up. */
static void parts(void)
{
    batch b = make(61, 10, 10, 1, 1);
    run(&b);
    float *dZ = t6_alloc(b.n * b.L, sizeof *dZ), *dM = t6_alloc(2 * b.K * b.L, sizeof *dM);
    double loss = 0;
    for (int64_t part = 0, i = 0; part < 2; part++) {
        const int64_t n = part ? b.n - 23 : 23;
        loss += dc_student_kl_grad(b.Z + i * b.L, b.M, b.P, b.rows + i, n, b.K, b.L, b.alpha, b.B, dZ + i * b.L,
                                   dM + part * b.K * b.L, b.scratch);
        i += n;
    }
    CHECK(memcmp(dZ, b.dZ, (size_t)(b.n * b.L) * sizeof *dZ) == 0);
    CHECK_NEAR(loss, b.loss, 1e-12);
    for (int64_t i = 0; i < b.K * b.L; i++) dM[i] += dM[b.K * b.L + i];
    CHECK_ARRAY_NEAR(dM, b.dM, b.K * b.L, 1e-7);
    free(dZ), free(dM);
    drop(&b);
}

static void threads(void)
{
    batch b = make(333, 70, 67, 1, 1);
    omp_set_num_threads(1);
    run(&b);
    for (int t = 2; t <= 3; t++) {
        batch c = make(333, 70, 67, 1, 1);
        omp_set_num_threads(t);
        run(&c);
        CHECK(b.loss == c.loss);
        CHECK(memcmp(b.dZ, c.dZ, (size_t)(b.n * b.L) * sizeof *b.dZ) == 0);
        CHECK(memcmp(b.dM, c.dM, (size_t)(b.K * b.L) * sizeof *b.dM) == 0);
        drop(&c);
    }
    drop(&b);
}

static bool all_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* Rows far away and on centres, one cluster, no rows: finite. Underflowed q must not reach a logarithm. */
static void extremes(void)
{
    static const double alphas[] = {1e-3, 1, 1e3, 1e8}, sigmas[] = {0, 1e-20, 1, 1e3, 1e15};
    for (size_t a = 0; a < DC_COUNT_OF(alphas); a++) {
        for (size_t s = 0; s < DC_COUNT_OF(sigmas); s++) {
            batch b = make(20, 5, 3, alphas[a], sigmas[s]);
            memcpy(b.Z, b.M, (size_t)b.L * sizeof *b.Z);
            run(&b);
            CHECK(isfinite(b.loss) && b.loss > -1e-6);
            CHECK(all_finite(b.dZ, b.n * b.L) && all_finite(b.dM, b.K * b.L));
            drop(&b);
        }
    }
    batch one = make(20, 1, 3, 1, 1);
    run(&one);
    CHECK_NEAR(one.loss, 0, 0);
    CHECK_NEAR(one.dZ[0], 0, 0);
    drop(&one);
    batch none = make(0, 3, 2, 1, 1);
    none.dM[0] = 7;
    run(&none);
    CHECK_NEAR(none.loss, 0, 0);
    CHECK_NEAR(none.dM[0], 0, 0);
    drop(&none);
}

int main(void)
{
    finite_differences(7, 4, 3, 1);
    finite_differences(7, 4, 3, 1.7);
    finite_differences(17, 10, 10, 1);
    finite_differences(3, 66, 65, 1.7);
    translation();
    golden("a1");
    golden("a17");
    parts();
    threads();
    extremes();
    return check_done();
}
