/* The outputs of frozen layers: computed once and kept, or computed for each batch, with the same bits. */
#include "frozen.h"

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

static dc_status create_works(dc_frozen *f)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&f->order, DC_FROZEN_CHUNK_ROWS, sizeof *f->order, "rows of a tile"));
    DC_TRY(dc_graph_create(&f->graph));
    dc_output(f->graph, "features", dc_layers(f->graph, f->net, 0, f->depth, false, dc_batch(f->graph, f->net->D)));
    DC_TRY(dc_graph_finish(f->graph));
    const dc_csr *csr = dc_dataset_csr(f->data);
    DC_TRY(dc_infer_create(&f->infer, f->graph, f->value, DC_FROZEN_TILE_ROWS, csr, f->data->part.N));
    if (!dc_infer_is_sparse(f->infer)) return DC_OK;
    f->room = DC_FROZEN_TILE_ROWS * dc_csr_longest(csr);
    const size_t values = dc_mul_size((size_t)dc_infer_threads(f->infer), (size_t)f->room);
    DC_TRY(dc_mem_alloc(&f->col, values, sizeof *f->col, "sparse rows of a tile"));
    DC_TRY(dc_mem_alloc(&f->val, values, sizeof *f->val, "sparse rows of a tile"));
out:
    return st;
}

static void release_works(dc_frozen *f)
{
    dc_infer_destroy(&f->infer);
    dc_graph_destroy(&f->graph);
    dc_mem_free(&f->order);
    dc_mem_free(&f->col);
    dc_mem_free(&f->val);
}

static dc_status create_cache(dc_frozen *f)
{
    const size_t values = dc_mul_size((size_t)dc_part_rows(&f->data->part), (size_t)dc_frozen_width(f));
    return dc_mem_alloc_raw(&f->cache, values, sizeof *f->cache, "outputs of frozen layers");
}

dc_status dc_frozen_fill(dc_frozen *f, dc_timers *timers)
{
    dc_status st = DC_OK;
    const int64_t n = dc_part_rows(&f->data->part), width = dc_frozen_width(f);
    if (!f->cache) return DC_OK;
    DC_TRY(create_works(f));
    const double start = dc_timer_start();
    int64_t rows[DC_FROZEN_CHUNK_ROWS];
    for (int64_t lo = 0; lo < n; lo += DC_FROZEN_CHUNK_ROWS) {
        const int64_t count = DC_MIN((int64_t)DC_FROZEN_CHUNK_ROWS, n - lo);
        for (int64_t i = 0; i < count; i++) rows[i] = lo + i;
        dc_frozen_forward(f, rows, count, f->cache + lo * width);
    }
    dc_timer_stop(timers, DC_T_PRETRAIN_GATHER, start, (double)n * dc_net_forward_flops(f->net, 0, f->depth), 0);
out:
    release_works(f);
    return st;
}

/* True if the outputs of each rank's rows fit into cache_bytes. All ranks get the same answer. */
static bool fits(dc_comm *comm, const dc_frozen *f, size_t cache_bytes)
{
    const size_t row_bytes = dc_mul_size((size_t)dc_frozen_width(f), sizeof(float));
    int64_t fit = dc_mul_size((size_t)dc_part_rows(&f->data->part), row_bytes) <= cache_bytes;
    dc_comm_min_i64(comm, &fit, 1);
    return fit != 0;
}

dc_status dc_frozen_create(dc_comm *comm, dc_frozen *f, const dc_model *m, int depth, size_t cache_bytes)
{
    dc_status st = DC_OK;
    *f = (dc_frozen){.data = m->data, .net = m->net, .value = m->params.value, .depth = depth};
    if (depth == 0) return DC_OK;
    const bool keep = !dc_dataset_streams(m->data) && fits(comm, f, cache_bytes);
    DC_TRY_ALL(comm, keep ? create_cache(f) : create_works(f));
out:
    return st;
}

void dc_frozen_release(dc_frozen *f)
{
    release_works(f);
    dc_mem_free(&f->cache);
}

void dc_frozen_gather(const void *frozen, const int64_t *rows, int64_t n, float *out)
{
    const dc_frozen *f = frozen;
    if (f->depth == 0)
        dc_dataset_gather(f->data, rows, n, out);
    else if (f->cache)
        dc_frozen_copy(f, rows, n, out);
    else
        dc_frozen_forward(f, rows, n, out);
}

void dc_frozen_expect(const void *frozen, int64_t lo, int64_t n)
{
    const dc_frozen *f = frozen;
    if (!f->cache) dc_dataset_expect(f->data, lo, n);
}
