/* One parallel loop over tiles: gather, forward through the encoder, copy. */
#include "embed_kern.h"

#include <omp.h>
#include <string.h>

int dc_embed_threads(void)
{
    return omp_get_max_threads();
}

static void embed_tile(const dc_embed_tile *tile, int64_t tile_rows, dc_net_work *w, const dc_model *m, float *Z)
{
    const dc_net *net = m->net;
    dc_dataset_rows(m->data, tile->lo, tile->n, w->act[0]);
    memset(w->act[0] + tile->n * net->D, 0, (size_t)((tile_rows - tile->n) * net->D) * sizeof *w->act[0]);
    dc_net_forward(net, m->params.value, w, 0, net->n_encoder, tile_rows);
    memcpy(Z + tile->lo * net->L, w->act[net->n_encoder], (size_t)(tile->n * net->L) * sizeof *Z);
}

void dc_embed_tiles(dc_embedder *e, const dc_model *m, size_t lo, size_t hi, float *Z)
{
#pragma omp parallel for schedule(dynamic) num_threads(e->n_threads)
    for (size_t i = lo; i < hi; i++) embed_tile(&e->tile[i], e->tile_rows, &e->work[omp_get_thread_num()], m, Z);
}
