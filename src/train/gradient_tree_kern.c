/* The sums at the roots of a rank's subtrees, tile by tile, so that partial sums stay in the cache; a leaf is one
 * product over the rows of a shard. */
#include <omp.h>
#include <string.h>

#include "gradient_tree.h"

int dc_tree_threads(void)
{
    return omp_get_max_threads();
}

typedef struct {
    const dc_gradient *gradient;
    const dc_tree_tile *tile;
} leaf_place;

/* The part of one shard's rows: out [rows x columns], or [columns] of a bias. */
static void leaf_tile(const void *place, int shard, float *out)
{
    const dc_gradient *g = ((const leaf_place *)place)->gradient;
    const dc_tree_tile *t = ((const leaf_place *)place)->tile;
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

/* One tile of the sum at a root, into its place in the vector of all layers. */
static void root_tile(const dc_gradient *g, const dc_tree_tile *t, const dc_subtree *root, float *scratch, float *out)
{
    const int64_t width = g->cfg.net->layer[t->layer].out, rows = DC_MAX(t->rows, (int64_t)1);
    const leaf_place place = {g, t};
    dc_tree_sum(leaf_tile, &place, rows * t->columns, root->first, root->size, scratch);
    out += t->start + (size_t)(t->row * width + t->column);
    for (int64_t i = 0; i < rows; i++)
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
