/* The model in training: its parameters, its steps, and the check that the parameters are equal on all ranks. */
#include <math.h>
#include <xxhash.h>

#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/train.h"

dc_status dc_model_create(dc_model *m, const dc_dataset *data, const dc_slab *slab, dc_init init, uint64_t seed,
                          dc_timers *timers, dc_progress *progress)
{
    *m =
        (dc_model){.data = data, .slab = slab, .net = &slab->net, .timers = timers, .progress = progress, .seed = seed};
    const dc_status st = dc_params_create(&m->params, m->net, slab->n - m->net->n_params);
    const dc_net *net;
    if (st != DC_OK) return st;
    dc_net_init_weights(m->net, init, seed, m->params.value);
    for (int i = 1; (net = dc_slab_net_at(slab, i)) != NULL; i++) {
        dc_net_init_weights(net, init, seed, m->params.value);
        dc_params_add_biases(&m->params, net);
    }
    return DC_OK;
}

dc_status dc_model_keep(dc_comm *comm, dc_model *m, dc_state *c)
{
    m->state = c;
    return dc_state_keep(comm, c, "weights", DC_STATE_F32, m->params.n, m->params.value, NULL);
}

void dc_model_release(dc_model *m)
{
    dc_state_drop(m->state, m->params.value);
    dc_params_release(&m->params);
}

static void gather_data(const void *from, const int64_t *rows, int64_t n, float *out)
{
    dc_dataset_gather(from, rows, n, out);
}

static void expect_data(const void *from, int64_t lo, int64_t n)
{
    dc_dataset_expect(from, lo, n);
}

dc_row_source dc_model_rows(const dc_model *m)
{
    return (dc_row_source){.gather = gather_data,
                           .from = m->data,
                           .csr = dc_dataset_csr(m->data),
                           .expect = dc_dataset_streams(m->data) ? expect_data : NULL};
}

dc_step_config dc_model_step(dc_model *m, const dc_graph *graph, const dc_row_source *source, int64_t batch,
                             dc_section gather)
{
    return (dc_step_config){.graph = graph,
                            .part = &m->data->part,
                            .source = *source,
                            .params = &m->params,
                            .seed = m->seed,
                            .B = batch,
                            .strict = m->strict,
                            .gather_rows = m->gather_rows,
                            .state = m->state,
                            .timers = m->timers,
                            .gather = gather};
}

dc_status dc_model_check_replicas(dc_comm *comm, const dc_model *m)
{
    if (dc_fault(DC_FAULT_MODEL_FLIP)) m->params.value[0] = nextafterf(m->params.value[0], 1);
    return dc_agree_hash(comm, XXH3_64bits(m->params.value, m->params.n * sizeof *m->params.value), "model weights");
}
