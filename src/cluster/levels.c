/* Hierarchical k-means: levels, the queue of clusters to split, and the state that checkpoints keep. levels_rows.c
 * brings rows to ranks, levels_kern.c finds the children that rows are in.
 *
 * Only centres are kept. Labels follow from them: a row's label at a level is the nearest child of its label at the
 * level before, which is what the k-means of that cluster ends with, too. */
#include "levels_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/wish.h"

/* A cluster is cut into shards of about so many rows. */
enum { SHARD_ROWS = 256 };
static const double ITERATIONS = 10;
/* A rank has room for 16 MiB of rows, or for its own rows if these are more, and takes clusters of some seconds' work.
 */
static const dc_lv_limits LIMITS = {.room_bytes = 16 << 20, .flops = 2e11};
/* How many times the mean the largest cluster may hold within the memory that is announced. */
enum { SKEW = 8 };

/* ---- Hierarchies ------------------------------------------------------------------------------------------------- */

dc_status dc_levels_init(dc_levels *l)
{
    dc_status st = DC_OK;
    for (int v = 0; v + 1 < l->n; v++) {
        const size_t K = (size_t)l->K[v];
        DC_TRY(dc_mem_alloc(&l->centers[v], dc_mul_size(K, (size_t)l->d), sizeof *l->centers[v], "centres of a level"));
        DC_TRY(dc_mem_alloc(&l->first[v], K + 1, sizeof *l->first[v], "children of clusters"));
    }
out:
    return st;
}

void dc_levels_release(dc_levels *l)
{
    for (int v = 0; v + 1 < l->n; v++) {
        dc_mem_free(&l->centers[v]);
        dc_mem_free(&l->first[v]);
    }
    l->n = 0;
}

void dc_levels_parents(const dc_levels *l, int64_t *parent)
{
    const int upper = l->n - 1;
    for (int v = 0; v < upper; v++)
        for (int64_t k = 0; k < l->K[v]; k++) {
            int64_t lo = k, hi = k + 1; /* its descendants at the levels below */
            for (int below = v; below < upper; below++) lo = l->first[below][lo], hi = l->first[below][hi];
            for (int64_t leaf = lo; leaf < hi; leaf++) parent[leaf * upper + v] = k;
        }
}

/* Sets first[v] from the numbers that leaves have at this level and at the next. */
static bool set_first(dc_levels *l, int v, const int64_t *parent)
{
    const int upper = l->n - 1;
    int64_t *first = l->first[v], k = -1, child = -1;
    for (int64_t leaf = 0; leaf < l->K[upper]; leaf++) {
        const int64_t above = parent[leaf * upper + v], here = v + 1 < upper ? parent[leaf * upper + v + 1] : leaf;
        if (here == child && above != k) return false;
        if (here == child) continue;
        if (here != child + 1 || (above != k && above != k + 1) || above >= l->K[v]) return false;
        if (above == k + 1) first[++k] = here;
        child = here;
    }
    first[l->K[v]] = l->K[v + 1];
    return k == l->K[v] - 1 && child == l->K[v + 1] - 1;
}

bool dc_levels_set_parents(dc_levels *l, const int64_t *parent)
{
    for (int v = 0; v + 1 < l->n; v++)
        if (!set_first(l, v, parent)) return false;
    return true;
}

/* ---- One level --------------------------------------------------------------------------------------------------- */

/* What is kept of the progress: how many clusterings have not converged, and how many empty clusters were given new
 * centres; the level that is being made, and how many clusters of its queue are split; iterations of the first level.
 */
enum { NOT_CONVERGED, RESEEDED, FOUND_VALUES, LEVEL = FOUND_VALUES, DONE, FIRST_ITERATIONS, PROGRESS_VALUES };

/* A cluster in the queue. */
typedef struct {
    int64_t rows, cluster;
} dc_lv_waiting;

typedef struct {
    const dc_levels_config *cfg;
    const dc_lv_limits *limits;
    const dc_rows *rows;
    dc_comm *alone; /* this rank; borrowed if there is no other */
    dc_levels *levels;
    float *centers; /* of all levels, one after the other */
    int32_t *label; /* [n] of the last level that is finished; borrowed */
    int64_t *size;  /* [K] rows of its clusters, over all ranks */
    double inertia; /* of that level */
    dc_lv_rows by_cluster;
    dc_lv_waiting *queue;              /* [K] its clusters, those with most rows first */
    int64_t *heap;                     /* [K] scratch */
    dc_lv_share *share;                /* [P] who gets which rows next */
    int64_t *taken;                    /* [P] rows that ranks have got in this round */
    double *work;                      /* [P] and what there is to do with them */
    int64_t progress[PROGRESS_VALUES]; /* equal on all ranks */
    int64_t found[FOUND_VALUES];       /* by this rank, not yet added to progress */
} builder;

static float *centers_of(const builder *b, int level)
{
    float *centers = b->centers;
    for (int v = 0; v < level; v++) centers += b->cfg->K[v] * b->rows->d;
    return centers;
}

static void builder_release(builder *b)
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

static dc_status builder_init(builder *b)
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

static int compare_waiting(const void *a, const void *b)
{
    const dc_lv_waiting *x = a, *y = b;
    if (x->rows != y->rows) return x->rows > y->rows ? -1 : 1;
    return x->cluster < y->cluster ? -1 : 1;
}

/* Prepares the level after one whose labels and sizes are known: how many children each cluster gets, the queue. */
static void plan_level(builder *b, int level)
{
    const int64_t K = b->cfg->K[level - 1], d = b->rows->d;
    dc_lv_rows_sort(&b->by_cluster, b->label, K);
    dc_lv_allot(b->size, K, b->cfg->K[level], b->levels->first[level - 1], b->heap);
    for (int64_t k = 0; k < K; k++) {
        b->queue[k] = (dc_lv_waiting){b->size[k], k};
        if (b->size[k] > 0) continue;
        memcpy(centers_of(b, level) + b->levels->first[level - 1][k] * d, centers_of(b, level - 1) + k * d,
               (size_t)d * sizeof *b->centers);
    }
    qsort(b->queue, (size_t)K, sizeof *b->queue, compare_waiting);
}

/* ---- Splitting clusters ------------------------------------------------------------------------------------------ */

static int64_t children_of(const builder *b, int64_t k)
{
    const int64_t *first = b->levels->first[b->progress[LEVEL] - 1];
    return first[k + 1] - first[k];
}

/* Shards of a cluster of m rows; never more than those of all rows. */
static int shards_of(const dc_part *part, int64_t m)
{
    int V = 1;
    while (V < part->V && (int64_t)V * 2 * SHARD_ROWS <= m) V *= 2;
    return V;
}

static double work_of(const dc_levels_config *cfg, int64_t m, int64_t k, int64_t d)
{
    return 2 * ITERATIONS * (double)m * (double)k * (double)d * cfg->kmeans.n_init;
}

/* Rows that a rank may take in a round, if the clusters of a level are of `mean` rows. */
static int64_t room_of(const builder *b, double mean)
{
    const dc_part *part = b->rows->part;
    const int64_t row = DC_MAX(b->rows->d, (int64_t)1) * (int64_t)sizeof(float), few = b->limits->room_bytes / row,
                  P = part->P, own = (part->N + P - 1) / P;
    const int64_t wanted = DC_MIN(DC_MAX(few, (int64_t)(SKEW * mean)), own);
    return DC_MAX(wanted, P * SHARD_ROWS);
}

/* Whether all ranks split this cluster together. Fewer rows than shards for all of them are few enough for one. */
static bool is_shared(const builder *b, const dc_lv_waiting *w, int64_t room)
{
    const dc_part *part = b->rows->part;
    if (part->P == 1 || shards_of(part, w->rows) < part->P) return false;
    return w->rows > room || work_of(b->cfg, w->rows, children_of(b, w->cluster), b->rows->d) > b->limits->flops;
}

static uint64_t seed_of(uint64_t seed, int level, int64_t k)
{
    uint32_t w[4];
    dc_rng4(seed, DC_STREAM_LEVELS, (uint64_t)level, (uint64_t)k, w);
    return (uint64_t)w[0] << 32 | w[1];
}

/* k-means of the rows X of cluster k, of which there are m in all. Collective over `comm`. */
static dc_status split(dc_comm *comm, builder *b, int64_t k, int64_t m, const float *X)
{
    dc_status st = DC_OK;
    dc_part part;
    dc_kmeans_result r = {0};
    dc_kmeans_config cfg = b->cfg->kmeans;
    const int level = (int)b->progress[LEVEL];
    const int64_t d = b->rows->d, first = b->levels->first[level - 1][k];
    DC_TRY_ALL(comm, dc_part_init(&part, m, shards_of(b->rows->part, m), dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = dc_rows_of_array(&part, X, &d);
    cfg.K = children_of(b, k);
    cfg.n_init = cfg.K == 1 || cfg.K == m ? 1 : cfg.n_init;
    cfg.seed = seed_of(cfg.seed, level, k);
    cfg.state = NULL;
    cfg.quiet = true;
    DC_TRY(dc_kmeans(comm, &rows, &cfg, &r));
    memcpy(centers_of(b, level) + first * d, r.centers, (size_t)(cfg.K * d) * sizeof *r.centers);
    if (dc_comm_rank(comm) > 0) goto out;
    b->found[NOT_CONVERGED] += !r.converged;
    b->found[RESEEDED] += r.reseeded;
out:
    dc_kmeans_result_release(&r);
    return st;
}

/* All ranks split the next cluster of the queue together. Collective. */
static dc_status split_shared(dc_comm *comm, builder *b, const dc_lv_waiting *w)
{
    dc_status st = DC_OK;
    float *X = NULL;
    dc_part part;
    const dc_part *all = b->rows->part;
    DC_TRY_ALL(comm, dc_part_init(&part, w->rows, shards_of(all, w->rows), all->P, all->rank));
    for (int r = 0; r < all->P; r++)
        b->share[r] = (dc_lv_share){w->cluster, dc_part_rank_begin(&part, r), dc_part_rank_begin(&part, r + 1)};
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&X, (size_t)dc_part_rows(&part), dc_mul_size((size_t)b->rows->d, sizeof *X),
                                      "rows of a cluster"));
    DC_TRY(dc_lv_rows_bring(comm, &b->by_cluster, b->share, X));
    DC_TRY(split(comm, b, w->cluster, w->rows, X));
out:
    dc_mem_free(&X);
    return st;
}

/* ---- A round: each rank takes clusters of its own ---------------------------------------------------------------- */

/* The rank that takes the next cluster: the one with the fewest rows (ties: the lowest), -1 if it has no room. */
static int taker_of(const builder *b, const dc_lv_waiting *w, int64_t room)
{
    int least = 0;
    for (int r = 1; r < b->rows->part->P; r++)
        if (b->taken[r] < b->taken[least]) least = r;
    const double work = work_of(b->cfg, w->rows, children_of(b, w->cluster), b->rows->d);
    const bool fits = b->taken[least] + w->rows <= room && b->work[least] + work <= b->limits->flops;
    return fits || b->taken[least] == 0 ? least : -1;
}

/* Gives clusters of the queue, from `next` on, to ranks: taker[i] of cluster next + i. Returns how many. */
static int64_t share_out(builder *b, int64_t next, int64_t room, int32_t *taker)
{
    const int P = b->rows->part->P;
    const int64_t K = b->cfg->K[b->progress[LEVEL] - 1];
    int64_t n = 0;
    memset(b->taken, 0, (size_t)P * sizeof *b->taken);
    memset(b->work, 0, (size_t)P * sizeof *b->work);
    for (; next + n < K && b->queue[next + n].rows > 0; n++) {
        const dc_lv_waiting *w = &b->queue[next + n];
        const int r = taker_of(b, w, room);
        if (r < 0) break;
        taker[n] = r;
        b->taken[r] += w->rows;
        b->work[r] += work_of(b->cfg, w->rows, children_of(b, w->cluster), b->rows->d);
    }
    return n;
}

/* Brings the rows of the clusters that this rank has taken to X, one after the other. Each rank gets one cluster at a
 * time. Collective. */
static dc_status bring_rows(dc_comm *comm, builder *b, int64_t next, int64_t n, const int32_t *taker, float *X)
{
    dc_status st = DC_OK;
    const int P = b->rows->part->P, me = b->rows->part->rank;
    int64_t left = n, *at = b->taken; /* where each rank looks for its next cluster */
    memset(at, 0, (size_t)P * sizeof *at);
    while (left > 0) {
        for (int r = 0; r < P; r++) {
            while (at[r] < n && taker[at[r]] != r) at[r]++;
            const dc_lv_waiting *w = &b->queue[next + at[r]];
            b->share[r] = at[r] < n ? (dc_lv_share){w->cluster, 0, w->rows} : (dc_lv_share){.cluster = -1};
            left -= at[r] < n;
            at[r]++;
        }
        DC_TRY(dc_lv_rows_bring(comm, &b->by_cluster, b->share, X));
        X += (b->share[me].end - b->share[me].begin) * b->rows->d;
    }
out:
    return st;
}

/* Splits the clusters that this rank has taken. Collective over b->alone, that is, local. */
static dc_status split_own(builder *b, int64_t next, int64_t n, const int32_t *taker, const float *X)
{
    dc_status st = DC_OK;
    for (int64_t i = 0; i < n; i++) {
        const dc_lv_waiting *w = &b->queue[next + i];
        if (taker[i] != b->rows->part->rank) continue;
        DC_TRY(split(b->alone, b, w->cluster, w->rows, X));
        X += w->rows * b->rows->d;
    }
out:
    return st;
}

/* Gives all ranks the centres that each has found. Collective. */
static void spread_centers(dc_comm *comm, builder *b, int64_t next, int64_t n, const int32_t *taker)
{
    const int64_t d = b->rows->d, *first = b->levels->first[b->progress[LEVEL] - 1];
    float *centers = centers_of(b, (int)b->progress[LEVEL]);
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = b->queue[next + i].cluster;
        dc_comm_bcast(comm, centers + first[k] * d, (size_t)((first[k + 1] - first[k]) * d) * sizeof *centers,
                      taker[i]);
    }
}

/* Each rank splits clusters of its own. *n: clusters of the queue that were split. Collective. */
static dc_status split_round(dc_comm *comm, builder *b, int64_t room, int32_t *taker, int64_t *n)
{
    dc_status st = DC_OK;
    float *X = NULL;
    const int64_t next = b->progress[DONE];
    *n = share_out(b, next, room, taker);
    const size_t rows = (size_t)b->taken[b->rows->part->rank];
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&X, rows, dc_mul_size((size_t)b->rows->d, sizeof *X), "rows of clusters"));
    DC_TRY(bring_rows(comm, b, next, *n, taker, X));
    DC_TRY_ALL(comm, split_own(b, next, *n, taker, X));
    spread_centers(comm, b, next, *n, taker);
out:
    dc_mem_free(&X);
    return st;
}

/* Splits the next clusters of the queue. What was split before a stop is saved. Collective. */
static dc_status split_next(dc_comm *comm, builder *b, int64_t room, int32_t *taker)
{
    dc_status st = DC_OK;
    dc_state *state = b->cfg->kmeans.state;
    const dc_lv_waiting *w = &b->queue[b->progress[DONE]];
    int64_t n = 1;
    memset(b->found, 0, sizeof b->found);
    st = is_shared(b, w, room) ? split_shared(comm, b, w) : split_round(comm, b, room, taker, &n);
    if (st == DC_STOPPED) DC_TRY(dc_state_end_phase(comm, state));
    if (st != DC_OK) return st;
    dc_comm_sum_i64(comm, b->found, FOUND_VALUES);
    for (int i = 0; i < FOUND_VALUES; i++) b->progress[i] += b->found[i];
    b->progress[DONE] += n;
    dc_state_at(state, "levels", b->progress[DONE]);
    DC_TRY(state ? dc_state_poll(comm, state) : dc_wish_poll_stop(comm));
out:
    return st;
}

static dc_status split_level(dc_comm *comm, builder *b)
{
    dc_status st = DC_OK;
    int32_t *taker = NULL;
    const int64_t K = b->cfg->K[b->progress[LEVEL] - 1];
    const int64_t room = room_of(b, (double)b->rows->part->N / (double)K);
    DC_TRY_ALL(comm, dc_mem_alloc(&taker, (size_t)K, sizeof *taker, "clusters to split"));
    while (b->progress[DONE] < K && b->queue[b->progress[DONE]].rows > 0) DC_TRY(split_next(comm, b, room, taker));
out:
    dc_mem_free(&taker);
    return st;
}

/* ---- Labels of a level ------------------------------------------------------------------------------------------- */

typedef struct {
    dc_rows rows; /* in the order of the clusters */
    dc_km_tiles tiles;
    dc_lv_children children;
    dc_sum *sum;
} labelling;

static dc_status labelling_init(labelling *l, const builder *b, int64_t most)
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

static void count_rows(dc_comm *comm, builder *b, int64_t K)
{
    memset(b->size, 0, (size_t)K * sizeof *b->size);
    for (int64_t i = 0; i < dc_part_rows(b->rows->part); i++) b->size[b->label[i]]++;
    dc_comm_sum_i64(comm, b->size, (size_t)K);
}

static int64_t most_children(const builder *b, int level)
{
    const int64_t *first = b->levels->first[level - 1];
    int64_t most = 1;
    for (int64_t k = 0; k < b->cfg->K[level - 1]; k++) most = DC_MAX(most, first[k + 1] - first[k]);
    return most;
}

/* Labels of the level, whose centres are known, from those of the level before; sizes and inertia. Collective. */
static dc_status label_level(dc_comm *comm, builder *b, int level)
{
    dc_status st = DC_OK;
    labelling l = {0};
    const dc_rows *rows = b->rows;
    DC_TRY_ALL(comm, labelling_init(&l, b, most_children(b, level)));
    l.tiles.unit = dc_km_unit_of(sqrt(b->inertia / ((double)rows->part->N * (double)rows->d)));
    dc_lv_children *c = &l.children;
    c->tiles = &l.tiles;
    c->rows = &b->by_cluster;
    c->parent = centers_of(b, level - 1);
    c->child = centers_of(b, level);
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
static dc_status first_level(dc_comm *comm, builder *b, bool known)
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
    b->progress[LEVEL] = 1;
    b->progress[NOT_CONVERGED] = !r.converged;
    b->progress[RESEEDED] = r.reseeded;
    b->progress[FIRST_ITERATIONS] = r.iterations;
out:
    dc_kmeans_result_release(&r);
    return st;
}

static size_t center_values(const builder *b)
{
    return (size_t)(centers_of(b, b->cfg->n) - b->centers);
}

static dc_status keep_state(dc_comm *comm, builder *b, dc_state *state)
{
    dc_status st = DC_OK;
    const int64_t *p = b->progress;
    DC_TRY(dc_state_keep(comm, state, "levels/progress", DC_STATE_I64, PROGRESS_VALUES, b->progress, NULL));
    DC_TRY(dc_state_keep(comm, state, "levels/centers", DC_STATE_F32, center_values(b), b->centers, NULL));
    if (p[LEVEL] < 1 || p[LEVEL] > b->cfg->n || p[DONE] < 0 ||
        p[DONE] > (p[LEVEL] < b->cfg->n ? b->cfg->K[p[LEVEL] - 1] : 0))
        st = DC_FAIL(DC_ERR_FORMAT, "the checkpoint's levels of k-means do not fit any state of this run");
out:
    return st;
}

static void drop_state(builder *b, dc_state *state)
{
    dc_state_drop(state, b->progress);
    dc_state_drop(state, b->centers);
}

static dc_status next_level(dc_comm *comm, builder *b, int level)
{
    dc_status st = DC_OK;
    const double start = dc_clock_now_s();
    const int64_t *K = b->cfg->K, d = b->rows->d;
    plan_level(b, level);
    const int64_t largest = b->queue[0].rows;
    if (level == b->progress[LEVEL]) {
        DC_TRY(split_level(comm, b));
        b->progress[LEVEL]++;
        b->progress[DONE] = 0;
    }
    DC_TRY(label_level(comm, b, level));
    memcpy(b->levels->centers[level - 1], centers_of(b, level - 1), (size_t)(K[level - 1] * d) * sizeof *b->centers);
    dc_log("levels    level %d: %lld clusters, the largest of %lld rows, split into %lld; inertia %.9g, %.1f s",
           level + 1, (long long)K[level - 1], (long long)largest, (long long)K[level], b->inertia,
           dc_clock_now_s() - start);
out:
    return st;
}

static void take_result(const builder *b, dc_kmeans_result *out)
{
    const int last = b->cfg->n - 1;
    const int64_t K = b->cfg->K[last];
    memcpy(out->centers, centers_of(b, last), (size_t)(K * b->rows->d) * sizeof *out->centers);
    memcpy(out->size, b->size, (size_t)K * sizeof *out->size);
    out->inertia = b->inertia;
    out->iterations = (int)b->progress[FIRST_ITERATIONS];
    out->converged = b->progress[NOT_CONVERGED] == 0;
    out->reseeded = b->progress[RESEEDED];
}

static dc_status create(builder *b, dc_levels *levels, dc_kmeans_result *out)
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
    builder b = {.cfg = cfg, .limits = limits, .rows = rows};
    *out = (dc_kmeans_result){0};
    DC_ASSERT(cfg->n >= 2 && cfg->n <= DC_LEVELS_MAX && !rows->csr);
    DC_TRY_ALL(comm, create(&b, levels, out));
    if (rows->part->P > 1) DC_TRY(dc_comm_split(comm, rows->part->rank, &alone));
    b.alone = alone ? alone : comm;
    const bool known = dc_state_waiting(state, "levels/progress");
    if (!known) DC_TRY(first_level(comm, &b, false));
    DC_TRY(keep_state(comm, &b, state));
    if (known) DC_TRY(first_level(comm, &b, true));
    dc_state_at(state, "levels", b.progress[DONE]);
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
    return DC_MIN(SKEW * (cfg->K[level] / cfg->K[level - 1] + 1), cfg->K[level]);
}

/* What is held all the time, and what labels take at most besides. Local. */
static dc_status measure(builder *b, dc_levels *levels, dc_kmeans_result *out, dc_kmeans_needs *held, double *labels)
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
static dc_status round_needs(dc_comm *comm, const builder *b, int level, double *bytes)
{
    dc_status st = DC_OK;
    dc_part part;
    dc_kmeans_needs need;
    dc_kmeans_config cfg = b->cfg->kmeans;
    const dc_part *all = b->rows->part;
    const int64_t K = b->cfg->K[level - 1], d = b->rows->d, N = all->N;
    const int64_t rows = DC_MIN(SKEW * (N / K + 1), N), room = room_of(b, (double)N / (double)K),
                  alone = DC_MIN(rows, room);
    cfg.K = DC_MIN(likely_children(b->cfg, level), alone);
    DC_TRY_ALL(comm, dc_part_init(&part, alone, shards_of(all, alone), 1, 0));
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
    builder b = {.cfg = cfg, .limits = &LIMITS, .rows = &rows};
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
