/* The sums at the roots of a rank's subtrees, tile by tile, so that partial sums stay in the cache: leaves by one
 * product each, added by the binary tree, two of its levels in one pass over memory. */
#include <omp.h>
#include <string.h>

#include "gradient_tree.h"

int dc_tree_threads(void)
{
    return omp_get_max_threads();
}

void dc_tree_add(float *a, const float *b, size_t n)
{
#pragma omp parallel for simd schedule(static) if (n >= 1 << 15)
    for (size_t i = 0; i < n; i++) a[i] += b[i];
}

/* The part of one shard's rows: out [rows x columns], or [columns] of a bias. */
static void leaf_tile(const dc_gradient *g, const dc_tree_tile *t, int shard, float *out)
{
    const dc_layer *layer = &g->cfg.net->layer[t->layer];
    const int64_t at = g->pad + (shard - g->batcher.part->shard_lo) * g->leaf_rows;
    const float *delta = g->delta[t->layer] + at * layer->out + t->column;
    if (t->rows) {
        dc_gemm(DC_T, DC_N, t->rows, t->columns, g->leaf_rows, 1, dc_layer_input(g, t->layer) + at * layer->in + t->row,
                layer->in, delta, layer->out, 0, out, t->columns);
        return;
    }
    memset(out, 0, (size_t)t->columns * sizeof *out);
    for (int64_t i = 0; i < g->leaf_rows; i++)
        for (int64_t j = 0; j < t->columns; j++) out[j] += delta[i * layer->out + j];
}

static int64_t tile_floats(const dc_tree_tile *t)
{
    return DC_MAX(t->rows, (int64_t)1) * t->columns;
}

/* How many subtrees of a tree over `size` leaves are added at once: two levels where there are two. */
static int fan_in(int size)
{
    return DC_MIN(size, 4);
}

int dc_tree_scratch_tiles(int size)
{
    return size == 1 ? 1 : fan_in(size) - 1 + dc_tree_scratch_tiles(size / fan_in(size));
}

/* x[0 .. n) = (x0 + x1) + (x2 + x3), or x0 + x1, of the sums that lie one behind the other. */
static void add_subtrees(int parts, int64_t n, float *x)
{
    const float *x1 = x + n, *x2 = x1 + n, *x3 = x2 + n;
    if (parts == 2) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) x[i] += x1[i];
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) x[i] = (x[i] + x1[i]) + (x2[i] + x3[i]);
    }
}

/* Sum of shards [first, first + size) into scratch[0 .. tile); what lies behind it is for the levels below. */
static void subtree_tile(const dc_gradient *g, const dc_tree_tile *t, int first, int size, float *scratch)
{
    if (size == 1) {
        leaf_tile(g, t, first, scratch);
        return;
    }
    const int parts = fan_in(size), part = size / parts;
    const int64_t n = tile_floats(t);
    for (int p = 0; p < parts; p++) subtree_tile(g, t, first + p * part, part, scratch + p * n);
    add_subtrees(parts, n, scratch);
}

static void root_tile(const dc_gradient *g, const dc_tree_tile *t, const dc_subtree *root, float *scratch, float *out)
{
    const int64_t width = g->cfg.net->layer[t->layer].out;
    subtree_tile(g, t, root->first, root->size, scratch);
    out += t->start + (size_t)(t->row * width + t->column);
    for (int64_t i = 0; i < DC_MAX(t->rows, (int64_t)1); i++)
        memcpy(out + i * width, scratch + i * t->columns, (size_t)t->columns * sizeof *out);
}

void dc_tree_way_partials(dc_gradient *g, const dc_subtree *root, int n_roots)
{
    const dc_tree_way *t = g->tree;
    for (int k = 0; k < n_roots; k++) {
        float *out = t->partial ? t->partial + (size_t)k * t->floats : g->cfg.params->grad;
#pragma omp parallel for schedule(dynamic) num_threads(t->threads)
        for (int64_t i = 0; i < t->n_tiles; i++)
            root_tile(g, &t->tile[i], &root[k], t->scratch + (size_t)omp_get_thread_num() * t->scratch_floats, out);
    }
}
