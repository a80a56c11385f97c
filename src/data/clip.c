/* input.clip: the bounds to which values are clipped before they are scaled. Dense rows do not change: values are
 * clipped each time they are read (gather_kern.c), in a run as well as in predict. Those of sparse rows are clipped
 * once, in memory. */
#include <math.h>
#include <string.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

static dc_status take_quantiles(dc_comm *comm, dc_dataset *d, double q)
{
    dc_status st = DC_OK;
    const size_t D = (size_t)d->D;
    double *bounds = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&bounds, 2 * D, sizeof *bounds, "bounds of input.clip"));
    DC_TRY(dc_data_quantiles(comm, d, 2, (double[]){q, 1 - q}, bounds));
    memcpy(d->clip_lo, bounds, D * sizeof *bounds);
    memcpy(d->clip_hi, bounds + D, D * sizeof *bounds);
out:
    dc_mem_free(&bounds);
    return st;
}

/* Sparse rows are clipped where they stand, in single precision. */
static void round_bounds(dc_dataset *d)
{
    for (int64_t c = 0; c < d->D; c++) {
        d->clip_lo[c] = (double)(float)d->clip_lo[c];
        d->clip_hi[c] = (double)(float)d->clip_hi[c];
    }
}

dc_status dc_data_set_clip(dc_comm *comm, dc_dataset *d, const dc_clip *clip)
{
    dc_status st = DC_OK;
    const size_t D = (size_t)d->D;
    if (clip->kind == DC_CLIP_NONE) return DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(&d->clip_lo, D, sizeof *d->clip_lo, "bounds of input.clip"));
    DC_TRY_ALL(comm, dc_mem_alloc(&d->clip_hi, D, sizeof *d->clip_hi, "bounds of input.clip"));
    d->bytes += 2 * D * sizeof *d->clip_lo;
    for (size_t c = 0; c < D; c++) {
        d->clip_lo[c] = clip->kind == DC_CLIP_RANGE ? clip->lo : -INFINITY;
        d->clip_hi[c] = clip->kind == DC_CLIP_RANGE ? clip->hi : INFINITY;
    }
    if (clip->kind == DC_CLIP_QUANTILES) DC_TRY(take_quantiles(comm, d, clip->lo));
    if (dc_dataset_is_sparse(d)) round_bounds(d);
out:
    return st;
}

dc_status dc_data_take_clip(dc_comm *comm, dc_dataset *d, const dc_data_given *given)
{
    if (!given->clip_lo) return DC_OK;
    const dc_status st = dc_data_set_clip(comm, d, &(dc_clip){DC_CLIP_RANGE, -INFINITY, INFINITY});
    if (st != DC_OK) return st;
    memcpy(d->clip_lo, given->clip_lo, (size_t)d->D * sizeof *d->clip_lo);
    memcpy(d->clip_hi, given->clip_hi, (size_t)d->D * sizeof *d->clip_hi);
    return DC_OK;
}

dc_status dc_data_limit(dc_comm *comm, dc_dataset *d, double limit)
{
    dc_status st = DC_OK;
    if (!d->clip_lo) DC_TRY(dc_data_set_clip(comm, d, &(dc_clip){DC_CLIP_RANGE, -INFINITY, INFINITY}));
    for (int64_t c = 0; c < d->D; c++) {
        const double middle = (double)d->shift[c], reach = limit / (double)d->scale[c];
        d->clip_lo[c] = fmax(d->clip_lo[c], middle - reach);
        d->clip_hi[c] = fmin(d->clip_hi[c], middle + reach);
    }
    d->scaled_min = fmax(d->scaled_min, -limit);
    d->scaled_max = fmin(d->scaled_max, limit);
    if (!dc_dataset_is_sparse(d)) return DC_OK;
    round_bounds(d);
    const dc_csr rows = d->csr;
    dc_dataset_set_csr(d, &rows);
out:
    return st;
}
