/* Private to sum/outer*.c, owners.c and places.c: what a dc_outer holds, and the table of the three ways to sum
 * (gather, tree, allreduce; see outer.h). */
#ifndef DCMPI_OUTER_PRIV_H
#define DCMPI_OUTER_PRIV_H

#include "dcmpi/la.h"
#include "dcmpi/outer.h"
#include "dcmpi/sum.h"

/* ---- Owners ------------------------------------------------------------------------------------------------------ */

/* An item (outer.h) is a product A'D, perhaps followed by a bias. It is divided into units: panels of DC_PANEL_ROWS
 * rows of the product, then the bias. Units are numbered in this order, which is also their order in memory. Each rank
 * owns a contiguous range of the units of all items; all ranges have about the same number of floats. */
typedef struct {
    int P, rank; /* 1 and 0 if every rank owns everything */
    const dc_outer_item *item;
    int n_items;
    int *first;    /* [n_items x (P+1)] units [first[i][r], first[i][r+1]) of item i belong to rank r */
    size_t *bytes; /* [P] message sizes, see owned_bytes() in owners.c */
} dc_owners;

/* item[n_items] is borrowed. */
dc_status dc_owners_init(dc_owners *o, const dc_outer_item *item, int n_items, int P, int rank);
void dc_owners_release(dc_owners *o);

/* beta of pair k: its product is added to beta times the sum of the pairs before it. */
static inline float dc_pair_beta(int k)
{
    return k > 0 ? 1 : 0;
}
/* Whether the column sums of pair k are added to those of an earlier pair with a bias. */
static inline bool dc_bias_adds(const dc_outer_item *item, int k)
{
    while (k-- > 0)
        if (item->pair[k].bias) return true;
    return false;
}

/* Whether A of an item is sparse. */
static inline bool dc_item_is_sparse(const dc_outer_item *item)
{
    return item->pair[0].csr != NULL;
}

static inline int64_t dc_item_panels(const dc_outer_item *item)
{
    return (item->a + DC_PANEL_ROWS - 1) / DC_PANEL_ROWS;
}
/* Floats of an item's product, and of the whole item. */
static inline size_t dc_item_product(const dc_outer_item *item)
{
    return (size_t)(item->a * item->d);
}
static inline size_t dc_item_floats(const dc_outer_item *item)
{
    return dc_item_product(item) + (item->bias ? (size_t)item->d : 0);
}
/* Number of floats of an item before its unit u. If u is the number of units, these are all floats. */
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
/* Where rank r's part of item i begins in a slab. It ends where the part of rank r + 1 begins. */
static inline size_t dc_owned_lo(const dc_owners *o, int i, int r)
{
    return o->item[i].at + dc_unit_offset(&o->item[i], dc_owner_first(o, i, r));
}

/* Number of floats that rank r owns, over all items. */
size_t dc_owned_floats(const dc_owners *o, int r);
/* Bytes of the squares of the units that rank r owns. */
double dc_owned_square_bytes(const dc_owners *o, int r);

/* ---- The ways ---------------------------------------------------------------------------------------------------- */

typedef struct {
    bool padded; /* every shard has the same number of places, so that all products have the same shape */
    bool whole;  /* every rank gets the whole gradient and owns all of it */
    dc_status (*create)(dc_outer *o);
    void (*release)(dc_outer *o); /* also after an error of create */
    /* Forms the products of this step in o->cfg.grad; sets o->product_s. */
    void (*sync)(dc_comm *comm, dc_outer *o);
    /* Bytes that sync sends to other ranks; called only if there are several ranks. */
    double (*sent)(const dc_outer *o);
} dc_outer_row;
extern const dc_outer_row dc_outer_table[]; /* by dc_outer_way */

struct dc_outer {
    dc_outer_config cfg;
    dc_outer_item *item; /* = cfg.item, owned */
    const dc_outer_row *row;
    void *way; /* the way's own data, made by create and freed by release */
    dc_owners owners;
    const dc_csr *csr; /* A of the sparse items; NULL: there are none */
    dc_csc columns;    /* its rows of a step by column: this rank's, or all with "gather" */
    double product_s;
    dc_outer *patches; /* sums the items with windows, if the others are summed in another way; NULL: none */
    struct {
        dc_outer *outer;
        int item;
    } * home; /* [items of the caller] where each is */
    /* For the small vectors that shards contribute (outer.h). They are added in canonical order (sum.h), as if they
     * were the rows of a partition with one row per shard. */
    dc_part leaf_part;
    dc_sum *sum;
    double *vector; /* [n_values + 1] the values, then the wish */
    double wish;    /* this rank's wish to save or stop (wish.h); 0 once it is pushed to the sum */
    int next_shard; /* next shard to be pushed to the sum */
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

/* Copies `columns` columns of X [n x width] into packed [n x columns], and back; X points to the first column to copy.
 */
void dc_columns_pack(const float *X, int64_t n, int64_t width, int64_t columns, float *packed);
void dc_columns_unpack(const float *packed, int64_t n, int64_t width, int64_t columns, float *X);
/* For each unit u of an item, first <= u < last: sum[u - first] = dc_squares() of the unit's floats in grad. */
void dc_unit_squares(const dc_outer_item *item, int first, int last, const float *grad, double *sum);

#endif
