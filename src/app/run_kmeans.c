/* `dcmpi kmeans`: k-means on the scaled rows themselves, the baseline everyone asks for. */
#include "dcmpi/capped.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "run.h"
#include "settle.h"
#include "setup.h"

typedef struct {
    dc_job job;
    dc_dataset *data;
    dc_slab slab; /* the centres alone */
    dc_kmeans_result km;
    dc_levels levels;
    dc_results more;
    dc_scoring scoring;
    dc_graph_result graph;
    dc_standing_result standing;
    dc_topics_result topics;
    dc_map_result map;
} raw_kmeans;

static dc_status release(dc_comm *comm, raw_kmeans *r, dc_status st)
{
    dc_kmeans_result_release(&r->km);
    dc_levels_release(&r->levels);
    dc_results_release(&r->more);
    dc_dataset_destroy(&r->data);
    dc_scoring_release(&r->scoring);
    dc_graph_result_release(&r->graph);
    dc_standing_result_release(&r->standing);
    dc_topics_result_release(&r->topics);
    dc_map_result_release(&r->map);
    return dc_job_end(comm, &r->job, st);
}

/* The levels above the clusters, for run.h5. */
static dc_status keep_levels(raw_kmeans *r)
{
    dc_status st = DC_OK;
    char name[DC_STATE_NAME_MAX];
    int64_t *parent = NULL;
    const dc_levels *l = &r->levels;
    const int upper = l->n - 1;
    const int64_t K = l->K[upper];
    DC_TRY(dc_mem_alloc(&parent, dc_mul_size((size_t)K, (size_t)upper), sizeof *parent, "parents of clusters"));
    dc_levels_parents(l, parent);
    DC_TRY(dc_results_add(&r->more, DC_LEVEL_PARENTS, DC_STATE_I64, 2, (int64_t[]){K, upper}, parent));
    for (int v = 0; v < upper; v++) {
        snprintf(name, sizeof name, DC_LEVEL_CENTERS, v + 1);
        DC_TRY(dc_results_add(&r->more, name, DC_STATE_F32, 2, (int64_t[]){l->K[v], l->d}, l->centers[v]));
    }
out:
    dc_mem_free(&parent);
    return st;
}

static dc_status cluster_levels(dc_comm *comm, raw_kmeans *r)
{
    dc_status st = DC_OK;
    dc_rows rows = dc_rows_of_dataset(r->data);
    const dc_levels_config c = dc_setup_levels(&r->job);
    rows.csr = NULL;
    DC_TRY(dc_levels_fit(comm, &rows, &c, &r->levels, &r->km));
    DC_TRY_ALL(comm, keep_levels(r));
out:
    return st;
}

static dc_status cluster_batches(dc_comm *comm, raw_kmeans *r)
{
    dc_status st = DC_OK;
    dc_batcher batcher;
    dc_row_batches batches;
    dc_rows rows = dc_rows_of_dataset(r->data);
    const dc_kmeans_config c = dc_setup_kmeans(&r->job);
    rows.csr = NULL;
    DC_TRY_ALL(comm, dc_setup_batches(&r->job, rows.part, &batcher, &batches));
    DC_TRY(dc_minibatch(comm, &rows, &batches, &c, &r->km));
out:
    return st;
}

static dc_status cluster_flat(dc_comm *comm, raw_kmeans *r)
{
    const dc_rows rows = dc_rows_of_dataset(r->data);
    const dc_kmeans_config c = dc_setup_kmeans(&r->job);
    return dc_kmeans(comm, &rows, &c, &r->km);
}

/* cluster.max_size. */
static dc_status cap_sizes(dc_comm *comm, raw_kmeans *r)
{
    dc_status st = DC_OK;
    dc_capped capped;
    dc_rows rows = dc_rows_of_dataset(r->data);
    const int64_t K = r->job.cfg.cluster.clusters, most = r->job.cfg.cluster.max_size;
    const double before = r->km.inertia, start = dc_timer_start();
    if (most == 0) return DC_OK;
    rows.csr = NULL;
    /* New rows go to the nearest centre, so they are compared with rows as they were before some had to move. */
    DC_TRY(dc_run_quantiles(comm, &rows, K, r->km.centers, r->km.labels, r->km.size, &r->standing));
    DC_TRY(dc_cap_sizes(comm, &rows, K, most, &r->km, &capped));
    dc_timer_stop(&r->job.timers, DC_T_KMEANS, start, 0, 0);
    dc_log(
        "sizes     at most %lld rows in a cluster: %lld of %lld rows moved in %lld rounds, inertia %.9g, before %.9g",
        (long long)most, (long long)capped.moved, (long long)rows.part->N, (long long)capped.rounds, capped.inertia,
        before);
out:
    return st;
}

static dc_status cluster(dc_comm *comm, raw_kmeans *r)
{
    const double start = dc_timer_start();
    dc_state_at(r->job.state, "kmeans", 0);
    const dc_status st = r->job.cfg.cluster.levels.n > 0       ? cluster_levels(comm, r)
                         : r->job.cfg.cluster.kmeans_batch > 0 ? cluster_batches(comm, r)
                                                               : cluster_flat(comm, r);
    dc_timer_stop(&r->job.timers, DC_T_KMEANS, start, 0, 0);
    return st;
}

static dc_status find_graph(dc_comm *comm, raw_kmeans *r)
{
    const dc_rows rows = dc_rows_of_dataset(r->data);
    return dc_run_graph(comm, &r->job, &rows, false, &r->graph);
}

static dc_status find_standing(dc_comm *comm, raw_kmeans *r)
{
    const dc_rows rows = dc_rows_of_dataset(r->data);
    return dc_run_standing(comm, &r->job.cfg, &rows, r->km.centers, r->km.labels, r->km.size, &r->standing);
}

static dc_status find_topics(dc_comm *comm, raw_kmeans *r)
{
    const dc_rows rows = dc_rows_of_dataset(r->data);
    const dc_run_clustered c = {.rows = &rows, .centers = r->km.centers, .labels = r->km.labels, .size = r->km.size};
    return dc_run_topics(comm, &r->job, r->data, &c, &r->topics);
}

static dc_status draw_map(dc_comm *comm, raw_kmeans *r)
{
    const dc_rows rows = dc_rows_of_dataset(r->data);
    return dc_run_map(comm, &r->job, &rows, false, &r->map);
}

static void describe(raw_kmeans *k, dc_result *r)
{
    dc_slab_add(&k->slab, "centers", k->job.cfg.cluster.clusters, dc_dataset_width(k->data), false);
    *r = (dc_result){.cfg = &k->job.cfg,
                     .from = &k->job.from,
                     .data = k->data,
                     .slab = &k->slab,
                     .value = k->km.centers,
                     .K = k->job.cfg.cluster.clusters,
                     .labels = k->km.labels,
                     .size = k->km.size,
                     .graph = k->job.cfg.graph.save ? &k->graph : NULL,
                     .standing = &k->standing,
                     .more = &k->more,
                     .topics = dc_topics_found(&k->topics),
                     .map = &k->map,
                     .stop = k->km.converged ? DC_STOP_CONVERGED : DC_STOP_MAX_ITER,
                     .iterations = k->km.iterations,
                     .inertia = k->km.inertia};
}

dc_status dc_run_kmeans(dc_comm *comm, const dc_cli *cli)
{
    dc_status st = DC_OK;
    dc_result result;
    raw_kmeans r = {0};
    DC_TRY(dc_job_start(comm, cli, &r.job));
    if (cli->dry_run) {
        st = dc_run_dry(comm, &r.job);
        goto out;
    }
    DC_TRY(dc_job_open_output(comm, &r.job));
    DC_TRY(dc_run_load(comm, &r.job, &r.data));
    if (r.job.resume.complete) {
        st = dc_settle_complete(comm, &r.job);
        goto out;
    }
    DC_TRY(cluster(comm, &r));
    if (!r.km.converged)
        dc_log_warning("cluster.kmeans_max_iter=%lld was reached before the centres converged; the same command "
                       "with a larger value %s",
                       (long long)r.job.cfg.cluster.kmeans_max_iter,
                       r.job.cfg.cluster.levels.n > 0 ? "and another run.output may do better" : "goes on from here");
    DC_TRY(cap_sizes(comm, &r));
    DC_TRY(find_graph(comm, &r));
    DC_TRY(find_standing(comm, &r));
    DC_TRY(find_topics(comm, &r));
    DC_TRY(draw_map(comm, &r));
    describe(&r, &result);
    DC_TRY(dc_run_score(comm, &r.job, &result, &r.scoring));
    DC_TRY(dc_run_finish(comm, &r.job, &result, NULL));
out:
    return release(comm, &r, st);
}
