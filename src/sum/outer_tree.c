/* Gradients of large batches in strict mode (outer.h): each of the V shards has its own product A'D, and a perfect
 * binary tree over the shards adds these products.
 *
 * The shards of a rank make up whole subtrees (part.h). The rank computes the sums at their roots, tile by tile, so
 * that the partial sums of a tile stay in the cache. Each rank owns a slice of the gradient: it receives this slice of
 * the roots of all ranks, and finishes the tree for this slice. A batch of B rows has at most ceil(B/V) rows in a
 * shard; a shard with fewer is padded with zeros in D, so that all products have the same shape. A product of patches
 * (outer_tree_kern.c) uses only the rows that the shard has in the step, so it needs no padding; neither does a product
 * with a sparse A. */
#include "outer_tree.h"

#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

/* The subtrees of rank r. Every rank can compute those of all ranks: they follow from V and the number of ranks. */
static int rank_roots(const dc_part *part, int r, dc_subtree *out)
{
    return dc_tree_roots(dc_part_rank_shard(part, r), dc_part_rank_shard(part, r + 1), out);
}

static dc_status take_roots(dc_outer_tree *t, const dc_part *part)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&t->root_of, (size_t)part->P + 1, sizeof *t->root_of, "rank table"));
    for (int r = 0; r < part->P; r++) t->root_of[r + 1] = t->root_of[r] + rank_roots(part, r, NULL);
    DC_TRY(dc_mem_alloc(&t->root, (size_t)t->root_of[part->P], sizeof *t->root, "subtrees"));
    for (int r = 0; r < part->P; r++) rank_roots(part, r, t->root + t->root_of[r]);
out:
    return st;
}

static int own_roots(const dc_outer *o)
{
    const dc_outer_tree *t = o->way;
    return t->root_of[o->owners.rank + 1] - t->root_of[o->owners.rank];
}

/* True if there is only one rank: then it writes its only root straight into the gradient. */
static bool alone(const dc_outer *o)
{
    return o->owners.P == 1;
}

/* Cuts rows [row, row + rows) of item i into tiles tile[*n], ...; only counts them in *n if `tile` is NULL. */
static void cut_rows(dc_tree_tile *tile, int64_t *n, const dc_outer *o, int i, int64_t row, int64_t rows, size_t start)
{
    const int64_t d = o->item[i].d;
    for (int64_t column = 0; column < d; column += DC_TREE_COLUMNS, ++*n)
        if (tile)
            tile[*n] = (dc_tree_tile){.item = i,
                                      .row = row,
                                      .rows = rows,
                                      .column = column,
                                      .columns = DC_MIN((int64_t)DC_TREE_COLUMNS, d - column),
                                      .start = start};
}

/* Cuts all items into tiles; each tile knows where its item starts in the vector of a root (with one rank: in the
 * gradient). */
static void cut_items(const dc_outer *o, dc_outer_tree *t)
{
    t->n_tiles = 0;
    t->floats = 0;
    for (int i = 0; i < o->cfg.n_items; i++) {
        const dc_outer_item *x = &o->item[i];
        const size_t start = alone(o) ? x->at : t->floats;
        for (int64_t row = 0; row < x->a; row += DC_TREE_ROWS)
            cut_rows(t->tile, &t->n_tiles, o, i, row, DC_MIN((int64_t)DC_TREE_ROWS, x->a - row), start);
        if (x->bias) cut_rows(t->tile, &t->n_tiles, o, i, x->a, 0, start);
        t->floats += dc_item_floats(x);
    }
}

static dc_status take_tiles(const dc_outer *o, dc_outer_tree *t)
{
    cut_items(o, t);
    const dc_status st = dc_mem_alloc(&t->tile, (size_t)t->n_tiles, sizeof *t->tile, "tiles");
    if (st == DC_OK) cut_items(o, t);
    return st;
}

static dc_status take_messages(const dc_outer *o, dc_outer_tree *t)
{
    dc_status st = DC_OK;
    const size_t P = (size_t)o->owners.P, own = (size_t)own_roots(o), all = (size_t)t->root_of[P],
                 bytes = dc_mul_size(t->floats, sizeof(float));
    DC_TRY(dc_mem_alloc(&t->partial, own, bytes, "partial gradients"));
    DC_TRY(dc_mem_alloc(&t->recv_bytes, P, sizeof *t->recv_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&t->send_bytes, P, sizeof *t->send_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&t->packed, own, bytes, "partial gradients"));
    DC_TRY(dc_mem_alloc(&t->received, all,
                        dc_mul_size(dc_owned_floats(&o->owners, o->owners.rank), sizeof *t->received),
                        "partial gradients of other ranks"));
    DC_TRY(dc_mem_alloc(&t->stack, all, sizeof *t->stack, "subtrees"));
out:
    return st;
}

/* Most floats of patches that a thread forms at once. */
static size_t patch_floats(const dc_outer *o)
{
    size_t floats = 0;
    for (int i = 0; i < o->cfg.n_items; i++)
        for (int k = 0; k < o->item[i].n_pairs; k++) {
            const dc_window *w = o->item[i].pair[k].window;
            if (w) floats = DC_MAX(floats, (size_t)(dc_tree_images(w) * dc_window_places(w) * DC_TREE_ROWS));
        }
    return floats;
}

dc_status dc_outer_tree_create(dc_outer *o)
{
    dc_status st = DC_OK;
    dc_outer_tree *t = NULL;
    const dc_part *part = o->cfg.places->part;
    DC_TRY(dc_mem_alloc(&t, 1, sizeof *t, "gradient tree"));
    o->way = t;
    t->threads = dc_outer_tree_threads();
    DC_TRY(take_roots(t, part));
    DC_TRY(take_tiles(o, t));
    t->tile_floats = (size_t)DC_TREE_ROWS * DC_TREE_COLUMNS * (size_t)dc_tree_scratch(part->V);
    t->scratch_floats = t->tile_floats + patch_floats(o);
    DC_TRY(dc_mem_alloc(&t->scratch, (size_t)t->threads, t->scratch_floats * sizeof *t->scratch, "partial tiles"));
    if (!alone(o)) DC_TRY(take_messages(o, t));
out:
    return st;
}

void dc_outer_tree_release(dc_outer *o)
{
    dc_outer_tree *t = o->way;
    dc_mem_free(&t->root_of);
    dc_mem_free(&t->root);
    dc_mem_free(&t->tile);
    dc_mem_free(&t->scratch);
    dc_mem_free(&t->partial);
    dc_mem_free(&t->packed);
    dc_mem_free(&t->received);
    dc_mem_free(&t->send_bytes);
    dc_mem_free(&t->recv_bytes);
    dc_mem_free(&t->stack);
}

/* Packs this rank's roots for sending: each rank is sent its slices of all items. */
static void pack(const dc_outer *o, dc_outer_tree *t)
{
    float *next = t->packed;
    for (int r = 0; r < o->owners.P; r++) {
        const float *begin = next;
        for (int k = 0; k < own_roots(o); k++) {
            const float *start = t->partial + (size_t)k * t->floats;
            for (int i = 0; i < o->cfg.n_items; i++) {
                const size_t at = o->item[i].at, lo = dc_owned_lo(&o->owners, i, r),
                             hi = dc_owned_lo(&o->owners, i, r + 1);
                memcpy(next, start + (lo - at), (hi - lo) * sizeof *next);
                next += hi - lo;
                start += dc_item_floats(&o->item[i]);
            }
        }
        t->send_bytes[r] = (size_t)(next - begin) * sizeof *next;
    }
}

/* Adds the roots of all ranks, which are in t->received. Returns this rank's slices, summed over all shards. */
static const float *finish(const dc_outer *o, dc_outer_tree *t, size_t floats)
{
    const int n = t->root_of[o->owners.P];
    for (int k = 0; k < n; k++)
        t->stack[k] = (dc_subtree){t->root[k].first, t->root[k].size, t->received + (size_t)k * floats};
    return dc_tree_finish(t->stack, n, floats);
}

static void exchange(dc_comm *comm, dc_outer *o)
{
    dc_outer_tree *t = o->way;
    const size_t floats = dc_owned_floats(&o->owners, o->owners.rank);
    pack(o, t);
    for (int r = 0; r < o->owners.P; r++)
        t->recv_bytes[r] = (size_t)(t->root_of[r + 1] - t->root_of[r]) * floats * sizeof(float);
    dc_comm_alltoallv(comm, t->packed, t->send_bytes, t->received, t->recv_bytes);
    const float *sum = finish(o, t, floats);
    for (int i = 0; i < o->cfg.n_items; i++) {
        const size_t lo = dc_owned_lo(&o->owners, i, o->owners.rank),
                     hi = dc_owned_lo(&o->owners, i, o->owners.rank + 1);
        memcpy(o->cfg.grad + lo, sum, (hi - lo) * sizeof *sum);
        sum += hi - lo;
    }
}

void dc_outer_tree_sync(dc_comm *comm, dc_outer *o)
{
    const dc_outer_tree *t = o->way;
    const double start = dc_clock_now_s();
    if (o->csr) dc_csc_set(&o->columns, o->csr);
    dc_outer_tree_partials(o, t->root + t->root_of[o->owners.rank], own_roots(o));
    o->product_s = dc_clock_now_s() - start;
    if (!alone(o)) exchange(comm, o);
}

double dc_outer_tree_sent(const dc_outer *o)
{
    const dc_outer_tree *t = o->way;
    return own_roots(o) * (double)(t->floats - dc_owned_floats(&o->owners, o->owners.rank)) * sizeof(float);
}
