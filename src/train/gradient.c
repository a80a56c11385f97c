/* One gradient step over all ranks: the rows, the passes, and the update. See gradient.h. */
#include "gradient.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"

struct dc_gradient {
    dc_gradient_config cfg;
    dc_batcher batcher;
    dc_places places;
    dc_outer *outer;
    int64_t *rows;       /* [batcher.capacity] */
    int64_t *shard_rows; /* [own shards], and */
    int64_t *offset;     /* [P+1] of this step, as dc_places_set() wants them */
    dc_net_work work;
    float *delta[DC_MAX_LAYERS];
    float *delta_slab;
    float *transposed; /* weights of one layer */
    float *noisy;      /* [places x width] or NULL */
    double *values;    /* [n_losses + n_extra] of a leaf, of all */
    double message_s;  /* of the last update */
};

/* ---- Create ----------------------------------------------------------------------------------------------------- */

static dc_status take_deltas(dc_gradient *g, int64_t n_max)
{
    const dc_net *net = g->cfg.net;
    size_t total = 0;
    for (int l = 0; l < g->cfg.last; l++) total += dc_mul_size((size_t)n_max, (size_t)net->layer[l].out);
    const dc_status st = dc_mem_alloc(&g->delta_slab, total, sizeof *g->delta_slab, "deltas");
    if (st != DC_OK) return st;
    float *next = g->delta_slab;
    for (int l = 0; l < g->cfg.last; l++) {
        g->delta[l] = next;
        next += n_max * net->layer[l].out;
    }
    return DC_OK;
}

static dc_status take_rows(dc_gradient *g)
{
    dc_status st = DC_OK;
    const dc_gradient_config *cfg = &g->cfg;
    const dc_part *part = &cfg->model->data->part;
    DC_TRY(dc_batcher_init(&g->batcher, part, cfg->model->seed, cfg->B));
    const int64_t B = g->batcher.B, capacity = g->batcher.capacity;
    const dc_outer_way way = dc_outer_choose(cfg->model->strict, cfg->model->gather_rows, B);
    DC_TRY(dc_places_init(&g->places, part, way, B, capacity));
    DC_TRY(dc_mem_alloc(&g->rows, (size_t)capacity, sizeof *g->rows, "batch rows"));
    DC_TRY(dc_mem_alloc(&g->shard_rows, (size_t)g->places.max_leaves, sizeof *g->shard_rows, "rows of shards"));
    DC_TRY(dc_mem_alloc(&g->offset, (size_t)part->P + 1, sizeof *g->offset, "rank table"));
out:
    return st;
}

static dc_status take_buffers(dc_gradient *g)
{
    dc_status st = DC_OK;
    const dc_net *net = g->cfg.net;
    const int64_t n_max = g->places.max_rows;
    DC_TRY(dc_net_work_create(&g->work, net, 0, g->cfg.last, n_max, false));
    DC_TRY(take_deltas(g, n_max));
    DC_TRY(dc_mem_alloc(&g->transposed, dc_net_transposed_floats(net, g->cfg.last), sizeof *g->transposed,
                        "transposed weights"));
    if (g->cfg.noisy_layer > 0)
        DC_TRY(dc_mem_alloc(&g->noisy, dc_mul_size((size_t)n_max, (size_t)net->layer[g->cfg.noisy_layer].in),
                            sizeof *g->noisy, "noisy activations"));
out:
    return st;
}

/* The gradients of the layers are the products; losses and extra parameters the values. */
static dc_status take_outer(dc_gradient *g)
{
    dc_status st = DC_OK;
    dc_outer_item item[DC_MAX_LAYERS];
    const dc_params *p = g->cfg.params;
    const size_t n_values = (size_t)g->cfg.n_losses + p->n_extra;
    for (int l = 0; l < g->cfg.last; l++) {
        const dc_layer *layer = &g->cfg.net->layer[l];
        item[l] = (dc_outer_item){.A = g->noisy && l == g->cfg.noisy_layer ? g->noisy : g->work.act[l],
                                  .D = g->delta[l],
                                  .a = layer->in,
                                  .d = layer->out,
                                  .at = layer->weight,
                                  .bias = true};
    }
    const dc_outer_config cfg = {
        .places = &g->places, .item = item, .n_items = g->cfg.last, .n_values = n_values, .grad = p->grad};
    DC_TRY(dc_outer_create(&g->outer, &cfg));
    DC_TRY(dc_mem_alloc(&g->values, n_values, sizeof *g->values, "losses"));
out:
    return st;
}

dc_status dc_gradient_create(dc_gradient **out, const dc_gradient_config *cfg)
{
    dc_status st = DC_OK;
    dc_gradient *g = NULL;
    DC_TRY(dc_mem_alloc(&g, 1, sizeof *g, "gradient"));
    g->cfg = *cfg;
    DC_TRY(take_rows(g));
    DC_TRY(take_buffers(g));
    DC_TRY(take_outer(g));
out:
    if (st != DC_OK) dc_gradient_destroy(&g);
    *out = g;
    return st;
}

void dc_gradient_destroy(dc_gradient **gradient)
{
    dc_gradient *g = *gradient;
    if (!g) return;
    dc_state_drop(g->cfg.model->state, g->cfg.params->m1);
    dc_state_drop(g->cfg.model->state, g->cfg.params->m2);
    dc_outer_destroy(&g->outer);
    dc_mem_free(&g->values);
    dc_mem_free(&g->noisy);
    dc_mem_free(&g->delta_slab);
    dc_mem_free(&g->transposed);
    dc_net_work_release(&g->work);
    dc_places_release(&g->places);
    dc_mem_free(&g->rows);
    dc_mem_free(&g->shard_rows);
    dc_mem_free(&g->offset);
    dc_mem_free(gradient);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

const dc_places *dc_gradient_plan(dc_gradient *g, int64_t step)
{
    const dc_part *part = g->batcher.part;
    int64_t n, n_global;
    const double wish = dc_state_ask(g->cfg.model->state);
    dc_batcher_step(&g->batcher, step, g->rows, &n, &n_global, NULL);
    for (int s = part->shard_lo; s < part->shard_hi; s++)
        g->shard_rows[s - part->shard_lo] = dc_batcher_shard_rows(&g->batcher, step, s);
    for (int r = 0; r <= part->P; r++) g->offset[r] = dc_batcher_offset(&g->batcher, step, r);
    dc_places_set(&g->places, step, g->rows, g->shard_rows, g->offset);
    dc_outer_begin(g->outer, wish);
    return &g->places;
}

const dc_batcher *dc_gradient_batcher(const dc_gradient *g)
{
    return &g->batcher;
}

const dc_places *dc_gradient_places(const dc_gradient *g)
{
    return &g->places;
}

/* ---- Passes ----------------------------------------------------------------------------------------------------- */

float *dc_gradient_act(const dc_gradient *g, int l)
{
    return g->work.act[l];
}

float *dc_gradient_noisy(const dc_gradient *g)
{
    return g->noisy;
}

float *dc_gradient_delta(const dc_gradient *g, int l)
{
    return g->delta[l];
}

/* While layers from the noisy one on run, its input is the noisy copy. */
static void swap_noisy(dc_gradient *g, int first)
{
    if (!g->noisy || first != g->cfg.noisy_layer) return;
    float *kept = g->work.act[first];
    g->work.act[first] = g->noisy;
    g->noisy = kept;
}

void dc_gradient_forward(dc_gradient *g, int first, int last)
{
    swap_noisy(g, first);
    dc_net_forward_tiled(g->cfg.net, g->cfg.params->value, &g->work, first, last, g->places.used);
    swap_noisy(g, first);
}

void dc_gradient_clear_delta(dc_gradient *g, int l)
{
    dc_places_clear(&g->places, g->delta[l], g->cfg.net->layer[l].out);
}

void dc_gradient_backward(dc_gradient *g, int first, int last)
{
    float *dx = first > 0 ? g->delta[first - 1] : NULL;
    swap_noisy(g, first);
    dc_net_backward_tiled(g->cfg.net, g->cfg.params->value, &g->work, first, last, g->places.used, g->delta, dx,
                          g->transposed);
    swap_noisy(g, first);
}

/* ---- Sums and update -------------------------------------------------------------------------------------------- */

void dc_gradient_leaf(dc_gradient *g, int i, const double *losses, const float *dextra)
{
    const size_t n_losses = (size_t)g->cfg.n_losses;
    memcpy(g->values, losses, n_losses * sizeof *losses);
    if (dc_fault(DC_FAULT_STEP_NAN)) g->values[0] = NAN;
    for (size_t k = 0; k < g->cfg.params->n_extra; k++) g->values[n_losses + k] = (double)dextra[k];
    dc_outer_leaf(g->outer, g->places.leaf[i].shard, g->values);
}

/* Not finite if float cannot hold it: then neither can it hold the gradient, which must not touch the weights. */
static double judge(double loss)
{
    return fabs(loss) > (double)FLT_MAX ? copysign(INFINITY, loss) : loss;
}

void dc_gradient_sync(dc_comm *comm, dc_gradient *g, double *loss)
{
    const dc_params *p = g->cfg.params;
    const size_t n_losses = (size_t)g->cfg.n_losses;
    dc_state_hear(g->cfg.model->state, dc_outer_sync(comm, g->outer, g->values));
    for (size_t k = 0; k < n_losses; k++) loss[k] = judge(g->values[k]);
    for (size_t k = 0; k < p->n_extra; k++) p->grad[p->n - p->n_extra + k] = (float)g->values[n_losses + k];
}

double dc_gradient_product_s(const dc_gradient *g)
{
    return dc_outer_product_s(g->outer);
}

/* Each rank updates what it owns; extra parameters are small and updated by all. */
void dc_gradient_update(dc_comm *comm, dc_gradient *g, const dc_opt_config *opt, int64_t t, int64_t total)
{
    dc_params *p = g->cfg.params;
    for (int l = 0; l < g->cfg.last; l++) {
        size_t lo, hi;
        dc_outer_owned(g->outer, l, &lo, &hi);
        dc_opt_step(opt, p, lo, hi, t, total);
    }
    dc_opt_step(opt, p, p->n - p->n_extra, p->n, t, total);
    const double start = dc_clock_now_s();
    dc_outer_share(comm, g->outer, p->value);
    g->message_s = dc_clock_now_s() - start;
}

double dc_gradient_message_s(const dc_gradient *g)
{
    return g->message_s;
}

/* ---- Moments ---------------------------------------------------------------------------------------------------- */

static void copy_extra(const dc_params *p, const float *from, float *to)
{
    memcpy(to + p->n - p->n_extra, from + p->n - p->n_extra, p->n_extra * sizeof *to);
}

void dc_gradient_gather_moments(dc_comm *comm, const dc_gradient *g, const float *m, float *all)
{
    const dc_params *p = g->cfg.params;
    if (all) {
        memset(all, 0, p->n * sizeof *all);
        copy_extra(p, m, all);
    }
    dc_outer_collect(comm, g->outer, m, all);
}

void dc_gradient_take_moments(const dc_gradient *g, const float *all, float *m)
{
    dc_outer_take(g->outer, all, m);
    copy_extra(g->cfg.params, all, m);
}

static void gather(dc_comm *comm, const void *ctx, const float *own, float *all)
{
    dc_gradient_gather_moments(comm, ctx, own, all);
}

static void take(const void *ctx, const float *all, float *own)
{
    dc_gradient_take_moments(ctx, all, own);
}

dc_status dc_gradient_keep_moments(dc_gradient *g, const dc_opt_config *opt)
{
    dc_status st = DC_OK;
    const dc_params *p = g->cfg.params;
    dc_state *c = g->cfg.model->state;
    const dc_state_shares shares = {.gather = gather, .take = take, .ctx = g};
    DC_TRY(dc_state_keep_shares(c, "moment1", p->n, p->m1, &shares));
    if (opt->kind == DC_OPT_ADAM) DC_TRY(dc_state_keep_shares(c, "moment2", p->n, p->m2, &shares));
out:
    return st;
}
