/* Neighbouring float32 numbers differ by 2^(e - 23) from 2^e to 2^(e+1), and by 2^-149 below 2^-126. */
#include "convert/precision.h"

#include <math.h>

#include "dcmpi/mem.h"

enum { UNCHANGED, CHANGED, CHANGED_INTEGER };

dc_status dc_precision_create(dc_precision *p, int64_t D)
{
    dc_status st = DC_OK;
    *p = (dc_precision){.D = D};
    DC_TRY(dc_mem_alloc_raw(&p->low, (size_t)D, sizeof *p->low, "smallest values"));
    DC_TRY(dc_mem_alloc_raw(&p->high, (size_t)D, sizeof *p->high, "largest values"));
    DC_TRY(dc_mem_alloc(&p->changed, (size_t)D, 1, "rounded columns"));
    for (int64_t c = 0; c < D; c++) p->low[c] = INFINITY, p->high[c] = -INFINITY;
out:
    if (st != DC_OK) dc_precision_destroy(p);
    return st;
}

void dc_precision_destroy(dc_precision *p)
{
    dc_mem_free(&p->low);
    dc_mem_free(&p->high);
    dc_mem_free(&p->changed);
}

void dc_precision_add(dc_precision *p, int64_t c, double v)
{
    p->low[c] = fmin(p->low[c], v);
    p->high[c] = fmax(p->high[c], v);
    if ((double)(float)v == v) return;
    const bool integer = v == trunc(v) && fabs(v) < 0x1p64;
    p->beyond_f64 |= integer && fabs(v) > 0x1p53;
    p->changed[c] = (uint8_t)DC_MAX((int)p->changed[c], integer ? CHANGED_INTEGER : CHANGED);
}

void dc_precision_scan(dc_precision *p, size_t n, const double *x)
{
    for (size_t i = 0; i < n; i++, x += p->D)
        for (int64_t c = 0; c < p->D; c++)
            if (isfinite(x[c])) dc_precision_add(p, c, x[c]);
}

static double step_of_f32(double v)
{
    return v < 0x1p-126 ? 0x1p-149 : ldexp(1, ilogb(v) - 23);
}

static bool needs_f64(const dc_precision *p, int64_t c)
{
    const double spread = p->high[c] - p->low[c];
    if (p->changed[c] == UNCHANGED || spread == 0) return false;
    const double largest = fmax(fabs(p->low[c]), fabs(p->high[c]));
    return p->changed[c] == CHANGED_INTEGER || spread < DC_PRECISION_MIN_STEPS * step_of_f32(largest);
}

int64_t dc_precision_find(const dc_precision *p, int64_t *columns)
{
    int64_t first = -1;
    *columns = 0;
    for (int64_t c = 0; c < p->D; c++) {
        if (!needs_f64(p, c)) continue;
        if (first < 0) first = c;
        ++*columns;
    }
    return first;
}
