/* Spectral embedding from all pairs of rows: dla.h builds the affinities where they are needed and finds the
 * eigenvectors on a grid of ranks. */
#include "dense.h"

#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "laplacian.h"

typedef struct {
    const dc_rows *rows;
    dc_affinity affinity;
    const double *scales;       /* [N] of all rows; COSINE: their lengths */
    const dc_neighbours *graph; /* of NEIGHBORS */
} pairs;

/* max(0, cos) from the squared distance and the lengths of two rows. */
static double cosine(double square, double a, double b)
{
    const double cos = a == 0 || b == 0 ? 0 : (a * a + b * b - square) / (2 * a * b);
    return cos < 0 ? 0 : cos; /* NaN stays, and is refused */
}

static void affinities(const void *ctx, dc_gidx i, int64_t n, const dc_gidx *columns, double *w)
{
    const pairs *p = ctx;
    const double si = p->scales[i];
    for (int64_t j = 0; j < n; j++) {
        const double sj = p->scales[columns[j]];
        w[j] = p->affinity == DC_AFFINITY_COSINE ? cosine(w[j], si, sj) : dc_affinity_of(p->affinity, w[j], si, sj);
    }
}

/* Rows of the graph, which are not computed from distances. */
static void graph_rows(const void *ctx, int64_t lo, int64_t n, double *out)
{
    const dc_neighbours *graph = ((const pairs *)ctx)->graph;
    const dc_edges *g = &graph->out;
    const int64_t N = graph->part->N;
    memset(out, 0, (size_t)(n * N) * sizeof *out);
    for (int64_t i = 0; i < n; i++)
        for (int64_t e = g->start[lo + i]; e < g->start[lo + i + 1]; e++)
            out[i * N + g->column[e]] = g->both[e] ? 1 : 0.5;
}

/* length[n] of this rank's rows. */
static dc_status measure_rows(const dc_rows *rows, double *length)
{
    dc_status st = DC_OK;
    float *x = NULL;
    const int64_t n = dc_part_rows(rows->part), d = rows->d;
    DC_TRY(dc_mem_alloc(&x, (size_t)d, sizeof *x, "a row"));
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        if (!rows->X) rows->rows(rows->ctx, i, 1, x);
        const float *row = rows->X ? rows->X + i * d : x;
        for (int64_t j = 0; j < d; j++) square += (double)row[j] * (double)row[j];
        length[i] = sqrt(square);
    }
out:
    dc_mem_free(&x);
    return st;
}

/* all[N] of own[n]. Collective. */
static dc_status gather(dc_comm *comm, const dc_part *part, const double *own, double *all)
{
    dc_status st = DC_OK;
    size_t *bytes = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&bytes, (size_t)part->P, sizeof *bytes, "rank table"));
    for (int r = 0; r < part->P; r++) bytes[r] = (size_t)dc_part_rank_rows(part, r) * sizeof *own;
    dc_comm_allgatherv(comm, own, all, bytes);
out:
    dc_mem_free(&bytes);
    return st;
}

static void tell(const dc_dla_eigen *e)
{
    dc_log("spectral  %s on a grid of %d x %d ranks, blocks of %lld: matrix %.1f s, eigenvectors %.1f s (%.3g GF/s), "
           "rest %.1f s; residual %.1e, orthogonality %.1e; its bits depend on the grid",
           dc_dla_driver_name(e->plan.driver), e->plan.grid_rows, e->plan.grid_columns, (long long)e->plan.block,
           e->build_s, e->solve_s, 1e-9 * e->flop / fmax(e->solve_s, 1e-9), e->move_s, e->residual, e->orthogonality);
}

static dc_status solve(dc_comm *comm, const pairs *p, int64_t want, double *values, double *vectors, double *degree)
{
    dc_status st = DC_OK;
    dc_dla_eigen e = {0};
    const dc_part *part = p->rows->part;
    dc_dla_matrix A = {.part = part, .ctx = p, .laplacian = true};
    if (p->affinity == DC_AFFINITY_NEIGHBORS) {
        A.rows = graph_rows;
    } else {
        A.affinity = affinities;
        A.X = p->rows;
    }
    const dc_dla_want what = {.which = DC_DLA_SMALLEST, .k = want, .dtype = DC_F64};
    const size_t count = (size_t)(dc_part_rows(part) * want);
    DC_TRY(dc_dla_eigen_solve(comm, &A, &what, &e));
    tell(&e);
    memcpy(values, e.values, (size_t)want * sizeof *values);
    if (count) memcpy(vectors, e.vectors, count * sizeof *vectors);
    if (count) memcpy(degree, e.degree, (size_t)dc_part_rows(part) * sizeof *degree);
out:
    dc_dla_eigen_release(&e);
    return st;
}

dc_status dc_dense_solve(dc_comm *comm, const dc_rows *rows, dc_affinity affinity, double *scales, const dc_knn *knn,
                         int64_t want, double *values, double *vectors, double *degree)
{
    dc_status st = DC_OK;
    const dc_part *part = rows->part;
    double *all = NULL;
    dc_neighbours graph = {0};
    DC_TRY_ALL(comm, dc_mem_alloc(&all, (size_t)part->N, sizeof *all, "scales of rows"));
    if (affinity == DC_AFFINITY_COSINE) DC_TRY_ALL(comm, measure_rows(rows, scales));
    DC_TRY(gather(comm, part, scales, all));
    if (affinity == DC_AFFINITY_NEIGHBORS) DC_TRY(dc_neighbours_create(comm, part, knn, DC_SYMMETRY_UNION, &graph));
    DC_TRY(solve(comm, &(pairs){rows, affinity, all, &graph}, want, values, vectors, degree));
out:
    dc_neighbours_release(&graph);
    dc_mem_free(&all);
    return st;
}

dc_dla_size dc_dense_size(const dc_part *part, int64_t d, dc_affinity affinity, int64_t want)
{
    return (dc_dla_size){.task = DC_DLA_EIGEN,
                         .N = part->N,
                         .d = affinity == DC_AFFINITY_NEIGHBORS ? 0 : d,
                         .want = {.which = DC_DLA_SMALLEST, .k = want, .dtype = DC_F64},
                         .shards = part->V};
}
