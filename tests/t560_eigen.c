/* The eigenproblem of one rank: known values, residual and orthogonality on random, clustered, repeated and
 * rank-deficient matrices, the sign rule, the same bits for one and two threads, and what is refused. Fixed seed 560.
 * threads: 2 */
#include <omp.h>
#include <stdlib.h>

#include "check.h"
#include "dcmpi/la.h"
#include "dcmpi/rng.h"

enum { MOST = 150 };

/* A = Q diag(value) Q^T with Q a product of two reflections. */
static void make(int64_t n, const double *value, uint64_t stream, double *A)
{
    double *Q = malloc((size_t)(n * n) * sizeof *Q), v[MOST];
    float f[MOST];
    for (int64_t i = 0; i < n * n; i++) Q[i] = i % (n + 1) == 0;
    for (int pass = 0; pass < 2; pass++) {
        double norm = 0;
        dc_rng_fill_uniform(f, (size_t)n, 560, 2 * stream + (uint64_t)pass, 1);
        for (int64_t i = 0; i < n; i++) v[i] = (double)f[i], norm += v[i] * v[i];
        for (int64_t r = 0; r < n; r++) {
            double dot = 0;
            for (int64_t i = 0; i < n; i++) dot += Q[r * n + i] * v[i];
            for (int64_t i = 0; i < n; i++) Q[r * n + i] -= 2 * dot / norm * v[i];
        }
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            A[i * n + j] = 0;
            for (int64_t k = 0; k < n; k++) A[i * n + j] += Q[i * n + k] * value[k] * Q[j * n + k];
        }
    free(Q);
}

/* Largest of |w - value|, |A v - w v| and |V V^T - I|. */
static double error_of(int64_t n, const double *A, const double *V, const double *w, const double *value)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs(w[i] - value[i]));
        for (int64_t r = 0; r < n; r++) {
            double x = -w[i] * V[i * n + r], dot = r == i ? -1 : 0;
            for (int64_t c = 0; c < n; c++) x += A[r * n + c] * V[i * n + c], dot += V[i * n + c] * V[r * n + c];
            worst = fmax(worst, fmax(fabs(x), fabs(dot)));
        }
    }
    return worst;
}

static bool signs_hold(int64_t n, const double *V)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int64_t c = 1; c < n; c++)
            if (fabs(V[i * n + c]) > fabs(V[i * n + at])) at = c;
        if (V[i * n + at] < 0) return false;
    }
    return true;
}

/* value[n]: ascending. */
static void check_matrix(const char *what, int64_t n, const double *value, uint64_t stream)
{
    double *A = malloc((size_t)(n * n) * sizeof *A), *V = malloc((size_t)(n * n) * sizeof *V),
           *one = malloc((size_t)(n * n) * sizeof *V), w[MOST], w1[MOST];
    printf("# %s\n", what);
    make(n, value, stream, A);
    memcpy(V, A, (size_t)(n * n) * sizeof *V);
    for (int64_t i = 0; i < n; i++) /* the upper triangle is not read */
        for (int64_t j = i + 1; j < n; j++) V[i * n + j] = NAN;
    memcpy(one, V, (size_t)(n * n) * sizeof *V);
    CHECK_OK(dc_eigh(n, V, w));
    CHECK(error_of(n, A, V, w, value) < 1e-12);
    CHECK(signs_hold(n, V));
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    CHECK_OK(dc_eigh(n, one, w1));
    omp_set_num_threads(threads);
    CHECK(memcmp(V, one, (size_t)(n * n) * sizeof *V) == 0 && memcmp(w, w1, (size_t)n * sizeof *w) == 0);
    free(A), free(V), free(one);
}

static void check_matrices(void)
{
    double value[MOST];
    for (int64_t i = 0; i < MOST; i++) value[i] = -0.5 + (double)i / MOST;
    check_matrix("spread eigenvalues", MOST, value, 1);
    for (int64_t i = 0; i < MOST; i++) value[i] = 1 + 1e-9 * (double)(i % 75 + 75 * (i >= 75));
    check_matrix("clustered eigenvalues", MOST, value, 2);
    for (int64_t i = 0; i < MOST; i++) value[i] = i < 100 ? 0.25 : 1;
    check_matrix("repeated eigenvalues", MOST, value, 3);
    for (int64_t i = 0; i < MOST; i++) value[i] = i < 145 ? 0 : (double)i / MOST;
    check_matrix("rank 5", MOST, value, 4);
    check_matrix("order 1", 1, (double[]){-3}, 5);
}

static void check_small(void)
{
    double A[4] = {2, NAN, 1, 2}, w[2];
    CHECK_OK(dc_eigh(2, A, w));
    CHECK_NEAR(w[0], 1, 1e-15);
    CHECK_NEAR(w[1], 3, 1e-15);
    CHECK(A[0] > 0 && A[1] < 0 && A[2] > 0 && A[3] > 0);
    CHECK_OK(dc_eigh(0, NULL, NULL));
    double equal[3] = {-2, 2, 1};
    dc_orient(3, equal);
    CHECK(equal[0] == 2 && equal[1] == -2 && equal[2] == -1);
}

static void check_refused(void)
{
    double A[4] = {1, 0, NAN, 1}, w[2];
    CHECK_STATUS(dc_eigh(2, A, w), DC_ERR_NUMERIC);
    CHECK_TEXT_HAS(dc_error_text(), "row 1, column 0");
    dc_error_clear();
    CHECK_STATUS(dc_eigh((int64_t)DC_EIGH_MAX + 1, A, w), DC_ERR_USAGE);
    CHECK_NEAR(dc_eigh_bytes(1000), 16.068e6, 1e5);
}

int main(void)
{
    omp_set_num_threads(2);
    check_matrices();
    check_small();
    check_refused();
    return check_done();
}
