/* Dropout against its twin and against the masks of tools/golden.py; the same bits on any rank, thread and place,
 * forward and backward, also in a step; share and independence of the zeros. Fixed seed 510. ranks: 1 3 */
#include <omp.h>

#include "check.h"
#include "dcmpi/rng.h"
#include "golden/golden.h"
#include "ref/nn_ref.h"
#include "ref/one_step.h"
#include "ref/op_call.h"

/* All that a mask depends on, except row and unit. */
typedef struct {
    double rate;
    uint64_t seed;
    int64_t step;
    int site;
    dc_gidx first_row; /* of local row 0 */
} mask;

static const mask base = {.rate = 0.2, .seed = 510, .step = 17, .site = 5, .first_row = 1000003};

/* Y = mask * X for n local rows, in tiles, or, backward, the gradient of the input for the gradient X; it is added to
 * Y or written there. */
static void call(const mask *m, const int64_t *rows, int64_t n, int64_t width, bool backward, bool adds, float *X,
                 float *Y)
{
    op_call c;
    op_call_open(&c);
    op_call_of(&c, dc_dropout(c.graph, m->rate, m->site, dc_batch(c.graph, width)), n);
    c.tile = (dc_tile){.row = rows, .first_row = m->first_row, .seed = m->seed, .step = m->step};
    if (backward) {
        c.call.dout = X, c.call.din[0] = Y, c.call.adds[0] = adds;
        op_call_backward(&c, n);
    } else {
        c.call.in[0] = X, c.call.out = Y;
        op_call_forward(&c, n);
    }
    op_call_close(&c);
}

static void apply(const mask *m, const int64_t *rows, int64_t n, int64_t width, float *X, float *Y)
{
    call(m, rows, n, width, false, false, X, Y);
}

/* Twin over widths around the four units of a generator block and the 256 of a chunk; rows in no order. */
static void test_twin(void)
{
    static const int64_t widths[] = {1, 3, 4, 5, 15, 17, 255, 256, 257, 1030}, rows[] = {5, 0, 3, 3, 40000};
    enum { ROWS = DC_COUNT_OF(rows) };
    static float X[ROWS * 1030], Y[ROWS * 1030];
    dc_rng_fill_uniform(X, DC_COUNT_OF(X), 510, 1, 1);
    double worst = 0;
    for (size_t w = 0; w < DC_COUNT_OF(widths); w++) {
        const int64_t width = widths[w];
        apply(&base, rows, ROWS, width, X, Y);
        for (int64_t i = 0; i < ROWS; i++)
            for (int64_t u = 0; u < width; u++) {
                const double factor =
                    dropout_ref(base.rate, base.seed, base.step, base.site, base.first_row + rows[i], u, width);
                worst = worse_of(worst, fabs((double)Y[i * width + u] - factor * (double)X[i * width + u]));
            }
    }
    CHECK_NEAR(worst, 0, 1e-7);
    Y[0] = 7;
    apply(&base, rows, 0, 10, X, Y);
    CHECK_NEAR(Y[0], 7, 0);
}

/* dc_rng4_many() equals repeated calls of dc_rng4(), also where the low word of the index overflows. */
static void test_generator(void)
{
    enum { COUNT = 67 };
    uint32_t many[4 * COUNT], one[4];
    const uint64_t first = 0xfffffff0u;
    dc_rng4_many(1, DC_STREAM_TEST, 99, first, COUNT, many);
    bool same = true;
    for (uint64_t i = 0; i < COUNT; i++) {
        dc_rng4(1, DC_STREAM_TEST, 99, first + i, one);
        same = same && memcmp(one, many + 4 * i, sizeof one) == 0;
    }
    CHECK(same);
}

static void test_golden(void)
{
    enum { ROWS = 4, WIDTH = 7 };
    const mask m = {.rate = 0.25, .seed = 0x123456789abcd, .step = 5, .site = 3};
    const int64_t rows[ROWS] = {0, 3, 70000, 5000000000};
    float X[ROWS * WIDTH], expected[ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++) X[i] = 1;
    CHECK(golden_read_f32("layerwise.txt", "mask", expected, ROWS * WIDTH));
    apply(&m, rows, ROWS, WIDTH, X, X);
    CHECK_ARRAY_NEAR(X, expected, ROWS * WIDTH, 0);
}

/* The gradient of dropout is dropout; one that is there already is added to. */
static void test_backward(void)
{
    enum { ROWS = 130, WIDTH = 261 };
    static float X[ROWS * WIDTH], Y[ROWS * WIDTH], dX[ROWS * WIDTH], sum[ROWS * WIDTH];
    int64_t rows[ROWS];
    for (int i = 0; i < ROWS; i++) rows[i] = 3 * i;
    dc_rng_fill_uniform(X, DC_COUNT_OF(X), 510, 3, 1);
    dc_rng_fill_uniform(sum, DC_COUNT_OF(sum), 510, 4, 1);
    apply(&base, rows, ROWS, WIDTH, X, Y);
    call(&base, rows, ROWS, WIDTH, true, false, X, dX);
    CHECK(memcmp(Y, dX, sizeof Y) == 0);
    for (int i = 0; i < ROWS * WIDTH; i++) Y[i] += sum[i];
    call(&base, rows, ROWS, WIDTH, true, true, X, sum);
    CHECK_ARRAY_NEAR(sum, Y, ROWS * WIDTH, 1e-6); /* a product may be part of a sum: FMA */
}

/* All rows at once; in two parts, as two ranks hold them, and backwards. */
static void test_same_bits(void)
{
    enum { ROWS = 300, WIDTH = 133, CUT = 111 };
    static float X[ROWS * WIDTH], one[ROWS * WIDTH], back[ROWS * WIDTH], part[ROWS * WIDTH];
    int64_t up[ROWS], down[ROWS];
    dc_rng_fill_uniform(X, DC_COUNT_OF(X), 510, 2, 1);
    for (int i = 0; i < ROWS; i++) up[i] = i, down[i] = ROWS - 1 - i;
    for (int i = 0; i < ROWS; i++) memcpy(back + i * WIDTH, X + down[i] * WIDTH, WIDTH * sizeof *X);
    apply(&base, up, ROWS, WIDTH, X, one);
    mask upper = base;
    upper.first_row += CUT;
    apply(&base, up, CUT, WIDTH, X, part);
    apply(&upper, up, ROWS - CUT, WIDTH, X + CUT * WIDTH, part + CUT * WIDTH);
    CHECK(memcmp(one, part, sizeof one) == 0);
    apply(&base, down, ROWS, WIDTH, back, back);
    bool same = true;
    for (int i = 0; i < ROWS; i++) same = same && !memcmp(back + i * WIDTH, one + down[i] * WIDTH, WIDTH * sizeof *X);
    CHECK(same);
}

/* ---- In a step --------------------------------------------------------------------------------------------------- */

enum { STEP_ROWS = 150, STEP_WIDTH = 21, STEP = 3 };

/* Values of dropout, and the gradient with respect to its input, for the rows of a batch on this rank. */
static void take_step(dc_comm *comm, dc_outer_way way, int threads, const float *x, float *y, float *dx, one_step *s)
{
    static const dc_net none;
    const one_step_rows rows = {
        .N = STEP_ROWS, .width = STEP_WIDTH, .x = x, .V = 8, .B = STEP_ROWS, .way = way, .seed = base.seed};
    dc_params p;
    omp_set_num_threads(threads);
    CHECK_OK(dc_params_create(&p, &none, STEP_WIDTH * STEP_WIDTH + STEP_WIDTH));
    one_step_open(s);
    const dc_val batch = dc_batch(s->graph, STEP_WIDTH), in = one_step_input(s, batch, STEP_WIDTH, 0, p.value),
                 out = dc_dropout(s->graph, base.rate, base.site, in);
    dc_minimize(s->graph, "loss", 1, dc_recon(s->graph, DC_LOSS_MSE_HALF_SUM, batch, out));
    CHECK_OK(one_step_create(comm, s, &p, &rows));
    one_step_run(comm, s, STEP);
    one_step_values(s, out, y);
    one_step_slopes(s, in, dx);
    one_step_close(s);
    dc_params_release(&p);
}

/* The mask belongs to the global row; the gradient is (y - x) times the mask, divided by the number of rows. */
static void check_step(dc_comm *comm, dc_outer_way way, int threads)
{
    static float x[STEP_ROWS * STEP_WIDTH], y[STEP_ROWS * STEP_WIDTH], dx[STEP_ROWS * STEP_WIDTH];
    one_step s;
    double worst = 0, worst_slope = 0;
    dc_rng_fill_uniform(x, DC_COUNT_OF(x), 510, 5, 1);
    take_step(comm, way, threads, x, y, dx, &s);
    for (int64_t i = s.part.row_lo; i < s.part.row_hi; i++)
        for (int64_t u = 0; u < STEP_WIDTH; u++) {
            const double factor = dropout_ref(base.rate, base.seed, STEP, base.site, i, u, STEP_WIDTH),
                         value = (double)x[i * STEP_WIDTH + u];
            worst = worse_of(worst, fabs((double)y[i * STEP_WIDTH + u] - factor * value));
            worst_slope = worse_of(
                worst_slope, fabs((double)dx[i * STEP_WIDTH + u] - factor * (factor * value - value) / STEP_ROWS));
        }
    CHECK_NEAR(worst, 0, 1e-7);
    CHECK_NEAR(worst_slope, 0, 1e-8);
}

static void test_step(dc_comm *comm)
{
    for (int way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++)
        for (int threads = 1; threads <= 2; threads++) check_step(comm, (dc_outer_way)way, threads);
}

enum { MANY_ROWS = 2000, MANY_UNITS = 500, MANY = MANY_ROWS * MANY_UNITS };
static int64_t many_rows[MANY_ROWS];
static float ones[MANY];

/* Zeros of the masks a and b that fall together, as a share of all units. */
static double zeros_together(const mask *a, const mask *b)
{
    static float A[MANY], B[MANY];
    apply(a, many_rows, MANY_ROWS, MANY_UNITS, ones, A);
    apply(b, many_rows, MANY_ROWS, MANY_UNITS, ones, B);
    int64_t count = 0;
    for (int i = 0; i < MANY; i++) count += A[i] == 0 && B[i] == 0;
    return (double)count / MANY;
}

/* Shares within five standard deviations of rate, and of rate^2 for masks that differ in one thing; a kept unit is
 * scaled so that the mean stays. */
static void test_statistics(void)
{
    for (int i = 0; i < MANY_ROWS; i++) many_rows[i] = i;
    for (int i = 0; i < MANY; i++) ones[i] = 1;
    static const double rates[] = {0.01, 0.2, 0.5, 0.9};
    for (size_t r = 0; r < DC_COUNT_OF(rates); r++) {
        mask m = base;
        m.rate = rates[r];
        CHECK_NEAR(zeros_together(&m, &m), rates[r], 5 * sqrt(rates[r] * (1 - rates[r]) / MANY));
    }
    mask step = base, site = base, seed = base, row = base;
    step.step++, site.site++, seed.seed++, row.first_row++;
    const mask *const others[] = {&step, &site, &seed, &row};
    const double square = base.rate * base.rate;
    for (size_t o = 0; o < DC_COUNT_OF(others); o++)
        CHECK_NEAR(zeros_together(&base, others[o]), square, 5 * sqrt(square * (1 - square) / MANY));

    static float Y[MANY];
    apply(&base, many_rows, MANY_ROWS, MANY_UNITS, ones, Y);
    int64_t pairs = 0, column[MANY_UNITS] = {0}, worst = 0;
    for (int i = 0; i < MANY; i++) {
        pairs += i > 0 && Y[i] == 0 && Y[i - 1] == 0;
        column[i % MANY_UNITS] += Y[i] == 0;
    }
    CHECK_NEAR((double)pairs / MANY, square, 5 * sqrt(square * (1 - square) / MANY));
    for (int u = 0; u < MANY_UNITS; u++) worst = DC_MAX(worst, llabs(column[u] - MANY_ROWS / 5));
    CHECK(worst < 5 * sqrt(MANY_ROWS * 0.16));
}

static void test_special_values(void)
{
    const int64_t row = 0;
    float x[64];
    mask none = base;
    none.rate = 0;
    for (int i = 0; i < 64; i++) x[i] = (float)i;
    apply(&none, &row, 1, 64, x, x);
    bool same = true;
    for (int i = 0; i < 64; i++) same = same && x[i] == (float)i;
    CHECK(same);
    bool nan_stays = true;
    for (int i = 0; i < 64; i++) x[i] = NAN;
    apply(&base, &row, 1, 64, x, x);
    for (int i = 0; i < 64; i++) nan_stays = nan_stays && isnan(x[i]);
    CHECK(nan_stays);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    test_twin();
    test_generator();
    test_golden();
    test_backward();
    test_same_bits();
    test_step(comm);
    test_statistics();
    test_special_values();
    return check_done_all(&comm);
}
