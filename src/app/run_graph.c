/* The graph of nearest neighbours that graph.save asks for. */
#include <math.h>

#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "run.h"

bool dc_run_graph_embeds(const dc_config *cfg, const dc_net *net)
{
    return net->n_layers > 0 && cfg->graph.on == DC_ON_EMBEDDING;
}

static const char *metric_name(int metric)
{
    return metric == DC_METRIC_COSINE ? "cosine" : "euclidean";
}

static const char *symmetry_name(int symmetry)
{
    static const char *const name[] = {
        [DC_SYMMETRY_DIRECTED] = "directed", [DC_SYMMETRY_UNION] = "union", [DC_SYMMETRY_MUTUAL] = "mutual"};
    return name[symmetry];
}

/* The graph itself is needed only for its components: readers make it of the lists. */
static dc_status join(dc_comm *comm, const dc_config *cfg, const dc_part *part, dc_graph_result *out)
{
    dc_status st = DC_OK;
    dc_neighbours g = {0};
    const size_t n = (size_t)dc_part_rows(part);
    DC_TRY(dc_neighbours_create(comm, part, &out->knn, (dc_symmetry)cfg->graph.symmetry, &g));
    DC_TRY_ALL(comm, dc_mem_alloc(&out->component, n, sizeof *out->component, "components"));
    DC_TRY(dc_neighbours_components(comm, &g, out->component, &out->components, &out->largest));
    out->edges = g.symmetry == DC_SYMMETRY_DIRECTED ? g.edges : g.edges / 2;
    out->isolated = g.isolated;
out:
    dc_neighbours_release(&g);
    return st;
}

static void tell(const dc_graph_result *g, int64_t N)
{
    dc_log("graph     %lld nearest of each row (%s, %s): %lld %s edges, %lld component%s, the largest of %lld rows",
           (long long)g->knn.k, g->on, g->metric, (long long)g->edges, g->symmetry, (long long)g->components,
           g->components == 1 ? "" : "s", (long long)g->largest);
    if (g->isolated) dc_log_note("%lld of %lld rows have no edge in the graph", (long long)g->isolated, (long long)N);
}

dc_status dc_run_graph(dc_comm *comm, dc_job *job, const dc_rows *rows, bool embeds, dc_graph_result *out)
{
    dc_status st = DC_OK;
    const dc_config *cfg = &job->cfg;
    const dc_part *part = rows->part;
    const dc_knn_config find = {.k = cfg->graph.neighbours, .metric = (dc_metric)cfg->graph.metric};
    const double start = dc_timer_start(), n = (double)dc_part_rows(part);
    *out = (dc_graph_result){.on = embeds ? "embedding" : "input",
                             .metric = metric_name(cfg->graph.metric),
                             .symmetry = symmetry_name(cfg->graph.symmetry)};
    if (!cfg->graph.save) return DC_OK;
    dc_log("graph     comparing all pairs of %lld rows x %lld: %.3g GFLOP", (long long)part->N, (long long)rows->d,
           2e-9 * (double)part->N * (double)part->N * (double)rows->d);
    DC_TRY(dc_knn_find(comm, rows, &find, &out->knn));
    dc_timer_stop(&job->timers, DC_T_NEIGHBOURS, start, 2 * n * (double)part->N * (double)rows->d, 0);
    DC_TRY(join(comm, cfg, part, out));
    for (int64_t i = 0; find.metric == DC_METRIC_EUCLIDEAN && i < dc_part_rows(part) * find.k; i++)
        out->knn.square[i] = sqrt(out->knn.square[i]);
    tell(out, part->N);
out:
    return st;
}

void dc_graph_result_release(dc_graph_result *g)
{
    dc_knn_release(&g->knn);
    dc_mem_free(&g->component);
}

double dc_run_graph_bytes(const dc_config *cfg, const dc_part *part, int64_t d, double *held)
{
    const int64_t k = cfg->graph.neighbours;
    const double n = (double)dc_part_rows(part), lists = n * (double)k * (sizeof(dc_gidx) + sizeof(double));
    *held = 0;
    if (!cfg->graph.save) return 0;
    *held = lists + n * sizeof(int64_t);
    const double graph =
        fmax(dc_neighbours_bytes(part, k), n * sizeof(int64_t) + dc_neighbours_components_bytes(part, k));
    return fmax(dc_knn_bytes(part, d, k), lists + graph);
}
