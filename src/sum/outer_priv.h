/* Private to sum/outer*.c, owners.c and places.c: what a dc_outer holds, and the table of the ways. */
#ifndef DCMPI_OUTER_PRIV_H
#define DCMPI_OUTER_PRIV_H

#include "dcmpi/la.h"
#include "dcmpi/outer.h"
#include "dcmpi/sum.h"

/* ---- Owners ------------------------------------------------------------------------------------------------------ */

/* A unit is a panel of DC_PANEL_ROWS rows of an item's product, or its bias; the units of an item are numbered in slab
 * order, the bias last. Contiguous units belong to a rank, about equal numbers of floats to each. */
typedef struct {
    int P, rank; /* 1 and 0 where every rank owns everything */
    const dc_outer_item *item;
    int n_items;
    int *first;    /* [n_items x (P+1)] units [first[i][r], first[i][r+1]) of item i belong to rank r */
    size_t *bytes; /* [P], see dc_owned_bytes */
} dc_owners;

/* item[n_items] is borrowed. */
dc_status dc_owners_init(dc_owners *o, const dc_outer_item *item, int n_items, int P, int rank);
void dc_owners_release(dc_owners *o);

/* What pair k of an item does to the sum of the pairs before it: the product is this times that, plus its own; */
static inline float dc_pair_beta(int k)
{
    return k > 0 ? 1 : 0;
}
/* its column sums add to those of an earlier pair, if there is one with a bias. */
static inline bool dc_bias_adds(const dc_outer_item *item, int k)
{
    while (k-- > 0)
        if (item->pair[k].bias) return true;
    return false;
}

static inline int64_t dc_item_panels(const dc_outer_item *item)
{
    return (item->a + DC_PANEL_ROWS - 1) / DC_PANEL_ROWS;
}
/* Floats of the product, and of all. */
static inline size_t dc_item_product(const dc_outer_item *item)
{
    return (size_t)(item->a * item->d);
}
static inline size_t dc_item_floats(const dc_outer_item *item)
{
    return dc_item_product(item) + (item->bias ? (size_t)item->d : 0);
}
/* Floats of the item before unit u; the number of its units gives its end. */
static inline size_t dc_unit_offset(const dc_outer_item *item, int64_t u)
{
    const int64_t panels = dc_item_panels(item), rows = DC_MIN(u * DC_PANEL_ROWS, item->a);
    return u > panels ? dc_item_floats(item) : (size_t)(rows * item->d);
}
static inline int dc_item_units(const dc_outer_item *item)
{
    return dc_int(dc_item_panels(item)) + item->bias;
}
static inline int dc_owner_first(const dc_owners *o, int i, int r)
{
    return o->first[i * (o->P + 1) + r];
}
/* Floats of a slab [lo(r), lo(r+1)) of item i belong to rank r. */
static inline size_t dc_owned_lo(const dc_owners *o, int i, int r)
{
    return o->item[i].at + dc_unit_offset(&o->item[i], dc_owner_first(o, i, r));
}

/* Floats of all items that rank r owns. */
size_t dc_owned_floats(const dc_owners *o, int r);

/* ---- The ways ---------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    bool padded; /* every shard has as many places: products of one shape */
    bool whole;  /* every rank gets the whole gradient and owns all of it */
    dc_status (*create)(dc_outer *o);
    void (*release)(dc_outer *o); /* also after an error of create */
    /* Products of this step into o->cfg.grad; sets o->product_s. */
    void (*sync)(dc_comm *comm, dc_outer *o);
    /* Bytes that sync sends to other ranks, with several ranks. */
    double (*sent)(const dc_outer *o);
} dc_outer_row;
extern const dc_outer_row dc_outer_table[]; /* by dc_outer_way */

struct dc_outer {
    dc_outer_config cfg;
    dc_outer_item *item; /* = cfg.item, owned */
    const dc_outer_row *row;
    void *way; /* what the way holds; made and released by it */
    dc_owners owners;
    double product_s;
    /* The small vectors: a canonical sum over a partition with one row per shard. */
    dc_part leaf_part;
    dc_sum *sum;
    double *vector; /* [n_values + 1] the values, then the wish */
    double wish;    /* of this rank, until it is pushed */
    int next_shard; /* of the sum */
    double *square; /* [units of all items] sums of squares, in the order of the items */
};

dc_status dc_outer_gather_create(dc_outer *o);
void dc_outer_gather_release(dc_outer *o);
void dc_outer_gather_sync(dc_comm *comm, dc_outer *o);
double dc_outer_gather_sent(const dc_outer *o);

dc_status dc_outer_tree_create(dc_outer *o);
void dc_outer_tree_release(dc_outer *o);
void dc_outer_tree_sync(dc_comm *comm, dc_outer *o);
double dc_outer_tree_sent(const dc_outer *o);

dc_status dc_outer_allreduce_create(dc_outer *o);
void dc_outer_allreduce_release(dc_outer *o);
void dc_outer_allreduce_sync(dc_comm *comm, dc_outer *o);
double dc_outer_allreduce_sent(const dc_outer *o);

/* ---- Kernels ----------------------------------------------------------------------------------------------------- */

/* `columns` columns of n rows of X [n x width], which points to the first of them, into packed [n x columns] and back.
 */
void dc_columns_pack(const float *X, int64_t n, int64_t width, int64_t columns, float *packed);
void dc_columns_unpack(const float *packed, int64_t n, int64_t width, int64_t columns, float *X);
/* sum[u - first] = dc_squares() of unit u of an item of grad, for units [first, last). */
void dc_unit_squares(const dc_outer_item *item, int first, int last, const float *grad, double *sum);

#endif
