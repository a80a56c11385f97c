/* Principal components of input.scale = pca: variances, directions, rows and counts against scikit-learn's
 * (tests/golden/pca.txt); covariance in several panels against the plain sum; the whitened covariance is the identity;
 * rows in pieces have the bits of all rows; of fewer rows than columns, directions are eigenvectors of the covariance
 * and orthogonal, also those without variance; the way of wide rows gives the same, for a share of the variance, too;
 * what is refused. t212 compares bits between ranks and threads. Fixed seed 561. ranks: 2  ranks_long: 1 5  threads: 1
 * 2 */
#include "data/pca_wide.h"
#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "dcmpi/rng.h"
#include "golden/golden.h"
#include "ranks_folder.h"
#include "t56_help.h"

enum { N = 150, D = 17, K = 5, SHARDS = 16, WIDE_N = 700, WIDE_D = 301 };

static const char file[] = "pca.txt";

static dc_status load(const char *path, int64_t components, double variance, bool whiten, dc_dataset **d)
{
    const dc_data_request r = {.path = path, .scale = DC_SCALE_PCA, .pca = {{components, variance}, whiten}};
    return dc_dataset_open(comm, &r, SHARDS, 0, 1, d);
}

/* ---- scikit-learn ------------------------------------------------------------------------------------------------ */

/* Largest difference of the network's rows, divided by `factor`, from all[N x K]. */
static double error_of_rows(const dc_dataset *d, const double *all, double factor)
{
    float x[K];
    double worst = 0;
    for (int64_t i = 0; i < dc_part_rows(&d->part); i++) {
        dc_dataset_rows(d, i, 1, x);
        for (int j = 0; j < K; j++)
            worst = fmax(worst, fabs((double)x[j] / factor - all[(d->part.row_lo + i) * K + j]));
    }
    return worst;
}

static void test_golden(void)
{
    static double variance[D], ratio[D], mean[D], components[K * D], rows[N * K], white[N * K];
    dc_dataset *d = NULL;
    CHECK(golden_read(file, "variance", variance, D) && golden_read(file, "ratio", ratio, D) &&
          golden_read(file, "mean", mean, D) && golden_read(file, "components", components, K * D) &&
          golden_read(file, "rows", rows, N * K) && golden_read(file, "white", white, N * K));
    CHECK_OK(load(path_of("x.h5"), K, 0, false, &d));
    CHECK_INT(dc_dataset_width(d), K);
    CHECK_ARRAY_NEAR(d->shift, mean, D, 1e-5);
    for (int j = 0; j < K; j++) {
        CHECK_NEAR(d->pca.variance[j] / variance[j], 1, 1e-7);
        CHECK_NEAR(d->pca.variance[j] / d->pca.total, ratio[j], 1e-8);
    }
    CHECK_ARRAY_NEAR(d->pca.direction, components, K * D, 1e-6);
    CHECK(error_of_rows(d, rows, (double)d->scale[0]) < 1e-4);
    dc_dataset_destroy(&d);
    CHECK_OK(load(path_of("x.h5"), K, 0, true, &d));
    CHECK(error_of_rows(d, white, 1) < 1e-5);
    dc_dataset_destroy(&d);
}

static void test_counts(void)
{
    double share[4], count[4];
    dc_dataset *d = NULL;
    CHECK(golden_read(file, "share", share, 4) && golden_read(file, "count", count, 4));
    for (int i = 0; i < 4; i++) {
        CHECK_OK(load(path_of("x.h5"), 0, share[i], false, &d));
        CHECK_INT(d->pca.k, count[i]);
        CHECK(dc_pca_share(&d->pca) > share[i]);
        dc_dataset_destroy(&d);
    }
    CHECK_OK(load(path_of("x.h5"), 0, 1, true, &d));
    CHECK_INT(d->pca.k, D - 1); /* two columns are equal */
    dc_dataset_destroy(&d);
    CHECK_OK(load(path_of("x.h5"), D, 0, false, &d));
    CHECK_INT(d->pca.k, D);
    CHECK_NEAR(d->pca.variance[D - 1], 0, 1e-10);
    dc_dataset_destroy(&d);
}

static void fill_wide(float *x)
{
    dc_rng_fill_normal(x, WIDE_N * WIDE_D, 561, 1, 1);
    for (int i = 0; i < WIDE_N; i++)
        for (int c = 1; c < WIDE_D; c++) x[i * WIDE_D + c] += 0.5F * x[i * WIDE_D + c - 1] + 3;
}

/* ---- Fewer rows than columns ------------------------------------------------------------------------------------- */

static void plain(const dc_dataset *d, int64_t width, double *mean, double *cov);

/* Largest |C v - variance v| of the components relative to the first variance, with C divided as the variances. */
static double residual_of(const dc_principal *p, const double *cov)
{
    double worst = 0;
    for (int64_t j = 0; j < p->k; j++)
        for (int64_t a = 0; a < p->d; a++) {
            double sum = -p->variance[j] * (double)p->direction[j * p->d + a];
            for (int64_t b = 0; b < p->d; b++) sum += cov[a * p->d + b] * (double)p->direction[j * p->d + b];
            worst = fmax(worst, fabs(sum) / p->variance[0]);
        }
    return worst;
}

/* 130 rows in three tiles, the last 30 of them repeat others: 99 components vary. All but the first have small
 * variances. */
static void test_dual(void)
{
    enum { ROWS = 130, DIFFERENT = 100 };
    static float x[WIDE_N * WIDE_D];
    static double mean[WIDE_D], cov[WIDE_D * WIDE_D];
    dc_dataset *d = NULL;
    dc_principal p = {0};
    fill_wide(x);
    for (int i = 0; i < DIFFERENT; i++)
        for (int c = 0; c < WIDE_D; c++) x[i * WIDE_D + c] += 1000.0F * (float)(i % 7) * (float)(c % 5);
    memcpy(x + DIFFERENT * WIDE_D, x, (ROWS - DIFFERENT) * WIDE_D * sizeof *x);
    write_rows(path_of("dual.h5"), DC_H5_F32, ROWS, WIDE_D, x);
    CHECK_OK(dc_dataset_load(comm, path_of("dual.h5"), 0, SHARDS, DC_SCALE_NONE, 0, 1, &d));
    const dc_rows rows = dc_rows_of_dataset(d);
    CHECK_OK(dc_principal_create(comm, &rows, &(dc_principal_wanted){.components = ROWS}, &p));
    plain(d, WIDE_D, mean, cov);
    CHECK_INT(p.k, ROWS);
    CHECK_INT(p.varying, DIFFERENT - 1);
    CHECK_ARRAY_NEAR(p.mean, mean, WIDE_D, 1e-9);
    CHECK(residual_of(&p, cov) < 1e-7);
    CHECK(off_orthogonal(p.direction, p.k, p.d) < 1e-6);
    dc_principal_release(&p);
    CHECK_OK(dc_principal_create(comm, &rows, &(dc_principal_wanted){.components = 3, .noise = 1e12}, &p));
    CHECK_INT(p.k, 0);
    CHECK_INT(p.varying, 0);
    dc_principal_release(&p);
    dc_dataset_destroy(&d);
}

/* ---- Beyond one rank: the way of wide rows, on rows of which both ways can be taken ------------------------------ */

static void test_wide(void)
{
    dc_dataset *d = NULL;
    dc_principal wide = {0}, narrow = {0};
    dc_part columns;
    double bytes;
    const dc_data_request r = {.path = path_of("x.h5"), .scale = DC_SCALE_NONE};
    CHECK_OK(dc_dataset_open(comm, &r, SHARDS, 0, 1, &d));
    const dc_rows rows = dc_rows_of_dataset(d);
    CHECK_OK(dc_pca_wide(comm, &rows, &(dc_principal_wanted){.components = K}, D, &wide));
    CHECK_OK(dc_principal_create(comm, &rows, &(dc_principal_wanted){.components = K}, &narrow));
    CHECK_INT(wide.k, K);
    CHECK_INT(wide.varying, K);
    CHECK_NEAR(wide.total / narrow.total, 1, 1e-12);
    CHECK_ARRAY_NEAR(wide.mean, narrow.mean, D, 1e-12);
    for (int j = 0; j < K; j++) CHECK_NEAR(wide.variance[j] / narrow.variance[j], 1, 1e-6);
    CHECK_ARRAY_NEAR(wide.direction, narrow.direction, K * D, 1e-5);
    CHECK_OK(dc_part_init(&columns, 100000, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_pca_wide_bytes(&columns, 8192, K, false, &bytes));
    CHECK(bytes > 8.0 * 8192 * 8192 / dc_comm_size(comm)); /* the matrix is a part of it */
    CHECK_STATUS(dc_pca_wide_bytes(&columns, 1000000, K, false, &bytes), DC_ERR_MEMORY);
    CHECK(bytes > 8e12 / dc_comm_size(comm)); /* also of a matrix that ScaLAPACK cannot index */
    dc_error_clear();
    dc_principal_release(&wide);
    dc_principal_release(&narrow);
    dc_dataset_destroy(&d);
}

/* Minus their mean, 10 rows have 9 components that vary. */
static void test_wide_few(const float *x)
{
    enum { FEW = 10 };
    dc_dataset *d = NULL;
    dc_principal wide = {0}, narrow = {0};
    write_rows(path_of("few.h5"), DC_H5_F32, FEW, D, x);
    const dc_data_request r = {.path = path_of("few.h5"), .scale = DC_SCALE_NONE};
    CHECK_OK(dc_dataset_open(comm, &r, SHARDS, 0, 1, &d));
    const dc_rows rows = dc_rows_of_dataset(d);
    CHECK_OK(dc_pca_wide(comm, &rows, &(dc_principal_wanted){.components = FEW}, D, &wide));
    CHECK_OK(dc_principal_create(comm, &rows, &(dc_principal_wanted){.components = FEW}, &narrow));
    CHECK_INT(wide.varying, FEW - 1);
    CHECK_INT(narrow.varying, FEW - 1);
    dc_principal_release(&wide);
    dc_principal_release(&narrow);
    dc_dataset_destroy(&d);
}

/* The number of components that hold the share, by the way of wide rows; -1: not that of the other way. */
static int64_t count_wide(const char *name, double share)
{
    dc_dataset *d = NULL;
    dc_principal wide = {0}, narrow = {0};
    const dc_principal_wanted wanted = {.variance = share};
    const dc_data_request r = {.path = path_of(name), .scale = DC_SCALE_NONE};
    CHECK_OK(dc_dataset_open(comm, &r, SHARDS, 0, 1, &d));
    const dc_rows rows = dc_rows_of_dataset(d);
    CHECK_OK(dc_pca_wide(comm, &rows, &wanted, WIDE_D, &wide));
    CHECK_OK(dc_principal_create(comm, &rows, &wanted, &narrow));
    for (int64_t j = 0; j < DC_MIN(wide.k, narrow.k); j++) CHECK_NEAR(wide.variance[j] / narrow.variance[j], 1, 1e-6);
    const int64_t k = wide.k == narrow.k ? wide.k : -1;
    dc_principal_release(&wide);
    dc_principal_release(&narrow);
    dc_dataset_destroy(&d);
    return k;
}

/* Of at most 99 of 301 components: a share between what the range finder finds of it and what they hold, and two that
 * they do not hold. */
static void test_wide_refused(void)
{
    enum { MOST = 99 };
    dc_dataset *d = NULL;
    dc_principal all = {0}, wide = {0};
    double held = 0;
    const dc_data_request r = {.path = path_of("wide.h5"), .scale = DC_SCALE_NONE};
    CHECK_OK(dc_dataset_open(comm, &r, SHARDS, 0, 1, &d));
    const dc_rows rows = dc_rows_of_dataset(d);
    CHECK_OK(dc_principal_create(comm, &rows, &(dc_principal_wanted){.components = MOST}, &all));
    for (int j = 0; j < MOST; j++) held += all.variance[j] / all.total;
    CHECK_OK(dc_pca_wide(comm, &rows, &(dc_principal_wanted){.variance = held * (1 - 1e-6)}, MOST, &wide));
    CHECK_INT(wide.k, MOST);
    dc_principal_release(&wide);
    for (int i = 0; i < 2; i++) {
        const dc_principal_wanted more = {.variance = i == 0 ? held * (1 + 1e-6) : fmin(1, held * 1.2)};
        CHECK_STATUS(dc_pca_wide(comm, &rows, &more, MOST, &wide), DC_ERR_USAGE);
        CHECK_TEXT_HAS(dc_error_text(), i == 0 ? "hold 0." : "hold about 0.");
        dc_error_clear();
        dc_principal_release(&wide);
    }
    dc_principal_release(&all);
    dc_dataset_destroy(&d);
}

/* Shares that need up to all of 301 components, more than the directions of the first tries; of rows fewer than
 * columns; of eight variances that are equal but for rounding, of which four are half and no more. */
static void test_wide_share(void)
{
    enum { EQUAL = 8 };
    static float x[WIDE_N * WIDE_D];
    static float axes[2 * EQUAL * EQUAL];
    fill_wide(x);
    write_rows(path_of("wide.h5"), DC_H5_F32, WIDE_N, WIDE_D, x);
    write_rows(path_of("short.h5"), DC_H5_F32, 100, WIDE_D, x);
    CHECK(count_wide("wide.h5", 0.3) < 64);
    CHECK(count_wide("wide.h5", 0.9) > 64);
    CHECK(count_wide("wide.h5", 0.9999) > 256);
    CHECK_INT(count_wide("wide.h5", 1), WIDE_D);
    CHECK(count_wide("short.h5", 0.95) > 64);
    CHECK_INT(count_wide("short.h5", 1), 99);
    for (int c = 0; c < EQUAL; c++) {
        axes[2 * c * EQUAL + c] = 0.1F;
        axes[(2 * c + 1) * EQUAL + c] = -0.1F;
    }
    write_rows(path_of("axes.h5"), DC_H5_F32, 2 * EQUAL, EQUAL, axes);
    CHECK_INT(count_wide("axes.h5", 0.5), EQUAL / 2 + 1);
}

/* ---- Covariance -------------------------------------------------------------------------------------------------- */

/* Mean and covariance (divided by n - 1) of all rows as they enter the network, by the plain sum. */
static void plain(const dc_dataset *d, int64_t width, double *mean, double *cov)
{
    const int64_t n = dc_part_rows(&d->part);
    float *x = malloc((size_t)width * sizeof *x);
    memset(mean, 0, (size_t)width * sizeof *mean);
    memset(cov, 0, (size_t)(width * width) * sizeof *cov);
    for (int64_t i = 0; i < n; i++) {
        dc_dataset_rows(d, i, 1, x);
        for (int64_t c = 0; c < width; c++) mean[c] += (double)x[c] / (double)d->part.N;
    }
    dc_comm_sum_f64(comm, mean, (size_t)width);
    for (int64_t i = 0; i < n; i++) {
        dc_dataset_rows(d, i, 1, x);
        for (int64_t a = 0; a < width; a++)
            for (int64_t b = 0; b < width; b++)
                cov[a * width + b] += ((double)x[a] - mean[a]) * ((double)x[b] - mean[b]) / (double)(d->part.N - 1);
    }
    dc_comm_sum_f64(comm, cov, (size_t)(width * width));
    free(x);
}

static void test_white(void)
{
    double mean[K], cov[K * K], identity[K * K] = {0}, zero[K] = {0};
    dc_dataset *d = NULL;
    for (int j = 0; j < K; j++) identity[j * K + j] = 1;
    CHECK_OK(load(path_of("x.h5"), K, 0, true, &d));
    plain(d, K, mean, cov);
    CHECK_ARRAY_NEAR(cov, identity, K * K, 1e-6);
    CHECK_ARRAY_NEAR(mean, zero, K, 1e-6);
    dc_dataset_destroy(&d);
    CHECK_OK(load(path_of("x.h5"), K, 0, false, &d));
    plain(d, K, mean, cov);
    double squares = 0;
    for (int j = 0; j < K; j++) squares += cov[j * K + j];
    CHECK_NEAR(squares, K, 1e-5);
    dc_dataset_destroy(&d);
}

/* Rows that fill three panels of columns and an odd number of tiles. */
static void test_panels(void)
{
    static float x[WIDE_N * WIDE_D];
    static double mean[WIDE_D], cov[WIDE_D * WIDE_D], expected[WIDE_D * WIDE_D], expected_mean[WIDE_D];
    dc_dataset *d = NULL;
    fill_wide(x);
    write_rows(path_of("wide.h5"), DC_H5_F32, WIDE_N, WIDE_D, x);
    CHECK_OK(dc_dataset_load(comm, path_of("wide.h5"), 0, SHARDS, DC_SCALE_NONE, 0, 1, &d));
    const dc_rows rows = dc_rows_of_dataset(d);
    CHECK_OK(dc_moments(comm, &rows, mean, on_rank0() ? cov : NULL));
    plain(d, WIDE_D, expected_mean, expected);
    CHECK_ARRAY_NEAR(mean, expected_mean, WIDE_D, 1e-10);
    for (int a = 0; a < WIDE_D; a++)
        for (int b = a + 1; b < WIDE_D; b++) cov[a * WIDE_D + b] = expected[a * WIDE_D + b] = 0;
    if (on_rank0()) CHECK_ARRAY_NEAR(cov, expected, WIDE_D * WIDE_D, 1e-10);
    if (!on_rank0()) CHECK(true);
    dc_dataset_destroy(&d);
}

/* ---- Pieces, refusals -------------------------------------------------------------------------------------------- */

static void test_pieces(void)
{
    dc_dataset *d = NULL;
    float piece[37 * K];
    bool equal = true;
    CHECK_OK(load(path_of("x.h5"), K, 0, true, &d));
    dc_dataset view = *d;
    for (int64_t lo = 0, n; lo < dc_part_rows(&d->part); lo += n) {
        n = DC_MIN(dc_part_rows(&d->part) - lo, (int64_t)37);
        view.X = (float *)d->X + lo * D;
        view.Z = NULL;
        CHECK_OK(dc_pca_project(&view, d->part.row_lo + lo, n, piece));
        equal = equal && memcmp(piece, d->Z + lo * K, (size_t)(n * K) * sizeof *piece) == 0;
    }
    CHECK(equal);
    dc_dataset_destroy(&d);
}

static void refuse(const char *name, int64_t components, bool whiten, dc_status expected, const char *text)
{
    dc_dataset *d = NULL;
    CHECK_STATUS(load(path_of(name), components, 0.9, whiten, &d), expected);
    CHECK_TEXT_HAS(dc_error_text(), text);
    dc_error_clear();
}

static void test_refused(void)
{
    static uint8_t flat[100];
    float x[6] = {1, 2, 3, NAN, 5, 6}, tenth[60];
    write_rows(path_of("flat.h5"), DC_H5_U8, 20, 5, flat);
    write_rows(path_of("nan.h5"), DC_H5_F32, 3, 2, x);
    for (int i = 0; i < 60; i++) tenth[i] = 0.1F;
    write_rows(path_of("tenth.h5"), DC_H5_F32, 20, 3, tenth);
    write_rows(path_of("one.h5"), DC_H5_U8, 1, 5, flat);
    refuse("flat.h5", 2, false, DC_ERR_DATA, "all rows are equal");
    refuse("flat.h5", 0, false, DC_ERR_DATA, "all rows are equal");
    refuse("tenth.h5", 1, true, DC_ERR_DATA, "all rows are equal");
    refuse("flat.h5", 6, false, DC_ERR_USAGE, "20 rows of 5 columns have at most 5 principal components");
    refuse("nan.h5", 2, false, DC_ERR_DATA, "row 1");
    refuse("one.h5", 1, false, DC_ERR_USAGE, "needs at least two rows, there is one");
    refuse("x.h5", D, true, DC_ERR_DATA, "only 16 principal components vary");
}

int main(void)
{
    static float x[N * D];
    if (!folder_open()) return 1;
    CHECK(golden_read_f32(file, "x", x, N * D));
    write_rows(path_of("x.h5"), DC_H5_F32, N, D, x);
    test_golden();
    test_counts();
    test_wide();
    test_wide_share();
    test_wide_refused();
    test_dual();
    test_wide_few(x);
    test_white();
    test_panels();
    test_pieces();
    test_refused();
    return folder_close();
}
