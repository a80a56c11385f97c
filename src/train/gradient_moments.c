/* Moments of the optimizer as a whole: strict ranks hold those of the weights they update. Brought together on rank 0
 * and handed out again, they fit any number of ranks. */
#include <string.h>

#include "dcmpi/comm.h"
#include "gradient_impl.h"

/* Extra parameters are updated by every rank. */
static void copy_extra(const dc_params *p, const float *from, float *to)
{
    memcpy(to + p->n - p->n_extra, from + p->n - p->n_extra, p->n_extra * sizeof *to);
}

void dc_gradient_gather_moments(dc_comm *comm, const dc_gradient *g, const float *m, float *all)
{
    const dc_params *p = g->cfg.params;
    if (g->way == DC_WAY_OFF) {
        if (all) memcpy(all, m, p->n * sizeof *all);
        return;
    }
    if (all) {
        memset(all, 0, p->n * sizeof *all);
        copy_extra(p, m, all);
    }
    for (int l = 0; l < g->cfg.last; l++)
        dc_comm_gatherv(comm, m + dc_owned_lo(g, l, g->owners.rank), all ? all + g->cfg.net->layer[l].weight : NULL,
                        dc_owned_bytes(g, l), 0);
}

void dc_gradient_take_moments(const dc_gradient *g, const float *all, float *m)
{
    const dc_params *p = g->cfg.params;
    if (g->way == DC_WAY_OFF) {
        memcpy(m, all, p->n * sizeof *m);
        return;
    }
    for (int l = 0; l < g->cfg.last; l++) {
        const size_t lo = dc_owned_lo(g, l, g->owners.rank), hi = dc_owned_lo(g, l, g->owners.rank + 1);
        memcpy(m + lo, all + lo, (hi - lo) * sizeof *m);
    }
    copy_extra(p, all, m);
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

void dc_gradient_drop_moments(const dc_gradient *g)
{
    dc_state_drop(g->cfg.model->state, g->cfg.params->m1);
    dc_state_drop(g->cfg.model->state, g->cfg.params->m2);
}
