/* Which rank owns which part of the weights: contiguous units of whole panels in layer order, by their middles, so that
 * the shares are equal up to one panel. Ownership moves work and messages about, never bits. */
#include "gradient_impl.h"

static size_t unit_floats(const dc_layer *layer, int64_t u)
{
    return dc_unit_offset(layer, u + 1) - dc_unit_offset(layer, u);
}

/* Rank of a unit that covers floats [begin, begin + size) of `total`. */
static int rank_at(size_t begin, size_t size, size_t total, int P)
{
    const double middle = ((double)begin + 0.5 * (double)size) / (double)total;
    return DC_MIN((int)(middle * P), P - 1);
}

dc_status dc_owners_init(dc_owners *o, const dc_net *net, int last, int P, int rank)
{
    *o = (dc_owners){.P = P, .rank = rank};
    dc_status st = dc_mem_alloc(&o->bytes, (size_t)P, sizeof *o->bytes, "owner table");
    if (st == DC_OK) st = dc_mem_alloc(&o->first, (size_t)last * (size_t)(P + 1), sizeof *o->first, "owner table");
    if (st != DC_OK) return st;
    size_t total = 0, begin = 0;
    for (int l = 0; l < last; l++) total += dc_unit_offset(&net->layer[l], dc_layer_panels(&net->layer[l]) + 1);
    for (int l = 0; l < last; l++) {
        const dc_layer *layer = &net->layer[l];
        const int units = dc_int(dc_layer_panels(layer)) + 1;
        int *first = o->first + l * (P + 1), r = 0;
        first[0] = 0;
        for (int u = 0; u < units; u++) {
            const int owner = rank_at(begin, unit_floats(layer, u), total, P);
            while (r < owner) first[++r] = u;
            begin += unit_floats(layer, u);
        }
        while (r < P) first[++r] = units;
    }
    return DC_OK;
}

void dc_owners_release(dc_owners *o)
{
    dc_mem_free(&o->first);
    dc_mem_free(&o->bytes);
}

const size_t *dc_owned_bytes(const dc_gradient *g, int l)
{
    for (int r = 0; r < g->owners.P; r++)
        g->owners.bytes[r] = (dc_owned_lo(g, l, r + 1) - dc_owned_lo(g, l, r)) * sizeof(float);
    return g->owners.bytes;
}
