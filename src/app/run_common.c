/* The phases that all working verbs share: load, score, finish, dry run. */
#include <string.h>

#include "apart.h"
#include "data_files.h"
#include "dcmpi/beat.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "deck_model.h"
#include "earlier.h"
#include "expect.h"
#include "folder.h"
#include "output.h"
#include "resume.h"
#include "run.h"
#include "saving.h"
#include "settle.h"
#include "setup.h"

static double gib(double bytes)
{
    return bytes / 0x1p30;
}

/* Variants of k-means that gather rows as arrays do not take sparse ones. */
static dc_status check_dense(const dc_config *cfg, const dc_data_header *head)
{
    const bool sparse =
        head->components == 0 && dc_header_stays_sparse(head, (dc_scale_kind)cfg->input.scale, &cfg->input.clip);
    if (!sparse || (cfg->cluster.levels.n == 0 && cfg->cluster.kmeans_batch == 0)) return DC_OK;
    return DC_FAIL(
        DC_ERR_USAGE,
        "%s: cluster.%s needs dense rows, and these are sparse; input.reduce = svd with input.components makes "
        "few dense columns of them",
        cfg->input.data, cfg->cluster.levels.n > 0 ? "levels" : "kmeans_batch");
}

/* Checks what the header already shows, before the rows are read. */
static dc_status check_rows(const dc_job *job, const dc_data_header *head)
{
    const dc_config *cfg = &job->cfg;
    const bool open = cfg->cluster.clusters == DC_CLUSTERS_AUTO;
    dc_method_env env = {.K = open ? 2 : cfg->cluster.clusters, .keys = dc_config_method_keys(cfg)};
    const dc_method *method = dc_method_find(cfg->cluster.method), *start;
    const char *name;
    if (dc_setup_sweeps(job)) {
        const dc_sweep_config sweep = dc_setup_sweep(job);
        const dc_status st = dc_sweep_check(&sweep, head->N);
        if (st != DC_OK) return DC_FAIL(DC_ERR_DATA, "%s: %s", job->files->title, dc_error_text());
    }
    if (env.K > head->N)
        return DC_FAIL(DC_ERR_DATA, "%s: %lld rows < %lld clusters; lower cluster.clusters or use more rows",
                       job->files->title, (long long)head->N, (long long)env.K);
    if (cfg->graph.save && cfg->graph.neighbours >= head->N)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: %lld rows have no %lld other rows each; lower graph.neighbours or use more rows",
                       job->files->title, (long long)head->N, (long long)cfg->graph.neighbours);
    if (cfg->cluster.max_size > 0 && cfg->cluster.max_size < (head->N - 1) / env.K + 1)
        return DC_FAIL(
            DC_ERR_DATA,
            "%s: %lld clusters of at most %lld rows cannot hold %lld rows; cluster.max_size must be at least "
            "%lld",
            job->files->title, (long long)env.K, (long long)cfg->cluster.max_size, (long long)head->N,
            (long long)((head->N - 1) / env.K + 1));
    if (!dc_cli_has_method(job->cli)) return check_dense(cfg, head);
    const dc_status st = method->check_rows ? method->check_rows(&env, head->N) : DC_OK;
    env.keys = dc_config_start_keys(cfg, &name);
    start = env.keys ? dc_method_find(name) : NULL;
    return st == DC_OK && start && start->check_rows ? start->check_rows(&env, head->N) : st;
}

/* Refuses output.map = on where there would be no map. */
static dc_status check_map(const dc_job *job, const dc_data_header *head)
{
    dc_net net = {0};
    const int64_t width = dc_header_width(head);
    if (dc_cli_has_method(job->cli)) {
        const dc_status st = dc_deck_net(&job->cfg, width, &net);
        if (st != DC_OK) return st;
    }
    const bool embeds = net.n_layers > 0;
    return dc_run_map_check(&job->cfg, head->N, embeds ? net.L : width, embeds);
}

/* Refuses all of q where it would be too much. */
static dc_status check_q(const dc_job *job, const dc_data_header *head)
{
    const dc_config *cfg = &job->cfg;
    const dc_method *method = dc_method_find(cfg->cluster.method);
    const bool open = cfg->cluster.clusters == DC_CLUSTERS_AUTO;
    if (!dc_cli_has_method(job->cli) || cfg->output.q != DC_Q_FULL) return DC_OK;
    return dc_q_check("output.q", head->N,
                      open ? method->most_clusters(dc_config_method_keys(cfg)) : cfg->cluster.clusters);
}

/* The estimate; for a number of clusters that is not chosen yet, of the most. */
static dc_status estimate_most(dc_comm *comm, dc_job *job, const dc_data_header *head, dc_estimate *e)
{
    int64_t *K = &job->cfg.cluster.clusters;
    const bool open = *K == DC_CLUSTERS_AUTO;
    const dc_method *method = dc_method_find(job->cfg.cluster.method);
    if (open) *K = DC_MIN(method->most_clusters(dc_config_method_keys(&job->cfg)), head->N - 1);
    const dc_status st = dc_job_estimate(comm, job, head, e);
    if (open) *K = DC_CLUSTERS_AUTO;
    return st;
}

/* The table of files of an earlier start in the output directory spares opening them again. */
static dc_status open_files(dc_comm *comm, dc_job *job)
{
    dc_status st = DC_OK;
    char table[DC_PATH_MAX];
    const dc_config *cfg = &job->cfg;
    const dc_files_wanted wanted = {.names = cfg->input.data,
                                    .labels = cfg->input.label_dataset,
                                    .matrix = cfg->input.matrix,
                                    .table = dc_output_name(job, "files.tsv", table) ? table : NULL,
                                    .verb = job->cli->verb};
    DC_TRY(dc_data_files_open(comm, &wanted, &job->files));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_folder_check_data(job) : DC_OK);
out:
    return st;
}

/* Keeps what the headers said, for the next start. */
static dc_status keep_files(const dc_job *job)
{
    char path[DC_PATH_MAX];
    dc_output_path(job, DC_FILE_TABLE, path);
    return job->files->plain ? DC_OK : dc_files_put_table(job->files, path);
}

static void tell_files(const dc_files *files)
{
    if (files->n > 1)
        dc_log("files     %zu in this order: %s from row 0, ..., %s from row %lld", files->n, dc_files_path(files, 0),
               dc_files_path(files, files->n - 1), (long long)(files->N - files->file[files->n - 1].piece.rows));
}

/* The data that the deck asks for. */
dc_data_request dc_run_request(const dc_config *cfg, const dc_files *files)
{
    dc_data_request r = {.files = files,
                         .rows = cfg->input.rows,
                         .labels = cfg->input.label_dataset,
                         .matrix = cfg->input.matrix,
                         .n_image_dims = cfg->input.image_shape.n,
                         .counts = {cfg->input.normalize_total, cfg->input.log1p, cfg->input.variable_columns,
                                    (dc_variable_flavor)cfg->input.variable_flavor},
                         .clip = cfg->input.clip,
                         .clip_scaled = cfg->input.clip_scaled,
                         .scale = (dc_scale_kind)cfg->input.scale,
                         .reduce = (dc_reduce_kind)cfg->input.reduce,
                         .norm = (dc_row_norm)cfg->input.norm,
                         .pca = {{cfg->input.components, cfg->input.variance}, cfg->input.whiten},
                         .taken = cfg->cluster.init == DC_START_WEIGHTS,
                         .stream = cfg->input.residency == DC_RESIDENCY_STREAM,
                         .chunk_cache = (size_t)cfg->input.chunk_cache << 20};
    for (int i = 0; i < r.n_image_dims; i++) r.image_shape[i] = cfg->input.image_shape.v[i];
    return r;
}

/* What a method, and the one that finds its first clusters, say about memory; then the general check. */
static dc_status check_room(dc_comm *comm, const dc_job *job, const dc_data_header *head)
{
    dc_status st = DC_OK;
    dc_part part;
    dc_net net;
    const dc_config *cfg = &job->cfg;
    const char *name = NULL;
    const void *keys = dc_config_method_keys(cfg), *start_keys = dc_config_start_keys(cfg, &name);
    const dc_method *method = dc_method_find(cfg->cluster.method), *start = start_keys ? dc_method_find(name) : NULL;
    const double room = (double)dc_mem_available_bytes(dc_comm_node_size(comm));
    if (strcmp(job->cli->verb, "fit") != 0 || !(method->check_room || (start && start->check_room))) return DC_OK;
    DC_TRY(dc_part_init(&part, head->N, dc_int(cfg->parallel.shards), dc_comm_size(comm), dc_comm_rank(comm)));
    DC_TRY(dc_deck_net(cfg, dc_header_width(head), &net));
    const bool open = cfg->cluster.clusters == DC_CLUSTERS_AUTO;
    dc_method_env env = {
        .part = &part, .K = open ? method->most_clusters(keys) : cfg->cluster.clusters, .L = net.L, .keys = keys};
    if (method->check_room) DC_TRY(method->check_room(&env, room));
    env.keys = start_keys;
    if (start && start->check_room) DC_TRY(start->check_room(&env, room));
out:
    return st;
}

static const char FEWER_ROWS[] = "fewer rows (input.rows)";

/* What a user may do whose job needs too much memory. */
static const char *advice_of(const dc_config *cfg, const dc_data_header *head)
{
    const bool may_stream = cfg->input.residency == DC_RESIDENCY_MEMORY && head->in_place;
    return may_stream ? "input.residency = stream, fewer rows (input.rows)" : FEWER_ROWS;
}

static dc_memory_need need_of(const dc_estimate *e)
{
    return (dc_memory_need){
        .rank_bytes = e->total_bytes, .root_bytes = e->root_bytes, .address_bytes = e->address_bytes};
}

/* input.residency = auto: the rows stay in their file if the job with all rows in memory does not fit, and they can.
 * why[cap]: what is said about it. */
static dc_status choose_residency(dc_comm *comm, dc_job *job, dc_data_header *head, dc_estimate *e, char *why,
                                  size_t cap)
{
    dc_config *cfg = &job->cfg;
    const dc_memory_need need = need_of(e);
    const bool open = cfg->input.residency == DC_RESIDENCY_AUTO;
    snprintf(why, cap, "as input.residency says");
    if (!open) return DC_OK;
    const bool fits = dc_job_check_memory(comm, &need, FEWER_ROWS) == DC_OK;
    const char *text = dc_error_text();
    snprintf(why, cap, "%s%.*s", fits ? "the job fits into what is free" : "with the rows in memory ",
             (int)strcspn(text, ";"), fits ? "" : text);
    dc_error_clear();
    head->stream = !fits && head->in_place;
    cfg->input.residency = head->stream ? DC_RESIDENCY_STREAM : DC_RESIDENCY_MEMORY;
    return head->stream ? dc_job_name_limit(estimate_most(comm, job, head, e), FEWER_ROWS) : DC_OK;
}

/* Every rank makes the estimate itself, from the header that rank 0 read. why: of the residency. */
static dc_status estimate(dc_comm *comm, dc_job *job, dc_data_header *head, dc_estimate *e, char *why, size_t cap)
{
    dc_status st = DC_OK;
    const dc_config *cfg = &job->cfg;
    DC_TRY(open_files(comm, job));
    const dc_data_request request = dc_run_request(cfg, job->files);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_dataset_inspect(&request, head) : DC_OK);
    dc_comm_bcast(comm, head, sizeof *head, 0);
    DC_TRY_ALL(comm, check_rows(job, head));
    DC_TRY_ALL(comm, check_q(job, head));
    if (dc_cli_has_method(job->cli)) dc_deck_take_images(&job->cfg, head);
    DC_TRY_ALL(comm, check_map(job, head));
    DC_TRY_ALL(comm, dc_job_dump_deck(job)); /* now with the shape of the images */
    DC_TRY(dc_job_name_limit(estimate_most(comm, job, head, e), FEWER_ROWS));
    DC_TRY(choose_residency(comm, job, head, e, why, cap));
out:
    return st;
}

enum { LINE_MAX_BYTES = 256 };

static const char *memory_line(const dc_estimate *e, char out[LINE_MAX_BYTES])
{
    snprintf(out, LINE_MAX_BYTES,
             "memory    about %.3f GiB per rank (program %.3f, data %.3f, model %.3f, work %.3f), %.3f more on rank 0",
             gib(e->total_bytes), gib(e->base_bytes), gib(e->data_bytes), gib(e->model_bytes), gib(e->work_bytes),
             gib(e->root_bytes));
    return out;
}

static const char *phase_line(const dc_estimate_phase *p, char out[LINE_MAX_BYTES])
{
    const dc_phase_needs *s = &p->step;
    const int n = snprintf(out, LINE_MAX_BYTES, "phase     %s: about %.3f GiB per rank", p->name, gib(p->bytes));
    if (s->rows > 0)
        snprintf(out + n, LINE_MAX_BYTES - (size_t)n,
                 "; a step of %lld rows: %.3g GFLOP, %.3g reduction%s, %.3g MiB sent by each rank", (long long)s->rows,
                 1e-9 * s->flops, s->reductions, s->reductions == 1 ? "" : "s", s->sent_bytes / 0x1p20);
    return out;
}

static const char *residency_line(const dc_config *cfg, const char *why, char out[LINE_MAX_BYTES])
{
    const bool stream = cfg->input.residency == DC_RESIDENCY_STREAM;
    const char *again = dc_builtin_is(cfg->input.data) ? "stream, each pass makes the rows again"
                                                       : "stream, each pass reads the rows again";
    snprintf(out, LINE_MAX_BYTES, "residency %s: %s", stream ? again : "memory", why);
    return out;
}

static void note_batch(const char *key, int64_t batch, int64_t N)
{
    if (batch > N)
        dc_log_note("%s=%lld is more than the rows there are: each step takes all %lld", key, (long long)batch,
                    (long long)N);
}

/* Notes of a phase that trains the network. */
static void note_steps(const dc_net_text *net, const char *key, int64_t batch, int64_t N)
{
    note_batch(key, batch, N);
    if (N % DC_MIN(batch, N) == 1 && dc_net_text_norms_rows(net))
        dc_log_note("%s=%lld leaves 1 of %lld rows to the last step of each epoch, and batch norm makes zeros of one "
                    "row; choose another",
                    key, (long long)batch, (long long)N);
}

static void note_batches(const dc_job *job, int64_t N)
{
    dc_net_text net;
    const dc_config *cfg = &job->cfg;
    const dc_method *method = dc_method_find(cfg->cluster.method);
    if (!dc_cli_has_method(job->cli)) {
        note_batch("cluster.kmeans_batch", cfg->cluster.kmeans_batch, N);
        return;
    }
    dc_config_net(cfg, &net);
    if (cfg->pretrain.mode != DC_PRETRAIN_NONE) note_steps(&net, "pretrain.batch", cfg->pretrain.batch, N);
    if (method && (method->flags & DC_METHOD_TRAINS)) note_steps(&net, "cluster.batch", cfg->cluster.batch, N);
    if (N > cfg->parallel.shards * DC_POOL_ROWS)
        dc_log("order     a batch takes its rows from pools, one in each of %lld shards: %d rows, mixed, from blocks "
               "of %d",
               (long long)cfg->parallel.shards, DC_POOL_ROWS, DC_SHUFFLE_ROWS);
}

static dc_status check_weights(const dc_job *job, int64_t D, const dc_dataset *data)
{
    dc_net net;
    const dc_config *cfg = &job->cfg;
    if (!dc_cli_has_method(job->cli) || !cfg->model.weights[0]) return DC_OK;
    dc_status st = dc_deck_net(cfg, D, &net);
    if (st == DC_OK && !data) st = dc_expect(DC_EXPECT_MODEL, cfg->model.weights, job->cli->verb);
    if (st == DC_OK && !data) st = dc_apart_probe(DC_PROBE_MODEL, cfg->model.weights, DC_ERR_FORMAT);
    return st == DC_OK ? dc_model_check_file(cfg->model.weights, &net, data) : st;
}

/* Checks data and weights first, so that a start that is refused for them leaves every file as it was. */
static dc_status accept(dc_comm *comm, dc_job *job)
{
    dc_status st = DC_OK;
    DC_TRY(dc_resume_check_data(comm, job, job->data));
    if (job->resume.complete) goto out;
    if (!job->resume.continues)
        DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? check_weights(job, dc_dataset_width(job->data), job->data) : DC_OK);
    DC_TRY(dc_job_accept(comm, job));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? keep_files(job) : DC_OK);
out:
    return st;
}

/* Reads the run from which this one goes on, if it does, and checks that it can. *given: its scaling. */
static dc_status load_earlier(dc_comm *comm, const dc_job *job, const dc_data_header *head, dc_earlier *e,
                              const dc_data_given **given)
{
    dc_status st = DC_OK;
    const dc_config *cfg = &job->cfg;
    const char *path = cfg->model.weights;
    *given = NULL;
    if (cfg->cluster.init != DC_START_WEIGHTS) return DC_OK;
    if (dc_comm_rank(comm) == 0) st = dc_expect(DC_EXPECT_MODEL, path, job->cli->verb);
    if (dc_comm_rank(comm) == 0 && st == DC_OK) st = dc_apart_probe(DC_PROBE_MODEL, path, DC_ERR_FORMAT);
    DC_TRY_ALL(comm, st);
    DC_TRY(dc_earlier_load(comm, path, e));
    DC_TRY_ALL(comm, dc_earlier_check(e, cfg, head, job->cli->verb));
    *given = &e->given;
out:
    return st;
}

/* Keeps what the first clustering needs of the earlier run. */
static dc_status keep_centers(dc_comm *comm, dc_job *job, const dc_earlier *e, const dc_data_header *head)
{
    dc_status st = DC_OK;
    const size_t n = dc_mul_size((size_t)e->model.K, (size_t)e->model.width);
    DC_TRY_ALL(comm, dc_mem_alloc(&job->first, n, sizeof *job->first, "centres of the earlier run"));
    memcpy(job->first, dc_earlier_centers(e), n * sizeof *job->first);
    dc_log(
        "earlier   %s, hash %016llx: its scaling, and k-means from its %lld centres; it had %lld rows, these are %lld",
        e->path, (unsigned long long)job->from.weights_hash, (long long)e->model.K, (long long)e->rows,
        (long long)head->N);
out:
    return st;
}

/* Labels under another name than ours are not used unless the user names them. */
static void note_likely_labels(const dc_job *job, const dc_dataset *d)
{
    char columns[256];
    if (d->y || job->cfg.input.label_dataset[0] || !job->files->plain || !dc_log_is_active()) return;
    if (dc_builtin_is(dc_files_path(job->files, 0))) return;
    dc_dataset_likely_labels(dc_files_path(job->files, 0), d->part.N, columns, sizeof columns);
    if (columns[0])
        dc_log_note("%s has no labels in /y; if %s holds labels, input.label_dataset scores the result by them",
                    d->source, columns);
}

static void note_unlabelled(const dc_dataset *d)
{
    if (d->unlabelled)
        dc_log_note("%lld of %lld rows have no label: they are clustered, and the scores are those of the others",
                    (long long)d->unlabelled, (long long)d->part.N);
}

dc_status dc_run_load(dc_comm *comm, dc_job *job, dc_dataset **data)
{
    dc_status st = DC_OK;
    const dc_config *cfg = &job->cfg;
    dc_data_header head;
    dc_estimate e;
    dc_earlier earlier = {.rows = 0};
    char line[LINE_MAX_BYTES], kind[DC_DATA_KIND_MAX], why[LINE_MAX_BYTES / 2];
    dc_beat_at("reading", 0);
    DC_TRY(estimate(comm, job, &head, &e, why, sizeof why));
    const dc_memory_need need = need_of(&e);
    DC_TRY(dc_resume_check_files(comm, job));
    DC_TRY_ALL(comm, check_room(comm, job, &head));
    DC_TRY(dc_job_check_memory(comm, &need, advice_of(cfg, &head)));
    const double start = dc_timer_start();
    dc_data_request request = dc_run_request(cfg, job->files);
    DC_TRY(load_earlier(comm, job, &head, &earlier, &request.given));
    if (request.given) DC_TRY(keep_centers(comm, job, &earlier, &head));
    /* A sweep leaves out numbers that are too large. */
    const int64_t K = dc_setup_sweeps(job) ? cfg->sweep.clusters.v[0] : cfg->cluster.clusters;
    DC_TRY(dc_dataset_open(comm, &request, dc_int(cfg->parallel.shards), (uint64_t)cfg->run.seed, K, data));
    dc_timer_stop(&job->timers, DC_T_LOAD, start, 0, (double)(*data)->bytes);
    const dc_dataset *d = *data;
    if (d->reduction_s > 0) {
        dc_timer_stop(&job->timers, DC_T_REDUCTION, dc_timer_start(), 0, 0);
        dc_timer_move(&job->timers, DC_T_LOAD, DC_T_REDUCTION, d->reduction_s);
    }
    job->data = d;
    if (request.given) DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_earlier_check_names(&earlier, d) : DC_OK);
    DC_TRY(dc_run_topics_check(comm, cfg, d));
    DC_TRY(accept(comm, job));
    dc_log("input     %s: %lld rows x %lld %s, range [%g, %g], mean %.4g, hash %016llx, %s, %s", d->source,
           (long long)d->part.N, (long long)d->D,
           dc_data_kind_text(dc_dataset_is_sparse(d), d->dtype, d->part.N, d->D, d->nnz, kind), d->min, d->max, d->mean,
           (unsigned long long)d->hash, d->y ? "labels for the report only" : "no labels",
           dc_checksum_text(d->checksum));
    tell_files(job->files);
    dc_log("%s", residency_line(cfg, why, line));
    note_unlabelled(d);
    note_likely_labels(job, d);
    dc_scoring_announce(d->source, d->part.N, cfg->cluster.clusters, d->C);
    note_batches(job, d->part.N);
    if (head.C != d->C || head.components != d->pca.k) { /* now the classes and the components are known */
        head.C = d->C;
        head.has_labels = d->C > 0;
        head.components = d->pca.k;
        DC_TRY(estimate_most(comm, job, &head, &e));
    }
    dc_log("%s; result about %.3f GiB on disk", memory_line(&e, line), gib(e.disk_bytes));
    for (int i = 0; i < e.n_phases; i++)
        if (e.phase[i].step.rows > 0) dc_log("%s", phase_line(&e.phase[i], line));
out:
    dc_earlier_release(&earlier);
    return st;
}

/* k-means gives an empty cluster the farthest row, so a cluster stays empty only if rows are too few or too alike.
 * Training can also empty clusters, by drawing groups together. */
static void warn_of_empty(const dc_result *r)
{
    static const char few[] = "the data show fewer groups than cluster.clusters; lower it";
    static const char drawn[] =
        "the data show fewer groups than cluster.clusters; lower it, or, if training drew groups "
        "together, lower cluster.lr";
    char advice[DC_DATA_ADVICE_MAX];
    int64_t empty = 0;
    for (int64_t k = 0; k < r->K; k++) empty += r->size[k] == 0;
    if (empty == 0) return;
    dc_log_warning("%lld of %lld clusters are empty: %s", (long long)empty, (long long)r->K,
                   dc_dataset_advice(r->data, r->slab->net.n_layers ? drawn : few, advice));
}

static void describe_end(const dc_job *job, dc_result *r, const dc_refresh *last)
{
    r->checkpoint = job->resume.next - 1;
    r->n_checks = dc_self_checks(r, last, r->check);
}

/* What rank 0 does once run.h5 is written. */
static dc_status tell_end(const dc_job *job, const dc_result *r)
{
    char line[DC_RESULT_LINE_MAX];
    const char *was;
    dc_timing_print(&job->timing, job->from.peak_flops);
    dc_self_checks_print(r->check, r->n_checks);
    const dc_status st = dc_settle(job, &was, line);
    if (st != DC_OK) return st;
    dc_saving_not_in_vain(job);
    dc_log("results   %s/run.h5", job->cfg.run.output);
    dc_log_plain("RESULT  %s", line);
    return DC_OK;
}

dc_status dc_run_finish(dc_comm *comm, dc_job *job, dc_result *r, const dc_refresh *last)
{
    dc_status st = DC_OK;
    char path[DC_PATH_MAX];
    const bool root = dc_comm_rank(comm) == 0;
    warn_of_empty(r);
    dc_beat_at("writing", 0);
    DC_TRY(dc_dataset_check_files(comm, r->data));
    DC_TRY_ALL(comm, root ? dc_lock_confirm(job->lock) : DC_OK);
    DC_TRY_ALL(comm, root ? dc_output_restore(job) : DC_OK);
    dc_output_path(job, DC_FILE_RESULT, path);
    describe_end(job, r, last);
    DC_TRY(dc_result_write(comm, path, r, &job->timers, &job->timing));
    DC_TRY_ALL(comm, root ? tell_end(job, r) : DC_OK);
out:
    return st;
}

dc_status dc_run_dry(dc_comm *comm, dc_job *job)
{
    dc_status st = DC_OK;
    dc_data_header head;
    dc_estimate e;
    dc_part part;
    dc_earlier earlier = {.rows = 0};
    const dc_data_given *given;
    char line[LINE_MAX_BYTES], kind[DC_DATA_KIND_MAX], why[LINE_MAX_BYTES / 2];
    const int P = dc_comm_size(comm);
    DC_TRY(estimate(comm, job, &head, &e, why, sizeof why));
    DC_TRY(load_earlier(comm, job, &head, &earlier, &given));
    if (job->cfg.input.scale != DC_SCALE_PCA || job->cfg.input.components > 0)
        DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? check_weights(job, dc_header_width(&head), NULL) : DC_OK);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_output_check(job, e.disk_bytes) : DC_OK);
    DC_TRY_ALL(comm, dc_part_init(&part, head.N, dc_int(job->cfg.parallel.shards), P, 0));
    dc_job_note_deck(job);
    dc_log_plain("input     %s: %lld rows x %lld %s, %s", job->files->title, (long long)head.N, (long long)head.D,
                 dc_data_kind_text(head.sparse, head.dtype, head.N, head.D, head.nnz, kind),
                 head.has_labels ? "labels" : "no labels");
    dc_log_plain("layout    %d rank%s x %d thread%s on %d node%s; %d shards, rank 0 holds %lld rows", P,
                 P == 1 ? "" : "s", job->from.threads, job->from.threads == 1 ? "" : "s", job->from.nodes,
                 job->from.nodes == 1 ? "" : "s", part.V, (long long)dc_part_rows(&part));
    dc_log_plain("%s", residency_line(&job->cfg, why, line));
    dc_log_plain("%s", memory_line(&e, line));
    for (int i = 0; i < e.n_phases; i++) dc_log_plain("%s", phase_line(&e.phase[i], line));
    dc_log_plain("disk      about %.3f GiB in %s", gib(e.disk_bytes), job->cfg.run.output);
    const dc_memory_need need = need_of(&e);
    DC_TRY_ALL(comm, check_room(comm, job, &head));
    DC_TRY(dc_job_check_memory(comm, &need, advice_of(&job->cfg, &head)));
    dc_log_plain("dry run: deck, input, output directory, disk and memory are fine; nothing was written");
out:
    dc_earlier_release(&earlier);
    return st;
}
