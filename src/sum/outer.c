/* Sums over the rows of a step: what the three ways have in common, and the table of ways. See outer.h. */
#include "dcmpi/comm.h"

#include <string.h>

#include "dcmpi/mem.h"
#include "outer_priv.h"

const dc_outer_row dc_outer_table[] = {
    [DC_OUTER_GATHER] = {.name = "gather",
                         .create = dc_outer_gather_create,
                         .release = dc_outer_gather_release,
                         .sync = dc_outer_gather_sync,
                         .sent = dc_outer_gather_sent},
    [DC_OUTER_TREE] = {.name = "tree",
                       .padded = true,
                       .create = dc_outer_tree_create,
                       .release = dc_outer_tree_release,
                       .sync = dc_outer_tree_sync,
                       .sent = dc_outer_tree_sent},
    [DC_OUTER_ALLREDUCE] = {.name = "allreduce",
                            .whole = true,
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

const char *dc_outer_name(dc_outer_way way)
{
    return dc_outer_table[way].name;
}

/* ---- Create ------------------------------------------------------------------------------------------------------ */

static bool overlap(const dc_outer_item *x, const dc_outer_item *y)
{
    return x->at < y->at + dc_item_floats(y) && y->at < x->at + dc_item_floats(x);
}

static dc_status take_items(dc_outer *o)
{
    const dc_outer_config *cfg = &o->cfg;
    for (int i = 0; i < cfg->n_items; i++) {
        const dc_outer_item *x = &cfg->item[i];
        DC_ASSERT(x->n_pairs >= 1 && x->n_pairs <= DC_OUTER_PAIRS && dc_bias_adds(x, x->n_pairs) == x->bias);
        for (int j = 0; j < i; j++) DC_ASSERT(!overlap(x, &cfg->item[j]));
    }
    const dc_status st = dc_mem_alloc(&o->item, (size_t)cfg->n_items, sizeof *o->item, "products");
    if (st != DC_OK) return st;
    if (cfg->n_items) memcpy(o->item, cfg->item, (size_t)cfg->n_items * sizeof *o->item);
    o->cfg.item = o->item;
    return DC_OK;
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

dc_status dc_outer_create(dc_outer **out, const dc_outer_config *cfg)
{
    dc_status st = DC_OK;
    dc_outer *o = NULL;
    const dc_part *part = cfg->places->part;
    DC_TRY(dc_mem_alloc(&o, 1, sizeof *o, "sums over a batch"));
    o->cfg = *cfg;
    o->row = &dc_outer_table[cfg->places->way];
    DC_TRY(take_items(o));
    DC_TRY(take_sum(o));
    DC_TRY(
        dc_owners_init(&o->owners, o->item, cfg->n_items, o->row->whole ? 1 : part->P, o->row->whole ? 0 : part->rank));
    DC_TRY(take_squares(o));
    DC_TRY(o->row->create(o));
out:
    if (st != DC_OK) dc_outer_destroy(&o);
    *out = o;
    return st;
}

void dc_outer_destroy(dc_outer **outer)
{
    dc_outer *o = *outer;
    if (!o) return;
    if (o->way) o->row->release(o);
    dc_mem_free(&o->way);
    dc_owners_release(&o->owners);
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
    return o->vector[n];
}

dc_outer_costs dc_outer_costs_of(const dc_outer *o)
{
    const dc_owners *own = &o->owners;
    const double P = o->cfg.places->part->P, owned = sizeof(float) * (double)dc_owned_floats(own, own->rank);
    if (P == 1) return (dc_outer_costs){0};
    return (dc_outer_costs){.sent_bytes = dc_sum_sent_bytes(o->sum) + o->row->sent(o) + (own->P - 1) * owned,
                            .mpi_bytes = o->row->whole ? owned / P : 0,
                            .squares_bytes = dc_owned_square_bytes(own, own->rank) * (own->P - 1)};
}

double dc_outer_product_s(const dc_outer *o)
{
    return o->product_s;
}
