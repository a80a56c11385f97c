/* One parallel loop over tiles: gather, forward, copy. */
#include "embed_kern.h"

#include <omp.h>
#include <string.h>

/* Index of the largest value; the first one if several are equal. */
static int32_t largest(const float *q, int64_t K)
{
    int32_t best = 0;
    for (int32_t k = 1; k < K; k++)
        if (q[k] > q[best]) best = k;
    return best;
}

static void take_labels(const dc_embedder *e, int64_t n, int thread, const float *q, int32_t *label)
{
    const float *told = e->label < 0 ? NULL : dc_infer_output(e->infer, thread, e->label);
    for (int64_t i = 0; i < n; i++) label[i] = told ? (int32_t)told[i] : largest(q + i * e->K, e->K);
}

/* Gives the tile's rows to the next run; those missing are zero. */
static void load(const dc_embedder *e, const dc_embed_tile *tile, int thread, const dc_dataset *data)
{
    if (dc_infer_is_sparse(e->infer)) {
        const dc_csr rows = dc_csr_view(e->csr, tile->lo, tile->n);
        dc_infer_rows(e->infer, thread, &rows);
        return;
    }
    float *x = dc_infer_batch(e->infer, thread);
    dc_dataset_rows(data, tile->lo, tile->n, x);
    memset(x + tile->n * e->D, 0, (size_t)((e->tile_rows - tile->n) * e->D) * sizeof *x);
}

static void embed_tile(const dc_embedder *e, const dc_embed_tile *tile, int thread, const dc_dataset *data,
                       const dc_embedded *out)
{
    const size_t L = (size_t)e->L, n = (size_t)tile->n;
    load(e, tile, thread, data);
    dc_infer_run(e->infer, thread);
    if (e->Z >= 0 && out->Z)
        memcpy(out->Z + (size_t)tile->lo * L, dc_infer_output(e->infer, thread, e->Z), n * L * sizeof *out->Z);
    float *q = dc_infer_output(e->infer, thread, e->q);
    int32_t *label = out->label ? out->label + tile->lo : NULL;
    if (label) take_labels(e, tile->n, thread, q, label);
    if (out->see) out->see(out->ctx, tile->lo, tile->n, q, label);
}

static void count_tile(const dc_embedder *e, const dc_embed_tile *tile, int thread, const dc_embedded *out)
{
    if (out->count)
        out->count(out->ctx, tile->lo, tile->n, dc_infer_output(e->infer, thread, e->q), out->label + tile->lo);
}

/* Counting takes little of the time of a tile, so that threads hardly wait for each other. */
void dc_embed_tiles(const dc_embedder *e, const dc_dataset *data, size_t lo, size_t hi, const dc_embedded *out)
{
#pragma omp parallel for ordered schedule(dynamic, 1) num_threads(dc_infer_threads(e->infer))
    for (size_t i = lo; i < hi; i++) {
        const int thread = omp_get_thread_num();
        embed_tile(e, &e->tile[i], thread, data, out);
#pragma omp ordered
        count_tile(e, &e->tile[i], thread, out);
    }
}
