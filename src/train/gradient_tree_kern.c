/* The sums at the roots of a rank's subtrees, tile by tile: leaves by one product each, added pairwise on the way up.
 */
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

/* Sum of shards [first, first + size) into scratch[0 .. tile); what lies behind it is for the levels below. */
static void subtree_tile(const dc_gradient *g, const dc_tree_tile *t, int first, int size, float *scratch)
{
    const int64_t n = DC_MAX(t->rows, (int64_t)1) * t->columns;
    if (size == 1) {
        leaf_tile(g, t, first, scratch);
        return;
    }
    subtree_tile(g, t, first, size / 2, scratch);
    subtree_tile(g, t, first + size / 2, size / 2, scratch + n);
    for (int64_t i = 0; i < n; i++) scratch[i] += scratch[n + i];
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
#pragma omp parallel for schedule(dynamic) num_threads(t->threads)
        for (int64_t i = 0; i < t->n_tiles; i++)
            root_tile(g, &t->tile[i], &root[k], t->scratch + (size_t)omp_get_thread_num() * t->scratch_floats,
                      t->partial + (size_t)k * t->floats);
    }
}
