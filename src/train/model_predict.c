/* Sends rows through a trained model: embedding, soft assignment, labels. Everything that decides the bits of a row is
 * as in the training run: the kernels, the rows per tile, and the partition into shards, each block of which begins a
 * new tile. So a run's own rows get the same results again, on any number of ranks. */
#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/standing.h"
#include "embed_kern.h"

struct dc_predictor {
    const dc_trained *trained;
    dc_dataset view; /* rows of this piece */
    dc_method_env env;
    dc_part part, trained_part;
    dc_tile_cursor cursor;
    int64_t first, n; /* local rows of this piece: [first, first + n) */
    int64_t capacity;
    dc_embedder *embedder;     /* NULL without a method */
    float *rows;               /* [chunk x width] rows as they enter the network, without a method */
    int64_t chunk;             /* 256 for each thread */
    dc_finder *finder;         /* of their clusters, but of levels */
    dc_dtype stored;           /* type of the rows that are given */
    float *counts;             /* [capacity x D] transformed rows, taken when dense rows come first; NULL: none yet */
    float *Z;                  /* [capacity x k] components of the rows, if these enter the network */
    float *factor;             /* [capacity] of the rows, if columns with a norm do */
    double *distance, *cosine; /* [capacity] wanted of each piece, or NULL */
    dc_q_top top;              /* [capacity] the same; the arrays are borrowed */
    float *all;                /* [capacity x K] q, wanted of each piece, or NULL */
    dc_timers timers;
};

/* Puts as many whole tiles as fit into the next piece and returns the number of its rows. Lists the tiles in e unless e
 * is NULL. */
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

/* Sparse rows go through the kernels of the training run: it decided by its own rows whether these are sparse enough.
 */
static void take_sparse(dc_predictor *p, const dc_trained *t)
{
    p->trained_part = (dc_part){.N = t->sparse_rows};
    p->view.csr = (dc_csr){.D = t->D, .total = t->sparse_values};
    p->env.input = (dc_rows){.part = &p->trained_part, .d = t->D, .csr = &p->view.csr};
}

dc_status dc_predictor_create(dc_predictor **out, const dc_trained *t, const dc_part *part, dc_dtype dtype, bool sparse,
                              int64_t capacity, const char *source)
{
    dc_status st = DC_OK;
    dc_predictor *p = NULL;
    const size_t rows = (size_t)capacity;
    DC_ASSERT(capacity >= t->tile_rows);
    DC_TRY(dc_mem_alloc(&p, 1, sizeof *p, "predictor"));
    p->trained = t;
    p->part = *part;
    p->capacity = capacity;
    p->stored = dtype;
    p->view = (dc_dataset){.D = t->D,
                           .dtype = t->counts.used ? DC_F32 : dtype,
                           .clip_lo = t->clip_lo,
                           .clip_hi = t->clip_hi,
                           .shift = t->shift,
                           .scale = t->scale,
                           .pca = t->pca,
                           .norm = t->norm};
    snprintf(p->view.source, sizeof p->view.source, "%s", source);
    if (t->pca.k > 0)
        DC_TRY(dc_mem_alloc(&p->Z, dc_mul_size(rows, (size_t)t->pca.k), sizeof *p->Z, "components of the rows"));
    p->view.Z = p->Z;
    if (t->norm != DC_ROW_NORM_NONE && !p->Z)
        DC_TRY(dc_mem_alloc(&p->factor, rows, sizeof *p->factor, "norms of the rows"));
    p->env = (dc_method_env){.K = t->K,
                             .L = t->width,
                             .final = t->final,
                             .finished = true,
                             .keys = t->keys,
                             .slab = &t->slab,
                             .value = t->value};
    if (sparse && t->sparse_rows > 0) take_sparse(p, t);
    if (t->has_method) {
        DC_TRY(dc_embedder_alloc(&p->embedder, dc_method_find(t->method), &p->env, t->tile_rows, rows));
    } else {
        p->chunk = (int64_t)DC_EMBED_TILE_MAX * omp_get_max_threads();
        DC_TRY(dc_mem_alloc(&p->rows, (size_t)p->chunk, dc_mul_size((size_t)t->width, sizeof *p->rows), "scaled rows"));
        if (t->levels.n == 0) DC_TRY(dc_finder_create(&p->finder, t->value, t->K, t->width));
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
    dc_mem_free(&p->rows);
    dc_finder_destroy(&p->finder);
    dc_mem_free(&p->Z);
    dc_mem_free(&p->factor);
    dc_mem_free(&p->counts);
    dc_mem_free(predictor);
}

void dc_predictor_measure(dc_predictor *p, double *distance, double *cosine)
{
    p->distance = distance;
    p->cosine = cosine;
}

void dc_predictor_give_q(dc_predictor *p, const dc_q_top *top, float *all)
{
    p->top = *top;
    p->all = all;
}

int64_t dc_predictor_next(dc_predictor *p)
{
    dc_embedder *e = p->embedder;
    if (e) e->n_tiles = 0;
    p->first += p->n;
    p->n = cut_piece(&p->part, p->trained->tile_rows, p->capacity, &p->cursor, e);
    return p->n;
}

typedef struct {
    const dc_predictor *predictor;
    float *confidence; /* [n] of the piece */
} seen;

static void see(void *ctx, int64_t lo, int64_t n, float *q, int32_t *label)
{
    const seen *s = ctx;
    const dc_predictor *p = s->predictor;
    const int64_t K = p->trained->K;
    for (int64_t i = 0; i < n; i++) s->confidence[lo + i] = q[i * K + label[i]];
    dc_q_top_take(&p->top, lo, n, K, q, label);
    if (p->all) memcpy(p->all + lo * K, q, (size_t)(n * K) * sizeof *q);
}

static void predict_embedded(dc_predictor *p, float *Z, int32_t *label, float *confidence)
{
    seen s = {p, confidence};
    dc_embed(p->embedder, &p->view, &p->timers, &(dc_embedded){.Z = Z, .label = label, .see = see, .ctx = &s});
}

static void predict_raw(dc_predictor *p, int32_t *label)
{
    const dc_trained *t = p->trained;
    for (int64_t lo = 0; lo < p->n; lo += p->chunk) {
        const int64_t n = DC_MIN(p->chunk, p->n - lo);
        dc_dataset_rows(&p->view, lo, n, p->rows);
        if (t->levels.n > 0)
            dc_levels_descend(&t->levels, t->value, p->rows, n, label + lo);
        else
            dc_finder_label(p->finder, p->rows, n, label + lo);
    }
}

static dc_status look_at_rows(dc_predictor *p, dc_strange_rows *strange)
{
    const double *range = p->trained->range, margin = 10 * (range[1] - range[0]);
    const float lo = (float)fmax(range[0] - margin, -FLT_MAX), hi = (float)fmin(range[1] + margin, FLT_MAX);
    const dc_gidx first = p->part.row_lo + p->first;
    int64_t row, column;
    const int64_t count = dc_dataset_outside(&p->view, p->n, lo, hi, &row, &column);
    if (count == 0) return DC_OK;
    if (strange->row == INT64_MAX) strange->row = first + row, strange->column = column;
    strange->count += count;
    if (dc_dataset_outside(&p->view, p->n, -FLT_MAX, FLT_MAX, &row, &column) == 0) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: row %lld, %s %lld (counted from 0): after the scaling of the run its value is beyond single "
                   "precision; remove or replace it",
                   p->view.source, (long long)(first + row), p->Z ? "component" : "column", (long long)column);
}

static dc_status check_embedding(const dc_predictor *p, const float *Z)
{
    const int64_t L = p->trained->slab.net.n_layers > 0 ? p->trained->width : 0;
    for (int64_t i = 0; i < p->n * L; i++)
        if (!isfinite(Z[i]))
            return DC_FAIL(DC_ERR_NUMERIC,
                           "%s: row %lld (counted from 0) has an embedding that is not finite: its values are too far "
                           "from those that the model was trained on",
                           p->view.source, (long long)(p->part.row_lo + p->first + i / L));
    return DC_OK;
}

static void rows_of_view(const void *ctx, int64_t lo, int64_t n, float *out)
{
    dc_dataset_rows(ctx, lo, n, out);
}

static dc_status measure(const dc_predictor *p, const float *Z, const int32_t *label)
{
    const dc_trained *t = p->trained;
    const dc_tensor *centers = dc_slab_find(&t->slab, "centers");
    const dc_part part = {.N = p->n, .row_hi = p->n};
    const dc_rows rows = {
        .part = &part, .d = t->width, .rows = rows_of_view, .ctx = &p->view, .X = t->slab.net.n_layers > 0 ? Z : NULL};
    if (!p->distance || p->n == 0) return DC_OK;
    return dc_standing_of(&rows, t->value + centers->at, label, p->distance, p->cosine);
}

/* What does not come out of a single column: components, norms. */
static dc_status prepare_rows(dc_predictor *p)
{
    dc_dataset *view = &p->view;
    if (p->Z) return dc_pca_project(view, p->part.row_lo + p->first, p->n, p->Z);
    if (!p->factor) return DC_OK;
    view->row_scale = NULL;
    view->csr.row_scale = NULL;
    const dc_status st = dc_dataset_norms(view, view->norm, p->n, p->factor);
    view->row_scale = p->factor;
    view->csr.row_scale = p->factor;
    return st;
}

/* Makes the given rows the rows of the view; counts are transformed first. */
static dc_status set_rows(dc_predictor *p, const void *X, const dc_csr *rows)
{
    dc_status st = DC_OK;
    const dc_count_map *map = &p->trained->counts;
    const dc_gidx first = p->part.row_lo + p->first;
    dc_csr sparse = rows ? *rows : (dc_csr){0};
    if (map->used && rows) DC_TRY(dc_count_map_csr(map, p->view.source, first, &sparse));
    if (map->used && !rows) {
        const size_t all = dc_mul_size((size_t)p->capacity, (size_t)map->kept);
        if (!p->counts) DC_TRY(dc_mem_alloc(&p->counts, all, sizeof *p->counts, "transformed rows"));
        DC_TRY(dc_count_map_rows(map, p->view.source, first, p->stored, X, p->n, p->counts));
        X = p->counts;
    }
    p->view.X = (void *)(uintptr_t)X;
    if (rows) dc_dataset_set_csr(&p->view, &sparse);
out:
    return st;
}

dc_status dc_predictor_run(dc_predictor *p, const void *X, const dc_csr *rows, float *Z, int32_t *label,
                           float *confidence, dc_strange_rows *strange)
{
    dc_status st = set_rows(p, X, rows);
    if (st == DC_OK) st = prepare_rows(p);
    if (st == DC_OK) st = look_at_rows(p, strange);
    if (st != DC_OK) return st;
    if (!p->trained->has_method) {
        predict_raw(p, label);
        return measure(p, NULL, label);
    }
    predict_embedded(p, Z, label, confidence);
    st = check_embedding(p, Z);
    return st == DC_OK ? measure(p, Z, label) : st;
}
