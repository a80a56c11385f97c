/* Reconstruction losses and gradients against the twin; parts of a batch add up; the same bits for one and two threads.
 * Fixed seed 503. */
#include <omp.h>

#include "check.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"

static const dc_recon_loss kinds[] = {DC_LOSS_MSE, DC_LOSS_MSE_SUM, DC_LOSS_MSE_HALF_SUM, DC_LOSS_BCE};

typedef struct {
    float *x, *xhat, *grad;
    double *wide, *expected;
} arrays;

static arrays arrays_make(int64_t n, int64_t D)
{
    const size_t count = (size_t)(n * D);
    arrays a = {malloc((count + 1) * sizeof(float)), malloc((count + 1) * sizeof(float)),
                malloc((count + 1) * sizeof(float)), malloc((count + 1) * sizeof(double)),
                malloc((count + 1) * sizeof(double))};
    dc_rng_fill_uniform(a.x, count, 503, 1, 1);
    dc_rng_fill_uniform(a.xhat, count, 503, 2, 1);
    for (size_t i = 0; i < count; i++) a.wide[i] = (double)a.xhat[i];
    return a;
}

static void arrays_free(arrays *a)
{
    free(a->x), free(a->xhat), free(a->grad), free(a->wide), free(a->expected);
}

static void test_twin(dc_recon_loss kind)
{
    static const int64_t rows[] = {0, 1, 3, 63, 64, 65, 257}, widths[] = {1, 2, 15, 16, 17, 97, 784};
    double loss_error = 0, grad_error = 0;
    for (size_t r = 0; r < DC_COUNT_OF(rows); r++)
        for (size_t w = 0; w < DC_COUNT_OF(widths); w++) {
            const int64_t n = rows[r], D = widths[w], B = n + 7;
            arrays a = arrays_make(n, D);
            const double loss = dc_recon_loss_grad(kind, a.x, a.xhat, n, D, B, a.grad);
            const double expected = recon_loss_ref(kind, a.x, a.wide, n, D, B, a.expected);
            loss_error = worse_of(loss_error, fabs(loss - expected) / DC_MAX(1, expected));
            for (int64_t i = 0; i < n * D; i++)
                grad_error =
                    worse_of(grad_error, fabs((double)a.grad[i] - a.expected[i]) /
                                             (kind == DC_LOSS_BCE ? 1 / (double)(B * D) : fabs(a.expected[i]) + 1e-30));
            arrays_free(&a);
        }
    CHECK_NEAR(loss_error, 0, 1e-7);
    CHECK_NEAR(grad_error, 0, 3e-7);
}

static void test_parts_add_up(dc_recon_loss kind)
{
    enum { N = 100, D = 31, CUT = 37 };
    arrays a = arrays_make(N, D);
    const double whole = dc_recon_loss_grad(kind, a.x, a.xhat, N, D, N, a.grad);
    const double head = dc_recon_loss_grad(kind, a.x, a.xhat, CUT, D, N, a.grad);
    const double tail = dc_recon_loss_grad(kind, a.x + CUT * D, a.xhat + CUT * D, N - CUT, D, N, a.grad + CUT * D);
    CHECK_NEAR(head + tail, whole, 1e-12 * whole);
    arrays_free(&a);
}

static void test_threads_and_place(dc_recon_loss kind)
{
    enum { N = 333, D = 784 };
    arrays a = arrays_make(N, D);
    float *two = malloc(N * D * sizeof *two);
    omp_set_num_threads(1);
    const double loss1 = dc_recon_loss_grad(kind, a.x, a.xhat, N, D, N, a.grad);
    omp_set_num_threads(2);
    const double loss2 = dc_recon_loss_grad(kind, a.x, a.xhat, N, D, N, two);
    CHECK(memcmp(&loss1, &loss2, sizeof loss1) == 0);
    CHECK(memcmp(a.grad, two, N * D * sizeof *two) == 0);
    const double in_place = dc_recon_loss_grad(kind, a.x, a.xhat, N, D, N, a.xhat);
    CHECK(memcmp(&loss1, &in_place, sizeof loss1) == 0);
    CHECK(memcmp(a.xhat, two, N * D * sizeof *two) == 0);
    free(two);
    arrays_free(&a);
}

static void test_nan_shows(dc_recon_loss kind)
{
    const float x[3] = {0, 0, 0}, xhat[3] = {1, NAN, 2};
    float grad[3];
    CHECK(isnan(dc_recon_loss_grad(kind, x, xhat, 1, 3, 1, grad)));
    CHECK(isnan(grad[1]) && isfinite(grad[0]) && isfinite(grad[2]));
}

/* Cross-entropy over the whole range of logits against log1p in double: tiny losses keep their digits, saturated ones
 * stay finite and keep their gradient. */
static void test_bce_range(void)
{
    double loss_error = 0, grad_error = 0;
    for (int i = -20000; i <= 20000; i++)
        for (int k = 0; k <= 4; k++) {
            const float t = (float)i * 0.005f, x = (float)k / 4;
            float grad;
            const double wide = (double)t, target = (double)x, u = exp(-fabs(wide));
            const double loss = dc_recon_loss_grad(DC_LOSS_BCE, &x, &t, 1, 1, 1, &grad);
            const double expected = fmax(wide, 0) - wide * target + log1p(u);
            loss_error = worse_of(loss_error, fabs(loss - expected) / fmax(expected, 1e-30));
            grad_error = worse_of(grad_error, fabs((double)grad - (act_ref(DC_ACT_SIGMOID, wide) - target)));
        }
    CHECK_NEAR(loss_error, 0, 5e-7);
    CHECK_NEAR(grad_error, 0, 1.5e-7);
}

int main(void)
{
    for (size_t k = 0; k < DC_COUNT_OF(kinds); k++) {
        test_twin(kinds[k]);
        test_parts_add_up(kinds[k]);
    }
    for (size_t k = 0; k < DC_COUNT_OF(kinds); k++) {
        test_threads_and_place(kinds[k]);
        test_nan_shows(kinds[k]);
    }
    test_bce_range();
    return check_done();
}
