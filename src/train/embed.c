/* Embedding of all rows of this rank. Tiles of at most TILE_ROWS rows start anew at each block of the partition, and
 * one thread computes a tile, so that shapes, and with them the bits, do not depend on the numbers of ranks and
 * threads. */
#include <string.h>

#include "dcmpi/mem.h"
#include "embed_kern.h"

static size_t count_tiles(const dc_part *part)
{
    size_t n = 0;
    for (dc_block b = {0}; dc_part_next_block(part, &b);)
        n += (size_t)((b.hi - b.lo + DC_EMBED_TILE_ROWS - 1) / DC_EMBED_TILE_ROWS);
    return n;
}

static void cut_tiles(const dc_part *part, dc_embed_tile *tile)
{
    for (dc_block b = {0}; dc_part_next_block(part, &b);)
        for (int64_t lo = b.lo; lo < b.hi; lo += DC_EMBED_TILE_ROWS)
            *tile++ = (dc_embed_tile){lo, DC_MIN((int64_t)DC_EMBED_TILE_ROWS, b.hi - lo)};
}

dc_status dc_embedder_create(dc_embedder **out, const dc_model *m)
{
    dc_status st = DC_OK;
    dc_embedder *e = NULL;
    const dc_part *part = &m->data->part;
    DC_TRY(dc_mem_alloc(&e, 1, sizeof *e, "embedder"));
    e->n_tiles = count_tiles(part);
    e->n_threads = dc_embed_threads();
    DC_TRY(dc_mem_alloc(&e->tile, e->n_tiles, sizeof *e->tile, "tiles"));
    DC_TRY(dc_mem_alloc(&e->work, (size_t)e->n_threads, sizeof *e->work, "tile workspaces"));
    cut_tiles(part, e->tile);
    for (int t = 0; t < e->n_threads; t++)
        DC_TRY(dc_net_work_create(&e->work[t], m->net, 0, m->net->n_encoder, DC_EMBED_TILE_ROWS, false));
out:
    if (st != DC_OK) dc_embedder_destroy(&e);
    *out = e;
    return st;
}

void dc_embedder_destroy(dc_embedder **embedder)
{
    dc_embedder *e = *embedder;
    if (!e) return;
    for (int t = 0; e->work && t < e->n_threads; t++) dc_net_work_release(&e->work[t]);
    dc_mem_free(&e->work);
    dc_mem_free(&e->tile);
    dc_mem_free(embedder);
}

void dc_embed(dc_embedder *e, const dc_model *m, float *Z)
{
    const double start = dc_timer_start();
    dc_embed_tiles(e, m, Z);
    dc_timer_stop(m->timers, DC_T_EMBED, start,
                  (double)dc_part_rows(&m->data->part) * dc_net_forward_flops(m->net, 0, m->net->n_encoder), 0);
}
