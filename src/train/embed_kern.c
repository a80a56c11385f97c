/* One parallel loop over tiles: gather, forward through the encoder, copy. */
#include "embed_kern.h"

#include <omp.h>
#include <string.h>

static void embed_tile(const dc_embedder *e, const dc_embed_tile *tile, int thread, const dc_model *m, float *Z)
{
    const int64_t D = m->net->D, L = m->net->L;
    float *x = dc_infer_batch(e->infer, thread);
    dc_dataset_rows(m->data, tile->lo, tile->n, x);
    memset(x + tile->n * D, 0, (size_t)((e->tile_rows - tile->n) * D) * sizeof *x);
    memcpy(Z + tile->lo * L, dc_infer_run(e->infer, thread), (size_t)(tile->n * L) * sizeof *Z);
}

void dc_embed_tiles(dc_embedder *e, const dc_model *m, size_t lo, size_t hi, float *Z)
{
#pragma omp parallel for schedule(dynamic) num_threads(dc_infer_threads(e->infer))
    for (size_t i = lo; i < hi; i++) embed_tile(e, &e->tile[i], omp_get_thread_num(), m, Z);
}
