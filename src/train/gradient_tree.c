/* Strict gradients of large batches: one partial gradient per shard, added by the perfect binary tree over the shards.
 *
 * A rank's shards are the union of aligned subtrees (part.h); it computes the sums at their roots, tile by tile, so
 * that the partial sums of a tile stay in the cache. Slice r of all roots goes to rank r, which finishes the tree for
 * the weights it owns. The rows of a leaf are padded to ceil(B/V) with zero deltas, so every leaf is a product of the
 * same shape. */
#include <string.h>

#include "dcmpi/comm.h"
#include "gradient_tree.h"

/* All ranks know the subtrees of all: they follow from V and P. */
static int rank_roots(const dc_part *part, int r, dc_subtree *out)
{
    return dc_tree_roots(dc_part_rank_shard(part, r), dc_part_rank_shard(part, r + 1), out);
}

static dc_status take_roots(dc_tree_way *t, const dc_part *part)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&t->root_of, (size_t)part->P + 1, sizeof *t->root_of, "rank table"));
    for (int r = 0; r < part->P; r++) t->root_of[r + 1] = t->root_of[r] + rank_roots(part, r, NULL);
    DC_TRY(dc_mem_alloc(&t->root, (size_t)t->root_of[part->P], sizeof *t->root, "subtrees"));
    for (int r = 0; r < part->P; r++) rank_roots(part, r, t->root + t->root_of[r]);
out:
    return st;
}

static int own_roots(const dc_gradient *g)
{
    const dc_tree_way *t = g->tree;
    return t->root_of[g->owners.rank + 1] - t->root_of[g->owners.rank];
}

/* Floats that rank r owns. */
static size_t owned_floats(const dc_gradient *g, int r)
{
    size_t floats = 0;
    for (int l = 0; l < g->cfg.last; l++) floats += dc_owned_lo(g, l, r + 1) - dc_owned_lo(g, l, r);
    return floats;
}

static size_t layer_floats(const dc_layer *layer)
{
    return (size_t)(layer->in * layer->out + layer->out);
}

/* One rank writes its only root straight into the gradient. */
static bool alone(const dc_gradient *g)
{
    return g->owners.P == 1;
}

/* Tiles of rows [row, row + rows) of a layer, from *n on; only counted if `tile` is NULL. */
static void cut_rows(dc_tree_tile *tile, int64_t *n, int l, const dc_layer *layer, int64_t row, int64_t rows,
                     size_t start)
{
    for (int64_t column = 0; column < layer->out; column += DC_TREE_COLUMNS, ++*n)
        if (tile)
            tile[*n] = (dc_tree_tile){.layer = l,
                                      .row = row,
                                      .rows = rows,
                                      .column = column,
                                      .columns = DC_MIN((int64_t)DC_TREE_COLUMNS, layer->out - column),
                                      .start = start};
}

/* All tiles of all layers, and where each layer's gradient starts in a root's vector. */
static void cut_layers(const dc_gradient *g, dc_tree_way *t)
{
    t->n_tiles = 0;
    t->floats = 0;
    for (int l = 0; l < g->cfg.last; l++) {
        const dc_layer *layer = &g->cfg.net->layer[l];
        const size_t start = alone(g) ? layer->weight : t->floats;
        for (int64_t row = 0; row < layer->in; row += DC_TREE_ROWS)
            cut_rows(t->tile, &t->n_tiles, l, layer, row, DC_MIN((int64_t)DC_TREE_ROWS, layer->in - row), start);
        cut_rows(t->tile, &t->n_tiles, l, layer, layer->in, 0, start);
        t->floats += layer_floats(layer);
    }
}

static dc_status take_tiles(const dc_gradient *g, dc_tree_way *t)
{
    cut_layers(g, t);
    const dc_status st = dc_mem_alloc(&t->tile, (size_t)t->n_tiles, sizeof *t->tile, "tiles");
    if (st == DC_OK) cut_layers(g, t);
    return st;
}

dc_status dc_tree_way_create(dc_gradient *g)
{
    dc_status st = DC_OK;
    const dc_part *part = g->batcher.part;
    const size_t P = (size_t)part->P, tile = (size_t)DC_TREE_ROWS * DC_TREE_COLUMNS;
    DC_TRY(dc_mem_alloc(&g->tree, 1, sizeof *g->tree, "gradient tree"));
    dc_tree_way *t = g->tree;
    t->threads = dc_tree_threads();
    DC_TRY(take_roots(t, part));
    DC_TRY(take_tiles(g, t));
    t->scratch_floats = tile * (size_t)dc_tree_scratch(part->V);
    DC_TRY(dc_mem_alloc(&t->scratch, (size_t)t->threads, t->scratch_floats * sizeof *t->scratch, "partial tiles"));
    if (alone(g)) return DC_OK;
    DC_TRY(dc_mem_alloc(&t->partial, (size_t)own_roots(g), dc_mul_size(t->floats, sizeof *t->partial),
                        "partial gradients"));
    DC_TRY(dc_mem_alloc(&g->recv_bytes, P, sizeof *g->recv_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&g->send_bytes, P, sizeof *g->send_bytes, "rank table"));
    DC_TRY(
        dc_mem_alloc(&g->packed, (size_t)own_roots(g), dc_mul_size(t->floats, sizeof *g->packed), "partial gradients"));
    DC_TRY(dc_mem_alloc(&g->received, (size_t)t->root_of[P],
                        dc_mul_size(owned_floats(g, part->rank), sizeof *g->received),
                        "partial gradients of other ranks"));
    DC_TRY(dc_mem_alloc(&t->stack, (size_t)t->root_of[P], sizeof *t->stack, "subtrees"));
out:
    return st;
}

void dc_tree_way_release(dc_gradient *g)
{
    dc_tree_way *t = g->tree;
    if (!t) return;
    dc_mem_free(&t->root_of);
    dc_mem_free(&t->root);
    dc_mem_free(&t->tile);
    dc_mem_free(&t->scratch);
    dc_mem_free(&t->partial);
    dc_mem_free(&t->stack);
    dc_mem_free(&g->tree);
}

/* Own roots, for each rank its slices of all layers. */
static void pack(dc_gradient *g)
{
    const dc_tree_way *t = g->tree;
    float *next = g->packed;
    for (int r = 0; r < g->owners.P; r++) {
        const float *begin = next;
        for (int k = 0; k < own_roots(g); k++) {
            const float *layer = t->partial + (size_t)k * t->floats;
            for (int l = 0; l < g->cfg.last; l++) {
                const size_t weight = g->cfg.net->layer[l].weight, lo = dc_owned_lo(g, l, r),
                             hi = dc_owned_lo(g, l, r + 1);
                memcpy(next, layer + (lo - weight), (hi - lo) * sizeof *next);
                next += hi - lo;
                layer += layer_floats(&g->cfg.net->layer[l]);
            }
        }
        g->send_bytes[r] = (size_t)(next - begin) * sizeof *next;
    }
}

/* The sum over all shards of this rank's slices, from the roots of all ranks in g->received. */
static const float *finish(dc_gradient *g, size_t floats)
{
    const dc_tree_way *t = g->tree;
    const int n = t->root_of[g->owners.P];
    for (int k = 0; k < n; k++)
        t->stack[k] = (dc_subtree){t->root[k].first, t->root[k].size, g->received + (size_t)k * floats};
    return dc_tree_finish(t->stack, n, floats);
}

static void exchange(dc_comm *comm, dc_gradient *g)
{
    const dc_tree_way *t = g->tree;
    const int rank = g->owners.rank;
    const size_t floats = owned_floats(g, rank);
    pack(g);
    for (int r = 0; r < g->owners.P; r++)
        g->recv_bytes[r] = (size_t)(t->root_of[r + 1] - t->root_of[r]) * floats * sizeof(float);
    dc_comm_alltoallv(comm, g->packed, g->send_bytes, g->received, g->recv_bytes);
    const float *sum = finish(g, floats);
    for (int l = 0; l < g->cfg.last; l++) {
        const size_t lo = dc_owned_lo(g, l, rank), hi = dc_owned_lo(g, l, rank + 1);
        memcpy(g->cfg.params->grad + lo, sum, (hi - lo) * sizeof *sum);
        sum += hi - lo;
    }
}

void dc_tree_way_sync(dc_comm *comm, dc_gradient *g)
{
    const double start = dc_clock_now_s();
    dc_tree_way_partials(g, g->tree->root + g->tree->root_of[g->owners.rank], own_roots(g));
    g->product_s = dc_clock_now_s() - start;
    if (!alone(g)) exchange(comm, g);
}
