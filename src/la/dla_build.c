/* Builds block-cyclic matrices where they are needed.
 *
 * Rows of X go around in chunks: their owner broadcasts a chunk, and every rank of the grid computes from it what its
 * blocks need. A rank thus sees all of X once (Gram matrix) or twice (affinities: first it keeps the rows of its
 * columns), but holds only the share of a column of the grid. A broadcast of N d floats is nothing beside the N^3
 * operations that follow. Rows of the matrix itself travel in windows (dla_move.c). */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/wish.h"
#include "la/dla_impl.h"
#include "la/scalapack_decl.h"

/* ---- Rows that go around ----------------------------------------------------------------------------------------- */

typedef void visit_chunk(void *ctx, dc_gidx first, int64_t n, const float *chunk);

static void read_rows(const dc_rows *X, int64_t lo, int64_t n, float *out)
{
    enum { ROWS = 64 };
    if (X->X) {
        memcpy(out, X->X + lo * X->d, (size_t)(n * X->d) * sizeof *out);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += ROWS) X->rows(X->ctx, lo + at, DC_MIN(n - at, (int64_t)ROWS), out + at * X->d);
}

/* Calls `visit` on every rank for all rows of X, in order. Collective. Errors: DC_STOPPED. */
static dc_status go_around(dc_comm *comm, const dc_rows *X, float *chunk, visit_chunk *visit, void *ctx)
{
    dc_status st = DC_OK;
    const int64_t most = dc_dla_stream_rows(X->d);
    for (int owner = 0; owner < X->part->P; owner++) {
        const dc_gidx begin = dc_part_rank_begin(X->part, owner);
        const dc_gidx end = dc_part_rank_begin(X->part, owner + 1);
        for (dc_gidx first = begin; first < end; first += most) {
            const int64_t n = DC_MIN(most, end - first);
            if (owner == X->part->rank) read_rows(X, first - begin, n, chunk);
            dc_comm_bcast(comm, chunk, (size_t)(n * X->d) * sizeof *chunk, owner);
            visit(ctx, first, n, chunk);
            DC_TRY(dc_wish_poll_stop(comm));
        }
    }
out:
    return st;
}

/* ---- Affinities -------------------------------------------------------------------------------------------------- */

typedef struct {
    const dc_dla_grid *grid;
    const dc_dla_matrix *A;
    dc_dla_blocks *blocks;
    float *chunk;   /* [rows of a chunk x d] */
    float *columns; /* [blocks->columns x d] rows of X that belong to this rank's columns */
    double *norm;   /* [blocks->columns] */
    double *rows;   /* [.. x d] rows of a chunk that belong to this rank's rows */
    double *row_norm;
    dc_gidx *number; /* of these rows */
    double *tile;    /* per thread: [DC_DLA_TILE x d] */
    double *product; /* per thread: [DC_DLA_TILE x rows] */
} filler;

static double norm_of(const float *x, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++) sum += (double)x[j] * (double)x[j];
    return sum;
}

static void keep_columns(void *ctx, dc_gidx first, int64_t n, const float *chunk)
{
    filler *f = ctx;
    const dc_dla_grid *g = f->grid;
    const int64_t d = f->A->X->d;
    if (!dc_dla_in_grid(g)) return;
    const int64_t begin = dc_dla_count(first, g->block, g->column, g->columns);
    const int64_t end = dc_dla_count(first + n, g->block, g->column, g->columns);
    for (int64_t j = begin; j < end; j++) {
        const float *x = chunk + (dc_dla_global(j, g->block, g->column, g->columns) - first) * d;
        memcpy(f->columns + j * d, x, (size_t)d * sizeof *x);
        f->norm[j] = norm_of(x, d);
    }
}

/* Elements of m rows, the first of which is local row `begin`, and columns [lo, hi). */
static void fill_tile(const filler *f, int64_t begin, int64_t m, int64_t lo, int64_t hi)
{
    const dc_dla_grid *g = f->grid;
    const int64_t d = f->A->X->d, tall = dc_dla_stream_rows(d);
    double *tile = f->tile + omp_get_thread_num() * DC_DLA_TILE * d;
    double *product = f->product + omp_get_thread_num() * DC_DLA_TILE * tall;
    const int m_int = dc_int(m), n_int = dc_int(hi - lo), d_int = dc_int(d);
    const double one = 1, zero = 0;
    for (int64_t at = 0; at < (hi - lo) * d; at++) tile[at] = (double)f->columns[lo * d + at];
    dgemm_("T", "N", &m_int, &n_int, &d_int, &one, f->rows, &d_int, tile, &d_int, &zero, product, &m_int, 1, 1);
    for (int64_t j = lo; j < hi; j++) {
        const dc_gidx column = dc_dla_global(j, g->block, g->column, g->columns);
        double *w = product + (j - lo) * m;
        for (int64_t i = 0; i < m; i++) {
            w[i] = f->row_norm[i] + f->norm[j] - 2 * w[i];
            if (w[i] < 0 || f->number[i] == column) w[i] = 0; /* NaN stays */
        }
        f->A->affinity(f->A->ctx, column, m, f->number, w);
        for (int64_t i = 0; i < m; i++) dc_dla_set(f->blocks, j * f->blocks->ld + begin + i, w[i]);
    }
}

static void fill_rows(void *ctx, dc_gidx first, int64_t n, const float *chunk)
{
    filler *f = ctx;
    const dc_dla_grid *g = f->grid;
    const int64_t d = f->A->X->d;
    if (!dc_dla_in_grid(g)) return;
    const int64_t begin = dc_dla_count(first, g->block, g->row, g->rows);
    const int64_t m = dc_dla_count(first + n, g->block, g->row, g->rows) - begin;
    if (m == 0) return;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m; i++) {
        f->number[i] = dc_dla_global(begin + i, g->block, g->row, g->rows);
        const float *x = chunk + (f->number[i] - first) * d;
        for (int64_t j = 0; j < d; j++) f->rows[i * d + j] = (double)x[j];
        f->row_norm[i] = norm_of(x, d);
    }
#pragma omp parallel for schedule(dynamic)
    for (int64_t lo = 0; lo < f->blocks->columns; lo += DC_DLA_TILE)
        fill_tile(f, begin, m, lo, DC_MIN(lo + DC_DLA_TILE, f->blocks->columns));
}

static dc_status take_filler(filler *f)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)f->A->X->d, tall = (size_t)dc_dla_stream_rows(f->A->X->d);
    const size_t threads = (size_t)omp_get_max_threads(), columns = (size_t)f->blocks->columns;
    DC_TRY(dc_mem_alloc_raw(&f->chunk, tall * d, sizeof *f->chunk, "rows that go around"));
    if (!dc_dla_in_grid(f->grid)) return DC_OK;
    DC_TRY(dc_mem_alloc_raw(&f->columns, dc_mul_size(columns, d), sizeof *f->columns, "rows of a column of ranks"));
    DC_TRY(dc_mem_alloc(&f->norm, columns, sizeof *f->norm, "lengths of rows"));
    DC_TRY(dc_mem_alloc_raw(&f->rows, tall * d, sizeof *f->rows, "rows that go around"));
    DC_TRY(dc_mem_alloc(&f->row_norm, tall, sizeof *f->row_norm, "lengths of rows"));
    DC_TRY(dc_mem_alloc(&f->number, tall, sizeof *f->number, "numbers of rows"));
    DC_TRY(dc_mem_alloc_raw(&f->tile, threads * DC_DLA_TILE * d, sizeof *f->tile, "tile of rows"));
    DC_TRY(dc_mem_alloc_raw(&f->product, threads * DC_DLA_TILE * tall, sizeof *f->product, "products of rows"));
out:
    return st;
}

static void release_filler(filler *f)
{
    dc_mem_free(&f->chunk);
    dc_mem_free(&f->columns);
    dc_mem_free(&f->norm);
    dc_mem_free(&f->rows);
    dc_mem_free(&f->row_norm);
    dc_mem_free(&f->number);
    dc_mem_free(&f->tile);
    dc_mem_free(&f->product);
}

static dc_status build_affinity(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_matrix *A, dc_dla_blocks *blocks)
{
    filler f = {.grid = grid, .A = A, .blocks = blocks};
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, take_filler(&f));
    DC_TRY(go_around(comm, A->X, f.chunk, keep_columns, &f));
    DC_TRY(go_around(comm, A->X, f.chunk, fill_rows, &f));
out:
    release_filler(&f);
    return st;
}

void dc_dla_gauss(const void *ctx, dc_gidx i, int64_t n, const dc_gidx *columns, double *w)
{
    const dc_dla_gauss_scale *s = ctx;
    for (int64_t j = 0; j < n; j++) {
        const double width = s->scales ? 2 * s->scales[i] * s->scales[columns[j]] : 2 * s->scale * s->scale;
        w[j] = columns[j] == i ? 0 : w[j] == 0 ? 1 : width > 0 ? exp(-w[j] / width) : isnan(width) ? NAN : 0;
    }
}

/* ---- Gram matrices ----------------------------------------------------------------------------------------------- */

typedef struct {
    const dc_dla_grid *grid;
    dc_dla_blocks *blocks;
    int64_t d;
    float *chunk;
    void *rows, *columns; /* [rows of a chunk x blocks->rows] and x blocks->columns, in the matrix's type */
} summer;

/* The columns of a chunk that place `at` of `places` holds, packed. */
static void pack_columns(const summer *s, int64_t n, const float *chunk, int64_t count, int at, int places, void *out)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < count; j++) {
            const float x = chunk[i * s->d + dc_dla_global(j, s->grid->block, at, places)];
            if (s->blocks->dtype == DC_F64)
                ((double *)out)[i * count + j] = (double)x;
            else
                ((float *)out)[i * count + j] = x;
        }
}

static void add_products(void *ctx, dc_gidx first, int64_t n, const float *chunk)
{
    summer *s = ctx;
    (void)first;
    dc_dla_blocks *b = s->blocks;
    const int rows = dc_int(b->rows), columns = dc_int(b->columns), k = dc_int(n), ld = dc_int(b->ld);
    const double one = 1;
    const float one_float = 1;
    if (rows == 0 || columns == 0) return;
    pack_columns(s, n, chunk, b->rows, s->grid->row, s->grid->rows, s->rows);
    pack_columns(s, n, chunk, b->columns, s->grid->column, s->grid->columns, s->columns);
    const bool is_double = b->dtype == DC_F64;
    const void *alpha = is_double ? (const void *)&one : &one_float;
    (is_double ? dgemm_ : sgemm_)("N", "T", &rows, &columns, &k, alpha, s->rows, &rows, s->columns, &columns, alpha,
                                  b->data, &ld, 1, 1);
}

static dc_status take_summer(summer *s)
{
    dc_status st = DC_OK;
    const size_t tall = (size_t)dc_dla_stream_rows(s->d), item = dc_dtype_bytes(s->blocks->dtype);
    DC_TRY(dc_mem_alloc_raw(&s->chunk, tall * (size_t)s->d, sizeof *s->chunk, "rows that go around"));
    DC_TRY(dc_mem_alloc_raw(&s->rows, tall * (size_t)s->blocks->rows, item, "columns of rows"));
    DC_TRY(dc_mem_alloc_raw(&s->columns, tall * (size_t)s->blocks->columns, item, "columns of rows"));
out:
    return st;
}

static dc_status build_gram(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_matrix *A, dc_dla_blocks *blocks)
{
    summer s = {.grid = grid, .blocks = blocks, .d = A->X->d};
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, take_summer(&s));
    DC_TRY(go_around(comm, A->X, s.chunk, add_products, &s));
out:
    dc_mem_free(&s.chunk);
    dc_mem_free(&s.rows);
    dc_mem_free(&s.columns);
    return st;
}

/* ---- Rows of the matrix ------------------------------------------------------------------------------------------ */

static dc_status build_rows(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_matrix *A, dc_dla_blocks *blocks)
{
    dc_dla_mover m = {0};
    double *rows = NULL;
    dc_status st = DC_OK;
    const dc_gidx N = A->part->N;
    const int64_t n = dc_part_rows(A->part);
    int64_t most = n;
    dc_comm_max_i64(comm, &most, 1);
    const int64_t tall = DC_MIN(dc_dla_window_rows(N, grid->rows), most);
    DC_TRY_ALL(comm, dc_dla_mover_create(comm, grid, tall, N, &m));
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&rows, dc_mul_size((size_t)tall, (size_t)N), sizeof *rows, "rows of a matrix"));
    for (int64_t lo = 0; lo < most; lo += tall) {
        if (lo < n) A->rows(A->ctx, lo, DC_MIN(tall, n - lo), rows);
        dc_dla_to_blocks(comm, grid, &m, lo, 0, N, rows, N, blocks);
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    dc_dla_mover_release(&m);
    dc_mem_free(&rows);
    return st;
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

static dc_status check_finite(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_blocks *b)
{
    int64_t bad = INT64_MAX;
#pragma omp parallel for schedule(static) reduction(min : bad)
    for (int64_t j = 0; j < b->columns; j++)
        for (int64_t i = 0; i < b->rows; i++)
            if (!isfinite(dc_dla_get(b, j * b->ld + i)))
                bad = DC_MIN(bad, dc_dla_global(i, grid->block, grid->row, grid->rows) * b->N +
                                      dc_dla_global(j, grid->block, grid->column, grid->columns));
    dc_comm_min_i64(comm, &bad, 1);
    if (bad == INT64_MAX) return DC_OK;
    return DC_FAIL(DC_ERR_NUMERIC, "element (%lld, %lld) of a %lld x %lld matrix is not a finite %s number",
                   (long long)(bad / b->N), (long long)(bad % b->N), (long long)b->M, (long long)b->N,
                   dc_dtype_name(b->dtype));
}

/* sums[N]: sums of the columns without the diagonal, over this rank's rows; zeros elsewhere. */
static void sum_columns(const dc_dla_grid *grid, const dc_dla_blocks *b, double *sums)
{
#pragma omp parallel for schedule(static)
    for (int64_t j = 0; j < b->columns; j++) {
        const dc_gidx column = dc_dla_global(j, grid->block, grid->column, grid->columns);
        double sum = 0;
        for (int64_t i = 0; i < b->rows; i++)
            if (dc_dla_global(i, grid->block, grid->row, grid->rows) != column) sum += dc_dla_get(b, j * b->ld + i);
        sums[column] = sum;
    }
}

/* sums[N]: become D^-1/2, 0 for isolated rows. */
static dc_status invert_roots(dc_gidx N, double *sums)
{
    for (dc_gidx i = 0; i < N; i++) {
        if (sums[i] < 0)
            return DC_FAIL(DC_ERR_NUMERIC,
                           "the affinities of row %lld have the sum %g: a Laplacian needs sums of 0 or more",
                           (long long)i, sums[i]);
        sums[i] = sums[i] > 0 ? 1 / sqrt(sums[i]) : 0;
    }
    return DC_OK;
}

static dc_status take_laplacian(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_matrix *A, dc_dla_blocks *b,
                                double *degree)
{
    double *sums = NULL;
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(&sums, (size_t)b->N, sizeof *sums, "degrees"));
    sum_columns(grid, b, sums);
    dc_comm_sum_f64(comm, sums, (size_t)b->N);
    if (degree) memcpy(degree, sums + A->part->row_lo, (size_t)dc_part_rows(A->part) * sizeof *sums);
    DC_TRY_ALL(comm, invert_roots(b->N, sums));
#pragma omp parallel for schedule(static)
    for (int64_t j = 0; j < b->columns; j++) {
        const dc_gidx column = dc_dla_global(j, grid->block, grid->column, grid->columns);
        for (int64_t i = 0; i < b->rows; i++) {
            const dc_gidx row = dc_dla_global(i, grid->block, grid->row, grid->rows);
            const double w = dc_dla_get(b, j * b->ld + i);
            dc_dla_set(b, j * b->ld + i, row == column ? sums[row] > 0 : -sums[row] * w * sums[column]);
        }
    }
out:
    dc_mem_free(&sums);
    return st;
}

dc_status dc_dla_build(dc_comm *comm, const dc_dla_grid *grid, const dc_dla_matrix *A, dc_dla_blocks *blocks,
                       double *degree)
{
    dc_status st = DC_OK;
    if (A->affinity)
        DC_TRY(build_affinity(comm, grid, A, blocks));
    else if (A->gram)
        DC_TRY(build_gram(comm, grid, A, blocks));
    else
        DC_TRY(build_rows(comm, grid, A, blocks));
    DC_TRY(check_finite(comm, grid, blocks));
    if (A->laplacian) DC_TRY(take_laplacian(comm, grid, A, blocks, degree));
out:
    return st;
}

dc_status dc_dla_size_of(const dc_dla_matrix *A, dc_dla_task task, dc_dtype dtype, dc_dla_size *out)
{
    DC_ASSERT((A->rows != NULL) + (A->affinity != NULL) + A->gram == 1);
    *out = (dc_dla_size){.task = task, .N = A->part->N, .want.dtype = dtype, .shards = A->part->V};
    if (!A->rows) out->d = A->X->d;
    if (A->gram) out->rows = A->X->part->N;
    const dc_gidx given = A->affinity ? A->X->part->N : A->gram ? A->X->d : out->N;
    if (given != out->N)
        return DC_FAIL(DC_ERR_USAGE, "a matrix of order %lld from %lld rows", (long long)out->N, (long long)given);
    return DC_OK;
}
