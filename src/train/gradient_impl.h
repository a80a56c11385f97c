/* Private to gradient*.c: the state, and the two strict ways. */
#ifndef DCMPI_TRAIN_GRADIENT_IMPL_H
#define DCMPI_TRAIN_GRADIENT_IMPL_H

#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "gradient.h"

/* Who computes and updates what. A unit is a panel of DC_PANEL_ROWS rows of a weight matrix, or a bias; the units of a
 * layer are numbered in slab order, its bias last. Contiguous units belong to a rank, about equal numbers of floats to
 * each. */
typedef struct {
    int P, rank;
    int *first;    /* [n_layers x (P+1)] units [first[l][r], first[l][r+1]) of layer l belong to rank r */
    size_t *bytes; /* [P], see dc_owned_bytes */
} dc_owners;

typedef enum { DC_WAY_OFF, DC_WAY_GATHER, DC_WAY_TREE } dc_way;

struct dc_gradient {
    dc_gradient_config cfg;
    dc_way way;
    dc_batcher batcher;
    dc_plan plan;
    int64_t *rows; /* [batcher.capacity] */
    dc_net_work work;
    float *delta[DC_MAX_LAYERS + 1]; /* strict: own buffers; off: see dc_gradient_delta */
    float *delta_slab;
    float *transposed;           /* strict: weights of one layer */
    float *noisy;                /* [rows x width] or NULL */
    int64_t used;                /* rows of the buffers in use, gaps included */
    int64_t leaf_rows;           /* tree: rows per leaf, gaps included */
    double product_s, message_s; /* of the last step */
    int64_t pad;                 /* strict: rows before the first leaf */
    /* losses and extra gradient: a canonical sum over the shards */
    dc_part leaf_part; /* one row per shard */
    dc_sum *sum;
    double *vector; /* [n_losses + n_extra + 1] */
    double wish;    /* of this rank, until it is pushed */
    int next_shard; /* of the sum */
    dc_owners owners;
    /* gather */
    float *all_delta[DC_MAX_LAYERS], *all_act[DC_MAX_LAYERS]; /* [B x width]; one rank: views of its own */
    float *slab, *packed, *received;
    size_t *send_bytes, *recv_bytes;
    int64_t *offset; /* [P+1] rows of the batch below each rank */
    /* tree */
    struct dc_tree_way *tree;
};

static inline int64_t dc_layer_panels(const dc_layer *layer)
{
    return (layer->in + DC_PANEL_ROWS - 1) / DC_PANEL_ROWS;
}
/* Floats before unit u of the layer, from its weight on; u = panels + 1 gives the end. */
static inline size_t dc_unit_offset(const dc_layer *layer, int64_t u)
{
    const int64_t panels = dc_layer_panels(layer), rows = DC_MIN(u * DC_PANEL_ROWS, layer->in);
    return (size_t)(rows * layer->out + (u > panels ? layer->out : 0));
}
static inline int dc_owner_first(const dc_owners *o, int l, int r)
{
    return o->first[l * (o->P + 1) + r];
}
/* Floats of the slab [lo, hi) that rank r owns in layer l. */
static inline size_t dc_owned_lo(const dc_gradient *g, int l, int r)
{
    return g->cfg.net->layer[l].weight + dc_unit_offset(&g->cfg.net->layer[l], dc_owner_first(&g->owners, l, r));
}

/* Input of layer l as the products see it. */
static inline float *dc_layer_input(const dc_gradient *g, int l)
{
    return g->noisy && l == g->cfg.noisy_layer ? g->noisy : g->work.act[l];
}

dc_status dc_owners_init(dc_owners *o, const dc_net *net, int last, int P, int rank);
void dc_owners_release(dc_owners *o);
/* Bytes of layer l in a slab that each rank owns, [P], as messages want them. Valid until the next call. */
const size_t *dc_owned_bytes(const dc_gradient *g, int l);

dc_status dc_gather_create(dc_gradient *g);
void dc_gather_release(dc_gradient *g);
void dc_gather_sync(dc_comm *comm, dc_gradient *g);

dc_status dc_tree_way_create(dc_gradient *g);
void dc_tree_way_release(dc_gradient *g);
void dc_tree_way_sync(dc_comm *comm, dc_gradient *g);

/* gradient_moments.c */
void dc_gradient_drop_moments(const dc_gradient *g);

/* gradient_kern.c */
typedef struct {
    float *packed; /* [n x columns] */
    float *matrix; /* [n x width], from its first row on */
    int64_t n, width, column, columns;
} dc_columns;
void dc_columns_pack(const dc_columns *c);
void dc_columns_unpack(const dc_columns *c);

#endif
