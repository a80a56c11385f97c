/* The search for near-duplicates. Rows go to places in the order of their clusters; a rank that holds part of a cluster
 * compares it with its own rows, then with blocks of other ranks that hold more of it or of its neighbours. Of two
 * ranks only one compares their rows: in step s rank r takes what it needs from rank r - s, for s up to P/2. A forest
 * over this rank's rows and the block leaves of all pairs only those that join two groups: what is kept does not grow
 * with the number of pairs. */
#include "graph/duplicates.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/beat.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/order.h"
#include "dcmpi/wish.h"
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
    int64_t *tile; /* [tiles + 1] */
    int64_t tiles;
    dc_pairs_scratch *scratch;
    int threads;
    int64_t capacity; /* rows of a block */
    int64_t *parent;  /* [n + capacity]: forest */
    dc_edge *edge;
    int64_t n_edges, room, visited; /* edges: how many, how many fit; rows of blocks of other ranks so far */
    dc_pair *pair;                  /* [pairs_max]; NULL: they are not listed */
    int64_t n_pairs;
    bool too_many;      /* pairs of this rank */
    size_t *send, *get; /* [P] bytes */
    int64_t *rounds; /* [P/2 + 1] blocks that a rank compares its rows with, at most: its own, of the rank before... */
    int64_t done, all; /* rounds */
} search;

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

/* Whether this rank compares its rows with block `index` of rank `owner`; *rows: its rows. */
static bool needs_block(const search *s, int owner, int64_t index, int64_t *rows)
{
    const dc_gidx lo = dc_part_rank_begin(s->part, owner) + index * s->capacity,
                  hi = DC_MIN(lo + s->capacity, dc_part_rank_begin(s->part, owner + 1));
    *rows = hi - lo;
    if (s->n == 0) return false;
    const dc_pairs_plan *p = &s->plan;
    return is_linked(p, dc_pairs_cluster(p, lo), dc_pairs_cluster(p, hi - 1), dc_pairs_cluster(p, s->part->row_lo),
                     dc_pairs_cluster(p, s->part->row_hi - 1));
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static dc_status take_plan(search *s)
{
    dc_status st = DC_OK;
    const size_t K = (size_t)s->cfg->K, P = (size_t)s->part->P;
    DC_TRY(dc_mem_alloc(&s->first, K + 1, sizeof *s->first, "clusters"));
    DC_TRY(dc_mem_alloc(&s->link_start, K + 1, sizeof *s->link_start, "clusters"));
    DC_TRY(dc_mem_alloc(&s->link, 2 * K * (size_t)s->cfg->probe, sizeof *s->link, "near clusters"));
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
    DC_TRY(dc_mem_alloc(&s->edge, n, sizeof *s->edge, "pairs that join groups"));
    s->room = (int64_t)n;
    if (s->cfg->pairs_max > 0)
        DC_TRY(dc_mem_alloc_pages(&s->pair, (size_t)s->cfg->pairs_max, sizeof *s->pair, "list of pairs"));
    DC_TRY(take_scratch(s));
out:
    return st;
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
    dc_mem_free(&s->parent);
    dc_mem_free(&s->edge);
    dc_mem_free(&s->pair);
    dc_mem_free(&s->rounds);
    dc_mem_free(&s->send);
    dc_mem_free(&s->get);
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
                 tile = DC_PAIRS_TILE, edges = n + most_visited(cfg), row = d * sizeof(float);
    const double clusters = K * (4 * sizeof(int64_t) + 2 * m * sizeof(int32_t)),
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
    s->tiles = 0;
    for (int64_t lo = 0; lo < s->n; s->tiles++) {
        const int64_t k = dc_pairs_cluster(&s->plan, s->part->row_lo + lo);
        s->tile[s->tiles] = lo;
        lo = DC_MIN(DC_MIN(lo + DC_PAIRS_TILE, s->n), s->first[k + 1] - s->part->row_lo);
    }
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
    s->out->pairs += n;
    *(k == other ? &s->out->pairs_of[k] : &s->out->across) += n;
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

static void compare_block(search *s, bool among_own)
{
    dc_pairs_rows *b = &s->block;
    if (b->n == 0 || s->n == 0) return;
    dc_pairs_project(b->n, s->d, b->X, s->block_norm, s->image);
    b->norm = s->block_norm;
    b->image = s->image;
    dc_pairs_compare(&(dc_pairs_visit){.plan = &s->plan,
                                       .own = &s->own,
                                       .block = b,
                                       .tile = s->tile,
                                       .tiles = s->tiles,
                                       .among_own = among_own,
                                       .wants_cosine = s->pair != NULL,
                                       .scratch = s->scratch,
                                       .found = found,
                                       .ctx = s});
}

/* After each step: the list is given up everywhere when all ranks' pairs are too many. Collective. */
static dc_status end_step(dc_comm *comm, search *s)
{
    if (s->pair) {
        int64_t all[2] = {s->n_pairs, s->too_many};
        dc_comm_sum_i64(comm, all, DC_COUNT_OF(all));
        if (all[0] > s->cfg->pairs_max || all[1]) dc_mem_free(&s->pair);
    }
    dc_beat_at("duplicates", ++s->done);
    if (s->cfg->progress) s->cfg->progress(s->cfg->ctx, s->done, s->all);
    return dc_wish_poll_stop(comm);
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

static int64_t blocks_of(const search *s, int64_t rows)
{
    return (rows + s->capacity - 1) / s->capacity;
}

/* Blocks of the rank `shift` before this one that this rank compares its rows with; *from: that rank. */
static int64_t blocks_before(const search *s, int shift, int *from)
{
    const dc_part *part = s->part;
    const bool is_mine = 2 * shift != part->P || part->rank >= shift; /* half way round there are two ways to a rank */
    *from = (part->rank + part->P - shift) % part->P;
    return is_mine ? blocks_of(s, dc_part_rank_rows(part, *from)) : 0;
}

static void plan_rounds(dc_comm *comm, search *s)
{
    int from;
    int64_t rows;
    const int shifts = s->part->P / 2;
    s->rounds[0] = blocks_of(s, s->n);
    for (int shift = 1; shift <= shifts; shift++) {
        const int64_t blocks = blocks_before(s, shift, &from);
        for (int64_t b = 0; b < blocks; b++) s->rounds[shift] += needs_block(s, from, b, &rows);
    }
    dc_comm_max_i64(comm, s->rounds, (size_t)shifts + 1);
    for (int shift = 0; shift <= shifts; shift++) s->all += s->rounds[shift];
}

static dc_status compare_own(dc_comm *comm, search *s)
{
    dc_status st = DC_OK;
    for (int64_t r = 0; r < s->rounds[0]; r++) {
        const int64_t lo = DC_MIN(r * s->capacity, s->n);
        s->block = (dc_pairs_rows){
            .lo = s->part->row_lo + lo, .n = DC_MIN(s->capacity, s->n - lo), .X = s->X + lo * s->d, .row = s->row + lo};
        compare_block(s, true);
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

/* Gets block `index` of rank `from`, or none if it is -1, and gives rank `to` the one that it asks for. Collective. */
static void exchange_block(dc_comm *comm, search *s, int from, int64_t index, int64_t rows, int to)
{
    int64_t asked = -1;
    const size_t row = (size_t)s->d * sizeof *s->X;
    send_to(s, from, sizeof index, to, sizeof asked);
    dc_comm_alltoallv(comm, &index, s->send, &asked, s->get);
    const int64_t lo = asked < 0 ? 0 : asked * s->capacity, n = asked < 0 ? 0 : DC_MIN(s->capacity, s->n - lo);
    send_to(s, to, (size_t)n * row, from, (size_t)rows * row);
    dc_comm_alltoallv(comm, s->X + lo * s->d, s->send, s->block_X, s->get);
    send_to(s, to, (size_t)n * sizeof *s->row, from, (size_t)rows * sizeof *s->row);
    dc_comm_alltoallv(comm, s->row + lo, s->send, s->block_row, s->get);
    s->block = (dc_pairs_rows){.n = rows, .X = s->block_X, .row = s->block_row};
    if (index >= 0) s->block.lo = dc_part_rank_begin(s->part, from) + index * s->capacity;
}

/* This rank's rows with those of the rank `shift` before it. */
static dc_status compare_with(dc_comm *comm, search *s, int shift)
{
    dc_status st = DC_OK;
    int from;
    const int to = (s->part->rank + shift) % s->part->P;
    const int64_t blocks = blocks_before(s, shift, &from);
    int64_t rows, next = 0;
    for (int64_t r = 0; r < s->rounds[shift]; r++) {
        while (next < blocks && !needs_block(s, from, next, &rows)) next++;
        const int64_t index = next < blocks ? next++ : -1;
        if (index < 0) rows = 0;
        DC_TRY_ALL(comm, make_room(s, rows));
        exchange_block(comm, s, from, index, rows, to);
        compare_block(s, false);
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
