/* Transforms of counts: library size, log1p, variable columns and scaling with limits are scanpy's to 1e-6
 * (tests/golden/scanpy.txt); sparse and dense rows become the same bits, which are those of the definition, so that
 * ranks and threads do not matter; what is refused. Seed: that of the golden file. ranks: 1 3. ranks_long: 2 5.
 * threads: 1 2 */
#include "data/counts.h"
#include "dcmpi/h5_sparse.h"
#include "golden/golden.h"
#include "ranks_folder.h"

enum { N = 60, D = 80, M = 25, SHARDS = 8 };
static const char file[] = "scanpy.txt";
static double x[N * D], expected[N * D];

/* dense.h5 and sparse.h5 hold the same counts. Rank 0. */
static dc_status write_files(void)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_sparse_writer *w = NULL;
    dc_h5_sparse_places places;
    dc_h5_sparse_sums sums;
    const char *sparse = path_of("sparse.h5");
    static int64_t ptr[N + 1];
    static int32_t col[N * D];
    static uint8_t val[N * D];
    static char names[D * 8];
    for (int i = 0; i < N; i++) {
        ptr[i + 1] = ptr[i];
        for (int c = 0; c < D; c++)
            if (x[i * D + c] != 0) col[ptr[i + 1]] = c, val[ptr[i + 1]++] = (uint8_t)x[i * D + c];
    }
    for (int c = 0; c < D; c++) snprintf(names + strlen(names), 8, "%sg%d", c ? "\n" : "", c);
    const dc_h5_sparse_spec spec = {.N = N, .D = D, .nnz = ptr[N], .dtype = DC_U8, .features = names};
    DC_TRY(dc_h5_open(&h5, path_of("dense.h5"), DC_H5_CREATE));
    DC_TRY(dc_h5_put(h5, "/X", DC_H5_F64, 2, (dc_gidx[]){N, D}, x));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "feature_names", names));
    DC_TRY(dc_h5_close(&h5));
    DC_TRY(dc_file_replace(sparse, NULL, 0)); /* dc_h5_sparse_make() fills a file that exists */
    DC_TRY(dc_h5_sparse_make(sparse, &spec, NULL, NULL, &places));
    DC_TRY(dc_h5_sparse_begin(&w, sparse, &spec, &places, 0, 0));
    DC_TRY(dc_h5_sparse_append(w, N, ptr, col, val, NULL, NULL, NULL));
    DC_TRY(dc_h5_sparse_end(&w, &sums));
    DC_TRY(dc_h5_sparse_seal(sparse, &spec, &sums, NULL, NULL));
out:
    return st;
}

/* The largest distance of this rank's rows of both files from expected[N x width]; the rows of both are equal. */
static double distance(const dc_data_request *request, int64_t width, dc_count_map *map)
{
    static const char *const names[] = {"dense.h5", "sparse.h5"};
    static float row[2][N * D];
    double worst = 0;
    for (int k = 0; k < 2; k++) {
        dc_dataset *d = NULL;
        dc_data_request r = *request;
        r.path = path_of(names[k]);
        CHECK_OK(dc_dataset_open(comm, &r, SHARDS, 0, 1, &d));
        if (!d) return INFINITY;
        CHECK_INT(d->D, width);
        const int64_t n = dc_part_rows(&d->part);
        dc_dataset_rows(d, 0, n, row[k]);
        for (int64_t i = 0; i < n * width; i++) {
            const double want = expected[d->part.row_lo * width + i];
            worst = fmax(worst, fabs((double)row[k][i] - want) / fmax(1, fabs(want)));
        }
        /* Limits of sparse rows are rounded to float. */
        for (int64_t i = 0; k == 1 && r.clip_scaled > 0 && i < n * width; i++)
            worst = fmax(worst, (double)fabsf(row[0][i] - row[1][i]));
        if (k == 1 && r.clip_scaled == 0) CHECK(memcmp(row[0], row[1], (size_t)(n * width) * sizeof **row) == 0);
        if (map && map->column) memcpy(map->column, d->counts.column, (size_t)width * sizeof *map->column);
        if (map) map->normalize_total = d->counts.normalize_total;
        if (on_rank0() && d->counts.column) {
            char last[16];
            const char *found = strrchr(d->feature_names, '\n');
            snprintf(last, sizeof last, "\ng%d", d->counts.column[width - 1]);
            CHECK_TEXT(found ? found : "", last);
        }
        dc_dataset_destroy(&d);
    }
    return worst;
}

static void test_scanpy(void)
{
    static const dc_variable_flavor flavors[] = {DC_VARIABLE_SEURAT, DC_VARIABLE_CELL_RANGER};
    static const char *const names[] = {"seurat", "cell_ranger"};
    int32_t column[M];
    double size, wanted[M], logs[N * D];
    dc_count_map map = {.column = NULL};
    CHECK(golden_read(file, "size", &size, 1) && golden_read(file, "median", expected, N * D));
    CHECK(distance(&(dc_data_request){.counts.normalize_total = DC_TOTAL_MEDIAN}, D, &map) < 1e-6);
    CHECK(map.normalize_total == size); /* an exact number on any number of ranks */
    CHECK(golden_read(file, "logs", logs, N * D));
    memcpy(expected, logs, sizeof logs);
    CHECK(distance(&(dc_data_request){.counts = {.normalize_total = 1000, .log1p = true}}, D, NULL) < 1e-6);
    for (int k = 0; k < 2; k++) {
        CHECK(golden_read(file, names[k], wanted, M));
        for (int i = 0; i < N; i++)
            for (int c = 0; c < M; c++) expected[i * M + c] = logs[i * D + (int)wanted[c]];
        map.column = column;
        const dc_count_request counts = {1000, true, M, flavors[k]};
        CHECK(distance(&(dc_data_request){.counts = counts}, M, &map) < 1e-6);
        for (int c = 0; c < M; c++) CHECK_INT(column[c], wanted[c]);
    }
    CHECK(golden_read(file, "scaled", expected, N * M));
    const dc_count_request counts = {1000, true, M, DC_VARIABLE_SEURAT};
    const double far =
        distance(&(dc_data_request){.counts = counts, .scale = DC_SCALE_SAMPLE, .clip_scaled = 1.5}, M, NULL);
    printf("# scaled: %g\n", far);
    CHECK(far < 5e-6); /* float32 values of 5 with a standard deviation of 0.3 */
}

/* Every value is float(log1p(x * target / sum)), whoever computes it. */
static void test_definition(void)
{
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int c = 0; c < D; c++) sum += x[i * D + c];
        for (int c = 0; c < D; c++)
            expected[i * D + c] = (double)(float)log1p(x[i * D + c] * (sum > 0 ? 777 / sum : 1));
    }
    CHECK(distance(&(dc_data_request){.counts = {.normalize_total = 777, .log1p = true}}, D, NULL) == 0);
}

/* A constant column has no dispersion; ties go to the first; a lone column of a bin gets 1. */
static void test_choice(void)
{
    const double mean[] = {1, 1, 1, 1, 50}, variance[] = {2, 2, 3, 0, 7};
    int32_t column[5];
    int64_t found;
    CHECK_OK(dc_data_choose_variable(DC_VARIABLE_SEURAT, 5, mean, variance, 2, column, &found));
    CHECK_INT(found, 4);
    CHECK(column[0] == 2 && column[1] == 4);
    CHECK_OK(dc_data_choose_variable(DC_VARIABLE_SEURAT, 5, mean, variance, 3, column, &found));
    CHECK(column[0] == 0 && column[1] == 2 && column[2] == 4);
    CHECK_OK(dc_data_choose_variable(DC_VARIABLE_SEURAT, 5, mean, variance, 5, column, &found));
    CHECK_INT(found, 4);
}

static void refuse(const dc_data_request *request, dc_status code, const char *words)
{
    dc_dataset *d = NULL;
    dc_error_clear();
    CHECK_STATUS(dc_dataset_open(comm, request, SHARDS, 0, 1, &d), code);
    CHECK_TEXT_HAS(dc_error_text(), words);
    CHECK(!d);
    dc_error_clear();
}

static void test_refused(void)
{
    refuse(&(dc_data_request){.path = path_of("dense.h5"), .counts.variable_columns = D + 1}, DC_ERR_USAGE,
           "variable_columns=81, but there are only 80 columns");
    refuse(&(dc_data_request){.path = path_of("dense.h5"), .counts.variable_columns = D}, DC_ERR_DATA,
           "but only 78 of 80 columns have a dispersion");
    x[41 * D + 3] = -1;
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path_of("negative.h5"), DC_H5_CREATE));
        CHECK_OK(dc_h5_put(h5, "/X", DC_H5_F64, 2, (dc_gidx[]){N, D}, x));
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
    refuse(&(dc_data_request){.path = path_of("negative.h5"), .counts.log1p = true}, DC_ERR_DATA,
           "row 41, column 3 (counted from 0) is negative or not finite");
}

int main(void)
{
    if (!folder_open()) return 1;
    CHECK(golden_read(file, "x", x, N * D));
    CHECK_OK(on_rank0() ? write_files() : DC_OK);
    dc_comm_barrier(comm);
    test_scanpy();
    test_definition();
    test_choice();
    test_refused();
    return folder_close();
}
