/* The table of operations, and what the executor needs to know of a graph.
 *
 * One rule: an operation sees rows and vectors but never sums over rows. If a gradient is a sum over rows, the
 * operation only declares it, as a product A'D of two of its values or as partial sums of a tile; sum/ then computes it
 * in an order that depends neither on ranks nor on threads.
 *
 *   reach  from -> to                            its derivative
 *   ROW    row (and vectors) -> row              ROW for the row operand, a declared sum for a vector operand
 *   SUM    rows -> vector, equal on all ranks    the vector's gradient, given to every row
 *   ALL    rows of the whole batch -> row        the owner of a row computes its whole gradient, even the parts due to
 *                                                values of other rows: rows are copied, never added across ranks
 *
 * An operation on vectors alone (ROW without row operands) runs once, over the rows of its vector.
 *
 * With reach ROW, a row's value may depend only on the row, its place in its tile and the vectors, not on other rows;
 * with reach ALL, also on the rows of the batch and on its place among them. */
#ifndef DCMPI_OP_H
#define DCMPI_OP_H

#include "dcmpi/csr.h"
#include "dcmpi/graph.h"

typedef enum { DC_REACH_ROW, DC_REACH_SUM, DC_REACH_ALL } dc_reach;

/* How gradients with respect to tensors W (operand 1) and b (operand 2) are formed as products of rows, after
 * backward. */
typedef enum {
    DC_PRODUCT_NONE,
    DC_PRODUCT_DENSE, /* W: in[0]' dout; b, if any: column sums of dout; b lies behind W */
    DC_PRODUCT_TIED,  /* W: dout' in[0]; b: partial sums */
    /* With a window over images, for all places of it: */
    DC_PRODUCT_CONV,  /* W: (patches of in[0])' dout; b as in DENSE */
    DC_PRODUCT_DECONV /* W: (patches of dout)' in[0]; b: partial sums */
} dc_product;

enum { DC_NODES_MAX = 512, DC_NODE_INPUTS = 7, DC_GRAPH_LOSSES = 8, DC_GRAPH_OUTPUTS = 8, DC_GRAPH_PUTS = 8 };
/* A layer with batch norm moves two tensors. */
enum { DC_GRAPH_MOVES = 2 * DC_MAX_LAYERS + 8 };
/* Maximum number of operations whose products add up to the gradient of one tensor. */
enum { DC_GRAPH_PRODUCTS = 8 };

typedef struct dc_op dc_op;

typedef struct {
    const dc_op *op;
    int n_in, in[DC_NODE_INPUTS]; /* numbers of nodes before this one */
    unsigned constant; /* operands that get no gradient from this node, bit k for operand k; includes op->constant */
    dc_shape shape;
    double real[2]; /* attributes; their meaning depends on the operation */
    int64_t whole[2];
    dc_window window;      /* of operations on images */
    dc_tensor tensor;      /* of "use" */
    const dc_table *table; /* of "entry" */
    const void *held;      /* what the operation reads besides its operands and the batch; borrowed */
    const char *file;      /* where it was recorded */
    int line;
} dc_node;

struct dc_graph {
    dc_node node[DC_NODES_MAX];
    int n_nodes;
    struct {
        const char *name;
        double weight;
        int node;
    } loss[DC_GRAPH_LOSSES], output[DC_GRAPH_OUTPUTS]; /* an output has no weight */
    int n_losses, n_outputs;
    struct {
        dc_tensor tensor;
        int node;
    } move[DC_GRAPH_MOVES];
    struct {
        const dc_table *table;
        int node;
    } put[DC_GRAPH_PUTS];
    int n_moves, n_puts;
    dc_status st; /* status of the recording so far */
    char error[256];
    const char *file; /* file and line of the call being recorded */
    int line;
};

/* The rows of one call of an operation: from one shard, at most DC_ROW_TILE in training. */
typedef struct {
    int64_t n;
    const int64_t *row; /* [n] local row numbers: keys of tables */
    dc_gidx first_row;  /* global number of local row 0; first_row + row[i] is the key of noise */
    uint64_t seed;
    int64_t step;
    int64_t B;  /* rows of the batch over all ranks */
    int64_t at; /* place of the tile's first row in that batch */
} dc_tile;

/* The operands of one call. Row operands begin at the first row of the tile. */
typedef struct {
    const dc_graph *graph;
    const dc_node *node;
    const dc_tile *tile;
    const float *in[DC_NODE_INPUTS];
    dc_csr csr;                 /* ptr not NULL: the rows of the batch are sparse; in[] of that operand is then NULL */
    float *out;                 /* [n x width] */
    float *aux;                 /* [n x aux floats] what forward keeps for backward */
    float *dout;                /* gradient with respect to out; backward_all may overwrite it */
    float *din[DC_NODE_INPUTS]; /* gradients with respect to row operands; NULL: not needed */
    bool adds[DC_NODE_INPUTS];  /* din already holds a gradient: add to it */
    float *scratch;             /* [scratch floats] for *_all */
    float *lane; /* [lane floats] of the calling thread; for *_all those of thread i begin at i * lane_floats */
    size_t lane_floats;
    float *spill; /* [n x width of the widest row operand with adds], for forward_all and backward_all */
    /* Reach ALL: gathered operands and, in the backward pass, dout and aux of all tile->B rows of the batch, in
     * order. */
    const float *all[DC_NODE_INPUTS], *all_dout, *all_aux;
} dc_call;

struct dc_op {
    const char *name;
    dc_reach reach;
    /* Called once for all local rows; they start their own threads. Gaps between the shards hold rows of zeros; n is a
     * multiple of DC_ROW_TILE. If NULL, forward and backward are called instead, for each tile by one thread. */
    void (*forward_all)(const dc_call *c, int64_t n);
    void (*backward_all)(const dc_call *c, int64_t n);
    void (*forward)(const dc_call *c);
    void (*backward)(const dc_call *c);
    /* Adds the tile's part of the gradient with respect to vector operand k to sum[rows x width of operand k]. */
    void (*partial)(const dc_call *c, int k, double *sum);
    /* Reach SUM: adds the tile's part of the value to sum. The value is share() times the sum over all rows; backward
     * computes the gradient of the tile's rows from that of the value. */
    void (*add)(const dc_call *c, double *sum);
    double (*share)(const dc_tile *tile);
    unsigned sparse; /* operands that may be the batch as sparse rows, which have a row for each row of the call */
    bool keyed;      /* its value depends on the row number */
    /* Operands that always count as constants, bit k for operand k. */
    unsigned constant;
    unsigned gathers; /* reach ALL: row operands that it reads for all rows of the batch */
    dc_product product;
    /* For dc_grad(): records the gradient with respect to row operand k of node i as a value. If NULL, `backward`
     * computes that value (the operation must have no aux), and the functions below differentiate it; they are called
     * with the operands of the operation itself. */
    dc_val (*grad)(dc_graph *g, int i, int k, dc_val dout);
    /* Derivative of the operation's value when only row operand k changes, in direction t; written to out[n x width],
     * or added to it if `adds`. */
    void (*tangent)(const dc_call *c, int k, const float *t, bool adds, float *out);
    /* Operands that the gradient with respect to operand k depends on, as bits; NULL: none. */
    unsigned (*curved)(const dc_node *x, int k);
    /* Gradients of sum(dout * tangent): curve() writes those with respect to row operands to din; curve_partial() adds
     * the one with respect to vector operand j to sum, as partial() does. */
    void (*curve)(const dc_call *c, int k, const float *t);
    void (*curve_partial)(const dc_call *c, int k, const float *t, int j, double *sum);
    /* The gradient with respect to operand k may be impossible, because some operation has no derivative: returns the
     * name of that operation, or NULL. */
    const char *(*barred)(const dc_graph *g, const dc_node *x, int k);
    /* Floats per row. NULL: none. */
    int64_t (*aux)(const dc_graph *g, const dc_node *x);
    size_t (*scratch)(const dc_graph *g, const dc_node *x);
    size_t (*lane)(const dc_graph *g, const dc_node *x);  /* floats of each thread */
    double (*flops)(const dc_graph *g, const dc_node *x); /* forward, per row */
};

static inline const dc_node *dc_node_in(const dc_graph *g, const dc_node *x, int k)
{
    return &g->node[x->in[k]];
}
static inline int64_t dc_in_width(const dc_call *c, int k)
{
    return dc_node_in(c->graph, c->node, k)->shape.width;
}

/* Row i of operand k, which may be the sparse batch: then it is filled up in the call's lane, until the next call. */
static inline const float *dc_in_row(const dc_call *c, int k, int64_t i)
{
    if (c->in[k]) return c->in[k] + i * dc_in_width(c, k);
    dc_csr_rows(&c->csr, i, 1, c->lane);
    return c->lane;
}

/* Whether the gradient with respect to operand k is part of a product. */
static inline bool dc_op_has_product(const dc_op *op, int k)
{
    const bool with_bias = op->product == DC_PRODUCT_DENSE || op->product == DC_PRODUCT_CONV;
    return op->product != DC_PRODUCT_NONE && (k == 1 || (k == 2 && with_bias));
}

extern const dc_op dc_op_batch, dc_op_entry, dc_op_use, dc_op_number; /* graph.c */
extern const dc_op dc_op_dense, dc_op_dense_tied;                     /* op_dense.c */
extern const dc_op dc_op_conv, dc_op_deconv;                          /* op_conv.c */
extern const dc_op dc_op_dropout;                                     /* op_noise.c */
extern const dc_op dc_op_recon;                                       /* op_loss.c */

/* Records d * act'(t), [batch x width], computed from y = act(t); op_act.c. */
dc_val dc_act_slope(dc_graph *g, dc_act act, dc_val d, dc_val y);
/* Records norm, scale, bias and activation of a layer that has a norm, from its product x [batch x out]. Layer norm
 * takes the moments of a whole row, also of an image, whose gamma and bias are those of a channel; op_norm.c. */
dc_val dc_norm_layer(dc_graph *g, const dc_layer *layer, dc_pass pass, dc_val x);
/* Records DC_ACT_GELU of t; a layer with this activation is a linear one and this. */
dc_val dc_act_gelu(dc_graph *g, dc_val t);

/* The layers of dc_layers() that are about images; owner: the layer whose weights it uses. op_conv.c, op_pool.c. */
dc_val dc_conv_layer(dc_graph *g, const dc_layer *layer, const dc_layer *owner, dc_pass pass, dc_val x);
dc_val dc_pool_layer(dc_graph *g, const dc_layer *layer, dc_val x);

/* y = softmax(scale * x) of each row, [n x width]; y may be x; op_row.c. */
void dc_softmax_rows(const float *x, int64_t n, int64_t width, double scale, float *y);

/* For the recording functions of operations. dc_record() appends `node`, adding shape, file and line. dc_refuse() makes
 * the recording fail with this text and the place of the call. */
dc_val dc_record(dc_graph *g, dc_node node, dc_shape shape);
dc_val dc_refuse(dc_graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Finds the nodes that have a gradient: a loss depends on them, and they depend on trained tensors. */
void dc_graph_differentiated(const dc_graph *g, bool *out);
/* The node of a handle; NULL if the recording has already failed or there is no such value. */
const dc_node *dc_node_of(const dc_graph *g, dc_val x);

#endif
