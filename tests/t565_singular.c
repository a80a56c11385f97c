/* Leading singular vectors by the range finder (singular.h) against LAPACK's eigenvectors of the whole Gram matrix:
 * values, subspace, mean and variance, of dense and of sparse rows, about their mean and not; the same vectors of both;
 * orthogonal directions whatever the rank; few rows, few columns, values of 1e-18 and 1e18; columns of very different
 * size; QR and singular values on their own. t567 compares bits between ranks and threads. Fixed seed 565.
 * ranks: 2  ranks_long: 1 5  threads: 1 2 */
#include "dcmpi/csr.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/singular.h"
#include "ranks_folder.h"
#include "t56_help.h"

enum { N_MAX = 700, D_MAX = 300, SHARDS = 16 };

static float all[N_MAX * D_MAX];
static double gram[D_MAX * D_MAX], eigen[D_MAX], mean[D_MAX];

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* Sparse rows of seven groups, with a falling spectrum; `density` of 256 values is not 0. */
static void make_rows(int64_t n, int64_t d, unsigned density, double fall, double unit)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++) {
            uint32_t w[4];
            dc_rng4(565, DC_STREAM_TEST, (uint64_t)c, (uint64_t)i, w);
            const double group = i % 7 == c % 7 ? 3 + 0.4 * (double)(i % 7) : 0.1;
            const double v = dc_rng_unit(w[0]) * group * pow(fall, (double)c) * unit;
            all[i * d + c] = (w[1] & 255) < density ? (float)v : 0;
        }
}

/* This rank's rows; sparse: in compressed form, else dense and read in pieces. */
typedef struct {
    dc_part part;
    int64_t d;
    dc_csr csr;
    int64_t *ptr;
    int32_t *col;
    float *val;
} rows_of_rank;

static void read_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const rows_of_rank *r = ctx;
    memcpy(out, all + (r->part.row_lo + lo) * r->d, (size_t)(n * r->d) * sizeof *out);
}

static dc_rows take_rows(rows_of_rank *r, int64_t N, int64_t d, bool sparse)
{
    *r = (rows_of_rank){.d = d};
    CHECK_OK(dc_part_init(&r->part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const int64_t n = dc_part_rows(&r->part);
    dc_rows rows = {.part = &r->part, .d = d, .rows = read_rows, .ctx = r};
    if (!sparse) return rows;
    r->ptr = calloc((size_t)n + 1, sizeof *r->ptr);
    r->col = calloc((size_t)(n * d) + 1, sizeof *r->col);
    r->val = calloc((size_t)(n * d) + 1, sizeof *r->val);
    for (int64_t i = 0; i < n; i++) {
        r->ptr[i + 1] = r->ptr[i];
        for (int64_t c = 0; c < d; c++) {
            const float v = all[(r->part.row_lo + i) * d + c];
            if (v == 0) continue;
            r->col[r->ptr[i + 1]] = (int32_t)c;
            r->val[r->ptr[i + 1]++] = v;
        }
    }
    r->csr = (dc_csr){.n = n, .D = d, .ptr = r->ptr, .col = r->col, .val = r->val};
    rows.csr = &r->csr;
    return rows;
}

static void free_rows(rows_of_rank *r)
{
    free(r->ptr);
    free(r->col);
    free(r->val);
}

/* ---- What is expected -------------------------------------------------------------------------------------------- */

/* eigen and gram: of the rows, minus their mean if `about_mean`, in descending order. Returns the total variance. */
static double expect(int64_t N, int64_t d, bool about_mean)
{
    double total = 0;
    memset(mean, 0, sizeof mean);
    memset(gram, 0, sizeof gram);
    for (int64_t i = 0; i < N; i++)
        for (int64_t c = 0; c < d; c++) mean[c] += (double)all[i * d + c] / (double)N;
    for (int64_t i = 0; i < N; i++)
        for (int64_t a = 0; a < d; a++) {
            const double x = (double)all[i * d + a] - mean[a], from = about_mean ? 0 : mean[a];
            total += x * x / (double)(N - 1);
            for (int64_t b = 0; b <= a; b++)
                gram[a * d + b] += (x + from) * ((double)all[i * d + b] - (about_mean ? mean[b] : 0));
        }
    CHECK_OK(dc_eigh(d, gram, eigen));
    return total;
}

/* Largest sine between a direction and the k first eigenvectors. */
static double off_subspace(const dc_singular *s)
{
    double worst = 0;
    for (int64_t j = 0; j < s->k; j++) {
        double in = 0, length = 0;
        for (int64_t i = 0; i < s->k; i++) {
            double dot = 0;
            for (int64_t c = 0; c < s->d; c++)
                dot += (double)s->direction[j * s->d + c] * gram[(s->d - 1 - i) * s->d + c];
            in += dot * dot;
        }
        for (int64_t c = 0; c < s->d; c++)
            length += (double)s->direction[j * s->d + c] * (double)s->direction[j * s->d + c];
        worst = fmax(worst, length - in);
    }
    return sqrt(fmax(worst, 0));
}

static void compare(int64_t N, int64_t d, int64_t k, bool about_mean, double tolerance)
{
    static float first[64 * D_MAX];
    const double total = expect(N, d, about_mean);
    for (int sparse = 0; sparse < 2; sparse++) {
        rows_of_rank r;
        dc_singular s = {0};
        const dc_rows rows = take_rows(&r, N, d, sparse != 0);
        CHECK_OK(dc_singular_create(comm, &rows, &(dc_singular_wanted){k, about_mean, 7}, &s));
        CHECK_INT(s.k, k);
        CHECK_NEAR(s.total / total, 1, 1e-9);
        for (int64_t j = 0; j < k; j++) CHECK_NEAR(s.value[j] / sqrt(eigen[d - 1 - j]), 1, tolerance);
        for (int64_t c = 0; c < d; c++) mean[c] -= s.mean[c];
        for (int64_t c = 0; c < d; c++) CHECK(fabs(mean[c]) <= 1e-12 * s.value[0]);
        for (int64_t c = 0; c < d; c++) mean[c] += s.mean[c];
        CHECK(off_orthogonal(s.direction, s.k, s.d) < 1e-6);
        CHECK(off_subspace(&s) < 1e-3);
        if (sparse) CHECK_ARRAY_NEAR(s.direction, first, k * d, 1e-4);
        memcpy(first, s.direction, (size_t)(k * d) * sizeof *first);
        dc_singular_release(&s);
        free_rows(&r);
    }
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

static void test_against_all_eigenvectors(void)
{
    for (int about_mean = 0; about_mean < 2; about_mean++) {
        make_rows(700, 90, 240, 0.97, 1);
        compare(700, 90, 6, about_mean != 0, 1e-6);
        make_rows(40, 300, 240, 0.98, 1); /* fewer rows than columns */
        compare(40, 300, 7, about_mean != 0, 1e-6);
        make_rows(300, 8, 200, 0.8, 1); /* all directions there are */
        compare(300, 8, 8, about_mean != 0, 1e-9);
        make_rows(9, 60, 120, 0.9, 1); /* as many directions as rows; about the mean the last one is empty */
        compare(9, 60, 8, about_mean != 0, 1e-8);
    }
}

static void test_units(void)
{
    make_rows(200, 50, 240, 0.9, 1e-18);
    compare(200, 50, 5, true, 1e-6);
    make_rows(200, 50, 240, 0.9, 1e18);
    compare(200, 50, 5, false, 1e-6);
    make_rows(500, 40, 255, 0.4, 1); /* singular values that fall by a factor of ten thousand */
    compare(500, 40, 9, false, 1e-6);
}

/* Rows of rank 3 have orthogonal directions all the same, and singular values of 0. */
static void test_rank(void)
{
    enum { N = 100, D = 30 };
    for (int i = 0; i < N; i++)
        for (int c = 0; c < D; c++) all[i * D + c] = (float)(i % 3 == c % 3 ? 1 + c : 0);
    rows_of_rank r;
    dc_singular s = {0};
    const dc_rows rows = take_rows(&r, N, D, true);
    CHECK_OK(dc_singular_create(comm, &rows, &(dc_singular_wanted){6, false, 1}, &s));
    CHECK(s.value[2] > 1);
    CHECK(s.value[3] < 1e-10 * s.value[0]);
    CHECK(off_orthogonal(s.direction, s.k, s.d) < 1e-6);
    dc_singular_release(&s);
    memset(all, 0, sizeof all);
    free_rows(&r);
    const dc_rows zeros = take_rows(&r, N, D, false);
    CHECK_OK(dc_singular_create(comm, &zeros, &(dc_singular_wanted){2, false, 1}, &s));
    CHECK(s.total == 0 && s.value[0] == 0);
    dc_singular_release(&s);
    free_rows(&r);
}

/* The memory that it says it takes is what it takes; called first, because the peak is that of the process. */
static void test_bytes(void)
{
    make_rows(700, 90, 60, 0.97, 1);
    for (int sparse = 1; sparse >= 0; sparse--) {
        rows_of_rank r;
        dc_singular s = {0};
        const dc_rows rows = take_rows(&r, 700, 90, sparse != 0);
        const double said = dc_singular_bytes(&r.part, 90, 20, sparse != 0) + dc_singular_root_bytes(&r.part, 90, 20);
        const double before = (double)dc_mem_current_bytes();
        CHECK_OK(dc_singular_create(comm, &rows, &(dc_singular_wanted){20, false, 1}, &s));
        const double took = (double)dc_mem_peak_bytes() - before;
        printf("# said %.0f, took %.0f bytes\n", said, took);
        CHECK(took <= said && said <= 1.5 * took + 1e5);
        dc_singular_release(&s);
        free_rows(&r);
    }
}

/* Columns that depend on each other, so many that what their tiles of rows leave takes tiles again: the memory is what
 * was said, and more than without. Called while the peak of the process is below it. */
static void test_dependent_bytes(void)
{
    enum { M = 90000, L = 40 };
    static double A[M * L];
    for (int64_t i = 0; i < M * L; i++) A[i] = (double)((uint64_t)i * UINT64_C(0x9e3779b97f4a7c15) >> 40);
    for (int64_t i = 0; i < M; i++) A[i * L + 3] = A[i * L];
    const double said = dc_orthonormalize_bytes(M, L), before = (double)dc_mem_current_bytes();
    CHECK((double)dc_mem_peak_bytes() < said);
    CHECK_OK(dc_orthonormalize(M, L, A));
    const double took = (double)dc_mem_peak_bytes() - before;
    printf("# dependent columns: said %.0f, took %.0f bytes\n", said, took);
    CHECK(took <= said + 4096 && said <= 1.01 * took);
}

static double gaussian(uint64_t seed, int64_t row, int64_t column)
{
    double v[4];
    dc_singular_gaussian(seed, row, column / 4, v);
    return v[column % 4];
}

/* A matrix of several tiles whose fourth column is `apart` from the sum of two others, and whose lengths differ; what
 * was its span still is. */
static void test_tiles(double apart)
{
    enum { M = 3333, L = 5 };
    static double A[M * L], first[M];
    for (int i = 0; i < M * L; i++) A[i] = gaussian(4, i / L, i % L);
    for (int i = 0; i < M; i++) A[i * L + 3] = apart * A[i * L + 3] + A[i * L] + A[i * L + 1];
    for (int i = 0; i < M * L; i++) A[i] *= i % L == 1 ? 1e-60 : i % L == 3 ? 1e60 : 1;
    for (int i = 0; i < M; i++) first[i] = A[i * L + 2];
    CHECK_OK(dc_orthonormalize(M, L, A));
    double in = 0, length = 0;
    for (int i = 0; i < M; i++) length += first[i] * first[i];
    for (int a = 0; a < L; a++) {
        double dot = 0;
        for (int b = 0; b <= a; b++) {
            double x = a == b ? -1 : 0;
            for (int i = 0; i < M; i++) x += A[i * L + a] * A[i * L + b];
            CHECK_NEAR(x, 0, 1e-13);
        }
        for (int i = 0; i < M; i++) dot += A[i * L + a] * first[i];
        in += dot * dot;
    }
    CHECK_NEAR(in / length, 1, 1e-12);
}

static void test_small_problems(void)
{
    enum { M = 50, L = 7 };
    double A[M * L], B[M * L], R[L * L], work[65 * L];
    CHECK(dc_qr_work(L) == 65 * L);
    for (int i = 0; i < M * L; i++) A[i] = gaussian(3, i / L, i % L);
    memcpy(B, A, sizeof A);
    dc_triangle(M, L, B, R, work);
    for (int a = 0; a < L; a++)
        for (int b = 0; b < L; b++) {
            double x = 0, y = 0;
            for (int i = 0; i < M; i++) x += A[i * L + a] * A[i * L + b];
            for (int i = 0; i < L; i++) y += R[i * L + a] * R[i * L + b];
            CHECK_NEAR(y, x, 1e-12 * M);
            if (b < a) CHECK(R[a * L + b] == 0);
        }
    dc_triangle(3, L, memcpy(B, A, sizeof A), R, work); /* fewer rows than columns */
    for (int i = 3 * L; i < L * L; i++) CHECK(R[i] == 0);
    for (int i = 0; i < M; i++) A[i * L + 4] = A[i * L + 1] - A[i * L + 2]; /* dependent */
    CHECK_OK(dc_orthonormalize(M, L, A));
    for (int a = 0; a < L; a++)
        for (int b = 0; b <= a; b++) {
            double x = a == b ? -1 : 0;
            for (int i = 0; i < M; i++) x += A[i * L + a] * A[i * L + b];
            CHECK_NEAR(x, 0, 1e-14);
        }
    for (int i = 0; i < 4; i++) test_tiles((const double[]){0, 1e-6, 1e-4, 1}[i]);
    double S[4] = {3, 0, 4, 5}, v[2];
    CHECK_OK(dc_right_singular(2, S, v));
    CHECK_NEAR(v[0], sqrt(45), 1e-12);
    CHECK_NEAR(v[1], sqrt(5), 1e-12);
    CHECK_NEAR(fabs(S[0] * S[2] + S[1] * S[3]), 0, 1e-14);
    S[2] = NAN;
    CHECK_STATUS(dc_right_singular(2, S, v), DC_ERR_NUMERIC);
    dc_error_clear();
}

int main(void)
{
    if (!folder_open()) return 1;
    test_bytes();
    test_dependent_bytes();
    test_against_all_eigenvectors();
    test_units();
    test_rank();
    test_small_problems();
    return folder_close();
}
