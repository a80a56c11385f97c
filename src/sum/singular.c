/* Singular values and vectors of all rows: see singular.h. Every rank holds the directions; rank 0 alone makes them
 * orthogonal and solves the small problem, in one thread, so that the bits do not depend on the number of ranks. */
#include "dcmpi/singular.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/csr.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/moments.h"
#include "dcmpi/wish.h"
#include "singular_kern.h"
#include "sum_priv.h"

enum { OVERSAMPLING = 10, ITERATIONS = 6, RANGES_PER_THREAD = 4 };

static int64_t directions(const dc_part *part, int64_t d, int64_t k)
{
    return DC_MIN(k + OVERSAMPLING, DC_MIN((int64_t)part->N, d));
}

/* ---- Mean and variance ------------------------------------------------------------------------------------------- */

/* sum[2d + 1] as dc_singular_sums() gives it. */
static dc_status sum_sparse(dc_comm *comm, dc_singular_pass *p, double *sum, dc_singular *out)
{
    dc_status st = DC_OK;
    dc_sum *columns = NULL, *squares = NULL;
    const dc_part *part = p->rows->part;
    const double N = (double)part->N;
    DC_TRY_ALL(comm, dc_sum_create(&columns, part, 2 * (size_t)out->d + 1));
    dc_sum_over_blocks(comm, columns, dc_singular_sums, p, sum);
    dc_sum_destroy(&columns);
    for (int64_t c = 0; c < out->d; c++) out->mean[c] = sum[c] / N;
    p->mean = out->mean;
    DC_TRY_ALL(comm, dc_sum_create(&squares, part, 1));
    dc_sum_over_blocks(comm, squares, dc_singular_squares, p, &out->total);
    for (int64_t c = 0; c < out->d; c++) out->total += (N - sum[out->d + c]) * out->mean[c] * out->mean[c];
    out->squares = sum[2 * out->d];
    out->total /= N - 1;
out:
    dc_sum_destroy(&columns);
    dc_sum_destroy(&squares);
    p->mean = NULL;
    return st;
}

static dc_status sum_rows(dc_comm *comm, dc_singular_pass *p, dc_singular *out)
{
    dc_status st = DC_OK;
    double *sum = NULL;
    out->passes = 2;
    if (!p->rows->csr) {
        DC_TRY(dc_moments_total(comm, p->rows, out->mean, &out->total));
        out->squares = out->total * (double)(p->rows->part->N - 1);
        for (int64_t c = 0; c < out->d; c++) out->squares += (double)p->rows->part->N * out->mean[c] * out->mean[c];
        return DC_OK;
    }
    DC_TRY_ALL(comm, dc_mem_alloc(&sum, 2 * (size_t)out->d + 1, sizeof *sum, "sums of columns"));
    DC_TRY(sum_sparse(comm, p, sum, out));
out:
    dc_mem_free(&sum);
    return st;
}

static double power_above(double x)
{
    int exponent;
    (void)frexp(x, &exponent);
    return ldexp(1, exponent);
}

/* The absolute values of products, summed, are at most |X|_F^2, and so are those of the last row. */
static void set_units(dc_singular_pass *p, double squares)
{
    p->unit = 0x1p-60 * power_above(squares);
    p->one = 0.5 * power_above(sqrt(squares / (double)p->rows->part->N));
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static double scratch_doubles(int64_t l, int64_t tile, int64_t d, bool sparse)
{
    const double y = (double)(DC_MAX(l + dc_singular_rows(l), (int64_t)DC_SINGULAR_PANEL) * l);
    return y + (double)dc_qr_work(l) + (sparse ? 0 : 1.5 * (double)(tile * d));
}

static dc_status take_dense(dc_singular_pass *p)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)p->rows->d, tile = (size_t)dc_singular_tile(p->rows->d);
    const size_t tiles = dc_mul_size((size_t)omp_get_max_threads() * tile, d);
    DC_TRY(dc_mem_alloc_raw(&p->X, (size_t)dc_singular_chunk(p->rows), d * sizeof *p->X, "singular vectors"));
    DC_TRY(
        dc_mem_alloc_raw(&p->Y, (size_t)dc_singular_chunk(p->rows), (size_t)p->l * sizeof *p->Y, "singular vectors"));
    DC_TRY(dc_mem_alloc_raw(&p->row, p->rows->X ? 0 : tiles, sizeof *p->row, "singular vectors"));
    DC_TRY(dc_mem_alloc_raw(&p->x, tiles, sizeof *p->x, "singular vectors"));
out:
    return st;
}

static dc_status take_sparse(dc_singular_pass *p)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)p->rows->d, l = (size_t)p->l;
    DC_TRY(dc_mem_alloc_raw(&p->rough, d, dc_mul_size(l, sizeof *p->rough), "singular vectors"));
    DC_TRY(dc_mem_alloc(&p->offset, l, sizeof *p->offset, "singular vectors"));
    DC_TRY(
        dc_mem_alloc_raw(&p->y_rough, (size_t)dc_singular_chunk(p->rows), l * sizeof *p->y_rough, "singular vectors"));
    dc_singular_cut(p, p->G);
out:
    return st;
}

static dc_status take_memory(dc_singular_pass *p)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)p->rows->d, l = (size_t)p->l, threads = (size_t)omp_get_max_threads();
    const size_t rows = DC_MAX(l + (size_t)dc_singular_rows(p->l), (size_t)DC_SINGULAR_PANEL);
    p->ranges = dc_int((int64_t)(threads == 1 ? 1 : RANGES_PER_THREAD * threads));
    DC_TRY(dc_mem_alloc(&p->W, d, dc_mul_size(l, sizeof *p->W), "singular vectors"));
    DC_TRY(dc_mem_alloc_raw(&p->G, d + 1, dc_mul_size(l, sizeof *p->G), "singular vectors"));
    DC_TRY(dc_mem_alloc_raw(&p->y, threads * rows, dc_mul_size(l, sizeof *p->y), "singular vectors"));
    DC_TRY(dc_mem_alloc_raw(&p->work, threads, (size_t)dc_qr_work(p->l) * sizeof *p->work, "singular vectors"));
    DC_TRY(dc_mem_alloc(&p->range, (size_t)p->ranges + 1, sizeof *p->range, "singular vectors"));
    st = p->rows->csr ? take_sparse(p) : take_dense(p);
out:
    return st;
}

static void release(dc_singular_pass *p)
{
    dc_mem_free(&p->W);
    dc_mem_free(&p->G);
    dc_mem_free(&p->rough);
    dc_mem_free(&p->offset);
    dc_mem_free(&p->Y);
    dc_mem_free(&p->y_rough);
    dc_mem_free(&p->X);
    dc_mem_free(&p->row);
    dc_mem_free(&p->x);
    dc_mem_free(&p->y);
    dc_mem_free(&p->work);
    dc_mem_free(&p->range);
}

/* ---- Iteration --------------------------------------------------------------------------------------------------- */

/* Makes the directions orthogonal and sends them to all ranks. Before the last time it is enough that they span their
 * space well. */
static dc_status spread_orthogonal(dc_comm *comm, dc_singular_pass *p, bool last)
{
    dc_status st = DC_OK;
    const int64_t d = p->rows->d, l = p->l;
    dc_status (*const turn)(int64_t, int64_t, double *) = last ? dc_orthonormalize : dc_orthonormalize_nearly;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? turn(d, l, p->W) : DC_OK);
    dc_comm_bcast(comm, p->W, (size_t)(d * l) * sizeof *p->W, 0);
    if (!p->rows->csr) goto out;
    if (!last) dc_singular_round(p);
    for (int64_t j = 0; j < l; j++) p->offset[j] = 0;
    for (int64_t c = 0; p->mean && c < d; c++)
        for (int64_t j = 0; j < l; j++) p->offset[j] += p->mean[c] * p->W[c * l + j];
out:
    return st;
}

static dc_status iterate(dc_comm *comm, dc_singular_pass *p, uint64_t seed, dc_singular *out)
{
    dc_status st = DC_OK;
    const int64_t d = p->rows->d, l = p->l;
    const int iterations = l < d ? ITERATIONS : 0; /* d directions are all there are */
    dc_singular_fill(seed, d, l, p->W);
    DC_TRY(spread_orthogonal(comm, p, iterations == 0));
    for (int i = 0; i < iterations; i++) {
        DC_TRY(dc_wish_poll_stop(comm));
        dc_singular_products(p);
        dc_comm_sum_i64(comm, p->G, (size_t)((d + 1) * l));
        dc_singular_next(p);
        DC_TRY(spread_orthogonal(comm, p, i + 1 == iterations));
        out->passes++;
    }
    st = dc_wish_poll_stop(comm);
out:
    return st;
}

/* ---- Small problem ----------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t l;
    double *both, *work; /* [2l x l], [dc_qr_work(l)] */
} joiner;

/* The triangle of one triangle above another. */
static void join_triangles(void *ctx, double *left, const double *right)
{
    const joiner *t = ctx;
    const size_t square = (size_t)(t->l * t->l);
    memcpy(t->both, left, square * sizeof *left);
    memcpy(t->both + square, right, square * sizeof *left);
    dc_triangle(2 * t->l, t->l, t->both, left, t->work);
}

/* R[l x l]: the triangle of all rows times the directions. */
static dc_status find_triangle(dc_comm *comm, dc_singular_pass *p, double *R)
{
    dc_status st = DC_OK;
    dc_sum *tree = NULL;
    joiner join = {.l = p->l};
    const dc_tree_rule rule = {join_triangles, &join};
    const size_t square = (size_t)(p->l * p->l);
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&join.both, 2 * square, sizeof *join.both, "triangles"));
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&join.work, (size_t)dc_qr_work(p->l), sizeof *join.work, "triangles"));
    DC_TRY_ALL(comm, dc_sum_create_limit(&tree, p->rows->part, square, 0, &rule));
    dc_sum_over_blocks(comm, tree, dc_singular_triangle, p, R);
out:
    dc_sum_destroy(&tree);
    dc_mem_free(&join.both);
    dc_mem_free(&join.work);
    return st;
}

/* Sets the directions from the right singular vectors V[l x l], as rows, of the triangle. */
static void take_directions(dc_singular_pass *p, const double *V, dc_singular *out)
{
    const int64_t d = out->d, k = out->k;
    void *room = p->G; /* no longer needed, and no smaller, as is W */
    double *turned = room, *one = p->W;
    dc_singular_turn(p, k, V, turned);
    for (int64_t j = 0; j < k; j++) {
        for (int64_t c = 0; c < d; c++) one[c] = turned[c * k + j];
        dc_orient(d, one);
        for (int64_t c = 0; c < d; c++) out->direction[j * d + c] = (float)one[c];
    }
}

static dc_status solve(dc_comm *comm, dc_singular_pass *p, double *small, dc_singular *out)
{
    dc_status st = DC_OK;
    double *R = small, *value = small + p->l * p->l;
    DC_TRY(find_triangle(comm, p, R));
    out->passes++;
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_right_singular(p->l, R, value) : DC_OK);
    dc_comm_bcast(comm, small, (size_t)(p->l * (p->l + 1)) * sizeof *small, 0);
    memcpy(out->value, value, (size_t)out->k * sizeof *value);
    take_directions(p, R, out);
out:
    return st;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static dc_status take_results(dc_singular *out)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)out->d, k = (size_t)out->k;
    DC_TRY(dc_mem_alloc(&out->mean, d, sizeof *out->mean, "singular vectors"));
    DC_TRY(dc_mem_alloc(&out->value, k, sizeof *out->value, "singular vectors"));
    DC_TRY(dc_mem_alloc(&out->direction, k, dc_mul_size(d, sizeof *out->direction), "singular vectors"));
out:
    return st;
}

dc_status dc_singular_create(dc_comm *comm, const dc_rows *rows, const dc_singular_wanted *wanted, dc_singular *out)
{
    dc_status st = DC_OK;
    double *small = NULL;
    dc_singular_pass p = {.rows = rows, .l = directions(rows->part, rows->d, wanted->k)};
    *out = (dc_singular){.d = rows->d, .k = wanted->k};
    DC_ASSERT(rows->part->N >= 2 && wanted->k >= 1 && wanted->k <= p.l);
    DC_TRY_ALL(comm, take_results(out));
    DC_TRY(sum_rows(comm, &p, out));
    DC_TRY_ALL(comm, take_memory(&p));
    DC_TRY_ALL(comm, dc_mem_alloc(&small, (size_t)p.l, dc_mul_size((size_t)p.l + 1, sizeof *small), "triangles"));
    if (wanted->about_mean) p.mean = out->mean;
    set_units(&p, out->squares);
    if (wanted->about_mean) out->squares = out->total * (double)(rows->part->N - 1);
    DC_TRY(iterate(comm, &p, wanted->seed, out));
    DC_TRY(solve(comm, &p, small, out));
out:
    dc_mem_free(&small);
    release(&p);
    return st;
}

void dc_singular_release(dc_singular *s)
{
    dc_mem_free(&s->mean);
    dc_mem_free(&s->value);
    dc_mem_free(&s->direction);
}

double dc_singular_bytes(const dc_part *part, int64_t d, int64_t k, bool sparse)
{
    const int64_t l = directions(part, d, k), tile = dc_singular_tile(d);
    const dc_csr any = {0};
    const dc_rows rows = {.part = part, .d = d, .csr = sparse ? &any : NULL};
    const double chunk = (double)dc_singular_chunk(&rows), square = (double)l * (double)l;
    const double sums =
        sparse ? dc_sum_bytes(part, 2 * (size_t)d + 1) + 8 * (double)(2 * d) : dc_moments_bytes(part, d);
    const double both = (double)((sparse ? 4 : 0) + 16) * (double)l * (double)d;
    const double Y = chunk * (double)(sparse ? 4 * l : 8 * (l + d));
    const double scratch = 8 * omp_get_max_threads() * scratch_doubles(l, tile, d, sparse);
    const double triangles =
        8 * (3 * square + (double)(3 * l + dc_qr_work(l))) + dc_sum_ruled_bytes(part, (size_t)(l * l));
    return 8 * (double)(d + k) + 4 * (double)k * (double)d + fmax(sums, both + Y + scratch + triangles);
}

double dc_singular_root_bytes(const dc_part *part, int64_t d, int64_t k)
{
    const int64_t l = directions(part, d, k);
    return fmax(dc_right_singular_bytes(l), dc_orthonormalize_bytes(d, l));
}
