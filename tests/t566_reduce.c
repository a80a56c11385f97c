/* input.reduce and input.norm on data files against scikit-learn's TruncatedSVD, PCA and normalize
 * (tests/golden/reduce.txt): singular values, variances, components, rows; a random projection has the right variance
 * and keeps distances; norms with and without a reduction, also with input.scale = pca; rows of zeros; columns far from
 * zero; rows in pieces have the bits of all rows; what is refused. Fixed seed 566.
 * ranks: 2  ranks_long: 1 5  threads: 1 2 */
#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "dcmpi/rng.h"
#include "golden/golden.h"
#include "ranks_folder.h"

enum { N = 60, D = 40, K = 5, SHARDS = 16, SEED = 566 };

static const char file[] = "reduce.txt";
static float x[N * D];

static dc_status load(const char *path, dc_reduce_kind reduce, int64_t k, dc_row_norm norm, dc_dataset **d)
{
    const dc_data_request r = {.path = path, .reduce = reduce, .norm = norm, .pca = {{k, 0}, false}};
    return dc_dataset_open(comm, &r, SHARDS, SEED, 1, d);
}

/* Largest difference of what enters the network from all[N x width]. */
static double error_of_rows(const dc_dataset *d, const double *all)
{
    float row[D];
    double worst = 0;
    const int64_t width = dc_dataset_width(d);
    for (int64_t i = 0; i < dc_part_rows(&d->part); i++) {
        dc_dataset_rows(d, i, 1, row);
        for (int64_t j = 0; j < width; j++)
            worst = fmax(worst, fabs((double)row[j] - all[(d->part.row_lo + i) * width + j]));
    }
    return worst;
}

static void golden(const char *kind, const char *what, double *out, size_t n)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", kind, what);
    CHECK(golden_read(file, name, out, n));
}

static void test_golden(const char *kind, dc_reduce_kind reduce)
{
    static double value[K], variance[K], ratio[K], components[K * D], rows[N * K], l2[N * K];
    dc_dataset *d = NULL;
    golden(kind, "_values", value, K);
    golden(kind, "_variance", variance, K);
    golden(kind, "_ratio", ratio, K);
    golden(kind, "_components", components, K * D);
    golden(kind, "_rows", rows, N * K);
    golden(kind, "_l2", l2, N * K);
    CHECK_OK(load(path_of("x.h5"), reduce, K, DC_ROW_NORM_NONE, &d));
    CHECK_INT(dc_dataset_width(d), K);
    for (int j = 0; j < K; j++) {
        CHECK_NEAR(d->pca.value[j] / value[j], 1, 1e-7);
        CHECK_NEAR(d->pca.variance[j] / variance[j], 1, 1e-6);
        CHECK_NEAR(d->pca.variance[j] / d->pca.total, ratio[j], 1e-7);
    }
    CHECK_ARRAY_NEAR(d->pca.direction, components, K * D, 1e-3);
    CHECK(error_of_rows(d, rows) < 1e-2);
    dc_dataset_destroy(&d);
    CHECK_OK(load(path_of("x.h5"), reduce, K, DC_ROW_NORM_L2, &d));
    CHECK(error_of_rows(d, l2) < 1e-3);
    CHECK(d->scaled_min >= -1 && d->scaled_max <= 1 && d->scaled_max > 0.5);
    dc_dataset_destroy(&d);
}

static void test_norms(void)
{
    static double rows[N * D];
    static const dc_row_norm norm[] = {DC_ROW_NORM_L2, DC_ROW_NORM_L1, DC_ROW_NORM_MAX};
    dc_dataset *d = NULL;
    for (int i = 0; i < 3; i++) {
        golden(dc_row_norm_name(norm[i]), "", rows, N * D);
        CHECK_OK(load(path_of("x.h5"), DC_REDUCE_NONE, 0, norm[i], &d));
        CHECK(error_of_rows(d, rows) < 1e-7);
        CHECK_NEAR(d->scaled_min, 0, 0);
        CHECK(d->scaled_max <= 1);
        dc_dataset_destroy(&d);
    }
    const dc_data_request whitened = {
        .path = path_of("x.h5"), .scale = DC_SCALE_PCA, .norm = DC_ROW_NORM_MAX, .pca = {{K, 0}, true}};
    CHECK_OK(dc_dataset_open(comm, &whitened, SHARDS, SEED, 1, &d));
    for (int64_t i = 0; i < dc_part_rows(&d->part); i++) {
        float row[K], most = 0;
        dc_dataset_rows(d, i, 1, row);
        for (int j = 0; j < K; j++) most = fmaxf(most, fabsf(row[j]));
        CHECK_NEAR(most, 1, 1e-6);
    }
    dc_dataset_destroy(&d);
}

/* Squared lengths keep their mean: 60 rows in 30 dimensions vary by about sqrt(2/30) each. */
static void test_random(void)
{
    enum { FEW = 30 };
    dc_dataset *d = NULL;
    double before = 0, sums[4] = {0};
    for (int i = 0; i < N * D; i++) before += (double)x[i] * (double)x[i];
    CHECK_OK(load(path_of("x.h5"), DC_REDUCE_RANDOM, FEW, DC_ROW_NORM_NONE, &d));
    CHECK_INT(dc_dataset_width(d), FEW);
    for (int64_t i = 0; i < dc_part_rows(&d->part) * FEW; i++) sums[0] += (double)d->Z[i] * (double)d->Z[i];
    for (int i = 0; i < D * FEW; i++) sums[1] += d->part.rank == 0 ? (double)d->pca.direction[i] : 0;
    for (int i = 0; i < D * FEW; i++)
        sums[2] += d->part.rank == 0 ? (double)d->pca.direction[i] * (double)d->pca.direction[i] : 0;
    dc_comm_sum_f64(comm, sums, 4);
    CHECK_NEAR(sums[0] / before, 1, 0.2);
    CHECK_NEAR(sums[1], 0, 4 * sqrt(D));
    CHECK_NEAR(sums[2] / D, 1, 0.15);
    CHECK(!d->pca.variance);
    dc_dataset_destroy(&d);
    CHECK_OK(load(path_of("x.h5"), DC_REDUCE_RANDOM, D, DC_ROW_NORM_NONE, &d));
    CHECK_INT(dc_dataset_width(d), D);
    dc_dataset_destroy(&d);
}

/* Columns whose mean is a million times their spread: about the mean, nothing of it is left. */
static void test_far_from_zero(void)
{
    static float far[N * D];
    dc_dataset *near = NULL, *d = NULL;
    for (int i = 0; i < N * D; i++) far[i] = 4096.0F * (float)(i % D) + (x[i] > 1 ? 1.0F : 0.0F);
    write_rows(path_of("far.h5"), DC_H5_F32, N, D, far);
    for (int i = 0; i < N * D; i++) far[i] = x[i] > 1 ? 1.0F : 0.0F;
    write_rows(path_of("near.h5"), DC_H5_F32, N, D, far);
    CHECK_OK(load(path_of("far.h5"), DC_REDUCE_PCA, K, DC_ROW_NORM_NONE, &d));
    CHECK_OK(load(path_of("near.h5"), DC_REDUCE_PCA, K, DC_ROW_NORM_NONE, &near));
    CHECK_ARRAY_NEAR(d->pca.value, near->pca.value, K, 1e-6);
    CHECK_ARRAY_NEAR(d->Z, near->Z, dc_part_rows(&d->part) * K, 2e-2);
    dc_dataset_destroy(&d);
    dc_dataset_destroy(&near);
}

static void test_pieces(void)
{
    static const dc_reduce_kind kinds[] = {DC_REDUCE_SVD, DC_REDUCE_PCA, DC_REDUCE_RANDOM};
    float piece[7 * K];
    bool equal = true;
    for (int r = 0; r < 3; r++) {
        dc_dataset *d = NULL;
        CHECK_OK(load(path_of("x.h5"), kinds[r], K, DC_ROW_NORM_L1, &d));
        dc_dataset view = *d;
        for (int64_t lo = 0, n; lo < dc_part_rows(&d->part); lo += n) {
            n = DC_MIN(dc_part_rows(&d->part) - lo, (int64_t)7);
            view.X = (float *)d->X + lo * D;
            view.Z = NULL;
            CHECK_OK(dc_pca_project(&view, d->part.row_lo + lo, n, piece));
            equal = equal && memcmp(piece, d->Z + lo * K, (size_t)(n * K) * sizeof *piece) == 0;
        }
        dc_dataset_destroy(&d);
    }
    CHECK(equal);
}

static void refuse(const char *name, dc_reduce_kind reduce, int64_t k, dc_status expected, const char *text)
{
    dc_dataset *d = NULL;
    CHECK_STATUS(load(path_of(name), reduce, k, DC_ROW_NORM_L2, &d), expected);
    CHECK_TEXT_HAS(dc_error_text(), text);
    dc_error_clear();
}

static void test_refused(void)
{
    static float flat[20 * 5], big[20 * 40];
    float one[5] = {1, 2, 3, 4, 5};
    for (int i = 0; i < 100; i++) flat[i] = 0.1F;
    for (int i = 0; i < 800; i++) big[i] = i % 41 ? 3e38F : -3e38F;
    write_rows(path_of("flat.h5"), DC_H5_F32, 20, 5, flat);
    write_rows(path_of("one.h5"), DC_H5_F32, 1, 5, one);
    write_rows(path_of("big.h5"), DC_H5_F32, 20, 40, big);
    refuse("flat.h5", DC_REDUCE_SVD, 2, DC_ERR_DATA, "all rows are equal");
    refuse("flat.h5", DC_REDUCE_PCA, 2, DC_ERR_DATA, "all rows are equal");
    refuse("flat.h5", DC_REDUCE_SVD, 6, DC_ERR_USAGE, "at most 5 dimensions of 20 rows of 5 columns");
    refuse("flat.h5", DC_REDUCE_RANDOM, 6, DC_ERR_USAGE, "at most 5 dimensions");
    refuse("one.h5", DC_REDUCE_SVD, 1, DC_ERR_DATA, "needs at least two rows");
    refuse("big.h5", DC_REDUCE_SVD, 2, DC_ERR_DATA, "beyond single precision");
}

int main(void)
{
    if (!folder_open()) return 1;
    CHECK(golden_read_f32(file, "x", x, N * D));
    write_rows(path_of("x.h5"), DC_H5_F32, N, D, x);
    test_golden("svd", DC_REDUCE_SVD);
    test_golden("pca", DC_REDUCE_PCA);
    test_norms();
    test_random();
    test_far_from_zero();
    test_pieces();
    test_refused();
    return folder_close();
}
