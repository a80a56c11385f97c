/* Computes the sums at the roots of a rank's subtrees, tile by tile, so that partial sums stay in the cache. A leaf is
 * one product over the rows of a shard. */
#include <omp.h>
#include <string.h>

#include "outer_tree.h"

int dc_outer_tree_threads(void)
{
    return omp_get_max_threads();
}

typedef struct {
    const dc_outer *outer;
    const dc_tree_tile *tile;
    float *patches;
} leaf_place;

static void add_rows(const float *D, int64_t n, int64_t width, int64_t columns, float *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < columns; j++) out[j] += D[i * width + j];
}

/* Adds what pair k gives to a tile, over the padded rows of a shard. */
static void add_product(const dc_outer *o, const dc_tree_tile *t, int k, int shard, float *out)
{
    const dc_outer_item *x = &o->item[t->item];
    const dc_places *p = o->cfg.places;
    const int64_t at = p->pad + (shard - p->part->shard_lo) * p->shard_places;
    const float *D = x->pair[k].D + at * x->d + t->column;
    if (t->rows > 0)
        dc_gemm(DC_T, DC_N, t->rows, t->columns, p->shard_places, 1, x->pair[k].A + at * x->a + t->row, x->a, D, x->d,
                dc_pair_beta(k), out, t->columns);
    else if (x->pair[k].bias)
        add_rows(D, p->shard_places, x->d, t->columns, out);
}

/* The rows of a shard in this step; NULL: none. */
static const dc_leaf *leaf_of(const dc_places *p, int shard)
{
    int lo = 0, hi = p->n_leaves;
    while (lo < hi) {
        const int middle = (lo + hi) / 2;
        if (p->leaf[middle].shard < shard)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < p->n_leaves && p->leaf[lo].shard == shard ? &p->leaf[lo] : NULL;
}

/* The same for a pair with a window, a few images at a time. */
static void add_patches(const leaf_place *place, int k, const dc_leaf *leaf, float *out)
{
    const dc_tree_tile *t = place->tile;
    const dc_outer_item *x = &place->outer->item[t->item];
    const dc_outer_pair *pair = &x->pair[k];
    const int64_t places = dc_window_places(pair->window), image = dc_window_image(pair->window),
                  images = dc_tree_images(pair->window);
    for (int64_t lo = 0; lo < leaf->n && t->rows > 0; lo += images) {
        const int64_t n = DC_MIN(images, leaf->n - lo), at = leaf->at + lo;
        for (int64_t i = 0; i < n; i++)
            dc_patches(pair->window, pair->A + (at + i) * image, t->row, t->rows,
                       place->patches + i * places * t->rows);
        dc_gemm(DC_T, DC_N, t->rows, t->columns, n * places, 1, place->patches, t->rows,
                pair->D + at * places * x->d + t->column, x->d, 1, out, t->columns);
    }
    if (t->rows == 0 && pair->bias)
        add_rows(pair->D + leaf->at * places * x->d + t->column, leaf->n * places, x->d, t->columns, out);
}

/* Computes what the rows of one shard contribute to a tile: out [rows x columns], or [columns] for a bias. */
static void leaf_tile(const void *ctx, int shard, float *out)
{
    const leaf_place *place = ctx;
    const dc_outer *o = place->outer;
    const dc_tree_tile *t = place->tile;
    const dc_outer_item *x = &o->item[t->item];
    const bool windows = x->pair[0].window != NULL;
    const dc_leaf *leaf = windows ? leaf_of(o->cfg.places, shard) : NULL;
    if (windows || t->rows == 0) memset(out, 0, (size_t)(DC_MAX(t->rows, (int64_t)1) * t->columns) * sizeof *out);
    for (int k = 0; k < x->n_pairs; k++)
        if (!windows)
            add_product(o, t, k, shard, out);
        else if (leaf)
            add_patches(place, k, leaf, out);
}

/* ---- Sparse A ---------------------------------------------------------------------------------------------------- */

/* A row of the product is a sum over one column of A. Only the shards count in which this column has values; they are
 * added as the perfect tree over all shards would, to which the others give zeros. */
typedef struct {
    const dc_outer *outer;
    const dc_tree_tile *tile;
    float *stack; /* vectors of tile->columns floats behind the first, which is the result */
} sparse_place;

static int shard_of(const dc_places *p, int64_t place)
{
    return p->part->shard_lo + (int)((place - p->pad) / p->shard_places);
}

/* out[columns] += what values [from, to) of a column, all of one shard, give. */
static void add_values(const sparse_place *s, int64_t from, int64_t to, float *restrict out)
{
    const dc_csc *c = &s->outer->columns;
    const dc_outer_item *x = &s->outer->item[s->tile->item];
    for (int k = 0; k < x->n_pairs; k++)
        for (int64_t e = from; e < to; e++) {
            const float v = c->val[e], *restrict D = x->pair[k].D + c->row[e] * x->d + s->tile->column;
            for (int64_t j = 0; j < s->tile->columns; j++) out[j] += v * D[j];
        }
}

static void add_vector(float *restrict a, const float *restrict b, int64_t n)
{
    for (int64_t j = 0; j < n; j++) a[j] += b[j];
}

enum { LEVELS = 32 };

/* Shards a < b meet below this level of the tree. */
static int meeting(int a, int b)
{
    return 32 - __builtin_clz((unsigned)(a ^ b));
}

static void sum_column(const sparse_place *s, int64_t column, const dc_subtree *root, float *out)
{
    const dc_csc *c = &s->outer->columns;
    const dc_places *p = s->outer->cfg.places;
    const int64_t n = s->tile->columns;
    float *slot[LEVELS] = {out};
    int level[LEVELS], depth = 0, before = 0;
    for (int i = 1; i < LEVELS; i++) slot[i] = s->stack + (i - 1) * n;
    for (int64_t e = c->start[column], to; e < c->start[column + 1]; e = to) {
        const int shard = shard_of(p, c->row[e]), meets = depth ? meeting(before, shard) : 0;
        for (to = e + 1; to < c->start[column + 1] && shard_of(p, c->row[to]) == shard;) to++;
        if (shard < root->first || shard >= root->first + root->size) continue;
        for (; depth > 1 && level[depth - 1] < meets; depth--) add_vector(slot[depth - 2], slot[depth - 1], n);
        memset(slot[depth], 0, (size_t)n * sizeof *out);
        add_values(s, e, to, slot[depth]);
        level[depth++] = meets;
        before = shard;
    }
    for (; depth > 1; depth--) add_vector(slot[depth - 2], slot[depth - 1], n);
    if (depth == 0) memset(out, 0, (size_t)n * sizeof *out);
}

static void sparse_tile(const dc_outer *o, const dc_tree_tile *t, const dc_subtree *root, float *scratch, float *out)
{
    const sparse_place place = {o, t, scratch};
    const int64_t width = o->item[t->item].d;
    out += t->start + (size_t)(t->row * width + t->column);
    for (int64_t i = 0; i < t->rows; i++) sum_column(&place, t->row + i, root, out + i * width);
}

/* Computes one tile of the sum at a root and copies it to its place in the vector of all items. */
static void root_tile(const dc_outer *o, const dc_tree_tile *t, const dc_subtree *root, float *scratch, float *out)
{
    const int64_t width = o->item[t->item].d, rows = DC_MAX(t->rows, (int64_t)1);
    if (dc_item_is_sparse(&o->item[t->item]) && t->rows > 0) {
        sparse_tile(o, t, root, scratch, out);
        return;
    }
    const leaf_place place = {o, t, scratch + ((const dc_outer_tree *)o->way)->tile_floats};
    dc_tree_sum(leaf_tile, &place, rows * t->columns, root->first, root->size, scratch);
    out += t->start + (size_t)(t->row * width + t->column);
    for (int64_t i = 0; i < rows; i++)
        memcpy(out + i * width, scratch + i * t->columns, (size_t)t->columns * sizeof *out);
}

void dc_outer_tree_partials(dc_outer *o, const dc_subtree *root, int n_roots)
{
    const dc_outer_tree *t = o->way;
    for (int k = 0; k < n_roots; k++) {
        float *out = t->partial ? t->partial + (size_t)k * t->floats : o->cfg.grad;
#pragma omp parallel for schedule(dynamic) num_threads(t->threads)
        for (int64_t i = 0; i < t->n_tiles; i++)
            root_tile(o, &t->tile[i], &root[k], t->scratch + (size_t)omp_get_thread_num() * t->scratch_floats, out);
    }
}
