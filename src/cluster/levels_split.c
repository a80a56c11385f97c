/* The queue of clusters to split, and who splits which.
 *
 * Ranks take clusters in rounds: the next one goes to the rank that has the fewest rows so far, until the next finds no
 * room. So the work of a round is about equal, because its clusters are of similar sizes. */
#include <stdlib.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/wish.h"
#include "levels_impl.h"

/* A cluster is cut into shards of about so many rows. */
enum { SHARD_ROWS = 256 };
static const double ITERATIONS = 10;

static int compare_waiting(const void *a, const void *b)
{
    const dc_lv_waiting *x = a, *y = b;
    if (x->rows != y->rows) return x->rows > y->rows ? -1 : 1;
    return x->cluster < y->cluster ? -1 : 1;
}

void dc_lv_plan_level(dc_lv_builder *b, int level)
{
    const int64_t K = b->cfg->K[level - 1], d = b->rows->d;
    dc_lv_rows_sort(&b->by_cluster, b->label, K);
    dc_lv_allot(b->size, K, b->cfg->K[level], b->levels->first[level - 1], b->heap);
    for (int64_t k = 0; k < K; k++) {
        b->queue[k] = (dc_lv_waiting){b->size[k], k};
        if (b->size[k] > 0) continue;
        memcpy(dc_lv_centers_of(b, level) + b->levels->first[level - 1][k] * d, dc_lv_centers_of(b, level - 1) + k * d,
               (size_t)d * sizeof *b->centers);
    }
    qsort(b->queue, (size_t)K, sizeof *b->queue, compare_waiting);
}

/* ---- Splitting clusters ------------------------------------------------------------------------------------------ */

static int64_t children_of(const dc_lv_builder *b, int64_t k)
{
    const int64_t *first = b->levels->first[b->progress[DC_LV_LEVEL] - 1];
    return first[k + 1] - first[k];
}

int dc_lv_shards_of(const dc_part *part, int64_t m)
{
    int V = 1;
    while (V < part->V && (int64_t)V * 2 * SHARD_ROWS <= m) V *= 2;
    return V;
}

static double work_of(const dc_levels_config *cfg, int64_t m, int64_t k, int64_t d)
{
    return 2 * ITERATIONS * (double)m * (double)k * (double)d * cfg->kmeans.n_init;
}

int64_t dc_lv_room_of(const dc_lv_builder *b, double mean)
{
    const dc_part *part = b->rows->part;
    const int64_t row = DC_MAX(b->rows->d, (int64_t)1) * (int64_t)sizeof(float), few = b->limits->room_bytes / row,
                  P = part->P, own = (part->N + P - 1) / P;
    const int64_t wanted = DC_MIN(DC_MAX(few, (int64_t)(DC_LV_SKEW * mean)), own);
    return DC_MAX(wanted, P * SHARD_ROWS);
}

/* Whether all ranks split this cluster together. Fewer rows than shards for all of them are few enough for one. */
static bool is_shared(const dc_lv_builder *b, const dc_lv_waiting *w, int64_t room)
{
    const dc_part *part = b->rows->part;
    if (part->P == 1 || dc_lv_shards_of(part, w->rows) < part->P) return false;
    return w->rows > room || work_of(b->cfg, w->rows, children_of(b, w->cluster), b->rows->d) > b->limits->flops;
}

static uint64_t seed_of(uint64_t seed, int level, int64_t k)
{
    uint32_t w[4];
    dc_rng4(seed, DC_STREAM_LEVELS, (uint64_t)level, (uint64_t)k, w);
    return (uint64_t)w[0] << 32 | w[1];
}

/* k-means of the rows X of cluster k, of which there are m in all. Collective over `comm`. */
static dc_status split(dc_comm *comm, dc_lv_builder *b, int64_t k, int64_t m, const float *X)
{
    dc_status st = DC_OK;
    dc_part part;
    dc_kmeans_result r = {0};
    dc_kmeans_config cfg = b->cfg->kmeans;
    const int level = (int)b->progress[DC_LV_LEVEL];
    const int64_t d = b->rows->d, first = b->levels->first[level - 1][k];
    DC_TRY_ALL(comm, dc_part_init(&part, m, dc_lv_shards_of(b->rows->part, m), dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = dc_rows_of_array(&part, X, &d);
    cfg.K = children_of(b, k);
    cfg.n_init = cfg.K == 1 || cfg.K == m ? 1 : cfg.n_init;
    cfg.seed = seed_of(cfg.seed, level, k);
    cfg.state = NULL;
    cfg.quiet = true;
    DC_TRY(dc_kmeans(comm, &rows, &cfg, &r));
    memcpy(dc_lv_centers_of(b, level) + first * d, r.centers, (size_t)(cfg.K * d) * sizeof *r.centers);
    if (dc_comm_rank(comm) > 0) goto out;
    b->found[DC_LV_NOT_CONVERGED] += !r.converged;
    b->found[DC_LV_RESEEDED] += r.reseeded;
out:
    dc_kmeans_result_release(&r);
    return st;
}

/* All ranks split the next cluster of the queue together. Collective. */
static dc_status split_shared(dc_comm *comm, dc_lv_builder *b, const dc_lv_waiting *w)
{
    dc_status st = DC_OK;
    float *X = NULL;
    dc_part part;
    const dc_part *all = b->rows->part;
    DC_TRY_ALL(comm, dc_part_init(&part, w->rows, dc_lv_shards_of(all, w->rows), all->P, all->rank));
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
static int taker_of(const dc_lv_builder *b, const dc_lv_waiting *w, int64_t room)
{
    int least = 0;
    for (int r = 1; r < b->rows->part->P; r++)
        if (b->taken[r] < b->taken[least]) least = r;
    const double work = work_of(b->cfg, w->rows, children_of(b, w->cluster), b->rows->d);
    const bool fits = b->taken[least] + w->rows <= room && b->work[least] + work <= b->limits->flops;
    return fits || b->taken[least] == 0 ? least : -1;
}

/* Gives clusters of the queue, from `next` on, to ranks: taker[i] of cluster next + i. Returns how many. */
static int64_t share_out(dc_lv_builder *b, int64_t next, int64_t room, int32_t *taker)
{
    const int P = b->rows->part->P;
    const int64_t K = b->cfg->K[b->progress[DC_LV_LEVEL] - 1];
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
static dc_status bring_rows(dc_comm *comm, dc_lv_builder *b, int64_t next, int64_t n, const int32_t *taker, float *X)
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
static dc_status split_own(dc_lv_builder *b, int64_t next, int64_t n, const int32_t *taker, const float *X)
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
static void spread_centers(dc_comm *comm, dc_lv_builder *b, int64_t next, int64_t n, const int32_t *taker)
{
    const int64_t d = b->rows->d, *first = b->levels->first[b->progress[DC_LV_LEVEL] - 1];
    float *centers = dc_lv_centers_of(b, (int)b->progress[DC_LV_LEVEL]);
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = b->queue[next + i].cluster;
        dc_comm_bcast(comm, centers + first[k] * d, (size_t)((first[k + 1] - first[k]) * d) * sizeof *centers,
                      taker[i]);
    }
}

/* Each rank splits clusters of its own. *n: clusters of the queue that were split. Collective. */
static dc_status split_round(dc_comm *comm, dc_lv_builder *b, int64_t room, int32_t *taker, int64_t *n)
{
    dc_status st = DC_OK;
    float *X = NULL;
    const int64_t next = b->progress[DC_LV_DONE];
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
static dc_status split_next(dc_comm *comm, dc_lv_builder *b, int64_t room, int32_t *taker)
{
    dc_status st = DC_OK;
    dc_state *state = b->cfg->kmeans.state;
    const dc_lv_waiting *w = &b->queue[b->progress[DC_LV_DONE]];
    int64_t n = 1;
    memset(b->found, 0, sizeof b->found);
    st = is_shared(b, w, room) ? split_shared(comm, b, w) : split_round(comm, b, room, taker, &n);
    if (st == DC_STOPPED) {
        DC_TRY(dc_state_end_phase(comm, state));
        return DC_STOPPED;
    }
    if (st != DC_OK) return st;
    dc_comm_sum_i64(comm, b->found, DC_LV_FOUND_VALUES);
    for (int i = 0; i < DC_LV_FOUND_VALUES; i++) b->progress[i] += b->found[i];
    b->progress[DC_LV_DONE] += n;
    dc_state_at(state, "levels", b->progress[DC_LV_DONE]);
    DC_TRY(state ? dc_state_poll(comm, state) : dc_wish_poll_stop(comm));
out:
    return st;
}

dc_status dc_lv_split_level(dc_comm *comm, dc_lv_builder *b)
{
    dc_status st = DC_OK;
    int32_t *taker = NULL;
    const int64_t K = b->cfg->K[b->progress[DC_LV_LEVEL] - 1];
    const int64_t room = dc_lv_room_of(b, (double)b->rows->part->N / (double)K);
    DC_TRY_ALL(comm, dc_mem_alloc(&taker, (size_t)K, sizeof *taker, "clusters to split"));
    while (b->progress[DC_LV_DONE] < K && b->queue[b->progress[DC_LV_DONE]].rows > 0)
        DC_TRY(split_next(comm, b, room, taker));
out:
    dc_mem_free(&taker);
    return st;
}
