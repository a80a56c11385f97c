/* Memory and disk of a run before it starts: from the header of the data and the deck alone. */
#include <math.h>

#include "job.h"

static double params_of(const dc_config *cfg, double D)
{
    double in = D, sum = 0;
    for (int i = 0; i <= cfg->model.hidden.n; i++) {
        const double out = (double)(i < cfg->model.hidden.n ? cfg->model.hidden.v[i] : cfg->model.latent);
        sum += 2 * in * out + in + out;
        in = out;
    }
    return sum;
}

static double widths_of(const dc_config *cfg, double D)
{
    double sum = 2 * D + (double)cfg->model.latent;
    for (int i = 0; i < cfg->model.hidden.n; i++) sum += 2 * (double)cfg->model.hidden.v[i];
    return sum;
}

dc_status dc_job_estimate(const dc_job *job, const dc_data_header *head, int ranks, dc_estimate *out)
{
    enum { SLABS = 4 }; /* value, gradient, two moments */
    const dc_config *cfg = &job->cfg;
    dc_part part;
    const dc_status st = dc_part_init(&part, head->N, (int)cfg->parallel.shards, ranks, 0);
    if (st != DC_OK) return st;
    const double n = ceil((double)head->N / ranks), D = (double)head->D, K = (double)cfg->cluster.clusters;
    const double L = (double)cfg->model.latent, params = params_of(cfg, D);
    const double batch = ceil((double)DC_MAX(cfg->pretrain.batch, cfg->cluster.batch) / ranks);
    *out = (dc_estimate){0};
    out->data_bytes = n * (D * (double)dc_dtype_bytes(head->dtype) + (head->has_labels ? 4 : 0));
    out->model_bytes = 4.0 * SLABS * params;
    /* embedding, q and target, labels, confidence, distances of all restarts while seeding; activations of a batch */
    out->work_bytes = n * (4 * L + 8 * K + 8 + 8 * (double)cfg->cluster.n_init) + 3 * 4 * batch * widths_of(cfg, D);
    out->total_bytes = out->data_bytes + out->model_bytes + out->work_bytes;
    out->disk_bytes =
        (double)head->N * (8 + (cfg->output.embedding ? 4 * L : 0) + (cfg->output.q == DC_Q_FULL ? 4 * K : 0)) +
        4 * params;
    return DC_OK;
}
