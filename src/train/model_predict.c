/* Rows through a trained model: embedding, soft assignment, labels. Everything that decides the bits of a row is that
 * of the training run: tiles of the same number of rows, starting anew at each block of a partition into the same
 * shards, the same kernels. So a run's own rows get their own results again, on any number of ranks. */
#include <string.h>

#include "dcmpi/mem.h"
#include "embed_kern.h"

struct dc_predictor {
    const dc_trained *trained;
    dc_dataset view; /* rows of this piece */
    dc_model model;  /* of view */
    dc_part part;
    dc_tile_cursor cursor;
    int64_t first, n; /* local rows of this piece */
    int64_t capacity;
    dc_embedder *embedder; /* NULL without a network */
    float *q;              /* [capacity x K], with a network */
    float *rows;           /* [256 x D] scaled rows, without */
    dc_timers timers;
};

/* Lengthens the piece by whole tiles as far as they fit; those of the embedder if it is not NULL. */
static int64_t cut_piece(const dc_part *part, int64_t tile_rows, int64_t capacity, dc_tile_cursor *cursor,
                         dc_embedder *e)
{
    const int64_t first = cursor->next;
    int64_t n = 0;
    dc_embed_tile tile;
    for (;;) {
        dc_tile_cursor after = *cursor;
        if (!dc_embed_next_tile(part, tile_rows, &after, &tile) || n + tile.n > capacity) return n;
        if (e) e->tile[e->n_tiles++] = (dc_embed_tile){tile.lo - first, tile.n};
        n += tile.n;
        *cursor = after;
    }
}

int64_t dc_predict_pieces(const dc_trained *t, const dc_part *part, int64_t capacity)
{
    int64_t pieces = 0;
    for (dc_tile_cursor c = {0}; cut_piece(part, t->tile_rows, capacity, &c, NULL) > 0;) pieces++;
    return pieces;
}

dc_status dc_predictor_create(dc_predictor **out, const dc_trained *t, const dc_part *part, dc_dtype dtype,
                              int64_t capacity)
{
    dc_status st = DC_OK;
    dc_predictor *p = NULL;
    const size_t rows = (size_t)capacity;
    DC_ASSERT(capacity >= t->tile_rows);
    DC_TRY(dc_mem_alloc(&p, 1, sizeof *p, "predictor"));
    p->trained = t;
    p->part = *part;
    p->capacity = capacity;
    p->view = (dc_dataset){.D = t->D, .dtype = dtype, .shift = t->shift, .scale = t->scale};
    p->model = (dc_model){.data = &p->view, .net = &t->net, .timers = &p->timers, .params.value = t->value};
    if (t->has_net) {
        DC_TRY(dc_embedder_alloc(&p->embedder, &t->net, t->tile_rows, rows));
        DC_TRY(dc_mem_alloc(&p->q, dc_mul_size(rows, (size_t)t->K), sizeof *p->q, "soft assignment"));
    } else {
        DC_TRY(dc_mem_alloc(&p->rows, DC_EMBED_TILE_MAX, (size_t)t->D * sizeof *p->rows, "scaled rows"));
    }
out:
    if (st != DC_OK) dc_predictor_destroy(&p);
    *out = p;
    return st;
}

void dc_predictor_destroy(dc_predictor **predictor)
{
    dc_predictor *p = *predictor;
    if (!p) return;
    dc_embedder_destroy(&p->embedder);
    dc_mem_free(&p->q);
    dc_mem_free(&p->rows);
    dc_mem_free(predictor);
}

int64_t dc_predictor_next(dc_predictor *p)
{
    dc_embedder *e = p->embedder;
    if (e) e->n_tiles = 0;
    p->n = cut_piece(&p->part, p->trained->tile_rows, p->capacity, &p->cursor, e);
    return p->n;
}

static void predict_embedded(dc_predictor *p, float *Z, int32_t *label, float *confidence)
{
    const dc_trained *t = p->trained;
    const dc_method_env env = {.K = t->K, .L = t->width, .alpha = t->alpha};
    dc_embed(p->embedder, &p->model, Z);
    dc_method_find(t->method)->assign_local(&env, t->centers, Z, p->n, p->q, label);
    for (int64_t i = 0; i < p->n; i++) confidence[i] = p->q[i * t->K + label[i]];
}

static void predict_raw(dc_predictor *p, int32_t *label)
{
    const dc_trained *t = p->trained;
    for (int64_t lo = 0; lo < p->n; lo += DC_EMBED_TILE_MAX) {
        const int64_t n = DC_MIN((int64_t)DC_EMBED_TILE_MAX, p->n - lo);
        dc_dataset_rows(&p->view, lo, n, p->rows);
        dc_nearest(p->rows, t->centers, n, t->K, t->D, label + lo);
    }
}

void dc_predictor_run(dc_predictor *p, const void *X, float *Z, int32_t *label, float *confidence)
{
    p->view.X = (void *)(uintptr_t)X;
    if (p->trained->has_net)
        predict_embedded(p, Z, label, confidence);
    else
        predict_raw(p, label);
}
