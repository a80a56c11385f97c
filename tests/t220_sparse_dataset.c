/* Sparse data sets: a sparse and a dense file of the same rows give the same statistics, scalings and rows, whatever
 * the stored types and the order; rows stay sparse where zeros stay zeros. ranks: 1 3  ranks_long: 2 5  threads: 1 2 */
#include <stdlib.h>
#include <unistd.h>

#include "ranks_folder.h"
#include "t22_help.h"

enum { N = 203, D = 31, SHARDS = 16 };

static const dc_clip clips[] = {{.kind = DC_CLIP_NONE},
                                {DC_CLIP_RANGE, -3, 8},
                                {DC_CLIP_RANGE, 0.5, 2},
                                {DC_CLIP_QUANTILES, 0.05, 0},
                                {DC_CLIP_QUANTILES, 0.25, 0}};

static dc_dataset *load(const char *file, dc_scale_kind scale, dc_clip clip)
{
    dc_dataset *d = NULL;
    const dc_data_request r = {.path = path_of(file), .scale = scale, .clip = clip, .pca = {{3, 0}, false}};
    CHECK_OK(dc_dataset_open(comm, &r, SHARDS, 0, 2, &d));
    return d;
}

/* Largest difference of all rows as they enter the network, by dc_dataset_rows() and dc_dataset_gather(). */
static double difference(const dc_dataset *a, const dc_dataset *b)
{
    const int64_t n = dc_part_rows(&a->part), d = dc_dataset_width(a);
    float *x[2] = {NULL};
    int64_t *list = NULL;
    double most = 0;
    CHECK_OK(dc_mem_alloc(&list, (size_t)n, sizeof *list, "test"));
    for (int k = 0; k < 2; k++) CHECK_OK(dc_mem_alloc(&x[k], (size_t)(n * d), sizeof *x[k], "test"));
    for (int64_t i = 0; i < n; i++) list[i] = i;
    dc_dataset_rows(a, 0, n, x[0]);
    dc_dataset_gather(b, list, n, x[1]);
    for (int64_t i = 0; i < n * d; i++) most = fmax(most, fabs((double)x[0][i] - (double)x[1][i]));
    for (int k = 0; k < 2; k++) dc_mem_free(&x[k]);
    dc_mem_free(&list);
    return most;
}

/* Whether the sparse rows hold what dc_dataset_rows() gives. */
static bool same_sparse(const dc_dataset *d)
{
    const dc_csr *m = dc_dataset_csr(d);
    float row[D];
    bool same = true;
    for (int64_t i = 0; i < m->n; i++) {
        float x[D] = {0};
        for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) x[m->col[e]] = dc_csr_value(m, i, e);
        dc_dataset_rows(d, i, 1, row);
        same = same && memcmp(x, row, sizeof row) == 0;
    }
    return same;
}

static bool keeps_zeros(const dc_dataset *d)
{
    bool keeps = d->pca.k == 0;
    for (int c = 0; c < D; c++)
        keeps = keeps && d->shift[c] == 0 && (!d->clip_lo || (d->clip_lo[c] <= 0 && d->clip_hi[c] >= 0));
    return keeps;
}

static void compare(const char *dense_name, const char *sparse_name, dc_scale_kind scale, dc_clip clip)
{
    dc_dataset *a = load(dense_name, scale, clip), *b = load(sparse_name, scale, clip);
    const double tolerance = scale == DC_SCALE_STANDARD || scale == DC_SCALE_PCA ? 4e-6 : 0;
    CHECK(a->X && !a->csr.ptr && !b->X && b->csr.ptr && b->D == D && b->part.N == N);
    /* Clipped zeros are added by their number, and bounds are rounded to float, so last bits may differ. */
    const bool exact = clip.kind == DC_CLIP_NONE;
    CHECK_NEAR(b->min, a->min, exact ? 0 : 1e-6);
    CHECK_NEAR(b->max, a->max, exact ? 0 : 1e-6);
    CHECK_NEAR(b->mean, a->mean, exact ? 0 : 1e-6);
    CHECK_ARRAY_NEAR(b->shift, a->shift, D, tolerance);
    double factor = 0;
    for (int c = 0; c < D; c++) factor = fmax(factor, fabs((double)b->scale[c] / (double)a->scale[c] - 1));
    CHECK_NEAR(factor, 0, exact ? tolerance : 4e-7);
    if (a->clip_lo) CHECK_ARRAY_NEAR(b->clip_lo, a->clip_lo, D, 1e-6);
    if (a->clip_lo) CHECK_ARRAY_NEAR(b->clip_hi, a->clip_hi, D, 1e-6);
    CHECK_NEAR(a->scaled_min, b->scaled_min, 1e-5);
    CHECK_NEAR(a->scaled_max, b->scaled_max, 1e-5);
    if (scale != DC_SCALE_PCA) CHECK_NEAR(difference(a, b), 0, exact ? tolerance : 4e-6);
    CHECK((dc_dataset_csr(b) != NULL) == keeps_zeros(b));
    if (dc_dataset_csr(b)) CHECK(same_sparse(b));
    int64_t row[2], column[2];
    const int64_t n = dc_part_rows(&a->part);
    CHECK_INT(dc_dataset_outside(b, n, -0.25F, 0.25F, &row[0], &column[0]),
              dc_dataset_outside(a, n, -0.25F, 0.25F, &row[1], &column[1]));
    CHECK(row[0] == row[1] && column[0] == column[1]);
    dc_dataset_destroy(&a);
    dc_dataset_destroy(&b);
}

static void make_files(sparse_rows *s)
{
    static const sparse_layout plain = {DC_H5_I64, DC_H5_I32, DC_H5_F32, false, false, false};
    if (on_rank0()) {
        dense_file(path_of("dense.h5"), s, DC_H5_F32);
        sparse_file(path_of("sparse.h5"), s, &plain);
    }
    dc_comm_barrier(comm);
}

static void test_scalings(void)
{
    for (dc_scale_kind k = DC_SCALE_NONE; k <= DC_SCALE_PCA; k++)
        for (size_t c = 0; c < DC_COUNT_OF(clips); c++) compare("dense.h5", "sparse.h5", k, clips[c]);
}

/* Bytes keep their meaning: unit divides them by 255. */
static void test_bytes(void)
{
    static const sparse_layout bytes = {DC_H5_I32, DC_H5_I32, DC_H5_U8, false, false, false};
    sparse_rows s;
    sparse_rows_make(N, D, true, &s);
    if (on_rank0()) {
        dense_file(path_of("dense8.h5"), &s, DC_H5_U8);
        sparse_file(path_of("sparse8.h5"), &s, &bytes);
    }
    dc_comm_barrier(comm);
    for (dc_scale_kind k = DC_SCALE_NONE; k < DC_SCALE_PCA; k++) compare("dense8.h5", "sparse8.h5", k, clips[0]);
    dc_dataset *d = load("sparse8.h5", DC_SCALE_UNIT, clips[0]);
    CHECK(d->dtype == DC_U8 && d->scale[0] == 1.0F / 255 && dc_dataset_csr(d));
    uint8_t row[2 * D];
    CHECK_OK(dc_dataset_fetch(comm, d, (dc_gidx[]){N - 1, 5}, 2, row));
    bool same = true;
    for (int c = 0; c < D; c++) same = same && row[c] == s.X[(N - 1) * D + c] && row[D + c] == s.X[5 * D + c];
    CHECK(same);
    dc_dataset_destroy(&d);
    sparse_rows_free(&s);
}

static void test_layouts(const sparse_rows *s)
{
    static const sparse_layout how[] = {{DC_H5_I32, DC_H5_I64, DC_H5_F64, false, false, false},
                                        {DC_H5_I64, DC_H5_I32, DC_H5_F32, false, true, true},
                                        {DC_H5_I32, DC_H5_I32, DC_H5_F16, false, false, true},
                                        {DC_H5_I32, DC_H5_I64, DC_H5_F64, true, false, false},
                                        {DC_H5_I64, DC_H5_I32, DC_H5_F32, true, true, false}};
    dc_dataset *plain = load("sparse.h5", DC_SCALE_DEC, clips[0]);
    for (size_t i = 0; i < DC_COUNT_OF(how); i++) {
        if (on_rank0()) sparse_file(path_of("other.h5"), s, &how[i]);
        dc_comm_barrier(comm);
        dc_dataset *d = load("other.h5", DC_SCALE_DEC, clips[0]);
        CHECK(d->hash == plain->hash && d->nnz == plain->nnz && d->scale[0] == plain->scale[0]);
        CHECK_NEAR(difference(plain, d), 0, 0);
        dc_dataset_destroy(&d);
        dc_comm_barrier(comm);
    }
    dc_dataset_destroy(&plain);
}

static void test_first_rows(const sparse_rows *s)
{
    static const sparse_layout columns = {DC_H5_I32, DC_H5_I32, DC_H5_F32, true, false, false};
    if (on_rank0()) sparse_file(path_of("columns.h5"), s, &columns);
    dc_comm_barrier(comm);
    const char *files[] = {"dense.h5", "sparse.h5", "columns.h5"};
    dc_dataset *d[3] = {NULL};
    for (int i = 0; i < 3; i++)
        CHECK_OK(dc_dataset_load(comm, path_of(files[i]), 50, SHARDS, DC_SCALE_NONE, 0, 2, &d[i]));
    CHECK(d[1]->part.N == 50 && d[1]->nnz == s->ptr[50] && d[2]->nnz == s->ptr[50] && d[1]->mean == d[0]->mean);
    CHECK_NEAR(difference(d[0], d[1]), 0, 0);
    CHECK_NEAR(difference(d[0], d[2]), 0, 0);
    for (int i = 0; i < 3; i++) dc_dataset_destroy(&d[i]);
}

/* What the header tells bounds what a rank will hold. */
static void test_header(const sparse_rows *s)
{
    dc_data_header h;
    CHECK_OK(dc_dataset_header(path_of("sparse.h5"), 0, &h));
    CHECK(h.sparse && h.N == N && h.D == D && h.nnz == s->nnz && h.dtype == DC_F32);
    bool bounds = true;
    for (int P = 1; P <= SHARDS; P++)
        for (int r = 0; r < P; r++) {
            dc_part part;
            CHECK_OK(dc_part_init(&part, N, SHARDS, P, r));
            bounds = bounds && dc_header_nnz(&h, part.row_lo, part.row_hi) >= s->ptr[part.row_hi] - s->ptr[part.row_lo];
        }
    CHECK(bounds && dc_header_nnz(&h, 0, N) == s->nnz);
    for (int64_t rows = 1; rows <= N; rows += 13) {
        const int64_t most = dc_header_most_nnz(&h, rows);
        for (int64_t i = 0; i + rows <= N; i++) bounds = bounds && s->ptr[i + rows] - s->ptr[i] <= most;
    }
    CHECK(bounds);
    dc_dataset *d = load("sparse.h5", DC_SCALE_NONE, clips[0]);
    const double predicted = dc_dataset_bytes(&h, &d->part, &clips[0]);
    CHECK((double)d->bytes <= predicted);
    dc_dataset_destroy(&d);
}

int main(void)
{
    sparse_rows s;
    if (!folder_open()) return 1;
    sparse_rows_make(N, D, false, &s);
    make_files(&s);
    test_scalings();
    test_bytes();
    test_layouts(&s);
    test_first_rows(&s);
    test_header(&s);
    sparse_rows_free(&s);
    return folder_close();
}
