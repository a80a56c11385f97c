/* Makes the configurations of phases from the deck. */
#include "setup.h"

#include <string.h>

#include "dcmpi/mem.h"
#include "deck_model.h"

dc_pretrain_config dc_setup_pretraining(const dc_job *job, const dc_net *net, dc_pretrain_length *before)
{
    const dc_config *cfg = &job->cfg, *was = &job->resume.was;
    *before = (dc_pretrain_length){was->pretrain.epochs, was->pretrain.steps};
    return (dc_pretrain_config){.epochs = cfg->pretrain.epochs,
                                .steps = cfg->pretrain.steps,
                                .before = job->resume.longer ? before : NULL,
                                .batch = cfg->pretrain.batch,
                                .loss = (dc_recon_loss)cfg->pretrain.loss,
                                .opt = dc_deck_optimizer(&cfg->pretrain.opt, net),
                                .phase = cfg->pretrain.mode == DC_PRETRAIN_LAYERWISE ? "finetune" : "pretrain",
                                .method = dc_method_find(cfg->cluster.method),
                                .keys = dc_config_method_keys(cfg)};
}

/* Memory that a rank may spend on outputs of frozen layers: a quarter of its share of the memory left on the node. */
static size_t cache_bytes(int ranks_here)
{
    return dc_mem_available_bytes(ranks_here) / 4;
}

dc_layerwise_config dc_setup_layers(const dc_job *job, const dc_net *net, int ranks_here, dc_pretrain_length *before)
{
    const dc_config *cfg = &job->cfg;
    dc_pretrain_config layer = dc_setup_pretraining(job, net, before);
    *before = (dc_pretrain_length){.steps = job->resume.was.pretrain.layer_steps};
    layer.steps = cfg->pretrain.layer_steps;
    return (dc_layerwise_config){.layer = layer,
                                 .input_dropout = cfg->pretrain.input_dropout,
                                 .dropout = cfg->pretrain.dropout,
                                 .cache_bytes = cache_bytes(ranks_here)};
}

dc_kmeans_config dc_setup_kmeans(const dc_job *job)
{
    const dc_config *cfg = &job->cfg;
    return (dc_kmeans_config){.K = cfg->cluster.clusters,
                              .first = job->first,
                              .n_init = cfg->cluster.init == DC_START_WEIGHTS ? 1 : dc_int(cfg->cluster.n_init),
                              .max_iter = dc_int(cfg->cluster.kmeans_max_iter),
                              .max_iter_before = dc_int(job->resume.was.cluster.kmeans_max_iter),
                              .tol = cfg->cluster.kmeans_tol,
                              .spherical = cfg->cluster.metric == DC_KMEANS_COSINE,
                              .seeding = (dc_seeding)cfg->cluster.seeding,
                              .seed = (uint64_t)cfg->run.seed,
                              .say_every_s = cfg->run.log_interval,
                              .state = job->state};
}

_Static_assert((int)DC_CLUSTER_LEVELS_MAX == DC_LEVELS_MAX, "levels of the deck");

dc_levels_config dc_setup_levels(const dc_job *job)
{
    const dc_int_list *levels = &job->cfg.cluster.levels;
    dc_levels_config c = {.n = levels->n, .kmeans = dc_setup_kmeans(job)};
    int64_t K = 1;
    for (int i = 0; i < c.n; i++) c.K[i] = K *= levels->v[i];
    return c;
}

static int64_t rows_of_batch(const void *batcher, int64_t step, int64_t *row)
{
    int64_t n, all;
    dc_batcher_step(batcher, step, row, &n, &all, NULL);
    return n;
}

static int64_t rows_below(const void *batcher, int64_t step, int rank)
{
    return dc_batcher_offset(batcher, step, rank);
}

dc_status dc_setup_batches(const dc_job *job, const dc_part *part, dc_batcher *batcher, dc_row_batches *out)
{
    const dc_config *cfg = &job->cfg;
    const dc_status st = dc_batcher_init(batcher, part, (uint64_t)cfg->run.seed, cfg->cluster.kmeans_batch);
    *out = (dc_row_batches){.B = batcher->B,
                            .per_pass = batcher->steps_per_epoch,
                            .capacity = batcher->capacity,
                            .rows = rows_of_batch,
                            .below = rows_below,
                            .ctx = batcher};
    return st;
}

/* How many of the largest q of a row are written. */
static int64_t q_top(const dc_config *cfg)
{
    return cfg->output.q == DC_Q_TOP ? DC_MIN(cfg->output.q_top, cfg->cluster.clusters) : 0;
}

dc_cluster_config dc_setup_clustering(const dc_job *job, const dc_net *net, const dc_part *part,
                                      dc_cluster_length *before)
{
    const dc_config *cfg = &job->cfg, *was = &job->resume.was;
    *before = (dc_cluster_length){was->cluster.max_iter, was->cluster.tol};
    const char *start = NULL;
    const void *start_keys = dc_config_start_keys(cfg, &start);
    DC_ASSERT(!start || dc_method_find(start));
    return (dc_cluster_config){.method = dc_method_find(cfg->cluster.method),
                               .env = {.part = part,
                                       .K = cfg->cluster.clusters,
                                       .L = net->L,
                                       .final = dc_deck_final(cfg),
                                       .keys = dc_config_method_keys(cfg),
                                       .kmeans = dc_setup_kmeans(job),
                                       .start_by = start ? dc_method_find(start) : NULL,
                                       .start_keys = start_keys,
                                       .final_keys = dc_config_final_keys(cfg)},
                               .batch = cfg->cluster.batch,
                               .update_interval = cfg->cluster.update_interval,
                               .max_iter = cfg->cluster.max_iter,
                               .tol = cfg->cluster.tol,
                               .before = job->resume.longer ? before : NULL,
                               .gives_q = cfg->output.q == DC_Q_FULL,
                               .q_top = q_top(cfg),
                               .final_kmeans = cfg->cluster.final_kmeans,
                               .opt = dc_deck_optimizer(&cfg->cluster.opt, net)};
}

bool dc_setup_sweeps(const dc_job *job)
{
    return strcmp(job->cli->verb, "sweep-k") == 0;
}

dc_sweep_config dc_setup_sweep(const dc_job *job)
{
    const dc_config *cfg = &job->cfg;
    return (dc_sweep_config){.name = cfg->cluster.method,
                             .K = cfg->sweep.clusters.v,
                             .n = dc_int(cfg->sweep.clusters.n),
                             .sample = cfg->sweep.sample,
                             .subsamples = dc_int(cfg->sweep.subsamples),
                             .n_init = dc_int(cfg->sweep.n_init),
                             .share = cfg->sweep.share,
                             .by_bic = dc_method_find(cfg->cluster.method)->flags & DC_METHOD_LIKELIHOOD,
                             .seed = (uint64_t)cfg->run.seed,
                             .state = job->state};
}

void dc_setup_model(const dc_job *job, dc_model *m)
{
    const dc_config *cfg = &job->cfg;
    m->seed = (uint64_t)cfg->run.seed;
    m->strict = cfg->parallel.reproducible == DC_REPRODUCIBLE_STRICT;
    m->gather_rows = cfg->parallel.gather_rows;
    m->hash_steps = cfg->parallel.hash_steps;
}
