/* A limit on the sizes of clusters: see capped.h.
 *
 * In each round the clusters with too many rows find the last row that they keep: by bisection over the bits of the
 * distances, then over row numbers among equal distances, for all of them at once. So no rank gathers or sorts rows,
 * and only counts are summed. The rows beyond look for the nearest centre that takes them; what a centre keeps only
 * gets nearer, so a centre that refused a row once need not be asked again. */
#include <math.h>
#include <string.h>

#include "capped_impl.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"

enum { PANEL = 1024 };

/* A cluster that has too many rows: bounds of the search for the last one that it keeps. */
typedef struct {
    int64_t cluster;
    uint64_t lo, hi; /* the value is in [lo, hi] */
} contest;

typedef struct {
    const dc_rows *rows;
    int64_t K, most;
    dc_kmeans_result *r;
    dc_km_tiles tiles; /* of the rows that search */
    dc_rows searchers;
    dc_cap_search search;
    dc_km_centers images;
    uint64_t *distance; /* [n] squared, as bits */
    int64_t *index;     /* [n] rows that search */
    dc_cap_place *last; /* [K] the last place that a centre still takes */
    contest *contests;  /* [K] */
    int64_t n_contests;
    int32_t *contest_of; /* [K] number of a cluster's contest, -1: none */
    int64_t *count;      /* [K] of the contests */
    dc_sum *sum;         /* [1] */
} capping;

static dc_status capping_init(capping *c, const dc_rows *rows, int64_t K)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(rows->part), k = (size_t)K;
    c->rows = rows;
    c->K = K;
    c->searchers = (dc_rows){.part = rows->part, .d = rows->d, .rows = dc_cap_read, .ctx = &c->search};
    DC_TRY(dc_km_tiles_init(&c->tiles, &c->searchers, DC_MIN(K, (int64_t)PANEL), 1));
    DC_TRY(dc_km_centers_init(&c->images, K, rows->d));
    DC_TRY(dc_mem_alloc(&c->distance, n, sizeof *c->distance, "distances to centres"));
    DC_TRY(dc_mem_alloc(&c->index, n, sizeof *c->index, "rows that search for a cluster"));
    DC_TRY(dc_mem_alloc(&c->last, k, sizeof *c->last, "last rows of clusters"));
    DC_TRY(dc_mem_alloc(&c->contests, k, sizeof *c->contests, "clusters with too many rows"));
    DC_TRY(dc_mem_alloc(&c->contest_of, k, sizeof *c->contest_of, "clusters with too many rows"));
    DC_TRY(dc_mem_alloc(&c->count, k, sizeof *c->count, "rows of clusters"));
    DC_TRY(dc_sum_create(&c->sum, rows->part, 1));
out:
    return st;
}

static void capping_release(capping *c)
{
    dc_km_tiles_release(&c->tiles);
    dc_km_centers_release(&c->images);
    dc_mem_free(&c->distance);
    dc_mem_free(&c->index);
    dc_mem_free(&c->last);
    dc_mem_free(&c->contests);
    dc_mem_free(&c->contest_of);
    dc_mem_free(&c->count);
    dc_sum_destroy(&c->sum);
}

/* Shift and unit of the products: mean and spread of the rows, as far as centres and inertia tell. */
static void set_scale(capping *c)
{
    const int64_t d = c->rows->d, N = c->rows->part->N;
    double squares = c->r->inertia;
    for (int64_t j = 0; j < d; j++) {
        double sum = 0;
        for (int64_t k = 0; k < c->K; k++) sum += (double)c->r->size[k] * (double)c->r->centers[k * d + j];
        c->tiles.shift[j] = (float)(sum / (double)N);
    }
    for (int64_t k = 0; k < c->K; k++)
        squares += (double)c->r->size[k] * dc_km_distance(c->r->centers + k * d, c->tiles.shift, d);
    c->tiles.unit = dc_km_unit_of(sqrt(squares / ((double)N * (double)d)));
}

/* ---- The last row that a cluster keeps --------------------------------------------------------------------------- */

static void open_contests(capping *c)
{
    c->n_contests = 0;
    for (int64_t k = 0; k < c->K; k++) {
        c->contest_of[k] = -1;
        if (c->r->size[k] <= c->most) continue;
        c->contest_of[k] = (int32_t)c->n_contests;
        c->contests[c->n_contests++] = (contest){.cluster = k, .hi = dc_cap_bits(INFINITY)};
    }
}

static uint64_t middle_of(const contest *x)
{
    return x->lo + (x->hi - x->lo) / 2;
}

/* Counts the rows of each contest that are not after a place: by distance alone, or, of those at the distance that was
 * found, by number. Collective. */
static void count_rows(dc_comm *comm, capping *c, bool by_row)
{
    const dc_gidx first = c->rows->part->row_lo;
    memset(c->count, 0, (size_t)c->n_contests * sizeof *c->count);
    for (int64_t i = 0; i < dc_part_rows(c->rows->part); i++) {
        const int32_t number = c->contest_of[c->r->labels[i]];
        if (number < 0) continue;
        const contest *x = &c->contests[number];
        const uint64_t middle = middle_of(x);
        const dc_cap_place place =
            by_row ? (dc_cap_place){c->last[x->cluster].distance, (dc_gidx)middle} : (dc_cap_place){middle, INT64_MAX};
        c->count[number] += dc_cap_not_after((dc_cap_place){c->distance[i], first + i}, place);
    }
    dc_comm_sum_i64(comm, c->count, (size_t)c->n_contests);
}

/* Finds the lowest value up to which there are `most` rows, for all contests. Collective. */
static void bisect(dc_comm *comm, capping *c, bool by_row)
{
    for (bool found = false; !found;) {
        count_rows(comm, c, by_row);
        found = true;
        for (int64_t j = 0; j < c->n_contests; j++) {
            contest *x = &c->contests[j];
            if (c->count[j] >= c->most)
                x->hi = middle_of(x);
            else if (x->lo < x->hi)
                x->lo = middle_of(x) + 1;
            found &= x->lo == x->hi;
        }
    }
}

/* Sets c->last of the clusters with too many rows. Collective. */
static void settle_contests(dc_comm *comm, capping *c)
{
    bisect(comm, c, false);
    for (int64_t j = 0; j < c->n_contests; j++) {
        contest *x = &c->contests[j];
        c->last[x->cluster].distance = x->lo;
        x->lo = 0;
        x->hi = (uint64_t)c->rows->part->N;
    }
    bisect(comm, c, true);
    for (int64_t j = 0; j < c->n_contests; j++) c->last[c->contests[j].cluster].row = (dc_gidx)c->contests[j].lo;
}

/* ---- Rounds ------------------------------------------------------------------------------------------------------ */

/* Lists the rows that their clusters do not keep, and takes them out of the sizes. */
static void list_refused(capping *c)
{
    const dc_gidx first = c->rows->part->row_lo;
    c->search.n = 0;
    for (int64_t i = 0; i < dc_part_rows(c->rows->part); i++) {
        const int32_t k = c->r->labels[i];
        const dc_cap_place place = {c->distance[i], first + i};
        if (c->contest_of[k] >= 0 && !dc_cap_not_after(place, c->last[k])) c->index[c->search.n++] = i;
    }
}

static void count_sizes(dc_comm *comm, capping *c)
{
    memset(c->r->size, 0, (size_t)c->K * sizeof *c->r->size);
    for (int64_t i = 0; i < dc_part_rows(c->rows->part); i++) c->r->size[c->r->labels[i]]++;
    dc_comm_sum_i64(comm, c->r->size, (size_t)c->K);
}

static void start(capping *c)
{
    set_scale(c);
    dc_km_project(&c->tiles, c->r->centers, c->K, &c->images);
    for (int64_t k = 0; k < c->K; k++) c->last[k] = (dc_cap_place){UINT64_MAX, INT64_MAX};
    c->search = (dc_cap_search){.rows = c->rows,
                                .index = c->index,
                                .tiles = &c->tiles,
                                .centers = &c->images,
                                .last = c->last,
                                .label = c->r->labels,
                                .distance = c->distance};
    dc_cap_distances(c->rows, &c->tiles, c->r->centers, c->r->labels, c->distance);
}

/* leaf[0]: sum of the squared distances. */
static void block_distances(void *ctx, const dc_block *block, int thread, double *leaf)
{
    (void)thread;
    const capping *c = ctx;
    for (int64_t i = block->lo; i < block->hi; i++) {
        double distance;
        memcpy(&distance, &c->distance[i], sizeof distance);
        leaf[0] += distance;
    }
}

static dc_status cap(dc_comm *comm, capping *c, dc_capped *out)
{
    dc_status st = DC_OK;
    start(c);
    for (open_contests(c); c->n_contests > 0; open_contests(c)) {
        settle_contests(comm, c);
        list_refused(c);
        dc_cap_find(&c->search);
        count_sizes(comm, c);
        out->rounds++;
        DC_TRY(dc_wish_poll_stop(comm));
    }
    dc_sum_over_blocks(comm, c->sum, block_distances, c, &out->inertia);
    c->r->inertia = out->inertia;
out:
    return st;
}

dc_status dc_cap_sizes(dc_comm *comm, const dc_rows *rows, int64_t K, int64_t most, dc_kmeans_result *r, dc_capped *out)
{
    dc_status st = DC_OK;
    int32_t *before = NULL;
    capping c = {.most = most, .r = r};
    const size_t n = (size_t)dc_part_rows(rows->part);
    *out = (dc_capped){0};
    DC_ASSERT(most >= 1 && most >= (rows->part->N + K - 1) / K);
    DC_TRY_ALL(comm, capping_init(&c, rows, K));
    DC_TRY_ALL(comm, dc_mem_alloc(&before, n, sizeof *before, "labels"));
    if (n > 0) memcpy(before, r->labels, n * sizeof *before);
    DC_TRY(cap(comm, &c, out));
    for (size_t i = 0; i < n; i++) out->moved += r->labels[i] != before[i];
    dc_comm_sum_i64(comm, &out->moved, 1);
out:
    capping_release(&c);
    dc_mem_free(&before);
    return st;
}

dc_status dc_cap_bytes(const dc_part *part, int64_t d, int64_t K, double *bytes)
{
    const dc_rows rows = {.part = part, .d = d};
    capping c = {0};
    const size_t held = dc_mem_current_bytes();
    dc_mem_rehearse(true);
    const dc_status st = capping_init(&c, &rows, K);
    *bytes = (double)(dc_mem_current_bytes() - held) + (double)dc_part_rows(part) * sizeof(int32_t);
    capping_release(&c);
    dc_mem_rehearse(false);
    return st;
}
