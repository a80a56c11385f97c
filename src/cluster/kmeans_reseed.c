/* Empty clusters. One after the other, in the order of their numbers, their centres move to the row that is then
 * farthest from its nearest centre (ties: the lowest row).
 *
 * A pass over the rows finds their distances; moved centres only lower them. So a rank keeps the rows that were
 * farthest in a pool, and compares a row with the centres that have moved since only when it would be the next. Rows
 * outside come after the last row of the pool as it was filled; once no row of the pool is before that, it is filled
 * again. */
#include "kmeans_impl.h"

#include "dcmpi/comm.h"

#include <string.h>

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

/* Fills the pool with the rows that are farthest now. Local. */
static void fill(const reseeding *r)
{
    dc_km_far *p = &r->a->far;
    const int64_t n = dc_part_rows(r->a->tiles.rows->part);
    p->n = 0;
    for (int64_t i = 0; i < n; i++) {
        dc_km_far_row x = {.distance = r->a->distance[i], .row = i};
        if (!(x.distance > 0) || (p->n == p->room && !before(&x, &p->row[0]))) continue;
        refresh(r, &x);
        if (!(x.distance > 0) || (p->n == p->room && !before(&x, &p->row[0]))) continue;
        if (p->n == p->room) {
            p->row[0] = x;
            sift(p->row, p->n, 0);
            continue;
        }
        p->row[p->n++] = x;
        for (int64_t j = p->room / 2; p->n == p->room && j >= 0; j--) sift(p->row, p->n, j);
    }
    p->last = p->n == p->room ? p->row[0] : (dc_km_far_row){.row = INT64_MAX};
}

/* The farthest row of the pool, if no row outside can be before it; otherwise the last row of the pool as it was
 * filled, with the number -1. Distance 0: there is none. Local. */
static dc_km_far_row next_row(const reseeding *r)
{
    const dc_km_far *p = &r->a->far;
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

/* The global row that is farthest from its nearest centre, -1 if all lie on centres. Collective. */
static dc_gidx farthest_row(dc_comm *comm, const reseeding *r)
{
    for (;;) {
        const dc_km_far_row mine = next_row(r);
        double most = (double)mine.distance;
        dc_comm_max_f64(comm, &most, 1);
        if (!(most > 0)) return -1;
        const bool leads = (double)mine.distance == most;
        dc_gidx row = leads && mine.row >= 0 ? r->a->tiles.rows->part->row_lo + mine.row : leads ? -1 : INT64_MAX;
        dc_comm_min_i64(comm, &row, 1);
        if (row >= 0) return row;
        if (leads && mine.row < 0) fill(r);
    }
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

int64_t dc_km_reseed(dc_comm *comm, dc_km_restarts *a, float *centers, const double *counts)
{
    reseeding r = {.a = a, .centers = centers};
    fill(&r);
    for (int64_t k = 0; k < a->K; k++) {
        if (counts[k] > 0) continue;
        const dc_gidx row = farthest_row(comm, &r);
        if (row < 0) break;
        move_to_row(comm, &r, k, row);
    }
    return r.n_moved;
}
