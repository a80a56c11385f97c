/* Rehearsals of phases. See needs.h. */
#include "needs.h"

#include <math.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

dc_status dc_rehearsal_begin(dc_comm *comm, dc_rehearsal *r, const dc_model *sketch)
{
    dc_status st = DC_OK;
    const dc_state_config nowhere = {0};
    dc_state *state;
    dc_mem_rehearse(true);
    *r = (dc_rehearsal){.model = *sketch, .all = dc_mem_current_bytes(), .lazy = dc_mem_lazy_bytes()};
    r->model.state = NULL;
    dc_params_shape(&r->model.params, sketch->net, sketch->slab->n - sketch->net->n_params);
    DC_TRY(dc_state_create(comm, &state, &nowhere, NULL, 0));
    DC_TRY(dc_model_keep(comm, &r->model, state));
out:
    return st;
}

/* Bytes of a step's own moments. They count for the whole slab, although the step writes only to those that it updates.
 */
static double own_moments(const dc_phase *p, int step)
{
    return step == 0 ? 0 : 2 * sizeof(float) * (double)p->params[step].n;
}

void dc_rehearsal_measure(const dc_rehearsal *r, const dc_phase *p, dc_phase_needs *out)
{
    const size_t all = dc_mem_current_bytes() - r->all, lazy = dc_mem_lazy_bytes() - r->lazy;
    const double params = (double)p->model->params.n;
    double updated = 0;
    *out = (dc_phase_needs){.name = p->name,
                            .params_bytes = sizeof(float) * params,
                            .held_bytes = (double)(all - lazy),
                            .step_bytes = (double)lazy,
                            .saved_bytes = dc_state_bytes(p->model->state)};
    for (int i = 0; i < p->n_steps; i++) {
        const dc_opt_config *opt = dc_phase_opt(p, i);
        const dc_step_costs c = dc_step_costs_of(p->step[i], opt);
        const double share = 1 / (double)dc_phase_cycle(p, i);
        out->rows = dc_step_batcher(p->step[i])->B;
        out->flops += share * c.flops;
        out->reductions += share * c.reductions;
        out->sent_bytes += share * c.sent_bytes;
        out->step_bytes += c.mpi_bytes - own_moments(p, i);
        out->state_bytes += sizeof(float) * c.updated * dc_opt_moments(opt);
        updated += c.updated;
    }
    out->state_bytes += sizeof(float) * fmin(updated, params);
}

void dc_rehearsal_end(dc_rehearsal *r)
{
    dc_state_destroy(&r->model.state);
    dc_mem_rehearse(false);
}
