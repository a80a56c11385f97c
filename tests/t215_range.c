/* Values far outside their columns: those in planted data are found, the same on any number of ranks and threads; heavy
 * tails, counts, bits, sparse columns and clusters must not be reported. ranks: 1 3  threads: 1 2 */
#include <float.h>
#include <stdlib.h>

#include "data/range.h"
#include "dcmpi/h5.h"
#include "dcmpi/log.h"
#include "dcmpi/rng.h"
#include "ranks_folder.h"

enum { SHARDS = 8, N = 900, D = 12 };

/* ---- Random columns ---------------------------------------------------------------------------------------------- */

static double unit(int64_t row, int64_t c, int k)
{
    uint32_t w[4];
    dc_rng4(17, DC_STREAM_TEST, (uint64_t)k, (uint64_t)(row * 4099 + c), w);
    return (w[0] + 0.5) / 0x1p32;
}

static double normal(int64_t row, int64_t c)
{
    return sqrt(-2 * log(unit(row, c, 0))) * cos(6.283185307179586 * unit(row, c, 1));
}

typedef double (*column)(int64_t row, int64_t c);
static double cauchy(int64_t row, int64_t c)
{
    return tan(3.141592653589793 * (unit(row, c, 0) - 0.5));
}
static double lognormal(int64_t row, int64_t c)
{
    return exp(2 * normal(row, c));
}
static double pareto(int64_t row, int64_t c)
{
    return pow(unit(row, c, 0), -1 / 1.2);
}
/* A word in a few documents, often in bursts. */
static double words(int64_t row, int64_t c)
{
    return unit(row, c, 2) < 1 / (1.0 + (double)(c * c)) ? floor(pow(unit(row, c, 0), -0.7)) : 0;
}
static double bits(int64_t row, int64_t c)
{
    return unit(row, c, 0) < 1 / (1.5 + 30 * (double)c);
}
/* A picture: borders that are nearly always 0, a middle that is not. */
static double pixels(int64_t row, int64_t c)
{
    return unit(row, c, 2) < 0.5 / (1.0 + 40 * (double)c) ? floor(256 * unit(row, c, 0)) : 0;
}
/* Two groups of which one has three rows in a hundred. */
static double groups(int64_t row, int64_t c)
{
    return (row % 33 == 0 ? 4 : 0) + 0.4 * normal(row, c);
}
static double times(int64_t row, int64_t c)
{
    return 1.6e9 + 1e5 * unit(row, c, 0);
}
static double units(int64_t row, int64_t c)
{
    return pow(10, (double)(c - 6)) * normal(row, c);
}
static double zeros(int64_t row, int64_t c)
{
    (void)row, (void)c;
    return 0;
}
static double bytes(int64_t row, int64_t c)
{
    return floor(31 * unit(row, c, 0));
}

/* ---- Data -------------------------------------------------------------------------------------------------------- */

typedef struct {
    double value;
    int64_t row, column; /* -1: all of them */
    int every;           /* rows row, row + every ...; 0: the one row */
} planted;

static const dc_h5_type h5_type[] = {
    [DC_U8] = DC_H5_U8, [DC_F16] = DC_H5_F16, [DC_F32] = DC_H5_F32, [DC_F64] = DC_H5_F64};

static void plant(double *x, const planted *p, int n)
{
    for (int k = 0; k < n; k++)
        for (int64_t i = 0; i < N * D; i++) {
            const int64_t row = i / D, c = i % D;
            const bool here = p[k].every ? row >= p[k].row && (row - p[k].row) % p[k].every == 0 : row == p[k].row;
            if (here && (p[k].column < 0 || p[k].column == c)) x[i] = p[k].value;
        }
}

static void write_file(dc_dtype dtype, column values, const planted *p, int n)
{
    static double x[N * D];
    static float narrow[N * D];
    static uint8_t byte[N * D];
    const void *data[] = {[DC_U8] = byte, [DC_F32] = narrow, [DC_F64] = x};
    for (int64_t i = 0; i < N * D; i++) x[i] = values(i / D, i % D);
    plant(x, p, n);
    for (int64_t i = 0; i < N * D; i++) narrow[i] = (float)x[i], byte[i] = dtype == DC_U8 ? (uint8_t)x[i] : 0;
    dc_comm_barrier(comm);
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path_of("x.h5"), DC_H5_CREATE));
        CHECK_OK(dc_h5_put(h5, "X", h5_type[dtype], 2, (dc_gidx[]){N, D}, data[dtype]));
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
}

/* A run must say `about` of the file, and the serial search must say the same. */
static void expect(const char *about)
{
    dc_dataset *d = NULL;
    const int before = dc_log_warning_count();
    CHECK_OK(dc_dataset_load(comm, path_of("x.h5"), 0, SHARDS, DC_SCALE_NONE, 0, 1, &d));
    const int told = dc_log_warning_count() - before;
    if (strcmp(d->outlying, about) != 0) printf("# '%s', expected '%s'\n", d->outlying, about);
    CHECK(strcmp(d->outlying, about) == 0);
    dc_dataset_destroy(&d);
    if (!on_rank0()) return;
    CHECK(about[0] ? told > 0 : told == 0);
    CHECK_OK(dc_dataset_tell_range(path_of("x.h5")));
    CHECK_INT(dc_log_warning_count() - before, 2 * told);
}

/* ---- Planted values ---------------------------------------------------------------------------------------------- */

static const struct {
    dc_dtype dtype;
    column values;
    planted p[4];
    int n;
    const char *about;
} found[] = {
    {DC_F32, normal, {{9999, 500, 7, 0}}, 1, "row 500, column 7: 9999"},
    {DC_F32, normal, {{-60, 0, 0, 0}}, 1, "row 0, column 0: -60"},
    {DC_F32, normal, {{1e30, N - 1, D - 1, 0}}, 1, "row 899, column 11: 1.00000002e+30"},
    {DC_F32, normal, {{-FLT_MAX, 3, 4, 10}}, 1, "column 4: -3.40282347e+38 and 89 more, first in row 3"},
    {DC_F32, normal, {{-9999, 3, 4, 2}}, 1, "column 4: -9999 and 448 more, first in row 3"},
    {DC_F64, normal, {{-123456, 1, -1, 3}}, 1, "column 0: -123456 and 299 more, first in row 1"},
    {DC_F64,
     normal,
     {{9999, 700, 5, 0}, {8888, 20, 5, 0}, {7000, 400, 5, 0}},
     3,
     "column 5: 8888 and 2 more, first in row 20"},
    {DC_F64, normal, {{-99, 7, 2, 50}, {500, 8, 3, 0}}, 2, "column 2: -99 and 17 more, first in row 7"},
    {DC_F64, times, {{0, 42, 3, 0}}, 1, "row 42, column 3: 0"},
    {DC_F64, units, {{-999, 42, 3, 25}}, 1, "column 3: -999 and 34 more, first in row 42"},
    {DC_F32, bytes, {{-32768, 11, 1, 100}}, 1, "column 1: -32768 and 8 more, first in row 11"},
    {DC_F32, bits, {{9999, 11, 0, 0}}, 1, "row 11, column 0: 9999"},
    {DC_F32, words, {{99999, 11, 6, 0}}, 1, "row 11, column 6: 99999"},
    {DC_F32, lognormal, {{-9999, 11, 6, 30}}, 1, "column 6: -9999 and 29 more, first in row 11"},
    {DC_F32, cauchy, {{9.96921e36, 11, 6, 0}}, 1, "row 11, column 6: 9.96920997e+36"},
    {DC_U8, bytes, {{255, 9, 5, 20}}, 1, "column 5: 255 and 44 more, first in row 9"},
    {DC_U8, bytes, {{255, 9, -1, 20}}, 1, "column 0: 255 and 44 more, first in row 9"},
    {DC_F32, normal, {{-9999, 0, 3, 1}}, 1, "column 3 is -9999 throughout"},
};

static void test_found(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(found); i++) {
        write_file(found[i].dtype, found[i].values, found[i].p, found[i].n);
        expect(found[i].about);
    }
}

/* ---- What is no outlier ------------------------------------------------------------------------------------------ */

static void test_silence(void)
{
    static const column quiet[] = {normal, cauchy, lognormal, pareto, words, bits,
                                   pixels, groups, times,     units,  zeros, bytes};
    for (size_t i = 0; i < DC_COUNT_OF(quiet); i++) {
        write_file(DC_F64, quiet[i], NULL, 0);
        expect("");
    }
    write_file(DC_U8, pixels, NULL, 0);
    expect("");
}

static void test_clipped(void)
{
    dc_dataset *d = NULL;
    const dc_data_request request = {.path = path_of("x.h5"), .clip = {DC_CLIP_RANGE, -4, 4}};
    write_file(DC_F32, normal, &(planted){9999, 500, 7, 0}, 1);
    expect("row 500, column 7: 9999");
    CHECK_OK(dc_dataset_open(comm, &request, SHARDS, 0, 1, &d));
    CHECK(d->outlying[0] == '\0');
    dc_dataset_destroy(&d);
}

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

/* The outermost values against sorting, added in pieces and joined. */
static void test_tail(void)
{
    for (int side = DC_RANGE_LOW; side <= DC_RANGE_HIGH; side++) {
        dc_range_tail whole = {0}, part[3] = {{0}};
        for (int i = 0; i < 2000; i++) {
            const dc_range_extreme x = {floor(300 * unit(i, 0, 0)), 1, i};
            dc_range_tail_add(&part[i % 3], side, x);
        }
        for (int k = 0; k < 3; k++)
            for (int64_t i = 0; i < part[k].n; i++) dc_range_tail_add(&whole, side, part[k].x[i]);
        CHECK_INT(whole.n, DC_RANGE_EXTREMES);
        bool ok = true;
        double v = side == DC_RANGE_HIGH ? 300 : -1;
        for (int64_t i = 0; i < whole.n; i++) {
            int64_t count = 0, first = -1;
            while (count == 0) {
                v += side == DC_RANGE_HIGH ? -1 : 1;
                for (int k = 1999; k >= 0; k--)
                    if (floor(300 * unit(k, 0, 0)) == v) count++, first = k;
            }
            ok = ok && whole.x[i].value == v && whole.x[i].count == count && whole.x[i].row == first;
        }
        CHECK(ok);
    }
}

static void test_sample(void)
{
    static const int64_t rows[] = {1, 2, 1023, 1024, 1025, 70000, INT64_C(1) << 40};
    for (size_t i = 0; i < DC_COUNT_OF(rows); i++) {
        const int64_t n = dc_range_sample_rows(rows[i], 784);
        int64_t before = -1;
        bool ok = n == DC_MIN(rows[i], (int64_t)DC_RANGE_SAMPLE_MAX);
        for (int64_t k = 0; k < n; k++) {
            const int64_t row = dc_range_sample_row(rows[i], n, k);
            ok = ok && row > before && row < rows[i];
            before = row;
        }
        CHECK(ok);
    }
    CHECK(dc_range_sample_rows(INT64_C(1) << 40, 1000000) == 64);
}

int main(void)
{
    if (!folder_open()) return 1;
    test_tail();
    test_sample();
    test_found();
    test_silence();
    test_clipped();
    return folder_close();
}
