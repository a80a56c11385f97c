/* Fused bias + activation and activation gradient + bias gradient against their twins; the same bits for every number
 * of threads and for every place of a row in the batch; NaN stays NaN. Fixed seed 502. */
#include <omp.h>

#include "check.h"
#include "dcmpi/rng.h"
#include "nn/nn_kern.h"
#include "ref/nn_ref.h"

static const dc_act acts[] = {DC_ACT_LINEAR,  DC_ACT_RELU, DC_ACT_LEAKY_RELU, DC_ACT_TANH,
                              DC_ACT_SIGMOID, DC_ACT_ELU,  DC_ACT_SELU,       DC_ACT_SOFTPLUS};
static const int64_t row_counts[] = {0, 1, 2, 17, 64};
static const int64_t widths[] = {1, 3, 10, 15, 16, 17, 127, 128, 129, 500};

static float *random_array(int64_t n, uint64_t step, double bound)
{
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    dc_rng_fill_uniform(x, (size_t)n, 502, step, bound);
    return x;
}

static double worst_error(const float *a, const double *e, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) worst = worse_of(worst, fabs((double)a[i] - e[i]) / DC_MAX(1, fabs(e[i])));
    return worst;
}

static double bias_act_error(dc_act act, int64_t n, int64_t width)
{
    float *b = random_array(width, 1, 1), *Y = random_array(n * width, 2, 3);
    double *E = malloc((size_t)(n * width + 1) * sizeof *E);
    bias_act_ref(act, b, n, width, Y, E);
    dc_dense_bias_act(act, b, n, width, Y);
    const double worst = worst_error(Y, E, n * width);
    free(b), free(Y), free(E);
    return worst;
}

static double act_grad_error(dc_act act, int64_t n, int64_t width)
{
    float *Y = random_array(n * width, 3, 0.9), *dY = random_array(n * width, 4, 1);
    float *db = random_array(width, 5, 1);
    double *dT = malloc((size_t)(n * width + 1) * sizeof *dT), *eb = malloc((size_t)width * sizeof *eb);
    act_grad_ref(act, Y, n, width, dY, dT, eb);
    dc_dense_act_grad(act, Y, n, width, dY, db);
    const double worst = worse_of(worst_error(dY, dT, n * width), worst_error(db, eb, width));
    free(Y), free(dY), free(db), free(dT), free(eb);
    return worst;
}

static void test_twins(void)
{
    for (size_t a = 0; a < DC_COUNT_OF(acts); a++) {
        double forward = 0, backward = 0;
        for (size_t r = 0; r < DC_COUNT_OF(row_counts); r++)
            for (size_t w = 0; w < DC_COUNT_OF(widths); w++) {
                forward = worse_of(forward, bias_act_error(acts[a], row_counts[r], widths[w]));
                backward = worse_of(backward, act_grad_error(acts[a], row_counts[r], widths[w]));
            }
        CHECK_NEAR(forward, 0, 2.5e-7);
        CHECK_NEAR(backward, 0, 4e-6); /* sums of 64 rows in float */
    }
}

/* Relative error of those with an exponential over their range, tiny values and both tails included. */
static void test_accuracy(void)
{
    enum { COUNT = 200001 };
    const float zero = 0;
    for (dc_act act = DC_ACT_TANH; act <= DC_ACT_SOFTPLUS; act++) {
        double worst = 0;
        for (int i = 0; i < COUNT; i++) {
            const float x = i % 2 ? (float)(i - COUNT / 2) * 8e-4f : (float)(i - COUNT / 2) * 1e-9f;
            float y = x;
            dc_dense_bias_act(act, &zero, 1, 1, &y);
            const double e = act_ref(act, (double)x);
            if (fabs(e) < 1e-30) continue;
            worst = worse_of(worst, fabs((double)y - e) / fabs(e));
        }
        CHECK_NEAR(worst, 0, 4e-7);
    }
}

static void test_special_values(void)
{
    for (size_t a = 0; a < DC_COUNT_OF(acts); a++) {
        const float zero[3] = {0, 0, 0};
        float y[3] = {NAN, 1000, -1000};
        dc_dense_bias_act(acts[a], zero, 1, 3, y);
        CHECK(isnan(y[0]));
        CHECK_NEAR(y[1], act_ref(acts[a], 1000), acts[a] == DC_ACT_SELU ? 1e-4 : 0); /* its factor is rounded */
        CHECK_NEAR(y[2], act_ref(acts[a], -1000), 1e-6);
    }
}

/* A row gives the same bits alone, first, or in the middle of a batch, with one thread or two. */
static void test_same_bits(dc_act act, int64_t width)
{
    enum { ROWS = 301 };
    const size_t n = (size_t)(ROWS * width);
    float *b = random_array(width, 6, 1), *X = random_array(ROWS * width, 7, 3), *G = random_array(ROWS * width, 8, 1);
    float *one = malloc(n * sizeof *one), *two = malloc(n * sizeof *two), *row = malloc(n * sizeof *row);
    memcpy(one, X, n * sizeof *one), memcpy(two, X, n * sizeof *two), memcpy(row, X, n * sizeof *row);
    omp_set_num_threads(1);
    dc_dense_bias_act(act, b, ROWS, width, one);
    omp_set_num_threads(2);
    dc_dense_bias_act(act, b, ROWS, width, two);
    for (int64_t i = 0; i < ROWS; i++) dc_dense_bias_act(act, b, 1, width, row + i * width);
    bool same = memcmp(one, two, n * sizeof *one) == 0 && memcmp(one, row, n * sizeof *one) == 0;

    float *d1 = malloc(n * sizeof *d1), *d2 = malloc(n * sizeof *d2);
    float *b1 = malloc((size_t)width * sizeof *b1), *b2 = malloc((size_t)width * sizeof *b2);
    memcpy(d1, G, n * sizeof *d1), memcpy(d2, G, n * sizeof *d2);
    omp_set_num_threads(1);
    dc_dense_act_grad(act, one, ROWS, width, d1, b1);
    omp_set_num_threads(2);
    dc_dense_act_grad(act, one, ROWS, width, d2, b2);
    same = same && memcmp(d1, d2, n * sizeof *d1) == 0 && memcmp(b1, b2, (size_t)width * sizeof *b1) == 0;
    for (int64_t i = 0; i < ROWS; i++) dc_dense_act_grad(act, one + i * width, 1, width, G + i * width, b2);
    same = same && memcmp(d1, G, n * sizeof *d1) == 0;
    CHECK(same);
    free(b), free(X), free(G), free(one), free(two), free(row), free(d1), free(d2), free(b1), free(b2);
}

/* Neighbours do not matter: a value in the last, padded vector has the same result as in a full vector. */
static void test_tail_equals_body(dc_act act)
{
    enum { WIDTH = 33 };
    float zero[WIDTH] = {0}, y[WIDTH], alone;
    bool same = true;
    for (int i = 0; i < 2000; i++) {
        const float x = (float)(i - 1000) * 0.0137f;
        for (int j = 0; j < WIDTH; j++) y[j] = x;
        alone = x;
        dc_dense_bias_act(act, zero, 1, WIDTH, y);
        dc_dense_bias_act(act, zero, 1, 1, &alone);
        for (int j = 0; j < WIDTH; j++) same = same && memcmp(&y[j], &alone, sizeof alone) == 0;
    }
    CHECK(same);
}

int main(void)
{
    test_twins();
    test_accuracy();
    test_special_values();
    for (size_t a = 0; a < DC_COUNT_OF(acts); a++) {
        test_same_bits(acts[a], 101);
        test_same_bits(acts[a], 500);
        test_tail_equals_body(acts[a]);
    }
    return check_done();
}
