/* Rows of a sparse matrix: each is computed by one thread, its entries in the order of their columns. */
#include <math.h>

#include "laplacian.h"

double dc_affinity_of(dc_affinity affinity, double square, double si, double sj)
{
    if (affinity == DC_AFFINITY_COSINE) return fmax(1 - square, 0);
    if (affinity == DC_AFFINITY_NEIGHBORS || square == 0) return 1;
    const double between = affinity == DC_AFFINITY_GAUSSIAN ? 2 * si * sj : si * sj;
    return between > 0 ? exp(-square / between) : 0;
}

static double value_at(const dc_laplacian *l, int64_t entry, const double *own, const double *fetched)
{
    const int64_t n = dc_part_rows(l->part), at = l->place[entry];
    return at < n ? own[at] : fetched[at - n];
}

void dc_laplacian_weigh(dc_laplacian *l, dc_affinity affinity, const double *scales, const double *fetched)
{
    const dc_edges *g = &l->graph.out;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < dc_part_rows(l->part); i++) {
        double sum = 0;
        for (int64_t e = g->start[i]; e < g->start[i + 1]; e++) {
            l->weight[e] = affinity == DC_AFFINITY_NEIGHBORS
                               ? (g->both[e] ? 1 : 0.5)
                               : dc_affinity_of(affinity, g->square[e], scales[i], value_at(l, e, scales, fetched));
            sum += l->weight[e];
        }
        l->degree[i] = sum;
    }
}

void dc_laplacian_normalise(dc_laplacian *l, const double *root, const double *fetched)
{
    const dc_edges *g = &l->graph.out;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < dc_part_rows(l->part); i++)
        for (int64_t e = g->start[i]; e < g->start[i + 1]; e++) l->weight[e] *= root[i] * value_at(l, e, root, fetched);
}

void dc_laplacian_product(const dc_laplacian *l, int64_t width, const double *x, double *y)
{
    const dc_edges *g = &l->graph.out;
    const int64_t n = dc_part_rows(l->part);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        double *out = y + i * width;
        for (int64_t c = 0; c < width; c++) out[c] = 0;
        for (int64_t e = g->start[i]; e < g->start[i + 1]; e++) {
            const int64_t at = l->place[e];
            const double *in = at < n ? x + at * width : l->fetched + (at - n) * width, w = l->weight[e];
            for (int64_t c = 0; c < width; c++) out[c] += w * in[c];
        }
    }
}
