/* Data sets: rows, labels, statistics, scaling and gathering against naive twins; files and values that must be
 * refused, on all ranks alike. ranks: 1 2 3 5  threads: 1 2 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "dcmpi/log.h"
#include "dcmpi/rng.h"
#include "ranks_folder.h"
#include "ref/data_ref.h"

enum { SHARDS = 16 };

static const dc_h5_type h5_type[] = {
    [DC_U8] = DC_H5_U8, [DC_F16] = DC_H5_F16, [DC_F32] = DC_H5_F32, [DC_F64] = DC_H5_F64};

/* Element i of a test matrix in `dtype`; column 1 is constant. */
static void put_value(void *X, dc_dtype dtype, int64_t i, int64_t D)
{
    uint32_t w[4];
    dc_rng4(3, DC_STREAM_TEST, 0, i % D == 1 ? 1 : (uint64_t)i, w);
    const double column = (double)(i % D + 1), unit = dc_rng_unit(w[0]);
    switch (dtype) {
    case DC_U8:
        ((uint8_t *)X)[i] = (uint8_t)(w[0] >> 25);
        break;
    case DC_F16:
        ((uint16_t *)X)[i] = (uint16_t)(w[0] % 0x5000);
        break;
    case DC_F32:
        ((float *)X)[i] = (float)(column * (unit - 0.25));
        break;
    case DC_F64:
        ((double *)X)[i] = 1e3 * column + unit;
        break;
    }
}

/* Rank 0 writes X [N x D] (and y, if any) to `path`; every rank gets X in memory. */
static void *make_file(const char *path, dc_dtype dtype, dc_gidx N, dc_gidx D, dc_h5_type y_type, const void *y)
{
    void *X = NULL;
    CHECK_OK(dc_mem_alloc(&X, (size_t)(N * D), dc_dtype_bytes(dtype), "X"));
    for (int64_t i = 0; i < N * D; i++) put_value(X, dtype, i, D);
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path, DC_H5_CREATE));
        CHECK_OK(dc_h5_put(h5, "X", h5_type[dtype], 2, (dc_gidx[]){N, D}, X));
        if (y) CHECK_OK(dc_h5_put(h5, "y", y_type, 1, (dc_gidx[]){N}, y));
        CHECK_OK(dc_h5_put_attr_i64(h5, "/", "image_shape", (int64_t[]){D, 1}, 2));
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
    return X;
}

/* ---- Rows and scaling -------------------------------------------------------------------------------------------- */

static void check_rows(const dc_dataset *d, const void *X, const double *shift, const double *scale, double tol)
{
    const int64_t n = dc_part_rows(&d->part), D = d->D;
    float *rows = NULL, *picked = NULL;
    int64_t *list = NULL;
    CHECK_OK(dc_mem_alloc(&rows, (size_t)(n * D), sizeof *rows, "rows"));
    CHECK_OK(dc_mem_alloc(&picked, (size_t)(n * D), sizeof *picked, "rows"));
    CHECK_OK(dc_mem_alloc(&list, (size_t)n, sizeof *list, "list"));
    for (int64_t i = 0; i < n; i++) list[i] = (i * 7 + 3) % DC_MAX(n, 1);
    dc_dataset_rows(d, 0, n, rows);
    dc_dataset_gather(d, list, n, picked);
    double worst = 0;
    bool same = true;
    for (int64_t i = 0; i < n * D; i++) {
        const int64_t c = i % D;
        const double x = dc_value_ref(X, d->dtype, d->part.row_lo * D + i);
        worst = fmax(worst, fabs((double)rows[i] - (x - shift[c]) * scale[c]));
        same = same && picked[i] == rows[list[i / D] * D + c];
    }
    CHECK_NEAR(worst, 0, tol);
    CHECK(same);
    dc_mem_free(&list);
    dc_mem_free(&picked);
    dc_mem_free(&rows);
}

static void check_scale(const char *path, dc_dtype dtype, const void *X, dc_gidx N, dc_gidx D, dc_scale_kind kind)
{
    dc_dataset *d = NULL;
    double *x = NULL, *shift = NULL, *scale = NULL;
    CHECK_OK(dc_mem_alloc(&x, (size_t)(N * D), sizeof *x, "x"));
    CHECK_OK(dc_mem_alloc(&shift, (size_t)D, sizeof *shift, "shift"));
    CHECK_OK(dc_mem_alloc(&scale, (size_t)D, sizeof *scale, "scale"));
    double min = INFINITY, max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < N * D; i++) {
        x[i] = dc_value_ref(X, dtype, i);
        min = fmin(min, x[i]);
        max = fmax(max, x[i]);
        sum += x[i];
    }
    dc_scaling_ref(kind, x, N, D, dtype == DC_U8, shift, scale);
    CHECK_OK(dc_dataset_load(comm, path, 0, SHARDS, kind, 0, 1, &d));
    CHECK(d->part.N == N && d->D == D && d->dtype == dtype && d->scale_kind == kind);
    CHECK(d->n_image_dims == 2 && d->image_shape[0] == D && d->y == NULL && d->C == 0);
    CHECK(d->min == min && d->max == max);
    CHECK_NEAR(d->mean, sum / (double)(N * D), 1e-12 * fmax(fabs(min), fabs(max)));
    for (int64_t c = 0; c < D; c++) shift[c] = (double)(float)shift[c];
    CHECK_ARRAY_NEAR(d->shift, shift, D, 0);
    for (int64_t c = 0; c < D; c++) scale[c] = d->scale[c] / scale[c];
    double one = 0;
    for (int64_t c = 0; c < D; c++) one = fmax(one, fabs(scale[c] - 1));
    CHECK_NEAR(one, 0, 2e-7);
    for (int64_t c = 0; c < D; c++) scale[c] = (double)d->scale[c];
    check_rows(d, X, shift, scale, kind == DC_SCALE_NONE ? 1e-7 * fmax(fabs(min), fabs(max)) : 2e-6 * (double)D);
    dc_dataset_destroy(&d);
    dc_mem_free(&scale);
    dc_mem_free(&shift);
    dc_mem_free(&x);
}

static void test_scalings(void)
{
    static const struct {
        dc_gidx N, D;
    } shape[] = {{1, 1}, {3, 5}, {97, 19}};
    for (size_t s = 0; s < DC_COUNT_OF(shape); s++)
        for (dc_dtype t = DC_U8; t <= DC_F64; t++) {
            void *X = make_file(path_of("x.h5"), t, shape[s].N, shape[s].D, DC_H5_OTHER, NULL);
            for (dc_scale_kind k = DC_SCALE_NONE; k <= DC_SCALE_SYMMETRIC; k++) {
                if (k == DC_SCALE_NONE && t == DC_F64) continue;
                check_scale(path_of("x.h5"), t, X, shape[s].N, shape[s].D, k);
            }
            dc_comm_barrier(comm);
            dc_mem_free(&X);
        }
}

/* ---- Labels, first rows, hash ------------------------------------------------------------------------------------ */

static void test_labels(void)
{
    static const int32_t y[12] = {5, INT32_MIN, 7, 5, -1, INT32_MAX, 7, 5, -1, -1, INT32_MIN, 5};
    static const int32_t dense[12] = {2, 0, 3, 2, 1, 4, 3, 2, 1, 1, 0, 2};
    int64_t wide[12];
    uint8_t narrow[12];
    for (int i = 0; i < 12; i++) wide[i] = (int64_t)y[i] * (INT64_C(1) << 31), narrow[i] = (uint8_t)(dense[i] * 60);
    const void *stored[3] = {y, wide, narrow};
    const dc_h5_type type[3] = {DC_H5_I32, DC_H5_I64, DC_H5_U8};
    for (int k = 0; k < 3; k++) {
        dc_dataset *d = NULL;
        void *X = make_file(path_of("y.h5"), DC_F32, 12, 3, type[k], stored[k]);
        CHECK_OK(dc_dataset_load(comm, path_of("y.h5"), 0, SHARDS, DC_SCALE_UNIT, 0, 1, &d));
        const bool gap = k == 0; /* -1, but not its multiples, is no label */
        CHECK_INT(d->C, gap ? 4 : 5);
        CHECK_INT(d->unlabelled, gap ? 3 : 0);
        bool ok = true;
        for (int64_t i = 0; i < dc_part_rows(&d->part); i++) {
            const int32_t want = dense[d->part.row_lo + i];
            ok = ok && d->y[i] == (!gap || want < 1 ? want : want == 1 ? -1 : want - 1);
        }
        CHECK(ok);
        dc_dataset_destroy(&d);
        CHECK_OK(dc_dataset_load(comm, path_of("y.h5"), 2, SHARDS, DC_SCALE_UNIT, 0, 1, &d));
        CHECK(d->part.N == 2 && d->C == 2);
        dc_dataset_destroy(&d);
        dc_mem_free(&X);
        dc_comm_barrier(comm);
    }
}

static void test_header(void)
{
    dc_data_header h;
    void *X = make_file(path_of("h.h5"), DC_F16, 6, 4, DC_H5_I32, (int32_t[6]){0});
    CHECK_OK(dc_dataset_header(path_of("h.h5"), 0, &h));
    CHECK(h.N == 6 && h.D == 4 && h.dtype == DC_F16 && h.has_labels);
    CHECK_OK(dc_dataset_header(path_of("h.h5"), 5, &h));
    CHECK_INT(h.N, 5);
    CHECK_STATUS(dc_dataset_header(path_of("h.h5"), 7, &h), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "6 rows");
    dc_error_clear();
    CHECK_OK(dc_dataset_header(DC_BUILTIN_GLYPHS, 123, &h));
    CHECK(h.N == 123 && h.D == DC_GLYPH_PIXELS && h.dtype == DC_U8 && h.has_labels);
    dc_mem_free(&X);
    dc_comm_barrier(comm);
}

static void test_glyphs(void)
{
    dc_dataset *d = NULL;
    uint8_t row[DC_GLYPH_PIXELS];
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, 200, SHARDS, DC_SCALE_UNIT, 9, 10, &d));
    CHECK(d->part.N == 200 && d->C == 10 && d->n_image_dims == 2 && d->image_shape[1] == 28);
    bool ok = true;
    for (int64_t i = 0; i < dc_part_rows(&d->part); i++) {
        const int class = dc_glyph_row(9, d->part.row_lo + i, row);
        ok = ok && d->y[i] == class && memcmp(row, (uint8_t *)d->X + i * d->D, sizeof row) == 0;
    }
    CHECK(ok);
    CHECK_OK(dc_agree_hash(comm, d->hash, "data"));
    dc_dataset_destroy(&d);
}

/* ---- What must be refused ---------------------------------------------------------------------------------------- */

static void refuse(const char *name, dc_gidx rows, int64_t K, dc_status expected, const char *why)
{
    dc_dataset *d = NULL;
    CHECK_STATUS(dc_dataset_load(comm, path_of(name), rows, SHARDS, DC_SCALE_UNIT, 0, K, &d), expected);
    CHECK(d == NULL);
    CHECK_TEXT_HAS(dc_error_text(), why);
    dc_error_clear();
    dc_comm_barrier(comm);
}

/* Rank 0 makes name.h5 with one dataset. */
static void make_one(const char *name, const char *dataset, dc_h5_type type, int n_dims, const dc_gidx *dims,
                     const void *data)
{
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path_of(name), DC_H5_CREATE));
        CHECK_OK(dc_h5_put(h5, dataset, type, n_dims, dims, data));
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
}

static void test_refused_files(void)
{
    static const float x[64];
    make_one("a.h5", "Z", DC_H5_F32, 2, (dc_gidx[]){4, 2}, x);
    refuse("a.h5", 0, 1, DC_ERR_DATA, "no dataset /X");
    make_one("a.h5", "X", DC_H5_F32, 1, (dc_gidx[]){4}, x);
    refuse("a.h5", 0, 1, DC_ERR_DATA, "1 dimension");
    make_one("a.h5", "X", DC_H5_I32, 2, (dc_gidx[]){4, 2}, x);
    refuse("a.h5", 0, 1, DC_ERR_DATA, "must be uint8");
    make_one("a.h5", "X", DC_H5_F32, 2, (dc_gidx[]){0, 2}, x);
    refuse("a.h5", 0, 1, DC_ERR_DATA, "empty");
    make_one("a.h5", "X", DC_H5_F32, 2, (dc_gidx[]){2, 0}, x);
    refuse("a.h5", 0, 1, DC_ERR_DATA, "empty");
    make_one("a.h5", "X/below", DC_H5_F32, 2, (dc_gidx[]){2, 2}, x);
    refuse("a.h5", 0, 1, DC_ERR_DATA, "group");
    refuse("none.h5", 0, 1, DC_ERR_IO, "No such file");
    make_one("a.h5", "X", DC_H5_F32, 2, (dc_gidx[]){16, 4}, x);
    refuse("a.h5", 17, 1, DC_ERR_DATA, "16 rows");
    if (on_rank0()) CHECK(truncate(path_of("a.h5"), 300) == 0);
    dc_comm_barrier(comm);
    refuse("a.h5", 0, 1, DC_ERR_DATA, "truncated");
    if (on_rank0()) CHECK(truncate(path_of("a.h5"), 0) == 0);
    dc_comm_barrier(comm);
    refuse("a.h5", 0, 1, DC_ERR_DATA, "not an HDF5 file");
    if (on_rank0()) CHECK(unlink(path_of("a.h5")) == 0 && mkfifo(path_of("a.h5"), 0600) == 0);
    dc_comm_barrier(comm);
    refuse("a.h5", 0, 1, DC_ERR_DATA, "a pipe");
}

static void test_refused_labels(void)
{
    static const char *const why[] = {"row 0 (counted from 0): label 0.5 is not an integer", "is a scalar",
                                      "one label for each of the 3 rows"};
    for (int k = 0; k < 3; k++) {
        if (on_rank0()) {
            dc_h5 *h5 = NULL;
            CHECK_OK(dc_h5_open(&h5, path_of("l.h5"), DC_H5_CREATE));
            CHECK_OK(dc_h5_put(h5, "X", DC_H5_U8, 2, (dc_gidx[]){3, 1}, "abc"));
            CHECK_OK(dc_h5_put(h5, "y", k == 0 ? DC_H5_F32 : DC_H5_I32, k == 1 ? 0 : 1, (dc_gidx[]){k == 2 ? 2 : 3},
                               (int32_t[3]){0x3f000000}));
            CHECK_OK(dc_h5_close(&h5));
        }
        dc_comm_barrier(comm);
        refuse("l.h5", 0, 1, DC_ERR_DATA, why[k]);
    }
}

/* A bad value at its place, seen by its owner alone. */
static void test_nan(void)
{
    enum { N = 50, D = 7 };
    static const int64_t place[][2] = {{0, 0}, {N - 1, D - 1}, {23, 3}};
    float x[N * D];
    char text[96];
    for (size_t k = 0; k < DC_COUNT_OF(place); k++) {
        for (int i = 0; i < N * D; i++) x[i] = (float)i;
        x[place[k][0] * D + place[k][1]] = k == 1 ? -INFINITY : NAN;
        if (k == 2) x[30 * D] = INFINITY;
        make_one("n.h5", "X", DC_H5_F32, 2, (dc_gidx[]){N, D}, x);
        snprintf(text, sizeof text, "first in row %d, column %d", (int)place[k][0], (int)place[k][1]);
        refuse("n.h5", 0, 1, DC_ERR_DATA, text);
        refuse("n.h5", 0, 1, DC_ERR_DATA, k == 2 ? ": 2 NaN" : ": 1 NaN");
    }
}

static void test_distinct(void)
{
    enum { N = 60, D = 3 };
    dc_dataset *d = NULL;
    uint8_t x[N * D];
    char text[64];
    for (int distinct = 1; distinct <= 9; distinct += 4) {
        for (int i = 0; i < N * D; i++) x[i] = (uint8_t)(i / D % distinct);
        make_one("k.h5", "X", DC_H5_U8, 2, (dc_gidx[]){N, D}, x);
        snprintf(text, sizeof text, "%d distinct row%s in single precision < %d clusters", distinct,
                 distinct == 1 ? "" : "s", distinct + 1);
        refuse("k.h5", 0, distinct + 1, DC_ERR_DATA, text);
        CHECK_OK(dc_dataset_load(comm, path_of("k.h5"), 0, SHARDS, DC_SCALE_STANDARD, 0, distinct, &d));
        dc_dataset_destroy(&d);
    }
    refuse("k.h5", 0, N + 1, DC_ERR_DATA, "60 rows < 61 clusters");
}

static void test_range(void)
{
    dc_dataset *d = NULL;
    make_one("r.h5", "X", DC_H5_F64, 2, (dc_gidx[]){2, 1}, (double[]){0, 1e300});
    CHECK_STATUS(dc_dataset_load(comm, path_of("r.h5"), 0, SHARDS, DC_SCALE_NONE, 0, 1, &d), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "single precision");
    dc_error_clear();
    make_one("r.h5", "X", DC_H5_F64, 2, (dc_gidx[]){2, 1}, (double[]){0, 1e-320});
    CHECK_STATUS(dc_dataset_load(comm, path_of("r.h5"), 0, SHARDS, DC_SCALE_MINMAX, 0, 1, &d), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "column 0 spans [0, 9.99989e-321]");
    dc_error_clear();
    const int warnings = dc_log_warning_count();
    make_one("r.h5", "X", DC_H5_F64, 2, (dc_gidx[]){2, 1}, (double[]){1e9 + 1, 1e9 + 2});
    CHECK_OK(dc_dataset_load(comm, path_of("r.h5"), 0, SHARDS, DC_SCALE_STANDARD, 0, 1, &d));
    if (on_rank0()) CHECK_INT(dc_log_warning_count(), warnings + 1);
    dc_dataset_destroy(&d);
    dc_comm_barrier(comm);
    CHECK_STATUS(dc_dataset_load(comm, path_of("r.h5"), 0, 3, DC_SCALE_UNIT, 0, 1, &d), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "parallel.shards");
    dc_error_clear();
}

int main(void)
{
    if (!folder_open()) return 1;
    test_scalings();
    test_labels();
    test_header();
    test_glyphs();
    test_refused_files();
    test_refused_labels();
    test_nan();
    test_distinct();
    test_range();
    return folder_close();
}
