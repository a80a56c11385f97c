/* A training step as data: a list of nodes, each an operation on the values of earlier nodes. A method records it once;
 * step/ executes it. Nothing is computed here.
 *
 * An operation sees rows and vectors but never sums over rows: see op.h. Every recording function appends a node and
 * returns its handle. After an error (shapes that do not fit) nothing more is recorded. dc_graph_finish() then returns
 * the error, with the file and line of the call that caused it. */
#ifndef DCMPI_GRAPH_H
#define DCMPI_GRAPH_H

#include "dcmpi/nn.h"

typedef enum {
    DC_ROWS, /* [batch x width]: one row for each row of the batch */
    DC_ONE   /* [n x width]: equal on all ranks */
} dc_space;
typedef struct {
    dc_space space;
    int64_t n; /* 1 if the space is DC_ROWS */
    int64_t width;
} dc_shape;

typedef struct dc_graph dc_graph;
typedef struct {
    int id; /* -1: none */
} dc_val;

/* A parameter that a step reads; it lies in the parameter slab. */
typedef struct {
    const char *name; /* static text, for messages */
    size_t at;        /* first float */
    int64_t n, width;
    bool trained;
} dc_tensor;
static inline size_t dc_tensor_floats(const dc_tensor *t)
{
    return (size_t)(t->n * t->width);
}

/* An array [rows x width] with one row for each local row of the data. */
typedef struct {
    const char *name;
    float *rows; /* borrowed */
    int64_t width;
} dc_table;

DC_CHECKED dc_status dc_graph_create(dc_graph **out); /* DC_ERR_MEMORY */
void dc_graph_destroy(dc_graph **g);
/* Ends the recording. Errors: DC_ERR_USAGE (the first error of the recording, with its file and line). */
DC_CHECKED dc_status dc_graph_finish(dc_graph *g);
dc_shape dc_graph_shape(const dc_graph *g, dc_val x);

/* ---- Sources ---- */

/* The rows of the batch, [batch x width]. */
dc_val dc_batch(dc_graph *g, int64_t width);
/* For each row of the batch, its row of a table; *table must outlive the graph. */
dc_val dc_entry(dc_graph *g, const dc_table *table);
dc_val dc_use(dc_graph *g, const dc_tensor *tensor);
/* The same number in every step, a scalar. */
dc_val dc_number(dc_graph *g, double value);

/* ---- Networks and losses ---- */

/* What a pass does with weights and with batch norm. `true` stands for DC_TRAINED, `false` for DC_FIXED. */
typedef enum {
    DC_FIXED = false,  /* weights stay; running moments */
    DC_TRAINED = true, /* weights learn; moments of the batch, with which the running ones move */
    DC_QUIET           /* weights learn; moments of the batch, the running ones stay */
} dc_pass;
/* Layers [first, last) of a network whose weights lie in the slab. */
dc_val dc_layers(dc_graph *g, const dc_net *net, int first, int last, dc_pass pass, dc_val x);
/* Inverted dropout (nn.h); site: the number of this dropout within the step. */
dc_val dc_dropout(dc_graph *g, double rate, int site, dc_val x);
/* Loss of each row, [batch x 1]. x: the target, which counts as a constant; xhat: logits if kind is DC_LOSS_BCE. */
dc_val dc_recon(dc_graph *g, dc_recon_loss kind, dc_val x, dc_val xhat);

/* ---- Functions ---- */

/* Element by element. One operand of ADD, SUB and MUL may be smaller: a vector [1 x width], used for all rows; a value
 * per row [batch x 1], used for all columns; or a scalar [1 x 1]. The other functions have one operand: b is DC_NONE.
 */
typedef enum {
    DC_ADD,
    DC_SUB,
    DC_MUL,
    DC_EXP,
    DC_SQUARE,
    DC_TANH,
    DC_SIGMOID,  /* 1 / (1 + exp(-a)) */
    DC_SOFTPLUS, /* log(1 + exp(a)) */
    DC_LOG,      /* a > 0, here and below */
    DC_SQRT,
    DC_RECIPROCAL /* 1 / a */
} dc_function;
static const dc_val DC_NONE = {-1};
dc_val dc_map(dc_graph *g, dc_function f, dc_val a, dc_val b);
/* exp(s x_j) / sum_k exp(s x_k) of each row. scale: s, a constant scalar; if it is DC_NONE, s is 1. */
dc_val dc_softmax(dc_graph *g, dc_val x, dc_val scale);
/* x / |x| of each row; rows of zeros stay as they are. */
dc_val dc_unit(dc_graph *g, dc_val x);
/* sum_j a_j b_j of each row, [batch x 1]. */
dc_val dc_dot(dc_graph *g, dc_val a, dc_val b);
/* sum_j x_j log x_j of each row, 0 for x_j = 0. */
dc_val dc_neg_entropy(dc_graph *g, dc_val x);
/* -sum_c p_c log softmax(logits)_c of each row, [batch x 1]: p holds soft targets, or is dc_onehot of hard ones; the
 * logits are rows, or one vector for all rows. And KL(p || softmax(logits)), which is this minus the entropy of p. */
dc_val dc_cross_entropy(dc_graph *g, dc_val p, dc_val logits);
dc_val dc_kl(dc_graph *g, dc_val p, dc_val logits);
/* The columns of a, then those of b. */
dc_val dc_concat(dc_graph *g, dc_val a, dc_val b);
/* Columns [first, first + count) of x. */
dc_val dc_columns(dc_graph *g, dc_val x, int64_t first, int64_t count);
/* Standard normal values for each row, a function of (seed, step, site, global row, column). */
dc_val dc_noise(dc_graph *g, int64_t width, int site);
/* The value of x as a constant: no gradient goes back to x. */
dc_val dc_stop_gradient(dc_graph *g, dc_val x);
/* 1 in column x of each row, 0 elsewhere; x [batch x 1] holds whole numbers in 0..n-1. */
dc_val dc_onehot(dc_graph *g, dc_val x, int64_t n);

/* ---- Gradients as values ---- */

/* The gradient of the sum of y [batch x 1] over the batch, with respect to x [batch x width]; if no sum over the batch
 * lies between the two, this is the gradient for each row by itself. Like any value it may go into dc_stop_gradient();
 * without such sums it may also be differentiated again, and through layers this is exact for every activation. */
dc_val dc_grad(dc_graph *g, dc_val y, dc_val x);

/* ---- Over all rows of the batch ---- */

/* Mean of each column, [1 x width]. */
dc_val dc_mean(dc_graph *g, dc_val x);
/* Sum of each column, [1 x width]. */
dc_val dc_total(dc_graph *g, dc_val x);
/* a'b, [width of a x width of b]. */
dc_val dc_cross(dc_graph *g, dc_val a, dc_val b);
/* NT-Xent, the loss of SimCLR (Chen et al. 2020, equation 1), [batch x 1]. Each row has two views: its row of z and its
 * row of partner, both of unit length (dc_unit). The loss of a view v, where u is the other view of its row and t the
 * temperature, is
 *   -log(exp(v u / t) / sum over the 2 batch - 1 other views w of exp(v w / t))
 * and the loss of a row is the mean over its two views. */
dc_val dc_contrast(dc_graph *g, dc_val z, dc_val partner, double temperature);

/* ---- Results ---- */

/* Adds a term to what the step minimises: weight times the mean of `loss` [batch x 1] over the rows of the batch, or
 * weight times `loss` if it is a scalar [1 x 1]. name: static text. */
void dc_minimize(dc_graph *g, const char *name, double weight, dc_val loss);
/* After the update, sets the tensor to this vector. The step must not also train the tensor. */
void dc_move(dc_graph *g, const dc_tensor *tensor, dc_val value);
/* After the update, sets the table's row for each row of the batch to that row of `value`. */
void dc_put(dc_graph *g, const dc_table *table, dc_val value);
/* Declares a value that inference returns under this name. */
void dc_output(dc_graph *g, const char *name, dc_val x);
/* What was declared under this name, or DC_NONE; and takes the declaration back. */
dc_val dc_find_output(const dc_graph *g, const char *name);
void dc_drop_output(dc_graph *g, const char *name);

#define DC_RECORDED_AT(g) dc_graph_at(g, __FILE__, __LINE__)
dc_graph *dc_graph_at(dc_graph *g, const char *file, int line);
#define dc_batch(g, width) dc_batch(DC_RECORDED_AT(g), width)
#define dc_entry(g, table) dc_entry(DC_RECORDED_AT(g), table)
#define dc_use(g, tensor) dc_use(DC_RECORDED_AT(g), tensor)
#define dc_number(g, value) dc_number(DC_RECORDED_AT(g), value)
#define dc_layers(g, net, first, last, pass, x) dc_layers(DC_RECORDED_AT(g), net, first, last, pass, x)
#define dc_dropout(g, rate, site, x) dc_dropout(DC_RECORDED_AT(g), rate, site, x)
#define dc_recon(g, kind, x, xhat) dc_recon(DC_RECORDED_AT(g), kind, x, xhat)
#define dc_map(g, f, a, b) dc_map(DC_RECORDED_AT(g), f, a, b)
#define dc_softmax(g, x, scale) dc_softmax(DC_RECORDED_AT(g), x, scale)
#define dc_unit(g, x) dc_unit(DC_RECORDED_AT(g), x)
#define dc_dot(g, a, b) dc_dot(DC_RECORDED_AT(g), a, b)
#define dc_neg_entropy(g, x) dc_neg_entropy(DC_RECORDED_AT(g), x)
#define dc_cross_entropy(g, p, logits) dc_cross_entropy(DC_RECORDED_AT(g), p, logits)
#define dc_kl(g, p, logits) dc_kl(DC_RECORDED_AT(g), p, logits)
#define dc_concat(g, a, b) dc_concat(DC_RECORDED_AT(g), a, b)
#define dc_columns(g, x, first, count) dc_columns(DC_RECORDED_AT(g), x, first, count)
#define dc_noise(g, width, site) dc_noise(DC_RECORDED_AT(g), width, site)
#define dc_stop_gradient(g, x) dc_stop_gradient(DC_RECORDED_AT(g), x)
#define dc_onehot(g, x, n) dc_onehot(DC_RECORDED_AT(g), x, n)
#define dc_grad(g, y, x) dc_grad(DC_RECORDED_AT(g), y, x)
#define dc_mean(g, x) dc_mean(DC_RECORDED_AT(g), x)
#define dc_total(g, x) dc_total(DC_RECORDED_AT(g), x)
#define dc_cross(g, a, b) dc_cross(DC_RECORDED_AT(g), a, b)
#define dc_contrast(g, z, partner, temperature) dc_contrast(DC_RECORDED_AT(g), z, partner, temperature)
#define dc_move(g, tensor, value) dc_move(DC_RECORDED_AT(g), tensor, value)
#define dc_put(g, table, value) dc_put(DC_RECORDED_AT(g), table, value)
#define dc_minimize(g, name, weight, loss) dc_minimize(DC_RECORDED_AT(g), name, weight, loss)
#define dc_output(g, name, x) dc_output(DC_RECORDED_AT(g), name, x)

#endif
