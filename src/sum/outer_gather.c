/* Strict gradients of small batches: no float is summed over ranks at all.
 *
 * The rows of a batch lie in rank order, because a rank's shards are contiguous. Each rank gets D of the whole batch,
 * and the columns of A that belong to its own panels. Each panel of a gradient is then one product over all rows of the
 * batch, with the same bits on whichever rank computes it. With one rank nothing is copied.
 *
 * If A is sparse, its rows go to all ranks: they are few values, fewer than those of D. */
#include "dcmpi/comm.h"

#include "dcmpi/clock.h"
#include "dcmpi/mem.h"
#include "outer_priv.h"

/* A pair for the whole batch: A [B x a], with only this rank's columns filled, and D [B x d]. */
typedef struct {
    const dc_outer_pair *own; /* the pair for this rank's rows */
    int item;
    float *A, *D; /* views of the slab */
} batch_pair;

typedef struct {
    /* Only with several ranks: */
    batch_pair *pair; /* [n_pairs] of all items, in order */
    int n_pairs;
    float *slab, *packed, *received;
    size_t *send_bytes, *recv_bytes; /* [P] */
    /* Only if A is sparse: its rows of the whole batch. */
    dc_csr csr;
    int64_t *ptr; /* [B + 1] */
    int32_t *col;
    float *val;
} gather;

/* Columns of a dense A. */
static int64_t dense_columns(const dc_outer_item *item)
{
    return dc_item_is_sparse(item) ? 0 : item->a;
}

/* First column of A of item i that rank r needs: the one where its panels begin. */
static int64_t column_of(const dc_outer *o, int i, int r)
{
    return DC_MIN((int64_t)dc_owner_first(&o->owners, i, r) * DC_PANEL_ROWS, dense_columns(&o->item[i]));
}

/* Number of columns of A that rank r needs, over all pairs. */
static int64_t columns_of(const dc_outer *o, int r)
{
    int64_t columns = 0;
    for (int i = 0; i < o->cfg.n_items; i++)
        columns += o->item[i].n_pairs * (column_of(o, i, r + 1) - column_of(o, i, r));
    return columns;
}

/* Rows of the batch on rank r. */
static int64_t rows_of(const dc_outer *o, int r)
{
    const int64_t *offset = o->cfg.places->offset;
    return offset[r + 1] - offset[r];
}

static void list_pairs(const dc_outer *o, gather *g)
{
    const int64_t B = o->cfg.places->B;
    float *next = g->slab;
    for (int i = 0, n = 0; i < o->cfg.n_items; i++)
        for (int k = 0; k < o->item[i].n_pairs; k++) {
            const dc_outer_item *x = &o->item[i];
            g->pair[n++] = (batch_pair){.own = &x->pair[k], .item = i, .D = next, .A = next + B * x->d};
            next += B * (x->d + dense_columns(x));
        }
}

static dc_status take_batch(const dc_outer *o, gather *g)
{
    dc_status st = DC_OK;
    const size_t B = (size_t)o->cfg.places->B;
    size_t width = 0;
    for (int i = 0; i < o->cfg.n_items; i++) {
        g->n_pairs += o->item[i].n_pairs;
        width += (size_t)(o->item[i].n_pairs * (dense_columns(&o->item[i]) + o->item[i].d));
    }
    DC_TRY(dc_mem_alloc(&g->pair, (size_t)g->n_pairs, sizeof *g->pair, "products"));
    DC_TRY(dc_mem_alloc(&g->slab, dc_mul_size(B, width), sizeof *g->slab, "batch of all ranks"));
    list_pairs(o, g);
out:
    return st;
}

static dc_status take_messages(const dc_outer *o, gather *g)
{
    dc_status st = DC_OK;
    const dc_places *p = o->cfg.places;
    const size_t P = (size_t)o->owners.P, B = (size_t)p->B, own = (size_t)columns_of(o, o->owners.rank);
    size_t columns = 0;
    for (int k = 0; k < g->n_pairs; k++) columns += (size_t)dense_columns(&o->item[g->pair[k].item]);
    DC_TRY(dc_mem_alloc(&g->packed, dc_mul_size((size_t)p->capacity, columns), sizeof *g->packed,
                        "activations to other ranks"));
    DC_TRY(dc_mem_alloc(&g->received, dc_mul_size(B, own), sizeof *g->received, "activations of other ranks"));
    DC_TRY(dc_mem_alloc(&g->send_bytes, P, sizeof *g->send_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&g->recv_bytes, P, sizeof *g->recv_bytes, "rank table"));
out:
    return st;
}

static dc_status take_sparse(const dc_outer *o, gather *g)
{
    dc_status st = DC_OK;
    const size_t B = (size_t)o->cfg.places->B;
    if (!o->csr) return DC_OK;
    DC_TRY(dc_mem_alloc(&g->ptr, B + 1, sizeof *g->ptr, "sparse rows of all ranks"));
    DC_TRY(dc_mem_alloc_pages(&g->col, (size_t)o->columns.capacity, sizeof *g->col, "sparse rows of all ranks"));
    DC_TRY(dc_mem_alloc_pages(&g->val, (size_t)o->columns.capacity, sizeof *g->val, "sparse rows of all ranks"));
    g->csr = (dc_csr){.D = o->csr->D, .ptr = g->ptr, .col = g->col, .val = g->val};
out:
    return st;
}

dc_status dc_outer_gather_create(dc_outer *o)
{
    dc_status st = DC_OK;
    gather *g = NULL;
    DC_TRY(dc_mem_alloc(&g, 1, sizeof *g, "gathered batch"));
    o->way = g;
    if (o->owners.P == 1) return DC_OK;
    DC_TRY(take_batch(o, g));
    DC_TRY(take_messages(o, g));
    DC_TRY(take_sparse(o, g));
out:
    return st;
}

void dc_outer_gather_release(dc_outer *o)
{
    gather *g = o->way;
    dc_mem_free(&g->pair);
    dc_mem_free(&g->slab);
    dc_mem_free(&g->packed);
    dc_mem_free(&g->received);
    dc_mem_free(&g->ptr);
    dc_mem_free(&g->col);
    dc_mem_free(&g->val);
    dc_mem_free(&g->send_bytes);
    dc_mem_free(&g->recv_bytes);
}

static void gather_D(dc_comm *comm, const dc_outer *o, gather *g)
{
    for (int k = 0; k < g->n_pairs; k++) {
        const int64_t d = o->item[g->pair[k].item].d;
        for (int r = 0; r < o->owners.P; r++) g->recv_bytes[r] = (size_t)(rows_of(o, r) * d) * sizeof(float);
        dc_comm_allgatherv(comm, g->pair[k].own->D + o->cfg.places->pad * d, g->pair[k].D, g->recv_bytes);
    }
}

/* For each rank, packs the columns that it needs from this rank's rows, pair by pair. */
static void pack_A(const dc_outer *o, gather *g)
{
    const dc_places *p = o->cfg.places;
    float *next = g->packed;
    for (int r = 0; r < o->owners.P; r++)
        for (int k = 0; k < g->n_pairs; k++) {
            const int i = g->pair[k].item;
            const int64_t a = dense_columns(&o->item[i]), column = column_of(o, i, r),
                          columns = column_of(o, i, r + 1) - column;
            if (columns == 0) continue;
            dc_columns_pack(g->pair[k].own->A + p->pad * a + column, p->n, a, columns, next);
            next += p->n * columns;
        }
}

static void unpack_A(const dc_outer *o, gather *g)
{
    const float *next = g->received;
    const int rank = o->owners.rank;
    for (int r = 0; r < o->owners.P; r++)
        for (int k = 0; k < g->n_pairs; k++) {
            const int i = g->pair[k].item;
            const int64_t a = dense_columns(&o->item[i]), column = column_of(o, i, rank),
                          columns = column_of(o, i, rank + 1) - column, n = rows_of(o, r);
            if (columns == 0) continue;
            dc_columns_unpack(next, n, a, columns, g->pair[k].A + o->cfg.places->offset[r] * a + column);
            next += n * columns;
        }
}

static void exchange_A(dc_comm *comm, const dc_outer *o, gather *g)
{
    const int64_t own = columns_of(o, o->owners.rank);
    for (int r = 0; r < o->owners.P; r++) {
        g->send_bytes[r] = (size_t)(o->cfg.places->n * columns_of(o, r)) * sizeof(float);
        g->recv_bytes[r] = (size_t)(rows_of(o, r) * own) * sizeof(float);
    }
    pack_A(o, g);
    dc_comm_alltoallv(comm, g->packed, g->send_bytes, g->received, g->recv_bytes);
    unpack_A(o, g);
}

/* Values in the sparse rows of rank r. */
static size_t values_of(const dc_outer *o, const gather *g, int r)
{
    const int64_t *offset = o->cfg.places->offset;
    return (size_t)(g->ptr[offset[r + 1]] - g->ptr[offset[r]]);
}

/* Gathers the sparse rows of all ranks: first how many values each has. */
static void gather_sparse(dc_comm *comm, const dc_outer *o, gather *g)
{
    const dc_places *p = o->cfg.places;
    const int64_t own = p->offset[o->owners.rank], pad = p->pad;
    int64_t *length = g->ptr + 1;
    for (int64_t i = 0; i < p->n; i++) length[own + i] = o->csr->ptr[pad + i + 1] - o->csr->ptr[pad + i];
    for (int r = 0; r < o->owners.P; r++) g->recv_bytes[r] = (size_t)rows_of(o, r) * sizeof *length;
    dc_comm_allgatherv(comm, length + own, length, g->recv_bytes);
    g->ptr[0] = 0;
    for (int64_t i = 0; i < p->n_global; i++) g->ptr[i + 1] += g->ptr[i];
    g->csr.n = p->n_global;
    for (int r = 0; r < o->owners.P; r++) g->recv_bytes[r] = values_of(o, g, r) * sizeof *g->col;
    dc_comm_allgatherv(comm, o->csr->col + o->csr->ptr[pad], g->col, g->recv_bytes);
    for (int r = 0; r < o->owners.P; r++) g->recv_bytes[r] = values_of(o, g, r) * sizeof *g->val;
    dc_comm_allgatherv(comm, o->csr->val + o->csr->ptr[pad], g->val, g->recv_bytes);
}

/* Computes what pair k contributes to this rank's units of item i, from A and D of the whole batch. */
static void compute_slice(const dc_outer *o, int i, int k, const float *A, const float *D)
{
    const dc_outer_item *x = &o->item[i];
    const int64_t B = o->cfg.places->n_global, panels = dc_item_panels(x),
                  first = dc_owner_first(&o->owners, i, o->owners.rank),
                  last = dc_owner_first(&o->owners, i, o->owners.rank + 1);
    float *grad = o->cfg.grad + x->at;
    const int64_t row = DC_MIN(first * DC_PANEL_ROWS, x->a), end = DC_MIN(last * DC_PANEL_ROWS, x->a);
    if (dc_item_is_sparse(x))
        dc_csc_times(&o->columns, row, end, D, x->d, x->d, k > 0, grad + row * x->d, x->d);
    else
        dc_gemm_panels(first, DC_MIN(last, panels), x->a, x->d, B, A, x->a, D, x->d, dc_pair_beta(k), grad, x->d);
    if (x->pair[k].bias && first <= panels && last > panels)
        dc_column_sums(D, B, x->d, dc_bias_adds(x, k), grad + dc_item_product(x));
}

void dc_outer_gather_sync(dc_comm *comm, dc_outer *o)
{
    gather *g = o->way;
    const bool alone = o->owners.P == 1; /* its own buffers hold the whole batch */
    if (!alone) {
        gather_D(comm, o, g);
        exchange_A(comm, o, g);
        if (o->csr) gather_sparse(comm, o, g);
    }
    const double start = dc_clock_now_s();
    if (o->csr) dc_csc_set(&o->columns, alone ? o->csr : &g->csr);
    for (int i = 0, n = 0; i < o->cfg.n_items; i++)
        for (int k = 0; k < o->item[i].n_pairs; k++, n++)
            compute_slice(o, i, k, alone ? o->item[i].pair[k].A : g->pair[n].A,
                          alone ? o->item[i].pair[k].D : g->pair[n].D);
    o->product_s = dc_clock_now_s() - start;
}

double dc_outer_gather_sent(const dc_outer *o)
{
    const int P = o->owners.P;
    double of_D = 0, of_A = 0;
    for (int i = 0; i < o->cfg.n_items; i++) of_D += (double)(o->item[i].n_pairs * o->item[i].d);
    for (int r = 0; r < P; r++)
        if (r != o->owners.rank) of_A += (double)columns_of(o, r);
    double of_sparse = 0; /* a column, a value, and the length of the row */
    if (o->csr)
        of_sparse =
            (sizeof(int32_t) + sizeof(float)) * dc_csr_per_row(o->csr, o->cfg.places->part->N) + sizeof(int64_t);
    return (double)o->cfg.places->capacity * (((P - 1) * of_D + of_A) * sizeof(float) + (P - 1) * of_sparse);
}
