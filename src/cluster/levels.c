/* Hierarchical k-means: levels, and the state that checkpoints keep. levels_split.c has the queue of clusters to split,
 * levels_rows.c brings rows to ranks, levels_kern.c finds the children that rows are in.
 *
 * Only centres are kept. Labels follow from them: a row's label at a level is the nearest child of its label at the
 * level before, which is what the k-means of that cluster ends with, too. */
#include "levels_impl.h"

#include <math.h>
#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

/* A rank has room for 16 MiB of rows, or for its own rows if these are more, and takes clusters of some seconds' work.
 */
static const dc_lv_limits LIMITS = {.room_bytes = 16 << 20, .flops = 2e11};

static void builder_release(dc_lv_builder *b)
{
    dc_mem_free(&b->centers);
    dc_mem_free(&b->size);
    dc_lv_rows_release(&b->by_cluster);
    dc_mem_free(&b->queue);
    dc_mem_free(&b->heap);
    dc_mem_free(&b->share);
    dc_mem_free(&b->taken);
    dc_mem_free(&b->work);
}

static dc_status builder_init(dc_lv_builder *b)
{
    dc_status st = DC_OK;
    const dc_levels_config *cfg = b->cfg;
    const int last = cfg->n - 1;
    const size_t P = (size_t)b->rows->part->P;
    int64_t clusters = 0;
    for (int v = 0; v <= last; v++) clusters += cfg->K[v];
    DC_TRY(dc_mem_alloc(&b->centers, dc_mul_size((size_t)clusters, (size_t)b->rows->d), sizeof *b->centers,
                        "centres of all levels"));
    DC_TRY(dc_mem_alloc(&b->size, (size_t)cfg->K[last], sizeof *b->size, "cluster sizes"));
    DC_TRY(dc_lv_rows_init(&b->by_cluster, b->rows, cfg->K[last - 1]));
    DC_TRY(dc_mem_alloc(&b->queue, (size_t)cfg->K[last - 1], sizeof *b->queue, "clusters to split"));
    DC_TRY(dc_mem_alloc(&b->heap, (size_t)cfg->K[last - 1], sizeof *b->heap, "clusters to split"));
    DC_TRY(dc_mem_alloc(&b->share, P, sizeof *b->share, "rank table"));
    DC_TRY(dc_mem_alloc(&b->taken, P, sizeof *b->taken, "rank table"));
    DC_TRY(dc_mem_alloc(&b->work, P, sizeof *b->work, "rank table"));
out:
    return st;
}

/* ---- Labels of a level ------------------------------------------------------------------------------------------- */

typedef struct {
    dc_rows rows; /* in the order of the clusters */
    dc_km_tiles tiles;
    dc_lv_children children;
    dc_sum *sum;
} labelling;

static dc_status labelling_init(labelling *l, const dc_lv_builder *b, int64_t most)
{
    dc_status st = DC_OK;
    const dc_part *part = b->rows->part;
    l->rows = (dc_rows){.part = part, .d = b->rows->d, .rows = dc_lv_rows_read, .ctx = &b->by_cluster};
    DC_TRY(dc_km_tiles_init(&l->tiles, &l->rows, most, 1));
    dc_lv_children *c = &l->children;
    const size_t threads = (size_t)l->tiles.n_threads;
    DC_TRY(dc_mem_alloc(&c->image, threads, sizeof *c->image, "k-means threads"));
    for (size_t t = 0; t < threads; t++) DC_TRY(dc_km_centers_init(&c->image[t], most, b->rows->d));
    DC_TRY(dc_mem_alloc(&c->leaf, threads, dc_mul_size((size_t)most + 1, sizeof *c->leaf), "k-means sizes"));
    DC_TRY(dc_mem_alloc(&c->sorted, (size_t)dc_part_rows(part), sizeof *c->sorted, "labels by cluster"));
    DC_TRY(dc_sum_create(&l->sum, part, 1));
out:
    return st;
}

static void labelling_release(labelling *l)
{
    for (int t = 0; l->children.image && t < l->tiles.n_threads; t++) dc_km_centers_release(&l->children.image[t]);
    dc_mem_free(&l->children.image);
    dc_mem_free(&l->children.leaf);
    dc_mem_free(&l->children.sorted);
    dc_km_tiles_release(&l->tiles);
    dc_sum_destroy(&l->sum);
}

static void count_rows(dc_comm *comm, dc_lv_builder *b, int64_t K)
{
    memset(b->size, 0, (size_t)K * sizeof *b->size);
    for (int64_t i = 0; i < dc_part_rows(b->rows->part); i++) b->size[b->label[i]]++;
    dc_comm_sum_i64(comm, b->size, (size_t)K);
}

static int64_t most_children(const dc_lv_builder *b, int level)
{
    const int64_t *first = b->levels->first[level - 1];
    int64_t most = 1;
    for (int64_t k = 0; k < b->cfg->K[level - 1]; k++) most = DC_MAX(most, first[k + 1] - first[k]);
    return most;
}

/* Labels of the level, whose centres are known, from those of the level before; sizes and inertia. Collective. */
static dc_status label_level(dc_comm *comm, dc_lv_builder *b, int level)
{
    dc_status st = DC_OK;
    labelling l = {0};
    const dc_rows *rows = b->rows;
    DC_TRY_ALL(comm, labelling_init(&l, b, most_children(b, level)));
    l.tiles.unit = dc_km_unit_of(sqrt(b->inertia / ((double)rows->part->N * (double)rows->d)));
    dc_lv_children *c = &l.children;
    c->tiles = &l.tiles;
    c->rows = &b->by_cluster;
    c->parent = dc_lv_centers_of(b, level - 1);
    c->child = dc_lv_centers_of(b, level);
    c->first = b->levels->first[level - 1];
    dc_lv_label(c, b->label);
    count_rows(comm, b, b->cfg->K[level]);
    dc_lv_inertia inertia = {rows, &l.tiles, c->child, b->label};
    dc_sum_over_blocks(comm, l.sum, dc_lv_block_inertia, &inertia, &b->inertia);
out:
    labelling_release(&l);
    return st;
}

/* ---- All levels -------------------------------------------------------------------------------------------------- */

/* Clusters the first level, or, if its centres are known, only labels the rows. Collective. */
static dc_status first_level(dc_comm *comm, dc_lv_builder *b, bool known)
{
    dc_status st = DC_OK;
    dc_kmeans_result r = {0};
    dc_kmeans_config cfg = b->cfg->kmeans;
    cfg.K = b->cfg->K[0];
    if (known) cfg.n_init = 1, cfg.max_iter = 0, cfg.first = b->centers, cfg.state = NULL;
    DC_TRY(dc_kmeans(comm, b->rows, &cfg, &r));
    memcpy(b->label, r.labels, (size_t)dc_part_rows(b->rows->part) * sizeof *b->label);
    memcpy(b->size, r.size, (size_t)cfg.K * sizeof *b->size);
    b->inertia = r.inertia;
    if (known) goto out;
    memcpy(b->centers, r.centers, (size_t)(cfg.K * b->rows->d) * sizeof *b->centers);
    b->progress[DC_LV_LEVEL] = 1;
    b->progress[DC_LV_NOT_CONVERGED] = !r.converged;
    b->progress[DC_LV_RESEEDED] = r.reseeded;
    b->progress[DC_LV_FIRST_ITERATIONS] = r.iterations;
out:
    dc_kmeans_result_release(&r);
    return st;
}

static size_t center_values(const dc_lv_builder *b)
{
    return (size_t)(dc_lv_centers_of(b, b->cfg->n) - b->centers);
}

static dc_status keep_state(dc_comm *comm, dc_lv_builder *b, dc_state *state)
{
    dc_status st = DC_OK;
    const int64_t *p = b->progress;
    DC_TRY(dc_state_keep(comm, state, "levels/progress", DC_STATE_I64, DC_LV_PROGRESS_VALUES, b->progress, NULL));
    DC_TRY(dc_state_keep(comm, state, "levels/centers", DC_STATE_F32, center_values(b), b->centers, NULL));
    if (p[DC_LV_LEVEL] < 1 || p[DC_LV_LEVEL] > b->cfg->n || p[DC_LV_DONE] < 0 ||
        p[DC_LV_DONE] > (p[DC_LV_LEVEL] < b->cfg->n ? b->cfg->K[p[DC_LV_LEVEL] - 1] : 0))
        st = DC_FAIL(DC_ERR_FORMAT, "the checkpoint's levels of k-means do not fit any state of this run");
out:
    return st;
}

static void drop_state(dc_lv_builder *b, dc_state *state)
{
    dc_state_drop(state, b->progress);
    dc_state_drop(state, b->centers);
}

static dc_status next_level(dc_comm *comm, dc_lv_builder *b, int level)
{
    dc_status st = DC_OK;
    const double start = dc_clock_now_s();
    const int64_t *K = b->cfg->K, d = b->rows->d;
    dc_lv_plan_level(b, level);
    const int64_t largest = b->queue[0].rows;
    if (level == b->progress[DC_LV_LEVEL]) {
        DC_TRY(dc_lv_split_level(comm, b));
        b->progress[DC_LV_LEVEL]++;
        b->progress[DC_LV_DONE] = 0;
    }
    DC_TRY(label_level(comm, b, level));
    memcpy(b->levels->centers[level - 1], dc_lv_centers_of(b, level - 1),
           (size_t)(K[level - 1] * d) * sizeof *b->centers);
    dc_log("levels    level %d: %lld clusters, the largest of %lld rows, split into %lld; inertia %.9g, %.1f s",
           level + 1, (long long)K[level - 1], (long long)largest, (long long)K[level], b->inertia,
           dc_clock_now_s() - start);
out:
    return st;
}

static void take_result(const dc_lv_builder *b, dc_kmeans_result *out)
{
    const int last = b->cfg->n - 1;
    const int64_t K = b->cfg->K[last];
    memcpy(out->centers, dc_lv_centers_of(b, last), (size_t)(K * b->rows->d) * sizeof *out->centers);
    memcpy(out->size, b->size, (size_t)K * sizeof *out->size);
    out->inertia = b->inertia;
    out->iterations = (int)b->progress[DC_LV_FIRST_ITERATIONS];
    out->converged = b->progress[DC_LV_NOT_CONVERGED] == 0;
    out->reseeded = b->progress[DC_LV_RESEEDED];
}

static dc_status create(dc_lv_builder *b, dc_levels *levels, dc_kmeans_result *out)
{
    dc_status st = DC_OK;
    const dc_levels_config *cfg = b->cfg;
    *levels = (dc_levels){.n = cfg->n, .d = b->rows->d};
    for (int v = 0; v < cfg->n; v++) levels->K[v] = cfg->K[v];
    DC_TRY(dc_levels_init(levels));
    DC_TRY(dc_km_result_init(out, b->rows, cfg->K[cfg->n - 1]));
    DC_TRY(builder_init(b));
    b->levels = levels;
    b->label = out->labels;
out:
    return st;
}

dc_status dc_lv_fit(dc_comm *comm, const dc_rows *rows, const dc_levels_config *cfg, const dc_lv_limits *limits,
                    dc_levels *levels, dc_kmeans_result *out)
{
    dc_status st = DC_OK;
    dc_state *state = cfg->kmeans.state;
    dc_comm *alone = NULL;
    dc_lv_builder b = {.cfg = cfg, .limits = limits, .rows = rows};
    *out = (dc_kmeans_result){0};
    DC_ASSERT(cfg->n >= 2 && cfg->n <= DC_LEVELS_MAX && !rows->csr);
    DC_TRY_ALL(comm, create(&b, levels, out));
    if (rows->part->P > 1) DC_TRY(dc_comm_split(comm, rows->part->rank, &alone));
    b.alone = alone ? alone : comm;
    const bool known = dc_state_waiting(state, "levels/progress");
    if (!known) DC_TRY(first_level(comm, &b, false));
    DC_TRY(keep_state(comm, &b, state));
    if (known) DC_TRY(first_level(comm, &b, true));
    dc_state_at(state, "levels", b.progress[DC_LV_DONE]);
    for (int level = 1; level < cfg->n; level++) DC_TRY(next_level(comm, &b, level));
    DC_TRY(dc_state_end_phase(comm, state));
    take_result(&b, out);
out:
    drop_state(&b, state);
    builder_release(&b);
    dc_comm_destroy(&alone);
    if (st != DC_OK) dc_kmeans_result_release(out);
    if (st != DC_OK) dc_levels_release(levels);
    return st;
}

dc_status dc_levels_fit(dc_comm *comm, const dc_rows *rows, const dc_levels_config *cfg, dc_levels *levels,
                        dc_kmeans_result *out)
{
    return dc_lv_fit(comm, rows, cfg, &LIMITS, levels, out);
}

/* ---- Needs ------------------------------------------------------------------------------------------------------- */

/* Most children of a cluster of a level, as announced. */
static int64_t likely_children(const dc_levels_config *cfg, int level)
{
    return DC_MIN(DC_LV_SKEW * (cfg->K[level] / cfg->K[level - 1] + 1), cfg->K[level]);
}

/* What is held all the time, and what labels take at most besides. Local. */
static dc_status measure(dc_lv_builder *b, dc_levels *levels, dc_kmeans_result *out, dc_kmeans_needs *held,
                         double *labels)
{
    dc_status st = DC_OK;
    labelling l = {0};
    int64_t most = 1;
    const size_t before = dc_mem_current_bytes();
    for (int v = 1; v < b->cfg->n; v++) most = DC_MAX(most, likely_children(b->cfg, v));
    DC_TRY(create(b, levels, out));
    held->bytes = (double)(dc_mem_current_bytes() - before);
    held->result_bytes = held->bytes;
    DC_TRY(labelling_init(&l, b, most));
    *labels = (double)(dc_mem_current_bytes() - before) - held->bytes;
out:
    labelling_release(&l);
    return st;
}

/* The rows of a round on a rank, and the k-means of the largest likely cluster. Collective. */
static dc_status round_needs(dc_comm *comm, const dc_lv_builder *b, int level, double *bytes)
{
    dc_status st = DC_OK;
    dc_part part;
    dc_kmeans_needs need;
    dc_kmeans_config cfg = b->cfg->kmeans;
    const dc_part *all = b->rows->part;
    const int64_t K = b->cfg->K[level - 1], d = b->rows->d, N = all->N;
    const int64_t rows = DC_MIN(DC_LV_SKEW * (N / K + 1), N), room = dc_lv_room_of(b, (double)N / (double)K),
                  alone = DC_MIN(rows, room);
    cfg.K = DC_MIN(likely_children(b->cfg, level), alone);
    DC_TRY_ALL(comm, dc_part_init(&part, alone, dc_lv_shards_of(all, alone), 1, 0));
    DC_TRY(dc_kmeans_needs_of(comm, &part, d, NULL, &cfg, &need));
    *bytes = (double)DC_MAX(all->P > 1 ? DC_MIN(room, N) : 0, alone) * (double)d * sizeof(float) +
             dc_lv_rows_bring_bytes(all, d) + need.bytes + (double)K * sizeof(int32_t);
out:
    return st;
}

dc_status dc_levels_needs_of(dc_comm *comm, const dc_part *part, int64_t d, const dc_levels_config *cfg,
                             dc_kmeans_needs *out)
{
    dc_status st = DC_OK;
    const dc_rows rows = {.part = part, .d = d};
    dc_lv_builder b = {.cfg = cfg, .limits = &LIMITS, .rows = &rows};
    dc_levels levels = {0};
    dc_kmeans_result result = {0};
    dc_kmeans_needs first;
    dc_kmeans_config top = cfg->kmeans;
    double most = 0, round;
    top.K = cfg->K[0];
    *out = (dc_kmeans_needs){0};
    dc_mem_rehearse(true);
    DC_TRY_ALL(comm, measure(&b, &levels, &result, out, &most));
    DC_TRY(dc_kmeans_needs_of(comm, part, d, NULL, &top, &first));
    most = fmax(most, first.bytes);
    for (int v = 1; v < cfg->n; v++) {
        DC_TRY(round_needs(comm, &b, v, &round));
        most = fmax(most, round);
    }
    out->bytes += most;
    out->saved_bytes = (double)center_values(&b) * sizeof *b.centers + sizeof b.progress + first.saved_bytes;
out:
    builder_release(&b);
    dc_kmeans_result_release(&result);
    dc_levels_release(&levels);
    dc_mem_rehearse(false);
    return st;
}
