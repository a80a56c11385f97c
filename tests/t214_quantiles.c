/* Quantiles, clipping and the robust scaling against sorting, exactly, for every stored type, with ties, both zeros,
 * extreme values, more columns than a block holds, and as many rows as a block or none on a rank. ranks: 1 3
 * threads: 1 2 */
#include <float.h>
#include <stdlib.h>

#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "dcmpi/log.h"
#include "dcmpi/rng.h"
#include "ranks_folder.h"
#include "ref/data_ref.h"

enum { SHARDS = 8 };

static const dc_h5_type h5_type[] = {
    [DC_U8] = DC_H5_U8, [DC_F16] = DC_H5_F16, [DC_F32] = DC_H5_F32, [DC_F64] = DC_H5_F64};

/* Column 0 has ties of both zeros, 1 is constant, 2 spans what the type holds, the others are of both signs. */
static double value_at(dc_dtype dtype, int64_t row, int64_t c)
{
    static const double largest[] = {255, 65504, 3e37, 1e37};
    uint32_t w[4];
    dc_rng4(5, DC_STREAM_TEST, 0, (uint64_t)(row * 100003 + c), w);
    const double unit = dc_rng_unit(w[0]);
    if (dtype == DC_U8) return c == 1 ? 7 : (double)(w[0] >> (c == 0 ? 31 : 24));
    if (c == 0) return w[0] & 1 ? 0.0 : -0.0;
    if (c == 1) return -2.5;
    return c == 2 ? (2 * unit - 1) * largest[dtype] : (unit - 0.5) * (double)(c + 1);
}

static void put(void *X, dc_dtype dtype, int64_t i, double v)
{
    if (dtype == DC_U8) ((uint8_t *)X)[i] = (uint8_t)v;
    if (dtype == DC_F16) ((_Float16 *)X)[i] = (_Float16)v;
    if (dtype == DC_F32) ((float *)X)[i] = (float)v;
    if (dtype == DC_F64) ((double *)X)[i] = v;
}

/* Rank 0 writes X [N x D]; x[N x D] gets its values in double on every rank. */
static double *make(dc_dtype dtype, int64_t N, int64_t D)
{
    void *X = NULL;
    double *x = NULL;
    CHECK_OK(dc_mem_alloc(&X, (size_t)(N * D), dc_dtype_bytes(dtype), "X"));
    CHECK_OK(dc_mem_alloc(&x, (size_t)(N * D), sizeof *x, "x"));
    for (int64_t i = 0; i < N * D; i++) put(X, dtype, i, value_at(dtype, i / D, i % D));
    for (int64_t i = 0; i < N * D; i++) x[i] = dc_value_ref(X, dtype, i);
    dc_comm_barrier(comm);
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path_of("x.h5"), DC_H5_CREATE));
        CHECK_OK(dc_h5_put(h5, "X", h5_type[dtype], 2, (dc_gidx[]){N, D}, X));
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
    dc_mem_free(&X);
    return x;
}

static dc_dataset *load(dc_scale_kind scale, dc_clip clip)
{
    dc_dataset *d = NULL;
    const dc_data_request request = {.path = path_of("x.h5"), .clip = clip, .scale = scale};
    CHECK_OK(dc_dataset_open(comm, &request, SHARDS, 0, 1, &d));
    return d;
}

static void clip_ref(double *x, int64_t N, int64_t D, const double *lo, const double *hi)
{
    for (int64_t i = 0; i < N * D; i++) x[i] = fmin(fmax(x[i], lo[i % D]), hi[i % D]);
}

/* Rows as the network sees them; in single precision they differ from the bound by its rounding. */
static void check_rows(const dc_dataset *d, const double *x, const double *shift, const double *scale)
{
    const int64_t n = dc_part_rows(&d->part), D = d->D;
    float *rows = NULL;
    double worst = 0;
    CHECK_OK(dc_mem_alloc(&rows, (size_t)(n * D), sizeof *rows, "rows"));
    dc_dataset_rows(d, 0, n, rows);
    for (int64_t i = 0; i < n * D; i++) {
        const double s = scale[i % D], want = (x[d->part.row_lo * D + i] - shift[i % D]) * s;
        worst = fmax(worst, fabs((double)rows[i] - want) / (1 + fabs(want) + fabs(shift[i % D] * s)));
    }
    CHECK_NEAR(worst, 0, 2e-7);
    dc_mem_free(&rows);
}

static void check_dataset(dc_dtype dtype, int64_t N, int64_t D)
{
    double *x = make(dtype, N, D), *lo = NULL, *hi = NULL;
    float *shift = NULL, *scale = NULL;
    double *shift_ref = NULL, *scale_ref = NULL;
    CHECK_OK(dc_mem_alloc(&lo, (size_t)D, sizeof *lo, "lo"));
    CHECK_OK(dc_mem_alloc(&hi, (size_t)D, sizeof *hi, "hi"));
    CHECK_OK(dc_mem_alloc(&shift, (size_t)D, sizeof *shift, "shift"));
    CHECK_OK(dc_mem_alloc(&scale, (size_t)D, sizeof *scale, "scale"));
    CHECK_OK(dc_mem_alloc(&shift_ref, (size_t)D, sizeof *shift_ref, "shift"));
    CHECK_OK(dc_mem_alloc(&scale_ref, (size_t)D, sizeof *scale_ref, "scale"));
    static const double q[] = {1e-9, 0.1, 0.499};
    for (size_t k = 0; k < DC_COUNT_OF(q); k++) {
        dc_dataset *d = load(DC_SCALE_NONE, (dc_clip){DC_CLIP_QUANTILES, q[k], 0});
        dc_quantile_ref(x, N, D, q[k], lo);
        dc_quantile_ref(x, N, D, 1 - q[k], hi);
        CHECK_ARRAY_NEAR(d->clip_lo, lo, D, 0);
        CHECK_ARRAY_NEAR(d->clip_hi, hi, D, 0);
        dc_dataset_destroy(&d);
    }
    for (int clipped = 0; clipped < 2; clipped++) {
        if (clipped) clip_ref(x, N, D, lo, hi); /* of the last q */
        dc_dataset *d = load(DC_SCALE_ROBUST, clipped ? (dc_clip){DC_CLIP_QUANTILES, 0.499, 0} : (dc_clip){0});
        dc_scaling_ref(DC_SCALE_ROBUST, x, N, D, false, shift_ref, scale_ref);
        for (int64_t c = 0; c < D; c++) shift[c] = (float)shift_ref[c], scale[c] = (float)scale_ref[c];
        CHECK_ARRAY_NEAR(d->shift, shift, D, 0);
        CHECK_ARRAY_NEAR(d->scale, scale, D, 0);
        check_rows(d, x, shift_ref, scale_ref);
        dc_dataset_destroy(&d);
    }
    dc_mem_free(&x);
    dc_mem_free(&lo);
    dc_mem_free(&hi);
    dc_mem_free(&shift);
    dc_mem_free(&scale);
    dc_mem_free(&shift_ref);
    dc_mem_free(&scale_ref);
}

static void test_range(void)
{
    double *x = make(DC_F32, 100, 5), one[5] = {1, 1, 1, 1, 1}, zero[5] = {0};
    dc_dataset *d = load(DC_SCALE_NONE, (dc_clip){DC_CLIP_RANGE, -1, 0.5});
    clip_ref(x, 100, 5, (double[]){-1, -1, -1, -1, -1}, (double[]){0.5, 0.5, 0.5, 0.5, 0.5});
    check_rows(d, x, zero, one);
    CHECK(d->min == -1 && d->max == 0.5);
    dc_dataset_destroy(&d);
    dc_mem_free(&x);
}

/* Clipping does not hide values that are not finite. */
static void test_not_finite(void)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t k = 0; k < DC_COUNT_OF(bad); k++) {
        dc_dataset *d = NULL;
        double *x = make(DC_F32, 9, 2);
        dc_mem_free(&x);
        if (on_rank0()) {
            dc_h5 *h5 = NULL;
            CHECK_OK(dc_h5_open(&h5, path_of("x.h5"), DC_H5_APPEND));
            CHECK_OK(dc_h5_write_rows(h5, "X", DC_H5_F32, 4, 1, (float[]){0, bad[k]}));
            CHECK_OK(dc_h5_close(&h5));
        }
        dc_comm_barrier(comm);
        const dc_data_request request = {
            .path = path_of("x.h5"), .clip = {DC_CLIP_RANGE, 0, 1}, .scale = DC_SCALE_ROBUST};
        CHECK_STATUS(dc_dataset_open(comm, &request, SHARDS, 0, 1, &d), DC_ERR_DATA);
        CHECK_TEXT_HAS(dc_error_text(), "row 4, column 1");
        dc_error_clear();
        dc_comm_barrier(comm);
    }
}

/* Columns whose quartiles are equal, and quartiles that single precision cannot scale. */
static void test_quartiles(void)
{
    dc_dataset *d = NULL;
    const int warnings = dc_log_warning_count();
    const dc_data_request request = {.path = path_of("q.h5"), .scale = DC_SCALE_ROBUST};
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path_of("q.h5"), DC_H5_CREATE));
        CHECK_OK(dc_h5_put(h5, "X", DC_H5_F64, 2, (dc_gidx[]){5, 2}, (double[]){1, 0, 2, 0, 3, 0, 4, 0, 5, 9}));
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
    CHECK_OK(dc_dataset_open(comm, &request, SHARDS, 0, 1, &d));
    CHECK(d->shift[0] == 3 && d->scale[0] == 0.5F && d->shift[1] == 0 && d->scale[1] == 1);
    if (on_rank0()) CHECK_INT(dc_log_warning_count(), warnings + 1);
    dc_dataset_destroy(&d);
    dc_comm_barrier(comm);
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path_of("q.h5"), DC_H5_APPEND));
        CHECK_OK(dc_h5_write_rows(h5, "X", DC_H5_F64, 1, 3, (double[]){2, 1e-41, 3, 2e-41, 4, 3e-41}));
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
    CHECK_STATUS(dc_dataset_open(comm, &request, SHARDS, 0, 1, &d), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "column 1");
    dc_error_clear();
}

int main(void)
{
    static const struct {
        int64_t N, D;
    } shape[] = {{1, 3}, {3, 5}, {257, 40}, {40, 700}};
    if (!folder_open()) return 1;
    for (size_t s = 0; s < DC_COUNT_OF(shape); s++)
        for (dc_dtype t = DC_U8; t <= DC_F64; t++) check_dataset(t, shape[s].N, shape[s].D);
    test_range();
    test_not_finite();
    test_quartiles();
    return folder_close();
}
