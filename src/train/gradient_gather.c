/* Strict gradients of small batches: no float is summed over ranks at all.
 *
 * The rows of a batch lie in rank order, because a rank's shards are contiguous. All ranks get the deltas of the whole
 * batch, and of the activations the columns of the panels they own; a weight gradient then is one product over all rows
 * of the batch per panel, the same wherever it is computed. With one rank nothing is copied. */
#include "dcmpi/comm.h"
#include "gradient_impl.h"

static const dc_layer *layer_of(const dc_gradient *g, int l)
{
    return &g->cfg.net->layer[l];
}

/* Columns of the input of layer l that rank r needs: those of its panels. */
static int64_t column_of(const dc_gradient *g, int l, int r)
{
    return DC_MIN((int64_t)dc_owner_first(&g->owners, l, r) * DC_PANEL_ROWS, layer_of(g, l)->in);
}

static int64_t columns_of(const dc_gradient *g, int r)
{
    int64_t columns = 0;
    for (int l = 0; l < g->cfg.last; l++) columns += column_of(g, l, r + 1) - column_of(g, l, r);
    return columns;
}

dc_status dc_gather_create(dc_gradient *g)
{
    dc_status st = DC_OK;
    const size_t P = (size_t)g->owners.P, B = (size_t)g->batcher.B, capacity = (size_t)g->batcher.capacity;
    size_t width = 0, columns = 0;
    DC_TRY(dc_mem_alloc(&g->offset, P + 1, sizeof *g->offset, "rank table"));
    if (P == 1) return DC_OK;
    for (int l = 0; l < g->cfg.last; l++) {
        width += (size_t)(layer_of(g, l)->in + layer_of(g, l)->out);
        columns += (size_t)layer_of(g, l)->in;
    }
    DC_TRY(dc_mem_alloc(&g->slab, dc_mul_size(B, width), sizeof *g->slab, "batch of all ranks"));
    DC_TRY(dc_mem_alloc(&g->packed, dc_mul_size(capacity, columns), sizeof *g->packed, "activations to other ranks"));
    DC_TRY(dc_mem_alloc(&g->received, dc_mul_size(B, (size_t)columns_of(g, g->owners.rank)), sizeof *g->received,
                        "activations of other ranks"));
    DC_TRY(dc_mem_alloc(&g->send_bytes, P, sizeof *g->send_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&g->recv_bytes, P, sizeof *g->recv_bytes, "rank table"));
    float *next = g->slab;
    for (int l = 0; l < g->cfg.last; l++) {
        g->all_delta[l] = next;
        next += B * (size_t)layer_of(g, l)->out;
        g->all_act[l] = next;
        next += B * (size_t)layer_of(g, l)->in;
    }
out:
    return st;
}

void dc_gather_release(dc_gradient *g)
{
    dc_mem_free(&g->offset);
    dc_mem_free(&g->slab);
    dc_mem_free(&g->packed);
    dc_mem_free(&g->received);
    dc_mem_free(&g->send_bytes);
    dc_mem_free(&g->recv_bytes);
}

static void gather_deltas(dc_comm *comm, dc_gradient *g)
{
    for (int l = 0; l < g->cfg.last; l++) {
        const int64_t out = layer_of(g, l)->out;
        for (int r = 0; r < g->owners.P; r++)
            g->recv_bytes[r] = (size_t)((g->offset[r + 1] - g->offset[r]) * out) * sizeof(float);
        dc_comm_allgatherv(comm, g->delta[l] + g->pad * out, g->all_delta[l], g->recv_bytes);
    }
}

/* For each rank, layer by layer, the columns it needs of this rank's rows. */
static void pack_activations(dc_gradient *g)
{
    float *next = g->packed;
    for (int r = 0; r < g->owners.P; r++)
        for (int l = 0; l < g->cfg.last; l++) {
            const int64_t in = layer_of(g, l)->in, column = column_of(g, l, r);
            const dc_columns c = {next,   dc_layer_input(g, l) + g->pad * in, g->plan.n, in,
                                  column, column_of(g, l, r + 1) - column};
            dc_columns_pack(&c);
            next += c.n * c.columns;
        }
}

static void unpack_activations(dc_gradient *g)
{
    float *next = g->received;
    for (int r = 0; r < g->owners.P; r++)
        for (int l = 0; l < g->cfg.last; l++) {
            const int64_t in = layer_of(g, l)->in, column = column_of(g, l, g->owners.rank);
            const dc_columns c = {
                next,   g->all_act[l] + g->offset[r] * in,           g->offset[r + 1] - g->offset[r], in,
                column, column_of(g, l, g->owners.rank + 1) - column};
            dc_columns_unpack(&c);
            next += c.n * c.columns;
        }
}

static void exchange_activations(dc_comm *comm, dc_gradient *g)
{
    const int64_t own = columns_of(g, g->owners.rank);
    for (int r = 0; r < g->owners.P; r++) {
        g->send_bytes[r] = (size_t)(g->plan.n * columns_of(g, r)) * sizeof(float);
        g->recv_bytes[r] = (size_t)((g->offset[r + 1] - g->offset[r]) * own) * sizeof(float);
    }
    pack_activations(g);
    dc_comm_alltoallv(comm, g->packed, g->send_bytes, g->received, g->recv_bytes);
    unpack_activations(g);
}

/* One rank: its own buffers are those of the batch. */
static void view_own(dc_gradient *g)
{
    for (int l = 0; l < g->cfg.last; l++) {
        g->all_delta[l] = g->delta[l];
        g->all_act[l] = dc_layer_input(g, l);
    }
}

static void compute_slice(dc_gradient *g)
{
    const int64_t B = g->plan.n_global;
    float *grad = g->cfg.params->grad;
    for (int l = 0; l < g->cfg.last; l++) {
        const dc_layer *layer = layer_of(g, l);
        const int64_t panels = dc_layer_panels(layer), first = dc_owner_first(&g->owners, l, g->owners.rank),
                      last = dc_owner_first(&g->owners, l, g->owners.rank + 1);
        dc_gemm_panels(first, DC_MIN(last, panels), layer->in, layer->out, B, g->all_act[l], layer->in, g->all_delta[l],
                       layer->out, grad + layer->weight, layer->out);
        if (first <= panels && last > panels) dc_column_sums(g->all_delta[l], B, layer->out, grad + layer->bias);
    }
}

void dc_gather_sync(dc_comm *comm, dc_gradient *g)
{
    for (int r = 0; r <= g->owners.P; r++) g->offset[r] = dc_batcher_offset(&g->batcher, g->plan.step, r);
    if (g->owners.P == 1) {
        view_own(g);
    } else {
        gather_deltas(comm, g);
        exchange_activations(comm, g);
    }
    const double start = dc_clock_now_s();
    compute_slice(g);
    g->product_s = dc_clock_now_s() - start;
}
