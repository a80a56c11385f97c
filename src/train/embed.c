/* Embedding, soft assignment and labels of all rows of this rank. Each block of the partition begins with a new tile.
 * All tiles have the same number of rows (short ones are padded), and each tile is computed by one thread. So the
 * shapes, and with them the bits, do not depend on the numbers of ranks and threads, and a result file can record the
 * shape of its tiles. */
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/wish.h"
#include "embed_kern.h"

/* Divides the longest block into equal tiles, so that padding wastes less than a row per tile. */
int64_t dc_embed_tile_rows(const dc_part *part)
{
    const int64_t longest = DC_MIN((part->N + part->V - 1) / part->V, (int64_t)DC_BLOCK_ROWS);
    const int64_t tiles = DC_MAX((longest + DC_EMBED_TILE_MAX - 1) / DC_EMBED_TILE_MAX, (int64_t)1);
    return DC_MAX((longest + tiles - 1) / tiles, (int64_t)DC_EMBED_TILE_MIN);
}

bool dc_embed_next_tile(const dc_part *part, int64_t tile_rows, dc_tile_cursor *cursor, dc_embed_tile *tile)
{
    if (cursor->next == cursor->block.hi && !dc_part_next_block(part, &cursor->block)) return false;
    tile->lo = DC_MAX(cursor->next, cursor->block.lo);
    tile->n = DC_MIN(tile_rows, cursor->block.hi - tile->lo);
    cursor->next = tile->lo + tile->n;
    return true;
}

static size_t count_tiles(const dc_part *part, int64_t tile_rows)
{
    size_t n = 0;
    dc_embed_tile tile;
    for (dc_tile_cursor c = {0}; dc_embed_next_tile(part, tile_rows, &c, &tile);) n++;
    return n;
}

static dc_status record(dc_graph **out, const dc_method *method, const dc_method_env *env)
{
    dc_status st = DC_OK;
    DC_TRY(dc_graph_create(out));
    if (env->final && env->finished)
        dc_final_infer(*out, method, env);
    else
        method->infer(*out, env);
    DC_TRY(dc_graph_finish(*out));
out:
    return st;
}

dc_status dc_embedder_alloc(dc_embedder **out, const dc_method *method, const dc_method_env *env, int64_t tile_rows,
                            size_t max_tiles)
{
    dc_status st = DC_OK;
    dc_embedder *e = NULL;
    DC_TRY(dc_mem_alloc(&e, 1, sizeof *e, "embedder"));
    e->tile_rows = tile_rows;
    DC_TRY(dc_mem_alloc(&e->tile, max_tiles, sizeof *e->tile, "tiles"));
    DC_TRY(record(&e->graph, method, env));
    DC_TRY(dc_infer_create(&e->infer, e->graph, env->value, tile_rows, env->input.csr,
                           env->input.part ? env->input.part->N : 0));
    e->csr = env->input.csr;
    e->D = env->slab->net.D;
    e->Z = dc_infer_find(e->infer, "embedding");
    e->q = dc_infer_find(e->infer, "q");
    e->label = dc_infer_find(e->infer, "label");
    DC_ASSERT(e->q >= 0 && (e->Z >= 0) == (env->slab->net.n_layers > 0));
    e->L = e->Z >= 0 ? dc_infer_width(e->infer, e->Z) : env->L;
    e->K = dc_infer_width(e->infer, e->q);
    DC_ASSERT(e->L == env->L && e->K == env->K);
out:
    if (st != DC_OK) dc_embedder_destroy(&e);
    *out = e;
    return st;
}

dc_status dc_embedder_create(dc_embedder **out, const dc_method *method, const dc_method_env *env)
{
    const int64_t tile_rows = dc_embed_tile_rows(env->part);
    const dc_status st = dc_embedder_alloc(out, method, env, tile_rows, count_tiles(env->part, tile_rows));
    if (st != DC_OK) return st;
    dc_embedder *e = *out;
    dc_embed_tile tile;
    for (dc_tile_cursor c = {0}; dc_embed_next_tile(env->part, tile_rows, &c, &tile);) e->tile[e->n_tiles++] = tile;
    return DC_OK;
}

void dc_embedder_destroy(dc_embedder **embedder)
{
    dc_embedder *e = *embedder;
    if (!e) return;
    dc_infer_destroy(&e->infer);
    dc_graph_destroy(&e->graph);
    dc_mem_free(&e->tile);
    dc_mem_free(embedder);
}

static void embed(const dc_embedder *e, const dc_dataset *data, dc_timers *timers, size_t lo, size_t hi,
                  const dc_embedded *out)
{
    const double start = dc_timer_start();
    int64_t rows = 0;
    for (size_t i = lo; i < hi; i++) rows += e->tile[i].n;
    dc_embed_tiles(e, data, lo, hi, out);
    dc_timer_stop(timers, DC_T_EMBED, start, (double)rows * dc_infer_flops(e->infer), 0);
}

void dc_embed(const dc_embedder *e, const dc_dataset *data, dc_timers *timers, const dc_embedded *out)
{
    embed(e, data, timers, 0, e->n_tiles, out);
}

double dc_embed_flops(const dc_embedder *e)
{
    return dc_infer_flops(e->infer);
}

/* Number of rows that a rank embeds between two polls for wishes. */
enum { PIECE_ROWS = 65536 };

/* Number of pieces, the same on all ranks. */
static size_t count_pieces(const dc_part *part)
{
    const int64_t shards = (part->V + part->P - 1) / part->P, rows = shards * (part->N / part->V + 1);
    return (size_t)((rows + PIECE_ROWS - 1) / PIECE_ROWS);
}

dc_status dc_embed_all(dc_comm *comm, const dc_embedder *e, const dc_model *m, bool may_save, const dc_embedded *out)
{
    dc_status st = DC_OK;
    const size_t pieces = count_pieces(&m->data->part);
    for (size_t i = 0; i < pieces; i++) {
        embed(e, m->data, m->timers, e->n_tiles * i / pieces, e->n_tiles * (i + 1) / pieces, out);
        DC_TRY(may_save ? dc_state_poll(comm, m->state) : dc_wish_poll_stop(comm));
    }
out:
    return st;
}
