/* Decides which states of a shorter run are also states of a longer one. The length of a phase changes nothing before
 * the phase and everything after it; within the phase it changes only the end. */
#include "longer.h"

#include <string.h>

/* ---- Lengths that differ ----------------------------------------------------------------------------------------- */

typedef enum { LAYER_STEPS, EPOCHS, STEPS, KMEANS_MAX_ITER, MAX_ITER, TOL, N_LENGTHS } length;

/* Copies length k from one deck to another. */
static void take(dc_config *to, length k, const dc_config *from)
{
    switch (k) {
    case LAYER_STEPS:
        to->pretrain.layer_steps = from->pretrain.layer_steps;
        break;
    case EPOCHS:
        to->pretrain.epochs = from->pretrain.epochs;
        break;
    case STEPS:
        to->pretrain.steps = from->pretrain.steps;
        break;
    case KMEANS_MAX_ITER:
        to->cluster.kmeans_max_iter = from->cluster.kmeans_max_iter;
        break;
    case MAX_ITER:
        to->cluster.max_iter = from->cluster.max_iter;
        break;
    default:
        to->cluster.tol = from->cluster.tol;
    }
}

static bool differ(const dc_longer *l, const dc_config *a)
{
    char text[64];
    return dc_config_differences(a, l->is, l->verb, text, sizeof text) > 0;
}

/* Whether the shorter run used length k and its value differs now. */
static bool differs(const dc_longer *l, length k)
{
    char text[64];
    dc_config changed = *l->was;
    take(&changed, k, l->is);
    return dc_config_differences(l->was, &changed, l->verb, text, sizeof text) > 0;
}

/* Steps of joint training or fine-tuning. */
static int64_t joint_steps(const dc_longer *l, const dc_config *cfg)
{
    const int64_t batch = DC_MAX(DC_MIN(cfg->pretrain.batch, l->N), 1), per_epoch = (l->N + batch - 1) / batch;
    return cfg->pretrain.steps > 0 ? cfg->pretrain.steps : cfg->pretrain.epochs * per_epoch;
}

static bool is_shorter(const dc_longer *l, length k)
{
    const dc_config *was = l->was, *is = l->is;
    switch (k) {
    case LAYER_STEPS:
        return is->pretrain.layer_steps < was->pretrain.layer_steps;
    case EPOCHS:
    case STEPS:
        return joint_steps(l, is) < joint_steps(l, was);
    case KMEANS_MAX_ITER:
        return is->cluster.kmeans_max_iter < was->cluster.kmeans_max_iter;
    case MAX_ITER:
        return is->cluster.max_iter < was->cluster.max_iter;
    default:
        return is->cluster.tol > was->cluster.tol;
    }
}

/* k-means of all numbers of clusters, or of all levels, would begin anew. */
static bool is_fixed(const dc_longer *l, length k)
{
    return k == KMEANS_MAX_ITER && (strcmp(l->verb, "sweep-k") == 0 || l->is->cluster.levels.n > 0);
}

bool dc_longer_is(const dc_longer *l)
{
    dc_config stretched = *l->was;
    if (!differ(l, l->was)) return false;
    for (int k = 0; k < N_LENGTHS; k++) {
        if (differs(l, k) && (is_shorter(l, k) || is_fixed(l, k))) return false;
        take(&stretched, k, l->is);
    }
    return !differ(l, &stretched);
}

static dc_status check_schedule(const dc_opt_config *opt, const char *section, const char *key)
{
    if (opt->schedule != DC_SCHED_COSINE) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT,
                   "%s.schedule is cosine, from the first step to the last: with another %s.%s the run is another one "
                   "from its start; set another run.output, or run.resume=never to start anew",
                   section, section, key);
}

dc_status dc_longer_check(const dc_longer *l)
{
    dc_status st = DC_OK;
    if (differs(l, LAYER_STEPS)) DC_TRY(check_schedule(&l->is->pretrain.opt, "pretrain", "layer_steps"));
    if (differs(l, EPOCHS)) DC_TRY(check_schedule(&l->is->pretrain.opt, "pretrain", "epochs"));
    if (differs(l, STEPS)) DC_TRY(check_schedule(&l->is->pretrain.opt, "pretrain", "steps"));
    if (differs(l, MAX_ITER)) DC_TRY(check_schedule(&l->is->cluster.opt, "cluster", "max_iter"));
out:
    return st;
}

/* ---- States ------------------------------------------------------------------------------------------------------ */

/* The phase that length k belongs to. */
static const char *phase_of(const dc_longer *l, length k)
{
    static const char *const phases[] = {
        [LAYER_STEPS] = "layer_1", [KMEANS_MAX_ITER] = "kmeans", [MAX_ITER] = "cluster", [TOL] = "cluster"};
    if (k != EPOCHS && k != STEPS) return phases[k];
    return l->was->pretrain.mode == DC_PRETRAIN_LAYERWISE ? "finetune" : "pretrain";
}

/* Steps after which the shorter run left the phase of length k. */
static int64_t steps_before(const dc_longer *l, length k)
{
    if (k == LAYER_STEPS) return l->was->pretrain.layer_steps;
    if (k == EPOCHS || k == STEPS) return joint_steps(l, l->was);
    return k == KMEANS_MAX_ITER ? INT64_MAX : l->was->cluster.max_iter;
}

/* A state at the end of a phase is also a state of a longer phase, unless version 0.1.0 wrote it: that version did not
 * number its checkpoints, and wrote them after the work that is done only at the end of a phase. */
static bool is_open(const dc_longer *l, length k, const dc_ckpt_header *h)
{
    if (h->number > 0 || h->step < steps_before(l, k)) return true;
    return (k == MAX_ITER || k == TOL) && h->step % l->was->cluster.update_interval == 0;
}

bool dc_longer_passes(const dc_longer *l, const dc_ckpt_header *header)
{
    const int here = dc_ckpt_phase_place(header->phase);
    if (here < 0) return false;
    for (int k = 0; k < N_LENGTHS; k++) {
        if (!differs(l, k)) continue;
        const int place = dc_ckpt_phase_place(phase_of(l, k));
        if (here > place || (here == place && !is_open(l, k, header))) return false;
    }
    return true;
}

bool dc_longer_same_end(const dc_longer *l, const dc_run_end *end)
{
    const dc_config *was = l->was;
    for (int k = 0; k < N_LENGTHS; k++)
        if (k != MAX_ITER && k != TOL && differs(l, k)) return false;
    /* Did the last refresh happen only because the shorter run ended? */
    const bool extra = end->iterations == was->cluster.max_iter && end->iterations % was->cluster.update_interval != 0;
    if (extra && differs(l, MAX_ITER)) return false;
    if (strcmp(end->stop_reason, "collapsed") == 0) return true;
    if (strcmp(end->stop_reason, "max_iter") == 0) return !differs(l, MAX_ITER);
    /* The stored share is rounded. If it is at the limit, the answer is false: the run continues, and the exact count
     * decides. */
    static const double EDGE = 1 - 1e-9;
    return strcmp(end->stop_reason, "converged") == 0 && end->delta < EDGE * l->is->cluster.tol;
}
