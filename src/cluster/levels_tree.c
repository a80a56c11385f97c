/* The levels of a hierarchy: children of clusters, parents of leaves. */
#include <string.h>

#include "dcmpi/levels.h"
#include "dcmpi/mem.h"

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
