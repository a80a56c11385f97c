/* Positive definite systems on a grid of ranks, by Cholesky's factorisation in the lower triangle. The upper one keeps
 * the matrix, for the residual (dla_eigen.c does the same). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "la/dla_impl.h"
#include "la/scalapack_decl.h"

static const struct {
    scalapack_potrf *potrf;
    scalapack_potrs *potrs;
    scalapack_pocon *pocon;
    scalapack_symm *symm;
} routines[] = {
    [DC_F32] = {pspotrf_, pspotrs_, pspocon_, pssymm_},
    [DC_F64] = {pdpotrf_, pdpotrs_, pdpocon_, pdsymm_},
};

typedef struct {
    dc_dla_grid grid;
    dc_dla_blocks blocks, sides, residual;
    double *diagonal;
    double norm;
} factored;

static void release(dc_comm *comm, factored *s)
{
    dc_dla_blocks_release(&s->blocks);
    dc_dla_blocks_release(&s->sides);
    dc_dla_blocks_release(&s->residual);
    dc_mem_free(&s->diagonal);
    dc_dla_grid_close(comm, &s->grid);
}

static dc_status take_matrix(factored *s, dc_gidx N, dc_dtype dtype)
{
    dc_status st = DC_OK;
    DC_TRY(dc_dla_blocks_create(&s->grid, N, N, N, dtype, "blocks of a matrix", &s->blocks));
    DC_TRY(dc_mem_alloc(&s->diagonal, (size_t)DC_MIN(s->blocks.rows, s->blocks.columns), sizeof(double), "diagonal"));
out:
    return st;
}

/* Builds A and factors it. */
static dc_status factor(dc_comm *comm, const dc_dla_matrix *A, dc_dtype dtype, const dc_dla_plan *plan, factored *s)
{
    dc_status st = DC_OK;
    const int one = 1, N = dc_int(A->part->N);
    int info = 0;
    int64_t minor = 0;
    DC_TRY(dc_dla_grid_open(comm, plan, A->part, &s->grid));
    DC_TRY_ALL(comm, take_matrix(s, N, dtype));
    DC_TRY(dc_dla_build(comm, &s->grid, A, &s->blocks, NULL));
    DC_TRY(dc_dla_norm1(comm, &s->grid, &s->blocks, &s->norm));
    dc_dla_diagonal(&s->grid, &s->blocks, s->diagonal, false);
    dc_dla_lives(dc_dla_patience(plan, (double)N * N * N / 3));
    if (dc_dla_in_grid(&s->grid)) routines[dtype].potrf("L", &N, s->blocks.data, &one, &one, s->blocks.desc, &info, 1);
    dc_comm_barrier(comm);
    dc_dla_lives_end();
    minor = info < 0 ? INT64_MAX : info;
    dc_comm_max_i64(comm, &minor, 1);
    DC_ASSERT(minor != INT64_MAX);
    if (minor > 0)
        st = DC_FAIL(DC_ERR_NUMERIC,
                     "a matrix of order %d is not positive definite: its leading minor of order %lld is not", N,
                     (long long)minor);
out:
    return st;
}

/* *out: estimate of |A| |A^-1| from the factor; INFINITY if it is singular. */
static dc_status estimate_condition(dc_comm *comm, const factored *s, double *out)
{
    dc_status st = DC_OK;
    const dc_dtype t = s->blocks.dtype;
    const dc_dla_grid *g = &s->grid;
    const int one = 1, N = dc_int(s->blocks.N);
    const int64_t need = 4 * (s->blocks.rows + s->blocks.columns) + 2 * g->block * (g->rows + g->columns + 2);
    const int lwork = dc_int(need), liwork = dc_int(s->blocks.rows + g->block);
    const dc_dla_scalar norm = dc_dla_number(t, s->norm);
    dc_dla_scalar reciprocal = dc_dla_number(t, 0);
    void *work = NULL;
    int *integers = NULL, info = 0;
    *out = 0;
    DC_TRY_ALL(comm, dc_mem_alloc(&work, (size_t)need, dc_dtype_bytes(t), "workspace of ScaLAPACK"));
    DC_TRY_ALL(comm, dc_mem_alloc(&integers, (size_t)liwork, sizeof(int), "workspace of ScaLAPACK"));
    if (dc_dla_in_grid(g)) {
        routines[t].pocon("L", &N, s->blocks.data, &one, &one, s->blocks.desc, &norm, &reciprocal, work, &lwork,
                          integers, &liwork, &info, 1);
        DC_ASSERT(info == 0);
        *out = 1 / (t == DC_F64 ? reciprocal.f64 : (double)reciprocal.f32);
    }
    dc_comm_max_f64(comm, out, 1);
out:
    dc_mem_free(&work);
    dc_mem_free(&integers);
    return st;
}

static dc_status check_condition(const factored *s, double condition)
{
    const double eps = s->blocks.dtype == DC_F64 ? DBL_EPSILON : (double)FLT_EPSILON;
    const double most = 1 / (eps * (double)s->blocks.N);
    if (condition <= most) return DC_OK;
    return DC_FAIL(DC_ERR_NUMERIC, "a matrix of order %lld is singular to working precision: condition %.3g",
                   (long long)s->blocks.N, condition);
}

static void add_squares(const dc_dla_blocks *b, double *sum)
{
    for (int64_t j = 0; j < b->columns; j++)
        for (int64_t i = 0; i < b->rows; i++) sum[0] += dc_dla_get(b, j * b->ld + i) * dc_dla_get(b, j * b->ld + i);
}

/* Solves for the right-hand sides in s->sides; B[n x m] is read again for the residual. */
static dc_status substitute(dc_comm *comm, factored *s, int64_t m, const double *B, double *residual)
{
    dc_status st = DC_OK;
    const dc_dtype t = s->blocks.dtype;
    const int one = 1, N = dc_int(s->blocks.N), sides = dc_int(m);
    const dc_dla_scalar plus = dc_dla_number(t, 1), minus = dc_dla_number(t, -1);
    double sums[2] = {0, 0};
    int info = 0;
    if (dc_dla_in_grid(&s->grid))
        routines[t].potrs("L", &N, &sides, s->blocks.data, &one, &one, s->blocks.desc, s->sides.data, &one, &one,
                          s->sides.desc, &info, 1);
    DC_ASSERT(info == 0);
    DC_TRY(dc_dla_scatter(comm, &s->grid, B, &s->residual));
    dc_dla_diagonal(&s->grid, &s->blocks, s->diagonal, true);
    if (dc_dla_in_grid(&s->grid)) {
        routines[t].symm("L", "U", &N, &sides, &minus, s->blocks.data, &one, &one, s->blocks.desc, s->sides.data, &one,
                         &one, s->sides.desc, &plus, s->residual.data, &one, &one, s->residual.desc, 1, 1);
        add_squares(&s->residual, &sums[0]);
        add_squares(&s->sides, &sums[1]);
    }
    dc_comm_sum_f64(comm, sums, 2);
    *residual = sums[1] > 0 ? sqrt(sums[0] / sums[1]) / s->norm : 0;
out:
    return st;
}

static dc_status take_sides(factored *s, int64_t m)
{
    dc_status st = DC_OK;
    const dc_dtype t = s->blocks.dtype;
    DC_TRY(dc_dla_blocks_create(&s->grid, s->blocks.N, m, m, t, "right-hand sides", &s->sides));
    DC_TRY(dc_dla_blocks_create(&s->grid, s->blocks.N, m, m, t, "residuals", &s->residual));
out:
    return st;
}

static dc_status check_sides(dc_comm *comm, const dc_dla_blocks *b)
{
    int64_t bad = 0;
    for (int64_t j = 0; j < b->columns; j++)
        for (int64_t i = 0; i < b->rows; i++) bad += !isfinite(dc_dla_get(b, j * b->ld + i));
    dc_comm_sum_i64(comm, &bad, 1);
    if (bad == 0) return DC_OK;
    return DC_FAIL(DC_ERR_NUMERIC, "%lld elements of the right-hand sides are not finite", (long long)bad);
}

dc_status dc_dla_solve(dc_comm *comm, const dc_dla_matrix *A, dc_dtype dtype, int64_t m, double *B,
                       dc_dla_solution *out)
{
    factored s = {0};
    dc_status st = DC_OK;
    dc_dla_size size;
    *out = (dc_dla_solution){0};
    DC_TRY_ALL(comm, dc_dla_size_of(A, DC_DLA_SOLVE, dtype, &size));
    size.k = m;
    DC_TRY_ALL(comm, dc_dla_plan_make(&size, dc_comm_size(comm), &out->plan));
    DC_TRY(factor(comm, A, dtype, &out->plan, &s));
    DC_TRY(estimate_condition(comm, &s, &out->condition));
    DC_TRY(check_condition(&s, out->condition));
    DC_TRY_ALL(comm, take_sides(&s, m));
    DC_TRY(dc_dla_scatter(comm, &s.grid, B, &s.sides));
    DC_TRY(check_sides(comm, &s.sides));
    DC_TRY(substitute(comm, &s, m, B, &out->residual));
    DC_TRY(dc_dla_collect(comm, &s.grid, &s.sides, 0, m, B));
out:
    release(comm, &s);
    return st;
}

static void clear_upper(const dc_dla_grid *g, dc_dla_blocks *b)
{
    for (int64_t j = 0; j < b->columns; j++) {
        const dc_gidx column = dc_dla_global(j, g->block, g->column, g->columns);
        const int64_t above = dc_dla_count(column, g->block, g->row, g->rows);
        for (int64_t i = 0; i < above; i++) dc_dla_set(b, j * b->ld + i, 0);
    }
}

dc_status dc_dla_cholesky(dc_comm *comm, const dc_dla_matrix *A, dc_dtype dtype, double *L)
{
    factored s = {0};
    dc_status st = DC_OK;
    dc_dla_size size;
    dc_dla_plan plan;
    DC_TRY_ALL(comm, dc_dla_size_of(A, DC_DLA_CHOLESKY, dtype, &size));
    DC_TRY_ALL(comm, dc_dla_plan_make(&size, dc_comm_size(comm), &plan));
    DC_TRY(factor(comm, A, dtype, &plan, &s));
    clear_upper(&s.grid, &s.blocks);
    DC_TRY(dc_dla_collect(comm, &s.grid, &s.blocks, 0, size.N, L));
out:
    release(comm, &s);
    return st;
}
