#include "q_rows.h"

#include <string.h>

#include "dcmpi/mem.h"
#include "embed_kern.h"

/* Memory of a piece, unless a single tile takes more. */
enum { PIECE_BYTES = 16 << 20 };

struct dc_q_rows {
    const dc_method *method;
    dc_method_env *env; /* owned, as are state, embedder and arrays */
    dc_method_state *state;
    dc_embedder *embedder;
    const dc_dataset *data;
    size_t tiles;  /* of a piece */
    int64_t first; /* first row of the piece that is being computed */
    float *q;      /* [rows of a piece x K] */
};

static size_t tiles_of_piece(int64_t tile_rows, int64_t K)
{
    const size_t tile_bytes = dc_mul_size((size_t)tile_rows, dc_mul_size((size_t)K, sizeof(float)));
    return DC_MAX(PIECE_BYTES / tile_bytes, (size_t)1);
}

double dc_q_rows_bytes(const dc_part *part, int64_t K)
{
    const int64_t tile_rows = dc_embed_tile_rows(part), piece = (int64_t)tiles_of_piece(tile_rows, K) * tile_rows;
    return (double)DC_MIN(piece, dc_part_rows(part)) * (double)K * sizeof(float);
}

dc_status dc_q_rows_create(dc_q_rows **out, const dc_method *method, dc_method_env **env, dc_method_state **state,
                           dc_embedder **embedder, const dc_dataset *data)
{
    dc_status st = DC_OK;
    dc_q_rows *q = NULL;
    DC_TRY(dc_mem_alloc(&q, 1, sizeof *q, "soft assignment"));
    *q = (dc_q_rows){.method = method, .env = *env, .state = *state, .embedder = *embedder, .data = data};
    *env = NULL, *state = NULL, *embedder = NULL;
    const size_t most = DC_MAX(q->embedder->n_tiles, (size_t)1);
    q->tiles = DC_MIN(tiles_of_piece(q->embedder->tile_rows, q->embedder->K), most);
    const size_t rows =
        DC_MIN(dc_mul_size(q->tiles, (size_t)q->embedder->tile_rows), (size_t)dc_part_rows(q->env->part));
    DC_TRY(dc_mem_alloc(&q->q, dc_mul_size(rows, (size_t)q->embedder->K), sizeof *q->q, "soft assignment"));
out:
    if (st != DC_OK) dc_q_rows_destroy(&q);
    *out = q;
    return st;
}

void dc_q_rows_destroy(dc_q_rows **q_rows)
{
    dc_q_rows *q = *q_rows;
    if (!q) return;
    q->method->destroy(&q->state);
    dc_embedder_destroy(&q->embedder);
    dc_mem_free(&q->env);
    dc_mem_free(&q->q);
    dc_mem_free(q_rows);
}

int64_t dc_q_rows_pieces(const dc_q_rows *q)
{
    return (int64_t)((q->embedder->n_tiles + q->tiles - 1) / q->tiles);
}

static void see(void *ctx, int64_t lo, int64_t n, float *q, int32_t *label)
{
    const dc_q_rows *r = ctx;
    const size_t K = (size_t)r->embedder->K;
    if (r->method->assign && !r->env->finished) r->method->assign(r->state, lo, n, q, label);
    memcpy(r->q + (size_t)(lo - r->first) * K, q, (size_t)n * K * sizeof *q);
}

int64_t dc_q_rows_get(dc_q_rows *q, int64_t i, const float **rows)
{
    const dc_embedder *e = q->embedder;
    const size_t lo = (size_t)i * q->tiles, hi = DC_MIN(lo + q->tiles, e->n_tiles);
    q->first = e->tile[lo].lo;
    dc_embed_tiles(e, q->data, lo, hi, &(dc_embedded){.see = see, .ctx = q});
    *rows = q->q;
    return e->tile[hi - 1].lo + e->tile[hi - 1].n - q->first;
}
