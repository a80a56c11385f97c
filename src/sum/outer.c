/* Sums over the rows of a step: what the three ways have in common, and the table of ways. See outer.h. */
#include "dcmpi/comm.h"

#include <string.h>

#include "dcmpi/mem.h"
#include "outer_priv.h"

const dc_outer_row dc_outer_table[] = {
    [DC_OUTER_GATHER] = {.create = dc_outer_gather_create,
                         .release = dc_outer_gather_release,
                         .sync = dc_outer_gather_sync,
                         .sent = dc_outer_gather_sent},
    [DC_OUTER_TREE] = {.padded = true,
                       .create = dc_outer_tree_create,
                       .release = dc_outer_tree_release,
                       .sync = dc_outer_tree_sync,
                       .sent = dc_outer_tree_sent},
    [DC_OUTER_ALLREDUCE] = {.whole = true,
                            .create = dc_outer_allreduce_create,
                            .release = dc_outer_allreduce_release,
                            .sync = dc_outer_allreduce_sync,
                            .sent = dc_outer_allreduce_sent},
};

dc_outer_way dc_outer_choose(bool strict, int64_t gather_rows, int64_t B)
{
    if (!strict) return DC_OUTER_ALLREDUCE;
    return B <= gather_rows ? DC_OUTER_GATHER : DC_OUTER_TREE;
}

/* ---- Create ------------------------------------------------------------------------------------------------------ */

static bool overlap(const dc_outer_item *x, const dc_outer_item *y)
{
    return x->at < y->at + dc_item_floats(y) && y->at < x->at + dc_item_floats(x);
}

static bool has_windows(const dc_outer_item *x)
{
    for (int k = 0; k < x->n_pairs; k++) DC_ASSERT(!x->pair[k].window == !x->pair[0].window);
    return x->pair[0].window != NULL;
}

/* The sparse A that items share; NULL: none is sparse. */
static const dc_csr *sparse_of(const dc_outer_config *cfg)
{
    const dc_csr *csr = NULL;
    for (int i = 0; i < cfg->n_items; i++) {
        const dc_outer_item *x = &cfg->item[i];
        for (int k = 0; k < x->n_pairs; k++) DC_ASSERT(x->pair[k].csr == x->pair[0].csr);
        DC_ASSERT(!csr || !x->pair[0].csr || csr == x->pair[0].csr);
        if (x->pair[0].csr) csr = x->pair[0].csr;
    }
    return csr;
}

static void check_items(const dc_outer_config *cfg)
{
    for (int i = 0; i < cfg->n_items; i++) {
        const dc_outer_item *x = &cfg->item[i];
        DC_ASSERT(x->n_pairs >= 1 && x->n_pairs <= DC_OUTER_PAIRS && dc_bias_adds(x, x->n_pairs) == x->bias);
        for (int j = 0; j < i; j++) DC_ASSERT(!overlap(x, &cfg->item[j]));
    }
}

/* Takes the items with windows, or those without. */
static dc_status take_items(dc_outer *o, const dc_outer_config *cfg, bool windows)
{
    const dc_status st = dc_mem_alloc(&o->item, (size_t)cfg->n_items, sizeof *o->item, "products");
    o->cfg.item = o->item;
    o->cfg.n_items = 0;
    for (int i = 0; st == DC_OK && i < cfg->n_items; i++)
        if (has_windows(&cfg->item[i]) == windows) o->item[o->cfg.n_items++] = cfg->item[i];
    return st;
}

/* Notes where each item of the caller is. */
static dc_status take_home(dc_outer *o, const dc_outer_config *cfg)
{
    int own = 0, of_patches = 0;
    const dc_status st = dc_mem_alloc(&o->home, (size_t)cfg->n_items, sizeof *o->home, "products");
    for (int i = 0; st == DC_OK && i < cfg->n_items; i++) {
        const bool windows = has_windows(&cfg->item[i]);
        o->home[i].outer = windows ? o->patches : o;
        o->home[i].item = windows ? of_patches++ : own++;
    }
    return st;
}

static dc_status take_sum(dc_outer *o)
{
    dc_status st = DC_OK;
    const dc_part *part = o->cfg.places->part;
    const size_t m = o->cfg.n_values + 1;
    DC_TRY(dc_part_init(&o->leaf_part, part->V, part->V, part->P, part->rank));
    DC_TRY(dc_sum_create(&o->sum, &o->leaf_part, m));
    DC_TRY(dc_mem_alloc(&o->vector, m, sizeof *o->vector, "values of a leaf"));
out:
    return st;
}

static dc_status take_squares(dc_outer *o)
{
    size_t units = 0;
    for (int i = 0; i < o->cfg.n_items; i++) units += (size_t)dc_item_units(&o->item[i]);
    return dc_mem_alloc(&o->square, units, sizeof *o->square, "squares of gradients");
}

/* With "gather" and several ranks the rows of the whole batch, else this rank's. */
static dc_status take_columns(dc_outer *o)
{
    const dc_places *p = o->cfg.places;
    o->csr = sparse_of(&o->cfg);
    if (!o->csr) return DC_OK;
    const int64_t rows = p->way == DC_OUTER_GATHER && p->part->P > 1 ? p->B : p->capacity;
    return dc_csc_create(&o->columns, o->csr->D, dc_csr_room(o->csr, rows));
}

static dc_status create_ways(dc_outer **out, const dc_outer_config *cfg, const dc_outer_row *row, bool windows)
{
    dc_status st = DC_OK;
    dc_outer *o = NULL;
    const dc_part *part = cfg->places->part;
    DC_TRY(dc_mem_alloc(&o, 1, sizeof *o, "sums over a batch"));
    o->cfg = *cfg;
    o->row = row;
    DC_TRY(take_items(o, cfg, windows));
    DC_TRY(dc_owners_init(&o->owners, o->item, o->cfg.n_items, row->whole ? 1 : part->P, row->whole ? 0 : part->rank));
    DC_TRY(take_squares(o));
    DC_TRY(take_columns(o));
    DC_TRY(row->create(o));
out:
    if (st != DC_OK) dc_outer_destroy(&o);
    *out = o;
    return st;
}

dc_status dc_outer_create(dc_outer **out, const dc_outer_config *cfg)
{
    dc_status st = DC_OK;
    dc_outer *o = NULL;
    bool windows = false;
    check_items(cfg);
    for (int i = 0; i < cfg->n_items; i++) windows |= has_windows(&cfg->item[i]);
    DC_TRY(create_ways(&o, cfg, &dc_outer_table[cfg->places->way], false));
    DC_TRY(take_sum(o));
    if (windows) DC_TRY(create_ways(&o->patches, cfg, &dc_outer_table[DC_OUTER_TREE], true));
    DC_TRY(take_home(o, cfg));
out:
    if (st != DC_OK) dc_outer_destroy(&o);
    *out = o;
    return st;
}

void dc_outer_destroy(dc_outer **outer)
{
    dc_outer *o = *outer;
    if (!o) return;
    dc_outer_destroy(&o->patches);
    dc_mem_free(&o->home);
    if (o->way) o->row->release(o);
    dc_mem_free(&o->way);
    dc_owners_release(&o->owners);
    dc_csc_release(&o->columns);
    dc_sum_destroy(&o->sum);
    dc_mem_free(&o->vector);
    dc_mem_free(&o->square);
    dc_mem_free(&o->item);
    dc_mem_free(outer);
}

/* ---- A step ------------------------------------------------------------------------------------------------------ */

void dc_outer_begin(dc_outer *o, double wish)
{
    o->wish = wish;
    o->next_shard = o->leaf_part.shard_lo;
    dc_sum_reset(o->sum);
}

/* Pushes o->vector for the next shard. The first push of a step carries this rank's wish; there is one, because each
 * rank has a shard. */
static void push(dc_outer *o)
{
    o->vector[o->cfg.n_values] = o->wish;
    o->wish = 0;
    dc_sum_push(o->sum, o->next_shard++, o->vector);
}

/* Pushes zeros for the shards before `shard` that have no values in this step. */
static void push_empty(dc_outer *o, int shard)
{
    memset(o->vector, 0, o->cfg.n_values * sizeof *o->vector);
    while (o->next_shard < shard) push(o);
}

void dc_outer_leaf(dc_outer *o, int shard, const double *values)
{
    DC_ASSERT(shard >= o->next_shard && shard < o->leaf_part.shard_hi);
    push_empty(o, shard);
    if (o->cfg.n_values) memcpy(o->vector, values, o->cfg.n_values * sizeof *values);
    push(o);
}

double dc_outer_sync(dc_comm *comm, dc_outer *o, double *total)
{
    const size_t n = o->cfg.n_values;
    push_empty(o, o->leaf_part.shard_hi);
    dc_sum_total(comm, o->sum, o->vector);
    if (n) memcpy(total, o->vector, n * sizeof *total);
    o->row->sync(comm, o);
    if (o->patches) o->patches->row->sync(comm, o->patches);
    return o->vector[n];
}

/* Bytes that this rank sends for the products and their sharing. */
static double sent_for_products(const dc_outer *o)
{
    const dc_owners *own = &o->owners;
    return o->row->sent(o) + (own->P - 1) * (sizeof(float) * (double)dc_owned_floats(own, own->rank));
}

static double sent_for_squares(const dc_outer *o)
{
    return dc_owned_square_bytes(&o->owners, o->owners.rank) * (o->owners.P - 1);
}

dc_outer_costs dc_outer_costs_of(const dc_outer *o)
{
    const double P = o->cfg.places->part->P,
                 owned = sizeof(float) * (double)dc_owned_floats(&o->owners, o->owners.rank);
    if (P == 1) return (dc_outer_costs){0};
    return (dc_outer_costs){.sent_bytes = dc_sum_sent_bytes(o->sum) + sent_for_products(o) +
                                          (o->patches ? sent_for_products(o->patches) : 0),
                            .mpi_bytes = o->row->whole ? owned / P : 0,
                            .squares_bytes = sent_for_squares(o) + (o->patches ? sent_for_squares(o->patches) : 0)};
}

double dc_outer_product_s(const dc_outer *o)
{
    return o->product_s + (o->patches ? o->patches->product_s : 0);
}
