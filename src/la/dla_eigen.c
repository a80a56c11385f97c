/* Symmetric eigenproblems on a grid of ranks.
 *
 * ScaLAPACK reduces the matrix to tridiagonal form in one of its triangles and leaves the other one alone. So the
 * matrix need not be kept a second time for the residual: after the solution the diagonal, which was saved, is put back
 * and the other triangle is the matrix. That check is needed, because pdsyevr returns info = 0 even where its kernel
 * fails, and pdsyevx may lose the orthogonality of large clusters. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "la/dla_impl.h"
#include "la/scalapack_decl.h"

static const double TOLERANCE_F64 = 1e-8, TOLERANCE_F32 = 1e-3;
/* Components of a vector that are nearer to each other than this share are equal, for the sign rule. */
static const double EQUAL_F64 = 1e-6, EQUAL_F32 = 1e-3;

static const struct {
    scalapack_syevx *evx;
    scalapack_syevr *evr;
    scalapack_syevd *evd;
    scalapack_symm *symm;
    scalapack_gemm *gemm;
} routines[] = {
    [DC_F32] = {pssyevx_, pssyevr_, pssyevd_, pssymm_, psgemm_},
    [DC_F64] = {pdsyevx_, pdsyevr_, pdsyevd_, pdsymm_, pdgemm_},
};

typedef struct {
    const dc_dla_matrix *A;
    const dc_dla_want *want;
    dc_dla_driver driver;
    int64_t k, computed; /* vectors that are wanted, and that the driver computes */
    dc_gidx first;       /* of the computed vectors, the first that is wanted */
    char uplo[2];        /* the triangle that is destroyed */
    dc_dla_grid grid;
    dc_dla_blocks blocks, vectors;
    double *diagonal;
    void *values, *work; /* [N] and workspace, of the matrix's type */
    int *integers;
    double norm;
    int info, found;
} solver;

/* ---- ScaLAPACK --------------------------------------------------------------------------------------------------- */

static void call_driver(solver *s)
{
    const dc_dtype t = s->want->dtype;
    const int N = dc_int(s->blocks.N), one = 1;
    const int count = dc_int(s->computed), il = s->want->which == DC_DLA_LARGEST ? N - count + 1 : 1,
              iu = il + count - 1;
    const char *range = count == N ? "A" : "I";
    const dc_dla_plan shape = {.grid_rows = s->grid.rows, .grid_columns = s->grid.columns, .block = s->grid.block};
    const dc_dla_workspace w = dc_dla_workspace_of(s->driver, N, s->computed, &shape);
    const int lwork = dc_int(w.work), liwork = dc_int(w.integers);
    const dc_dla_scalar zero = dc_dla_number(t, 0), tiny = dc_dla_number(t, t == DC_F64 ? 2 * DBL_MIN : 2 * FLT_MIN);
    const dc_dla_scalar usual = dc_dla_number(t, -1);
    int found = N, vectors = N;
    if (s->driver == DC_DLA_EVX) {
        int *fail = s->integers + w.integers, *cluster = fail + N;
        void *gap = (char *)s->work + (size_t)w.work * dc_dtype_bytes(t);
        routines[t].evx("V", range, s->uplo, &N, s->blocks.data, &one, &one, s->blocks.desc, &zero, &zero, &il, &iu,
                        &tiny, &found, &vectors, s->values, &usual, s->vectors.data, &one, &one, s->vectors.desc,
                        s->work, &lwork, s->integers, &liwork, fail, cluster, gap, &s->info, 1, 1, 1);
    } else if (s->driver == DC_DLA_EVR) {
        routines[t].evr("V", range, s->uplo, &N, s->blocks.data, &one, &one, s->blocks.desc, &zero, &zero, &il, &iu,
                        &found, &vectors, s->values, s->vectors.data, &one, &one, s->vectors.desc, s->work, &lwork,
                        s->integers, &liwork, &s->info, 1, 1, 1);
    } else {
        routines[t].evd("V", s->uplo, &N, s->blocks.data, &one, &one, s->blocks.desc, s->values, s->vectors.data, &one,
                        &one, s->vectors.desc, s->work, &lwork, s->integers, &liwork, &s->info, 1, 1);
    }
    s->found = DC_MIN(found, vectors);
}

static dc_status take_workspace(solver *s, const dc_dla_plan *plan)
{
    dc_status st = DC_OK;
    const dc_gidx N = s->blocks.N;
    const size_t item = dc_dtype_bytes(s->want->dtype), ranks = (size_t)plan->grid_rows * (size_t)plan->grid_columns;
    const dc_dla_workspace w = dc_dla_workspace_of(s->driver, N, s->computed, plan);
    DC_TRY(dc_mem_alloc(&s->values, (size_t)N, item, "eigenvalues"));
    DC_TRY(dc_dla_blocks_create(&s->grid, N, s->computed, N, s->want->dtype, "eigenvectors", &s->vectors));
    if (!dc_dla_in_grid(&s->grid)) return DC_OK;
    DC_TRY(dc_mem_alloc_raw(&s->work, (size_t)w.work + ranks, item, "workspace of ScaLAPACK"));
    DC_TRY(dc_mem_alloc(&s->integers, (size_t)(w.integers + N) + 2 * ranks + 1, sizeof(int), "workspace of ScaLAPACK"));
out:
    return st;
}

static dc_status take_matrix(solver *s)
{
    dc_status st = DC_OK;
    const dc_gidx N = s->A->part->N;
    const dc_dtype t = s->want->dtype;
    DC_TRY(dc_dla_blocks_create(&s->grid, N, N, N, t, "blocks of a matrix", &s->blocks));
    DC_TRY(dc_mem_alloc(&s->diagonal, (size_t)DC_MIN(s->blocks.rows, s->blocks.columns), sizeof(double), "diagonal"));
out:
    return st;
}

static void release(dc_comm *comm, solver *s)
{
    dc_dla_blocks_release(&s->blocks);
    dc_dla_blocks_release(&s->vectors);
    dc_mem_free(&s->diagonal);
    dc_mem_free(&s->values);
    dc_mem_free(&s->work);
    dc_mem_free(&s->integers);
    dc_dla_grid_close(comm, &s->grid);
}

/* ---- Self-checks ------------------------------------------------------------------------------------------------- */

/* Sets r = A z - z diag(values) and products = Z'z for vectors [first, first+count) of the wanted ones. */
static void multiply(const solver *s, int64_t first, const dc_dla_blocks *values, dc_dla_blocks *r,
                     dc_dla_blocks *products)
{
    const dc_dtype t = s->want->dtype;
    const int N = dc_int(s->blocks.N), k = dc_int(s->k), count = dc_int(r->N), one = 1;
    const int all = dc_int(s->first) + 1, at = all + dc_int(first);
    const dc_dla_scalar plus = dc_dla_number(t, 1), minus = dc_dla_number(t, -1), zero = dc_dla_number(t, 0);
    routines[t].symm("L", s->uplo[0] == 'L' ? "U" : "L", &N, &count, &plus, s->blocks.data, &one, &one, s->blocks.desc,
                     s->vectors.data, &one, &at, s->vectors.desc, &zero, r->data, &one, &one, r->desc, 1, 1);
    routines[t].gemm("N", "N", &N, &count, &count, &minus, s->vectors.data, &one, &at, s->vectors.desc, values->data,
                     &one, &one, values->desc, &plus, r->data, &one, &one, r->desc, 1, 1);
    routines[t].gemm("T", "N", &k, &count, &N, &plus, s->vectors.data, &one, &all, s->vectors.desc, s->vectors.data,
                     &one, &at, s->vectors.desc, &zero, products->data, &one, &one, products->desc, 1, 1);
}

static double value_of(const solver *s, int64_t j)
{
    return s->want->dtype == DC_F64 ? ((const double *)s->values)[j] : (double)((const float *)s->values)[j];
}

/* Puts the largest error of orthogonality into check[0], and sums of squares into squares[count]. */
static void judge(const solver *s, int64_t first, const dc_dla_blocks *r, const dc_dla_blocks *products, double *check,
                  double *squares)
{
    const dc_dla_grid *g = &s->grid;
    for (int64_t j = 0; j < products->columns; j++) {
        const dc_gidx column = dc_dla_global(j, g->block, g->column, g->columns);
        for (int64_t i = 0; i < products->rows; i++) {
            const dc_gidx row = dc_dla_global(i, g->block, g->row, g->rows);
            const double error = fabs(dc_dla_get(products, j * products->ld + i) - (row == first + column));
            if (!(error <= check[0])) check[0] = isnan(error) ? INFINITY : error;
        }
        for (int64_t i = 0; i < r->rows; i++) {
            const double x = dc_dla_get(r, j * r->ld + i);
            squares[column] += x * x;
        }
    }
}

static dc_status check_some(dc_comm *comm, const solver *s, int64_t first, int64_t count, dc_dla_eigen *out)
{
    dc_status st = DC_OK;
    const dc_dtype t = s->want->dtype;
    dc_dla_blocks values = {0}, r = {0}, products = {0};
    double check[1] = {0}, squares[DC_DLA_CHECKED] = {0};
    DC_TRY_ALL(comm, dc_dla_blocks_create(&s->grid, count, count, count, t, "eigenvalues", &values));
    DC_TRY_ALL(comm, dc_dla_blocks_create(&s->grid, s->blocks.N, count, count, t, "residuals", &r));
    DC_TRY_ALL(comm, dc_dla_blocks_create(&s->grid, s->k, count, count, t, "products", &products));
    if (dc_dla_in_grid(&s->grid)) {
        double wanted[DC_DLA_CHECKED];
        int64_t held = 0;
        for (int64_t j = 0; j < values.columns; j++) {
            const dc_gidx column = dc_dla_global(j, s->grid.block, s->grid.column, s->grid.columns);
            if ((column / s->grid.block) % s->grid.rows == s->grid.row)
                wanted[held++] = value_of(s, s->first + first + column);
        }
        dc_dla_diagonal(&s->grid, &values, wanted, true);
        multiply(s, first, &values, &r, &products);
        judge(s, first, &r, &products, check, squares);
    }
    dc_comm_max_f64(comm, check, 1);
    dc_comm_sum_f64(comm, squares, DC_DLA_CHECKED);
    out->orthogonality = fmax(out->orthogonality, check[0]);
    for (int64_t j = 0; j < count; j++) {
        const double error = s->norm > 0 ? sqrt(squares[j]) / s->norm : sqrt(squares[j]);
        out->residual = fmax(out->residual, isnan(error) ? INFINITY : error);
    }
out:
    dc_dla_blocks_release(&values);
    dc_dla_blocks_release(&r);
    dc_dla_blocks_release(&products);
    return st;
}

static dc_status check_pairs(dc_comm *comm, solver *s, dc_dla_eigen *out)
{
    dc_status st = DC_OK;
    const int64_t count = DC_MIN(s->k, (int64_t)DC_DLA_CHECKED);
    dc_dla_diagonal(&s->grid, &s->blocks, s->diagonal, true);
    DC_TRY(check_some(comm, s, 0, count, out));
    if (s->k > count) DC_TRY(check_some(comm, s, s->k - count, count, out));
out:
    return st;
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

static void reverse(double *x, int64_t k)
{
    for (int64_t j = 0; j < k / 2; j++) {
        const double other = x[k - 1 - j];
        x[k - 1 - j] = x[j];
        x[j] = other;
    }
}

/* The first row of column j of vectors[n x k] whose magnitude is `most` up to the share `equal`; n if there is none. */
static int64_t row_of_most(const double *vectors, int64_t n, int64_t k, int64_t j, double most, double equal)
{
    int64_t i = 0;
    while (i < n && fabs(vectors[i * k + j]) < most * (1 - equal)) i++;
    return i;
}

/* The sign rule of dla.h for the columns of vectors[n x k]. Collective. Errors: DC_ERR_MEMORY. */
static dc_status set_signs(dc_comm *comm, const dc_part *part, int64_t k, double equal, double *vectors)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(part);
    double *most = NULL, *sign = NULL;
    int64_t *row = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&most, (size_t)k, sizeof *most, "signs"));
    DC_TRY_ALL(comm, dc_mem_alloc(&sign, (size_t)k, sizeof *sign, "signs"));
    DC_TRY_ALL(comm, dc_mem_alloc(&row, (size_t)k, sizeof *row, "signs"));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++) most[j] = fmax(most[j], fabs(vectors[i * k + j]));
    dc_comm_max_f64(comm, most, (size_t)k);
    for (int64_t j = 0; j < k; j++) {
        const int64_t i = row_of_most(vectors, n, k, j, most[j], equal);
        row[j] = i < n ? part->row_lo + i : INT64_MAX;
    }
    dc_comm_min_i64(comm, row, (size_t)k);
    for (int64_t j = 0; j < k; j++) {
        const bool own = row[j] >= part->row_lo && row[j] < part->row_hi;
        sign[j] = own && vectors[(row[j] - part->row_lo) * k + j] < 0 ? -1 : 0;
    }
    dc_comm_sum_f64(comm, sign, (size_t)k);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++)
            if (sign[j] < 0) vectors[i * k + j] = -vectors[i * k + j];
out:
    dc_mem_free(&most);
    dc_mem_free(&sign);
    dc_mem_free(&row);
    return st;
}

static dc_status hand_out(dc_comm *comm, solver *s, dc_dla_eigen *out)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(s->A->part), k = s->k;
    const bool descending = s->want->which == DC_DLA_LARGEST;
    DC_TRY_ALL(comm, dc_mem_alloc(&out->vectors, dc_mul_size((size_t)n, (size_t)k), sizeof(double), "eigenvectors"));
    DC_TRY(dc_dla_collect(comm, &s->grid, &s->vectors, s->first, k, out->vectors));
    if (descending) {
        reverse(out->values, k);
        for (int64_t i = 0; i < n; i++) reverse(out->vectors + i * k, k);
    }
    DC_TRY(set_signs(comm, s->A->part, k, s->want->dtype == DC_F64 ? EQUAL_F64 : EQUAL_F32, out->vectors));
out:
    return st;
}

/* ---- Attempts ---------------------------------------------------------------------------------------------------- */

/* *trouble: what a driver that failed says, "" if all is well; equal on all ranks. */
static void judge_attempt(dc_comm *comm, const solver *s, char *trouble, size_t cap)
{
    int64_t bad[2] = {0, 0};
    if (dc_dla_in_grid(&s->grid)) {
        bad[0] = s->info < 0 ? -(int64_t)s->info : s->info;
        bad[1] = s->computed - DC_MIN((int64_t)s->found, s->computed);
    }
    dc_comm_max_i64(comm, bad, 2);
    trouble[0] = '\0';
    if (bad[0] > 0)
        snprintf(trouble, cap, "info = %lld", (long long)bad[0]);
    else if (bad[1] > 0)
        snprintf(trouble, cap, "%lld of %lld eigenpairs are missing", (long long)bad[1], (long long)s->computed);
}

static void judge_quality(const solver *s, const dc_dla_eigen *e, char *trouble, size_t cap)
{
    const double most = s->want->dtype == DC_F64 ? TOLERANCE_F64 : TOLERANCE_F32;
    if (e->orthogonality > most || e->residual > most)
        snprintf(trouble, cap, "orthogonality %.3g and residual %.3g", e->orthogonality, e->residual);
}

static dc_status build(dc_comm *comm, solver *s, dc_dla_eigen *out)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, take_matrix(s));
    DC_TRY(dc_dla_build(comm, &s->grid, s->A, &s->blocks, out->degree));
    DC_TRY(dc_dla_norm1(comm, &s->grid, &s->blocks, &s->norm));
    dc_dla_diagonal(&s->grid, &s->blocks, s->diagonal, false);
out:
    return st;
}

/* Values are those of rank 0, which is always in the grid. */
static dc_status solve(dc_comm *comm, solver *s, const dc_dla_plan *plan, dc_dla_eigen *out)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, take_workspace(s, plan));
    dc_dla_lives(dc_dla_patience(plan, out->flop));
    if (dc_dla_in_grid(&s->grid)) call_driver(s);
    dc_comm_barrier(comm);
    dc_dla_lives_end();
    dc_mem_free(&s->work);
    dc_mem_free(&s->integers);
    for (int64_t j = 0; j < s->k; j++) out->values[j] = value_of(s, s->first + j);
    dc_comm_bcast(comm, out->values, (size_t)s->k * sizeof *out->values, 0);
out:
    return st;
}

static dc_status attempt(dc_comm *comm, const dc_dla_matrix *A, const dc_dla_want *want, const dc_dla_plan *plan,
                         char *trouble, size_t cap, dc_dla_eigen *out)
{
    dc_status st = DC_OK;
    const dc_gidx N = A->part->N;
    solver s = {.A = A, .want = want, .driver = plan->driver, .k = out->k};
    s.computed = dc_dla_computed(plan->driver, N, s.k, plan->block);
    if (want->which == DC_DLA_LARGEST) s.first = s.computed - s.k;
    s.uplo[0] = dc_dla_triangle(N, plan);
    out->plan = *plan;
    out->orthogonality = out->residual = 0;
    const double began = dc_clock_now_s();
    DC_TRY(dc_dla_grid_open(comm, plan, A->part, &s.grid));
    DC_TRY(build(comm, &s, out));
    const double built = dc_clock_now_s();
    DC_TRY(solve(comm, &s, plan, out));
    const double solved = dc_clock_now_s();
    judge_attempt(comm, &s, trouble, cap);
    if (trouble[0]) goto out;
    DC_TRY(check_pairs(comm, &s, out));
    judge_quality(&s, out, trouble, cap);
    dc_dla_blocks_release(&s.blocks);
    if (!trouble[0]) DC_TRY(hand_out(comm, &s, out));
    out->build_s = built - began;
    out->solve_s = solved - built;
    out->move_s = dc_clock_now_s() - solved;
out:
    release(comm, &s);
    return st;
}

static dc_status take_results(const dc_dla_matrix *A, dc_dla_eigen *out)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&out->values, (size_t)out->k, sizeof *out->values, "eigenvalues"));
    if (A->laplacian) DC_TRY(dc_mem_alloc(&out->degree, (size_t)dc_part_rows(A->part), sizeof *out->degree, "degrees"));
out:
    return st;
}

/* The driver to try after `count` others have failed; the first is the plan's. In the order of their memory, because
 * the caller has room for the first. */
static dc_dla_driver next_driver(dc_dla_driver first, int count)
{
    static const dc_dla_driver all[] = {DC_DLA_EVR, DC_DLA_EVX, DC_DLA_EVD};
    if (count == 0) return first;
    for (size_t i = 0; i < DC_COUNT_OF(all); i++)
        if (all[i] != first && count-- == 1) return all[i];
    return first;
}

dc_status dc_dla_eigen_solve(dc_comm *comm, const dc_dla_matrix *A, const dc_dla_want *want, dc_dla_eigen *out)
{
    dc_status st = DC_OK;
    dc_dla_size size;
    dc_dla_plan plan;
    char trouble[128] = "?";
    const int attempts = want->driver == DC_DLA_AUTO ? 3 : 1;
    *out = (dc_dla_eigen){.k = want->which == DC_DLA_ALL ? A->part->N : want->k};
    DC_TRY_ALL(comm, dc_dla_size_of(A, DC_DLA_EIGEN, want->dtype, &size));
    size.want = *want;
    DC_TRY_ALL(comm, dc_dla_plan_make(&size, dc_comm_size(comm), &plan));
    DC_TRY_ALL(comm, take_results(A, out));
    const double N = (double)size.N;
    out->flop = 4.0 / 3 * N * N * N + 2 * N * N * (double)out->k;
    const dc_dla_driver first = plan.driver;
    for (int tried = 0; trouble[0] && tried < attempts; tried++) {
        size.want.driver = next_driver(first, tried);
        if (tried > 0)
            dc_log_warning("%s failed (%s); trying %s", dc_dla_driver_name(plan.driver), trouble,
                           dc_dla_driver_name(size.want.driver));
        DC_TRY_ALL(comm, dc_dla_plan_make(&size, dc_comm_size(comm), &plan));
        DC_TRY(attempt(comm, A, want, &plan, trouble, sizeof trouble, out));
    }
    if (trouble[0])
        st = DC_FAIL(DC_ERR_NUMERIC, "%s found no eigenpairs of a matrix of order %lld: %s",
                     dc_dla_driver_name(plan.driver), (long long)size.N, trouble);
out:
    if (st != DC_OK) dc_dla_eigen_release(out);
    return st;
}

void dc_dla_eigen_release(dc_dla_eigen *e)
{
    dc_mem_free(&e->values);
    dc_mem_free(&e->vectors);
    dc_mem_free(&e->degree);
}
