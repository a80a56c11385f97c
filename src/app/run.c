/* `dcmpi fit`: one straight list of phases, from the deck to the result. Each phase uses what the phases before it
 * made. */
#include "run.h"

#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "deck_model.h"
#include "rates.h"
#include "settle.h"
#include "setup.h"

typedef struct {
    dc_job job;
    dc_dataset *data;
    dc_slab slab;
    dc_model model;
    dc_history layers[DC_MAX_PAIRS], pretraining, clustering;
    dc_cluster_result clusters;
    int64_t *size, *nearest, *border;
    dc_scoring scoring;
    void *nearest_rows, *border_rows; /* in the data's stored type, or NULL */
    uint8_t *outlier;
    int64_t n_outliers;
    dc_graph_result graph;
    dc_standing_result standing;
    dc_topics_result topics;
    dc_map_result map;
    bool open;      /* the deck leaves the number of clusters open */
    int64_t chosen; /* number of clusters then; 0: not chosen yet */
    void *found;    /* what the method found on the way */
    dc_sweep sweep;
} fit;

static dc_status release(dc_comm *comm, fit *f, dc_status st)
{
    for (int l = 0; l < DC_MAX_PAIRS; l++) dc_history_release(&f->layers[l]);
    dc_history_release(&f->pretraining);
    dc_history_release(&f->clustering);
    dc_cluster_result_release(&f->clusters);
    dc_model_release(&f->model);
    dc_dataset_destroy(&f->data);
    dc_mem_free(&f->size);
    dc_mem_free(&f->nearest);
    dc_mem_free(&f->border);
    dc_mem_free(&f->nearest_rows);
    dc_mem_free(&f->border_rows);
    dc_mem_free(&f->outlier);
    dc_scoring_release(&f->scoring);
    if (f->found) dc_method_find(f->job.cfg.cluster.method)->release_found(&f->found);
    dc_graph_result_release(&f->graph);
    dc_standing_result_release(&f->standing);
    dc_topics_result_release(&f->topics);
    dc_map_result_release(&f->map);
    dc_sweep_drop(f->job.state, &f->sweep);
    return dc_job_end(comm, &f->job, st);
}

/* ---- cluster.clusters: auto -------------------------------------------------------------------------------------- */

static int64_t most_clusters(const fit *f)
{
    const dc_config *cfg = &f->job.cfg;
    const int64_t most = dc_method_find(cfg->cluster.method)->most_clusters(dc_config_method_keys(cfg));
    return DC_MIN(most, f->data->part.N - 1);
}

/* Lets the method choose the number of clusters of the input rows, if the deck does; a run that continues keeps its
 * choice. The embedded rows are not there yet: for these the model is made for the most clusters there may be. */
static dc_status open_clusters(dc_comm *comm, fit *f)
{
    dc_status st = DC_OK;
    dc_config *cfg = &f->job.cfg;
    int64_t K;
    f->open = cfg->cluster.clusters == DC_CLUSTERS_AUTO;
    if (!f->open) return DC_OK;
    DC_TRY(dc_state_keep(comm, f->job.state, "choice/clusters", DC_STATE_I64, 1, &f->chosen, NULL));
    if (f->chosen == 0 && cfg->cluster.on == DC_ON_INPUT) {
        const dc_rows input = dc_rows_of_dataset(f->data);
        const dc_method_env env = {.part = &f->data->part,
                                   .K = most_clusters(f),
                                   .L = input.d,
                                   .keys = dc_config_method_keys(cfg),
                                   .kmeans = dc_setup_kmeans(&f->job)};
        DC_TRY(dc_method_find(cfg->cluster.method)->choose(comm, &env, &input, &f->chosen, &f->found));
    }
    K = f->chosen > 0 || cfg->cluster.on == DC_ON_INPUT ? f->chosen : most_clusters(f);
    if (K < 1 || K >= f->data->part.N)
        return DC_FAIL(DC_ERR_FORMAT, "the checkpoint's number of clusters, %lld, fits no state of this run",
                       (long long)f->chosen);
    cfg->cluster.clusters = K;
out:
    return st;
}

static dc_status check_unit_rows(const fit *f)
{
    static const double SLACK = 1e-6;
    if (!f->slab.unit_rows || (f->data->scaled_min >= -SLACK && f->data->scaled_max <= 1 + SLACK)) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: values after scaling go from %g to %g; %s needs values in [0, 1]: use input.scale = "
                   "unit or minmax",
                   f->data->source, f->data->scaled_min, f->data->scaled_max, f->slab.unit_rows);
}

static dc_status build_model(fit *f)
{
    const dc_config *cfg = &f->job.cfg;
    dc_status st = dc_deck_slab(cfg, dc_dataset_width(f->data), &f->slab);
    if (st == DC_OK) st = check_unit_rows(f);
    if (st != DC_OK) return st;
    st = dc_model_create(&f->model, f->data, &f->slab, (dc_init)cfg->model.init, (uint64_t)cfg->run.seed,
                         &f->job.timers, &f->job.progress);
    dc_setup_model(&f->job, &f->model);
    return st;
}

/* Turns divergence into an error: training reports it as a stop reason, but such a result is not worth a file. */
static dc_status refuse_divergence(const fit *f, dc_stop stop, const char *phase, const char *advice)
{
    char text[DC_DATA_ADVICE_MAX];
    if (stop != DC_STOP_DIVERGED) return DC_OK;
    return DC_FAIL(DC_ERR_NUMERIC, "%s diverged: the loss is not finite; %s", phase,
                   dc_dataset_advice(f->data, advice, text));
}

static dc_status pretrain_layers(dc_comm *comm, fit *f)
{
    dc_stop stop;
    dc_pretrain_length before;
    const dc_layerwise_config layerwise = dc_setup_layers(&f->job, &f->slab.net, dc_comm_node_size(comm), &before);
    const dc_status st = dc_pretrain_layerwise(comm, &f->model, &layerwise, f->layers, &stop);
    return st == DC_OK ? refuse_divergence(f, stop, "layer-wise pretraining", "lower pretrain.lr") : st;
}

/* The file of weights is complete at all times, but another run may have replaced it since this run looked at it. */
static dc_status check_same_weights(const dc_job *job)
{
    uint64_t hash;
    const dc_status st = dc_model_hash_file(job->cfg.model.weights, job->cfg.cluster.init == DC_START_WEIGHTS, &hash);
    if (st != DC_OK || hash == job->from.weights_hash) return st;
    return DC_FAIL(DC_ERR_DATA, "%s (model.weights) was replaced while this run started; start it again",
                   job->cfg.model.weights);
}

static dc_status load_weights(dc_comm *comm, fit *f)
{
    dc_status st = DC_OK;
    const char *path = f->job.cfg.model.weights;
    dc_log("pretrain  weights of %s", path);
    DC_TRY(dc_model_load(comm, path, &f->model));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? check_same_weights(&f->job) : DC_OK);
out:
    return st;
}

static dc_status init_weights(dc_comm *comm, fit *f)
{
    const dc_config *cfg = &f->job.cfg;
    if (cfg->model.weights[0] || dc_state_continues(f->job.state)) return DC_OK;
    return dc_model_init_pca(comm, &f->model, (dc_init)cfg->model.init);
}

static dc_status pretrain(dc_comm *comm, fit *f)
{
    dc_status st = DC_OK;
    const dc_config *cfg = &f->job.cfg;
    if (cfg->model.weights[0]) return dc_state_continues(f->job.state) ? DC_OK : load_weights(comm, f);
    if (cfg->pretrain.mode == DC_PRETRAIN_NONE) return DC_OK;
    dc_pretrain_length before;
    const dc_pretrain_config pre = dc_setup_pretraining(&f->job, &f->slab.net, &before);
    dc_stop stop;
    if (cfg->pretrain.mode == DC_PRETRAIN_LAYERWISE) DC_TRY(pretrain_layers(comm, f));
    DC_TRY(dc_pretrain(comm, &f->model, &pre, &f->pretraining, &stop));
    DC_TRY(refuse_divergence(f, stop, "pretraining", "lower pretrain.lr"));
out:
    return st;
}

/* Makes the model again for K clusters, with the same network. */
static dc_status take_clusters(dc_comm *comm, fit *f, int64_t K)
{
    dc_status st = DC_OK;
    float *net = NULL;
    const size_t n = f->slab.net.n_params;
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&net, n, sizeof *net, "network"));
    if (n) memcpy(net, f->model.params.value, n * sizeof *net);
    dc_model_release(&f->model);
    f->job.cfg.cluster.clusters = K;
    DC_TRY_ALL(comm, build_model(f));
    if (n) memcpy(f->model.params.value, net, n * sizeof *net);
    DC_TRY(dc_model_keep(comm, &f->model, f->job.state));
out:
    dc_mem_free(&net);
    return st;
}

/* sweep-k: chooses the number of clusters, unless the run goes on where that was done. */
static dc_status choose_clusters(dc_comm *comm, fit *f)
{
    dc_status st = DC_OK;
    const dc_sweep_config c = dc_setup_sweep(&f->job);
    DC_TRY(dc_sweep_keep(comm, &c, f->data->part.N, &f->sweep));
    if (f->sweep.chosen) {
        dc_sweep_suggest(&f->sweep);
        goto out;
    }
    DC_TRY(dc_run_sweep(comm, &f->job, &f->model, &f->sweep));
    dc_sweep_print(&f->sweep);
    DC_TRY(take_clusters(comm, f, f->sweep.suggested));
    f->sweep.chosen = f->sweep.suggested;
out:
    return st;
}

/* Lets the method choose the number of clusters of the embedded rows. */
static dc_status choose_of_embedding(dc_comm *comm, fit *f)
{
    dc_status st = DC_OK;
    dc_run_embedding e;
    int64_t K;
    DC_TRY(dc_run_embed(comm, &f->job, &f->model, &e));
    const double start = dc_timer_start();
    DC_TRY(e.method->choose(comm, &e.env, &e.rows, &K, &f->found));
    dc_timer_stop(&f->job.timers, DC_T_KMEANS, start, 0, 0);
    DC_TRY(take_clusters(comm, f, K));
    f->chosen = K;
out:
    dc_run_embedding_release(&e);
    return st;
}

static dc_status cluster(dc_comm *comm, fit *f)
{
    dc_cluster_length before;
    dc_cluster_config c = dc_setup_clustering(&f->job, &f->slab.net, &f->data->part, &before);
    c.env.found = f->found;
    const dc_status st = dc_train_cluster(comm, &f->model, &c, &f->clustering, &f->clusters);
    return st == DC_OK ? refuse_divergence(f, f->clusters.stop, "clustering", "lower cluster.lr") : st;
}

static dc_status count_sizes(dc_comm *comm, fit *f)
{
    const int64_t K = f->job.cfg.cluster.clusters;
    const dc_status st = dc_agree(comm, dc_mem_alloc(&f->size, (size_t)K, sizeof *f->size, "cluster sizes"));
    if (st != DC_OK) return st;
    for (int64_t i = 0; i < dc_part_rows(&f->data->part); i++) f->size[f->clusters.labels[i]]++;
    dc_comm_sum_i64(comm, f->size, (size_t)K);
    return DC_OK;
}

static dc_status fetch_examples(dc_comm *comm, fit *f, int64_t count)
{
    dc_status st = DC_OK;
    const size_t bytes = (size_t)(count * f->data->D) * dc_dtype_bytes(f->data->dtype);
    if (bytes > DC_EXAMPLE_ROWS_MAX_BYTES) return DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(&f->nearest_rows, bytes, 1, "example rows"));
    DC_TRY_ALL(comm, dc_mem_alloc(&f->border_rows, bytes, 1, "example rows"));
    DC_TRY(dc_dataset_fetch(comm, f->data, f->nearest, count, f->nearest_rows));
    DC_TRY(dc_dataset_fetch(comm, f->data, f->border, count, f->border_rows));
out:
    return st;
}

static dc_status pick_examples(dc_comm *comm, fit *f)
{
    dc_status st = DC_OK;
    const dc_cluster_result *c = &f->clusters;
    const int64_t K = f->job.cfg.cluster.clusters, m = f->job.cfg.output.examples;
    if (m == 0) return DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(&f->nearest, (size_t)(K * m), sizeof *f->nearest, "cluster examples"));
    DC_TRY_ALL(comm, dc_mem_alloc(&f->border, (size_t)(K * m), sizeof *f->border, "cluster examples"));
    DC_TRY(dc_cluster_examples(comm, &f->data->part, c->labels, c->confidence, K, m, f->nearest, f->border));
    DC_TRY(fetch_examples(comm, f, K * m));
out:
    return st;
}

/* Doubtful rows are reported, never dropped. */
static dc_status flag_outliers(dc_comm *comm, fit *f)
{
    const float below = (float)f->job.cfg.output.outlier_below;
    const int64_t n = dc_part_rows(&f->data->part);
    if (below <= 0) return DC_OK;
    const dc_status st = dc_agree(comm, dc_mem_alloc(&f->outlier, (size_t)n, sizeof *f->outlier, "outlier flags"));
    if (st != DC_OK) return st;
    for (int64_t i = 0; i < n; i++) f->n_outliers += f->outlier[i] = f->clusters.confidence[i] < below;
    dc_comm_sum_i64(comm, &f->n_outliers, 1);
    dc_log("outliers  %lld of %lld rows have a confidence below %g", (long long)f->n_outliers,
           (long long)f->data->part.N, (double)below);
    return DC_OK;
}

static dc_status find_graph(dc_comm *comm, fit *f)
{
    const bool embeds = dc_run_graph_embeds(&f->job.cfg, &f->slab.net);
    const dc_rows rows =
        embeds ? dc_rows_of_array(&f->data->part, f->clusters.Z, &f->slab.net.L) : dc_rows_of_dataset(f->data);
    return dc_run_graph(comm, &f->job, &rows, embeds, &f->graph);
}

static dc_status find_standing(dc_comm *comm, fit *f)
{
    const dc_tensor *centers = dc_slab_find(&f->slab, "centers");
    const bool embeds = f->slab.net.n_layers > 0;
    const dc_rows rows =
        embeds ? dc_rows_of_array(&f->data->part, f->clusters.Z, &f->slab.net.L) : dc_rows_of_dataset(f->data);
    if (!centers || centers->n != f->job.cfg.cluster.clusters || centers->width != rows.d) return DC_OK;
    return dc_run_standing(comm, &f->job.cfg, &rows, f->model.params.value + centers->at, f->clusters.labels, f->size,
                           &f->standing);
}

/* What was clustered: the embedding, or without a network the rows. */
static dc_status find_topics(dc_comm *comm, fit *f)
{
    const dc_tensor *t = dc_slab_find(&f->slab, "centers");
    const dc_rows rows = f->slab.net.n_layers > 0 ? dc_rows_of_array(&f->data->part, f->clusters.Z, &f->slab.net.L)
                                                  : dc_rows_of_dataset(f->data);
    const bool has_centers = t && t->n == f->job.cfg.cluster.clusters && t->width == rows.d;
    const dc_run_clustered c = {.rows = &rows,
                                .centers = has_centers ? f->model.params.value + t->at : NULL,
                                .labels = f->clusters.labels,
                                .size = f->size};
    return dc_run_topics(comm, &f->job, f->data, &c, &f->topics);
}

static dc_status draw_map(dc_comm *comm, fit *f)
{
    const bool embeds = f->slab.net.n_layers > 0;
    const dc_rows rows =
        embeds ? dc_rows_of_array(&f->data->part, f->clusters.Z, &f->slab.net.L) : dc_rows_of_dataset(f->data);
    return dc_run_map(comm, &f->job, &rows, embeds, &f->map);
}

/* Of the K that sweep-k chose; NAN without a sweep. */
static double swept_inertia(const dc_sweep *s)
{
    for (int t = 0; t < s->n; t++)
        if (s->K[t] == s->suggested) return s->value[t][DC_SWEEP_INERTIA];
    return NAN;
}

static void describe(const fit *f, dc_result *r)
{
    const dc_config *cfg = &f->job.cfg;
    const dc_history *const phases[] = {&f->pretraining, &f->clustering};
    *r = (dc_result){.cfg = cfg,
                     .from = &f->job.from,
                     .data = f->data,
                     .method = cfg->cluster.method,
                     .slab = &f->slab,
                     .value = f->model.params.value,
                     .K = cfg->cluster.clusters,
                     .labels = f->clusters.labels,
                     .confidence = f->clusters.confidence,
                     .embedding = cfg->output.embedding ? f->clusters.Z : NULL,
                     .q = f->clusters.q,
                     .q_top = &f->clusters.top,
                     .outlier = f->outlier,
                     .n_outliers = f->n_outliers,
                     .size = f->size,
                     .nearest = f->nearest,
                     .border = f->border,
                     .nearest_rows = f->nearest_rows,
                     .border_rows = f->border_rows,
                     .more = &f->clusters.more,
                     .graph = cfg->graph.save ? &f->graph : NULL,
                     .standing = f->standing.quantile ? &f->standing : NULL,
                     .topics = dc_topics_found(&f->topics),
                     .map = &f->map,
                     .stop = f->clusters.stop,
                     .iterations = f->clusters.iterations,
                     .sweep = f->sweep.n > 0 ? &f->sweep : NULL,
                     .delta = (double)f->clusters.last.changed / (double)f->data->part.N,
                     .inertia = swept_inertia(&f->sweep)};
    for (int l = 0; l < DC_MAX_PAIRS; l++)
        if (f->layers[l].n) r->history[r->n_histories++] = &f->layers[l];
    for (size_t i = 0; i < DC_COUNT_OF(phases); i++)
        if (phases[i]->n) r->history[r->n_histories++] = phases[i];
}

/* What helps against a collapse, whatever the method. */
static const char *usual_advice(const fit *f)
{
    const dc_config *cfg = &f->job.cfg;
    const bool scratch = dc_method_find(cfg->cluster.method)->flags & DC_METHOD_SCRATCH;
    const bool pretrained = cfg->pretrain.mode != DC_PRETRAIN_NONE || (cfg->model.weights[0] && !scratch);
    return pretrained ? "lower cluster.lr, or pretrain longer" : "lower cluster.lr";
}

static void report_stop(const fit *f)
{
    const dc_refresh *last = &f->clusters.last;
    char advice[DC_DATA_ADVICE_MAX];
    const dc_method_failure *failure = f->clusters.failure;
    if (f->clusters.stop == DC_STOP_ASSIGNED && !failure)
        dc_log("cluster   assigned: %s trains nothing", f->job.cfg.cluster.method);
    else
        dc_log("cluster   stop: %s after %lld steps%s%s", dc_stop_name(f->clusters.stop),
               (long long)f->clusters.iterations, failure ? "; " : "", failure ? failure->what : "");
    if (failure) dc_log_warning("%s: %s", failure->what, failure->advice);
    if (f->clusters.stop == DC_STOP_COLLAPSED)
        dc_log_warning("collapsed: of %lld rows the largest cluster holds %lld, at the start %lld; %.1f clusters are "
                       "effective, at "
                       "the start %.1f; %s",
                       (long long)f->data->part.N, (long long)last->largest, (long long)f->clusters.start_largest,
                       last->k_sized, f->clusters.start_sized, dc_dataset_advice(f->data, usual_advice(f), advice));
    if (f->clusters.stop == DC_STOP_MAX_ITER)
        dc_log_warning("cluster.max_iter was reached before fewer than cluster.tol of the labels changed%s",
                       f->job.cfg.cluster.opt.schedule == DC_SCHED_COSINE
                           ? ""
                           : "; the same command with a larger value goes on from here");
}

/* What the model of sweep-k is made for: the number of clusters that the checkpoint has chosen, else the largest. */
static int64_t clusters_so_far(const dc_job *job)
{
    const int64_t chosen = dc_sweep_chosen(job->state), most = job->cfg.cluster.clusters;
    return chosen > 0 && chosen <= most ? chosen : most;
}

dc_status dc_run_fit(dc_comm *comm, const dc_cli *cli)
{
    dc_status st = DC_OK;
    dc_result result;
    fit f = {0};
    DC_TRY(dc_job_start(comm, cli, &f.job));
    DC_TRY_ALL(comm, dc_rates_check(&f.job.cfg));
    if (cli->dry_run) {
        st = dc_run_dry(comm, &f.job);
        goto out;
    }
    DC_TRY(dc_job_open_output(comm, &f.job));
    DC_TRY(dc_run_load(comm, &f.job, &f.data));
    if (f.job.resume.complete) {
        st = dc_settle_complete(comm, &f.job);
        goto out;
    }
    DC_TRY(open_clusters(comm, &f));
    if (dc_setup_sweeps(&f.job)) f.job.cfg.cluster.clusters = clusters_so_far(&f.job);
    DC_TRY_ALL(comm, build_model(&f));
    DC_TRY(dc_model_keep(comm, &f.model, f.job.state));
    DC_TRY(init_weights(comm, &f));
    DC_TRY(pretrain(comm, &f));
    if (dc_setup_sweeps(&f.job)) DC_TRY(choose_clusters(comm, &f));
    if (f.open && f.chosen == 0) DC_TRY(choose_of_embedding(comm, &f));
    DC_TRY(cluster(comm, &f));
    report_stop(&f);
    DC_TRY(count_sizes(comm, &f));
    DC_TRY(pick_examples(comm, &f));
    DC_TRY(flag_outliers(comm, &f));
    DC_TRY(find_graph(comm, &f));
    DC_TRY(find_standing(comm, &f));
    DC_TRY(find_topics(comm, &f));
    DC_TRY(draw_map(comm, &f));
    describe(&f, &result);
    DC_TRY(dc_run_score(comm, &f.job, &result, &f.scoring));
    DC_TRY(dc_run_finish(comm, &f.job, &result, &f.clusters.last));
out:
    return release(comm, &f, st);
}
