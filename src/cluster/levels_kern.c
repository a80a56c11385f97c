/* Hierarchical k-means: which child a row is in, how many children a cluster gets.
 *
 * Rows are taken in the order of their clusters, so that a tile of rows is scored against the children of one cluster
 * by one product, as in k-means (kmeans_tiles_kern.c); the cluster's centre is the tile's shift. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "levels_impl.h"

enum { TASK_ROWS = 4096 };

/* The cluster of the row at place i of the order. */
static int64_t cluster_at(const dc_lv_rows *r, int64_t i)
{
    int64_t lo = 0, hi = r->K; /* start[lo] <= i < start[hi] */
    while (hi - lo > 1) {
        const int64_t middle = lo + (hi - lo) / 2;
        if (r->start[middle] <= i)
            lo = middle;
        else
            hi = middle;
    }
    return lo;
}

/* ---- Descent ----------------------------------------------------------------------------------------------------- */

/* The nearest of k centres as dc_nearest finds it, which decides where two are about as near. */
static int32_t nearest_child(const float *x, const float *centers, int64_t k, int64_t d)
{
    static const double CLEAR = 1 + 1e-9; /* beyond the rounding of both sums */
    double best = INFINITY, second = INFINITY;
    int32_t label = 0;
    for (int64_t j = 0; j < k; j++) {
        const double distance = dc_km_distance(x, centers + j * d, d);
        if (distance >= best) {
            second = DC_MIN(second, distance);
            continue;
        }
        second = best;
        best = distance;
        label = (int32_t)j;
    }
    if (second <= best * CLEAR) dc_nearest(x, centers, 1, k, d, &label);
    return label;
}

void dc_levels_descend(const dc_levels *l, const float *leaf, const float *X, int64_t n, int32_t *label)
{
    const int64_t d = l->d;
    dc_nearest(X, l->centers[0], n, l->K[0], d, label);
    for (int v = 1; v < l->n; v++) {
        const float *centers = v + 1 < l->n ? l->centers[v] : leaf;
#pragma omp parallel for schedule(dynamic, 16)
        for (int64_t i = 0; i < n; i++) {
            const int64_t *first = l->first[v - 1] + label[i];
            label[i] = (int32_t)first[0] + nearest_child(X + i * d, centers + first[0] * d, first[1] - first[0], d);
        }
    }
}

/* ---- All rows ---------------------------------------------------------------------------------------------------- */

/* Labels rows [lo, hi) of the order, all of cluster k. */
static void label_rows(const dc_lv_children *c, int64_t k, int64_t lo, int64_t hi, int thread)
{
    dc_km_tiles tiles = *c->tiles;
    dc_km_centers *image = &c->image[thread];
    const int64_t children = c->first[k + 1] - c->first[k];
    double *leaf = c->leaf + (int64_t)thread * (1 + c->tiles->K);
    tiles.K = children;
    tiles.shift = (float *)(uintptr_t)(c->parent + k * tiles.d);
    dc_km_project(&tiles, c->child + c->first[k] * tiles.d, children, image);
    const dc_km_assign assign = {.tiles = &tiles, .centers = image, .label = c->sorted};
    dc_km_block_assign((void *)(uintptr_t)&assign, &(dc_block){.lo = lo, .hi = hi}, thread, leaf);
    for (int64_t i = lo; i < hi; i++) c->sorted[i] += (int32_t)c->first[k];
}

void dc_lv_label(const dc_lv_children *c, int32_t *label)
{
    const dc_lv_rows *r = c->rows;
    const int64_t n = dc_part_rows(r->rows->part);
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t task = 0; task < n; task += TASK_ROWS) {
        const int64_t end = DC_MIN(task + TASK_ROWS, n);
        for (int64_t lo = task, k = cluster_at(r, lo); lo < end; k++) {
            const int64_t hi = DC_MIN(r->start[k + 1], end);
            if (hi > lo) label_rows(c, k, lo, hi, omp_get_thread_num());
            lo = hi;
        }
    }
    for (int64_t i = 0; i < n; i++) label[r->order[i]] = c->sorted[i];
}

void dc_lv_block_inertia(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_lv_inertia *a = ctx;
    const dc_rows *rows = a->rows;
    float *tile = a->tiles->scratch[thread].x;
    const int64_t d = rows->d;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KM_TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)DC_KM_TILE);
        if (!rows->X) rows->rows(rows->ctx, lo, n, tile);
        const float *x = rows->X ? rows->X + lo * d : tile;
        for (int64_t i = 0; i < n; i++) leaf[0] += dc_km_distance(x + i * d, a->centers + a->label[lo + i] * d, d);
    }
}

/* ---- Number of children ------------------------------------------------------------------------------------------ */

/* Whether cluster a has more rows per child than cluster b, or as many and a lower number. */
static bool comes_before(const int64_t *size, const int64_t *children, int64_t a, int64_t b)
{
    const double of_a = (double)size[a] / (double)children[a], of_b = (double)size[b] / (double)children[b];
    return of_a > of_b || (of_a == of_b && a < b);
}

static void sink(const int64_t *size, const int64_t *children, int64_t *heap, int64_t n, int64_t i)
{
    for (;;) {
        int64_t best = i;
        for (int64_t j = 2 * i + 1; j <= 2 * i + 2 && j < n; j++)
            if (comes_before(size, children, heap[j], heap[best])) best = j;
        if (best == i) return;
        const int64_t t = heap[i];
        heap[i] = heap[best];
        heap[best] = t;
        i = best;
    }
}

void dc_lv_allot(const int64_t *size, int64_t K, int64_t total, int64_t *first, int64_t *heap)
{
    int64_t *children = first + 1;
    for (int64_t k = 0; k < K; k++) {
        children[k] = 1;
        heap[k] = k;
    }
    for (int64_t i = K / 2 - 1; i >= 0; i--) sink(size, children, heap, K, i);
    for (int64_t given = K; given < total; given++) {
        children[heap[0]]++;
        sink(size, children, heap, K, 0);
    }
    first[0] = 0;
    for (int64_t k = 0; k < K; k++) first[k + 1] += first[k];
}
