/* Spectral embedding: neighbours and scales, then the eigenvectors by one of three paths, then rows of length 1. */
#include "dcmpi/spectral.h"

#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dense.h"
#include "lanczos.h"
#include "landmark.h"
#include "laplacian.h"

/* Eigenvalues that are nearer to each other count as equal. */
static const double LEAST_GAP = 1e-8;

typedef struct {
    const dc_rows *rows;
    const dc_spectral_task *task;
    const dc_spectral_config *cfg;
    const dc_part *part;
    dc_affinity affinity;
    int64_t n, want; /* rows here; eigenvalues */
    dc_knn knn;      /* lists of neighbours, if there are any */
    double *scales;  /* [n] */
    double *vector;  /* [n x want] */
    double *degree;  /* [n] */
    dc_spectral *out;
} work;

/* The path that is taken for N rows. */
static dc_spectral_path path_of(const dc_spectral_config *cfg, int64_t N)
{
    if (cfg->path != DC_SPECTRAL_AUTO) return (dc_spectral_path)cfg->path;
    return N <= DC_SPECTRAL_EXACT_ROWS ? DC_SPECTRAL_EXACT : DC_SPECTRAL_KNN;
}

static bool uses_scale(const dc_spectral_config *cfg)
{
    return cfg->affinity == DC_AFFINITY_SELF_TUNING || (cfg->affinity == DC_AFFINITY_GAUSSIAN && cfg->scale == 0);
}

/* Neighbours that are searched for each row; 0: none. */
static int64_t neighbours_of(const dc_spectral_config *cfg, int64_t N)
{
    const dc_spectral_path path = path_of(cfg, N);
    const bool graph = path == DC_SPECTRAL_KNN || cfg->affinity == DC_AFFINITY_NEIGHBORS;
    if (path == DC_SPECTRAL_LANDMARK) return 0;
    return DC_MAX(graph ? cfg->neighbors : 0, uses_scale(cfg) ? cfg->scale_neighbor : 0);
}

/* ---- Checks ------------------------------------------------------------------------------------------------------ */

dc_status dc_spectral_check(const dc_spectral_config *cfg, int64_t K)
{
    const bool landmark = cfg->path == DC_SPECTRAL_LANDMARK;
    if (K > DC_SPECTRAL_K_MAX)
        return DC_FAIL(DC_ERR_USAGE, "cluster.clusters = %lld is more than the %d eigenvectors that spectral takes",
                       (long long)K, (int)DC_SPECTRAL_K_MAX);
    if (landmark && (cfg->affinity == DC_AFFINITY_SELF_TUNING || cfg->affinity == DC_AFFINITY_NEIGHBORS))
        return DC_FAIL(DC_ERR_USAGE, "spectral.path = landmark needs spectral.affinity = gaussian or cosine, which are "
                                     "known for new rows, too");
    if (landmark && cfg->scaling != DC_SPECTRAL_UNIT)
        return DC_FAIL(DC_ERR_USAGE, "spectral.path = landmark needs spectral.normalize = unit");
    if (landmark && cfg->landmarks <= K)
        return DC_FAIL(DC_ERR_USAGE, "spectral.landmarks = %lld are not more than the %lld clusters",
                       (long long)cfg->landmarks, (long long)K);
    return DC_OK;
}

dc_status dc_spectral_check_rows(const dc_spectral_config *cfg, int64_t K, int64_t N)
{
    const int64_t k = neighbours_of(cfg, N);
    if (K >= N)
        return DC_FAIL(DC_ERR_DATA,
                       "%lld rows have no %lld eigenvectors besides the constant one; lower "
                       "cluster.clusters or use more rows",
                       (long long)N, (long long)K);
    if (k >= N)
        return DC_FAIL(DC_ERR_DATA,
                       "%lld rows have no %lld other rows each; lower spectral.neighbors and spectral.scale_neighbor, "
                       "or use more rows",
                       (long long)N, (long long)k);
    if (cfg->path == DC_SPECTRAL_LANDMARK && cfg->landmarks >= N)
        return DC_FAIL(DC_ERR_DATA,
                       "%lld rows are not more than spectral.landmarks = %lld; use fewer landmarks, or spectral.path = "
                       "exact",
                       (long long)N, (long long)cfg->landmarks);
    return DC_OK;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static double dense_bytes(const dc_part *part, int64_t d, const dc_spectral_config *cfg, int64_t want)
{
    dc_dla_plan plan;
    const dc_dla_size size = dc_dense_size(part, d, (dc_affinity)cfg->affinity, want);
    const double graph = cfg->affinity == DC_AFFINITY_NEIGHBORS ? dc_neighbours_bytes(part, cfg->neighbors) : 0,
                 N = (double)part->N;
    if (dc_dla_plan_make(&size, part->P, &plan) == DC_OK) return plan.peak + graph + N * sizeof(double);
    dc_error_clear(); /* dc_spectral_check_room() says why */
    return N * N / part->P * sizeof(double);
}

/* The matrix of a graph while it is made of a copy of the lists, while its components are found, and in products. */
static double sparse_bytes(const dc_part *part, const dc_spectral_config *cfg, int64_t want)
{
    const int64_t k = cfg->neighbors;
    const double n = (double)dc_part_rows(part), component = n * sizeof(int64_t);
    const double lists = n * (double)k * (sizeof(dc_gidx) + sizeof(double)),
                 weights = 2 * n * (double)k * (sizeof(int64_t) + sizeof(double)) + n * sizeof(double);
    const double products = dc_laplacian_held_bytes(part, k, dc_lanczos_width(part, want)) +
                            n * (double)want * sizeof(double) + dc_lanczos_bytes(part, want);
    return fmax(fmax(lists + dc_laplacian_bytes(part, k), dc_neighbours_components_bytes(part, k) + weights),
                component + products);
}

double dc_spectral_bytes(const dc_part *part, int64_t d, const dc_spectral_config *cfg, int64_t K)
{
    const double n = (double)dc_part_rows(part);
    const int64_t want = DC_MIN(K + 1, part->N), k = neighbours_of(cfg, part->N);
    const double result = n * (double)K * sizeof(float) + (double)want * sizeof(double);
    if (path_of(cfg, part->N) == DC_SPECTRAL_LANDMARK) return result + dc_landmark_bytes(part, d, cfg, K);
    const double lists = n * (double)k * (sizeof(dc_gidx) + sizeof(double)),
                 common = result + n * ((double)want + 2) * sizeof(double),
                 search = k > 0 ? dc_knn_bytes(part, d, k) : 0;
    const double solve =
        path_of(cfg, part->N) == DC_SPECTRAL_EXACT ? dense_bytes(part, d, cfg, want) : sparse_bytes(part, cfg, want);
    return common + fmax(search, lists + solve);
}

double dc_spectral_saved_bytes(int64_t N, const dc_spectral_config *cfg, int64_t K)
{
    const double lists = (double)N * (double)neighbours_of(cfg, N) * (sizeof(dc_gidx) + sizeof(double));
    return path_of(cfg, N) == DC_SPECTRAL_KNN ? lists + dc_lanczos_saved_bytes(N, DC_MIN(K + 1, N)) : lists;
}

dc_status dc_spectral_check_room(const dc_part *part, int64_t d, const dc_spectral_config *cfg, int64_t K,
                                 double room_bytes)
{
    const dc_dla_size size = dc_dense_size(part, d, (dc_affinity)cfg->affinity, DC_MIN(K + 1, part->N));
    if (path_of(cfg, part->N) != DC_SPECTRAL_EXACT) return DC_OK;
    return dc_dla_check_room(&size, part->P, room_bytes);
}

/* ---- Neighbours and scales --------------------------------------------------------------------------------------- */

static dc_status take_lists(dc_knn *knn, int64_t n, int64_t k)
{
    dc_status st = DC_OK;
    const size_t count = dc_mul_size((size_t)n, (size_t)k);
    knn->k = k;
    DC_TRY(dc_mem_alloc(&knn->row, count, sizeof *knn->row, "nearest rows"));
    DC_TRY(dc_mem_alloc(&knn->square, count, sizeof *knn->square, "distances"));
out:
    return st;
}

/* Searches the neighbours, or takes those of the checkpoint, and keeps them. Collective. */
static dc_status find_neighbours(dc_comm *comm, work *w)
{
    dc_status st = DC_OK;
    dc_state *state = w->task->state;
    const int64_t k = neighbours_of(w->cfg, w->part->N);
    const dc_knn_config search = {
        .k = k, .metric = w->affinity == DC_AFFINITY_COSINE ? DC_METRIC_COSINE : DC_METRIC_EUCLIDEAN, .state = state};
    if (k == 0) return DC_OK;
    dc_state_at(state, "neighbors", 0);
    if (dc_state_waiting(state, "spectral/nearest"))
        DC_TRY_ALL(comm, take_lists(&w->knn, w->n, k));
    else
        DC_TRY(dc_knn_find(comm, w->rows, &search, &w->knn));
    DC_TRY(dc_state_keep_rows(comm, state, "spectral/nearest", DC_STATE_I64, (size_t)k, w->part, w->knn.row));
    DC_TRY(dc_state_keep_rows(comm, state, "spectral/square", DC_STATE_F64, (size_t)k, w->part, w->knn.square));
    DC_TRY_ALL(comm, dc_knn_check(w->part, &w->knn));
out:
    return st;
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The value number `place` (from 0) of all x[n] >= 0 of all ranks in rising order: the smallest double that more than
 * `place` of them do not exceed, found by bisection of its bits. Collective. */
static double select_value(dc_comm *comm, const double *x, int64_t n, int64_t place)
{
    uint64_t lo = 0, hi = bits_of(INFINITY);
    while (lo < hi) {
        const uint64_t middle = lo + (hi - lo) / 2;
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++) count += bits_of(x[i]) <= middle;
        dc_comm_sum_i64(comm, &count, 1);
        if (count > place)
            hi = middle;
        else
            lo = middle + 1;
    }
    double value;
    memcpy(&value, &lo, sizeof value);
    return value;
}

static double median(dc_comm *comm, const double *x, int64_t n, int64_t N)
{
    const double upper = select_value(comm, x, n, N / 2);
    return N % 2 ? upper : (select_value(comm, x, n, N / 2 - 1) + upper) / 2;
}

static dc_status find_scales(dc_comm *comm, work *w)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(&w->scales, (size_t)w->n, sizeof *w->scales, "scales of rows"));
    for (int64_t i = 0; uses_scale(w->cfg) && i < w->n; i++)
        w->scales[i] = sqrt(w->knn.square[i * w->knn.k + w->cfg->scale_neighbor - 1]);
    if (w->affinity != DC_AFFINITY_GAUSSIAN) return DC_OK;
    w->out->scale = w->cfg->scale > 0 ? w->cfg->scale : median(comm, w->scales, w->n, w->part->N);
    for (int64_t i = 0; i < w->n; i++) w->scales[i] = w->out->scale;
    if (w->out->scale == 0)
        st = DC_FAIL(DC_ERR_DATA,
                     "the median distance of a row to its neighbour number %lld is 0, too many rows are alike; set "
                     "spectral.scale or raise spectral.scale_neighbor",
                     (long long)w->cfg->scale_neighbor);
out:
    return st;
}

/* The nearest `k` of each list; the lists themselves stay, for a checkpoint. */
static dc_status copy_lists(const dc_knn *from, int64_t n, int64_t k, dc_knn *out)
{
    const dc_status st = take_lists(out, n, k);
    for (int64_t i = 0; st == DC_OK && i < n; i++) {
        memcpy(out->row + i * k, from->row + i * from->k, (size_t)k * sizeof *out->row);
        memcpy(out->square + i * k, from->square + i * from->k, (size_t)k * sizeof *out->square);
    }
    return st;
}

/* ---- Components -------------------------------------------------------------------------------------------------- */

typedef struct {
    const dc_laplacian *graph;
    int64_t *component; /* [n] its place among the known vectors, or -1 */
    int64_t count;
    double *mass; /* [count] */
} components;

static void mass_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const components *c = ctx;
    (void)thread;
    for (int64_t i = block->lo; i < block->hi; i++)
        if (c->component[i] >= 0) leaf[c->component[i]] += c->graph->degree[i];
}

/* Place of each component among the `most` largest, ties to the lowest; -1 for the others. size[count], used up. */
static void rank_components(int64_t *size, int64_t count, int64_t most, int64_t *place)
{
    for (int64_t c = 0; c < count; c++) place[c] = -1;
    for (int64_t at = 0; at < most; at++) {
        int64_t best = 0;
        for (int64_t c = 1; c < count; c++)
            if (size[c] > size[best]) best = c;
        place[best] = at;
        size[best] = -1;
    }
}

/* Numbers the rows' components by size, as far as their vectors are wanted. Collective. */
static dc_status find_components(dc_comm *comm, const work *w, components *c, int64_t *all)
{
    dc_status st = DC_OK;
    int64_t *size = NULL, *place = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&c->component, (size_t)w->n, sizeof *c->component, "components"));
    DC_TRY(dc_neighbours_components(comm, &c->graph->graph, c->component, all, NULL));
    DC_TRY_ALL(comm, dc_mem_alloc(&size, (size_t)*all, sizeof *size, "sizes of components"));
    DC_TRY_ALL(comm, dc_mem_alloc(&place, (size_t)*all, sizeof *place, "places of components"));
    for (int64_t i = 0; i < w->n; i++) size[c->component[i]]++;
    dc_comm_sum_i64(comm, size, (size_t)*all);
    c->count = DC_MIN(*all, w->want);
    rank_components(size, *all, c->count, place);
    for (int64_t i = 0; i < w->n; i++) c->component[i] = place[c->component[i]];
out:
    dc_mem_free(&size);
    dc_mem_free(&place);
    return st;
}

/* Without affinities a component has no eigenvector of the eigenvalue 1. */
static void drop_weightless(components *c, int64_t n)
{
    for (int64_t at = c->count - 1; at >= 0; at--) {
        if (c->mass[at] > 0) continue;
        c->count--;
        for (int64_t later = at; later < c->count; later++) c->mass[later] = c->mass[later + 1];
        for (int64_t i = 0; i < n; i++)
            c->component[i] = c->component[i] == at ? -1 : c->component[i] - (c->component[i] > at);
    }
}

/* known[n x count]: for each component the eigenvector of the eigenvalue 1, the roots of its rows' degrees. Collective.
 */
static dc_status find_known(dc_comm *comm, const work *w, components *c, double **known)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    const size_t count = (size_t)c->count;
    DC_TRY_ALL(comm, dc_mem_alloc(&c->mass, count, sizeof *c->mass, "degrees of components"));
    DC_TRY_ALL(comm, dc_sum_create(&sum, w->part, count));
    dc_sum_over_blocks(comm, sum, mass_block, c, c->mass);
    drop_weightless(c, w->n);
    DC_TRY_ALL(comm,
               dc_mem_alloc(known, dc_mul_size((size_t)w->n, (size_t)c->count), sizeof **known, "known eigenvectors"));
    for (int64_t i = 0; i < w->n; i++) {
        const int64_t at = c->component[i];
        if (at >= 0) (*known)[i * c->count + at] = sqrt(c->graph->degree[i] / c->mass[at]);
    }
out:
    dc_sum_destroy(&sum);
    return st;
}

/* ---- The path of the neighbour graph ----------------------------------------------------------------------------- */

static void tell_graph(const work *w, const dc_laplacian *a, int64_t count)
{
    dc_log("spectral  graph of %lld rows: %lld edges, %lld component%s", (long long)w->part->N,
           (long long)a->graph.edges / 2, (long long)count, count == 1 ? "" : "s");
    if (count > w->task->K)
        dc_log_warning("the graph has %lld components, more than the %lld clusters: rows of the smaller ones have no "
                       "place in the embedding, and their labels mean little; raise spectral.neighbors or "
                       "cluster.clusters",
                       (long long)count, (long long)w->task->K);
}

static void tell_lanczos(const dc_lanczos *l)
{
    dc_log("spectral  Lanczos: %lld products, residual %.1e", (long long)l->products, l->residual);
    if (!l->converged)
        dc_log_warning("the Lanczos iteration was ended after %lld products with a residual of %.1e: eigenvalues are "
                       "very close to each other",
                       (long long)l->products, l->residual);
}

static dc_status solve_sparse(dc_comm *comm, work *w)
{
    dc_status st = DC_OK;
    dc_laplacian a = {0};
    dc_lanczos found = {0};
    components c = {.graph = &a};
    dc_knn edges = {0};
    double *known = NULL;
    int64_t count;
    DC_TRY_ALL(comm, copy_lists(&w->knn, w->n, w->cfg->neighbors, &edges));
    DC_TRY(dc_laplacian_create(comm, w->part, &edges, w->affinity, w->scales, &a));
    dc_knn_release(&edges);
    DC_TRY(find_components(comm, w, &c, &count));
    DC_TRY(find_known(comm, w, &c, &known));
    tell_graph(w, &a, count);
    const dc_lanczos_config cfg = {.part = w->part,
                                   .multiply = dc_laplacian_multiply,
                                   .ctx = &a,
                                   .want = w->want,
                                   .n_known = c.count,
                                   .known = known,
                                   .seed = w->task->seed,
                                   .state = w->task->state};
    DC_TRY(dc_lanczos_run(comm, &cfg, &found));
    tell_lanczos(&found);
    for (int64_t j = 0; j < w->want; j++) w->out->value[j] = fmax(1 - found.value[j], 0);
    if (w->n) memcpy(w->vector, found.vector, (size_t)(w->n * w->want) * sizeof *w->vector);
    if (w->n) memcpy(w->degree, a.degree, (size_t)w->n * sizeof *w->degree);
out:
    dc_lanczos_release(&found);
    dc_laplacian_release(&a);
    dc_knn_release(&edges);
    dc_mem_free(&c.component);
    dc_mem_free(&c.mass);
    dc_mem_free(&known);
    return st;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

int64_t dc_spectral_gap(const double *value, int64_t n_values)
{
    int64_t best = n_values > 2 ? 2 : 1;
    for (int64_t k = 3; k < n_values; k++)
        if (value[k] - value[k - 1] > value[best] - value[best - 1]) best = k;
    return best;
}

static void tell_values(const work *w)
{
    const dc_spectral *out = w->out;
    char text[128] = "";
    size_t used = 0;
    for (int64_t j = 0; j < out->n_values && j < 8 && used < sizeof text; j++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.4g", j ? ", " : "", out->value[j]);
    dc_log("spectral  eigenvalues %s%s; gap after number %lld: %.3g%s", text, out->n_values > 8 ? " ..." : "",
           (long long)out->K, out->n_values > out->K ? out->value[out->K] - out->value[out->K - 1] : 0,
           w->task->chooses ? ", the largest: so many clusters" : "");
}

/* The values are equal on all ranks, and so is the error. */
static dc_status choose(const work *w)
{
    dc_spectral *out = w->out;
    if (w->task->chooses) {
        out->K = dc_spectral_gap(out->value, out->n_values);
        if (out->n_values > out->K && out->value[out->K] - out->value[out->K - 1] < LEAST_GAP)
            return DC_FAIL(DC_ERR_DATA,
                           "the first %lld eigenvalues are alike, so no gap shows the number of clusters: set "
                           "cluster.clusters, or raise spectral.max_clusters or spectral.neighbors",
                           (long long)out->n_values);
    }
    tell_values(w);
    return DC_OK;
}

/* Takes the first K eigenvectors. */
static void normalise(const work *w)
{
    const int64_t K = w->out->K;
    for (int64_t i = 0; i < w->n; i++) {
        const double *v = w->vector + i * w->want;
        double square = 0;
        for (int64_t j = 0; j < K; j++) square += v[j] * v[j];
        if (w->cfg->scaling == DC_SPECTRAL_WALK) square = w->degree[i];
        const double by = square > 0 ? 1 / sqrt(square) : 0;
        for (int64_t j = 0; j < K; j++) w->out->rows[i * K + j] = (float)(v[j] * by);
    }
}

static dc_status solve_by_pairs(dc_comm *comm, work *w)
{
    dc_status st = DC_OK;
    DC_TRY(find_neighbours(comm, w));
    DC_TRY(find_scales(comm, w));
    DC_TRY_ALL(comm,
               dc_mem_alloc(&w->vector, dc_mul_size((size_t)w->n, (size_t)w->want), sizeof *w->vector, "eigenvectors"));
    DC_TRY_ALL(comm, dc_mem_alloc(&w->degree, (size_t)w->n, sizeof *w->degree, "degrees"));
    dc_state_at(w->task->state, "spectral", 0);
    DC_TRY(dc_state_poll(comm, w->task->state));
    if (w->out->path == DC_SPECTRAL_KNN)
        DC_TRY(solve_sparse(comm, w));
    else
        DC_TRY(dc_dense_solve(comm, w->rows, w->affinity, w->scales, w->knn.k ? &w->knn : NULL, w->want, w->out->value,
                              w->vector, w->degree));
    DC_TRY(choose(w));
    normalise(w);
out:
    return st;
}

static dc_status take_result(const work *w)
{
    dc_status st = DC_OK;
    dc_spectral *out = w->out;
    DC_TRY(dc_spectral_check(w->cfg, out->K));
    DC_TRY(dc_spectral_check_rows(w->cfg, out->K, w->part->N));
    DC_TRY(dc_mem_alloc(&out->value, (size_t)w->want, sizeof *out->value, "eigenvalues"));
    DC_TRY(
        dc_mem_alloc(&out->rows, dc_mul_size((size_t)w->n, (size_t)out->K), sizeof *out->rows, "spectral embedding"));
out:
    return st;
}

static void release(work *w)
{
    dc_state_drop(w->task->state, w->knn.row);
    dc_state_drop(w->task->state, w->knn.square);
    dc_knn_release(&w->knn);
    dc_mem_free(&w->scales);
    dc_mem_free(&w->vector);
    dc_mem_free(&w->degree);
}

dc_status dc_spectral_embed(dc_comm *comm, const dc_rows *rows, const dc_spectral_task *task, dc_spectral *out)
{
    dc_status st = DC_OK;
    const dc_part *part = rows->part;
    *out = (dc_spectral){.path = path_of(task->keys, part->N), .K = task->K};
    work w = {.rows = rows,
              .task = task,
              .cfg = task->keys,
              .part = part,
              .affinity = (dc_affinity)task->keys->affinity,
              .n = dc_part_rows(part),
              .want = DC_MIN(task->K + 1, part->N),
              .out = out};
    out->n_values = w.want;
    DC_TRY_ALL(comm, take_result(&w));
    if (out->path == DC_SPECTRAL_LANDMARK) {
        DC_TRY(dc_landmark_embed(comm, rows, w.cfg, task->seed, task->state, task->landmarks, out));
        DC_TRY(choose(&w));
    } else {
        DC_TRY(solve_by_pairs(comm, &w));
    }
out:
    release(&w);
    if (st != DC_OK) dc_spectral_release(out);
    return st;
}

void dc_spectral_release(dc_spectral *s)
{
    dc_mem_free(&s->value);
    dc_mem_free(&s->rows);
}
