/* Gradients without strict mode (outer.h): each rank forms the products of its own rows, with as many threads as the
 * library likes. Then an allreduce adds them, in an order that the MPI library chooses. Neighbouring items go in one
 * message. */
#include "dcmpi/comm.h"

#include <stdlib.h>

#include "dcmpi/clock.h"
#include "dcmpi/mem.h"
#include "outer_priv.h"

typedef struct {
    size_t lo, hi;
} span;

typedef struct {
    span *span; /* [n_spans] contiguous ranges of the gradient */
    int n_spans;
} allreduce;

static int by_place(const void *x, const void *y)
{
    const size_t a = ((const span *)x)->lo, b = ((const span *)y)->lo;
    return (a > b) - (a < b);
}

/* Lists the items in slab order and joins neighbours. */
static void join_items(const dc_outer *o, allreduce *a)
{
    const int n = o->cfg.n_items;
    for (int i = 0; i < n; i++) a->span[i] = (span){o->item[i].at, o->item[i].at + dc_item_floats(&o->item[i])};
    qsort(a->span, (size_t)n, sizeof *a->span, by_place);
    for (int i = 0; i < n; i++)
        if (i > 0 && a->span[i].lo == a->span[a->n_spans - 1].hi)
            a->span[a->n_spans - 1].hi = a->span[i].hi;
        else
            a->span[a->n_spans++] = a->span[i];
}

dc_status dc_outer_allreduce_create(dc_outer *o)
{
    dc_status st = DC_OK;
    allreduce *a = NULL;
    DC_TRY(dc_mem_alloc(&a, 1, sizeof *a, "allreduce of gradients"));
    o->way = a;
    DC_TRY(dc_mem_alloc(&a->span, (size_t)o->cfg.n_items, sizeof *a->span, "ranges of the gradient"));
    join_items(o, a);
out:
    return st;
}

void dc_outer_allreduce_release(dc_outer *o)
{
    allreduce *a = o->way;
    dc_mem_free(&a->span);
}

static void compute_item(const dc_outer *o, const dc_outer_item *x, float *grad)
{
    const dc_places *p = o->cfg.places;
    for (int k = 0; k < x->n_pairs; k++) {
        const float *D = x->pair[k].D + p->pad * x->d;
        if (dc_item_is_sparse(x))
            dc_csc_times(&o->columns, 0, x->a, x->pair[k].D, x->d, x->d, k > 0, grad, x->d);
        else
            dc_gemm(DC_T, DC_N, x->a, x->d, p->n, 1, x->pair[k].A + p->pad * x->a, x->a, D, x->d, dc_pair_beta(k), grad,
                    x->d);
        if (x->pair[k].bias) dc_column_sums(D, p->n, x->d, dc_bias_adds(x, k), grad + dc_item_product(x));
    }
}

static void compute_products(dc_outer *o)
{
    if (o->csr) dc_csc_set(&o->columns, o->csr);
    for (int i = 0; i < o->cfg.n_items; i++) compute_item(o, &o->item[i], o->cfg.grad + o->item[i].at);
}

void dc_outer_allreduce_sync(dc_comm *comm, dc_outer *o)
{
    const allreduce *a = o->way;
    const double start = dc_clock_now_s();
    compute_products(o);
    o->product_s = dc_clock_now_s() - start;
    for (int i = 0; i < a->n_spans; i++)
        dc_comm_sum_f32(comm, o->cfg.grad + a->span[i].lo, a->span[i].hi - a->span[i].lo);
}

double dc_outer_allreduce_sent(const dc_outer *o)
{
    const double P = o->cfg.places->part->P;
    return 2 * (P - 1) / P * (double)dc_owned_floats(&o->owners, 0) * sizeof(float);
}
