/* What is clustered before a number of clusters is chosen: the rows as the pretrained network embeds them. */
#include "dcmpi/mem.h"
#include "run.h"
#include "setup.h"

static dc_status make(dc_run_embedding *e, dc_embedder **embedder, int32_t **label)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(e->env.part);
    DC_TRY(dc_embedder_create(embedder, e->method, &e->env));
    DC_TRY(dc_mem_alloc(&e->Z, dc_mul_size(n, (size_t)e->env.L), sizeof *e->Z, "embedding"));
    DC_TRY(dc_mem_alloc(label, n, sizeof **label, "labels"));
out:
    return st;
}

/* Embeds all rows; what the inference says of clusters is not used, there are none yet. */
static dc_status embed(dc_comm *comm, dc_run_embedding *e)
{
    dc_status st = DC_OK;
    dc_embedder *embedder = NULL;
    int32_t *label = NULL;
    DC_TRY_ALL(comm, make(e, &embedder, &label));
    DC_TRY(dc_embed_all(comm, embedder, e->model, false, &(dc_embedded){.Z = e->Z, .label = label}));
out:
    dc_embedder_destroy(&embedder);
    dc_mem_free(&label);
    return st;
}

dc_status dc_run_embed(dc_comm *comm, const dc_job *job, const dc_model *model, dc_run_embedding *out)
{
    dc_status st = DC_OK;
    *out = (dc_run_embedding){.model = model, .method = dc_method_find(job->cfg.cluster.method)};
    out->env = dc_setup_clustering(job, model->net, &model->data->part, &out->before).env;
    out->env.slab = model->slab;
    out->env.value = model->params.value;
    out->env.input = dc_rows_of_dataset(model->data);
    if (model->net->n_layers > 0) DC_TRY(embed(comm, out));
    out->rows = dc_method_rows(&out->env, out->Z);
out:
    return st;
}

void dc_run_embedding_release(dc_run_embedding *e)
{
    dc_mem_free(&e->Z);
}
