/* The phases that all working verbs share: load, score, finish, dry run. */
#include <string.h>

#include "apart.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/watchdog.h"
#include "output.h"
#include "resume.h"
#include "run.h"

static double gib(double bytes)
{
    return bytes / (1024.0 * 1024.0 * 1024.0);
}

/* What the header shows need not wait until the rows are read. */
static dc_status check_rows(const dc_config *cfg, const dc_data_header *head)
{
    if (cfg->cluster.clusters <= head->N) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: %lld rows < %lld clusters; lower cluster.clusters or use more rows",
                   cfg->input.data, (long long)head->N, (long long)cfg->cluster.clusters);
}

static dc_status probe_data(const dc_config *cfg)
{
    const char *path = cfg->input.data;
    if (strcmp(path, DC_BUILTIN_GLYPHS) == 0) return DC_OK;
    return dc_apart_probe(DC_PROBE_DATA, path, cfg->input.label_dataset, DC_ERR_DATA);
}

/* The data of the deck. */
static dc_data_request request_of(const dc_config *cfg)
{
    dc_data_request r = {.path = cfg->input.data,
                         .rows = cfg->input.rows,
                         .labels = cfg->input.label_dataset,
                         .n_image_dims = cfg->input.image_shape.n};
    for (int i = 0; i < r.n_image_dims; i++) r.image_shape[i] = cfg->input.image_shape.v[i];
    return r;
}

/* Estimate on every rank from the header that rank 0 read. */
static dc_status estimate(dc_comm *comm, const dc_job *job, dc_data_header *head, dc_estimate *e)
{
    dc_status st = DC_OK;
    const dc_config *cfg = &job->cfg;
    const dc_data_request request = request_of(cfg);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? probe_data(cfg) : DC_OK);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_dataset_inspect(&request, head) : DC_OK);
    dc_comm_bcast(comm, head, sizeof *head, 0);
    DC_TRY_ALL(comm, check_rows(cfg, head));
    DC_TRY_ALL(comm, dc_job_estimate(job, head, dc_comm_size(comm), dc_comm_node_size(comm), e));
out:
    return st;
}

static dc_status check_memory(dc_comm *comm, const dc_estimate *e)
{
    const double root = dc_comm_rank(comm) == 0 ? e->root_bytes : 0;
    const double here = root + e->total_bytes * dc_comm_node_size(comm), free_bytes = (double)dc_mem_available_bytes();
    if (free_bytes == 0 || here <= free_bytes) return DC_OK;
    return DC_FAIL(DC_ERR_MEMORY,
                   "this run needs about %.1f GiB on node %s, which has %.1f GiB left; use more nodes, fewer "
                   "ranks per node, or fewer rows (input.rows)",
                   gib(here), dc_comm_host(comm), gib(free_bytes));
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
    dc_watchdog_note("reading", 0);
    DC_TRY(estimate(comm, job, &head, &e));
    DC_TRY_ALL(comm, check_memory(comm, &e));
    const double start = dc_timer_start();
    const dc_data_request request = request_of(cfg);
    DC_TRY(dc_dataset_open(comm, &request, dc_int(cfg->parallel.shards), (dc_scale_kind)cfg->input.scale,
                           (uint64_t)cfg->run.seed, cfg->cluster.clusters, data));
    dc_timer_stop(&job->timers, DC_T_LOAD, start, 0, (double)(*data)->bytes);
    const dc_dataset *d = *data;
    job->data = d;
    DC_TRY(dc_resume_check_data(job, d));
    dc_log("input     %s: %lld rows x %lld %s, range [%g, %g], mean %.4g, hash %016llx, %s, %s", d->source,
           (long long)d->part.N, (long long)d->D, dc_dtype_name(d->dtype), d->min, d->max, d->mean,
           (unsigned long long)d->hash, d->y ? "labels for the report only" : "no labels",
           dc_checksum_text(d->checksum));
    note_unlabelled(d);
    dc_log("memory    about %.2f GiB per rank (program %.2f, data %.2f, model %.2f, work %.2f), %.2f more on rank 0; "
           "result about %.3f GiB "
           "on disk",
           gib(e.total_bytes), gib(e.base_bytes), gib(e.data_bytes), gib(e.model_bytes), gib(e.work_bytes),
           gib(e.root_bytes), gib(e.disk_bytes));
out:
    return st;
}

dc_status dc_run_score(dc_comm *comm, dc_job *job, dc_result *r, int64_t **confusion)
{
    dc_status st = DC_OK;
    const dc_dataset *d = r->data;
    if (d->C == 0) return DC_OK;
    const double start = dc_timer_start();
    DC_TRY_ALL(comm,
               dc_mem_alloc(confusion, dc_mul_size((size_t)d->C, (size_t)r->K), sizeof **confusion, "confusion table"));
    dc_contingency(comm, r->labels, d->y, dc_part_rows(&d->part), r->K, d->C, *confusion);
    DC_TRY_ALL(comm, dc_scores_compute(*confusion, r->K, d->C, &r->scores));
    r->confusion = *confusion;
    r->has_scores = true;
    dc_timer_stop(&job->timers, DC_T_METRICS, start, 0, 0);
out:
    return st;
}

/* k-means gives an empty cluster the farthest row, so it leaves one empty only where rows are too few or too alike;
 * training empties some where it draws groups together. */
static void warn_of_empty(const dc_result *r)
{
    int64_t empty = 0;
    for (int64_t k = 0; k < r->K; k++) empty += r->size[k] == 0;
    if (empty == 0) return;
    dc_log_warning("%lld of %lld clusters are empty: the data show fewer groups than cluster.clusters; lower it%s",
                   (long long)empty, (long long)r->K,
                   r->net ? ", or, if training drew groups together, lower cluster.lr" : "");
}

static dc_status write_files(dc_comm *comm, dc_job *job, dc_result *r)
{
    char path[DC_PATH_MAX];
    if (!dc_job_path(job, "run.h5", path)) return DC_FAIL(DC_ERR_USAGE, "run.output is too long for a path");
    dc_status st = dc_agree(comm, dc_lock_confirm(job->lock));
    if (st != DC_OK) return st;
    const double start = dc_timer_start();
    dc_watchdog_note("writing", 0);
    st = dc_result_write(comm, path, r);
    dc_timer_stop(&job->timers, DC_T_WRITE, start, 0, 0);
    return st;
}

dc_status dc_run_finish(dc_comm *comm, dc_job *job, dc_result *r, const dc_refresh *last)
{
    dc_status st = DC_OK;
    dc_self_check checks[DC_SELF_CHECKS_MAX];
    char path[DC_PATH_MAX], line[512];
    warn_of_empty(r);
    DC_TRY(dc_timing_collect(comm, &job->timers, &job->timing));
    r->timing = &job->timing;
    DC_TRY(write_files(comm, job, r));
    DC_TRY(dc_timing_collect(comm, &job->timers, &job->timing));
    const int n = dc_self_checks(r, last, checks);
    if (dc_log_is_active()) {
        dc_timing_print(&job->timing, job->from.peak_flops);
        dc_self_checks_print(checks, n);
        st = dc_job_path(job, "summary.json", path) ? dc_result_summary(path, r, checks, n) : DC_OK;
    }
    DC_TRY_ALL(comm, st);
    dc_result_line(r, line, sizeof line);
    dc_log("results   %s/run.h5", job->cfg.run.output);
    dc_log_plain("RESULT  %s", line);
out:
    return st;
}

void dc_run_tell_complete(const dc_job *job)
{
    dc_log("%s/run.h5 is complete and of this deck and data: nothing is left to do; run.resume=never starts anew",
           job->cfg.run.output);
}

dc_status dc_run_net(const dc_config *cfg, int64_t D, dc_net *net)
{
    return dc_net_init(net, D, cfg->model.hidden.v, cfg->model.hidden.n, cfg->model.latent,
                       (dc_act)cfg->model.activation, (dc_act)cfg->model.latent_activation,
                       (dc_act)cfg->model.output_activation);
}

static dc_status check_weights(const dc_job *job, int64_t D)
{
    dc_net net;
    const dc_config *cfg = &job->cfg;
    if (strcmp(job->cli->verb, "fit") != 0 || !cfg->model.weights[0]) return DC_OK;
    dc_status st = dc_run_net(cfg, D, &net);
    if (st == DC_OK) st = dc_apart_probe(DC_PROBE_MODEL, cfg->model.weights, NULL, DC_ERR_FORMAT);
    return st == DC_OK ? dc_model_check_file(cfg->model.weights, &net) : st;
}

dc_status dc_run_dry(dc_comm *comm, const dc_job *job)
{
    dc_status st = DC_OK;
    dc_data_header head;
    dc_estimate e;
    dc_part part;
    const int P = dc_comm_size(comm);
    DC_TRY(estimate(comm, job, &head, &e));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? check_weights(job, head.D) : DC_OK);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_output_check(job, e.disk_bytes) : DC_OK);
    DC_TRY_ALL(comm, dc_part_init(&part, head.N, dc_int(job->cfg.parallel.shards), P, 0));
    dc_log_plain("input     %s: %lld rows x %lld %s, %s", job->cfg.input.data, (long long)head.N, (long long)head.D,
                 dc_dtype_name(head.dtype), head.has_labels ? "labels" : "no labels");
    dc_log_plain("layout    %d rank%s x %d thread%s on %d node%s; %d shards, rank 0 holds %lld rows", P,
                 P == 1 ? "" : "s", job->from.threads, job->from.threads == 1 ? "" : "s", job->from.nodes,
                 job->from.nodes == 1 ? "" : "s", part.V, (long long)dc_part_rows(&part));
    dc_log_plain(
        "memory    about %.2f GiB per rank (program %.2f, data %.2f, model %.2f, work %.2f), %.2f more on rank 0",
        gib(e.total_bytes), gib(e.base_bytes), gib(e.data_bytes), gib(e.model_bytes), gib(e.work_bytes),
        gib(e.root_bytes));
    dc_log_plain("disk      about %.3f GiB in %s", gib(e.disk_bytes), job->cfg.run.output);
    DC_TRY_ALL(comm, check_memory(comm, &e));
    dc_log_plain("dry run: deck, input, output directory, disk and memory are fine; nothing was written");
out:
    return st;
}
