/* Decides which rank owns which part of the items. Each rank owns consecutive units, in the order of the items. The
 * middle of a unit decides who owns it, so that shares are equal up to one panel. Ownership affects who computes and
 * what is sent, never the bits. */
#include "dcmpi/comm.h"

#include <string.h>

#include "dcmpi/mem.h"
#include "outer_priv.h"

static size_t unit_floats(const dc_outer_item *item, int64_t u)
{
    return dc_unit_offset(item, u + 1) - dc_unit_offset(item, u);
}

/* The rank that owns the unit of floats [begin, begin + size) out of `total`. */
static int rank_at(size_t begin, size_t size, size_t total, int P)
{
    const double middle = ((double)begin + 0.5 * (double)size) / (double)total;
    return DC_MIN((int)(middle * P), P - 1);
}

/* Sets first[P+1] for an item whose floats begin at *begin, out of `total`; moves *begin to the end of the item. */
static void share_out(const dc_outer_item *item, size_t *begin, size_t total, int P, int *first)
{
    const int units = dc_item_units(item);
    int r = 0;
    first[0] = 0;
    for (int u = 0; u < units; u++) {
        const int owner = rank_at(*begin, unit_floats(item, u), total, P);
        while (r < owner) first[++r] = u;
        *begin += unit_floats(item, u);
    }
    while (r < P) first[++r] = units;
}

dc_status dc_owners_init(dc_owners *o, const dc_outer_item *item, int n_items, int P, int rank)
{
    dc_status st = DC_OK;
    size_t total = 0, begin = 0;
    *o = (dc_owners){.P = P, .rank = rank, .item = item, .n_items = n_items};
    DC_TRY(dc_mem_alloc(&o->bytes, (size_t)P, sizeof *o->bytes, "owner table"));
    DC_TRY(dc_mem_alloc(&o->first, (size_t)n_items * (size_t)(P + 1), sizeof *o->first, "owner table"));
    for (int i = 0; i < n_items; i++) total += dc_item_floats(&item[i]);
    for (int i = 0; i < n_items; i++) share_out(&item[i], &begin, total, P, o->first + i * (P + 1));
out:
    return st;
}

void dc_owners_release(dc_owners *o)
{
    dc_mem_free(&o->first);
    dc_mem_free(&o->bytes);
}

size_t dc_owned_floats(const dc_owners *o, int r)
{
    size_t floats = 0;
    for (int i = 0; i < o->n_items; i++) floats += dc_owned_lo(o, i, r + 1) - dc_owned_lo(o, i, r);
    return floats;
}

/* ---- Slabs ------------------------------------------------------------------------------------------------------- */

/* Bytes of item i that each rank owns, [P], for use as message sizes. Valid until the next call. */
static const size_t *owned_bytes(const dc_owners *o, int i)
{
    for (int r = 0; r < o->P; r++) o->bytes[r] = (dc_owned_lo(o, i, r + 1) - dc_owned_lo(o, i, r)) * sizeof(float);
    return o->bytes;
}

void dc_outer_owned(const dc_outer *outer, int item, size_t *lo, size_t *hi)
{
    const dc_owners *o = &outer->home[item].outer->owners;
    *lo = dc_owned_lo(o, outer->home[item].item, o->rank);
    *hi = dc_owned_lo(o, outer->home[item].item, o->rank + 1);
}

void dc_outer_share(dc_comm *comm, const dc_outer *outer, float *slab)
{
    const dc_owners *o = &outer->owners;
    for (int i = 0; o->P > 1 && i < o->n_items; i++)
        dc_comm_allgatherv(comm, slab + dc_owned_lo(o, i, o->rank), slab + o->item[i].at, owned_bytes(o, i));
    if (outer->patches) dc_outer_share(comm, outer->patches, slab);
}

/* Sets [*lo, *hi) to the floats in [first, first + n) that rank r owns of item i; false if there are none. */
static bool owned_within(const dc_owners *o, int i, int r, size_t first, size_t n, size_t *lo, size_t *hi)
{
    *lo = DC_MAX(dc_owned_lo(o, i, r), first);
    *hi = DC_MIN(dc_owned_lo(o, i, r + 1), first + n);
    return *lo < *hi;
}

void dc_outer_collect(dc_comm *comm, const dc_outer *outer, const float *slab, size_t first, size_t n, float *piece)
{
    const dc_owners *o = &outer->owners;
    size_t lo, hi;
    for (int i = 0; i < o->n_items; i++) {
        const size_t begin = DC_MAX(o->item[i].at, first), at = begin - first;
        if (begin >= DC_MIN(o->item[i].at + dc_item_floats(&o->item[i]), first + n)) continue;
        for (int r = 0; r < o->P; r++)
            o->bytes[r] = owned_within(o, i, r, first, n, &lo, &hi) ? (hi - lo) * sizeof *slab : 0;
        const float *own = owned_within(o, i, o->rank, first, n, &lo, &hi) ? slab + lo : slab;
        if (o->P > 1)
            dc_comm_gatherv(comm, own, piece ? piece + at : NULL, o->bytes, 0);
        else if (piece)
            memcpy(piece + at, own, o->bytes[0]);
    }
    if (outer->patches) dc_outer_collect(comm, outer->patches, slab, first, n, piece);
}

void dc_outer_take(const dc_outer *outer, const float *piece, size_t first, size_t n, float *slab)
{
    const dc_owners *o = &outer->owners;
    size_t lo, hi;
    for (int i = 0; i < o->n_items; i++)
        if (owned_within(o, i, o->rank, first, n, &lo, &hi))
            memcpy(slab + lo, piece + (lo - first), (hi - lo) * sizeof *slab);
    if (outer->patches) dc_outer_take(outer->patches, piece, first, n, slab);
}

/* ---- Squares ----------------------------------------------------------------------------------------------------- */

/* Number of units that the ranks below r own, over all items. The units of rank r come next, in the order of the
 * items. */
static size_t units_below(const dc_owners *o, int r)
{
    size_t units = 0;
    for (int i = 0; i < o->n_items; i++) units += (size_t)dc_owner_first(o, i, r);
    return units;
}

double dc_owned_square_bytes(const dc_owners *o, int r)
{
    return sizeof(double) * (double)(units_below(o, r + 1) - units_below(o, r));
}

double dc_outer_squares(dc_comm *comm, dc_outer *outer)
{
    const dc_owners *o = &outer->owners;
    const size_t below = units_below(o, o->rank), all = units_below(o, o->P);
    double *own = outer->square + below, *to = own, sum = 0;
    for (int i = 0; i < o->n_items; i++) {
        const int first = dc_owner_first(o, i, o->rank), last = dc_owner_first(o, i, o->rank + 1);
        dc_unit_squares(&o->item[i], first, last, outer->cfg.grad, to);
        to += last - first;
    }
    for (int r = 0; r < o->P; r++) o->bytes[r] = (units_below(o, r + 1) - units_below(o, r)) * sizeof *own;
    if (o->P > 1) dc_comm_allgatherv(comm, own, outer->square, o->bytes);
    for (size_t u = 0; u < all; u++) sum += outer->square[u];
    return outer->patches ? sum + dc_outer_squares(comm, outer->patches) : sum;
}
