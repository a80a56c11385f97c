/* Where the rows of a step lie. See outer.h. */
#include <string.h>

#include "dcmpi/mem.h"
#include "outer_priv.h"

static int64_t round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

dc_status dc_places_init(dc_places *p, const dc_part *part, dc_outer_way way, int64_t B, int64_t capacity,
                         int64_t reach)
{
    dc_status st = DC_OK;
    *p = (dc_places){.part = part, .way = way, .B = B, .capacity = capacity};
    p->max_leaves = part->shard_hi - part->shard_lo;
    if (dc_outer_table[way].padded) p->shard_places = (B - 1) / part->V + 1;
    if (p->shard_places) reach = part->shard_lo * p->shard_places % DC_ROW_TILE + p->max_leaves * p->shard_places;
    p->max_rows = round_up(DC_MAX(reach, (int64_t)1), DC_ROW_TILE);
    DC_TRY(dc_mem_alloc(&p->leaf, (size_t)p->max_leaves, sizeof *p->leaf, "leaves of a batch"));
    DC_TRY(dc_mem_alloc(&p->offset, (size_t)part->P + 1, sizeof *p->offset, "rank table"));
out:
    return st;
}

void dc_places_release(dc_places *p)
{
    dc_mem_free(&p->leaf);
    dc_mem_free(&p->offset);
}

void dc_places_set(dc_places *p, int64_t step, const int64_t *rows, const int64_t *shard_rows, const int64_t *offset)
{
    const dc_part *part = p->part;
    memcpy(p->offset, offset, ((size_t)part->P + 1) * sizeof *offset);
    p->step = step;
    p->n = offset[part->rank + 1] - offset[part->rank];
    p->n_global = offset[part->P];
    p->pad = (p->shard_places ? part->shard_lo * p->shard_places : offset[part->rank]) % DC_ROW_TILE;
    p->n_leaves = 0;
    int64_t at = p->pad, count = 0;
    for (int s = part->shard_lo; s < part->shard_hi; s++) {
        const int64_t n = shard_rows[s - part->shard_lo];
        DC_ASSERT(n <= p->shard_places || !p->shard_places);
        if (n) p->leaf[p->n_leaves++] = (dc_leaf){.rows = rows + count, .n = n, .at = at, .shard = s};
        count += n;
        at += p->shard_places ? p->shard_places : n;
    }
    DC_ASSERT(count == p->n && p->n <= p->capacity && p->n_global <= p->B);
    p->used = round_up(at, DC_ROW_TILE);
    DC_ASSERT(p->used <= p->max_rows);
}

static void clear(float *X, int64_t width, int64_t from, int64_t to)
{
    memset(X + from * width, 0, (size_t)((to - from) * width) * sizeof *X);
}

void dc_places_clear(const dc_places *p, float *X, int64_t width)
{
    if (!p->shard_places) return;
    int64_t at = 0;
    for (int i = 0; i < p->n_leaves; i++) {
        clear(X, width, at, p->leaf[i].at);
        at = p->leaf[i].at + p->leaf[i].n;
    }
    clear(X, width, at, p->used);
}
