/* Reconstruction losses and gradients against the twin, row by row; parts of a batch give the rows of the whole, and a
 * gradient may be added to another; the same bits for one and two threads and for any ranks, in a step. Fixed seed 503.
 * ranks: 1 3 */
#include <omp.h>

#include "check.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"
#include "ref/one_step.h"
#include "ref/op_call.h"

static const dc_recon_loss kinds[] = {DC_LOSS_MSE, DC_LOSS_MSE_SUM, DC_LOSS_MSE_HALF_SUM, DC_LOSS_BCE};

/* Rows, and the operation on them. */
typedef struct {
    float *x, *xhat, *grad, *dout, *loss;
    double *wide, *expected;
    op_call call;
} arrays;

static void *room(int64_t n, size_t size)
{
    return malloc((size_t)(n + 1) * size);
}

static arrays arrays_make(dc_recon_loss kind, int64_t n, int64_t D)
{
    arrays a = {
        room(n * D, sizeof(float)), room(n * D, sizeof(float)),  room(n * D, sizeof(float)),  room(n, sizeof(float)),
        room(n, sizeof(float)),     room(n * D, sizeof(double)), room(n * D, sizeof(double)), {0}};
    dc_rng_fill_uniform(a.x, (size_t)(n * D), 503, 1, 1);
    dc_rng_fill_uniform(a.xhat, (size_t)(n * D), 503, 2, 1);
    for (int64_t i = 0; i < n * D; i++) a.wide[i] = (double)a.xhat[i];
    op_call_open(&a.call);
    const dc_val x = dc_batch(a.call.graph, D), xhat = dc_batch(a.call.graph, D);
    op_call_of(&a.call, dc_recon(a.call.graph, kind, x, xhat), n);
    return a;
}

static void arrays_free(arrays *a)
{
    op_call_close(&a->call);
    free(a->x), free(a->xhat), free(a->grad), free(a->dout), free(a->loss), free(a->wide), free(a->expected);
}

/* Losses and gradients of n rows from row `lo` on, of a batch of B. */
static void run(arrays *a, int64_t lo, int64_t n, int64_t D, int64_t B)
{
    for (int64_t i = 0; i < n; i++) a->dout[lo + i] = (float)(1 / (double)B);
    dc_call *c = &a->call.call;
    c->in[0] = a->x + lo * D, c->in[1] = a->xhat + lo * D, c->out = a->loss + lo;
    c->dout = a->dout + lo, c->din[1] = a->grad + lo * D;
    op_call_forward(&a->call, n);
    op_call_backward(&a->call, n);
}

/* What all rows add to the loss of a batch. */
static double part_of_loss(const arrays *a, int64_t n, int64_t B)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)a->loss[i] / (double)B;
    return sum;
}

static void test_twin(dc_recon_loss kind)
{
    static const int64_t rows[] = {0, 1, 3, 63, 64, 65, 257}, widths[] = {1, 2, 15, 16, 17, 97, 784};
    double loss_error = 0, row_error = 0, grad_error = 0;
    for (size_t r = 0; r < DC_COUNT_OF(rows); r++)
        for (size_t w = 0; w < DC_COUNT_OF(widths); w++) {
            const int64_t n = rows[r], D = widths[w], B = n + 7;
            arrays a = arrays_make(kind, n, D);
            run(&a, 0, n, D, B);
            const double loss = part_of_loss(&a, n, B);
            const double expected = recon_loss_ref(kind, a.x, a.wide, n, D, B, a.expected);
            loss_error = worse_of(loss_error, fabs(loss - expected) / DC_MAX(1, expected));
            for (int64_t i = 0; i < n; i++) {
                const double row = recon_loss_ref(kind, a.x + i * D, a.wide + i * D, 1, D, 1, NULL);
                row_error = worse_of(row_error, fabs((double)a.loss[i] - row) / DC_MAX(1, row));
            }
            for (int64_t i = 0; i < n * D; i++)
                grad_error =
                    worse_of(grad_error, fabs((double)a.grad[i] - a.expected[i]) /
                                             (kind == DC_LOSS_BCE ? 1 / (double)(B * D) : fabs(a.expected[i]) + 1e-30));
            arrays_free(&a);
        }
    CHECK_NEAR(loss_error, 0, 1e-7);
    CHECK_NEAR(row_error, 0, 2e-7); /* of a square in float, rounded to float */
    CHECK_NEAR(grad_error, 0, 3e-7);
}

/* Rows have the same bits wherever a batch is cut, and their losses add up. */
static void test_parts_add_up(dc_recon_loss kind)
{
    enum { N = 100, D = 31, CUT = 37 };
    arrays whole = arrays_make(kind, N, D), parts = arrays_make(kind, N, D);
    run(&whole, 0, N, D, N);
    run(&parts, 0, CUT, D, N);
    run(&parts, CUT, N - CUT, D, N);
    CHECK(memcmp(whole.loss, parts.loss, N * sizeof *whole.loss) == 0);
    CHECK(memcmp(whole.grad, parts.grad, N * D * sizeof *whole.grad) == 0);
    arrays_free(&whole), arrays_free(&parts);
}

/* The array already holds a gradient, to which this one is added. */
static void test_adds(dc_recon_loss kind)
{
    enum { N = 70, D = 33 };
    arrays alone = arrays_make(kind, N, D), added = arrays_make(kind, N, D);
    float before[N * D];
    dc_rng_fill_uniform(before, N * D, 503, 3, 0.1);
    run(&alone, 0, N, D, N);
    memcpy(added.grad, before, sizeof before);
    added.call.call.adds[1] = true;
    run(&added, 0, N, D, N);
    for (int i = 0; i < N * D; i++) before[i] += alone.grad[i];
    CHECK_ARRAY_NEAR(added.grad, before, N * D, 1e-8); /* the product may be part of the sum: FMA */
    arrays_free(&alone), arrays_free(&added);
}

/* Losses, and gradients with respect to a reconstruction that is a layer's output, in a step. */
enum { STEP_ROWS = 333, STEP_D = 784 };
typedef struct {
    double loss;
    float row[STEP_ROWS], grad[STEP_ROWS * STEP_D];
} step_result;

static void take_step(dc_comm *comm, dc_recon_loss kind, int threads, const float *x, float *target, step_result *out)
{
    static const dc_net none;
    one_step s;
    dc_params p;
    dc_part part;
    omp_set_num_threads(threads);
    CHECK_OK(dc_part_init(&part, STEP_ROWS, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_table own = {"target", (float *)(uintptr_t)target + part.row_lo * STEP_D, STEP_D};
    CHECK_OK(dc_params_create(&p, &none, STEP_D * STEP_D + STEP_D));
    one_step_open(&s);
    const dc_val y = one_step_input(&s, dc_batch(s.graph, STEP_D), STEP_D, 0, p.value);
    const dc_val loss = dc_recon(s.graph, kind, dc_entry(s.graph, &own), y);
    dc_minimize(s.graph, "loss", 1, loss);
    CHECK_OK(one_step_create(
        comm, &s, &p,
        &(one_step_rows){
            .N = STEP_ROWS, .width = STEP_D, .x = x, .V = 8, .B = STEP_ROWS, .way = DC_OUTER_GATHER, .seed = 503}));
    out->loss = one_step_run(comm, &s, 0);
    one_step_values(&s, loss, out->row);
    one_step_slopes(&s, y, out->grad);
    one_step_close(&s);
    dc_params_release(&p);
}

static void test_threads_and_ranks(dc_comm *comm, dc_recon_loss kind)
{
    static step_result one, two, alone;
    static float x[STEP_ROWS * STEP_D], target[STEP_ROWS * STEP_D];
    double expected = 0;
    dc_comm *self;
    dc_part part;
    dc_rng_fill_uniform(x, DC_COUNT_OF(x), 503, 4, 1);
    dc_rng_fill_uniform(target, DC_COUNT_OF(target), 503, 5, 1);
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &self));
    take_step(self, kind, 1, x, target, &alone);
    take_step(comm, kind, 1, x, target, &one);
    take_step(comm, kind, 2, x, target, &two);
    CHECK_OK(dc_part_init(&part, STEP_ROWS, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    const int64_t lo = part.row_lo, n = dc_part_rows(&part);
    CHECK(memcmp(&alone.loss, &one.loss, sizeof one.loss) == 0 && memcmp(&one.loss, &two.loss, sizeof one.loss) == 0);
    CHECK(memcmp(alone.row + lo, one.row + lo, (size_t)n * sizeof *one.row) == 0);
    CHECK(memcmp(one.row + lo, two.row + lo, (size_t)n * sizeof *one.row) == 0);
    CHECK(memcmp(alone.grad + lo * STEP_D, one.grad + lo * STEP_D, (size_t)(n * STEP_D) * sizeof *one.grad) == 0);
    CHECK(memcmp(one.grad + lo * STEP_D, two.grad + lo * STEP_D, (size_t)(n * STEP_D) * sizeof *one.grad) == 0);
    for (int64_t i = 0; i < STEP_ROWS; i++) expected += (double)alone.row[i];
    CHECK_NEAR(alone.loss, expected / STEP_ROWS, 1e-12 * expected / STEP_ROWS);
    dc_comm_destroy(&self);
}

static void test_nan_shows(dc_recon_loss kind)
{
    arrays a = arrays_make(kind, 1, 3);
    a.xhat[1] = NAN;
    run(&a, 0, 1, 3, 1);
    CHECK(isnan(a.loss[0]));
    CHECK(isnan(a.grad[1]) && isfinite(a.grad[0]) && isfinite(a.grad[2]));
    arrays_free(&a);
}

/* Cross-entropy over the whole range of logits against log1p in double: tiny losses keep their digits, saturated ones
 * stay finite and keep their gradient. */
static void test_bce_range(void)
{
    double loss_error = 0, grad_error = 0;
    arrays a = arrays_make(DC_LOSS_BCE, 1, 1);
    for (int i = -20000; i <= 20000; i++)
        for (int k = 0; k <= 4; k++) {
            *a.xhat = (float)i * 0.005f, *a.x = (float)k / 4;
            const double wide = (double)*a.xhat, target = (double)*a.x, u = exp(-fabs(wide));
            run(&a, 0, 1, 1, 1);
            const double expected = fmax(wide, 0) - wide * target + log1p(u);
            loss_error = worse_of(loss_error, fabs((double)*a.loss - expected) / fmax(expected, 1e-30));
            grad_error = worse_of(grad_error, fabs((double)*a.grad - (act_ref(DC_ACT_SIGMOID, wide) - target)));
        }
    CHECK_NEAR(loss_error, 0, 5e-7);
    CHECK_NEAR(grad_error, 0, 1.5e-7);
    arrays_free(&a);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    for (size_t k = 0; k < DC_COUNT_OF(kinds); k++) {
        test_twin(kinds[k]);
        test_parts_add_up(kinds[k]);
        test_adds(kinds[k]);
        test_threads_and_ranks(comm, kinds[k]);
        test_nan_shows(kinds[k]);
    }
    test_bce_range();
    return check_done_all(&comm);
}
