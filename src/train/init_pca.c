/* model.init = pca: the dense encoder layers start as projections on the principal components of the outputs of the
 * layer before, layer after layer, and the decoder that mirrors them as the transposed maps. So the untrained
 * autoencoder is close to a PCA of the data.
 *
 * A rectifier keeps only one side of a direction. Such layers (all activations that are about linear above 0 and small
 * below) have two units per direction, v and -v: the difference of the two is the projection again. A hidden layer has
 * the directions that hold most of the variance; its other units keep their random weights, and the decoder starts
 * without them.
 *
 * A batch norm starts so that it leaves these projections as they are: its scale is their deviation, and what it
 * subtracts is their mean, so the bias need not. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/moments.h"
#include "dcmpi/train.h"

/* Rows that go through the layers together; those of a block begin a new tile, so bits do not depend on ranks. */
enum { TILE = 64 };

/* Outputs of the layers below one. */
typedef struct {
    const dc_dataset *data;
    int64_t in, width;
    dc_graph *graph;
    dc_infer *infer;
} below;

static void load(const below *b, int64_t lo, int64_t n, int thread)
{
    if (dc_infer_is_sparse(b->infer)) {
        const dc_csr rows = dc_csr_view(dc_dataset_csr(b->data), lo, n);
        dc_infer_rows(b->infer, thread, &rows);
        return;
    }
    float *x = dc_infer_batch(b->infer, thread);
    dc_dataset_rows(b->data, lo, n, x);
    memset(x + n * b->in, 0, (size_t)((TILE - n) * b->in) * sizeof *x);
}

static void read_below(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const below *b = ctx;
    const int thread = omp_get_thread_num();
    DC_ASSERT(n <= TILE);
    load(b, lo, n, thread);
    dc_infer_run(b->infer, thread);
    memcpy(out, dc_infer_output(b->infer, thread, 0), (size_t)(n * b->width) * sizeof *out);
}

static dc_status open_below(below *b, const dc_model *m, int l)
{
    dc_status st = DC_OK;
    *b = (below){.data = m->data, .in = m->net->D, .width = m->net->layer[l].in};
    if (l == 0) return DC_OK;
    DC_TRY(dc_graph_create(&b->graph));
    dc_output(b->graph, "features", dc_layers(b->graph, m->net, 0, l, false, dc_batch(b->graph, b->in)));
    DC_TRY(dc_graph_finish(b->graph));
    DC_TRY(dc_infer_create(&b->infer, b->graph, m->params.value, TILE, dc_dataset_csr(m->data), m->data->part.N));
out:
    return st;
}

static void close_below(below *b)
{
    dc_infer_destroy(&b->infer);
    dc_graph_destroy(&b->graph);
}

/* ---- Weights ----------------------------------------------------------------------------------------------------- */

static bool is_one_sided(dc_act act)
{
    return act != DC_ACT_LINEAR && act != DC_ACT_TANH && act != DC_ACT_SIGMOID;
}

/* Directions of a layer; each takes one unit, or two if the activation is one-sided. */
static int64_t directions_of(const dc_layer *layer)
{
    return DC_MIN(layer->in, is_one_sided(layer->act) ? DC_MAX(layer->out / 2, (int64_t)1) : layer->out);
}

/* Moments of a unit with batch norm, running ones too, and the scale that undoes them. */
static void set_moments(const dc_layer *layer, float *value, int64_t unit, double mean, double variance)
{
    if (layer->norm != DC_NORM_BATCH) return;
    value[layer->mean + (size_t)unit] = (float)mean;
    value[layer->mean + (size_t)(layer->out + unit)] = (float)variance;
    value[layer->gamma + (size_t)unit] = (float)sqrt(variance);
}

static void set_unit(const dc_layer *layer, float *value, const dc_principal *p, int64_t k, int64_t unit, float sign)
{
    double bias = 0;
    for (int64_t c = 0; c < layer->in; c++) {
        const float w = sign * p->direction[k * layer->in + c];
        value[layer->weight + (size_t)(c * layer->out + unit)] = w;
        bias -= (double)w * p->mean[c];
    }
    value[layer->bias + (size_t)unit] = layer->norm == DC_NORM_BATCH ? 0 : (float)bias;
    set_moments(layer, value, unit, -bias, p->variance[k]);
}

/* The mirror's row of this unit; k < 0: zeros. */
static void set_row(const dc_layer *mirror, float *value, const dc_principal *p, int64_t k, int64_t unit, float sign)
{
    for (int64_t c = 0; c < mirror->out; c++)
        value[mirror->weight + (size_t)(unit * mirror->out + c)] = k < 0 ? 0 : sign * p->direction[k * mirror->out + c];
}

/* Of column c, what the directions hold. */
static double variance_of(const dc_principal *p, int64_t c)
{
    double sum = 0;
    for (int64_t k = 0; k < p->k; k++) {
        const double v = (double)p->direction[k * p->d + c];
        sum += p->variance[k] * v * v;
    }
    return sum;
}

static void set_layer(const dc_model *m, int l, const dc_principal *p)
{
    const dc_layer *layer = &m->net->layer[l], *mirror = dc_net_is_mirror(m->net) ? dc_net_mirror(m->net, l) : NULL;
    const int64_t sides = is_one_sided(layer->act) && layer->out > 1 ? 2 : 1;
    float *value = m->params.value;
    for (int64_t unit = 0; unit < layer->out; unit++) {
        const int64_t k = unit / sides < p->k ? unit / sides : -1;
        const float sign = unit % sides == 0 ? 1 : -1;
        if (k >= 0) set_unit(layer, value, p, k, unit, sign);
        if (mirror && !mirror->tied) set_row(mirror, value, p, k, unit, sign);
    }
    for (int64_t c = 0; mirror && c < mirror->out; c++) {
        value[mirror->bias + (size_t)c] = (float)p->mean[c];
        set_moments(mirror, value, c, 0, variance_of(p, c));
    }
}

/* ---- All layers -------------------------------------------------------------------------------------------------- */

/* Whether the scheme of encoder layer l is pca. */
static bool is_pca(const dc_net *net, int l, dc_init init)
{
    const dc_layer *layer = &net->layer[l];
    return (layer->rules.has_init ? layer->rules.init : init) == DC_INIT_PCA;
}

static dc_status check(const dc_model *m, int l)
{
    const dc_layer *layer = &m->net->layer[l];
    if (dc_layer_has_window(layer))
        return DC_FAIL(DC_ERR_USAGE, "init pca: layer %s is no dense layer; give it another init in model.encoder",
                       layer->name);
    if (layer->norm == DC_NORM_LAYER)
        return DC_FAIL(DC_ERR_USAGE,
                       "init pca: layer %s has ln, which undoes the directions; give it another init in model.encoder",
                       layer->name);
    if (!dc_principal_fits(m->data->part.N, layer->in) || m->data->part.N < 2)
        return DC_FAIL(DC_ERR_USAGE,
                       "init pca: layer %s has %lld inputs for %lld rows; at most %d inputs, or as many rows, and at "
                       "least 2 rows are possible",
                       layer->name, (long long)layer->in, (long long)m->data->part.N, (int)DC_PRINCIPAL_MAX);
    return DC_OK;
}

/* Directions of a hidden layer: those that hold most of the variance. Drawn units take the places of the others,
 * because a network of mirrored pairs alone is linear, and learns slowly to be anything else. */
static int64_t leading(const dc_principal *p)
{
    static const double SHARE = 0.8;
    const int64_t most = DC_MIN(p->k, p->varying);
    double sum = 0;
    for (int64_t k = 0; k < most; k++) {
        sum += p->variance[k];
        if (sum > SHARE * p->total) return k + 1;
    }
    return most;
}

static dc_status init_layer(dc_comm *comm, dc_model *m, int l)
{
    dc_status st = DC_OK;
    below b = {0};
    dc_principal p = {0};
    DC_TRY(check(m, l));
    DC_TRY_ALL(comm, open_below(&b, m, l));
    const dc_rows rows = l == 0 ? dc_rows_of_dataset(m->data)
                                : (dc_rows){.part = &m->data->part, .d = b.width, .rows = read_below, .ctx = &b};
    const dc_principal_wanted wanted = {.components = directions_of(&m->net->layer[l])};
    DC_TRY(dc_principal_create(comm, &rows, &wanted, &p));
    p.k = l + 1 < m->net->n_encoder ? leading(&p) : DC_MIN(p.k, p.varying);
    set_layer(m, l, &p);
    dc_log("init      %s: %lld principal directions of %lld inputs", m->net->layer[l].name, (long long)p.k,
           (long long)p.d);
out:
    dc_principal_release(&p);
    close_below(&b);
    return st;
}

dc_status dc_model_init_pca(dc_comm *comm, dc_model *m, dc_init init)
{
    dc_status st = DC_OK;
    bool any = false;
    for (int l = 0; l < m->net->n_encoder; l++)
        if (is_pca(m->net, l, init)) {
            any = true;
            DC_TRY(init_layer(comm, m, l));
        }
    if (any) DC_TRY(dc_model_check_replicas(comm, m));
out:
    return st;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* Tiles of all layers, on all threads. */
static double tiles_bytes(const dc_net *net, int depth)
{
    double widths = (double)net->D;
    for (int l = 0; l < depth; l++) widths += (double)net->layer[l].out;
    return depth == 0 ? 0 : sizeof(float) * TILE * widths * omp_get_max_threads();
}

void dc_model_init_needs(const dc_model *sketch, dc_init init, double *work, double *root)
{
    const dc_net *net = sketch->net;
    *work = *root = 0;
    for (int l = 0; l < net->n_encoder; l++) {
        const dc_layer *layer = &net->layer[l];
        const dc_part *part = &sketch->data->part;
        const int64_t k = directions_of(layer);
        if (!is_pca(net, l, init) || dc_layer_has_window(layer) || !dc_principal_fits(part->N, layer->in)) continue;
        const double here = dc_principal_bytes(part, layer->in, k);
        *work = DC_MAX(*work, here + tiles_bytes(net, l));
        *root = DC_MAX(*root, dc_principal_root_bytes(part, layer->in, k));
    }
}
