/* Dropout against its twin and against the masks of tools/golden.py; the same bits on any rank, thread and place; share
 * and independence of the zeros. Fixed seed 510. */
#include <omp.h>

#include "check.h"
#include "dcmpi/rng.h"
#include "golden/golden.h"
#include "ref/nn_ref.h"

static const dc_dropout base = {.rate = 0.2, .seed = 510, .step = 17, .site = 5, .first_row = 1000003};

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
        dc_dropout_apply(&base, rows, ROWS, width, X, Y);
        for (int64_t i = 0; i < ROWS; i++)
            for (int64_t u = 0; u < width; u++) {
                const double m =
                    dropout_ref(base.rate, base.seed, base.step, base.site, base.first_row + rows[i], u, width);
                worst = worse_of(worst, fabs((double)Y[i * width + u] - m * (double)X[i * width + u]));
            }
    }
    CHECK_NEAR(worst, 0, 1e-7);
    Y[0] = 7;
    dc_dropout_apply(&base, rows, 0, 10, X, Y);
    CHECK_NEAR(Y[0], 7, 0);
}

/* dc_rng4_many() is dc_rng4() over and over, also where the low word of the index overflows. */
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
    const dc_dropout mask = {.rate = 0.25, .seed = 0x123456789abcd, .step = 5, .site = 3};
    const int64_t rows[ROWS] = {0, 3, 70000, 5000000000};
    float X[ROWS * WIDTH], expected[ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++) X[i] = 1;
    CHECK(golden_read_f32("layerwise.txt", "mask", expected, ROWS * WIDTH));
    dc_dropout_apply(&mask, rows, ROWS, WIDTH, X, X);
    CHECK_ARRAY_NEAR(X, expected, ROWS * WIDTH, 0);
}

/* All rows at once with one thread; in two parts, as two ranks hold them, backwards and in place with two. */
static void test_same_bits(void)
{
    enum { ROWS = 300, WIDTH = 133, CUT = 111 };
    static float X[ROWS * WIDTH], one[ROWS * WIDTH], back[ROWS * WIDTH], part[ROWS * WIDTH];
    int64_t up[ROWS], down[ROWS];
    dc_rng_fill_uniform(X, DC_COUNT_OF(X), 510, 2, 1);
    for (int i = 0; i < ROWS; i++) up[i] = i, down[i] = ROWS - 1 - i;
    for (int i = 0; i < ROWS; i++) memcpy(back + i * WIDTH, X + down[i] * WIDTH, WIDTH * sizeof *X);
    omp_set_num_threads(1);
    dc_dropout_apply(&base, up, ROWS, WIDTH, X, one);
    omp_set_num_threads(2);
    dc_dropout upper = base;
    upper.first_row += CUT;
    dc_dropout_apply(&base, up, CUT, WIDTH, X, part);
    dc_dropout_apply(&upper, up, ROWS - CUT, WIDTH, X + CUT * WIDTH, part + CUT * WIDTH);
    CHECK(memcmp(one, part, sizeof one) == 0);
    dc_dropout_apply(&base, down, ROWS, WIDTH, back, back);
    bool same = true;
    for (int i = 0; i < ROWS; i++) same = same && !memcmp(back + i * WIDTH, one + down[i] * WIDTH, WIDTH * sizeof *X);
    CHECK(same);
}

enum { MANY_ROWS = 2000, MANY_UNITS = 500, MANY = MANY_ROWS * MANY_UNITS };
static int64_t many_rows[MANY_ROWS];
static float ones[MANY];

/* Zeros of the masks a and b that fall together, as a share of all units. */
static double zeros_together(const dc_dropout *a, const dc_dropout *b)
{
    static float A[MANY], B[MANY];
    dc_dropout_apply(a, many_rows, MANY_ROWS, MANY_UNITS, ones, A);
    dc_dropout_apply(b, many_rows, MANY_ROWS, MANY_UNITS, ones, B);
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
        dc_dropout mask = base;
        mask.rate = rates[r];
        CHECK_NEAR(zeros_together(&mask, &mask), rates[r], 5 * sqrt(rates[r] * (1 - rates[r]) / MANY));
    }
    dc_dropout step = base, site = base, seed = base, row = base;
    step.step++, site.site++, seed.seed++, row.first_row++;
    const dc_dropout *const others[] = {&step, &site, &seed, &row};
    const double square = base.rate * base.rate;
    for (size_t o = 0; o < DC_COUNT_OF(others); o++)
        CHECK_NEAR(zeros_together(&base, others[o]), square, 5 * sqrt(square * (1 - square) / MANY));

    static float Y[MANY];
    dc_dropout_apply(&base, many_rows, MANY_ROWS, MANY_UNITS, ones, Y);
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
    dc_dropout none = base;
    none.rate = 0;
    for (int i = 0; i < 64; i++) x[i] = (float)i;
    dc_dropout_apply(&none, &row, 1, 64, x, x);
    bool same = true;
    for (int i = 0; i < 64; i++) same = same && x[i] == (float)i;
    CHECK(same);
    bool nan_stays = true;
    for (int i = 0; i < 64; i++) x[i] = NAN;
    dc_dropout_apply(&base, &row, 1, 64, x, x);
    for (int i = 0; i < 64; i++) nan_stays = nan_stays && isnan(x[i]);
    CHECK(nan_stays);
}

int main(void)
{
    test_twin();
    test_generator();
    test_golden();
    test_same_bits();
    test_statistics();
    test_special_values();
    return check_done();
}
