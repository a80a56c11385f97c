/* The normalised affinities of a neighbour graph, by rows. Values of rows that other ranks hold are fetched before each
 * product (halo), so a rank holds what its own rows need. Weights of an edge have the same bits at both ends. */
#include "laplacian.h"

#include <math.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

static dc_status take(dc_laplacian *l)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(l->part), entries = (size_t)l->graph.out.start[n];
    DC_TRY(dc_mem_alloc(&l->place, entries, sizeof *l->place, "places of columns"));
    DC_TRY(dc_mem_alloc(&l->weight, entries, sizeof *l->weight, "affinities"));
    DC_TRY(dc_mem_alloc(&l->degree, n, sizeof *l->degree, "degrees"));
out:
    return st;
}

/* Makes room for fetched rows of this width. Local. */
static dc_status widen(dc_laplacian *l, int64_t width)
{
    if (width <= l->width) return DC_OK;
    dc_mem_free(&l->fetched);
    l->width = width;
    return dc_mem_alloc(&l->fetched, dc_mul_size((size_t)dc_halo_rows(l->halo), (size_t)width), sizeof *l->fetched,
                        "fetched rows");
}

static dc_status check_degrees(const dc_laplacian *l)
{
    for (int64_t i = 0; i < dc_part_rows(l->part); i++)
        if (!isfinite(l->degree[i]))
            return DC_FAIL(DC_ERR_NUMERIC, "row %lld (counted from 0) has an affinity that is not finite",
                           (long long)(l->part->row_lo + i));
    return DC_OK;
}

static dc_status fill(dc_comm *comm, dc_laplacian *l, dc_affinity affinity, const double *scales)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(l->part);
    double *root = NULL;
    DC_TRY_ALL(comm, widen(l, 1));
    DC_TRY_ALL(comm, dc_mem_alloc(&root, (size_t)n, sizeof *root, "roots of degrees"));
    DC_TRY(dc_halo_fetch(comm, l->halo, sizeof *scales, scales, l->fetched));
    dc_laplacian_weigh(l, affinity, scales, l->fetched);
    DC_TRY_ALL(comm, check_degrees(l));
    for (int64_t i = 0; i < n; i++) root[i] = l->degree[i] > 0 ? 1 / sqrt(l->degree[i]) : 0;
    DC_TRY(dc_halo_fetch(comm, l->halo, sizeof *root, root, l->fetched));
    dc_laplacian_normalise(l, root, l->fetched);
out:
    dc_mem_free(&root);
    return st;
}

dc_status dc_laplacian_create(dc_comm *comm, const dc_part *part, const dc_knn *knn, dc_affinity affinity,
                              const double *scales, dc_laplacian *out)
{
    dc_status st = DC_OK;
    *out = (dc_laplacian){.part = part};
    DC_TRY(dc_neighbours_create(comm, part, knn, DC_SYMMETRY_UNION, &out->graph));
    DC_TRY_ALL(comm, take(out));
    DC_TRY(dc_halo_of_csr(comm, part, &out->graph.out, out->place, &out->halo));
    DC_TRY(fill(comm, out, affinity, scales));
out:
    if (st != DC_OK) dc_laplacian_release(out);
    return st;
}

void dc_laplacian_release(dc_laplacian *l)
{
    dc_halo_destroy(&l->halo);
    dc_neighbours_release(&l->graph);
    dc_mem_free(&l->place);
    dc_mem_free(&l->weight);
    dc_mem_free(&l->degree);
    dc_mem_free(&l->fetched);
}

/* At most all columns of a rank's edges are rows of others. */
double dc_laplacian_held_bytes(const dc_part *part, int64_t k, int64_t width)
{
    const double n = (double)dc_part_rows(part), entries = 2 * n * (double)k,
                 fetched = fmin(entries, (double)part->N - n);
    const double graph = (n + 1) * sizeof(int64_t) + entries * (sizeof(dc_gidx) + sizeof(double) + sizeof(uint8_t));
    return graph + entries * (sizeof(int64_t) + sizeof(double)) + n * sizeof(double) +
           fetched * (2 * (double)width + 2) * sizeof(double);
}

/* While the graph is made; or while the matrix is, with the rows of others that its edges name. */
double dc_laplacian_bytes(const dc_part *part, int64_t k)
{
    const double n = (double)dc_part_rows(part), far = part->P > 1 ? 2 * n * (double)k : 0;
    const double made = dc_laplacian_held_bytes(part, k, 1) + n * sizeof(double) + far * sizeof(dc_gidx);
    return fmax(dc_neighbours_bytes(part, k), made);
}

dc_status dc_laplacian_multiply(dc_comm *comm, void *ctx, int64_t width, const double *x, double *y)
{
    dc_status st = DC_OK;
    dc_laplacian *l = ctx;
    DC_TRY_ALL(comm, widen(l, width));
    DC_TRY(dc_halo_fetch(comm, l->halo, (size_t)width * sizeof *x, x, l->fetched));
    dc_laplacian_product(l, width, x, y);
out:
    return st;
}
