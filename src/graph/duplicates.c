/* The search for near-duplicates. Rows go to places in the order of their clusters; a rank that holds part of a cluster
 * compares it with its own rows, then with blocks of other ranks that hold more of it or of its neighbours. Of two
 * ranks only one compares their rows: in step s rank r takes what it needs from rank r - s, for s up to P/2. A forest
 * over this rank's rows and the block leaves of all pairs only those that join two groups: what is kept does not grow
 * with the number of pairs. A block is of one shard of the places, so that a search that was stopped can tell, on any
 * number of ranks, which rows are compared (duplicates_done.h). */
#include "graph/duplicates.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/beat.h"
#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/order.h"
#include "dcmpi/wish.h"
#include "graph/duplicates_done.h"
#include "graph/groups.h"
#include "graph/knn.h"

typedef struct {
    const dc_duplicates_config *cfg;
    const dc_part *part;
    int64_t d, n;
    dc_duplicates *out;
    dc_pairs_plan plan;
    int64_t *first, *link_start; /* of the plan, owned */
    int32_t *link;
    dc_pairs_rows own, block;
    dc_gidx *row, *block_row;   /* [n], [capacity] */
    float *X, *block_X, *image; /* [n x d], [capacity x d] twice */
    double *norm, *block_norm;
    int64_t *tile; /* [tiles + 1], each within one shard */
    int64_t tiles;
    int64_t *shard_tile; /* [shards of this rank + 1] first tile of each */
    dc_pairs_scratch *scratch;
    int threads;
    int64_t capacity; /* rows of a block */
    int64_t *parent;  /* [n + capacity]: forest */
    dc_edge *edge;
    int64_t n_edges, room, visited; /* edges: how many, how many fit; rows of blocks of other ranks so far, and edges
                                       that an earlier search found */
    dc_pair *pair;                  /* [pairs_max]; NULL: they are not listed */
    int64_t n_pairs;
    bool too_many; /* pairs of this rank */
    dc_pairs_done done;
    size_t *send, *get; /* [P] bytes */
    int64_t *rounds; /* [P/2 + 1] blocks that a rank compares its rows with, at most: its own, of the rank before... */
    int64_t round, all; /* rounds that are over, and all of them */
} search;

/* A walk through the blocks of a rank with which this rank compares its rows. */
typedef struct {
    int owner, shard; /* of the block */
    dc_gidx lo;       /* its first place */
    int64_t n;        /* rows; 0: there is no further block */
    dc_gidx next;     /* where the one after it begins */
} walk;

/* ---- Clusters ---------------------------------------------------------------------------------------------------- */

static int compare_links(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* near[K x m]: the nearest clusters of each. Links go both ways, each once. */
static void fill_links(search *s, const dc_gidx *near, int64_t m)
{
    const int64_t K = s->cfg->K;
    int64_t *start = s->link_start, at = 0;
    for (int64_t k = 0; k < K; k++)
        for (int64_t e = 0; e < m; e++) {
            start[k + 1]++;
            start[near[k * m + e] + 1]++;
        }
    for (int64_t k = 0; k < K; k++) start[k + 1] += start[k];
    for (int64_t k = 0; k < K; k++)
        for (int64_t e = 0; e < m; e++) {
            const dc_gidx other = near[k * m + e];
            s->link[start[k]++] = (int32_t)other;
            s->link[start[other]++] = (int32_t)k;
        }
    for (int64_t k = K; k > 0; k--) start[k] = start[k - 1];
    start[0] = 0;
    for (int64_t k = 0, from = 0, to; k < K; k++, from = to) {
        to = start[k + 1];
        qsort(s->link + from, (size_t)(to - from), sizeof *s->link, compare_links);
        start[k] = at;
        for (int64_t e = from; e < to; e++)
            if (e == from || s->link[e] != s->link[e - 1]) s->link[at++] = s->link[e];
    }
    start[K] = at;
}

/* The nearest clusters of each, found by the search for neighbours among their centres. */
static dc_status link_clusters(dc_comm *comm, search *s)
{
    dc_status st = DC_OK;
    dc_part part;
    dc_knn knn = {0};
    dc_gidx *near = NULL;
    const int64_t K = s->cfg->K, m = s->cfg->probe;
    const int P = s->part->P;
    if (m == 0) return DC_OK;
    DC_TRY(dc_part_init(&part, K, s->part->V, P, s->part->rank));
    const float *mine = s->cfg->centers + part.row_lo * s->cfg->width;
    const dc_rows rows = {.part = &part, .d = s->cfg->width, .X = mine};
    DC_TRY(dc_knn_find(comm, &rows, &(dc_knn_config){.k = m, .metric = DC_METRIC_EUCLIDEAN}, &knn));
    DC_TRY_ALL(comm, dc_mem_alloc(&near, (size_t)(K * m), sizeof *near, "near clusters"));
    for (int r = 0; r < P; r++) s->get[r] = (size_t)(dc_part_rank_rows(&part, r) * m) * sizeof *near;
    dc_comm_allgatherv(comm, knn.row, near, s->get);
    fill_links(s, near, m);
out:
    dc_knn_release(&knn);
    dc_mem_free(&near);
    return st;
}

static bool is_linked(const dc_pairs_plan *p, int64_t from, int64_t to, int64_t lo, int64_t hi)
{
    if (from <= hi && to >= lo) return true;
    for (int64_t e = p->link_start[from]; e < p->link_start[to + 1]; e++)
        if (p->link[e] >= lo && p->link[e] <= hi) return true;
    return false;
}

/* Whether rows of a shard of `owner` are still to be compared with some of this rank's; of its own rows, those of a
 * shard are compared with those of the shards up to it. */
static bool is_wanted(const search *s, int owner, int shard)
{
    const dc_part *part = s->part;
    const int end = owner == part->rank ? shard + 1 : part->shard_hi;
    for (int a = part->shard_lo; a < end; a++)
        if (!dc_pairs_were_done(&s->done, a, shard)) return true;
    return false;
}

static bool needs_block(const search *s, const walk *w)
{
    const dc_pairs_plan *p = &s->plan;
    return s->n > 0 && is_linked(p, dc_pairs_cluster(p, w->lo), dc_pairs_cluster(p, w->lo + w->n - 1),
                                 dc_pairs_cluster(p, s->part->row_lo), dc_pairs_cluster(p, s->part->row_hi - 1));
}

static walk begin_walk(const search *s, int owner)
{
    const int shard = dc_part_rank_shard(s->part, owner);
    return (walk){.owner = owner, .shard = shard, .next = dc_part_shard_begin(s->part, shard)};
}

/* Goes to the next block that this rank needs. */
static void next_block(const search *s, walk *w)
{
    const int end = dc_part_rank_shard(s->part, w->owner + 1);
    for (; w->shard < end; w->shard++) {
        const dc_gidx stop = dc_part_shard_begin(s->part, w->shard + 1);
        if (w->next < stop && !is_wanted(s, w->owner, w->shard)) w->next = stop;
        while (w->next < stop) {
            w->lo = w->next;
            w->n = DC_MIN(s->capacity, stop - w->lo);
            w->next += w->n;
            if (needs_block(s, w)) return;
        }
    }
    w->n = 0;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static dc_status take_plan(search *s)
{
    dc_status st = DC_OK;
    const size_t K = (size_t)s->cfg->K, P = (size_t)s->part->P;
    DC_TRY(dc_mem_alloc(&s->first, K + 1, sizeof *s->first, "clusters"));
    DC_TRY(dc_mem_alloc(&s->link_start, K + 1, sizeof *s->link_start, "clusters"));
    DC_TRY(dc_mem_alloc(&s->link, 2 * K * (size_t)s->cfg->probe, sizeof *s->link, "near clusters"));
    DC_TRY(dc_pairs_done_take(s->cfg, &s->done));
    DC_TRY(dc_mem_alloc(&s->rounds, P / 2 + 1, sizeof *s->rounds, "rank table"));
    DC_TRY(dc_mem_alloc(&s->send, P, sizeof *s->send, "rank table"));
    DC_TRY(dc_mem_alloc(&s->get, P, sizeof *s->get, "rank table"));
    DC_TRY(dc_mem_alloc(&s->out->pairs_of, K, sizeof *s->out->pairs_of, "clusters"));
    DC_TRY(dc_mem_alloc(&s->out->removed_of, K, sizeof *s->out->removed_of, "clusters"));
    for (size_t k = 0; k < K; k++) s->first[k + 1] = s->first[k] + s->cfg->size[k];
    s->plan.first = s->first;
    s->plan.link_start = s->link_start;
    s->plan.link = s->link;
out:
    return st;
}

static dc_status take_scratch(search *s)
{
    dc_status st = DC_OK;
    const size_t tile = DC_PAIRS_TILE;
    DC_TRY(dc_mem_alloc(&s->scratch, (size_t)s->threads, sizeof *s->scratch, "threads of the search"));
    for (int t = 0; t < s->threads; t++) {
        dc_pairs_scratch *c = &s->scratch[t];
        DC_TRY(dc_mem_alloc(&c->image, tile * (size_t)s->d, sizeof *c->image, "tile of rows"));
        DC_TRY(dc_mem_alloc(&c->product, tile * tile, sizeof *c->product, "products of rows"));
        DC_TRY(dc_mem_alloc(&c->hit, tile * tile, sizeof *c->hit, "pairs of rows"));
    }
out:
    return st;
}

static dc_status take_result(search *s)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)s->n;
    DC_TRY(dc_mem_alloc(&s->out->kept, n, sizeof *s->out->kept, "kept rows"));
    DC_TRY(dc_mem_alloc(&s->out->group, n, sizeof *s->out->group, "groups of rows"));
out:
    return st;
}

static dc_status take(search *s)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)s->n, d = (size_t)s->d, rows = (size_t)s->capacity, some = n + rows;
    DC_TRY(dc_mem_alloc(&s->image, dc_mul_size(rows, d), sizeof *s->image, "block of rows"));
    if (s->part->P > 1) DC_TRY(dc_mem_alloc(&s->block_X, dc_mul_size(rows, d), sizeof *s->block_X, "block of rows"));
    DC_TRY(dc_mem_alloc(&s->block_row, rows, sizeof *s->block_row, "block of rows"));
    DC_TRY(dc_mem_alloc(&s->block_norm, rows, sizeof *s->block_norm, "lengths of rows"));
    DC_TRY(dc_mem_alloc(&s->parent, some, sizeof *s->parent, "groups of rows"));
    s->visited = s->cfg->from ? s->cfg->from->n_edges : 0;
    s->room = s->n + s->visited;
    DC_TRY(dc_mem_alloc(&s->edge, (size_t)s->room, sizeof *s->edge, "pairs that join groups"));
    if (s->cfg->pairs_max > 0 && (!s->cfg->from || s->cfg->from->listed))
        DC_TRY(dc_mem_alloc_pages(&s->pair, (size_t)s->cfg->pairs_max, sizeof *s->pair, "list of pairs"));
    DC_TRY(take_scratch(s));
out:
    return st;
}

/* Takes over what an earlier search found; the counts, of all ranks, on rank 0. */
static void take_over(search *s)
{
    const dc_duplicates_state *from = s->cfg->from;
    if (!from) return;
    if (from->n_edges) memcpy(s->edge, from->edge, (size_t)from->n_edges * sizeof *s->edge);
    s->done.n_edges = s->n_edges = from->n_edges;
    if (s->pair && from->n_pairs) {
        memcpy(s->pair, from->pair, (size_t)from->n_pairs * sizeof *s->pair);
        s->done.n_pairs = s->n_pairs = from->n_pairs;
    }
    if (s->part->rank > 0) return;
    s->out->pairs = from->pairs;
    s->out->across = from->across;
    memcpy(s->out->pairs_of, from->pairs_of, (size_t)s->cfg->K * sizeof *from->pairs_of);
}

static void release(search *s)
{
    for (int t = 0; s->scratch && t < s->threads; t++) {
        dc_mem_free(&s->scratch[t].image);
        dc_mem_free(&s->scratch[t].product);
        dc_mem_free(&s->scratch[t].hit);
    }
    dc_mem_free(&s->scratch);
    dc_mem_free(&s->first);
    dc_mem_free(&s->link_start);
    dc_mem_free(&s->link);
    dc_mem_free(&s->row);
    dc_mem_free(&s->block_row);
    dc_mem_free(&s->X);
    dc_mem_free(&s->block_X);
    dc_mem_free(&s->image);
    dc_mem_free(&s->norm);
    dc_mem_free(&s->block_norm);
    dc_mem_free(&s->tile);
    dc_mem_free(&s->shard_tile);
    dc_mem_free(&s->parent);
    dc_mem_free(&s->edge);
    dc_mem_free(&s->pair);
    dc_mem_free(&s->rounds);
    dc_mem_free(&s->send);
    dc_mem_free(&s->get);
    dc_pairs_done_release(&s->done);
}

/* Rows of other ranks' blocks that this rank visits, at most: half of all with neighbouring clusters, else those of the
 * clusters in which its rows begin and end. */
static double most_visited(const dc_duplicates_config *cfg)
{
    const dc_part *part = cfg->rows->part;
    const double n = (double)dc_part_rows(part), capacity = (double)dc_knn_block_rows(part, cfg->rows->d),
                 all = ((double)part->N - n) / 2 + n + capacity;
    double near = 2 * capacity;
    dc_gidx first = 0;
    if (part->P == 1 || n == 0) return 0;
    if (cfg->probe > 0) return fmin(all, (double)part->N - n);
    for (int64_t k = 0; k < cfg->K; first += cfg->size[k++]) {
        const dc_gidx end = first + cfg->size[k];
        if (end > part->row_lo && first < part->row_hi && (first < part->row_lo || end > part->row_hi))
            near += (double)cfg->size[k];
    }
    return fmin(fmin(near, all), (double)part->N - n);
}

static double linking_bytes(const dc_duplicates_config *cfg)
{
    dc_part clusters;
    const dc_part *part = cfg->rows->part;
    if (dc_part_init(&clusters, cfg->K, part->V, part->P, part->rank) != DC_OK) return 0; /* its start fails, too */
    return dc_knn_bytes(&clusters, cfg->width, cfg->probe);
}

double dc_duplicates_bytes(const dc_duplicates_config *cfg)
{
    const dc_part *part = cfg->rows->part;
    const double n = (double)dc_part_rows(part), d = (double)cfg->rows->d, K = (double)cfg->K, m = (double)cfg->probe,
                 rows = (double)dc_knn_block_rows(part, cfg->rows->d), threads = omp_get_max_threads(),
                 tile = DC_PAIRS_TILE, edges = n + most_visited(cfg) + (cfg->from ? (double)cfg->from->n_edges : 0),
                 row = d * sizeof(float);
    const double shards = (double)(part->shard_hi - part->shard_lo + 1) * sizeof(int64_t) + dc_pairs_done_bytes(cfg),
                 clusters = K * (4 * sizeof(int64_t) + 2 * m * sizeof(int32_t)) + shards,
                 near = m > 0 ? K * m * sizeof(dc_gidx) + linking_bytes(cfg) : 0, result = n * 2 * sizeof(int64_t),
                 held = n * (row + 4 * sizeof(int64_t)), listed = (double)cfg->pairs_max * sizeof(dc_pair);
    const double ordering = n * (sizeof(dc_sort_key) + sizeof(int64_t)) + dc_order_bytes(part),
                 moving = n * (row + 3 * sizeof(int64_t)) + dc_items_move_bytes(part, (size_t)row),
                 searching = held + rows * (2 * row + 3 * sizeof(int64_t)) + 2 * edges * sizeof(dc_edge) +
                             threads * tile * (row + tile * (sizeof(float) + sizeof(dc_pairs_hit))) + listed,
                 grouping = edges * sizeof(dc_edge) + listed + n * sizeof(double) + dc_groups_bytes(part, edges),
                 sorting = edges * sizeof(dc_edge) + 2 * listed;
    return clusters + near + result + fmax(fmax(fmax(ordering, moving), searching), fmax(grouping, sorting));
}

/* ---- Rows in the order of clusters ------------------------------------------------------------------------------- */

static dc_status order_rows(dc_comm *comm, search *s, dc_gidx *place)
{
    dc_status st = DC_OK;
    dc_sort_key *key = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&key, (size_t)s->n, sizeof *key, "order of rows"));
    for (int64_t i = 0; i < s->n; i++) key[i] = (dc_sort_key){.first = s->cfg->label[i], .row = s->part->row_lo + i};
    DC_TRY(dc_order(comm, s->part, key));
    for (int64_t i = 0; i < s->n; i++) s->row[i] = key[i].row;
    dc_mem_free(&key);
    dc_gidx *here = s->out->group; /* not used yet */
    for (int64_t i = 0; i < s->n; i++) here[i] = s->part->row_lo + i;
    DC_TRY(dc_items_move(comm, s->part, s->row, &(dc_items){sizeof *here, .array = here}, place));
out:
    dc_mem_free(&key);
    return st;
}

static void cut_tiles(search *s)
{
    const dc_part *part = s->part;
    s->tiles = 0;
    for (int shard = part->shard_lo; shard < part->shard_hi; shard++) {
        const int64_t end = dc_part_shard_begin(part, shard + 1) - part->row_lo;
        s->shard_tile[shard - part->shard_lo] = s->tiles;
        for (int64_t lo = dc_part_shard_begin(part, shard) - part->row_lo; lo < end; s->tiles++) {
            const int64_t k = dc_pairs_cluster(&s->plan, part->row_lo + lo);
            s->tile[s->tiles] = lo;
            lo = DC_MIN(DC_MIN(lo + DC_PAIRS_TILE, end), s->first[k + 1] - part->row_lo);
        }
    }
    s->shard_tile[part->shard_hi - part->shard_lo] = s->tiles;
    s->tile[s->tiles] = s->n;
}

static dc_status bring_together(dc_comm *comm, search *s)
{
    dc_status st = DC_OK;
    dc_gidx *place = NULL;
    const size_t n = (size_t)s->n, bytes = (size_t)s->d * sizeof *s->X;
    const dc_items floats = {bytes, .array = s->cfg->rows->X};
    DC_TRY_ALL(comm, dc_mem_alloc(&place, n, sizeof *place, "places of rows"));
    DC_TRY_ALL(comm, dc_mem_alloc(&s->row, n, sizeof *s->row, "places of rows"));
    DC_TRY(order_rows(comm, s, place));
    DC_TRY_ALL(comm, dc_mem_alloc(&s->X, n, bytes, "rows by clusters"));
    DC_TRY(dc_items_move(comm, s->part, place, s->cfg->items ? s->cfg->items : &floats, s->X));
    DC_TRY_ALL(comm, dc_mem_alloc(&s->norm, n, sizeof *s->norm, "lengths of rows"));
    DC_TRY_ALL(comm, dc_mem_alloc(&s->tile, n + 1, sizeof *s->tile, "tiles"));
    DC_TRY_ALL(comm, dc_mem_alloc(&s->shard_tile, (size_t)(s->part->shard_hi - s->part->shard_lo) + 1,
                                  sizeof *s->shard_tile, "tiles"));
    cut_tiles(s);
    s->own = (dc_pairs_rows){.lo = s->part->row_lo, .n = s->n, .X = s->X, .norm = s->norm, .row = s->row};
    int64_t zeros = dc_pairs_project(s->n, s->d, s->X, s->norm, NULL);
    DC_TRY_ALL(comm, zeros >= 0 ? DC_OK : DC_FAIL(DC_ERR_NUMERIC, "rows that are not finite have no cosine"));
    dc_comm_sum_i64(comm, &zeros, 1);
    s->out->zeros = zeros;
out:
    dc_mem_free(&place);
    return st;
}

/* ---- Pairs that are found ---------------------------------------------------------------------------------------- */

static int64_t root_of(int64_t *parent, int64_t i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

static bool join(search *s, int64_t i, int64_t j)
{
    const int64_t a = root_of(s->parent, i), b = root_of(s->parent, j);
    s->parent[DC_MAX(a, b)] = DC_MIN(a, b);
    return a != b;
}

static void list_pair(search *s, dc_gidx a, dc_gidx b, double cosine)
{
    if (!s->pair || s->too_many) return;
    s->too_many = s->n_pairs == s->cfg->pairs_max;
    if (!s->too_many) s->pair[s->n_pairs++] = (dc_pair){DC_MIN(a, b), DC_MAX(a, b), cosine};
}

static void found(void *ctx, const dc_pairs_hit *hit, int64_t n)
{
    search *s = ctx;
    const dc_pairs_rows *b = &s->block;
    const int64_t k = dc_pairs_cluster(&s->plan, s->part->row_lo + hit->i),
                  other = dc_pairs_cluster(&s->plan, b->lo + hit->j); /* a tile and a panel are each of one cluster */
    const bool is_own = b->lo >= s->part->row_lo && b->lo < s->part->row_hi;
    s->done.fresh += n;
    *(k == other ? &s->done.fresh_of[k] : &s->done.fresh_across) += n;
    for (int64_t h = 0; h < n; h++) {
        const dc_gidx a = s->row[hit[h].i], c = b->row[hit[h].j];
        const int64_t node = is_own ? b->lo - s->part->row_lo + hit[h].j : s->n + hit[h].j;
        if (join(s, hit[h].i, node)) s->edge[s->n_edges++] = (dc_edge){a, c};
        list_pair(s, a, c, hit[h].cosine);
    }
}

/* Makes room for the edges of a block of another rank: joins are at most as many as rows seen so far. */
static dc_status make_room(search *s, int64_t rows)
{
    dc_status st = DC_OK;
    dc_edge *more = NULL;
    s->visited += rows;
    for (int64_t i = 0; i < rows; i++) s->parent[s->n + i] = s->n + i;
    if (s->n + s->visited <= s->room) return DC_OK;
    const int64_t room = s->n + 2 * s->visited;
    DC_TRY(dc_mem_alloc_raw(&more, (size_t)room, sizeof *more, "pairs that join groups"));
    memcpy(more, s->edge, (size_t)s->n_edges * sizeof *more);
    dc_mem_free(&s->edge);
    s->edge = more;
    s->room = room;
out:
    return st;
}

/* The block with tiles of this rank's shards [lo, hi), which are not yet compared with it. */
static void compare_shards(search *s, bool among_own, int lo, int hi)
{
    const int64_t first = s->shard_tile[lo - s->part->shard_lo], end = s->shard_tile[hi - s->part->shard_lo];
    dc_pairs_compare(&(dc_pairs_visit){.plan = &s->plan,
                                       .own = &s->own,
                                       .block = &s->block,
                                       .tile = s->tile + first,
                                       .tiles = end - first,
                                       .among_own = among_own,
                                       .wants_cosine = s->pair != NULL,
                                       .scratch = s->scratch,
                                       .found = found,
                                       .ctx = s});
}

/* The block, which is of this shard, with all of this rank's rows that are still to be compared with it. */
static void compare_block(search *s, int shard, bool among_own)
{
    dc_pairs_rows *b = &s->block;
    const int end = among_own ? shard + 1 : s->part->shard_hi;
    if (b->n == 0 || s->n == 0) return;
    dc_pairs_project(b->n, s->d, b->X, s->block_norm, s->image);
    b->norm = s->block_norm;
    b->image = s->image;
    for (int lo = s->part->shard_lo, hi; lo < end; lo = hi + 1) {
        hi = lo;
        while (hi < end && !dc_pairs_were_done(&s->done, hi, shard)) hi++;
        if (hi > lo) compare_shards(s, among_own, lo, hi);
    }
}

/* The block of the walk is compared, and w stands at the next one: if that is of another shard, this one is done. */
static void mark_shard(search *s, int shard, const walk *w)
{
    const dc_part *part = s->part;
    if (w->n > 0 && w->shard == shard) return;
    const int end = w->owner == part->rank ? shard + 1 : part->shard_hi;
    dc_pairs_mark(&s->done, shard, part->shard_lo, end, s->n_edges, s->n_pairs, s->out);
}

/* Collective. */
static dc_status save(dc_comm *comm, search *s, bool stops, bool ends)
{
    dc_duplicates_state state;
    dc_wish *wish = dc_comm_wish(comm);
    const double start = dc_clock_now_s();
    if (s->done.words == 0) return DC_OK;
    dc_wish_save_begins(wish);
    dc_pairs_state(comm, &s->done, s->out, &state);
    state.edge = s->edge;
    state.n_edges = s->done.n_edges;
    state.listed = s->pair != NULL;
    state.pair = s->pair;
    state.n_pairs = s->pair ? s->done.n_pairs : 0;
    const dc_status st = s->cfg->save(comm, s->cfg->ctx, &state, stops, ends);
    (void)dc_wish_save_ends(wish, start, st == DC_OK);
    return st;
}

/* Saves and stops as wished. Collective. */
static dc_status obey(dc_comm *comm, search *s)
{
    dc_status st = DC_OK;
    bool stops = false;
    dc_wish *wish = dc_comm_wish(comm);
    dc_wish_poll(comm, wish);
    if (!dc_wish_takes_save(wish, &stops)) return DC_OK;
    DC_TRY_ALL(comm, DC_OK); /* an error may be the reason (dc_error_late) */
    if (stops) dc_wish_agree_on_reason(comm, wish);
    DC_TRY(save(comm, s, stops, false));
    if (stops) st = DC_STOPPED;
out:
    return st;
}

/* After each step: the list is given up everywhere when all ranks' pairs are too many. Collective. */
static dc_status end_step(dc_comm *comm, search *s)
{
    if (s->pair) {
        int64_t all[2] = {s->n_pairs, s->too_many};
        dc_comm_sum_i64(comm, all, DC_COUNT_OF(all));
        if (all[0] > s->cfg->pairs_max || all[1]) dc_mem_free(&s->pair);
    }
    dc_beat_at("duplicates", ++s->round);
    if (s->cfg->progress) s->cfg->progress(s->cfg->ctx, s->round, s->all);
    return obey(comm, s);
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

/* The rank `shift` before this one. */
static int rank_before(const search *s, int shift)
{
    return (s->part->rank + s->part->P - shift) % s->part->P;
}

/* The blocks of that rank that this rank compares its rows with; half way round there are two ways to a rank. */
static walk begin_shift(const search *s, int shift)
{
    walk w = begin_walk(s, rank_before(s, shift));
    if (2 * shift == s->part->P && shift > s->part->rank) return w;
    next_block(s, &w);
    return w;
}

static void plan_rounds(dc_comm *comm, search *s)
{
    const int shifts = s->part->P / 2;
    for (int shift = 0; shift <= shifts; shift++)
        for (walk w = begin_shift(s, shift); w.n > 0; next_block(s, &w)) s->rounds[shift]++;
    dc_comm_max_i64(comm, s->rounds, (size_t)shifts + 1);
    for (int shift = 0; shift <= shifts; shift++) s->all += s->rounds[shift];
}

static dc_status compare_own(dc_comm *comm, search *s)
{
    dc_status st = DC_OK;
    walk w = begin_shift(s, 0);
    for (int64_t r = 0; r < s->rounds[0]; r++) {
        if (w.n > 0) {
            const int64_t lo = w.lo - s->part->row_lo;
            const int shard = w.shard;
            s->block = (dc_pairs_rows){.lo = w.lo, .n = w.n, .X = s->X + lo * s->d, .row = s->row + lo};
            compare_block(s, shard, true);
            next_block(s, &w);
            mark_shard(s, shard, &w);
        }
        DC_TRY(end_step(comm, s));
    }
out:
    return st;
}

static void send_to(const search *s, int to, size_t send, int from, size_t get)
{
    memset(s->send, 0, (size_t)s->part->P * sizeof *s->send);
    memset(s->get, 0, (size_t)s->part->P * sizeof *s->get);
    s->send[to] = send;
    s->get[from] = get;
}

/* Gets the block of the walk, or none, and gives rank `to` the one that it asks for. Collective. */
static void exchange_block(dc_comm *comm, search *s, const walk *w, int to)
{
    struct {
        dc_gidx lo;
        int64_t n;
    } ask = {w->lo, w->n}, asked = {0};
    const size_t row = (size_t)s->d * sizeof *s->X;
    send_to(s, w->owner, sizeof ask, to, sizeof asked);
    dc_comm_alltoallv(comm, &ask, s->send, &asked, s->get);
    const int64_t lo = asked.n ? asked.lo - s->part->row_lo : 0;
    send_to(s, to, (size_t)asked.n * row, w->owner, (size_t)w->n * row);
    dc_comm_alltoallv(comm, s->X + lo * s->d, s->send, s->block_X, s->get);
    send_to(s, to, (size_t)asked.n * sizeof *s->row, w->owner, (size_t)w->n * sizeof *s->row);
    dc_comm_alltoallv(comm, s->row + lo, s->send, s->block_row, s->get);
    s->block = (dc_pairs_rows){.lo = w->lo, .n = w->n, .X = s->block_X, .row = s->block_row};
}

/* This rank's rows with those of the rank `shift` before it. */
static dc_status compare_with(dc_comm *comm, search *s, int shift)
{
    dc_status st = DC_OK;
    const int to = (s->part->rank + shift) % s->part->P;
    walk w = begin_shift(s, shift);
    for (int64_t r = 0; r < s->rounds[shift]; r++) {
        const int shard = w.shard;
        const bool any = w.n > 0;
        DC_TRY_ALL(comm, make_room(s, w.n));
        exchange_block(comm, s, &w, to);
        if (any) {
            compare_block(s, shard, false);
            next_block(s, &w);
            mark_shard(s, shard, &w);
        }
        DC_TRY(end_step(comm, s));
    }
out:
    return st;
}

static dc_status compare_all(dc_comm *comm, search *s)
{
    dc_status st = DC_OK;
    for (int64_t i = 0; i < s->n; i++) s->parent[i] = i;
    plan_rounds(comm, s);
    DC_TRY(compare_own(comm, s));
    for (int shift = 1; shift <= s->part->P / 2; shift++) DC_TRY(compare_with(comm, s, shift));
    st = save(comm, s, false, true);
out:
    return st;
}

/* ---- The list of pairs ------------------------------------------------------------------------------------------- */

static int compare_pairs(const void *x, const void *y)
{
    const dc_pair *p = x, *q = y;
    if (p->a != q->a) return p->a < q->a ? -1 : 1;
    return (p->b > q->b) - (p->b < q->b);
}

/* Each pair goes to the owner of its first row. */
static dc_status sort_pairs(dc_comm *comm, search *s)
{
    dc_status st = DC_OK;
    size_t bytes = 0;
    const int P = s->part->P;
    size_t *one = NULL;
    if (!s->pair) return DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(&one, (size_t)P, sizeof *one, "rank table"));
    if (s->n_pairs) qsort(s->pair, (size_t)s->n_pairs, sizeof *s->pair, compare_pairs);
    memset(s->send, 0, (size_t)P * sizeof *s->send);
    for (int64_t e = 0, r = 0; e < s->n_pairs; e++) {
        while (s->pair[e].a >= dc_part_rank_begin(s->part, (int)r + 1)) r++;
        s->send[r] += sizeof *s->pair;
    }
    for (int r = 0; r < P; r++) one[r] = sizeof *s->send;
    dc_comm_alltoallv(comm, s->send, one, s->get, one);
    for (int r = 0; r < P; r++) bytes += s->get[r];
    s->out->n_pairs = (int64_t)(bytes / sizeof *s->pair);
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&s->out->pair, (size_t)s->out->n_pairs, sizeof *s->pair, "list of pairs"));
    dc_comm_alltoallv(comm, s->pair, s->send, s->out->pair, s->get);
    if (bytes) qsort(s->out->pair, (size_t)s->out->n_pairs, sizeof *s->pair, compare_pairs);
    s->out->listed = true;
out:
    dc_mem_free(&one);
    return st;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

/* Memory for rows goes before that for groups comes. */
static void drop_rows(search *s)
{
    dc_mem_free(&s->X);
    dc_mem_free(&s->block_X);
    dc_mem_free(&s->image);
    dc_mem_free(&s->parent);
    dc_mem_free(&s->row);
    dc_mem_free(&s->norm);
    dc_mem_free(&s->tile);
    dc_mem_free(&s->shard_tile);
}

static dc_status find_groups(dc_comm *comm, search *s)
{
    dc_status st = DC_OK;
    double *second = NULL;
    const double sign = s->cfg->keep == DC_KEEP_FURTHEST ? -1 : 1;
    if (s->cfg->keep != DC_KEEP_FIRST) {
        DC_TRY_ALL(comm, dc_mem_alloc(&second, (size_t)s->n, sizeof *second, "order of rows"));
        for (int64_t i = 0; i < s->n; i++) second[i] = sign * s->cfg->distance[i];
    }
    DC_TRY(dc_groups_find(comm, s->part, s->edge, s->n_edges, second, s->out));
    for (int64_t i = 0; i < s->n; i++) s->out->removed_of[s->cfg->label[i]] += s->out->kept[i] != s->part->row_lo + i;
    dc_comm_sum_i64(comm, s->out->removed_of, (size_t)s->cfg->K);
out:
    dc_mem_free(&second);
    return st;
}

static void count_pairs(dc_comm *comm, search *s)
{
    int64_t numbers[2] = {s->out->pairs, s->out->across};
    dc_comm_sum_i64(comm, numbers, DC_COUNT_OF(numbers));
    s->out->pairs = numbers[0];
    s->out->across = numbers[1];
    dc_comm_sum_i64(comm, s->out->pairs_of, (size_t)s->cfg->K);
}

dc_status dc_duplicates_foresee(dc_comm *comm, const dc_duplicates_config *cfg, dc_duplicates_work *work)
{
    dc_status st = DC_OK;
    dc_duplicates none = {0};
    search s = {.cfg = cfg, .part = cfg->rows->part, .out = &none};
    *work = (dc_duplicates_work){0};
    DC_TRY_ALL(comm, take_plan(&s));
    DC_TRY(link_clusters(comm, &s));
    for (int64_t k = 0; k < cfg->K; k++) {
        const double n = (double)cfg->size[k];
        work->within += n * (n - 1) / 2;
        for (int64_t e = s.link_start[k]; e < s.link_start[k + 1]; e++)
            work->across += n * (double)cfg->size[s.link[e]] / 2; /* each link is there both ways */
    }
out:
    release(&s);
    dc_duplicates_release(&none);
    return st;
}

dc_status dc_duplicates_find(dc_comm *comm, const dc_duplicates_config *cfg, dc_duplicates *out)
{
    dc_status st = DC_OK;
    const double e = 0x1p-24, width = (double)cfg->rows->d;
    search s = {.cfg = cfg,
                .part = cfg->rows->part,
                .d = cfg->rows->d,
                .n = dc_part_rows(cfg->rows->part),
                .out = out,
                .capacity = dc_knn_block_rows(cfg->rows->part, cfg->rows->d),
                .threads = omp_get_max_threads()};
    /* An image has a relative error of e per value, a product of d terms one of d e (knn_image_kern.c says more). */
    s.plan = (dc_pairs_plan){.K = cfg->K,
                             .d = s.d,
                             .cosine = cfg->cosine,
                             .error = (1.01 + 2 * width * e) * (width + 4) * e + width * 0x1p-124};
    *out = (dc_duplicates){0};
    DC_TRY_ALL(comm, take_plan(&s));
    DC_TRY(link_clusters(comm, &s));
    DC_TRY_ALL(comm, take_result(&s));
    DC_TRY(bring_together(comm, &s));
    DC_TRY_ALL(comm, take(&s));
    take_over(&s);
    DC_TRY(compare_all(comm, &s));
    count_pairs(comm, &s);
    drop_rows(&s);
    DC_TRY(sort_pairs(comm, &s));
    dc_mem_free(&s.pair);
    DC_TRY(find_groups(comm, &s));
out:
    release(&s);
    if (st != DC_OK) dc_duplicates_release(out);
    return st;
}

void dc_duplicates_release(dc_duplicates *d)
{
    dc_mem_free(&d->kept);
    dc_mem_free(&d->group);
    dc_mem_free(&d->pairs_of);
    dc_mem_free(&d->removed_of);
    dc_mem_free(&d->pair);
}
