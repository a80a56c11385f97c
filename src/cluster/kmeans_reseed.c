/* Empty clusters. One after the other, in the order of their numbers, their centres move to the row that is then
 * farthest from its nearest centre (ties: the lowest row).
 *
 * A pass over the rows finds their distances; moved centres only lower them. So a rank keeps the rows that were
 * farthest in a pool, and compares a row with the centres that have moved since only when it would be the next. Rows
 * outside come after the last row of the pool as it was filled; once no row of the pool is before that, it is filled
 * again, a part of the rows at a time, between which the ranks agree on stop requests. */
#include "kmeans_impl.h"

#include "dcmpi/comm.h"

#include <math.h>
#include <string.h>

/* Moves from one poll to the next. */
enum { MOVES_PER_POLL = 16 };

/* What the steps for one restart share. */
typedef struct {
    dc_km_restarts *a;
    float *centers;  /* [K x d] of the restart */
    int64_t n_moved; /* centres that have moved: a->far.moved[0 .. n_moved) */
} reseeding;

static bool before(const dc_km_far_row *x, const dc_km_far_row *y)
{
    return x->distance > y->distance || (x->distance == y->distance && x->row < y->row);
}

/* Lowers the distance of a row by the centres that have moved since it was compared last. */
static void refresh(const reseeding *r, dc_km_far_row *x)
{
    const dc_km_tiles *t = &r->a->tiles;
    const double unit = (double)t->unit;
    float *at = t->scratch[0].doubtful;
    if (x->seen == r->n_moved) return;
    dc_km_row(t, x->row, at);
    for (; x->seen < r->n_moved; x->seen++) {
        const double squares = dc_km_distance(at, r->centers + r->a->far.moved[x->seen] * t->d, t->d);
        const float distance = (float)(squares * unit * unit);
        x->distance = distance < x->distance ? distance : x->distance;
    }
}

/* Restores the heap of n rows, of which each comes after those below it, where row i may come before some. */
static void sift(dc_km_far_row *heap, int64_t n, int64_t i)
{
    for (int64_t last = i;; i = last) {
        for (int64_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
            if (before(&heap[last], &heap[child])) last = child;
        if (last == i) return;
        const dc_km_far_row t = heap[i];
        heap[i] = heap[last];
        heap[last] = t;
    }
}

/* Takes a row to the pool if it is farther than one there. */
static void offer(const reseeding *r, int64_t i)
{
    dc_km_far *p = &r->a->far;
    dc_km_far_row x = {.distance = r->a->distance[i], .row = i};
    if (!(x.distance > 0) || (p->n == p->room && !before(&x, &p->row[0]))) return;
    refresh(r, &x);
    if (!(x.distance > 0) || (p->n == p->room && !before(&x, &p->row[0]))) return;
    if (p->n == p->room) {
        p->row[0] = x;
        sift(p->row, p->n, 0);
        return;
    }
    p->row[p->n++] = x;
    for (int64_t j = p->room / 2; p->n == p->room && j >= 0; j--) sift(p->row, p->n, j);
}

/* Fills the pool with the rows that are farthest now, or goes on with it for some tenths of a second. Local. */
static void fill(const reseeding *r)
{
    dc_km_far *p = &r->a->far;
    const int64_t n = dc_part_rows(r->a->tiles.rows->part), first = DC_MAX(p->next_row, (int64_t)0);
    const double slower = 64; /* a distance in double than a row's product in a pass */
    const double of_row = slower * (double)(1 + r->n_moved) * (double)(r->a->d + 1);
    const int64_t end = DC_MIN(n, first + DC_MAX((int64_t)1, (int64_t)(r->a->watch.part / of_row)));
    if (first == 0) p->n = 0;
    for (int64_t i = first; i < end; i++) offer(r, i);
    p->next_row = end < n ? end : -1;
    if (end == n) p->last = p->n == p->room ? p->row[0] : (dc_km_far_row){.row = INT64_MAX};
}

/* The farthest row of the pool, if no row outside can be before it; otherwise the last row of the pool as it was
 * filled, with the number -1, or infinity if it is not filled. Distance 0: there is none. Local. */
static dc_km_far_row next_row(const reseeding *r)
{
    const dc_km_far *p = &r->a->far;
    if (p->next_row >= 0) return (dc_km_far_row){.distance = INFINITY, .row = -1};
    for (;;) {
        dc_km_far_row *best = NULL, last = p->last;
        for (int64_t i = 0; i < p->n; i++)
            if (p->row[i].distance > 0 && (!best || before(&p->row[i], best))) best = &p->row[i];
        if (!best || before(&last, best)) {
            last.row = -1;
            return last;
        }
        if (best->seen == r->n_moved) return *best;
        refresh(r, best);
    }
}

/* *row: the global row that is farthest from its nearest centre, -1 if all lie on centres. Collective. Errors: those of
 * dc_km_poll. */
static dc_status farthest_row(dc_comm *comm, const reseeding *r, dc_gidx *row)
{
    dc_status st = DC_OK;
    for (;;) {
        const dc_km_far_row mine = next_row(r);
        double most = (double)mine.distance;
        dc_comm_max_f64(comm, &most, 1);
        *row = -1;
        if (!(most > 0)) break;
        const bool leads = (double)mine.distance == most;
        *row = leads && mine.row >= 0 ? r->a->tiles.rows->part->row_lo + mine.row : leads ? -1 : INT64_MAX;
        dc_comm_min_i64(comm, row, 1);
        if (*row >= 0) break;
        if (leads && mine.row < 0) fill(r);
        DC_TRY(dc_km_poll(comm, r->a->cfg));
    }
out:
    return st;
}

/* Moves centre k to a row. Collective. */
static void move_to_row(dc_comm *comm, reseeding *r, int64_t k, dc_gidx row)
{
    const dc_km_tiles *t = &r->a->tiles;
    const dc_part *part = t->rows->part;
    float *mu = r->centers + k * t->d;
    memset(mu, 0, (size_t)t->d * sizeof *mu);
    if (row >= part->row_lo && row < part->row_hi) dc_km_row(t, row - part->row_lo, mu);
    dc_comm_sum_f32(comm, mu, (size_t)t->d);
    r->a->far.moved[r->n_moved++] = k;
}

dc_status dc_km_reseed(dc_comm *comm, dc_km_restarts *a, float *centers, const double *counts, int64_t *moved)
{
    dc_status st = DC_OK;
    reseeding r = {.a = a, .centers = centers};
    a->far.next_row = 0;
    for (int64_t k = 0; k < a->K; k++) {
        dc_gidx row;
        if (counts[k] > 0) continue;
        DC_TRY(farthest_row(comm, &r, &row));
        if (row < 0) break;
        move_to_row(comm, &r, k, row);
        if (r.n_moved % MOVES_PER_POLL == 0) DC_TRY(dc_km_poll(comm, a->cfg));
    }
    *moved = r.n_moved;
out:
    return st;
}
